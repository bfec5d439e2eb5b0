"""What a handoff takes, and what clients wait meanwhile."""

import datetime
import statistics
import time

from harness import Load, free_port
from running import Running

HANDOFFS = 20
CPU_SECONDS = 5
P99_SECONDS, P99_RELOADS, ROUNDS = 20, 50, 2
QUICK = {"HANDOFFS": 2, "CPU_SECONDS": 1, "P99_SECONDS": 1, "P99_RELOADS": 2, "ROUNDS": 1}
ECHO = {"type": "echo"}


def leave_times(daemon):
    """Reloads the one worker: milliseconds from its drain until its last connection is handed over, and until its process has gone."""
    since = daemon.mark()
    daemon.hup()
    times = {}
    for state in ("draining", "stopping", "exited"):
        line = daemon.wait_line(rf"-> {state}", since=since).string
        times[state] = datetime.datetime.strptime(line[:23], "%Y-%m-%d %H:%M:%S.%f")
    verdict = daemon.wait_verdict(since)
    assert verdict.word == "applied" and verdict.cut == 0, verdict
    return tuple((times[state] - times["draining"]).total_seconds() * 1000 for state in ("stopping", "exited"))


def measure_leaving(connections, reloads, *load_args, **load_how):
    """leave_times of several reloads."""
    with Running(free_port(), workers=1, service=ECHO, drain_timeout=60,
                 limits={"open_files": connections + 1000}) as daemon:
        port = int(daemon.wait_line(r"listening on .*:(\d+)")[1])
        with Load(port, *load_args, proto="echo", connections=connections, **load_how) as load:
            if load_how["mode"] == "hold":
                load.wait_all_open()
            took = [leave_times(daemon) for _ in range(reloads)]
            seen = load.result()
    assert seen["failed_total"] == 0, seen
    return took


def show_leaving(report):
    rows = []
    for name, connections, args, how in (
            ("busy (64 B to and fro)", 1000, (), {"mode": "stream"}),
            ("idle", 10000, ("--period", "3600"), {"mode": "hold"})):
        handed, gone = zip(*measure_leaving(connections, HANDOFFS, *args, **how))
        rows.append((f"{connections} {name}", *(f"{of(times):.1f}" for times in (handed, gone) for of in (statistics.median, max))))
    report.table(f"From the drain until all are handed over, and until the old process has gone ({HANDOFFS} reloads each), ms",
                 ("connections", "handed over, median", "worst", "gone, median", "worst"), rows)


def measure_latency(load_args, connections, reloads, seconds, proto="echo", **options):
    """What clients see while the daemon is reloaded so often, evenly: latency in us."""
    with Running(free_port(), service={"type": proto}, limits={"open_files": connections + 1000}, **options) as daemon:
        port = int(daemon.wait_line(r"listening on .*:(\d+)")[1])
        with Load(port, *load_args, mode="keepalive", proto=proto, connections=connections, seconds=seconds) as load:
            for _ in range(reloads):
                begun = time.monotonic()
                assert daemon.reload().word == "applied"
                time.sleep(max(0, seconds * 0.8 / reloads - (time.monotonic() - begun)))
            seen = load.result(stop=False)
    assert seen["failed_total"] == 0, seen
    return seen["latency_us"]


def show_stall(report):
    rows = []
    for connections, rate in ((100, 2000), (1000, 5000), (10000, 5000)):
        for reloads in (0, HANDOFFS):
            seen = measure_latency(("--rate", str(rate)), connections, reloads, CPU_SECONDS, workers=1)
            rows.append((f"{connections}, {rate}/s, {reloads or 'no'} reloads",
                         *(f"{seen[key] / 1000:.2f}" for key in ("p50", "p99", "p999", "max"))))
    report.table(f"What a client waits for its answer, one worker, {CPU_SECONDS} s, ms", ("connections", "p50", "p99", "p99.9", "longest"), rows)


def show_p99(report):
    """The usual web server: two workers, browsers that ask again and again, at once or after a pause."""
    rows = []
    for think_ms in (0, 20):
        p99 = []
        for _ in range(ROUNDS):
            p99.append([measure_latency(("--think", str(think_ms)), 64, reloads, P99_SECONDS, proto="http", workers=2)["p99"]
                        for reloads in (0, P99_RELOADS)])
        rows.append((f"{think_ms} ms", *(", ".join(f"{run[n] / 1000:.2f}" for run in p99) for n in (0, 1)),
                     ", ".join(f"{run[1] / run[0]:.2f}" for run in p99)))
    report.table(f"99 % of answers of http within so much, 64 connections, {P99_SECONDS} s each, ms",
                 ("pause", "no reload", f"{P99_RELOADS} reloads", "ratio"), rows)


def run(report):
    show_leaving(report)
    show_stall(report)
    show_p99(report)
