"""What clients notice of a reload, server by server, under the same load on the same machine; and what a request costs.

Servers are measured in turn, then all once more, for as many rounds as asked for; each measurement has a server of its own, freshly started.
A server that is not installed, or fails, is named with its reason, and the others go on."""

import contextlib
import os
import socket
import statistics
import subprocess
import threading
import time

import plot
from harness import Daemon, Load, config, free_port
from measure import cpu_seconds, pss_kb, spread
from servers import HTTP_SERVERS, RELAYS, Gracefuld, Missing, Server

CAP = 10.0         # s: who is not gone by then is "> 10 s"
RELOAD_CAP = 2.0   # s, between reloads under load
PAUSE = 0.3        # s, after each
RATE = 2000        # requests a second, of all clients
CONNECTIONS = 64
IDLE = 1000
STREAMS = 100
BUCKET = 0.02      # s, of latency over time
SAMPLE = 0.025     # s, of memory over time
WATCH = 2.5        # s, of memory from the reload on

PATIENCE = ("--timeout", "2000", "--connect-timeout", "2000", "--drain", "2500")
LOADS = {  # what 64 clients do
    "new connections": ("new", ("--rate", str(RATE))),
    "keep-alive": ("keepalive", ("--rate", str(RATE))),
    "keep-alive, no pause": ("keepalive", ()),
}

QUICK_LOADS = ("keep-alive, no pause",)

# What a client calls a failure, from what hammer does.
KINDS = {
    "refused": ("connect_refused",),
    "reset": ("connect_reset", "reset_before_reply", "reset_mid_reply"),
    "closed without an answer": ("eof_before_reply", "eof_mid_reply"),
    "lost on an open connection": ("lost_request",),
    "no answer in 2 s": ("timeout", "connect_timeout"),
    "wrong": ("bad_reply", "connect_other", "client_error"),
}


# -- one measurement each: what it found, of a fresh server

def measure_failures(kind, load, reloads):
    """Failed requests for each reload, by kind; and connections that were closed while idle."""
    mode, args = LOADS[load]
    with kind() as server:
        with Load(server.port, *PATIENCE, *args, mode=mode, proto="http", connections=CONNECTIONS) as clients:
            time.sleep(PAUSE)
            for _ in range(reloads):
                server.reload(RELOAD_CAP)
                time.sleep(PAUSE)
            seen = clients.result()
    failed = {name: sum(seen["failures"][each] for each in each_of) / reloads for name, each_of in KINDS.items()}
    return {"failed": failed, "total": seen["failed_total"] / reloads, "requests": seen["attempts"] / reloads,
            "closed": (seen["closes"]["closed_idle"] + seen["closes"]["reset_idle"]) / reloads}


class MemoryOverTime:
    """Reads the memory of all processes of a server again and again."""

    def __init__(self, server):
        self.server, self.begun = server, time.monotonic()
        self.readings = []  # (seconds, kB)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        while not self._end.wait(SAMPLE):
            self.readings.append((time.monotonic() - self.begun, pss_kb(self.server.pids())))

    def end(self):
        self._end.set()
        self._thread.join()


def measure_idle(kind, connections, watch):
    """A reload with so many idle connections: how many it closes, when nobody old is left, and memory over time (0: the reload)."""
    with kind() as server:
        with Load(server.port, "--period", "3600", "--ramp", "5000", mode="hold", proto="http", connections=connections) as clients:
            clients.wait_all_open()
            memory = MemoryOverTime(server)
            try:
                time.sleep(0.5)
                departure = server.begin_reload()
                gone = departure.wait(CAP)
                departure.close()
                server.settle()
                time.sleep(max(0.0, departure.begun + watch - time.monotonic()))
            finally:
                memory.end()
            seen = clients.result()
    return {"lost": seen["hold"]["lost"], "gone": gone, "memory": [(t + memory.begun - departure.begun, kb) for t, kb in memory.readings]}


class SlowClient:
    """Has had an answer, has sent half of the next request, and is silent."""

    def __init__(self, port):
        self.sock = socket.create_connection(("127.0.0.1", port), CAP)
        self.sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = b""
        while b"hello world" not in answer:
            if not (more := self.sock.recv(4096)):
                raise OSError("closed before the reload")
            answer += more
        self.sock.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            self.sock.recv(4096)
        self.sock.settimeout(CAP)
        self.sock.sendall(b"GET / HTTP/1.1\r\nHost: loc")

    def goes_on(self):
        """Sends the other half: is it answered?"""
        try:
            self.sock.settimeout(2)
            self.sock.sendall(b"alhost\r\n\r\n")
            return self.sock.recv(4096).startswith(b"HTTP/1.1 200")
        except OSError:
            return False

    def close(self):
        self.sock.close()


def start_all(stack, kinds, failed, *args):
    """Those of the kinds that start, until the stack ends."""
    servers = {}
    for kind in kinds:
        try:
            servers[kind] = stack.enter_context(kind(*args))
        except Exception as reason:  # whatever it is: the others are to be measured
            failed(kind, reason)
    return servers


def reload_all(servers):
    """One after the other, and then waits for all of them together: {kind: seconds until nobody old was left, or None}."""
    gone = {}

    def wait(kind, departure):
        gone[kind] = departure.wait(CAP)
        departure.close()

    threads = []
    for kind, server in servers.items():
        threads.append(threading.Thread(target=wait, args=(kind, server.begin_reload())))
        threads[-1].start()
        time.sleep(PAUSE)
    for thread in threads:
        thread.join()
    return gone


def measure_silent(kinds, failed):
    """One slow client each, at a reload: when nobody old was left, and whether the client was served in the end."""
    results = {}
    with contextlib.ExitStack() as stack:
        servers = start_all(stack, kinds, failed)
        clients = {}
        for kind, server in list(servers.items()):
            try:
                clients[kind] = SlowClient(server.port)
                stack.callback(clients[kind].close)
            except OSError as reason:
                failed(kind, reason)
                del servers[kind]
        time.sleep(PAUSE)
        gone = reload_all(servers)
        for kind, client in clients.items():
            results[kind] = {"gone": gone[kind], "served": client.goes_on()}
            client.close()
        for server in servers.values():
            server.settle()
    return results


def measure_streams(kinds, failed, echo, count):
    """Streams through relays, at a reload: how many were cut, and when nobody old was left."""
    results = {}
    with contextlib.ExitStack() as stack:
        servers = start_all(stack, kinds, failed, echo)
        loads = {kind: stack.enter_context(Load(server.port, "--think", "100", mode="stream", proto="echo", connections=count))
                 for kind, server in servers.items()}
        time.sleep(PAUSE)
        gone = reload_all(servers)
        time.sleep(PAUSE)
        for kind, load in loads.items():
            results[kind] = {"gone": gone[kind], "lost": load.result()["stream"]["streams_lost"]}
        for server in servers.values():
            server.settle()
    return results


def measure_latency(kind, before, after):
    """(seconds since the reload, latency in ms) of each answer."""
    with kind() as server:
        trace = os.path.join(server.folder, "trace")
        with Load(server.port, *PATIENCE, "--rate", str(RATE), "--trace", trace, mode="keepalive", proto="http",
                  connections=CONNECTIONS) as clients:
            time.sleep(before)
            departure = server.begin_reload()
            departure.wait(after)
            departure.close()
            time.sleep(max(0.0, departure.begun + after - time.monotonic()))
            server.settle()
            seen = clients.result()
        with open(trace, encoding="ascii") as file:
            answers = [tuple(map(float, line.split())) for line in file]
    # by when it should have been asked, for that is when the client began to wait
    return [(at - latency / 1e6 + seen["t0_mono_s"] - departure.begun, latency / 1000) for at, latency in answers]


def measure_cpu(kind, mode, seconds):
    """Requests for each second of the processor that the server took; requests a second."""
    with kind() as server:
        with Load(server.port, *PATIENCE, mode=mode, proto="http", connections=CONNECTIONS) as warm:
            time.sleep(PAUSE)
            warm.result()
        pids = server.pids()
        before = sum(map(cpu_seconds, pids))
        with Load(server.port, *PATIENCE, mode=mode, proto="http", connections=CONNECTIONS, seconds=seconds) as clients:
            seen = clients.result(stop=False)
        spent = sum(map(cpu_seconds, pids)) - before
    if not seen["ok"] or spent <= 0:
        raise OSError("no answers")
    return {"per_cpu": seen["ok"] / spent, "rate": seen["ok_per_s"], "failed": seen["failed_total"]}


# -- all of them, in turn

class Results:
    """What was found: results[what][label] is a list, an item a round."""

    def __init__(self, report):
        self.report = report
        self.found = {}
        self.versions = {}
        self.trouble = {}  # label: reasons

    def available(self, kinds):
        good = []
        for kind in kinds:
            try:
                self.versions[kind] = kind.version()
                good.append(kind)
            except (Missing, OSError, subprocess.SubprocessError) as reason:
                self.fail(kind, reason, "not measured")
        return good

    def fail(self, kind, reason, what="failed"):
        text = f"{what}: {str(reason).splitlines()[0][:200] if str(reason) else type(reason).__name__}"
        if text not in self.trouble.setdefault(kind.label, []):
            self.trouble[kind.label].append(text)
            print(f"{kind.label}: {text}")

    def add(self, what, kind, value):
        self.found.setdefault(what, {}).setdefault(kind, []).append(value)

    def each(self, what, kinds, measure, *args):
        """Measures all kinds once."""
        for kind in kinds:
            self.report.progress(f"{what}: {kind.label}")
            try:
                self.add(what, kind, measure(kind, *args))
            except Exception as reason:  # whatever it is: the others are to be measured
                self.fail(kind, reason, f"{what} failed")

    def name(self, kind):
        return f"{kind.label.replace(',', f' {self.versions[kind]},', 1)}" if "," in kind.label else f"{kind.label} {self.versions[kind]}"

    def get(self, what):
        """[(kind, [values])] of those that were measured, in the order of the kinds."""
        return [(kind, self.found[what][kind]) for kind in self.versions if kind in self.found.get(what, {})]


def gone_text(values):
    """Seconds; the cap stands for those who did not go."""
    if any(value is None for value in values):
        some = [value for value in values if value is not None]
        return f"> {CAP:.0f} s" + (f" ({min(some):.2f} s once)" if some else "")
    return spread([value * 1000 for value in values]) + " ms"


def measure_all(results, report):
    quick = report.quick
    http = results.available(HTTP_SERVERS)
    relays = results.available(RELAYS)
    with echo_server() as echo:
        for _ in range(report.rounds):
            report.look_around()
            for load in QUICK_LOADS if quick else LOADS:
                results.each(load, http, measure_failures, load, 1 if quick else 3)
            results.each("idle", http, measure_idle, IDLE // 10 if quick else IDLE, 0.5 if quick else WATCH)
            report.progress("one slow client each")
            for kind, found in measure_silent(http, results.fail).items():
                results.add("silent", kind, found)
            report.progress("streams")
            for kind, found in measure_streams(relays, results.fail, echo, STREAMS // 10 if quick else STREAMS).items():
                results.add("streams", kind, found)
            results.each("latency", http, measure_latency, 0.4, 0.6 if quick else 1.6)
            for mode in ("keepalive",) if quick else ("keepalive", "new"):
                results.each(f"cpu {mode}", http, measure_cpu, mode, 0.5 if quick else 2)


@contextlib.contextmanager
def echo_server():
    """What the relays relay to."""
    port = free_port()
    server = Server(None)
    daemon = Daemon(server.folder, config(port, workers=1, service={"type": "echo"}))
    try:
        daemon.wait_ready()
        yield port
    finally:
        daemon.close()
        Server.__exit__(server)


# -- tables

def show_failures(results, report):
    rows = []
    for load in LOADS:
        for kind, values in results.get(load):
            kinds = [statistics.median(value["failed"][name] for value in values) for name in KINDS]
            rows.append((f"{load}: {results.name(kind)}", spread([value["total"] for value in values]),
                         *(f"{number:,.0f}" if number else "0" for number in kinds),
                         spread([value["requests"] for value in values]), spread([value["closed"] for value in values])))
    report.table("Failed requests for each reload, and connections that were closed while idle", ("", "failed", *KINDS, "of requests", "closed idle"), rows)


def show_departure(results, report):
    silent = dict(results.get("silent"))
    rows = []
    for kind, values in results.get("idle"):
        slow = silent.get(kind, [])
        served = sum(value["served"] for value in slow)
        rows.append((results.name(kind), spread([value["lost"] for value in values]), gone_text([value["gone"] for value in values]),
                     gone_text([value["gone"] for value in slow]) if slow else "–", f"{served} of {len(slow)}" if slow else "–"))
    report.table(f"Idle keep-alive connections, and one slow client ({CAP:.0f} s at most are waited)",
                 ("", "idle connections closed", "old ones gone, idle clients", "old ones gone, one slow client", "slow client served"), rows)
    rows = [(results.name(kind), spread([value["lost"] for value in values]), gone_text([value["gone"] for value in values]))
            for kind, values in results.get("streams")]
    report.table("Streams through a relay, ten messages a second each", ("", "streams cut", "old ones gone"), rows)


def buckets(rounds, before, after):
    """(seconds, median, most) of each bucket, over the answers of all rounds."""
    found = {}
    for answers in rounds:
        for at, latency in answers:
            if -before <= at < after:
                found.setdefault(int((at + before) / BUCKET), []).append(latency)
    return [(n * BUCKET - before + BUCKET / 2, statistics.median(all_of), max(all_of)) for n, all_of in sorted(found.items())]


def show_latency(results, report, series):
    rows = []
    for kind, values in results.get("latency"):
        worst = [max((latency for at, latency in answers if at >= -0.1), default=0) for answers in values]
        usual = [statistics.median(latency for at, latency in answers if at < 0) for answers in values if any(at < 0 for at, _ in answers)]
        rows.append((results.name(kind), spread(usual, 2), spread(worst, 1)))
    report.table(f"Latency at {RATE:,} requests a second on {CONNECTIONS} open connections, ms", ("", "median before the reload", "longest through it"), rows)
    report.plot("peers-latency.svg", "Latency through a reload, server by server", plot.latency, series, RATE, CONNECTIONS)


def show_memory(results, report):
    rows, curves = [], []
    for kind, values in results.get("idle"):
        readings = [value["memory"] for value in values if value["memory"]]
        before = [statistics.median([kb for t, kb in each if t < 0] or [0]) / 1024 for each in readings]
        most = [max(kb for _, kb in each) / 1024 for each in readings]
        after = [each[-1][1] / 1024 for each in readings]
        rows.append((results.name(kind), spread(before, 1), spread(most, 1), spread(after, 1)))
        # the round that is in the middle, whole: a mean would round the peaks off
        middle = sorted(range(len(readings)), key=lambda n: most[n])[len(readings) // 2]
        curves.append((results.name(kind), kind.ours, [(t, kb / 1024) for t, kb in readings[middle]]))
    report.table("Memory of all processes of a server through a reload with idle connections, MiB (PSS)", ("", "before", "most", "after"), rows)
    report.plot("peers-memory.svg", "Memory through a reload", plot.memory, curves, 0.5 if report.quick else WATCH)


def show_cpu(results, report):
    new = dict(results.get("cpu new"))
    rows, bars = [], []
    for kind, values in results.get("cpu keepalive"):
        others = new.get(kind, [])
        rows.append((results.name(kind), spread([value["per_cpu"] for value in values]), spread([value["rate"] for value in values]),
                     spread([value["per_cpu"] for value in others]), spread([value["rate"] for value in others])))
        bars.append((results.name(kind), kind.ours, [value["per_cpu"] for value in values], [value["per_cpu"] for value in others]))
    report.table(f"Requests for each second of the processor that the server's processes take ({CONNECTIONS} connections)",
                 ("", "open connections", "a second", "new connections", "a second"), rows)
    report.plot("peers-cpu.svg", "Requests for each second of the processor", plot.requests_per_cpu, bars)


def show_overview(results, report, idle):
    """What the README shows: failures, closed connections, and who stays."""
    closed, silent = dict(results.get("idle")), dict(results.get("silent"))
    loads = {load: dict(results.get(load)) for load in LOADS if load in results.found}
    rows, stacks = [], []
    for kind in results.versions:
        if kind not in closed or any(kind not in found for found in loads.values()):
            continue
        failed = sum(statistics.median(value["total"] for value in found[kind]) for found in loads.values())
        stays = [value["gone"] for value in silent.get(kind, [])]
        gone = None if not stays or None in stays else statistics.median(stays)
        rows.append((results.name(kind), kind.ours, failed, statistics.median(value["lost"] for value in closed[kind]), gone, bool(stays)))
        stacks.append((results.name(kind), kind.ours, {load: {name: statistics.median(value["failed"][name] for value in found[kind])
                                                               for name in KINDS} for load, found in loads.items()}))
    report.plot("peers-reload.svg", "What a reload costs clients, server by server", plot.overview, rows, idle, CAP)
    report.plot("peers-failures.svg", "Failed requests for each reload, by kind", plot.failures, stacks, list(loads), list(KINDS))


def faults_of_ours(results):
    """What clients of gracefuld noticed, which did nothing wrong: each is a bug."""
    for what, found in results.found.items():
        for kind, values in found.items():
            for value in values if kind.ours else ():
                noticed = {"failed requests": value.get("total", value.get("failed", 0)), "closed idle": value.get("closed", 0),
                           "closed or cut": value.get("lost", 0), "slow client not served": not value.get("served", True),
                           "old workers stay": value.get("gone", 0) is None} if isinstance(value, dict) else {}
                yield from (f"{what}: {fault}" for fault, is_so in noticed.items() if is_so)


def run(report):
    report.begin("peers", "Reloads beside others")
    results = Results(report)
    measure_all(results, report)
    report.text("Versions: " + "; ".join(results.name(kind) for kind in results.versions) + f". Rounds: {report.rounds}.")
    for label, reasons in results.trouble.items():
        report.text(f"Skipped or incomplete: {label}: {'; '.join(reasons)}.")
    show_overview(results, report, IDLE // 10 if report.quick else IDLE)
    show_failures(results, report)
    show_departure(results, report)
    span = (0.4, 0.6 if report.quick else 1.5)
    show_latency(results, report, [(results.name(kind), kind.ours, buckets(values, *span)) for kind, values in results.get("latency")])
    show_memory(results, report)
    show_cpu(results, report)
    faults = sorted(set(faults_of_ours(results)))
    if faults or Gracefuld.label in results.trouble:
        report.text(f"**A bug of gracefuld's shows here: {'; '.join(faults) or 'see above'}.**")
    report.end()
    assert not faults and Gracefuld.label not in results.trouble, faults
