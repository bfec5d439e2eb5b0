"""Clients of the service `echo` that know each byte which must come back: what is lost, doubled, swapped or late is seen."""

import random
import select
import threading
import time

from harness import DEADLINE, Client, Deadline

PATTERN = random.Random(1).randbytes(65521) * 2  # a prime, so that no two pieces of usual sizes are alike
PERIOD = len(PATTERN) // 2
WINDOW = 20000  # bytes that a client is ahead, unless told otherwise: now and then a worker has some of them unsent


class Stream:
    """One client. `lost` says how it ended, when it was not the client who ended it; `wrong`, what it got instead."""

    def __init__(self, address, number, window):
        self.sock = Client(address).sock
        self.sock.setblocking(False)
        self.start, self.window, self.sent, self.got = number * 7919, window, 0, 0
        self.lost = self.wrong = None

    def _piece(self, at, length):
        at = (self.start + at) % PERIOD
        return PATTERN[at:at + length]

    def push(self):
        room = self.window - (self.sent - self.got)
        if room > 0:
            self.sent += self.sock.send(self._piece(self.sent, room))

    def pull(self):
        data = self.sock.recv(PERIOD)
        if not data:
            self.lost = "closed"
        elif data != self._piece(self.got, len(data)):
            self.wrong = f"after {self.got} bytes, {len(data)} bytes"
        self.got += len(data)

    def work(self, events, sends):
        """Sends and receives what goes."""
        try:
            if events & ~select.EPOLLOUT:
                self.pull()
            if sends and not self.lost:
                self.push()
        except BlockingIOError:
            pass
        except OSError as error:
            self.lost = type(error).__name__

    def has_room(self):
        return self.sent - self.got < self.window

    def is_idle(self):
        return self.sent == self.got


class Streams:
    """Many of them, at full speed in a thread of their own."""

    def __init__(self, address, number, window=WINDOW):
        self.address, self.window = address, window
        self._made = 0
        self._lock = threading.Lock()
        self._sends, self._ends = True, False
        self._epoll = select.epoll()
        self.streams = {}
        self.bytes, self.wrong = 0, []
        self.add(number)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._ends = True
        self._thread.join()
        for stream in self.streams.values():
            stream.sock.close()
        self._epoll.close()

    def add(self, number):
        for _ in range(number):
            stream = Stream(self.address, self._made, self.window)
            self._made += 1
            with self._lock:
                self.streams[stream.sock.fileno()] = stream
                self._epoll.register(stream.sock, self._wanted(stream))

    def _wanted(self, stream):
        return select.EPOLLIN | (select.EPOLLOUT if self._sends and stream.has_room() else 0)

    def _run(self):
        while not self._ends:
            for fd, events in self._epoll.poll(0.1):
                with self._lock:
                    self._serve(self.streams.get(fd), fd, events)

    def _serve(self, stream, fd, events):
        if not stream:
            return
        got = stream.got
        stream.work(events, self._sends)
        self.bytes += stream.got - got
        if stream.wrong:
            self.wrong.append(stream.wrong)
        if stream.lost or stream.wrong:
            self._epoll.unregister(fd)
        else:
            self._epoll.modify(fd, self._wanted(stream))

    def _look_behind(self, fd, stream):
        """Behind the last byte there may be an end, which nobody has read yet."""
        if not stream.lost and not stream.wrong:
            self._serve(stream, fd, select.EPOLLIN)

    def living(self):
        with self._lock:
            return [stream for stream in self.streams.values() if not stream.lost]

    def forget_lost(self):
        """Closes those that were lost; how many there were."""
        with self._lock:
            lost = [fd for fd, stream in self.streams.items() if stream.lost]
            for fd in lost:
                self.streams.pop(fd).sock.close()
        return len(lost)

    def settle(self):
        """Sends no more until each byte that was sent has come back, or its connection has ended, and knows which have. None hangs, or this
        fails."""
        self._sends = False
        end = time.monotonic() + DEADLINE
        while waiting := [stream for stream in self.living() if not stream.is_idle() and not stream.wrong]:
            if time.monotonic() > end:
                raise Deadline(f"{len(waiting)} connections wait for bytes: {[(s.sent, s.got) for s in waiting[:5]]}")
            time.sleep(0.002)  # (looks again: nothing tells when the last byte came)
        with self._lock:
            for fd, stream in self.streams.items():
                self._look_behind(fd, stream)
        assert not self.wrong, self.wrong

    def resume(self):
        self._sends = True
        with self._lock:
            for fd, stream in self.streams.items():
                if not stream.lost and not stream.wrong:
                    self._epoll.modify(fd, self._wanted(stream))

    def check(self):
        """All bytes came back, none was lost."""
        self.settle()
        assert not [stream.lost for stream in self.streams.values() if stream.lost]
