"""What every test gets: a short directory, a fake daemon in it, and ways to run gracefulctl."""

import os
import shutil
import signal
import subprocess
import tempfile

import pytest
from fake_daemon import FakeDaemon
from screen import Terminal

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("GRACEFULD_BUILD", os.path.join(TOP, "build"))
GRACEFULCTL = os.path.join(BUILD, "gracefulctl")

TIME_LIMIT = 240  # seconds for one test: only a test that hangs comes near


@pytest.fixture(autouse=True)
def time_limit():
    def expired(*_):
        raise AssertionError(f"the test took more than {TIME_LIMIT} s")
    signal.signal(signal.SIGALRM, expired)
    signal.alarm(TIME_LIMIT)
    yield
    signal.alarm(0)


@pytest.fixture
def directory():
    """With a short name, since the path of a UNIX socket has only 107 bytes."""
    path = tempfile.mkdtemp(prefix="gracefulctl-")
    yield path
    shutil.rmtree(path)


@pytest.fixture
def socket_path(directory):
    return os.path.join(directory, "control.sock")


@pytest.fixture
def daemon(socket_path):
    fake = FakeDaemon(socket_path)
    yield fake
    fake.close()
    assert not fake.failures, fake.failures


def environment(**changes):
    """Of one who has set nothing."""
    env = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR", "LANG", "LC_CTYPE")}
    return {**env, "LC_ALL": "C.UTF-8", **changes}


@pytest.fixture
def begin(socket_path):
    """Starts gracefulctl on pipes: begin("status"); to be waited for by communicate()."""
    processes = []

    def begin_one(*arguments, program=GRACEFULCTL, text=True, **env):
        processes.append(subprocess.Popen([program, "-s", socket_path, *arguments], stdin=subprocess.DEVNULL,
                                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=text, env=environment(**env)))
        return processes[-1]
    yield begin_one
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def run(begin):
    """Runs it to its end: run("status").returncode, .stdout, .stderr."""
    def run_one(*arguments, **options):
        process = begin(*arguments, **options)
        stdout, stderr = process.communicate(timeout=60)
        return subprocess.CompletedProcess(arguments, process.returncode, stdout, stderr)
    return run_one


@pytest.fixture
def terminal(socket_path):
    """Runs it on a terminal: terminal("status", rows=24, columns=80)."""
    terminals = []

    def start(*arguments, **options):
        terminals.append(Terminal([GRACEFULCTL, "-s", socket_path, *arguments], **options))
        return terminals[-1]
    yield start
    for one in terminals:
        one.close()
