"""gracefulctl config, diff and check."""

import os
import shutil
import subprocess

import pytest
from conftest import GRACEFULCTL, environment
from fake_daemon import status


@pytest.fixture
def file(directory):
    """Writes the file on disk: file("workers = 2;"); its path."""
    def write(text):
        path = os.path.join(directory, "gracefuld.conf")
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        os.chmod(path, 0o644)
        return path
    return write


def runs(daemon, text):
    daemon.on["GET /v1/config"] = lambda exchange: exchange.text(200, text)


# -- config --------------------------------------------------------------------------------------------------------

def test_config_is_the_daemons_to_the_byte(daemon, run):
    text = b"workers = 2;\r\n\t# gr\xc3\xb6\xc3\x9fer \xff \x00 \x1b[2J"
    runs(daemon, text)
    done = run("config", text=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, text, b"")


def test_config_on_a_terminal_is_made_harmless(daemon, terminal):
    runs(daemon, b"workers = 2;\n\x1b[2J# gr\xc3\xb6\xc3\x9fer \xff\n")
    shown = terminal("config")
    assert shown.finish() == 0
    assert shown.raw == "workers = 2;\r\n\\x1b[2J# größer \\xff\r\n"


def test_long_config_is_whole(daemon, run):
    text = "# a line of a comment\n" * 90000
    runs(daemon, text)
    assert run("config").stdout == text


def test_full_disk_is_no_success(daemon, socket_path):
    runs(daemon, "workers = 2;\n" * 10000)
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([GRACEFULCTL, "-s", socket_path, "config"], stdout=full, stderr=subprocess.PIPE, text=True,
                              env=environment(), check=False)
    assert done.returncode == 74
    assert done.stderr == "gracefulctl: could not write all of the output\n"


# -- diff ----------------------------------------------------------------------------------------------------------

def test_diff_says_what_changes_and_how(daemon, run, file):
    runs(daemon, "workers = 2;\ndrain_timeout = 100;\n")
    path = file("# other comments, another order\ndrain_timeout = \"1m\";\nworkers = 4;\nservice : { type = \"echo\"; };\n")
    done = run("diff", path)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.splitlines() == [
        "drain_timeout: 100s -> 1m (at once)",
        "service.type: http -> echo (by rolling the workers)",
        "workers: 2 -> 4 (by rolling the workers)"]
    assert daemon.requests == ["GET /v1/config"]  # nothing is touched


def test_diff_of_what_means_the_same_is_empty(daemon, run, file):
    runs(daemon, "drain_timeout = 60;\nworkers = 2;\n")
    done = run("diff", file("workers = 2; # two\ndrain_timeout = \"1m\";\nport = 11111;\n"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_diff_without_a_file_takes_the_daemons(daemon, run, file):
    runs(daemon, "workers = 2;\n")
    daemon.on["GET /v1/status"] = status(config={"path": file("workers = 3;\n")})
    done = run("diff")
    assert (done.returncode, done.stdout) == (1, "workers: 2 -> 3 (by rolling the workers)\n")


@pytest.mark.parametrize("path", ["etc/gracefuld.conf", "", None, 7, "-", "--help"])
def test_diff_refuses_to_guess_where_a_file_is(daemon, run, path):
    daemon.on["GET /v1/status"] = status(config={"path": path})
    done = run("diff")
    assert (done.returncode, done.stdout) == (76, "")
    assert done.stderr == "gracefulctl: the daemon's file is not known by a full path: name FILE\n"


@pytest.mark.skipif(not shutil.which("prlimit"), reason="needs prlimit (util-linux)")
def test_diff_does_not_go_by_the_limits_of_its_own_shell(daemon, socket_path, file):
    runs(daemon, "workers = 2;\n")
    path = file("workers = 2;\nlimits : { open_files = 257; };\n")
    done = subprocess.run(["prlimit", "--nofile=256:256", GRACEFULCTL, "-s", socket_path, "diff", path], capture_output=True,
                          text=True, env=environment(), check=False)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout == "limits.open_files: (none) -> 257 (by rolling the workers)\n"


def test_diff_with_errors_in_the_file_prints_them_all(daemon, run, file):
    runs(daemon, "workers = 2;\n")
    path = file("workers = 0;\nprot = 80;\n")
    done = run("diff", path)
    assert (done.returncode, done.stdout) == (78, "")
    lines = done.stderr.splitlines()
    assert len(lines) == 2 and lines[0].startswith(f"{path}:1: ") and lines[1].startswith(f"{path}:2: ")
    assert "did you mean" in lines[1]


def test_diff_with_a_file_that_is_not_there(daemon, run, directory):
    runs(daemon, "workers = 2;\n")
    done = run("diff", f"{directory}/none.conf")
    assert (done.returncode, done.stdout) == (78, "")
    assert "No such file or directory" in done.stderr


def test_diff_with_a_daemon_of_another_language(daemon, run, file):
    runs(daemon, "wrokers = 2;\n\x1b[2J\n")
    done = run("diff", file("workers = 2;\n"))
    assert (done.returncode, done.stdout) == (76, "")
    assert "does not understand" in done.stderr and "\x1b" not in done.stderr


def test_diff_values_are_harmless(daemon, run, file):
    runs(daemon, "user = \"a\\x1b[2Jb\";\n")
    done = run("diff", file("user = \"c\";\n"))
    assert done.returncode in (1, 76) and "\x1b" not in done.stdout + done.stderr


# -- check ---------------------------------------------------------------------------------------------------------

@pytest.fixture
def installed(directory):
    """gracefulctl beside a gracefuld that says what it is called with, and exits with 78."""
    folder = os.path.join(directory, "bin")
    os.mkdir(folder)
    program = shutil.copy(GRACEFULCTL, folder)
    with open(f"{folder}/gracefuld", "w", encoding="ascii") as script:
        script.write('#!/bin/sh\necho "$@"\nls -l /proc/self/fd | wc -l\nexit 78\n')
    os.chmod(f"{folder}/gracefuld", 0o755)
    return program


def test_check_is_done_by_the_daemons_program_beside_it(run, installed):
    done = run("check", "/etc/my own.conf", program=installed)
    assert (done.returncode, done.stderr) == (78, "")
    assert done.stdout.splitlines()[0] == "-t -c /etc/my own.conf"


def test_check_in_a_build_tree_uses_the_workers_built_with_it(run, installed):
    """Those that are installed, if any, are others."""
    worker = os.path.join(os.path.dirname(installed), "gracefuld-worker")
    shutil.copy("/bin/true", worker)
    assert run("check", "/x", program=installed).stdout.splitlines()[0] == f"-t -c /x -W {worker}"


def test_check_without_a_file_takes_the_daemons(daemon, run, installed):
    daemon.on["GET /v1/status"] = status(config={"path": "/srv/x.conf"})
    asked = run("check", program=installed)
    assert (asked.returncode, asked.stderr) == (78, "")
    assert asked.stdout.splitlines()[0] == "-t -c /srv/x.conf"
    assert asked.stdout == run("check", "/srv/x.conf", program=installed).stdout  # as many descriptors: none was left to it


def test_check_without_a_daemon_takes_the_default_and_says_so(run, installed):
    done = run("check", program=installed)
    assert done.returncode == 78
    path = done.stdout.splitlines()[0].removeprefix("-t -c ")
    assert path.endswith("/gracefuld.conf")
    lines = done.stderr.splitlines()
    assert lines[0].startswith("gracefulctl: no daemon answers at ") and lines[1] == f"gracefulctl: checking {path}"


def test_check_that_is_not_allowed_does_not_guess(daemon, run, installed):
    daemon.on["GET /v1/status"] = lambda exchange: exchange.json(403, {"error": "no"})
    done = run("check", program=installed)
    assert (done.returncode, done.stdout) == (77, "")


def test_check_without_the_daemons_program(run, installed):
    os.unlink(os.path.join(os.path.dirname(installed), "gracefuld"))
    done = run("check", "/x", program=installed)
    assert done.returncode in (69, 78)  # the latter where one is installed
    if done.returncode == 69:
        assert "cannot run " in done.stderr
