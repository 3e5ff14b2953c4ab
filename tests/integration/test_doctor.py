"""The doctor asks real agents, and every number that it shows was measured by them."""

import json
import re
import unittest

from support import Case, plan_text, wait_until


class Doctor(Case):
    def findings(self, process, code):
        self.finish(process, 20, code)
        return json.loads(self.read(process.out))

    def test_this_machine_is_measured_in_a_few_seconds(self):
        for engine in ("epoll", "auto"):
            found = self.findings(self.clobber("doctor", "--json", "-", "--engine", engine), 0)
            (agent,) = found["agents"]
            self.assertTrue(agent["examined"])
            self.assertGreater(agent["requests_per_cpu_s"], 1000)
            self.assertGreater(agent["timer_p99_ns"], 0)
            self.assertGreater(agent["files"], agent["workers"])
            self.assertGreater(agent["ports"], 0)
            self.assertGreater(agent["clock_known_within_ns"], 0)
            self.assertIn(agent["engine"], ("epoll", "uring"))

    def test_a_fleet_is_examined_and_then_free_for_a_run(self):
        plan = self.write("plan.yaml", plan_text("http://127.0.0.1:1/", "{hold: 10/s}", "2s", "0"))
        doctor = self.clobber("doctor", plan, "--bind", "tcp://127.0.0.1:0", "--expect-agents", "2", "--wait", "30s",
                              "--json", "-")
        endpoint = wait_until(lambda: re.search(r"tcp://127\.0\.0\.1:\d+", self.read(doctor.err)), "the doctor").group(0)
        agents = [self.clobber("agent", "--connect", endpoint, "--name", name, "--lanes", "1",
                               "--max-concurrency", str(ceiling)) for name, ceiling in (("a1", 50), ("a2", 30000))]
        found = self.findings(doctor, 0)
        self.assertEqual({agent["name"]: agent["workers"] == 50 for agent in found["agents"]}, {"a1": True, "a2": False})
        self.assertTrue(any("a1" in remark["sentence"] and "allow 50 workers" in remark["sentence"]
                            for remark in found["remarks"]), found["remarks"])
        self.assertTrue(found["first_limit"].startswith("a1 at 50 workers"))
        for agent in agents:
            self.assertIsNone(agent.poll(), self.read(agent.err))
            wait_until(lambda agent=agent: "examined by clobber doctor" in self.read(agent.err), "its leave")

    def test_a_plan_that_no_agent_has_room_for_fails(self):
        plan = self.write("plan.yaml", plan_text("http://127.0.0.1:1/", "{concurrency: 900000}", "2s", "0",
                                                 "limits: {concurrency: 1000000}\n"))
        found = self.findings(self.clobber("doctor", plan, "--json", "-"), 1)
        self.assertTrue(any(remark["grade"] == "fail" and "the plan's goal is 900000" in remark["sentence"]
                            for remark in found["remarks"]), found["remarks"])

    def test_nobody_to_examine_is_said(self):
        doctor = self.clobber("doctor", "--bind", "tcp://127.0.0.1:0", "--wait", "200ms")
        self.finish(doctor, 10, 3)
        self.assertIn("no agent came to be examined", self.read(doctor.err))


if __name__ == "__main__":
    unittest.main()
