"""The service http, with the clients that people use: curl, wrk, a browser."""

import email.utils
import hashlib
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest

from control import metrics, socket_of
from harness import DEADLINE, DRAINS, LOAD, Client, Load, assert_no_failure, config, scaled, wait_until

HOST = b"Host: a\r\n"


def site(port, folder=None, **options):
    service = {"type": "http", **options}
    if folder:
        service["root"] = str(folder)
    return config(port, service=service)


@pytest.fixture
def folder(directory):
    """A folder of files, old enough for strong tags, with traps in it."""
    top = os.path.join(directory, "www")
    secret = os.path.join(directory, "secret")
    os.makedirs(f"{top}/sub/deep")
    os.makedirs(f"{top}/.git")
    os.makedirs(f"{top}/.well-known")
    contents = {
        f"{secret}.txt": b"secret\n",
        f"{top}/index.html": b"<h1>front</h1>\n",
        f"{top}/sub/index.html": b"<h1>sub</h1>\n",
        f"{top}/hello world.txt": b"with a space\n",
        f"{top}/empty.txt": b"",
        f"{top}/.git/config": b"secret\n",
        f"{top}/.well-known/it": b"known\n",
        f"{top}/small.json": b'{"a": 1}\n',
        f"{top}/big.bin": b"".join(hashlib.sha256(b"%d" % i).digest() for i in range(100000)),
        f"{top}/private.txt": b"secret\n",
    }
    for path, content in contents.items():
        with open(path, "wb") as file:
            file.write(content)
        os.utime(path, (1e9, 1e9))
    os.chmod(f"{top}/private.txt", 0)
    os.symlink("../secret.txt", f"{top}/out.txt")
    os.symlink(f"{secret}.txt", f"{top}/out-absolute.txt")
    os.symlink("..", f"{top}/up")
    os.symlink("/proc/self/root/etc/passwd", f"{top}/magic")
    os.symlink("small.json", f"{top}/inside.json")
    os.symlink("loop", f"{top}/loop")
    os.mkfifo(f"{top}/fifo")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(f"{top}/socket")
    return top


class Answer:
    def __init__(self, raw):
        head, _, self.body = raw.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        self.status = int(lines[0].split()[1])
        self.fields = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:])}


def curl(port, path, *args):
    """One request by curl, which takes the path as it is."""
    done = subprocess.run(["curl", "-s", "-i", "--path-as-is", "--max-time", str(DEADLINE), *args,
                           f"http://127.0.0.1:{port}{path}"], capture_output=True, check=False)
    assert done.returncode in (0, 18), done
    return Answer(done.stdout)


# -- the welcome page ---------------------------------------------------------------------------------------------

def test_welcome_says_who_answers_in_the_form_that_is_wanted(start, port):
    daemon = start(site(port))
    pids = daemon.pids()
    text = curl(port, "/")
    assert (text.status, text.fields["content-type"]) == (200, "text/plain; charset=utf-8")
    assert text.body.startswith(b"hello world\n")
    assert int(re.search(rb"worker (\d+), slot [01], generation 1, up \d+ s\n", text.body)[1]) in pids
    answer = curl(port, "/", "-H", "Accept: application/json")
    said = json.loads(answer.body)
    assert answer.fields["content-type"] == "application/json"
    assert said["message"] == "hello world" and said["pid"] in pids and said["generation"] == 1
    slots = {w.pid: w.slot for w in daemon.workers()}
    assert said["slot"] == slots[said["pid"]]
    html = curl(port, "/", "-H", "Accept: text/html,application/xhtml+xml,*/*;q=0.8")
    assert html.fields["content-type"] == "text/html; charset=utf-8" and b"<h1>hello world</h1>" in html.body
    assert daemon.reload(site(port)).word == "applied"
    assert json.loads(curl(port, "/", "-H", "Accept: application/json").body)["generation"] == 2


def test_welcome_knows_its_methods_and_paths(start, port):
    start(site(port))
    head = curl(port, "/", "--head")
    assert head.status == 200 and head.body == b"" and int(head.fields["content-length"]) > 11
    options = curl(port, "/", "-X", "OPTIONS")
    assert (options.status, options.fields["allow"], options.body) == (204, "GET, HEAD, OPTIONS", b"")
    post = curl(port, "/", "-d", "x=1")
    assert (post.status, post.fields["allow"]) == (405, "GET, HEAD, OPTIONS")
    assert curl(port, "/favicon.ico").status == 404


def test_a_browser_shows_the_welcome_page(start, port, directory):
    browser = shutil.which("chromium")
    if not browser:
        pytest.skip("no chromium")
    start(site(port))
    done = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         f"--user-data-dir={directory}/browser", "--dump-dom", f"http://127.0.0.1:{port}/"],
        capture_output=True, text=True, timeout=DEADLINE * 5, check=False)
    assert "<h1>hello world</h1>" in done.stdout, done
    assert re.search(r"<dt>generation</dt><dd>1", done.stdout), done.stdout


# -- files --------------------------------------------------------------------------------------------------------

def test_files_arrive_with_what_is_known_of_them(start, port, folder):
    start(site(port, folder))
    types = {"/": "text/html", "/sub/": "text/html", "/small.json": "application/json", "/inside.json": "application/json",
             "/hello%20world.txt": "text/plain", "/empty.txt": "text/plain", "/big.bin": "application/octet-stream"}
    names = {"/": "index.html", "/sub/": "sub/index.html", "/hello%20world.txt": "hello world.txt"}
    for path, kind in types.items():
        with open(os.path.join(folder, names.get(path, path[1:])), "rb") as file:
            content = file.read()
        answer = curl(port, path)
        assert (answer.status, answer.fields["content-type"]) == (200, kind), path
        assert answer.body == content and int(answer.fields["content-length"]) == len(content), path
        assert answer.fields["last-modified"] == "Sun, 09 Sep 2001 01:46:40 GMT"
        assert re.fullmatch(r'"[0-9a-f]+-[0-9a-f]+"', answer.fields["etag"]), path
        assert abs(email.utils.parsedate_to_datetime(answer.fields["date"]).timestamp() - time.time()) < 60
        head = curl(port, path, "--head")
        assert {**head.fields, "date": ""} == {**answer.fields, "date": ""} and head.body == b"", path


def test_nothing_else_arrives(start, port, folder):
    start(site(port, folder))
    statuses = {
        "/missing": 404, "/small.json/": 404, "/small.json/x": 404, "/sub/deep/": 404, "/loop": 404, "/" + "x" * 300: 404,
        "/out.txt": 404, "/out-absolute.txt": 404, "/up/secret.txt": 404, "/magic": 404,
        "/.git/config": 404, "/sub/../.git/config": 404,
        "/../secret.txt": 400, "/%2e%2e/secret.txt": 400, "/..%2fsecret.txt": 400, "/sub/../../secret.txt": 400,
        "/%00": 400, "/%": 400,
        "/fifo": 403, "/socket": 403,
        "/sub": 301,
    }
    if os.geteuid() != 0 or pwd.getpwnam("nobody").pw_uid == os.stat(folder).st_uid:
        statuses["/private.txt"] = 403
    for path, status in statuses.items():
        answer = curl(port, path)
        assert answer.status == status and b"secret" not in answer.body, (path, answer.status)
    assert curl(port, "/.well-known/it").body == b"known\n"
    assert curl(port, "/sub/../small.json").status == 200
    for method in ("POST", "PUT", "DELETE", "PATCH", "TRACE"):
        answer = curl(port, "/small.json", "-X", method)
        assert (answer.status, answer.fields["allow"]) == (405, "GET, HEAD, OPTIONS")


def test_a_redirection_stays_on_this_host(start, port, folder):
    """A path that begins with two slashes is the name of a host to a browser."""
    os.makedirs(f"{folder}/example.org/x")
    os.makedirs(f"{folder}/with space")
    start(site(port, folder))
    locations = {"/sub": "/sub/", "/sub?a=b": "/sub/?a=b", "/with%20space": "/with%20space/",
                 "//example.org/x": "/example.org/x/", "//example.org%2fx": "/example.org/x/"}
    for path, location in locations.items():
        answer = curl(port, path)
        assert (answer.status, answer.fields["location"]) == (301, location), path


def test_conditions(start, port, folder):
    start(site(port, folder))
    whole = curl(port, "/small.json")
    tag, date = whole.fields["etag"], whole.fields["last-modified"]
    for args, status in (
            (["If-None-Match: " + tag], 304), (["If-None-Match: *"], 304), (['If-None-Match: "x"'], 200),
            (["If-Modified-Since: " + date], 304), (["If-Modified-Since: Sun, 09 Sep 2001 01:46:39 GMT"], 200),
            (["If-Match: " + tag], 200), (['If-Match: "x"'], 412),
            (["If-Unmodified-Since: " + date], 200), (["If-Unmodified-Since: Sun, 09 Sep 2001 01:46:39 GMT"], 412),
            (["Range: bytes=0-3", "If-Range: " + tag], 206), (["Range: bytes=0-3", 'If-Range: "x"'], 200),
            (["Range: bytes=0-3", "If-Range: " + date], 206)):
        answer = curl(port, "/small.json", *[word for field in args for word in ("-H", field)])
        assert answer.status == status, (args, answer.status)
        if status == 304:
            assert answer.body == b"" and answer.fields["etag"] == tag and "content-length" not in answer.fields
    # as curl does by itself: a second time only if it has changed
    kept = os.path.join(os.path.dirname(folder), "kept")
    for expected in (200, 304):
        assert curl(port, "/small.json", "--etag-save", kept, "--etag-compare", kept).status == expected


def test_a_file_that_was_just_written_has_a_weak_tag(start, port, folder):
    """It may change once more with the same time and size. No part of it may be joined with another one."""
    start(site(port, folder))
    with open(f"{folder}/new.txt", "wb") as file:
        file.write(b"new file\n")
    os.utime(f"{folder}/new.txt", (time.time() + 3600, time.time() + 3600))
    answer = curl(port, "/new.txt")
    assert answer.fields["etag"].startswith('W/"')
    assert answer.fields["last-modified"] == answer.fields["date"]
    assert curl(port, "/new.txt", "-r", "0-2", "-H", "If-Range: " + answer.fields["etag"]).status == 200
    assert curl(port, "/new.txt", "-H", "If-None-Match: " + answer.fields["etag"]).status == 304


def test_ranges(start, port, folder):
    start(site(port, folder))
    with open(f"{folder}/big.bin", "rb") as file:
        content = file.read()
    size = len(content)
    for wanted, first, last in (("0-0", 0, 0), ("100-20099", 100, 20099), (f"{size - 1}-", size - 1, size - 1),
                                ("-5", size - 5, size - 1), (f"0-{size * 2}", 0, size - 1)):
        answer = curl(port, "/big.bin", "-r", wanted)
        assert (answer.status, answer.fields["content-range"]) == (206, f"bytes {first}-{last}/{size}")
        assert answer.body == content[first:last + 1]
    answer = curl(port, "/big.bin", "-r", f"{size}-")
    assert (answer.status, answer.fields["content-range"]) == (416, f"bytes */{size}")
    assert curl(port, "/empty.txt", "-r", "0-").status == 416
    assert curl(port, "/big.bin", "-r", "0-9", "--head").status == 200
    for too_much in ("0-9,5-14", "0-1000000,2000000-3000000", ",".join(f"{i}-{i}" for i in range(0, 40, 2))):
        answer = curl(port, "/big.bin", "-r", too_much)
        assert (answer.status, len(answer.body)) == (200, size)


def test_several_ranges_come_in_parts_that_another_program_understands(start, port, folder):
    start(site(port, folder))
    with open(f"{folder}/big.bin", "rb") as file:
        content = file.read()
    answer = curl(port, "/big.bin", "-r", "0-9,1000-1999,-7")
    assert answer.status == 206 and int(answer.fields["content-length"]) == len(answer.body)
    boundary = re.fullmatch(r"multipart/byteranges; boundary=(\w+)", answer.fields["content-type"])[1].encode()
    parts = answer.body.split(b"\r\n--" + boundary)
    assert parts[0] == b"" and parts[-1] == b"--\r\n"
    size = len(content)
    for part, (first, end) in zip(parts[1:-1], ((0, 10), (1000, 2000), (size - 7, size)), strict=True):
        head, _, body = part.partition(b"\r\n\r\n")
        assert b"Content-Range: bytes %d-%d/%d" % (first, end - 1, size) in head
        assert b"Content-Type: application/octet-stream" in head
        assert body == content[first:end]


def test_files_are_replaced_under_load(start, port, folder):
    """Renamed over while they are read: each answer is one version or the other, and never an error."""
    start(site(port, folder))
    with Client(port) as client:
        for i in range(scaled(200, least=20)):
            body = b"%d" % (i % 2) * (5000 if i % 2 else 20000)
            with open(f"{folder}/new", "wb") as file:
                file.write(body)
            os.rename(f"{folder}/new", f"{folder}/changing.txt")
            client.send(b"GET /changing.txt HTTP/1.1\r\n" + HOST + b"\r\n")
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += client.receive(1)
            length = int(re.search(rb"Content-Length: (\d+)", head)[1])
            assert client.receive(length) == body


def test_a_file_that_shrinks_while_it_is_sent_ends_the_connection(start, port, folder):
    """It can't be sent as promised. The client sees that something is missing, and the others nothing."""
    daemon = start(site(port, folder))
    sparse = f"{folder}/sparse"
    with open(sparse, "wb") as file:
        file.truncate(64 * 2**20)
    with Client(port) as client, Client(port) as other:
        client.send(b"GET /sparse HTTP/1.1\r\n" + HOST + b"\r\n")
        client.receive(1000)
        os.truncate(sparse, 1000)
        got = 1000
        try:
            while more := len(client.receive(65536)):
                got += more
        except ConnectionResetError:
            pass
        assert got < 64 * 2**20
        daemon.wait_line(r"the file being sent has become shorter")
        assert other.send(b"GET /small.json HTTP/1.1\r\n" + HOST + b"\r\n").receive(12) == b"HTTP/1.1 200"


# -- options ------------------------------------------------------------------------------------------------------

def test_a_root_that_is_none_rejects_a_reload(start, port, folder):
    daemon = start(site(port, folder))
    for wrong, why in ((f"{folder}/missing", "No such file or directory"), (f"{folder}/small.json", "Not a directory"),
                       ("www", "no absolute path")):
        verdict = daemon.reload(site(port, wrong))
        assert verdict.word == "rejected"
        text = "\n".join(verdict.lines)
        assert re.search(r"gracefuld\.conf:3: service\.root: .*" + why, text), text
        assert curl(port, "/small.json").status == 200
    verdict = daemon.reload(site(port, folder, index="../secret.txt"))
    assert verdict.word == "rejected" and "service.index" in "\n".join(verdict.lines)
    verdict = daemon.reload(site(port, folder, idle_timeoutt=3))
    assert verdict.word == "rejected" and 'did you mean "service.idle_timeout"' in "\n".join(verdict.lines)


def test_another_index_and_root_by_a_reload(start, port, folder):
    daemon = start(site(port, folder))
    assert curl(port, "/").body == b"<h1>front</h1>\n"
    assert daemon.reload(site(port, f"{folder}/sub")).word == "applied"
    assert curl(port, "/").body == b"<h1>sub</h1>\n"
    assert daemon.reload(site(port, folder, index="small.json")).word == "applied"
    assert curl(port, "/").fields["content-type"] == "application/json"
    assert daemon.reload(site(port)).word == "applied"
    assert curl(port, "/").body.startswith(b"hello world\n")


def test_limits_are_those_of_the_configuration(start, port):
    start(site(port, max_header="1KiB", max_body=10, keepalive_requests=3))
    assert curl(port, "/", "-H", "X: " + "x" * 2000).status == 431
    assert curl(port, "/", "-d", "12345678901").status == 413
    assert curl(port, "/", "-d", "1234567890").status == 405
    with Client(port) as client:
        client.send((b"GET / HTTP/1.1\r\n" + HOST + b"\r\n") * 4)
        data = b""
        while more := client.receive(65536):
            data += more
    assert data.count(b"HTTP/1.1 200") == 3 and data.count(b"Connection: close") == 1


def test_clients_have_so_much_time(start, port):
    """Not as much as by default, which is 30 s and more."""
    start(site(port, header_timeout=1.5, body_timeout=1.5, idle_timeout=1.5))
    with Client(port, timeout=20) as header, Client(port, timeout=20) as body, Client(port, timeout=20) as idle:
        header.send(b"GET")
        body.send(b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\n")
        idle.send(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
        for client, answer in ((header, b"HTTP/1.1 408"), (body, b"HTTP/1.1 408"), (idle, b"HTTP/1.1 200")):
            assert client.receive(12) == answer
            assert client.end() == "closed"


def test_the_access_log_is_json(start, port, folder):
    daemon = start(site(port, folder, access_log=True))
    curl(port, "/small.json?a=%22", "-A", 'quote " and \\', "-e", "http://example.org/")
    line = json.loads(daemon.wait_line(r'info: (\{"client".*small.json.*)$')[1])
    assert line.pop("client").startswith("127.0.0.1:")
    assert line == {"method": "GET", "target": "/small.json?a=%22", "host": f"127.0.0.1:{port}", "status": 200, "length": 9,
                    "agent": 'quote " and \\', "referer": "http://example.org/"}
    with Client(port) as client:
        client.send(b"nonsense\r\n")
        assert client.receive(12) == b"HTTP/1.1 400"
    assert json.loads(daemon.wait_line(r'info: (\{"client".*"status":400.*)$')[1])["length"] == 0


def test_the_log_says_nothing_of_requests_unless_it_is_asked_to(start, port):
    daemon = start(site(port))
    curl(port, "/")
    daemon.stop()
    assert not daemon.log.find(r'"client"')


def test_counters_count(start, port, folder):
    daemon = start(config(port, workers=1, service={"type": "http", "root": folder}))
    for _ in range(3):
        curl(port, "/big.bin")

    def status():
        return json.loads(subprocess.run(["curl", "-s", "--unix-socket", f"{os.path.dirname(daemon.path)}/control.sock",
                                          "http://a/v1/status"], capture_output=True, check=True).stdout)["workers"][0]
    assert status()["requests"] == 3
    wait_until(lambda: status()["connections"] == 0, "all connections closed")


# -- load and the end ---------------------------------------------------------------------------------------------

def test_load_on_open_connections_across_reloads(start, port, folder, figure):
    daemon = start(site(port, folder))
    with Load(port, "--path", "/small.json", mode="keepalive", proto="http") as load:
        for _ in range(scaled(10, least=3)):
            assert daemon.reload().word == "applied"
        seen = load.result()
    figure(f"{seen['ok']} answers, {seen['failed_total']} failed")
    assert_no_failure(seen)


OTHERS = {  # two seconds of 16 connections. wrk tries the address first; hey, while it waits for one that is idle, opens another
    "wrk": (17, ["wrk", "-t1", "-c16", "-d2s"], r"(\d+) requests in", r"Non-2xx|Socket errors"),
    "hey": (32, ["hey", "-z", "2s", "-c", "16"], r"\[200\]\s+(\d+) responses", r"\[[^2]\d\d\]\s+\d+ responses|Error distribution"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_load_generators_of_others_see_no_reload(start, port, folder, figure, name):
    """Nor does any connection end: each would have opened another one."""
    most, (program, *args), good, bad = OTHERS[name]
    if not shutil.which(program):
        pytest.skip(f"not installed: {program}")
    daemon = start(site(port, folder))
    with subprocess.Popen([program, *args, f"http://127.0.0.1:{port}/small.json"], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True) as load:
        wait_until(lambda: metrics(socket_of(daemon))["gracefuld_requests_total"] > 0, "the load has begun")
        reloads = 0
        while load.poll() is None:
            daemon.write(site(port, folder).replace("workers = 2;", f"workers = {1 if reloads % 2 else 4};"))
            assert daemon.reload().word == "applied"
            reloads += 1
        out = load.stdout.read()
    connections = metrics(socket_of(daemon))["gracefuld_connections_total"]
    figure(f"{re.search(good, out)[1]} requests on {connections:.0f} connections, {reloads} reloads")
    assert reloads > 0 and int(re.search(good, out)[1]) > 0 and not re.search(bad, out), out
    assert connections <= most
    assert daemon.stop() == 0


def read_reply(client):
    """Head and body of one reply."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = client.receive(1)
        assert byte, head
        head += byte
    return head, client.receive(int(re.search(rb"Content-Length: (\d+)", head)[1]))


def test_connections_outlive_their_workers(start, port, folder):
    """Idle, never used, with half a head, half a body, or a request that nobody has read: all go on with the next worker."""
    daemon = start(site(port, folder, header_timeout="1h", body_timeout="1h", idle_timeout="1h"))
    get = b"GET /small.json HTTP/1.1\r\n" + HOST + b"\r\n"
    post = b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 4\r\n\r\nbody"
    with Client(port) as idle, Client(port) as fresh, Client(port) as half_head, Client(port) as half_body:
        idle.send(get)
        assert read_reply(idle)[1] == b'{"a": 1}\n'
        for generation in range(2, 2 + scaled(5, least=2)):
            half_head.send(get[:20])
            half_body.send(post[:-2])
            clients = [idle, fresh, half_head, half_body]
            wait_until(lambda: all(c.server_pid(daemon.pids()) for c in clients), "all are accepted")
            verdict = daemon.reload()
            assert verdict.word == "applied" and verdict.cut == 0
            wait_until(lambda g=generation: all(w.generation == g for w in daemon.workers()), "the old ones are gone")
            half_head.send(get[20:])
            half_body.send(post[-2:])
            idle.send(get)
            for client in (idle, half_head):
                head, body = read_reply(client)
                assert head.startswith(b"HTTP/1.1 200") and b"Connection" not in head and body == b'{"a": 1}\n'
            assert read_reply(half_body)[0].startswith(b"HTTP/1.1 405")
        fresh.send(get)
        assert read_reply(fresh)[1] == b'{"a": 1}\n'


def test_a_download_goes_on_through_reloads(start, port, folder):
    """Byte for byte, by a client that takes its time: so each of many workers sends a part of it."""
    daemon = start(site(port, folder))
    huge = f"{folder}/huge.bin"
    with open(huge, "wb") as file:
        for i in range(32):
            file.write(hashlib.sha256(b"%d" % i).digest() * 2**15)
    with open(huge, "rb") as file:
        expected = hashlib.file_digest(file, "sha256").digest()
    seen = hashlib.sha256()
    with Client(port) as client:
        client.send(b"GET /huge.bin HTTP/1.1\r\n" + HOST + b"\r\n")
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += client.receive(1)
        assert b"Connection" not in head
        pids = set()
        for _ in range(16):
            seen.update(client.receive(2 * 2**20))
            pids.add(wait_until(lambda: client.server_pid(daemon.pids()), "somebody has it"))
            assert daemon.reload().word == "applied"
        assert seen.digest() == expected
        assert len(pids) > 4, pids
        assert read_reply(client.send(b"GET /small.json HTTP/1.1\r\n" + HOST + b"\r\n"))[1] == b'{"a": 1}\n'


@pytest.mark.slow
def test_many_downloads_go_on_through_reloads(start, port, folder, figure):
    """Fifty clients that take their time, so that twenty reloads come in the middle: every byte is right, no old worker is left.
    GRACEFULD_DOWNLOAD_MB makes the file larger than it is by default."""
    size, reloads = int(os.environ.get("GRACEFULD_DOWNLOAD_MB", "16")), scaled(20)
    daemon = start(site(port, folder))
    whole = hashlib.sha256()
    with open(f"{folder}/huge.bin", "wb") as file:
        for i in range(size):
            piece = hashlib.sha256(b"%d" % i).digest() * 2**15
            file.write(piece)
            whole.update(piece)
    clients = [(Client(port), hashlib.sha256()) for _ in range(50)]
    for client, _ in clients:
        head = b""
        client.send(b"GET /huge.bin HTTP/1.1\r\n" + HOST + b"\r\n")
        while not head.endswith(b"\r\n\r\n"):
            head += client.receive(1)

    def receive(n):
        while n > 0:  # in turns, since the server waits for none of them for ever
            for client, seen in clients:
                seen.update(client.receive(min(n, 2**18)))
            n -= 2**18
    for n in range(reloads):
        receive(size * 2**20 // (2 * reloads))
        verdict = daemon.reload()
        assert (verdict.word, verdict.handed_over, verdict.finished, verdict.cut) == ("applied", 50, 0, 0), verdict
        assert {w.generation for w in daemon.workers()} == {n + 2}
    receive(size * 2**20 - reloads * (size * 2**20 // (2 * reloads)))
    assert {seen.digest() for _, seen in clients} == {whole.digest()}
    figure(f"50 downloads of {size} MB, {reloads} reloads in the middle: every checksum right")
    for client, _ in clients:
        client.close()


def test_without_handoff_clients_are_told_of_the_end(start, port, folder, figure):
    """Every connection ends with its worker, and yet no request fails."""
    text = config(port, service={"type": "http", "root": folder}, roll={"handoff": False})
    daemon = start(text)
    with Load(port, "--path", "/small.json", mode="keepalive", proto="http") as load:
        for _ in range(scaled(5, least=2)):
            verdict = daemon.reload()
            assert verdict.word == "applied" and verdict.handed_over == 0 and verdict.cut == 0
        seen = load.result()
    figure(f"{seen['ok']} answers, {seen['failed_total']} failed")
    assert_no_failure(seen)


def test_a_slow_client_gains_no_time_by_reloads(start, port):
    """Reloads all the time, each within the limit: the client's time is over nonetheless."""
    daemon = start(site(port, header_timeout=2 if LOAD >= 1 else 6))  # some reloads long, also in slow builds
    with Client(port) as client:
        client.send(b"GET / HTTP/1.1\r\n")
        wait_until(lambda: client.server_pid(daemon.pids()), "it is accepted")
        begun = time.monotonic()
        reloads = 0
        while client.silent(0):
            assert time.monotonic() < begun + DEADLINE
            assert daemon.reload().word == "applied"
            reloads += 1
        assert client.receive(12) == b"HTTP/1.1 408"
    assert reloads > 1


def test_a_stop_lets_idle_clients_ask_once_more(start, port):
    """They have idle_grace, in which a request is served, and told that it is the last; nobody is reset."""
    daemon = start(config(port, service={"type": "http", "idle_grace": 3600}, log={"level": "debug"}))
    with Client(port) as idle, Client(port) as fresh, Client(port) as half:
        idle.send(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n").receive(40)
        half.send(b"GET / HTTP/1.1\r\n")
        # each is in the hands of a worker
        wait_until(lambda: fresh.server_pid(daemon.pids()) and half.server_pid(daemon.pids()), "all are accepted")
        workers = daemon.pids()
        daemon.send(signal.SIGTERM)
        for pid in workers:
            daemon.wait_line(DRAINS.format(pid=pid))
        for client, rest in ((idle, b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"), (fresh, b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"),
                             (half, HOST + b"\r\n")):
            client.send(rest)
            data = b""
            while more := client.receive(65536):
                data += more
            assert b"HTTP/1.1 200" in data and b"Connection: close" in data
    assert daemon.wait_exit() == 0
    assert daemon.log.find(r"0 cut")


def test_idle_clients_that_ask_nothing_see_a_clean_end(start, port):
    daemon = start(site(port, idle_grace=0.05))
    with Client(port) as idle, Client(port) as fresh:
        idle.send(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n").receive(12)
        wait_until(lambda: fresh.server_pid(daemon.pids()), "it is accepted")
        daemon.send(signal.SIGTERM)
        assert idle.end() == "closed" and fresh.end() == "closed"
    assert daemon.wait_exit() == 0
