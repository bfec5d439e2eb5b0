"""A short endurance run of each service, of a fixed seed and length; and that such a run can fail. tests/endurance/run makes longer ones."""

import itertools
import os
import sys

import pytest

from harness import TOP, scaled

sys.path.insert(0, os.path.join(TOP, "tests/endurance"))

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
