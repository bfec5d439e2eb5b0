#!/usr/bin/python3
"""An HTTP server with nothing but Python's asyncio, as a worker of gracefuld: sockets from LISTEN_FDS, ready on the status pipe, drain
by the control pipe."""

import asyncio
import os
import socket

SLOT, GENERATION = os.environ["GRACEFULD_SLOT"], os.environ["GRACEFULD_GENERATION"]


class Site:
    def __init__(self):
        self.draining = False
        self.idle = set()     # connections that have had an answer, and wait for the next request
        self.served = set()   # tasks, one for each connection

    async def serve(self, reader, writer):
        task = asyncio.current_task()
        self.served.add(task)
        task.add_done_callback(self.served.discard)
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

    async def drain(self, servers):
        """What waits for its answer gets it, idle connections are closed."""
        self.draining = True
        for server in servers:
            server.close()
        for writer in list(self.idle):
            writer.close()
        await asyncio.gather(*self.served, return_exceptions=True)


async def main():
    site, loop, told = Site(), asyncio.get_running_loop(), asyncio.Event()
    sockets = [socket.socket(fileno=3 + n) for n in range(int(os.environ["LISTEN_FDS"]))]
    servers = [await asyncio.start_server(site.serve, sock=sock) for sock in sockets]
    loop.add_reader(int(os.environ["GRACEFULD_CONTROL_FD"]), told.set)  # a line, or the end of the master
    os.write(int(os.environ["GRACEFULD_STATUS_FD"]), b"hello 1 asyncio 1.0\nready\n")
    await told.wait()
    loop.remove_reader(int(os.environ["GRACEFULD_CONTROL_FD"]))
    await site.drain(servers)


asyncio.run(main())
