"""What is wrong is refused, with every reason, before anything is touched; and the exit status says what kind of wrong."""

import os
import re
import signal
import socket
import subprocess

import pytest

from harness import GRACEFULD, WORKER, Client, Load, assert_no_failure, children_of, config, load_text, wait_gone

EX_USAGE, EX_UNAVAILABLE, EX_CONFIG = 64, 69, 78


def run(*args):
    return subprocess.run([GRACEFULD, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)


def test_bad_configuration_changes_nothing(start, port, figure):
    daemon = start(config(port))
    old = daemon.pids()
    with Load(port) as load:
        verdict = daemon.reload(config(port, workers=0))
        seen = load.result()
    figure(load_text(seen))
    assert_no_failure(seen)
    assert verdict.word == "rejected"
    assert "nothing was changed; generation 1 serves" in verdict.text
    assert daemon.pids() == old
    assert not daemon.log.find(r"gen 2")


def test_every_error_is_told_with_its_place(start, port):
    daemon = start(config(port))
    verdict = daemon.reload('workers = 0;\nport = 99999;\ndrain_timout = 5;\nservice = { type = "helo"; };\n')
    assert verdict.word == "rejected"
    told = [line for line in verdict.lines if re.search(r"reload 1: rejected: .*gracefuld\.conf:\d+: ", line)]
    assert len(told) >= 3, verdict.lines
    places = {int(re.search(r"gracefuld\.conf:(\d+): ", line)[1]) for line in told}
    assert {1, 2, 3} <= places, told
    assert any("drain_timeout" in line for line in told), "did you mean …"
    assert f"{len(told)} errors" in next(line for line in verdict.lines if "nothing was changed" in line)


@pytest.mark.parametrize("text", ["", "workers = ;", "workers = 2; workers = 3;", "\0\xff\n", "@include \"none.conf\"\n", "{" * 10000],
                         ids=["empty", "syntax", "twice", "binary", "include", "deep"])
def test_broken_text(start, port, text):
    """An empty file is a good one: all defaults; but its port 11111 may be in use here. All others are rejected."""
    daemon = start(config(port))
    if text == "":
        text = config(port, workers=None, drain_timeout=None, service=None)
        assert daemon.reload(text).word == "applied"
        return
    old = daemon.pids()
    assert daemon.reload(text).word == "rejected"
    assert daemon.pids() == old


@pytest.mark.parametrize("spoil", ["missing", "directory", "fifo", "unreadable"])
def test_file_that_cannot_be_read(start, port, spoil):
    daemon = start(config(port))
    os.unlink(daemon.path)
    if spoil == "directory":
        os.mkdir(daemon.path)
    elif spoil == "fifo":
        os.mkfifo(daemon.path)
    elif spoil == "unreadable":
        os.symlink(daemon.path, daemon.path)
    verdict = daemon.reload()
    assert verdict.word == "rejected"
    assert any(daemon.path in line for line in verdict.lines)
    with Client(port) as client:
        client.ask()


def test_port_in_use_is_rejected(start, port):
    daemon = start(config(port))
    old = daemon.pids()
    with socket.socket() as other:
        other.bind(("0.0.0.0", 0))
        other.listen()
        taken = other.getsockname()[1]
        verdict = daemon.reload(config(taken, workers=4))
    assert verdict.word == "rejected"
    assert any(str(taken) in line for line in verdict.lines)
    assert daemon.pids() == old
    with Client(port) as client:
        client.ask()
    assert daemon.reload(config(port, workers=3)).word == "applied"


def test_one_bad_address_among_good_ones_binds_none(start, port, directory):
    daemon = start(config(port))
    path = os.path.join(directory, "new.sock")
    listen = [{"port": port}, {"path": path}, {"address": "192.0.2.1", "port": port}]
    assert daemon.reload(config(listen=listen)).word == "rejected"
    assert not os.path.exists(path)


def test_corrected_file_is_applied(start, port):
    daemon = start(config(port))
    assert daemon.reload("nonsense").word == "rejected"
    verdict = daemon.reload(config(port, workers=3))
    assert verdict.word == "applied"
    assert len(daemon.workers()) == 3


# -- the start

def test_wrong_option_is_a_usage_error():
    for args in (["--no-such-option"], ["-c"], ["surplus"], ["-l", "loud"]):
        result = run(*args)
        assert result.returncode == EX_USAGE, args
        assert result.stderr


def test_help_and_version():
    result = run("--help")
    assert result.returncode == 0 and "-c" in result.stdout
    result = run("--version")
    assert result.returncode == 0 and re.match(r"gracefuld \d+\.\d+\.\d+", result.stdout)


@pytest.mark.parametrize("text", ["workers = 0;\n", "workers = \n"], ids=["value", "syntax"])
def test_start_with_a_bad_configuration(launch, text):
    daemon = launch(text)
    assert daemon.wait_exit() == EX_CONFIG
    assert daemon.log.find(r"gracefuld\.conf:1: ")
    assert not daemon.log.find(r"-> starting")


def test_start_without_a_configuration():
    result = run("-c", "/nonexistent/gracefuld.conf", "-W", WORKER)
    assert result.returncode == EX_CONFIG
    assert "/nonexistent/gracefuld.conf" in result.stderr


def test_start_with_a_port_in_use(launch):
    with socket.socket() as other:
        other.bind(("0.0.0.0", 0))
        other.listen()
        taken = other.getsockname()[1]
        daemon = launch(config(taken))
        assert daemon.wait_exit() == EX_UNAVAILABLE
    assert daemon.log.find(str(taken))


def test_check_binds_nothing(start, port):
    """-t on the very file that is served: it could not bind these ports, and need not."""
    daemon = start(config(port))
    result = run("-t", "-c", daemon.path, "-W", WORKER)
    assert result.returncode == 0, result.stderr
    daemon.write("workers = 0;\nport = 0;\n")
    result = run("-t", "-c", daemon.path, "-W", WORKER)
    assert result.returncode == EX_CONFIG
    assert "gracefuld.conf:1: " in result.stderr and "gracefuld.conf:2: " in result.stderr
    with Client(port) as client:
        client.ask()


def test_check_looks_into_the_service_section(start, port):
    daemon = start(config(port))
    daemon.write(config(port, service={"type": "helo"}))
    result = run("-t", "-c", daemon.path, "-W", WORKER)
    assert result.returncode == EX_CONFIG
    assert "hello" in result.stderr, "did you mean …"


@pytest.mark.slow
def test_check_that_hangs(launch, port, hostile):
    """Its time is over for -t and for a start alike; neither waits for the end of what it has killed, nor loses memory over it."""
    hostile.install('#!/bin/bash\nexec cat "${0%/*}/gate"\n')
    daemon = launch(config(port), worker=hostile.program)
    hostile.wait_held()
    check, = children_of(daemon.pid)
    result = run("-t", "-c", daemon.path, "-W", hostile.program)
    assert result.returncode == EX_CONFIG, result.stderr
    assert result.stderr == f"{hostile.program}: the check did not end within 10 s\n"
    assert daemon.wait_exit() == EX_CONFIG
    assert daemon.log.find(r"the check did not end within 10 s$")
    wait_gone(check)


def test_clean_stop_is_success(start, port):
    assert start(config(port)).stop(signal.SIGTERM) == 0
