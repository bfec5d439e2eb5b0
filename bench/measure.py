"""What all parts of the benchmark share: readings of /proc, statistics, and how busy the machine is with other things."""

import contextlib
import math
import os
import re
import statistics
import time

from harness import proc_stat


# -- processes

def _children(pid):
    """Those of all its threads, zombies included."""
    found = []
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError), \
                    open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
                found += map(int, file.read().split())
    return found


def descendants(root):
    """The pids of a process and of all below it, that are no zombies."""
    found, new = set(), [root]
    while new:
        pid = new.pop()
        stat = proc_stat(pid)
        if stat and stat[0] not in "ZX":
            found.add(pid)
            new += _children(pid)
    return found


def cpu_seconds(pid):
    """Processor time of the threads that a process has now, by the kernel's own count, which is finer than clock ticks."""
    total = 0
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError), \
                    open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as file:
                total += int(file.read().split()[0])
    return total / 1e9


def pss_kb(pids):
    """Memory of these processes, kB: what they share with others counts in parts (proportional set size). 0 for those that have gone."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError), open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            total += next((int(line.split()[1]) for line in file if line.startswith("Pss:")), 0)
    return total


# -- statistics

def spread(values, digits=0):
    """Median, least and most."""
    values = [value for value in values if value is not None]
    if not values:
        return "–"
    median, least, most = (f"{number:,.{digits}f}" for number in (statistics.median(values), min(values), max(values)))
    return median if least == most else f"{median} ({least}–{most})"


def exponent(points):
    """How y grows with x: the slope in a log-log diagram, by least squares. None with less than two points above 0."""
    logs = [(math.log(x), math.log(y)) for x, y in points if x > 0 and y > 0]
    return linear(logs)[1] if len(logs) > 1 else None


def linear(points):
    """(y at 0, y for each x), by least squares."""
    mean_x, mean_y = (statistics.fmean(column) for column in zip(*points))
    over = sum((x - mean_x) * (y - mean_y) for x, y in points)
    slope = over / (sum((x - mean_x) ** 2 for x, _ in points) or 1)
    return mean_y - slope * mean_x, slope


# -- the machine

def _first(path, pattern):
    with contextlib.suppress(OSError), open(path, encoding="utf-8") as file:
        if match := re.search(pattern, file.read(), re.MULTILINE):
            return match[1].strip()
    return "unknown"


def machine():
    """What a reader has to know of it, in a line."""
    system = _first("/etc/os-release", r'^PRETTY_NAME="(.*)"')
    kernel = re.match(r"[\d.]+", os.uname().release)[0]
    memory = int(_first("/proc/meminfo", r"^MemTotal:\s+(\d+)")) / (1 << 20)
    cpu = _first("/proc/cpuinfo", r"^model name\s*:(.*)")
    return (f"{cpu}, {len(os.sched_getaffinity(0))} processors, {memory:.1f} GiB of memory, "
            f"Linux {kernel}, {system}")


def _busy_ticks():
    with open("/proc/stat", encoding="ascii") as file:
        fields = [int(field) for field in file.readline().split()[1:9]]
    return sum(fields) - fields[3] - fields[4], sum(fields)


def others_busy(seconds=1.0):
    """Which share of the machine is in use while we do nothing."""
    busy, every = _busy_ticks()
    time.sleep(seconds)
    busy_then, every_then = _busy_ticks()
    return (busy_then - busy) / max(1, every_then - every)
