"""Every verdict, produced for real under systemd; and all that tell it tell the same."""

import collections
import contextlib
import json
import re
import socket

import pytest

import control
from control import EXIT
from harness import DEADLINE, KEEP, Client, free_port, wait_until

# A verdict of the daemon's own: its event in the journal, with an identifier that never changes, and what STATUS= says of it.
Told = collections.namedtuple("Told", "message_id priority status")
TOLD = {
    "applied": Told("ac443ab3f9804f719a616dc76a1c87c8", "5", r"last reload: applied$"),
    "unchanged": Told("30ff5a4008d14c39bbc79ec67df3d845", "5", r"last reload: unchanged$"),
    "rejected": Told("e76b7c740ec64899b91869c58b3d98a2", "3", r"last reload: rejected: "),
    "reverted": Told("a5d49265087f4c63a96f7aa644cb494c", "3", r"last reload: reverted: "),
}

# In the place of the installed worker program. (Not sh: the descriptors may have two digits.)
BAD_WORKER = """#!/bin/bash
case $* in *--check*) exit 0 ;; esac
%s
"""

STAYS = "exec sleep 600"


# How each is produced: on the way in, the reload is given what it needs; on the way out, what was is restored.

@contextlib.contextmanager
def new_configuration(scene, text=None, **options):
    scene.write(text, **options)
    yield


@contextlib.contextmanager
def taken_port(scene):
    with socket.socket() as other:
        other.bind(("0.0.0.0", free_port()))
        other.listen()
        scene.write(listen=[{"port": other.getsockname()[1]}], port=None)
        yield


@contextlib.contextmanager
def bad_worker(scene, script, **options):
    program = f"{scene.box.libexecdir}/gracefuld-worker"
    scene.box.run("cp", program, "/tmp/gracefuld-worker")
    scene.box.put(program, BAD_WORKER % script, "0755")
    scene.write(**options)
    try:
        yield
    finally:
        scene.box.run("mv", "-f", "/tmp/gracefuld-worker", program)


@contextlib.contextmanager
def held(scene):
    """A client keeps its connection for longer than who asks wants to wait. When it has gone, the roll ends."""
    scene.write(roll=KEEP, drain_timeout=300)
    with Client(scene.port).ask():
        yield
        assert scene.last_reload() is None and not any(scene.counts().values()), "it goes on"
    scene.box.wait_show("StatusText", r"^generation .*; last reload: ")


@contextlib.contextmanager
def no_socket(scene):
    path = "/run/gracefuld/control.sock"
    scene.box.run("mv", path, f"{path}.away")
    try:
        yield
    finally:
        scene.box.run("mv", f"{path}.away", path)


# `said` by gracefulctl, in its last word and in its exit status; `then` by the daemon, of the reload itself: None, if it never heard.
Case = collections.namedtuple("Case", "said then produce arguments options error", defaults=((), {}, None))

CASES = {
    "applied": Case("applied", "applied", new_configuration, options={"workers": 3}),
    "unchanged": Case("unchanged", "unchanged", new_configuration, ("--if-changed",)),
    "rejected-by-parse": Case("rejected", "rejected", new_configuration, options={"text": "workers = ;\n"},
                              error=r"gracefuld\.conf:1: syntax error"),
    "rejected-by-check": Case("rejected", "rejected", new_configuration, error=r"/nowhere: No such file",
                              options={"service": {"type": "http", "root": "/nowhere"}}),
    "rejected-by-bind": Case("rejected", "rejected", taken_port, error=r"in use"),
    "reverted-by-crash": Case("reverted", "reverted", bad_worker, options={"script": "kill -SEGV $$"}, error=r"signal 11"),
    "reverted-by-failed": Case("reverted", "reverted", bad_worker, error=r"there is no disk",
                               options={"script": r"printf 'hello 1 bad 0\nfailed there is no disk\n' >&$GRACEFULD_STATUS_FD; " + STAYS}),
    "reverted-by-deadline": Case("reverted", "reverted", bad_worker, error=r"not ready",
                                 options={"script": STAYS, "roll": {"ready_timeout": 1}}),
    "timeout": Case("timeout", "applied", held, ("--timeout", "0.1")),
    "unavailable": Case("unavailable", None, no_socket),
}


class Scene:
    """A service that runs, and what tells of its reloads to others than the one who asks: at an address of its own, without the
    control socket."""

    def __init__(self, box, configure, port):
        self.box, self.port, self.address = box, port, ("127.0.0.1", free_port())
        self._configure = configure

    def write(self, text=None, **options):
        self._configure(text, **{"metrics": "%s:%d" % self.address, **options})

    def last_reload(self):
        status, text = control.ask(self.address, "/v1/status")
        assert status == 200, text
        return json.loads(text)["last_reload"]

    def counts(self):
        """{verdict: how many}"""
        samples = control.metrics(self.address).items()
        return {match[1]: n for name, n in samples if (match := re.fullmatch(r'gracefuld_reloads_total\{verdict="(\w+)"\}', name))}

    def unit(self):
        """What stays as it was, whatever becomes of a reload. (The time of ActiveEnter: it was active or reloading all along.)"""
        return self.box.show_all("MainPID", "InvocationID", "NRestarts", "ActiveEnterTimestampMonotonic")

    def events(self, since):
        return [record for record in self.box.journal(since, "SYSLOG_IDENTIFIER=gracefuld") if "GRACEFULD_EVENT" in record]


@pytest.fixture
def scene(box, configure, port):
    new = Scene(box, configure, port)
    new.write()
    return new


# -- who asks; each returns the exit status of gracefulctl, what it wrote, and what is to be called when the reload may end

def by_gracefulctl(box, arguments):
    done = box.run("gracefulctl", "reload", *arguments, check=False)
    return done.returncode, done.stdout + done.stderr, lambda: None


def by_systemctl(box, arguments):
    """systemctl waits for the end of the reload, whatever gracefulctl does, and then says no more than whether that failed."""
    since = box.now()
    systemctl = box.start("systemctl", "reload", "gracefuld")
    exited = wait_until(lambda: re.search(r"argv\[\]=\S+ (.*?) ;.* code=exited ; status=(\d+)", box.show("ExecReload")), "gracefulctl ends")
    assert exited[1] == " ".join(["reload", *arguments])
    status = int(exited[2])

    def end():
        _, said = systemctl.communicate(timeout=DEADLINE)
        assert (systemctl.returncode == 0) == (status == 0), said
    return status, "\n".join(box.messages(since, "SYSLOG_IDENTIFIER=gracefulctl")), end


# -- what is told

def check_never_heard(scene, since):
    assert not scene.events(since) and scene.last_reload() is None and not any(scene.counts().values())
    assert "last reload" not in scene.box.show("StatusText")


def check_verdict(scene, case, since):
    """By the API, the journal, STATUS= and the metrics. Returns the number of the reload."""
    told, last, status = TOLD[case.then], scene.last_reload(), scene.box.show("StatusText")
    record, = (r for r in scene.events(since) if r["GRACEFULD_EVENT"].removeprefix("reload-") in TOLD)
    assert last["verdict"] == case.then
    assert (record["GRACEFULD_EVENT"], record["MESSAGE_ID"]) == (f"reload-{case.then}", told.message_id)
    assert (record["PRIORITY"], record["_PID"]) == (told.priority, scene.box.show("MainPID"))
    assert (record["GRACEFULD_RELOAD"], record["GRACEFULD_GENERATION"]) == (str(last["id"]), str(last["generation"]))
    assert record["MESSAGE"].startswith(f"reload {last['id']}: {case.then}: ")
    assert re.search(told.status, status) and status.startswith(f"generation {last['generation']}, "), status
    assert scene.counts() == {verdict: verdict == case.then for verdict in TOLD}
    return last["id"]


def check_reason(scene, case, since, text):
    """Why it is no success: everywhere, or nowhere."""
    last, journal = scene.last_reload(), "\n".join(record["MESSAGE"] for record in scene.events(since))
    if case.error is None:
        assert last["error"] is None
    else:
        for where in (last["error"], scene.box.show("StatusText"), text, journal):
            assert re.search(case.error, where), where


@pytest.mark.parametrize("by", [by_gracefulctl, by_systemctl])
@pytest.mark.parametrize("name", CASES)
def test_all_tell_the_same(scene, name, by):
    case, box = CASES[name], scene.box
    box.drop_in(f"[Service]\nExecReload=\nExecReload={' '.join(['gracefulctl', 'reload', *case.arguments])}\n")
    box.systemctl("start", "gracefuld")
    unit, since = scene.unit(), box.now()
    assert scene.counts() == dict.fromkeys(TOLD, 0) and scene.last_reload() is None
    with case.produce(scene, **case.options):
        status, text, end = by(box, case.arguments)
        assert status == EXIT[case.said], text
    end()
    box.wait_show("ActiveState", "^active$")
    if case.then is None:
        check_never_heard(scene, since)
    else:
        number = check_verdict(scene, case, since)
        check_reason(scene, case, since, text)
        assert case.said != case.then or f"reload {number}: {case.said}" in text
    assert case.said in ("unavailable", *TOLD) or case.said in text
    assert scene.unit() == unit
    with Client(scene.port) as client:
        client.ask()
