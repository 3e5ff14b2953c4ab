"""The real parts that the integration tests run: clobber's own commands, nginx, redis. Loopback only; every
process that a test starts is ended by its pid when the test ends."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.request

BINARY = os.environ["CLOBBER_BINARY"]
SANITIZED = os.environ.get("CLOBBER_SANITIZED", "") != ""
# A sanitizer makes everything several times slower: the same tests at a rate that it carries.
RATE = 400 if SANITIZED else 5000
LEASE_S = 2.0


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_until(condition, what, seconds=10.0):
    """Polls until condition() is true and returns its value; fails with `what` after `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"waited {seconds} s for {what}")


def get(url, data=None):
    with urllib.request.urlopen(url, data=data, timeout=5) as answer:
        return answer.read().decode()


class Case(unittest.TestCase):
    """A test with a folder of its own, and processes that end with it."""

    def setUp(self):
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
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
                                       cwd=self.folder, start_new_session=True)
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

    def clobber(self, *arguments):
        return self.start(BINARY, *arguments, name=f"clobber-{arguments[0]}")

    def finish(self, process, seconds, code=None):
        """Waits for its end and returns its exit code, which must be `code` when given."""
        try:
            got = process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.fail(f"still running after {seconds} s\n{self.read(process.err)}")
        if code is not None and got != code:
            self.fail(f"exit {got}, not {code}\n{self.read(process.out)}\n{self.read(process.err)}")
        return got

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

    def assert_balanced(self, result):
        ledger = result["ledger"]
        self.assertTrue(ledger["balanced"], ledger)
        self.assertEqual(ledger["planned"], ledger["started"] + ledger["not_started"], ledger)
        self.assertEqual(ledger["started"], ledger["ok"] + ledger["failed"] + ledger["timed_out"]
                         + ledger["in_flight_at_end"], ledger)
        for key in ("started", "ok", "failed", "timed_out"):
            self.assertEqual(ledger[key], sum(agent[key] for agent in result["agents"]), key)

    # Real targets

    def nginx(self):
        """nginx with one page and stub_status: an independent ledger."""
        port = free_port()
        self.write("nginx.conf", f"""
            daemon off; master_process off; pid {self.folder}/nginx.pid; error_log {self.folder}/nginx.log;
            worker_rlimit_nofile 10000;
            events {{ worker_connections 4000; }}
            http {{ access_log off; keepalive_requests 1000000000; keepalive_timeout 300s;
              client_body_temp_path {self.folder}/b; proxy_temp_path {self.folder}/p;
              fastcgi_temp_path {self.folder}/f; uwsgi_temp_path {self.folder}/u; scgi_temp_path {self.folder}/s;
              server {{ listen 127.0.0.1:{port} backlog=1024; location = /ok {{ return 200 ok; }}
                        location = /status {{ stub_status; }} }} }}""")
        self.start("nginx", "-p", self.folder, "-e", "stderr", "-c", self.path("nginx.conf"))
        wait_until(lambda: can_connect(port), "nginx")
        return Nginx(port)

    def target(self, *flags):
        process = self.clobber("target", "--listen", "127.0.0.1:0", *flags)
        text = wait_until(lambda: self.read(process.out), "clobber target")
        return Target(process, int(re.search(r":(\d+)", text).group(1)))

    def redis(self):
        port = free_port()
        self.start("redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", self.folder)
        wait_until(lambda: can_connect(port), "redis")
        return Redis(port)

    # A fleet of separate commands

    def coordinator(self, plan, agents, *flags):
        process = self.clobber("coordinator", plan, "--bind", "tcp://127.0.0.1:0", "--expect-agents", str(agents),
                               "--out", self.path("out"), *flags)
        found = wait_until(lambda: re.search(r"tcp://127\.0\.0\.1:\d+", self.read(process.err)), "the coordinator")
        process.endpoint = found.group(0)
        return process

    def agent(self, coordinator, name, *flags):
        return self.clobber("agent", "--connect", coordinator.endpoint, "--name", name, "--lanes", "1", "--once", *flags)


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
        with socket.create_connection(("127.0.0.1", self.port), 5) as connection:
            connection.sendall((" ".join(words) + "\r\n").encode())
            connection.settimeout(5)
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


def interrupt(process):
    process.send_signal(signal.SIGINT)
