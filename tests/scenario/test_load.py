"""The load itself: what other tests rest on must be able to fail."""

import contextlib
import socket
import struct
import threading

import pytest

from harness import Load, assert_no_failure, config, cpu_ticks, load_text, wait_until

SO_MEMINFO, DROPS = 55, 8  # the second is the place in what is told


def dropped(listener):
    """How many SYN this listening socket had no room for."""
    return struct.unpack_from("I", listener.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 64), DROPS * 4)[0]


def serve(listener):
    """The hello service, for one client after the other, until there is no more."""
    with contextlib.suppress(OSError):
        while True:
            with listener.accept()[0] as client:
                if client.recv(100):
                    client.sendall(b"hello world")


def test_dropped_syn_is_seen(port, figure):
    """The queue is full at first. Then the client's kernel makes up for what was dropped, and no connection fails."""
    def make_room():
        wait_until(lambda: dropped(listener), "a SYN was dropped")
        first.close()
        serve(listener)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", port))
        listener.listen(0)
        first = socket.create_connection(("127.0.0.1", port))
        server = threading.Thread(target=make_room)
        server.start()
        with Load(port, "--requests", "3", connections=1) as load:
            seen = load.result(stop=False)
        listener.shutdown(socket.SHUT_RDWR)
        server.join()
    figure(load_text(seen))
    assert (seen["ok"], seen["failed_total"], seen["syn_resent"]) == (3, 0, 1)
    with pytest.raises(AssertionError):
        assert_no_failure(seen)


def test_streams_take_turns_and_end(start, port, figure):
    """A server that always has more to read doesn't keep the load from its other streams, nor from its end."""
    start(config(port, workers=1, service={"type": "echo"}))
    with Load(port, "--size", str(1 << 16), "--depth", "64", mode="stream", proto="echo", connections=8) as load:
        wait_until(lambda: cpu_ticks(load.process.pid) >= 50, "the load has worked for half a second")
        seen = load.result()
    figure(f"{seen['ok']} messages, the slowest of 8 streams {seen['stream']['messages_least']}")
    assert seen["failed_total"] == 0 and seen["stream"]["messages_least"] > 0, seen
