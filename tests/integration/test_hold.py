"""A rate is held on nginx, and nginx's own count is the ledger's."""

import unittest

from support import RATE, Case, plan_text, wait_until


class Hold(Case):
    def hold(self, agents, seconds=5):
        nginx = self.nginx()
        plan = self.write("plan.yaml", plan_text(nginx.url, f"{{hold: {RATE}/s}}", f"{seconds}s"))
        run = self.clobber("run", plan, "--agents", str(agents), "--out", self.path("out"))
        self.finish(run, seconds + 20, 0)
        result = self.result()
        self.assert_balanced(result)
        self.assertEqual(nginx.requests(), result["ledger"]["started"])
        self.assertEqual(result["verdict"]["outcome"], "met")
        self.assertAlmostEqual(result["throughput_per_s"] / RATE, 1.0, delta=0.005)
        self.assertEqual(len(result["agents"]), agents)
        return result

    def test_one_agent_holds_the_rate_and_nginx_counts_the_same(self):
        self.hold(1)

    def test_four_agents_hold_the_rate_and_nginx_counts_the_same(self):
        self.hold(4)

    def test_closed_arrivals_hold_the_rate(self):
        target = self.target("--latency", "5ms", "--servers", "256")
        rate = RATE // 2
        plan = self.write("plan.yaml", plan_text(target.url, f"{{hold: {rate}/s, arrivals: closed, tolerance: 2%}}",
                                                 "8s", "3s"))
        self.finish(self.clobber("run", plan, "--out", self.path("out")), 30, 0)
        result = self.result()
        self.assert_balanced(result)
        self.assertEqual(result["ledger"]["planned"], result["ledger"]["started"])
        self.assertEqual(target.requests(), result["ledger"]["started"])

    def test_a_fixed_concurrency_runs_so_many_workers(self):
        target = self.target("--latency", "5ms", "--servers", "256")
        plan = self.write("plan.yaml", plan_text(target.url, "{concurrency: 16}", "3s", "1s"))
        self.finish(self.clobber("run", plan, "--agents", "2", "--out", self.path("out")), 30, 0)
        result = self.result()
        self.assert_balanced(result)
        self.assertEqual(target.requests(), result["ledger"]["started"])
        self.assertEqual(result["control"]["concurrency_final"], 16)

    def test_stages_are_each_held(self):
        nginx = self.nginx()
        stages = f"stages:\n  - {{duration: 2s, to: {RATE}/s}}\n  - {{duration: 3s, to: {RATE}/s}}\n" \
                 f"  - {{duration: 2s, to: {RATE // 4}/s}}\n"
        plan = self.write("plan.yaml", f"version: 1\nname: stages\ntarget: {nginx.url}\n"
                          f"goal: {{hold: stages, tolerance: 2%}}\n{stages}")
        self.finish(self.clobber("run", plan, "--out", self.path("out")), 30, 0)
        result = self.result()
        self.assert_balanced(result)
        self.assertEqual(nginx.requests(), result["ledger"]["started"])
        wanted = RATE * 2 / 2 + RATE * 3 + (RATE + RATE / 4) * 2 / 2
        self.assertAlmostEqual(result["ledger"]["planned"] / wanted, 1.0, delta=0.02)


class Fleet(Case):
    def test_a_fifth_agent_joins_half_way_and_takes_its_share(self):
        nginx = self.nginx()
        plan = self.write("plan.yaml", plan_text(nginx.url, f"{{hold: {RATE}/s}}", "8s"))
        coordinator = self.coordinator(plan, 4)
        agents = [self.agent(coordinator, f"a{i}") for i in range(1, 5)]
        wait_until(lambda: any(tick["at_ns"] > 4e9 for tick in self.ticks()), "half-time", 30)
        agents.append(self.agent(coordinator, "a5"))
        self.finish(coordinator, 30, 0)
        for agent in agents:
            self.finish(agent, 10, 0)
        result = self.result()
        self.assert_balanced(result)
        self.assertEqual(nginx.requests(), result["ledger"]["started"])

        joined = [tick for tick in self.running_ticks() for agent in tick["agents"] if agent["name"] == "a5"]
        carries = [tick for tick in joined for agent in tick["agents"]
                   if agent["name"] == "a5" and agent["throughput_per_s"] > 0.8 * RATE / 5]
        self.assertTrue(carries, "a5 never carried its share")
        self.assertLess((carries[0]["at_ns"] - joined[0]["at_ns"]) / 1e9, 1.0)


class Tcp(Case):
    def test_pings_are_counted_by_redis_as_by_the_ledger(self):
        redis = self.redis()
        plan = self.write("plan.yaml", plan_text(
            f"tcp://127.0.0.1:{redis.port}", f"{{hold: {RATE // 2}/s}}", "4s", "1s",
            'requests:\n  - {name: ping, send: "PING\\r\\n", expect: {prefix: "+PONG"}}\n'))
        self.finish(self.clobber("run", plan, "--out", self.path("out")), 30, 0)
        result = self.result()
        self.assert_balanced(result)
        self.assertEqual(redis.calls("ping"), result["ledger"]["started"])


if __name__ == "__main__":
    unittest.main()
