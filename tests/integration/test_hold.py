"""A rate is held on nginx, and nginx's own count is the ledger's."""

import unittest

from support import RATE, TOLERANCE, Case, again_if_it_stood_still, interrupt, plan_text, wait_until


class Hold(Case):
    def hold(self, agents, seconds=5):
        nginx = self.nginx()
        plan = self.write("plan.yaml", plan_text(nginx.url, f"{{hold: {RATE}/s, {TOLERANCE}}}", f"{seconds}s"))
        run = self.clobber("run", plan, "--agents", str(agents), "--out", self.path("out"))
        self.finish(run, seconds, 0)
        result = self.result()
        self.assert_balanced(result)
        self.assert_planned(result, RATE * seconds)
        self.assertEqual(nginx.requests(), result["ledger"]["started"])
        self.assertEqual(result["verdict"]["outcome"], "met")
        self.assertEqual(len(result["agents"]), agents)

    @again_if_it_stood_still
    def test_one_agent_holds_the_rate_and_nginx_counts_the_same(self):
        self.hold(1)

    @again_if_it_stood_still
    def test_four_agents_hold_the_rate_and_nginx_counts_the_same(self):
        self.hold(4)

    @again_if_it_stood_still
    def test_h2o_counts_the_same_with_a_connection_kept_or_new_each(self):
        for i, keep_alive in enumerate(("true", "false")):
            h2o = self.h2o()
            plan = self.write("plan.yaml", plan_text(h2o.url, f"{{hold: {RATE // 2}/s, {TOLERANCE}}}", "2s", "0",
                                                     f"http: {{keep_alive: {keep_alive}}}\n"))
            self.finish(self.clobber("run", plan, "--out", self.path(f"out{i}")), 10)
            result = self.result(f"out{i}")
            self.assert_balanced(result)
            self.assertEqual(result["ledger"]["ok"], result["ledger"]["started"])
            self.assertEqual(h2o.requests(), result["ledger"]["started"])

    @again_if_it_stood_still
    def test_closed_arrivals_hold_the_rate(self):
        target = self.target("--latency", "5ms", "--servers", "256")
        rate = RATE // 2
        plan = self.write("plan.yaml", plan_text(target.url, f"{{hold: {rate}/s, arrivals: closed, {TOLERANCE}}}",
                                                 "8s", "3s"))
        self.finish(self.clobber("run", plan, "--out", self.path("out")), 30, 0)
        result = self.result()
        self.assert_balanced(result)
        self.assertEqual(result["ledger"]["planned"], result["ledger"]["started"])
        self.assertEqual(target.requests(), result["ledger"]["started"])

    @again_if_it_stood_still
    def test_a_fixed_concurrency_runs_so_many_workers(self):
        target = self.target("--latency", "5ms", "--servers", "256")
        plan = self.write("plan.yaml", plan_text(target.url, "{concurrency: 16}", "3s", "1s"))
        self.finish(self.clobber("run", plan, "--agents", "2", "--out", self.path("out")), 30, 0)
        result = self.result()
        self.assert_balanced(result)
        self.assertEqual(target.requests(), result["ledger"]["started"])
        with self.about_the_rate():
            self.assertEqual(result["control"]["concurrency_final"], 16)

    @again_if_it_stood_still
    def test_stages_are_each_held(self):
        nginx = self.nginx()
        stages = f"stages:\n  - {{duration: 2s, to: {RATE}/s}}\n  - {{duration: 3s, to: {RATE}/s}}\n" \
                 f"  - {{duration: 2s, to: {RATE // 4}/s}}\n"
        plan = self.write("plan.yaml", f"version: 1\nname: stages\ntarget: {nginx.url}\n"
                          f"goal: {{hold: stages, {TOLERANCE}}}\n{stages}")
        self.finish(self.clobber("run", plan, "--out", self.path("out")), 30, 0)
        result = self.result()
        self.assert_balanced(result)
        self.assertEqual(nginx.requests(), result["ledger"]["started"])
        self.assert_planned(result, RATE * 2 / 2 + RATE * 3 + (RATE + RATE / 4) * 2 / 2)


class Fleet(Case):
    @again_if_it_stood_still
    def test_a_fifth_agent_joins_half_way_and_takes_its_share(self):
        nginx = self.nginx()
        plan = self.write("plan.yaml", plan_text(nginx.url, f"{{hold: {RATE}/s}}", "120s"))
        coordinator = self.coordinator(plan, 4)
        agents = [self.agent(coordinator, f"a{i}") for i in range(1, 5)]
        self.wait_for_load(2)
        agents.append(self.agent(coordinator, "a5"))
        wait_until(lambda: any(agent["name"] == "a5" and agent["throughput_per_s"] > 0.8 * RATE / 5
                               for tick in self.running_ticks() for agent in tick["agents"]), "a5's share")
        shared_s = self.ticks()[-1]["at_ns"] / 1e9
        self.wait_for_load(shared_s + 3)
        interrupt(coordinator)
        self.finish(coordinator, 5, 130)
        for agent in agents:
            self.finish(agent, 5)
        result = self.result()
        self.assert_balanced(result)
        self.assertEqual(nginx.requests(), result["ledger"]["started"])
        self.assert_rate("started", RATE, shared_s, shared_s + 3)


class Tcp(Case):
    @again_if_it_stood_still
    def test_pings_are_counted_by_redis_as_by_the_ledger(self):
        redis = self.redis()
        plan = self.write("plan.yaml", plan_text(
            f"tcp://127.0.0.1:{redis.port}", f"{{hold: {RATE // 2}/s, {TOLERANCE}}}", "4s", "1s",
            'requests:\n  - {name: ping, send: "PING\\r\\n", expect: {prefix: "+PONG"}}\n'))
        self.finish(self.clobber("run", plan, "--out", self.path("out")), 30, 0)
        result = self.result()
        self.assert_balanced(result)
        self.assertEqual(redis.calls("ping"), result["ledger"]["started"])


if __name__ == "__main__":
    unittest.main()
