"""What was found by trying to break the master and its control socket: closed standard descriptors, want of descriptors, a machine that
stood still, half-hearted checks, readers that don't read."""

import collections
import json
import os
import resource
import signal
import stat
import subprocess

import pytest

from control import get
from harness import DEADLINE, DRAINS, GRACEFULD, KEEP, WORKER, Client, config, descriptors, free_port, is_alive, wait_until

QUICK = {"delay": 0.01, "max_delay": 0.05}


def send(path, method, url, body=None):
    """A request on the control socket; returns the connection, nothing of which has been read."""
    text = b"" if body is None else json.dumps(body).encode()
    client = Client(path)
    client.send(f"{method} {url} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(text)}\r\n\r\n".encode() + text)
    return client


def ask(path, method, url, body=None):
    """The status and the JSON of the answer."""
    with send(path, method, url, body) as client:
        data = b""
        while more := client.sock.recv(65536):
            data += more
    head, _, text = data.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(text)


@pytest.fixture
def control(directory):
    return os.path.join(directory, "control")


# -- descriptors ----------------------------------------------------------------------------------------------------

def test_closed_standard_descriptors(directory, port):
    """Their numbers must not go to sockets and pipes, which the log and the workers' standard error would then be written into."""
    path = os.path.join(directory, "gracefuld.conf")
    with open(path, "w", encoding="utf-8", opener=lambda p, f: os.open(p, f, 0o600)) as file:
        file.write(config(port))
    daemon = subprocess.Popen(["/bin/sh", "-c", 'exec "$0" "$@" <&- >&- 2>&-', GRACEFULD, "-c", path, "-W", WORKER],
                              env={**os.environ, "RUNTIME_DIRECTORY": directory})
    try:
        wait_until(lambda: is_served(port) or daemon.poll() is not None, "the daemon serves")
        assert daemon.poll() is None
        # (they serve as soon as the first worker does)
        wait_until(lambda: len(children(daemon.pid)) == 2, "two workers")
        pids = [daemon.pid, *map(int, children(daemon.pid))]
        for pid in pids:
            assert [descriptors(pid)[fd] for fd in range(3)] == ["/dev/null"] * 3
    finally:
        if daemon.poll() is None:
            daemon.send_signal(signal.SIGQUIT)
        assert daemon.wait(DEADLINE) == 0


def is_served(port):
    try:
        with Client(port) as client:
            client.ask()
    except ConnectionRefusedError:
        return False
    return True


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return file.read().split()


def set_open_files(pid, soft):
    _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))


def test_workers_that_cannot_be_started_are_no_loop(start, port):
    """restart.stable = 0 means that no worker is suspicious; one that was never started is, all the same."""
    daemon = start(config(port, restart={**QUICK, "stable": 0}))
    plenty, _ = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
    set_open_files(daemon.pid, 3)
    daemon.kill_worker(0)
    daemon.wait_line(r"worker 0 cannot be started: Too many open files")
    daemon.wait_line(r"slot 0: \d+ crashes in a row, the next start is in")
    assert daemon.status()[0].startswith("generation 1, 1 of 2 workers ready"), "the master listens to signals"
    set_open_files(daemon.pid, plenty)
    daemon.wait_settled(2)
    assert daemon.reload().word == "applied"


def test_control_socket_without_descriptors_says_so_once(start, port, control):
    daemon = start(config(port, control={"path": control}))
    plenty, _ = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
    set_open_files(daemon.pid, 3)
    with send(control, "GET", "/healthz") as client:
        daemon.wait_line(r"control: cannot accept on \S+: Too many open files")
        assert client.silent(0.5), "it is tried again every 100 ms"
        assert len(daemon.log.find("cannot accept")) == 1
        set_open_files(daemon.pid, plenty)
        assert client.receive(15) == b"HTTP/1.1 200 OK"


def test_grown_sockets_are_not_for_the_old_generation(start, port, hostile):
    """While the pool grows from 2 to 4, a worker of the old generation is replaced by another of it. If that had the new sockets too,
    they would stay in the group after the roll has been reverted, and the next one would count them as its own."""
    daemon = start(config(port, workers=2), worker=hostile.program)
    hostile.plan("gate", slot=3)
    daemon.write(config(port, workers=4))
    since = daemon.mark()
    daemon.hup()
    hostile.wait_held()
    hostile.plan("real")
    daemon.kill_worker(0)
    respawned = int(daemon.wait_line(r"worker 0 gen 1 pid (\d+): starting -> ready", since=since)[1])
    assert collections.Counter(descriptors(respawned).values())["socket"] == 2  # its own listener, and the handoff channel
    held, = (w.pid for w in daemon.workers("starting") if w.slot == 3)
    os.kill(held, signal.SIGKILL)
    assert daemon.wait_verdict(since).word == "reverted"


# -- time -----------------------------------------------------------------------------------------------------------

def test_hang_timeout_after_a_standstill(start, port, elsewhere):
    """The master of one daemon, and master and workers of another as when a container is frozen, stand still for longer than
    hang_timeout. That tells nothing of the workers: none may be replaced."""
    one = start(config(port, workers=4, hang_timeout=2))
    all_of_it = start(config(free_port(), workers=4, hang_timeout=2), within=elsewhere)
    stopped = [one.pid, all_of_it.pid, *all_of_it.pids()]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    with Client(port) as client:
        assert client.silent(4), "a pause in which nothing can happen"
    for pid in reversed(stopped):
        os.kill(pid, signal.SIGCONT)
    for daemon in (one, all_of_it):
        before = daemon.status()
        assert before[0].startswith("generation 1, 4 of 4 workers ready"), before
        assert daemon.reload().word == "applied"
        assert not daemon.log.find("hangs")


def test_hang_is_found_after_a_standstill(start, port):
    """… but one that does hang is found a little later."""
    daemon = start(config(port, hang_timeout=0.3, restart=QUICK))
    hung = daemon.worker(0).pid
    for pid in (daemon.pid, hung):
        os.kill(pid, signal.SIGSTOP)
    with Client(port) as client:
        client.silent(1.5)
    os.kill(daemon.pid, signal.SIGCONT)
    daemon.wait_line(rf"worker 0 gen 1 pid {hung}: ready -> killing \(hangs")
    daemon.wait_settled(2)


# -- the check ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("output, shown", [(r"no database", r"no database"), (r"\001\n", r"\x01")])
def test_check_that_is_not_silent(start, port, hostile, output, shown):
    """A problem without its newline, or one with control characters, is a problem; whatever the exit status is."""
    daemon = start(config(port), worker=hostile.program)
    hostile.install(f"#!/bin/sh\nprintf '{output}'\n")
    verdict = daemon.reload()
    assert verdict.word == "rejected", verdict
    assert any(line.endswith(f"rejected: {shown}") for line in verdict.lines), verdict.lines


def test_check_that_talks_without_pause_holds_up_nobody(start, port, hostile):
    daemon = start(config(port), worker=hostile.program)
    talks, gate = os.path.join(hostile.out, "talks"), os.path.join(hostile.directory, "end")
    os.mkfifo(gate)
    os.chmod(gate, 0o644)
    hostile.install(f"#!/bin/bash\n/usr/bin/yes | /usr/bin/head -c 1000000\n/usr/bin/yes &\n: >{talks}\nread -r <{gate}\nkill $!\nexit 1\n")
    daemon.hup()
    wait_until(lambda: os.path.exists(talks), "the check talks")
    for _ in range(100):
        assert get(daemon)["generation"] == 1
    assert not daemon.log.find(r"reload 1: rejected")
    with open(gate, "w", encoding="ascii") as end:
        end.write("\n")
    verdict = daemon.wait_verdict()
    assert verdict.word == "rejected" and any(line.endswith("rejected: y") for line in verdict.lines), verdict.lines[:5]


# -- the restart of one slot ----------------------------------------------------------------------------------------

def test_restart_is_answered_when_the_old_worker_has_gone(start, port, control):
    daemon = start(config(port, workers=1, drain_timeout=600, roll=KEEP, control={"path": control}, log={"level": "debug"}))
    old = daemon.worker(0).pid
    with Client(port) as client:
        client.send(b"hel")
        wait_until(lambda: client.server_pid([old]), "the worker has the connection")
        with send(control, "POST", "/v1/workers/0/restart") as waiter:
            daemon.wait_line(DRAINS.format(pid=old))
            assert waiter.silent(0.2) and is_alive(old)
            client.send(b"lo\r\n")
            assert client.receive() == b"hello world"
            client.close()
            assert waiter.receive(15) == b"HTTP/1.1 200 OK"
    assert daemon.wait_verdict().finished == 1


def test_restart_is_answered_when_the_new_worker_is_ready(start, port, control):
    """With "wait": "ready", however long the old one drains."""
    daemon = start(config(port, workers=1, drain_timeout=600, roll=KEEP, control={"path": control}))
    old = daemon.worker(0).pid
    with Client(port) as client:
        client.send(b"hel")
        wait_until(lambda: client.server_pid([old]), "the worker has the connection")
        status, answer = ask(control, "POST", "/v1/workers/0/restart", {"wait": "ready"})
        assert (status, answer["verdict"]) == (200, "applied") and is_alive(old)
        client.send(b"lo\r\n")
        assert client.receive() == b"hello world"


@pytest.mark.parametrize("plan, status", [("real", 200), ("exit_1", 409)])
def test_restart_leaves_the_other_slots_alone(start, port, control, hostile, plan, status):
    """Slots that have kept the generation of a roll that failed keep it."""
    settings = {"workers": 3, "control": {"path": control}, "roll": {"on_failure": "keep"}}
    daemon = start(config(port, **settings), worker=hostile.program)
    hostile.plan("exit_1", slot=2)
    assert daemon.reload(config(port, drain_timeout=11, **settings)).word == "reverted"
    assert [w.generation for w in daemon.workers()] == [2, 2, 1]
    kept = daemon.pids()[:2]
    hostile.plan(plan)
    assert ask(control, "POST", "/v1/workers/2/restart")[0] == status
    daemon.wait_line(r"reload 2: (applied|reverted): ")  # the answer may be faster than the log
    assert [w.generation for w in daemon.workers()] == [2, 2, 1]
    assert daemon.pids()[:2] == kept
    hostile.plan("real")
    assert daemon.reload().word == "applied"
    assert {w.generation for w in daemon.workers()} == {daemon.worker(0).generation}


# -- the control socket ---------------------------------------------------------------------------------------------

def test_control_socket_follows_its_mode(start, port, control):
    daemon = start(config(port, control={"path": control, "mode": "0600"}))
    assert stat.S_IMODE(os.stat(control).st_mode) == 0o600
    assert daemon.reload(config(port, control={"path": control, "mode": "0660"})).word == "applied"
    assert stat.S_IMODE(os.stat(control).st_mode) == 0o660


def test_control_socket_that_was_removed_comes_back(start, port, control):
    daemon = start(config(port, control={"path": control}))
    os.unlink(control)
    assert daemon.reload().word == "applied"
    assert ask(control, "GET", "/v1/status")[0] == 200


def test_json_of_what_is_no_utf8(start, port, control, directory):
    folder = os.path.join(os.fsencode(directory), b"\xe4")
    os.mkdir(folder)
    os.chmod(folder, 0o755)
    text = config(None, control={"path": control}).encode() + b'listen = ({ path = "' + folder + b'/s"; });\n'
    daemon = start(config(port, control={"path": control}))
    with open(daemon.path, "wb") as file:
        file.write(text)
    _, outcome = ask(control, "POST", "/v1/reload")
    assert outcome["verdict"] == "applied"
    assert [change for change in outcome["changes"] if "/\\xe4/s" in change]
    _, status = ask(control, "GET", "/v1/status")
    assert [listener["address"] for listener in status["listeners"]] == [directory + "/\\xe4/s"]
    with open(daemon.path, "wb") as file:
        file.write(text + b'listen = "\xe4";\n')
    _, outcome = ask(control, "POST", "/v1/reload")
    assert outcome["verdict"] == "rejected" and outcome["problems"], outcome


def test_reader_of_events_that_does_not_read(start, port, control):
    """It is cut off when too much waits for it; the others go on, and so does the daemon."""
    daemon = start(config(port, workers=16, control={"path": control}))
    with send(control, "GET", "/v1/events") as deaf, send(control, "GET", "/v1/events") as reader:
        deaf.receive(15)
        reader.receive(15)
        before = len(sockets_of(daemon.pid))

        def is_cut():
            daemon.status()
            drain(reader)
            return len(sockets_of(daemon.pid)) < before
        wait_until(is_cut, "the deaf one is cut off")
        drain(reader)
        daemon.status()
        assert reader.receive(1), "the other one still hears"
    assert daemon.reload().word == "applied"


def drain(client):
    """What is there."""
    data = b""
    client.sock.setblocking(False)
    try:
        while more := client.sock.recv(1 << 20):
            data += more
    except BlockingIOError:
        pass
    client.sock.setblocking(True)
    return data


def sockets_of(pid):
    return [name for name in descriptors(pid).values() if name == "socket"]
