"""What must happen when things break: a row of the fault table each."""

import signal
import time
import unittest

from support import LEASE_S, RATE, Case, free_port, interrupt, moving_means, plan_text, wait_until


def monotonic_ns():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class FleetUnderLoad(Case):
    def fleet(self, target, seconds):
        plan = self.write("plan.yaml", plan_text(target.url, f"{{hold: {RATE}/s, tolerance: 20%}}", f"{seconds}s"))
        coordinator = self.coordinator(plan, 4)
        agents = [self.agent(coordinator, f"a{i}") for i in range(1, 5)]
        wait_until(lambda: any(tick["at_ns"] > 3e9 for tick in self.ticks()), "3 s of load", 30)
        return coordinator, agents


class AgentKilled(FleetUnderLoad):
    def test_an_agent_killed_is_replaced_by_the_others_and_counted_once(self):
        target = self.target("--latency", "2ms")
        coordinator, agents = self.fleet(target, 10)
        agents[1].kill()
        killed_s = self.ticks()[-1]["at_ns"] / 1e9
        self.finish(coordinator, 40, 0)
        result = self.result()
        self.assert_balanced(result)
        ledger = result["ledger"]
        self.assertGreater(ledger["lost_max"], 0)
        self.assertGreaterEqual(target.requests(), ledger["started"] - ledger["unwritten"])
        self.assertLessEqual(target.requests(), ledger["started"] + ledger["lost_max"])
        self.assertTrue(any(event["kind"] == "agent_lost" for event in result["events"]), result["events"])
        # The rate of a 1 s mean is back within the lease and 1 s (and the mean's own second).
        means = moving_means(self.running_ticks(), "throughput_per_s", 10)
        late = [mean for at, mean in means if at > killed_s + LEASE_S * 1.02 + 0.1 + 1.0 + 1.0]
        self.assertTrue(late)
        self.assertGreater(min(late), 0.95 * RATE)
        total = 0
        for tick in self.ticks():
            self.assertGreaterEqual(tick["total"]["started"], total, "a total fell")
            total = tick["total"]["started"]


class CoordinatorKilled(FleetUnderLoad):
    def test_the_load_ends_within_a_lease_of_the_coordinators_death(self):
        target = self.target("--latency", "2ms")
        coordinator, agents = self.fleet(target, 30)
        coordinator.kill()
        killed_ns = monotonic_ns()
        time.sleep(LEASE_S + 0.5)
        after = target.stats()
        self.assertLessEqual(after["last_request_ns"] - killed_ns, LEASE_S * 1e9)
        time.sleep(1.0)
        self.assertEqual(target.stats()["requests"], after["requests"])
        for agent in agents:
            self.assertEqual(self.finish(agent, 30), 3)


class AgentFrozen(Case):
    def test_an_agent_frozen_past_its_lease_wakes_to_nothing_but_what_was_under_way(self):
        target = self.target("--latency", "2ms")
        plan = self.write("plan.yaml", plan_text(target.url, f"{{hold: {RATE}/s, tolerance: 50%}}", "14s"))
        coordinator = self.coordinator(plan, 2)
        agent = self.agent(coordinator, "a1")
        # It keeps the run alive and adds next to nothing to the target's count.
        self.agent(coordinator, "a2", "--max-rate", "1/s")
        wait_until(lambda: any(tick["at_ns"] > 3e9 for tick in self.ticks()), "3 s of load", 30)
        agent.send_signal(signal.SIGSTOP)
        time.sleep(0.3)
        workers = self.ticks()[-1]["workers"]
        time.sleep(4.0)
        coordinator.send_signal(signal.SIGSTOP)  # so that no fresh setpoint can come
        time.sleep(0.7)
        frozen = target.requests()
        agent.send_signal(signal.SIGCONT)
        time.sleep(0.7)
        self.assertLessEqual(target.requests() - frozen, workers + 2)
        coordinator.send_signal(signal.SIGCONT)
        wait_until(lambda: target.requests() > frozen + RATE // 5, "load after a fresh setpoint", 10)
        self.finish(coordinator, 40)
        result = self.result()
        self.assert_balanced(result)
        self.assertEqual(target.requests(), result["ledger"]["started"])


class Signals(Case):
    def begin(self, latency):
        target = self.target("--latency", latency)
        plan = self.write("plan.yaml", plan_text(target.url, "{hold: 200/s}", "30s"))
        run = self.clobber("run", plan, "--agents", "2", "--out", self.path("out"))
        wait_until(lambda: any(tick["at_ns"] > 1.5e9 for tick in self.ticks()), "load", 30)
        return target, run

    def test_ctrl_c_drains_and_reports_and_exits_130(self):
        target, run = self.begin("50ms")
        interrupt(run)
        self.finish(run, 5, 130)
        result = self.result()
        self.assert_balanced(result)
        self.assertEqual(result["verdict"]["outcome"], "aborted")
        self.assertEqual(result["ledger"]["in_flight_at_end"], 0)
        self.assertEqual(target.requests(), result["ledger"]["started"])
        self.assertIn("INTERRUPTED", self.read(run.out))

    def test_a_hangup_drains_and_reports_as_ctrl_c_does(self):
        _, run = self.begin("5ms")
        run.send_signal(signal.SIGHUP)
        self.finish(run, 5, 130)
        self.assert_balanced(self.result())

    def test_ctrl_c_before_the_agents_are_there_ends_at_once(self):
        target = self.target("--latency", "1ms")
        run = self.clobber("run", target.url, "-R", "10", "--agents", "4", "--out", self.path("out"))
        wait_until(lambda: "hold" in self.read(run.err), "its first line", 30)
        interrupt(run)
        began = time.monotonic()
        self.finish(run, 5, 130)
        self.assertLess(time.monotonic() - began, 1.3)

    def test_a_second_ctrl_c_stops_within_a_second(self):
        _, run = self.begin("4s")
        interrupt(run)
        time.sleep(0.3)
        interrupt(run)
        began = time.monotonic()
        self.finish(run, 5, 130)
        self.assertLess(time.monotonic() - began, 1.3)
        result = self.result()
        self.assert_balanced(result)
        self.assertGreater(result["ledger"]["in_flight_at_end"], 0)

    def test_a_terminated_agent_drains_and_says_its_final_word(self):
        target = self.target("--latency", "5ms")
        plan = self.write("plan.yaml", plan_text(target.url, "{hold: 500/s, tolerance: 20%}", "8s"))
        coordinator = self.coordinator(plan, 2)
        agents = [self.agent(coordinator, f"a{i}") for i in (1, 2)]
        wait_until(lambda: any(tick["at_ns"] > 2e9 for tick in self.ticks()), "load", 30)
        agents[0].send_signal(signal.SIGTERM)
        self.finish(agents[0], 5)
        self.finish(coordinator, 30, 0)
        result = self.result()
        self.assert_balanced(result)
        self.assertEqual(result["ledger"]["lost_max"], 0)
        self.assertEqual(target.requests(), result["ledger"]["started"])


class Refused(Case):
    def test_a_second_agent_of_one_name_is_refused_and_the_first_is_untouched(self):
        target = self.target("--latency", "2ms")
        plan = self.write("plan.yaml", plan_text(target.url, "{hold: 500/s}", "5s"))
        coordinator = self.coordinator(plan, 1)
        first = self.agent(coordinator, "twin")
        wait_until(lambda: any(tick["at_ns"] > 1e9 for tick in self.ticks()), "load", 30)
        second = self.agent(coordinator, "twin")
        self.finish(second, 10, 3)
        self.assertIn("twin", self.read(second.err))
        self.finish(coordinator, 20, 0)
        self.finish(first, 5, 0)
        self.assert_balanced(self.result())

    def test_a_target_that_the_owner_did_not_allow_gets_no_byte(self):
        plan = self.write("plan.yaml", plan_text("http://192.0.2.1:80/", "{hold: 10/s}", "3s"))
        coordinator = self.coordinator(plan, 1, "--wait", "3s")
        agent = self.agent(coordinator, "a1")
        self.finish(coordinator, 20, 3)
        self.finish(agent, 20, 3)
        self.assertIn("--allow", self.read(agent.err) + self.read(coordinator.err) + self.read(coordinator.out))

    def test_a_target_that_refuses_every_connection_ends_with_exit_3(self):
        plan = self.write("plan.yaml", plan_text(f"http://127.0.0.1:{free_port()}/", "{hold: 100/s}", "3s"))
        run = self.clobber("run", plan, "--out", self.path("out"))
        self.finish(run, 20, 3)
        result = self.result()
        self.assert_balanced(result)
        self.assertEqual(result["ledger"]["started"], result["ledger"]["unwritten"])
        self.assertIn("connect_refused", result["errors"])

    def test_no_agents_in_time_is_exit_3(self):
        plan = self.write("plan.yaml", plan_text("http://127.0.0.1:9/", "{hold: 100/s}", "3s"))
        coordinator = self.coordinator(plan, 1, "--wait", "1s")
        self.finish(coordinator, 10, 3)


if __name__ == "__main__":
    unittest.main()
