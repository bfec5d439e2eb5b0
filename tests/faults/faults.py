"""Makes one call of the daemon fail at a time, and looks whether what must hold still does.

A daemon is led through phases (start, serve, grow, shrink, stop) with inject.c preloaded. First nothing fails, and the call sites are
noted that each kind of process reaches in each phase; then each site is made to fail, once, in each way that FAULTS names for it."""

import collections
import ctypes
import errno
import functools
import mmap
import os
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests/scenario"))

import control  # noqa: E402
import harness  # noqa: E402

BUILD = os.path.dirname(harness.GRACEFULD)
LIBRARY = os.path.join(BUILD, "tests/faults/inject.so")
DEADLINE = harness.DEADLINE
START_DEADLINE = 20 if harness.LOAD >= 1 else 60  # where the line that tells of it is lost, it is waited for in full

PHASES = ("start", "serve", "grow", "shrink", "stop")
ROLES = ("other", "master", "worker", "checker", "trial", "lookout", "child")

# -- what can fail, and how ---------------------------------------------------------------------------------------

SHORT, TRUNCATED = 1000, 1001
SPECIAL = {"SHORT": SHORT, "TRUNCATED": TRUNCATED}

# Function: ways to fail; behind a colon, of which descriptors: s stream, q seqpacket, d datagram, p pipe, f file, c device, a other;
# n: only of those that are non-blocking.
FAULTS = {
    **dict.fromkeys(("malloc", "calloc", "realloc", "reallocarray", "mmap"), "ENOMEM"),
    **dict.fromkeys(("open", "open64", "openat", "fopen", "opendir", "socket", "socketpair", "pipe2", "memfd_create", "epoll_create1",
                     "eventfd", "timerfd_create", "signalfd", "dup", "dup3", "pidfd_open"), "EMFILE"),
    "accept4": "EMFILE ECONNABORTED EINTR EAGAIN:n",
    "dup2": "EBUSY EINTR",
    "fork": "EAGAIN", "clone": "EAGAIN ENOMEM EMFILE", "execve": "ENOMEM ENOENT ETXTBSY",
    "read": "EINTR EAGAIN:n EIO:f ECONNRESET:sq SHORT:spf",
    "pread": "EINTR EIO:f SHORT:f",
    "write": "EINTR EAGAIN:n ENOSPC:f EPIPE:psq SHORT:p",
    "recv": "EINTR EAGAIN:n ECONNRESET:sq SHORT:s",
    "recvmsg": "EINTR EAGAIN ENOMEM TRUNCATED:q",
    "send": "EINTR EAGAIN:n EPIPE:sq ECONNRESET:sq ENOBUFS SHORT:s",
    "sendmsg": "EAGAIN EPIPE:s ECONNRESET:s ENOBUFS ENOMEM ETOOMANYREFS:q SHORT:s",
    "sendfile": "EINTR EAGAIN:n EIO SHORT", "splice": "EINTR EAGAIN:n ENOMEM SHORT",
    "close": "EINTR",
    "bind": "EADDRINUSE ENOMEM", "listen": "EADDRINUSE", "connect": "EAGAIN ECONNREFUSED EINTR",
    "setsockopt": "ENOMEM ENOPROTOOPT", "getsockopt": "ENOBUFS", "getsockname": "ENOBUFS", "getpeername": "ENOTCONN",
    "shutdown": "ENOTCONN",
    "epoll_ctl": "ENOMEM ENOSPC", "epoll_wait": "EINTR", "timerfd_settime": "EINVAL", "poll": "EINTR ENOMEM",
    "waitid": "EINTR", "kill": "ESRCH", "pidfd_send_signal": "ESRCH",
    "ftruncate": "ENOSPC EINTR", "rename": "ENOSPC", "unlink": "EROFS", "chmod": "EPERM", "chown": "EPERM", "mkdir": "ENOSPC",
    "fstat": "ENOMEM", "stat": "ENOMEM", "lstat": "ENOMEM", "chdir": "EACCES", "getcwd": "ENOMEM", "realpath": "ENOMEM",
    "glob": "ENOMEM", "getrandom": "EAGAIN EINTR", "getrlimit": "EPERM", "setrlimit": "EPERM", "prctl": "EPERM", "close_range": "ENOMEM",
    "setgroups": "ENOMEM", "setresuid": "EAGAIN", "setresgid": "EPERM", "getaddrinfo": "ENOMEM", "getpwnam": "ENOMEM",
    "getgrnam": "ENOMEM", "fread": "EIO", "fflush": "ENOSPC", "fclose": "EIO", "syscall": "ENOSYS EMFILE",
}

# What is not done, and why: (pattern of a description, of the name of the fault, reason).
EXCUSED = (
    (r" in libconfig:| by parse tree.c| by tree_parse ", r"ENOMEM", "libconfig 1.5 looks at no allocation of its own; has_room does, before"),
    (r"^(master|checker): malloc in (libc|ld-linux)\S* by find_user|in libnss\S+ by find_user", r"ENOMEM", "a C library that has no memory to load a name service ends the process"),
    (r"^master: write by send_line", r"EAGAIN|EPIPE|SHORT", "a worker that hears nothing; a line is written whole or not at all"),
)

DUPLICATES = (0, 1030)  # F_DUPFD, F_DUPFD_CLOEXEC: the commands of fcntl that can fail


def faults_of(site):
    """The names of the ways in which this site can fail."""
    if site.function == "fcntl":
        return ["EMFILE"] if site.kind in DUPLICATES else []
    kind, nonblock = chr(site.kind & 255), bool(site.kind & 256)
    found = []
    for word in FAULTS.get(site.function, "").split():
        name, _, kinds = word.partition(":")
        if not kinds or kind in kinds or ("n" in kinds and nonblock):
            found.append(name)
    return found


# -- the page that is shared with inject.c -----------------------------------------------------------------------------

class RawSite(ctypes.Structure):
    _fields_ = [("key", ctypes.c_uint64), ("count", ctypes.c_uint32), ("noted", ctypes.c_uint32), ("phase", ctypes.c_uint32),
                ("role", ctypes.c_uint32), ("kind", ctypes.c_uint32), ("pid", ctypes.c_uint32), ("plan", ctypes.c_uint64),
                ("inner", ctypes.c_uint64), ("own", ctypes.c_uint64), ("function", ctypes.c_char * 24), ("module", ctypes.c_char * 24)]


class RawPage(ctypes.Structure):
    _fields_ = [("phase", ctypes.c_uint32), ("records", ctypes.c_uint32), ("plan", ctypes.c_uint64), ("nth", ctypes.c_int32),
                ("fault", ctypes.c_uint32), ("made", ctypes.c_uint32), ("overflow", ctypes.c_uint32), ("site", RawSite * 8192)]


Site = collections.namedtuple("Site", "plan phase role function kind module inner own count")


class Page:
    def __init__(self, directory):
        self.path = os.path.join(directory, "faults")
        size = ctypes.sizeof(RawPage)
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        os.fchmod(fd, 0o666)  # workers may run as another user
        os.ftruncate(fd, size)
        self._memory = mmap.mmap(fd, size)
        os.close(fd)
        self.raw = RawPage.from_buffer(self._memory)

    def enter(self, phase, records=False):
        """From here on it is this phase; None: none."""
        self.raw.records = records
        self.raw.phase = PHASES.index(phase) + 1 if phase else 0

    def arm(self, injection):
        self.raw.made = 0
        self.raw.nth = injection.nth
        self.raw.fault = injection.number()
        self.raw.plan = injection.site.plan

    def disarm(self):
        """Was it made?"""
        self.raw.plan = 0
        return self.raw.made != 0

    def take_sites(self):
        """All that were noted, and forgets them."""
        found = list(self._sites())
        ctypes.memset(self.raw.site, 0, ctypes.sizeof(self.raw.site))
        return found

    def _sites(self):
        assert self.raw.overflow == 0
        for raw in self.raw.site:
            if raw.noted:
                yield Site(raw.plan, PHASES[raw.phase - 1], ROLES[raw.role], raw.function.decode(), raw.kind, raw.module.decode(),
                           raw.inner, raw.own, raw.count)


class Injection(collections.namedtuple("Injection", "site fault nth")):
    def number(self):
        return SPECIAL.get(self.fault) or getattr(errno, self.fault)

    def __str__(self):
        again = f", call {self.nth}" if self.nth > 1 else ""
        return f"{self.fault} from {describe(self.site)} ({self.site.phase}{again})"


# -- names ---------------------------------------------------------------------------------------------------------------

def program_of(role):
    return harness.GRACEFULD if role in ("master", "child", "trial") else harness.WORKER


_places = {}


def find_places(sites):
    """Looks all of them up at once, which takes long one by one."""
    for program in (harness.GRACEFULD, harness.WORKER):
        offsets = sorted({site.own for site in sites if program_of(site.role) == program and (program, site.own) not in _places})
        out = subprocess.run(["addr2line", "-asfie", program], input="".join(f"{max(offset - 1, 0):#x}\n" for offset in offsets),
                             stdout=subprocess.PIPE, text=True, check=True).stdout
        for offset, part in zip(offsets, re.split(r"^0x[0-9a-f]+\n", out, flags=re.M)[1:]):
            line = part.split("\n")
            pairs = [f"{line[n]} {line[n + 1].split(' ')[0]}" for n in range(0, len(line) - 1, 2)]
            _places[program, offset] = " < ".join(pairs[:3]) if offset else "?"


def place(program, offset):
    """The function and the line of a return address, inlined functions included: the innermost is named first."""
    return _places[program, offset]


@functools.lru_cache(maxsize=None)
def library(module):
    out = subprocess.run(["ldconfig", "-p"], stdout=subprocess.PIPE, text=True, check=True).stdout
    match = re.search(rf"{re.escape(module)}\S* .*=> (\S+)", out)
    return match[1] if match else None


@functools.lru_cache(maxsize=None)
def library_symbols(module):
    path = library(module)
    out = subprocess.run(["nm", "-D", "--defined-only", path], stdout=subprocess.PIPE, text=True, check=True).stdout if path else ""
    found = []
    for line in out.splitlines():
        field = line.split()
        if len(field) == 3 and field[1] in "TtWwiI":
            found.append((int(field[0], 16), field[2].partition("@")[0]))
    return sorted(found)


def library_place(module, offset):
    """The exported function next to it: what is within the library has no names."""
    before = [name for start, name in library_symbols(module) if start < offset]
    return f"{module.partition('.so')[0]}:{before[-1] if before else '?'}+"


def describe(site):
    inner = f" in {library_place(site.module, site.inner)}" if site.module else ""
    return f"{site.role}: {site.function}{inner} by {place(program_of(site.role), site.own)}"


def excuse(site, fault):
    """Why this is not done; None: it is."""
    text = describe(site)
    return next((reason for place_pattern, faults, reason in EXCUSED
                 if re.fullmatch(faults, fault) and re.search(place_pattern, text)), None)


# -- clients --------------------------------------------------------------------------------------------------------------

class Lost(Exception):
    """A connection ended that should not, or had a wrong answer."""


class Talker:
    """A client of one of the services. `begin` leaves something with the server, `end` wants the right answer to it."""

    def __init__(self, service, port):
        self.service, self.number = service, 0
        self.sock = socket.socket()
        self.sock.settimeout(DEADLINE)
        try:
            self.sock.connect(("127.0.0.1", port))
        except OSError as error:
            self.sock.close()
            raise Lost(repr(error)) from error

    def close(self):
        self.sock.close()

    def begin(self):
        self.number += 1
        request = {"hello": b"hi", "echo": self._text(), "proxy": self._text(), "http": b"GET /"}[self.service]
        self._send(request)

    def end(self):
        if self.service == "http":
            self._send(b" HTTP/1.1\r\nHost: x\r\nAccept: text/plain\r\n\r\n")
            head = self._until(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 "):
                raise Lost(f"answer {head!r}")
            length = int(re.search(rb"(?i)content-length: (\d+)", head)[1])
            body = self._exactly(length)
            if not head.startswith(b"HTTP/1.1 200") or b"hello world" not in body:
                raise Lost(f"answer {head!r}")
            return
        wanted = b"hello world" if self.service == "hello" else self._text()
        got = self._exactly(len(wanted))
        if got != wanted:
            raise Lost(f"wrong bytes: {got[:20]!r} instead of {wanted[:20]!r}")

    def _text(self):
        return f"{self.number} {id(self)} ".encode() * 60

    def _send(self, data):
        try:
            self.sock.sendall(data)
        except OSError as error:
            raise Lost(repr(error)) from error

    def _receive(self, n):
        try:
            data = self.sock.recv(n)
        except socket.timeout as error:
            raise harness.Deadline("a client waits for its answer") from error
        except OSError as error:
            raise Lost(repr(error)) from error
        if not data:
            raise Lost("closed")
        return data

    def _exactly(self, n):
        data = b""
        while len(data) < n:
            data += self._receive(n - len(data))
        return data

    def _until(self, mark):
        data = b""
        while not data.endswith(mark):
            data += self._receive(1)
        return data


class Clients:
    """Those that are there all along. `lost` counts who was lost since it was last asked."""

    NUMBER = 8

    def __init__(self, service, port):
        self.service, self.port = service, port
        self.there = []
        self.lost = []

    def _each(self, act):
        for one in list(self.there):
            try:
                act(one)
            except Lost as error:
                self.lost.append(str(error))
                one.close()
                self.there.remove(one)

    def fill(self):
        """Until all are there, and have had an answer."""
        for _ in range(self.NUMBER + 4):
            if len(self.there) == self.NUMBER:
                return
            try:
                one = Talker(self.service, self.port)
                self.there.append(one)
                one.begin()
                one.end()
            except Lost as error:
                self.lost.append(str(error))
                if one in self.there:
                    self.there.remove(one)
        raise AssertionError(f"new connections are not served: {self.lost}")

    def begin(self):
        self._each(Talker.begin)

    def end(self):
        self._each(Talker.end)

    def take_lost(self):
        lost, self.lost = self.lost, []
        return lost

    def close(self):
        for one in self.there:
            one.close()
        self.there = []


# -- a tour ------------------------------------------------------------------------------------------------------------------

class Broken(AssertionError):
    """Something that must hold did not."""


class Noted(Exception):
    """It is among the results already."""


WORKERS = {"shrink": 2, "grow": 3}


class Tour:
    """One daemon, led through its phases."""

    def __init__(self, service, directory, port, upstream=None):
        self.service, self.directory, self.port = service, directory, port
        self.page = Page(directory)
        self.daemon = None
        self.clients = Clients(service, port)
        self.texts = {phase: self._text(phase, upstream) for phase in WORKERS}
        self.history = []  # what was made to fail so far

    def _text(self, phase, upstream):
        listen = [{"port": self.port}]
        if phase == "grow":
            listen.append({"path": os.path.join(self.directory, "s.sock")})
        service = {"type": self.service}
        if self.service == "proxy":
            service["upstreams"] = [{"address": "127.0.0.1", "port": upstream}]
        return harness.config(workers=WORKERS[phase], listen=listen, service=service, drain_timeout=5,
                              control={"path": os.path.join(self.directory, "control.sock")},
                              roll={"ready_timeout": 10}, restart={"delay": 0.01, "max_delay": 0.1})

    # phases

    def start(self):
        """Does it serve? Else its exit status is in `status`."""
        env = {"LD_PRELOAD": LIBRARY, "GRACEFULD_FAULTS": self.page.path,
               "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}
        self.daemon = harness.Daemon(self.directory, self.texts["shrink"], env=env)
        self.status = None
        try:
            self.daemon.wait_line(harness.READY_LINE, timeout=START_DEADLINE)
        except harness.Deadline:
            try:
                self.status = self.daemon.process.wait(DEADLINE if self.daemon.log.ended else 0.2)
            except subprocess.TimeoutExpired:
                # its line may be what was lost
                self.look()
            else:
                self._check_failed_start()
                return False
        self.settle(2)
        return True

    def _check_failed_start(self):
        """It may not be able to start, but it has to say why."""
        self.daemon.log.wait_end()
        if not 64 <= self.status <= 78:
            raise Broken(f"the start ended with {self.status}")
        if not self.daemon.log.find(r"cannot|out of memory|error"):
            raise Broken(f"no clear error before it exits with {self.status}")

    def serve(self):
        self.clients.fill()
        self.clients.begin()
        self.clients.end()
        self.look()

    def reload(self, phase):
        """The word of the verdict."""
        before = self.look_quietly()
        since = self.daemon.mark()
        self.clients.begin()
        self.daemon.write(self.texts[phase])
        self.daemon.hup()
        verdict = self._verdict(before["last_reload"], since)
        self.clients.end()
        status = self.settle(WORKERS[phase] if verdict == "applied" else len(before["workers"]))
        # who was served to the end by a worker that is gone now sees so only here
        self.clients.begin()
        self.clients.end()
        generations = {worker["generation"] for worker in status["workers"]}
        if verdict == "applied":
            true = status["generation"] > before["generation"] and generations == {status["generation"]}
        else:
            true = status["generation"] == before["generation"] and generations == {status["generation"]}
        if not true:
            raise Broken(f"{verdict}, of generation {before['generation']}, and now {status['generation']} with workers of {generations}")
        return verdict

    def _verdict(self, last, since):
        end = time.monotonic() + DEADLINE
        number = last["id"] + 1 if last else 1  # (the line of the one before may come late)
        while time.monotonic() < end:
            try:
                found = self.daemon.log.wait(rf"reload {number}: (?:(applied|reverted): |(rejected): \d+ errors?, )", since, timeout=0.5)
                return found[1] or found[2]
            except harness.Deadline:
                # its line may be what was lost
                status = self.look()
                if status["last_reload"] and (not last or status["last_reload"]["id"] > last["id"]) and status["state"] == "running":
                    return status["last_reload"]["verdict"]
        raise harness.Deadline("the reload has no verdict")

    def stop(self):
        self.daemon.send(signal.SIGTERM)
        self.clients.close()
        self.status = self.daemon.wait_exit(DEADLINE)
        if self.status != 0 and not 64 <= self.status <= 78:
            raise Broken(f"the stop ended with {self.status}")
        return self.status

    # what is looked at

    def look(self):
        """The status; one question may fail."""
        for attempt in range(3):
            if self.daemon.process.poll() is not None:
                raise Broken(f"the daemon has ended with {self.daemon.process.returncode}")
            try:
                return control.get(self.daemon)
            except (OSError, control.http.client.HTTPException, AssertionError) as error:
                failure = error
                time.sleep(0.1 * attempt)
        raise Broken(f"the control socket does not answer: {failure!r}")

    def look_quietly(self):
        """In no phase."""
        phase, self.page.raw.phase = self.page.raw.phase, 0
        try:
            return self.look()
        finally:
            self.page.raw.phase = phase

    def settle(self, workers):
        """Waits until each slot has its one worker, ready, and nothing is under way; the status."""
        end = time.monotonic() + DEADLINE
        while True:
            status = self.look()
            found = [(worker["slot"], worker["state"]) for worker in status["workers"]]
            if found == [(slot, "ready") for slot in range(workers)] and status["state"] == "running" and not status["roll"]:
                return status
            if time.monotonic() > end:
                raise harness.Deadline(f"{workers} workers, all ready: {status['state']}, {found}")
            time.sleep(0.01)

    def descriptors(self):
        return collections.Counter(harness.descriptors(self.daemon.pid).values())

    def control_sockets(self):
        """How many there are: the listening one, and one for each client that the master still has."""
        with open("/proc/net/unix", encoding="utf-8", errors="surrogateescape") as file:  # others' paths are any bytes
            return sum(line.endswith(f" {self.directory}/control.sock\n") for line in file)

    def children(self):
        """How many, those that are to be reaped among them."""
        with open(f"/proc/{self.daemon.pid}/task/{self.daemon.pid}/children", encoding="ascii") as file:
            return len(file.read().split())

    def check_leaks(self, wanted, workers):
        """The same descriptors as ever, and no process but the workers."""
        # (where there can be no epoll at the start, libevent goes on with poll)
        wanted = collections.Counter({what: n for what, n in wanted.items() if what != "anon_inode:[eventpoll]"})

        def same():
            found = self.descriptors()
            polls = found.pop("anon_inode:[eventpoll]", 0)
            return found == wanted and polls <= 1 and self.children() == workers
        try:
            harness.wait_until(same, "", timeout=3)
        except harness.Deadline as late:
            found = self.descriptors()
            raise Broken(f"descriptors: {dict(found - wanted)} too many, {dict(wanted - found)} too few; "
                         f"{self.children()} children for {workers} workers") from late

    def close(self):
        self.clients.close()
        self.page.enter(None)
        if self.daemon:
            self.daemon.close(reap=False)


# -- a campaign --------------------------------------------------------------------------------------------------------------

class Echo:
    """Who is behind the service proxy."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        poll = select.epoll()
        poll.register(self.listener, select.EPOLLIN)
        there = {}
        while True:
            for fd, _ in poll.poll():
                if fd == self.listener.fileno():
                    one, _ = self.listener.accept()
                    there[one.fileno()] = one
                    poll.register(one, select.EPOLLIN)
                    continue
                try:
                    data = there[fd].recv(65536)
                    there[fd].sendall(data)
                except OSError:
                    data = b""
                if not data:
                    poll.unregister(fd)
                    there.pop(fd).close()


Result = collections.namedtuple("Result", "injection made outcome lost failure log")
ROUNDS = 8  # of serving and reloading, in each daemon


class Campaign:
    """All that is done with one service."""

    def __init__(self, service):
        self.service = service
        self.upstream = Echo().port if service == "proxy" else None
        self.sites = {}
        self.excused = collections.Counter()
        self.descriptors = {}
        self.results = []
        self._lock = threading.Lock()
        self._work = {}

    def _tour(self, directory, port):
        return Tour(self.service, directory, port, self.upstream)

    # first, without a fault

    def record(self, port, times=2):
        """Notes which sites there are, and what the master holds when all is well."""
        for _ in range(times):
            with tempfile.TemporaryDirectory(prefix="gracefuld-") as directory:
                os.chmod(directory, 0o755)
                tour = self._tour(directory, port)
                try:
                    self._record(tour)
                finally:
                    tour.close()

    def _take_sites(self, tour):
        tour.page.enter(None)
        for site in tour.page.take_sites():
            known = self.sites.get((site.phase, site.plan))
            if not known or known.count < site.count:
                self.sites[site.phase, site.plan] = site

    def _record(self, tour):
        tour.page.enter("start", records=True)
        assert tour.start()
        self._take_sites(tour)
        for phase in ("serve", "grow", "shrink", "serve", "grow", "shrink"):
            tour.page.enter(phase, records=True)
            if phase == "serve":
                tour.serve()
            else:
                assert tour.reload(phase) == "applied"
            self._take_sites(tour)
            assert not tour.clients.take_lost()
            # (a parked socket stays after shrinking)
            found = self._at_rest(tour)
            self.descriptors.setdefault("start", found)
            if phase != "serve":
                self.descriptors[phase] = min(found, self.descriptors.get(phase, found), key=lambda looked: looked.total())
        tour.page.enter("stop", records=True)
        assert tour.stop() == 0
        self._take_sites(tour)

    @staticmethod
    def _at_rest(tour):
        """What the master holds, but for the clients of the control socket that have gone a moment ago: the least of many looks, once it
        has closed its ends of them."""
        harness.wait_until(lambda: tour.control_sockets() <= 1, "the control socket has no clients")
        looks = []
        for _ in range(20):
            looks.append(tour.descriptors())
            time.sleep(0.01)
        return min(looks, key=lambda found: found.total())

    def injections(self):
        """All that can be done to these sites: at the first call, and at a later one. What is excused is counted in `excused`."""
        found = []
        find_places(self.sites.values())
        self.excused = collections.Counter()
        for site in sorted(self.sites.values(), key=lambda site: (site.phase, site.role, site.function, site.plan)):
            for fault in faults_of(site):
                if reason := excuse(site, fault):
                    self.excused[reason] += 1
                    continue
                found.append(Injection(site, fault, 1))
                if site.count > 1:
                    found.append(Injection(site, fault, site.count // 2 + 1))
        return found

    # then, with one

    def run(self, injections, ports):
        """Makes them all, in as many daemons at a time as there are ports; adds to `results`."""
        self._work = {phase: collections.deque(one for one in injections if one.site.phase == phase) for phase in PHASES}
        threads = [threading.Thread(target=self._serve_queue, args=(port,)) for port in ports]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return self.results

    def _next(self, phase):
        with self._lock:
            return self._work[phase].popleft() if self._work[phase] else None

    def _serve_queue(self, port):
        while any(self._work.values()):
            with tempfile.TemporaryDirectory(prefix="gracefuld-") as directory:
                os.chmod(directory, 0o755)
                tour = self._tour(directory, port)
                try:
                    self._lead(tour)
                except Noted:
                    pass
                except Exception as error:  # pylint: disable=broad-except
                    self._add(Injection(None, "none", 0), True, "", [], repr(error), tour)
                finally:
                    try:
                        tour.close()
                    except BaseException as error:  # pylint: disable=broad-except
                        self._add(Injection(None, "none", 0), True, "closing", [], repr(error), tour)

    def _add(self, injection, made, outcome, lost, failure, tour):
        log = tour.daemon.log.text(150) if failure and tour.daemon else ""
        if failure and tour.history:
            failure += f"; before that: {tour.history[-1]}"
        with self._lock:
            self.results.append(Result(injection, made, outcome, lost, failure, log))

    def _step(self, tour, phase, act, place=None):
        """One phase, with the next injection of it; `place` tells, by the outcome, which phase's descriptors there are afterwards."""
        injection = self._next(phase)
        if injection:
            tour.page.arm(injection)
        tour.page.enter(phase)
        outcome, failure, lost = "", None, []
        try:
            outcome = act()
            tour.page.enter(None)
            if tour.daemon.process.poll() is None:
                self._check(tour, place(outcome) if place else None)
            lost = tour.clients.take_lost()
            if len(lost) > 1 or (lost and not injection):
                failure = f"{len(lost)} connections were lost: {lost}"
        except Exception as error:  # pylint: disable=broad-except
            failure = f"{type(error).__name__}: {error}"
        tour.page.enter(None)
        made = tour.page.disarm()
        if injection or failure:
            self._add(injection or Injection(None, "none", 0), made, outcome, lost, failure, tour)
        if injection and made:
            tour.history.append(str(injection))
        if failure:
            raise Noted
        return outcome

    def _check(self, tour, place):
        tour.clients.fill()
        if place:
            tour.check_leaks(self.descriptors[place], WORKERS.get(place, 2))

    def _lead(self, tour):
        outcome = self._step(tour, "start", lambda: "served on" if tour.start() else f"exited {tour.status}", lambda _: "start")
        if outcome.startswith("exited"):
            return
        here = "start"
        for _ in range(ROUNDS):
            if not any(self._work[phase] for phase in ("serve", "grow", "shrink")):
                break
            here = self._round(tour, here)
        self._step(tour, "stop", lambda: f"exited {tour.stop()}")

    def _round(self, tour, here):
        """Serves, grows and shrinks."""
        self._step(tour, "serve", lambda: tour.serve() or "served on", lambda _: here)
        for phase in ("grow", "shrink"):
            verdict = self._step(tour, phase, functools.partial(tour.reload, phase),
                                 lambda word, phase=phase, here=here: phase if word == "applied" else here)
            if verdict != "applied":
                again = tour.reload(phase)
                if again != "applied":
                    raise Broken(f"after {verdict}, another reload without a fault is {again}")
                if lost := tour.clients.take_lost():
                    raise Broken(f"after {verdict}, another reload without a fault lost {lost}")
                tour.clients.fill()
            here = phase
        return here


def table(results):
    """How many of which outcome, in each phase."""
    found = collections.Counter((r.injection.site.phase, r.outcome if r.made else "not reached") for r in results if r.injection.site)
    lines = []
    for phase in PHASES:
        parts = [f"{outcome} {n}" for (p, outcome), n in sorted(found.items()) if p == phase]
        if parts:
            lines.append(f"{phase}: {', '.join(parts)}")
    return lines
