"""Clients of a FastCGI program, as the web server before it is one: each request on a connection of its own."""

import socket
import struct
import threading
import time

from harness import DEADLINE

TOTAL_RETRANS = 100  # tcpi_total_retrans in struct tcp_info, linux/tcp.h
BEGIN_REQUEST, PARAMS, STDIN, STDOUT = 1, 4, 5, 6
RESPONDER = 1


def record(kind, content):
    return struct.pack("!BBHHBB", 1, kind, 1, len(content), 0, 0) + content


def request(script):
    """Its parameters are short: a length is one byte."""
    params = {b"REQUEST_METHOD": b"GET", b"SCRIPT_FILENAME": script.encode(), b"SERVER_PROTOCOL": b"HTTP/1.1"}
    pairs = b"".join(bytes([len(name), len(value)]) + name + value for name, value in params.items())
    return record(BEGIN_REQUEST, struct.pack("!HB5x", RESPONDER, 0)) + record(PARAMS, pairs) + record(PARAMS, b"") + record(STDIN, b"")


def was_syn_resent(sock):
    """Before anything else is sent."""
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TOTAL_RETRANS + 4)
    return struct.unpack_from("=I", info, TOTAL_RETRANS)[0] > 0


def ask(port, query):
    """Was its SYN sent again?"""
    with socket.create_connection(("127.0.0.1", port), DEADLINE) as sock:
        resent = was_syn_resent(sock)
        sock.sendall(query)
        with sock.makefile("rb") as file:
            reply = file.read()
    if reply[1:2] != bytes([STDOUT]) or b"hello world" not in reply:
        raise ValueError(f"answered {reply[:200]!r}")
    return resent


class FastcgiLoad:
    """As harness.Load, with the same figures."""

    def __init__(self, port, script, connections, think_ms=0):
        self.port, self.query, self.think_s = port, request(script), think_ms / 1000
        self.ended, self.answered = threading.Event(), threading.Event()
        self.lock, self.ok, self.resent, self.slowest, self.failures, self.samples = threading.Lock(), 0, 0, 0.0, {}, []
        self.began = time.monotonic()
        self.threads = [threading.Thread(target=self._run, daemon=True) for _ in range(connections)]

    def _run(self):
        while not self.ended.is_set():
            begun = time.monotonic()
            try:
                resent = ask(self.port, self.query)
            except (OSError, ValueError) as error:
                with self.lock:
                    name = type(error).__name__
                    self.failures[name] = self.failures.get(name, 0) + 1
                    self.samples.append(str(error))
                continue
            with self.lock:
                self.ok += 1
                self.resent += resent
                self.slowest = max(self.slowest, time.monotonic() - begun)
            self.answered.set()
            self.ended.wait(self.think_s)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        assert self.answered.wait(DEADLINE), self.samples[:1]
        return self

    def __exit__(self, *_):
        self.ended.set()
        for thread in self.threads:
            thread.join()

    def result(self):
        self.__exit__()
        failed = sum(self.failures.values())
        return {"ok": self.ok, "attempts": self.ok + failed, "failed_total": failed, "failures": self.failures, "inflight_at_end": 0, "syn_resent": self.resent,
                "ok_per_s": self.ok / (time.monotonic() - self.began), "latency_us": {"max": self.slowest * 1e6},
                "samples": self.samples[:8]}
