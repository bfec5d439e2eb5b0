#!/usr/bin/python3
"""An HTTP server with nothing but Python's asyncio, as a worker of gracefuld: sockets from LISTEN_FDS, ready on the status pipe, drain
by the control pipe."""

import asyncio
import errno
import os
import socket

SLOT, GENERATION = os.environ["GRACEFULD_SLOT"], os.environ["GRACEFULD_GENERATION"]
IDLE_GRACE = 1  # seconds
EARLY_PAUSE = 0.01


class Site:
    def __init__(self, listeners):
        self.loop = asyncio.get_running_loop()
        self.listeners = listeners
        self.draining = False
        self.idle = set()     # connections that have had an answer, and wait for the next request
        self.served = set()   # tasks, one for each connection
        for listener in listeners:
            listener.setblocking(False)
            self.watch(listener)

    def watch(self, listener):
        if not self.draining:
            self.loop.add_reader(listener, self.accept, listener)

    def accept(self, listener):
        """(asyncio.start_server would have connections under way that nobody knows when it is closed.)"""
        try:
            connection, _ = listener.accept()
        except OSError as error:
            # another worker was faster; or the address is a new one, and listens when the reload that brings it is committed
            if error.errno == errno.EINVAL:
                self.loop.remove_reader(listener)
                self.loop.call_later(EARLY_PAUSE, self.watch, listener)
            return
        connection.setblocking(False)
        task = self.loop.create_task(self.serve(connection))
        self.served.add(task)
        task.add_done_callback(self.served.discard)

    async def serve(self, connection):
        reader, writer = await asyncio.open_connection(sock=connection)
        try:
            # who has just come may have sent a request already: it gets its answer, whatever happens
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
            while await self.answer(writer, keep=b"connection: close" not in head.lower()):
                self.idle.add(writer)
                head = await reader.readuntil(b"\r\n\r\n")
                self.idle.discard(writer)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.TimeoutError, ConnectionError):
            pass
        finally:
            self.idle.discard(writer)
            writer.close()

    async def answer(self, writer, keep):
        body = f"hello world from slot {SLOT}, generation {GENERATION}\n".encode()
        keep = keep and not self.draining
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: %s\r\n\r\n%s" %
                     (len(body), b"keep-alive" if keep else b"close", body))
        await writer.drain()
        return keep

    async def drain(self):
        """What waits for its answer gets it. Busy connections end with their next answer, idle ones a second later: a request that is
        just on its way to a connection that is closed at once would be lost."""
        self.draining = True
        for listener in self.listeners:
            self.loop.remove_reader(listener)
        self.loop.call_later(IDLE_GRACE, lambda: [writer.close() for writer in self.idle])
        await asyncio.gather(*self.served, return_exceptions=True)


async def main():
    loop, told = asyncio.get_running_loop(), asyncio.Event()
    site = Site([socket.socket(fileno=3 + n) for n in range(int(os.environ["LISTEN_FDS"]))])
    loop.add_reader(int(os.environ["GRACEFULD_CONTROL_FD"]), told.set)  # a line, or the end of the master
    os.write(int(os.environ["GRACEFULD_STATUS_FD"]), b"hello 1 asyncio 1.0\nready\n")
    await told.wait()
    loop.remove_reader(int(os.environ["GRACEFULD_CONTROL_FD"]))
    await site.drain()


asyncio.run(main())
