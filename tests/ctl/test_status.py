"""gracefulctl status: what a person sees, and what a script gets."""

import json
import re

import pytest
from fake_daemon import FakeDaemon, outcome, status, worker

GREEN, YELLOW, RED = "\x1b[32m", "\x1b[33m", "\x1b[31m"


def table(text):
    """The workers' table as a list of {title: cell}. Cells have no blanks but in the last column."""
    titles, *rows = [line for line in text.split("\n\n", 1)[1].splitlines() if line]
    names = titles.split()
    return [dict(zip(names, row.split(None, len(names) - 1))) for row in rows]


def test_header_says_how_the_daemon_is(daemon, run):
    daemon.on["GET /v1/status"] = status()
    done = run("status")
    assert (done.returncode, done.stderr) == (0, "")
    head = done.stdout.split("\n\n")[0].splitlines()
    assert head[0] == "gracefuld 0.1.0: running, generation 7, up 3h03m, pid 811"
    assert re.fullmatch(r"config       /etc/gracefuld\.conf, loaded \d+d\d+h ago", head[1])
    assert head[2] == "service      http"
    assert head[3] == "listening    [::]:11111 (4 sockets)"
    assert re.fullmatch(r"last reload  applied: generation 7 in 41ms; 3 finished, 120 handed over, 0 cut; \d+d\d+h ago", head[4])
    assert len(head) == 5


def test_each_worker_has_a_row(daemon, run):
    daemon.on["GET /v1/status"] = status(workers=[worker(0, 900), worker(12, 1234567, restarts=3, connections=1000000)])
    done = run("status")
    assert table(done.stdout) == [
        {"SLOT": "0", "PID": "900", "GEN": "7", "STATE": "ready", "ROLE": "incumbent", "UP": "3m12s", "CONNS": "12",
         "ACCEPTED": "50", "REQUESTS": "400", "IN": "13", "OUT": "14", "RESTARTS": "0"},
        {"SLOT": "12", "PID": "1234567", "GEN": "7", "STATE": "ready", "ROLE": "incumbent", "UP": "3m12s", "CONNS": "1000000",
         "ACCEPTED": "50", "REQUESTS": "400", "IN": "13", "OUT": "14", "RESTARTS": "3"}]


@pytest.mark.parametrize("fields, note", [
    ({"state": "draining", "draining_since_s": 12.3, "cut_in_s": 87.7}, "since 12s, cut in 1m27s"),
    ({"state": "draining", "cut_in_s": 0.25}, "cut in 250ms"),
    ({"state": "waiting", "pid": None, "spawn_in_s": 3.25}, "starts in 3.2s"),
    ({"status": "warming the cache"}, "warming the cache"),
])
def test_note_says_what_comes_next(daemon, run, fields, note):
    daemon.on["GET /v1/status"] = status(workers=[{**worker(0, 900), **fields}])
    row = table(run("status").stdout)[0]
    assert row["NOTE"] == note
    assert row["PID"] == ("900" if "pid" not in fields else "-")


def test_file_that_differs_is_pointed_out(daemon, run):
    daemon.on["GET /v1/status"] = status(config={"path": "/etc/x.conf", "differs_on_disk": True})
    assert 'config       /etc/x.conf (differs on disk: see "gracefulctl diff")\n' in run("status").stdout


@pytest.mark.parametrize("verdict, line", [
    (outcome("rejected", error="/etc/x.conf:3: no", problems=["/etc/x.conf:3: no", "/etc/x.conf:5: neither"]),
     "rejected: /etc/x.conf:3: no (and 1 more); nothing was changed; generation 7 serves"),
    (outcome("reverted", error="worker 1 was lost"), "reverted: worker 1 was lost; generation 7 serves again, after 41ms"),
    (outcome("unchanged"), "unchanged; generation 7 serves"),
    (outcome(duration_ms=192400, cut=5), "applied: generation 7 in 3m12s; 3 finished, 120 handed over, 5 cut"),
])
def test_last_reload_is_one_line(daemon, run, verdict, line):
    daemon.on["GET /v1/status"] = status(last_reload=verdict)
    assert f"last reload  {line}\n" in run("status").stdout


def test_roll_is_shown_while_it_lasts(daemon, run):
    daemon.on["GET /v1/status"] = status(state="reloading", roll={
        "direction": "forward", "target": 8, "workers": 4, "settled": 2, "committed": False, "why": None})
    assert "roll         forward, generation 8: 2 of 4 workers\n" in run("status").stdout


def test_what_is_missing_is_left_out(daemon, run):
    """An older daemon, or one that has just started."""
    daemon.on["GET /v1/status"] = {"state": "starting", "listeners": [], "workers": [{"slot": 0, "state": "starting"}], "more": [1]}
    done = run("status")
    assert done.returncode == 0
    assert done.stdout == ("gracefuld ?: starting, generation 0, pid 0\n"
                           "listening    nothing\n"
                           "\n"
                           "SLOT  STATE\n"
                           "   0  starting\n")


def test_what_is_odd_does_no_harm(daemon, run):
    daemon.on["GET /v1/status"] = status(
        version=None, generation="seven", uptime_s=-1, config=[], service=3, listeners=[None, 7], roll="forward",
        last_reload="never", workers=[7, None, {"slot": "x", "pid": 1e300, "state": 3, "uptime_s": 1e300, "connections": -4}])
    done = run("status")
    assert done.returncode == 0
    assert done.stdout.startswith("gracefuld ?: running, generation 0, pid 811\nlistening    ?, ?\n")


def test_listeners_flow_over_lines(daemon, terminal):
    listeners = [{"address": f"192.0.2.{n}:11111", "sockets": 4, "parked": 1} for n in range(9)]
    daemon.on["GET /v1/status"] = status(listeners=listeners, workers=[])
    shown = terminal("status", columns=100)
    assert shown.finish() == 0
    lines = [line for line in shown.screen() if "11111" in line]
    assert len(lines) == 5 and shown.longest() <= 100
    assert lines[0] == "listening    192.0.2.0:11111 (4 sockets, 1 parked), 192.0.2.1:11111 (4 sockets, 1 parked),"
    assert "".join(lines).count("(4 sockets, 1 parked)") == 9


@pytest.mark.parametrize("columns", [200, 100, 80, 60, 40, 20, 10, 4])
def test_no_line_is_wider_than_the_terminal(daemon, terminal, columns):
    daemon.on["GET /v1/status"] = status(
        config={"path": "/" + 300 * "x", "differs_on_disk": True},
        workers=[worker(0, 900), worker(1, 901, state="draining", cut_in_s=99.0, draining_since_s=1.0)])
    shown = terminal("status", columns=columns)
    assert shown.finish() == 0
    assert 0 < shown.longest() <= columns
    assert any(line.strip() for line in shown.screen()[-3:])  # the workers are still there


def test_narrow_terminal_loses_the_least_important_columns(daemon, terminal):
    """State and connections stay to the last, as long as there is room for them."""
    daemon.on["GET /v1/status"] = status()
    titles = {}
    for columns in (120, 80, 60, 40, 20):
        shown = terminal("status", columns=columns)
        assert shown.finish() == 0
        titles[columns] = next(line for line in shown.screen() if "SLOT" in line).split()
    assert {"IN", "OUT", "ROLE"} <= set(titles[120])
    for wide, narrow in ((120, 80), (80, 60), (60, 40), (40, 20)):
        assert set(titles[narrow]) < set(titles[wide])
    assert titles[20] == ["SLOT", "STATE", "CONNS"]


def test_columns_of_the_environment_count(daemon, run, terminal):
    daemon.on["GET /v1/status"] = status()
    assert max(map(len, run("status", COLUMNS="50").stdout.splitlines())) <= 50
    shown = terminal("status", columns=200, COLUMNS="50")
    assert shown.finish() == 0 and shown.longest() <= 50
    assert max(map(len, run("status", COLUMNS="wide").stdout.splitlines())) > 80  # nonsense does not


def test_pipe_gets_whole_lines(daemon, run):
    daemon.on["GET /v1/status"] = status(config={"path": "/" + 300 * "x"})
    assert 300 * "x" in run("status").stdout


def test_colour_is_for_terminals_that_want_it(daemon, terminal, run):
    daemon.on["GET /v1/status"] = status(workers=[worker(0, 900), worker(1, 901, state="draining"), worker(2, 902, state="killing")])
    shown = terminal("status")
    assert shown.finish() == 0
    for style in (GREEN + "ready", YELLOW + "draining", RED + "killing"):
        assert style in shown.raw
    for environment in ({"NO_COLOR": "1"}, {"TERM": "dumb"}, {"TERM": ""}):
        plain = terminal("status", **environment)
        assert plain.finish() == 0 and "\x1b" not in plain.raw
    assert GREEN in terminal_output(terminal("status", NO_COLOR=""))  # set, but empty: says nothing
    assert "\x1b" not in run("status", TERM="xterm").stdout


def terminal_output(shown):
    assert shown.finish() == 0
    return shown.raw


def test_control_characters_are_shown_not_obeyed(daemon, run, terminal):
    """Whatever a worker, a file name or an error says: no escape sequence, no new line, nothing that turns text around."""
    evil = "a\x1b[2Jb\nc\x07d\x7fe\u202ef\x9bg"
    daemon.on["GET /v1/status"] = status(
        version=evil, state=evil, service=evil, config={"path": evil}, listeners=[{"address": evil}],
        workers=[worker(0, 900, state=evil, role=evil, status=evil)], last_reload=outcome("rejected", error=evil))
    shown = r"a\x1b[2Jb\nc\x07d\x7fe\xe2\x80\xaef\xc2\x9bg"
    out = run("status").stdout
    assert out.count(shown) == 9
    assert not re.search(r"[^ -~\n]", out)
    on_terminal = terminal("status", columns=1000, NO_COLOR="1")
    assert on_terminal.finish() == 0
    assert not re.search(r"[^ -~\r\n]", on_terminal.raw)


def test_letters_of_all_languages_stay_letters(daemon, run, terminal):
    daemon.on["GET /v1/status"] = status(config={"path": "/etc/größe-日本.conf"}, workers=[worker(0, 900, status="日本語" * 20)])
    assert "/etc/größe-日本.conf" in run("status").stdout
    assert r"/etc/gr\xc3\xb6\xc3\x9fe" in run("status", LC_ALL="C").stdout
    # each of these takes two columns
    shown = terminal("status", columns=81)
    assert shown.finish() == 0
    for line in shown.screen():
        assert len(line) + len(re.findall("[日本語]", line)) <= 81


def test_json_is_what_the_daemon_said(daemon, run):
    said = status(odd="\x1b[2J\x7f\u202e", figure=0.1)
    daemon.on["GET /v1/status"] = said
    out = run("status", "--json").stdout
    assert json.loads(out) == said
    assert not re.search(r"[^ -~\n]", out)
    assert '"figure": 0.1,' in out or '"figure": 0.1\n' in out


def test_watch_draws_in_place_and_survives_a_restart(daemon, socket_path, terminal):
    daemon.on["GET /v1/status"] = status()
    shown = terminal("status", "--watch", columns=100)
    shown.wait_page("generation 7")
    shown.wait_raw("\x1b[H", 3)
    assert shown.raw.count("\x1b[2J") == 1  # or it would flicker
    daemon.close()
    page = shown.wait_page(f"no daemon answers at {socket_path}")
    assert not any("generation" in line for line in page)
    other = FakeDaemon(socket_path)
    try:
        other.on["GET /v1/status"] = status(generation=8)
        page = shown.wait_page("generation 8")
        assert not any("no daemon" in line for line in page)
        assert shown.interrupt() == -2
    finally:
        other.close()


def test_watch_never_scrolls(daemon, terminal):
    """A page that is longer than the terminal is cut: scrolled, the next would be drawn over the wrong lines."""
    daemon.on["GET /v1/status"] = status(workers=[worker(n, 900 + n) for n in range(100)])
    shown = terminal("status", "--watch", rows=15)
    shown.wait_raw("\x1b[J", 2)
    assert len(shown.page()) == 15
    shown.interrupt()


def test_watch_on_a_pipe_has_no_control_sequences(daemon, begin):
    daemon.on["GET /v1/status"] = status()
    process = begin("status", "--watch", TERM="xterm")
    seen = [process.stdout.readline() for _ in range(20)]
    assert sum("generation 7, up" in line for line in seen) >= 2
    assert not any("\x1b" in line for line in seen)


def test_watch_ends_when_nobody_reads(daemon, begin):
    daemon.on["GET /v1/status"] = status()
    process = begin("status", "--watch")
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(60) == -13  # SIGPIPE
