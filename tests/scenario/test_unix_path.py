"""A UNIX path that somebody else has removed or taken: a reload notices, and who is connected does not."""

import os
import re
import socket

import pytest
from control import ask, connect, ctl, ctl_end, ctl_start, get, socket_of
from harness import Client, config, descriptors, wait_until

ANEW = r"notice: {}{} was removed or replaced by somebody: bound anew$"


def inherited(daemon, pid):
    """How many sockets a worker was born with."""
    with open(f"/proc/{pid}/environ", encoding="utf-8") as file:
        return int(re.search(r"LISTEN_FDS=(\d+)", file.read())[1])


@pytest.fixture
def path(directory):
    return os.path.join(directory, "service.sock")


@pytest.mark.parametrize("how", ["removed", "replaced by a dead socket"])
def test_path_comes_back(start, path, figure, how):
    daemon = start(config(listen=[{"path": path}], drain_timeout=600))
    before = descriptors(daemon.pid)
    with Client(path).ask() as client, Client(path) as late:
        os.unlink(path)
        if how != "removed":
            with socket.socket(socket.AF_UNIX) as other:
                other.bind(path)
        since = daemon.mark()
        reloading = ctl_start(daemon, "reload")
        line = daemon.wait_line(ANEW.format("", re.escape(path)), since=since)
        daemon.wait_line(r"ready -> draining \(roll\)", since=since)
        with Client(path) as new:
            new.ask()
        client.ask()
        late.ask()
    status, text = ctl_end(reloading)
    assert status == 0 and "0 cut" in text, text
    figure(line[0])
    wait_until(lambda: sorted(descriptors(daemon.pid).values()) == sorted(before.values()),
               "the master keeps one socket for it, and none of the caller that has left")
    since = daemon.mark()
    assert ctl(daemon, "reload")[0] == 0
    daemon.wait_line(r"reload \d+: applied", since=since)  # (the answer may be faster than the log)
    assert len(daemon.log.find("bound anew")) == 1
    assert [inherited(daemon, pid) for pid in daemon.pids()] == [1, 1]
    with Client(path).ask():
        assert get(daemon)["listeners"] == [{"address": path, "sockets": 1, "parked": 0, "covered": False}]
    daemon.stop()
    assert not os.path.exists(path)


def test_path_of_another_process_is_left_to_it(start, path, figure):
    daemon = start(config(listen=[{"path": path}]))
    with Client(path).ask() as client, socket.socket(socket.AF_UNIX) as other:
        os.unlink(path)
        other.bind(path)
        other.listen()
        status, text = ctl(daemon, "reload")
        figure(text.strip())
        assert status == 1 and "another process listens there" in text, text
        client.ask()
    daemon.stop()
    assert os.path.exists(path), "it is not ours to remove"


def test_reload_that_is_reverted_leaves_no_path(start, path, hostile):
    """Nobody would serve it; the next reload tries again."""
    daemon = start(config(listen=[{"path": path}]), worker=hostile.program)
    before = sorted(descriptors(daemon.pid).values())
    with Client(path).ask() as client:
        os.unlink(path)
        hostile.plan("crash", slot=0)  # the first, so that no worker has been told to drain
        assert ctl(daemon, "reload")[0] == 2
        assert not os.path.exists(path)
        wait_until(lambda: sorted(descriptors(daemon.pid).values()) == before, "nothing is left open")
        client.ask()
    hostile.plan("real")
    assert ctl(daemon, "reload")[0] == 0
    with Client(path) as again:
        again.ask()


def test_control_socket_comes_back(start, port):
    daemon = start(config(port))
    path = socket_of(daemon)
    with connect(path) as held:
        os.unlink(path)
        since = daemon.mark()
        daemon.hup()
        daemon.wait_line(ANEW.format("control: ", re.escape(path)), since=since)
        assert daemon.wait_verdict(since).word == "applied"
        assert get(daemon)["generation"] == 2
        held.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert held.recv(4096).startswith(b"HTTP/1.1 200 ")
    assert daemon.reload().word == "applied"
    assert len(daemon.log.find("bound anew")) == 1
    assert ask(path, "/readyz")[0] == 200
