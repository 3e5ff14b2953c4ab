"""Redis is spoken to as itself, and its own count of commands is the ledger's."""

from support import BUSY, Case, RATE, TOLERANCE, again_if_it_stood_still, free_port, unittest


class Redis(Case):
    @again_if_it_stood_still
    def test_each_command_is_counted_once_by_redis_and_by_the_ledger(self):
        redis = self.redis()
        plan = self.write("plan.yaml", f"""
version: 1
target: redis://127.0.0.1:{redis.port}
goal: {{hold: {RATE}/s, {TOLERANCE}}}
duration: 4s
seed: 7
requests:
  - {{command: SET "a key" value, weight: 2, name: set}}
  - {{command: [GET, a key], weight: 6, name: get, expect: {{prefix: $5}}}}
  - {{command: LPUSH "a key" x, weight: 1, name: wrong}}
  - {{command: ECHO "two\\r\\nlines", reconnect: true, name: echo}}
""")
        run = self.clobber("run", plan, "--quiet", "--out", self.path("out"))
        self.finish(run, 4, 0)

        result = self.result()
        ledger = result["ledger"]
        self.assert_balanced(result)
        self.assertEqual(ledger["in_flight_at_end"], 0)
        self.assertEqual(ledger["timed_out"], 0)
        requests = {request["name"]: request for request in result["requests"]}
        counted = {name: requests[name]["ok"] + requests[name]["failed"] for name in requests}
        self.assertEqual(sum(counted.values()), ledger["started"])
        for name, command in (("set", "set"), ("get", "get"), ("wrong", "lpush"), ("echo", "echo")):
            self.assertEqual(redis.calls(command), counted[name], name)
        # A list operation on a string is an error of each such request and of no other; a GET may come before the first SET.
        self.assertEqual(requests["wrong"]["ok"], 0)
        self.assertEqual(requests["set"]["failed"] + requests["echo"]["failed"], 0)
        self.assertLessEqual(requests["get"]["failed"], counted["get"] * BUSY)

    def test_a_pipeline_is_counted_by_redis_as_by_the_ledger(self):
        redis = self.redis()
        plan = self.write("plan.yaml", f"""
version: 1
target: redis://127.0.0.1:{redis.port}
goal: {{concurrency: 40}}
duration: 3s
redis: {{pipeline: 16}}
requests: [{{command: INCR n, weight: 3}}, {{command: LPUSH n x, name: wrong}}]
""")
        self.finish(self.clobber("run", plan, "--quiet", "--lanes", "1", "--out", self.path("out")), 3, 0)

        result = self.result()
        self.assert_balanced(result)
        requests = {request["name"]: request for request in result["requests"]}
        self.assertEqual(redis.calls("incr"), requests["INCR n"]["ok"])
        self.assertEqual(redis.calls("lpush"), requests["wrong"]["failed"])
        self.assertEqual(result["connections"]["opened"], 3)

    def test_a_pipeline_goes_over_tls(self):
        self.certificate("redis")
        secure_port = free_port()
        redis = self.redis("--tls-port", str(secure_port), "--tls-cert-file", self.path("redis.pem"),
                           "--tls-key-file", self.path("redis.key"), "--tls-auth-clients", "no")
        plan = self.write("plan.yaml", f"""
version: 1
target: rediss://127.0.0.1:{secure_port}
goal: {{concurrency: 8}}
duration: 2s
redis: {{pipeline: 4}}
http: {{tls: {{ca: redis.pem, server_name: localhost}}}}
requests: [{{command: INCR n}}]
""")
        self.finish(self.clobber("run", plan, "--quiet", "--out", self.path("out")), 2, 0)

        result = self.result()
        self.assert_balanced(result)
        self.assertEqual(result["ledger"]["ok"], result["ledger"]["started"])
        self.assertEqual(redis.calls("incr"), result["ledger"]["started"])


if __name__ == "__main__":
    unittest.main()
