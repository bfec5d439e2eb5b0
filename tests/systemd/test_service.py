"""gracefuld under a real systemd, installed and sandboxed as shipped."""

import contextlib
import os
import re
import subprocess
import time

import pytest

import control
from box import BUILD, TOP
from harness import Client, Load, assert_no_failure, config, free_port, wait_until

CONTROL_SOCKET = "/run/gracefuld/control.sock"

# Each with more than ten messages.
RELOADS_LOGGED = 20

# In the place of the installed worker program: passes the check of the configuration, then ends.
BAD_WORKER = """#!/bin/sh
case $* in *--check*) exit 0 ;; esac
exit 1
"""


def ask(port):
    with Client(port) as client:
        client.ask()


# -- start

def test_start_waits_until_it_serves(started, port):
    assert (started.show("ActiveState"), started.show("SubState")) == ("active", "running")
    ask(port)
    assert re.search(r"generation 1\b.*\b2 workers ready", started.show("StatusText"))
    assert len(started.workers()) == 2
    assert started.show("Type") == "notify"


def test_failed_start_says_so(box, configure):
    configure("workers = 0;\n")
    assert box.systemctl("start", "gracefuld", check=False).returncode != 0
    assert box.show("ActiveState") == "failed"
    assert box.show("ExecMainStatus") == "78"
    assert box.show("NRestarts") == "0", "no restart makes the configuration better"
    assert any("gracefuld.conf:1: " in m for m in box.messages("-u", "gracefuld"))


def test_installed_configuration_works(box):
    """The default file, as it is installed."""
    box.systemctl("start", "gracefuld")
    status, text = control.ask(("127.0.0.1", 11111), "/")
    assert (status, "hello world" in text) == (200, True)


# -- reload

def test_reload_applied(started, configure, port):
    before, master = started.workers(), started.show("MainPID")
    configure(workers=3)
    with Load(port) as load:
        started.systemctl("reload", "gracefuld")
        started.wait_show("StatusText", r"generation 2\b.*\b3 workers ready.*applied")
        seen = load.result()
    assert_no_failure(seen)
    assert (started.show("ActiveState"), started.show("SubState")) == ("active", "running")
    assert started.show("MainPID") == master
    assert len(started.workers()) == 3 and not set(before) & set(started.workers())


def test_reload_rejected(started, configure, port):
    before, since = started.workers(), started.now()
    configure("workers = 0;\n")
    assert started.systemctl("reload", "gracefuld", check=False).returncode != 0
    started.wait_show("StatusText", r"generation 1\b.*rejected")
    started.wait_message(r"^/etc/gracefuld\.conf:1: workers: 0 is out of range", "-u", "gracefuld", since)
    assert (started.show("ActiveState"), started.show("SubState")) == ("active", "running")
    assert started.workers() == before
    ask(port)


def test_reload_reverted(started, port):
    before = started.workers()
    program = f"{started.libexecdir}/gracefuld-worker"
    started.run("cp", program, "/tmp/gracefuld-worker")
    started.put(program, BAD_WORKER, "0755")
    try:
        assert started.systemctl("reload", "gracefuld", check=False).returncode != 0
        started.wait_show("StatusText", r"generation 1\b.*reverted")
    finally:
        started.run("mv", "-f", "/tmp/gracefuld-worker", program)
    assert (started.show("ActiveState"), started.show("SubState")) == ("active", "running")
    assert started.workers() == before
    ask(port)
    started.systemctl("reload", "gracefuld")
    started.wait_show("StatusText", r"applied")


def test_reload_takes_up_an_upgraded_worker(started, port):
    """A package upgrade replaces the program; the reload after it brings it to life, and the master stays."""
    program, master = f"{started.libexecdir}/gracefuld-worker", started.show("MainPID")
    started.run("sh", "-c", f"cp {program} {program}.new && mv {program}.new {program}")
    inode = started.run("stat", "-c", "%i", program).strip()
    with Load(port) as load:
        started.systemctl("reload", "gracefuld")
        started.wait_show("StatusText", r"applied")
        seen = load.result()
    assert_no_failure(seen)
    assert {started.run("stat", "-L", "-c", "%i", f"/proc/{pid}/exe").strip() for pid in started.workers()} == {inode}
    assert started.show("MainPID") == master


# -- another version of the daemon itself

def upgrade(box):
    """A package upgrade replaces the program, and says so to the main process; waits until it is done. Returns what the journal says."""
    program, since = f"{box.sbindir}/gracefuld", box.now()
    box.run("sh", "-c", f"cp {program} {program}.new && mv {program}.new {program}")
    box.systemctl("kill", "-s", "USR2", "--kill-whom=main", "gracefuld")
    return box.wait_message(r"^re-exec: (gracefuld .* goes on: |refused: )", "-u", "gracefuld", since)[-1]


def test_reexec(started, port):
    """The main process stays, and its workers; the unit is active all along, and a reload works afterwards."""
    master, workers = started.show("MainPID"), started.workers()
    entered = started.show("ActiveEnterTimestampMonotonic")
    with Load(port) as load, Client(port).ask() as client:
        for _ in range(3):
            assert "goes on" in upgrade(started)
            started.wait_show("SubState", "^running$")
            client.ask()
        seen = load.result()
    assert_no_failure(seen)
    assert (started.show("MainPID"), started.workers()) == (master, workers)
    assert (started.show("ActiveState"), started.show("NRestarts")) == ("active", "0")
    assert started.show("ActiveEnterTimestampMonotonic") == entered
    inode = started.run("stat", "-c", "%i", f"{started.sbindir}/gracefuld").strip()
    assert started.run("stat", "-L", "-c", "%i", f"/proc/{master}/exe").strip() == inode
    assert re.search(r"generation 1\b.*\b2 workers ready", started.show("StatusText"))
    assert int(started.process(master)["CapEff"], 16) == 1 << 10, "CAP_NET_BIND_SERVICE"
    started.systemctl("reload", "gracefuld")
    started.wait_show("StatusText", r"generation 2\b.*applied")
    assert started.show("MainPID") == master
    started.systemctl("stop", "gracefuld")
    assert (started.show("Result"), started.show("ExecMainStatus")) == ("success", "0")


def test_reexec_of_a_bad_program(started, port):
    program, since = f"{started.sbindir}/gracefuld", started.now()
    workers = started.workers()
    started.run("cp", program, "/tmp/gracefuld")
    started.put(program, "#!/bin/sh\nexit 1\n", "0755")
    try:
        started.systemctl("kill", "-s", "USR2", "--kill-whom=main", "gracefuld")
        started.wait_message(r"^re-exec: refused: ", "-u", "gracefuld", since)
    finally:
        started.run("mv", "-f", "/tmp/gracefuld", program)
    error, = started.journal(since, "GRACEFULD_EVENT=reexec-failed")
    assert error["PRIORITY"] == "3"
    assert "Subject: Another version of the daemon was refused" in started.run("journalctl", "-x", "-u", "gracefuld", since)
    assert (started.show("ActiveState"), started.workers()) == ("active", workers)
    ask(port)
    assert "goes on" in upgrade(started)


def test_reexec_keeps_the_watchdog_fed(box, configure, port):
    """Many in a row: each has to feed it, since its time begins anew."""
    box.drop_in("[Service]\nWatchdogSec=2s\n")
    box.systemctl("start", "gracefuld")
    begun = time.monotonic()
    while time.monotonic() - begun < 4:
        assert "goes on" in upgrade(box)
    assert (box.show("NRestarts"), box.show("ActiveState")) == ("0", "active")


def test_reexec_with_sockets_of_systemds(box, configure, port):
    box.drop_in(f"[Socket]\nListenStream=\nListenStream={port}\n", "gracefuld.socket")
    configure(port=None, listen=[{"systemd": "gracefuld"}])
    box.systemctl("start", "gracefuld.socket", "gracefuld.service")
    with Load(port) as load:
        for _ in range(3):
            assert "goes on" in upgrade(box)
            box.systemctl("reload", "gracefuld")
        seen = load.result()
    assert_no_failure(seen)
    assert box.show("NRestarts") == "0"
    ask(port)


# -- stop, loss

def test_stop_lets_connections_end(started, port):
    with Client(port).ask() as client:
        started.systemctl("stop", "--no-block", "gracefuld")
        started.wait_show("ActiveState", "deactivating")
        client.ask()
        assert started.show("ActiveState") == "deactivating"
    started.wait_show("ActiveState", "inactive")
    assert (started.show("Result"), started.show("ExecMainStatus")) == ("success", "0")


def test_stop_is_given_the_time_that_the_drain_takes(box, configure, port):
    """TimeoutStopSec= is shorter than drain_timeout: the daemon asks for more."""
    box.drop_in("[Service]\nTimeoutStopSec=1s\n")
    configure(drain_timeout=30)
    box.systemctl("start", "gracefuld")
    with Client(port).ask() as client:
        box.systemctl("stop", "--no-block", "gracefuld")
        box.wait_show("ActiveState", "deactivating")
        assert client.silent(3), "a pause, longer than TimeoutStopSec= by far"
        client.ask()
    box.wait_show("ActiveState", "inactive")
    assert box.show("Result") == "success"


def test_hung_master_is_restarted(box, configure, port):
    box.drop_in("[Service]\nWatchdogSec=2s\nRestartSec=0\n")
    box.systemctl("start", "gracefuld")
    master = box.show("MainPID")
    box.run("kill", "-STOP", master)
    box.wait_show("NRestarts", "^[1-9]")
    box.wait_show("ActiveState", "^active$")
    assert box.show("MainPID") != master
    ask(port)


def test_watchdog_is_fed(box, configure, port):
    box.drop_in("[Service]\nWatchdogSec=3s\n")
    box.systemctl("start", "gracefuld")
    with Client(port).ask() as client:
        assert client.silent(5), "a pause in which it would be over, though fed once after 1.5 s"
    assert (box.show("NRestarts"), box.show("ActiveState")) == ("0", "active")


def test_killed_master_is_restarted_and_nothing_of_it_stays(started, port):
    old = [started.show("MainPID"), *started.workers()]
    started.run("kill", "-KILL", old[0])
    started.wait_show("NRestarts", "^[1-9]")
    started.wait_show("ActiveState", "^active$")
    assert not set(old) & set(started.workers())
    ask(port)


# -- journal

def test_journal_by_unit_and_by_field(started, port):
    since = started.now()
    started.systemctl("reload", "gracefuld")
    started.wait_message(r"reload 1: applied: ", "-u", "gracefuld", since)
    of_slot = started.journal("-u", "gracefuld", since, "GRACEFULD_SLOT=1")
    assert of_slot and all(record["GRACEFULD_SLOT"] == "1" and "worker 1 " in record["MESSAGE"] for record in of_slot)
    new = started.journal("-u", "gracefuld", since, "GRACEFULD_SLOT=1", "GRACEFULD_GENERATION=2", "GRACEFULD_EVENT=worker-state")
    assert any("starting -> ready" in record["MESSAGE"] for record in new)
    verdict, = started.journal(since, "GRACEFULD_EVENT=reload-applied")
    assert verdict["SYSLOG_IDENTIFIER"] == "gracefuld"
    assert verdict["_PID"] == started.show("MainPID")
    assert verdict["PRIORITY"] in ("5", "6")


def test_journal_explains(started, configure):
    since = started.now()
    configure("workers = 0;\n")
    started.systemctl("reload", "gracefuld", check=False)
    started.wait_message(r"reload 1: rejected: ", "-u", "gracefuld", since)
    text = started.run("journalctl", "-x", "-u", "gracefuld", since)
    assert "Subject: A reload was rejected" in text
    assert "Subject: An error in the configuration" in text


@contextlib.contextmanager
def journald_stands_still(box):
    """It reads nothing meanwhile."""
    pid = box.show("MainPID", "systemd-journald.service")
    box.run("kill", "-STOP", pid)
    try:
        yield
    finally:
        box.run("kill", "-CONT", pid)


def fill_journal(box):
    """More than its socket takes: that has room for 11 to 167 records, whatever the machine's settings are."""
    for _ in range(RELOADS_LOGGED):
        assert ": applied: " in box.run("gracefulctl", "reload")


def own_messages(box, since):
    found = box.messages(since, "-u", "gracefuld")
    assert found and not any("lost" in message for message in found)
    return found


def test_journal_that_stands_still_loses_nothing(started, port, figure):
    since = started.now()
    with journald_stands_still(started):
        fill_journal(started)
        ask(port)
    # the daemon offers what waits again by itself: nothing else makes it say anything now
    started.wait_message(f"reload {RELOADS_LOGGED}: applied: ", since)
    found = own_messages(started, since)
    verdicts = [int(match[1]) for message in found if (match := re.match(r"reload (\d+): applied: ", message))]
    figure(f"{len(found)} messages, {len(verdicts)} of them verdicts")
    assert verdicts == list(range(1, RELOADS_LOGGED + 1))


@pytest.mark.parametrize("end", ["stop", "re-exec"])
def test_last_words_while_the_journal_stands_still(started, end, figure):
    since = started.now()
    with journald_stands_still(started):
        fill_journal(started)
        if end == "stop":
            started.systemctl("stop", "gracefuld")
            assert started.show("Result") == "success"
        else:
            master = started.show("MainPID")
            started.run("kill", "-USR2", master)
            wait_until(lambda: "GRACEFULD_STATE_FD=" in started.run("cat", f"/proc/{master}/environ"), "another image takes over")
    words = ["stopped$"] if end == "stop" else ["takes over$", "re-exec: .* goes on"]
    ended = 2 * (RELOADS_LOGGED + (end == "stop"))

    def all_said():
        """By two ways, so in any order."""
        found = own_messages(started, since)
        return (all(any(re.search(word, message) for message in found) for word in words) and
                sum("stopping -> exited" in message for message in found) == ended and found)
    figure(f"{len(wait_until(all_said, 'the last words'))} messages")


def test_journal_whose_socket_is_made_anew(box, configure, port):
    """As by an upgrade of systemd that restarts all its units. The worker in its sandbox lives on."""
    def access(path):
        assert control.ask(("127.0.0.1", port), path)[0] == 200
    configure(workers=1, service={"type": "http", "access_log": True}, sandbox="always")
    box.systemctl("start", "gracefuld")
    units = [f"systemd-journald{name}" for name in (".socket", "-dev-log.socket", ".service")]
    access("/?before")
    box.wait_message("before", "SYSLOG_IDENTIFIER=gracefuld-worker")
    worker = box.workers()
    box.systemctl("stop", *units)
    access("/?meanwhile")
    box.run("kill", "-USR1", box.show("MainPID"))  # the status, to the log
    box.systemctl("start", *units)
    access("/?after")
    box.wait_message("meanwhile", "SYSLOG_IDENTIFIER=gracefuld-worker")
    box.wait_message("after", "SYSLOG_IDENTIFIER=gracefuld-worker")
    box.wait_message("^status: generation 1, ", "SYSLOG_IDENTIFIER=gracefuld")
    assert box.workers() == worker


def test_nothing_to_worry_about_is_logged(box):
    """With the unit and the configuration as they are shipped."""
    since = box.now()
    box.systemctl("start", "gracefuld")
    box.systemctl("reload", "gracefuld")
    box.systemctl("stop", "gracefuld")
    assert box.messages(since, "-u", "gracefuld")
    assert box.messages(since, "-u", "gracefuld", "-p", "warning") == []


def test_group_of_administrators(box, configure):
    """As the comments of the unit have it; and from a reload on as from the start on."""
    def group():
        return box.run("stat", "-c", "%G %a", CONTROL_SOCKET).strip()
    box.drop_in("[Service]\nSupplementaryGroups=adm\nSystemCallFilter=fchownat\n")
    configure(control={"path": CONTROL_SOCKET, "group": "adm"})
    box.systemctl("start", "gracefuld")
    assert group() == "adm 660"
    configure(control={"path": CONTROL_SOCKET, "mode": "0600"})
    box.systemctl("reload", "gracefuld")
    assert group() == "gracefuld 600"
    configure(control={"path": CONTROL_SOCKET, "group": "adm"})
    box.systemctl("reload", "gracefuld")
    assert group() == "adm 660"


# -- socket activation

def test_socket_activation(box, configure, port):
    box.drop_in(f"[Socket]\nListenStream=\nListenStream={port}\n", "gracefuld.socket")
    configure(port=None, listen=[{"systemd": "gracefuld"}])
    box.systemctl("start", "gracefuld.socket")
    assert box.show("ActiveState") == "inactive"
    with Client(port) as client:
        client.ask()
        box.wait_show("ActiveState", "^active$")  # one worker serves already before the other is ready
    # The socket is systemd's: not even a restart of the whole service refuses a connection.
    with Load(port) as load:
        box.systemctl("restart", "gracefuld")
        box.systemctl("reload", "gracefuld")
        box.wait_show("StatusText", r"applied")
        seen = load.result()
    assert_no_failure(seen)


# -- sandbox

def test_sandbox_as_shipped(started):
    """Master and workers are the user gracefuld; only the master may bind low ports."""
    uid = started.run("id", "-u", "gracefuld").strip()
    for pid in [started.show("MainPID"), *started.workers()]:
        status = started.process(pid)
        assert status["Uid"].split() == [uid] * 4
        assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert int(started.process(started.show("MainPID"))["CapEff"], 16) == 1 << 10, "CAP_NET_BIND_SERVICE"
    filters = int(started.process(started.show("MainPID"))["Seccomp_filters"])
    for pid in started.workers():
        status = started.process(pid)
        assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == int(status["CapAmb"], 16) == 0
        assert int(status["Seccomp_filters"]) == filters + 1, "its own beside those of the unit"
    assert not [m for m in started.messages("-u", "gracefuld") if "without a sandbox" in m]


def test_worker_that_breaks_out_is_killed(box, configure, port, tmp_path):
    """One that tries to become another program, as an intruder would: the kernel ends it, the journal says why, and there is a new one."""
    built = tmp_path / "odd.so"
    subprocess.run(["cc", "-std=gnu17", "-fPIC", "-shared", f"-I{TOP}/include", "-DODD=EXECUTE_ON_DATA", "-o", built,
                    f"{TOP}/tests/scenario/odd_module.c"], check=True)
    box.put("/usr/local/lib/odd.so", built.read_bytes())
    configure(workers=1, sandbox="always", service={"type": "module", "path": "/usr/local/lib/odd.so"})
    box.systemctl("start", "gracefuld")
    victim, = box.workers()
    with Client(port) as client:
        assert client.send(b"x").end() in ("closed", "reset")
    box.wait_message(rf"pid {victim}: ready -> exited .*signal 31, ", "-u", "gracefuld")
    box.wait_message(r"was killed by signal 31, .*\(a system call that its sandbox forbids", "-u", "gracefuld")
    box.wait_message(rf"pid (?!{victim}\b)\d+: starting -> ready", "-u", "gracefuld")
    assert victim not in box.workers()


def test_low_port_in_the_sandbox(box, configure):
    """After the start, by a reload."""
    box.systemctl("start", "gracefuld")
    configure(port=None, listen=[{"address": "127.0.0.1", "port": 811}])
    box.systemctl("reload", "gracefuld")
    box.wait_show("StatusText", r"applied")
    ask(811)


def test_unix_socket_in_the_runtime_directory(box, configure):
    configure(port=None, listen=[{"path": "/run/gracefuld/hello.sock", "mode": "0660"}])
    box.systemctl("start", "gracefuld")
    assert box.run("stat", "-c", "%U %a %F", "/run/gracefuld/hello.sock").strip() == "gracefuld 660 socket"


def described_drop_in(setting):
    """The one with this setting that a comment in the unit describes."""
    with open(os.path.join(BUILD, "systemd/gracefuld.service"), encoding="utf-8") as file:
        comments = re.findall(r"^#   \[Service\]\n(?:#   .*\n)+", file.read(), re.M)
    comment, = (text for text in comments if f" {setting}=" in text)
    return comment.replace("#   ", "")


def make_site(box, folder):
    """Files that anybody may read; one is larger than what a socket takes at once."""
    box.run("sh", "-c", f"mkdir -p {folder} && echo welcome >{folder}/index.html && head -c 5000000 /dev/zero >{folder}/large &&"
            f" chmod -R a+rX {folder}")


def check_site(port):
    address = ("127.0.0.1", port)
    assert control.ask(address, "/") == (200, "welcome\n")
    status, text = control.ask(address, "/large")
    assert (status, len(text)) == (200, 5000000)


def test_http_root_as_shipped(box, configure, port):
    """Outside of what the sandbox hides. The whole root is there, and what lies beside it is not."""
    make_site(box, "/srv/site")
    configure(service={"type": "http", "root": "/srv/site"})
    box.systemctl("start", "gracefuld")
    check_site(port)
    box.systemctl("reload", "gracefuld")
    check_site(port)
    assert control.ask(("127.0.0.1", port), "/../../etc/passwd")[0] in (400, 404)


@pytest.mark.parametrize("folder", ["/home/me/site", "/root/site", "/tmp/site"])
def test_http_root_that_the_sandbox_hides(started, configure, port, folder):
    """An error, named by a reload; what ran runs on."""
    make_site(started, folder)
    configure(service={"type": "http", "root": folder})
    assert started.systemctl("reload", "gracefuld", check=False).returncode != 0
    started.wait_show("StatusText", rf"rejected: .*service\.root: {folder}: (Permission denied|No such file)")
    ask(port)


def test_http_root_in_home_by_the_drop_in_that_the_unit_describes(box, configure, port):
    """The one folder is seen, and nothing beside it."""
    make_site(box, "/home/me/site")
    box.run("sh", "-c", "echo secret >/home/me/secret && chmod 644 /home/me/secret")
    box.drop_in(described_drop_in("BindReadOnlyPaths"))
    configure(service={"type": "http", "root": "/home/me/site"})
    box.systemctl("start", "gracefuld")
    check_site(port)
    seen = f"/proc/{box.show('MainPID')}/root/home"
    assert box.run("find", seen, "-type", "f", "-name", "[is]*").split() == [f"{seen}/me/site/index.html"]


def test_sandbox_is_tight_as_it_runs(started):
    """By the very systemd that runs it (test_units asks that of the machine where it is built)."""
    done = started.run("systemd-analyze", "security", "--no-pager", "--threshold=15", "gracefuld.service", check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_root_by_the_drop_in_that_the_unit_describes(box, configure, port):
    """The comment in the unit says how: taken from there, it works, and the workers are another user."""
    box.drop_in(described_drop_in("User"))
    configure(user="nobody", listen=[{"port": port}, {"path": "/run/gracefuld/hello.sock", "user": "daemon"}], port=None)
    box.systemctl("start", "gracefuld")
    assert box.process(box.show("MainPID"))["Uid"].split() == ["0"] * 4
    nobody = box.run("id", "-u", "nobody").strip()
    for pid in box.workers():
        status = box.process(pid)
        assert status["Uid"].split() == [nobody] * 4
        assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
    assert box.run("stat", "-c", "%U", "/run/gracefuld/hello.sock").strip() == "daemon"
    box.systemctl("reload", "gracefuld")
    box.wait_show("StatusText", r"applied")
    ask(port)


def test_open_files_may_be_limited(box, configure, port):
    """setrlimit passes the filter of system calls."""
    configure(limits={"open_files": 100})
    box.systemctl("start", "gracefuld")
    for pid in box.workers():
        assert re.search(r"Max open files +100 ", box.run("cat", f"/proc/{pid}/limits"))
    ask(port)


# -- instances

def test_instances_beside_each_other(started, port):
    other = free_port()
    started.run("mkdir", "-p", f"{started.sysconfdir}/gracefuld")
    started.put(f"{started.sysconfdir}/gracefuld/one.conf", config(other, workers=1, user=None))
    started.systemctl("start", "gracefuld@one")
    ask(port)
    ask(other)
    assert len(started.workers("gracefuld@one.service")) == 1
    started.systemctl("stop", "gracefuld@one")
    ask(port)


def test_units_verify(box):
    """No unknown setting, no program that is missing."""
    done = box.run("systemd-analyze", "verify", "--man=no", "gracefuld.service", "gracefuld@one.service", "gracefuld.socket", check=False)
    assert "gracefuld" not in done.stderr, done.stderr
