"""clobber simulate: a plan against models, in virtual time."""

import json
import os
import resource
import subprocess
import unittest

from support import BINARY, PATIENCE_S, SANITIZED, Case, plan_text

TARGET = "http://127.0.0.1:9/"  # never contacted


def cpu_of_children_s():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Simulate(Case):
    def simulate(self, plan, *flags, out="out", env=None, code=0):
        told = subprocess.run([BINARY, "simulate", self.write("plan.yaml", plan), "--out", self.path(out), *flags],
                              capture_output=True, text=True, timeout=5 * PATIENCE_S, check=False, cwd=self.folder,
                              env={**os.environ, "LC_ALL": "C.UTF-8", **(env or {})})
        self.assertEqual(told.returncode, code, f"{told.stdout}\n{told.stderr}")
        return told

    def hold(self, rate="5000/s", duration="60s", more=""):
        return plan_text(TARGET, f"{{hold: {rate}}}", duration, "5s", more)

    def test_a_minute_takes_a_moment_and_a_latency_step_is_followed(self):
        before_s = cpu_of_children_s()
        told = self.simulate(self.hold(more="agents: {expect: 4}\n"), "--plot", "--plant",
                             "delay=5ms,service=4ms,servers=64,spread=0.3,latency=x4@20s-40s")
        if not SANITIZED:  # its own work, so that no neighbour counts: a tenth of what it simulates, and it takes 0.2 s
            self.assertLess(cpu_of_children_s() - before_s, 6.0)
        result = self.result()
        self.assert_balanced(result)
        self.assertEqual(result["verdict"]["outcome"], "met")
        self.assertEqual(result["ledger"]["not_started"], 0)
        rose = [event for event in result["events"] if event["kind"] == "latency_changed"]
        self.assertEqual(len(rose), 2, result["events"])
        self.assertAlmostEqual(rose[0]["at_ns"] / 1e9, 22, delta=1.5)
        ticks = [tick for tick in self.running_ticks() if 25e9 < tick["at_ns"] < 39e9]
        self.assertAlmostEqual(sum(tick["in_flight_mean"] for tick in ticks) / len(ticks), 5000 * 0.0248, delta=4)
        self.assertIn("concurrency, workers", told.stdout)
        self.assertIn("latency rose", told.stdout)
        self.assertLessEqual(max(len(line) for line in told.stdout.split("simulated:")[1].splitlines()), 100)
        self.assertNotIn("\x1b", told.stdout)

    def test_a_rate_out_of_reach_exits_1_and_names_the_target(self):
        told = self.simulate(self.hold(duration="20s"), "--plant", "servers=16", code=1)
        result = self.result()
        self.assert_balanced(result)
        self.assertEqual(result["verdict"]["limited_by"], "target")
        self.assertAlmostEqual(result["throughput_per_s"], 3200, delta=100)
        self.assertIn("FAIL", told.stdout)

    def test_an_agent_that_dies_and_returns_is_bounded_and_named(self):
        self.simulate(self.hold("2000/s", "30s", "agents: {expect: 4, min: 2}\n"), "--plant", "lost=1@10s-20s", code=1)
        result = self.result()
        ledger = result["ledger"]
        self.assertTrue(ledger["balanced"], ledger)
        self.assertGreater(ledger["lost_max"], 0)
        kinds = [event["kind"] for event in result["events"]]
        self.assertIn("agent_lost", kinds)
        self.assertIn("agent_joined", kinds)
        self.assertEqual(len(result["agents"]), 5)

    def test_the_same_seed_gives_the_same_record(self):
        def record(out, *flags):
            self.simulate(self.hold("2000/s", "20s"), "--quiet", "--plant", "noise=2%,loss=1%,pauses=80ms/2s@5s-", *flags, out=out)
            with open(self.path(f"{out}/run.jsonl"), encoding="utf-8") as file:
                lines = [json.loads(line.replace(f"/{out}/", "/any/")) for line in file]
            lines[0]["started_at"] = lines[-1]["result"]["started_at"] = "any"
            return lines

        first = record("first")
        self.assertEqual(first, record("again"))
        self.assertNotEqual(first, record("other", "--seed", "2"))

    def test_the_result_goes_alone_to_stdout_without_the_plot(self):
        told = self.simulate(self.hold("100/s", "10s"), "--json", "-", "--plot", "--quiet")
        self.assertEqual(json.loads(told.stdout), self.result())
        self.assertIn("PASS", told.stderr)

    def test_other_goals_and_targets_run_too(self):
        self.simulate(plan_text(TARGET, "{concurrency: 32}", "10s"), out="fixed")
        self.assertAlmostEqual(self.result("fixed")["throughput_per_s"], 32 / 0.0051, delta=200)
        self.simulate(plan_text("tcp://127.0.0.1:9", "{hold: 500/s, arrivals: closed}", "20s", "5s",
                                'requests: [{send: "PING", expect: {prefix: "+PONG"}}]\n'), out="tcp")
        self.assert_balanced(self.result("tcp"))

    def test_a_search_finds_the_peak_of_a_target_that_slows_itself_down(self):
        self.simulate(plan_text(TARGET, "{maximize: throughput}", "30s", "5s"), "--plant", "delay=5ms,usl=400/s:0.015:0.00008")
        result = self.result()
        self.assert_balanced(result)
        self.assertAlmostEqual(result["throughput_per_s"], 12100, delta=600)

    def test_thresholds_are_judged(self):
        self.simulate(self.hold("100/s", "10s", "thresholds: [\"latency.p(99) < 1ms\"]\n"), code=1)
        self.assertFalse(self.result()["thresholds"][0]["passed"])

    def test_a_bad_plant_exits_2_and_leaves_nothing(self):
        told = self.simulate(self.hold(), "--plant", "dealy=5ms", code=2)
        self.assertIn("did you mean 'delay'", told.stderr)
        told = self.simulate(self.hold(), env={"CLOBBER_PLANT": "servers=0"}, code=2)
        self.assertIn("servers is '0'", told.stderr)
        self.assertFalse(os.path.exists(self.path("out")))


if __name__ == "__main__":
    unittest.main()
