"""A terminal as gracefulctl uses it: runs the program on it, reads what it writes, and knows what is to be seen."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

DEADLINE = 60

PAGE_END = "\x1b[J"
SEQUENCE = re.compile(r"\x1b\[(\d*(?:;\d+)*)([A-Za-z])")


class Terminal:
    def __init__(self, arguments, rows=24, columns=80, **environment):
        self.rows, self.columns = rows, columns
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        env = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR", "LC_ALL")}
        env.update({"TERM": "xterm-256color", "LC_ALL": "C.UTF-8", **environment})
        # a shell that runs the tests in the background lets them ignore SIGINT, which would be inherited
        take_interrupts = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
        self.process = subprocess.Popen(arguments, stdin=slave, stdout=slave, stderr=slave, env=env, preexec_fn=take_interrupts)
        os.close(slave)
        self.master = master
        self.raw = ""
        self.pending = b""

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)

    def read(self, end):
        """Some more of the output; False at its end."""
        if not select.select([self.master], [], [], max(0, end - time.monotonic()))[0]:
            raise AssertionError(f"no more output in {DEADLINE} s, but for {self.raw!r}")
        try:
            data = os.read(self.master, 65536)
        except OSError:  # EIO: the program has ended
            data = b""
        self.pending += data
        whole = self.pending.decode(errors="ignore")  # a character may be cut in two
        self.raw += whole
        self.pending = self.pending[len(whole.encode()):]
        return bool(data)

    def wait_for(self, text):
        """Until this stands on the screen."""
        self.wait_match(re.escape(text))

    def wait_match(self, pattern):
        """Until a line on the screen has it."""
        end = time.monotonic() + DEADLINE
        while not any(re.search(pattern, line) for line in self.screen()):
            assert self.read(end), f"ended without {pattern!r}: {self.raw!r}"

    def wait_page(self, text):
        """Until this stands on a page that is drawn to its end; the page's lines. Of the next one some may be there already: a
        terminal passes on what it has, line by line, and what is not drawn over yet is still the page before."""
        end = time.monotonic() + DEADLINE
        while not any(text in line for line in self.page()):
            assert self.read(end), f"ended without {text!r}: {self.raw!r}"
        return self.page()

    def page(self):
        """The lines of the last page that was drawn to its end."""
        return self.screen(self.raw[:self.raw.rfind(PAGE_END) + len(PAGE_END)] if PAGE_END in self.raw else "")

    def wait_raw(self, text, count=1):
        """Until the program has written this so many times."""
        end = time.monotonic() + DEADLINE
        while self.raw.count(text) < count:
            assert self.read(end), f"ended without {text!r}: {self.raw!r}"

    def finish(self):
        """Until the program has ended; its exit status."""
        end = time.monotonic() + DEADLINE
        while self.read(end):
            pass
        return self.process.wait(DEADLINE)

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)
        return self.finish()

    def screen(self, raw=None):
        """The lines from the top, after all output or the given part of it. Lines are as long as they were written: a real
        terminal would wrap them."""
        lines, row, column, text = [""], 0, 0, self.raw if raw is None else raw
        while text:
            sequence = SEQUENCE.match(text)
            if sequence:
                lines, row, column = self.obey(sequence, lines, row, column)
                text = text[sequence.end():]
                continue
            character, text = text[0], text[1:]
            if character == "\r":
                column = 0
            elif character == "\n":
                row += 1
                lines += [""] * (row + 1 - len(lines))
            elif character == "\x1b":
                assert re.fullmatch(r"(\[[\d;]*)?", text), f"what is ESC {text[:10]!r}?"
                break  # the rest of it is still to come
            else:
                assert character >= " ", f"control character {character!r}"
                lines[row] = lines[row][:column].ljust(column) + character + lines[row][column + 1:]
                column += 1
        return lines

    @staticmethod
    def obey(sequence, lines, row, column):
        command = sequence[1] + sequence[2]
        if command == "K":
            lines[row] = lines[row][:column]
        elif command == "H":
            row = column = 0
        elif command == "2J":
            lines = [""]
        elif command == "J":
            lines = lines[:row] + [lines[row][:column]]
        else:
            assert sequence[2] == "m", f"what is ESC [ {command}?"
        return lines, row, column

    def longest(self):
        """Columns of the longest line."""
        return max(len(line) for line in self.screen())
