"""What is compared: each server with two worker processes (or threads), on 127.0.0.1, as its own documentation wants it to be reloaded.

None of them closes idle connections by a timeout of its own while it is measured, and none limits how many requests a connection may have.
All waits are bounded; what a server leaves behind is ended by its process id."""

import contextlib
import http.client
import json
import os
import re
import select
import shutil
import signal
import subprocess
import tempfile
import time

from harness import GRACEFULD, Daemon, config, free_port, wait_until
from measure import descendants

PROGRAMS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "programs")
CACHE = os.environ.get("GRACEFULD_CACHE", "/var/cache/gracefuld-tests")
WORKERS = 2
START_SECONDS = 20
END_SECONDS = 5
SETTLE_SECONDS = 15  # for a command that reloads
ROOT = "user root;" if os.geteuid() == 0 else ""


class Missing(Exception):
    """Why a server can't be measured here."""


def find_program(name):
    for folder in (*os.environ["PATH"].split(":"), "/usr/sbin"):
        if os.access(path := os.path.join(folder, name), os.X_OK):
            return path
    raise Missing(f"{name} is not installed")


def version_of(*command):
    """The first number with a point in what a program says of itself."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.SubprocessError) as reason:
        raise Missing(f"{command[0]}: {reason}") from reason
    found = re.search(r"\d+\.\d[\w.]*", done.stdout + done.stderr)
    return found[0] if found else "?"


def end_processes(pids):
    """By force, those of these that are still there."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


class Departure:
    """Processes that are to go: how long after the beginning each did."""

    def __init__(self, pids):
        self.begun = time.monotonic()
        self.left = {}
        self.took = 0.0  # seconds, of the last one that has gone
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                self.left[os.pidfd_open(pid)] = pid

    def look(self, seconds=0.0):
        """Waits for the next one to go, or so long. Have all gone?"""
        if self.left:
            for pidfd in select.select(list(self.left), [], [], max(0.0, seconds))[0]:
                del self.left[pidfd]
                os.close(pidfd)
                self.took = time.monotonic() - self.begun
        return not self.left

    def wait(self, cap):
        """Seconds until all have gone; None: not until `cap`."""
        while not self.look(self.begun + cap - time.monotonic()):
            if time.monotonic() - self.begun >= cap:
                return None
        return self.took

    def close(self):
        for pidfd in self.left:
            os.close(pidfd)
        self.left = {}


class Server:
    """One that runs in a folder of its own and answers on 127.0.0.1:port."""

    label = ""  # as in tables
    ours = False
    reload_signal = signal.SIGHUP
    protocol = "http"

    def __init__(self, upstream=None):
        self.upstream = upstream
        self.folder = tempfile.mkdtemp(prefix="gracefuld-bench-")
        os.chmod(self.folder, 0o755)
        self.port = free_port()
        self.process = None
        self.pid = None

    # what each kind is

    @classmethod
    def version(cls):
        """Its number. Missing: it can't be measured here."""
        raise NotImplementedError

    def command(self):
        raise NotImplementedError

    def environment(self):
        return {}

    # beginning and end

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, 0o644)
        return path

    def start(self):
        with open(os.path.join(self.folder, "log"), "wb") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                                            env={**os.environ, **self.environment()})
        self.pid = self.process.pid

    def stop(self):
        if not self.process:
            return
        everybody = descendants(self.pid)
        self.process.terminate()
        try:
            self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            end_processes(everybody)
            self.process.wait()
        self.end_rest(everybody)

    def end_rest(self, pids):
        """Children that outlive their master."""
        left = Departure(pids)
        if left.wait(END_SECONDS) is None:
            end_processes(left.left.values())
            left.wait(END_SECONDS)
        left.close()

    def __enter__(self):
        try:
            self.start()
            wait_until(self.answers, f"{self.label} answers", timeout=START_SECONDS)
            wait_until(lambda: len(self.pids()) > 1, f"{self.label} has workers", timeout=START_SECONDS)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        try:
            self.stop()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def answers(self):
        if self.process and self.process.poll() is not None:
            with open(os.path.join(self.folder, "log"), encoding="utf-8", errors="replace") as log:
                raise Missing(f"it ended at once: {' '.join(log.read().split())[-200:]}")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
            if self.protocol != "http":
                connection.connect()
                return True
            connection.request("GET", "/")
            return connection.getresponse().status == 200
        return False

    # what is done to it, and seen of it

    def pids(self):
        """Of all its processes, the master included."""
        return descendants(self.pid)

    def workers(self):
        return self.pids() - {self.pid}

    def hears(self):
        """Does it handle its signal by now? Else that would end it."""
        with open(f"/proc/{self.pid}/status", encoding="ascii") as file:
            masks = dict(line.split(":\t") for line in file if line.startswith(("SigCgt", "SigBlk")))
        return any(int(mask, 16) >> (self.reload_signal - 1) & 1 for mask in masks.values())

    def ask_reload(self):
        wait_until(self.hears, f"{self.label} listens to its signal", timeout=START_SECONDS)
        os.kill(self.pid, self.reload_signal)

    def settle(self):
        """Waits for what `ask_reload` has begun beside."""

    def begin_reload(self):
        """Asks for it; whom it is to replace."""
        departure = Departure(self.workers())
        departure.begun = time.monotonic()
        self.ask_reload()
        return departure

    def reload(self, cap):
        """Seconds until nobody old is left; None: not until `cap`."""
        departure = self.begin_reload()
        try:
            return departure.wait(cap)
        finally:
            departure.close()
            self.settle()


# -- gracefuld

class Gracefuld(Server):
    label = "gracefuld"
    ours = True
    service = {"type": "http", "idle_timeout": "1h", "header_timeout": "1h", "send_timeout": "1h"}

    @classmethod
    def version(cls):
        return version_of(GRACEFULD, "--version")

    def start(self):
        self.daemon = Daemon(self.folder, config(workers=WORKERS, listen=[{"address": "127.0.0.1", "port": self.port, "backlog": 4096}],
                                                 service=self.service, drain_timeout=60))
        self.daemon.wait_ready()
        self.process, self.pid = self.daemon.process, self.daemon.pid

    def stop(self):
        if hasattr(self, "daemon"):
            self.daemon.close()

    def ask_reload(self):
        self.since = self.daemon.mark()
        self.daemon.hup()

    def settle(self):
        verdict = self.daemon.wait_verdict(self.since)
        assert verdict.word == "applied" and verdict.cut == 0, verdict


class GracefuldProxy(Gracefuld):
    label = "gracefuld proxy"
    protocol = "echo"

    @property
    def service(self):
        return {"type": "proxy", "upstreams": [{"address": "127.0.0.1", "port": self.upstream}]}


# -- nginx

class Nginx(Server):
    label = "nginx"
    listen = ""

    @classmethod
    def version(cls):
        return version_of(find_program("nginx"), "-v")

    def body(self):
        return f"""http {{
    access_log off; keepalive_timeout 1h; keepalive_requests 1000000000; client_header_timeout 1h;
    client_body_temp_path {self.folder}/body; proxy_temp_path {self.folder}/proxy; fastcgi_temp_path {self.folder}/fastcgi;
    uwsgi_temp_path {self.folder}/uwsgi; scgi_temp_path {self.folder}/scgi;
    server {{
        listen 127.0.0.1:{self.port} backlog=4096{self.listen};
        location / {{ default_type text/plain; return 200 "hello world\\n"; }}
    }}
}}"""

    def command(self):
        return [find_program("nginx"), "-p", self.folder, "-c", self.write("nginx.conf", f"""
{self.head()}
daemon off; {ROOT} worker_processes {WORKERS}; pid {self.folder}/pid; error_log {self.folder}/error.log;
events {{ worker_connections 8192; }}
{self.body()}
""")]

    def head(self):
        return ""


class NginxReuseport(Nginx):
    label = "nginx, reuseport"
    listen = " reuseport"


class NginxStream(Nginx):
    label = "nginx stream"
    protocol = "echo"
    module = "/usr/lib/nginx/modules/ngx_stream_module.so"
    limit = ""

    @classmethod
    def version(cls):
        if not os.path.exists(cls.module):
            raise Missing(f"{cls.module} is not there (libnginx-mod-stream)")
        return super().version()

    def head(self):
        return f"load_module {self.module}; {self.limit}"

    def body(self):
        return (f"stream {{ server {{ listen 127.0.0.1:{self.port} reuseport backlog=4096; proxy_timeout 1h; "
                f"proxy_pass 127.0.0.1:{self.upstream}; }} }}")


class NginxStreamLimit(NginxStream):
    label = "nginx stream, worker_shutdown_timeout 2s"
    limit = "worker_shutdown_timeout 2s;"


# -- haproxy

class Haproxy(Server):
    label = "haproxy"
    reload_signal = signal.SIGUSR2
    limit = ""
    body = """
    mode http
    option http-keep-alive
frontend hello
    bind 127.0.0.1:{port} backlog 4096
    http-request return status 200 content-type text/plain string "hello world\\n"
"""

    @classmethod
    def version(cls):
        return version_of(find_program("haproxy"), "-v")

    def command(self):
        body = self.body.format(port=self.port, upstream=self.upstream)
        return [find_program("haproxy"), "-W", "-f", self.write("haproxy.cfg", f"""
global
    nbthread {WORKERS}
    maxconn 8000
    stats socket {self.folder}/sock mode 600 level admin expose-fd listeners
    {self.limit}
defaults
    timeout connect 5s
    timeout client 1h
    timeout server 1h
    timeout http-request 1h
    timeout http-keep-alive 1h
{body}""")]


class HaproxyTcp(Haproxy):
    label = "haproxy tcp"
    protocol = "echo"
    body = """
    mode tcp
listen relay
    bind 127.0.0.1:{port} backlog 4096
    server one 127.0.0.1:{upstream}
"""


class HaproxyTcpLimit(HaproxyTcp):
    label = "haproxy tcp, hard-stop-after 2s"
    limit = "hard-stop-after 2s"


# -- application servers

class H2o(Server):
    label = "h2o, start_server"

    @classmethod
    def version(cls):
        find_program("start_server")
        return version_of(find_program("h2o"), "--version")

    def command(self):
        self.write("index.html", "hello world\n")
        self.write("h2o.conf", f"""
listen: {{ host: 127.0.0.1, port: {self.port} }}
num-threads: {WORKERS}
http1-request-timeout: 3600
max-connections: 8192
{'user: root' if os.geteuid() == 0 else ''}
hosts:
  default:
    paths:
      "/":
        file.dir: {self.folder}
""")
        return [find_program("start_server"), "--port", f"127.0.0.1:{self.port}", "--", find_program("h2o"), "-c", f"{self.folder}/h2o.conf"]


class Uwsgi(Server):
    label = "uWSGI"

    @classmethod
    def version(cls):
        return version_of(find_program("uwsgi"), "--version")

    def command(self):
        backlog = min(1024, int(open("/proc/sys/net/core/somaxconn", encoding="ascii").read()))
        return [find_program("uwsgi"), "--plugins", "http,python3", "--http", f"127.0.0.1:{self.port}", "--http-keepalive", "--http-timeout", "3600",
                "--http-processes", "1", "--master", "--processes", str(WORKERS), "--threads", "4", "--lazy-apps", "--disable-logging",
                "--listen", str(backlog), "--need-app", "--die-on-term", "--pythonpath", PROGRAMS, "--module", "app"]

    def environment(self):
        return {"PYTHONDONTWRITEBYTECODE": "1"}


class Gunicorn(Server):
    label = "gunicorn gthread"

    @classmethod
    def version(cls):
        return version_of(find_program("gunicorn"), "--version")

    def command(self):
        return [find_program("gunicorn"), "--workers", str(WORKERS), "--worker-class", "gthread", "--threads", "4", "--keep-alive", "3600",
                "--worker-connections", "8192", "--backlog", "4096", "--bind", f"127.0.0.1:{self.port}", "--chdir", PROGRAMS,
                "--worker-tmp-dir", self.folder, "app"]

    def environment(self):
        return {"PYTHONDONTWRITEBYTECODE": "1"}


class NodeCluster(Server):
    label = "Node cluster"

    @classmethod
    def version(cls):
        return version_of(find_program("node"), "--version")

    def command(self):
        return [find_program("node"), os.path.join(PROGRAMS, "cluster.js")]

    def environment(self):
        return {"PORT": str(self.port)}


class Pm2(Server):
    label = "PM2"
    tool = os.path.join(CACHE, "pm2/node_modules/.bin/pm2")

    @classmethod
    def version(cls):
        find_program("node")
        if not os.path.exists(cls.tool):
            raise Missing("PM2 is not installed")
        # asked itself, it would start a daemon that stays
        with open(os.path.join(CACHE, "pm2/node_modules/pm2/package.json"), encoding="utf-8") as file:
            return json.load(file)["version"]

    @staticmethod
    def settings(home):
        return {**os.environ, "PM2_HOME": os.path.join(home, "pm2"), "PM2_DISABLE_VERSION_CHECK": "true"}

    def run_tool(self, *args):
        return subprocess.run([self.tool, *args], env=self.settings(self.folder), cwd=self.folder, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60, check=True).stdout

    def start(self):
        self.write("app.config.js", f"""module.exports = {{ apps: [{{ name: 'app', script: '{PROGRAMS}/pm2.js', instances: {WORKERS},
            exec_mode: 'cluster', wait_ready: true, listen_timeout: 10000, kill_timeout: 5000, env: {{ PORT: '{self.port}' }} }}] }};""")
        self.asked = None
        self.run_tool("start", "app.config.js")
        with open(os.path.join(self.folder, "pm2/pm2.pid"), encoding="ascii") as file:
            self.pid = int(file.read())

    def stop(self):
        everybody = self.pids() if self.pid else set()
        with contextlib.suppress(subprocess.SubprocessError):
            self.run_tool("kill")
        if self.asked:
            self.asked.kill()
            self.asked.wait()
        self.end_rest(everybody)

    def ask_reload(self):
        self.asked = subprocess.Popen([self.tool, "reload", "app"], env=self.settings(self.folder), cwd=self.folder, stdin=subprocess.DEVNULL,
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def settle(self):
        try:
            self.asked.wait(SETTLE_SECONDS)
        except subprocess.TimeoutExpired:
            self.asked.kill()
            self.asked.wait()


HTTP_SERVERS = (Gracefuld, Nginx, NginxReuseport, Haproxy, H2o, Uwsgi, Gunicorn, NodeCluster, Pm2)
RELAYS = (GracefuldProxy, HaproxyTcp, HaproxyTcpLimit, NginxStream, NginxStreamLimit)
