"""A worker that runs out of descriptors."""

import time

from harness import Client, config, cpu_ticks
from sock_diag import server_pids

OPEN_FILES = 64


def test_worker_without_descriptors_waits_and_recovers(start, port, figure):
    """Both workers are filled up; one is given air again. The full one must not burn the processor, the other serves."""
    daemon = start(config(port, workers=2, limits={"open_files": OPEN_FILES}))
    full, other = (w.pid for w in daemon.workers("ready"))
    clients = [Client(port).send() for _ in range(4 * OPEN_FILES)]
    daemon.wait_line(rf"gracefuld-worker\[{full}\] warning: cannot accept connections")
    daemon.wait_line(rf"gracefuld-worker\[{other}\] warning: cannot accept connections")

    served = {full: [], other: [], None: []}
    for client, pid in zip(clients, server_pids(clients, [full, other])):
        served[pid].append(client)
    figure(f"of {len(clients)} connections {len(served[full])} and {len(served[other])} are served, "
           f"{len(served[None])} wait")
    assert served[None] and 0 < len(served[full]) < OPEN_FILES

    # A pause of a second, in which nothing can happen but spinning.
    waiting, before = served[None][0], cpu_ticks(full)
    assert waiting.silent(1)
    spent = cpu_ticks(full) - before
    figure(f"{spent * 10} ms of processor time in 1 s without descriptors")
    assert spent <= 10

    for client in served[other]:
        client.close()
    begun = time.monotonic()
    for client in served[full]:
        client.close()
    for client in served[None]:
        assert client.receive() == b"hello world"
        client.close()
    figure(f"all who waited were served {(time.monotonic() - begun) * 1000:.0f} ms after descriptors came free")
    complaints = daemon.log.find(rf"gracefuld-worker\[{full}\] warning: cannot accept connections")
    assert len(complaints) <= 10, "said once, not for every connection"


def test_reload_while_a_worker_has_no_descriptors(start, port):
    daemon = start(config(port, workers=1, drain_timeout=600, limits={"open_files": OPEN_FILES}))
    old = daemon.worker(0).pid
    clients = [Client(port).send() for _ in range(2 * OPEN_FILES)]
    daemon.wait_line(rf"gracefuld-worker\[{old}\] warning: cannot accept connections")
    since = daemon.mark()
    daemon.write(config(port, workers=1, drain_timeout=600))
    daemon.hup()
    for client in clients:
        assert client.receive() == b"hello world", "the new worker serves those who waited"
        client.close()
    assert daemon.wait_verdict(since).word == "applied"
