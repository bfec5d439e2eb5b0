"""What clients that ask the control server without pause take from what matters more."""

import contextlib
import os
import signal
import statistics
import time

from control import ask, get, socket_of
from harness import Load, cpu_ticks, free_port
from running import Running

QUICK = {"ROLLS": 2}
ROLLS = 20


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


def run(report):
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
    report.table(f"Clients that ask the control server without pause ({ROLLS} each, medians), ms",
          ("clients", "status", "reload of 2 workers", "respawn", "processor %"), rows)
