"""Completion of the command line, by bash itself, without bash-completion's help."""

import os
import subprocess

import pytest
from conftest import BUILD, TOP, environment
from fake_daemon import status, worker

SCRIPT = os.path.join(TOP, "completion/gracefulctl.bash")

# What readline would do: the words up to the cursor, "=" being one of its own, and the function that is registered.
COMPLETE = r'''
source "$1"; shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_gracefulctl gracefulctl "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\n' "${COMPREPLY[@]}"
'''


def complete(*words, folder=None):
    env = environment(PATH=f"{BUILD}:{os.environ['PATH']}")
    done = subprocess.run(["bash", "-c", COMPLETE, "bash", SCRIPT, "gracefulctl", *words], capture_output=True, text=True, env=env,
                          cwd=folder, check=False)
    assert done.stderr == ""
    return sorted(done.stdout.split())


@pytest.mark.parametrize("words, offered", [
    (["re"], ["reload", "restart"]),
    (["--v"], ["--version"]),
    (["-s", "/x", "sta"], ["status"]),
    (["--socket", "/x", "sc"], ["scale"]),
    (["status", "--"], ["--help", "--json", "--watch"]),
    (["reload", "--w"], ["--wait="]),
    (["reload", "--wait", "="], ["drained", "no", "ready"]),
    (["reload", "--wait", "=", "dr"], ["drained"]),
    (["reload", "--wait", "r"], ["ready"]),
    (["reload", "--timeout", ""], []),
    (["reload", "--if-changed", "--t"], ["--timeout="]),
    (["stop", ""], ["--help", "--now"]),
    (["config", ""], []),
    (["nonsense", ""], []),
])
def test_words(words, offered):
    assert complete(*words) == offered


def test_every_command_is_offered(run):
    offered = {word for word in complete("") if not word.startswith("-")}
    listed = {line.split()[0] for line in run("--help").stdout.splitlines() if line.startswith("  ") and line[2].isalpha()}
    assert offered == listed


def test_files(directory):
    for name in ("a.conf", "b.conf"):
        with open(os.path.join(directory, name), "w", encoding="ascii"):
            pass
    for words in (["check", ""], ["diff", ""], ["-s", ""]):
        assert complete(*words, folder=directory) == ["a.conf", "b.conf"]


def test_slots_are_those_of_the_daemon(daemon, socket_path):
    daemon.on["GET /v1/status"] = status(workers=[worker(0, 900), worker(0, 903), worker(1, 901), worker(12, 902)])
    assert complete("-s", socket_path, "restart", "") == ["0", "1", "12"]
    assert complete("-s", socket_path, "restart", "1") == ["1", "12"]


def test_no_daemon_offers_no_slots(socket_path):
    assert complete("-s", socket_path, "restart", "") == []
