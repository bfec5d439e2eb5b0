"""The roll on a terminal, as gracefulctl reload shows it."""

import threading

import pytest
from fake_daemon import outcome


class Roll:
    """A reload step by step: the test says what happens, and then what the verdict is."""

    def __init__(self, daemon, path="POST /v1/reload"):
        self.events_open, self.events_closed = threading.Event(), threading.Event()
        self.posted, self.answer_now = threading.Event(), threading.Event()
        self.answer = (200, outcome())
        self.hesitation = 0
        self.too_early = None  # was the reload asked for before the events were there?
        daemon.on["GET /v1/events"] = self.on_events
        daemon.on[path] = self.on_post

    def on_events(self, exchange):
        self.events = exchange
        self.too_early = self.posted.wait(self.hesitation)
        self.events_open.set()
        exchange.stream()
        exchange.wait_closed()
        self.events_closed.set()

    def on_post(self, exchange):
        self.posted.set()
        assert self.answer_now.wait(60)
        exchange.json(*self.answer)

    def begin(self, **more):
        assert self.posted.wait(60)
        assert self.events_open.is_set()
        self.events.event(event="reload-started", id=6, generation=7, **more)

    def end(self, verdict="applied", http=200, **more):
        self.events.event(event=f"reload-{verdict}", id=6, generation=7)
        self.answer = (http, outcome(verdict, **more))
        self.answer_now.set()


@pytest.fixture
def roll(daemon):
    roll = Roll(daemon)
    yield roll
    roll.answer_now.set()


def visible(shown):
    return [line.rstrip() for line in shown.screen() if line.strip()]


def test_slot_by_slot(daemon, roll, terminal):
    shown = terminal("reload", columns=60)
    roll.begin(workers=2)
    assert daemon.requests == ["GET /v1/events", "POST /v1/reload"]
    shown.wait_for("[0/2]")
    roll.events.state(0, 913, "new", "starting")
    shown.wait_for("[0/2] worker 0: 913 starting")
    roll.events.state(0, 913, "starting", "ready")
    roll.events.state(0, 900, "ready", "draining", generation=6)
    shown.wait_for("[0/2] worker 0: 913 ready, 900 draining")
    roll.events.state(0, 900, "draining", "stopping", generation=6)
    roll.events.state(0, 900, "stopping", "exited", generation=6)
    shown.wait_for("worker 0: 913 ready, 900 gone (")
    shown.wait_for("[1/2]")
    roll.events.state(1, 914, "new", "starting")
    roll.events.state(1, 914, "starting", "ready")
    roll.end(changes=["workers: 1 -> 2"])
    assert shown.finish() == 0
    lines = visible(shown)
    assert lines[0].startswith("worker 0: 913 ready, 900 gone (")
    assert lines[1].startswith("worker 1: 914 ready (")  # a new slot, that had nobody who leaves
    assert lines[2] == "workers: 1 -> 2"
    # the verdict is whole, however narrow the terminal: there it may wrap
    assert lines[3] == "reload 6: applied: generation 7 in 41ms; 3 finished, 120 handed over, 0 cut"
    assert len(lines) == 4


def test_nothing_is_asked_for_before_the_events_are_there(roll, terminal):
    """What happens in between would be missed."""
    roll.hesitation = 0.2
    shown = terminal("reload")
    roll.begin()
    roll.end()
    assert shown.finish() == 0
    assert roll.too_early is False


def test_two_slots_at_a_time(roll, terminal):
    shown = terminal("reload", columns=100)
    roll.begin(workers=4)
    for slot in (0, 1):
        roll.events.state(slot, 910 + slot, "new", "starting")
    shown.wait_for("[0/4] worker 0: 910 starting; worker 1: 911 starting")
    roll.end()
    assert shown.finish() == 0


def test_line_that_changes_never_wraps(roll, terminal):
    """Else what is wiped out would be its last part only."""
    shown = terminal("reload", columns=30)
    roll.begin(workers=100)
    for slot in range(50):
        roll.events.state(slot, 1000 + slot, "new", "starting")
    roll.events.event(event="worker-failed", text="worker 3 gen 7 pid 1003 " + 50 * "crashed ")
    shown.wait_for("worker 3 gen 7")
    shown.wait_for("[0/100] worker 0: 1000")
    assert shown.longest() <= 30
    roll.end()
    assert shown.finish() == 0


def test_many_workers_leave_no_lines(roll, terminal):
    shown = terminal("reload", rows=24)
    roll.begin(workers=100)
    for slot in range(100):
        roll.events.state(slot, 1000 + slot, "new", "starting")
        roll.events.state(slot, 1000 + slot, "starting", "ready")
        roll.events.state(slot, 500 + slot, "ready", "draining")
        roll.events.state(slot, 500 + slot, "draining", "exited")
    shown.wait_for("[100/100]")
    roll.end()
    assert shown.finish() == 0
    assert visible(shown) == ["reload 6: applied: generation 7 in 41ms; 3 finished, 120 handed over, 0 cut"]


def test_way_back(roll, terminal):
    shown = terminal("reload", columns=100)
    roll.begin(workers=2)
    roll.events.state(0, 913, "new", "starting")
    roll.events.event(event="worker-failed", text="worker 0 gen 7 pid 913 \x1b[2Jcrashed")
    roll.events.event(event="reload-reverting", text="going back to generation 6")
    roll.events.state(0, 913, "starting", "exited")
    roll.end("reverted", 409, error="worker 0 crashed", generation=6)
    assert shown.finish() == 2
    lines = visible(shown)
    assert lines[0] == r"worker 0 gen 7 pid 913 \x1b[2Jcrashed"
    assert lines[1] == "going back to generation 6"
    assert lines[2].startswith("worker 0: 913 gone (")
    assert lines[3] == "reload 6: reverted: worker 0 crashed; generation 6 serves again, after 41ms"
    assert len(lines) == 4


def test_rejected_leaves_only_the_errors(roll, terminal):
    shown = terminal("reload")
    roll.begin(workers=2)
    roll.end("rejected", 422, error="F:1: no", problems=["F:1: no"])
    assert shown.finish() == 1
    assert visible(shown) == ["F:1: no", "reload 6: rejected: 1 error; nothing was changed; generation 7 serves"]


def test_last_events_may_come_behind_the_verdict(roll, terminal):
    shown = terminal("reload")
    roll.begin(workers=1)
    roll.events.state(0, 913, "new", "starting")
    shown.wait_for("913 starting")
    roll.answer_now.set()
    roll.events.state(0, 913, "starting", "ready")
    roll.events.event(event="reload-applied", id=6)
    assert shown.finish() == 0
    assert visible(shown)[0].startswith("worker 0: 913 ")
    assert visible(shown)[-1].startswith("reload 6: applied")


def test_time_goes_on_while_a_worker_drains(roll, terminal):
    shown = terminal("reload")
    roll.begin(workers=1)
    roll.events.state(0, 900, "ready", "draining")
    shown.wait_match("worker 0: 900 draining for [1-9]")
    roll.end()
    assert shown.finish() == 0


def test_daemon_that_does_not_say_how_many(roll, terminal):
    shown = terminal("reload")
    roll.begin()
    roll.events.state(0, 913, "new", "starting")
    shown.wait_for("[0] worker 0: 913 starting")
    roll.end()
    assert shown.finish() == 0


def test_number_of_workers_is_asked_for_when_it_is_not_said(daemon, roll, terminal):
    """A daemon that says that a reload begins before it has read the configuration."""
    daemon.on["GET /v1/status"] = {"roll": {"workers": 4}}
    shown = terminal("reload")
    roll.begin()
    roll.events.state(0, 913, "new", "starting")
    shown.wait_for("[0/4] worker 0: 913 starting")
    roll.end()
    assert shown.finish() == 0
    assert daemon.requests == ["GET /v1/events", "POST /v1/reload", "GET /v1/status"]


def test_odd_events_do_no_harm(roll, terminal):
    shown = terminal("reload")
    roll.begin(workers=-5)
    roll.events.chunk(b"\n\n{}\n")  # signs of life, and an event of a later version
    for odd in ({"slot": -1}, {"slot": 1 << 40}, {"slot": "0"}, {"slot": 0, "pid": None}, {"slot": 0, "pid": 5, "to": 7},
                {"slot": 1, "pid": 6, "from": "new", "to": 100 * "\x1b[2J"}, {"event": 3}):
        roll.events.event(**{"event": "worker-state", **odd})
    shown.wait_for("worker 1: 6 ")
    roll.end()
    assert shown.finish() == 0


@pytest.mark.parametrize("garbage", [b"no JSON\n", b"[]\n", b"{\"a\": \xff}\n", 70000 * b"x"])
def test_stream_of_garbage_costs_the_progress_but_not_the_verdict(roll, terminal, garbage):
    shown = terminal("reload")
    roll.begin(workers=1)
    shown.wait_for("[0/1]")
    roll.events.chunk(garbage)
    assert roll.events_closed.wait(60)  # by gracefulctl, which still waits for the verdict
    roll.answer_now.set()
    assert shown.finish() == 0
    assert visible(shown)[-1].startswith("reload 6: applied")


@pytest.mark.parametrize("how", [
    lambda exchange: exchange.json(403, {"error": "no"}),
    lambda exchange: None,
    lambda exchange: exchange.raw(b"garbage\r\n\r\n"),
    lambda exchange: exchange.wait_closed(),  # never answers
])
def test_without_events_the_reload_is_asked_for_all_the_same(daemon, terminal, how):
    daemon.on["GET /v1/events"] = how
    daemon.on["POST /v1/reload"] = outcome()
    shown = terminal("reload")
    assert shown.finish() == 0
    assert daemon.requests == ["GET /v1/events", "POST /v1/reload"]
    assert visible(shown) == ["reload 6: applied: generation 7 in 41ms; 3 finished, 120 handed over, 0 cut"]


def test_daemon_that_dies_in_the_middle_of_a_roll(daemon, roll, terminal):
    def die(exchange):
        roll.posted.set()
        assert roll.answer_now.wait(60)
    daemon.on["POST /v1/reload"] = die
    shown = terminal("reload", columns=200)
    roll.begin(workers=1)
    shown.wait_for("[0/1]")
    roll.answer_now.set()
    assert shown.finish() == 4
    assert visible(shown)[-1].endswith("went away without an answer")


@pytest.mark.parametrize("environment", [{"TERM": "dumb"}, {"TERM": ""}])
def test_dumb_terminals_see_the_verdict_only(daemon, terminal, environment):
    daemon.on["POST /v1/reload"] = outcome()
    shown = terminal("reload", **environment)
    assert shown.finish() == 0
    assert daemon.requests == ["POST /v1/reload"]
    assert "\x1b" not in shown.raw


def test_what_is_not_waited_for_is_not_followed(daemon, terminal):
    daemon.on["POST /v1/reload"] = lambda exchange: exchange.json(202, {"id": 3})
    shown = terminal("reload", "--wait=no")
    assert shown.finish() == 0
    assert daemon.requests == ["POST /v1/reload"]


@pytest.mark.parametrize("arguments, path", [(["scale", "3"], "POST /v1/scale"), (["restart", "0"], "POST /v1/workers/0/restart")])
def test_scale_and_restart_are_followed_too(daemon, terminal, arguments, path):
    roll = Roll(daemon, path)
    shown = terminal(*arguments)
    roll.begin(workers=3)
    roll.events.state(0, 913, "new", "starting")
    shown.wait_for("worker 0: 913 starting")
    roll.end()
    assert shown.finish() == 0


def test_verdict_has_its_colour(daemon, terminal):
    daemon.on["POST /v1/reload"] = outcome()
    shown = terminal("reload")
    assert shown.finish() == 0
    assert "\x1b[32mapplied\x1b[0m" in shown.raw
    plain = terminal("reload", NO_COLOR="1")
    assert plain.finish() == 0
    assert "\x1b[32m" not in plain.raw
