"""Command line, and answers that no daemon would give: each ends in time, with an exit status that is told, and without harm."""

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import time

import pytest
from conftest import GRACEFULCTL, environment
from fake_daemon import FakeDaemon, status

QUESTIONS = [["status"], ["status", "--json"], ["config"], ["diff"], ["reload"], ["scale", "2"], ["restart", "0"], ["events"], ["stop"]]


def answer_all(daemon, how):
    for path in ("GET /v1/status", "GET /v1/config", "GET /v1/events", "POST /v1/reload", "POST /v1/scale",
                 "POST /v1/workers/0/restart", "POST /v1/stop"):
        daemon.on[path] = how


# -- nobody there -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("arguments", QUESTIONS)
def test_no_daemon_is_unavailable(run, socket_path, arguments):
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr == f"gracefulctl: no daemon answers at {socket_path}: No such file or directory\n"


def test_socket_without_a_listener_is_unavailable(run, socket_path):
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(socket_path)
        done = run("status")
    assert done.returncode == 4
    assert done.stderr == f"gracefulctl: no daemon answers at {socket_path}: Connection refused\n"


def test_file_that_is_no_socket_is_unavailable(run, socket_path):
    with open(socket_path, "w", encoding="ascii"):
        assert run("reload").returncode == 4


@pytest.fixture
def full(socket_path):
    """A socket whose queue has no place left, and how many are in there."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(socket_path)
        listener.listen(0)
        n = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                waiting = stack.enter_context(socket.socket(socket.AF_UNIX))
                waiting.setblocking(False)
                waiting.connect(socket_path)
                n += 1
        yield listener, n


@pytest.mark.usefixtures("full")
def test_full_queue_is_unavailable(run):
    done = run("reload")
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.endswith("its queue is full\n")


def test_who_finds_the_queue_full_waits_for_a_place(begin, full):
    listener, n = full
    listener.settimeout(30)
    process = begin("status", "--json")
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)
    for _ in range(n):
        listener.accept()[0].close()
    with listener.accept()[0] as sock:
        FakeDaemon.read(sock).json(200, status())
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert json.loads(out)["pid"] == 811


@pytest.mark.skipif(os.geteuid() == 0 and not os.path.exists("/usr/bin/setpriv"), reason="needs setpriv (util-linux)")
def test_socket_that_may_not_be_used_is_a_matter_of_permission(daemon, run, socket_path, directory):
    os.chmod(directory, 0o755)
    os.chmod(socket_path, 0o600 if os.geteuid() == 0 else 0)
    command = [GRACEFULCTL, "-s", socket_path, "status"]
    if os.geteuid() == 0:
        program = shutil.copy(GRACEFULCTL, directory)  # a build tree may lie where nobody else may look
        command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program, *command[1:]]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), check=False)
    assert (done.returncode, done.stdout) == (77, "")
    assert done.stderr == f"gracefulctl: may not connect to {socket_path}: Permission denied\n"


# -- somebody else there -----------------------------------------------------------------------------------------------

NO_HTTP = [
    b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    b"\x00\x01\x02\x03" * 100,
    b"HTTP/1.1 banana\r\n\r\n",
    b"HTTP/1.1 302 Found\r\nLocation: http://example.com/\r\nContent-Length: 0\r\n\r\n",
]
NO_OBJECT = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
]
WANT_OBJECTS = [arguments for arguments in QUESTIONS if arguments[0] not in ("config", "events", "stop")]


@pytest.mark.parametrize("arguments, bytes_sent", [
    *((arguments, garbage) for arguments in QUESTIONS for garbage in NO_HTTP),
    *((arguments, garbage) for arguments in WANT_OBJECTS for garbage in NO_OBJECT),
])
def test_garbage_is_a_protocol_error(daemon, run, arguments, bytes_sent):
    answer_all(daemon, lambda exchange: exchange.raw(bytes_sent))
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (76, "")
    assert re.fullmatch(r"gracefulctl: [ -~]+\n", done.stderr)


@pytest.mark.parametrize("arguments", QUESTIONS)
@pytest.mark.parametrize("bytes_sent", [
    b"",
    b"HTTP/1.1 200",
    b"HTTP/1.1 200 OK\r\nContent-Le",
    b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"version\":",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"a\":",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",  # no end, but to libcurl it looks like one
])
def test_end_in_the_middle_is_unavailable(daemon, run, arguments, bytes_sent):
    answer_all(daemon, lambda exchange: exchange.raw(bytes_sent))
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (4, "")
    assert re.fullmatch(r"gracefulctl: [ -~]+\n", done.stderr)


@pytest.mark.parametrize("arguments", [["status"], ["config"], ["reload"]])
def test_answer_without_end_is_cut_off(daemon, run, arguments):
    """Memory stays bounded, and so does time."""
    def flood(exchange):
        exchange.raw(b"HTTP/1.1 200 OK\r\n\r\n{\"a\": \"")
        while True:
            try:
                exchange.sock.sendall(b"x" * 65536)
            except OSError:
                return
    answer_all(daemon, flood)
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (76, "")
    assert "larger than" in done.stderr


def test_deep_json_is_a_protocol_error(daemon, run):
    answer_all(daemon, lambda exchange: exchange.text(200, '{"a":' * 100000))
    assert run("status").returncode == 76


def test_many_workers_are_shown(daemon, run):
    daemon.on["GET /v1/status"] = status(workers=[{"slot": n, "pid": n, "state": "ready"} for n in range(2048)])
    done = run("status")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) > 2048


def test_slow_answer_is_waited_for(daemon, run):
    def dribble(exchange):
        body = json.dumps(status()).encode()
        for byte in b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body:
            exchange.raw(bytes([byte]))
    daemon.on["GET /v1/status"] = dribble
    assert run("status").returncode == 0


def test_silence_ends_after_ten_seconds(daemon, begin):
    """All at the same time: the daemon accepts, and says nothing, or never comes to an end."""
    answer_all(daemon, lambda exchange: exchange.wait_closed())

    def begin_only(exchange):
        exchange.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
        exchange.wait_closed()
    daemon.on["GET /v1/config"] = begin_only
    begun = time.monotonic()
    processes = [begin(*arguments) for arguments in (["status"], ["config"], ["stop"], ["diff"])]
    waits = begin("reload")
    for process in processes:
        _, stderr = process.communicate(timeout=60)
        assert process.returncode == 4
        assert stderr.endswith("does not answer: waited for 10 s\n")
    assert 9 < time.monotonic() - begun < 20
    assert waits.poll() is None  # a reload has all the time that it needs


# -- the command line --------------------------------------------------------------------------------------------------

def test_version_and_help(run):
    assert re.fullmatch(r"gracefulctl \d+\.\d+\.\d+\n", run("--version").stdout)
    for option in ("--help", "-h"):
        done = run(option)
        assert done.returncode == 0 and done.stderr == ""
        for command in ("status", "reload", "check", "diff", "config", "scale", "restart", "events", "stop"):
            assert f"\n  {command}" in done.stdout


@pytest.mark.parametrize("command", ["status", "reload", "check", "diff", "config", "scale", "restart", "events", "stop"])
def test_each_command_has_help(run, command):
    done = run(command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: gracefulctl [-s SOCKET] {command}")


@pytest.mark.parametrize("arguments, line", [
    ([], "usage: gracefulctl [-s SOCKET] COMMAND"),
    (["--bad"], "unrecognized option"),
    (["statsu"], 'there is no command "statsu"; did you mean "status"?'),
    (["frobnicate"], 'there is no command "frobnicate"; see gracefulctl --help'),
    (["\x1b[2J"], r'there is no command "\x1b[2J"'),
    (["-s", "/" + 108 * "x", "status"], "no socket can have so long a name"),
    (["status", "--jsn"], "unrecognized option"),
    (["status", "now"], 'what is "now"?'),
    (["config", "x"], 'what is "x"?'),
    (["diff", "x", "y"], 'what is "y"?'),
    (["check", "x", "y"], 'what is "y"?'),
    (["events", "x"], 'what is "x"?'),
])
def test_usage_errors(run, arguments, line):
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (64, "")
    assert line in done.stderr.splitlines()[0]


def test_socket_is_given_before_the_command(daemon, run, socket_path):
    daemon.on["GET /v1/status"] = status()
    assert run("--socket", socket_path, "status").returncode == 0
    assert run("status", "-s", socket_path).returncode == 64


def test_proxy_of_the_environment_is_not_asked(daemon, run):
    daemon.on["GET /v1/status"] = status()
    assert run("status", http_proxy="http://127.0.0.1:9", ALL_PROXY="socks5://127.0.0.1:9").returncode == 0
