"""Where connections go and where they come from, and how long each part of a request may take."""

import collections
import os
import socket
import subprocess
import sys
import unittest
import urllib.parse

from support import BINARY, RATE, TOLERANCE, Case, again_if_it_stood_still, free_port, plan_text

GOAL = f"{{hold: {RATE // 2}/s, {TOLERANCE}}}"


class Connections(Case):
    def load(self, url, *flags, more="", name="out", code=0):
        plan = self.write("plan.yaml", plan_text(url, GOAL, "2s", "0", more))
        self.finish(self.clobber("run", plan, "--out", self.path(name), *flags), 10, code)
        result = self.result(name)
        self.assert_balanced(result)
        return result

    @again_if_it_stood_still
    def test_a_unix_socket_and_ipv6_carry_what_nginx_counts(self):
        path, port = self.path("app.sock"), free_port()
        nginx = self.nginx(listen=f"listen unix:{path}; listen [::1]:{port};")
        started = 0
        for i, url in enumerate((f"http+unix://{urllib.parse.quote(path, safe='')}/ok", f"http://[::1]:{port}/ok")):
            for engine in ("epoll", "auto"):
                result = self.load(url, "--engine", engine, name=f"out-{i}-{engine}")
                self.assertEqual(result["ledger"]["ok"], result["ledger"]["started"])
                started += result["ledger"]["started"]
                self.assertEqual(nginx.requests(), started)

    def test_a_unix_socket_is_loaded_only_where_its_path_is_allowed(self):
        path = self.path("app.sock")
        self.nginx(listen=f"listen unix:{path};")
        plan = self.write("plan.yaml", plan_text(f"http+unix://{urllib.parse.quote(path, safe='')}/ok", GOAL, "2s", "0"))
        coordinator = self.coordinator(plan, 1, "--wait", "3s")
        agent = self.agent(coordinator, "a1", "--allow", "0.0.0.0/0")
        self.finish(agent, 10, 3)
        self.assertIn(f"--allow unix:{path} would", self.read(agent.err))
        self.finish(coordinator, 10, 3)
        self.assertFalse(os.path.exists(self.path("nginx.access")) and self.read(self.path("nginx.access")))

    @again_if_it_stood_still
    def test_connections_come_from_the_addresses_that_are_named(self):
        nginx = self.nginx(listen="listen 127.0.0.1:%d;" % free_port())
        result = self.load(nginx.url, "--source", "127.0.0.21-127.0.0.22", "--source", "127.0.0.24/31",
                           more="http: {keep_alive: false}\n")
        seen = collections.Counter(self.read(self.path("nginx.access")).split())
        self.assertEqual(set(seen), {f"127.0.0.{i}" for i in (21, 22, 24, 25)})
        self.assertEqual(sum(seen.values()), result["ledger"]["started"])
        self.assertLess(max(seen.values()) - min(seen.values()), 0.1 * sum(seen.values()))

    def test_a_silent_target_is_waited_for_no_longer_than_its_first_byte_may_take(self):
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen(1024)
            result = self.load(f"http://127.0.0.1:{silent.getsockname()[1]}/", code=1,
                               more="http: {first_byte_timeout: 100ms}\nlimits: {concurrency: 50}\n")
        self.assertGreater(result["ledger"]["timed_out"], 0)
        self.assertEqual(set(result["errors"]), {"timeout_first_byte"})
        self.assertGreaterEqual(result["latency"]["service"]["max_ns"], 100e6)
        self.assertLess(result["latency"]["service"]["p50_ns"], 1e9)

    @again_if_it_stood_still
    def test_connections_end_after_the_requests_they_may_carry(self):
        nginx = self.nginx()
        result = self.load(nginx.url, more="http: {connection: {requests: 10}}\n")
        self.assertEqual(result["ledger"]["ok"], result["ledger"]["started"])
        self.assertEqual(nginx.requests(), result["ledger"]["started"])
        self.assertLessEqual(result["connections"]["reused"], 0.9 * result["ledger"]["started"])
        self.assertGreater(result["connections"]["reused"], 0.7 * result["ledger"]["started"])


# In a network namespace of its own: 10 ports for outgoing connections, a target at a port outside of them.
NAMESPACE = """
import fcntl, os, socket, struct, subprocess, sys
with socket.socket() as any_socket:  # lo up: SIOCSIFFLAGS, IFF_UP | IFF_RUNNING
    fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", 0x41))
with open("/proc/sys/net/ipv4/ip_local_port_range", "w") as file:
    file.write("40000 40009")
binary, taken, *run = sys.argv[1:]
target = subprocess.Popen([binary, "target", "--listen", "127.0.0.1:8080"], stdout=subprocess.PIPE)
target.stdout.readline()
others = [socket.create_connection(("127.0.0.1", 8080)) for _ in range(int(taken))]
code = subprocess.run([binary, "run", *run]).returncode
target.terminate()
target.wait()
sys.exit(code)
"""


def alone(*command):
    return ("unshare", "--user", "--map-root-user", "--net", *command)


def namespaces_work():
    return subprocess.run(alone("true"), check=False, stderr=subprocess.DEVNULL).returncode == 0


class Limits(Case):
    """What this machine cannot give is known before the start, and never held against the target."""

    def test_a_concurrency_beyond_the_open_files_is_refused_before_it_starts(self):
        # The superuser may raise even a hard limit, unless that is taken away.
        humble = ("setpriv", "--bounding-set=-sys_resource", "--inh-caps=-sys_resource") if os.geteuid() == 0 else ()
        target = self.target()
        run = self.start(*humble, "sh", "-c", 'ulimit -n 400 && exec "$0" "$@"', BINARY, "run", "-c", "500", "-d", "2s",
                         target.url, "--out", self.path("out"), name="run")
        self.finish(run, 10, 3)
        result = self.result()
        self.assertEqual(result["ledger"]["planned"], 0)
        self.assertEqual(result["verdict"]["limited_by"], "agents")
        self.assertRegex(result["verdict"]["sentence"],
                         r"the goal is 500 requests in flight, and the agents have room for 3\d\d: their open files")
        self.assertEqual(target.requests(), 0)

    def run_with_ten_ports(self, taken, code, *flags):
        run = self.start(*alone(sys.executable, "-c", NAMESPACE, BINARY, str(taken), *flags, "--out", self.path("out")), name="run")
        self.finish(run, 10, code)
        return self.result()

    @unittest.skipUnless(namespaces_work() or "CI" in os.environ, "no network namespaces here")
    def test_a_concurrency_beyond_the_local_ports_is_refused_before_it_starts(self):
        result = self.run_with_ten_ports(0, 3, "-c", "11", "-d", "2s", "http://127.0.0.1:8080/")
        self.assertIn("the goal is 11 requests in flight, and the agents have room for 10", result["verdict"]["sentence"])

    @unittest.skipUnless(namespaces_work() or "CI" in os.environ, "no network namespaces here")
    def test_ports_that_run_out_are_the_generators_fault(self):
        plan = self.write("plan.yaml", plan_text("http://127.0.0.1:8080/", "{hold: 200/s}", "3s", "0",
                                                 "limits: {stop_after: 0}\n"))
        result = self.run_with_ten_ports(10, 4, plan)
        self.assert_balanced(result)
        self.assertGreater(result["errors"]["local_ports"], 0)
        self.assertEqual(result["verdict"]["limited_by"], "generator")
        self.assertIn("times no local port or no descriptor was left", result["verdict"]["sentence"])

    def test_a_source_that_is_not_ours_is_refused(self):
        agent = self.clobber("agent", "--connect", "tcp://127.0.0.1:1", "--source", "192.0.2.1")
        self.finish(agent, 1, 2)
        self.assertIn("--source 192.0.2.1 is no address of this machine", self.read(agent.err))


if __name__ == "__main__":
    unittest.main()
