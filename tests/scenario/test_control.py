"""The control server: what it tells is true, what it is asked for happens, and each who asks gets the verdict of it."""

import contextlib
import hashlib
import json
import os
import re
import resource
import shutil
import signal
import socket
import threading
import time

import harness
import pytest
from control import (EX_NOPERM, EXIT, GRACEFULCTL, NOBODY, STATUS, Events, ReadyCount, as_nobody, ask, connect, counted, ctl,
                     ctl_end, ctl_start, curl, get, metrics, posted, socket_of)
from harness import (KEEP, LOAD, Client, Load, assert_no_failure, config, cpu_ticks, descriptors, free_port, load_text, private_kb, scaled,
                     wait_until)

ROLL = {"ready_timeout": 1}  # for those that hang

pytestmark = pytest.mark.skipif(not shutil.which("curl"), reason="no curl here (curl)")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")


# -- many at once

FIRST = 121  # seconds; up to 170 each is told in seconds (120 would be "2m")


def asked_for(daemon):
    """{generation: the drain_timeout that it was made with}, by the log."""
    found, value = {1: 10.0}, 10.0
    for line in daemon.log.lines:
        if match := re.search(r"reload \d+: drain_timeout: \S+ -> (\S+)s$", line):
            value = float(match[1])
        elif match := re.search(r"reload \d+: applied: generation (\d+)", line):
            found[int(match[1])] = value
    return found


def ask_many(daemon, port, times, ask_one, **options):
    """Each asks for a drain_timeout of its own."""
    asking = []
    for n in range(times):
        daemon.write(config(port, drain_timeout=FIRST + n, **options))
        asking.append(ask_one())
    return asking


def check_many(daemon, got, figure, seen):
    """The generations that the answers tell."""
    assert_no_failure(seen)
    daemon.wait_line(rf"applied: generation {max(got)},")  # (the answers may be faster than the log)
    made = asked_for(daemon)
    for n, generation in enumerate(got):
        assert made[generation] >= FIRST + n, f"the reload number {n} was answered with generation {generation}, which is older"
    rolls = len(daemon.log.find(r"reload \d+: started"))
    figure(f"{len(got)} asked, {rolls} rolls, generations {min(got)} to {max(got)}; {load_text(seen)}")
    assert rolls == get(daemon)["generation"] - 1 == counted(daemon, "applied")
    return rolls


@pytest.mark.slow
def test_fifty_reloads_at_once(start, port, figure):
    daemon = start(config(port))
    with Load(port) as load:
        asking = ask_many(daemon, port, 50, lambda: ctl_start(daemon, "reload"))
        answers = [ctl_end(process) for process in asking]
        seen = load.result()
    assert {status for status, _ in answers} == {0}, answers
    check_many(daemon, [int(re.search(r"applied: generation (\d+)", text)[1]) for _, text in answers], figure, seen)


def test_fifty_reloads_during_a_roll_are_one(start, port, hostile, figure):
    """While a roll is held up fifty ask: all are served by the next one."""
    patient = {"roll": {"ready_timeout": 600}}
    daemon = start(config(port, **patient), worker=hostile.program)
    hostile.plan("gate", slot=0)
    daemon.hup()
    hostile.wait_held()
    hostile.plan("real")
    with Load(port) as load, contextlib.ExitStack() as connections:
        asking = ask_many(daemon, port, 50, lambda: connections.enter_context(posted(daemon, "/v1/reload")), **patient)
        hostile.open_gate()
        answers = [answer() for answer in asking]
        seen = load.result()
    assert {(status, outcome["verdict"]) for status, outcome in answers} == {(200, "applied")}, answers
    assert check_many(daemon, [outcome["generation"] for _, outcome in answers], figure, seen) == 2


# -- verdicts

def test_an_instant_is_told_alike_each_time(start, port):
    """It is noted, not reckoned back from now, which is another second now and then."""
    daemon = start(config(port))
    assert daemon.reload().word == "applied"
    told, end = set(), time.monotonic() + 1.2
    while time.monotonic() < end:  # past the end of a second of the clock
        now = get(daemon)
        told.add((now["last_reload"]["started_at"], now["config"]["loaded_at"],
                  metrics(socket_of(daemon))["gracefuld_start_timestamp_seconds"]))
    assert len(told) == 1, told


def check_verdict(daemon, figure, word, answers, error=None):
    """Exit status, JSON, log, counter and status agree. `answers`: what makes it; once by gracefulctl, once by curl."""
    args, body = answers
    before, since = counted(daemon, word), daemon.mark()
    status, text = ctl(daemon, "reload", *args)
    assert status == EXIT[word], text
    assert f": {word}" in text
    code, outcome = curl(daemon, "/v1/reload", body)
    assert (code, outcome["verdict"]) == (STATUS[word], word), outcome
    assert counted(daemon, word) == before + 2
    assert metrics(socket_of(daemon))["gracefuld_config_last_reload_successful"] == (EXIT[word] == 0)
    assert get(daemon)["last_reload"] == outcome
    line = daemon.wait_line(rf"reload {outcome['id']}: {word}: (?!.*gracefuld.conf:)", since=since).string
    assert f"generation {outcome['generation']}" in line
    assert outcome["generation"] == get(daemon)["generation"]
    if error:
        for told in (text, outcome["error"], "\n".join(daemon.log.lines[since:])):
            assert re.search(error, told), told
    else:
        assert outcome["error"] is None
    figure(f"exit {status}, {code}, {text.splitlines()[-1]!r}")


def test_applied(start, port, figure):
    daemon = start(config(port))
    daemon.write(config(port, workers=3))
    check_verdict(daemon, figure, "applied", ([], {}))
    assert get(daemon)["generation"] == 3


def test_unchanged(start, port, figure):
    daemon = start(config(port))
    old = daemon.pids()
    check_verdict(daemon, figure, "unchanged", (["--if-changed"], {"if_changed": True}))
    assert daemon.pids() == old
    daemon.write(config(port, workers=3))
    assert curl(daemon, "/v1/reload", {"if_changed": True})[1]["changes"] == ["workers: 2 -> 3"]


@pytest.mark.parametrize("how", ["parse", "check", "bind"])
def test_rejected(start, port, figure, how):
    daemon = start(config(port))
    old = daemon.pids()
    with socket.socket() as other:
        other.bind(("0.0.0.0", 0))
        other.listen()
        taken = other.getsockname()[1]
        text, error = {"parse": ("workers = ;\n", r"gracefuld\.conf:1: "),
                       "check": (config(port, service={"type": "helo"}), r"gracefuld\.conf:3: .*\"hello\""),
                       "bind": (config(taken), rf"gracefuld\.conf:\d: .*{taken}.*in use")}[how]
        daemon.write(text)
        check_verdict(daemon, figure, "rejected", ([], {}), error)
    assert daemon.pids() == old
    assert get(daemon)["generation"] == 1


@pytest.mark.parametrize("plan, error", [("crash", "signal 11"), ("fail", 'the database is "gone"'), ("hang", "not ready")])
def test_reverted(start, port, hostile, figure, plan, error):
    daemon = start(config(port), worker=hostile.program)
    old = daemon.pids()
    hostile.plan(plan)
    if plan == "hang":
        daemon.write(config(port, roll=ROLL))
    check_verdict(daemon, figure, "reverted", ([], {}), error)
    assert daemon.pids() == old
    assert get(daemon)["generation"] == 1


def test_timeout(start, port, hostile, figure):
    """The caller's patience ends, not the reload."""
    daemon = start(config(port), worker=hostile.program)
    hostile.plan("gate", slot=0)
    since = daemon.mark()
    status, text = ctl(daemon, "reload", "--timeout", "0.1")
    assert status == EXIT["timeout"] and "timeout" in text, text
    hostile.wait_held()
    hostile.plan("real")
    code, outcome = curl(daemon, "/v1/reload", {"timeout_s": 0.1})
    assert code == 504 and outcome == {"id": None, "verdict": "timeout", "error": outcome["error"]}
    now = get(daemon)
    assert now["state"] == "reloading" and now["last_reload"] is None
    assert now["roll"]["direction"] == "forward" and now["roll"]["target"] == 2
    hostile.open_gate()
    assert daemon.wait_verdict(since).word == "applied"
    wait_until(lambda: get(daemon)["state"] == "running", "it runs on")
    assert get(daemon)["last_reload"]["verdict"] == "applied"
    assert counted(daemon, "applied") == len(daemon.log.find(r"reload \d+: applied"))
    figure(f"exit {status}, {code}, {text.strip()!r}")


def test_unavailable_without_a_daemon(start, port, figure):
    daemon = start(config(port))
    daemon.stop()
    assert not os.path.exists(socket_of(daemon))
    status, text = ctl(daemon, "reload")
    assert status == EXIT["unavailable"], text
    figure(f"exit {status}, {text.strip()!r}")


def test_unavailable_when_the_daemon_dies(start, port, hostile, figure):
    """Killed while somebody waits for the verdict, and the path of its socket is left behind."""
    daemon = start(config(port), worker=hostile.program)
    hostile.plan("gate", slot=0)
    asking = ctl_start(daemon, "reload")
    hostile.wait_held()
    daemon.send(signal.SIGKILL)
    status, text = ctl_end(asking)
    assert status == EXIT["unavailable"], text
    again, text_again = ctl(daemon, "reload")
    assert again == EXIT["unavailable"], text_again
    hostile.plan("real")
    hostile.open_gate()
    daemon.wait_exit()
    figure(f"exit {status}, {text.strip()!r}, then {text_again.strip()!r}")


def test_stop_answers_those_who_wait(start, port, hostile, figure):
    daemon = start(config(port), worker=hostile.program)
    hostile.plan("gate", slot=0)
    first = ctl_start(daemon, "reload")
    hostile.wait_held()
    hostile.plan("real")
    with posted(daemon, "/v1/reload") as second:
        daemon.send(signal.SIGTERM)
        status, text = ctl_end(first)
        assert status == EXIT["reverted"] and "the daemon stops" in text, text
        status, outcome = second()
        assert (status, outcome["verdict"], outcome["error"]) == (STATUS["rejected"], "rejected", "the daemon stops"), outcome
    hostile.open_gate()
    assert daemon.wait_exit() == 0
    figure(f"{text!r}, {outcome}")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
def test_events_end_with_the_daemon(start, port, figure, number):
    """The last event and the last chunk come, then the end; a client that keeps its connection is no reason to stay."""
    daemon = start(config(port))
    with connect(socket_of(daemon)) as sock, Events(daemon) as events:
        sock.sendall(b"GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_until(lambda: sock.recv(4096, socket.MSG_PEEK), "the stream has begun")
        daemon.send(number)
        told = b""
        while more := sock.recv(4096):
            told += more
        assert daemon.wait_exit() == 0
        assert events.process.wait(timeout=harness.DEADLINE) == 0, "to curl the reply is whole"
        events.log.wait_end()
        last = events.seen()[-1]
    figure(f"{last}; {told[-30:]}")
    assert last["event"] == "daemon-stopped"
    assert told.endswith(b'"event":"daemon-stopped"}\n\r\n0\r\n\r\n'), told[-200:]


def test_who_reads_nothing_does_not_hold_up_a_stop(start, port, figure):
    """What he has not read of his answers is lost, after a while."""
    daemon = start(config(port))
    with connect(socket_of(daemon)) as sock:
        sock.settimeout(0.5)
        with contextlib.suppress(TimeoutError):
            while True:
                sock.send(b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n" * 100)
        began = time.monotonic()
        assert daemon.stop() == 0
    figure(f"{(time.monotonic() - began) * 1000:.0f} ms")


@pytest.mark.parametrize("body", ["[]", "{", '"x"', '{"wait": 1}', '{"wait": "never"}', '{"timeout_s": -1}', '{"timeout_s": "1"}',
                                  '{"timeout_s": 1e300}', '{"if_changed": 1}', '{"wait": "no", "wait": "no"}', '{"a": "\\ud800"}'])
def test_nonsense_is_no_reload(start, port, body):
    daemon = start(config(port))
    status, text = ask(socket_of(daemon), "/v1/reload", "POST", body)
    assert status == 400 and json.loads(text)["error"], text
    assert not daemon.log.find(r"reload 1")


# -- status

SHAPE = {
    "version": str, "pid": int, "state": str, "generation": int, "uptime_s": float, "service": str,
    "config": {"path": str, "sha256": str, "loaded_at": str, "differs_on_disk": bool},
    "listeners": [{"address": str, "sockets": int, "parked": int, "covered": bool}],
    "workers": [{"slot": int, "pid": int, "generation": int, "state": str, "role": str, "uptime_s": float, "connections": int,
                 "accepted": int, "requests": int, "handed_in": int, "handed_out": int, "restarts": int}],
    "last_reload": {"id": int, "verdict": str, "error": type(None), "generation": int, "changes": [str], "started_at": str,
                    "duration_ms": int, "finished": int, "handed_over": int, "cut": int},
}


def check_shape(found, wanted, where="status"):
    if isinstance(wanted, dict):
        assert isinstance(found, dict) and set(wanted) <= set(found), (where, found)
        for name, of in wanted.items():
            check_shape(found[name], of, f"{where}.{name}")
    elif isinstance(wanted, list):
        assert isinstance(found, list) and found, (where, found)
        for one in found:
            check_shape(one, wanted[0], f"{where}[]")
    else:
        assert type(found) is wanted, (where, found)


def test_status_is_as_documented(start, port, figure):
    daemon = start(config(port))
    assert get(daemon)["last_reload"] is None
    assert daemon.reload(config(port, workers=4)).word == "applied"
    with Client(port).ask().ask() as client:
        now = get(daemon)
        mine = client.server_pid(daemon.pids())
    check_shape(now, SHAPE)
    assert (now["pid"], now["state"], now["generation"], now["service"], now["roll"]) == (daemon.pid, "running", 2, "hello", None)
    assert now["listeners"] == [{"address": f"[::]:{port}", "sockets": 4, "parked": 0, "covered": False}]
    assert [(w["slot"], w["pid"], w["state"], w["role"]) for w in now["workers"]] == \
        [(w.slot, w.pid, "ready", "incumbent") for w in daemon.workers()]
    assert {w["pid"]: (w["connections"], w["accepted"], w["requests"]) for w in now["workers"]} == \
        {pid: (1, 1, 2) if pid == mine else (0, 0, 0) for pid in daemon.pids()}
    assert now["last_reload"]["changes"] == ["workers: 2 -> 4"]
    for instant in (now["config"]["loaded_at"], now["last_reload"]["started_at"]):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", instant)
    assert daemon.reload(config(port, workers=1)).word == "applied"
    assert get(daemon)["listeners"][0] == {"address": f"[::]:{port}", "sockets": 4, "parked": 3, "covered": False}
    figure(f"{len(json.dumps(now))} bytes")


def test_draining_worker_explains_itself(start, port, figure):
    daemon = start(config(port, workers=1, drain_timeout=600, roll=KEEP))
    with Client(port).ask():
        old = daemon.pids()[0]
        assert curl(daemon, "/v1/reload", {"wait": "no"}) == (202, {"id": 1})
        daemon.wait_line(r"ready -> draining")
        leaving, = [w for w in get(daemon)["workers"] if w["pid"] == old]
        now = get(daemon)
    figure(f"since {leaving['draining_since_s']} s, cut in {leaving['cut_in_s']} s")
    assert leaving["state"] == "draining" and leaving["connections"] == 1
    assert 0 <= leaving["draining_since_s"] < 500 < leaving["draining_since_s"] + leaving["cut_in_s"] <= 600
    assert [(w["role"], w["state"]) for w in now["workers"]] == [("incumbent", "draining"), ("successor", "ready")]
    assert now["roll"]["committed"] is True
    daemon.wait_verdict()


def test_slot_in_backoff_is_shown_as_waiting(start, port, hostile, figure):
    daemon = start(config(port, restart={"delay": 600, "max_delay": 600}), worker=hostile.program)
    hostile.plan("crash", slot=1)
    daemon.kill_worker(1)
    daemon.wait_line(r"slot 1: 2 crashes in a row")
    now = wait_until(lambda: next((w for w in get(daemon)["workers"] if w["state"] == "waiting"), None), "a slot waits")
    figure(json.dumps(now))
    assert (now["slot"], now["pid"], now["generation"], now["restarts"]) == (1, None, 1, 2)
    assert 0 < now["spawn_in_s"] <= 600
    text = ctl(daemon, "status")[1]
    assert "waiting" in text, text
    assert ask(socket_of(daemon), "/healthz")[0] == 200, "the other one serves"


def test_differs_on_disk(start, port):
    daemon = start(config(port))

    def differs():
        return get(daemon)["config"]["differs_on_disk"]
    assert not differs()
    daemon.write(config(port, workers=3))
    assert differs()
    assert ctl(daemon, "reload")[0] == 0
    assert not differs()
    os.unlink(daemon.path)
    assert differs()


def test_sha256_is_that_of_the_text_served(start, port):
    daemon = start(config(port))
    sums = set()
    for workers in (3, 2):
        assert daemon.reload(config(port, workers=workers)).word == "applied"
        status, text = ask(socket_of(daemon), "/v1/config")
        assert status == 200 and config(port, workers=workers) in text
        assert hashlib.sha256(text.encode()).hexdigest() == get(daemon)["config"]["sha256"]
        sums.add(get(daemon)["config"]["sha256"])
    assert len(sums) == 2


# -- events

def test_events_tell_all_of_a_reload_in_order(start, port, figure):
    daemon = start(config(port))
    with Events(daemon) as events:
        since = daemon.mark()
        daemon.write(config(port, workers=3))
        assert ctl(daemon, "reload")[0] == 0
        events.wait(r'"event":"reload-applied"')
        daemon.wait_verdict(since)  # (the log may come later)
        seen = events.seen()
    lines = [line.partition(": ")[2] for line in daemon.log.lines[since:] if f"gracefuld[{daemon.pid}]" in line]
    told = [event["text"] for event in seen]
    assert told == [line for line in lines if line in set(told)], "the order of the log"
    assert {line for line in lines if re.match(r"worker \d+ gen|reload \d+:", line)} <= set(told), "and nothing left out"
    assert [event["event"] for event in seen if event["event"].startswith("reload")] == \
        ["reload-started", "reload-change", "reload-applied"]
    steps = {}
    for event in seen:
        assert {"time", "level", "text", "event"} <= set(event), event
        if event["event"] == "worker-state":
            steps.setdefault((event["slot"], event["generation"]), []).append(event["to"])
    assert set(steps) == {(0, 1), (1, 1), (0, 2), (1, 2), (2, 2)}
    for (_, generation), states in steps.items():
        assert states in ({1: [["draining", "stopping", "exited"], ["draining", "exited"]], 2: [["starting", "ready"]]}[generation])
    figure(f"{len(seen)} events for a reload from 2 to 3 workers")


def test_events_do_not_depend_on_the_log_level(start, port):
    daemon = start(config(port))
    assert ctl(daemon, "reload")[0] == 0
    daemon.write(config(port, log={"level": "error"}))
    assert ctl(daemon, "reload")[0] == 0
    with Events(daemon) as events:
        assert ctl(daemon, "reload")[0] == 0
        events.wait(r'"event":"reload-applied"')
        assert [e["to"] for e in events.seen() if e["event"] == "worker-state"].count("ready") == 2


def test_who_never_reads_events_is_cut_off(start, port, figure):
    daemon = start(config(port, workers=8))
    daemon.status()
    before, sockets = private_kb(daemon.pid), len(descriptors(daemon.pid))
    deaf = [connect(socket_of(daemon)) for _ in range(8)]
    try:
        for sock in deaf:
            sock.sendall(b"GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_until(lambda: len(descriptors(daemon.pid)) == sockets + 8, "all are connected")
        with Events(daemon) as events:
            most, rounds = 0, 0
            while len(descriptors(daemon.pid)) > sockets + 1:
                daemon.status()
                most, rounds = max(most, private_kb(daemon.pid)), rounds + 1
                assert rounds < 3000, "nobody was cut off"
            assert daemon.reload().word == "applied"
            events.wait(r'"event":"reload-applied"')
            heard = len(events.seen())
        for sock in deaf:
            got = 0
            try:
                while data := sock.recv(1 << 20):
                    got += len(data)
            except ConnectionResetError:
                pass
    finally:
        for sock in deaf:
            sock.close()
    figure(f"8 cut off after {rounds} reports ({heard} events for one who reads); {before} kB before, {most} kB at most")
    if not harness.is_sanitized():
        assert most - before < 8 * 256 * 3


# -- live options

def test_shorter_drain_timeout_applies_to_a_drain_under_way(start, port, figure):
    daemon = start(config(port, workers=1, drain_timeout=100, roll=KEEP))
    with Client(port).ask() as client:
        first = ctl_start(daemon, "reload")
        daemon.wait_line(r"ready -> draining")
        began = time.monotonic()
        daemon.write(config(port, workers=1, drain_timeout=0.2, roll=KEEP))
        status, text = ctl(daemon, "reload")
        assert client.end() in ("closed", "reset")
    answers = [ctl_end(first), (status, text)]
    figure(f"cut {time.monotonic() - began:.2f} s after the second reload was asked for; {answers[0][1].splitlines()[-1]!r}")
    assert [status for status, _ in answers] == [0, 0], answers
    assert "1 cut" in answers[0][1]


def read_so_far(daemon):
    """Waits until all that has been logged is read: what is rejected is told at each level. (Other verdicts may come before it.)"""
    since = daemon.mark()
    daemon.write("nonsense")
    daemon.hup()
    daemon.wait_line(r"reload \d+: rejected: 1 error", since=since)


def test_log_level_changes_at_once(start, port, figure):
    daemon = start(config(port))
    lines = []
    for level in ("error", "info"):
        daemon.write(config(port, log={"level": level}))
        assert ctl(daemon, "reload")[0] == 0
        read_so_far(daemon)
        since = daemon.mark()
        assert ctl(daemon, "restart", "0")[0] == 0
        read_so_far(daemon)
        lines.append(len(daemon.log.find(r"worker 0 gen", since)))
    figure(f"lines for the restart of a worker, with level error and info: {lines}")
    assert lines[0] == 0 < lines[1]


def test_control_path_moves(start, port, directory):
    daemon = start(config(port))
    old, new = socket_of(daemon), os.path.join(directory, "moved.sock")
    daemon.write(config(port, control={"path": new}))
    status, text = ctl(daemon, "reload")  # is answered by the connection that it came by
    assert status == 0 and "control.path" in text, text
    assert not os.path.exists(old)
    assert json.loads(ask(new, "/v1/status")[1])["generation"] == 2
    assert ctl(daemon, "reload", path=old)[0] == EXIT["unavailable"]
    daemon.write(config(port))
    assert ctl(daemon, "reload", path=new)[0] == 0
    assert get(daemon)["generation"] == 3 and not os.path.exists(new)


def test_control_mode_changes(start, port):
    daemon = start(config(port))
    for mode in ("0600", "0666"):
        assert daemon.reload(config(port, control={"mode": mode})).word == "applied"
        assert os.stat(socket_of(daemon)).st_mode & 0o777 == int(mode, 8)
    get(daemon)


def test_metrics_address_comes_moves_and_goes(start, port):
    daemon = start(config(port))
    first, second = free_port(), free_port()
    for number, there, gone in ((first, [first], []), (second, [second], [first]), (None, [], [first, second])):
        daemon.write(config(port, metrics=number and f"127.0.0.1:{number}"))
        assert ctl(daemon, "reload")[0] == 0
        for where in there:
            assert metrics(("127.0.0.1", where))["gracefuld_generation"] == get(daemon)["generation"]
        for where in gone:
            with pytest.raises(ConnectionRefusedError):
                connect(("127.0.0.1", where))


@pytest.mark.parametrize("bad", ["in use", "nonsense", "group"])
def test_bad_control_options_reject_the_reload(start, port, directory, bad):
    first, moved = free_port(), os.path.join(directory, "moved.sock")
    daemon = start(config(port, metrics=f"127.0.0.1:{first}"))
    old, held = daemon.pids(), descriptors(daemon.pid)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        options = {"in use": {"metrics": f"127.0.0.1:{taken}"}, "nonsense": {"metrics": "everywhere"},
                   "group": {"control": {"path": moved, "group": "no-such-group"}}}[bad]
        daemon.write(config(port, workers=3, **{"control": {"path": moved}, **options}))
        status, text = ctl(daemon, "reload")
    assert status == EXIT["rejected"], text
    assert re.search(rf"gracefuld\.conf:\d+: {'control.group' if bad == 'group' else 'metrics'}: ", text), text
    assert not os.path.exists(moved)
    assert daemon.pids() == old
    wait_until(lambda: descriptors(daemon.pid) == held, "nothing is left open")
    assert metrics(("127.0.0.1", first))["gracefuld_generation"] == 1
    assert get(daemon)["generation"] == 1


# -- scale and restart

def test_scale(start, port, figure):
    """Up and down again: never fewer ready than both before and after."""
    daemon = start(config(port, workers=2))
    least = []
    with Load(port) as load:
        for old, new in ((2, 4), (4, 1), (1, 3), (3, 3)):
            with ReadyCount(daemon) as ready:
                status, text = ctl(daemon, "scale", str(new))
                assert status == 0, text
                daemon.wait_settled(new)
                ready.events.wait(r'"event":"reload-applied"')
                least.append(ready.least())
            assert len(get(daemon)["workers"]) == new
            assert least[-1] >= min(old, new)
        seen = load.result()
    figure(f"2 -> 4 -> 1 -> 3 -> 3 workers: {least} ready at least; {load_text(seen)}")
    assert_no_failure(seen)
    assert ctl(daemon, "reload")[0] == 0
    assert len(get(daemon)["workers"]) == 2, "a reload of the file means what the file says"


@pytest.mark.parametrize("body", ["{}", '{"workers": 0}', '{"workers": 1025}', '{"workers": "2"}', '{"workers": 2.5}', "[4]"])
def test_scale_to_nonsense(start, port, body):
    daemon = start(config(port))
    assert ask(socket_of(daemon), "/v1/scale", "POST", body)[0] == 400
    assert len(get(daemon)["workers"]) == 2


def test_signals_scale(start, port, figure):
    daemon = start(config(port, workers=1))
    with Load(port) as load, ReadyCount(daemon) as ready:
        for number, workers in ((signal.SIGTTIN, 2), (signal.SIGTTIN, 3), (signal.SIGTTOU, 2), (signal.SIGTTOU, 1)):
            since = daemon.mark()
            daemon.send(number)
            assert daemon.wait_verdict(since).word == "applied"
            daemon.wait_settled(workers)
        seen = load.result()
    figure(f"1 -> 2 -> 3 -> 2 -> 1: {ready.least()} ready at least; {load_text(seen)}")
    assert_no_failure(seen)
    assert ready.least() == 1


def serving(daemon):
    """{slot: pid}, by the status: what is in there has happened, while the log may still be on its way to the test."""
    return {w["slot"]: w["pid"] for w in get(daemon)["workers"]}


def test_restart_of_a_slot(start, port, figure):
    daemon = start(config(port, workers=3))
    rounds = scaled(10, 2)
    with Load(port) as load, ReadyCount(daemon) as ready:
        for _ in range(rounds):
            old = serving(daemon)
            status, text = ctl(daemon, "restart", "1")
            assert status == 0, text
            new = serving(daemon)
            assert new[1] != old[1] and (new[0], new[2]) == (old[0], old[2])
        seen = load.result()
    figure(f"{rounds} times: {ready.least()} of 3 ready at least; {load_text(seen)}")
    assert_no_failure(seen)
    assert ready.least() == 3
    assert get(daemon)["generation"] == 1 and get(daemon)["last_reload"] is None
    assert ask(socket_of(daemon), "/v1/workers/3/restart", "POST")[0] == 404


def test_restart_with_a_broken_program_keeps_the_old_worker(start, port, hostile, figure):
    # enough for workers that start while the machine has other things to do
    daemon = start(config(port, roll={"ready_timeout": 5}), worker=hostile.program)
    old = serving(daemon)
    with Load(port) as load, ReadyCount(daemon) as ready:
        for plan in ("crash", "fail", "hang"):
            hostile.plan(plan)
            status, text = ctl(daemon, "restart", "0")
            assert status == EXIT["reverted"], text
            code, outcome = curl(daemon, "/v1/workers/0/restart", {})
            assert code == 409 and outcome["verdict"] == "reverted", outcome
            assert serving(daemon) == old
        seen = load.result()
    figure(f"{ready.least()} ready at least; {load_text(seen)}; {text.strip()!r}")
    assert_no_failure(seen)
    assert ready.least() == 2
    hostile.plan("real")
    assert ctl(daemon, "restart", "0")[0] == 0
    assert serving(daemon)[1] == old[1] and serving(daemon)[0] != old[0]


# -- health

def health(daemon):
    return [ask(socket_of(daemon), path)[0] for path in ("/healthz", "/readyz")]


def test_health_through_the_life_of_the_daemon(launch, port, hostile):
    hostile.plan("gate", slot=0)
    daemon = launch(config(port, workers=1), worker=hostile.program)
    hostile.wait_held()
    assert health(daemon) == [503, 503]
    now = get(daemon)
    assert (now["state"], now["generation"], now["config"], now["service"]) == ("starting", 0, None, None)
    assert ask(socket_of(daemon), "/v1/config")[0] == 503
    assert metrics(socket_of(daemon))["gracefuld_generation"] == 0
    hostile.open_gate()
    daemon.wait_ready()
    assert health(daemon) == [200, 200]
    hostile.plan("gate", slot=0)
    daemon.hup()
    hostile.wait_held()
    assert health(daemon) == [200, 200]
    hostile.plan("real")
    hostile.open_gate()
    daemon.wait_verdict()
    with Client(port).ask():
        daemon.send(signal.SIGTERM)
        daemon.wait_line(r"-> draining \(stop\)")
        assert health(daemon) == [200, 503]
        assert get(daemon)["state"] == "stopping"
    assert daemon.wait_exit() == 0


def test_no_worker_is_no_health(start, port, hostile):
    daemon = start(config(port, workers=1, restart={"delay": 600, "max_delay": 600}), worker=hostile.program)
    hostile.plan("crash")
    daemon.kill_worker(0)
    daemon.wait_line(r"2 crashes in a row")
    assert health(daemon) == [503, 503]


def test_a_start_that_fails_leaves_the_running_daemon_its_socket(launch, start, port):
    daemon = start(config(port))
    other = launch(config(port, drain_timeout=11))
    assert other.wait_exit() != 0
    assert get(daemon)["pid"] == daemon.pid


def test_lame_duck(start, port, figure):
    daemon = start(config(port, lame_duck=300))
    with Load(port) as load:
        daemon.send(signal.SIGTERM)
        daemon.wait_line(r"stopping \(SIGTERM\)")
        assert health(daemon) == [200, 503]
        for _ in range(100):
            with Client(port) as client:
                client.ask()
        seen = load.result()
    assert_no_failure(seen)
    assert health(daemon) == [200, 503] and not daemon.log.find(r"-> draining"), "all of that was before the drain"
    figure(f"/readyz said 503 at once; meanwhile {load_text(seen)}")
    daemon.send(signal.SIGTERM)  # which ends it
    assert daemon.wait_exit() == 0


def test_lame_duck_has_an_end(start, port, figure):
    daemon = start(config(port, lame_duck=2))
    began = time.monotonic()
    daemon.send(signal.SIGTERM)
    daemon.wait_line(r"still accepting for 2")
    assert daemon.wait_exit() == 0
    took = time.monotonic() - began
    figure(f"stopped after {took:.2f} s")
    assert took >= 2


def test_second_term_skips_lame_duck(start, port, figure):
    daemon = start(config(port, lame_duck=300))
    began = time.monotonic()
    daemon.send(signal.SIGTERM)
    daemon.wait_line(r"still accepting for 300")
    daemon.send(signal.SIGTERM)
    assert daemon.wait_exit() == 0
    figure(f"stopped after {time.monotonic() - began:.3f} s")


@pytest.mark.parametrize("now", [False, True])
def test_stop(start, port, now):
    daemon = start(config(port, drain_timeout=600))
    with Client(port).ask() as client:
        status, text = ctl(daemon, "stop", *(["--now"] if now else []))
        assert status == 0, text
        if now:
            client.end()
        else:
            daemon.wait_line(r"-> draining")
            client.ask()
    assert daemon.wait_exit() == 0


# -- rights

@pytest.fixture
def client_program(directory):
    """A gracefulctl that everybody can reach."""
    return shutil.copy(GRACEFULCTL, directory)


def somebody(groups="--clear-groups"):
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", groups]


@as_root
def test_others_may_read_and_change_nothing(start, port, client_program, figure):
    daemon = start(config(port, control={"mode": "0666"}))
    other = {"program": client_program, "prefix": somebody()}
    old = daemon.pids()
    status, text = ctl(daemon, "status", "--json", **other)
    assert status == 0 and json.loads(text)["pid"] == daemon.pid
    assert ctl(daemon, "config", **other)[0] == 0
    for command, path in ((["reload"], "reload"), (["scale", "3"], "scale"), (["restart", "0"], "workers/#/restart"), (["stop"], "stop")):
        since = daemon.mark()
        status, text = ctl(daemon, *command, **other)
        assert status == EX_NOPERM, text
        daemon.wait_line(rf"warning: control: user {NOBODY} \(pid \d+\) may not ask for /v1/{path}", since=since)
    with as_nobody():
        assert ask(socket_of(daemon), "/v1/reload", "POST")[0] == 403
    assert daemon.pids() == old and not daemon.log.find(r"reload 1|stopping")
    figure(f"exit {status}, {text.strip()!r}")


@as_root
def test_members_of_the_group_may_change_things(start, port, client_program):
    daemon = start(config(port, control={"group": "adm"}))
    outsider = {"program": client_program, "prefix": somebody()}
    member = {"program": client_program, "prefix": somebody("--groups=adm")}
    assert ctl(daemon, "reload", **member)[0] == 0
    assert ctl(daemon, "reload", **outsider)[0] == EX_NOPERM, "mode 0660"
    assert daemon.reload(config(port, control={"group": "adm", "mode": "0666"})).word == "applied"
    assert ctl(daemon, "scale", "3", **outsider)[0] == EX_NOPERM
    assert ctl(daemon, "scale", "3", **member)[0] == 0
    assert daemon.reload(config(port, control={"mode": "0666"})).word == "applied"
    assert ctl(daemon, "scale", "3", **member)[0] == EX_NOPERM, "it is the group no more"


@as_root
def test_nobody_else_may_connect_with_0600(start, port, client_program, figure):
    daemon = start(config(port, control={"mode": "0600"}))
    status, text = ctl(daemon, "status", program=client_program, prefix=somebody())
    assert status == EX_NOPERM, text
    assert ctl(daemon, "status")[0] == 0
    figure(f"exit {status}, {text.strip()!r}")


def test_nothing_is_changed_by_tcp(start, port):
    address = ("127.0.0.1", free_port())
    daemon = start(config(port, metrics=f"127.0.0.1:{address[1]}"))
    assert [ask(address, path)[0] for path in ("/metrics", "/v1/status", "/healthz", "/readyz")] == [200] * 4
    for path in ("/v1/reload", "/v1/scale", "/v1/workers/0/restart", "/v1/stop"):
        assert ask(address, path, "POST", "{}")[0] == 403
    daemon.wait_line(r"warning: control: a client by TCP may not ask for /v1/stop")
    assert not daemon.log.find(r"reload 1|stopping")


# -- hostile clients

def reload_ms(daemon, times):
    """The duration of reloads in the middle of their list."""
    found = []
    for _ in range(times):
        outcome = curl(daemon, "/v1/reload", {})[1]
        assert outcome["verdict"] == "applied", outcome
        found.append(outcome["duration_ms"])
    return sorted(found)[len(found) // 2]


def flood(address, stop, counts, n):
    """Requests without end, answers unread; and again when it is cut off."""
    while not stop.is_set():
        try:
            with connect(address) as sock:
                sock.settimeout(0.2)
                while not stop.is_set():
                    counts[n] += sock.send(b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n" * 200)
        except OSError:
            stop.wait(0.02)


def big_head(address, stop, counts, n):
    """Ten megabytes of head."""
    chunk = b"X-Long: " + b"x" * 65000 + b"\r\n"
    while not stop.is_set():
        try:
            with connect(address) as sock:
                sock.sendall(b"GET / HTTP/1.1\r\n")
                for _ in range(10 * 1024 * 1024 // len(chunk)):
                    sock.sendall(chunk)
                    counts[n] += len(chunk)
        except OSError:
            stop.wait(0.02)


def garbage(address, stop, counts, n):
    while not stop.is_set():
        try:
            with connect(address) as sock:
                sock.sendall(os.urandom(4096))
                sock.shutdown(socket.SHUT_WR)
                counts[n] += len(sock.recv(4096))
        except OSError:
            pass
        stop.wait(0.005)


def drip(sock, data=b"x"):
    """Sends a byte. False: the server has ended the connection."""
    try:
        sock.send(data)
        return True
    except OSError:
        return False


def drip_all(socks):
    """How many connections are there still?"""
    return sum([drip(sock) for sock in socks])


def besiege(address, connections):
    """Connections that will send their heads byte by byte."""
    def one():
        try:
            return connect(address)
        except BlockingIOError:
            return None  # the queue of a UNIX socket is full
    slow = []
    for _ in range(connections):
        slow.append(wait_until(one, "a place in the queue"))
        slow[-1].setblocking(False)
        drip(slow[-1], b"GET /v1/status HTTP/1.1\r\nX-Slow: ")
    return slow


class Attack:
    """Those who are slow, and others who send too much."""

    def __init__(self, address, slow):
        self.stop, self.slow, self.counts = threading.Event(), slow, [0, 0, 0]
        self.threads = [threading.Thread(target=how, args=(address, self.stop, self.counts, n))
                        for n, how in enumerate((flood, big_head, garbage))]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        drip_all(self.slow)
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join()
        for sock in self.slow:
            sock.close()


@pytest.fixture
def many_files():
    old = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, old[1]), old[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, old)


def tcp_of(daemon):
    """The address of its metrics."""
    with open(daemon.path, encoding="utf-8") as file:
        return "127.0.0.1", int(re.search(r'metrics = "127.0.0.1:(\d+)"', file.read())[1])


def attack_on(daemon, way, slow):
    if way == "tcp":
        address = tcp_of(daemon)
        return Attack(address, besiege(address, slow))
    # A process has one user: those who send too much come as one who may change things, which must not help them.
    with as_nobody():
        return Attack(socket_of(daemon), besiege(socket_of(daemon), slow))


@pytest.mark.parametrize("way, slow", [("tcp", 1000), ("tcp", 20), pytest.param("another user", 1000, marks=as_root)])
def test_hostile_clients_hold_up_nobody(start, port, elsewhere, many_files, figure, way, slow):
    """A thousand are more than are let in; with twenty there is room for those who send without end. What they cost the machine they
    cost wherever they go: so all is compared with the same while they besiege another daemon."""
    def text(at):
        return config(at, control={"mode": "0666"}, metrics=f"127.0.0.1:{free_port()}", restart={"delay": 0.01, "max_delay": 0.05})

    def measure():
        return reload_ms(daemon, times), status_ms(daemon, times), respawn_ms(daemon)
    daemon, other = start(text(port)), start(text(free_port()), within=elsewhere)
    times = scaled(20, 5)
    held, memory = sorted(descriptors(daemon.pid).values()), private_kb(daemon.pid)
    with attack_on(other, way, slow):
        quiet = measure()
    with attack_on(daemon, way, slow) as attack:
        busy = measure()
        left = drip_all(attack.slow)
        with Load(port) as load:
            assert daemon.reload().word == "applied"
            seen = load.result()
        most = private_kb(daemon.pid)
    figure(f"{len(attack.slow)} slow ones ({left} left), {[n // 1000 for n in attack.counts]} kB of flood, heads, garbage; "
           f"while they are elsewhere -> here: {comparison(quiet, busy)}, {memory} -> {most} kB; {load_text(seen)}")
    assert_no_failure(seen)
    assert len(attack.slow) == slow and all(attack.counts[:2])
    if LOAD >= 1:
        check_comparison(quiet, busy)
    if not harness.is_sanitized():
        assert most - memory < 16 * 1024
    wait_until(lambda: sorted(descriptors(daemon.pid).values()) == held, "all descriptors are back", timeout=harness.DEADLINE * 2)


def respawn_ms(daemon, slot=1):
    """From the death of a worker until another one serves."""
    old, since, began = daemon.worker(slot).pid, daemon.mark(), time.monotonic()
    os.kill(old, signal.SIGKILL)
    daemon.wait_line(rf"worker {slot} gen \d+ pid (?!{old}:)\d+: starting -> ready", since=since)
    return (time.monotonic() - began) * 1000


def comparison(quiet, busy):
    """Of a reload, a status at most, and a respawn."""
    return ", ".join(f"{what} {before:.1f} -> {now:.1f} ms" for what, before, now in zip(("reload", "status", "respawn"), quiet, busy))


def check_comparison(quiet, busy):
    """Side by side, since a machine may be slow."""
    for before, now, more in zip(quiet, busy, (300, 1000, 1000)):
        assert now < before * 10 + more, comparison(quiet, busy)


def status_ms(daemon, times):
    """The slowest."""
    slowest = 0.0
    for _ in range(times):
        began = time.monotonic()
        assert get(daemon)["state"] in ("running", "reloading")
        slowest = max(slowest, (time.monotonic() - began) * 1000)
    return slowest


@contextlib.contextmanager
def greedy_readers(daemon, path):
    """Seventy that ask and read without pause, all that they may."""
    how = {"mode": "keepalive", "proto": "http"}
    with Load(tcp_of(daemon), "--path", path, connections=60, **how) as tcp, \
            Load(socket_of(daemon), "--path", path, connections=10, **how) as local:
        yield tcp, local


@pytest.mark.parametrize("path", ["/v1/status", "/healthz", "/metrics"])
def test_greedy_readers_hold_up_nobody(start, port, elsewhere, figure, path):
    """Compared, too, with the same readers at another daemon."""
    def text(at):
        return config(at, metrics=f"127.0.0.1:{free_port()}")

    def measure():
        return reload_ms(daemon, times), status_ms(daemon, times), respawn_ms(daemon, slot=0)
    daemon, other = start(text(port)), start(text(free_port()), within=elsewhere)
    times = scaled(20, 5)
    with greedy_readers(other, path):
        quiet = measure()
    with greedy_readers(daemon, path) as readers:
        ticks, began = cpu_ticks(daemon.pid), time.monotonic()
        busy = measure()
        processor = (cpu_ticks(daemon.pid) - ticks) / (time.monotonic() - began)
        seen = [load.result() for load in readers]
    figure(f"{seen[0]['ok_per_s']:.0f} + {seen[1]['ok_per_s']:.0f} answers/s; while they are elsewhere -> here: "
           f"{comparison(quiet, busy)}, {processor:.0f} % of a processor")
    for each in seen:
        assert_no_failure(each)
    if LOAD >= 1:
        check_comparison(quiet, busy)


def raw(daemon, data, half_open=True):
    """All that is answered to these bytes."""
    answer = b""
    with connect(socket_of(daemon)) as sock:
        try:
            sock.sendall(data)
            if half_open:
                sock.shutdown(socket.SHUT_WR)
            while more := sock.recv(65536):
                answer += more
        except (ConnectionResetError, BrokenPipeError):
            pass
    return answer


def test_odd_requests(start, port, figure):
    daemon = start(config(port))
    held = sorted(descriptors(daemon.pid).values())
    head = raw(daemon, b"HEAD /v1/status HTTP/1.1\r\nHost: x\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ") and head.endswith(b"\r\n\r\n") and b"Content-Length: 0\r\n" not in head
    answers = {
        "no path": (b"GET /none HTTP/1.1\r\nHost: x\r\n\r\n", b"404"),
        "no number": (b"POST /v1/workers/x/restart HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", b"404"),
        "large number": (b"POST /v1/workers/99999999999999999999/restart HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", b"404"),
        "GET of an order": (b"GET /v1/reload HTTP/1.1\r\nHost: x\r\n\r\n", b"405"),
        "POST of a question": (b"POST /v1/status HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", b"405"),
        "DELETE": (b"DELETE /v1/status HTTP/1.1\r\nHost: x\r\n\r\n", b"405"),
        "garbage": (bytes(range(256)), b"400"),
        "large body": (b"POST /v1/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n{", b"413"),
        "long head": (b"GET / HTTP/1.1\r\nX: " + b"x" * 20000 + b"\r\n\r\n", b"431"),
    }
    for name, (data, status) in answers.items():
        assert raw(daemon, data).startswith(b"HTTP/1.1 " + status), (name, raw(daemon, data))
    assert not raw(daemon, b"POST /v1/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{").startswith(b"HTTP/1.1 2")
    times = scaled(5000, 500)
    answered = raw(daemon, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * times).count(b"HTTP/1.1 200 ")
    figure(f"{answered} of {times} pipelined requests answered")
    assert answered == times
    assert not daemon.log.find(r"reload 1")
    wait_until(lambda: sorted(descriptors(daemon.pid).values()) == held, "all descriptors are back")


def test_who_asks_and_goes(start, port, hostile):
    """A reload goes on without the one who asked for it, and is nobody's crash."""
    daemon = start(config(port), worker=hostile.program)
    hostile.plan("gate", slot=0)
    since = daemon.mark()
    with connect(socket_of(daemon)) as sock:
        sock.sendall(b"POST /v1/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        hostile.wait_held()
    hostile.plan("real")
    waiting = [connect(socket_of(daemon)) for _ in range(20)]
    for sock in waiting:
        sock.sendall(b"POST /v1/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
    get(daemon)
    for sock in waiting:
        sock.close()
    get(daemon)
    hostile.open_gate()
    assert daemon.wait_verdict(since).word == "applied"
    wait_until(lambda: get(daemon)["state"] == "running", "it runs on")
    assert len(daemon.log.find(r"reload \d+: started")) <= 2
