"""How the cost of a reload grows with what there is: workers, connections, listeners, and lines, files and values of the configuration.

A curve is measured in one daemon a point, several rounds of all points one after the other. What grows faster than what there is more of
would show as an exponent above 1 at the upper end of its curve."""

import contextlib
import os
import resource
import shutil
import statistics
import tempfile
import time

import plot
from harness import Daemon, Load, anonymous_kb, config, free_port
from measure import cpu_seconds, exponent, linear, spread

SOURCES = 32  # addresses 127.0.0.x of each process of clients
CLIENTS = 4   # processes of clients
RELOADS = 8   # of which the first one counts for nothing

# What is read off at each point; the unit of each.
FIGURES = {"reload": "ms", "master's processor time": "ms", "master's memory": "kB", "a worker's memory": "kB"}

# Speaks the contract, and serves nobody: what is measured is the master.
SHELL_WORKER = """#!/bin/bash
echo 'hello 1 idle 1.0
ready' >&"$GRACEFULD_STATUS_FD"
read -r -u "$GRACEFULD_CONTROL_FD" _
echo 'drained finished=0 handed=0 cut=0' >&"$GRACEFULD_STATUS_FD"
"""


class Folder:
    """For one daemon and what it reads."""

    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix="gracefuld-bench-")
        os.chmod(self.path, 0o755)
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path)

    def write(self, name, text, mode=0o644):
        path = os.path.join(self.path, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)
        return path


# -- what there is more and more of: from a folder and a number to the configuration's text

def more_workers(_folder, count):
    return config(free_port(), workers=count, service={"type": "http"})


def more_connections(_folder, count):
    return config(workers=2, listen=[{"address": "127.0.0.1", "port": free_port(), "backlog": 4096}], drain_timeout=60,
                  limits={"open_files": count + 1000}, service={"type": "http", "idle_timeout": "1h"})


def more_listeners(_folder, count):
    return config(workers=2, listen=[{"address": "127.0.0.1", "port": free_port()} for _ in range(count)], service={"type": "http"})


def more_lines(_folder, count):
    return config(free_port(), service={"type": "http"}) + "# a line that says nothing\n" * count


def more_files(folder, count):
    for n in range(count):
        folder.write(f"more/{n:05}.conf", "# a file of one line\n")
    return config(free_port(), service={"type": "http"}) + '@include "more/*.conf"\n'


def more_options(folder, count):
    lines = "".join(f'        OPTION_{n} = "a value";\n' for n in range(count))
    program = folder.write("worker", SHELL_WORKER, 0o755)
    return (config(free_port(), service=None)
            + f'service : {{ type = "exec"; command = ( "{program}" );\n    environment : {{\n{lines}    }};\n}};\n')


def more_values(folder, count):
    program = folder.write("worker", SHELL_WORKER, 0o755)
    return config(free_port(), service={"type": "exec", "command": [program, *(f"value {n}" for n in range(count))]})


def more_upstreams(_folder, count):
    port = free_port()  # where nobody listens
    return config(free_port(), service={"type": "proxy", "upstreams": [{"address": f"127.0.1.{n + 1}", "port": port} for n in range(count)]})


# Up to what the daemon takes: 64 addresses, 48 upstreams, 512 options in a group, 5,000 values in all; beyond that it says so, at once.
CURVES = {
    "workers": (more_workers, (1, 2, 4, 8, 16, 32, 64, 128)),
    "idle connections": (more_connections, (0, 500, 1000, 2000, 4000, 8000, 15000)),
    "listeners": (more_listeners, (1, 2, 4, 8, 16, 32, 64)),
    "upstreams": (more_upstreams, (1, 3, 6, 12, 24, 48)),
    "options": (more_options, (10, 30, 100, 300, 500)),
    "values": (more_values, (10, 100, 1000, 4900)),
    "lines": (more_lines, (10, 100, 1000, 10000)),
    "included files": (more_files, (10, 100, 1000, 10000)),
}
QUICK_POINTS = 3  # points of each curve, and not the largest


# -- a point

@contextlib.contextmanager
def clients(daemon, count):
    """So many idle keep-alive connections, from several processes and addresses."""
    with contextlib.ExitStack() as stack:
        loads = []
        if count:
            port = int(daemon.wait_line(r"listening on .*:(\d+)")[1])
            for n in range(CLIENTS):
                loads.append(stack.enter_context(Load(port, "--period", "3600", "--ramp", "5000", "--sources", str(SOURCES), "--seed", str(n + 1),
                                                      mode="hold", proto="http", connections=count // CLIENTS)))
            for load in loads:
                load.wait_all_open()
        yield loads


def allow_descriptors():
    """As many as there may be, to the daemon and the clients, which inherit it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def measure(make, count, reloads):
    """The figures of one point, and how many clients were lost (None: there were none)."""
    connections = count if make is more_connections else 0
    with Folder() as folder:
        daemon = Daemon(folder.path, make(folder, count))
        try:
            daemon.wait_ready()
            with clients(daemon, connections) as loads:
                took, spent = [], []
                for _ in range(reloads):
                    before, begun = cpu_seconds(daemon.pid), time.monotonic()
                    verdict = daemon.reload()
                    took.append((time.monotonic() - begun) * 1000)
                    spent.append((cpu_seconds(daemon.pid) - before) * 1000)
                    assert verdict.word == "applied" and verdict.cut == 0, verdict
                memory = [anonymous_kb(pid) for pid in daemon.pids()]
                figures = (statistics.median(took[1:]), statistics.median(spent[1:]), anonymous_kb(daemon.pid), statistics.median(memory))
                seen = [load.result() for load in loads]
        finally:
            daemon.close()
    lost = sum(each["failed_total"] + each["hold"]["lost"] for each in seen) if seen else None
    return figures, lost


# -- all of it

def upper_exponent(points):
    """How steep the curve is where it is steepest, if that is at its end: by its last three points."""
    return exponent(points[-3:])


def slope_rows(name, points):
    """A row for each figure: what one more costs, and the exponent at the upper end."""
    for n, (figure, unit) in enumerate(FIGURES.items()):
        curve = [(count, statistics.median(each[n] for each in rounds)) for count, rounds in points.items()]
        base, each = linear(curve)
        steep = upper_exponent(curve)
        per, small = (each * 1000, {"ms": "us", "kB": "B"}[unit])
        yield (f"{name}: {figure}", f"{base:,.1f} {unit}", f"{per:,.1f} {small}", "–" if steep is None else f"{steep:.2f}")


def measure_curve(report, name, make, counts):
    """{count: [figures of each round]}, and all clients that were lost."""
    if report.quick:
        counts = counts[:QUICK_POINTS]
    allow_descriptors()
    points, lost = {count: [] for count in counts}, 0
    for _ in range(report.rounds):
        for count in counts:
            figures, gone = measure(make, count, 3 if report.quick else RELOADS)
            points[count].append(figures)
            lost += gone or 0
    return points, lost


def show_curve(report, name, points):
    rows = [(f"{count:,}", *(spread([figures[n] for figures in rounds], 1 if n < 2 else 0) for n in range(len(FIGURES))))
            for count, rounds in points.items()]
    report.table(f"With more {name}", (name, *(f"{figure}, {unit}" for figure, unit in FIGURES.items())), rows)


def run(report):
    report.begin("growth", "How a reload's cost grows")
    report.text("Each point is a daemon that is reloaded several times: the time from SIGHUP to the verdict, the master's processor time in it, and "
                "the memory that the master and a worker have for themselves after it. Two workers, unless these are what is counted. The connections are "
                f"idle HTTP ones, of {CLIENTS} processes and {SOURCES} addresses, and all are handed over in each reload.")
    curves, rows = {}, []
    for name, (make, counts) in CURVES.items():
        report.look_around()
        report.progress(f"more {name}")
        try:
            points, lost = measure_curve(report, name, make, counts)
        except (AssertionError, OSError) as reason:
            report.text(f"Skipped, {name}: {str(reason).splitlines()[0] if str(reason) else type(reason).__name__}")
            continue
        curves[name] = points
        show_curve(report, name, points)
        if make is more_connections:
            report.text(f"Connections lost in all these reloads: {lost}.")
        rows += slope_rows(name, points)
    report.table("What one more costs (a straight line through all points), and the exponent of the last three points (1: in proportion)",
                 ("", "with none", "each", "exponent"), rows)
    report.plot("growth.svg", "How a reload's cost grows", plot.growth, curves, FIGURES)
    report.end()
