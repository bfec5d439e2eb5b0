"""A daemon that answers as the test tells it to: HTTP/1.1 on a UNIX socket, one thread a connection."""

import contextlib
import json
import os
import socket
import threading


class Exchange:
    """One request, and the means to answer it, or not."""

    def __init__(self, sock, method, path, body):
        self.sock, self.method, self.path, self.body = sock, method, path, body

    def raw(self, data):
        """Any bytes."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.sock.sendall(data)

    def text(self, status, text, kind="text/plain"):
        body = text.encode() if isinstance(text, str) else text
        self.raw(f"HTTP/1.1 {status} Whatever\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)

    def json(self, status, value):
        self.text(status, json.dumps(value), "application/json")

    def stream(self):
        """Begins an answer of chunks."""
        self.raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n")

    def chunk(self, data):
        self.raw(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def event(self, **event):
        self.chunk(json.dumps({"time": "2026-01-01T00:00:00.123Z", "level": "info", **event}).encode() + b"\n")

    def state(self, slot, pid, before, after, generation=7):
        self.event(event="worker-state", slot=slot, generation=generation, pid=pid, **{"from": before, "to": after},
                   text=f"worker {slot} gen {generation} pid {pid}: {before} -> {after} (roll)")

    def wait_closed(self):
        """Until the client has gone."""
        with contextlib.suppress(ConnectionResetError):
            while self.sock.recv(4096):
                pass


class FakeDaemon:
    """Answers by `on`: {"GET /v1/status": function of an Exchange}, or a value to be sent as JSON. What is not there is 404."""

    def __init__(self, path):
        self.path = path
        self.on = {}
        self.requests = []  # "GET /v1/status", in the order in which they came
        self.bodies = []    # of the POSTs, read as JSON
        self.streams = []   # the exchanges of /v1/events that are open
        self.failures = []  # of handlers
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.bind(path)
        self.sock.listen(16)
        self.threads = [threading.Thread(target=self.accept)]
        self.threads[0].start()

    def close(self):
        """As when the daemon ends: its socket file is gone, and nobody answers."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        for thread in self.threads:
            thread.join(30)
            assert not thread.is_alive()

    def accept(self):
        while True:
            try:
                sock, _ = self.sock.accept()
            except OSError:
                return
            thread = threading.Thread(target=self.serve, args=(sock,))
            self.threads.append(thread)
            thread.start()

    def serve(self, sock):
        with sock:
            try:
                exchange = self.read(sock)
                if exchange:
                    self.answer(exchange)
            except BaseException as error:  # noqa: B902  (the test must hear of it, whatever it is)
                self.failures.append(error)
                raise

    @staticmethod
    def read(sock):
        data = b""
        while b"\r\n\r\n" not in data:
            more = sock.recv(4096)
            if not more:
                return None
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        method, path, version = lines[0].split(" ")
        assert version == "HTTP/1.1"
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:])}
        while len(body) < int(headers.get("content-length", 0)):
            body += sock.recv(4096)
        if body:
            assert headers["content-type"] == "application/json"
        return Exchange(sock, method, path, body)

    def answer(self, exchange):
        name = f"{exchange.method} {exchange.path}"
        if exchange.method == "POST":
            self.bodies.append(json.loads(exchange.body))
        self.requests.append(name)
        how = self.on.get(name)
        if how is None:
            exchange.json(404, {"error": f"nothing is at {exchange.path}"})
        elif callable(how):
            how(exchange)
        else:
            exchange.json(200, how)


def outcome(verdict="applied", **other):
    """What the daemon says of a reload that has ended."""
    return {"id": 6, "verdict": verdict, "error": None, "generation": 7, "changes": [], "problems": [], "duration_ms": 41,
            "finished": 3, "handed_over": 120, "cut": 0, **other}


def worker(slot, pid, **other):
    return {"slot": slot, "pid": pid, "generation": 7, "state": "ready", "role": "incumbent", "uptime_s": 192.4,
            "connections": 12, "accepted": 50, "requests": 400, "handed_in": 13, "handed_out": 14, "restarts": 0, **other}


def status(**other):
    """A daemon that does well."""
    return {
        "version": "0.1.0", "pid": 811, "state": "running", "generation": 7, "uptime_s": 10985.5,
        "config": {"path": "/etc/gracefuld.conf", "sha256": "…", "loaded_at": "2026-01-01T00:00:00Z", "differs_on_disk": False},
        "service": "http",
        "listeners": [{"address": "[::]:11111", "sockets": 4, "parked": 0}],
        "workers": [worker(0, 900), worker(1, 901, restarts=3)],
        "roll": None,
        "last_reload": {**outcome(changes=["workers: 2 -> 4"]), "started_at": "2026-01-01T00:00:00Z"},
        **other,
    }
