#!/usr/bin/python3
"""What a reload, a worker and a request cost, as tables.

    bench.py [roll] [reexec] [memory] [cpu] [control] [http] [handoff] [proxy] [hosted]

The programs are those of build/, or of the environment (see tests/scenario/harness.py)."""

import contextlib
import datetime
import os
import shutil
import signal
import statistics
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests/scenario"))

import http_service  # noqa: E402
from control import ask, get, socket_of  # noqa: E402  (found by the line above)
from harness import Daemon, Load, config, cpu_ticks, free_port, private_kb  # noqa: E402
from hosted import bench_hosted  # noqa: E402
from proxy import bench_proxy  # noqa: E402

ROLLS = 20
STARTS = 100
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


def start_ms():
    """What this machine takes to start the smallest of programs and to reap it: a roll does that and more for each worker."""
    begun = time.monotonic()
    for _ in range(STARTS):
        os.waitpid(os.posix_spawn("/bin/true", ["true"], os.environ), 0)
    return (time.monotonic() - begun) / STARTS * 1000


def bench_roll():
    rows = []
    start = min(start_ms() for _ in range(3))
    for workers in (2, 16, 64, 128):
        median, worst = measure_roll(workers)
        rows.append((workers, f"{median:.1f}", f"{worst:.1f}", f"{median / workers:.2f}", f"{median / workers / start:.1f}"))
    table(f"A reload of idle workers, from SIGHUP to the verdict ({ROLLS} each), ms; /bin/true starts and ends in {start:.2f} ms here",
          ("workers", "median", "worst", "per worker", "in starts of /bin/true"), rows)


def measure_reexec(workers):
    """Milliseconds, medians: from the signal until the next image of the master goes on, and of those without its trial."""
    whole, without = [], []
    with Running(free_port(), workers=workers) as daemon:
        for _ in range(ROLLS + 2):
            begun = time.monotonic()
            without.append(daemon.reexec())
            whole.append((time.monotonic() - begun) * 1000)
    return statistics.median(whole[2:]), statistics.median(without[2:]), max(without[2:])


def bench_reexec():
    rows = []
    for workers in (2, 16, 128):
        whole, without, worst = measure_reexec(workers)
        rows.append((workers, f"{whole:.1f}", f"{without:.1f}", f"{worst:.1f}"))
    table(f"Another image of the master, from SIGUSR2 on ({ROLLS} each), ms",
          ("workers", "with the trial", "without", "worst"), rows)


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


def bench_http():
    http_service.bench(table)


def measure_control(daemon):
    """Milliseconds of a status, of a reload and of the replacement of a killed worker: medians; of the processor, percent."""
    took = {"status": [], "reload": [], "respawn": []}
    ticks, start = cpu_ticks(daemon.pid), time.monotonic()

    def timed(name, action):
        begun = time.monotonic()
        action()
        took[name].append((time.monotonic() - begun) * 1000)

    def reload():
        status, text = ask(socket_of(daemon), "/v1/reload", "POST", "{}")
        assert status == 200, text

    def respawn():
        old, since = daemon.worker(0).pid, daemon.mark()
        os.kill(old, signal.SIGKILL)
        daemon.wait_line(rf"worker 0 gen \d+ pid (?!{old}:)\d+: starting -> ready", since=since)
    for _ in range(ROLLS):
        timed("status", lambda: get(daemon))
        timed("reload", reload)
        timed("respawn", respawn)
    busy = (cpu_ticks(daemon.pid) - ticks) / os.sysconf("SC_CLK_TCK") / (time.monotonic() - start)
    return [f"{statistics.median(each):.1f}" for each in took.values()] + [f"{busy * 100:.0f}"]


def bench_control():
    port = free_port()
    rows = []
    with Running(free_port(), metrics=f"127.0.0.1:{port}", restart={"delay": 0.01, "max_delay": 0.01}) as daemon:
        rows.append(("nobody", *measure_control(daemon)))
        for path in ("/v1/status", "/healthz"):
            for by_tcp, local in ((1, 0), (60, 0), (60, 10)):
                with contextlib.ExitStack() as stack:
                    for n, address in ((by_tcp, ("127.0.0.1", port)), (local, socket_of(daemon))):
                        if n:
                            stack.enter_context(Load(address, "--path", path, mode="keepalive", proto="http", connections=n))
                    rows.append((f"{path}: {by_tcp} by TCP, {local} local", *measure_control(daemon)))
    table(f"Clients that ask the control server without pause ({ROLLS} each, medians), ms",
          ("clients", "status", "reload of 2 workers", "respawn", "processor %"), rows)


# -- handoff

HANDOFFS = 20
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


def bench_gone():
    rows = []
    for name, connections, args, how in (
            ("busy (64 B to and fro)", 1000, (), {"mode": "stream"}),
            ("idle", 10000, ("--period", "3600"), {"mode": "hold"})):
        median, worst, _ = measure_gone(connections, HANDOFFS, *args, **how)
        rows.append((f"{connections} {name}", f"{median:.1f}", f"{worst:.1f}"))
    table(f"From the drain until the old process has gone ({HANDOFFS} reloads each), ms", ("connections", "median", "worst"), rows)


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


def bench_stall():
    rows = []
    for connections, rate in ((100, 2000), (1000, 5000), (10000, 5000)):
        for reloads in (0, HANDOFFS):
            seen = measure_latency(connections, rate, reloads)
            rows.append((f"{connections}, {rate}/s, {reloads or 'no'} reloads",
                         *(f"{seen[key] / 1000:.2f}" for key in ("p50", "p99", "p999", "max"))))
    table(f"What a client waits for its answer, one worker, {CPU_SECONDS} s, ms", ("connections", "p50", "p99", "p99.9", "longest"), rows)


def bench_handoff():
    bench_gone()
    bench_stall()


BENCHES = {"roll": bench_roll, "reexec": bench_reexec, "memory": bench_memory, "cpu": bench_cpu, "control": bench_control,
           "http": bench_http, "handoff": bench_handoff, "proxy": lambda: bench_proxy(table), "hosted": lambda: bench_hosted(table)}


def main():
    wanted = sys.argv[1:] or list(BENCHES)
    if unknown := set(wanted) - set(BENCHES):
        sys.exit(f"bench.py: there is no {', '.join(unknown)}; there are: {', '.join(BENCHES)}")
    for name in wanted:
        BENCHES[name]()


if __name__ == "__main__":
    main()
