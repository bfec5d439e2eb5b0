"""What it takes until another image of the master goes on."""

import statistics
import time

from harness import free_port
from running import Running

QUICK = {"ROLLS": 2}
ROLLS = 20


def measure_reexec(workers):
    """Milliseconds, medians: from the signal until the next image of the master goes on, and of those without its trial."""
    whole, without = [], []
    with Running(free_port(), workers=workers) as daemon:
        for _ in range(ROLLS + 2):
            begun = time.monotonic()
            without.append(daemon.reexec())
            whole.append((time.monotonic() - begun) * 1000)
    return statistics.median(whole[2:]), statistics.median(without[2:]), max(without[2:])


def run(report):
    rows = []
    for workers in (2, 16, 128):
        whole, without, worst = measure_reexec(workers)
        rows.append((workers, f"{whole:.1f}", f"{without:.1f}", f"{worst:.1f}"))
    report.table(f"Another image of the master, from SIGUSR2 on ({ROLLS} each), ms",
          ("workers", "with the trial", "without", "worst"), rows)
