"""Each call of the master and of its workers may fail: nothing crashes, leaks, hangs or lies, and others lose nothing by it.

Of some thousand faults that there are, a run makes some, the same each time; all of them with GRACEFULD_FAULTS_ALL=1 (tests/faults/run --all)."""

import os
import random
import re

import faults
import harness
import pytest

pytestmark = pytest.mark.skipif(harness.is_sanitized(), reason="AddressSanitizer has its own functions in place of the C library's")

ALL = os.environ.get("GRACEFULD_FAULTS_ALL") == "1"
SOME = 160 if harness.LOAD >= 1 else 20  # of each service
AT_A_TIME = max(2, os.cpu_count() or 2)


def selected(injections, service):
    """All, or some of them: of each phase and kind of process in proportion, by chance, but always the same."""
    if ALL or len(injections) <= SOME:
        return injections
    return random.Random(service).sample(injections, SOME)


def tell(campaign, injections, figure):
    """The figures: what there was, what was made, what came of it."""
    everything = campaign.injections()
    sites = campaign.sites.values()
    figure(f"{len(sites)} call sites, {sum(bool(faults.faults_of(site)) for site in sites)} of which can fail, in {len(everything)} ways; "
           f"{len(injections)} tried")
    for reason, n in campaign.excused.items():
        figure(f"{n} not done: {reason}")
    for line in faults.table(campaign.results):
        figure(line)
    missed = [str(r.injection) for r in campaign.results if r.injection.site and not r.made]
    if missed:
        figure(f"{len(missed)} were not reached:")
    for text in missed:
        figure(f"  {text}")


def check(campaign, injections, figure):
    """Makes them, tells the figures, and fails where something did not hold."""
    campaign.run(injections, [harness.free_port() for _ in range(AT_A_TIME)])
    tell(campaign, injections, figure)
    broken = [r for r in campaign.results if r.failure]
    for r in broken[:20]:
        print(f"{r.injection if r.injection.site else 'later'}: {r.failure}\n{r.log}\n")
    assert not broken, "\n".join(f"{r.injection if r.injection.site else 'later'}: {r.failure}" for r in broken)


@pytest.mark.parametrize("service", ("hello", "echo", "http", "proxy"))
def test_any_call_may_fail(service, figure):
    campaign = faults.Campaign(service)
    campaign.record(harness.free_port())
    injections = selected(campaign.injections(), service)
    check(campaign, injections, figure)


# Each was found by the test above, and is made in every run. (Pattern of what is made to fail; the phases.)
BROKEN_ONCE = (
    # the daemon said that it served, and had no worker at all
    r"^ENOMEM from master: \w+( in \S+)? by slot_new .*\(start",
    r"^ENOMEM from master: realloc by make_slots .*\(start",
    # a listening socket that no worker looked at: its clients waited for ever
    r"^ENOMEM from worker: \w+( in \S+)? by (acceptor_update|follow_flags) .*\(start",
    # without a way out, all connections of a worker stayed until drain_timeout cut them
    r"^ENOMEM from worker: \w+( in \S+)? by (outbox|inbox)_new .*\((grow|shrink)",
    r"^(ENOMEM|ENOBUFS|TRUNCATED) from worker: (send|recv)msg .*\((grow|shrink)",
    r"^(EMFILE|ENOMEM|ENOBUFS) from master: (socketpair|sendmsg) .*\((grow|shrink)",
    # a worker that was not told to drain, since a signal had come
    r"^EINTR from master: write by \S+ worker_orders\.c.*\((grow|shrink)",
    # what libconfig may take is asked for before, since it ends the process when it gets none
    r"^ENOMEM from master: mmap by \S+ tree\.c.*\(",
    # a control socket that could not be looked at was taken for gone, and given up
    r"^ENOMEM from master: lstat by \S+ unix_socket\.c.*\((grow|shrink)",
    # a daemon that nobody could ask said that it was ready
    r"^ENOMEM from master: \w+( in \S+)? by \S+ gate\.c.*\(start",
)


def test_what_was_broken_once(figure):
    campaign = faults.Campaign("echo")
    campaign.record(harness.free_port())
    injections = []
    for pattern in BROKEN_ONCE:
        found = [one for one in campaign.injections() if re.search(pattern, str(one))]
        assert found, f"nothing is {pattern}"
        injections += found
    check(campaign, injections, figure)
