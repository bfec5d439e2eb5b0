"""Runs the real gracefuld-worker under the contract by hand, without a master: what it says, what it does when it is told
something, and what it does when it is born with, or hears, something wrong."""

import contextlib
import fcntl
import mmap
import os
import re
import resource
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.environ.get("GRACEFULD_WORKER", "./gracefuld-worker")
DEADLINE = 60  # seconds for what should happen at once
QUEUE = 64     # backlog of the listening sockets

COUNTERS = ("connections", "accepted", "requests", "finished", "cut", "handed_in", "handed_out", "received", "sent")


def is_sanitized():
    """Built with AddressSanitizer, whose own memory tells nothing about the program's."""
    with open(PROGRAM, "rb") as file:
        return b"__asan_init" in file.read()


class Deadline(AssertionError):
    """Something that had to happen did not."""


def wait_readable(fd, timeout=DEADLINE, what="nothing came"):
    if not select.select([fd], [], [], timeout)[0]:
        raise Deadline(f"{what} within {timeout} s")


class Lines:
    """The lines of a pipe, taken one by one."""

    def __init__(self, fd):
        self.fd = fd
        self.rest = b""

    def next(self, timeout=DEADLINE):
        """The next line without its newline; None at the end."""
        while b"\n" not in self.rest:
            wait_readable(self.fd, timeout, "no line")
            data = os.read(self.fd, 65536)
            if not data:
                assert not self.rest, f"half a line: {self.rest!r}"
                return None
            self.rest += data
        line, self.rest = self.rest.split(b"\n", 1)
        return line.decode()

    def until(self, pattern):
        """The match of the next line that has it; lines before that are dropped."""
        while (line := self.next()) is not None:
            if match := re.search(pattern, line):
                return match
        raise Deadline(f"the pipe ended without {pattern!r}")


class Drop(str):
    """Stands for a variable that is to be missing."""


class Worker:
    """A worker process, born as the master would have it, with any part of that made different."""

    def __init__(self, config="", listeners=None, env=None, open_files=None, fill_status=False, stats_size=4096,
                 program=PROGRAM):
        self.program = program
        self.listeners = listeners if listeners is not None else [tcp_listener()]
        self.address = self.listeners[0].getsockname() if self.listeners else None
        control, self.control = os.pipe2(os.O_CLOEXEC)
        status, self.status_end = os.pipe2(os.O_CLOEXEC)
        log, log_end = os.pipe2(os.O_CLOEXEC)
        if fill_status:
            self.fill_status()
        config_fd = os.memfd_create("config")
        os.write(config_fd, config.encode())
        stats_fd = os.memfd_create("stats")
        os.ftruncate(stats_fd, stats_size)
        self.page = mmap.mmap(stats_fd, stats_size)
        fds = [s.fileno() for s in self.listeners] + [control, self.status_end, config_fd, stats_fd]
        self.pid = self._spawn(fds, log_end, env or {}, open_files)
        self.pidfd = os.pidfd_open(self.pid)
        for fd in (control, log_end, config_fd, stats_fd):
            os.close(fd)
        if not fill_status:
            os.close(self.status_end)
        self.status = Lines(status)
        self.log = Lines(log)

    def _spawn(self, fds, log_end, env, open_files):
        n = len(self.listeners)
        first = 3 + n
        variables = {
            "LISTEN_FDS": str(n), "LISTEN_FDNAMES": ":".join(f"address-{i}" for i in range(n)),
            "GRACEFULD_CONTROL_FD": str(first), "GRACEFULD_STATUS_FD": str(first + 1),
            "GRACEFULD_CONFIG_FD": str(first + 2), "GRACEFULD_STATS_FD": str(first + 3),
            "GRACEFULD_SLOT": "0", "GRACEFULD_GENERATION": "1", **env}
        pid = os.fork()
        if pid:
            return pid
        try:
            variables.setdefault("LISTEN_PID", str(os.getpid()))
            high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 200) for fd in fds]
            os.dup2(log_end, 2)
            for i, fd in enumerate(high):
                os.dup2(fd, 3 + i)
            os.closerange(3 + len(fds), 1000)
            for number in range(1, signal.NSIG):
                with contextlib.suppress(OSError, ValueError):
                    signal.signal(number, signal.SIG_DFL)
            if open_files:
                resource.setrlimit(resource.RLIMIT_NOFILE, (open_files, open_files))
            os.execve(self.program, [self.program], {name: value for name, value in variables.items() if not isinstance(value, Drop)})
        finally:
            os._exit(127)

    def fill_status(self):
        """Fills the status pipe, so that the worker's next line does not fit."""
        os.set_blocking(self.status_end, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(self.status_end, b"-" * 4095 + b"\n")

    def ready(self):
        assert self.status.next().startswith("hello 1 gracefuld-worker ")
        while (line := self.status.next()) == "alive":
            pass  # its heart beats before it is ready, when it has to wait for its turn
        assert line == "ready"
        return self

    def tell(self, line):
        os.write(self.control, line if isinstance(line, bytes) else (line + "\n").encode())

    def master_goes(self):
        os.close(self.control)
        self.control = -1

    def expect_drained(self, **counts):
        """The last line says these numbers, and the worker exits well."""
        match = self.status.until(r"^drained finished=(\d+) handed=(\d+) cut=(\d+)$")
        expected = {"finished": 0, "handed": 0, "cut": 0, **counts}
        assert dict(zip(("finished", "handed", "cut"), map(int, match.groups()))) == expected
        assert self.status.next() is None
        assert self.wait_exit() == 0

    def wait_exit(self):
        """The exit status, negative for a signal."""
        wait_readable(self.pidfd, what="no exit")
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def signal(self, number):
        signal.pidfd_send_signal(self.pidfd, number)

    def counters(self):
        return dict(zip(COUNTERS, struct.unpack_from(f"{len(COUNTERS)}Q", self.page)))

    def wait_counter(self, name, value):
        """The page sends no event; each look yields the processor."""
        end = time.monotonic() + DEADLINE
        pause = threading.Event()
        while self.counters()[name] != value:
            if time.monotonic() > end:
                raise Deadline(f"{name} is {self.counters()[name]}, not {value}, after {DEADLINE} s")
            pause.wait(0.001)

    def private_kb(self):
        with open(f"/proc/{self.pid}/smaps_rollup", encoding="ascii") as file:
            return sum(int(line.split()[1]) for line in file if line.startswith("Private_"))

    def anonymous_kb(self):
        """But for pages of files, which are private or shared as other processes come and go."""
        with open(f"/proc/{self.pid}/smaps_rollup", encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("Anonymous:"))

    def cpu_ms(self):
        with open(f"/proc/{self.pid}/schedstat", encoding="ascii") as file:
            return int(file.read().split()[0]) / 1e6

    def stop_process(self):
        """Freezes it; returns when it stands."""
        os.kill(self.pid, signal.SIGSTOP)
        os.waitid(os.P_PIDFD, self.pidfd, os.WSTOPPED)

    def close(self):
        with contextlib.suppress(ProcessLookupError):
            self.signal(signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)
        for fd in (self.pidfd, self.status.fd, self.log.fd, self.control):
            with contextlib.suppress(OSError):
                os.close(fd)
        for listener in self.listeners:
            listener.close()


def tcp_listener():
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(QUEUE)
    return listener


class Client:
    """One connection."""

    def __init__(self, address):
        self.sock = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
        self.sock.settimeout(DEADLINE)
        self.sock.connect(address)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def exchange(self, data, answer):
        self.sock.sendall(data)
        assert self.receive(len(answer)) == answer
        return self

    def receive(self, n):
        got = b""
        while len(got) < n and (more := self.sock.recv(n - len(got))):
            got += more
        return got

    def greet(self):
        return self.exchange(b"hello\r\n", b"hello world")

    def is_over(self):
        """Waits until the worker ends the connection, which must say nothing more."""
        with contextlib.suppress(ConnectionResetError):
            assert self.sock.recv(100) == b""
        return True


@pytest.fixture(autouse=True)
def time_limit():
    def expired(*_):
        raise Deadline("the test took too long")
    signal.signal(signal.SIGALRM, expired)
    signal.alarm(4 * DEADLINE)
    yield
    signal.alarm(0)


@pytest.fixture
def born():
    """Starts workers: born(config, …)."""
    workers = []

    def bear(*arguments, **options):
        workers.append(Worker(*arguments, **options))
        return workers[-1]
    yield bear
    for worker in workers:
        worker.close()


@pytest.fixture
def serving(born):
    """Starts a worker and waits until it is ready: serving(config, …)."""
    return lambda *arguments, **options: born(*arguments, **options).ready()


def config(service="hello", **options):
    return f'service: {{ type = "{service}"; }};\n' + "".join(f"{k} = {v};\n" for k, v in options.items())


# -- serving ------------------------------------------------------------------------------------------------------

def test_hello_answers_each_piece(serving):
    worker = serving(config())
    with Client(worker.address) as client:
        client.greet().greet().exchange(b"\0", b"hello world")
        client.sock.shutdown(socket.SHUT_WR)
        assert client.is_over()
    worker.wait_counter("finished", 1)
    assert worker.counters() == {"connections": 0, "accepted": 1, "requests": 3, "finished": 1, "cut": 0, "handed_in": 0,
                                 "handed_out": 0, "received": 15, "sent": 33}


def test_hello_logs_what_happens(serving):
    worker = serving(config(log='{ level = "debug"; }'))
    with Client(worker.address) as client:
        client.exchange(b"a\n\x1b[2J\\", b"hello world")
    worker.log.until(r"7 bytes: a\\n\\x1b\[2J\\\\$")
    worker.log.until(r"the client has finished sending")
    worker.log.until(r"closed$")


def test_echo_is_exact_in_both_directions_at_once(serving):
    data = os.urandom(8 << 20)
    worker = serving(config("echo"))
    with Client(worker.address) as client:
        sender = threading.Thread(target=lambda: (client.sock.sendall(data), client.sock.shutdown(socket.SHUT_WR)))
        sender.start()
        assert client.receive(len(data)) == data
        sender.join()
        assert client.is_over()
    counters = worker.counters()
    assert counters["received"] == counters["sent"] == len(data)


def send_all_that_goes(sock, piece):
    """Sends until the socket takes no more; how much that was."""
    sent = 0
    sock.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            sent += sock.send(piece)
    sock.settimeout(DEADLINE)
    return sent


def test_echo_to_a_client_that_does_not_read(serving):
    """The worker stops reading, serves others, and sends the rest when the client reads, even after its FIN."""
    worker = serving(config("echo", hang_timeout=0.3))
    with Client(worker.address) as client:
        sent = send_all_that_goes(client.sock, b"x" * 65536)
        while True:  # until nothing more goes while a heartbeat passes
            worker.status.until("^alive$")
            more = send_all_that_goes(client.sock, b"x" * 65536)
            sent += more
            if not more:
                break
        assert sent > 1 << 20, "more than any buffer of the worker's"
        assert worker.anonymous_kb() < 800 or is_sanitized()
        before = worker.cpu_ms()
        for _ in range(3):  # 0.3 s of heartbeats
            worker.status.until("^alive$")
        assert worker.cpu_ms() - before < 50, "it spins"
        with Client(worker.address) as other:
            other.exchange(b"z", b"z")
        client.sock.shutdown(socket.SHUT_WR)
        assert len(client.receive(sent + 1)) == sent
    worker.wait_counter("finished", 2)


def test_unix_and_tcp_listeners(serving):
    with tempfile.TemporaryDirectory(prefix="gracefuld-") as folder:
        path = socket.socket(socket.AF_UNIX)
        path.bind(folder + "/s")
        path.listen(QUEUE)
        worker = serving(config(), listeners=[tcp_listener(), path, tcp_listener()])
        for listener in worker.listeners:
            with Client(listener.getsockname()) as client:
                client.greet()
        worker.tell("drain 10")
        worker.status.until("^drained ")
        assert worker.wait_exit() == 0
        assert os.path.exists(folder + "/s"), "the path is the master's"


@pytest.mark.skipif(is_sanitized(), reason="built with AddressSanitizer")
def test_idle_worker_is_small(serving):
    """Of two, so that the pages of program and libraries are seen to be shared."""
    worker, _ = serving(config()), serving(config())
    with Client(worker.address) as client:
        client.greet()
    assert worker.private_kb() <= 400


def test_descriptors_are_close_on_exec_and_no_more_than_needed(serving):
    worker = serving(config())
    with Client(worker.address).greet():
        for name in os.listdir(f"/proc/{worker.pid}/fd"):
            with open(f"/proc/{worker.pid}/fdinfo/{name}", encoding="ascii") as file:
                flags = int(re.search(r"flags:\s*(\d+)", file.read())[1], 8)
            what = os.readlink(f"/proc/{worker.pid}/fd/{name}")
            assert int(name) < 3 or flags & os.O_CLOEXEC, what
            assert "memfd" not in what, "needed at the start only"


def test_heartbeats_come_more_often_than_the_hang_timeout(serving):
    begun = time.monotonic()
    worker = serving(config(hang_timeout=3))
    assert worker.status.next() == "alive"
    assert worker.status.next() == "alive"
    assert 1.9 < time.monotonic() - begun < 5, "after 1 and 2 s"


# -- draining and stopping ----------------------------------------------------------------------------------------

def test_drain_without_connections_is_over_at_once(serving):
    worker = serving(config())
    worker.tell("drain 600")
    worker.expect_drained()


def test_drain_lets_connections_finish(serving):
    worker = serving(config())
    with Client(worker.address).greet():
        pass
    worker.wait_counter("finished", 1)  # before the drain: not counted by it
    with Client(worker.address) as one, Client(worker.address) as two:
        one.greet()
        two.greet()
        worker.tell("drain 600")
        one.greet()
        one.sock.shutdown(socket.SHUT_WR)
        assert one.is_over()
        two.greet()
    worker.expect_drained(finished=2)


def test_drain_accepts_what_waits_in_the_queue(serving):
    """Those whose handshake is complete when the worker is told to drain, more of them than it takes in one go."""
    worker = serving(config(), listeners=[tcp_listener(), tcp_listener()])
    worker.stop_process()
    clients = [Client(worker.listeners[i % 2].getsockname()) for i in range(2 * QUEUE)]
    worker.tell("drain 600")
    for listener in worker.listeners:
        listener.close()  # from now on the worker is the last to hold them
    worker.signal(signal.SIGCONT)
    for client in clients:
        client.greet().close()
    worker.expect_drained(finished=len(clients))


def test_drain_accepts_what_waits_although_the_limit_is_reached(serving):
    worker = serving(config(limits="{ connections = 1; }"))
    first = Client(worker.address).greet()
    clients = [Client(worker.address) for _ in range(10)]
    worker.tell("drain 600")
    for client in [first, *clients]:
        client.greet().close()
    worker.expect_drained(finished=11)


def test_drain_deadline_cuts(serving):
    worker = serving(config())
    with Client(worker.address).greet() as one, Client(worker.address).greet() as two:
        worker.tell("drain 0.05")
        assert one.is_over() and two.is_over()
        worker.expect_drained(cut=2)
    assert worker.counters()["cut"] == 2


def test_drain_again_brings_the_deadline_forward(serving):
    worker = serving(config())
    with Client(worker.address).greet() as client:
        worker.tell("drain 600")
        client.greet()
        worker.tell("drain 0.01")
        assert client.is_over()
        worker.expect_drained(cut=1)


def test_drain_again_puts_the_deadline_off(serving):
    worker = serving(config(hang_timeout=0.3))
    with Client(worker.address).greet() as client:
        worker.tell("drain 0.5\ndrain 600")
        for _ in range(10):  # a second of heartbeats
            worker.status.until("^alive$")
        client.greet()
    worker.expect_drained(finished=1)


@pytest.mark.parametrize("how", ["stop", "SIGTERM"])
@pytest.mark.parametrize("draining", [False, True])
def test_stop_cuts_at_once(serving, how, draining):
    worker = serving(config())
    with Client(worker.address).greet() as client:
        if draining:
            worker.tell("drain 600")
            client.greet()
        if how == "stop":
            worker.tell("stop")
        else:
            worker.signal(signal.SIGTERM)
        assert client.is_over()
        if how == "SIGTERM" and not draining:
            worker.status.until(r"^failed stopped by SIGTERM$")
        worker.expect_drained(cut=1)


def test_sigterm_that_comes_with_stop_is_no_failure(serving):
    worker = serving(config())
    worker.stop_process()
    worker.tell("stop")
    worker.signal(signal.SIGTERM)
    worker.signal(signal.SIGCONT)
    assert worker.status.next() == "drained finished=0 handed=0 cut=0"


def test_stop_after_stop_is_one(serving):
    worker = serving(config())
    worker.stop_process()
    worker.tell("drain 1\nstop\nstop\ndrain 5")
    worker.signal(signal.SIGTERM)
    worker.signal(signal.SIGCONT)
    worker.expect_drained()


def test_stop_leaves_the_queue_to_others(serving):
    worker = serving(config())
    worker.stop_process()
    with Client(worker.address) as client:
        worker.tell("stop")
        worker.signal(signal.SIGCONT)
        worker.expect_drained()
        connection = worker.listeners[0].accept()[0]
        connection.sendall(b"still here")
        assert client.receive(10) == b"still here"
        connection.close()


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2,
                                    signal.SIGTTIN, signal.SIGTTOU, signal.SIGPIPE], ids=lambda s: s.name)
def test_signals_for_the_master_are_ignored(serving, number):
    worker = serving(config())
    worker.signal(number)
    with Client(worker.address) as client:
        client.greet()
    assert worker.status.rest == b""


def test_control_comes_before_busy_connections(serving):
    """All of them have something to read when the line comes."""
    worker = serving(config("echo"))
    clients = [Client(worker.address) for _ in range(300)]
    for client in clients:
        client.exchange(b"x", b"x")
    worker.stop_process()
    for client in clients:
        client.sock.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            client.sock.send(b"x" * 60000)
    worker.tell("stop")
    served = worker.counters()["requests"]
    worker.signal(signal.SIGCONT)
    worker.expect_drained(cut=300)
    assert worker.counters()["requests"] - served < 300, "connections came first"
    for client in clients:
        client.close()


# -- the master goes, or talks nonsense ---------------------------------------------------------------------------

def test_worker_without_master_drains(serving):
    worker = serving(config(drain_timeout=600))
    with Client(worker.address).greet() as client:
        worker.master_goes()
        worker.log.until("the master has gone")
        client.greet()
    worker.expect_drained(finished=1)


def test_worker_without_master_keeps_to_its_drain_timeout(serving):
    worker = serving(config(drain_timeout=0.05))
    with Client(worker.address).greet() as client:
        worker.master_goes()
        assert client.is_over()
    worker.expect_drained(cut=1)


def test_drain_under_way_keeps_its_deadline_when_the_master_goes(serving):
    worker = serving(config(drain_timeout=600))
    with Client(worker.address).greet() as client:
        worker.tell("drain 2")
        client.greet()
        worker.master_goes()
        assert client.is_over()
    worker.expect_drained(cut=1)


def test_worker_whose_master_was_killed_survives_the_closed_status_pipe(serving):
    worker = serving(config(drain_timeout=600, hang_timeout=0.1))
    with Client(worker.address).greet() as client:
        os.close(worker.status.fd)
        worker.master_goes()
        worker.log.until("the master has gone")
        client.greet()
    assert worker.wait_exit() == 0
    worker.status.fd = -1


@pytest.mark.parametrize("line,shown", [
    (b"drain\n", r"drain takes a number of seconds\): drain$"),
    (b"drain -1\n", r"drain -1$"),
    (b"drain 1 2\n", r"drain 1 2$"),
    (b"stop now\n", r"stop now$"),
    (b"ready\n", r"other way\): ready$"),
    (b"What?\n", r"What\?$"),
    (b"\n", r"begins like this\): $"),
    (b"dr\0in 5\n", r"dr\\x00in 5$"),
    (b"\x1b[2J\n", r"\\x1b\[2J$"),
    (b"x" * 5000, r"xxxxx\.\.\.$"),
], ids=lambda value: repr(value[:12]))
def test_garbage_is_logged_and_taken_as_the_end_of_the_master(serving, line, shown):
    worker = serving(config(drain_timeout=600))
    with Client(worker.address).greet() as client:
        worker.tell(line)
        worker.log.until(r"not a message on the control pipe.*" + shown)
        worker.log.until("the master has gone")
        client.greet()
    worker.expect_drained(finished=1)


def test_lines_in_pieces_and_unknown_messages(serving):
    worker = serving(config())
    with Client(worker.address).greet() as client:
        for byte in b"frobnicate all=1\nfrobnicate\ndrain 60":
            worker.tell(bytes([byte]))
        client.greet()
        worker.tell(b"0\n")
    worker.expect_drained(finished=1)
    worker.log.until("unknown message.*frobnicate all=1$")
    rest = []
    while (line := worker.log.next()) is not None:
        rest.append(line)
    assert not [line for line in rest if "frobnicate" in line], "said once"


# -- shortage -----------------------------------------------------------------------------------------------------

def test_worker_without_descriptors_waits_instead_of_spinning(serving):
    worker = serving(config(hang_timeout=0.3), open_files=24)
    clients = [Client(worker.address) for _ in range(40)]
    worker.log.until("cannot accept connections: Too many open files")
    before = worker.cpu_ms()
    for _ in range(10):  # a second of heartbeats
        worker.status.until("^alive$")
    spent = worker.cpu_ms() - before
    assert spent < 20, f"{spent} ms of processor time in a second"
    for client in clients:
        client.greet().close()
    assert re.search(r"can be accepted again, after \d+\.\d s$", worker.log.next())
    worker.tell("stop")
    worker.status.until("^drained ")
    worker.wait_exit()
    assert worker.log.next() is None, "said once, not at each try"


def test_limit_of_connections(serving):
    """The third waits, is served as soon as there is room, and the log has one line for all of that."""
    worker = serving(config(limits="{ connections = 2; }"))
    clients = [Client(worker.address) for _ in range(6)]
    worker.log.until(r"limits.connections \(2\) is reached")
    worker.wait_counter("accepted", 2)
    for client in clients[:-1]:
        client.greet().close()
        assert worker.counters()["connections"] <= 2
    clients[-1].greet()
    assert worker.counters()["accepted"] == 6
    worker.tell("stop")
    worker.expect_drained(cut=1)
    assert worker.log.next() is None
    clients[-1].close()


def test_full_status_pipe_holds_up_nothing(born):
    """The master is busy: the worker serves; what matters is kept in its order, the rest is dropped."""
    worker = born(config(hang_timeout=0.1), fill_status=True)
    with Client(worker.address) as client:
        for _ in range(3):
            client.greet()
        worker.tell("drain 600")
        client.greet()
    wait_readable(worker.pidfd, what="no exit although the last line may wait for a second only")
    # it has given up on the last line; nothing of it was written before there was room
    assert worker.wait_exit() == 0
    os.close(worker.status_end)
    worker.status.until("^-+$")


def test_what_was_kept_comes_in_order(born):
    worker = born(config(hang_timeout=0.1), fill_status=True)
    with Client(worker.address) as client:
        begun = time.monotonic()
        while time.monotonic() < begun + 1:  # thirty heartbeats, of which nothing is to be seen
            client.greet()
        worker.tell("drain 600")
        client.greet()
        room = time.monotonic()
        os.close(worker.status_end)
        worker.status.until("^hello 1 ")
        assert worker.status.next() == "ready"
        alive, since = worker.status.rest.count(b"alive"), 1 + (time.monotonic() - room) / (0.1 / 3)
        assert alive <= since, "they were not to be kept"
        assert worker.status.next() == "alive"
    worker.expect_drained(finished=1)


# -- the birth ----------------------------------------------------------------------------------------------------

BAD_ENVIRONMENT = [
    ("LISTEN_FDS", None), ("LISTEN_FDS", "0"), ("LISTEN_FDS", "2"), ("LISTEN_FDS", "1x"), ("LISTEN_FDS", "-1"),
    ("LISTEN_FDS", "1000000000"), ("LISTEN_PID", None), ("LISTEN_PID", "1"), ("LISTEN_FDNAMES", None),
    ("LISTEN_FDNAMES", "a:b"), ("GRACEFULD_CONTROL_FD", None), ("GRACEFULD_CONTROL_FD", "3"),
    ("GRACEFULD_CONTROL_FD", "5"), ("GRACEFULD_CONTROL_FD", "100"), ("GRACEFULD_CONFIG_FD", None),
    ("GRACEFULD_CONFIG_FD", "4"), ("GRACEFULD_STATS_FD", None), ("GRACEFULD_STATS_FD", "99999999999999999999"),
    ("GRACEFULD_STATS_FD", ""), ("GRACEFULD_STATS_FD", "6"), ("GRACEFULD_SLOT", None), ("GRACEFULD_SLOT", "one"), ("GRACEFULD_GENERATION", None),
    ("GRACEFULD_GENERATION", "0"),
]


@pytest.mark.parametrize("name,value", BAD_ENVIRONMENT)
def test_bad_environment_is_told(born, name, value):
    worker = born(config(), env={name: Drop() if value is None else value})
    assert worker.status.next().startswith("hello 1 ")
    assert re.match(f"failed {name}: |failed {name} is not set$|failed LISTEN_FDS: |failed .*{name}: a descriptor is named twice$", worker.status.next())
    assert worker.status.next() is None
    assert worker.wait_exit() == 64
    worker.log.until(name)


@pytest.mark.parametrize("value", [Drop(), "4", "6", "100", "x"])
def test_bad_status_pipe_is_told_on_standard_error(born, value):
    worker = born(config(), env={"GRACEFULD_STATUS_FD": value})
    worker.log.until("GRACEFULD_STATUS_FD")
    assert worker.wait_exit() == 64


def test_counter_page_that_is_too_small(born):
    worker = born(config(), stats_size=4095)
    worker.status.until("^failed cannot map the counters: Invalid argument$")
    assert worker.wait_exit() == 71


@pytest.mark.parametrize("text", ["workers = ;", config("hallo"), config().replace("}", "x = 1; }")])
def test_bad_configuration_is_told(born, text):
    worker = born(text)
    worker.status.until(r"^failed .*\S")
    assert worker.wait_exit() == 78


def run(*arguments, **options):
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, check=False, timeout=DEADLINE, **options)


@pytest.mark.parametrize("arguments", [[], ["--frobnicate"], ["--version", "--help"], ["x"], ["--check"]])
def test_usage(arguments):
    result = run(*arguments, env={})
    assert result.returncode == 64
    assert result.stdout == ""
    assert "gracefuld" in result.stderr


def test_no_arguments_says_who_starts_it():
    assert "to serve, start gracefuld" in run(env={}).stderr.lower()


def test_version_and_help():
    assert re.fullmatch(r"gracefuld \d+\.\d+\.\d+\n", run("--version").stdout)
    assert run("--help").stdout.startswith("usage: ")


def check(text):
    with tempfile.TemporaryFile() as file:
        file.write(text.encode())
        file.flush()
        return run("--check", pass_fds=[file.fileno()], env={"GRACEFULD_CONFIG_FD": str(file.fileno())})


def test_check_is_silent_when_all_is_well():
    result = check(config())
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.parametrize("text,words", [
    ("workers = ;", ["syntax error"]),
    (config("hallo"), ['there is no service "hallo"', 'did you mean "hello"?']),
    (config("frobnicate"), ['there is no service "frobnicate"']),
])
def test_check_prints_what_is_wrong(text, words):
    result = check(text)
    assert result.returncode == 78
    for word in words:
        assert word in result.stdout
    assert result.stdout.count("\n") == 1


# -- the manual ---------------------------------------------------------------------------------------------------

@pytest.fixture
def example(born):
    """Starts the worker that gracefuld-worker(7) has as an example, as it stands there."""
    with open(os.path.join(TOP, "man/gracefuld-worker.7"), encoding="utf-8") as file:
        source = file.read().split(".Bd -literal\n")[1].split(".Ed\n")[0].replace("\\e", "\\")
    with tempfile.TemporaryDirectory(prefix="gracefuld-") as folder:
        path = os.path.join(folder, "example")
        with open(path, "w", encoding="utf-8") as file:
            file.write(source)
        os.chmod(path, 0o755)
        worker = born(program=path)
        assert worker.status.next() == "hello 1 capitals 1.0"
        assert worker.status.next() == "ready"
        yield worker


def test_example_drains(example):
    with Client(example.address) as one:
        one.exchange(b"abc", b"ABC")
        example.stop_process()
        with Client(example.address) as two:
            example.tell("drain 600")
            example.signal(signal.SIGCONT)
            two.exchange(b"in the queue", b"IN THE QUEUE")
        one.exchange(b"def", b"DEF")
    example.expect_drained(finished=2)


@pytest.mark.parametrize("line", ["stop", "drain 0.05", "drain 600\nstop"])
def test_example_cuts_when_it_has_to(example, line):
    with Client(example.address) as client:
        client.exchange(b"abc", b"ABC")
        example.tell(line)
        example.expect_drained(cut=1)


def test_example_survives_its_master(example):
    with Client(example.address) as client:
        client.exchange(b"abc", b"ABC")
        example.master_goes()
        client.exchange(b"def", b"DEF")
    example.expect_drained(finished=1)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, "-q", "-p", "no:cacheprovider"]))
