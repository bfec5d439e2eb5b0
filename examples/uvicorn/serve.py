#!/usr/bin/python3
"""uvicorn as a worker of gracefuld: all sockets of LISTEN_FDS, and an end that loses nothing. (Its own closes connections at once that
have been accepted, but have not sent a request yet, or are about to send the next one.)"""

import asyncio
import os
import socket
import sys

import uvicorn

IDLE_GRACE = 1  # seconds


class Server(uvicorn.Server):
    async def startup(self, sockets=None):
        await super().startup(sockets)
        if not self.should_exit:
            os.write(int(os.environ["GRACEFULD_STATUS_FD"]), b"hello 1 uvicorn 1.0\nready\n")

    async def shutdown(self, sockets=None):
        """Who has been accepted gets an answer, which says that it is the last one; who sends no request has a while to do so."""
        for server in self.servers:
            server.close()
        loop = asyncio.get_running_loop()
        end = loop.time() + IDLE_GRACE
        await asyncio.sleep(0.05)  # those that have been accepted just now are among the connections after that
        for connection in self.server_state.connections:
            connection.default_headers = [*connection.default_headers, (b"connection", b"close")]
        while self.server_state.connections and loop.time() < end:
            await asyncio.sleep(0.05)
        await super().shutdown(sockets)


sockets = [socket.socket(fileno=3 + n) for n in range(int(os.environ["LISTEN_FDS"]))]
Server(uvicorn.Config(sys.argv[1], log_level="warning", timeout_keep_alive=75)).run(sockets)
