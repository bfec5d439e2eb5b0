"""What an idle daemon has for itself."""

import statistics

from harness import free_port, private_kb
from running import Running


def run(report):
    rows = []
    for workers in (2, 16, 128):
        with Running(free_port(), workers=workers) as daemon:
            each = statistics.median(private_kb(pid) for pid in daemon.pids())
            rows.append((workers, f"{each:.0f}", private_kb(daemon.pid)))
    report.table("Private memory when idle, kB", ("workers", "a worker (median)", "the master"), rows)
