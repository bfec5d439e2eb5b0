"""What a handoff takes, and what clients wait meanwhile."""

import datetime
import statistics
import time

from harness import Load, free_port
from running import Running

HANDOFFS = 20
CPU_SECONDS = 5
QUICK = {"HANDOFFS": 2, "CPU_SECONDS": 1}
ECHO = {"type": "echo"}


def gone_after(daemon):
    """Reloads the one worker: milliseconds from its drain until its process has gone."""
    since = daemon.mark()
    daemon.hup()
    times = {}
    for state in ("draining", "exited"):
        line = daemon.wait_line(rf"-> {state}", since=since).string
        times[state] = datetime.datetime.strptime(line[:23], "%Y-%m-%d %H:%M:%S.%f")
    verdict = daemon.wait_verdict(since)
    assert verdict.word == "applied" and verdict.cut == 0, verdict
    return (times["exited"] - times["draining"]).total_seconds() * 1000


def measure_gone(connections, reloads, *load_args, **load_how):
    """Drain to gone in ms, of several reloads: (median, worst); what the clients saw."""
    with Running(free_port(), workers=1, service=ECHO, drain_timeout=60,
                 limits={"open_files": connections + 1000}) as daemon:
        port = int(daemon.wait_line(r"listening on .*:(\d+)")[1])
        with Load(port, *load_args, proto="echo", connections=connections, **load_how) as load:
            if load_how["mode"] == "hold":
                load.wait_all_open()
            took = [gone_after(daemon) for _ in range(reloads)]
            seen = load.result()
    assert seen["failed_total"] == 0, seen
    return statistics.median(took), max(took), seen


def show_gone(report):
    rows = []
    for name, connections, args, how in (
            ("busy (64 B to and fro)", 1000, (), {"mode": "stream"}),
            ("idle", 10000, ("--period", "3600"), {"mode": "hold"})):
        median, worst, _ = measure_gone(connections, HANDOFFS, *args, **how)
        rows.append((f"{connections} {name}", f"{median:.1f}", f"{worst:.1f}"))
    report.table(f"From the drain until the old process has gone ({HANDOFFS} reloads each), ms", ("connections", "median", "worst"), rows)


def measure_latency(connections, rate, reloads):
    """What clients see at a bearable rate, of one worker that is reloaded so often in CPU_SECONDS: latency in us."""
    with Running(free_port(), workers=1, service=ECHO, limits={"open_files": connections + 1000}) as daemon:
        port = int(daemon.wait_line(r"listening on .*:(\d+)")[1])
        with Load(port, "--rate", str(rate), mode="keepalive", proto="echo", connections=connections, seconds=CPU_SECONDS) as load:
            for _ in range(reloads):
                begun = time.monotonic()
                assert daemon.reload().word == "applied"
                time.sleep(max(0, CPU_SECONDS * 0.8 / reloads - (time.monotonic() - begun)))
            seen = load.result(stop=False)
    assert seen["failed_total"] == 0, seen
    return seen["latency_us"]


def show_stall(report):
    rows = []
    for connections, rate in ((100, 2000), (1000, 5000), (10000, 5000)):
        for reloads in (0, HANDOFFS):
            seen = measure_latency(connections, rate, reloads)
            rows.append((f"{connections}, {rate}/s, {reloads or 'no'} reloads",
                         *(f"{seen[key] / 1000:.2f}" for key in ("p50", "p99", "p999", "max"))))
    report.table(f"What a client waits for its answer, one worker, {CPU_SECONDS} s, ms", ("connections", "p50", "p99", "p99.9", "longest"), rows)


def run(report):
    show_gone(report)
    show_stall(report)
