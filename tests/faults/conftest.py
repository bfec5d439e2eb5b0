"""What the campaigns get: the harness of the scenarios, and a place for figures."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "scenario"))

import harness  # noqa: E402
from figures import figure, pytest_terminal_summary  # noqa: E402, F401


def pytest_configure():
    harness.become_subreaper()
