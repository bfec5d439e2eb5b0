"""Live connections move to the worker that takes over: while nothing fails no client can tell, and whatever dies in the middle, no connection
is served twice, none hangs, and none is lost but those of a process that was killed."""

import contextlib
import os
import random
import signal
import threading
import time
from collections import Counter

import pytest
from control import ctl, get, metrics, socket_of
from harness import (DRAINS, KEEP, Client, Load, anonymous_kb, assert_no_failure, descriptors, is_alive, is_sanitized, load_text, scaled,
                     wait_gone, wait_until)
from harness import config as any_config
from sock_diag import server_pids
from streams import Streams

ECHO = {"type": "echo"}
DEBUG = {"level": "debug"}


def config(port=None, **options):
    return any_config(port, **{"service": ECHO, "drain_timeout": 600, **options})


def close(clients):
    for client in clients:
        client.close()


def held(daemon):
    """How many connections each slot has, as `gracefulctl status` says it, by the ready workers."""
    return [w["connections"] for w in sorted(get(daemon)["workers"], key=lambda w: w["slot"]) if w["state"] == "ready"]


# -- nobody notices -------------------------------------------------------------------------------------------------

def test_streams_at_full_speed_through_many_reloads(start, port, figure):
    daemon = start(config(port))
    with Load(port, "--size", "4096", "--depth", "4", mode="stream", proto="echo", connections=200) as load:
        handed = 0
        for _ in range(scaled(50, 5)):
            verdict = daemon.reload()
            assert (verdict.word, verdict.finished, verdict.cut) == ("applied", 0, 0), verdict
            handed += verdict.handed_over
        seen = load.result()
    figure(f"{handed} handed over, {seen['ok']} messages; {load_text(seen)}; {seen['stream']}")
    assert seen["stream"].pop("messages_least") > 0, seen
    assert seen["stream"] == {"streams_opened": 200, "streams_lost": 0, "corrupt_streams": 0, "bytes_in_flight_lost": 0}
    assert seen["failed_total"] == 0
    assert handed == 200 * scaled(50, 5)


class PeakMemory:
    """The most that all processes of a daemon have for themselves at a time, in kB."""

    def __init__(self, daemon):
        self.daemon, self.peak, self._end = daemon, 0, threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def now(self):
        """Who takes over is looked at before who gives, so that what moves in between is not counted twice."""
        total = 0
        for pid in [*reversed(self.daemon.pids()), self.daemon.pid]:
            with contextlib.suppress(OSError, StopIteration):
                total += anonymous_kb(pid)
        return total

    def _watch(self):
        while not self._end.wait(0.002):
            self.peak = max(self.peak, self.now())

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()


@pytest.mark.slow
@pytest.mark.parametrize("think", [0, 20])
def test_keepalive_requests_while_the_pool_grows_and_shrinks(start, port, figure, think):
    """Clients of http that keep their connections, beside others that make new ones: no request fails, and none of theirs is closed."""
    texts = [any_config(port, workers=n, service={"type": "http"}) for n in (4, 1)]
    daemon = start(texts[1])
    with Load(port, "--think", str(think), mode="keepalive", proto="http", connections=64) as kept, Load(port, proto="http") as new:
        for n in range(scaled(50, 5)):
            assert daemon.reload(texts[n % 2]).word == "applied"
        seen, others = kept.result(), new.result()
    figure(f"{load_text(seen)}; new connections: {load_text(others)}; closed {seen['closes']}")
    assert_no_failure(seen)
    assert_no_failure(others)
    assert sum(seen["closes"].values()) == 0 and seen["connects"] == 64


@pytest.mark.slow
@pytest.mark.parametrize("service", ["echo", "http"])
def test_many_idle_connections_move(start, port, figure, service):
    number = scaled(10000)
    daemon = start(any_config(port, workers=1, service={"type": service}, limits={"open_files": number + 500}))
    old = daemon.worker(0).pid
    with Load(port, "--period", "3600", mode="hold", proto=service, connections=number) as load:
        load.wait_all_open()
        with PeakMemory(daemon) as memory:
            steady = memory.now()
            verdict = daemon.reload()
            wait_gone(old)
        seen = load.result()
    figure(f"{number} connections, {verdict}; memory of all processes {steady} kB, at most {memory.peak} kB during the reload")
    assert (verdict.word, verdict.finished, verdict.handed_over, verdict.cut) == ("applied", 0, number, 0)
    assert seen["hold"]["lost"] == 0 and seen["failed_total"] == 0, seen
    if number == 10000 and not is_sanitized():  # of fewer, the processes themselves are the most of it
        assert memory.peak < 1.3 * steady


def test_unix_connections_move(start, directory):
    path = os.path.join(directory, "echo.sock")
    daemon = start(config(listen=[{"path": path}]))
    with Streams(path, 50) as streams:
        for _ in range(5):
            verdict = daemon.reload()
            assert (verdict.word, verdict.finished, verdict.handed_over, verdict.cut) == ("applied", 0, 50, 0)
        streams.check()


def test_hello_moves(start, port):
    daemon = start(any_config(port))
    clients = [Client(port).ask() for _ in range(20)]
    old = daemon.pids()
    assert daemon.reload().handed_over == 20
    for pid in old:
        wait_gone(pid)
    for client in clients:
        client.ask()
    close(clients)


# -- to whom --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("before, after", [(1, 4), (2, 3), (4, 1), (4, 3), (3, 3)])
def test_connections_are_spread_when_the_pool_changes(start, port, figure, before, after):
    number = 360
    daemon = start(config(port, workers=before))
    with Load(port, "--period", "3600", mode="hold", proto="echo", connections=number) as load:
        load.wait_all_open()
        had = held(daemon)
        old = daemon.pids()
        verdict = daemon.reload(config(port, workers=after))
        for pid in old:
            wait_gone(pid)
        have = held(daemon)
        seen = load.result()
    figure(f"{had} -> {have}")
    assert (verdict.word, verdict.finished, verdict.cut, verdict.handed_over >= number) == ("applied", 0, 0, True), verdict
    assert sum(had) == sum(have) == number and len(have) == after
    assert seen["hold"]["lost"] == 0
    # those that a slot is given are shared to within one for each giver; what it had before was the kernel's choice
    if after != before:
        assert max(have) - min(have) <= max(had) - min(had) + max(before, after)


def test_scale_restart_and_recycling_move_connections(start, port):
    daemon = start(config(port))
    with Streams(port, 40) as streams:
        def check(what, *command):
            old = {w["pid"]: w["connections"] for w in get(daemon)["workers"]}
            before = metrics(socket_of(daemon))["gracefuld_connections_handed_over_total"]
            status, text = ctl(daemon, *command)
            assert status == 0, (what, text)
            gone = [pid for pid in old if pid not in {w["pid"] for w in get(daemon)["workers"]}]
            for pid in gone:
                wait_gone(pid)
            after = metrics(socket_of(daemon))["gracefuld_connections_handed_over_total"]
            assert after - before >= sum(old[pid] for pid in gone), what
        check("restart", "restart", "1")
        check("more", "scale", "4")
        check("fewer", "scale", "1")
        streams.check()
        streams.resume()
        old = daemon.worker(0).pid
        # recycling is for all that have served so much, and these have
        assert daemon.reload(config(port, workers=1, recycle={"requests": 10})).word == "applied"
        old = daemon.worker(0).pid
        wait_gone(old)
        streams.check()


def test_connections_stay_when_the_service_changes(start, port):
    daemon = start(config(port, workers=1, log=DEBUG))
    old = daemon.worker(0).pid
    clients = [Client(port).send(b"x") for _ in range(5)]
    assert all(client.receive(1) == b"x" for client in clients)
    daemon.write(config(port, workers=1, service={"type": "hello"}, log=DEBUG))
    since = daemon.mark()
    daemon.hup()
    daemon.wait_line(DRAINS.format(pid=old), since=since)  # from here on it accepts nobody
    with Client(port) as newcomer:
        newcomer.ask()
    for client in clients:
        assert client.send(b"y").receive(1) == b"y"
    assert set(server_pids(clients, [old])) == {old}
    close(clients)
    verdict = daemon.wait_verdict(since)
    assert (verdict.word, verdict.finished, verdict.handed_over, verdict.cut) == ("applied", 5, 0, 0)


def test_connections_stay_where_handing_over_is_off(start, port):
    daemon = start(config(port, workers=1, roll=KEEP, log=DEBUG))
    old = daemon.worker(0).pid
    client = Client(port).send(b"x")
    wait_until(lambda: client.server_pid([old]), "the worker has the connection")
    since = daemon.mark()
    daemon.hup()
    daemon.wait_line(DRAINS.format(pid=old), since=since)
    assert client.receive(1) == b"x"
    assert client.server_pid([old]) == old
    client.close()
    assert daemon.wait_verdict(since).finished == 1


def test_reverted_roll_brings_connections_back(start, port, hostile):
    daemon = start(config(port), worker=hostile.program)
    with Streams(port, 40) as streams:
        hostile.plan("crash", slot=1)
        for _ in range(scaled(5)):
            verdict = daemon.reload()
            assert verdict.word == "reverted", verdict
            daemon.wait_settled(2)
            assert {w.generation for w in daemon.workers()} == {1}
        streams.check()
    assert metrics(socket_of(daemon))["gracefuld_connections_handed_over_total"] > 0


def test_worker_program_without_handoff(start, port, hostile):
    """It is passed inboxes and outboxes that it never looks at."""
    daemon = start(config(port, workers=1), worker=hostile.program)
    old = daemon.worker(0).pid
    with Streams(port, 10) as streams:
        hostile.plan("polite")
        since = daemon.mark()
        daemon.hup()
        daemon.wait_line(rf"pid {old}: ready -> draining", since=since)
        streams.settle()
        streams.resume()
        daemon.wait_line(rf"no greeting within", since=since)
        streams.check()
    verdict = daemon.wait_verdict(since)
    assert (verdict.word, verdict.finished, verdict.handed_over) == ("applied", 10, 0)
    hostile.plan("real")
    assert daemon.reload().word == "applied"


def test_everything_tells_how_many_were_handed_over(start, port):
    daemon = start(config(port, workers=1))
    with Streams(port, 12) as streams:
        old = daemon.worker(0).pid
        verdict = daemon.reload()
        assert (verdict.finished, verdict.handed_over, verdict.cut) == (0, 12, 0)
        assert daemon.log.find(rf"pid {old}: drained: 0 finished, 12 handed over, 0 cut")
        status = get(daemon)
        assert status["last_reload"]["handed_over"] == 12
        assert [(w["connections"], w["handed_in"], w["handed_out"]) for w in status["workers"]] == [(12, 12, 0)]
        assert metrics(socket_of(daemon))["gracefuld_connections_handed_over_total"] == 12
        streams.check()


# -- the drain ends in the middle -----------------------------------------------------------------------------------

def test_no_time_to_drain(start, port):
    """With drain_timeout 0 what is not handed over at once is cut; nothing hangs, and what moved is served."""
    daemon = start(config(port, workers=1, drain_timeout=0))
    with Streams(port, 100) as streams:
        for _ in range(scaled(10)):
            assert daemon.reload().word == "applied"
            streams.settle()
            streams.add(streams.forget_lost())
            streams.resume()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGQUIT], ids=lambda s: s.name)
def test_stop_in_the_middle_of_a_reload(start, port, how):
    chance = random.Random(2)
    for _ in range(scaled(5)):
        daemon = start(config(port, drain_timeout=1))
        with Streams(port, 50) as streams:
            daemon.hup()
            threading.Event().wait(chance.uniform(0, 0.02))
            daemon.send(how)
            assert daemon.wait_exit() == 0
            streams.settle()
            assert not streams.living()


def test_worker_told_to_leave_in_the_middle(start, port):
    """SIGTERM from elsewhere, to a worker that hands over or takes over."""
    chance = random.Random(3)
    daemon = start(config(port, restart={"delay": 0.01, "max_delay": 0.01}))
    with Streams(port, 50) as streams:
        for _ in range(scaled(20)):
            since = daemon.mark()
            daemon.hup()
            threading.Event().wait(chance.uniform(0, 0.02))
            with contextlib.suppress(ProcessLookupError):
                os.kill(chance.choice(daemon.pids()), signal.SIGTERM)
            daemon.wait_verdict(since)
            daemon.wait_settled(2)
            streams.settle()
            streams.add(streams.forget_lost())
            streams.resume()


def test_storm_of_reloads(start, port, figure):
    """However many are asked for while one is under way."""
    daemon = start(config(port))
    with Streams(port, 100) as streams:
        for _ in range(scaled(200, 20)):
            daemon.hup()
            threading.Event().wait(0.002)
        verdict = daemon.reload()
        assert verdict.word == "applied"
        streams.check()
    reloads = len(daemon.log.find(r"reload \d+: applied"))
    figure(f"{reloads} reloads, {streams.bytes} bytes")
    assert not daemon.log.find(r"\d+ finished, \d+ handed over, [1-9]\d* cut")


# -- shortages ------------------------------------------------------------------------------------------------------

def test_limit_of_connections_does_not_hinder_a_handoff(start, port):
    """The successor has had its fill before the others come: they are let in, and nobody else until there are fewer."""
    daemon = start(config(port, workers=1, limits={"connections": 20}))
    with Streams(port, 20) as streams:
        assert daemon.reload().handed_over == 20
        assert daemon.reload(config(port, workers=1, limits={"connections": 10})).handed_over == 20
        streams.check()


def test_worker_with_all_descriptors_in_use_hands_over(start, port):
    """It can accept nobody any more, since it has no descriptor left; its successor takes over what it has."""
    daemon = start(config(port, workers=1, limits={"open_files": 100}))
    old = daemon.worker(0).pid
    clients = [Client(port).send(b"x") for _ in range(150)]
    daemon.wait_line(r"cannot accept connections: Too many open files")
    served = [pid for pid in server_pids(clients, [old]) if pid]
    verdict = daemon.reload(config(port, workers=1, limits={"open_files": 1000}))
    assert (verdict.word, verdict.finished, verdict.cut) == ("applied", 0, 0)
    assert verdict.handed_over >= len(served) > 50
    assert all(client.receive(1) == b"x" for client in clients)
    close(clients)


def test_successor_without_descriptors(start, port):
    """It can't take all of them: what it can't take stays with the old worker, and is served."""
    daemon = start(config(port, workers=1, limits={"open_files": 1000}))
    old = daemon.worker(0).pid
    with Streams(port, 200) as streams:
        daemon.write(config(port, workers=1, limits={"open_files": 100}))
        since = daemon.mark()
        daemon.hup()
        daemon.wait_line(rf"pid {old}: ready -> draining", since=since)
        daemon.wait_line(r"no further connections are taken over: Too many open files", since=since)
        streams.check()
        assert is_alive(old)
    assert daemon.wait_verdict(since).cut == 0


# -- death ----------------------------------------------------------------------------------------------------------

KILLS = int(os.environ.get("GRACEFULD_KILLS", "0"))  # rounds; 500 to be thorough


def other_descriptors(pid):
    """What a process has open, but for its clients."""
    return Counter(what for what in descriptors(pid).values())


class Killer:
    """Kills the old, the new, or both workers of a slot at a random moment of a reload."""

    def __init__(self, daemon, streams, seed):
        self.daemon, self.streams, self.chance = daemon, streams, random.Random(seed)
        self.took = 0.05  # s: how long a roll takes
        self.lost = Counter()
        self.hits = Counter()

    def victims(self, slot, old, who):
        workers = [w for w in self.daemon.workers() if w.slot == slot]
        chosen = [w for w in workers if who == "both" or (w.pid == old) == (who == "old")]
        self.hits[f"{who}: {'+'.join(w.state for w in chosen) or 'nobody'}"] += 1
        return [w.pid for w in chosen]

    def wait_moment(self, old):
        """Anywhere in the reload; or, two times of three, when the old worker has given away so many of its connections."""
        if self.chance.randrange(3) == 0:
            threading.Event().wait(self.chance.uniform(0, self.took))
            return
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            os.sched_setscheduler(old, os.SCHED_IDLE, os.sched_param(0))  # it is to be slow
            before = len(os.listdir(f"/proc/{old}/fd"))
            left = before - self.chance.randrange(1, before)
            while len(os.listdir(f"/proc/{old}/fd")) > left and is_alive(old):
                pass

    def round(self, who):
        daemon, streams = self.daemon, self.streams
        slot = self.chance.randrange(2)
        owner = {w.pid: w.slot for w in daemon.workers()}
        streams_now = streams.living()
        pids = wait_until(lambda: (found := server_pids(streams_now, owner)) and None not in found and found, "all accepted")
        slots = {stream: owner[pid] for stream, pid in zip(streams_now, pids)}
        since, begun, old = daemon.mark(), time.monotonic(), daemon.worker(slot).pid
        daemon.hup()
        self.wait_moment(old)
        killed = self.victims(slot, old, who)
        for pid in killed:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.sched_setscheduler(old, os.SCHED_OTHER, os.sched_param(0))  # slow no more: others may want the processor for long
        daemon.wait_verdict(since)
        self.took = self.took * 0.7 + min(time.monotonic() - begun, 1) * 0.3
        wait_until(lambda: not set(killed) & set(daemon.pids()), "the master knows who was killed")
        daemon.wait_settled(2)
        streams.settle()
        for stream in streams_now:
            assert not stream.lost or slots[stream] == slot, "a connection of another slot was lost"
        lost = streams.forget_lost()
        self.lost[who] += lost
        streams.add(lost)
        streams.resume()


@pytest.mark.slow
@pytest.mark.parametrize("who", ["new", "old", "both"])
def test_killed_in_the_middle(start, port, figure, who):
    """Only connections of a killed process are lost; all others go on, byte for byte, and nothing stays behind."""
    restart = {"delay": 0.01, "max_delay": 0.01, "stable": 0}
    daemon = start(config(port, restart=restart))
    daemon.reload()
    fresh = other_descriptors(daemon.worker(0).pid)
    wait_until(lambda: len(daemon.workers()) == 2, "two workers")
    master = other_descriptors(daemon.pid)
    with Streams(port, 200, window=2000) as streams:
        killer = Killer(daemon, streams, seed=KILLS or 1)
        for _ in range(KILLS // 3 or scaled(8, 2)):
            killer.round(who)
        figure(f"{dict(killer.hits)}; lost: {dict(killer.lost)}; {streams.bytes} bytes; "
               f"{metrics(socket_of(daemon))['gracefuld_connections_handed_over_total']:.0f} handed over")
    wait_until(lambda: sum(held(daemon)) == 0, "no connections")
    # the ways by which connections came are closed a moment after the last of them
    for worker in daemon.workers():
        wait_until(lambda pid=worker.pid: other_descriptors(pid) == fresh, f"no more than a fresh worker has: {fresh}")
    wait_until(lambda: other_descriptors(daemon.pid) == master, "the master's descriptors")


@pytest.mark.slow
def test_successor_that_stands_still_in_the_middle(start, port, figure):
    """The old worker takes back what it gave, after its patience; when the other one goes on, nothing is served by both."""
    chance = random.Random(4)
    daemon = start(config(port, workers=1, drain_timeout=3))
    returned = 0
    with Streams(port, 300) as streams:
        for _ in range(scaled(5)):
            since = daemon.mark()
            daemon.hup()
            new = int(daemon.wait_line(r"pid (\d+): starting -> ready", since=since)[1])
            threading.Event().wait(chance.uniform(0, 0.003))
            os.kill(new, signal.SIGSTOP)
            daemon.wait_line(r"handoff: no \w+ within|drained: ", since=since)
            returned += len(daemon.log.find(r"handoff: no \w+ within", since))
            os.kill(new, signal.SIGCONT)
            daemon.wait_verdict(since)
            streams.settle()
            streams.add(streams.forget_lost())
            streams.resume()
    figure(f"{returned} times it was given up")


@pytest.mark.parametrize("plan", ["silent_heir", "late_heir", "lying_heir"])
def test_heir_that_breaks_the_rules(start, port, hostile, plan):
    """It greets and takes the offers, and then: says nothing; says `adopted` when it was given up; answers for what it was not
    offered. The old worker serves them all, to the end."""
    daemon = start(config(port, workers=1), worker=hostile.program)
    old = daemon.worker(0).pid
    with Streams(port, 100) as streams:
        hostile.plan(plan)
        since = daemon.mark()
        daemon.hup()
        daemon.wait_line(r"handoff: (no answer within|not an answer)", since=since)
        streams.check()
        assert is_alive(old)
        streams.resume()
        wait_until(lambda: os.path.exists(os.path.join(hostile.out, "heir-0")), "the heir has tried")
        with open(os.path.join(hostile.out, "heir-0"), encoding="ascii") as file:
            assert file.read() == ("BrokenPipeError" if plan == "late_heir" else "done")
        streams.check()
    verdict = daemon.wait_verdict(since)
    assert (verdict.word, verdict.finished, verdict.handed_over, verdict.cut) == ("applied", 100, 0, 0)
