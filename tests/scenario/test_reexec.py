"""Another image of the master takes over in the same process (SIGUSR2): no client, worker or scraper notices, and a bad one is refused."""

import fcntl
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import threading
from collections import Counter

import pytest

from control import Events, ask, connect, ctl, get, metrics, socket_of
from harness import (DEADLINE, GRACEFULD, KEEP, REEXEC_LINE, WORKER, Client, Load, assert_no_failure, children_of, config, descriptors,
                     free_port, is_alive, load_text, proc_stat, scaled, wait_gone, wait_until)
from sock_diag import server_pids
from test_leak import born_with, check_contract


@pytest.fixture
def program(directory):
    """A copy of the daemon's program, which a test may replace."""
    path = os.path.join(directory, "gracefuld")
    shutil.copy(GRACEFULD, path)
    return path


def install(path, text=None, mode=0o755):
    """Puts another program in its place, as a package would: a script; or the same binary once more."""
    if text is None:
        shutil.copy(GRACEFULD, path + ".new")
    else:
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(text)
    os.chmod(path + ".new", mode)
    os.rename(path + ".new", path)


def fd_counts(daemon):
    return Counter(descriptors(daemon.pid).values())


def inheritable(daemon):
    """The descriptors, but for the standard ones, that a child would get."""
    found = []
    for fd, what in descriptors(daemon.pid).items():
        with open(f"/proc/{daemon.pid}/fdinfo/{fd}", encoding="ascii") as file:
            flags = int(next(line for line in file if line.startswith("flags:")).split()[1], 8)
        if fd > 2 and not flags & os.O_CLOEXEC:
            found.append(what)
    return found


def refused(daemon):
    """Asks for a re-exec; the reason for which it is refused."""
    since = daemon.mark()
    daemon.send(signal.SIGUSR2)
    match = daemon.wait_line(REEXEC_LINE, since=since)
    assert match[2], match.string
    return match[2]


COUNTERS = ("_total", "gracefuld_generation", "gracefuld_start")


def only_grown(before, after):
    """Nothing that only grows has gone back, or is missing."""
    return [(name, value, after.get(name)) for name, value in before.items()
            if any(word in name for word in COUNTERS) and not after.get(name, -1) >= value - (0.1 if "start" in name else 0)]


# -- nobody notices

@pytest.mark.slow
def test_hundred_times_under_load(start, port, figure):
    """New connections and held ones: none fails; workers, numbers and descriptors are the same ones."""
    daemon = start(config(port, metrics=f"127.0.0.1:{free_port()}"))
    assert daemon.reload().word == "applied"
    workers = daemon.pids()
    took = [daemon.reexec() for _ in range(10)]
    fds, last = fd_counts(daemon), metrics(socket_of(daemon))
    with Load(port, mode="hold", connections=50) as held, Load(port) as new, \
            Load(port, mode="keepalive", connections=8) as alive:
        held.wait_all_open()
        for _ in range(scaled(90, 10)):
            took.append(daemon.reexec())
            now = metrics(socket_of(daemon))
            assert not only_grown(last, now)
            last = now
        seen = [new.result(), alive.result(), held.result()]
    figure(f"{len(took)} times, {sorted(took)[len(took) // 2]} ms (median): {load_text(seen[0])}")
    for figures in seen:
        assert_no_failure(figures)
    assert seen[2]["hold"]["alive_at_end"] == seen[2]["hold"]["opened"] == 50
    wait_until(lambda: fd_counts(daemon) == fds, f"the same descriptors: {fds}")
    assert not inheritable(daemon)
    status = get(daemon)
    assert status["pid"] == daemon.pid and status["generation"] == 2 and status["last_reload"]["verdict"] == "applied"
    assert sorted(w["pid"] for w in status["workers"]) == sorted(workers)
    assert daemon.reload().word == "applied"
    assert get(daemon)["last_reload"]["id"] == 2


def test_held_connections_stay_with_their_workers(start, port):
    daemon = start(config(port))
    clients = [Client(port).ask() for _ in range(8)]
    before = server_pids(clients, daemon.pids())
    daemon.reexec()
    for client in clients:
        client.ask()
    assert server_pids(clients, daemon.pids()) == before and None not in before
    for client in clients:
        client.close()


def test_status_is_the_same(start, port, directory):
    """All that a status says, but for what time changes; an error of the last reload too, with a worker's own words."""
    listen = [{"port": port}, {"address": "127.0.0.1", "port": port}, {"path": os.path.join(directory, "ä%41.sock")}]
    daemon = start(config(listen=listen, workers=4))
    assert daemon.reload(config(listen=listen, workers=2)).word == "applied"
    assert daemon.reload("workers = 0;\nporst = 3;").word == "rejected"
    daemon.write(config(listen=listen, workers=2))

    def lasting():
        status = get(daemon)
        for worker in status["workers"]:
            del worker["uptime_s"]
        del status["uptime_s"]
        return status
    before = lasting()
    assert before["listeners"][0]["parked"] == 2 and len(before["last_reload"]["problems"]) == 2
    daemon.reexec()
    after = lasting()
    for status in before, after:  # whole seconds, of two clocks
        del status["config"]["loaded_at"], status["last_reload"]["started_at"]
    assert after == before


def test_uptime_goes_on(start, port):
    daemon = start(config(port))
    before = get(daemon)
    daemon.reexec()
    after = get(daemon)
    assert after["uptime_s"] >= before["uptime_s"] > 0
    assert [w["uptime_s"] >= b["uptime_s"] for w, b in zip(after["workers"], before["workers"])] == [True, True]


def test_all_kinds_of_addresses_are_served(start, port, directory, figure):
    """A wildcard, a special address on its port, a UNIX path, and sockets that are parked."""
    path = os.path.join(directory, "s.sock")
    listen = [{"port": port}, {"address": "127.0.0.1", "port": port}, {"path": path}]
    daemon = start(config(listen=listen, workers=4))
    assert daemon.reload(config(listen=listen, workers=2)).word == "applied"
    inode = os.stat(path).st_ino
    with Load(port) as tcp, Load(("::1", port)) as wild, Load(path) as local:
        for _ in range(scaled(20, 4)):
            daemon.reexec()
        # the parked sockets come into use again, and one address goes
        assert daemon.reload(config(listen=listen, workers=4)).word == "applied"
        daemon.reexec()
        seen = [load.result() for load in (tcp, wild, local)]
    figure("; ".join(map(load_text, seen)))
    for figures in seen:
        assert_no_failure(figures)
    assert os.stat(path).st_ino == inode
    assert [entry["sockets"] for entry in get(daemon)["listeners"]] == [4, 4, 1]
    assert daemon.stop() == 0
    assert not os.path.exists(path)


def test_scrapers_notice_nothing(start, port, figure):
    """By a new connection each time, and on one that stays open: each request has its answer."""
    address = ("127.0.0.1", free_port())
    daemon = start(config(port, metrics="%s:%d" % address))
    done, answers, failures = threading.Event(), Counter(), []

    def scrape(new):
        connection = http.client.HTTPConnection(*address, timeout=DEADLINE)
        connection.connect()
        connection.auto_open = 0  # no second try
        try:
            while not done.is_set():
                if new:
                    metrics(address)
                    metrics(socket_of(daemon))
                else:
                    connection.request("GET", "/metrics")
                    assert connection.getresponse().read().startswith(b"# HELP")
                answers[new] += 1
        except Exception as error:  # pylint: disable=broad-exception-caught
            failures.append((new, repr(error)))
        connection.close()
    threads = [threading.Thread(target=scrape, args=(new,)) for new in (True, False)]
    for thread in threads:
        thread.start()
    for _ in range(scaled(50, 5)):
        daemon.reexec()
    done.set()
    for thread in threads:
        thread.join()
    figure(f"{answers[True]} scrapes, and {answers[False]} on one connection")
    assert not failures and answers[True] and answers[False]


def test_half_a_request_is_answered(start, port):
    """What a client has sent of a request before is not asked for again."""
    daemon = start(config(port))
    with connect(socket_of(daemon)) as half, connect(socket_of(daemon)) as silent:
        half.sendall(b"GET /healthz HT")
        get(daemon)  # by now the server has read that
        daemon.reexec()
        half.sendall(b"TP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        silent.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        for sock in half, silent:
            with sock.makefile("rb") as answer:
                assert answer.read().endswith(b"\r\n\r\nok\n")


def test_reader_of_events_is_told_the_end(start, port):
    daemon = start(config(port))
    with Events(daemon) as events:
        daemon.reexec()
        events.log.wait_end()
        assert [event["event"] for event in events.seen()][-2:] == ["reexec-asked", "reexec-started"]
        assert events.process.wait(DEADLINE) == 0, "the end of the stream is a proper one"


# -- who dies, who asks at the same time

def test_worker_dies_around_it(start, port, figure):
    """Just before, just after, and while it is under way: always found, counted and replaced."""
    daemon = start(config(port, restart={"delay": 0.01, "max_delay": 0.05}))
    times = scaled(30, 6)
    for n in range(times):
        victim, since = daemon.worker(n % 2), daemon.mark()
        if n % 3 == 0:
            os.kill(victim.pid, signal.SIGKILL)
        daemon.send(signal.SIGUSR2)
        if n % 3 == 1:
            os.kill(victim.pid, signal.SIGKILL)
        if n % 3 == 2:
            daemon.wait_line(r"re-exec: \S+ takes over", since=since)
            os.kill(victim.pid, signal.SIGKILL)
        daemon.wait_line(rf"pid {victim.pid}: \w+ -> exited \(signal 9", since=since)
        daemon.wait_reexec(since)
        daemon.wait_settled(2)
    assert metrics(socket_of(daemon))['gracefuld_worker_exits_total{reason="signalled"}'] == times
    assert sorted(children_of(daemon.pid)) == sorted(daemon.pids())
    figure(f"{times} times")


def test_worker_that_starts_meanwhile(start, port, hostile):
    """Born to the image before, ready to the one after."""
    daemon = start(config(port), worker=hostile.program)
    hostile.plan("gate", slot=1)
    daemon.kill_worker(1)
    hostile.wait_held()
    daemon.reexec()
    hostile.open_gate()
    daemon.wait_settled(2)
    assert get(daemon)["workers"][1]["restarts"] == 1


def test_deadline_of_a_worker_goes_on(start, port, hostile):
    """One that does not get ready is found by the next image."""
    daemon = start(config(port, roll={"ready_timeout": 4}), worker=hostile.program)
    hostile.plan("hang", slot=1)
    daemon.kill_worker(1)
    hanging = daemon.wait_line(r"worker 1 gen 1 pid (\d+): new -> starting \(respawn\)")[1]
    daemon.reexec()
    daemon.wait_line(rf"pid {hanging} was not ready in time")
    hostile.plan("real")
    daemon.wait_settled(2)


def test_hang_is_noticed_after_it(start, port):
    daemon = start(config(port, hang_timeout=1))
    victim = daemon.worker(0)
    daemon.reexec()
    os.kill(victim.pid, signal.SIGSTOP)
    daemon.wait_line(rf"pid {victim.pid}: ready -> killing \(hangs: no heartbeat\)")
    daemon.wait_settled(2)


def test_half_a_line_of_a_worker(start, port, hostile):
    hostile.plan("half_line", slot=0)
    daemon = start(config(port), worker=hostile.program)
    hostile.wait_held()
    daemon.reexec()
    hostile.open_gate()
    wait_until(lambda: get(daemon)["workers"][0]["status"] == "half and half", "the whole line")


@pytest.mark.parametrize("order", ["HUP USR2", "USR2 HUP", "USR2 HUP USR2 HUP", "HUP USR1 USR2 TTIN", "USR2 USR2 USR2 HUP"])
def test_reload_in_the_same_moment(start, port, figure, order):
    """Whichever comes first: the reload has its verdict, and the re-exec is done."""
    daemon = start(config(port))
    for n in range(scaled(10, 3)):
        since = daemon.mark()
        daemon.write(config(port, drain_timeout=20 + n))
        for name in order.split():
            daemon.send(getattr(signal, f"SIG{name}"))
        daemon.wait_line(rf"reload \d+: drain_timeout: \S+ -> {20 + n}", since=since)
        daemon.wait_line(r"reload \d+: applied", since=since)
        daemon.wait_reexec(since)
        wait_until(lambda: get(daemon)["state"] == "running", "rest")
    figure(f"{len(daemon.log.find('goes on: '))} re-execs, {len(daemon.log.find('applied: '))} reloads")


def test_signals_are_not_lost_on_the_way(start, port, figure):
    """A signal that comes at any moment of it is served by the one image or the other."""
    daemon = start(config(port))
    times, text = scaled(40, 5), "status: end$"
    for n in range(times):
        since = daemon.mark()
        daemon.send(signal.SIGUSR2)
        threading.Event().wait(n * 0.0005)  # anywhere between the trial and the end
        daemon.send(signal.SIGUSR1)
        daemon.wait_line(text, since=since)
        daemon.wait_reexec(since)
    figure(f"{times} times")


def test_it_waits_for_a_roll(start, port, hostile):
    daemon = start(config(port), worker=hostile.program)
    hostile.plan("gate", slot=1)
    since = daemon.mark()
    daemon.hup()
    hostile.wait_held()
    daemon.send(signal.SIGUSR2)
    daemon.wait_line(r"re-exec: asked for \(SIGUSR2\), waits", since=since)
    assert len(daemon.status()) and not daemon.log.find("takes over", since)
    hostile.plan("real")
    hostile.open_gate()
    assert daemon.wait_verdict(since).word == "applied"
    daemon.wait_reexec(since)
    assert get(daemon)["generation"] == 2


def test_who_waits_for_a_verdict_has_it_first(start, port, hostile):
    daemon = start(config(port), worker=hostile.program)
    hostile.plan("gate", slot=1)
    since = daemon.mark()
    answers = []
    asker = threading.Thread(target=lambda: answers.append(ask(socket_of(daemon), "/v1/reload", "POST", "{}")))
    asker.start()
    hostile.wait_held()
    daemon.send(signal.SIGUSR2)
    daemon.wait_line(r"re-exec: asked for", since=since)
    hostile.plan("real")
    hostile.open_gate()
    daemon.wait_reexec(since)
    asker.join()
    (status, text), = answers
    assert status == 200 and json.loads(text)["verdict"] == "applied"


def test_reloads_without_a_pause(start, port, figure):
    """One who asks again and again gets each of his verdicts, and keeps nobody from taking over."""
    daemon = start(config(port))
    done, answers = threading.Event(), []

    def ask_again():
        while not done.is_set():
            answers.append(ask(socket_of(daemon), "/v1/reload", "POST", "{}")[0])
    asker = threading.Thread(target=ask_again)
    asker.start()
    for _ in range(scaled(10, 3)):
        daemon.reexec()
    done.set()
    asker.join()
    figure(f"{len(answers)} reloads")
    assert answers and set(answers) == {200}
    assert get(daemon)["last_reload"]["id"] == len(answers) == get(daemon)["generation"] - 1


def test_it_waits_for_the_start(launch, port, hostile):
    hostile.plan("gate", slot=0)
    daemon = launch(config(port), worker=hostile.program)
    hostile.wait_held()
    daemon.send(signal.SIGUSR2)
    daemon.wait_line(r"re-exec: asked for \(SIGUSR2\), waits")
    hostile.open_gate()
    daemon.wait_ready()
    daemon.wait_reexec(0)


def test_a_stop_forgets_it(start, port, hostile):
    daemon = start(config(port), worker=hostile.program)
    hostile.plan("gate", slot=1)
    daemon.hup()
    hostile.wait_held()
    daemon.send(signal.SIGUSR2)
    daemon.wait_line(r"re-exec: asked for")
    daemon.send(signal.SIGTERM)
    assert daemon.wait_exit() == 0
    assert not daemon.log.find("takes over")


def test_stop_and_reexec_in_one_moment(start, port):
    for n in range(scaled(10, 4)):
        daemon = start(config(port))
        for number in (signal.SIGUSR2, signal.SIGTERM)[::1 if n % 2 else -1]:
            daemon.send(number)
        assert daemon.wait_exit() == 0


# -- what is not at rest although nothing is under way

def test_slots_of_different_generations(start, port, hostile):
    """A roll that failed half-way and kept what it had: so it stays, until the next one."""
    daemon = start(config(port, roll={"on_failure": "keep"}), worker=hostile.program)
    hostile.plan("exit_1", slot=1)
    daemon.write(config(port, roll={"on_failure": "keep"}, limits={"connections": 100}))
    assert daemon.reload().word == "reverted"
    hostile.plan("real")

    def generations():
        return [(w["generation"], w["pid"]) for w in get(daemon)["workers"]]
    before = generations()
    assert [generation for generation, _ in before] == [2, 1]
    daemon.reexec()
    assert generations() == before and get(daemon)["generation"] == 1
    daemon.kill_worker(0)
    daemon.wait_line(r"worker 0 gen 2 pid \d+: starting -> ready", since=daemon.line_after("goes on"))
    assert daemon.reload().word == "applied"
    assert [generation for generation, _ in generations()] == [3, 3]


def test_backoff_goes_on(start, port, hostile):
    """A slot that waits until it may start a worker again goes on waiting, and no longer."""
    daemon = start(config(port, restart={"delay": 600, "max_delay": 600}), worker=hostile.program)
    hostile.plan("exit_1", slot=1)
    daemon.kill_worker(1)
    daemon.wait_line(r"slot 1: 2 crashes in a row")
    before = get(daemon)["workers"][1]
    daemon.reexec()
    after = get(daemon)["workers"][1]
    assert (after["state"], after["restarts"]) == ("waiting", before["restarts"])
    assert 0 < after["spawn_in_s"] < before["spawn_in_s"]
    hostile.plan("real")
    assert daemon.reload().word == "applied"
    daemon.wait_settled(2)


def test_recycling_goes_on(start, port):
    """By the age that a worker has, not the daemon's image."""
    daemon = start(config(port, workers=1, recycle={"age": 3, "jitter": 0}))
    old = daemon.worker(0).pid
    for _ in range(3):
        daemon.reexec()
    daemon.wait_line(rf"pid {old}: \w+ -> exited")
    daemon.wait_settled(1)


def test_signals_that_a_parent_ignores(start, port, directory):
    """As nohup does: they are the daemon's all the same, in each image."""
    wrapper = os.path.join(directory, "wrapper")
    install(wrapper, f"#!/bin/sh\ntrap '' HUP TERM USR1 USR2 TTIN CHLD\nexec {GRACEFULD} \"$@\"\n")
    daemon = start(config(port), program=wrapper)
    for _ in range(2):
        daemon.reexec()
        assert daemon.reload().word == "applied"
        assert daemon.status()
    assert daemon.stop() == 0


# -- a bad program

BAD = {
    "exits_1": ("#!/bin/sh\nexit 1\n", "the check failed with status 1"),
    "exits_0": ("#!/bin/sh\nexit 0\n", "it says nothing"),
    "crashes": ("#!/bin/sh\nkill -SEGV $$\n", "killed by signal 11"),
    "other_version": ("#!/bin/sh\necho 'the state is of version 1, and only version 2 is known'\nexit 65\n", "only version 2 is known"),
    "no_option": ("#!/bin/sh\necho \"gracefuld: unrecognized option '$1'\" >&2\nexit 64\n", "unrecognized option '--check-state'"),
    "no_interpreter": ("#!/nonexistent/sh\n", "No such file or directory"),
    "says_no_after_yes": ("#!/bin/sh\necho 'gracefuld: this state can be taken over'\necho no\nexit 1\n", "does not take over: no"),
    "crashes_after_yes": (
        "#!/bin/sh\necho 'gracefuld: this state can be taken over'\nkill -ABRT $$\n", "killed by signal 6"),
}


def check_unharmed(daemon, port, workers, fds):
    with Client(port) as client:
        client.ask()
    wait_until(lambda: fd_counts(daemon) == fds, f"the same descriptors: {fds}")
    assert daemon.pids() == workers and get(daemon)["state"] == "running"
    assert daemon.reload().word == "applied"


@pytest.mark.parametrize("kind", BAD)
def test_bad_program(start, port, program, kind):
    """It is refused with the reason; the daemon that runs goes on, and takes the next good one."""
    text, reason = BAD[kind]
    daemon = start(config(port), program=program)
    workers, fds = daemon.pids(), fd_counts(daemon)
    install(program, text)
    with Load(port) as load:
        assert reason in refused(daemon)
        seen = load.result()
    assert_no_failure(seen)
    check_unharmed(daemon, port, workers, fds)
    install(program)
    daemon.reexec()


def test_missing_program(start, port, program):
    daemon = start(config(port), program=program)
    workers, fds = daemon.pids(), fd_counts(daemon)
    os.unlink(program)
    assert refused(daemon) == f"{program}: No such file or directory"
    install(program, mode=0o644)
    assert refused(daemon) == f"{program} does not take over: cannot run {program}: Permission denied"
    check_unharmed(daemon, port, workers, fds)
    os.chmod(program, 0o755)
    daemon.reexec()


def test_program_that_hangs(start, port, program):
    """Its time is bounded, and nothing waits for it: neither a reload nor a client."""
    daemon = start(config(port), program=program)
    install(program, "#!/bin/sh\nexec sleep 1000\n")
    since = daemon.mark()
    daemon.send(signal.SIGUSR2)
    wait_until(lambda: len(children_of(daemon.pid)) == 3, "the trial")
    assert daemon.reload().word == "applied"
    match = daemon.wait_line(REEXEC_LINE, since=since)
    assert "did not end within 10 s" in match[2]
    wait_until(lambda: len(children_of(daemon.pid)) == 2, "the end of the trial")
    install(program)
    daemon.reexec()


def test_stop_during_a_trial(start, port, program):
    daemon = start(config(port), program=program)
    install(program, "#!/bin/sh\nexec sleep 1000\n")
    daemon.send(signal.SIGUSR2)
    wait_until(lambda: len(children_of(daemon.pid)) == 3, "the trial")
    assert daemon.stop() == 0


def test_exec_that_fails_after_all(start, port, program, directory):
    """The trial takes its own interpreter away. Nothing has happened then: connections, events and signals go on."""
    shell = os.path.join(directory, "sh")
    shutil.copy("/bin/sh", shell)
    daemon = start(config(port), program=program)
    workers, fds = daemon.pids(), fd_counts(daemon)
    install(program, f"#!{shell}\necho 'gracefuld: this state can be taken over'\nrm {shell}\n")
    with connect(socket_of(daemon)) as half, Load(port) as load:
        half.sendall(b"GET /healthz HT")
        wait_until(lambda: fd_counts(daemon)["socket"] > fds["socket"], "it is accepted")
        fds = fd_counts(daemon)
        assert refused(daemon) == f"{program}: No such file or directory"
        half.sendall(b"TP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        with half.makefile("rb") as answer:
            assert answer.read().endswith(b"\r\n\r\nok\n")
        seen = load.result()
    assert_no_failure(seen)
    wait_until(lambda: fd_counts(daemon)["socket"] < fds["socket"], "the end of that connection")
    assert not inheritable(daemon)
    check_unharmed(daemon, port, workers, fd_counts(daemon))
    install(program)
    daemon.reexec()


def test_image_that_fails_once_it_has_begun(start, port, program):
    """Against one that passes its trial and does not keep its word nothing helps: it ends as if the master had been killed, and
    says why. Clients keep their connections until the drain ends."""
    daemon = start(config(port), program=program)
    install(program, f"#!/bin/sh\n[ \"$1\" = --check-state ] || export GRACEFULD_STATE_FD=99\nexec {GRACEFULD} \"$@\"\n")
    with Client(port).ask() as client:
        daemon.send(signal.SIGUSR2)
        daemon.wait_line(r"error: cannot take over: descriptor 99 is no state of a master")
        assert daemon.process.wait(DEADLINE) == 70
        client.ask()
    assert daemon.wait_exit() == 70
    for pid in daemon.pids():
        wait_gone(pid)


def test_warnings_are_no_refusal(start, port, program):
    """The dynamic linker, for one, may have something to say; the answer is what comes last."""
    daemon = start(config(port), program=program)
    install(program, f"#!/bin/sh\necho 'something: warning' >&2\nexec {GRACEFULD} \"$@\"\n")
    daemon.reexec()


def test_program_that_changes_after_the_trial(start, port, program):
    """What was tried is what is exec'd: a file that was replaced in between has a trial of its own."""
    daemon = start(config(port), program=program)
    install(program, f"#!/bin/sh\nprintf '#!/bin/sh\\necho no\\n' >{program}.new\nchmod 755 {program}.new\nmv {program}.new {program}\n"
            "echo 'gracefuld: this state can be taken over'\n")
    assert refused(daemon) == f"{program} does not take over: no"


# -- afterwards

def test_another_program_runs_afterwards(start, port, program):
    daemon = start(config(port), program=program)
    for _ in range(2):
        install(program)
        daemon.reexec()
        exe = os.stat(f"/proc/{daemon.pid}/exe")
        assert exe.st_ino == os.stat(program).st_ino
    assert os.readlink(f"/proc/{daemon.pid}/exe") == program


def test_program_by_a_link(launch, port, program, directory):
    """The link is what counts: it may be made to point to another version."""
    link, other = os.path.join(directory, "link"), os.path.join(directory, "gracefuld-2")
    os.symlink(program, link)
    daemon = launch(config(port), program=link).wait_ready()
    shutil.copy(GRACEFULD, other)
    os.symlink(other, link + ".new")
    os.rename(link + ".new", link)
    daemon.reexec()
    assert os.readlink(f"/proc/{daemon.pid}/exe") == other


def test_all_else_works_afterwards(start, port):
    daemon = start(config(port))
    daemon.reexec()
    assert ctl(daemon, "scale", "4")[0] == 0
    daemon.reexec()
    daemon.wait_settled(4)
    assert get(daemon)["config"]["differs_on_disk"] is False
    victim = daemon.worker(2)
    assert ctl(daemon, "restart", "2")[0] == 0
    assert not is_alive(victim.pid)
    daemon.send(signal.SIGTTIN)
    daemon.wait_settled(5)
    daemon.reexec()
    daemon.wait_settled(5)
    assert daemon.reload().word == "applied"
    daemon.wait_settled(2)
    daemon.reexec()
    assert daemon.stop() == 0


def drain_one(daemon, port):
    """A worker that drains, kept by one client, while the daemon is at rest."""
    client = Client(port).ask()
    pid = client.server_pid(daemon.pids())
    slot = next(w.slot for w in daemon.workers() if w.pid == pid)
    status, text = ask(socket_of(daemon), f"/v1/workers/{slot}/restart", "POST", '{"wait": "ready"}')
    assert status == 200, text
    wait_until(lambda: get(daemon)["state"] == "running", "rest")
    return client, pid


def test_drain_under_way_ends_properly(start, port):
    daemon = start(config(port, drain_timeout=600, roll=KEEP))
    client, pid = drain_one(daemon, port)
    daemon.reexec()
    with client.ask():
        left = [w for w in get(daemon)["workers"] if w["pid"] == pid]
        assert left[0]["state"] == "draining"
    daemon.wait_line(rf"pid {pid}: drained: 1 finished, 0 handed over, 0 cut")
    daemon.wait_settled(2)
    assert metrics(socket_of(daemon))['gracefuld_worker_exits_total{reason="drained"}'] == 1


def test_connections_are_handed_over_after_it(start, port):
    """The channel to a worker that was born before goes on too; and so does a worker that was born by this image's successor."""
    daemon = start(config(port))
    with Client(port).ask() as client:
        for _ in range(2):
            daemon.reexec()
            verdict = daemon.reload()
            assert (verdict.word, verdict.handed_over, verdict.finished) == ("applied", 1, 0), verdict
            client.ask()


def test_drain_under_way_ends_in_time(start, port):
    """Its deadline is the one that it had."""
    daemon = start(config(port, drain_timeout=5, roll=KEEP))
    client, pid = drain_one(daemon, port)
    before = next(w["cut_in_s"] for w in get(daemon)["workers"] if w["pid"] == pid)
    for _ in range(2):
        daemon.reexec()
    after = next(w["cut_in_s"] for w in get(daemon)["workers"] if w["pid"] == pid)
    assert 0 < after < before
    assert client.end() in ("closed", "reset")
    daemon.wait_line(rf"pid {pid}: drained: 0 finished, 0 handed over, 1 cut")
    client.close()


def test_worker_born_afterwards_has_the_contract(start, port, hostile):
    """No descriptor and no variable of the way over; the limits and signals are those of a first start."""
    daemon = start(config(port), worker=hostile.program)
    hostile.plan("report")
    assert daemon.reload().word == "applied"
    before = born_with(hostile, 0)
    daemon.reexec()
    assert b"GRACEFULD_STATE_FD" not in open(f"/proc/{daemon.worker(0).pid}/environ", "rb").read()
    assert daemon.reload().word == "applied"
    fds, env = check_contract(hostile, 0, 1)
    assert sorted(fds) == sorted(before[0]) and sorted(env) == sorted(before[1])
    with open(os.path.join(hostile.out, "signals-0"), encoding="ascii") as file:
        assert file.read().split()[0] == "0000000000000000"


def test_limit_of_open_files_is_not_the_masters(start, port, directory):
    """The master raises its own; workers have what it was before."""
    wrapper = os.path.join(directory, "wrapper")
    install(wrapper, f"#!/bin/sh\nulimit -Sn 500\nexec {GRACEFULD} \"$@\"\n")

    def limit(pid):
        with open(f"/proc/{pid}/limits", encoding="ascii") as file:
            return next(int(line.split()[3]) for line in file if line.startswith("Max open files"))
    daemon = start(config(port), program=wrapper)
    for _ in range(2):
        daemon.reexec()
        assert daemon.reload().word == "applied"
    assert limit(daemon.worker(0).pid) == 500 < limit(daemon.pid)


def test_child_that_nobody_knows_is_reaped(start, port, directory):
    """What the image before has not reaped, the next one does."""
    wrapper = os.path.join(directory, "wrapper")
    install(wrapper, f"#!/bin/sh\nsleep 1000 &\nexec {GRACEFULD} \"$@\"\n")
    daemon = start(config(port), program=wrapper)
    stray, = set(children_of(daemon.pid)) - set(daemon.pids())
    daemon.reexec()
    os.kill(stray, signal.SIGKILL)
    wait_until(lambda: proc_stat(stray) is None, "the zombie to be gone")


# -- not a state

def test_variable_that_names_no_state(directory):
    """Left over from whomever: the daemon does not start by it."""
    for value, status in (("x", 64), ("0", 64), ("77", 70)):
        done = subprocess.run([GRACEFULD, "-c", "/dev/null"], env={**os.environ, "GRACEFULD_STATE_FD": value}, cwd=directory,
                              capture_output=True, text=True, timeout=DEADLINE, check=False)
        assert done.returncode == status, done
        assert done.stderr.count("\n") == 1


# -- the log

def wait_for(log, part):
    """Reads until a line has it; all of them."""
    found = []
    while not found or part not in found[-1]:
        found.append(log.readline())
        assert found[-1], "it has ended"
    return found


def pending(pid, number):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        mask = next(int(line.split()[1], 16) for line in file if line.startswith("ShdPnd"))
    return mask >> (number - 1) & 1


def test_what_nobody_reads_is_counted_by_the_next_image(directory, port):
    """The reader of standard error comes back only when another image has taken over: it hears how much it has missed."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    path = os.path.join(directory, "gracefuld.conf")
    with open(path, "w", encoding="ascii") as file:
        file.write(config(port))
    command = [GRACEFULD, "-c", path, "-W", WORKER]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=writer, stderr=writer,
                          env={**os.environ, "RUNTIME_DIRECTORY": directory}) as process:
        os.close(writer)
        with os.fdopen(reader, "rb") as log:
            try:
                wait_for(log, b"ready: generation 1")
                for _ in range(20):  # the answers to a signal that comes while the same one waits are one
                    process.send_signal(signal.SIGUSR1)
                    wait_until(lambda: not pending(process.pid, signal.SIGUSR1), "the signal has been taken")
                process.send_signal(signal.SIGUSR2)
                wait_until(lambda: b"GRACEFULD_STATE_FD=" in open(f"/proc/{process.pid}/environ", "rb").read(), "another image")
                found = wait_for(log, b"goes on")
                assert re.search(rb"warning: [1-9]\d* log messages were lost", b"".join(found)), found
            finally:
                process.send_signal(signal.SIGQUIT)
                log.read()
