"""Each call of the master and of its workers may fail: nothing crashes, leaks, hangs or lies, and others lose nothing by it.

Of some thousand faults that there are, a run makes some, the same each time; all of them with GRACEFULD_FAULTS_ALL=1 (tests/faults/run --all)."""

import os
import random

import faults
import harness
import pytest

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


@pytest.mark.parametrize("service", ("hello", "echo", "http", "proxy"))
def test_any_call_may_fail(service, figure):
    campaign = faults.Campaign(service)
    campaign.record(harness.free_port())
    injections = selected(campaign.injections(), service)
    campaign.run(injections, [harness.free_port() for _ in range(AT_A_TIME)])
    tell(campaign, injections, figure)
    broken = [r for r in campaign.results if r.failure]
    for r in broken[:20]:
        print(f"{r.injection if r.injection.site else 'later'}: {r.failure}\n{r.log}\n")
    assert not broken, "\n".join(f"{r.injection if r.injection.site else 'later'}: {r.failure}" for r in broken)
