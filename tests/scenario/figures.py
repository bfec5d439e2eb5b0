"""Figures that tests rest on: noted by a test, shown at the end of the run, in passing tests too. A conftest.py imports all of this."""

import pytest

figures = pytest.StashKey()


def pytest_terminal_summary(terminalreporter, config):
    for line in config.stash.get(figures, []):
        terminalreporter.write_line(line)


@pytest.fixture
def figure(request):
    """Notes a figure for the summary."""
    def note(text):
        request.config.stash.setdefault(figures, []).append(f"{request.node.name}: {text}")
    return note
