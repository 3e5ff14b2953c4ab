"""Rows of the fault matrix that a forwarder of our own makes, between agents and their coordinator: a line that is
half-open, that is slow, that breaks and says again what it had carried."""

import time
import unittest

from forwarder import Forwarder
from support import (LEASE_S, RATE, TOLERANCE, Case, again_if_it_stood_still, events, figure, interrupt, now_ns, plan_text,
                     wait_until)


class Lines(Case):
    def line(self, coordinator, **how):
        forwarder = Forwarder(coordinator.endpoint, **how)
        self.stack.callback(forwarder.close)
        return forwarder

    def agent_over(self, forwarder, name, *flags):
        return self.clobber("agent", "--connect", forwarder.endpoint, "--name", name, "--lanes", "1", "--once", *flags)


class HalfOpen(Lines):
    @again_if_it_stood_still
    def test_half_open_connection_ends_the_load_within_a_lease(self):
        target = self.target("--latency", "2ms")
        plan = self.write("plan.yaml", plan_text(target.url, f"{{hold: {RATE}/s}}", "10m"))
        coordinator = self.coordinator(plan, 2)
        line = self.line(coordinator)
        agent = self.agent_over(line, "a1")
        self.agent(coordinator, "a2", "--max-rate", "1/s")  # it keeps the run alive
        self.wait_for_load(2)

        line.go_half_open()
        time.sleep(LEASE_S + 1.5)
        before = target.requests()
        time.sleep(1.0)
        self.assertLessEqual(target.requests() - before, 0.1 * RATE)

        line.speak_again()
        healed_ns = now_ns()
        self.wait_for_more(target, before + RATE // 4, agent)
        figure("half-open TCP", f"load back {(now_ns() - healed_ns) / 1e9:.1f} s after new connections got through")
        interrupt(coordinator)
        self.finish(coordinator, 5, 130)
        self.assert_counted_once(self.result(), target)


class LongWay(Lines):
    @again_if_it_stood_still
    def test_delay_of_200_give_or_take_100_ms(self):
        target = self.target("--latency", "2ms")
        plan = self.write("plan.yaml", plan_text(target.url, f"{{hold: {RATE // 2}/s, {TOLERANCE}}}", "5s"))
        coordinator = self.coordinator(plan, 2)
        for i in (1, 2):
            self.agent_over(self.line(coordinator, delay_s=0.2, jitter_s=0.1, seed=i), f"a{i}")
        self.finish(coordinator, 8, 0)
        result = self.result()
        self.assert_counted_once(result, target)
        figure("delay 200 +- 100 ms", f"{result['throughput_per_s']:.0f} of {RATE // 2}/s, "
               f"{result['ledger']['started']} requests, the target's count the same")


class Replayed(Lines):
    @again_if_it_stood_still
    def test_duplicated_and_reordered_messages_change_nothing(self):
        target = self.target("--latency", "2ms")
        plan = self.write("plan.yaml", plan_text(target.url, f"{{hold: {RATE // 2}/s, {TOLERANCE}}}", "6s"))
        coordinator = self.coordinator(plan, 2)
        lines = [self.line(coordinator, replays=True) for _ in range(2)]
        for i, line in enumerate(lines):
            self.agent_over(line, f"a{i}")
        for second in (2, 3, 4):
            self.wait_for_load(second)
            for line in lines:
                line.cut()
        self.finish(coordinator, 6, 0)
        result = self.result()
        self.assert_counted_once(result, target)
        for kind in ("agent_lost", "agent_corrupt", "agent_refused"):
            self.assertEqual(events(result, kind), [])
        total = 0
        for tick in self.ticks():
            self.assertGreaterEqual(tick["total"]["started"], total, "a total fell")
            total = tick["total"]["started"]
        replayed = sum(line.replayed_count for line in lines)
        self.assertGreater(replayed, 100)
        figure("duplicated, reordered messages", f"{replayed} said again over 6 new connections, "
               f"{result['ledger']['started']} requests, the target's count the same")


if __name__ == "__main__":
    unittest.main()
