"""A reload whose new workers are no good: it is taken back, and clients never know."""

import os

import pytest

from harness import Client, Load, assert_no_failure, config, load_text

# plan of the new generation: what the log says about it
BAD = {
    "crash": r"reverted: .*signal 11",
    "exit_0": r"reverted: .*status 0",
    "exit_1": r"reverted: .*status 1",
    "fail": r'reverted: .*the database is "gone"',
    "garbage": r"reverted: ",
    "no_message": r"reverted: ",
    "flood": r"reverted: ",
    "close_status": r"reverted: ",
    "hang": r"reverted: ",
    "hang_deaf": r"reverted: ",
}

# Hangs are waited for, so it is quick; all others have the time that they may need.
ROLL = {"ready_timeout": 1}
ROLL_OF_SOME = {"ready_timeout": 5}  # in which others have to be ready


def roll_of(plan, roll):
    return roll if plan.startswith("hang") else None


def check_reverted(daemon, port, verdict, old):
    """All is as it was: the same workers, and they serve."""
    assert verdict.word == "reverted", verdict
    assert "generation 1 serves" in verdict.text
    assert {w.generation for w in daemon.workers("ready")} == {1}
    assert daemon.pids() == old
    with Client(port) as client:
        client.ask()


@pytest.mark.parametrize("plan", BAD)
def test_reverted_under_load(start, port, hostile, figure, plan):
    daemon = start(config(port), worker=hostile.program)
    old = daemon.pids()
    hostile.plan(plan)
    with Load(port) as load:
        verdict = daemon.reload(config(port, roll=roll_of(plan, ROLL)))
        seen = load.result()
    figure(load_text(seen))
    assert_no_failure(seen)
    check_reverted(daemon, port, verdict, old)
    assert any(daemon.log.find(BAD[plan])), verdict


@pytest.mark.parametrize("plan", ["crash", "hang", "fail"])
def test_failure_in_the_middle_of_a_roll_takes_all_back(start, port, hostile, figure, plan):
    """Slots 0 and 1 run the new generation when slot 2 fails: they go back."""
    daemon = start(config(port, workers=4), worker=hostile.program)
    hostile.plan(plan, slot=2)
    with Load(port) as load:
        verdict = daemon.reload(config(port, workers=4, roll=roll_of(plan, ROLL_OF_SOME)))
        seen = load.result()
    figure(load_text(seen))
    assert_no_failure(seen)
    assert verdict.word == "reverted", verdict
    ready = daemon.workers("ready")
    assert [(w.slot, w.generation) for w in ready] == [(slot, 1) for slot in range(4)]
    assert daemon.workers() == ready


def test_addresses_and_options_go_back_too(start, port, hostile, directory):
    daemon = start(config(port), worker=hostile.program)
    path = os.path.join(directory, "new.sock")
    hostile.plan("crash")
    verdict = daemon.reload(config(workers=4, listen=[{"port": port}, {"path": path}]))
    assert verdict.word == "reverted"
    assert not os.path.exists(path)
    assert len(daemon.workers()) == 2
    hostile.plan("real")
    verdict = daemon.reload()
    assert verdict.word == "applied"
    assert any("workers: 2 -> 4" in line for line in verdict.lines), "it counts as changed still"
    with Client(path) as client:
        client.ask()


def test_crash_right_after_ready(start, port, hostile, figure):
    """It said that it is ready, so the roll may go on for a moment; but it ends where it began, or the slot recovers."""
    daemon = start(config(port, restart={"delay": 0.01}), worker=hostile.program)
    hostile.plan("first_crashes_once_ready")
    verdict = daemon.reload()
    hostile.plan("real")
    figure(repr(verdict))
    assert verdict.word == "reverted", verdict
    with Client(port) as client:
        client.ask()


def test_settle_finds_a_crash_after_ready(start, port, hostile):
    daemon = start(config(port), worker=hostile.program)
    old = daemon.pids()
    hostile.plan("ready_then_crash")
    check_reverted(daemon, port, daemon.reload(config(port, roll={"settle": 30})), old)


@pytest.mark.parametrize("spoil", ["missing", "not executable", "no program"])
def test_program_that_cannot_be_run(start, port, hostile, figure, spoil):
    daemon = start(config(port), worker=hostile.program)
    old = daemon.pids()
    if spoil == "missing":
        os.rename(hostile.program, hostile.program + ".away")
    elif spoil == "not executable":
        os.chmod(hostile.program, 0o644)
    else:
        hostile.install("\x7fELF, but not really\n")
    with Load(port) as load:
        verdict = daemon.reload()
        seen = load.result()
    figure(f"{verdict}; {load_text(seen)}")
    assert_no_failure(seen)
    assert verdict.word in ("rejected", "reverted")
    assert any(hostile.program in line for line in verdict.lines), verdict.lines
    assert daemon.pids() == old


def test_next_reload_after_a_reverted_one_is_as_good_as_ever(start, port, hostile):
    daemon = start(config(port), worker=hostile.program)
    for _ in range(3):
        hostile.plan("crash")
        assert daemon.reload().word == "reverted"
        hostile.plan("real")
        assert daemon.reload().word == "applied"
    assert len(daemon.workers()) == 2


def test_keep_leaves_what_is_rolled(start, port, hostile):
    """on_failure = "keep": the slots that have the new generation keep it."""
    daemon = start(config(port, roll={"on_failure": "keep"}), worker=hostile.program)
    hostile.plan("crash", slot=1)
    verdict = daemon.reload()
    assert verdict.word == "reverted", verdict
    hostile.plan("real")
    assert [w.slot for w in daemon.workers("ready")] == [0, 1]
    with Client(port) as client:
        client.ask()


@pytest.mark.parametrize("plan", ["crash", "exit_0", "hang", "fail"])
def test_no_worker_can_start_at_all(launch, port, hostile, plan):
    """The first generation already is no good: the daemon says so and ends, it does not try for ever."""
    hostile.plan(plan)
    daemon = launch(config(port, roll=roll_of(plan, ROLL), restart={"delay": 0.01, "max_delay": 0.05}), worker=hostile.program)
    assert daemon.wait_exit() not in (0, -6, -11)
    assert daemon.log.find(r" error: ")
