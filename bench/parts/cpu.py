"""What an answer costs the services that parse nothing."""

import os

from harness import Load, cpu_ticks, free_port
from running import Running

CPU_SECONDS = 5
QUICK = {"CPU_SECONDS": 1}
CONNECTIONS = 64


def measure_cpu(service, mode, proto):
    """Microseconds of processor time of all processes, for one answer; answers a second."""
    with Running(free_port(), service={"type": service}) as daemon:
        port = int(daemon.wait_line(r"listening on .*:(\d+)")[1])
        pids = [daemon.pid, *daemon.pids()]
        before = sum(map(cpu_ticks, pids))
        with Load(port, mode=mode, proto=proto, connections=CONNECTIONS, seconds=CPU_SECONDS) as load:
            seen = load.result(stop=False)
        spent = sum(map(cpu_ticks, pids)) - before
    assert seen["failed_total"] == 0, seen
    return spent / os.sysconf("SC_CLK_TCK") * 1e6 / seen["ok"], seen["ok_per_s"]


def run(report):
    rows = []
    for service, proto in (("hello", "hello"), ("echo", "echo")):
        for mode in ("new", "keepalive"):
            cost, rate = measure_cpu(service, mode, proto)
            rows.append((f"{service}, {'a new connection each' if mode == 'new' else 'on open connections'}",
                         f"{cost:.1f}", f"{rate:.0f}"))
    report.table(f"Processor time of an answer, {CONNECTIONS} connections, two workers", ("service", "us", "answers/s"), rows)
