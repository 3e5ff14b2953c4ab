"""Where connections go and where they come from, and how long each part of a request may take."""

import collections
import os
import socket
import unittest
import urllib.parse

from support import RATE, TOLERANCE, Case, again_if_it_stood_still, free_port, plan_text

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


if __name__ == "__main__":
    unittest.main()
