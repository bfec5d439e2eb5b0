"""For pytest: a quick run (GRACEFULD_QUICK=1) is to show that all files are there and work together, as of a tarball. The first test of each does."""

import os


def pytest_collection_modifyitems(config, items):
    if os.environ.get("GRACEFULD_QUICK") == "1":
        quick = [item for item in items if not item.get_closest_marker("slow")][:1]
        config.hook.pytest_deselected(items=[item for item in items if item not in quick])
        items[:] = quick
