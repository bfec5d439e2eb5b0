"""What must not grow, and what must not be inherited."""

import os
import pwd
import signal
import socket
import statistics
from collections import Counter

import pytest

from harness import Client, anonymous_kb, config, descriptors, free_port, is_sanitized, scaled, wait_until
from timeslice import timeslice_ns, timeslices_can_be_set


def reload_times(daemon, times, texts=(None,)):
    for n in range(times):
        verdict = daemon.reload(texts[n % len(texts)])
        assert verdict.word == "applied", verdict


SETTLING = 64  # kB: what a daemon takes once, by touching pages that it did not need before
PER_ROUND = 16  # kB: nothing, but for a page or two by which the heap may happen to grow
LOOKS = 5  # at the memory in each round: where the heap has holes changes from reload to reload, by some pages, up and down


# The allocator keeps what was freed at the top of the heap only as far as it must: what remains is in use.
NO_RESERVE = {"MALLOC_TRIM_THRESHOLD_": "0", "MALLOC_TOP_PAD_": "0"}


def configurations(daemon):
    """How many the master holds."""
    return sum(name.startswith("/memfd:gracefuld-config") for name in descriptors(daemon.pid).values())


def check_for_traces(daemon, figure, act, times):
    """Does it ten times, then many times twice over: descriptors as after ten, memory that does not go on growing (the median of some looks)."""
    act(10)
    # a verdict is told a moment before the configuration that it was about is let go
    wait_until(lambda: configurations(daemon) == 1, "one configuration")
    fds = Counter(descriptors(daemon.pid).values())
    memory = [anonymous_kb(daemon.pid)]
    for _ in range(2):
        looks = []
        for _ in range(LOOKS):
            act(-(-times // LOOKS))
            wait_until(lambda: Counter(descriptors(daemon.pid).values()) == fds, f"the same descriptors: {fds}")
            looks.append(anonymous_kb(daemon.pid))
        memory.append(statistics.median(looks))
    figure(f"{10 + 2 * times} times: {sum(fds.values())} descriptors as after 10, memory {' -> '.join(map(str, memory))} kB")
    if not is_sanitized():
        assert memory[1] - memory[0] <= SETTLING
        assert memory[2] - memory[1] <= PER_ROUND


@pytest.mark.slow
def test_thousand_reloads_leave_no_trace(start, port, figure):
    daemon = start(config(port), env=NO_RESERVE)
    check_for_traces(daemon, figure, lambda times: reload_times(daemon, times), scaled(495))


@pytest.mark.slow
def test_changes_leave_no_trace(start, port, directory, figure):
    """Addresses, workers and paths come and go, reloads are rejected: after each round all is as before."""
    listen = [{"port": port}, {"port": free_port()}, {"path": os.path.join(directory, "s.sock")}]
    texts = [config(workers=4, listen=listen), config(workers=1, listen=[{"address": "127.0.0.1", "port": port}]), config(port)]
    daemon = start(config(port), env=NO_RESERVE)

    def rounds(n):
        for _ in range(n):
            reload_times(daemon, 3, texts)
            assert daemon.reload("workers = 0;").word == "rejected"
            daemon.write(texts[2])
    check_for_traces(daemon, figure, rounds, scaled(50))


@pytest.mark.slow
def test_reverted_reloads_leave_no_trace(start, port, hostile, figure):
    daemon = start(config(port), worker=hostile.program, env=NO_RESERVE)
    hostile.plan("exit_1", slot=1)

    def reverted(n):
        for _ in range(n):
            assert daemon.reload().word == "reverted"
    check_for_traces(daemon, figure, reverted, scaled(30))


def born_with(hostile, slot):
    """What a worker of that slot found at its birth: descriptors, variables."""
    fds, variables = {}, {}
    with open(os.path.join(hostile.out, f"slot-{slot}"), encoding="utf-8") as file:
        for line in file:
            kind, rest = line.rstrip("\n").split(" ", 1)
            if kind == "fd":
                number, what = rest.split(" ", 1)
                fds[int(number)] = what
            else:
                name, value = rest.split("=", 1)
                variables[name] = value
    return fds, variables


def check_contract(hostile, slot, listeners):
    fds, env = born_with(hostile, slot)
    assert int(env["LISTEN_FDS"]) == listeners
    assert len(env["LISTEN_FDNAMES"].split(":")) == listeners
    assert env["GRACEFULD_SLOT"] == str(slot)
    rest = {int(env[f"GRACEFULD_{name}_FD"]): what for name, what in (
        ("CONTROL", "pipe:"), ("STATUS", "pipe:"), ("CONFIG", "/memfd:"), ("STATS", "/memfd:"),
        ("HANDOFF", "socket:"))}
    expected = {0: "/dev/null", **{3 + n: "socket:" for n in range(listeners)}, **rest}
    for number, what in expected.items():
        assert fds[number].startswith(what), (number, fds)
    assert set(fds) == {1, 2} | set(expected), fds
    return fds, env


def test_worker_is_born_with_the_contract_and_nothing_else(start, port, hostile, directory):
    """Whatever the master itself has open, or was given when it started."""
    hostile.plan("report")
    with socket.socket() as surplus:
        os.set_inheritable(surplus.fileno(), True)
        listen = [{"port": port}, {"path": os.path.join(directory, "s.sock")}]
        daemon = start(config(workers=2, listen=listen), worker=hostile.program)
        for slot in (0, 1):
            fds, env = check_contract(hostile, slot, 2)
            assert env["GRACEFULD_GENERATION"] == "1"
            assert int(env["LISTEN_PID"]) in daemon.pids()
            assert "NOTIFY_SOCKET" not in env
        assert daemon.reload().word == "applied"
        check_contract(hostile, 1, 2)


def test_parked_sockets_are_inherited_too(start, port, hostile):
    """Two workers where there were four: each has two queues to serve, and all are served."""
    daemon = start(config(port, workers=4), worker=hostile.program)
    hostile.plan("report")
    assert daemon.reload(config(port, workers=2)).word == "applied"
    sockets = []
    for slot in (0, 1):
        fds, env = born_with(hostile, slot)
        sockets += [fds[3 + n] for n in range(int(env["LISTEN_FDS"]))]
    assert all(what.startswith("socket:") for what in sockets), sockets
    assert len(sockets) == len(set(sockets)) == 4
    for _ in range(50):
        with Client(port) as client:
            client.ask()


def test_running_worker_has_no_descriptor_of_the_masters(start, port):
    """Of a worker at work: its listeners, pipes, counters, connections and its event loop, and that is all."""
    daemon = start(config(port, workers=1))
    daemon.reload()
    pid = daemon.worker(0).pid

    def settled():
        """The way by which connections came to it is closed; left are its listener, the handoff channel and what is kept for that."""
        found = Counter(descriptors(pid).values())
        return found if found["socket"] == 2 and found["anon_inode:[eventfd]"] == 2 else None
    kinds = wait_until(settled, "the handoff is over")
    with Client(port).ask(), Client(port).ask():
        assert Counter(descriptors(pid).values()) - kinds == Counter({"socket": 2})
    assert set(kinds) <= {"/dev/null", "pipe", "socket", "anon_inode:[eventpoll]", "anon_inode:[eventfd]",
                          "anon_inode:[timerfd]", "anon_inode:[signalfd]", "/memfd:gracefuld-config (deleted)",
                          "/memfd:gracefuld-stats (deleted)"}, kinds


def test_master_does_not_hold_the_connections(start, port):
    daemon = start(config(port, workers=1))
    before = Counter(descriptors(daemon.pid).values())
    with Client(port).ask():
        assert Counter(descriptors(daemon.pid).values()) == before


def test_signals_are_as_usual_at_birth(start, port, hostile):
    """The master blocks and handles signals; a program that it starts must find nothing of that."""
    hostile.plan("report")
    start(config(port, workers=1), worker=hostile.program)
    with open(os.path.join(hostile.out, "signals-0"), encoding="ascii") as file:
        blocked, ignored = (int(word, 16) for word in file.read().split())
    # Python's own, and the two that glibc keeps for itself: nobody can change those, and they may be inherited from afar.
    excused = sum(1 << (number - 1) for number in (signal.SIGPIPE, signal.SIGXFSZ, 32, 33))
    assert (blocked, ignored & ~excused) == (0, 0)


@pytest.mark.parametrize("then", ["real", "polite"])
def test_who_starts_makes_room_for_who_serves(start, port, hostile, figure, then):
    """A worker has a long slice until it is ready, and then what the master has, which is whatever the system gives. Ours takes it, also
    where the master may not give it, since it is another account's ("nobody" where root runs this); another maker's knows nothing of it."""
    account = {"user": pwd.getpwuid(os.geteuid()).pw_name} if then == "polite" else {}
    daemon = start(config(port, workers=1, roll={"ready_timeout": 600}, **account), worker=hostile.program)
    ordinary = timeslice_ns(daemon.pid)
    hostile.plan("gate")
    since = daemon.mark()
    daemon.hup()
    hostile.wait_held()
    starting = timeslice_ns(daemon.workers("starting")[0].pid)
    hostile.plan("real")
    hostile.open_gate()
    assert daemon.wait_verdict(since).word == "applied"
    figure(f"{ordinary / 1e6:.1f} ms; at the start {starting / 1e6:.1f} ms")
    if not timeslices_can_be_set():
        pytest.skip("no slices of ordinary processes can be set here")
    assert starting > ordinary
    hostile.plan(then)
    assert daemon.reload().word == "applied"
    assert [timeslice_ns(pid) for pid in daemon.pids()] == [ordinary]
