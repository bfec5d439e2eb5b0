"""The service `module`: the example is built against what "make install" installs, and serves across reloads; modules that are no good
are refused, and those that misbehave harm nobody but their worker."""

import contextlib
import os
import random
import re
import select
import shutil
import signal
import subprocess
import tempfile
import threading

import pytest

from harness import (GRACEFULD, TOP, WORKER, Client, Load, assert_no_failure, config, free_port, is_instrumented, is_sanitized, load_text,
                     scaled, wait_gone, wait_until)
from sock_diag import server_pids

BUILD = os.environ.get("GRACEFULD_BUILD", os.path.join(TOP, "build"))
ABORTED = 6


class Workshop:
    """An installed gracefuld, and what is built with it: its header is all that there is."""

    def __init__(self, folder):
        self.folder = folder
        self.root = os.path.join(folder, "root")
        own = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES", "DESTDIR", "CFLAGS", "CPPFLAGS", "LDFLAGS"}
        self.env = {name: value for name, value in os.environ.items() if name not in own}
        self.run("make", "-C", BUILD, "install", f"DESTDIR={self.root}")
        found = [path for path, _, files in os.walk(self.root) if "gracefuld.pc" in files]
        assert len(found) == 1, found
        self.env |= {"PKG_CONFIG_PATH": found[0], "PKG_CONFIG_SYSROOT_DIR": self.root, "PKG_CONFIG_ALLOW_SYSTEM_CFLAGS": "1"}
        self.flags = self.run("pkg-config", "--cflags", "--libs", "gracefuld").split()
        self.example = os.path.join(folder, "example")
        shutil.copytree(os.path.join(TOP, "examples/module"), self.example)
        os.chmod(self.example, 0o755)

    def run(self, *command):
        done = subprocess.run(command, env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    def upper(self, path, *defines):
        """Builds the example by its own Makefile, and puts it there as `install` would: a new file in the place of the old one."""
        self.run("make", "-B", "-C", self.example, "CPPFLAGS=" + " ".join(f"-D{define}" for define in defines),
                 "CFLAGS=-O1 -Wall -Wextra -Werror")
        self.put(os.path.join(self.example, "upper.so"), path)

    def compile(self, source, path, *args):
        built = os.path.join(self.folder, "built.so")
        self.run("cc", "-std=gnu17", "-Wall", "-Wextra", "-Werror", "-O1", "-fPIC", "-shared", *args, "-o", built, source, *self.flags)
        self.put(built, path)

    def odd(self, path, kind, *defines):
        self.compile(os.path.join(TOP, "tests/scenario/odd_module.c"), path, f"-DODD={kind}", *(f"-D{d}" for d in defines))

    @staticmethod
    def put(built, path):
        shutil.copyfile(built, path + ".new")
        os.chmod(path + ".new", 0o644)
        os.rename(path + ".new", path)


@pytest.fixture(scope="module")
def workshop():
    folder = tempfile.mkdtemp(prefix="gracefuld-")
    yield Workshop(folder)
    shutil.rmtree(folder)


@pytest.fixture
def path(directory):
    return os.path.join(directory, "module.so")


def module_config(port, path, options=None, **others):
    return config(port, service={"type": "module", "path": path, **(options or {})}, **others)


def answer_of(number, line):
    return b"%d %s\n" % (number, line.upper())


class Lines:
    """One client of the example: it knows what each answer has to be."""

    def __init__(self, port, seed=0):
        self.client, self.count, self.rest, self.random = Client(port), 0, b"", random.Random(seed)

    def send(self, lines):
        """Sends lines, in pieces that have nothing to do with them; returns what is to come back."""
        data = b"".join(line + b"\n" for line in lines)
        while data:
            n = self.random.randint(1, len(data))
            self.client.send(data[:n])
            data = data[n:]
        expected = b"".join(answer_of(self.count + i + 1, line) for i, line in enumerate(lines))
        self.count += len(lines)
        return expected

    def round(self, lines):
        expected = self.send(lines)
        got = self.client.receive(len(expected))
        assert got == expected, (got, expected)

    def random_round(self):
        self.round([b"%x" % self.random.getrandbits(self.random.randint(4, 800)) for _ in range(self.random.randint(1, 20))])


# -- what the example is given by the installed header

def test_example_by_its_makefile(start, workshop, port, path):
    workshop.upper(path)
    daemon = start(module_config(port, path))
    lines = Lines(port)
    lines.round([b"hello", b"World", b""])
    lines.round([b"x" * 4096])
    assert daemon.log.find(r"info: upper 1\.0: loaded from " + re.escape(path))


def test_its_configuration_is_a_good_one(workshop, path):
    """examples/module/upper.conf, but for the path."""
    workshop.upper(path)
    with open(os.path.join(TOP, "examples/module/upper.conf"), encoding="utf-8") as file:
        text = re.sub(r'path = ".*";', f'path = "{path}";', file.read()).replace("#prefix", "prefix")
    conf = path + ".conf"
    with open(conf, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(conf, 0o600)
    done = subprocess.run([GRACEFULD, "-t", "-c", conf, "-W", WORKER], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_options_change_by_a_reload(start, workshop, port, path):
    workshop.upper(path)
    daemon = start(module_config(port, path, {"numbers": False}))
    with Client(port) as client:
        assert client.send(b"a\n").receive(2) == b"A\n"
        verdict = daemon.reload(module_config(port, path, {"numbers": True, "prefix": "> "}))
        assert verdict.word == "applied"
        assert any('service.prefix: (none) -> "> "' in line for line in verdict.lines), verdict.lines
        assert client.send(b"b\n").receive(6) == b"> 2 B\n"


# -- connections across reloads

def test_lines_are_exact_through_reloads_under_load(start, workshop, port, path, figure):
    """Old clients that never pause, and new ones all the time, while workers come and go."""
    workshop.upper(path)
    daemon = start(module_config(port, path))
    end, failures, rounds = threading.Event(), [], [0] * 8

    def guarded(work):
        try:
            while not end.is_set():
                work()
        except BaseException as failure:  # pylint: disable=broad-except
            failures.append(failure)

    def old_client(n):
        lines = Lines(port, n)

        def work():
            lines.random_round()
            rounds[n] += 1
        guarded(work)

    def new_client():
        lines = Lines(port, rounds[0])
        lines.round([b"new"])
        lines.client.close()
        rounds[7] += 1

    threads = [threading.Thread(target=old_client, args=(n,)) for n in range(7)]
    threads.append(threading.Thread(target=guarded, args=(new_client,)))
    for thread in threads:
        thread.start()
    handed = 0
    try:
        for i in range(scaled(30, 5)):
            before = list(rounds)
            verdict = daemon.reload(module_config(port, path, workers=2 + i % 3))
            assert verdict.word == "applied" and verdict.cut == 0, verdict
            handed += verdict.handed_over
            # each of them is served by the new workers before the next reload
            while not failures and any(after == was for after, was in zip(rounds, before)):
                end.wait(0.001)
    finally:
        end.set()
        for thread in threads:
            thread.join()
    assert not failures, failures
    figure(f"{handed} handed over, {sum(rounds[:7])} rounds of lines, {rounds[7]} new connections")
    assert handed >= scaled(30, 5)


def test_half_a_line_moves_along(start, workshop, port, path):
    workshop.upper(path)
    daemon = start(module_config(port, path))
    lines = Lines(port)
    lines.round([b"one"])
    lines.client.send(b"tw")
    for _ in range(3):
        verdict = daemon.reload()
        assert verdict.word == "applied" and verdict.handed_over == 1, verdict
    assert lines.client.send(b"o\n").receive(6) == b"2 TWO\n"


def test_unsent_answers_move_along(start, workshop, port, path):
    """A client that sends, and takes nothing until three generations of workers have gone by."""
    workshop.upper(path)
    daemon = start(module_config(port, path))
    lines = Lines(port)
    expected, sock = [], lines.client.sock
    sock.setblocking(False)
    pending = b""
    # until neither side can go on: the worker has answers that the socket does not take
    while select.select([], [sock], [], 0.3)[1]:
        if not pending:
            some = [b"%d abc" % i for i in range(1000)]
            pending = b"".join(line + b"\n" for line in some)
            expected += [answer_of(len(expected) + i + 1, line) for i, line in enumerate(some)]
        with contextlib.suppress(BlockingIOError):
            pending = pending[sock.send(pending):]
    for _ in range(3):
        verdict = daemon.reload()
        assert verdict.word == "applied" and verdict.handed_over == 1 and verdict.cut == 0, verdict
    got, wanted = bytearray(), b"".join(expected)
    while len(got) < len(wanted):
        readable, writable, _ = select.select([sock], [sock] if pending else [], [], 20)
        assert readable or writable, f"nothing moves, {len(got)} of {len(wanted)} bytes"
        if readable:
            data = sock.recv(1 << 20)
            assert data, "the end, too early"
            got += data
        if writable:
            pending = pending[sock.send(pending):]
    assert bytes(got) == wanted


def test_new_version_is_taken_up_by_a_reload(start, workshop, port, path):
    workshop.upper(path)
    daemon = start(module_config(port, path))
    lines = Lines(port)
    lines.round([b"one"])
    workshop.upper(path, 'UPPER_VERSION=\\"2.0\\"')
    since = daemon.mark()
    verdict = daemon.reload()
    assert verdict.word == "applied" and verdict.handed_over == 1, verdict
    assert len(daemon.log.find(r"upper 2\.0: loaded", since)) == 2 and not daemon.log.find(r"upper 1\.0: loaded", since)
    lines.round([b"two"])


def stays_with_its_worker(daemon, port):
    """A client from before the reload at hand is served by its worker, to its end."""
    with Client(port) as client:
        assert client.send(b"abc").receive(3) == b"abc"
        old = client.server_pid(daemon.pids())
        since = daemon.mark()
        daemon.hup()
        daemon.wait_line(rf"pid {old}: ready -> draining", since=since)
        for _ in range(3):
            assert client.send(b"xyz").receive(3) == b"xyz"
        # (the other one, to which it was offered, has a copy for as long as it takes to refuse it)
        wait_until(lambda: client.server_pid(daemon.pids()) == old, "its worker has it, and nobody else")
        client.close()
        wait_gone(old)
        verdict = daemon.wait_verdict(since)
        assert verdict.word == "applied" and (verdict.handed_over, verdict.cut) == (0, 0), verdict


@pytest.mark.parametrize("other", ['NAME="another"', "HANDOFF_VERSION=2", "HANDOFF_VERSION=0"])
def test_another_module_adopts_nothing(start, workshop, port, path, other):
    """What it would make of the description nobody knows."""
    workshop.odd(path, "SANE")
    daemon = start(module_config(port, path, drain_timeout=600))
    workshop.odd(path, "SANE", other)
    stays_with_its_worker(daemon, port)


def odd_and_others(daemon, port):
    """Four clients as they should be, and then an odd one, all of one worker; and its pid."""
    old = daemon.worker(0).pid
    others = [Client(port) for _ in range(4)]
    odd = Client(port)
    for client in others:
        assert client.send(b"abc").receive(3) == b"abc"
    assert odd.send(b"!bc").receive(3) == b"!bc"
    return old, others, odd


def all_served_by(pid, clients):
    for client in clients:
        assert client.send(b"abc").receive(3) == b"abc"
    assert set(server_pids(clients, [pid])) == {pid}


@pytest.mark.parametrize("kind", ["LEFT_OVER_FIELD", "LEFT_OVER_DESCRIPTOR", "NO_DESCRIPTOR", "LARGE_TAG", "LARGE_FIELDS"])
def test_description_that_is_no_good(start, workshop, port, path, kind):
    """That connection stays with its worker and is served; those beside it move. Nothing that nobody reads is lost silently, and a record
    without a client does not spoil the offer that it would be in."""
    workshop.odd(path, kind)
    daemon = start(module_config(port, path, workers=1, drain_timeout=600))
    old, others, odd = odd_and_others(daemon, port)
    since = daemon.mark()
    daemon.hup()
    daemon.wait_line(rf"pid {old}: ready -> draining", since=since)
    new = daemon.worker(0).pid
    wait_until(lambda: set(server_pids(others, [new])) == {new}, "the others are with the new worker")
    all_served_by(new, others)
    all_served_by(old, [odd])
    odd.close()
    verdict = daemon.wait_verdict(since)
    assert verdict.word == "applied" and (verdict.finished, verdict.handed_over, verdict.cut) == (1, 4, 0), verdict


def test_connection_that_is_busy_moves_when_it_can(start, workshop, port, path):
    workshop.odd(path, "BUSY")
    daemon = start(module_config(port, path, workers=1, drain_timeout=600))
    old, others, odd = odd_and_others(daemon, port)
    since = daemon.mark()
    daemon.hup()
    daemon.wait_line(rf"pid {old}: ready -> draining", since=since)
    new = daemon.worker(0).pid
    wait_until(lambda: set(server_pids(others, [new])) == {new}, "the others are with the new worker")
    assert odd.server_pid([old]) == old
    assert odd.send(b"abc").receive(3) == b"abc"  # by the old one, which says "movable" behind it
    verdict = daemon.wait_verdict(since)
    assert verdict.word == "applied" and (verdict.finished, verdict.handed_over, verdict.cut) == (0, 5, 0), verdict
    all_served_by(new, [odd, *others])


# -- modules that are refused

BAD_MODULE = {
    "OTHER_ABI": r"built for ABI 42 of gracefuld's modules; this is ABI 1$",
    "SMALL_MODULE": r"gracefuld_module has 16 bytes, less than the \d+ of ABI 1$",
    "SMALL_OPS": r"struct gracefuld_service_ops has 8 bytes, less than the \d+ of ABI 1$",
    "NO_OPS": r"struct gracefuld_service_ops has 0 bytes, less than the \d+ of ABI 1$",
    "OTHER_LIBEVENT": r"built for libevent 2\.0; this is 2\.1",
    "BAD_NAME": r"its name must be 1 to 64 letters",
    "NO_CUT": r'has no function "cut"$',
    "NO_ADOPT": r'has no function "adopt"$',
}


def check_rejected(daemon, text, pattern):
    """Rejected for that one reason, told with its place; nothing was touched."""
    old = daemon.pids()
    verdict = daemon.reload(text)
    assert verdict.word == "rejected", verdict
    told = [line for line in verdict.lines if "rejected: " in line and "nothing was changed" not in line]
    assert len(told) == 1 and re.search(pattern, told[0]), told
    assert daemon.pids() == old
    return told[0]


def at_path(text, path):
    """The place of service.path in a configuration, and how the message begins."""
    line = next(i for i, line in enumerate(text.splitlines(), 1) if "service" in line)
    return rf"gracefuld\.conf:{line}: service\.path: {re.escape(path)}: "


@pytest.mark.parametrize("kind", BAD_MODULE)
def test_module_that_does_not_fit_is_rejected(start, workshop, port, path, kind):
    daemon = start(config(port))
    workshop.odd(path, kind)
    text = module_config(port, path)
    check_rejected(daemon, text, at_path(text, path) + ".*" + BAD_MODULE[kind])


def test_newer_header_of_the_same_abi_is_accepted(start, workshop, port, path):
    workshop.odd(path, "LARGER")
    start(module_config(port, path))
    with Client(port) as client:
        assert client.send(b"abc").receive(3) == b"abc"


BAD_FILE = {
    "missing": r"No such file or directory$",
    "text": r"(invalid ELF header|file too short)$",
    "cut short": r"cannot read file data$",
    "directory": r"is a directory$",
    "fifo": r"is a FIFO, not a regular file$",
    "writable": r"refused: writable by others \(mode 0646\)$",
    "no module": r"is no module: has no symbol gracefuld_module$",
    "undefined": r"undefined symbol: nobody_has_this$",
}


@pytest.mark.parametrize("kind", BAD_FILE)
def test_file_that_is_no_module_is_rejected(start, workshop, port, path, kind):
    daemon = start(config(port))
    if kind == "directory":
        os.mkdir(path)
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind in ("text", "no module", "undefined"):
        source = path + ".c"
        with open(source, "w", encoding="utf-8") as file:
            file.write({"text": "This is a text, longer than the header of an ELF file is: so it takes a look to see it.\n" * 9,
                        "no module": "int something;\n",
                        "undefined": "extern int nobody_has_this(void);\nint something(void);\n"
                                     "int something(void) { return nobody_has_this(); }\n"}[kind])
        if kind == "text":
            os.rename(source, path)
            os.chmod(path, 0o644)
        else:
            workshop.compile(source, path)
    elif kind != "missing":
        workshop.odd(path, "SANE")
    if kind == "cut short":
        os.truncate(path, 100)
    if kind == "writable":
        os.chmod(path, 0o646)
    text = module_config(port, path)
    check_rejected(daemon, text, at_path(text, path) + BAD_FILE[kind])


def test_path_must_be_there_and_absolute(start, port):
    daemon = start(config(port))
    check_rejected(daemon, config(port, service={"type": "module"}), r"gracefuld\.conf:\d+: service: path is missing$")
    check_rejected(daemon, module_config(port, "module.so"), r'gracefuld\.conf:\d+: service\.path: "module\.so" is no absolute path$')
    check_rejected(daemon, module_config(port, 5), r"gracefuld\.conf:\d+: service\.path: 5 is no text in quotes$")


WRONG = {
    "text": (5, r"service\.text: 5 is no text in quotes$"),
    "number": (6, r"service\.number: 6 is out of range \(-5 to 5\)$"),
    "real": ("x", r'service\.real: "x" is no number$'),
    "flag": (1, r"service\.flag: 1 is neither true nor false$"),
    "pause": ("5 parsecs", r'service\.pause: "5 parsecs" is no time'),
    "room": ("5 parsecs", r'service\.room: "5 parsecs" is no size'),
    "inner": ({"text": "xyz"}, r"service\.inner\.text: begins with an x$"),
    "numbr": (3, r'unknown option "service\.numbr"; did you mean "service\.number"\?$'),
    "frobnication": (3, r'unknown option "service\.frobnication"$'),
}


@pytest.mark.parametrize("name", WRONG)
def test_options_are_checked_by_the_module(start, workshop, port, path, name):
    workshop.odd(path, "SANE")
    daemon = start(config(port))
    value, pattern = WRONG[name]
    check_rejected(daemon, module_config(port, path, {name: value}), r"gracefuld\.conf:\d+: " + pattern)


def test_good_options_of_every_type(start, workshop, port, path):
    workshop.odd(path, "SANE")
    daemon = start(config(port))
    good = {"text": "t", "number": -5, "real": 0.5, "flag": True, "pause": "250ms", "room": "64KiB", "inner": {"text": "abc"}}
    assert daemon.reload(module_config(port, path, good)).word == "applied"


# -- modules that misbehave

@pytest.mark.parametrize("kind, pattern", [("CRASH_IN_CHECK", rf"killed by signal {ABORTED}"),
                                           ("CRASH_IN_CONSTRUCTOR", rf"killed by signal {ABORTED}"),
                                           ("EXIT_IN_CHECK", "failed with status 3")])
def test_crash_in_the_check_rejects_the_reload(start, workshop, port, path, figure, kind, pattern):
    """It is another process that crashes, so nobody notices."""
    workshop.odd(path, kind)
    daemon = start(config(port))
    with Load(port) as load:
        figure(check_rejected(daemon, module_config(port, path), pattern))
        seen = load.result()
    figure(load_text(seen))
    assert_no_failure(seen)
    assert daemon.reload(config(port, workers=3)).word == "applied"


@pytest.mark.parametrize("kind, pattern", [("FAIL_IN_START", "the service module cannot start"),
                                           ("CRASH_IN_START", rf"signal {ABORTED}")])
def test_module_that_cannot_start_reverts_the_reload(start, workshop, port, path, kind, pattern):
    workshop.odd(path, kind)
    daemon = start(config(port))
    old = daemon.pids()
    with Load(port) as load:
        verdict = daemon.reload(module_config(port, path))
        seen = load.result()
    assert_no_failure(seen)
    assert verdict.word == "reverted", verdict
    assert any(re.search(pattern, line) for line in verdict.lines), verdict.lines
    assert daemon.pids() == old
    if kind == "FAIL_IN_START":
        assert daemon.log.find(r"error: odd: the database is gone$")


def test_worker_that_crashes_in_its_module_is_replaced(start, workshop, port, path):
    """A module that was good when it was checked: its worker dies with its clients, the others serve, and a new one comes."""
    workshop.odd(path, "CRASH_ON_DATA")
    daemon = start(module_config(port, path, restart={"delay": 0.01}))
    with Client(port) as client:
        victim = client.send(b"").server_pid(daemon.pids())
        while victim is None:  # in a queue still
            victim = client.server_pid(daemon.pids())
        since = daemon.mark()
        assert client.send(b"x").end() in ("closed", "reset")
    daemon.wait_line(rf"pid {victim}: ready -> exited .*signal {ABORTED}", since=since)
    daemon.wait_settled(2)
    assert victim not in daemon.pids()
    workshop.odd(path, "SANE")
    assert daemon.reload().word == "applied"
    with Client(port) as client:
        assert client.send(b"abc").receive(3) == b"abc"


@pytest.mark.skipif(is_instrumented(), reason="there is no sandbox then")
def test_module_that_executes_something_in_the_sandbox(start, workshop, port, path):
    """With sandbox = "always": killed by the kernel, which the log explains, and replaced; whoever else is served notices nothing."""
    workshop.odd(path, "EXECUTE_ON_DATA")
    daemon = start(module_config(port, path, sandbox="always", workers=1))
    victim, = daemon.pids()
    with Client(port) as client:
        since = daemon.mark()
        assert client.send(b"x").end() in ("closed", "reset")
    daemon.wait_line(rf"pid {victim}: ready -> exited .*signal {signal.SIGSYS:d}, ", since=since)
    daemon.wait_line(r"was killed by signal \d+, .*\(a system call that its sandbox forbids", since=since)
    daemon.wait_settled(1)
    assert victim not in daemon.pids()


def test_module_that_executes_something_outside_of_it(start, workshop, port, path):
    """By default nobody knows what a module needs: it becomes another program, which ends."""
    workshop.odd(path, "EXECUTE_ON_DATA")
    daemon = start(module_config(port, path, workers=1))
    victim, = daemon.pids()
    with Client(port) as client:
        since = daemon.mark()
        assert client.send(b"x").end() in ("closed", "reset")
    daemon.wait_line(rf"pid {victim}: ready -> exited .*status 0", since=since)


@pytest.mark.skipif(is_instrumented(), reason="there is no sandbox then")
def test_module_starts_a_thread_in_the_sandbox(start, workshop, port, path):
    workshop.odd(path, "THREAD_ON_DATA")
    daemon = start(module_config(port, path, sandbox="always", workers=1))
    before = daemon.pids()
    with Client(port) as client:
        assert client.send(b"xyz").receive(3) == b"tyz"
    assert daemon.pids() == before


def test_module_that_was_replaced_by_a_bad_one_goes_on(start, workshop, port, path):
    """The file is no good any more. What runs does not need it; a reload is rejected; and nothing else has changed."""
    workshop.odd(path, "SANE")
    text = module_config(port, path)
    daemon = start(text)
    with Client(port) as client:
        assert client.send(b"abc").receive(3) == b"abc"
        workshop.odd(path, "OTHER_ABI")
        check_rejected(daemon, text, r"built for ABI 42")
        os.unlink(path)
        check_rejected(daemon, text, r"No such file")
        assert client.send(b"abc").receive(3) == b"abc"
        workshop.odd(path, "SANE")
        verdict = daemon.reload()
        assert verdict.word == "applied" and verdict.handed_over == 1, verdict
        assert client.send(b"abc").receive(3) == b"abc"


def test_file_that_is_another_one_after_the_check(start, workshop, directory, port, path):
    """Replaced at the worst moment, by its own check: the worker looks at what it loads for itself."""
    daemon = start(config(port))
    old = daemon.pids()
    workshop.odd(path + ".next", "OTHER_ABI")
    workshop.odd(path, "SWAP_IN_CHECK")
    os.chmod(directory, 0o777)  # for the check, which runs as another user
    verdict = daemon.reload(module_config(port, path, {"text": path}))
    assert verdict.word == "reverted", verdict
    assert any(re.search(r"gracefuld\.conf:\d+: service\.path: .*built for ABI 42", line) for line in verdict.lines), verdict.lines
    assert daemon.pids() == old


def test_worker_that_finds_its_module_spoilt(start, workshop, port, path):
    """The file has become a bad one, and then a worker dies: its slot tries again, the others serve, until the file is good again."""
    workshop.odd(path, "SANE")
    daemon = start(module_config(port, path, restart={"delay": 0.01, "max_delay": 0.05}))
    workshop.odd(path, "OTHER_ABI")
    since = daemon.mark()
    daemon.kill_worker(0)
    for _ in range(3):
        daemon.wait_line(r"worker 0 gen 1 pid \d+: starting -> .*built for ABI 42", since=since)
        since = daemon.mark()
    other = daemon.worker(1).pid
    with Client(port) as client:
        assert client.send(b"abc").receive(3) == b"abc"
        assert client.server_pid([other]) == other
    workshop.odd(path, "SANE")
    daemon.wait_settled(2)
    assert daemon.worker(1).pid == other


@pytest.mark.skipif(is_sanitized(), reason="what such a module leaves behind is a leak")
def test_module_that_does_not_end_what_is_cut(start, workshop, port, path):
    """It keeps no worker from leaving."""
    workshop.odd(path, "CUT_WITHOUT_END")
    daemon = start(module_config(port, path))
    with Client(port) as client:
        assert client.send(b"abc").receive(3) == b"abc"
        old = client.server_pid(daemon.pids())
        since = daemon.mark()
        verdict = daemon.reload(config(free_port(), drain_timeout=0))
        assert verdict.word == "applied" and verdict.cut == 1, verdict
        assert daemon.log.find(r"error: odd: cut has not ended its connection", since)
        assert daemon.log.find(rf"pid {old}: .* -> exited .*status 0", since) or not daemon.log.find(rf"pid {old}: .* -> killing", since)
