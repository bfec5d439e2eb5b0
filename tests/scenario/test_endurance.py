"""A short endurance run of each service, of a fixed seed and length; and that such a run can fail. tests/endurance/run makes longer ones."""

import contextlib
import functools
import itertools
import os
import select
import signal
import socket
import subprocess
import sys

import pytest

from harness import DEADLINE, TOP, Client, Log, children_of, scaled, wait_until
from sock_diag import ports_at_server

sys.path.insert(0, os.path.join(TOP, "tests/endurance"))

import course as courses  # noqa: E402 pylint: disable=wrong-import-position
import load  # noqa: E402 pylint: disable=wrong-import-position
import tally  # noqa: E402 pylint: disable=wrong-import-position
from course import Course, Wrong, run_course  # noqa: E402 pylint: disable=wrong-import-position
from plan import SERVICES, Plan, Round, Step  # noqa: E402 pylint: disable=wrong-import-position

SEED = 1
STEPS = scaled(27, least=18)  # three rounds, of which the second is a violent one


def run(course, has_ended):
    try:
        run_course(course, has_ended)
    except Exception:
        print(course.story())
        raise


@pytest.mark.parametrize("service", SERVICES)
def test_nobody_notices_random_operations(service, directory, figure):
    course = Course(service, SEED, directory)
    run(course, lambda: sum(course.done.values()) >= STEPS)
    figure(course.summary())


@pytest.mark.parametrize("service", SERVICES)
def test_seed_tells_the_list(service):
    first, second, other = (list(itertools.islice(Plan(seed, service).rounds(), 50)) for seed in (5, 5, 6))
    assert first == second != other
    assert {step.kind for a_round in first for step in a_round.steps} > {"reload", "reject", "overlap", "kill", "reexec"}


def test_loss_is_seen(directory):
    """What is right in a violent round is wrong in a gentle one."""
    course = Course("echo", SEED, directory)
    course.plan.rounds = lambda: iter([Round(1, False, None, [Step("kill", {"victims": [0]})])])
    with pytest.raises(Wrong, match="workers are ready|lost in a round without kills|counted as lost"):
        run_course(course, lambda: True)


def test_wrong_byte_is_seen(directory):
    """Not only that something comes back."""
    course = Course("echo", SEED, directory)

    def spoil(_given):
        course.streams.spoil()
    course.do_spoil = spoil
    course.plan.rounds = lambda: iter([Round(1, False, None, [Step("spoil", {})])])
    with pytest.raises(AssertionError, match="after [0-9]+ bytes"):
        run_course(course, lambda: True)


class Seldom(load.Steady):
    """Looks at its streams so seldom that what has come is mostly unread."""

    PACE = 1


def test_end_behind_the_last_byte_is_seen():
    """A stream that has had all its replies and has ended is none that is left: a worker that is killed may have had nothing to do."""
    with socket.create_server(("127.0.0.1", 0)) as server, Seldom(load.stream_of("http")) as streams:
        streams.add_at(server.getsockname(), 1, True)
        server.accept()[0].close()
        streams.settle()
        assert streams.take_ended() == ["closed"]


def test_tally_tells_whose_connections_they_are():
    with socket.create_server(("127.0.0.1", 0)) as server, Client(server.getsockname()) as ours:
        first = server.accept()[0]
        with first, Client(server.getsockname()) as stranger:
            second = server.accept()[0]
            with second, Client(server.getsockname()) as waiting:
                told = tally.compare([(ours.sock, "one"), (waiting.sock, "another")], [os.getpid()])
                assert len(told) == 3, told
                assert f"{waiting.sock.getsockname()} of" in told[0] and "another: it is ESTABLISHED, the other end ESTABLISHED, held by nobody" in told[0]
                assert f"[{os.getpid()}] have one at {'%d, ESTABLISHED, of a client at %d' % ports_at_server(stranger.sock)}" in told[1]


def test_wrong_number_of_connections_is_seen(directory, monkeypatch):
    course = Course("echo", SEED, directory)
    others = []
    course.do_intrude = lambda _given: others.append(Client(course.names["main"]))

    def wait_tally():
        with monkeypatch.context() as patch:  # it stays wrong, so there is no need to wait for long
            patch.setattr(courses, "wait_until", functools.partial(wait_until, timeout=0.1))
            Course.wait_tally(course)
    course.wait_tally = wait_tally
    course.plan.rounds = lambda: iter([Round(1, False, None, [Step("intrude", {})])])
    try:
        with pytest.raises(Wrong, match="6 connections are left, and the daemon has 7: (?s:.*)of a client at [0-9]+, ESTABLISHED"):
            run_course(course, lambda: True)
    finally:
        others[0].close()


def family_of(pid):
    """Its children, theirs, and so on."""
    return [each for child in children_of(pid) for each in (child, *family_of(child))]


def watch(pids):
    """Descriptors for those that are there still."""
    found = []
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            found.append(os.pidfd_open(pid))
    return found


@pytest.mark.parametrize("number, line", [(signal.SIGTERM, "echo: seed 1$"), (signal.SIGINT, " s  1 gentle")])
def test_signal_ends_all(number, line):
    """Before there is anything, or in the middle of it."""
    before = set(children_of(os.getpid()))
    reader, writer = os.pipe2(os.O_CLOEXEC)
    with subprocess.Popen([os.path.join(TOP, "tests/endurance/run"), "--service", "echo", "--seed", "1", "--verbose"],
                          stdin=subprocess.DEVNULL, stdout=writer) as process:
        os.close(writer)
        log = Log(os.fdopen(reader, "rb"))
        try:
            log.wait(line)
            watched = watch(family_of(process.pid))
        finally:
            process.send_signal(number)
        assert process.wait(DEADLINE) == 128 + number
        log.wait_end()
    for pidfd in watched:
        assert select.select([pidfd], [], [], 0)[0], "one is still there"
        os.close(pidfd)
    assert watched and set(children_of(os.getpid())) == before
