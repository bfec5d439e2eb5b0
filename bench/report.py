"""Tables and plots of a run: printed as they come, and for the parts that are published also a section each of RESULTS.md."""

import datetime
import os
import re
import sys
import time

from measure import machine, others_busy

BUSY = 0.05  # of the machine, by others: from there on figures are not to be published


class Report:
    """What a part of the benchmark is given: how thoroughly to measure, and where the results go."""

    def __init__(self, folder, quick, rounds):
        self.folder, self.quick, self.rounds = folder, quick, rounds
        self._section = None
        self._busy = []
        self._begun = time.monotonic()

    # a section of RESULTS.md

    def begin(self, part, title):
        """What follows, until `end`, goes to the section of this part."""
        self._part, self._section, self._busy = part, [f"## {title}", ""], []
        self.look_around()

    def look_around(self):
        """Others may be at work on this machine. Then the section says so."""
        self._busy.append(others_busy())

    def end(self):
        """Writes the section, in place of an earlier one."""
        how = " --quick" if self.quick else f" --rounds {self.rounds}"
        head = [f"`script/bench{how} {self._part}`, {datetime.date.today()}: {machine()}."]
        if self.quick:
            head += ["", "**A smoke run: too short for its figures to mean anything.**"]
        if max(self._busy) > BUSY:
            head += ["", f"**Not for publication: up to {max(self._busy):.0%} of the machine was in use by others.**"]
        lines = [*self._section[:2], *head, "", *self._section[2:]]
        write_section(os.path.join(self.folder, "RESULTS.md"), self._part, "\n".join(lines).rstrip() + "\n")
        self._section = None

    def progress(self, text):
        """What is being measured."""
        print(f"[{time.monotonic() - self._begun:4.0f} s] {text}", file=sys.stderr, flush=True)

    # what goes into it

    def table(self, title, head, rows):
        """Rows of anything, right-aligned below their headings but for the first column."""
        cells = [[str(cell) for cell in row] for row in (head, *rows)]
        widths = [max(map(len, column)) for column in zip(*cells)]
        print(f"\n{title}\n")
        for n, row in enumerate(cells):
            print("  ".join([row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))]))
            if n == 0:
                print("  ".join("-" * width for width in widths))
        sys.stdout.flush()
        if self._section is not None:
            bars = ["| " + " | ".join(row) + " |" for row in cells]
            self._section += [f"**{title}**", "", bars[0], "|---" + "|---:" * (len(head) - 1) + "|", *bars[1:], ""]

    def text(self, paragraph):
        print(f"\n{paragraph}")
        if self._section is not None:
            self._section += [paragraph, ""]

    def plot(self, name, alt, draw, *args):
        """`draw(path, *args)` makes an SVG. Without matplotlib there is none, which is said."""
        if self._section is None:
            return
        try:
            draw(os.path.join(self.folder, name), *args)
        except ModuleNotFoundError as missing:
            self.text(f"No plot {name}: {missing} (Debian's python3-matplotlib).")
            return
        except Exception as reason:  # what was measured is not to be lost with a plot
            self.text(f"No plot {name}: {type(reason).__name__}: {reason}")
            return
        self._section += [f"![{alt}]({name})", ""]


PREAMBLE = """# Results

Written by `script/bench`; each section says by which command, and on what. Figures are the median of all rounds, with the least and the
most in brackets where they differ. doc/benchmarks.md says what is measured, and how.

"""


def write_section(path, part, text):
    """Replaces the part's section in a file of several, or puts it at the end."""
    before = PREAMBLE
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            before = file.read()
    marked = f"<!-- {part} -->\n{text}<!-- /{part} -->\n"
    found = re.compile(rf"<!-- {part} -->\n.*?<!-- /{part} -->\n", re.DOTALL)
    # (a function, since a text may hold backslashes)
    after = found.sub(lambda _: marked, before) if found.search(before) else before.rstrip("\n") + "\n\n" + marked
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(after)
    os.rename(path + ".new", path)
