"""What every scenario gets: a directory, a way to start daemons, a time limit, and the log of the daemon when it fails."""

import os
import shutil
import signal
import tempfile

import pytest

import harness
from figures import figure, pytest_terminal_summary  # noqa: F401

LEAKS_EVERY = 5
# Seconds for one test: only a test that hangs comes near.
TIME_LIMIT = 240
TIME_LIMIT_OF_SLOW = 1200


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes long, by many workers in most; not part of a quick run (GRACEFULD_QUICK=1)")
    config.addinivalue_line("markers", "patient: has the time of slow ones, but is part of a quick run")
    harness.become_subreaper()


@pytest.fixture(autouse=True)
def leaks(request, monkeypatch):
    """
    With AddressSanitizer: to look for leaks takes longer at each worker's end than all else that it does, and what leaks, leaks in
    many tests. So it is done in each fifth of a file, but for those that are slow.
    """
    if request.session.items.index(request.node) % LEAKS_EVERY != 0 or request.node.get_closest_marker("slow"):
        monkeypatch.setenv("ASAN_OPTIONS", f"{os.environ.get('ASAN_OPTIONS', '')}:detect_leaks=0")


@pytest.fixture(autouse=True)
def time_limit(request):
    is_slow = any(map(request.node.get_closest_marker, ("slow", "patient")))
    limit = TIME_LIMIT_OF_SLOW if is_slow else TIME_LIMIT

    def expired(*_):
        raise harness.Deadline(f"the test took more than {limit} s")
    signal.signal(signal.SIGALRM, expired)
    signal.alarm(limit)
    yield
    signal.alarm(0)


@pytest.fixture
def directory():
    """A directory with a short name, since the path of a UNIX socket has only 107 bytes."""
    path = tempfile.mkdtemp(prefix="gracefuld-")
    os.chmod(path, 0o755)  # for workers, which may run as another user
    yield path
    shutil.rmtree(path)


@pytest.fixture
def elsewhere(directory):
    """A folder for another daemon."""
    path = os.path.join(directory, "elsewhere")
    os.mkdir(path, 0o755)
    return path


@pytest.fixture
def hostile(directory):
    worker = harness.Hostile(directory)
    yield worker
    worker.open_gate()


@pytest.fixture
def port():
    return harness.free_port()


@pytest.fixture
def launch(request, directory):
    """Starts a daemon without waiting for it: launch(text, …). A second one has to be in a folder of its own: within=…"""
    daemons = []

    def launch_one(text, within=directory, **arguments):
        daemons.append(harness.Daemon(within, text, **arguments))
        return daemons[-1]
    yield launch_one
    try:
        for daemon in daemons:
            daemon.close()
    finally:
        for daemon in daemons:
            for when in ("call", "teardown"):
                request.node.add_report_section(when, f"log of gracefuld[{daemon.pid}]", daemon.log.text())


@pytest.fixture
def start(launch):
    """Starts a daemon and waits until it serves: start(text, …)."""
    return lambda text, **arguments: launch(text, **arguments).wait_ready()
