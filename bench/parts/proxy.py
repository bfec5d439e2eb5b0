"""What relaying costs, side by side with HAProxy (mode tcp) and nginx (stream), and what happens to streams when each reloads.

The clients and the backends are the same for all; only the processes of the proxy are measured. Bulk data is sent by sendfile and
received into nowhere (MSG_TRUNC), so that what is left of the processor is the proxy's."""

import contextlib
import os
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import threading
import time

from harness import Daemon, Load, anonymous_kb, children_of, config, cpu_ticks, free_port, wait_until

SECONDS = 4
ROUNDS = 3
BULK_CONNECTIONS = 8
BULK_BYTES = 256 << 20  # of each
IDLE = 5000
STREAMS = 200
QUICK = {"SECONDS": 1, "ROUNDS": 1, "BULK_BYTES": 16 << 20, "IDLE": 500, "STREAMS": 20, "RELOADS": 1}
RELOADS = 3

TICK_US = 1e6 / os.sysconf("SC_CLK_TCK")


class Proxy:
    """A proxy of some kind, in a folder of its own: 127.0.0.1:port goes to 127.0.0.1:upstream."""

    reloads_by = signal.SIGHUP

    def __init__(self, upstream, workers):
        self.folder = tempfile.mkdtemp(prefix="gracefuld-bench-")
        os.chmod(self.folder, 0o755)
        self.port = free_port()
        self.upstream, self.workers = upstream, workers
        self.process = None

    def command(self):
        raise NotImplementedError

    def __enter__(self):
        with open(os.path.join(self.folder, "log"), "wb") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder)
        wait_until(self.answers, f"{type(self).__name__} answers")
        return self

    def __exit__(self, *_):
        old = self.pids()
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            for pid in old:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.wait()
        shutil.rmtree(self.folder)

    def answers(self):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, 0o600)
        return path

    def pids(self):
        return [self.process.pid, *children_of(self.process.pid)]

    def ticks(self):
        return sum(map(cpu_ticks, self.pids()))

    def memory_kb(self):
        return sum(map(anonymous_kb, self.pids()))

    def hears(self):
        """Does it handle the signal by now?"""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            caught = next(int(line.split()[1], 16) for line in file if line.startswith("SigCgt:"))
        return caught >> (self.reloads_by - 1) & 1

    def reload(self):
        """Asks for it, and gives it time to happen."""
        before = set(self.pids())
        wait_until(self.hears, "it listens to its signal")
        self.process.send_signal(self.reloads_by)
        wait_until(lambda: set(self.pids()) - before, "new processes")
        time.sleep(0.5)


class Gracefuld(Proxy):
    name = "gracefuld"

    def __enter__(self):
        self.daemon = Daemon(self.folder, config(self.port, workers=self.workers, service={
            "type": "proxy", "upstreams": [{"address": "127.0.0.1", "port": self.upstream}]})).wait_ready()
        self.process = self.daemon.process
        return self

    def __exit__(self, *_):
        self.daemon.close()
        shutil.rmtree(self.folder)

    def reload(self):
        assert self.daemon.reload().word == "applied"


class Haproxy(Proxy):
    name = "haproxy"
    options = ""
    reloads_by = signal.SIGUSR2

    def command(self):
        return ["haproxy", "-W", "-f", self.write("haproxy.cfg", f"""
global
    nbthread {self.workers}
    maxconn 7000
    stats socket {self.folder}/sock mode 600 level admin expose-fd listeners
defaults
    mode tcp
    timeout connect 5s
    timeout client 1h
    timeout server 1h
    {self.options}
listen relay
    bind 127.0.0.1:{self.port}
    server one 127.0.0.1:{self.upstream}
""")]


class HaproxySplice(Haproxy):
    name = "haproxy, option splice-auto"
    options = "option splice-auto"


class Nginx(Proxy):
    name = "nginx"

    def command(self):
        module = "/usr/lib/nginx/modules/ngx_stream_module.so"
        return ["nginx", "-p", self.folder, "-c", self.write("nginx.conf", f"""
load_module {module};
daemon off;
user root;
pid {self.folder}/pid;
error_log {self.folder}/error.log;
worker_processes {self.workers};
worker_rlimit_nofile 20000;
events {{ worker_connections 18000; }}
stream {{
    server {{
        listen 127.0.0.1:{self.port} reuseport backlog=4096;
        proxy_timeout 1h;
        proxy_pass 127.0.0.1:{self.upstream};
    }}
}}
""")]


class Source:
    """A backend that sends BULK_BYTES to whoever connects, and closes."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", free_port()), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.file = os.memfd_create("bulk")
        os.ftruncate(self.file, 4 << 20)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.send, args=(client,), daemon=True).start()

    def send(self, client):
        left = BULK_BYTES
        with client, contextlib.suppress(OSError):
            while left > 0:
                left -= os.sendfile(client.fileno(), self.file, 0, min(left, 4 << 20))

    def close(self):
        self.listener.close()
        os.close(self.file)


def drink(port):
    """Receives all, and keeps nothing. How much it was."""
    total = 0
    with socket.create_connection(("127.0.0.1", port)) as sock:
        buffer = bytearray(1 << 20)
        while n := sock.recv_into(buffer, len(buffer), socket.MSG_TRUNC):
            total += n
    return total


def measure_bulk(kind, workers, source):
    """Milliseconds of processor time for a GB; GB a second."""
    with kind(source.port, workers) as proxy:
        before, begun = proxy.ticks(), time.monotonic()
        got = []
        clients = [threading.Thread(target=lambda: got.append(drink(proxy.port))) for _ in range(BULK_CONNECTIONS)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        took, spent = time.monotonic() - begun, proxy.ticks() - before
    assert sum(got) == BULK_BYTES * BULK_CONNECTIONS, got
    gigabytes = sum(got) / 1e9
    return spent * TICK_US / 1000 / gigabytes, gigabytes / took


def measure_load(kind, workers, echo, mode, *args):
    """Microseconds of processor time for each answer; answers a second."""
    with kind(echo, workers) as proxy:
        before = proxy.ticks()
        with Load(proxy.port, *args, mode=mode, proto="echo", connections=64, seconds=SECONDS) as load:
            seen = load.result(stop=False)
        spent = proxy.ticks() - before
    assert seen["failed_total"] == 0, seen
    return spent * TICK_US / seen["ok"], seen["ok_per_s"]


def measure_idle(kind, workers, echo):
    """Bytes of its own memory that an idle connection takes."""
    with kind(echo, workers) as proxy:
        before = proxy.memory_kb()
        with Load(proxy.port, mode="hold", proto="echo", connections=IDLE) as load:
            load.wait_all_open()
            more = proxy.memory_kb() - before
            load.result()
    return more * 1024 / IDLE


def measure_reload(kind, workers, echo):
    """What becomes of 200 streams: closed or wrong; processes more than before, after the last reload."""
    with kind(echo, workers) as proxy:
        with Load(proxy.port, "--size", "16384", mode="stream", proto="echo", connections=STREAMS) as load:
            before = len(proxy.pids())
            for _ in range(RELOADS):
                proxy.reload()
            left = len(proxy.pids()) - before
            seen = load.result()
    return seen["stream"]["streams_lost"], left


def both(pairs):
    """The medians of first and second figures."""
    return tuple(statistics.median(column) for column in zip(*pairs))


def run(report):
    kinds = [Gracefuld]
    if shutil.which("haproxy"):
        kinds += [Haproxy, HaproxySplice]
    if shutil.which("nginx") and os.path.exists("/usr/lib/nginx/modules/ngx_stream_module.so"):
        kinds += [Nginx]
    source, folder = Source(), tempfile.mkdtemp(prefix="gracefuld-bench-")
    os.chmod(folder, 0o755)
    port = free_port()
    backend = Daemon(folder, config(port, workers=1, service={"type": "echo"})).wait_ready()
    try:
        for workers in (1, 2):
            rows = []
            for kind in kinds:
                bulk = both([measure_bulk(kind, workers, source) for _ in range(ROUNDS)])
                ping = both([measure_load(kind, workers, port, "stream", "--size", "64") for _ in range(ROUNDS)])
                new = both([measure_load(kind, workers, port, "new") for _ in range(ROUNDS)])
                idle = measure_idle(kind, workers, port)
                rows.append((kind.name, f"{bulk[0]:.0f}", f"{bulk[1]:.2f}", f"{ping[0]:.1f}", f"{ping[1]:.0f}",
                             f"{new[0]:.1f}", f"{new[1]:.0f}", f"{idle:.0f}"))
            report.table(f"Relaying, {workers} worker{'s' if workers > 1 else ''} or threads (medians of {ROUNDS})",
                  ("", "bulk: ms/GB", "GB/s", "64 B there and back: us", "a second", "new connection: us", "a second",
                   "idle connection: B"), rows)
        rows = [(kind.name, *measure_reload(kind, 2, port)) for kind in kinds]
        report.table(f"{STREAMS} streams, {RELOADS} reloads", ("", "streams lost", "old processes left"), rows)
    finally:
        backend.close()
        source.close()
        shutil.rmtree(folder)
