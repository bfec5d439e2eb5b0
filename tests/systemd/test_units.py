"""The shipped unit files and catalog, by systemd's own tools; nothing is started."""

import os
import re
import shutil
import subprocess

import pytest

from box import BUILD, TOP

EXPOSURE_MAX = 15  # tenths, as systemd-analyze security counts; it calls 0–20 "OK"

UNITS = ["gracefuld.service", "gracefuld@.service"]


@pytest.fixture(autouse=True)
def analyze():
    if not shutil.which("systemd-analyze"):
        pytest.skip("no systemd-analyze here")


@pytest.mark.parametrize("unit", UNITS)
def test_sandbox_is_tight(unit):
    """Fails with the list of what is open, when it is more than the unit's own comment explains."""
    path = os.path.join(BUILD, "systemd", unit)
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", f"--threshold={EXPOSURE_MAX}", path],
                          capture_output=True, text=True, env={**os.environ, "SYSTEMD_COLORS": "0"}, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    with open(path, encoding="utf-8") as file:
        explained = file.read()
    for line in done.stdout.splitlines():
        if line.startswith("✗"):
            assert f"  {explanation_of(line)}" in explained, line


def explanation_of(line):
    """Under which word the unit's comment explains a line of the report."""
    setting, _, value = line.split()[1].partition("=")
    if setting in ("RestrictAddressFamilies", "CapabilityBoundingSet"):
        return re.sub(r"\((\w+)\|.*", r"\1", value.lstrip("~"))
    return setting + "="


@pytest.mark.parametrize("unit", UNITS)
def test_nothing_is_left_to_substitute(unit):
    with open(os.path.join(BUILD, "systemd", unit), encoding="utf-8") as file:
        text = file.read()
    assert not re.search(r"@\w+@|\$\{|NONE/", text)
    assert re.search(r"^ExecStart=/", text, re.M)


def test_catalog_explains_messages_that_exist():
    """Each identifier is one of the program's, and stands there once."""
    with open(os.path.join(TOP, "src/master/log_event.c"), encoding="utf-8") as file:
        logged = re.findall(r'"([0-9a-f]{32})"', file.read())
    with open(os.path.join(TOP, "systemd/gracefuld.catalog"), encoding="utf-8") as file:
        explained = re.findall(r"^-- ([0-9a-f]{32})$", file.read(), re.M)
    assert explained and set(explained) <= set(logged)
    assert len(set(explained)) == len(explained) and len(set(logged)) == len(logged)


def test_catalog_is_well_formed(tmp_path):
    """journalctl takes it without a complaint."""
    folder = tmp_path / "usr/lib/systemd/catalog"
    folder.mkdir(parents=True)
    (tmp_path / "var/lib/systemd/catalog").mkdir(parents=True)
    shutil.copy(os.path.join(TOP, "systemd/gracefuld.catalog"), folder)
    done = subprocess.run(["journalctl", "--update-catalog", f"--root={tmp_path}"], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert (tmp_path / "var/lib/systemd/catalog/database").stat().st_size > 0
