"""What counts as a good answer, what a worker remembers of it, and when it asks again: against nginx, whose count is the
ledger's whatever the plan says of answers."""

import unittest

from support import TOLERANCE, Case, plan_text

PAGES = """
location = /go { return 302 /ok; }
location = /loop { return 302 /loop; }
location = /away { return 302 http://127.0.0.2:1/; }
location = /login { add_header Set-Cookie "session=abc; Path=/"; return 200 in; }
location = /inside { if ($cookie_session = abc) { return 200 in; } return 403; }
location = /json { add_header X-Kind "kind/json"; return 200 '{"answer": 42}'; }
"""


def requests(**paths):
    return "requests:\n" + "".join(f"  - {{name: {name}, get: /{name}{more}}}\n" for name, more in paths.items())


class Answers(Case):
    def load(self, goal, more):
        nginx = self.nginx(PAGES)
        plan = self.write("plan.yaml", plan_text(nginx.url.replace("/ok", "/"), goal, "2s", "0", more))
        self.finish(self.clobber("run", plan, "--out", self.path("out")), 10)
        result = self.result()
        self.assert_balanced(result)
        self.assertEqual(nginx.requests(), result["ledger"]["started"])
        self.rows = {row["name"]: row for row in result["requests"]}
        return result

    def assert_all(self, good, name):
        self.assertGreater(self.rows[name]["ok" if good else "failed"], 5, name)
        self.assertEqual(self.rows[name]["failed" if good else "ok"], 0, name)

    def test_an_answer_is_good_when_all_that_is_expected_holds(self):
        cases = {
            "status: [204, 2xx]": True, "status: 3xx": False,
            "header: {x-kind: json, Content-Type: \"\"}": True, "header: {X-Kind: xml}": False,
            "body_contains: '\"answer\": 42'": True, "body_contains: 43": False,
            "body_size: 14": True, "body_size: '< 14'": False,
        }
        lines = "".join(f"  - {{name: r{i}, get: /json, expect: {{{expect}}}}}\n" for i, expect in enumerate(cases))
        result = self.load(f"{{hold: 100/s, {TOLERANCE}}}", f"requests:\n{lines}")
        for i, good in enumerate(cases.values()):
            self.assert_all(good, f"r{i}")
        self.assertEqual(result["errors"], {
            "http_200": self.rows["r1"]["failed"],
            "expectation": sum(self.rows[f"r{i}"]["failed"] for i in (3, 5, 7))})

    def test_redirects_are_counted_and_followed_when_asked(self):
        goal = f"{{hold: 100/s, {TOLERANCE}}}"
        self.assertEqual(set(self.load(goal, requests(go="", loop="", away=""))["statuses"]), {"302"})
        self.stack.close()
        self.make_folder()
        result = self.load(goal, "http: {follow_redirects: 2}\n" + requests(
            go=", expect: {status: 200}", loop=", expect: {status: 302}", away=", expect: {status: 302}"))
        for name in ("go", "loop", "away"):
            self.assert_all(True, name)
        # Each hop is a request of its own, in the row of the request that it follows.
        self.assertEqual(sum(result["statuses"].values()), result["ledger"]["ok"])
        self.assertAlmostEqual(result["statuses"]["200"], self.rows["go"]["ok"] / 2, delta=5)
        with self.about_the_rate():
            self.assertAlmostEqual(result["ledger"]["planned"] / 200, 1.0, delta=0.2)

    def test_a_worker_keeps_its_cookies_when_asked(self):
        # One worker alone, so that the first request is a login.
        mix = requests(login="", inside="")
        without = self.load("{concurrency: 1}", mix)
        self.assertEqual(without["errors"], {"http_403": self.rows["inside"]["failed"]})
        self.assert_all(False, "inside")
        self.stack.close()
        self.make_folder()
        kept = self.load("{concurrency: 1}", "http: {cookies: true}\n" + mix)
        self.assertLessEqual(kept["ledger"]["failed"], 1)
        self.assertGreater(self.rows["inside"]["ok"], 5)

    def test_workers_think_after_each_answer(self):
        result = self.load("{concurrency: 8}", "http: {think: [50ms, 150ms]}\n" + requests(json=""))
        # 8 workers for 2 s, one request in 50 ms to 150 ms each; a busy machine adds to the pauses.
        self.assertLessEqual(result["ledger"]["started"], 8 * (2000 / 50 + 1))
        self.assertGreaterEqual(result["ledger"]["started"], 8 * 2000 / 150 / 2)
        self.assertEqual(result["ledger"]["ok"], result["ledger"]["started"])


if __name__ == "__main__":
    unittest.main()
