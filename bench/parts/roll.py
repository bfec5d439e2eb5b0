"""What a reload of idle workers takes."""

import os
import statistics
import time

from harness import free_port
from running import Running

ROLLS = 20
QUICK = {"ROLLS": 2, "STARTS": 10}
STARTS = 100


def measure_roll(workers):
    """Milliseconds of a reload of that many idle workers: median, worst."""
    took = []
    with Running(free_port(), workers=workers) as daemon:
        for _ in range(ROLLS + 2):
            begun = time.monotonic()
            verdict = daemon.reload()
            took.append((time.monotonic() - begun) * 1000)
            assert verdict.word == "applied", verdict
    return statistics.median(took[2:]), max(took[2:])


def start_ms():
    """What this machine takes to start the smallest of programs and to reap it: a roll does that and more for each worker."""
    begun = time.monotonic()
    for _ in range(STARTS):
        os.waitpid(os.posix_spawn("/bin/true", ["true"], os.environ), 0)
    return (time.monotonic() - begun) / STARTS * 1000


def run(report):
    rows = []
    start = min(start_ms() for _ in range(3))
    for workers in (2, 16, 64, 128):
        median, worst = measure_roll(workers)
        rows.append((workers, f"{median:.1f}", f"{worst:.1f}", f"{median / workers:.2f}", f"{median / workers / start:.1f}"))
    report.table(f"A reload of idle workers, from SIGHUP to the verdict ({ROLLS} each), ms; /bin/true starts and ends in {start:.2f} ms here",
          ("workers", "median", "worst", "per worker", "in starts of /bin/true"), rows)
