"""What a request costs the service http, beside Debian's nginx: processor time of the processes that serve, and system calls.

Both have one worker, listen on 127.0.0.1 and serve the same folder, and have the same load one after the other, several times. What is
compared are requests for each second of processor time, since rates on a busy machine tell little; of each round by itself, since such a
machine is faster now and slower then; the median of all rounds counts.

nginx is as Debian configures it, but without an access log, as gracefuld by default, and without tcp_nopush, which would cost it two more
system calls for a file. It opens files anew for each request (no open_file_cache), and so does gracefuld.

The load comes from two threads of wrk, which keep a server at work all the time; and from one, which is then the slower one: so a server
sleeps and wakes up for every few requests, the more often the faster it is, and that costs more than a request."""

import contextlib
import os
import re
import shutil
import statistics
import subprocess
import tempfile

from harness import Daemon, children_of, config, free_port, wait_until

ROUNDS = 11
SECONDS = 2
THREADS = (2, 1)
QUICK = {"ROUNDS": 1, "SECONDS": 1}
CONNECTIONS = 32

NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.err; {user}
events {{ worker_connections 1024; }}
http {{
    include /etc/nginx/mime.types; access_log off; sendfile on;
    keepalive_timeout 75s; keepalive_requests 1000000000;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port} reuseport; root {folder}/www;
        location = / {{ default_type text/plain; return 200 "hello world\\nworker 12345, slot 0, generation 1, up 1234 s\\n"; }}
    }}
}}
"""


def seconds_used(pid):
    """Processor time of a process so far; the kernel's own count, which is finer than clock ticks."""
    with open(f"/proc/{pid}/schedstat", encoding="ascii") as file:
        return int(file.read().split()[0]) / 1e9


def load(port, path, threads, seconds=SECONDS):
    """How many requests were answered."""
    out = subprocess.run(["wrk", f"-t{threads}", f"-c{CONNECTIONS}", f"-d{seconds}", f"http://127.0.0.1:{port}{path}"],
                         capture_output=True, text=True, check=True).stdout
    assert "Non-2xx" not in out and "Socket errors" not in out, out
    return int(re.search(r"(\d+) requests in", out)[1])


def measure(pid, port, path, threads):
    """Microseconds of processor time for each request."""
    before = seconds_used(pid)
    requests = load(port, path, threads)
    return (seconds_used(pid) - before) * 1e6 / requests


def count_calls(pid, port, path, folder):
    """System calls for each request, by strace: {name: how many}. None without strace."""
    if not shutil.which("strace"):
        return None
    path_out = os.path.join(folder, "strace")
    with subprocess.Popen(["strace", "-qq", "-c", "-p", str(pid), "-o", path_out], stderr=subprocess.DEVNULL) as tracer:
        wait_until(lambda: tracer.poll() is not None or "TracerPid:\t0" not in open(f"/proc/{pid}/status", encoding="ascii").read(),
                   "strace is at work")
        requests = load(port, path, 1, 1)
        tracer.terminate()
    with open(path_out, encoding="ascii") as file:
        rows = [line.split() for line in file if re.match(r"\s*[\d.]+\s", line)]
    return {row[-1]: int(row[3]) / requests for row in rows if row[-1] != "total" and int(row[3]) / requests >= 0.01}


@contextlib.contextmanager
def serving(folder):
    """(name, pid of the worker, port, path) of all that is measured, by the page that is asked for."""
    with contextlib.ExitStack() as stack:
        daemons = {}
        for name, root in (("welcome", {}), ("file", {"root": f"{folder}/www"})):
            port = free_port()
            os.mkdir(f"{folder}/{name}")
            text = config(workers=1, listen=[{"address": "127.0.0.1", "port": port}], service={"type": "http", **root})
            daemon = Daemon(f"{folder}/{name}", text)
            stack.callback(daemon.close)
            daemons[name] = (daemon.wait_ready().pids()[0], port)
        port = free_port()
        with open(f"{folder}/nginx.conf", "w", encoding="ascii") as file:
            file.write(NGINX.format(folder=folder, port=port, user="user root;" if os.geteuid() == 0 else ""))
        nginx = stack.enter_context(subprocess.Popen(["/usr/sbin/nginx", "-c", f"{folder}/nginx.conf"]))
        stack.callback(nginx.terminate)
        wait_until(lambda: children_of(nginx.pid) or nginx.poll() is not None, "nginx has a worker")
        worker = children_of(nginx.pid)[0]
        yield {"welcome page": (("gracefuld", *daemons["welcome"], "/"), ("nginx, return 200", worker, port, "/")),
               "file of 1 kB": (("gracefuld", *daemons["file"], "/1k.txt"), ("nginx", worker, port, "/1k.txt"))}


def run(report):
    """Measures, and reports."""
    if not os.path.exists("/usr/sbin/nginx") or not shutil.which("wrk"):
        print("\nhttp: needs nginx-light and wrk")
        return
    folder = tempfile.mkdtemp(prefix="gracefuld-bench-")
    os.chmod(folder, 0o755)
    try:
        os.mkdir(f"{folder}/www")
        with open(f"{folder}/www/1k.txt", "w", encoding="ascii") as file:
            file.write("0123456789abcde\n" * 64)
        os.utime(f"{folder}/www/1k.txt", (1e9, 1e9))
        with serving(folder) as pages:
            print_costs(report, pages, folder)
    finally:
        shutil.rmtree(folder)


def cost_rows(page, servers, threads):
    """What a request costs each, measured in turn."""
    client = f"{threads} thread{'s' * (threads > 1)}"
    costs = {server: [] for server in servers}
    for _ in range(ROUNDS):
        for server in servers:
            costs[server].append(measure(*server[1:], threads))
    medians = [statistics.median(costs[server]) for server in servers]
    ratio = statistics.median(theirs / ours for ours, theirs in zip(*costs.values()))
    rows = [(f"{page}, {client}, {server[0]}", f"{middle:.2f}", f"{min(costs[server]):.2f}", f"{max(costs[server]):.2f}", f"{1e6 / middle:.0f}")
            for server, middle in zip(servers, medians)]
    return rows + [(f"{page}, {client}: requests for each second of CPU, gracefuld / nginx", "", "", "", f"{ratio:.2f}")]


def print_costs(report, pages, folder):
    rows, calls = [], []
    for page, servers in pages.items():
        for threads in THREADS:
            rows += cost_rows(page, servers, threads)
        for server in servers:
            found = count_calls(*server[1:], folder)
            if found:
                calls.append((f"{page}, {server[0]}", f"{sum(found.values()):.2f}",
                              "  ".join(f"{name} {n:.2f}" for name, n in found.items())))
    report.table(f"Processor time of a request on {CONNECTIONS} open connections, one worker; {ROUNDS} times {SECONDS} s each, us",
          ("", "median", "least", "most", "requests/CPU s"), rows)
    if calls:
        report.table("System calls of a request", ("", "all", "which"), calls)
