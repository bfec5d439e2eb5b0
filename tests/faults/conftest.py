"""What the campaigns get: the harness of the scenarios, and a place for figures."""

import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "scenario"))

import harness  # noqa: E402

figures = pytest.StashKey()


def pytest_configure(config):
    config.stash[figures] = []
    harness.become_subreaper()


def pytest_terminal_summary(terminalreporter, config):
    for line in config.stash[figures]:
        terminalreporter.write_line(line)


@pytest.fixture
def figure(request):
    """Notes a figure for the summary."""
    def note(text):
        request.config.stash[figures].append(f"{request.node.name}: {text}")
    return note
