"""Rows of the fault matrix that need several hosts: what happens when the network between agents and coordinator breaks,
loses or crawls. The target is always within reach, so that only the lease can end the load."""

import time
import unittest

from hosts import HostCase, needs_hosts
from support import (LEASE_S, RATE, TOLERANCE, again_if_it_stood_still, figure, interrupt, now_ns, plan_text,
                     wait_until)


@needs_hosts
class Partition(HostCase):
    """One agent of two is cut off. The other keeps the run alive and adds next to nothing to the target's count."""

    def cut_off(self, row, *, to_agent, to_coordinator):
        office, far, near = self.hosts("office", "far", "near")
        target = self.target_on(near, "--latency", "2ms")
        plan = self.write("plan.yaml", plan_text(target.url, f"{{hold: {RATE}/s}}", "10m"))
        coordinator = self.coordinator_on(office, plan, 2)
        agent = self.agent_on(far, coordinator, "a1")
        self.agent_on(near, coordinator, "a2", "--max-rate", "1/s")
        self.wait_for_load(2)

        if to_agent:
            far.drop(office)
        if to_coordinator:
            office.drop(far)
        cut_ns = now_ns()
        time.sleep(LEASE_S + 1.5)
        before = target.requests()
        time.sleep(1.0)
        # a2 may make one a second, and what left in time may have waited at a busy target until now.
        self.assertLessEqual(target.requests() - before, 0.1 * RATE)
        self.assertGreater(target.requests(), 0)

        for host in (far, office):
            host.nft("add table inet faults\n")
            host.heal()
        healed_ns = now_ns()
        self.wait_for_more(target, before + RATE // 4, agent)
        figure(row, f"cut for {(healed_ns - cut_ns) / 1e9:.1f} s, load back after {(now_ns() - healed_ns) / 1e9:.1f} s")
        self.wait_for_load(self.ticks()[-1]["at_ns"] / 1e9 + 1)
        interrupt(coordinator)
        self.finish(coordinator, 5, 130)
        self.assert_counted_once(self.result(), target)

    @again_if_it_stood_still
    def test_partition_both_ways(self):
        self.cut_off("partition both ways", to_agent=True, to_coordinator=True)

    @again_if_it_stood_still
    def test_partition_from_coordinator_to_agent(self):
        self.cut_off("partition from coordinator to agent", to_agent=True, to_coordinator=False)

    @again_if_it_stood_still
    def test_partition_from_agent_to_coordinator(self):
        self.cut_off("partition from agent to coordinator", to_agent=False, to_coordinator=True)


@needs_hosts
class BadLine(HostCase):
    """The line between agents and their coordinator is bad from the first hello to the last word."""

    def run_over(self, row, spoil, agents=2):
        office, far = self.hosts("office", "far")
        spoil(office, far)
        target = self.target_on(far, "--latency", "2ms")
        plan = self.write("plan.yaml", plan_text(target.url, f"{{hold: {RATE // 2}/s, {TOLERANCE}}}", "5s"))
        coordinator = self.coordinator_on(office, plan, agents)
        for i in range(agents):
            self.agent_on(far, coordinator, f"a{i}")
        self.finish(coordinator, 5, 0)
        result = self.result()
        self.assert_counted_once(result, target)
        figure(row, f"{result['throughput_per_s']:.0f} of {RATE // 2}/s, {result['ledger']['started']} requests, "
               "the target's count the same")

    @again_if_it_stood_still
    def test_loss_of_5_percent(self):
        def spoil(office, far):
            office.drop(far, 5)
            far.drop(office, 5)
        self.run_over("loss 5 %", spoil)

    @again_if_it_stood_still
    def test_line_of_10_kilobytes_a_second(self):
        def spoil(office, far):
            office.slow_down(10000)
            far.slow_down(10000)
        # An agent says 3 kB of beats and 2 to 3 kB of samples a second: two of them would fill the line.
        self.run_over("10 kB/s", spoil, agents=1)


if __name__ == "__main__":
    unittest.main()
