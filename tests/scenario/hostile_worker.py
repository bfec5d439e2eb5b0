#!/usr/bin/python3
"""A worker that does what DIRECTORY/plan says: "PLAN", or "PLAN SLOT" for that slot only; all else is the real program's.

    hostile_worker.py DIRECTORY REAL [ARGUMENT…]

The plan is read anew by every process, so the plan of the day is that of the generation that starts now."""

import fcntl
import os
import signal
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


def exit_0():
    sys.exit(0)


def exit_1():
    sys.exit(1)


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
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(lines)


def real():
    os.execv(REAL, [REAL, *ARGUMENTS])


def main():
    """Is this a worker at all, and does the plan mean it?"""
    if "GRACEFULD_STATUS_FD" not in os.environ:
        real()
    with open(os.path.join(DIRECTORY, "plan"), encoding="utf-8") as file:
        plan, *slot = file.read().split()
    if slot and slot[0] != os.environ["GRACEFULD_SLOT"]:
        real()
    globals()[plan]()


DIRECTORY, REAL, *ARGUMENTS = sys.argv[1:]
main()
