"""gracefulctl reload, scale, restart and stop: what is asked for, what is said of it, and with which exit status."""

import threading

import pytest
from fake_daemon import outcome

CHANGES = {  # arguments: what is asked for, what a person calls it
    ("reload",): ("POST /v1/reload", "reload 6"),
    ("scale", "4"): ("POST /v1/scale", "scale to 4"),
    ("restart", "1"): ("POST /v1/workers/1/restart", "restart of slot 1"),
}

VERDICTS = [  # HTTP status, answer, exit status, the last line
    (200, outcome(), 0, "applied: generation 7 in 41ms; 3 finished, 120 handed over, 0 cut"),
    (200, outcome("unchanged"), 0, "unchanged; generation 7 serves"),
    (422, outcome("rejected", error="F:3: no", problems=["F:3: no", "F:5: neither"]), 1,
     "rejected: 2 errors; nothing was changed; generation 7 serves"),
    (422, outcome("rejected", error="the daemon stops"), 1, "rejected: the daemon stops; nothing was changed; generation 7 serves"),
    (409, outcome("reverted", error="worker 1 gen 8 pid 901 crashed"), 2,
     "reverted: worker 1 gen 8 pid 901 crashed; generation 7 serves again, after 41ms"),
    (504, outcome("timeout", duration_ms=10000), 3, "timeout: not finished after 10s; it goes on"),
]


@pytest.mark.parametrize("arguments", CHANGES)
@pytest.mark.parametrize("http, answer, exit_status, line", VERDICTS)
def test_each_verdict_has_its_exit_status_and_line(daemon, run, arguments, http, answer, exit_status, line):
    path, name = CHANGES[arguments]
    daemon.on[path] = lambda exchange: exchange.json(http, answer)
    done = run(*arguments)
    assert done.returncode == exit_status
    assert daemon.requests == [path]
    said = done.stderr if exit_status else done.stdout
    assert said.splitlines()[-1] == f"{name}: {line}"
    if exit_status == 0:
        assert done.stderr == ""


@pytest.mark.parametrize("arguments, body", [
    (["reload"], {"wait": "drained", "timeout_s": None, "if_changed": False}),
    (["reload", "--wait=ready", "--if-changed"], {"wait": "ready", "timeout_s": None, "if_changed": True}),
    (["reload", "--wait", "no"], {"wait": "no", "timeout_s": None, "if_changed": False}),
    (["reload", "--timeout", "90"], {"wait": "drained", "timeout_s": 90, "if_changed": False}),
    (["reload", "--timeout=1.5m"], {"wait": "drained", "timeout_s": 90, "if_changed": False}),
    (["reload", "--timeout=0.25"], {"wait": "drained", "timeout_s": 0.25, "if_changed": False}),
    (["scale", "4"], {"workers": 4}),
    (["restart", "1"], {}),
])
def test_what_is_asked_for(daemon, run, arguments, body):
    for path, _ in CHANGES.values():
        daemon.on[path] = outcome()
    assert run(*arguments).returncode == 0
    assert daemon.bodies == [body]


def test_problems_are_listed_on_stderr_for_an_editor(daemon, run):
    problems = ["/etc/x.conf:3: unknown option \"prot\"; did you mean \"port\"?", "/etc/y.conf:5: \x1b[2J"]
    daemon.on["POST /v1/reload"] = lambda e: e.json(422, outcome("rejected", error=problems[0], problems=problems))
    done = run("reload")
    assert done.stdout == ""
    assert done.stderr.splitlines()[:-1] == [problems[0], r"/etc/y.conf:5: \x1b[2J"]


def test_changes_are_listed_before_the_verdict(daemon, run):
    daemon.on["POST /v1/reload"] = outcome(changes=["workers: 2 -> 4", "port: 1\n -> 2"])
    assert run("reload").stdout.splitlines()[:-1] == ["workers: 2 -> 4", r"port: 1\n -> 2"]


def test_reload_that_is_not_waited_for(daemon, run):
    daemon.on["POST /v1/reload"] = lambda exchange: exchange.json(202, {"id": 9})
    done = run("reload", "--wait=no")
    assert (done.returncode, done.stdout, done.stderr) == (0, "reload 9: begun\n", "")


@pytest.mark.parametrize("http, answer, exit_status, line", [
    (403, {"error": "only root may"}, 77, "the daemon says: only root may"),
    (403, "", 77, "the daemon does not allow it"),
    (404, {"error": "no slot 1"}, 1, "restart of slot 1: the daemon says: no slot 1"),
    (400, "<html>", 1, "restart of slot 1: the daemon answers with HTTP status 400"),
    (503, {"error": "the daemon starts"}, 4, "the daemon says: the daemon starts"),
    (500, {"error": "out of \x07memory"}, 76, r"the daemon says: out of \x07memory"),
    (200, {"verdict": "\x1b[2J"}, 76, r'the daemon gives no verdict that is known here: "\x1b[2J"'),
    (200, {}, 76, 'the daemon gives no verdict that is known here: ""'),
])
def test_refusals(daemon, run, http, answer, exit_status, line):
    def refuse(exchange):
        if isinstance(answer, str):
            exchange.text(http, answer, "text/html")
        else:
            exchange.json(http, answer)
    daemon.on["POST /v1/workers/1/restart"] = refuse
    done = run("restart", "1")
    assert (done.returncode, done.stdout, done.stderr) == (exit_status, "", f"gracefulctl: {line}\n")


@pytest.mark.parametrize("arguments", CHANGES)
def test_daemon_that_dies_in_the_middle_is_unavailable(daemon, run, arguments):
    path, _ = CHANGES[arguments]
    daemon.on[path] = lambda exchange: None  # and the connection is closed
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.endswith("went away without an answer\n")
    assert daemon.requests == [path]  # nothing is asked for twice


def test_reload_waits_as_long_as_it_takes(daemon, begin):
    """Longer than any other question may take would be too long for a test; that no limit is set is seen by the answer being waited for."""
    asked, go_on = threading.Event(), threading.Event()

    def answer(exchange):
        asked.set()
        go_on.wait(60)
        exchange.json(200, outcome())
    daemon.on["POST /v1/reload"] = answer
    process = begin("reload")
    assert asked.wait(60)
    assert process.poll() is None
    go_on.set()
    assert process.wait(60) == 0


def test_timeout_ends_even_with_a_silent_daemon(daemon, run):
    daemon.on["POST /v1/reload"] = lambda exchange: exchange.wait_closed()
    done = run("reload", "--timeout=10ms")
    assert done.returncode == 3
    assert done.stderr == "gracefulctl: reload: timeout: the daemon has said nothing in 10ms; it may go on\n"


@pytest.mark.parametrize("arguments, now, line", [
    (["stop"], False, "the daemon stops, when its workers have drained"),
    (["stop", "--now"], True, "the daemon stops at once"),
])
def test_stop(daemon, run, arguments, now, line):
    daemon.on["POST /v1/stop"] = lambda exchange: exchange.json(202, {})
    done = run(*arguments)
    assert (done.returncode, done.stdout, done.stderr) == (0, line + "\n", "")
    assert daemon.bodies == [{"now": now}]


@pytest.mark.parametrize("arguments, word", [
    (["reload", "--wait=long"], "--wait"),
    (["reload", "--timeout=0"], "--timeout"),
    (["reload", "--timeout=-1"], "--timeout"),
    (["reload", "--timeout=soon"], "--timeout"),
    (["reload", "--timeout=999999999999"], "--timeout"),
    (["reload", "--timeout"], "--timeout"),
    (["reload", "--hard"], "--hard"),
    (["reload", "now"], '"now"'),
    (["scale"], "missing"),
    (["scale", "0"], '"0"'),
    (["scale", "1025"], '"1025"'),
    (["scale", "-1"], "invalid"),
    (["scale", "4x"], '"4x"'),
    (["scale", "1", "2"], '"2"'),
    (["restart"], "missing"),
    (["restart", "../../stop"], '"../../stop"'),
    (["stop", "--later"], "--later"),
])
def test_usage_errors_ask_for_nothing(daemon, run, arguments, word):
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (64, "")
    first, *rest = done.stderr.splitlines()
    assert word in first
    assert rest and rest[-1].startswith(f"usage: gracefulctl [-s SOCKET] {arguments[0]}")
    assert daemon.requests == []
