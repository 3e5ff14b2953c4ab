"""The most that a target gives is found, and the fewest workers for it; what kept a search from it is named."""

import unittest

from support import Case, again_if_it_stood_still, plan_text

SERVERS = 16
LATENCY_MS = 20  # slow beside what a sanitizer and a busy machine add to it
CAPACITY = SERVERS * 1000 / LATENCY_MS
SECONDS = 40  # a busy machine is a noisy one, and there a search takes up to half of that
LIMITED_SECONDS = 15


class Search(Case):
    """Not a test: what they have in common."""

    def begin(self):
        self.served = self.target("--latency", f"{LATENCY_MS}ms", "--servers", str(SERVERS))

    def search(self, seconds, *arguments, code=0):
        """Runs to the end; the ledger must balance, and the target must have counted the same."""
        self.finish(self.clobber("run", *arguments, "--out", self.path("out")), seconds, code)
        result = self.result()
        self.assert_balanced(result)
        self.assertEqual(self.served.requests(), result["ledger"]["started"])
        return result

    def plan(self, goal, seconds, more=""):
        return self.write("plan.yaml", plan_text(self.served.url, goal, f"{seconds}s", "3s", more))


class Maximize(Search):
    """What is found, and that bounds hold."""

    def assert_found(self, result):
        """The bounds are wide, for a busy machine takes its part; figures.py measures on a quiet one."""
        answer = result["control"]["answer"]
        self.assertIsNotNone(answer, result["verdict"])
        self.assertLess(answer["throughput_per_s"], 1.05 * CAPACITY)
        with self.about_the_rate():
            self.assertGreater(answer["throughput_per_s"], 0.8 * CAPACITY)
            self.assertGreater(answer["concurrency"], 0.8 * SERVERS)
            self.assertLess(answer["concurrency"], 3 * SERVERS)
        low, high = answer["interval_95_per_s"]
        self.assertEqual(result["control"]["interval_95_per_s"], [low, high])
        if low is not None:
            self.assertTrue(low <= answer["throughput_per_s"] <= high, answer)
        return answer

    @again_if_it_stood_still
    def test_a_url_alone_finds_the_most_and_the_workers_for_it(self):
        self.begin()
        result = self.search(SECONDS, self.served.url, "-d", f"{SECONDS}s")
        self.assertEqual(result["goal"]["kind"], "maximize")
        self.assertIsNone(result["goal"]["value_per_s"])
        answer = self.assert_found(result)
        self.assertIn("converged", [event["kind"] for event in result["events"]])

        curve = result["control"]["curve"]
        self.assertTrue(3 <= len(curve) <= 64, curve)
        self.assertEqual(curve, sorted(curve, key=lambda point: point["concurrency"]))
        self.assertTrue(all(point["latency_quantile_ns"] is None for point in curve))
        few = [point for point in curve if point["concurrency"] < SERVERS / 4]
        self.assertTrue(all(point["throughput_per_s"] < 0.5 * CAPACITY for point in few), few)

        ticks = self.running_ticks()
        self.assertEqual([tick["phase"] for tick in ticks], sorted(tick["phase"] for tick in ticks))
        first = next(tick for tick in ticks if tick["converged"])
        self.assertAlmostEqual(first["at_ns"] / 1e9, answer["converged_ns"] / 1e9, delta=0.3)
        self.assertEqual(ticks[-1]["phase"], 2)

    @again_if_it_stood_still
    def test_a_bound_on_latency_holds_over_all_that_came_after_the_answer(self):
        self.begin()
        bound_ms = 6 * LATENCY_MS
        plan = f"{{maximize: throughput, while: [latency.p(99) < {bound_ms}ms, errors.rate < 1%]}}"
        result = self.search(SECONDS, "--agents", "2", self.plan(plan, SECONDS))
        self.assertEqual(result["goal"]["kind"], "maximize_while")
        self.assert_found(result)
        self.assertIn(f"stays under {bound_ms}ms", result["verdict"]["sentence"])
        seen = [tick["latency_quantile_ns"] for tick in self.running_ticks() if "latency_quantile_ns" in tick]
        self.assertGreater(len(seen), 10 * SECONDS / 2)
        self.assertGreater(min(seen), 0.9e6 * LATENCY_MS)
        last = result["control"]["curve"][-1]
        self.assertGreaterEqual(last["latency_quantile_ns"], 0.9 * last["latency_mean_ns"])


class MaximizeLimited(Search):
    """What kept a search from the target's most."""

    @again_if_it_stood_still
    def test_a_bound_that_no_load_keeps_misses_the_goal(self):
        self.begin()
        result = self.search(LIMITED_SECONDS, self.served.url, "-d", f"{LIMITED_SECONDS}s",
                             "--while", f"p(99)<{LATENCY_MS // 2}ms", code=1)
        self.assertEqual(result["verdict"]["outcome"], "missed")
        with self.about_the_rate():
            self.assertEqual(result["verdict"]["limited_by"], "target")
        self.assertLess(result["control"]["concurrency_final"], SERVERS / 2)

    @again_if_it_stood_still
    def test_the_plans_ceiling_is_named_as_the_limit(self):
        self.begin()
        plan = self.plan("{maximize: throughput}", LIMITED_SECONDS, "limits: {concurrency: 4}\n")
        result = self.search(LIMITED_SECONDS, plan, code=1)
        with self.about_the_rate():
            self.assertEqual(result["verdict"]["limited_by"], "limits")
        self.assertIsNone(result["control"]["answer"])
        self.assertLessEqual(result["control"]["concurrency_p95"], 4)


if __name__ == "__main__":
    unittest.main()
