#!/usr/bin/python3
"""A program that gracefuld hosts: answers "hello world" to whatever a client sends, on all sockets that it was given.

    hosted_program.py READY DRAIN [PLAN [ARGUMENT]]

READY: how it says that it is ready: pipe, notify, silent. DRAIN: by what it drains: pipe, or the name of a signal. PLAN: what it does
besides, one of the functions at the end."""

import os
import selectors
import signal
import socket
import sys
import threading
import time


def say(text):
    os.write(int(os.environ["GRACEFULD_STATUS_FD"]), text.encode())


def notify(text):
    address = os.environ["NOTIFY_SOCKET"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.connect("\0" + address[1:] if address[0] == "@" else address)
        sock.send(text.encode())


class Server:
    def __init__(self):
        self.selector = selectors.DefaultSelector()
        self.listeners = [socket.socket(fileno=3 + n) for n in range(int(os.environ["LISTEN_FDS"]))]
        self.connections = set()
        self.draining = False
        for listener in self.listeners:
            listener.setblocking(False)
            self.selector.register(listener, selectors.EVENT_READ, self.accept)
        self.wake, waker = os.pipe()
        os.set_blocking(waker, False)
        signal.set_wakeup_fd(waker)
        self.selector.register(self.wake, selectors.EVENT_READ, lambda _: os.read(self.wake, 4096))

    def accept(self, listener):
        try:
            connection, _ = listener.accept()
        except OSError:
            return  # another one was faster, or a drain has begun just now
        connection.setblocking(False)
        self.connections.add(connection)
        self.selector.register(connection, selectors.EVENT_READ, self.answer)

    def answer(self, connection):
        try:
            data = connection.recv(4096)
            if data:
                connection.send(b"hello world")
        except ConnectionError:
            data = b""
        if not data:
            self.selector.unregister(connection)
            self.connections.discard(connection)
            connection.close()

    def drain(self, *_):
        if self.draining:
            return
        self.draining = True
        for listener in self.listeners:
            self.selector.unregister(listener)
            listener.close()

    def hear(self, control):
        """A line from the master, or its end."""
        os.read(control, 4096)
        self.selector.unregister(control)
        self.drain()

    def run(self):
        while not self.draining or self.connections:
            for key, _ in self.selector.select():
                key.data(key.fileobj)


def serve(ready, drain):
    server = Server()
    if drain == "pipe":
        control = int(os.environ["GRACEFULD_CONTROL_FD"])
        server.selector.register(control, selectors.EVENT_READ, server.hear)
    else:
        signal.signal(getattr(signal, drain), server.drain)
    if ready == "pipe":
        say("hello 1 hosted 0.1\nready\n")
    elif ready == "notify":
        notify("READY=1\nSTATUS=at your service")
    server.run()


# -- plans: True when it is to serve after that

def report(path):
    """Writes down what it was born with."""
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(f"pid={os.getpid()}\ngroup={os.getpgrp()}\nsession={os.getsid(0)}\ncwd={os.getcwd()}\n")
        file.writelines(f"{name}={value}\n" for name, value in os.environ.items())
    os.rename(path + ".new", path)
    return True


def exit_soon():
    time.sleep(0.05)
    raise RuntimeError("the database is gone")


def exit_quietly():
    sys.exit(3)


def never_ready():
    print("waiting for the database", flush=True)
    while True:
        signal.pause()


def late(gate, way):
    """Waits, and then accepts: by accept(2), one after the other, or as always."""
    print("at the gate", flush=True)
    with open(gate, "rb") as file:
        file.read()
    listener = socket.socket(fileno=3)
    while way == "accept":
        with listener.accept()[0] as connection:
            while connection.recv(4096):
                connection.send(b"hello world")
    listener.detach()
    return True


def deaf():
    Server.drain = lambda *_: None
    return True


def children(path):
    """One in its group, one in a session of its own, and there one whose parent is that one: all would stay for ever."""
    reader, writer = os.pipe()
    pids = []
    with os.fdopen(reader, encoding="ascii") as lines:
        for leave in (False, True):
            if os.fork() == 0:
                if leave:
                    os.setsid()
                    os.fork()
                os.write(writer, b"%d\n" % os.getpid())  # it is where it should be
                while True:
                    signal.pause()
            pids += [lines.readline().strip() for _ in range(2 if leave else 1)]
    with open(path + ".new", "w", encoding="ascii") as file:
        file.write(" ".join(pids))
    os.rename(path + ".new", path)
    return True


def orphans():
    """Leaves children behind that end at once, again and again: somebody has to reap them."""
    for _ in range(20):
        if os.fork() == 0:
            if os.fork() == 0:
                time.sleep(0.01)
            os._exit(0)
        os.wait()
    return True


def close_pipes():
    for name in ("GRACEFULD_CONTROL_FD", "GRACEFULD_STATUS_FD", "GRACEFULD_STATS_FD"):
        os.close(int(os.environ[name]))
    for fd in (0, 1, 2):
        os.close(fd)
    return True


def close_pipes_and_stay():
    close_pipes()
    while True:
        signal.pause()


def flood():
    """As fast as it is taken."""
    line = b"x" * 99 + b"\n"

    def write():
        while True:
            os.write(1, line * 600)
    threading.Thread(target=write, daemon=True).start()
    return True


def count(lines):
    """So many lines, numbered, and then a long one, one that is not whole, and bytes of all kinds."""
    for n in range(int(lines)):
        os.write(1, f"line {n}\n".encode())
    os.write(2, b"long " + b"y" * 5000 + b"\n")
    os.write(1, b"\x1b[31mred\xff \xc3\xa4\tx\n<3>an error\n\0\0nul\0s\0\nin ")
    os.write(1, b"pieces\nand no end")
    sys.exit(4)


def output_by_name():
    """As many do that log into a file, and are given one of these names."""
    for name in ("stdout", "stderr"):
        with open(f"/dev/{name}", "w", encoding="ascii") as file:
            file.write(f"this is {name}\n")
    return True


def stop_by_itself():
    notify("READY=1")
    notify("STOPPING=1")
    return True


def extend():
    """Needs longer than it has, and says so."""
    for _ in range(3):
        notify("EXTEND_TIMEOUT_USEC=10000000")
        time.sleep(1.1)
    return True


def go_into_background():
    """As a daemon of old does."""
    if os.fork():
        os._exit(0)
    os.setsid()
    signal.pause()


def stop_itself():
    os.kill(os.getpid(), signal.SIGSTOP)
    return True


def leave_once_ready():
    """Says that it is, and is gone."""
    notify("READY=1")
    sys.exit(0)


def talk_nonsense():
    """It is ready; what follows is no text, and comes without pause."""
    notify("READY=1")

    def talk():
        address = b"\0" + os.environb[b"NOTIFY_SOCKET"][1:]
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        sock.connect(address)
        while True:
            sock.send(b"\xff\0\x1b=\n\n=STATUS=\nSTATUS=\xc3\x28\nREADY\nEXTEND_TIMEOUT_USEC=99999999999999999999")
    threading.Thread(target=talk, daemon=True).start()
    return True


def silent_heart():
    """Gives signs of life, but for so long only."""
    def beat():
        for _ in range(10):
            notify("WATCHDOG=1")
            time.sleep(0.1)
    threading.Thread(target=beat, daemon=True).start()
    return True


def helper_says():
    """A child of a child, in a session of its own, says that it is ready."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            notify("READY=1")
            while True:
                signal.pause()
        os.wait()
    return True


def main():
    ready, drain, *plan = sys.argv[1:]
    if not plan or globals()[plan[0]](*plan[1:]):
        serve(ready, drain)


main()
