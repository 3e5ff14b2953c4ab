"""HTTP/2 with nginx: its own count of requests is the ledger's, also when it ends connections in between."""

from support import Case, RATE, TOLERANCE, again_if_it_stood_still, unittest

LARGE_BYTES = 1 << 20


class Http2(Case):
    def plan(self, target, goal, more=""):
        return self.write("plan.yaml", f"""
version: 1
target: {target.url}
goal: {goal}
duration: 4s
http: {{version: 2, streams: 20}}
{more}
""")

    @again_if_it_stood_still
    def test_a_mix_is_counted_by_nginx_as_by_the_ledger(self):
        nginx = self.nginx_http2()
        self.write("large", "x" * LARGE_BYTES)
        plan = self.plan(nginx, f"{{hold: {RATE}/s, {TOLERANCE}}}", """
requests:
  - {get: /ok, weight: 20, expect: {status: 200}}
  - {head: /ok, weight: 10}
  - {get: /missing, weight: 5, expect: {status: 404}}
  - {get: /large, weight: 1}
""")
        self.finish(self.clobber("run", plan, "--quiet", "--out", self.path("out")), 4, 0)
        result = self.result()
        self.assert_balanced(result)
        ledger = result["ledger"]
        self.assertEqual(ledger["ok"], ledger["started"])
        self.assertEqual(nginx.requests(), ledger["started"])

    def test_workers_are_streams_and_share_connections(self):
        nginx = self.nginx_http2()
        self.finish(self.clobber("run", self.plan(nginx, "{concurrency: 40}"), "--quiet", "--out", self.path("out")), 4, 0)
        result = self.result()
        self.assertEqual(nginx.requests(), result["ledger"]["started"])
        # nginx allows 16 streams on a connection, so that 40 take three; a lane that joins takes half of them over two more.
        self.assertIn(result["connections"]["opened"], (3, 4, 5))

    def test_requests_that_nginx_refuses_unseen_go_over_another_connection(self):
        nginx = self.nginx_http2(requests_a_connection=100)
        self.finish(self.clobber("run", self.plan(nginx, "{concurrency: 40}"), "--quiet", "--out", self.path("out")), 4, 0)
        result = self.result()
        self.assert_balanced(result)
        ledger = result["ledger"]
        self.assertEqual(ledger["failed"], ledger["unwritten"], result["errors"])
        self.assertEqual(nginx.requests(), ledger["started"] - ledger["unwritten"])
        self.assertGreaterEqual(result["connections"]["opened"], nginx.requests() // 100)


if __name__ == "__main__":
    unittest.main()
