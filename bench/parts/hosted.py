"""What it costs to host the same program, side by side: Node under gracefuld and PM2 (cluster mode), Starlet under gracefuld and
Server::Starter's start_server. How soon a new generation answers, what is lost meanwhile, and what the supervisor takes."""

import contextlib
import http.client
import os
import shutil
import signal
import statistics
import subprocess
import tempfile
import time

from harness import Daemon, Deadline, Load, children_of, config, free_port, private_kb, wait_until

ROUNDS = 3
CONNECTIONS = 16
QUICK = {"ROUNDS": 1}
LOAD_SECONDS = 5  # at a reload, at most
CACHE = os.environ.get("GRACEFULD_CACHE", "/var/cache/gracefuld-tests")

# Answers with its process. Busy connections end with their next answer, idle ones a second later, whoever tells it to end.
SERVER_JS = """'use strict';
const http = require('http'), net = require('net'), fs = require('fs');
let draining = false;
const server = http.createServer({ keepAliveTimeout: 75000 }, (request, response) => {
	if (draining)
		response.setHeader('Connection', 'close');
	response.end(`${process.pid}`);
});
function drain() {
	if (draining)
		return;
	draining = true;
	net.Server.prototype.close.call(server, () => process.exit(0));
	setTimeout(() => server.closeIdleConnections(), 1000);
}
if (process.env.GRACEFULD_STATUS_FD) {
	server.listen({ fd: 3 }, () => {
		fs.writeSync(Number(process.env.GRACEFULD_STATUS_FD), 'hello 1 node 1.0\\nready\\n');
		const control = new net.Socket({ fd: Number(process.env.GRACEFULD_CONTROL_FD), readable: true, writable: false });
		control.on('data', drain).on('close', drain);
	});
} else {
	process.on('SIGINT', drain);
	server.listen({ host: '127.0.0.1', port: Number(process.env.PORT) }, () => process.send('ready'));
}
"""

# Answers with its generation. There is a process for each connection, and some for those who ask meanwhile.
APP_PSGI = """my $generation = $ENV{SERVER_STARTER_GENERATION};
sub { [200, ['Content-Type' => 'text/plain'], [$generation]] };
"""
PLACKUP = ["plackup", "--env", "deployment", "-s", "Starlet", "--max-workers", str(CONNECTIONS + 4), "--max-keepalive-reqs", "1000000",
           "--keepalive-timeout", "2", "app.psgi"]


class Missing(Exception):
    """Why a supervisor can't be measured."""


def need(*programs):
    for program in programs:
        if not (os.path.exists(program) if program[0] == "/" else shutil.which(program)):
            raise Missing(f"{program} is not installed")


class Supervisor:
    """One that runs a program in a folder of its own, on 127.0.0.1:port."""

    pid = None
    workers = 1  # processes that it starts

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="gracefuld-bench-")
        os.chmod(self.folder, 0o755)
        self.port = free_port()
        for name, text in (("server.js", SERVER_JS), ("app.psgi", APP_PSGI)):
            self.write(name, text)

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, 0o644)

    def start(self):
        raise NotImplementedError

    def stop(self):
        raise NotImplementedError

    def ask_reload(self):
        """Asks for it, and does not wait."""
        os.kill(self.pid, signal.SIGHUP)

    def settle(self):
        """Waits for what ask_reload has started beside."""

    def __enter__(self):
        try:
            self.start()
            wait_until(self.answer, f"{self.name} answers")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.folder)

    def answer(self):
        """Who answers a new connection; "": nobody."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/", headers={"Connection": "close"})
            return connection.getresponse().read().decode()
        return ""

    def programs(self):
        return set(children_of(self.pid))

    def known(self):
        """All that answer now."""
        return {self.answer() for _ in range(20)}

    def reload(self, load=None):
        """Milliseconds until somebody new answers, and until nobody old is left; what the load has seen. It ends after a while: a program
        may serve busy connections for as long as they are."""
        old, before = self.programs(), self.known()

        def has_gone():
            return not old & self.programs() and len(self.programs()) >= self.workers
        begun = time.monotonic()
        self.ask_reload()
        wait_until(lambda: self.answer() not in before | {""}, "a new generation answers", timeout=60)
        first = time.monotonic() - begun
        with contextlib.suppress(Deadline):
            wait_until(has_gone, "the old one has gone", timeout=LOAD_SECONDS)
        seen = load.result() if load else None
        wait_until(has_gone, "the old one has gone", timeout=60)
        whole = time.monotonic() - begun
        self.settle()
        return first * 1000, whole * 1000, seen

    def memory_kb(self):
        with open(f"/proc/{self.pid}/status", encoding="ascii") as file:
            rss = next(int(line.split()[1]) for line in file if line.startswith("VmRSS:"))
        return rss, private_kb(self.pid)


class Gracefuld(Supervisor):
    name = "gracefuld"

    def configure(self, workers, **service):
        return config(workers=workers, listen=[{"address": "127.0.0.1", "port": self.port}],
                      service={"type": "exec", "directory": self.folder, **service})

    def start(self):
        self.daemon = Daemon(self.folder, self.configuration()).wait_ready()
        self.pid = self.daemon.pid

    def stop(self):
        self.daemon.close()

    def ask_reload(self):
        self.since = self.daemon.mark()
        self.daemon.hup()

    def settle(self):
        verdict = self.daemon.wait_verdict(self.since)
        assert verdict.word == "applied", verdict


class GracefuldNode(Gracefuld):
    workers = 2

    def configuration(self):
        return self.configure(2, command=["node", "server.js"])


class GracefuldStarlet(Gracefuld):
    def configuration(self):
        return self.configure(1, command=PLACKUP, ready="accepting", drain="SIGTERM")


class Pm2(Supervisor):
    workers = 2
    tool = os.path.join(CACHE, "pm2/node_modules/.bin/pm2")

    def __init__(self):
        need("node", self.tool)
        super().__init__()
        self.env = {**os.environ, "PM2_HOME": os.path.join(self.folder, "pm2"), "PM2_DISABLE_VERSION_CHECK": "true"}
        self.asked = None

    def pm2(self, *args):
        return subprocess.run([self.tool, *args], env=self.env, cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, check=True, timeout=60).stdout

    @property
    def name(self):
        return f"PM2 {self.version}"

    def start(self):
        self.write("app.config.js", f"""module.exports = {{ apps: [{{ name: 'app', script: 'server.js', instances: 2, exec_mode: 'cluster',
            wait_ready: true, listen_timeout: 20000, kill_timeout: 20000, env: {{ PORT: '{self.port}' }} }}] }};""")
        self.version = self.pm2("--version").split()[-1]
        self.pm2("start", "app.config.js")
        with open(os.path.join(self.folder, "pm2/pm2.pid"), encoding="ascii") as file:
            self.pid = int(file.read())

    def stop(self):
        with contextlib.suppress(subprocess.SubprocessError):
            self.pm2("kill")

    def ask_reload(self):
        self.asked = subprocess.Popen([self.tool, "reload", "app"], env=self.env, cwd=self.folder, stdin=subprocess.DEVNULL,
                                      stdout=subprocess.DEVNULL)

    def settle(self):
        assert self.asked.wait(60) == 0


class StartServer(Supervisor):
    name = "start_server"

    def __init__(self):
        need("start_server", "plackup")
        super().__init__()

    def start(self):
        command = ["start_server", "--port", f"127.0.0.1:{self.port}", "--", *PLACKUP]
        self.process = subprocess.Popen(command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        self.pid = self.process.pid

    def stop(self):
        self.process.terminate()
        self.process.wait(30)


def spread(values, digits=0):
    """Median, least and most."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


class Result:
    def __init__(self):
        self.first, self.whole, self.rss, self.private = [], [], [], []
        self.lost = {"new": [0, 0], "keepalive": [0, 0]}  # of how many requests

    def measure(self, supervisor):
        first, whole, _ = supervisor.reload()
        self.first.append(first)
        self.whole.append(whole)
        for mode, lost in self.lost.items():
            with Load(supervisor.port, mode=mode, proto="http", connections=CONNECTIONS) as load:
                _, _, seen = supervisor.reload(load)
            lost[0] += seen["failed_total"]
            lost[1] += seen["attempts"]
        for sizes, size in zip((self.rss, self.private), supervisor.memory_kb()):
            sizes.append(size / 1024)

    def row(self):
        return [spread(self.first), spread(self.whole), spread(self.rss, 1), spread(self.private, 1),
                *("{} of {}".format(*lost) for lost in self.lost.values())]


def compare(kinds):
    """A row for each; they are measured in turn, so that all have the same days, good and bad."""
    results = {}
    for _ in range(ROUNDS):
        for kind in kinds:
            try:
                with kind() as supervisor:
                    results.setdefault(supervisor.name, Result()).measure(supervisor)
            except Missing as reason:
                results.setdefault(f"not measured: {reason}", None)
    return [(name, *result.row()) if result else (name, *[""] * 6) for name, result in results.items()]


HEAD = ("", "first new answer, ms", "nobody old left, ms", "RSS, MiB", "private, MiB", "lost: new connections", "lost: keep-alive")


def run(report):
    how = f"{ROUNDS} rounds: median (least–most); requests of {CONNECTIONS} clients in {ROUNDS} reloads"
    report.table(f"Node, two processes, reloaded by SIGHUP, and by pm2 reload; {how}", HEAD, compare((GracefuldNode, Pm2)))
    report.table(f"Starlet, a preforking server, reloaded by SIGHUP; {how}", HEAD, compare((GracefuldStarlet, StartServer)))
