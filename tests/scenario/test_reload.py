"""Reloads that clients must not notice: many of them, under load, while workers and addresses come and go."""

import os
import socket
import threading
import time

import pytest

from harness import Client, Load, assert_no_failure, config, free_port, load_text, scaled

SECONDS = 3  # at least so long, so that the load meets many reloads in every phase


def reload_again_and_again(daemon, reloads, texts=(None,)):
    """Takes the configurations in turn, each reload being applied; returns how many there were."""
    end, done = time.monotonic() + SECONDS, 0
    while done < scaled(reloads, 10) or time.monotonic() < end:
        verdict = daemon.reload(texts[done % len(texts)])
        assert verdict.word == "applied", verdict
        done += 1
    return done


def check_under_load(daemon, figure, target, reloads, texts=(None,), load_args=()):
    with Load(target, *load_args) as load:
        done = reload_again_and_again(daemon, reloads, texts)
        seen = load.result()
    figure(f"{done} reloads: {load_text(seen)}")
    assert_no_failure(seen)


@pytest.mark.slow
def test_hundred_reloads_lose_no_connection(start, port, figure):
    """With as many connections as can be made, for once."""
    daemon = start(config(port))
    check_under_load(daemon, figure, port, 100, load_args=("--think", "0"))
    assert {w.generation for w in daemon.workers("ready")} == {len(daemon.log.find(r"reload \d+: applied")) + 1}


def test_workers_one_and_four_in_turn(start, port, figure):
    daemon = start(config(port, workers=1))
    check_under_load(daemon, figure, port, 100, [config(port, workers=4), config(port, workers=1)])


def test_worker_count_is_what_was_asked_for(start, port):
    daemon = start(config(port, workers=1))
    for workers in (3, 2, 5, 1):
        verdict = daemon.reload(config(port, workers=workers))
        assert any("workers: " in line and f"-> {workers}" in line for line in verdict.lines), verdict.lines
        assert len(daemon.workers("ready")) == workers
        assert {w.slot for w in daemon.workers("ready")} == set(range(workers))
        for _ in range(4 * workers):
            with Client(port) as client:
                client.ask()


def test_second_address_comes_and_goes(start, port, figure):
    second = free_port()
    texts = [config(listen=[{"port": port}, {"port": second}]), config(listen=[{"port": port}])]
    daemon = start(texts[1])
    check_under_load(daemon, figure, port, 100, texts)
    daemon.reload(texts[0])
    with Client(second) as client:
        client.ask()
    daemon.reload(texts[1])
    with pytest.raises(ConnectionRefusedError):
        Client(second)


def test_wildcard_and_specific_address_on_one_port(start, port, figure):
    texts = [config(listen=[{"address": "127.0.0.1", "port": port}]), config(port)]
    check_under_load(start(texts[1]), figure, port, 100, texts)


@pytest.mark.parametrize("way", ["rejected", "reverted"])
def test_address_that_was_never_committed_does_not_stay(start, port, hostile, figure, way):
    """Not even if what runs covers it: nobody was promised anything there, and without its sockets it would be no address."""
    daemon = start(config(port), worker=hostile.program)
    listen = [{"port": port}, {"address": "127.0.0.1", "port": port}]
    with socket.create_server(("127.0.0.1", 0)) as other, Load(port) as load:
        if way == "rejected":
            listen.append({"address": "127.0.0.1", "port": other.getsockname()[1]})
        else:
            hostile.plan("exit_1", slot=1)
        for _ in range(scaled(20, 3)):
            assert daemon.reload(config(listen=listen)).word == way
        seen = load.result()
    figure(load_text(seen))
    assert_no_failure(seen)
    assert not daemon.log.find(r"cannot accept")
    daemon.wait_settled(2)
    assert f"listening on [::]:{port}" in daemon.status()
    hostile.plan("real")
    daemon.write(config(port))
    daemon.reexec()
    for address in ("127.0.0.1", "::1"):
        with Client((address, port)) as client:
            client.ask()


def test_address_of_a_roll_that_failed_and_is_kept(start, port, hostile):
    """Who has arrived stays, with a new address on the port, and answers there. (Where all answer already, nothing changes for clients.)"""
    roll = {"on_failure": "keep"}
    daemon = start(config(listen=[{"address": "127.0.0.1", "port": port}], roll=roll), worker=hostile.program)
    hostile.plan("exit_1", slot=1)
    listen = [{"address": "127.0.0.1", "port": port}, {"address": "127.0.0.2", "port": port}]
    assert daemon.reload(config(listen=listen, roll=roll)).word == "reverted"
    daemon.wait_settled(2)
    assert [w.generation for w in daemon.workers()] == [2, 1]
    for address in ("127.0.0.1", "127.0.0.2"):
        with Client((address, port)) as client:
            client.ask()


def test_address_of_a_roll_that_is_kept_takes_nobody_from_a_wildcard(start, port, hostile, figure):
    """All have answered there, and do so on: through the roll that fails, and the next, in which whoever has it leaves."""
    wide, listen = {"port": port}, [{"port": port}, {"address": "127.0.0.1", "port": port}]
    roll = {"on_failure": "keep"}
    daemon = start(config(listen=[wide], roll=roll), worker=hostile.program)
    with Load(port) as load:
        for _ in range(scaled(10, 2)):
            hostile.plan("exit_1", slot=1)
            assert daemon.reload(config(listen=listen, roll=roll)).word == "reverted"
            assert f"listening on [::]:{port}" in daemon.status(), "the other one does not listen"
            hostile.plan("real")
            assert daemon.reload(config(listen=[wide], roll=roll)).word == "applied"
        seen = load.result()
    figure(load_text(seen))
    assert_no_failure(seen)


def test_address_that_is_covered_stays_open(start, port):
    """127.0.0.1 gives way to all addresses, which it is one of: closing its sockets would lose who is just connecting. It is closed
    when nothing covers it any more."""
    specific, wide = config(listen=[{"address": "127.0.0.1", "port": port}]), config(port)
    daemon = start(specific)
    for _ in range(2):
        since = daemon.mark()
        assert daemon.reload(wide).word == "applied"
        assert daemon.log.find(rf"127\.0\.0\.1:{port} stays open", since) and not daemon.log.find(r"closing", since)
        assert daemon.reload(specific).word == "applied"
        assert daemon.log.find(rf"closing \[::\]:{port}", since)
    daemon.reload(wide)
    assert daemon.reload().word == "applied"  # by workers that never had it in their configuration
    for address in ("127.0.0.1", "::1"):
        with Client((address, port)) as client:
            client.ask()
    assert daemon.reload(config(listen=[{"address": "::1", "port": port}])).word == "applied"
    with pytest.raises(ConnectionRefusedError):
        Client(("127.0.0.1", port))


def test_ipv6(start, port, figure):
    check_under_load(start(config(port)), figure, ("::1", port), 50)


def test_ipv6_only_leaves_ipv4_alone(start, port):
    start(config(listen=[{"address": "::", "port": port, "ipv6_only": True}]))
    with Client(("::1", port)) as client:
        client.ask()
    with pytest.raises(ConnectionRefusedError):
        Client(port)


def test_unix_path(start, directory, figure):
    path = os.path.join(directory, "hello.sock")
    daemon = start(config(listen=[{"path": path}]))
    with watch_for_absence(path) as missing:
        check_under_load(daemon, figure, path, 100)
    assert missing.count == 0 and missing.looks > 0
    figure(f"the path was there {missing.looks} times of {missing.looks}")


def test_unix_path_comes_and_goes_beside_a_port(start, directory, port, figure):
    path = os.path.join(directory, "hello.sock")
    texts = [config(listen=[{"port": port}, {"path": path, "mode": "0600"}]), config(port)]
    daemon = start(texts[1])
    check_under_load(daemon, figure, port, 50, texts)
    daemon.reload(texts[0])
    assert os.stat(path).st_mode & 0o777 == 0o600
    with Client(path) as client:
        client.ask()
    daemon.reload(texts[1])
    assert not os.path.exists(path)


class watch_for_absence:
    """Looks at a path all the time, and counts when it is not there."""

    def __init__(self, path):
        self.path, self.count, self.looks = path, 0, 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def _watch(self):
        while not self._end.wait(0.0005):
            self.looks += 1
            self.count += not os.path.exists(self.path)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()


def test_port_moves(start, port):
    new = free_port()
    daemon = start(config(port))
    verdict = daemon.reload(config(new))
    assert verdict.word == "applied"
    with Client(new) as client:
        client.ask()
    with pytest.raises(ConnectionRefusedError):
        Client(port)
    assert daemon.reload(config(port)).word == "applied"
    with Client(port) as client:
        client.ask()


def test_connection_made_before_the_port_moves_goes_on(start, port):
    daemon = start(config(port, drain_timeout=600))
    with Client(port) as client:
        client.ask()
        daemon.write(config(free_port(), drain_timeout=600))
        since = daemon.mark()
        daemon.hup()
        daemon.wait_line(r"-> draining", since=since)
        client.ask()
        client.close()
        assert daemon.wait_verdict(since).word == "applied"


def test_reload_takes_up_a_new_program(start, port, directory, hostile):
    """The file has not changed, the program has: the workers are new ones all the same."""
    daemon = start(config(port), worker=hostile.program)
    before = set(daemon.pids())
    hostile.plan("report")
    assert daemon.reload().word == "applied"
    assert {"slot-0", "slot-1"} <= set(os.listdir(hostile.out)), "what the other program writes"
    assert not before & set(daemon.pids())


def test_log_names_each_change(start, port):
    daemon = start(config(port, drain_timeout=10))
    verdict = daemon.reload(config(port, workers=3, drain_timeout=20))
    assert verdict.word == "applied"
    assert any("workers: 2 -> 3" in line for line in verdict.lines), verdict.lines
    assert any("drain_timeout: " in line for line in verdict.lines), verdict.lines


@pytest.mark.slow
def test_many_workers(start, port, figure):
    daemon = start(config(port, workers=32))
    verdict = daemon.reload()
    assert verdict.word == "applied"
    assert len(daemon.workers("ready")) == 32
    figure(f"32 idle workers rolled in {verdict.ms} ms")
