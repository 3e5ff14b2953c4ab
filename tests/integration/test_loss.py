"""Nothing is lost: agents and coordinators that are killed with no warning, and started again."""

import json
import os
import time
import unittest

from hosts import needs_hosts
from support import BINARY, LEASE_S, RATE, TOLERANCE, Case, events, interrupt, now_ns, plan_text, wait_until

# A reconnect, a lease that is waited out, and what a busy machine makes of both.
RESUME_S = 3 * LEASE_S


class Losses(Case):
    """A fleet that loads a target which takes a while, so that something is in flight whenever anybody dies."""

    def fleet(self, agents, duration="10m", more="", latency="20ms"):
        self.counter = self.target("--latency", latency, "--jitter", "5ms")
        self.plan = self.write("plan.yaml", plan_text(self.counter.url, f"{{hold: {RATE}/s, {TOLERANCE}}}", duration,
                                                      more=more))
        coordinator = self.coordinator(self.plan, agents)
        fleet = [self.agent(coordinator, f"a{i}") for i in range(1, agents + 1)]
        self.wait_for_load(2.5)
        return coordinator, fleet

    def heir(self, coordinator, name):
        """As a supervisor starts one: it stays, although its name may still be another's."""
        return self.clobber("agent", "--connect", coordinator.endpoint, "--name", name, "--lanes", "1")

    def resume(self, *flags):
        return self.clobber("coordinator", self.plan, "--resume", self.path("out"), *flags)

    def wait_for_event(self, kind, seconds=RESUME_S):
        wait_until(lambda: [line for line in self.record() if line.get("kind") == kind], kind, seconds + 60)

    def load_since(self, moment):
        """Waits until the record tells of load after its line number `moment`."""
        wait_until(lambda: any(line.get("throughput_per_s", 0) > RATE / 4 for line in self.record()[moment:]
                               if line["line"] == "tick"), "load again", RESUME_S + 60)

    def drained(self, coordinator, *agents):
        interrupt(coordinator)
        self.finish(coordinator, 5, 130)
        for agent in agents:
            self.finish(agent, 5)
        return self.result()

    def assert_exact(self, result):
        self.assert_balanced(result)
        ledger = result["ledger"]
        self.assertEqual(ledger["lost_max"], 0, ledger)
        self.assertEqual(ledger["in_flight_at_end"], 0, ledger)
        self.assertEqual(ledger["unwritten"], 0, ledger)
        self.assertEqual(self.counter.requests(), ledger["started"])

    def assert_within_flight(self, result):
        """Of a killed agent, what was in flight may have come to the target or not, and nothing else is unknown."""
        self.assert_balanced(result)
        ledger = result["ledger"]
        ended = ledger["ok"] + ledger["failed"] + ledger["timed_out"]
        self.assertEqual(ledger["lost_max"], 0, ledger)
        self.assertGreaterEqual(self.counter.requests(), ended - ledger["unwritten"])
        self.assertLessEqual(self.counter.requests(), ledger["started"])
        most = max(tick["concurrency"] for tick in self.ticks())
        self.assertLessEqual(ledger["in_flight_at_end"], most + 1, ledger)
        self.assertEqual(os.listdir(self.path("state")), [], "a recording that was delivered is gone")


class AgentRecorder(Losses):
    def test_a_killed_agent_that_is_started_again_tells_what_it_did(self):
        coordinator, agents = self.fleet(2)
        agents[0].kill()
        agents[0].wait()
        self.wait_for_event("agent_lost")
        agents[0] = self.agent(coordinator, "a1")
        self.wait_for_event("agent_recovered")
        self.wait_for_event("agent_joined")
        self.load_since(len(self.record()))
        result = self.drained(coordinator, *agents)
        self.assert_within_flight(result)
        self.assertCountEqual([agent["name"] for agent in result["agents"]], ["a1", "a1", "a2"])

    def test_one_that_is_back_before_it_is_missed_was_never_lost(self):
        coordinator, agents = self.fleet(2)
        agents[0].kill()
        agents[0].wait()
        agents.append(self.agent(coordinator, "a3"))  # any agent with that folder can say it
        self.wait_for_event("agent_recovered")
        result = self.drained(coordinator, *agents[1:])
        self.assert_within_flight(result)

    def test_an_agent_killed_as_the_run_ends_is_in_the_sums(self):
        coordinator, agents = self.fleet(2)
        agents[0].kill()
        agents[0].wait()
        interrupt(coordinator)
        heir = self.agent(coordinator, "a1")  # refused: the run is over; but it is heard
        self.finish(coordinator, 5, 130)
        result = self.result()
        self.finish(heir, 40)
        if not events(result, "agent_recovered"):
            self.skipTest("the run was over before the agent was there")
        self.assertEqual(result["ledger"]["lost_max"], 0)
        self.assert_balanced(result)


class CoordinatorResumed(Losses):
    def test_a_run_that_is_taken_up_again_counts_exactly(self):
        coordinator, agents = self.fleet(3)
        coordinator.kill()
        coordinator.wait()
        before = len(self.record())
        coordinator = self.resume()
        self.load_since(before)
        result = self.drained(coordinator, *agents)
        self.assert_exact(result)
        self.assertEqual(len(events(result, "resumed")), 1, result["events"])
        start = [line for line in self.record() if line["line"] == "start"]
        self.assertEqual([line["run_id"] for line in start], [result["run_id"]])
        self.assertEqual(sorted(agent["name"] for agent in result["agents"]), ["a1", "a2", "a3"])
        at = [tick["at_ns"] for tick in self.ticks()]
        self.assertEqual(at, sorted(at))
        self.assertFalse(os.path.exists(os.path.join(self.path("out"), "agents.state")))

    def test_twice_with_a_torn_record_and_an_agent_that_died_for_good(self):
        coordinator, agents = self.fleet(3)
        for round_ in range(2):
            coordinator.kill()
            coordinator.wait()
            before = len(self.record())
            if round_ == 0:
                agents[2].kill()
                agents.pop().wait()
                with open(os.path.join(self.path("out"), "run.jsonl"), "a", encoding="utf-8") as file:
                    file.write('{"line":"tick","at_ns":99')
            coordinator = self.resume()
            self.load_since(before)
        result = self.drained(coordinator, *agents)
        self.assert_balanced(result)
        ledger = result["ledger"]
        self.assertGreater(ledger["lost_max"], 0)
        self.assertGreaterEqual(self.counter.requests(), ledger["started"] - ledger["unwritten"]
                                - ledger["in_flight_at_end"])
        self.assertLessEqual(self.counter.requests(), ledger["started"] + ledger["lost_max"])
        self.assertEqual(len(events(result, "resumed")), 2, result["events"])
        self.assertTrue(all(line["line"] for line in self.record()))

    def test_an_agent_killed_while_there_was_no_coordinator_tells_the_next_one(self):
        coordinator, agents = self.fleet(2)
        coordinator.kill()
        coordinator.wait()
        agents[0].kill()
        agents[0].wait()
        before = len(self.record())
        heir = self.heir(coordinator, "a1")
        coordinator = self.resume()
        self.wait_for_event("agent_recovered")
        self.load_since(before)
        self.wait_for_event("agent_joined")
        result = self.drained(coordinator, agents[1])
        interrupt(heir)
        self.finish(heir, 5, 130)
        self.assert_within_flight(result)

    def test_agents_that_had_given_up_tell_a_late_coordinator_all_the_same(self):
        coordinator, agents = self.fleet(2)
        coordinator.kill()
        coordinator.wait()
        for agent in agents:
            self.finish(agent, 30, 3)
        before = len(self.record())
        agents = [self.agent(coordinator, f"a{i}") for i in (1, 2)]
        coordinator = self.resume()
        self.load_since(before)
        wait_until(lambda: len([line for line in self.record() if line.get("kind") == "agent_recovered"]) == 2, "both")
        self.assert_exact(self.drained(coordinator, *agents))

    def test_what_cannot_be_resumed_is_refused_with_a_sentence(self):
        coordinator, agents = self.fleet(1)
        self.assert_refused(self.resume(), "a coordinator is running this run")
        other = self.write("other.yaml", plan_text(self.counter.url, "{hold: 1/s}"))
        self.assert_refused(self.clobber("coordinator", other, "--resume", self.path("nowhere")), "nowhere")
        coordinator.kill()
        coordinator.wait()
        self.assert_refused(self.clobber("coordinator", other, "--resume", self.path("out")), "another plan")
        coordinator = self.resume()
        self.wait_for_event("resumed")
        self.drained(coordinator, *agents)
        self.assert_refused(self.resume(), "has ended")

    def assert_refused(self, process, words):
        self.finish(process, 5, 2)
        self.assertIn(words, self.read(process.err))


class CoordinatorResumedLate(Losses):
    def test_a_run_whose_time_is_over_is_counted_and_reported(self):
        coordinator, agents = self.fleet(2, duration="8s")
        coordinator.kill()
        coordinator.wait()
        wait_until(lambda: now_ns() - self.counter.stats()["last_request_ns"] > 0.2e9, "the end of the leases")
        time.sleep(6)
        coordinator = self.resume()
        self.finish(coordinator, 20)
        for agent in agents:
            self.finish(agent, 5, 0)
        self.assert_exact(self.result())


@needs_hosts
class DiskFull(Case):
    """A folder of 256 KiB, in a file system of its own that is gone with the process."""

    def run_in_small_folder(self, *flags, filled_kib):
        self.counter = self.target("--latency", "2ms")
        os.mkdir(self.path("small"))
        command = (f"mount -t tmpfs -o size=256k tmpfs {self.path('small')} && "
                   f"dd if=/dev/zero of={self.path('small')}/filler bs=1024 count={filled_kib} 2>/dev/null; "
                   f"\"$@\"; code=$?; cp -r {self.path('small')}/out {self.path('out')}; exit $code")
        return self.start("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", command, "sh", BINARY, "run",
                          self.counter.url, "-R", "200", "-d", "10m", "--out", f"{self.path('small')}/out", *flags,
                          name="small")

    def test_a_disk_that_is_full_at_the_start_stops_it_before_any_load(self):
        run = self.run_in_small_folder(filled_kib=300)
        self.finish(run, 10, 3)
        self.assertIn("No space left on device", self.read(run.err))
        self.assertEqual(self.counter.requests(), 0)

    def test_a_disk_that_fills_up_ends_the_run_with_all_that_was_known(self):
        run = self.run_in_small_folder("--quiet", filled_kib=180)
        self.finish(run, 60, 3)
        said = self.read(run.err)
        self.assertIn("cannot write run.jsonl: No space left on device", said)
        text = self.read(os.path.join(self.path("out"), "run.jsonl"))
        self.assertTrue(text.endswith("\n"), text[-200:])
        for line in text.splitlines():
            json.loads(line)
        self.assertFalse([file for file in os.listdir(self.path("out")) if file.endswith(".part")])
        if os.path.exists(os.path.join(self.path("out"), "result.json")):
            result = self.result()  # what a line of the record took, it may find room for
        else:
            result = json.loads(said[said.index("{"):said.rindex("}") + 1])
        self.assert_balanced(result)
        self.assertEqual(result["verdict"]["outcome"], "aborted")
        self.assertEqual(self.counter.requests(), result["ledger"]["started"])
        self.assertIn("balanced", self.read(run.out))


if __name__ == "__main__":
    unittest.main()
