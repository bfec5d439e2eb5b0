"""Workers that die, hang or lose their master: the slot is filled again soon, and nobody else notices."""

import contextlib
import ctypes
import os
import re
import signal
import socket
import time

import pytest

from control import get
from harness import (DRAINS, Client, Load, assert_no_failure, children_of, config, free_port, is_alive, load_text, scaled, wait_gone,
                     wait_until)

QUICK = {"delay": 0.01, "max_delay": 0.1}


def wait_replaced(daemon, worker, since):
    """Waits until another worker serves the slot."""
    daemon.wait_line(rf"worker {worker.slot} gen \d+ pid (?!{worker.pid}\b)\d+: starting -> ready", since=since)


def test_killed_worker_is_replaced(start, port, figure):
    daemon = start(config(port, restart={"stable": 0}))
    took = []
    for _ in range(scaled(10, 3)):
        worker, since, begun = daemon.worker(0), daemon.mark(), time.monotonic()
        os.kill(worker.pid, signal.SIGKILL)
        wait_replaced(daemon, worker, since)
        took.append((time.monotonic() - begun) * 1000)
        assert daemon.log.find(rf"pid {worker.pid}: \w+ -> exited \(signal 9\b", since)
    figure(f"replaced after {min(took):.0f} to {max(took):.0f} ms")


PTRACE_SEIZE = 0x4206


@contextlib.contextmanager
def dead_in_a_debugger(pid):
    """It has been killed, and only its tracer, which we are, may reap it."""
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.ptrace(PTRACE_SEIZE, pid, None, None) == 0, os.strerror(ctypes.get_errno())
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    yield
    os.waitpid(pid, 0)


def test_worker_that_dies_in_a_debugger(start, port):
    """Its pidfd says that it has ended, but until the debugger lets go nobody can reap it: the master goes on meanwhile."""
    daemon = start(config(port, restart=QUICK))
    worker, since = daemon.worker(0), daemon.mark()
    with dead_in_a_debugger(worker.pid):
        assert len(get(daemon)["workers"]) == 2
        assert not daemon.log.find(rf"pid {worker.pid}: \w+ -> exited", since)
    wait_replaced(daemon, worker, since)


def test_worker_stopped_from_outside_is_replaced_and_the_log_says_why(start, port, figure):
    daemon = start(config(port, restart=QUICK))
    worker, since = daemon.worker(0), daemon.mark()
    os.kill(worker.pid, signal.SIGTERM)
    wait_replaced(daemon, worker, since)
    daemon.wait_line(rf"pid {worker.pid}: \w+ -> exited \(status 0\)", since=since)
    told = [line.partition(": ")[2] for line in daemon.log.lines[since:]]
    figure(told)
    assert f"worker 0 gen 1 pid {worker.pid}: ready -> stopping (failed: stopped by SIGTERM)" in told
    assert not any("protocol" in line for line in told)


def test_only_connections_of_the_killed_worker_are_lost(start, port, figure):
    """A killed worker takes with it what it held, and what waited in nobody else's queue goes on."""
    daemon = start(config(port, workers=2, restart=QUICK))
    victim, other = daemon.worker(0), daemon.worker(1)
    with Load(port, mode="hold", connections=200) as load:
        load.wait_all_open()
        held = int(re.search(r"(\d+) connections", next(
            line for line in daemon.status() if f"pid {victim.pid} " in line))[1])
        since = daemon.mark()
        os.kill(victim.pid, signal.SIGKILL)
        wait_replaced(daemon, victim, since)
        seen = load.result()
    figure(f"{held} of 200 were held by the killed worker, {seen['hold']['lost']} were lost")
    assert seen["hold"]["lost"] == held
    assert is_alive(other.pid)


def test_kill_under_load(start, port, figure):
    """Every connection that fails was being served by a worker that was killed: none is refused, none times out."""
    connections = 32
    daemon = start(config(port, workers=2, restart=QUICK))
    kills = scaled(10, 2)
    with Load(port, connections=connections) as load:
        for _ in range(kills):
            worker, since = daemon.worker(0), daemon.mark()
            os.kill(worker.pid, signal.SIGKILL)
            wait_replaced(daemon, worker, since)
        seen = load.result()
    figure(f"{kills} kills: {load_text(seen)}")
    allowed = {"reset_before_reply", "eof_before_reply", "reset_mid_reply", "eof_mid_reply"}
    assert all(n == 0 for kind, n in seen["failures"].items() if kind not in allowed), load_text(seen)
    assert seen["failed_total"] <= kills * connections


def test_crash_loop_backs_off_and_leaves_the_others_alone(start, port, hostile, figure):
    """The first loss is made good at once, then the pauses double, each shortened by up to half at random."""
    daemon = start(config(port, workers=2, restart={"delay": 0.02, "max_delay": 0.2}), worker=hostile.program)
    other = daemon.worker(1)
    hostile.plan("exit_1", slot=0)
    daemon.kill_worker(0)
    daemon.wait_line(r"slot 0: 8 crashes in a row")
    pauses = [float(m[1]) for m in daemon.log.find(r"slot 0: [2-8] crashes in a row, the next start is in ([0-9.]+) s")]
    figure("pauses: " + ", ".join(f"{pause * 1000:.0f}" for pause in pauses) + " ms")
    assert len(pauses) == 7
    assert pauses[0] < pauses[2] < pauses[4] <= max(pauses) <= 0.2
    assert daemon.worker(1) == other
    with Load(port, "--requests", "500") as load:
        assert_no_failure(load.result(stop=False))
    since = daemon.mark()
    hostile.plan("real")
    daemon.wait_line(r"worker 0 gen 1 pid \d+: starting -> ready", since=since)


def test_reload_ends_a_crash_loop(start, port, hostile):
    """The cure comes by a reload: it does not have to wait for the end of a long pause."""
    daemon = start(config(port, workers=2, restart={"delay": 600, "max_delay": 600}), worker=hostile.program)
    hostile.plan("exit_1", slot=0)
    daemon.kill_worker(0)
    daemon.wait_line(r"slot 0: 2 crashes in a row")
    hostile.plan("real")
    assert daemon.reload().word == "applied"
    assert [w.slot for w in daemon.workers("ready")] == [0, 1]


@pytest.mark.parametrize("next_plan", ["real", "exit_1"])
def test_who_waits_for_a_killed_worker_is_served_though_its_address_goes_away(start, port, hostile, next_plan):
    """The address is closed by the reload in which the worker died: its successor does not have it, and the others not this queue.
    So another worker is started, and if that comes to nothing, the reload is applied all the same."""
    daemon = start(config(listen=[{"address": "127.0.0.1", "port": port}], workers=1), worker=hostile.program)
    hostile.plan("gate")
    daemon.write(config(port=free_port(), workers=1))
    victim, since = daemon.worker(0), daemon.mark()
    daemon.hup()
    hostile.wait_held()
    os.kill(victim.pid, signal.SIGKILL)
    daemon.wait_line(rf"pid {victim.pid}: \w+ -> exited", since=since)
    clients = [Client(port).send() for _ in range(5)]
    hostile.plan(next_plan)
    hostile.open_gate()
    for client in clients if next_plan == "real" else []:
        assert client.receive() == b"hello world"
    assert daemon.wait_verdict(since).word == "applied"
    hostile.plan("real")
    daemon.wait_settled(1)
    for client in clients:
        client.close()
    with pytest.raises(ConnectionRefusedError):
        Client(port)
    assert daemon.reload().word == "applied"


def test_stopped_worker_is_found_by_its_heartbeat(start, port, figure):
    daemon = start(config(port, hang_timeout=1, restart=QUICK))
    worker, since, begun = daemon.worker(1), daemon.mark(), time.monotonic()
    os.kill(worker.pid, signal.SIGSTOP)
    wait_replaced(daemon, worker, since)
    figure(f"replaced {time.monotonic() - begun:.2f} s after SIGSTOP, hang_timeout 1 s")
    wait_gone(worker.pid)
    with Load(port, "--requests", "500") as load:
        assert_no_failure(load.result(stop=False))


def test_time_that_is_over_is_not_given_again(start, port, figure):
    """
    A timer may come some milliseconds before the time that it was set for, which is not the time of a master that
    stood still. The one worker that lives makes the master look at its clock again and again.
    """
    daemon = start(config(port, workers=16, hang_timeout=10, restart={"delay": 600, "max_delay": 600}))
    stopped, since, begun, found = daemon.workers()[1:], daemon.mark(), time.monotonic(), []
    for worker in stopped:
        os.kill(worker.pid, signal.SIGSTOP)
    for worker in stopped:
        daemon.wait_line(rf"pid {worker.pid}: .*hangs: no heartbeat", since=since)
        found.append(time.monotonic() - begun)
    figure(f"found after {min(found):.2f} to {max(found):.2f} s, hang_timeout 10 s")
    assert max(found) < 15, "one of them got its time twice"


def test_idle_worker_is_not_taken_for_a_hung_one(start, port):
    """No heartbeat is missed for lack of work."""
    daemon = start(config(port, hang_timeout=2))
    old = daemon.pids()
    with Client(port).ask() as client:
        assert client.silent(3.5), "a pause in which one without a heartbeat would be found"
    assert daemon.pids() == old


def test_stopped_worker_does_not_hold_up_a_reload(start, port, figure):
    daemon = start(config(port, drain_timeout=0.5))
    worker, begun = daemon.worker(0), time.monotonic()
    os.kill(worker.pid, signal.SIGSTOP)
    assert daemon.reload().word == "applied"
    figure(f"{time.monotonic() - begun:.1f} s, drain_timeout 0.5 s")
    assert not is_alive(worker.pid)


def test_killed_master_leaves_nobody_behind(start, port, figure):
    """Its workers see the pipe close, finish what they have and leave; the port is free for the next daemon."""
    daemon = start(config(port, drain_timeout=600))
    workers = daemon.pids()
    with Client(port).ask() as client:
        daemon.send(signal.SIGKILL)
        daemon.process.wait()
        client.ask()
        began = time.monotonic()
    for pid in workers:
        wait_gone(pid)
    daemon.log.wait_end()
    figure(f"workers gone {(time.monotonic() - began) * 1000:.0f} ms after the last connection")
    with socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::", port))


def test_new_daemon_after_a_killed_master(start, port):
    """While workers of the dead one still drain. (Until they have heard of its end they listen, and the port is not free.)"""
    old = start(config(port, drain_timeout=600, log={"level": "debug"}))
    workers = old.pids()
    with Client(port).ask() as client:
        old.send(signal.SIGKILL)
        old.process.wait()
        for pid in workers:
            old.wait_line(DRAINS.format(pid=pid))
        start(config(port))
        for _ in range(20):
            with Client(port) as newcomer:
                newcomer.ask()
        client.ask()
    for pid in workers:
        wait_gone(pid)


def test_children_are_only_the_workers(start, port):
    """No helper process stays: what checks and probes has gone when the daemon is ready."""
    daemon = start(config(port))
    daemon.reload()
    wait_until(lambda: children_of(daemon.pid) == sorted(daemon.pids()), "no other children")
