#!/usr/bin/python3
"""What a reload, a worker and a request cost, as tables; and beside others.

    bench.py [--quick] [--rounds N] [--output DIR] [PART…]

The programs are those of build/, or of the environment (see tests/scenario/harness.py)."""

import argparse
import importlib
import os
import signal
import sys
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(HERE)
sys.path[:0] = [HERE, os.path.join(TOP, "tests/scenario")]

from report import Report  # noqa: E402  (found by the line above)

PARTS = ("roll", "reexec", "memory", "cpu", "control", "http", "handoff", "proxy", "hosted", "peers", "growth")


def options():
    parser = argparse.ArgumentParser(prog="script/bench", description="Measures. Without a part: all of them.")
    parser.add_argument("part", nargs="*", metavar="PART", help=f"one of: {', '.join(PARTS)}")
    parser.add_argument("--quick", action="store_true", help="a smoke run, whose figures mean nothing")
    parser.add_argument("--rounds", type=int, help="peers, growth: how often everything is measured (3)")
    parser.add_argument("--output", metavar="DIR", help="for RESULTS.md and its plots (bench/, of a smoke run build/bench/)")
    given = parser.parse_args()
    if unknown := set(given.part) - set(PARTS):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are: {', '.join(PARTS)}")
    if given.rounds is not None and given.rounds < 1:
        parser.error("--rounds: at least 1")
    return given


def run_part(part, report):
    """A part's QUICK names its constants that are less in a smoke run."""
    if report.quick:
        vars(part).update(getattr(part, "QUICK", {}))
    part.run(report)


def main():
    given = options()
    # who ends us ends what we have started, too
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("script/bench: ended"))
    folder = given.output or (os.path.join(TOP, "build/bench") if given.quick else HERE)
    os.makedirs(folder, exist_ok=True)
    report = Report(folder, given.quick, given.rounds or (1 if given.quick else 3))
    failed = []
    for name in given.part or PARTS:
        begun = time.monotonic()
        try:
            run_part(importlib.import_module(f"parts.{name}"), report)
        except Exception as reason:  # the other parts are to be measured
            failed.append(name)
            print(f"\n{name}: failed: {reason or type(reason).__name__}", file=sys.stderr)
        print(f"\n{name}: {time.monotonic() - begun:.0f} s", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
