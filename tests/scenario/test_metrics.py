"""The metrics: counters never go back, they are exact, and Prometheus takes them."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import urllib.error
import urllib.request

import pytest
from control import ask, ctl, metrics, socket_of
from harness import DEADLINE, Client, Load, assert_no_failure, config, free_port, load_text, scaled, wait_until

# as Prometheus asks
ACCEPT = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5"


class Watch:
    """Looks at all counters again and again: none may be gone, or less than it was."""

    def __init__(self, daemon):
        self.daemon, self.last, self.looks = daemon, {}, 0

    def look(self):
        page = metrics(socket_of(self.daemon))
        now = {name: value for name, value in page.items() if name.partition("{")[0].endswith("_total")}
        worse = {name: (value, now.get(name)) for name, value in self.last.items() if not now.get(name, -1) >= value}
        assert now and not worse, worse
        self.last, self.looks = now, self.looks + 1

    def look_until_settled(self, workers):
        def settled():
            self.look()
            return [w.state for w in self.daemon.workers()] == ["ready"] * workers
        wait_until(settled, f"{workers} workers, all ready")


def test_counters_never_go_back(start, port, figure):
    """Across reloads, workers killed in the middle of their work, and a pool that shrinks and grows."""
    daemon = start(config(port, workers=2, restart={"delay": 0.01, "max_delay": 0.02}))
    watch, rounds = Watch(daemon), scaled(8, 2)
    with Load(port) as load:
        for n in range(rounds):
            since = daemon.mark()
            daemon.hup()
            watch.look()
            assert daemon.wait_verdict(since).word == "applied"  # who is killed as it leaves is told to have left
            watch.look_until_settled(2)
            victim = daemon.worker(n % 2).pid
            os.kill(victim, signal.SIGKILL)
            wait_until(lambda gone=victim: gone not in daemon.pids(), "it is gone")
            watch.look_until_settled(2)
            for workers in (4, 1, 2):
                daemon.write(config(port, workers=workers, restart={"delay": 0.01, "max_delay": 0.02}))
                since = daemon.mark()
                daemon.hup()
                watch.look()
                assert daemon.wait_verdict(since).word == "applied"
                watch.look_until_settled(workers)
        seen = load.result()
    watch.look()
    last = watch.last
    figure(f"{watch.looks} looks at {len(last)} counters, {rounds} workers killed; {load_text(seen)}")
    assert last['gracefuld_worker_exits_total{reason="signalled"}'] == rounds
    assert last['gracefuld_reloads_total{verdict="applied"}'] == len(daemon.log.find(r"reload \d+: applied"))
    assert sum(value for name, value in last.items() if name.startswith("gracefuld_accepts_total")) == last["gracefuld_connections_total"]
    # nothing is lost but what a killed worker had accepted; of that, one may not have been counted yet
    assert seen["failed_total"] <= last["gracefuld_connections_lost_total"] + rounds


def test_counters_are_exact(start, port, figure):
    """What the load counts at its end is what the daemon counts, though most of the workers that served it have gone."""
    daemon = start(config(port))
    with Load(port) as load:
        for workers in (4, 1, 3, 2) * scaled(3):
            assert daemon.reload(config(port, workers=workers)).word == "applied"
        seen = load.result()
    assert_no_failure(seen)
    wait_until(lambda: metrics(socket_of(daemon))["gracefuld_connections_open"] == 0, "all are closed")
    now = metrics(socket_of(daemon))
    figure(f"{now['gracefuld_connections_total']:.0f} accepted, {now['gracefuld_requests_total']:.0f} requests; {load_text(seen)}")
    assert now["gracefuld_requests_total"] == seen["ok"]
    assert now["gracefuld_connections_total"] == now["gracefuld_connections_finished_total"] >= seen["ok"]
    assert now["gracefuld_sent_bytes_total"] == seen["ok"] * len("hello world")
    assert now["gracefuld_connections_cut_total"] == now["gracefuld_connections_lost_total"] == 0
    assert now['gracefuld_workers{state="ready"}'] == now["gracefuld_workers_wanted"] == 2


def test_requests_that_are_lost_are_counted(start, port):
    """Of two connections that are cut, one has sent half of a request. And what moves is no loss."""
    http = {"service": {"type": "http", "idle_grace": 600}, "workers": 1}
    daemon = start(config(port, **http))
    with Client(port) as idle, Client(port) as half:
        idle.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").receive(12)
        half.send(b"GET / HTTP/1.1\r\nHos")
        wait_until(lambda: half.server_pid(daemon.pids()), "it is accepted")
        assert daemon.reload().word == "applied"
        now = metrics(socket_of(daemon))
        assert now["gracefuld_connections_handed_over_total"] == 2 and now["gracefuld_requests_lost_total"] == 0
        verdict = daemon.reload(config(port, drain_timeout=0.2, roll={"handoff": False}, **http))
        assert (verdict.handed_over, verdict.cut) == (0, 2), verdict
    now = metrics(socket_of(daemon))
    assert now["gracefuld_connections_cut_total"] == 2 and now["gracefuld_requests_lost_total"] == 1


def test_gauges(start, port):
    daemon = start(config(port))
    with Client(port).ask(), Client(port).ask():
        assert metrics(socket_of(daemon))["gracefuld_connections_open"] == 2
    daemon.write("nonsense")
    assert ctl(daemon, "reload")[0] == 1
    now = metrics(socket_of(daemon))
    assert now["gracefuld_config_last_reload_successful"] == 0 and now["gracefuld_generation"] == 1
    assert 0 <= now["gracefuld_config_last_reload_success_timestamp_seconds"] - now["gracefuld_start_timestamp_seconds"] < DEADLINE


@pytest.mark.parametrize("accept, openmetrics", [
    (None, False), ("*/*", False), ("text/plain", False), (ACCEPT, True), ("text/plain , APPLICATION/OpenMetrics-Text", True)])
def test_format_is_what_is_asked_for(start, port, accept, openmetrics):
    """The classic one, unless OpenMetrics is asked for by name; the samples are the same."""
    daemon = start(config(port))
    fields = {"Accept": accept} if accept else {}
    status, text = ask(socket_of(daemon), "/metrics", **fields)
    assert status == 200
    assert text.endswith("# EOF\n") == openmetrics
    assert ("# TYPE gracefuld_connections counter\n" in text) == openmetrics
    assert ("# TYPE gracefuld_connections_total counter\n" in text) != openmetrics
    assert "\ngracefuld_connections_total 0\n" in text


@pytest.mark.skipif(not shutil.which("promtool"), reason="no promtool here (prometheus)")
def test_promtool_finds_nothing_wrong(start, port, figure):
    daemon = start(config(port))
    assert daemon.reload(config(port, workers=3)).word == "applied"
    text = ask(socket_of(daemon), "/metrics")[1]
    result = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=DEADLINE, check=False)
    figure(f"{len(text.splitlines())} lines, exit {result.returncode} {result.stdout}{result.stderr}")
    assert (result.returncode, result.stdout + result.stderr) == (0, "")


# -- Prometheus itself

def query(port, expression):
    """{instance's job: value}, as the server knows it now."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/query?query={expression}", timeout=DEADLINE) as answer:
            return {r["metric"]["job"]: float(r["value"][1]) for r in json.load(answer)["data"]["result"]}
    except (urllib.error.URLError, ConnectionError):
        return {}  # it is starting


@pytest.fixture
def prometheus(directory):
    """Starts a server that scrapes an address each second, which is as long as a scrape may take; returns its own port."""
    servers = []

    def start_one(address):
        path, number = os.path.join(directory, "prometheus.yml"), free_port()
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
                       "scrape_configs": [{"job_name": "gracefuld", "static_configs": [{"targets": [address]}]}]}, file)
        with open(os.path.join(directory, "prometheus.log"), "wb") as log:
            servers.append(subprocess.Popen(
                ["prometheus", f"--config.file={path}", f"--storage.tsdb.path={directory}/tsdb",
                 f"--web.listen-address=127.0.0.1:{number}"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=directory))
        return number
    yield start_one
    for server in servers:
        server.terminate()
        server.wait()


@pytest.mark.skipif(not shutil.which("prometheus"), reason="no Prometheus here (prometheus)")
@pytest.mark.slow
def test_prometheus_scrapes_it(start, port, prometheus, figure):
    daemon = start(config(port))
    address = f"127.0.0.1:{free_port()}"
    assert daemon.reload(config(port, metrics=address)).word == "applied"
    server = prometheus(address)
    wait_until(lambda: query(server, "gracefuld_generation") == {"gracefuld": 2}, "the generation is known")
    wait_until(lambda: query(server, "up") == {"gracefuld": 1}, "it is up")
    with Client(port).ask():
        pass
    assert daemon.reload(config(port, metrics=address, workers=3)).word == "applied"
    wait_until(lambda: query(server, "gracefuld_generation") == {"gracefuld": 3}, "the next generation is known")
    wait_until(lambda: query(server, "gracefuld_requests_total") == {"gracefuld": 1}, "the request is counted")
    with urllib.request.urlopen(f"http://127.0.0.1:{server}/api/v1/metadata?metric=gracefuld_connections", timeout=DEADLINE) as answer:
        known = json.load(answer)["data"]
    figure(f"generation and counters are there; it knows the type of gracefuld_connections: {known}")
    assert known["gracefuld_connections"][0]["type"] == "counter"


# one sample of the text format, whole
SAMPLE = re.compile(r'[a-z_]+(\{[a-z_]+="([^"\\\n]|\\\\|\\"|\\n)*"\})? [-+0-9.e]+')


def test_worker_that_lies_spoils_its_numbers_and_nothing_else(start, port, hostile):
    """In its counter page all bits are set, and its upstreams have names that would be more than a label: every line is a sample all the same,
    the status is JSON, the other slot's worker is left alone, and the next roll goes as ever."""
    daemon = start(config(port, workers=2, drain_timeout=1), worker=hostile.program)
    other = daemon.worker(1)
    hostile.plan("liar", 0)
    since = daemon.mark()
    daemon.kill_worker(0)
    daemon.wait_line(r"worker 0 gen 1 pid \d+: starting -> ready", since=since)
    status, _, body = raw_get(daemon, "/metrics")
    lines = body.decode("utf-8").splitlines()
    assert status == 200 and len(lines) > 50
    assert not [line for line in lines if not line.startswith("# ") and not SAMPLE.fullmatch(line)]
    assert any("script" in line for line in lines), "the names have come"
    assert [worker["state"] for worker in json.loads(raw_get(daemon, "/v1/status")[2])["workers"]] == ["ready", "ready"]
    json.loads(raw_get(daemon, "/v1/upstreams")[2])
    assert daemon.worker(1) == other
    hostile.plan("real")
    assert daemon.reload().word == "applied"


def raw_get(daemon, path):
    """Status, head and body, as bytes."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(DEADLINE)
        sock.connect(socket_of(daemon))
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: sock.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), head, body
