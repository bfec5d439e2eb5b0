"""What is done to a daemon in an endurance run: a list without end, which is the same for each seed.

Nothing here looks at the daemon or at the clock. A plan names ports and files by words ("@main"), workers by chance numbers;
course.py makes real ones of them. A round is "gentle", in which no client may notice anything, or "violent": workers are killed, hang,
or have too little time, and their connections may be lost, but no other ones."""

import collections
import random

import harness

Round = collections.namedtuple("Round", "number violent restarts steps")
Step = collections.namedtuple("Step", "kind given")

STEPS = 8  # in a round
FILE_ORDERS = ("post", "hup", "ask-and-go", "ready")  # those that want a valid file to be taken up

SERVICES = ("echo", "http", "proxy")
# Each of them serves clients that connect to 127.0.0.1 on the main port.
MAIN = ({"port": "@main"}, {"address": "127.0.0.1", "port": "@main"}, {"address": "0.0.0.0", "port": "@main"},
        {"port": "@main", "backlog": 300})
EXTRA = ({"port": "@second"}, {"address": "127.0.0.1", "port": "@second"}, {"address": "127.0.0.1", "port": "@third"},
         {"address": "::1", "port": "@third"}, {"path": "@path"}, {"path": "@path", "mode": "0666"}, {"path": "@other-path"})

# What is wrong with a file: lines that are put in front of one that is right. Each is an error, whatever follows.
WRONG = (
    "workers = \"many\";", "workers = 0;", "workers = 100000;", "drain_timeout = ( 1 );", "drain_timeout = \"5 parsecs\";",
    "wrokers = 3;", "roll : { parallel = 0; };", "roll : { paralell = 2; };", "hang_timeout = -1;", "metrics = \"nonsense\";",
    "@include \"nowhere.conf\"", "log : { level = \"loud\"; };", "service : { type = \"carpet\"; };", "port = 123456;",
    "listen = ( { port = 1; path = \"/both\"; } );", "user = \"nobody-of-this-name\";", "limits : { open_files = \"few\"; };",
    "recycle = 5;", "}", "workers == 3;", "\"", "@@", "control : { mode = \"rwx\"; };", "roll : ( 1, 2",
)


class Plan:
    """Rounds for one service."""

    def __init__(self, seed, service):
        self.random = random.Random(f"{service} {seed}")
        self.seed, self.service = seed, service
        self.settings = self._quiet()
        self.written = 0

    def rounds(self):
        number = 0
        while True:
            number += 1
            violent = number % 3 == 2
            restarts = self._choice("ctl", "ctl", "signal", "in-roll", "while-starting", "kill") if number > 1 and self._chance(0.3) else None
            steps = [self._step(violent) for _ in range(STEPS)]
            # what may go on in the background has an end, so that all can be looked at
            self.settings = self._quiet()
            yield Round(number, violent, restarts, [*steps, Step("reload", self._file())])

    # chance

    def _chance(self, probability):
        return self.random.random() < probability

    def _choice(self, *values):
        return self.random.choice(values)

    # configurations

    def _quiet(self):
        """The settings between two rounds: nothing happens by itself, and no time limit is short."""
        return {
            "workers": self._choice(1, 2, 4, 7), "drain_timeout": 60, "service": self._service(), "restart": self._restart(),
            "roll": None, "recycle": None, "hang_timeout": None, "limits": None, "metrics": None, "lame_duck": None, "log": None,
            "listen": [self._choice(*MAIN)], "control": None,
        }

    def _restart(self):
        return {"delay": 0.01, "max_delay": self._choice(0.02, 0.1), "stable": self._choice(0, 0.2)}

    def _service(self, violent=False):
        return {"echo": lambda: {"type": "echo"}, "http": lambda: self._http(violent), "proxy": self._proxy}[self.service]()

    def _http(self, violent):
        """(Who has all its replies may be ended after idle_grace, where an heir stands still for so long that it is given up: longer than
        that none does in a gentle round.)"""
        return {"type": "http", "root": "@root", "access_log": self._chance(0.2), "idle_timeout": self._choice(300, 600),
                "header_timeout": self._choice(300, 600), "send_timeout": self._choice(300, 600), "keepalive_requests": self._choice(50, 100000),
                "max_header": self._choice("4KiB", "8KiB"), "idle_grace": self._choice(0.1, 5) if violent else 5}

    def _proxy(self):
        first = {"address": "127.0.0.1", "port": "@upstream", "weight": self._choice(1, 5)}
        second = {"path": "@upstream-path", "weight": self._choice(1, 3), "backup": self._chance(0.2)}
        third = {"address": "::1", "port": "@upstream"}
        return {"type": "proxy", "upstreams": [first, *(each for each in (second, third) if self._chance(0.5))],
                "balance": self._choice("round-robin", "least-connections", "source"), "connect_timeout": self._choice(60, 120),
                "health": {"interval": self._choice(0.5, 1, 10), "timeout": 60, "fall": self._choice(2, 3)}}

    def _listen(self):
        extra = self.random.sample(EXTRA, self._choice(0, 1, 1, 2, 3))
        ports = {(each.get("port"), each.get("address"), each.get("path")): each for each in extra}
        listen = [self._choice(*MAIN), *ports.values()]
        self.random.shuffle(listen)
        return listen

    def _change(self, violent):
        """Another value for a few options, from now on."""
        changes = {
            "workers": lambda: self.random.randint(1, 8),
            "drain_timeout": lambda: self._choice(0.3, 1, 5) if violent else self._choice(20, 60, 100),
            "roll": lambda: self._choice(None, {"parallel": self.random.randint(1, 4), "settle": self._choice(0, 0.02, 0.1),
                                                "handoff": not violent or self._chance(0.7)}),
            "restart": self._restart,
            "recycle": lambda: self._choice(None, {"age": 4, "jitter": 50}, {"requests": 50, "jitter": 20}, {"memory": "1MiB"}),
            "hang_timeout": lambda: self._choice(None, 2) if violent else self._choice(None, 60),
            "limits": lambda: self._choice(None, {"connections": 500}, {"open_files": 600}, {"connections": 400, "open_files": 500}),
            "metrics": lambda: self._choice(None, "127.0.0.1:@metrics"),
            "lame_duck": lambda: self._choice(None, 0.1),
            "log": lambda: self._choice(None, {"level": "debug"}),
            "control": lambda: self._choice(None, {"mode": "0600"}),
            "listen": self._listen,
            "service": lambda: self._service(violent),
        }
        names = self.random.sample(sorted(changes), self._choice(0, 1, 1, 2, 3, 5))
        self.settings = {**self.settings, **{name: changes[name]() for name in names}}
        if self.settings["roll"] and not self.settings["roll"]["handoff"]:
            self.settings["drain_timeout"] = self._choice(0.3, 1)  # connections that last are cut: the verdict waits for that

    def _file(self):
        """A valid file. Its first line is its own, by which the configuration that runs is known."""
        self.written += 1
        return {"name": f"file {self.written}", "settings": self.settings, "include": self._chance(0.2)}

    def _wrong_file(self):
        given = self._file()
        way = self._choice("line", "line", "line", "torn", "busy-port", "no-folder", "no-module")
        if way == "line":
            given["before"] = self._choice(*WRONG)
        return {**given, "way": way, "at": self.random.random()}

    # steps

    def _step(self, violent):
        steps = [(self._reload, 24), (self._reject, 12), (self._overlap, 14), (self._scale, 8), (self._restart_slot, 8), (self._more_or_fewer, 6),
                 (self._status, 2), (self._reexec, 7), (self._pause, 5), (self._come_and_go, 8), (self._streams, 6), (self._hang_control, 4),
                 (self._revert, 6), (self._quiet_log, 2), (self._pause_in_roll, 6), (self._pause_master, 3), (self._lose_path, 3),
                 (self._storm, 5), (self._crowd, 6)]
        if self.service == "proxy":
            steps += [(self._drain_upstream, 8)]
        if violent:
            steps += [(self._kill, 20), (self._kill_in_roll, 16), (self._hang, 6), (self._terminate, 4), (self._cut, 4), (self._narrow, 4),
                      (self._keep, 4), (self._few_descriptors, 5)]
        functions, weights = zip(*steps)
        return self.random.choices(functions, weights)[0](violent)

    def _victims(self):
        """Numbers, to be taken modulo the number of workers."""
        return [self.random.randrange(840) for _ in range(self._choice(1, 1, 1, 2, 3))]

    def _reload(self, violent):
        self._change(violent)
        return Step("reload", {**self._file(), "how": self._choice("post", "post", "post", "ctl", "hup", "impatient", "twice")})

    def _drain_upstream(self, violent):
        """For the service proxy: connections go to the others, until it is enabled, whatever happens to workers."""
        self.settings = {**self.settings, "service": {**self._proxy(), "upstreams": [
            {"address": "127.0.0.1", "port": "@upstream"}, {"path": "@upstream-path"}]}}
        steps = [self._file()]
        for _ in range(self.random.randint(1, 3)):
            self._change(violent)
            self.settings["service"] = {**self.settings["service"], "upstreams": steps[0]["settings"]["service"]["upstreams"]}
            steps.append(self._file())
        return Step("drain-upstream", {"files": steps, "victims": self._victims() if violent else []})

    def _reject(self, _violent):
        return Step("reject", self._wrong_file())

    def _overlap(self, violent):
        """Several orders, each given while the one before is under way."""
        orders = []
        for _ in range(self.random.randint(2, 6)):
            kind = self._choice("post", "post", "hup", "hup", "ask-and-go", "ready", "scale", "restart", "more", "fewer", "reexec", "reject",
                                *(["kill", "kill", "terminate"] if violent else []))
            if kind == "reexec" and any(order["kind"] == "reexec" for order in orders):
                kind = "scale"
            order = {"kind": kind, "number": self.random.randint(1, 8), "pause": self._choice(0, 0, 0.001, 0.005, 0.02)}
            if kind in FILE_ORDERS:
                self._change(violent)
                order["file"] = self._file()
            elif kind == "reject":
                order["file"] = self._wrong_file()
            orders.append(order)
        return Step("overlap", {"orders": orders})

    def _scale(self, _violent):
        return Step("scale", {"workers": self.random.randint(1, 8)})

    def _restart_slot(self, _violent):
        return Step("restart", {"slot": self.random.randrange(840)})

    def _more_or_fewer(self, _violent):
        return Step("more-or-fewer", {"signals": [self._choice("TTIN", "TTIN", "TTOU") for _ in range(self._choice(1, 1, 2, 3))]})

    def _status(self, _violent):
        return Step("status", {})

    def _reexec(self, _violent):
        return Step("reexec", {})

    def _pause(self, _violent):
        """A worker stands still for a moment, while something else is done or not."""
        given = {"victims": self._victims(), "seconds": self._choice(0.01, 0.1, 0.5), "file": None}
        if self._chance(0.5):
            given["file"] = self._file()
        return Step("pause", given)

    def _pause_in_roll(self, violent):
        """A worker of any state stands still for a moment, in the middle of a reload."""
        self._change(violent)
        return Step("pause-in-roll", {**self._file(), "victims": self._victims(), "seconds": self._choice(0.01, 0.1, 0.5, 2.5),
                                      "pause": self._choice(0, 0.005, 0.01, 0.02, 0.04)})

    def _pause_master(self, violent):
        self._change(violent)
        return Step("pause-master", {**self._file(), "seconds": self._choice(0.05, 0.3, 1.5), "pause": self._choice(0, 0.003, 0.01, 0.03)})

    def _lose_path(self, violent):
        """Somebody removes the path of a UNIX socket, or puts something else there: a reload makes it anew."""
        self._change(violent)
        self.settings = {**self.settings, "listen": [self._choice(*MAIN), {"path": "@path"}]}
        return Step("lose-path", {"files": [self._file(), self._file()], "how": self._choice("remove", "replace")})

    def _narrow(self, _violent):
        """Workers for which there are too many connections, and wider ones again."""
        limits = self._choice({"connections": 5}, {"connections": 20}, {"open_files": 64})
        settings = {**self.settings, "drain_timeout": 1, "limits": limits}
        return Step("narrow", {"files": [{**self._file(), "settings": settings}, self._file()]})

    def _storm(self, _violent):
        """Signals in no order, faster than any of them can be done."""
        signals = [(self._choice("HUP", "HUP", "TTIN", "TTOU", "USR1", "USR2"), self._choice(0, 0, 0.001, 0.005)) for _ in range(self.random.randint(5, 25))]
        return Step("storm", {"signals": signals})

    def _crowd(self, violent):
        """So many connections that they are handed over in several packets, while a worker stands still or dies."""
        self._change(violent)
        self.settings = {**self.settings, "limits": None, "recycle": self._choice(None, {"age": 4, "jitter": 50})}
        files = [self._file()]
        for _ in range(self._choice(1, 2, 3)):
            self.settings = {**self.settings, "workers": self.random.randint(1, 8)}
            files.append(self._file())
        return Step("crowd", {"files": files, "number": self._choice(70, 300, 700), "victims": self._victims(), "pause": self._choice(0, 0.01, 0.03),
                              "how": self._choice("", "stop", "kill" if violent else "stop"), "seconds": self._choice(0.02, 0.3, 2.3)})

    def _few_descriptors(self, _violent):
        """The master has none to spare for a moment, in which it is to reload."""
        settings = {**self.settings, "drain_timeout": 1}
        return Step("few-descriptors", {"files": [{**self._file(), "settings": settings}, self._file(), self._file()],
                                        "room": self.random.randint(0, 20), "seconds": self._choice(0.02, 0.1, 0.4)})

    def _keep(self, _violent):
        """A reload that fails in the middle keeps what it has; the next one makes all alike again."""
        settings = {**self.settings, "workers": self.random.randint(2, 8), "roll": {"on_failure": "keep", "ready_timeout": 2}}
        return Step("keep", {"files": [{**self._file(), "settings": settings}, self._file()], "way": self._choice("exit", "rubbish"),
                             "slot": self.random.randrange(840)})

    def _come_and_go(self, _violent):
        how = [self._choice("half", "reset", "silent", "whole", "shut") for _ in range(self.random.randint(1, 12))]
        return Step("come-and-go", {"how": how, "where": self.random.randrange(840)})

    def _streams(self, _violent):
        return Step("streams", {"number": self.random.randint(1, 4), "where": self.random.randrange(840), "slow": self._chance(0.4)})

    def _hang_control(self, _violent):
        return Step("hang-control", {"how": [self._choice("nothing", "half", "events", "pipelined") for _ in range(self.random.randint(1, 4))]})

    def _revert(self, _violent):
        """New workers come to nothing."""
        return Step("revert", {**self._file(), "way": self._choice("exit", "hang", "rubbish"), "slot": self.random.randrange(840)})

    def _quiet_log(self, _violent):
        return Step("quiet-log", {"level": self._choice("error", "warning"), "files": [self._file(), self._file()]})

    def _kill(self, _violent):
        return Step("kill", {"victims": self._victims()})

    def _kill_in_roll(self, violent):
        self._change(violent)
        return Step("kill-in-roll", {**self._file(), "victims": self._victims(), "pause": self._choice(0, 0.001, 0.003, 0.01, 0.03)})

    def _hang(self, _violent):
        settings = {**self.settings, "hang_timeout": 1}
        return Step("hang", {**self._file(), "settings": settings, "victims": self._victims()})

    def _terminate(self, _violent):
        return Step("terminate", {"victims": self._victims()})

    def _cut(self, _violent):
        """Workers leave with their connections, for which they have little time."""
        settings = {**self.settings, "drain_timeout": 0.3, "roll": {"handoff": False}}
        return Step("cut", {**self._file(), "settings": settings})


def real(value, names):
    """With the words that begin with @ replaced by what they stand for."""
    if isinstance(value, dict):
        return {key: real(each, names) for key, each in value.items()}
    if isinstance(value, list):
        return [real(each, names) for each in value]
    if isinstance(value, str) and "@" in value:
        head, _, name = value.partition("@")
        return f"{head}{names[name]}" if head else names[name]
    return value


def text_of(given, names):
    """The text of a file. A wrong one is wrong wherever it is cut or whatever stands in it."""
    settings = real(given["settings"], names)
    way, before = given.get("way"), given.get("before", "")
    if (name := before.partition(" ")[0]) in (*settings, "user"):
        settings[name] = None  # (it is not wrong for being there twice)
    if way == "busy-port":
        settings["listen"] = [*settings["listen"], {"address": "127.0.0.1", "port": names["busy"]}]
    elif way == "no-folder":
        settings["listen"] = [*settings["listen"], {"path": names["path"] + "/no/such/folder"}]
    elif way == "no-module":
        settings["service"] = {"type": "module", "path": "/no/such/module.so"}
    text = harness.config(**settings)
    if way == "torn":
        # before the end of the last group, so that at least one bracket stays open
        text = text[:int(given["at"] * (text.index("listen = (") + 10))] + "( 1,"
    if given.get("include") and not way:
        return f"# {given['name']}\n@include \"more*.conf\"\n{text}"
    return f"# {given['name']}\n{before}\n{text}"
