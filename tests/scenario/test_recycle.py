"""Workers are replaced when they are old, have served enough or have grown, one at a time, and nobody notices."""

import re
import time

import pytest
from control import ReadyCount, get, metrics, socket_of
from harness import Load, assert_no_failure, config, load_text, wait_until

SLACK = 3  # seconds: the limits are looked at once a second, and one worker is replaced at a time


def recycled(events, workers=2):
    """How often each slot's worker has been replaced by another one that was ready."""
    slots = [e["slot"] for e in events if e["event"] == "worker-state" and e["to"] == "ready"]
    return [slots.count(slot) for slot in range(workers)]


def check_recycling(daemon, port, figure, rounds, *load_args, **load_how):
    """Until each slot has had so many new workers."""
    with ReadyCount(daemon) as ready:
        with Load(port, *load_args, **load_how) as load:
            wait_until(lambda: min(recycled(ready.events.seen())) >= rounds, f"{rounds} new workers in each slot", timeout=60)
            seen = load.result()
        events, least = ready.events.seen(), ready.least()
    figure(f"slots had {recycled(events)} new workers, {least} of 2 ready at least; {load_text(seen)}")
    assert_no_failure(seen)
    assert least == 2
    assert not daemon.log.find(r"is lost|reverted|rejected")
    assert get(daemon)["generation"] == 1 and get(daemon)["last_reload"] is None
    assert metrics(socket_of(daemon))['gracefuld_reloads_total{verdict="applied"}'] == 0, "it is no reload of the configuration"
    return events


def test_recycle_by_age(start, port, figure):
    daemon = start(config(port, recycle={"age": 1, "jitter": 0}))
    events = check_recycling(daemon, port, figure, 3)
    assert any(re.search(r"started \(recycling\), slot [01]$", e["text"]) for e in events)


def test_many_are_recycled_in_time(start, port, figure):
    """One at a time, but not one a second: all are as old as each other, and none becomes much older than it may."""
    daemon = start(config(port, workers=12, recycle={"age": 3, "jitter": 0}))
    with ReadyCount(daemon) as ready:
        left = lambda: [e for e in ready.events.seen() if e["event"] == "worker-state" and e["to"] == "draining"]  # noqa: E731
        wait_until(lambda: len(left()) >= 12, "twelve recycled workers", timeout=60)
        least, seconds = ready.least(), {e["time"].partition(".")[0] for e in left()[:12]}
    figure(f"twelve left within {len(seconds)} of the clock's seconds; {least} of 12 ready at least")
    assert {e["slot"] for e in left()[:12]} == set(range(12))
    assert least == 12
    assert len(seconds) < 12


def test_recycle_by_requests(start, port, figure):
    daemon = start(config(port, recycle={"requests": 500, "jitter": 20}))
    check_recycling(daemon, port, figure, 2)


def test_recycle_by_requests_needs_requests(start, port, figure):
    """A worker that does nothing is left alone, while the other's time comes: only age and memory go on by themselves."""
    daemon = start(config(port, recycle={"requests": 1000000}))
    with ReadyCount(daemon) as ready, Load(port) as load:
        began = time.monotonic()
        wait_until(lambda: time.monotonic() > began + 2.5, "two looks at the limits")
        seen = load.result()
        assert recycled(ready.events.seen()) == [0, 0]
    figure(load_text(seen))


def test_recycle_by_memory(start, port, figure):
    """A worker always has more than 1 MiB: all of them are due at each look."""
    daemon = start(config(port, recycle={"memory": "1MiB"}))
    check_recycling(daemon, port, figure, 2)


def test_jitter(start, port, figure):
    """Workers leave at an age between half of the limit and the whole, not all at the same.

    They are looked at once a second, so that two of five leave at the same age, or less. That all 16 do is less than one case in a million."""
    limit, workers = 5, 16
    daemon = start(config(port, workers=workers, recycle={"age": limit, "jitter": 50}))
    with ReadyCount(daemon) as ready:
        wait_until(lambda: sum(recycled(ready.events.seen(), workers)) >= workers, "as many new workers")
        least = ready.least()
    ages, waited = ages_when_recycled(daemon)
    figure(f"ages when they were to go: {[round(age, 1) for age in ages]} s; {least} of {workers} ready at least")
    assert least == workers
    assert limit / 2 <= min(ages) and max(age - others for age, others in zip(ages, waited)) <= limit + SLACK
    assert max(ages) - min(ages) > 0.5


def ages_when_recycled(daemon):
    """The age of each worker when its successor was asked for, and how much of that others were being replaced, whose end it had to wait
    for: by the log, in seconds."""
    born, rolls, ages, waited = {}, [], [], []
    for line in daemon.log.lines:
        clock = re.match(r"\S+ (\d+):(\d+):([\d.]+) ", line)
        at = int(clock[1]) * 3600 + int(clock[2]) * 60 + float(clock[3]) if clock else None
        if match := re.search(r"worker (\d+) gen \d+ pid \d+: \w+ -> starting", line):
            born[match[1]] = at
        elif match := re.search(r"started \(recycling\), slot (\d+)$", line):
            ages.append((at - born[match[1]]) % 86400)
            waited.append(sum(took for begun, took in rolls if begun >= born[match[1]]))
        elif match := re.search(r"applied: generation \d+, (\d+) ms", line):
            rolls.append((at - int(match[1]) / 1000, int(match[1]) / 1000))
    return ages, waited


@pytest.mark.parametrize("options", [{"age": 1, "jitter": 0}, {}])
def test_recycling_is_switched_by_a_reload(start, port, options):
    """It applies to the workers that run already, or no more."""
    before = {"age": 1, "jitter": 0} if not options else {}
    daemon = start(config(port, recycle=before))
    assert daemon.reload(config(port, recycle=options)).word == "applied"
    since, began = daemon.mark(), time.monotonic()
    if options:
        daemon.wait_line(r"started \(recycling\)", since=since)
    else:
        wait_until(lambda: time.monotonic() > began + 2.5, "two looks at the limits")
        assert not daemon.log.find(r"\(recycling\)", since)
