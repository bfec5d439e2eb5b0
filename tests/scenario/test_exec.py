"""The service exec: any program as a worker. What it does not do right is its own trouble, never the daemon's or its clients'."""

import os
import re
import shutil
import signal
import socket
import time

import pytest

from control import get
from harness import (PYTHON, TOP, Client, Load, assert_no_failure, children_of, config, cpu_ticks, is_alive, load_text, scaled,
                     wait_gone, wait_until)

ROLL = {"ready_timeout": 1}
ROLL_OF_TALKERS = {"ready_timeout": 5}  # who has to say something in that time


class Hosted:
    """Configurations of the program, which is copied to where the workers' account may read it."""

    def __init__(self, directory, port):
        self.port = port
        self.program = os.path.join(directory, "hosted.py")
        shutil.copy(os.path.join(TOP, "tests/scenario/hosted_program.py"), self.program)
        os.chmod(self.program, 0o644)
        self.out = os.path.join(directory, "out")
        os.mkdir(self.out)
        os.chmod(self.out, 0o777)

    def config(self, *plan, ready="pipe", drain="pipe", service=None, **options):
        said = ready if ready in ("pipe", "notify") else "silent"
        settings = {"type": "exec", "command": [PYTHON, "-IS", self.program, said, drain, *plan], "ready": ready,
                    "drain": drain, **(service or {})}
        return config(self.port, service=settings, **options)

    def file(self, name):
        return os.path.join(self.out, name)

    def read(self, name):
        """What a plan has written down."""
        path = self.file(name)
        wait_until(lambda: os.path.exists(path), name)
        with open(path, encoding="utf-8") as file:
            return file.read()


@pytest.fixture
def hosted(directory, port):
    return Hosted(directory, port)


WAYS = {"pipe": {}, "notify": {"ready": "notify", "drain": "SIGTERM"}, "alive": {"ready": 0.2, "drain": "SIGUSR1"},
        "accepting": {"ready": "accepting", "drain": "SIGTERM"}}


# -- what works

@pytest.mark.parametrize("way", WAYS)
def test_rolled_under_load(start, port, hosted, figure, way):
    """New connections never fail, however it is ready and drains."""
    text = hosted.config(**WAYS[way])
    daemon = start(text)
    with Load(port) as load:
        for _ in range(scaled(20 if way == "pipe" else 5, 2)):
            assert daemon.reload().word == "applied"
        seen = load.result()
    figure(load_text(seen))
    assert_no_failure(seen)
    assert len(daemon.workers("ready")) == 2
    assert daemon.stop() == 0


@pytest.mark.parametrize("way", WAYS)
def test_connection_is_served_to_its_end(start, port, hosted, way):
    daemon = start(hosted.config(workers=1, **WAYS[way]))
    with Client(port) as client:
        client.ask()
        old = daemon.pids()[0]
        daemon.hup()
        daemon.wait_line(rf"pid {old}: ready -> draining")
        client.ask()
        with Client(port) as other:
            other.ask()
    assert daemon.wait_verdict().word == "applied"


def test_drain_has_a_deadline(start, port, hosted):
    daemon = start(hosted.config(workers=1, drain_timeout=0.3, **WAYS["notify"]))
    with Client(port) as client:
        client.ask()
        assert daemon.reload().word == "applied"
        assert client.end() in ("closed", "reset")


def test_born_with(start, port, hosted, directory):
    """The sockets in three languages, its folder, its variables, a session of its own."""
    path = os.path.join(directory, "s.sock")
    daemon = start(config(listen=[{"address": "127.0.0.1", "port": port}, {"path": path}], workers=1, service={
        "type": "exec", "command": [PYTHON, "-IS", hosted.program, "pipe", "pipe", "report", hosted.file("born")],
        "directory": hosted.out, "environment": {"FRUIT": "an apple", "LISTEN_FDS": "77"}}),
        env={"FRUIT": "a pear", "EINHORN_FD_9": "9", "NOTIFY_SOCKET": "/nonexistent"})
    born = dict(line.split("=", 1) for line in hosted.read("born").splitlines())
    pid = str(daemon.worker(0).pid)
    assert born["pid"] == born["group"] == born["session"] == born["LISTEN_PID"] == pid
    assert (born["LISTEN_FDS"], born["LISTEN_FDNAMES"]) == ("2", f"127.0.0.1_{port}:{path}")
    assert born["SERVER_STARTER_PORT"] == f"127.0.0.1:{port}=3;{path}=4"
    assert born["SERVER_STARTER_GENERATION"] == "1"
    assert (born["EINHORN_FD_COUNT"], born["EINHORN_FD_0"], born["EINHORN_FD_1"]) == ("2", "3", "4")
    assert born["cwd"] == hosted.out and born["FRUIT"] == "an apple"
    assert not {"EINHORN_FD_9", "NOTIFY_SOCKET", "GRACEFULD_CONFIG_FD", "GRACEFULD_HANDOFF_FD"} & set(born)
    with Client(path) as client:
        client.ask()


def test_from_a_service_of_ours_and_back(start, port, hosted, figure):
    """Nothing is handed over to a program, and nothing by it."""
    daemon = start(config(port))
    with Load(port) as load, Client(port) as client:
        client.ask()
        daemon.write(hosted.config())
        daemon.hup()
        daemon.wait_line(r"worker \d gen 2 pid \d+: starting -> ready")
        client.ask().close()
        assert daemon.wait_verdict().word == "applied"
        since = daemon.mark()
        daemon.write(config(port))
        daemon.hup()
        assert daemon.wait_verdict(since).word == "applied"
        seen = load.result()
    figure(load_text(seen))
    assert_no_failure(seen)


def test_another_image_of_the_master(start, port, hosted, figure):
    """Output, sd_notify and sockets go over to it, with what was in them."""
    daemon = start(hosted.config(**WAYS["notify"]))
    before = daemon.pids()
    with Load(port) as load:
        daemon.reexec()
        assert daemon.pids() == before
        assert daemon.reload().word == "applied"
        daemon.reexec()
        assert daemon.reload(hosted.config("count", "3", **WAYS["notify"])).word == "reverted"
        seen = load.result()
    figure(load_text(seen))
    assert_no_failure(seen)


def test_output_across_the_images(start, hosted):
    daemon = start(hosted.config("flood", workers=1))
    daemon.wait_line(r"\| x{99}$")
    daemon.reexec()
    since = daemon.mark()
    daemon.wait_line(r"\| x{99}$", since=since)
    assert set(match[1] for match in daemon.log.find(r"\d\| (.*)$")) == {"x" * 99}, "no line was torn"


# -- what fails

BAD = {
    "exit_soon": r"exited with status 1: RuntimeError: the database is gone$",
    "exit_quietly": r"exited with status 3$",
    "never_ready": r"was not ready in time: waiting for the database$",
    "close_pipes_and_stay": r"closed its status pipe$",
}


@pytest.mark.parametrize("way, plan, what", [
    *(("pipe", plan, what) for plan, what in BAD.items()),
    *(("notify", plan, what) for plan, what in BAD.items() if plan != "close_pipes_and_stay"),
    ("notify", "close_pipes_and_stay", r"was not ready in time$"),
    ("pipe", "go_into_background", r"exited with status 0 before it was ready \(it must stay in the foreground\)$"),
    ("pipe", "stop_itself", r"was not ready in time$"),
])
def test_reverted_and_why(start, port, hosted, figure, way, plan, what):
    roll = ROLL_OF_TALKERS if "not ready in time" in what else None
    daemon = start(hosted.config(**WAYS[way]))
    old = daemon.pids()
    with Load(port) as load:
        verdict = daemon.reload(hosted.config(plan, roll=roll, **WAYS[way]))
        seen = load.result()
    figure(f"{verdict}; {load_text(seen)}")
    assert verdict.word == "reverted" and re.search(what, verdict.text.split(";")[0]), verdict
    assert_no_failure(seen)
    assert daemon.pids() == old


@pytest.mark.parametrize("program, words", [
    ("def main(:\n", "SyntaxError: invalid syntax"),
    ("import no_such_module\n", "ModuleNotFoundError: No module named 'no_such_module'"),
    ("import socket\ns = socket.socket()\ns.bind(('127.0.0.1', int(__import__('os').environ['PORT'])))\n",
     r"OSError: \[Errno 98\] Address already in use"),
])
def test_program_that_cannot_start(start, port, hosted, figure, program, words):
    """A syntax error, a module that is missing, a port that is taken by itself: in one line, with the program's own words."""
    daemon = start(hosted.config(service={"environment": {"PORT": str(port)}}))
    old = daemon.pids()
    with open(hosted.program, "w", encoding="ascii") as file:
        file.write(program)
    with Load(port) as load:
        verdict = daemon.reload()
        seen = load.result()
    figure(repr(verdict))
    assert verdict.word == "reverted" and re.search(rf"exited with status 1: {words}", verdict.text), verdict
    assert_no_failure(seen)
    assert daemon.pids() == old


@pytest.mark.parametrize("service, words", [
    ({"command": ["/nonexistent/program"]}, "service.command: /nonexistent/program: No such file"),
    ({"command": ["no-such-program-anywhere"]}, "service.command: no-such-program-anywhere: not found in PATH"),
    ({"command": ["bin/program"]}, "neither an absolute path nor a name"),
    ({"command": ["/etc"]}, "/etc: is no program"),
    ({"command": "/bin/true"}, "is no list"),
    ({"command": [PYTHON, 5]}, "its element 1 is no text"),
    ({}, "service.command: is missing"),
    ({"command": [PYTHON], "directory": "/nonexistent"}, "service.directory: /nonexistent: No such file"),
    ({"command": [PYTHON], "ready": "soon"}, "service.ready: is neither"),
    ({"command": [PYTHON], "ready": 30}, "service.ready: 30s is not less than roll.ready_timeout, 30s"),
    ({"command": [PYTHON], "drain": "SIGKILL"}, "service.drain: is neither"),
    ({"command": [PYTHON], "drain": ["SIGTERM", "SIGINT"]}, "service.drain: has more than one signal"),
    ({"command": [PYTHON], "environment": {"A": 5}}, "service.environment.A: is no text"),
    ({"command": [PYTHON], "comand": "x"}, r'unknown option "service.comand"; did you mean "service.command"'),
])
def test_rejected(start, port, hosted, service, words):
    daemon = start(hosted.config(workers=1))
    old = daemon.pids()
    verdict = daemon.reload(config(port, service={"type": "exec", **service}))
    assert verdict.word == "rejected"
    assert any(re.search(words, line) for line in verdict.lines), verdict.lines
    assert daemon.pids() == old


def test_program_gone_after_the_check(start, port, hosted, directory):
    """A crash that can't be made good at once: the others go on, and it comes back when the program does."""
    program = os.path.join(directory, "program")
    with open(program, "w", encoding="ascii") as file:
        file.write(f"#!/bin/bash\nexec {PYTHON} -IS {hosted.program} pipe pipe\n")
    os.chmod(program, 0o755)
    daemon = start(hosted.config(service={"command": [program]}, restart={"delay": 0.01, "max_delay": 0.05}))
    os.rename(program, program + ".away")
    daemon.kill_worker(0)
    daemon.wait_line(r"failed: cannot run .*/program: No such file")
    with Client(port) as client:
        client.ask()
    os.rename(program + ".away", program)
    daemon.wait_settled(2)


@pytest.mark.parametrize("way", ["accept", "epoll"])
def test_accepting_is_seen(launch, port, hosted, way):
    """Not before it does: it waits for the gate, with the socket open all along. (From the start on, since a socket that another
    program has made non-blocking is no good for accept(2).)"""
    gate = os.path.join(hosted.out, "gate")
    os.mkfifo(gate)
    os.chmod(gate, 0o644)
    daemon = launch(hosted.config("late", gate, way, workers=1, **WAYS["accepting"]))
    daemon.wait_line(r"\| at the gate")
    wait_until(lambda: len(children_of(daemon.pid)) == 2, "somebody looks")
    assert not daemon.workers("ready")
    with open(gate, "wb"):
        pass
    daemon.wait_ready()
    with Client(port) as client:
        client.ask()
    wait_until(lambda: children_of(daemon.pid) == daemon.pids(), "nobody looks any more")


def test_never_accepts(start, hosted):
    """It runs, has its socket, and even waits for something, but not for a client."""
    daemon = start(hosted.config(workers=1))
    verdict = daemon.reload(hosted.config("never_ready", workers=1, roll=ROLL, **WAYS["accepting"]))
    assert verdict.word == "reverted" and "was not ready in time" in verdict.text
    children = daemon.pids()
    wait_until(lambda: children_of(daemon.pid) == children, "nobody looks any more")


# -- what it should not do

def test_ignores_sigterm(start, port, hosted):
    """Its time comes all the same, with SIGKILL."""
    daemon = start(hosted.config("deaf", workers=1, drain_timeout=0.2, **WAYS["notify"]))
    assert daemon.reload(hosted.config(workers=1, drain_timeout=0.2)).word == "applied"
    daemon.wait_line(r"gen 1 pid \d+: stopping -> killing \(did not stop in time\)")
    daemon.wait_line(r"gen 1 pid \d+: killing -> exited \(signal 9")


def test_children_end_with_it(start, hosted):
    """Those in its group at once; what has left it for a session of its own, at the latest with the daemon."""
    daemon = start(hosted.config("children", hosted.file("children"), workers=1))
    inside, *outside = map(int, hosted.read("children").split())
    worker = daemon.worker(0).pid
    daemon.kill_worker(0)
    daemon.wait_line(rf"pid {worker}: ready -> exited")
    wait_gone(inside)
    assert all(map(is_alive, outside))
    daemon.stop()
    for pid in outside:
        wait_gone(pid)


def test_orphans_are_reaped(start, port, hosted):
    """Children whose parent has gone come to the daemon, which is none of theirs: none stays as a zombie."""
    daemon = start(hosted.config("orphans", workers=1))

    def adopted():
        with open(f"/proc/{daemon.pid}/task/{daemon.pid}/children", encoding="ascii") as file:
            return set(map(int, file.read().split())) - set(daemon.pids())
    with Client(port) as client:
        client.ask()
    wait_until(lambda: not adopted(), "no child but the worker")


def test_pipes_may_be_closed(start, port, hosted):
    """Of a program that does not use them, and has no output either."""
    daemon = start(hosted.config("close_pipes", **WAYS["notify"]))
    assert daemon.reload().word == "applied"
    with Client(port) as client:
        client.ask()
    assert not daemon.log.find("closed its status pipe")


def test_flood_of_output(start, port, hosted, directory, figure):
    """The daemon reads what it can log, answers, rolls and ends as ever, and is never busy with that alone. A file takes all of it,
    however long this test does not read."""
    daemon = start(hosted.config("flood"), log_file=os.path.join(directory, "log"))
    daemon.wait_line(r"\| x{99}$")
    ticks, since = cpu_ticks(daemon.pid), daemon.mark()
    with Load(port) as load:
        for _ in range(3):
            assert daemon.reload().word == "applied"
        seen = load.result()
    lines = daemon.mark() - since
    figure(f"{lines} lines, {cpu_ticks(daemon.pid) - ticks} ticks; {load_text(seen)}")
    assert_no_failure(seen)
    assert lines > 1000
    assert not daemon.log.find("messages were lost")
    torn = [m[1] for m in daemon.log.find(r"\d\| (.*)$") if not re.fullmatch(r"x{99}", m[1])]
    assert len(torn) <= 8, torn[:8]  # a worker that ends may be in the middle of a write
    assert daemon.stop() == 0


def test_nothing_that_it_wrote_is_lost(launch, hosted):
    lines = scaled(20000, 1000)
    daemon = launch(hosted.config("count", str(lines), workers=1))
    assert daemon.wait_exit() == 70
    said = [match[1] for match in daemon.log.find(r"worker 0 gen 1 pid \d+\| (.*)$")]
    assert said[:lines] == [f"line {n}" for n in range(lines)]
    long = [line for line in said[lines:] if "y" * 100 in line]
    assert "".join(long) == "long " + "y" * 5000 and len(long) == 4
    assert said[lines + 4:] == [r"?[31mred\xff ä x", "an error", "??nul?s?", "in pieces", "and no end"]
    assert daemon.log.find(r" error: worker 0 gen 1 pid \d+\| an error")
    assert daemon.log.find(r"exited with status 4: ")


def test_output_by_name(start, hosted):
    """Whoever it runs as, it can open /dev/stdout and /dev/stderr."""
    daemon = start(hosted.config("output_by_name", workers=1))
    for name in ("stdout", "stderr"):
        daemon.wait_line(rf"worker 0 gen 1 pid \d+\| this is {name}$")


def notify_address(pid):
    with open(f"/proc/{pid}/environ", "rb") as file:
        name = re.search(rb"NOTIFY_SOCKET=@([^\0]*)", file.read())[1]
    return b"\0" + name


def test_spoofed_notification(start, hosted):
    """Somebody else says that it is ready: it is not, and the verdict says so."""
    daemon = start(hosted.config(workers=1, **WAYS["notify"]))
    daemon.write(hosted.config("never_ready", workers=1, roll=ROLL_OF_TALKERS, **WAYS["notify"]))
    since = daemon.mark()
    daemon.hup()
    pid = int(daemon.wait_line(r"worker 0 gen 2 pid (\d+)\| waiting", since=since)[1])
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.connect(notify_address(pid))
        for _ in range(50):
            sock.send(b"READY=1\nSTATUS=spoofed")
    verdict = daemon.wait_verdict(since)
    assert verdict.word == "reverted" and "was not ready in time" in verdict.text, verdict
    ignored = daemon.log.find(rf"worker 0 gen 2 pid {pid}: ignored what process (\d+), ")
    assert [int(match[1]) for match in ignored] == [os.getpid()]


def test_descendant_may_notify(start, port, hosted):
    daemon = start(hosted.config("helper_says", workers=1, ready="notify", drain="SIGTERM",
                                 service={"command": [PYTHON, "-IS", hosted.program, "silent", "SIGTERM", "helper_says"]}))
    with Client(port) as client:
        client.ask()
    assert not daemon.log.find("ignored what process")


def test_strange_notifications(start, hosted):
    """Empty, long, no text, with descriptors: nothing happens, and nothing is kept."""
    daemon = start(hosted.config(workers=1, **WAYS["notify"]))
    before = len(os.listdir(f"/proc/{daemon.pid}/fd"))
    code = ("import os, socket, array\ns = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
            "s.connect('\\0' + os.environ['NOTIFY_SOCKET'][1:])\n"
            "for text in (b'', b'x' * 5000, b'\\xff\\0=\\n\\n=', b'STATUS=a\\x1bb\\xff', b'EXTEND_TIMEOUT_USEC=-1', b'READY=1'):\n"
            "    s.sendmsg([text], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [0, 1, 2]))])\n"
            "s.send(b'READY=1')\n")
    with open(hosted.program, "a", encoding="ascii") as file:
        file.write("\n")
    with open(hosted.program, encoding="utf-8") as file:
        program = file.read()
    with open(hosted.program, "w", encoding="utf-8") as file:
        file.write(program.replace("\nmain()\n", "\n" + code + "main()\n"))
    assert daemon.reload().word == "applied"
    assert len(os.listdir(f"/proc/{daemon.pid}/fd")) == before
    assert daemon.reload().word == "applied"


def test_leaves_once_ready(start, port, hosted, figure):
    """Its incumbent has been told to drain by then: there is another one of its generation soon, and no client waits in vain."""
    daemon = start(hosted.config(**WAYS["notify"]))
    with Load(port) as load:
        verdict = daemon.reload(hosted.config("leave_once_ready", **WAYS["notify"]))
        daemon.wait_settled(2)
        seen = load.result()
    figure(f"{verdict}; {load_text(seen)}")
    assert verdict.word == "reverted" and "exited with status 0" in verdict.text, verdict
    # (how long they wait is how long the program takes to start)
    assert seen["ok"] > 0 and seen["failed_total"] == 0 and seen["inflight_at_end"] == 0, load_text(seen)


def test_stops_by_itself(start, hosted):
    daemon = start(hosted.config(workers=1, **WAYS["notify"]))
    verdict = daemon.reload(hosted.config("stop_by_itself", workers=1, roll={"settle": 30}, **WAYS["notify"]))
    assert verdict.word == "reverted" and "stops by itself" in verdict.text


def test_more_time_to_start(start, hosted):
    """It takes longer than roll.ready_timeout, and says so in time; but not for ever."""
    daemon = start(hosted.config(workers=1, **WAYS["notify"]))
    assert daemon.reload(hosted.config("extend", workers=1, roll={"ready_timeout": 3}, **WAYS["notify"])).word == "applied"
    verdict = daemon.reload(hosted.config("extend", workers=1, roll={"ready_timeout": 0.1}, **WAYS["notify"]))
    assert verdict.word == "reverted" and "was not ready in time" in verdict.text


# in Perl, which has begun before its first time is over
ASK_FOR_EVER = r"""
socket(my $socket, AF_UNIX, SOCK_DGRAM, 0) or die;
connect($socket, pack_sockaddr_un($ENV{NOTIFY_SOCKET} =~ s/^@/\0/r)) or die;
$| = 1;
for (my $n = 0; ; $n++) {
    send($socket, "EXTEND_TIMEOUT_USEC=1000000000000000", 0) or die;
    print "it asks\n" if $n == 0;
    select(undef, undef, undef, 0.02);
}
"""


def test_more_time_for_ever(start, port, hosted):
    """Ten times roll.ready_timeout, and no more, even when the daemon hears the next wish before it sees that the time is over."""
    daemon = start(hosted.config(workers=1, **WAYS["notify"]))
    daemon.write(hosted.config(workers=1, roll={"ready_timeout": 0.8}, ready="notify",
                               service={"command": ["/usr/bin/perl", "-MSocket", "-e", " ".join(ASK_FOR_EVER.split())]}))
    since = daemon.mark()
    daemon.hup()
    daemon.wait_line(r"worker 0 gen 2 pid \d+\| it asks", since=since)
    os.kill(daemon.pid, signal.SIGSTOP)
    with Client(port) as client:  # what it asks for meanwhile waits
        client.silent(8.2)
    os.kill(daemon.pid, signal.SIGCONT)
    verdict = daemon.wait_verdict(since)
    assert verdict.word == "reverted" and "was not ready in time" in verdict.text, verdict


def test_nonsense_without_pause(start, port, hosted, figure):
    """Thousands of notifications a second that mean nothing: clients, reloads and the control socket go on as ever."""
    daemon = start(hosted.config("talk_nonsense", **WAYS["notify"]))
    with Load(port) as load:
        for _ in range(3):
            assert daemon.reload().word == "applied"
        begun = time.monotonic()
        status = get(daemon)
        took = time.monotonic() - begun
        seen = load.result()
    figure(f"status in {took * 1000:.0f} ms: {status['workers'][0]}; {load_text(seen)}")
    assert_no_failure(seen)
    assert daemon.stop() == 0


def test_script_without_interpreter(start, hosted, directory):
    program = os.path.join(directory, "program")
    with open(program, "w", encoding="ascii") as file:
        file.write("#!/nonexistent/interpreter\n")
    os.chmod(program, 0o755)
    daemon = start(hosted.config(workers=1))
    verdict = daemon.reload(hosted.config(workers=1, service={"command": [program]}))
    assert verdict.word == "reverted" and f"failed: cannot run {program}: its interpreter is missing" in verdict.text, verdict


def test_stopped_program_is_replaced(start, hosted):
    """It hears nothing, and is killed when its time is over."""
    daemon = start(hosted.config(workers=1, drain_timeout=0.2))
    old = daemon.pids()[0]
    os.kill(old, signal.SIGSTOP)
    assert daemon.reload().word == "applied"
    daemon.wait_line(rf"pid {old}: killing -> exited \(signal 9")


def test_heartbeat_by_notify(start, port, hosted):
    daemon = start(hosted.config("silent_heart", workers=1, hang_timeout=0.5, **WAYS["notify"]))
    ready = daemon.wait_line(r"pid (\d+): starting -> ready")
    daemon.wait_line(rf"pid {ready[1]}: ready -> killing \(hangs: no heartbeat\)")
    daemon.wait_line(r"starting -> ready", since=daemon.line_after(rf"pid {ready[1]}: killing -> exited"))


def test_hang_timeout_needs_a_heartbeat(start, port, hosted):
    daemon = start(hosted.config(workers=1))
    verdict = daemon.reload(hosted.config(workers=1, hang_timeout=5, ready=0.2))
    assert verdict.word == "rejected"
    assert any("hang_timeout: a program gives signs of life" in line for line in verdict.lines)


def test_daemon_is_killed(start, hosted):
    """Whoever drains by a signal gets it when the daemon dies; whoever drains by the pipe sees its end."""
    for way in ("pipe", "notify"):
        daemon = start(hosted.config(**WAYS[way]))
        pids = daemon.pids()
        daemon.process.kill()
        for pid in pids:
            wait_gone(pid)
        daemon.wait_exit()
