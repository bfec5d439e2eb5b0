"""One box for all tests of a file. Each test finds the service stopped, with no settings but the shipped ones."""

import os

import pytest

import box as boxes  # makes the harness of the scenarios known, too
from figures import figure, pytest_terminal_summary  # noqa: F401  pylint: disable=unused-import
from harness import config, free_port


def pytest_sessionfinish(session):
    """Automake's exit status for a file whose tests were all skipped."""
    stats = session.config.pluginmanager.get_plugin("terminalreporter").stats
    if stats.get("skipped") and not any(stats.get(kind) for kind in ("passed", "failed", "error")):
        session.exitstatus = 77


@pytest.fixture(scope="session")
def installed():
    """A box with the daemon installed."""
    if os.environ.get("GRACEFULD_QUICK") == "1":
        pytest.skip("a quick run")
    try:
        root = boxes.find_root()
    except boxes.Unusable as reason:
        pytest.skip(str(reason))
    new = boxes.Box(root)
    try:
        new.install()
        yield new
    finally:
        new.down()


@pytest.fixture
def box(installed, request):
    """The box, with its journal in the report of a test that fails."""
    since = installed.now()
    yield installed
    installed.restore()
    request.node.add_report_section("teardown", "journal", "\n".join(installed.messages(since)))


@pytest.fixture
def port():
    return free_port()


@pytest.fixture
def configure(box, port):
    """Writes the service's configuration: on the test's port, unless told otherwise."""
    def write(text=None, **options):
        box.put(f"{box.sysconfdir}/gracefuld.conf", config(**{"port": port, "user": None, **options}) if text is None else text)
    write()
    return write


@pytest.fixture
def started(box, configure):  # pylint: disable=unused-argument
    """The box, with the service started on a configuration of two workers."""
    box.systemctl("start", "gracefuld")
    return box
