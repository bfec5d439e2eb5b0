"""Asks a running daemon by its control socket: as gracefulctl does, as curl does, and as a hostile client might."""

import contextlib
import fcntl
import http.client
import json
import os
import re
import socket
import struct
import subprocess
import termios

from harness import DEADLINE, GRACEFULD, Log, wait_until

GRACEFULCTL = os.environ.get("GRACEFULCTL", os.path.join(os.path.dirname(GRACEFULD), "gracefulctl"))
NOBODY = 65534

EXIT = {"applied": 0, "unchanged": 0, "rejected": 1, "reverted": 2, "timeout": 3, "unavailable": 4}
STATUS = {"applied": 200, "unchanged": 200, "rejected": 422, "reverted": 409, "timeout": 504}
EX_NOPERM = 77


def socket_of(daemon):
    return os.path.join(os.path.dirname(daemon.path), "control.sock")


# -- gracefulctl

def ctl_start(daemon, *args, program=GRACEFULCTL, prefix=(), path=None):
    """Begins gracefulctl."""
    return subprocess.Popen([*prefix, program, "-s", path or socket_of(daemon), *args], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ctl_end(process):
    """Its exit status, and all that it wrote."""
    out, err = process.communicate(timeout=DEADLINE)
    return process.returncode, out + err


def ctl(daemon, *args, **how):
    return ctl_end(ctl_start(daemon, *args, **how))


# -- HTTP

class _Connection(http.client.HTTPConnection):
    """By a path, or by (host, port)."""

    def __init__(self, address):
        super().__init__("localhost", timeout=DEADLINE)
        self.address = address

    def connect(self):
        self.sock = connect(self.address)


def connect(address):
    sock = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
    sock.settimeout(DEADLINE)
    try:
        sock.connect(address)
    except BaseException:
        sock.close()
        raise
    return sock


def ask(address, path, method="GET", body=None, **fields):
    """(status, text) of one request."""
    connection = _Connection(address)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in fields.items()})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def get(daemon, path="/v1/status"):
    status, text = ask(socket_of(daemon), path)
    assert status == 200, text
    return json.loads(text)


@contextlib.contextmanager
def posted(daemon, path):
    """Has sent an order, which the daemon has read. Within, a function that waits for the answer: (status, JSON)."""
    def unread():
        return struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4)))[0]

    def answer():
        response = http.client.HTTPResponse(sock)
        response.begin()
        return response.status, json.loads(response.read())
    with connect(socket_of(daemon)) as sock:
        sock.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode())
        wait_until(lambda: unread() == 0, "the daemon has read it")
        yield answer


def curl(daemon, path, body=None):
    """(status, JSON), by curl."""
    command = ["curl", "-sS", "--max-time", str(DEADLINE), "--unix-socket", socket_of(daemon), "-w", "\n%{http_code}"]
    if body is not None:
        command += ["-H", "Content-Type: application/json", "--data", json.dumps(body)]
    out = subprocess.run([*command, f"http://localhost{path}"], stdout=subprocess.PIPE, text=True, check=True).stdout
    text, _, status = out.rpartition("\n")
    return int(status), json.loads(text)


@contextlib.contextmanager
def as_nobody():
    """Who connects within is another user to the daemon."""
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


# -- metrics

SAMPLE = re.compile(r"^(gracefuld_\w+(?:\{[^}]*\})?) (\S+)$", re.M)


def metrics(address):
    """{"gracefuld_workers{state=\"ready\"}": 2.0, …}"""
    status, text = ask(address, "/metrics")
    assert status == 200, text
    return {name: float(value) for name, value in SAMPLE.findall(text)}


def counted(daemon, verdict):
    return metrics(socket_of(daemon))[f'gracefuld_reloads_total{{verdict="{verdict}"}}']


# -- events

class Events:
    """Reads the stream of events by curl, from now on."""

    def __init__(self, daemon):
        self.process = subprocess.Popen(
            ["curl", "-sSN", "--unix-socket", socket_of(daemon), "-D", "-", "http://localhost/v1/events"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.log = Log(self.process.stdout)
        self.log.wait(r"^\r?$")  # the end of the head: what happens from here on is told
        self.first = self.log.mark()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.log.wait_end()

    def wait(self, pattern):
        return self.log.wait(pattern, self.first)

    def seen(self):
        """All so far."""
        return [json.loads(line) for line in self.log.lines[self.first:self.log.mark()] if line]


class ReadyCount:
    """How many workers are ready, after each of the events."""

    def __init__(self, daemon):
        self.events = Events(daemon)
        workers = get(daemon)["workers"]
        self.before = {w["pid"] for w in workers if w["state"] == "ready"}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.events.__exit__()

    def counts(self):
        """[(number of ready workers, the event after which it was so), …]"""
        ready, found = set(self.before), [(len(self.before), None)]
        for event in self.events.seen():
            if event["event"] == "worker-state":
                (ready.add if event["to"] == "ready" else ready.discard)(event["pid"])
                found.append((len(ready), event))
        return found

    def least(self):
        return min(self.counts(), key=lambda found: found[0])[0]
