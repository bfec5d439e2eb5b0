"""What workers give up before they serve, as the kernel tells it. (Which calls that are, call by call: tests/unit/sandbox_test.c.)"""

import os
import re
import socket

import pytest

from harness import Client, config, is_instrumented

needs_sandbox = pytest.mark.skipif(is_instrumented(), reason="there is no sandbox then")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has capabilities to give up")

NONE, FILTER = "0", "2"  # Seccomp: in /proc/PID/status


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


def sandboxes(daemon):
    """Of each worker: has it a filter, and may it gain privileges?"""
    return {(status["Seccomp"], status["NoNewPrivs"]) for status in map(status_of, daemon.pids())}


def outside():
    """What this process has itself, which a daemon inherits."""
    status = status_of("self")
    return status["Seccomp"], status["NoNewPrivs"]


@pytest.fixture
def upstream():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield {"address": "127.0.0.1", "port": listener.getsockname()[1]}


@needs_sandbox
@pytest.mark.parametrize("kind", ["hello", "echo", "http", "proxy"])
@pytest.mark.parametrize("sandbox", ["auto", "always"])
def test_our_own_services_are_in_it(start, port, upstream, kind, sandbox):
    """Each worker that says ready is; the master is not."""
    service = {"type": kind, **({"upstreams": [upstream]} if kind == "proxy" else {})}
    daemon = start(config(port, service=service, sandbox=sandbox))
    assert sandboxes(daemon) == {(FILTER, "1")}
    master = status_of(daemon.pid)
    assert (master["Seccomp"], master["NoNewPrivs"]) == outside()


@needs_sandbox
def test_it_takes_effect_by_a_roll(start, port):
    """Off and on again, while a connection goes along."""
    daemon = start(config(port))
    with Client(port) as client:
        client.ask()
        for sandbox, expected in (("never", outside()), ("auto", (FILTER, "1"))):
            assert daemon.reload(config(port, sandbox=sandbox)).word == "applied"
            assert sandboxes(daemon) == {expected}
            client.ask()


@pytest.mark.skipif(not is_instrumented(), reason="there is a sandbox")
def test_always_does_not_go_without(start, port):
    """Where there is none, "always" is no wish that is left unheard."""
    daemon = start(config(port))
    before = daemon.pids()
    verdict = daemon.reload(config(port, sandbox="always"))
    assert verdict.word == "reverted" and "there can be no sandbox" in verdict.text, verdict
    assert daemon.pids() == before


def test_none_for_programs_of_others(start, port):
    daemon = start(config(port))
    verdict = daemon.reload(config(port, sandbox="always", service={"type": "exec", "command": ["/bin/cat"], "ready": 1}))
    assert verdict.word == "rejected"
    assert any(re.search(r"sandbox: there is none for a program", line) for line in verdict.lines), verdict.lines


@needs_root
def test_workers_have_no_capabilities_and_no_way_to_any(start, port):
    """The master has what it needs for its work, and no more."""
    daemon = start(config(port))
    for pid in daemon.pids():
        status = status_of(pid)
        assert {name: int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == dict.fromkeys(
            ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"), 0)
        assert "0" not in status["Uid"].split()
    #         CHOWN    DAC_OVERRIDE FOWNER  KILL     SETGID   SETUID   SETPCAP  NET_BIND_SERVICE
    needed = 1 << 0 | 1 << 1 | 1 << 3 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 10
    assert int(status_of(daemon.pid)["CapPrm"], 16) & ~needed == 0


def test_workers_do_not_inherit_what_systemd_says_to_the_master(launch, port):
    daemon = launch(config(port, workers=1), env={"NOTIFY_SOCKET": "@nobody", "WATCHDOG_USEC": "60000000"}).wait_ready()
    pid, = daemon.pids()
    with open(f"/proc/{pid}/environ", "rb") as file:
        names = {setting.split(b"=")[0] for setting in file.read().split(b"\0")}
    assert b"LISTEN_PID" in names, names
    assert not names & {b"NOTIFY_SOCKET", b"WATCHDOG_USEC", b"WATCHDOG_PID"}
