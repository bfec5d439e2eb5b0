"""Runs the real daemon for a test: starts it on a free port, reads its log as it comes, signals and reloads it,
puts load on it, and leaves nothing behind.

A test waits for events (a line of the log, an answer, the end of a process), never for time; every wait has the
deadline DEADLINE, which is far beyond what is normal ($GRACEFULD_DEADLINE); only a failure waits for it. The programs are named by the environment: GRACEFULD,
GRACEFULD_WORKER, HAMMER. GRACEFULD_LOAD (1) scales how much load and how many repetitions a test uses: slow builds
take less of both, with the same assertions."""

import collections
import contextlib
import ctypes
import fcntl
import functools
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import threading
import time

from sock_diag import server_pids

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
GRACEFULD = os.environ.get("GRACEFULD", os.path.join(TOP, "build/gracefuld"))
WORKER = os.environ.get("GRACEFULD_WORKER", os.path.join(TOP, "build/gracefuld-worker"))
HAMMER = os.environ.get("HAMMER", os.path.join(TOP, "build/tests/hammer"))
PYTHON = "/usr/bin/python3"

LOAD = float(os.environ.get("GRACEFULD_LOAD", "0.1" if os.environ.get("GRACEFULD_QUICK") == "1" else "1"))
DEADLINE = int(os.environ.get("GRACEFULD_DEADLINE", 60))

STATE_LINE = re.compile(r"worker (\d+) gen (\d+) pid (\d+): (\w+) -> (\w+)(?: \((.*)\))?$")
READY_LINE = re.compile(r"ready: generation (\d+), (\d+) workers? ready, listening on (.*)$")
VERDICT_LINE = re.compile(
    r"reload (\d+): (?:(applied|reverted): |(rejected): \d+ errors?, )(.*)$")
REEXEC_LINE = re.compile(r"re-exec: (?:gracefuld \S+ goes on: .*, after ([\d.]+) ms|refused: (.*); this program goes on)$")
# The worker's own word that it drains (of the level "debug"): it has accepted who waited, and listens no more. From then on its ends are
# counted. The master's "ready -> draining" tells only that it is asked to.
DRAINS = r"gracefuld-worker\[({pid})\] debug: draining: "
SANITIZER_LINE = re.compile(r"AddressSanitizer|LeakSanitizer|runtime error:|: Assertion ")

PR_SET_CHILD_SUBREAPER = 36
CAP_SYS_PTRACE = 19


@functools.cache
def workers_user():
    """The account for the workers, where the default one would not do: as root, workers run as another user, who may
    not be able to reach a checkout below /root; and in a container root may not look into their /proc."""
    if os.geteuid() != 0:
        return None
    with open("/proc/self/status", encoding="ascii") as file:
        capabilities = int(re.search(r"CapEff:\s*(\w+)", file.read())[1], 16)
    folders = os.path.dirname(os.path.realpath(WORKER)).split("/")
    reachable = all(os.stat("/".join(folders[:n]) or "/").st_mode & 1 for n in range(1, len(folders) + 1))
    return None if reachable and capabilities >> CAP_SYS_PTRACE & 1 else "root"


def scaled(count, least=1):
    """A count of repetitions, less on slow builds."""
    return max(least, int(count * LOAD))


@functools.cache
def is_sanitized():
    """Built with AddressSanitizer, which keeps what is freed: then memory tells nothing. It looks for leaks itself, at the end."""
    with open(GRACEFULD, "rb") as file:
        return b"__asan_init" in file.read()


@functools.cache
def is_instrumented():
    """With a sanitizer, or to count lines: what is built in opens files that a sandbox forbids, so there is none."""
    with open(GRACEFULD, "rb") as file:
        return is_sanitized() or b"libgcov" in file.read()


def become_subreaper():
    """Workers whose master was killed become children of this process, which sees and reaps them."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class Deadline(AssertionError):
    """Something that had to happen did not, for DEADLINE seconds."""


# -- processes ---------------------------------------------------------------------------------------------------

def proc_stat(pid):
    """The fields of /proc/PID/stat from the state (field 3) on; None when the process is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def is_alive(pid):
    """Runs, or could: neither gone nor a zombie."""
    stat = proc_stat(pid)
    return stat is not None and stat[0] not in "ZX"


def cpu_ticks(pid):
    """User and system time so far, in clock ticks (of 10 ms)."""
    stat = proc_stat(pid)
    return int(stat[11]) + int(stat[12])


def children_of(parent):
    """The pids of the children that are no zombies."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            stat = proc_stat(name)
            if stat and stat[0] not in "ZX" and int(stat[1]) == parent:
                found.append(int(name))
    return sorted(found)


def descriptors(pid):
    """{number: what it is}, without the inode numbers of pipes and sockets."""
    found = {}
    for name in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            found[int(name)] = re.sub(r":\[\d+\]$", "", os.readlink(f"/proc/{pid}/fd/{name}"))
    return found


def private_kb(pid):
    """Memory that is this process's own, in kB."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith("Private_"))


def anonymous_kb(pid):
    """Memory that a process has for itself, in kB: heap and stack, but no page of a file, which counts as private or shared
    as other processes come and go."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Anonymous:"))


def wait_gone(pid, timeout=DEADLINE):
    """Waits until a process that need not be a child has ended."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        if not select.select([pidfd], [], [], timeout)[0]:
            raise Deadline(f"process {pid} is still there after {timeout} s")
    finally:
        os.close(pidfd)


def wait_until(condition, what, timeout=DEADLINE):
    """For what sends no event, such as a figure in /proc: looks again and again until it is so."""
    end = time.monotonic() + timeout
    pause = threading.Event()
    while not (value := condition()):
        if time.monotonic() > end:
            raise Deadline(f"{what}: not within {timeout} s")
        pause.wait(0.005)
    return value


# -- addresses and clients ----------------------------------------------------------------------------------------

_port_locks = []


def free_port():
    """A port that nobody uses, and that no other test running now will be given.

    It lies outside of the ephemeral range, where the load generator's own connections could take it; an abstract
    socket is the lock, since two daemons of one user could share a port by SO_REUSEPORT without noticing."""
    for port in range(20000 + os.getpid() * 37 % 8000, 32000):
        lock = socket.socket(socket.AF_UNIX)
        try:
            lock.bind(f"\0gracefuld-test-port-{port}")
            for family, address in ((socket.AF_INET6, "::"), (socket.AF_INET, "0.0.0.0")):
                with socket.socket(family) as probe:
                    probe.bind((address, port))
        except OSError:
            lock.close()
            continue
        _port_locks.append(lock)
        return port
    raise AssertionError("no port is free")


class Client:
    """One connection. `address` is a port (of 127.0.0.1), (host, port), or a path."""

    def __init__(self, address, timeout=DEADLINE):
        if isinstance(address, int):
            address = ("127.0.0.1", address)
        if isinstance(address, str):
            self.sock = socket.socket(socket.AF_UNIX)
        else:
            family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
            self.sock = socket.socket(family)
        self.sock.settimeout(timeout)
        try:
            self.sock.connect(address)
        except BaseException:
            self.sock.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def send(self, data=b"hello\r\n"):
        self.sock.sendall(data)
        return self

    def receive(self, n=11):
        data = b""
        while len(data) < n and (more := self.sock.recv(n - len(data))):
            data += more
        return data

    def ask(self):
        """One request of the hello service, with its answer; returns the client."""
        self.send()
        answer = self.receive()
        assert answer == b"hello world", answer
        return self

    def end(self):
        """Waits until the server ends the connection; says how: "closed" or "reset"."""
        try:
            while self.sock.recv(4096):
                pass
        except ConnectionResetError:
            return "reset"
        return "closed"

    def silent(self, seconds):
        """Does nothing come for so long?"""
        return not select.select([self.sock], [], [], seconds)[0]

    def server_pid(self, pids):
        """Which of these processes holds the server's end (TCP)? None while it still waits in a queue."""
        return server_pids([self], pids)[0]


# -- configuration ------------------------------------------------------------------------------------------------

def _value(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, dict):
        return "{ " + " ".join(f"{name} = {_value(v)};" for name, v in value.items()) + " }"
    return "( " + ", ".join(_value(v) for v in value) + " )"


# Workers that leave serve their connections to the end, instead of handing them over: for tests of what that takes.
KEEP = {"handoff": False}


def config(port=None, **options):
    """The text of a configuration: two workers of the hello service, unless told otherwise. None leaves an option out."""
    settings = {"workers": 2, "drain_timeout": 10, "service": {"type": "hello"}, "user": workers_user()}
    if port is not None:
        settings["port"] = port
    settings.update(options)
    return "".join(f"{name} = {_value(v)};\n" for name, v in settings.items() if v is not None)


# -- the log ------------------------------------------------------------------------------------------------------

class GrowingFile:
    """The lines of a file that is written to, as they come, until the process that does so has ended."""

    def __init__(self, fd, writer):
        self._file, self._writer = os.fdopen(fd, "rb"), writer

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()

    def __iter__(self):
        rest, pause = b"", threading.Event()
        while True:
            is_last = not is_alive(self._writer)
            *lines, rest = (rest + self._file.read()).split(b"\n")
            yield from lines
            if is_last:
                return
            if not lines:
                pause.wait(0.005)


class Log:
    """The lines that come out of a pipe, kept by a thread as they come."""

    def __init__(self, pipe, take_line=None):
        self.lines = []
        self.ended = False
        self._take_line = take_line
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._read, args=(pipe,), daemon=True)
        self._thread.start()

    def _read(self, pipe):
        with pipe:
            for raw in pipe:
                line = raw.decode(errors="backslashreplace").rstrip("\n")
                with self._news:
                    self.lines.append(line)
                    if self._take_line:
                        self._take_line(line)
                    self._news.notify_all()
        with self._news:
            self.ended = True
            self._news.notify_all()

    def mark(self):
        """A place in the log: waits from here on see only what comes after it."""
        with self._news:
            return len(self.lines)

    def wait(self, pattern, since=0, timeout=DEADLINE):
        """The match of the first line from `since` on, waiting for it."""
        pattern = re.compile(pattern)
        end = time.monotonic() + timeout
        with self._news:
            while True:
                while since < len(self.lines):
                    since += 1
                    if match := pattern.search(self.lines[since - 1]):
                        return match
                if self.ended:
                    raise Deadline(f"the log ended without {pattern.pattern!r}")
                if not self._news.wait(end - time.monotonic()):
                    raise Deadline(f"no {pattern.pattern!r} in the log within {timeout} s")

    def wait_end(self, timeout=DEADLINE):
        """Waits until nobody holds the pipe any more: every process that inherited it is gone."""
        with self._news:
            if not self._news.wait_for(lambda: self.ended, timeout):
                raise Deadline(f"some process still holds the log after {timeout} s")

    def find(self, pattern, since=0):
        """All matches in what is there now."""
        with self._news:
            matches = map(re.compile(pattern).search, self.lines[since:])
            return [match for match in matches if match]

    def text(self, last=400):
        with self._news:
            cut = len(self.lines) - last
            head = [f"[{cut} lines left out]"] if cut > 0 else []
            return "\n".join(head + self.lines[-last:])


# -- the daemon ---------------------------------------------------------------------------------------------------

Worker = collections.namedtuple("Worker", "slot generation pid state")


class Verdict:
    """What became of a reload: its last line, and the lines that led there."""

    def __init__(self, match, lines):
        self.number = int(match[1])
        self.word = match[2] or match[3]
        self.text = match[4]
        self.lines = lines
        if self.word == "applied":
            numbers = re.match(r"generation (\d+), (\d+) ms, (\d+) finished, (\d+) handed over, (\d+) cut$", self.text)
            assert numbers, self.text
            self.generation, self.ms, self.finished, self.handed_over, self.cut = map(int, numbers.groups())

    def __repr__(self):
        return f"{self.word}: {self.text}"


class Daemon:
    """A running gracefuld. Everything it starts has ended when this is closed."""

    def __init__(self, directory, text, worker=WORKER, args=(), env=None, program=GRACEFULD, log_file=None):
        self.path = os.path.join(directory, "gracefuld.conf")
        self.write(text)
        self._workers = {}
        # The daemon does not wait for a slow reader of its log: it keeps a little, and counts what is lost. So let there be room: in a pipe,
        # or if that is not enough in a file.
        if log_file:
            reader = os.open(log_file, os.O_RDONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            writer = os.open(log_file, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        else:
            reader, writer = os.pipe2(os.O_CLOEXEC)
            with contextlib.suppress(PermissionError):
                fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 1 << 20)
        command = [program, "-c", self.path, "-W", worker, *args]
        # As systemd would, it is given a folder for its control socket: several daemons run beside each other here.
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=writer, stderr=writer,
                                        env={**os.environ, "RUNTIME_DIRECTORY": directory, **(env or {})}, cwd=directory)
        os.close(writer)
        self.pid = self.process.pid
        self.log = Log(GrowingFile(reader, self.pid) if log_file else os.fdopen(reader, "rb"), self._take_line)

    def _take_line(self, line):
        if match := STATE_LINE.search(line):
            slot, generation, pid, state = int(match[1]), int(match[2]), int(match[3]), match[5]
            self._workers[pid] = Worker(slot, generation, pid, state)

    # what it says

    def mark(self):
        return self.log.mark()

    def wait_line(self, pattern, timeout=DEADLINE, since=0):
        return self.log.wait(pattern, since, timeout)

    def wait_ready(self):
        """Waits until it serves; returns itself."""
        self.wait_line(READY_LINE)
        return self

    def wait_verdict(self, since=0):
        match = self.wait_line(VERDICT_LINE, since=since)
        return Verdict(match, self.log.lines[since:self.log.lines.index(match.string, since) + 1])

    def workers(self, *states):
        """The workers that have not ended, by slot and age; only those in these states, if any are named."""
        alive = [w for w in list(self._workers.values()) if w.state != "exited"]
        return sorted(w for w in alive if not states or w.state in states)

    def worker(self, slot):
        """The one that serves the slot now."""
        return max(w for w in self.workers("ready") if w.slot == slot)

    def wait_settled(self, workers):
        """Waits until just so many workers are there, one for each slot, all ready."""
        wanted = [(slot, "ready") for slot in range(workers)]
        wait_until(lambda: [(w.slot, w.state) for w in self.workers()] == wanted, f"{workers} workers, all ready")

    def line_after(self, pattern):
        """Waits for the line; the place in the log behind it."""
        line = self.wait_line(pattern).string
        return self.log.lines.index(line) + 1

    def pids(self):
        return [w.pid for w in self.workers()]

    def status(self):
        """The lines of the status that SIGUSR1 asks for, without their "status: "."""
        since = self.mark()
        self.send(signal.SIGUSR1)
        self.wait_line(r"status: end$", since=since)
        return [match[1] for match in self.log.find(r"status: (.*)$", since)]

    # what is done to it

    def write(self, text):
        """Replaces the configuration, whole or not at all."""
        with open(self.path + ".new", "w", encoding="utf-8", opener=lambda p, f: os.open(p, f, 0o600)) as file:
            file.write(text)
        os.rename(self.path + ".new", self.path)

    def send(self, number):
        self.process.send_signal(number)

    def hup(self):
        self.send(signal.SIGHUP)

    def kill_worker(self, slot):
        os.kill(self.worker(slot).pid, signal.SIGKILL)

    def reload(self, text=None):
        """Reloads, with a new configuration if one is given; waits for the verdict."""
        if text is not None:
            self.write(text)
        since = self.mark()
        self.hup()
        return self.wait_verdict(since)

    def reexec(self):
        """Lets another image of the master take over; waits until it does."""
        since = self.mark()
        self.send(signal.SIGUSR2)
        return self.wait_reexec(since)

    def wait_reexec(self, since):
        match = self.wait_line(REEXEC_LINE, since=since)
        assert match[1], match.string
        return float(match[1])

    def wait_exit(self, timeout=DEADLINE):
        """Waits until it and all that it started have ended; returns its exit status."""
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired as late:
            raise Deadline(f"the daemon still runs after {timeout} s") from late
        self.log.wait_end(timeout)
        return status

    def stop(self, number=signal.SIGTERM):
        self.send(number)
        return self.wait_exit()

    def close(self, reap=True):
        """Ends what still runs. Fails when a worker outlives the daemon, or a sanitizer found something. (Where other threads wait for
        daemons of theirs, only one may reap orphans.)"""
        try:
            if self.process.poll() is None:
                # in this order: SIGCONT takes back the stop by which LeakSanitizer looks at a process that ends, and it waits for ever
                self.send(signal.SIGCONT)
                self.send(signal.SIGQUIT)
            self.wait_exit()
        finally:
            for pid in [self.pid, *self.pids()]:
                self._kill(pid)
            if reap:
                reap_orphans()
        found = self.log.find(SANITIZER_LINE)
        assert not found, "\n".join(match.string for match in found)

    def _kill(self, pid):
        """By force, and only if the pid is still one of this daemon's processes."""
        if pid == self.pid:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            return
        stat = proc_stat(pid)
        if stat and int(stat[1]) in (self.pid, os.getpid()):
            os.kill(pid, signal.SIGKILL)


def reap_orphans():
    """Takes leave of the workers that were inherited from killed masters and have ended."""
    for name in os.listdir("/proc"):
        stat = proc_stat(name) if name.isdigit() else None
        if stat and stat[0] == "Z" and int(stat[1]) == os.getpid():
            with contextlib.suppress(ChildProcessError):
                os.waitpid(int(name), os.WNOHANG)


# Where the plan says nothing else, the real one at once: a Python takes twenty times as long to start.
# (bash, since dash leaves the script's own descriptor open where that is 10)
HOSTILE_WORKER = f"""#!/bin/bash
[ "$GRACEFULD_STATUS_FD" ] && read -r plan slot <"${{0%/*}}/plan"
[ "$slot" ] && [ "$slot" != "$GRACEFULD_SLOT" ] && plan=real
case ${{plan:-real}} in
real) exec "{WORKER}" "$@" ;;
exit_[01]) exit "${{plan#exit_}}" ;;
esac
exec {PYTHON} -IS "${{0%/*}}/hostile_worker.py" "${{0%/*}}" "{WORKER}" "$@"
"""


class Hostile:
    """A worker program that misbehaves as its plan file says, and else is the real one: a plan that is changed
    before a reload makes only the new generation a bad one."""

    def __init__(self, directory):
        # Workers of root run as another user, who must be able to read and, in "out", to write.
        self.directory = directory
        self.out = os.path.join(directory, "out")
        self.program = os.path.join(directory, "worker")
        shutil.copy(os.path.join(TOP, "tests/scenario/hostile_worker.py"), directory)
        os.chmod(os.path.join(directory, "hostile_worker.py"), 0o644)
        os.mkdir(self.out)
        os.chmod(self.out, 0o777)
        self.gate, self.held = os.path.join(directory, "gate"), -1
        os.mkfifo(self.gate)
        os.chmod(self.gate, 0o644)
        self.plan("real")
        self.install()

    def _put(self, path, text, mode):
        """Writes a file, whole or not at all."""
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(text)
            os.fchmod(file.fileno(), mode)
        os.rename(path + ".new", path)

    def install(self, text=HOSTILE_WORKER, mode=0o755):
        """Puts the program there, or another one in its place."""
        self._put(self.program, text, mode)

    def plan(self, name, slot=None):
        """What workers do that are started from now on; in one slot only, if it is named."""
        self._put(os.path.join(self.directory, "plan"), name if slot is None else f"{name} {slot}", 0o644)

    def wait_held(self):
        """Waits until a worker with the plan "gate" has come to the gate. Only then may the plan be changed."""
        def writer():
            with contextlib.suppress(OSError):  # ENXIO: nobody is there to read
                return os.open(self.gate, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC) + 1
            return None
        self.held = wait_until(writer, "a worker at the gate") - 1

    def open_gate(self):
        """Lets those go on that are at the gate, if there are any."""
        if self.held >= 0:
            os.close(self.held)
            self.held = -1


# -- load ---------------------------------------------------------------------------------------------------------

# Between two connections of each client of mode "new", on average, unless a test says how many there are to be. So there are some 3,000 each
# second, which find a gap of a millisecond, and leave the processors to the tests beside it.
PAUSE_MS = 10


class Load:
    """hammer at work. Ends by `result`, which returns what it counted."""

    def __init__(self, target, *args, mode="new", proto="hello", connections=32, seconds=300):
        if isinstance(target, int):
            target = ("127.0.0.1", target)
        if isinstance(target, str):
            where = ["-u", target]
        elif ":" in target[0]:
            where = ["-a", f"[{target[0]}]:{target[1]}"]
        else:
            # Many source addresses: one alone would run out of ports that wait for the end of TIME_WAIT.
            where = ["-a", f"{target[0]}:{target[1]}", "--sources", "32"]
        command = [HAMMER, *where, "--mode", mode, "--proto", proto, "-c", str(connections), "-d", str(seconds),
                   "--timeout", str(DEADLINE * 1000), "--connect-timeout", str(DEADLINE * 1000),
                   "--drain", str(DEADLINE * 1000), *args]
        if mode == "new" and not {"--rate", "--think"} & set(args):
            command += ["--think", str(PAUSE_MS)]
        reader, writer = os.pipe2(os.O_CLOEXEC)
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=writer)
        os.close(writer)
        self.log = Log(os.fdopen(reader, "rb"))

    def __enter__(self):
        self.log.wait("first reply")
        return self

    def __exit__(self, *_):
        if self.process.returncode is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def wait_all_open(self):
        """Mode hold: every connection is open and has had its first answer."""
        self.log.wait("connections open")

    def result(self, stop=True):
        """Ends the load, or waits for its end, and returns the figures."""
        if stop:
            self.process.terminate()
        out, _ = self.process.communicate(timeout=DEADLINE * 2)
        assert self.process.returncode == 0, self.log.text()
        figures = json.loads(out)
        assert figures["accounting_exact"], figures
        return figures


def load_text(figures):
    """One line on what the load saw."""
    bad = {kind: n for kind, n in figures["failures"].items() if n}
    if figures["syn_resent"]:
        bad["SYN sent again"] = figures["syn_resent"]
    return (f"{figures['failed_total']} of {figures['attempts']} failed, {figures['ok_per_s']:.0f}/s, "
            f"slowest {figures['latency_us']['max'] / 1000:.1f} ms{' ' + str(bad) if bad else ''}")


def assert_no_failure(figures):
    """Not one connection failed, and there were some. No SYN was dropped either, which a client's kernel makes up for after a second."""
    assert figures["ok"] > 0, figures
    assert figures["failed_total"] == 0 and figures["inflight_at_end"] == 0, (load_text(figures), figures["samples"])
    assert figures["syn_resent"] == 0, load_text(figures)
