"""The examples, as they are in the tree but for the folder and the port: rolled under load, new connections never fail."""

import os
import re
import shutil

import pytest

from control import ReadyCount
from fastcgi import FastcgiLoad
from harness import TOP, Load, assert_no_failure, children_of, load_text, scaled, wait_until, workers_user

pytestmark = pytest.mark.patient  # for programs that are slow to start

EXAMPLES = os.path.join(TOP, "examples")
CLIENTS = 8
RATE = 200  # requests/s of all of them
FOLDER = "/usr/share/doc/gracefuld/examples"

# what must be there; what the load speaks; how often it is rolled (four of them more often than those that are alike)
EXAMPLE = {
    "node": (["node"], "http", 20),
    "gunicorn": (["/usr/bin/gunicorn"], "http", 20),
    "asyncio": (["/usr/bin/python3"], "http", 20),
    "starlet": (["plackup", "/usr/share/perl5/Plack/Handler/Starlet.pm", "/usr/share/perl5/Server/Starter.pm"], "http", 5),
    "h2o": (["h2o"], "http", 20),
    "uvicorn": (["/usr/bin/python3", "/usr/lib/python3/dist-packages/uvicorn"], "http", 5),
    "php-fpm": (["/usr/sbin/php-fpm8.2"], "fastcgi", 5),
}


class Example:
    def __init__(self, name, directory, port):
        self.name, self.port = name, port
        self.needs, self.proto, self.rolls = EXAMPLE[name]
        self.folder = os.path.join(directory, "examples", name)
        shutil.copytree(os.path.join(EXAMPLES, name), self.folder)
        for parent, _, files in os.walk(self.folder):
            os.chmod(parent, 0o755)
            for file in files:
                self.place(os.path.join(parent, file))
        os.chmod(os.path.dirname(self.folder), 0o755)
        user = workers_user()
        with open(os.path.join(self.folder, "gracefuld.conf"), encoding="utf-8") as file:
            self.text = file.read() + (f'user = "{user}";\n' if user else "")

    def place(self, path):
        """As it would be here."""
        os.chmod(path, os.stat(path).st_mode | 0o644)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace(FOLDER, os.path.dirname(self.folder)).replace("11111", str(self.port)))

    def missing(self):
        return [need for need in self.needs if not (os.path.exists(need) if need[0] == "/" else shutil.which(need))]

    def load(self, *args):
        """Always somebody there, but not so much that the programs, which are slow to start, have no processor left for that."""
        if self.proto == "fastcgi":
            return FastcgiLoad(self.port, os.path.join(self.folder, "hello.php"), connections=CLIENTS, think_ms=1000 * CLIENTS / RATE)
        return Load(self.port, "--rate", str(RATE), *args, proto=self.proto, connections=CLIENTS)


@pytest.fixture(params=EXAMPLE)
def example(request, directory, port):
    found = Example(request.param, directory, port)
    if found.missing():
        pytest.skip(f"not installed: {', '.join(found.missing())}")
    return found


def test_every_example_is_run():
    assert set(os.listdir(EXAMPLES)) >= set(EXAMPLE)
    configured = {name for name in os.listdir(EXAMPLES) if os.path.exists(os.path.join(EXAMPLES, name, "gracefuld.conf"))}
    assert configured == set(EXAMPLE)


def test_rolled_under_load(start, example, figure):
    daemon = start(example.text)
    with ReadyCount(daemon) as ready, example.load() as load:
        for _ in range(scaled(example.rolls, 2)):
            assert daemon.reload().word == "applied"
        daemon.log.wait(r"draining -> exited|stopping -> exited")
        seen = load.result()
        least = ready.least()
    figure(f"{load_text(seen)}; never less than {least} ready")
    assert_no_failure(seen)
    assert least >= 2
    assert daemon.stop() == 0


@pytest.mark.parametrize("name", ["node", "asyncio"])
def test_new_address_beside_a_wildcard(start, directory, port, name):
    """It listens with the commit of the reload, unless the program itself makes it listen before."""
    example = Example(name, directory, port)
    daemon = start(example.text)
    one = f'port = {port};'
    assert one in example.text
    with example.load() as load:
        verdict = daemon.reload(example.text.replace(one, f'listen = ( {{ port = {port}; }}, {{ address = "127.0.0.1"; port = {port}; }} );'))
        assert verdict.word == "applied", verdict
        assert_no_failure(load.result())
    for address in ("127.0.0.1", "::1"):
        with Load((address, port), "--requests", "20", proto="http", connections=2) as load:
            assert_no_failure(load.result(stop=False))


def test_starlets_children_do_not_leave_together(start, directory, port):
    """They all have as much to do. If so much is enough, a worker is without any for a moment, and its queue waits."""
    starlet = Example("starlet", directory, port)
    if starlet.missing():
        pytest.skip(f"not installed: {', '.join(starlet.missing())}")
    daemon = start(starlet.text)

    def all_children():
        found = [children_of(pid) for pid in daemon.pids()]
        return found if [len(children) for children in found] == [4, 4] else None
    before = wait_until(all_children, "two workers of four children")
    with starlet.load("--requests", "1500") as load:
        assert load.result(stop=False)["ok"] == 1500
    assert all_children() == before


BREAK = {
    "node": ("server.js", "const a = ;\n", r"exited with status 1: SyntaxError: Unexpected token ';'"),
    "gunicorn": ("app.py", "import no_such_module\n",
                 r"exited with status \d+: ModuleNotFoundError: No module named"),
    "asyncio": ("server.py", "import no_such_module\n", r"exited with status 1: ModuleNotFoundError: "),
    "starlet": ("app.psgi", "sub {\n", r"exited with status \d+: Error while loading .*app.psgi"),
    "h2o": ("h2o.conf", "listen: [\n", r"exited with status \d+: .*"),
    "uvicorn": ("app.py", "import no_such_module\n", r"exited with status 1: ModuleNotFoundError: No module named"),
    "php-fpm": ("php-fpm.conf", "[www]\nlisten = 127.0.0.1:1\nno_such_setting = 1\n",
                r"exited with status 78: .*ERROR: .*unknown entry 'no_such_setting'"),
}


def test_broken_version_is_taken_back(start, example, figure):
    """A new version that can't start: the verdict says why, in the program's own words; the old one serves."""
    daemon = start(example.text)
    name, text, words = BREAK[example.name]
    with open(os.path.join(example.folder, name), "w", encoding="utf-8") as file:
        file.write(text)
    with example.load() as load:
        verdict = daemon.reload()
        seen = load.result()
    figure(f"{verdict}; {load_text(seen)}")
    assert verdict.word == "reverted" and re.search(words, verdict.text), verdict
    assert_no_failure(seen)
