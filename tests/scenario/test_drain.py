"""Connections that are open when their worker has to go: they end by themselves, or are cut when time is up; nothing
else happens to them."""

import signal
import time

import pytest

from control import get
from harness import DRAINS, KEEP, Client, wait_until
from harness import config as any_config
from sock_diag import server_pids

DEBUG = {"level": "debug"}


def config(port, **options):
    return any_config(port, roll=KEEP, **options)


def connect_to_all(daemon, port):
    """Clients by the pid of their worker; each worker that is ready has one at least."""
    clients = {w.pid: [] for w in daemon.workers("ready")}
    while not all(clients.values()):
        client = Client(port).ask()
        clients[client.server_pid(clients)].append(client)
    return clients


def end_all(clients):
    """Each is served once more, and ends."""
    for client in clients:
        client.ask()
        client.close()


def test_open_connections_stay_with_their_worker(start, port, figure):
    daemon = start(config(port, workers=1, drain_timeout=600, log=DEBUG))
    old = daemon.worker(0)
    clients = [Client(port).ask() for _ in range(20)]
    since = daemon.mark()
    daemon.hup()
    daemon.wait_line(DRAINS.format(pid=old.pid), since=since)
    for client in clients:
        client.ask()
    assert set(server_pids(clients, [old.pid])) == {old.pid}
    with Client(port) as newcomer:
        newcomer.ask()
        assert newcomer.server_pid([old.pid]) is None
    end_all(clients)
    verdict = daemon.wait_verdict(since)
    assert (verdict.word, verdict.finished, verdict.handed_over, verdict.cut) == ("applied", 20, 0, 0)
    assert daemon.log.find(rf"pid {old.pid}: drained: 20 finished, 0 handed over, 0 cut")
    assert daemon.log.find(rf"pid {old.pid}: \w+ -> exited \(status 0\)")
    figure(repr(verdict))


def test_what_does_not_end_is_cut_when_time_is_up(start, port, figure):
    daemon = start(config(port, workers=1, drain_timeout=600, log=DEBUG))
    old = daemon.worker(0).pid
    clients = [Client(port).ask() for _ in range(5)]
    since, begun = daemon.mark(), time.monotonic()
    daemon.hup()
    daemon.wait_line(DRAINS.format(pid=old), since=since)
    clients.pop().close()
    clients.pop().close()
    wait_until(lambda: [w["connections"] for w in get(daemon)["workers"] if w["pid"] == old] == [3], "two have ended")
    daemon.write(config(port, workers=1, drain_timeout=1, log=DEBUG))
    daemon.hup()
    for client in clients:
        client.end()
    took = time.monotonic() - begun
    verdict = daemon.wait_verdict(since)
    assert (verdict.word, verdict.finished, verdict.cut) == ("applied", 2, 3)
    assert daemon.log.find(r"drained: 2 finished, 0 handed over, 3 cut", since)
    assert took >= 1
    figure(f"drain_timeout 1 s: cut after {took:.2f} s; {verdict}")


def test_drain_timeout_changes_for_a_drain_under_way(start, port, figure):
    daemon = start(config(port, workers=1, drain_timeout=600))
    with Client(port).ask() as client:
        since, begun = daemon.mark(), time.monotonic()
        daemon.hup()
        daemon.wait_line(r"-> draining", since=since)
        daemon.write(config(port, workers=1, drain_timeout=0.2))
        daemon.hup()
        client.end()
        assert daemon.wait_verdict(since).cut == 1
        figure(f"cut after {time.monotonic() - begun:.2f} s, instead of 600 s")


def test_drain_timeout_takes_effect_without_a_roll_of_its_own(start, port):
    """The next drain goes by the new value already."""
    daemon = start(config(port, workers=1, drain_timeout=600))
    assert daemon.reload(config(port, workers=1, drain_timeout=0.2)).word == "applied"
    with Client(port).ask() as client:
        since = daemon.mark()
        daemon.hup()
        client.end()
        assert daemon.wait_verdict(since).cut == 1


def test_every_worker_of_a_roll_waits_for_its_own_connections(start, port):
    daemon = start(config(port, workers=3, drain_timeout=600, log=DEBUG))
    clients = connect_to_all(daemon, port)
    since = daemon.mark()
    daemon.hup()
    for pid, its_clients in clients.items():
        daemon.wait_line(DRAINS.format(pid=pid), since=since)
        end_all(its_clients)
    verdict = daemon.wait_verdict(since)
    assert (verdict.word, verdict.finished, verdict.cut) == ("applied", sum(map(len, clients.values())), 0)


def test_connections_of_slots_that_go_are_finished(start, port):
    """The pool shrinks from four to one: nobody's connection is dropped for that."""
    daemon = start(config(port, workers=4, drain_timeout=600, log=DEBUG))
    clients = connect_to_all(daemon, port)
    daemon.write(config(port, workers=1, drain_timeout=600, log=DEBUG))
    since = daemon.mark()
    daemon.hup()
    waiting = dict(clients)
    while waiting:
        next_pid = daemon.wait_line(DRAINS.format(pid="|".join(map(str, waiting))), since=since)[1]
        end_all(waiting.pop(int(next_pid)))
    verdict = daemon.wait_verdict(since)
    assert (verdict.word, verdict.finished, verdict.cut) == ("applied", sum(map(len, clients.values())), 0)
    assert len(daemon.workers()) == 1


def test_term_drains_and_stops(start, port):
    daemon = start(config(port, drain_timeout=600))
    clients = connect_to_all(daemon, port)
    daemon.send(signal.SIGTERM)
    daemon.wait_line(r"stopping \(SIGTERM\)")
    for pid, its_clients in clients.items():
        daemon.wait_line(rf"pid {pid}: ready -> draining")
        end_all(its_clients)
    assert daemon.wait_exit() == 0
    assert daemon.log.find(r"info: stopped|notice: stopped")
    with pytest.raises(ConnectionRefusedError):
        Client(port)


def test_term_accepts_nobody_new(start, port):
    daemon = start(config(port, workers=1, drain_timeout=600, log=DEBUG))
    with Client(port).ask() as client:
        daemon.send(signal.SIGTERM)
        daemon.wait_line(DRAINS.format(pid=r"\d+"))
        with pytest.raises((ConnectionRefusedError, ConnectionResetError, TimeoutError)):
            Client(port, timeout=0.5).ask()
        client.ask()
    assert daemon.wait_exit() == 0


def test_term_cuts_when_time_is_up(start, port):
    daemon = start(config(port, workers=1, drain_timeout=0.3))
    with Client(port).ask() as client:
        daemon.send(signal.SIGTERM)
        client.end()
        assert daemon.wait_exit() == 0
    assert daemon.log.find(r"drained: 0 finished, 0 handed over, 1 cut")


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT], ids=lambda s: s.name)
def test_second_stop_signal_stops_at_once(start, port, figure, second):
    daemon = start(config(port, drain_timeout=600))
    with Client(port).ask() as client:
        daemon.send(signal.SIGTERM)
        daemon.wait_line(r"-> draining")
        begun = time.monotonic()
        daemon.send(second)
        client.end()
        assert daemon.wait_exit() == 0
        figure(f"{(time.monotonic() - begun) * 1000:.0f} ms, with a drain_timeout of 600 s")


def test_quit_stops_at_once(start, port, figure):
    daemon = start(config(port, drain_timeout=600))
    with Client(port).ask() as client:
        begun = time.monotonic()
        daemon.send(signal.SIGQUIT)
        client.end()
        assert daemon.wait_exit() == 0
        figure(f"{(time.monotonic() - begun) * 1000:.0f} ms, with a drain_timeout of 600 s")


def test_int_stops_like_term(start, port):
    daemon = start(config(port))
    assert daemon.stop(signal.SIGINT) == 0
    assert daemon.log.find(r"stopping \(SIGINT\)")
