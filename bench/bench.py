#!/usr/bin/python3
"""What a reload, a worker and a request cost, as tables.

    bench.py [roll] [memory] [cpu] [proxy]

The programs are those of build/, or of the environment (see tests/scenario/harness.py)."""

import os
import shutil
import statistics
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests/scenario"))

from harness import Daemon, Load, config, cpu_ticks, free_port, private_kb  # noqa: E402  (found by the line above)
from proxy import bench_proxy  # noqa: E402

ROLLS = 20
CPU_SECONDS = 5
CONNECTIONS = 64


def table(title, head, rows):
    """Prints rows, right-aligned below their headings but for the first column."""
    cells = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells)]
    print(f"\n{title}\n")
    for n, row in enumerate(cells):
        print("  ".join([row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))]))
        if n == 0:
            print("  ".join("-" * width for width in widths))


class Running:
    """A daemon that serves, in a folder of its own."""

    def __init__(self, port, **options):
        self.folder = tempfile.mkdtemp(prefix="gracefuld-bench-")
        os.chmod(self.folder, 0o755)
        self.daemon = Daemon(self.folder, config(port, **options))

    def __enter__(self):
        return self.daemon.wait_ready()

    def __exit__(self, *_):
        self.daemon.close()
        shutil.rmtree(self.folder)


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


def bench_roll():
    rows = []
    for workers in (2, 16, 64, 128):
        median, worst = measure_roll(workers)
        rows.append((workers, f"{median:.1f}", f"{worst:.1f}", f"{median / workers:.2f}"))
    table(f"A reload of idle workers, from SIGHUP to the verdict ({ROLLS} each), ms",
          ("workers", "median", "worst", "per worker"), rows)


def bench_memory():
    rows = []
    for workers in (2, 16, 128):
        with Running(free_port(), workers=workers) as daemon:
            each = statistics.median(private_kb(pid) for pid in daemon.pids())
            rows.append((workers, f"{each:.0f}", private_kb(daemon.pid)))
    table("Private memory when idle, kB", ("workers", "a worker (median)", "the master"), rows)


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


def bench_cpu():
    rows = []
    for service, proto in (("hello", "hello"), ("echo", "echo")):
        for mode in ("new", "keepalive"):
            cost, rate = measure_cpu(service, mode, proto)
            rows.append((f"{service}, {'a new connection each' if mode == 'new' else 'on open connections'}",
                         f"{cost:.1f}", f"{rate:.0f}"))
    table(f"Processor time of an answer, {CONNECTIONS} connections, two workers", ("service", "us", "answers/s"), rows)


BENCHES = {"roll": bench_roll, "memory": bench_memory, "cpu": bench_cpu, "proxy": lambda: bench_proxy(table)}


def main():
    wanted = sys.argv[1:] or list(BENCHES)
    if unknown := set(wanted) - set(BENCHES):
        sys.exit(f"bench.py: there is no {', '.join(unknown)}; there are: {', '.join(BENCHES)}")
    for name in wanted:
        BENCHES[name]()


if __name__ == "__main__":
    main()
