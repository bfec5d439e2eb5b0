"""What a worker may say wrong, or not say at all: it is logged so that a terminal survives it, that worker is
replaced, and nothing else happens."""

import contextlib
import os
import re
import subprocess

import pytest

from control import ctl, get
from harness import DEADLINE, Client, Load, assert_no_failure, config, load_text

QUICK = {"delay": 0.01, "max_delay": 0.05}


@pytest.mark.parametrize("plan", ["garbage", "no_message", "flood", "close_status", "ready_twice", "drained_early", "wrong_way"])
def test_bad_worker_is_replaced_and_nothing_else_happens(start, port, hostile, figure, plan):
    """A worker of the running generation, in the place of one that was killed."""
    daemon = start(config(port, restart=QUICK), worker=hostile.program)
    other = daemon.worker(1)
    hostile.plan(plan, slot=0)
    since = daemon.mark()
    daemon.kill_worker(0)
    bad = daemon.wait_line(r"worker 0 gen 1 pid (\d+): new -> starting", since=since)[1]
    daemon.wait_line(rf"pid {bad}: \w+ -> (stopping|killing)", since=since)
    hostile.plan("real")
    daemon.wait_line(r"worker 0 gen 1 pid \d+: starting -> ready", since=daemon.line_after(rf"pid {bad}: \w+ -> exited"))
    assert daemon.worker(1) == other
    with Load(port, "--requests", "500") as load:
        seen = load.result(stop=False)
    figure(load_text(seen))
    assert_no_failure(seen)
    assert all(is_clean(line) for line in daemon.log.lines), "control characters in the log"


def is_clean(line):
    """Nothing that could play with a terminal; "\\xNN" is how this harness shows what is no UTF-8."""
    return not re.search(r"[\x00-\x1f\x7f]", line)


@pytest.mark.parametrize("plan,shown", [("garbage", r"\\x01\\x02\\xff\\x1b\[2J not a message"), ("no_message", r"What is this\?"),
                                        ("flood", r"xxxxxxxx"), ("ready_twice", r"ready"), ("bad_drained", r"finished=minus")])
def test_what_was_wrong_is_in_the_log(start, port, hostile, plan, shown):
    daemon = start(config(port, workers=1, restart=QUICK, drain_timeout=1), worker=hostile.program)
    since = daemon.mark()
    if plan == "bad_drained":
        hostile.plan(plan)
        daemon.reload()
        hostile.plan("real")
        daemon.reload()
    else:
        hostile.plan(plan)
        daemon.reload()
    assert daemon.log.find(shown, since)
    long = [line for line in daemon.log.lines if len(line) > 3000]
    assert not long


def test_worker_that_talks_without_pause_holds_up_nobody(start, port, hostile, figure):
    """The control socket answers, and another reload replaces them: so many that the pipe of one or other is always full."""
    daemon = start(config(port, workers=8, drain_timeout=1, roll={"parallel": 8}), worker=hostile.program)
    hostile.plan("chatter")
    assert daemon.reload().word == "applied"
    for _ in range(20):
        assert get(daemon)["generation"] == 2
    hostile.plan("real")
    status, text = ctl(daemon, "reload")
    figure(text.strip().splitlines()[-1])
    assert status == 0, text


@contextlib.contextmanager
def crowded(pid, others=7):
    """That process shares one processor with others, which never rest."""
    cpu = {min(os.sched_getaffinity(0))}
    os.sched_setaffinity(pid, cpu)
    with contextlib.ExitStack() as ended:
        for _ in range(others):
            other = ended.enter_context(subprocess.Popen(["sh", "-c", f"ulimit -t {2 * DEADLINE}; while :; do :; done"]))
            ended.callback(other.kill)
            os.sched_setaffinity(other.pid, cpu)
        yield


def test_a_master_that_seldom_has_a_processor_hears_its_clients(start, port, hostile):
    """It reads what workers say for less than half of the time then, though it does nothing else."""
    daemon = start(config(port, workers=8, drain_timeout=1, roll={"parallel": 8}), worker=hostile.program)
    hostile.plan("chatter")
    assert daemon.reload().word == "applied"
    with crowded(daemon.process.pid):
        for _ in range(5):
            assert get(daemon)["generation"] == 2


def test_unknown_message_is_logged_once_and_ignored(start, port, hostile):
    """Older and newer programs meet; and a line may come in pieces."""
    hostile.plan("polite")
    daemon = start(config(port, workers=1, log={"level": "debug"}), worker=hostile.program)
    daemon.wait_line(r"all is äöü well")
    assert len(daemon.log.find(r"frobnicate")) == 1
    assert len(daemon.workers("ready")) == 1
    hostile.plan("real")
    assert daemon.reload().word == "applied"


def test_worker_in_another_language(start, port, hostile):
    """It keeps to the contract, so it is rolled as any other."""
    hostile.plan("polite")
    daemon = start(config(port, workers=2, drain_timeout=600), worker=hostile.program)
    for _ in range(3):
        assert daemon.reload().word == "applied"
    hostile.plan("real")
    assert daemon.reload().word == "applied"
    with Client(port) as client:
        client.ask()


def test_deaf_worker_is_killed(start, port, hostile, figure):
    """It neither drains nor stops when it is told to: the roll goes on when time is up."""
    hostile.plan("ready_then_deaf")
    daemon = start(config(port, workers=1, drain_timeout=0.3), worker=hostile.program)
    deaf = daemon.worker(0)
    hostile.plan("real")
    verdict = daemon.reload()
    figure(repr(verdict))
    assert verdict.word == "applied"
    assert daemon.log.find(rf"pid {deaf.pid}: \w+ -> exited \(signal 9\b")


def test_deaf_worker_does_not_outlive_a_stop(start, port, hostile):
    hostile.plan("ready_then_deaf")
    daemon = start(config(port, drain_timeout=0.3), worker=hostile.program)
    assert daemon.stop() == 0
