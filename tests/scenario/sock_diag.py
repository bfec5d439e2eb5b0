"""Whose TCP sockets are, and how: the kernel's word, by sock_diag(7). /proc/net/tcp has all that were closed in the last minute too; beside a test
that puts on load, to read it takes tenths of a second."""

import collections
import contextlib
import errno
import os
import socket
import struct

STATES = ("", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "CLOSE", "CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING")

# linux/netlink.h, linux/sock_diag.h, linux/inet_diag.h
NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY = 4, 20
NLM_F_REQUEST, NLM_F_DUMP = 0x1, 0x300
NLMSG_ERROR, NLMSG_DONE = 2, 3
HEADER, REQUEST = struct.Struct("=IHHII"), struct.Struct("=BBBxI")
KEEPALIVE_TIMER = 2  # net/ipv4/inet_diag.c
ANY_COOKIE = struct.pack("=III", 0, 0xFFFFFFFF, 0xFFFFFFFF)  # by no interface in particular
STATE, TIMER, PORTS, INODE = (16 + 1, struct.Struct("=B")), (16 + 2, struct.Struct("=B")), (16 + 4, struct.Struct(">HH")), (16 + 68, struct.Struct("=I"))


def _answers(family, states=~0, which=bytes(48), flags=NLM_F_DUMP):
    """((port, peer's port), state, timer, inode) of each socket asked for."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_SOCK_DIAG) as kernel:
        request = REQUEST.pack(family, socket.IPPROTO_TCP, 0, states & 0xFFFFFFFF) + which
        kernel.send(HEADER.pack(HEADER.size + len(request), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | flags, 0, 0) + request)
        while True:
            answer, at = kernel.recv(2**20), 0
            while at < len(answer):
                length, kind = HEADER.unpack_from(answer, at)[:2]
                if kind == NLMSG_DONE:
                    return
                if kind == NLMSG_ERROR:
                    error = -struct.unpack_from("=i", answer, at + HEADER.size)[0]
                    if error == errno.ENOENT:  # the one that was asked for is not there
                        return
                    raise OSError(error, os.strerror(error))
                if kind == SOCK_DIAG_BY_FAMILY:
                    state, timer, ports, inode = (shape.unpack_from(answer, at + offset) for offset, shape in (STATE, TIMER, PORTS, INODE))
                    yield ports, state[0], timer[0], inode[0]
                at += length
            if flags != NLM_F_DUMP:
                return


def _name(inode):
    """As in /proc/PID/fd. A socket that is nobody's yet, or no more, has none."""
    return f"socket:[{inode}]" if inode else None


def tcp_sockets(*states):
    """{(port, peer's port): (state, name)}, of those in one of these STATES, or of all."""
    mask = sum(1 << STATES.index(state) for state in states) or ~0
    return {ports: (STATES[state], _name(inode)) for family in (socket.AF_INET, socket.AF_INET6) for ports, state, _, inode in _answers(family, mask)}


def holders_of(pids):
    """{what: [which of these processes have it open, …]}, by the names in /proc/PID/fd."""
    found = collections.defaultdict(list)
    for pid in pids:
        for name in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(FileNotFoundError):
                found[os.readlink(f"/proc/{pid}/fd/{name}")].append(pid)
    return found


def ports_at_server(sock):
    """The key of the server's end of a client's connection in tcp_sockets."""
    return sock.getpeername()[1], sock.getsockname()[1]


def _server_end(sock):
    """Timer and inode of the server's end; None: there is none."""
    ends = [socket.inet_pton(sock.family, end[0]).ljust(16, b"\0") for end in (sock.getpeername(), sock.getsockname())]
    which = struct.pack(">HH", *ports_at_server(sock)) + b"".join(ends) + ANY_COOKIE
    # (where there is no such connection any more, the listening socket is found)
    return next(((timer, inode) for ports, _, timer, inode in _answers(sock.family, which=which, flags=0) if ports == ports_at_server(sock)), None)


def server_has_keepalive(sock):
    """Has the socket at the other end of this one a keep-alive timer?"""
    end = _server_end(sock)
    assert end, "there is no such socket"
    return end[0] == KEEPALIVE_TIMER


def server_pids(clients, pids):
    """For each client, which of these processes holds the server's end."""
    ends, holders = [_server_end(c.sock) for c in clients], holders_of(pids)
    names = [_name(end[1]) if end else None for end in ends]
    return [holders[name][-1] if name in holders else None for name in names]
