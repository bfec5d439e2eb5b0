"""An endurance run: does what a plan says to a real daemon under load, and looks after each step whether all is as it has to be."""

import collections
import contextlib
import http.client
import json
import os
import re
import resource
import signal
import socket
import statistics
import threading
import time

import control
import harness
import load
import plan
import tally
from harness import DEADLINE, wait_until

START_LINE = re.compile(r"reload (\d+): started \((.*)\), (slot|generation) \d+$")
ERROR_LINE = re.compile(r"gracefuld(?:-worker)?\[\d+\] error: (.*)$")
LOST_LINES = re.compile(r"\d+ (?:messages?|lines?) .*lost")

# Lines of the level "error" that are right, by what was done.
RIGHT_ERRORS = {
    "rejected": re.compile(r"reload \d+: rejected: "),
    "failed": re.compile(r"reload \d+: reverted: |worker \d+ gen \d+ pid \d+: "),
}

NO_RESERVE = {"MALLOC_TRIM_THRESHOLD_": "0", "MALLOC_TOP_PAD_": "0"}  # the allocator keeps little of what was freed
MEMORY_GROWTH = 64  # kB that the master may have more in the middle of the last third than in that of the first

STREAMS, SLOW_STREAMS = 4, 2
MOST_STREAMS = 24
KEPT_STEPS = 12  # that are told on a failure


class Wrong(AssertionError):
    """Something is not as it has to be."""


def check(condition, *what):
    if not condition:
        raise Wrong(" ".join(str(each) for each in what))


def plain(text):
    """A file as far as it can be told from a running one: where something is included, that has an empty line."""
    return [line for line in text.splitlines() if line and not line.startswith("@include")]


class Gone(Wrong):
    """The daemon went away instead of answering."""


class Course:
    """One service, one seed."""

    def __init__(self, service, seed, directory, say=lambda text: None):
        self.service, self.directory, self.say = service, directory, say
        self.plan = plan.Plan(seed, service)
        self.done = collections.Counter()  # steps, by kind
        self.last_steps = collections.deque(maxlen=KEPT_STEPS)
        self.sums = collections.Counter()
        self.daemon = self.hammers = None
        self.log = ""
        self.settings = self.text = None
        self.hung = []  # control clients that keep still
        self.connects = 0  # of clients that are no hammers
        self.victims = 0  # workers killed in this round
        self.lost = 0  # connections of a crowd, in this round
        self.memory = []
        self.stack = contextlib.ExitStack()

    def __enter__(self):
        try:
            return self.begin()
        except BaseException:
            self.__exit__()
            raise

    def begin(self):
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
        self.names = {name: harness.free_port() for name in ("main", "second", "third", "metrics", "upstream", "busy")}
        self.names |= {name: os.path.join(self.directory, f"{name}.sock") for name in ("path", "other-path", "upstream-path")}
        self.names["root"] = os.path.join(self.directory, "root")
        os.mkdir(self.names["root"], 0o755)
        load.write_files(self.names["root"])
        for n in range(2):
            with open(os.path.join(self.directory, f"more{n}.conf"), "w", encoding="ascii") as file:
                file.write("# nothing more\n")
            os.chmod(file.name, 0o644)
        self.program = os.path.join(self.directory, "worker")
        busy = self.stack.enter_context(socket.socket())
        busy.bind(("127.0.0.1", self.names["busy"]))
        busy.listen()
        if self.service == "proxy":
            folder = os.path.join(self.directory, "upstream")
            os.mkdir(folder, 0o755)
            upstream = harness.Daemon(folder, harness.config(service={"type": "echo"}, listen=[
                {"port": self.names["upstream"]}, {"path": self.names["upstream-path"]}]))
            self.stack.callback(upstream.close)
            upstream.wait_ready()
        self.install_real()
        self.set_running(self.plan.settings, plan.text_of({"name": "the first file", "settings": self.plan.settings}, self.names))
        self.start_daemon()
        self.streams = self.stack.enter_context(load.Steady(load.stream_of(self.service)))
        return self

    def __exit__(self, *_):
        self.log = self.daemon.log.text() if self.daemon else ""
        if self.hammers:
            self.hammers.kill()
        self.let_go()
        try:
            self.stack.close()
        finally:
            if self.daemon:
                self.daemon.close()

    # -- the daemon

    def install_real(self):
        """Workers are of the real program from now on."""
        os.symlink(harness.WORKER, self.program + ".new")
        os.rename(self.program + ".new", self.program)

    def install_bad(self, way, slot):
        """New workers of one slot come to nothing from now on."""
        end = {"exit": "exit 3", "hang": "exec sleep 600", "rubbish": 'echo rubbish >&"$GRACEFULD_STATUS_FD"\nexec sleep 600'}[way]
        with open(self.program + ".new", "w", encoding="ascii") as file:
            file.write(f'#!/bin/bash\n[ "$1" != --check ] && [ "$GRACEFULD_SLOT" = {slot} ] || exec "{harness.WORKER}" "$@"\n{end}\n')
            os.fchmod(file.fileno(), 0o755)
        os.rename(self.program + ".new", self.program)

    def set_running(self, settings, text):
        """What is to run, with the number of workers that it says."""
        self.settings, self.wanted, self.text = settings, settings["workers"], text

    def start_daemon(self):
        self.daemon = harness.Daemon(self.directory, self.text, worker=self.program, env=NO_RESERVE)
        self.daemon.wait_ready()
        self.generation, self.counters, self.drift = 1, {}, None
        self.verdicts, self.restarts, self.scanned = {}, set(), self.daemon.mark()
        self.pids = {w["pid"] for w in self.status()["workers"]}
        self.ready = set(self.pids)
        self.begin_step(set())

    def restart_daemon(self, given):
        """Stop and start, without clients, but for some who stay and are cut by a second order."""
        self.counts = set()
        self.streams.close_all()
        wait_until(lambda: self.metrics()["gracefuld_connections_open"] == 0, "the clients have gone")
        getattr(self, "stop_by_" + given["how"].replace("-", "_"))()
        for name in ("main", "second", "third"):
            check(not self.answers(("127.0.0.1", self.names[name])), "still open after a stop:", name)
        self.scan(self.daemon.log.mark())
        self.daemon.close()
        self.daemon.write(self.text)
        self.set_running(self.settings, self.text)
        self.start_daemon()

    def wait_stopped(self, status=0):
        got = self.daemon.wait_exit()
        check(got == status, "the exit status of a stop is", got)

    def stop_by_ctl(self):
        status, out = control.ctl(self.daemon, "stop")
        check(status == 0, "gracefulctl stop:", out)
        self.wait_stopped()

    def stop_by_signal(self):
        """With clients who stay: a second signal cuts them."""
        clients = [harness.Client(self.names["main"]) for _ in range(3)]
        self.daemon.send(signal.SIGTERM)
        wait_until(lambda: self.daemon.process.poll() is not None or self.status()["state"] == "stopping", "it stops")
        self.daemon.send(signal.SIGINT)
        self.wait_stopped()
        for client in clients:
            client.end()
            client.close()

    def stop_by_in_roll(self):
        """Who has asked for a reload has an answer, or sees that the daemon has gone."""
        self.right |= {"rejected", "failed"}
        answers = [self.later("/v1/reload") for _ in range(2)]
        self.daemon.send(signal.SIGTERM)
        self.wait_stopped()
        for answer in answers:
            with contextlib.suppress(Gone):
                check(answer()["verdict"] in ("applied", "rejected", "reverted"), "no verdict")

    def stop_by_while_starting(self):
        self.stop_by_ctl()
        self.daemon.close()
        self.daemon = harness.Daemon(self.directory, self.text, worker=self.program, env=NO_RESERVE)
        self.daemon.wait_line("started: configuration")
        self.daemon.send(signal.SIGTERM)
        self.wait_stopped()
        self.scanned = 0

    def stop_by_kill(self):
        """Its workers see that, and go."""
        self.daemon.send(signal.SIGKILL)
        self.wait_stopped(-signal.SIGKILL)
        for pid in self.pids:
            harness.wait_gone(pid)
        harness.reap_orphans()

    def status(self):
        return control.get(self.daemon)

    def metrics(self):
        return control.metrics(control.socket_of(self.daemon))

    def running_text(self):
        """The file that runs, without the lines of those that it includes, which are told with where they come from."""
        own, lines = True, []
        for line in control.ask(control.socket_of(self.daemon), "/v1/config")[1].splitlines():
            if match := re.match(r"#line \d+ (.*)", line):
                own = match[1] == self.daemon.path
            elif own:
                lines.append(line)
        return plain("\n".join(lines))

    def order(self, path, body=None):
        """The answer to an order, as JSON, with its status."""
        status, text = control.ask(control.socket_of(self.daemon), path, "POST", json.dumps(body) if body else None)
        return {"status": status, **json.loads(text)}

    def later(self, path, body=None):
        """Begins an order; a function that waits for its answer."""
        found = []

        def run():
            try:
                found.append(self.order(path, body))
            except Exception as error:  # pylint: disable=broad-except
                found.append(error)
        thread = threading.Thread(target=run)
        thread.start()

        def answer():
            thread.join(DEADLINE * 2)
            check(found, "no answer to", path)
            if isinstance(found[0], (ConnectionError, FileNotFoundError, http.client.HTTPException)):
                raise Gone(f"{path}: {found[0]!r}") from found[0]
            if isinstance(found[0], Exception):
                raise Wrong(f"{path}: {found[0]!r}") from found[0]
            self.note_verdict(found[0])
            return found[0]
        return answer

    def reload(self):
        return self.later("/v1/reload")()

    def write(self, given):
        text = plan.text_of(given, self.names)
        self.daemon.write(text)
        return text

    # -- a round

    def run_round(self, a_round):
        self.violent, self.victims, self.lost = a_round.violent, 0, 0
        if a_round.restarts:
            self.step(plan.Step("stop-and-start", {"how": a_round.restarts}), self.restart_daemon)
        self.begin_load()
        for step in a_round.steps:
            self.step(step, getattr(self, "do_" + step.kind.replace("-", "_")))
        self.last_steps.append("(the end of the round)")
        self.end_load()

    def step(self, step, act):
        self.done[step.kind] += 1
        text = f"{sum(self.done.values())} {'violent' if self.violent else 'gentle'} {step.kind} {json.dumps(step.given)}"
        self.last_steps.append(text)
        began = time.monotonic()
        self.begin_step({self.wanted})
        act(step.given)
        self.settle()
        self.say(f"{time.monotonic() - began:6.2f} s  {text}")

    def begin_load(self):
        self.before, self.connects_before = self.metrics(), self.connects
        living = [self.streams.kinds[stream] for stream in self.streams.streams.values()]
        for slow, number in ((False, STREAMS), (True, SLOW_STREAMS)):
            self.add_streams(self.names["main"], max(0, number - living.count(slow)), slow)
        self.paused = False
        self.hammers = load.Hammers(self.service, self.names["main"])
        self.hammers.wait()

    def end_load(self):
        """All bytes have come back, and nobody has lost more than is right."""
        seen, self.hammers = self.hammers.end(), None
        self.streams.settle()
        lost = sum(map(load.losses, seen)) + self.lost
        hammered = [harness.load_text(figures) for figures in seen]
        ended = self.wait_tally()
        now = self.metrics()
        grown = {name: now[f"gracefuld_{name}_total"] - self.before[f"gracefuld_{name}_total"]
                 for name in ("connections", "connections_lost", "connections_cut", "connections_finished", "requests_lost")}
        made = sum(figures["connects"] for figures in seen) + self.connects - self.connects_before
        never = made - grown["connections"]  # that were not accepted, as far as it is counted
        counted = grown["connections_lost"] + grown["connections_cut"] + max(never, 0) + self.victims
        check(all(figures["inflight_at_end"] == 0 for figures in seen), "requests without an answer:", hammered)
        if self.violent:
            check(0 <= never <= self.victims, never, "connections were made and not accepted,", self.victims, "workers killed")
            check(lost + len(ended) <= counted, lost, "requests and", ended, "of streams lost; killed workers had", grown, hammered, [f["samples"] for f in seen])
        else:
            check(not lost and not ended, "lost in a round without kills:", ended, hammered, [figures["samples"] for figures in seen])
            check(not grown["connections_lost"] and not grown["connections_cut"], "counted as lost, without a kill:", grown)
            check(self.paused or not any(figures["syn_resent"] for figures in seen), "a SYN was dropped:", hammered)
            check(never == 0, grown["connections"], "connections were accepted,", made, "were made")
        self.check_balance(now)
        self.check_traces()
        self.sums += {"requests": sum(f["ok"] for f in seen), "lost": lost + len(ended), "kills": self.victims, "connections": grown["connections"]}
        self.streams.resume()

    def wait_tally(self):
        """Waits until the daemon has just those connections that the streams have. How those ended that did."""
        ended = []

        def tallies():
            ended.extend(self.streams.take_ended())
            return self.metrics()["gracefuld_connections_open"] == len(self.streams.streams)
        try:
            wait_until(tallies, "connections")
        except harness.Deadline as late:
            workers = self.status()["workers"]
            told = tally.compare(self.streams.described(), [w["pid"] for w in workers])
            raise Wrong(f"{len(self.streams.streams)} connections are left, and the daemon has {self.metrics()['gracefuld_connections_open']:.0f}:"
                        f" {workers}\n" + "\n".join(told)) from late
        return ended

    def check_balance(self, now):
        """Each connection that was accepted has ended in one of three ways, or is open."""
        total = {name: now[f"gracefuld_{name}"] for name in (
            "connections_total", "connections_finished_total", "connections_cut_total", "connections_lost_total", "connections_open")}
        drift = total["connections_total"] - sum(list(total.values())[1:])
        # (of a worker that is killed, one may not be counted yet; and what it was giving away is counted on both sides)
        if self.drift is not None and not self.violent:
            check(drift == self.drift, "accepted connections, and what became of them, do not balance:", drift, "was", self.drift, total)
        self.drift = drift

    def check_traces(self):
        """What the master has depends on its configuration alone."""
        self.let_go()
        status = self.status()
        sockets = sum(each["sockets"] for each in status["listeners"])
        workers = self.wanted
        right = collections.Counter({
            "socket": sockets + workers + 1 + bool(self.settings["metrics"]),  # to each worker a handoff channel; the control socket
            "pipe": 2 * workers + 4,  # (two are the log, two are libevent's)
            "/memfd:gracefuld-counters (deleted)": workers, "anon_inode:[pidfd]": workers, "/memfd:gracefuld-config (deleted)": 1,
            "/dev/null": 1, "anon_inode:[eventpoll]": 1, "anon_inode:[signalfd]": 1})
        found = []

        def as_it_should():
            found[:] = [collections.Counter(harness.descriptors(self.daemon.pid).values())]
            return found[0] == right
        try:
            wait_until(as_it_should, "descriptors")
        except harness.Deadline as late:
            raise Wrong(f"of the master's descriptors, there are {found[0] - right} too many, {right - found[0]} too few") from late
        self.memory.append(harness.anonymous_kb(self.daemon.pid))

    def check_memory(self):
        """
        Of the whole run: in the last third it is no more than in the first. What a heap keeps of what was freed depends on what happens
        to lie at its top, so a figure may stand out for a while; what grows is the middle.
        """
        third = len(self.memory) // 3
        if third < 3 or harness.is_sanitized():
            return
        first, last = statistics.median(self.memory[:third]), statistics.median(self.memory[-third:])
        check(last <= first + MEMORY_GROWTH, "the master's memory grows (kB):", self.memory)

    # -- after a step

    def begin_step(self, counts):
        """`counts`: numbers of workers that were or are wanted, as far as known."""
        self.counts, self.right, self.hidden = set(counts), set(), False

    def settle(self):
        """Waits until all is quiet, and looks at it."""
        self.install_real_if_bad()
        generation = self.wait_quiet()
        check(generation >= self.generation, "generation", generation, "after", self.generation)
        self.generation = generation
        now = self.metrics()
        # the log of what has been answered may still be in the pipe: this line is behind it
        since = self.daemon.mark()
        if not self.hidden:
            self.daemon.send(signal.SIGUSR1)
            self.daemon.wait_line(r"status: end$", since=since)
        self.scan(self.daemon.log.mark())
        self.check_counters(now)
        check(now["gracefuld_workers_wanted"] == self.wanted, "workers wanted:", now["gracefuld_workers_wanted"], "not", self.wanted)
        text = self.running_text()
        check(text == plain(self.text), "the configuration that runs is", text, "and should be", plain(self.text))
        self.check_addresses()

    def install_real_if_bad(self):
        if not os.path.islink(self.program):
            self.install_real()

    def wait_quiet(self):
        """As many workers as are wanted, all ready, of one generation; and no other process. Its number."""
        last = []

        def quiet():
            status = self.status()
            workers = [(w["slot"], w["state"], w["generation"]) for w in status["workers"]]
            children = {int(stat[0]): stat[1] for stat in self.children()}
            last[:] = status["state"], status["roll"], workers, children
            pids = {w["pid"] for w in status["workers"]}
            return (status["state"] == "running" and not status["roll"] and set(children) == pids and "Z" not in children.values()
                    and workers == [(n, "ready", status["generation"]) for n in range(self.wanted)]) and (status["generation"], pids)
        try:
            generation, pids = wait_until(quiet, "quiet")
        except harness.Deadline as late:
            raise Wrong(f"{self.wanted} workers, all ready, and nothing else: not within {DEADLINE} s; {last}") from late
        self.pids = pids
        return generation

    def children(self):
        """(pid, state) of the daemon's children, zombies too."""
        for name in os.listdir("/proc"):
            stat = harness.proc_stat(name) if name.isdigit() else None
            if stat and int(stat[1]) == self.daemon.pid:
                yield name, stat[0]

    def note_verdict(self, answer):
        if answer.get("id") and answer.get("verdict") and answer["status"] != 504:
            known = self.verdicts.setdefault(answer["id"], answer["verdict"])
            check(known == answer["verdict"], "reload", answer["id"], "was told as", known, "and", answer["verdict"])

    def scan(self, end):
        """What the log has said since the last time."""
        for line in self.daemon.log.lines[self.scanned:end]:
            if match := harness.STATE_LINE.search(line):
                self.scan_state(int(match[3]), match[5], line)
            elif match := START_LINE.search(line):
                if match[3] == "slot":
                    self.restarts.add(int(match[1]))
            elif match := harness.VERDICT_LINE.search(line):
                number, word = int(match[1]), match[2] or match[3]
                check((number, "line") not in self.verdicts, "a second verdict:", line)
                self.verdicts[number, "line"] = word
                check(self.verdicts.setdefault(number, word) == word, "another verdict than was answered:", line)
            if match := ERROR_LINE.search(line):
                check(any(RIGHT_ERRORS[each].match(match[1]) for each in self.right), "an error that nobody has provoked:", line)
            check(not harness.SANITIZER_LINE.search(line), line)
            check(not LOST_LINES.search(line), "the log has lost lines (this test reads too slowly):", line)
        self.scanned = end

    def scan_state(self, pid, state, line):
        if state == "ready":
            self.ready.add(pid)
            return
        self.ready.discard(pid)
        least = min(self.counts | {self.wanted})
        if not self.hidden and not self.violent and self.counts:
            check(len(self.ready) >= least, len(self.ready), "workers are ready, which should be", least, "at least:", line)

    def check_counters(self, now):
        totals = {name: value for name, value in now.items() if name.partition("{")[0].endswith("_total")}
        worse = {name: (value, totals.get(name)) for name, value in self.counters.items()
                 if not name.startswith("gracefuld_upstream") and not totals.get(name, -1) >= value}
        check(not worse, "counters went back:", worse)
        self.counters = totals
        for word in ("applied", "rejected", "reverted"):
            known = {id_ for id_, verdict in self.verdicts.items() if isinstance(id_, int) and verdict == word and id_ not in self.restarts}
            count = totals[f'gracefuld_reloads_total{{verdict="{word}"}}']
            check(count == len(known), f"reloads that were {word}: counted", count, "seen", len(known))

    # -- addresses

    def answers(self, address):
        """Whether somebody serves there, or nobody has it. Who serves has accepted this client, and seen it go, before this returns."""
        try:
            with harness.Client(address) as client:
                client.sock.shutdown(socket.SHUT_WR)
                client.end()
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        return True

    def addresses(self):
        """[(what to connect to, whether it is configured), …] of those that come and go."""
        listen = plan.real(self.settings["listen"], self.names)
        found = []
        for name in ("second", "third"):
            port = self.names[name]
            here = [each.get("address") for each in listen if each.get("port") == port]
            found.append((("127.0.0.1", port), None in here or "127.0.0.1" in here))
            found.append((("::1", port), None in here or "::1" in here))
        for name in ("path", "other-path"):
            found.append((self.names[name], any(each.get("path") == self.names[name] for each in listen)))
        return found

    def check_addresses(self):
        """Each one that is configured is served; the others are closed."""
        for address, configured in self.addresses():
            open_ = self.answers(address)
            self.connects += open_
            check(open_ == configured, address, "is open" if open_ else "is closed", "with", self.settings["listen"])
        open_ = self.answers(("127.0.0.1", self.names["metrics"]))
        check(open_ == bool(self.settings["metrics"]), "the address of the metrics: open is", open_)

    def some_address(self, number):
        """One of those that are served."""
        served = [self.names["main"], *(address for address, configured in self.addresses() if configured)]
        return served[number % len(served)]

    # -- clients

    def add_streams(self, address, number, slow):
        self.streams.add_at(address, number, slow)
        self.connects += number

    def do_streams(self, given):
        if len(self.streams.streams) < MOST_STREAMS:
            self.add_streams(self.some_address(given["where"]), given["number"], given["slow"])

    def do_come_and_go(self, given):
        for how in given["how"]:
            load.come_and_go(self.some_address(given["where"]), how, self.service)
            self.connects += 1

    def do_hang_control(self, given):
        self.let_go()
        request = "GET /v1/%s HTTP/1.1\r\nHost: x\r\n\r\n"
        sent = {"nothing": "", "half": (request % "status")[:15], "events": request % "events", "pipelined": request % "status" * 20}
        for how in given["how"]:
            sock = control.connect(control.socket_of(self.daemon))
            sock.sendall(sent[how].encode())
            self.hung.append(sock)

    def let_go(self):
        while self.hung:
            self.hung.pop().close()

    # -- orders

    def expect(self, answer, *verdicts):
        verdict = answer.get("verdict")
        check(verdict in verdicts, "the verdict is", verdict, "and should be", verdicts, answer)
        grows = verdict == "applied"
        check(answer["generation"] > self.generation if grows else answer["generation"] == self.generation,
              "generation", answer["generation"], "after", self.generation, answer)
        return verdict

    def do_reload(self, given):
        text = self.write(given)
        self.counts.add(given["settings"]["workers"])
        getattr(self, "reload_by_" + given.get("how", "post"))(text)
        self.set_running(given["settings"], text)

    def reload_by_post(self, _text):
        self.expect(self.reload(), "applied")

    def reload_by_ctl(self, _text):
        status, out = control.ctl(self.daemon, "reload")
        check(status == 0 and ": applied: " in out, "gracefulctl reload:", status, out)

    def reload_by_hup(self, text):
        self.daemon.hup()
        self.find_running({text: None, self.text: None})

    def reload_by_impatient(self, text):
        """Who has no time is told so, or the verdict; the reload goes on."""
        answer = self.later("/v1/reload", {"timeout_s": 0.01})()
        check(answer["status"] in (200, 504), "an impatient one was told", answer)
        self.find_running({text: None, self.text: None})

    def reload_by_twice(self, _text):
        """The second time nothing has changed."""
        self.expect(self.reload(), "applied")
        self.generation = self.status()["generation"]
        self.expect(self.later("/v1/reload", {"if_changed": True})(), "unchanged")

    def do_reject(self, given):
        self.right.add("rejected")
        self.write(given)
        answer = self.reload()
        self.expect(answer, "rejected")
        check(answer["problems"], "rejected without a reason:", answer)

    def do_revert(self, given):
        self.right |= {"failed"}
        settings = {**given["settings"], "roll": {"ready_timeout": 2}}
        self.write({**given, "settings": settings})
        self.counts.add(settings["workers"])
        slot = given["slot"] % settings["workers"]
        self.install_bad(given["way"], slot)
        self.expect(self.reload(), "reverted")

    def do_quiet_log(self, given):
        """What the log does not say is so all the same."""
        level, (first, second) = given["level"], given["files"]  # (the second has a log again)
        settings = {**first["settings"], "log": {"level": level}}
        self.counts = set()
        self.write({**first, "settings": settings})
        self.expect(self.reload(), "applied")
        self.generation = self.wait_quiet_of(settings)
        self.do_reload(second)
        self.counts = set()
        self.ready = {w["pid"] for w in self.status()["workers"]}

    def wait_quiet_of(self, settings):
        self.wanted = settings["workers"]
        return self.wait_quiet()

    def do_scale(self, given):
        self.counts.add(given["workers"])
        status, out = control.ctl(self.daemon, "scale", str(given["workers"]))
        check(status == 0, "gracefulctl scale:", out)
        self.wanted = given["workers"]

    def do_restart(self, given):
        slot = given["slot"] % self.wanted
        before = {w["slot"]: w["pid"] for w in self.status()["workers"]}[slot]
        status, out = control.ctl(self.daemon, "restart", str(slot))
        check(status == 0, "gracefulctl restart:", out)
        check(not harness.is_alive(before), "still there:", before)

    def do_more_or_fewer(self, given):
        for name in given["signals"]:
            wanted = max(1, self.wanted + {"TTIN": 1, "TTOU": -1}[name])
            self.counts.add(wanted)
            self.daemon.send(getattr(signal, "SIG" + name))
            wait_until(lambda wanted=wanted: self.metrics()["gracefuld_workers_wanted"] == wanted, f"{wanted} workers wanted")
            self.wanted = wanted
            self.wait_quiet()

    def do_status(self, _given):
        told = [line for line in self.daemon.status() if re.search(r"pid \d+", line)]
        check(len(told) >= self.wanted, "the status tells of", told)

    def do_reexec(self, _given):
        before = self.pids
        self.daemon.reexec()
        if not self.settings["recycle"]:
            check({w["pid"] for w in self.status()["workers"]} == before, "workers changed by a re-exec")

    def do_drain_upstream(self, given):
        name = self.names["upstream-path"]
        counter = f'gracefuld_upstream_connections_total{{upstream="{name}"}}'
        first, *more = given["files"]
        self.do_reload(first)
        check(self.order("/v1/upstreams/drain", {"name": name})["drained"] is True, "it is drained")
        wait_until(lambda: self.upstream_state(name) == "drained", "all workers know")
        had = self.metrics()[counter]
        for each in more:
            self.generation = self.wait_quiet()
            self.do_reload(each)
            victims = self.choose(given["victims"])
            if victims:
                self.hurt(victims, signal.SIGKILL)
                self.wait_left(victims)
        self.generation = self.wait_quiet()
        check(self.metrics()[counter] == had, self.metrics()[counter] - had, "connections went to an upstream that is drained")
        check(self.order("/v1/upstreams/enable", {"name": name})["drained"] is False, "it is enabled")

    def upstream_state(self, name):
        return next(each["state"] for each in control.get(self.daemon, "/v1/upstreams")["upstreams"] if each["name"] == name)

    # -- several at a time

    def do_overlap(self, given):
        before, answers, files = self.text, [], {self.text: self.settings}
        since = self.daemon.mark()
        last, tt = None, [0, 0]
        for order in given["orders"]:
            kind = order["kind"]
            if kind in (*plan.FILE_ORDERS, "reject"):
                text = self.write(order["file"])
                if kind == "reject":
                    self.right.add("rejected")
                else:
                    files[text] = order["file"]["settings"]
                    self.counts.add(order["file"]["settings"]["workers"])
                last = text
            elif kind == "scale":
                self.counts.add(order["number"])
            elif kind in ("more", "fewer"):
                tt[kind == "fewer"] += 1
                self.counts |= {max(1, count - tt[1]) for count in self.counts}
            answers.append(self.give(kind, order))
            time.sleep(order["pause"])
        self.take_answers(answers)
        if any(order["kind"] == "reexec" for order in given["orders"]):
            self.daemon.wait_reexec(since)
        text, wanted = self.find_running(files)
        if last in files and "failed" not in self.right:
            check(text == last, "after the last reload the file is", text[:40], "and should be", last[:40])
        allowed = {max(1, count + n) for count in self.counts for n in range(-tt[1], tt[0] + 1)}
        check(wanted in allowed, "workers wanted:", wanted, "not in", allowed)
        check(text == before or text != before and text in files, "an unknown file runs")
        self.set_running(files[text], text)
        self.wanted = wanted

    def give(self, kind, order):
        """Gives an order without waiting. A function that waits for the answer, or None."""
        if kind in ("post", "reject"):
            return self.later("/v1/reload")
        if kind == "ready":
            return self.later("/v1/reload", {"wait": "ready"})
        if kind == "ask-and-go":
            with control.posted(self.daemon, "/v1/reload"):
                return None
        if kind in ("kill", "terminate"):
            self.hurt(self.choose([order["number"]], "ready", "starting", "draining"), signal.SIGKILL if kind == "kill" else signal.SIGTERM)
            return None
        if kind == "scale":
            return self.later("/v1/scale", {"workers": order["number"]})
        if kind == "restart":
            return self.later("/v1/workers/0/restart")
        self.daemon.send({"hup": signal.SIGHUP, "more": signal.SIGTTIN, "fewer": signal.SIGTTOU, "reexec": signal.SIGUSR2}[kind])
        return None

    def take_answers(self, answers):
        """Each has one. In a round without kills nothing is reverted, and rejected only what was wrong."""
        right = ["applied", *(["rejected"] if "rejected" in self.right else []), *(["reverted"] if "failed" in self.right else [])]
        for answer in answers:
            if answer:
                got = answer()
                check(got.get("verdict") in right, "the verdict is", got.get("verdict"), "and should be", right, got)

    def find_running(self, files):
        """Waits until nothing is under way; which of these files runs, and how many workers are wanted."""
        def idle():
            status = self.status()
            return status["state"] == "running" and not status["roll"]
        wait_until(idle, "no reload under way")
        text = self.running_text()
        found = [each for each in files if plain(each) == text]
        check(found, "the file that runs is none of those that were written:", text)
        return found[0], int(self.metrics()["gracefuld_workers_wanted"])

    # -- violence

    def choose(self, numbers, *states):
        """Workers of these states, or those that are ready: {pid: connections}."""
        workers = [w for w in self.status()["workers"] if w["state"] in (states or ["ready"])]
        chosen = [workers[number % len(workers)] for number in numbers if workers]
        return {w["pid"]: w["connections"] for w in chosen}

    def signal_workers(self, pids, number):
        """To those that are still the daemon's children: no other process has that number then."""
        hit = 0
        for pid in pids:
            stat = harness.proc_stat(pid)
            if stat and int(stat[1]) == self.daemon.pid:
                os.kill(pid, number)
                hit += 1
        return hit

    def hurt(self, pids, number):
        self.right.add("failed")
        self.victims += self.signal_workers(pids, number)

    def wait_left(self, pids):
        for pid in pids:
            wait_until(lambda pid=pid: not harness.is_alive(pid), f"{pid} has gone")

    def do_pause(self, given):
        victims = self.choose(given["victims"])
        self.paused = True
        text = self.write(given["file"]) if given["file"] else None
        self.signal_workers(victims, signal.SIGSTOP)
        answer = self.later("/v1/reload") if text else None
        time.sleep(given["seconds"])
        self.signal_workers(victims, signal.SIGCONT)
        if answer:
            settings = given["file"]["settings"]
            self.counts.add(settings["workers"])
            self.expect(answer(), "applied")
            self.set_running(settings, text)

    def do_pause_in_roll(self, given):
        text = self.write(given)
        self.paused = True
        self.counts.add(given["settings"]["workers"])
        answer = self.later("/v1/reload")
        time.sleep(given["pause"])
        victims = self.choose(given["victims"], "ready", "starting", "draining")
        self.signal_workers(victims, signal.SIGSTOP)
        time.sleep(given["seconds"])
        self.signal_workers(victims, signal.SIGCONT)
        self.expect(answer(), "applied")
        self.set_running(given["settings"], text)

    def do_pause_master(self, given):
        text = self.write(given)
        self.counts.add(given["settings"]["workers"])
        self.daemon.hup()
        time.sleep(given["pause"])
        self.daemon.send(signal.SIGSTOP)
        time.sleep(given["seconds"])
        self.daemon.send(signal.SIGCONT)
        self.find_running({text: None, self.text: None})
        self.set_running(given["settings"], text)

    def do_lose_path(self, given):
        first, second = given["files"]
        self.do_reload(first)
        self.generation = self.wait_quiet()
        os.unlink(self.names["path"])
        if given["how"] == "replace":
            with socket.socket(socket.AF_UNIX) as stale:
                stale.bind(self.names["path"])
        self.do_reload(second)

    def do_storm(self, given):
        before = {self.text: self.settings}
        self.daemon.write(self.text)
        more, fewer = (sum(name == each for name, _ in given["signals"]) for each in ("TTIN", "TTOU"))
        start = {self.wanted, self.settings["workers"]}  # a reload of the file takes a scale back
        self.counts |= set(range(max(1, min(start) - fewer), max(start) + more + 1))
        since = self.daemon.mark()
        for name, pause in given["signals"]:
            self.daemon.send(getattr(signal, "SIG" + name))
            time.sleep(pause)
        if any(name == "USR2" for name, _ in given["signals"]):
            self.daemon.wait_reexec(since)
        _, wanted = self.find_running(before)
        check(wanted in self.counts, "workers wanted:", wanted, "not in", self.counts)
        self.wanted = wanted

    def do_crowd(self, given):
        first, *more = given["files"]
        self.do_reload(first)
        self.generation = self.wait_quiet()
        crowd = load.Crowd(self.names["main"], given["number"], self.service)
        self.connects += given["number"]
        try:
            for each in more:
                crowd.ask()
                self.crowded_reload(each, given)
                crowd.take_answers()
            self.lost += crowd.lost
        finally:
            crowd.leave()
        wait_until(lambda: self.metrics()["gracefuld_connections_open"] < given["number"], "the crowd has gone")

    def crowded_reload(self, each, given):
        """While a worker stands still or dies."""
        text = self.write(each)
        self.counts.add(each["settings"]["workers"])
        answer = self.later("/v1/reload")
        time.sleep(given["pause"])
        victims = self.choose(given["victims"], "ready", "starting", "draining") if given["how"] else []
        if given["how"] == "kill":
            self.hurt(victims, signal.SIGKILL)
        elif given["how"] == "stop":
            self.paused = True
            self.signal_workers(victims, signal.SIGSTOP)
            time.sleep(given["seconds"])
            self.signal_workers(victims, signal.SIGCONT)
        if self.expect(answer(), *(["applied", "reverted"] if given["how"] == "kill" else ["applied"])) == "applied":
            self.set_running(each["settings"], text)
        self.generation = self.wait_quiet()

    def do_few_descriptors(self, given):
        """The reload may be applied or not, but the daemon goes on, and the next one is applied."""
        first, second, last = given["files"]
        self.do_reload(first)
        self.generation = self.wait_quiet()
        self.right |= {"rejected", "failed"}
        text = self.write(second)
        limits = resource.prlimit(self.daemon.pid, resource.RLIMIT_NOFILE)
        used = len(harness.descriptors(self.daemon.pid))
        self.daemon.hup()
        resource.prlimit(self.daemon.pid, resource.RLIMIT_NOFILE, (used + given["room"], limits[1]))
        time.sleep(given["seconds"])
        resource.prlimit(self.daemon.pid, resource.RLIMIT_NOFILE, limits)
        files = {text: second["settings"], self.text: self.settings}
        text, _ = self.find_running(files)
        self.set_running(files[text], text)
        self.generation = self.status()["generation"]
        self.do_reload(last)

    def do_narrow(self, given):
        first, second = given["files"]
        self.write(first)
        self.expect(self.reload(), "applied")
        self.generation = self.status()["generation"]
        self.do_reload(second)

    def do_keep(self, given):
        """(That of one worker that fails is not the only verdict: who is recycled meanwhile may be one more.)"""
        self.right.add("failed")
        first, second = given["files"]
        self.write(first)
        self.install_bad(given["way"], given["slot"] % first["settings"]["workers"])
        self.expect(self.reload(), "reverted")
        self.install_real()
        self.do_reload(second)

    def do_kill(self, given):
        lost = self.metrics()["gracefuld_connections_lost_total"]
        victims = self.choose(given["victims"])
        self.hurt(victims, signal.SIGKILL)
        self.wait_left(victims)
        self.wait_quiet()
        lost = self.metrics()["gracefuld_connections_lost_total"] - lost
        if not self.settings["recycle"]:
            held = sum(victims.values()) + load.Hammers.NEW + load.Hammers.LASTING  # (some may have come just now)
            check(lost <= held, lost, "connections are counted as lost, the killed workers had", held)

    def do_kill_in_roll(self, given):
        text = self.write(given)
        answer = self.later("/v1/reload")
        time.sleep(given["pause"])
        self.hurt(self.choose(given["victims"], "ready", "starting", "draining", "stopping"), signal.SIGKILL)
        if self.expect(answer(), "applied", "reverted") == "applied":
            self.set_running(given["settings"], text)

    def do_hang(self, given):
        self.do_reload(given)
        victims = self.choose(given["victims"])
        self.hurt(victims, signal.SIGSTOP)
        self.wait_left(victims)

    def do_terminate(self, given):
        victims = self.choose(given["victims"])
        self.hurt(victims, signal.SIGTERM)
        self.wait_left(victims)

    def do_cut(self, given):
        self.do_reload(given)
        self.expect(self.reload(), "applied")

    # -- the story

    def summary(self):
        kinds = ", ".join(f"{n} {kind}" for kind, n in sorted(self.done.items()))
        sums = ", ".join(f"{n:.0f} {what}" for what, n in self.sums.items())
        return f"{sum(self.done.values())} steps ({kinds}); {sums}; memory {self.memory[0]} -> {self.memory[-1]} kB"

    def story(self):
        """What is to be known of a failure."""
        steps = "\n".join(self.last_steps)
        return (f"--- log of the daemon\n{self.log}\n--- the last steps\n{steps}\n--- to repeat it\n"
                f"tests/endurance/run --service {self.service} --seed {self.plan.seed} --steps {sum(self.done.values())}")


def run_course(course, has_ended):
    """Round after round, until it is to end; then what concerns the whole."""
    harness.become_subreaper()
    with course:
        for a_round in course.plan.rounds():
            course.run_round(a_round)
            if has_ended():
                break
        course.check_memory()
