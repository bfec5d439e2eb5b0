"""Signals at any time: many at once, while starting, rolling, stopping."""

import contextlib
import os
import signal

import pytest

from control import ask, posted, socket_of
from harness import (VERDICT_LINE, Client, Load, Verdict, assert_no_failure, children_of, config, free_port, is_alive, load_text,
                     scaled, wait_until)


def verdicts(daemon, since=0):
    return [Verdict(match, []) for match in daemon.log.find(VERDICT_LINE, since)]


def started(daemon, since=0):
    return [int(match[1]) for match in daemon.log.find(r"reload (\d+): started", since)]


def test_many_hups_at_once(start, port, figure):
    """The last of them comes with a new configuration: whatever is made of the others, that one serves in the end."""
    daemon = start(config(port))
    hups = 1000
    with Load(port) as load:
        for _ in range(hups):
            daemon.hup()
        daemon.write(config(port, workers=3))
        daemon.hup()
        wait_until(lambda: len(daemon.workers()) == len(daemon.workers("ready")) == 3, "three workers")
        with posted(daemon, "/v1/reload") as answer:  # together with whatever signal waits, or after it
            assert answer()[1]["verdict"] == "applied"
        wait_until(lambda: len(started(daemon)) == len(verdicts(daemon)), "a verdict for each reload")
        seen = load.result()
    made = verdicts(daemon)
    figure(f"{hups} SIGHUPs: {len(made)} reloads; {load_text(seen)}")
    assert_no_failure(seen)
    assert all(verdict.word == "applied" for verdict in made)
    assert started(daemon) == [verdict.number for verdict in made]


def test_newest_wins_during_a_roll(start, port, hostile):
    """While the first reload is held up, three more are asked for: the last one's configuration is what serves."""
    daemon = start(config(port), worker=hostile.program)
    ports = [free_port() for _ in range(3)]
    hostile.plan("gate", slot=0)
    since = daemon.mark()
    daemon.hup()
    hostile.wait_held()
    for new in ports:
        daemon.write(config(new))
        daemon.hup()
    hostile.open_gate()
    daemon.wait_line(r"reload \d+: applied", since=since)
    hostile.wait_held()  # by the next one, which comes no further for now
    with Client(port):
        pass
    hostile.plan("real")
    hostile.open_gate()
    daemon.wait_line(r"reload [2-9]: applied", since=since)
    assert len(verdicts(daemon, since)) <= 4
    assert len(daemon.workers()) == 2
    with Client(ports[-1]) as client:
        client.ask()


def test_hup_while_a_worker_exits(start, port, figure):
    """Again and again, a worker is killed and a reload asked for in the same moment."""
    daemon = start(config(port, restart={"delay": 0.01, "max_delay": 0.05}))
    times = scaled(30, 5)
    for n in range(times):
        victim, since = daemon.worker(n % 2), daemon.mark()
        if n % 3 == 0:
            daemon.hup()
        with contextlib.suppress(ProcessLookupError):  # the reload was faster
            os.kill(victim.pid, signal.SIGKILL)
        if n % 3:
            daemon.hup()
        assert daemon.wait_verdict(since).word == "applied"
        daemon.wait_settled(2)
    with Client(port) as client:
        client.ask()
    figure(f"{times} times")


def test_new_worker_is_killed_during_the_roll(start, port, hostile):
    """A loss that is not the new program's fault looks the same: the reload is taken back."""
    daemon = start(config(port), worker=hostile.program)
    hostile.plan("gate", slot=1)
    since = daemon.mark()
    daemon.hup()
    waiting = daemon.wait_line(r"worker 1 gen 2 pid (\d+): new -> starting", since=since)
    os.kill(int(waiting[1]), signal.SIGKILL)
    assert daemon.wait_verdict(since).word == "reverted"
    daemon.wait_settled(2)
    assert {w.generation for w in daemon.workers()} == {1}


def test_old_worker_is_killed_during_the_roll(start, port, hostile):
    """Not of the new generation: the roll goes on."""
    daemon = start(config(port), worker=hostile.program)
    hostile.plan("gate", slot=0)
    since = daemon.mark()
    daemon.hup()
    hostile.wait_held()
    os.kill(daemon.worker(1).pid, signal.SIGKILL)
    daemon.wait_line(r"worker 1 gen 1 pid \d+: \w+ -> exited", since=since)
    hostile.plan("real")
    hostile.open_gate()
    assert daemon.wait_verdict(since).word == "applied"
    daemon.wait_settled(2)
    assert {w.generation for w in daemon.workers()} == {2}


def test_hup_at_any_time_of_the_start(launch, port, figure):
    """A signal never ends the daemon, not even before it can act on it."""
    daemon = launch(config(port))
    daemon.wait_line(r"started: configuration")
    for _ in range(50):
        daemon.hup()
    daemon.wait_ready()
    assert daemon.reload().word in ("applied", "unchanged")
    figure(f"{len(verdicts(daemon))} reloads")


def test_hup_during_the_start(launch, port, hostile):
    """Asked for while the first workers are starting: it is done afterwards."""
    hostile.plan("gate", slot=0)
    daemon = launch(config(port), worker=hostile.program)
    hostile.wait_held()
    daemon.write(config(port, workers=3))
    daemon.hup()
    hostile.plan("real")
    hostile.open_gate()
    assert daemon.wait_verdict().word == "applied"
    assert len(daemon.workers("ready")) == 3


def test_term_during_the_start(launch, port, hostile):
    """Workers that have been forked a moment ago get a SIGTERM themselves: it must not be taken for a second one to the master."""
    hostile.plan("hang")
    for _ in range(scaled(30, 5)):
        daemon = launch(config(port), worker=hostile.program)
        daemon.wait_line(r"worker 1 gen 1 pid \d+: new -> starting")
        daemon.send(signal.SIGTERM)
        assert daemon.wait_exit() == 0
        assert daemon.log.find(r"stopped$")
        assert not daemon.log.find(r"stopping at once|-> killing")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
def test_stop_while_the_first_configuration_is_checked(launch, port, hostile, number):
    """The check is cut off: nothing of it stays, neither a process nor, for a sanitizer to find, memory."""
    hostile.install('#!/bin/bash\nexec cat "${0%/*}/gate"\n')
    daemon = launch(config(port), worker=hostile.program)
    hostile.wait_held()
    checks = children_of(daemon.pid)
    daemon.send(number)
    assert daemon.wait_exit() == 0
    assert daemon.log.find(r"stopped$")
    assert len(checks) == 1 and not is_alive(checks[0])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
def test_stop_while_the_configuration_of_a_reload_is_checked(start, port, hostile, number):
    daemon = start(config(port), worker=hostile.program)
    workers = daemon.pids()
    hostile.install('#!/bin/bash\nexec cat "${0%/*}/gate"\n')
    daemon.hup()
    hostile.wait_held()
    check, = set(children_of(daemon.pid)) - set(workers)
    daemon.send(number)
    assert daemon.wait_exit() == 0
    assert daemon.log.find(r"reload 1: rejected: the daemon stops")
    assert not is_alive(check)


def test_term_in_the_middle_of_a_roll(start, port, hostile):
    daemon = start(config(port, workers=3, drain_timeout=600), worker=hostile.program)
    hostile.plan("gate", slot=0)
    since = daemon.mark()
    with Client(port).ask() as client:
        daemon.hup()
        hostile.wait_held()
        daemon.send(signal.SIGTERM)
        daemon.wait_line(r"stopping \(SIGTERM\)", since=since)
        client.ask()
    assert daemon.wait_exit() == 0


def test_hup_while_stopping_is_no_reload(start, port):
    daemon = start(config(port, drain_timeout=600))
    with Client(port).ask():
        daemon.send(signal.SIGTERM)
        daemon.wait_line(r"-> draining")
        since = daemon.mark()
        daemon.hup()
        daemon.send(signal.SIGUSR1)
        daemon.wait_line(r"status: worker", since=since)
    assert daemon.wait_exit() == 0
    assert not daemon.log.find(r"-> starting", since)


def test_term_and_hup_in_one_moment(start, port):
    for _ in range(scaled(5, 2)):
        daemon = start(config(port))
        daemon.send(signal.SIGHUP)
        daemon.send(signal.SIGTERM)
        daemon.send(signal.SIGHUP)
        assert daemon.wait_exit() == 0


def test_usr1_writes_the_status(start, port):
    daemon = start(config(port, workers=3))
    with Client(port).ask() as client:
        served = client.server_pid(daemon.pids())
        lines = daemon.status()
    workers = [line for line in lines if line.startswith("worker ")]
    assert len(workers) == 3
    for worker in daemon.workers():
        line = next(line for line in workers if line.startswith(f"worker {worker.slot} pid {worker.pid} gen 1 ready incumbent, "))
        assert (", 1 connections, 1 accepted, " in line) == (worker.pid == served), line


def test_usr1_during_a_roll(start, port, hostile):
    daemon = start(config(port), worker=hostile.program)
    hostile.plan("gate", slot=0)
    since = daemon.mark()
    daemon.hup()
    hostile.wait_held()
    lines = [line for line in daemon.status() if line.startswith("worker ")]
    assert len([line for line in lines if "incumbent" in line]) == 2
    assert len([line for line in lines if "successor" in line and "starting" in line]) == 1
    hostile.plan("real")
    hostile.open_gate()
    assert daemon.wait_verdict(since).word == "applied"


def test_ttin_and_ttou_change_the_number_of_workers(start, port, figure):
    """One more, one fewer, without a line of configuration; never fewer than one."""
    daemon = start(config(port, workers=1))
    with Load(port) as load:
        for number, workers in ((signal.SIGTTIN, 2), (signal.SIGTTIN, 3), (signal.SIGTTOU, 2), (signal.SIGTTOU, 1)):
            daemon.send(number)
            daemon.wait_settled(workers)
        daemon.send(signal.SIGTTOU)
        assert daemon.reload().word == "applied"
        daemon.wait_settled(1)
        seen = load.result()
    figure(load_text(seen))
    assert_no_failure(seen)


def test_ttin_that_has_to_wait_counts_each_time(start, port, hostile):
    """While a reload is under way, whatever number of them comes."""
    daemon = start(config(port, workers=1), worker=hostile.program)
    hostile.plan("gate")
    daemon.hup()
    hostile.wait_held()
    for number in (signal.SIGTTIN, signal.SIGTTIN, signal.SIGTTIN):
        daemon.send(number)
        assert ask(socket_of(daemon), "/healthz")[0] == 200  # signals go first, so it has been heard
    hostile.plan("real")
    hostile.open_gate()
    daemon.wait_settled(4)


def test_signals_to_workers_do_no_harm(start, port, figure):
    """Whoever signals the whole process group, as a terminal or "kill 0" does, must not end connections."""
    daemon = start(config(port))
    with Load(port) as load:
        for worker in daemon.workers():
            for number in (signal.SIGHUP, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2):
                os.kill(worker.pid, number)
        assert daemon.reload().word == "applied"
        seen = load.result()
    figure(load_text(seen))
    assert_no_failure(seen)
