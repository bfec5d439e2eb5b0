"""A real systemd in namespaces of its own (see sdbox), with gracefuld installed in it as a package would."""

import json
import os
import re
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
BUILD = os.environ.get("GRACEFULD_BUILD", os.path.join(TOP, "build"))
SDBOX = os.path.join(HERE, "sdbox")
NEWER_TREE = os.path.join(HERE, "newer-tree")

sys.path.insert(0, os.path.join(TOP, "tests/scenario"))

from harness import wait_until  # noqa: E402  (found by the line above)


class Unusable(Exception):
    """Why no box can be had here."""


def _ask(*command):
    """The output of a command that says why when it can't work here."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Unusable(done.stderr.strip() or f"{' '.join(command)}: exit status {done.returncode}")
    return done.stdout.strip()


def find_root():
    """What to boot: this machine's own tree, or with GRACEFULD_NEWER=1 one with a newer systemd in it."""
    root = _ask(NEWER_TREE) if os.environ.get("GRACEFULD_NEWER") == "1" else "/"
    _ask(SDBOX, "check", "--root", root)
    return root


def make_variable(name):
    """What the build's Makefile says, with its variables expanded: in the last line, after what is said when it makes itself anew."""
    rule = f"print-it:\n\t@echo $({name})\n"
    out = subprocess.run(["make", "-s", "-C", BUILD, "-f", "Makefile", "-f", "-", "print-it"], input=rule, env=clean_env(),
                         capture_output=True, text=True, check=True)
    return out.stdout.splitlines()[-1].strip()


def clean_env():
    """Without what an outer make says to an inner one."""
    return {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}


class Box:
    """Up from its creation until `down`. Shares the network of the host, so that tests connect as usual."""

    def __init__(self, root):
        self.dir = subprocess.run([SDBOX, "up", "--root", root, "--net", "host", "--owner", str(os.getpid()), "--max", "1200"],
                                  capture_output=True, text=True, check=True).stdout.strip()
        self.libexecdir = make_variable("libexecdir")
        self.sbindir = make_variable("sbindir")
        self.sysconfdir = make_variable("sysconfdir")
        self.unitdir = make_variable("systemdsystemunitdir")

    def down(self):
        subprocess.run([SDBOX, "down", self.dir], check=True)

    def run(self, *command, check=True, **options):
        """A command inside; returns its standard output."""
        done = subprocess.run([SDBOX, "run", "-d", self.dir, "--", *command], stdin=options.pop("stdin", subprocess.DEVNULL),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False, **options)
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(command)}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout if check else done

    def start(self, *command):
        """Begins a command inside."""
        return subprocess.Popen([SDBOX, "run", "-d", self.dir, "--", *command], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def install(self):
        """What "make install" installs, then what a package's scripts would do."""
        with tempfile.TemporaryDirectory(prefix="gracefuld-") as stage:
            subprocess.run(["make", "-s", "-C", BUILD, "install", f"DESTDIR={stage}"], check=True, env=clean_env(),
                           stdout=subprocess.DEVNULL)
            with subprocess.Popen(["tar", "-C", stage, "--owner=root", "--group=root", "-c", "."],
                                  stdout=subprocess.PIPE) as tar:
                self.run("tar", "-C", "/", "--no-overwrite-dir", "-x", stdin=tar.stdout)
        if self.unitdir not in self.run("systemd-analyze", "unit-paths").split():
            for unit in ("gracefuld.service", "gracefuld@.service", "gracefuld.socket"):
                self.run("cp", f"{self.unitdir}/{unit}", "/etc/systemd/system/")
        self.run("cp", f"{self.sysconfdir}/gracefuld.conf", f"{self.sysconfdir}/gracefuld.conf.shipped")
        self.run("systemd-sysusers")
        self.run("journalctl", "--update-catalog")
        self.run("systemctl", "daemon-reload")

    def put(self, path, content, mode="0644"):
        """A file inside, in place of an older one: its text, or bytes."""
        content = content.encode() if isinstance(content, str) else content
        subprocess.run([SDBOX, "put", "-d", self.dir, "-m", mode, "-", path], input=content, check=True)

    def restore(self):
        """Stops everything; the shipped configuration is back, and no settings but the shipped ones."""
        self.run("sh", "-c", f"""
            systemctl stop gracefuld.socket gracefuld.service 'gracefuld@*.service'
            systemctl reset-failed
            cp {self.sysconfdir}/gracefuld.conf.shipped {self.sysconfdir}/gracefuld.conf && rm -rf /etc/systemd/system/gracefuld*.d &&
            systemctl daemon-reload""")

    def drop_in(self, text, unit="gracefuld.service"):
        """Settings of the administrator's own."""
        self.put(f"/etc/systemd/system/{unit}.d/test.conf", text)
        self.systemctl("daemon-reload")

    def systemctl(self, *args, check=True):
        return self.run("systemctl", *args, check=check)

    def show(self, name, unit="gracefuld.service"):
        """One property of the unit."""
        return self.systemctl("show", "--value", "-p", name, unit).strip()

    def show_all(self, *names, unit="gracefuld.service"):
        """Several properties, {name: value}."""
        lines = self.systemctl("show", "-p", ",".join(names), unit).splitlines()
        return dict(line.split("=", 1) for line in lines)

    def wait_show(self, name, pattern, unit="gracefuld.service"):
        """Waits until a property is so."""
        return wait_until(lambda: re.search(pattern, self.show(name, unit)), f"{unit}: {name} {pattern!r}")

    def journal(self, *matches):
        """The records, each a dictionary of its fields."""
        self.run("journalctl", "--sync")
        return [json.loads(line) for line in self.run("journalctl", "-o", "json", *matches).splitlines()]

    @staticmethod
    def now():
        """A place in the journal, to be passed on to `journal`. (No cursor: with a filter, what is after one may lose an entry.)"""
        return f"--since=@{time.time():.6f}"

    def messages(self, *matches):
        return [record.get("MESSAGE", "") for record in self.journal(*matches)]

    def wait_message(self, pattern, *matches):
        """Waits for a line in the journal."""
        return wait_until(lambda: [m for m in self.messages(*matches) if re.search(pattern, m)], f"{pattern!r} in the journal")

    def process(self, pid):
        """/proc/PID/status as a dictionary."""
        return dict(line.split(":\t", 1) for line in self.run("cat", f"/proc/{pid}/status").splitlines() if ":\t" in line)

    def workers(self, unit="gracefuld.service"):
        """The pids of the processes in the unit's cgroup, but for the master."""
        group, master = self.show("ControlGroup", unit), self.show("MainPID", unit)
        pids = self.run("cat", f"/sys/fs/cgroup{group}/cgroup.procs").split()
        return sorted((pid for pid in pids if pid != master), key=int)
