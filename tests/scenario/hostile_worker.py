#!/usr/bin/python3
"""A worker that does what DIRECTORY/plan says ("PLAN", or "PLAN SLOT"). Started by the script in harness.py, which sees to whether the
plan means this worker, and to the plans that are simpler than this.

    hostile_worker.py DIRECTORY REAL [ARGUMENT…]

The plan is read anew by every process, so the plan of the day is that of the generation that starts now."""

import fcntl
import os
import signal
import socket
import struct
import sys
import termios


def say(data):
    """To the master, all of it, as far as it listens."""
    fd = int(os.environ["GRACEFULD_STATUS_FD"])
    os.set_blocking(fd, True)
    if isinstance(data, str):
        data = data.encode()
    try:
        while data:
            data = data[os.write(fd, data):]
    except BrokenPipeError:
        pass


def hello():
    say("hello 1 hostile 0.1\n")


def stay():
    """Until a signal ends it."""
    while True:
        signal.pause()


def orders():
    """The lines from the master."""
    fd = int(os.environ["GRACEFULD_CONTROL_FD"])
    os.set_blocking(fd, True)
    with os.fdopen(fd, encoding="ascii") as lines:
        for line in lines:
            yield line.rstrip("\n")


def polite():
    """Serves nothing, but keeps to the contract; the messages of days to come are to be ignored."""
    say("hello 1 polite 0.1\nfrobnicate 3 apples\nfrobnicate 4 apples\nre")
    say("ady\nstatus all is \xe4\xf6\xfc well\n")
    polite_end()


def polite_end():
    for order in orders():
        if order.startswith("drain "):
            say("drained finished=0 handed=0 cut=0\n")
        sys.exit(0)


def crash():
    os.kill(os.getpid(), signal.SIGSEGV)


def fail():
    hello()
    say("failed the database is \"gone\"\n")
    stay()


def hang():
    stay()


def hang_deaf():
    """Does not listen to SIGTERM either."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    stay()


def liar():
    """Says names that would be more than a name elsewhere, and counts what nobody has."""
    hello()
    say(b'upstream 0 x"}1\\n\xff\xfe\nupstream 1 \xc3\nupstream 2 <script>\n')
    os.pwrite(int(os.environ["GRACEFULD_STATS_FD"]), b"\xff" * 4096, 0)
    say("ready\n")
    polite_end()


def ready_then_deaf():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    hello()
    say("ready\n")
    stay()


def ready_then_crash():
    """Says that it is ready, and is gone before anyone can talk to it."""
    hello()
    say("ready\n")
    crash()


def first_crashes_once_ready():
    """The other one is not ready before the test opens the gate: however long the crash takes, the roll is under way."""
    if os.environ["GRACEFULD_SLOT"] == "0":
        ready_then_crash()
    gate()


def garbage():
    say(b"\x01\x02\xff\x1b[2J not a message\n")
    stay()


def no_message():
    say("What is this?\n")
    stay()


def flood():
    """A megabyte without a newline."""
    say(b"x" * (1 << 20))
    stay()


def chatter():
    """Serves nothing, and talks without pause."""
    say("hello 1 chatter 0.1\nready\n")
    while True:
        say("alive\n" * 600)


def close_status():
    os.close(int(os.environ["GRACEFULD_STATUS_FD"]))
    stay()


def ready_twice():
    hello()
    say("ready\nready\n")
    stay()


def drained_early():
    hello()
    say("ready\ndrained finished=0 handed=0 cut=0\n")
    stay()


def bad_drained():
    hello()
    say("ready\n")
    for order in orders():
        if order.startswith("drain "):
            say("drained finished=minus\n")
    stay()


def wrong_way():
    """A message that only the master may send."""
    hello()
    say("drain 10\n")
    stay()


def take_inbox():
    """Says that it is ready; the socket on which connections are offered, when the master passes it."""
    hello()
    say("ready\n")
    channel = socket.socket(fileno=int(os.environ["GRACEFULD_HANDOFF_FD"]))
    channel.setblocking(True)
    while True:
        line, fds, _, _ = socket.recv_fds(channel, 4096, 1)
        if line == b"inbox\n":
            inbox = socket.socket(fileno=fds[0])
            inbox.setblocking(True)
            return inbox


def answers(*ids):
    """The message that these have been adopted; without any, the greeting."""
    body = b"".join(struct.pack("<QH", number, 1) for number in ids)
    return b"gfho" + struct.pack("<HHII", 1, 2, len(ids), 16 + len(body)) + body


def heir(act):
    """Takes offers, does something else than to adopt them, and then leaves when told to."""
    inbox = take_inbox()
    inbox.send(answers())
    socket.recv_fds(inbox, 1 << 16, 253)
    result = "done"
    try:
        act(inbox)
    except OSError as error:
        result = type(error).__name__
    write_down("heir-", result)
    for _ in orders():
        say("drained finished=0 handed=0 cut=0\n")
        break


def wait_end(inbox):
    """Takes offers until the other side has given up."""
    while socket.recv_fds(inbox, 1 << 16, 253)[0]:
        pass


def silent_heir():
    heir(wait_end)


def late_heir():
    def act(inbox):
        wait_end(inbox)
        inbox.send(answers(1, 2, 3))
    heir(act)


def lying_heir():
    heir(lambda inbox: inbox.send(answers(1000000)))


def gate():
    """Goes on as the real worker when the test opens the gate."""
    with open(os.path.join(DIRECTORY, "gate"), "rb", buffering=0) as fifo:
        fifo.read()
    real()


def half_line():
    """Is in the middle of a line until the test opens the gate, and the master has read the first half."""
    hello()
    say("ready\nstatus half")
    fd = int(os.environ["GRACEFULD_STATUS_FD"])
    while struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, bytes(4)))[0]:
        os.sched_yield()
    with open(os.path.join(DIRECTORY, "gate"), "rb", buffering=0) as fifo:
        fifo.read()
    say(" and half\n")
    polite_end()


def report():
    """Writes down what it was born with (descriptors, variables, signals), and goes on as the real worker."""
    lines = []
    for name in sorted(os.listdir("/proc/self/fd"), key=int):
        try:
            lines.append(f"fd {name} {os.readlink('/proc/self/fd/' + name)}\n")
        except FileNotFoundError:
            pass  # of the listing itself
    lines += [f"env {name}={value}\n" for name, value in sorted(os.environ.items())]
    write_down("slot-", lines)
    with open("/proc/self/status", encoding="ascii") as file:
        masks = [line.split()[1] for line in file if line.startswith(("SigBlk", "SigIgn"))]
    write_down("signals-", " ".join(masks))
    real()


def write_down(prefix, lines):
    path = os.path.join(DIRECTORY, "out", prefix + os.environ["GRACEFULD_SLOT"])
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.writelines(lines)
    os.rename(path + ".new", path)  # whoever sees it sees all of it


def real():
    os.execv(REAL, [REAL, *ARGUMENTS])


def main():
    with open(os.path.join(DIRECTORY, "plan"), encoding="utf-8") as file:
        plan = file.read().split()[0]
    globals()[plan]()


DIRECTORY, REAL, *ARGUMENTS = sys.argv[1:]
main()
