"""The real parts that the integration tests run: clobber's own commands, nginx, redis. Loopback only; every
process that a test starts is ended by its pid when the test ends."""

import contextlib
import functools
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

BINARY = os.environ["CLOBBER_BINARY"]
SANITIZED = os.environ.get("CLOBBER_SANITIZED", "") != ""
# Behaviour does not depend on the rate, so it is one that a slow and busy machine carries, and a sanitizer, which makes
# everything several times slower. figures.py measures at 5000/s.
RATE = 400 if SANITIZED else 1000
# How far a mean over seconds may be from RATE, as a share: what one core shared with other tests takes, and still less
# than the share of one agent of four.
BUSY = 0.2
# For a test that is about something else than the rate: the widest that a plan takes.
TOLERANCE = "tolerance: 50%"
LEASE_S = 2.0
# How much longer than on a machine of its own anything may take. Only a failing test ever waits so long.
PATIENCE_S = 60.0
TRIES = 5
# The exit codes of a run that came to its verdict: met, missed, missed by the generator's own fault.
JUDGED = (0, 1, 4)

# Who starts the tests in the background, or with nohup, has these ignored, and a child would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
# Debian keeps servers where only root looks.
os.environ["PATH"] += ":/usr/local/sbin:/usr/sbin:/sbin"


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_until(condition, what, seconds=PATIENCE_S):
    """Polls until condition() is true and returns its value; fails with `what` after `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"waited {seconds} s for {what}")


def get(url, data=None):
    with urllib.request.urlopen(url, data=data, timeout=PATIENCE_S) as answer:
        return answer.read().decode()


class StoodStill(AssertionError):
    """The rate was not what it should be, in a run that says itself that its coordinator stood still: it had no CPU for
    more than a second, and all load went to 0 as it should."""


def again_if_it_stood_still(test):
    """Such a run proves nothing about a rate, so it is made again; one that always stands still fails."""
    @functools.wraps(test)
    def tries(case):
        for _ in range(TRIES - 1):
            try:
                return test(case)
            except StoodStill as pause:
                print(f"again, for {pause}", file=sys.stderr)
            case.stack.close()
            case.make_folder()
        return test(case)
    return tries


class Case(unittest.TestCase):
    """A test with a folder of its own, and processes that end with it."""

    def setUp(self):
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.make_folder()

    def make_folder(self):
        self.folder = tempfile.mkdtemp(prefix="clobber-test-")
        self.stack.callback(shutil.rmtree, self.folder, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)

    def start(self, *arguments, name=None):
        """Starts a process with its output in files; it is killed at the end of the test if still alive."""
        name = name or os.path.basename(arguments[0])
        index = len([file for file in os.listdir(self.folder) if file.startswith(name)])
        out, err = self.path(f"{name}-{index}.out"), self.path(f"{name}-{index}.err")
        with open(out, "wb") as stdout, open(err, "wb") as stderr:
            process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr,
                                       cwd=self.folder, start_new_session=True,
                                       env={"CLOBBER_STATE": self.path("state"), **os.environ})
        process.out, process.err = out, err
        self.stack.callback(self.end, process)
        return process

    @staticmethod
    def end(process):
        if process.poll() is None:
            process.kill()
        process.wait()

    def read(self, path):
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def clobber(self, *arguments, through=()):
        """Starts a command of clobber, `through` another command that makes its surroundings."""
        return self.start(*through, BINARY, *arguments, name=f"clobber-{arguments[0]}")

    def finish(self, process, seconds, code=None):
        """Waits for its end, `seconds` and PATIENCE_S; returns its exit code, which must be `code` when given."""
        try:
            got = process.wait(seconds + PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.fail(f"still running after {seconds + PATIENCE_S} s\n{self.read(process.err)}")
        wrong = f"exit {got}, not {code}\n{self.read(process.out)}\n{self.read(process.err)}"
        if got in JUDGED and code in JUDGED:
            with self.about_the_rate():
                self.assertEqual(got, code, wrong)
        elif code is not None:
            self.assertEqual(got, code, wrong)
        return got

    @contextlib.contextmanager
    def about_the_rate(self, folder="out"):
        """What is asserted inside holds unless the coordinator stood still; the ledger balances even then."""
        try:
            yield
        except AssertionError as failure:
            result = self.result(folder)
            late = events(result, "coordinator_late")
            if not late:
                raise
            self.assert_balanced(result)
            raise StoodStill(late[0]["sentence"]) from failure

    def result(self, folder="out"):
        with open(os.path.join(self.path(folder), "result.json"), encoding="utf-8") as file:
            return json.load(file)

    def record(self, folder="out"):
        """The whole lines of run.jsonl so far."""
        try:
            with open(os.path.join(self.path(folder), "run.jsonl"), encoding="utf-8") as file:
                return [json.loads(line) for line in file.read().splitlines(True) if line.endswith("\n")]
        except FileNotFoundError:
            return []

    def ticks(self, folder="out"):
        return [line for line in self.record(folder) if line["line"] == "tick"]

    def running_ticks(self, folder="out"):
        return [tick for tick in self.ticks(folder) if tick["state"] in ("warming", "running")]

    def wait_for_load(self, until_s):
        """Waits until the run has gone on for so long, by its own clock."""
        wait_until(lambda: any(tick["at_ns"] > until_s * 1e9 for tick in self.ticks()), f"{until_s:.1f} s of the run",
                   until_s + PATIENCE_S)

    def ticks_between(self, begin_s, end_s):
        return [tick for tick in self.ticks() if begin_s < tick["at_ns"] / 1e9 <= end_s]

    def assert_rate(self, key, wanted_per_s, begin_s, end_s):
        """A total of the ticks grew by so much a second, within BUSY, between two moments of the run."""
        ticks = self.ticks_between(begin_s, end_s)
        seconds = (ticks[-1]["at_ns"] - ticks[0]["at_ns"]) / 1e9
        per_s = (ticks[-1]["total"][key] - ticks[0]["total"][key]) / seconds
        with self.about_the_rate():
            self.assertAlmostEqual(per_s / wanted_per_s, 1.0, delta=BUSY, msg=f"{key}: {per_s}/s over {seconds} s")

    def assert_planned(self, result, wanted):
        """Requests fall due by the clock alone, whatever the machine and the target can do."""
        with self.about_the_rate():
            self.assertAlmostEqual(result["ledger"]["planned"] / wanted, 1.0, delta=BUSY)

    @staticmethod
    def wait_for_more(target, count, agent):
        """Until `target` has seen more than `count` requests, from an agent that came back. It gives a run up of which it
        hears nothing for six leases: so long this test may have had no CPU."""
        def is_back():
            if agent.poll() is not None:
                raise StoodStill("an agent that gave up while the test stood still")
            return target.requests() > count
        wait_until(is_back, "load from the agent that came back")

    def assert_counted_once(self, result, target):
        """The target's own count is the ledger's, and the sum over the agents; nobody was lost, so there is no width."""
        self.assert_balanced(result)
        ledger = result["ledger"]
        self.assertEqual(ledger["lost_max"], 0, ledger)
        self.assertEqual(target.requests(), ledger["started"] - ledger["unwritten"], ledger)

    def assert_balanced(self, result):
        ledger = result["ledger"]
        self.assertTrue(ledger["balanced"], ledger)
        self.assertEqual(ledger["planned"], ledger["started"] + ledger["not_started"], ledger)
        self.assertEqual(ledger["started"], ledger["ok"] + ledger["failed"] + ledger["timed_out"]
                         + ledger["in_flight_at_end"], ledger)
        for key in ("started", "ok", "failed", "timed_out"):
            self.assertEqual(ledger[key], sum(agent[key] for agent in result["agents"]), key)

    # Real targets

    def certificate(self, name, host="localhost"):
        """A certificate for `host` that signs itself, and its key."""
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-keyout", self.path(f"{name}.key"), "-out", self.path(f"{name}.pem"), "-days", "2",
                        "-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}"],
                       check=True, capture_output=True, timeout=60)

    def serve(self, what, start):
        """start(port) at a port that was free a moment ago; at another one when that was too long."""
        for _ in range(5):
            port = free_port()
            process = start(port)
            wait_until(lambda: process.poll() is not None or can_connect(port), what)
            if process.poll() is None:
                return port
        raise AssertionError(f"{what} does not start\n{self.read(process.out)}\n{self.read(process.err)}")

    def nginx(self, more="", connections=4000, listen=""):
        """nginx with one page, stub_status and `more` locations: an independent ledger. `listen`: where it listens
        besides; each request is a line of nginx.access then, the address from which it came."""
        log = f"log_format from $remote_addr; access_log {self.folder}/nginx.access from;" if listen else "access_log off;"

        def start(port):
            self.write("nginx.conf", f"""
                daemon off; master_process off; pid {self.folder}/nginx.pid; error_log {self.folder}/nginx.log;
                worker_rlimit_nofile {connections + 6000};
                events {{ worker_connections {connections}; }}
                http {{ {log} keepalive_requests 1000000000; keepalive_timeout 300s;
                  client_body_temp_path {self.folder}/b; proxy_temp_path {self.folder}/p;
                  fastcgi_temp_path {self.folder}/f; uwsgi_temp_path {self.folder}/u; scgi_temp_path {self.folder}/s;
                  server {{ listen 127.0.0.1:{port} backlog=1024; {listen} location = /ok {{ return 200 ok; }}
                            location = /status {{ access_log off; stub_status; }} {more} }} }}""")
            return self.start("nginx", "-p", self.folder, "-e", "stderr", "-c", self.path("nginx.conf"))
        return Nginx(self.serve("nginx", start))

    def h2o(self):
        """h2o with one page, and a line in its log for each request: another independent ledger."""
        page = self.write("ok", "ok")
        os.chmod(self.folder, 0o755)  # started by root, it runs as nobody

        def start(port):
            log = self.path(f"h2o-{port}.log")
            self.write("h2o.conf", f"listen: {{host: 127.0.0.1, port: {port}}}\nnum-threads: 1\n"
                       f"access-log: {{path: {log}, format: \"%s\"}}\n"
                       f"hosts: {{default: {{paths: {{/ok: {{file.file: {page}}}}}}}}}\n")
            return self.start("h2o", "-m", "worker", "-c", self.path("h2o.conf"))
        port = self.serve("h2o", start)
        return H2o(port, self.path(f"h2o-{port}.log"))

    def nginx_http2(self, requests_a_connection=1000000000):
        """nginx that speaks HTTP/2 at once (`url`), and counts at a port where it does not (`port`)."""
        def start(port):
            counter = self.http2_counter = free_port()
            self.write("http2.conf", f"""
                daemon off; master_process off; pid {self.folder}/http2.pid; error_log {self.folder}/http2.log;
                worker_rlimit_nofile 10000;
                events {{ worker_connections 4000; }}
                http {{ access_log off; keepalive_requests {requests_a_connection}; keepalive_timeout 300s;
                  client_body_temp_path {self.folder}/b; proxy_temp_path {self.folder}/p;
                  fastcgi_temp_path {self.folder}/f; uwsgi_temp_path {self.folder}/u; scgi_temp_path {self.folder}/s;
                  http2_max_concurrent_streams 16;
                  server {{ listen 127.0.0.1:{port} http2 backlog=1024; location = /ok {{ return 200 ok; }}
                            location = /large {{ root {self.folder}; }} }}
                  server {{ listen 127.0.0.1:{counter}; location = /status {{ stub_status; }} }} }}""")
            return self.start("nginx", "-p", self.folder, "-e", "stderr", "-c", self.path("http2.conf"), name="http2")
        port = self.serve("nginx", start)
        target = Nginx(self.http2_counter)
        target.url = f"http://127.0.0.1:{port}/ok"
        return target

    def proxy(self, target):
        """nginx before `target`, which it asks for every answer: a delay and a line that are not ours to see."""
        def start(port):
            self.write("proxy.conf", f"""
                daemon off; master_process off; pid {self.folder}/proxy.pid; error_log {self.folder}/proxy.log;
                worker_rlimit_nofile 10000;
                events {{ worker_connections 4000; }}
                http {{ access_log off; keepalive_requests 1000000000; keepalive_timeout 300s;
                  client_body_temp_path {self.folder}/b; proxy_temp_path {self.folder}/p;
                  fastcgi_temp_path {self.folder}/f; uwsgi_temp_path {self.folder}/u; scgi_temp_path {self.folder}/s;
                  upstream behind {{ server 127.0.0.1:{target.port}; keepalive 512; keepalive_requests 1000000000; }}
                  server {{ listen 127.0.0.1:{port} backlog=1024;
                            location / {{ proxy_pass http://behind; proxy_http_version 1.1;
                                          proxy_set_header Connection ""; }} }} }}""")
            return self.start("nginx", "-p", self.folder, "-e", "stderr", "-c", self.path("proxy.conf"), name="proxy")
        return Target(None, self.serve("nginx", start))

    def target(self, *flags):
        process = self.clobber("target", "--listen", "127.0.0.1:0", *flags)
        text = wait_until(lambda: self.read(process.out), "clobber target")
        return Target(process, int(re.search(r":(\d+)", text).group(1)))

    def redis(self, *flags):
        return Redis(self.serve("redis", lambda port: self.start(
            "redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", self.folder, *flags)))

    def nobody(self):
        """A port at which nobody listens, and nobody else will before the test has ended."""
        holder = self.stack.enter_context(socket.socket())
        holder.bind(("127.0.0.1", 0))
        return holder.getsockname()[1]

    # A fleet of separate commands

    def coordinator(self, plan, agents, *flags, through=()):
        process = self.clobber("coordinator", plan, "--bind", "tcp://127.0.0.1:0", "--expect-agents", str(agents),
                               "--out", self.path("out"), *flags, through=through)
        found = wait_until(lambda: re.search(r"tcp://127\.0\.0\.1:\d+", self.read(process.err)), "the coordinator")
        process.endpoint = found.group(0)
        return process

    def agent(self, coordinator, name, *flags, through=()):
        return self.clobber("agent", "--connect", coordinator.endpoint, "--name", name, "--lanes", "1", "--once", *flags,
                            through=through)


def can_connect(port):
    try:
        socket.create_connection(("127.0.0.1", port), 0.2).close()
        return True
    except OSError:
        return False


class Nginx:
    def __init__(self, port):
        self.port = port
        self.url = f"http://127.0.0.1:{port}/ok"
        self.reads = 0

    def requests(self):
        """Its own count, less these reads."""
        self.reads += 1
        text = get(f"http://127.0.0.1:{self.port}/status")
        return int(re.search(r"\n\s*\d+ \d+ (\d+)", text).group(1)) - self.reads


class H2o:
    def __init__(self, port, log):
        self.url, self.log = f"http://127.0.0.1:{port}/ok", log

    def requests(self):
        with open(self.log, "rb") as file:
            return sum(1 for _ in file)


class Target:
    def __init__(self, process, port):
        self.process, self.port = process, port
        self.url = f"http://127.0.0.1:{port}/"

    def stats(self):
        return json.loads(get(self.url + "stats"))

    def requests(self):
        return self.stats()["requests"]

    def knobs(self, text):
        return get(self.url + "knobs", data=text.encode())


class Redis:
    def __init__(self, port):
        self.port = port

    def command(self, *words):
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE_S) as connection:
            connection.sendall((" ".join(words) + "\r\n").encode())
            head = b""
            while not head.endswith(b"\r\n"):
                head += connection.recv(1)
            if head[:1] != b"$":
                return head.decode()
            body = b""
            while len(body) < int(head[1:]):
                body += connection.recv(65536)
            return body.decode()

    def calls(self, command):
        found = re.search(rf"cmdstat_{command}:calls=(\d+)", self.command("INFO", "commandstats"))
        return int(found.group(1)) if found else 0


def plan_text(target, goal, duration="5s", warmup="1s", more=""):
    return f"version: 1\nname: test\ntarget: {target}\ngoal: {goal}\nduration: {duration}\nwarmup: {warmup}\n{more}"


def moving_means(ticks, key, width):
    """[(at_s, mean of the last `width` ticks that every agent reported for)]"""
    values = [(tick["at_ns"] / 1e9, tick[key]) for tick in ticks if tick["parts_reported"] == tick["parts_expected"] > 0]
    return [(values[i][0], sum(value for _, value in values[i - width + 1:i + 1]) / width)
            for i in range(width - 1, len(values))]


def now_ns():
    """On the clock of the product's decisions, and of the target's last_request_ns."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def figure(row, text):
    """What a row of the fault matrix came to; seen with ctest -V, and when the test fails."""
    print(f"figure: {row}: {text}", file=sys.stderr)


def events(result, kind):
    return [event for event in result["events"] if event["kind"] == kind]


def interrupt(process):
    process.send_signal(signal.SIGINT)
