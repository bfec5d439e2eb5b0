"""The service proxy: connections that last through reloads, whatever they are doing, and upstreams that fail."""

import asyncio
import contextlib
import hashlib
import json
import os
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

import pytest

try:
    import websockets
except ImportError:
    websockets = None

import harness
import sock_diag
from harness import Client, Daemon, Load, anonymous_kb, assert_no_failure, config, free_port, load_text, scaled, wait_until

GRACEFULCTL = os.environ.get("GRACEFULCTL", os.path.join(harness.TOP, "build/gracefulctl"))

STATE_TIME = r"(\d+):(\d+):([\d.]+) gracefuld\S+ info: worker \d+ gen \d+ pid (\d+): \w+ -> (draining|exited)"


def upstream(port, **more):
    return {"address": "127.0.0.1", "port": port, **more}


def proxy(port, *upstreams, workers=2, **options):
    """The text of a configuration. Upstreams are ports, or groups."""
    entries = [upstream(u) if isinstance(u, int) else u for u in upstreams]
    return config(port, workers=workers, service={"type": "proxy", "upstreams": entries, **options})


class Backend:
    """A listening socket whose connections the test serves itself."""

    def __init__(self, backlog=64, path=None):
        if path:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(path)
            os.chmod(path, 0o777)
        else:
            self.listener = socket.socket()
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.listener.bind(("127.0.0.1", free_port()))
            self.port = self.listener.getsockname()[1]
        self.listener.listen(backlog)
        self.listener.settimeout(harness.DEADLINE)

    def accept(self):
        sock, _ = self.listener.accept()
        sock.settimeout(harness.DEADLINE)
        return sock

    def close(self):
        self.listener.close()


def receive(sock, n):
    data = bytearray()
    while len(data) < n and (more := sock.recv(n - len(data))):
        data += more
    return bytes(data)


def reset(sock):
    """Closes it by a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def times_to_leave(daemon):
    """Seconds from `draining` to the end, of each worker that left."""
    began, took = {}, []
    for match in daemon.log.find(STATE_TIME):
        hours, minutes, seconds, pid, state = match.groups()
        at = int(hours) * 3600 + int(minutes) * 60 + float(seconds)
        if state == "draining":
            began[pid] = at
        elif pid in began:
            took.append((at - began.pop(pid)) % 86400)
    return took


@pytest.fixture
def backend():
    server = Backend()
    yield server
    server.close()


@pytest.fixture
def echo():
    """Starts gracefulds that serve echo: echo() is the port of one more."""
    with contextlib.ExitStack() as stack:
        def start_one():
            path = stack.enter_context(folder())
            port = free_port()
            daemon = Daemon(path, config(port, workers=1, service={"type": "echo"}))
            stack.callback(daemon.close)
            daemon.wait_ready()
            return port
        yield start_one


@contextlib.contextmanager
def folder():
    path = tempfile.mkdtemp(prefix="gracefuld-")
    os.chmod(path, 0o755)
    yield path
    shutil.rmtree(path)


# -- through reloads -----------------------------------------------------------------------------------------------

def test_streams_live_through_reloads(start, port, echo, figure):
    """200 streams at full speed; upstreams come and go, and those that go keep what they have."""
    one, two, three = echo(), echo(), echo()
    sets = [(one, two), (two, three), (three,), (one, three), (one, two, three)]
    daemon = start(proxy(port, *sets[-1]))
    reloads = scaled(50, 5)
    with Load(port, "--size", "16384", mode="stream", proto="echo", connections=scaled(200, 20)) as load:
        for n in range(reloads):
            verdict = daemon.reload(proxy(port, *sets[n % len(sets)]))
            assert verdict.word == "applied" and verdict.cut == 0 and verdict.finished == 0, verdict
        seen = load.result()
    assert seen["failed_total"] == 0 and seen["stream"]["streams_lost"] == 0, load_text(seen)
    assert seen["stream"]["corrupt_streams"] == 0 and seen["ok"] > 0, seen
    took = times_to_leave(daemon)
    assert len(took) == 2 * reloads
    figure(f"{reloads} reloads, {load_text(seen)}; workers gone after {max(took) * 1000:.0f} ms at most")


def test_large_streams_live_through_reloads(start, port, echo, figure):
    """Messages of a megabyte, several at a time: what waits is in pipes."""
    daemon = start(proxy(port, echo()))
    with Load(port, "--size", str(1 << 20), "--depth", "4", mode="stream", proto="echo", connections=scaled(8, 4)) as load:
        for _ in range(scaled(20, 5)):
            verdict = daemon.reload()
            assert verdict.word == "applied" and verdict.cut == 0 and verdict.finished == 0, verdict
        seen = load.result()
    assert seen["failed_total"] == 0 and seen["stream"]["corrupt_streams"] == 0, load_text(seen)
    assert seen["stream"]["messages_least"] > 0, seen["stream"]
    figure(load_text(seen))


def test_idle_connections_live_through_reloads(start, port, echo, figure):
    connections, reloads = scaled(5000, 200), 5
    daemon = start(proxy(port, echo(), workers=2))
    with Load(port, mode="hold", proto="echo", connections=connections) as load:
        load.wait_all_open()
        for _ in range(reloads):
            verdict = daemon.reload()
            assert verdict.word == "applied" and verdict.handed_over == connections, verdict
        seen = load.result()
    assert seen["failed_total"] == 0 and seen["hold"]["alive_at_end"] == connections, seen
    figure(f"{connections} connections, workers gone after {max(times_to_leave(daemon)) * 1000:.0f} ms at most")


def test_new_connections_through_reloads(start, port, echo, figure):
    daemon = start(proxy(port, echo()))
    with Load(port, mode="new", proto="echo", connections=16) as load:
        for _ in range(scaled(20, 5)):
            assert daemon.reload().word == "applied"
        seen = load.result()
    assert_no_failure(seen)
    figure(load_text(seen))


def test_half_closed_by_the_client(start, port, backend):
    daemon = start(proxy(port, backend.port))
    with Client(port) as client, backend.accept() as server:
        client.send(b"question")
        client.sock.shutdown(socket.SHUT_WR)
        assert receive(server, 100) == b"question"  # up to the end
        daemon.reload()
        server.sendall(b"first")
        assert client.receive(5) == b"first"
        daemon.reload()
        server.sendall(b"second")
        server.close()
        assert client.receive(100) == b"second"  # up to the end
        assert client.end() == "closed"


def test_half_closed_by_the_upstream(start, port, backend):
    daemon = start(proxy(port, backend.port))
    with Client(port) as client, backend.accept() as server:
        server.sendall(b"greeting")
        server.shutdown(socket.SHUT_WR)
        assert client.receive(100) == b"greeting"
        for text in (b"one", b"two"):
            assert daemon.reload().handed_over == 1
            client.send(text)
            assert receive(server, 3) == text
        client.close()
        assert server.recv(1) == b""


@pytest.mark.parametrize("moves", [False, True])
def test_a_half_closed_client_that_dies_is_noticed(start, port, backend, moves):
    """Nothing is to be read from it and nothing to be sent: yet its reset ends the connection."""
    daemon = start(proxy(port, backend.port, workers=1))
    with Client(port) as client, backend.accept() as server:
        client.sock.shutdown(socket.SHUT_WR)
        assert server.recv(1) == b""
        if moves:
            daemon.reload()
        reset(client.sock)
        dead = select.poll()
        dead.register(server, 0)  # errors only
        assert dead.poll(harness.DEADLINE * 1000), "the upstream has not heard of it"


@pytest.mark.parametrize("moves", [False, True])
def test_a_connection_that_lasts_has_keepalive(start, port, backend, moves):
    """On both sides; also if it has moved before that was due."""
    daemon = start(proxy(port, backend.port, workers=1))
    with Client(port) as client, backend.accept() as server:
        if moves:
            daemon.reload()
        for sock in (client.sock, server):
            wait_until(lambda sock=sock: sock_diag.server_has_keepalive(sock), "keep-alive")


def pattern(n):
    """Bytes of which no two places look alike."""
    return b"".join(struct.pack("<Q", i * 0x9e3779b97f4a7c15 & (1 << 64) - 1) for i in range(n // 8))


def test_slow_readers_through_reloads(start, port, backend, figure):
    """What waits moves along, in both directions, whole; and it is bounded."""
    daemon = start(proxy(port, backend.port, workers=1))
    data = pattern(16 << 20)
    empty = anonymous_kb(daemon.worker(0).pid)
    with Client(port) as client, backend.accept() as server:
        def send(sock):
            sock.settimeout(None)
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
        senders = [threading.Thread(target=send, args=(sock,), daemon=True) for sock in (client.sock, server)]
        for sender in senders:
            sender.start()
        for _ in range(5):
            verdict = daemon.reload()
            assert verdict.handed_over == 1 and verdict.cut == 0, verdict
        if not harness.is_sanitized():
            more = anonymous_kb(daemon.worker(0).pid) - empty
            assert more < 4096, f"{more} kB for one connection"
            figure(f"{more} kB more while {len(data) >> 20} MiB wait in both directions")
        assert receive(client.sock, len(data) + 1) == data
        daemon.reload()
        assert receive(server, len(data) + 1) == data
        for sender in senders:
            sender.join()


def full_backlog(backend):
    """Connects until nobody is let in any more; the sockets."""
    sockets = []
    for _ in range(64):
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex(("127.0.0.1", backend.port))
        sockets.append(sock)
    return sockets


def test_connecting_through_reloads(start, port):
    """The upstream's queue is full, so that the connection is being made while workers come and go."""
    backend = Backend(backlog=1)
    others = full_backlog(backend)
    daemon = start(proxy(port, backend.port, workers=1, connect_timeout="600s", health={"timeout": "600s"}))
    with Client(port) as client:
        client.send(b"early")
        wait_until(lambda: connecting(backend.port, daemon), "it is being connected")
        for _ in range(3):
            assert daemon.reload().handed_over == 1
        for sock in others:
            sock.close()
        while True:  # those that were in the queue have gone
            server = backend.accept()
            with contextlib.suppress(ConnectionError):
                if data := receive(server, 5):
                    break
            server.close()
        assert data == b"early"
        server.sendall(b"late")
        assert client.receive(4) == b"late"
        server.close()
    backend.close()


def connecting(port, daemon):
    """Has a worker a socket in SYN_SENT to this port?"""
    waiting = [name for (_, peer), (_, name) in sock_diag.tcp_sockets("SYN_SENT").items() if peer == port]
    holders = sock_diag.holders_of(daemon.pids())
    return any(name in holders for name in waiting)


def test_waiting_for_a_unix_socket_through_reloads(start, port, directory):
    """A full queue of a UNIX socket has no event for when there is room."""
    path = os.path.join(directory, "backend.sock")
    backend = Backend(backlog=0, path=path)
    with socket.socket(socket.AF_UNIX) as other:
        other.connect(path)
        daemon = start(proxy(port, {"path": path}, workers=1, connect_timeout="600s"))
        with Client(port) as client:
            client.send(b"early")
            wait_until(lambda: any("1 connections" in line or "1 connection" in line for line in daemon.status()),
                       "it is accepted")
            for _ in range(3):
                assert daemon.reload().handed_over == 1
            backend.accept().close()
            with backend.accept() as server:
                assert receive(server, 5) == b"early"
    backend.close()


# -- upstreams that fail --------------------------------------------------------------------------------------------

def test_an_upstream_that_refuses_is_passed_over(start, port, echo):
    dead = free_port()
    daemon = start(proxy(port, dead, echo(), workers=1))
    with Load(port, "--requests", str(scaled(500, 50)), mode="new", proto="echo", connections=4) as load:
        assert_no_failure(load.result(stop=False))
    daemon.wait_line(rf"proxy: upstream 127\.0\.0\.1:{dead} is down: Connection refused")


def test_an_upstream_that_hangs_is_passed_over(start, port, echo):
    hung = Backend(backlog=1)
    others = full_backlog(hung)
    daemon = start(proxy(port, hung.port, echo(), workers=1, connect_timeout="200ms", health={"fall": 1, "timeout": "200ms"}))
    clients = [Client(port).send(b"hello") for _ in range(4)]
    assert [client.receive(5) for client in clients] == [b"hello"] * 4
    daemon.wait_line(rf"proxy: upstream 127\.0\.0\.1:{hung.port} is down: Connection timed out")
    for sock in (*others, *clients):
        sock.close()
    hung.close()


def test_all_are_down(start, port):
    """Clients are closed at once; that is said once; and when one comes back they are served."""
    dead = free_port()
    daemon = start(proxy(port, dead, workers=1, health={"fall": 1}))
    for _ in range(5):
        with Client(port) as client:
            assert client.end() == "closed"
    daemon.wait_line("proxy: no upstream is up: clients are closed")
    with Client(port) as client:
        assert client.end() == "closed"
    assert len(daemon.log.find("no upstream is up")) == 1
    with socket.create_server(("127.0.0.1", dead)) as server:
        daemon.wait_line(rf"proxy: upstream 127\.0\.0\.1:{dead} is up again")
        with Client(port) as client:
            server.accept()[0].close()  # the probe
            with server.accept()[0] as sock:
                sock.sendall(b"back")
                assert client.receive(4) == b"back"


def test_backup(start, port, backend):
    """Only when the others are down."""
    first = Backend()
    start(proxy(port, first.port, upstream(backend.port, backup=True), workers=1, health={"fall": 1}))
    for _ in range(3):
        with Client(port), first.accept() as sock:
            sock.sendall(b"x")
    first.close()
    with Client(port) as client, backend.accept() as sock:
        sock.sendall(b"backup")
        assert client.receive(6) == b"backup"


def test_a_probe_finds_who_is_down(start, port, echo):
    """Without a single client."""
    backend = Backend()
    daemon = start(proxy(port, backend.port, echo(), workers=1,
                         health={"interval": "100ms", "timeout": "1s", "rise": 2, "fall": 2}))
    backend.accept().close()
    backend.close()
    daemon.wait_line(rf"upstream 127\.0\.0\.1:{backend.port} is down: Connection refused")
    with socket.create_server(("127.0.0.1", backend.port)):
        daemon.wait_line(rf"upstream 127\.0\.0\.1:{backend.port} is up again")


def test_a_reset_is_passed_on(start, port, backend):
    """What ended by a reset must not look as if it were whole."""
    start(proxy(port, backend.port))
    with Client(port) as client:
        server = backend.accept()
        server.sendall(b"half of it")
        assert client.receive(10) == b"half of it"
        reset(server)
        assert client.end() == "reset"
    with Client(port) as client, backend.accept() as server:
        client.send(b"half of it")
        assert receive(server, 10) == b"half of it"
        reset(client.sock)
        with pytest.raises(ConnectionResetError):
            server.recv(1)


def test_a_killed_worker_takes_only_its_own(start, port, echo):
    daemon = start(proxy(port, echo()))
    clients = [Client(port).send(b"hello") for _ in range(16)]
    for client in clients:
        assert client.receive(5) == b"hello"
    holders = sock_diag.server_pids(clients, daemon.pids())
    victim = daemon.worker(0).pid
    os.kill(victim, signal.SIGKILL)
    for client, holder in zip(clients, holders):
        if holder == victim:
            assert client.end() in ("closed", "reset")
        else:
            assert client.send(b"still").receive(5) == b"still"
        client.close()
    assert victim in holders and set(holders) != {victim}


# -- options ----------------------------------------------------------------------------------------------------------

def test_removed_upstreams_end_in_time(start, port, backend, echo):
    """drain_removed counts from the reload that removed it, further reloads or not; others go on."""
    other = echo()
    daemon = start(proxy(port, backend.port, workers=1))
    with Client(port) as client, backend.accept() as server:
        client.send(b"x")
        assert server.recv(1) == b"x"
        assert daemon.reload(proxy(port, other, workers=1, drain_removed="1s")).handed_over == 1
        with Client(port) as new:
            assert new.send(b"new").receive(3) == b"new"
            daemon.reload()
            assert client.end() == "closed"
            assert server.recv(1) == b""
            assert new.send(b"new").receive(3) == b"new"


def test_an_upstream_that_comes_back_keeps_its_connections(start, port, backend, echo):
    daemon = start(proxy(port, backend.port, workers=1))
    with Client(port) as client, backend.accept() as server:
        for text in (proxy(port, echo(), workers=1, drain_removed="1h"), proxy(port, backend.port, workers=1)):
            assert daemon.reload(text).handed_over == 1
            client.send(b"x")
            assert server.recv(1) == b"x"


def test_idle_connections_end(start, port, backend):
    """What is still to wait moves along with the connection."""
    text = proxy(port, backend.port, workers=1, idle_timeout="1s")
    daemon = start(text)
    with Client(port) as client, backend.accept() as server:
        client.send(b"x")
        assert server.recv(1) == b"x"
        daemon.reload()
        assert client.end() == "closed"
        assert server.recv(1) == b""


def test_a_source_keeps_its_upstream(start, port):
    backends = [Backend() for _ in range(4)]
    text = proxy(port, *(b.port for b in backends), balance="source")
    daemon = start(text)

    def whose(source):
        with socket.create_connection(("127.0.0.1", port), harness.DEADLINE, (source, 0)) as client:
            while True:
                for number, backend in enumerate(backends):
                    backend.listener.settimeout(0.05)
                    with contextlib.suppress(TimeoutError), backend.accept() as sock:
                        sock.sendall(b"x")
                        assert client.recv(1) == b"x"
                        return number
    sources = [f"127.0.1.{n}" for n in range(1, 13)]
    before = [whose(source) for source in sources]
    daemon.reload()
    assert [whose(source) for source in sources] == before
    assert len(set(before)) > 1
    for backend in backends:
        backend.close()


def read_header(sock):
    """A header of the PROXY protocol: (source, destination) of version 1 or 2."""
    start = receive(sock, 12)
    if start.startswith(b"PROXY "):
        while not start.endswith(b"\r\n"):
            start += sock.recv(1)
        word = start.decode().split()
        return (word[2], int(word[4])), (word[3], int(word[5]))
    assert start == b"\r\n\r\n\0\r\nQUIT\n"
    command, family, length = struct.unpack(">BBH", receive(sock, 4))
    body = receive(sock, length)
    assert (command, family, length) == (0x21, 0x11, 12)
    source, destination, from_port, to_port = struct.unpack(">4s4sHH", body)
    return (socket.inet_ntoa(source), from_port), (socket.inet_ntoa(destination), to_port)


@pytest.mark.parametrize("version", [1, 2])
def test_the_proxy_protocol_is_sent(start, port, backend, version):
    start(proxy(port, backend.port, proxy_protocol={"send": version}))
    with Client(port) as client:
        client.send(b"data")
        with backend.accept() as server:
            assert read_header(server) == (client.sock.getsockname(), ("127.0.0.1", port))
            assert receive(server, 4) == b"data"


@pytest.mark.parametrize("version", [1, 2])
def test_the_proxy_protocol_is_accepted(start, port, backend, version):
    """In pieces, with reloads between; and what it says is passed on."""
    headers = {1: b"PROXY TCP4 192.0.2.1 198.51.100.2 4711 80\r\n",
               2: b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c" + bytes([192, 0, 2, 1, 198, 51, 100, 2]) + struct.pack(">HH", 4711, 80)}
    daemon = start(proxy(port, backend.port, workers=1, connect_timeout="600s", proxy_protocol={"accept": True, "send": 3 - version}))
    header = headers[version]
    with Client(port) as client:
        client.send(header[:5])
        daemon.reload()
        client.send(header[5:20])
        assert daemon.reload().handed_over == 1
        client.send(header[20:] + b"data")
        with backend.accept() as server:
            assert read_header(server) == (("192.0.2.1", 4711), ("198.51.100.2", 80))
            assert receive(server, 4) == b"data"


def test_what_is_no_header_is_refused(start, port, backend):
    start(proxy(port, backend.port, workers=1, proxy_protocol={"accept": True}))
    with Client(port) as client:
        client.send(b"GET / HTTP/1.1\r\n")
        assert client.end() in ("closed", "reset")
    backend.listener.setblocking(False)
    with pytest.raises(BlockingIOError):
        backend.listener.accept()


# -- timing -----------------------------------------------------------------------------------------------------------

def test_a_header_in_any_two_pieces(start, port, backend):
    """Wherever it is cut, with or without what follows it, and with a reload between the pieces."""
    daemon = start(proxy(port, backend.port, workers=1, proxy_protocol={"accept": True}))
    two = b"\r\n\r\n\0\r\nQUIT\n" + struct.pack("!BBH4s4sHH", 0x21, 0x11, 12, b"\1\2\3\4", b"\5\6\7\10", 1, 2)
    for header in (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", two):
        whole = header + b"data"
        clients = []
        for cut in range(1, len(whole)):
            clients.append((Client(port).send(whole[:cut]), whole[cut:]))
        wait_until(lambda: harness.proc_stat(daemon.pids()[0])[0] == "S", "it has nothing to do")
        assert daemon.reload().cut == 0
        for client, rest in clients:
            client.send(rest).sock.shutdown(socket.SHUT_WR)
        for _ in clients:
            with backend.accept() as server:
                assert receive(server, 100) == b"data"
        for client, _ in clients:
            client.close()


def hears_of_the_end(port):
    """Perhaps so soon that connecting itself fails."""
    try:
        with Client(port) as client:
            return client.end() in ("reset", "closed")
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("by_reset", [False, True])
def test_an_upstream_that_closes_at_once(start, port, backend, by_reset):
    """Each client hears of it, whoever comes first, and gets what was said."""
    daemon = start(proxy(port, backend.port))
    stop = threading.Event()

    def serve():
        backend.listener.settimeout(0.1)
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                sock, _ = backend.listener.accept()
                if by_reset:
                    reset(sock)
                else:
                    sock.sendall(b"bye")
                    sock.close()
    server = threading.Thread(target=serve)
    server.start()
    try:
        for n in range(scaled(200, 20)):
            if n % 20 == 10:
                daemon.reload()
            if by_reset:
                assert hears_of_the_end(port)
                continue
            with Client(port) as client:
                assert client.receive(100) == b"bye"
    finally:
        stop.set()
        server.join()


def test_a_client_that_finishes_before_it_is_connected(start, port):
    """What it has said, and that it has finished, arrive once there is a connection, whoever makes it; and it gets the answer."""
    backend = Backend(backlog=1)
    others = full_backlog(backend)
    daemon = start(proxy(port, backend.port, workers=1, connect_timeout="600s", health={"timeout": "600s"}))
    with Client(port) as client:
        client.send(b"question").sock.shutdown(socket.SHUT_WR)
        wait_until(lambda: connecting(backend.port, daemon), "it is being connected")
        assert daemon.reload().handed_over == 1
        for sock in others:
            sock.close()
        asked = b""
        while not asked:  # those that were in the queue have gone
            server = backend.accept()
            with contextlib.suppress(ConnectionError):
                asked = receive(server, 100)  # up to the end
        assert asked == b"question"
        server.sendall(b"answer")
        server.close()
        assert client.receive(100) == b"answer"
    backend.close()


def test_removed_upstreams_end_while_connections_move(start, port, backend, echo):
    """Their time is up at any moment of a reload: all are cut, each once, and nothing else is."""
    to = echo()
    daemon = start(proxy(port, backend.port, workers=2))
    clients = [Client(port) for _ in range(64)]
    servers = [backend.accept() for _ in clients]
    after = proxy(port, to, workers=2, drain_removed="400ms")
    verdicts = [daemon.reload(after)]
    with Load(port, mode="new", proto="echo", connections=2) as load:
        others = [Client(port) for _ in range(8)]
        ended = select.poll()
        for server in servers:
            ended.register(server, select.POLLIN)
        end = time.monotonic() + harness.DEADLINE
        while len(ended.poll(0)) < len(servers):
            assert time.monotonic() < end
            verdicts.append(daemon.reload(after))
            assert verdicts[-1].word == "applied"
        for client in clients:
            assert client.end() == "closed"
        for other in others:
            assert other.send(b"still").receive(5) == b"still"
        assert_no_failure(load.result())
    wait_until(lambda: not any(u["connections"] for name, u in upstreams_of(daemon).items() if str(backend.port) in name), "none is left")
    for sock in (*servers, *clients, *others):
        sock.close()


def test_upstreams_that_change_places(start, port, echo):
    """What is counted, known and drained goes by their names."""
    alive, drained, dead = echo(), echo(), free_port()
    daemon = start(proxy(port, dead, drained, alive, workers=1, health={"interval": "1d"}))
    find_down(daemon, port, dead, 1)
    assert ctl(daemon, "upstream", "drain", f"127.0.0.1:{drained}")[0] == 0
    wait_until(lambda: upstreams_of(daemon)[f"127.0.0.1:{drained}"]["state"] == "drained", "it is drained")
    known = upstreams_of(daemon)
    with Client(port) as client:
        client.send(b"hello").receive(5)
        for order in ((alive, dead, drained), (drained, alive, dead), (dead, drained, alive)):
            assert daemon.reload(proxy(port, *order, workers=1, health={"interval": "1d"})).handed_over == 1
            for _ in range(6):
                ask(port)
            client.send(b"still").receive(5)
            now = upstreams_of(daemon)
            assert now[f"127.0.0.1:{dead}"] == known[f"127.0.0.1:{dead}"]
            assert now[f"127.0.0.1:{drained}"]["accepted"] == known[f"127.0.0.1:{drained}"]["accepted"]
    assert now[f"127.0.0.1:{alive}"]["accepted"] == known[f"127.0.0.1:{alive}"]["accepted"] + 1 + 3 * 6


# -- names ------------------------------------------------------------------------------------------------------------

class NameServer:
    """Answers every A question with `address` (None: there is no such name), and no AAAA."""

    def __init__(self, address):
        self.address = address
        self.sock = socket.socket(type=socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]
        self.asked = 0
        self.silent = False
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                data, client = self.sock.recvfrom(512)
            except OSError:
                return
            self.asked += 1
            if self.silent:
                continue
            end = data.index(b"\0", 12) + 5
            question, kind = data[12:end], struct.unpack(">H", data[end - 4:end - 2])[0]
            address, answers = self.address, b""
            if address and kind == 1:
                answers = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 1, 4) + socket.inet_aton(address)
            flags = 0x8180 if address else 0x8183
            self.sock.sendto(data[:2] + struct.pack(">HHHHH", flags, 1, bool(answers), 0, 0) + question + answers, client)

    def silence(self):
        """Nobody answers any more, nor says that nobody does."""
        self.silent = True

    def close(self):
        self.sock.close()


def test_a_name_is_resolved_again(start, port):
    """When its TTL is over, and without a reload."""
    names = NameServer("127.0.0.2")
    servers = {}
    to_port = free_port()
    for address in ("127.0.0.2", "127.0.0.3"):
        servers[address] = socket.create_server((address, to_port))
    daemon = start(proxy(port, {"address": "backend.test", "port": to_port}, workers=1, resolver=f"127.0.0.1:{names.port}"))

    def whose():
        with Client(port):
            while True:
                for address, server in servers.items():
                    server.settimeout(0.05)
                    with contextlib.suppress(TimeoutError):
                        server.accept()[0].close()
                        return address
    assert whose() == "127.0.0.2"
    since = daemon.line_after("its name means 1 address now")
    names.address = "127.0.0.3"
    daemon.wait_line("its name means 1 address now", since=since)
    assert whose() == "127.0.0.3"
    # a name server that fails is no reason to forget
    since = daemon.mark()
    names.address = None
    daemon.wait_line("its name is not resolved", since=since)
    assert whose() == "127.0.0.3"
    for server in (*servers.values(), names):
        server.close()


def test_a_name_that_is_not_there(start, port):
    names = NameServer(None)
    start(proxy(port, {"address": "backend.test", "port": 1}, workers=1, resolver=f"127.0.0.1:{names.port}"))
    with Client(port) as client:
        assert client.end() == "closed"
    names.close()


def test_hosts_of_the_system(start, port, backend):
    start(proxy(port, {"address": "localhost", "port": backend.port}, workers=1))
    with Client(port) as client, backend.accept() as server:
        server.sendall(b"x")
        assert client.receive(1) == b"x"


def test_a_name_server_that_falls_silent(start, port):
    """Workers that begin meanwhile go on with what is known: also one that follows a killed one, and after another image has taken over."""
    names, backend = NameServer("127.0.0.1"), Backend()
    daemon = start(proxy(port, {"address": "backend.test", "port": backend.port}, workers=1, resolver=f"127.0.0.1:{names.port}"))

    def is_served():
        with Client(port) as client, backend.accept() as server:
            server.sendall(b"x")
            return client.receive(1) == b"x"
    assert is_served()
    names.silence()
    for _ in range(3):
        assert daemon.reload().word == "applied"
        assert is_served()
    since = daemon.mark()
    os.kill(daemon.pids()[0], signal.SIGKILL)
    daemon.wait_line("starting -> ready", since=since)
    assert is_served()
    daemon.send(signal.SIGUSR2)
    assert not daemon.wait_line(harness.REEXEC_LINE, since=since)[2]
    daemon.reload()
    assert is_served()
    names.close()
    backend.close()


# -- real sessions -----------------------------------------------------------------------------------------------------

def postgres_programs():
    base = "/usr/lib/postgresql"
    versions = sorted(os.listdir(base)) if os.path.isdir(base) else []
    return os.path.join(base, versions[-1], "bin") if versions else None


@pytest.fixture(scope="module")
def postgres():
    """A database of their own; its port."""
    programs = postgres_programs()
    if not programs or not shutil.which("psql"):
        pytest.skip("no PostgreSQL (Debian: postgresql)")
    with folder() as path:
        yield from serve_database(programs, path)


def serve_database(programs, path):
    as_user = []
    if os.geteuid() == 0:
        shutil.chown(path, "postgres", "postgres")
        as_user = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups"]
    subprocess.run([*as_user, f"{programs}/initdb", "-D", path, "-A", "trust", "-U", "test", "--no-sync"], check=True,
                   stdout=subprocess.DEVNULL, cwd="/")
    port = free_port()
    server = subprocess.Popen([*as_user, f"{programs}/postgres", "-D", path, "-p", str(port), "-h", "127.0.0.1", "-k", "",
                               "-c", "fsync=off"], cwd="/", stderr=subprocess.DEVNULL)

    def answers():
        with contextlib.suppress(OSError):
            return subprocess.run(["psql", "-h", "127.0.0.1", "-p", str(port), "-U", "test", "-c", "select 1", "postgres"],
                                  check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0
    try:
        wait_until(answers, "the database answers")
        yield port
    finally:
        server.send_signal(signal.SIGINT)
        server.wait()


class Session:
    """psql at work."""

    def __init__(self, port):
        self.process = subprocess.Popen(["psql", "-h", "127.0.0.1", "-p", str(port), "-U", "test", "-qAtX", "postgres"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def ask(self, query):
        self.process.stdin.write(query + ";\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def close(self):
        self.process.communicate("\\q\n")
        assert self.process.returncode == 0


@pytest.fixture
def bouncer(directory):
    """Starts PgBouncers: bouncer(to) is the port of one before that port."""
    if not shutil.which("pgbouncer"):
        pytest.skip("no PgBouncer (Debian: pgbouncer)")
    servers = []

    def start_one(to):
        port = free_port()
        users, path = (os.path.join(directory, f"bouncer-{port}.{kind}") for kind in ("users", "ini"))
        with open(users, "w", encoding="ascii") as file:
            file.write('"test" ""\n')
        with open(path, "w", encoding="ascii") as file:
            file.write(f"[databases]\npostgres = host=127.0.0.1 port={to}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
                       f"listen_port = {port}\nauth_type = trust\nauth_file = {users}\nunix_socket_dir =\n")
        user = ["-u", "postgres"] if os.geteuid() == 0 else []
        servers.append(subprocess.Popen(["pgbouncer", "-q", *user, path], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

        def answers():
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                return True
        wait_until(answers, "PgBouncer answers")
        return port
    yield start_one
    for server in servers:
        server.kill()
        server.wait()


RELOADS = scaled(20, 4)  # with sessions of other protocols


def hold_transactions(daemon, port):
    """Sessions in the middle of a transaction, with a temporary table: nothing of it survives another connection."""
    sessions = [Session(port) for _ in range(8)]
    backends = [session.ask("select pg_backend_pid()") for session in sessions]
    assert len(set(backends)) == len(sessions)
    for session in sessions:
        assert session.ask("begin; create temp table t (n int); select 'begun'") == "begun"
    for n in range(RELOADS):
        verdict = daemon.reload()
        assert verdict.handed_over == len(sessions) and verdict.finished == verdict.cut == 0, verdict
        for session in sessions:
            assert session.ask(f"insert into t values ({n}); select count(*) from t") == str(n + 1)
    for session, backend in zip(sessions, backends):
        assert session.ask("commit; select sum(n) from t") == str(sum(range(RELOADS)))
        assert session.ask("select pg_backend_pid()") == backend
        session.close()


def test_database_transactions_live_through_reloads(start, port, postgres):
    hold_transactions(start(proxy(port, postgres)), port)


def test_transactions_of_a_pool_live_through_reloads(start, port, postgres, bouncer):
    """Clients come to the pool through the proxy."""
    hold_transactions(start(proxy(port, bouncer(postgres))), port)


def test_connections_of_a_pool_live_through_reloads(start, port, postgres, bouncer):
    """The pool comes to the database through the proxy: it keeps its connections, and opens none anew."""
    daemon = start(proxy(port, postgres))
    hold_transactions(daemon, bouncer(port))
    assert upstreams_of(daemon)[f"127.0.0.1:{postgres}"]["accepted"] == 8


@pytest.fixture
def ssh(directory):
    """An SSH server of its own: its port, and the client's command without a port."""
    if not os.path.exists("/usr/sbin/sshd") or not shutil.which("ssh"):
        pytest.skip("no OpenSSH (Debian: openssh-server, openssh-client)")
    key, host_key, path = (os.path.join(directory, name) for name in ("key", "host_key", "sshd_config"))
    for name in (key, host_key):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", name], check=True)
    port = free_port()
    with open(path, "w", encoding="ascii") as file:
        file.write(f"ListenAddress 127.0.0.1:{port}\nHostKey {host_key}\nAuthorizedKeysFile {key}.pub\nPidFile none\n"
                   "StrictModes no\nPermitRootLogin yes\nUsePAM no\nPasswordAuthentication no\nUseDNS no\n")
    if os.geteuid() == 0:
        os.makedirs("/run/sshd", exist_ok=True)  # sshd wants this folder, which its service makes
    server = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", path], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def answers():
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)) as sock:
            return sock.recv(4) == b"SSH-"
    try:
        wait_until(answers, "sshd answers")
        yield port, ["ssh", "-F", "/dev/null", "-T", "-i", key, "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
                     "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
    finally:
        server.terminate()
        server.wait()


def test_ssh_sessions_live_through_reloads(start, port, ssh, figure):
    """A shell that is talked to, and a transfer that never pauses, in both directions."""
    to, command = ssh
    daemon = start(proxy(port, to))
    command += ["-p", str(port), "127.0.0.1"]
    piece, received = os.urandom(1 << 20), hashlib.sha256()
    sent, over = hashlib.sha256(), threading.Event()
    shell = subprocess.Popen([*command, "exec sh"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    transfer = subprocess.Popen([*command, "exec cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def write():
        with transfer.stdin:
            while not over.is_set():
                transfer.stdin.write(piece)
                sent.update(piece)

    def read():
        while data := transfer.stdout.read1():
            received.update(data)

    def ask(what):
        shell.stdin.write(what + "\n")
        shell.stdin.flush()
        return shell.stdout.readline().strip()
    threads = [threading.Thread(target=write), threading.Thread(target=read)]
    for thread in threads:
        thread.start()
    process, handed_over = ask("n=0; echo $$"), 0
    for n in range(RELOADS):
        verdict = daemon.reload()
        assert verdict.finished == verdict.cut == 0, verdict
        handed_over += verdict.handed_over
        assert ask("n=$((n + 1)); echo $$ $n") == f"{process} {n + 1}"
    over.set()
    for thread in threads:
        thread.join()
    shell.stdin.close()
    assert shell.wait() == transfer.wait() == 0
    assert sent.digest() == received.digest()
    assert handed_over >= 2 * RELOADS
    figure(f"{RELOADS} reloads, {handed_over} connections handed over, none closed")


async def talk(number, url, over):
    """A WebSocket on which something is said all the time, and pinged. How much was said."""
    said = 0
    async with websockets.connect(url, ping_interval=0.05, ping_timeout=harness.DEADLINE, max_size=None) as socket_:
        while not over.is_set():
            for message in (f"client {number}, message {said}", os.urandom(1 << (said % 20))):
                await socket_.send(message)
                assert await asyncio.wait_for(socket_.recv(), harness.DEADLINE) == message
            said += 1
    assert socket_.close_code == 1000
    return said


def test_websockets_live_through_reloads(start, port, figure):
    if not websockets:
        pytest.skip("no websockets (Debian: python3-websockets)")
    to, clients = free_port(), 8
    daemon = start(proxy(port, to))
    seen, all_here = [], asyncio.Event()

    async def serve(socket_, *_):
        seen.append(socket_)
        if len(seen) == clients:
            all_here.set()
        async for message in socket_:
            await socket_.send(message)

    def reload():
        verdicts = [daemon.reload() for _ in range(RELOADS)]
        assert all(v.finished == v.cut == 0 for v in verdicts), verdicts
        return sum(v.handed_over for v in verdicts)

    async def run():
        over = asyncio.Event()
        async with websockets.serve(serve, "127.0.0.1", to, ping_interval=0.05, ping_timeout=harness.DEADLINE, max_size=None):
            talks = [asyncio.create_task(talk(n, f"ws://127.0.0.1:{port}/", over)) for n in range(clients)]
            try:
                await asyncio.wait_for(all_here.wait(), harness.DEADLINE)
                handed_over = await asyncio.to_thread(reload)
            finally:
                over.set()
            return handed_over, await asyncio.gather(*talks)
    handed_over, said = asyncio.run(run())
    assert handed_over == RELOADS * clients and len(seen) == clients and min(said) > 0
    figure(f"{RELOADS} reloads, {handed_over} connections handed over, none closed, {sum(said)} messages")


# -- health and reloads --------------------------------------------------------------------------------------------------

IS_DOWN = r"upstream \S+ is down"


def ask(port):
    """One connection that is served."""
    with Client(port) as client:
        assert client.send(b"hello").receive(5) == b"hello"


def failures_of(daemon, to):
    return upstreams_of(daemon)[f"127.0.0.1:{to}"]["failures"]


def find_down(daemon, port, to, workers):
    """Lets each worker find out that this one is dead: by 3 connections, and one probe at once."""
    while failures_of(daemon, to) < 4 * workers:
        ask(port)
    wait_until(lambda: len(daemon.log.find(IS_DOWN)) >= workers, "the log says it, too")
    assert len(daemon.log.find(IS_DOWN)) == workers


def test_a_successor_knows_who_is_down(start, port, echo):
    """It tries nobody anew, and says nothing that was said. Nor do workers that a larger pool has more."""
    dead, alive = free_port(), echo()
    config_of = {n: proxy(port, dead, alive, workers=n, health={"interval": "1d"}) for n in (2, 4)}
    daemon = start(config_of[2])
    find_down(daemon, port, dead, 2)
    for workers in (2, 2, 4, 2):
        assert daemon.reload(config_of[workers]).word == "applied"
        for _ in range(8 * workers):
            ask(port)
        assert failures_of(daemon, dead) == 8
    daemon.send(signal.SIGUSR2)
    assert not daemon.wait_line(harness.REEXEC_LINE)[2]
    daemon.reload()
    for _ in range(16):
        ask(port)
    assert failures_of(daemon, dead) == 8
    assert len(daemon.log.find(IS_DOWN)) == 2


def test_who_follows_a_killed_worker_knows_who_is_down(start, port, echo):
    """There is nobody else to ask, and none of the two says anything about it."""
    dead = free_port()
    daemon = start(proxy(port, dead, echo(), workers=1, health={"interval": "1d"}))
    find_down(daemon, port, dead, 1)
    for _ in range(2):
        since = daemon.mark()
        os.kill(daemon.pids()[0], signal.SIGKILL)
        daemon.wait_line(r"starting -> ready", since=since)
        for _ in range(8):
            ask(port)
        assert failures_of(daemon, dead) == 4
    assert len(daemon.log.find(IS_DOWN)) == 1


def test_failures_in_a_row_count_through_a_reload(start, port, echo):
    dead = free_port()
    daemon = start(proxy(port, dead, echo(), workers=1))
    for before in (0, 1):
        while failures_of(daemon, dead) == before:
            ask(port)
        daemon.reload()
        assert not daemon.log.find(IS_DOWN)
    while failures_of(daemon, dead) == 2:
        ask(port)
    daemon.wait_line(IS_DOWN)


def test_who_is_new_is_up(start, port, echo):
    """What was known of an upstream before it was removed, and came back, is of no interest."""
    one, two = free_port(), echo()
    daemon = start(proxy(port, one, two, workers=1, health={"interval": "1d"}))
    find_down(daemon, port, one, 1)
    daemon.reload(proxy(port, two, workers=1))
    daemon.reload(proxy(port, one, two, workers=1, health={"interval": "1d"}))
    find_down_again = daemon.mark()
    while failures_of(daemon, one) < 8:
        ask(port)
    daemon.wait_line(IS_DOWN, since=find_down_again)


def test_probes_come_however_often_workers_go(start, port, echo):
    """No worker is there for as long as an interval: an upstream is found to be down, and to be up again."""
    backend = free_port()
    daemon = start(proxy(port, echo(), upstream(backend, backup=True), workers=1, health={"interval": "500ms", "fall": 2}))

    def reload_until(pattern):
        end = time.monotonic() + harness.DEADLINE
        while not daemon.log.find(pattern):
            assert time.monotonic() < end
            assert daemon.reload().word == "applied"
    reload_until(IS_DOWN)
    with socket.create_server(("127.0.0.1", backend)):
        reload_until("is up again")


# -- operators ----------------------------------------------------------------------------------------------------------

def ctl(daemon, *args):
    """What gracefulctl answers."""
    done = subprocess.run([GRACEFULCTL, "-s", os.path.join(os.path.dirname(daemon.path), "control.sock"), *args],
                          capture_output=True, text=True, check=False, timeout=harness.DEADLINE)
    return done.returncode, done.stdout + done.stderr


def upstreams_of(daemon):
    """{name: what is known of it}"""
    status, text = ctl(daemon, "upstreams", "--json")
    assert status == 0, text
    return {u["name"]: u for u in json.loads(text)["upstreams"]}


def test_a_drained_upstream_gets_nothing_new(start, port):
    """Not from any worker, nor from those of later reloads; what it has, it keeps."""
    one, two = Backend(), Backend()
    name = f"127.0.0.1:{one.port}"
    daemon = start(proxy(port, one.port, two.port))

    def connect():
        """A client, with its server's end, and whether that is the first upstream."""
        client = Client(port)
        while True:
            ready, _, _ = select.select([one.listener, two.listener], [], [], harness.DEADLINE)
            backend = one if one.listener in ready else two
            return client, backend.accept(), backend is one
    before = [connect() for _ in range(16)]
    assert {first for _, _, first in before} == {True, False}
    assert ctl(daemon, "upstream", "drain", name)[0] == 0
    wait_until(lambda: upstreams_of(daemon)[name]["state"] == "drained", "it is drained")
    for _ in range(3):
        # (a worker that has not read the order yet would be seen here)
        for pid in daemon.pids():
            wait_until(lambda pid=pid: harness.proc_stat(pid)[0] == "S", "it has nothing to do")
        new = [connect() for _ in range(16)]
        assert not any(first for _, _, first in new)
        for client, server, _ in new:
            client.close()
            server.close()
        assert daemon.reload().cut == 0
    for client, server, _ in before:
        client.send(b"still")
        assert receive(server, 5) == b"still"
        client.close()
        server.close()
    assert ctl(daemon, "upstream", "enable", name)[0] == 0
    wait_until(lambda: connect()[2], "it is used again")
    one.close()
    two.close()


def test_a_successor_knows_at_once_what_is_drained(start, port):
    """From its very first connection on: load goes on while workers come and go."""
    one, two = Backend(backlog=1024), Backend(backlog=1024)
    daemon = start(proxy(port, one.port, two.port))
    assert ctl(daemon, "upstream", "drain", f"127.0.0.1:{one.port}")[0] == 0
    daemon.reload()
    stop = threading.Event()

    def serve():
        two.listener.settimeout(0.1)
        while not stop.is_set():
            with contextlib.suppress(TimeoutError), two.accept() as sock:
                sock.sendall(sock.recv(64))
    server = threading.Thread(target=serve)
    server.start()
    with Load(port, mode="new", proto="echo", connections=8) as load:
        for _ in range(scaled(10, 3)):
            assert daemon.reload().word == "applied"
        seen = load.result()
    stop.set()
    server.join()
    assert_no_failure(seen)
    one.listener.setblocking(False)
    with pytest.raises(BlockingIOError):
        one.listener.accept()
    one.close()
    two.close()


def test_upstreams_are_counted(start, port, echo):
    """Over workers that come and go."""
    to, dead = echo(), free_port()
    daemon = start(proxy(port, to, upstream(dead, backup=True), health={"interval": "100ms", "fall": 1}))
    for n in range(1, 4):
        with Client(port) as client:
            assert client.send(b"hello").receive(5) == b"hello"
            wait_until(lambda: upstreams_of(daemon)[f"127.0.0.1:{to}"]["connections"] == 1, "it is counted")
        wait_until(lambda: upstreams_of(daemon)[f"127.0.0.1:{to}"]["connections"] == 0, "it has ended")
        known = upstreams_of(daemon)[f"127.0.0.1:{to}"]
        assert (known["accepted"], known["sent_bytes"], known["received_bytes"]) == (n, 5 * n, 5 * n)
        daemon.reload()
    wait_until(lambda: upstreams_of(daemon)[f"127.0.0.1:{dead}"]["state"] == "down", "it is found to be down")
    assert upstreams_of(daemon)[f"127.0.0.1:{dead}"]["failures"] > 0
    text = ctl(daemon, "upstreams")[1]
    assert re.search(rf"127\.0\.0\.1:{to} +up +0 +3 ", text), text
    sock = os.path.join(os.path.dirname(daemon.path), "control.sock")
    page = subprocess.run(["curl", "-s", "--unix-socket", sock, "http://x/metrics"], capture_output=True, text=True, check=True).stdout
    assert f'gracefuld_upstream_connections_total{{upstream="127.0.0.1:{to}"}} 3\n' in page, page
    assert f'gracefuld_upstream_up{{upstream="127.0.0.1:{dead}"}} 0\n' in page


def test_who_is_not_there_is_not_drained(start, port, echo):
    daemon = start(proxy(port, echo()))
    status, text = ctl(daemon, "upstream", "drain", "192.0.2.1:80")
    assert status != 0 and "there is no such upstream" in text
    assert ctl(daemon, "upstream", "dry", "192.0.2.1:80")[0] == 64


def test_what_is_drained_stays_so_in_another_image(start, port, echo):
    """The master takes another image of itself, in place; and its workers' upstreams go on to be counted."""
    one, two = echo(), echo()
    daemon = start(proxy(port, one, two))
    with Client(port) as client:
        assert client.send(b"hello").receive(5) == b"hello"
    assert ctl(daemon, "upstream", "drain", f"127.0.0.1:{one}")[0] == 0
    wait_until(lambda: sum(u["connections"] for u in upstreams_of(daemon).values()) == 0, "all have ended")
    before = upstreams_of(daemon)
    assert before[f"127.0.0.1:{one}"]["state"] == "drained"
    since = daemon.mark()
    daemon.send(signal.SIGUSR2)
    assert not daemon.wait_line(harness.REEXEC_LINE, since=since)[2]
    assert upstreams_of(daemon) == before
    daemon.reload()
    for _ in range(8):
        with Client(port) as client:
            assert client.send(b"hello").receive(5) == b"hello"
    wait_until(lambda: upstreams_of(daemon)[f"127.0.0.1:{two}"]["accepted"] >= 8, "they are counted")
    assert upstreams_of(daemon)[f"127.0.0.1:{one}"]["accepted"] == before[f"127.0.0.1:{one}"]["accepted"]
