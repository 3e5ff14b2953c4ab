"""What must happen when things break: a row of the fault table each."""

import signal
import time
import unittest

from support import (LEASE_S, RATE, TOLERANCE, Case, again_if_it_stood_still, events, figure, interrupt,
                     now_ns, plan_text, wait_until)


class FleetUnderLoad(Case):
    def fleet(self, target):
        """Four agents in a run that is longer than any test waits."""
        plan = self.write("plan.yaml", plan_text(target.url, f"{{hold: {RATE}/s}}", "10m"))
        coordinator = self.coordinator(plan, 4)
        agents = [self.agent(coordinator, f"a{i}") for i in range(1, 5)]
        self.wait_for_load(3)
        return coordinator, agents


class AgentKilled(FleetUnderLoad):
    @again_if_it_stood_still
    def test_an_agent_killed_is_replaced_by_the_others_and_counted_once(self):
        target = self.target("--latency", "2ms")
        coordinator, agents = self.fleet(target)
        agents[1].kill()
        wait_until(lambda: self.ticks()[-1]["agents_lost"] == 1, "the loss")
        lost_s = self.ticks()[-1]["at_ns"] / 1e9
        self.wait_for_load(lost_s + 5)
        interrupt(coordinator)
        self.finish(coordinator, 5, 130)
        result = self.result()
        self.assert_balanced(result)
        ledger = result["ledger"]
        self.assertGreater(ledger["lost_max"], 0)
        self.assertGreaterEqual(target.requests(), ledger["started"] - ledger["unwritten"])
        self.assertLessEqual(target.requests(), ledger["started"] + ledger["lost_max"])
        self.assertEqual(len(events(result, "agent_lost")), 1, result["events"])
        # Three agents without the share of the fourth would start 75 %. How soon it is there: figures.py.
        self.assert_rate("started", RATE, lost_s + 1, lost_s + 5)
        total = 0
        for tick in self.ticks():
            self.assertGreaterEqual(tick["total"]["started"], total, "a total fell")
            total = tick["total"]["started"]


class CoordinatorKilled(FleetUnderLoad):
    def test_the_load_ends_within_a_lease_of_the_coordinators_death(self):
        target = self.target("--latency", "2ms")
        coordinator, agents = self.fleet(target)
        coordinator.kill()
        killed_ns = now_ns()
        for agent in agents:
            self.assertEqual(self.finish(agent, 30), 3)
        ended_ns = now_ns()
        # What left in time may wait on a busy machine until the target reads it; agents that obeyed no lease would go
        # on for as long as they lived.
        late_ns = target.stats()["last_request_ns"] - killed_ns - LEASE_S * 1e9
        self.assertLessEqual(late_ns, 1e9)
        self.assertGreater(ended_ns - killed_ns, (LEASE_S + 2) * 1e9)


class AgentFrozen(Case):
    def test_an_agent_frozen_past_its_lease_wakes_to_nothing_but_what_was_under_way(self):
        target = self.target("--latency", "2ms")
        plan = self.write("plan.yaml", plan_text(target.url, f"{{hold: {RATE}/s}}", "10m"))
        coordinator = self.coordinator(plan, 2)
        agent = self.agent(coordinator, "a1")
        # It keeps the run alive and adds next to nothing to the target's count.
        self.agent(coordinator, "a2", "--max-rate", "1/s")
        self.wait_for_load(3)
        agent.send_signal(signal.SIGSTOP)
        time.sleep(2 * LEASE_S)
        coordinator.send_signal(signal.SIGSTOP)  # so that no fresh setpoint can come
        workers = max(part["workers"] for tick in self.ticks() for part in tick["agents"] if part["name"] == "a1")
        frozen = target.requests()
        agent.send_signal(signal.SIGCONT)
        time.sleep(1.0)  # enough for all that was due meanwhile
        # The other one's lease lets it do this much, however long we slept.
        self.assertLessEqual(target.requests() - frozen, workers + 1 * LEASE_S + 1)
        coordinator.send_signal(signal.SIGCONT)
        wait_until(lambda: target.requests() > frozen + RATE // 5, "load after a fresh setpoint")
        interrupt(coordinator)
        self.finish(coordinator, 5, 130)
        result = self.result()
        self.assert_balanced(result)
        self.assertEqual(target.requests(), result["ledger"]["started"])


class Signals(Case):
    def begin(self, latency, more=""):
        target = self.target("--latency", latency)
        plan = self.write("plan.yaml", plan_text(target.url, "{hold: 200/s}", "10m", more=more))
        run = self.clobber("run", plan, "--agents", "2", "--out", self.path("out"))
        self.wait_for_load(1.5)
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
        run = self.clobber("run", target.url, "-R", "10", "-d", "10m", "--agents", "4", "--out", self.path("out"))
        wait_until(lambda: "hold" in self.read(run.err), "its first line")
        interrupt(run)
        self.finish(run, 5, 130)
        self.assertLess(self.result()["duration_ns"], 5e9)

    def test_a_second_ctrl_c_does_not_wait_for_the_answers(self):
        _, run = self.begin("8s", "http: {timeout: 9s}\n")
        interrupt(run)
        wait_until(lambda: self.ticks()[-1]["state"] == "draining", "the drain")
        interrupt(run)
        self.finish(run, 5, 130)
        result = self.result()
        self.assert_balanced(result)
        # A drain would have lasted until the last had answered.
        self.assertGreater(result["ledger"]["in_flight_at_end"], 0)
        draining = [tick["at_ns"] for tick in self.ticks() if tick["state"] == "draining"]
        self.assertLess(draining[-1] - draining[0], 5e9)

    @again_if_it_stood_still
    def test_a_terminated_agent_drains_and_says_its_final_word(self):
        target = self.target("--latency", "5ms")
        plan = self.write("plan.yaml", plan_text(target.url, f"{{hold: 500/s, {TOLERANCE}}}", "8s"))
        coordinator = self.coordinator(plan, 2)
        agents = [self.agent(coordinator, f"a{i}") for i in (1, 2)]
        self.wait_for_load(2)
        agents[0].send_signal(signal.SIGTERM)
        self.finish(agents[0], 5)
        self.finish(coordinator, 10, 0)
        result = self.result()
        self.assert_balanced(result)
        with self.about_the_rate():
            self.assertEqual(result["ledger"]["lost_max"], 0)
        self.assertEqual(target.requests(), result["ledger"]["started"])


class Refused(Case):
    @again_if_it_stood_still
    def test_a_second_agent_of_one_name_is_refused_and_the_first_is_untouched(self):
        target = self.target("--latency", "2ms")
        plan = self.write("plan.yaml", plan_text(target.url, f"{{hold: 500/s, {TOLERANCE}}}", "8s"))
        coordinator = self.coordinator(plan, 1)
        first = self.agent(coordinator, "twin")
        self.wait_for_load(1)
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
        plan = self.write("plan.yaml", plan_text(f"http://127.0.0.1:{self.nobody()}/", "{hold: 100/s}", "3s"))
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
