"""gracefulctl events"""

import json
import subprocess
import threading

import pytest
from conftest import GRACEFULCTL, environment


@pytest.fixture
def stream(daemon):
    """An open stream of events, once something follows it."""
    class Stream:
        opened, end = threading.Event(), threading.Event()

        def on_events(self, exchange):
            self.exchange = exchange
            exchange.stream()
            self.opened.set()
            assert self.end.wait(60)

        def wait(self):
            assert self.opened.wait(60)
            return self.exchange
    stream = Stream()
    stream.opened, stream.end = threading.Event(), threading.Event()
    daemon.on["GET /v1/events"] = stream.on_events
    yield stream
    stream.end.set()


def test_pipe_gets_each_event_as_a_line_of_json_at_once(stream, begin):
    process = begin("events")
    exchange = stream.wait()
    for n in range(3):
        exchange.state(n, 900, "new", "starting")
        event = json.loads(process.stdout.readline())  # before the next one comes
        assert (event["slot"], event["from"], event["to"]) == (n, "new", "starting")


def test_lines_may_come_in_any_pieces(stream, begin):
    process = begin("events")
    exchange = stream.wait()
    whole = b'{"event":"a"}\n\n{"event":"b"}\n{"event":"c","text":"\\u001B[2J"}\n'
    for n in range(len(whole)):
        exchange.chunk(whole[n:n + 1])
    exchange.chunk(whole)
    lines = [process.stdout.readline() for _ in range(6)]
    assert lines == ['{"event":"a"}\n', '{"event":"b"}\n', '{"event":"c","text":"\\u001B[2J"}\n'] * 2


def test_person_gets_the_line_of_the_log(stream, terminal):
    shown = terminal("events", columns=200)
    exchange = stream.wait()
    exchange.state(0, 900, "ready", "draining")
    exchange.event(event="worker-failed", level="error", text="worker 0 \x1b[2Jcrashed")
    exchange.event(event="of-a-later-version")
    shown.wait_for("of-a-later-version")
    assert shown.screen()[:3] == [
        "2026-01-01T00:00:00.123Z worker 0 gen 7 pid 900: ready -> draining (roll)",
        r"2026-01-01T00:00:00.123Z worker 0 \x1b[2Jcrashed",
        "2026-01-01T00:00:00.123Z of-a-later-version"]
    assert "\x1b[31mworker 0" in shown.raw


def test_terminal_gets_json_when_it_wants_it(stream, terminal):
    shown = terminal("events", "--json", columns=200)
    stream.wait().event(event="x", text="\x1b[2J")
    shown.wait_for('"text":"\\u001B[2J"')


def test_end_of_the_daemon_is_said(stream, run, begin):
    process = begin("events")
    stream.wait().event(event="daemon-stopping")
    stream.end.set()  # the connection is closed in the middle of the stream
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 4
    assert "daemon-stopping" in stdout and stderr.endswith("went away without an answer\n")


def test_orderly_end_is_said_too(daemon, run):
    def end(exchange):
        exchange.stream()
        exchange.raw(b"0\r\n\r\n")
    daemon.on["GET /v1/events"] = end
    done = run("events")
    assert done.returncode == 4 and done.stderr.endswith("has ended the stream\n")


@pytest.mark.parametrize("garbage", [b"no JSON\n", b"[]\n", b'"\n', 70000 * b"x", b"\x1b[2J\n", b'{"a":"\x1b[2J"}\n'])
def test_garbage_ends_it(stream, begin, garbage):
    process = begin("events")
    stream.wait().chunk(garbage)
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (76, "")
    assert "makes no sense" in stderr and "\x1b" not in stderr


def test_refusal(daemon, run):
    daemon.on["GET /v1/events"] = lambda exchange: exchange.json(403, {"error": "no"})
    done = run("events")
    assert (done.returncode, done.stdout, done.stderr) == (77, "", "gracefulctl: the daemon says: no\n")


def test_full_disk_ends_it(stream, socket_path):
    with open("/dev/full", "w", encoding="ascii") as full:
        process = subprocess.Popen([GRACEFULCTL, "-s", socket_path, "events"], stdout=full, stderr=subprocess.PIPE, text=True,
                                   env=environment())
    stream.wait().event(event="x")
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 74
    assert stderr == "gracefulctl: could not write all of the output\n"
