"""Requests per CPU second of the generator, beside those of others: python3 compare.py [--help].

nginx on one core, the generator on another, requests counted by nginx alone, CPU time that of the generator's whole
process tree. A round runs every tool once, every other round in reverse, and ratios are taken within a round, so what
the machine does meanwhile touches all alike; a round in which other processes took more than a fifth of either core is
named and left out where enough others are left. docs/performance.md has the method and a table. Loopback only; needs
nginx and wrk, and h2load when it is asked for."""

import argparse
import json
import os
import re
import resource
import shlex
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

SERVER_CORE, TOOL_CORE = (sorted(os.sched_getaffinity(0)) * 2)[:2]
DESCRIPTORS = 100_000
DISTURBED = 0.2     # of a core, by others
ROUNDS_KEPT_MIN = 3
TICKS_PER_S = os.sysconf("SC_CLK_TCK")

SECURE = """listen 127.0.0.1:{port} ssl backlog=4096; ssl_protocols TLSv1.3;
           ssl_certificate {folder}/site.pem; ssl_certificate_key {folder}/site.key;"""

OTHERS = {
    "wrk": "wrk -t1 -c{connections} -d{seconds}s {url}",
    "h2load": "h2load --h1 -t1 -c{connections} -D{seconds} {url}",
}
OTHERS_CLOSING = {"wrk": "wrk -t1 -c{connections} -d{seconds}s -H 'Connection: close' {url}"}
OURS = {
    "uring": "env CLOBBER_ENGINE=uring {clobber} run {plan} --quiet --out {folder}/run",
    "epoll": "env CLOBBER_ENGINE=epoll {clobber} run {plan} --quiet --out {folder}/run",
}
PLAN = """version: 1
target: {url}
goal: {{concurrency: {connections}}}
duration: {seconds}s
http: {{keep_alive: {keep_alive}{tls}}}
"""
CONFIGURATION = """
worker_processes 1; daemon off; master_process off; pid {folder}/pid; error_log /dev/null crit;
worker_rlimit_nofile {descriptors}; events {{ worker_connections 50000; multi_accept on; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 300s;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{ listen 127.0.0.1:{port} backlog=4096; {secure} location / {{ return 200 "ok\\n"; }}
           location = /count {{ stub_status; }} }}
}}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def raise_descriptors():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for most in (max(hard, DESCRIPTORS), hard):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
            return
        except (ValueError, OSError):
            continue


def pinned(core):
    def prepare():
        os.sched_setaffinity(0, {core})
        raise_descriptors()

    return prepare


def busy_s(core):
    """What a core has done since the machine began, in seconds."""
    with open("/proc/stat", encoding="ascii") as file:
        fields = next(line for line in file if line.startswith(f"cpu{core} ")).split()[1:]
    idle, waiting = int(fields[3]), int(fields[4])
    return (sum(int(field) for field in fields[:8]) - idle - waiting) / TICKS_PER_S


class Server:
    def __init__(self, tls):
        self.folder = tempfile.mkdtemp(prefix="clobber-compare-")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        secure = self.secure() if tls else ""
        path = os.path.join(self.folder, "nginx.conf")
        with open(path, "w", encoding="ascii") as file:
            file.write(CONFIGURATION.format(folder=self.folder, port=self.port, descriptors=DESCRIPTORS, secure=secure))
        self.process = subprocess.Popen(["nginx", "-p", self.folder, "-e", "/dev/null", "-c", path],
                                        preexec_fn=pinned(SERVER_CORE), stderr=subprocess.DEVNULL)
        for _ in range(100):
            try:
                self.count()
                return
            except OSError:
                time.sleep(0.05)
        raise SystemExit("nginx does not start")

    def secure(self):
        """A certificate, and the port at which it is shown."""
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-keyout", f"{self.folder}/site.key", "-out", f"{self.folder}/site.pem", "-days", "2",
                        "-subj", "/CN=localhost"], check=True, capture_output=True, timeout=60)
        port = free_port()
        self.url = f"https://127.0.0.1:{port}/"
        return SECURE.format(port=port, folder=self.folder)

    def status(self):
        """Requests answered so far, this one left out, and connections that are open."""
        with socket.create_connection(("127.0.0.1", self.port), 30) as connection:
            connection.sendall(b"GET /count HTTP/1.0\r\n\r\n")
            text = b"".join(iter(lambda: connection.recv(4096), b"")).decode()
        self.asked = getattr(self, "asked", 0) + 1
        return int(re.search(r"requests\s+\d+ \d+ (\d+)", text)[1]) - self.asked, int(re.search(r"connections: (\d+)", text)[1])

    def count(self):
        return self.status()[0]

    def settle(self):
        """Waits until the connections of the last run are gone."""
        for _ in range(100):
            if self.status()[1] <= 1:
                return
            time.sleep(0.05)

    def cpu_s(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_S

    def stop(self):
        self.process.terminate()
        self.process.wait(10)
        shutil.rmtree(self.folder, ignore_errors=True)


def run_once(server, command, seconds):
    """One run of one tool: what it cost, and what it did by the server's count."""
    server.settle()
    requests, server_s, began = server.count(), server.cpu_s(), time.monotonic()
    busy = {core: busy_s(core) for core in (SERVER_CORE, TOOL_CORE)}
    process = subprocess.Popen(shlex.split(command), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, preexec_fn=pinned(TOOL_CORE))
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    took_s = time.monotonic() - began
    if process.returncode != 0:
        print(f"# {command}: exit {process.returncode}: {process.stderr.read().decode()[-200:]}", file=sys.stderr)
    cpu_s, server_s = usage.ru_utime + usage.ru_stime, server.cpu_s() - server_s
    others = {SERVER_CORE: busy_s(SERVER_CORE) - busy[SERVER_CORE] - server_s,
              TOOL_CORE: busy_s(TOOL_CORE) - busy[TOOL_CORE] - cpu_s}
    return {
        "requests": server.count() - requests,
        "per_s": (server.count() - requests) / seconds,
        "per_cpu_s": (server.count() - requests) / cpu_s,
        "tool": cpu_s / took_s,
        "server": server_s / took_s,
        "others": max(others.values()) / took_s,
        "failed": process.returncode != 0,
    }


def commands(options, server, connections):
    """Name and command of each tool, those of others first."""
    others = OTHERS_CLOSING if options.close else OTHERS
    names = ["wrk"] + [name for name in options.tools.split(",") if name != "wrk"]
    plan = os.path.join(server.folder, "plan.yaml")
    with open(plan, "w", encoding="ascii") as file:
        file.write(PLAN.format(url=server.url, connections=connections, seconds=options.seconds,
                               keep_alive="false" if options.close else "true",
                               tls=", tls: {verify: false}" if options.tls else ""))
    known = {**OURS, **others}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise SystemExit(f"{unknown[0]} is not known here; give some of {', '.join(known)}")
    return {name: known[name].format(clobber=os.path.abspath(options.clobber), connections=connections, url=server.url,
                                     seconds=options.seconds, plan=plan, folder=server.folder) for name in names}


def measure(options, server, connections):
    tools = commands(options, server, connections)
    rounds = []
    for number in range(options.rounds):
        order = list(tools) if number % 2 == 0 else list(reversed(tools))
        found = {}
        for name in order:
            shutil.rmtree(os.path.join(server.folder, "run"), ignore_errors=True)
            found[name] = run_once(server, tools[name], options.seconds)
        rounds.append(found)
    return [found for found in rounds if not any(run["failed"] for run in found.values())]


def quartiles(values):
    return statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else [values[0]] * 3


def show(connections, rounds):
    quiet = [found for found in rounds if max(run["others"] for run in found.values()) <= DISTURBED]
    kept = quiet if len(quiet) >= ROUNDS_KEPT_MIN else rounds
    if not kept:
        print(f"{connections:>7}  no round in which every tool ran")
        return
    print(f"# {connections} connections: {len(rounds)} rounds, {len(quiet)} of them undisturbed, {len(kept)} kept")
    for name in kept[0]:
        runs = [found[name] for found in kept]
        low, middle, high = quartiles([found[name]["per_cpu_s"] / found["wrk"]["per_cpu_s"] for found in kept])
        median = {key: statistics.median(run[key] for run in runs) for key in ("per_s", "per_cpu_s", "tool", "server", "others")}
        print(f"{connections:>7}  {name:8} {median['per_s']:>9.0f}/s {median['per_cpu_s']:>10.0f} a CPU second  "
              f"{middle:5.2f} x wrk ({low:.2f} to {high:.2f})  core {median['tool']:4.0%}, server's {median['server']:4.0%}, "
              f"others {median['others']:4.0%}")
    sys.stdout.flush()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--clobber", default="build/release/clobber", help="a release build")
    parser.add_argument("--tools", default="uring,epoll", help="besides wrk: uring, epoll, h2load")
    parser.add_argument("--connections", default="1,64,256,1024")
    parser.add_argument("--seconds", type=int, default=2, help="of a run")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--close", action="store_true", help="a new connection for each request")
    parser.add_argument("--tls", action="store_true", help="over TLS 1.3")
    parser.add_argument("--json", help="every run, into this file")
    options = parser.parse_args()
    if SERVER_CORE == TOOL_CORE:
        raise SystemExit("needs a core for the server and another for the generator")
    os.sched_setaffinity(0, {SERVER_CORE})
    raise_descriptors()
    server, found = Server(options.tls), {}
    try:
        for connections in options.connections.split(","):
            found[connections] = measure(options, server, int(connections))
            show(int(connections), found[connections])
    finally:
        server.stop()
    if options.json:
        with open(options.json, "w", encoding="ascii") as file:
            json.dump(found, file, indent=1)


if __name__ == "__main__":
    main()
