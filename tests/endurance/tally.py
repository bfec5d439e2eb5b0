"""Whose the connections are, when a daemon has another number of them than its clients have."""

import socket

import sock_diag


def _unserved(clients, sockets, holders):
    """Those of whom not just one of the processes has the other end. (They know how they got on; the kernel, whose the ends are.)"""
    for sock, known in clients:
        there = sock_diag.ports_at_server(sock)
        state, name = sockets.get(there, ("gone", None))
        held = holders.get(name, [])
        if len(held) != 1:
            here = sockets.get(there[::-1], ("gone", None))[0]
            yield f"{sock.getsockname()} of {sock.getpeername()}, {known}: it is {here}, the other end {state}, held by {held or 'nobody'}"


def _strangers(clients, sockets, holders):
    """Connections to an address that is served which are none of these clients'."""
    known = {sock_diag.ports_at_server(sock) for sock, _ in clients}
    served = {port for (port, _), (state, _) in sockets.items() if state == "LISTEN"}
    for (port, peer), (state, name) in sockets.items():
        if name in holders and port in served and state != "LISTEN" and (port, peer) not in known:
            yield f"{holders[name]} have one at {port}, {state}, of a client at {peer}, {sockets.get((peer, port), ('gone', None))[0]}"


def compare(clients, pids):
    """Lines. `clients`: [(socket, what is known of it), …]; `pids`: of the workers. (Of UNIX sockets /proc does not say whose they are.)"""
    ours = [(sock, known) for sock, known in clients if sock.family != socket.AF_UNIX]
    sockets, holders = sock_diag.tcp_sockets(), sock_diag.holders_of(pids)
    return [*_unserved(ours, sockets, holders), *_strangers(ours, sockets, holders), f"{len(clients) - len(ours)} are at UNIX sockets"]
