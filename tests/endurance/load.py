"""Clients of an endurance run, who know each byte that must come back, and count what did not.

Three kinds: hammer, for new connections and for those that last; streams, which live through many rounds and may be slow; and those who
come, do something odd, and go."""

import os
import select
import socket
import struct
import threading

import harness
from streams import PATTERN, PERIOD, Stream, Streams

PAGE = "".join(chr(33 + b % 90) for b in PATTERN[:20000])  # of which hammer knows each byte: text, since it comes as an argument
SMALL = PATTERN[:300]
LARGE = PATTERN[:PERIOD] * 6  # 400 kB, for streams


class Request(Stream):
    """A client of the service http that asks for a large file again and again, several times ahead. Counts replies."""

    ASK = b"GET /large HTTP/1.1\r\nHost: endurance\r\n\r\n"

    def __init__(self, address, number, window):
        super().__init__(address, number, window)
        self.window = 2
        self.head, self.left, self.closes = b"", 0, False

    def is_idle(self):
        """(One that is told that it will be closed waits for that.)"""
        return self.sent == self.got and not self.closes

    def push(self):
        if self.has_room() and not self.closes:
            sent = self.sock.send(self.ASK)
            assert sent == len(self.ASK)
            self.sent += 1

    def pull(self):
        data = self.sock.recv(self.portion)
        if not data:
            # an end that was announced is none that a client need mind
            self.lost = "announced" if self.closes and self.left == 0 and not self.head else "closed"
        while data and not self.wrong:
            data = self._body(data) if self.left else self._head(data)

    def _head(self, data):
        self.head += data
        head, end, rest = self.head.partition(b"\r\n\r\n")
        if not end:
            return b""
        self.head = b""
        if not head.startswith(b"HTTP/1.1 200 ") or f"\r\nContent-Length: {len(LARGE)}".encode() not in head:
            self.wrong = f"after {self.got} replies: {head!r}"
        self.closes = b"\r\nConnection: close" in head
        self.left = len(LARGE)
        return rest

    def _body(self, data):
        at = len(LARGE) - self.left
        piece, rest = data[:self.left], data[self.left:]
        if piece != LARGE[at:at + len(piece)]:
            self.wrong = f"after {self.got} replies and {at} bytes, {len(piece)} bytes"
        self.left -= len(piece)
        if self.left == 0:
            self.got += 1
            if self.closes:
                self.sent = self.got  # of what was asked for behind it, the server has said that it won't come
        return rest


class Steady(Streams):
    """Streams that leave the processor to others: all are looked at every few milliseconds, slow ones seldom. Each has an address of its own."""

    PACE, SLOW = 0.004, 20

    def __init__(self, make):
        self.make = make
        self.kinds = {}
        super().__init__(None, 0)

    def add_at(self, address, number, slow):
        for _ in range(number):
            stream = self.make(address, self._made, 20000)
            self._made += 1
            with self._lock:
                self.kinds[stream] = slow
                self.streams[stream.sock.fileno()] = stream

    def _run(self):
        pause, turn = threading.Event(), 0
        while not self._ends:
            turn += 1
            with self._lock:
                for stream in list(self.streams.values()):
                    if not self._sends or not self.kinds[stream] or turn % self.SLOW == 0:
                        self._work(stream)
            pause.wait(self.PACE)

    def _work(self, stream):
        """All that goes, for a slow one a little."""
        slow = self._sends and self.kinds[stream]
        stream.portion = 3000 if slow else PERIOD
        for _ in range(1 if slow else 8):
            before = stream.got, getattr(stream, "left", 0)
            if not stream.lost and not stream.wrong:
                stream.work(select.EPOLLIN, False)
            if (stream.got, getattr(stream, "left", 0)) == before:
                break
        if stream.wrong and stream.wrong not in self.wrong:
            self.wrong.append(stream.wrong)
        elif self._sends and not stream.lost and not stream.wrong:
            stream.work(select.EPOLLOUT, True)

    def _look_behind(self, _fd, stream):
        self._work(stream)

    def resume(self):
        self._sends = True

    def take_ended(self):
        """Forgets those that have ended: how many were lost, and how."""
        with self._lock:
            ended = [stream for stream in self.streams.values() if stream.lost]
            for stream in ended:
                del self.streams[stream.sock.fileno()], self.kinds[stream]
                stream.sock.close()
        return [stream.lost for stream in ended if stream.lost != "announced"]

    def described(self):
        """[(socket, what is known of it), …]"""
        with self._lock:
            return [(stream.sock, f"{'slow' if self.kinds[stream] else 'fast'}, sent {stream.sent}, got {stream.got}, lost {stream.lost}")
                    for stream in self.streams.values()]

    def spoil(self):
        """Lets one expect what does not come: a check that can't fail would be none."""
        with self._lock:
            next(iter(self.streams.values())).got += 1

    def close_all(self):
        with self._lock:
            for stream in self.streams.values():
                stream.sock.close()
            self.streams.clear()
            self.kinds.clear()


class Echo(Stream):
    portion = PERIOD

    def pull(self):
        data = self.sock.recv(self.portion)
        if not data:
            self.lost = "closed"
        elif data != self._piece(self.got, len(data)):
            self.wrong = f"after {self.got} bytes, {len(data)} bytes"
        self.got += len(data)


def stream_of(service):
    return Request if service == "http" else Echo


class Hammers:
    """hammer, twice: connections for one request, and connections that last."""

    NEW, LASTING = 4, 12

    def __init__(self, service, port):
        http = ["--path", "/page", "--expect", PAGE]
        args = http if service == "http" else ["--size", "5000"]
        args = [*args, "--samples", "200"]
        proto = "http" if service == "http" else "echo"
        # how fast: enough that each step meets hundreds of requests, little enough for a machine with other work
        self.loads = [harness.Load(port, *args, "--rate", "150", proto=proto, connections=self.NEW, seconds=3600),
                      harness.Load(port, *args, "--rate", "300", "--reconnect", mode="hold", proto=proto, connections=self.LASTING, seconds=3600)]

    def wait(self):
        for load in self.loads:
            load.log.wait("first reply")

    def end(self):
        return [load.result() for load in self.loads]

    def kill(self):
        for load in self.loads:
            load.__exit__()


def losses(figures):
    """How many connections or requests failed: also those that were ended while nothing was asked for, unannounced."""
    return figures["failed_total"] + sum(n for kind, n in figures["closes"].items() if kind != "polite_close")


def come_and_go(address, how, service):
    """One odd client. Returns whether it was connected."""
    request = Request.ASK.replace(b"/large", b"/page") if service == "http" else b"x" * 3000
    with harness.Client(address) as client:
        if how == "half":
            client.send(request[:len(request) // 2])
        elif how == "reset":
            client.send(request)
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif how == "whole":
            client.send(request)
            assert client.receive(100), "an answer"
        elif how == "shut" and service != "http":
            client.send(request)
            client.sock.shutdown(socket.SHUT_WR)
            answer = client.receive(len(request) + 1)
            assert answer == request, f"{len(answer)} of {len(request)} bytes"


def write_files(root):
    for name, content in (("page", PAGE.encode()), ("small", SMALL), ("large", LARGE)):
        path = os.path.join(root, name)
        with open(path, "wb") as file:
            file.write(content)
        os.chmod(path, 0o644)


class Crowd:
    """Many connections, each of which asks for a little: in halves, so that it is in the middle of something meanwhile."""

    def __init__(self, address, number, service):
        self.http = service == "http"
        self.clients = [harness.Client(address) for _ in range(number)]
        self.number, self.lost = number, 0
        self.ask()
        self.take_answers()

    def request(self, n):
        return Request.ASK.replace(b"/large", b"/small") if self.http else struct.pack("I", n) * 20

    def ask(self):
        self._each(lambda n, client: client.send(self.request(n)[:30]))

    def take_answers(self):
        """The other halves; each has its answer."""
        self._each(lambda n, client: client.send(self.request(n)[30:]))
        self._each(self._take_answer)

    def _each(self, act):
        """Those that are lost are no more among them."""
        for n, client in enumerate(self.clients):
            try:
                if client:
                    act(n, client)
            except ConnectionError:
                client.close()
                self.clients[n] = None
                self.lost += 1

    def _take_answer(self, n, client):
        answer = client.receive(len(self.request(n)))
        if self.http and answer:
            while b"\r\n\r\n" not in answer and (more := client.receive(1)):
                answer += more
            head, _, body = answer.partition(b"\r\n\r\n")
            body += client.receive(len(SMALL) - len(body))
            if not head.startswith(b"HTTP/1.1 200 ") or body != SMALL:
                raise AssertionError(f"client {n} of a crowd has got {answer[:200]!r}")
        elif not self.request(n).startswith(answer):
            raise AssertionError(f"client {n} of a crowd has got {len(answer)} bytes: {answer[:20]!r}")
        if len(answer) < len(self.request(n)):
            raise ConnectionResetError

    def leave(self):
        for client in self.clients:
            if client:
                client.close()
