"""Hundreds of agents before one coordinator: all of the real protocol, but without load (tests/bench/light_fleet.h).
Times and CPU are for tests/campaign; here everything that can be counted must be right."""

import os

from support import SANITIZED, Case, StoodStill, again_if_it_stood_still

RIG = os.environ.get("CLOBBER_FLEET_RIG", "")
BINARY = os.environ["CLOBBER_BINARY"]
AGENTS = 64 if SANITIZED else 256
SECONDS = 5


class Fleet(Case):
    def measure(self, agents, seconds, *flags):
        """The figures of a run, by name."""
        rig = self.start(RIG, BINARY, self.folder, str(agents), str(seconds), *flags)
        rig.wait(seconds + 200)  # it ends by itself, and says what hangs
        figures = dict(line.split() for line in self.read(rig.out).splitlines())
        self.assertEqual(figures.get("over"), str(agents), self.read(rig.err))
        return {name: float(value) for name, value in figures.items()}

    @again_if_it_stood_still
    def test_every_request_of_every_agent_is_counted_through_a_reconnect_flood(self):
        figures = self.measure(AGENTS, SECONDS)

        result = self.result("run")
        if figures["stood_still_ms"] > 500:  # then agents were lost that live in it
            raise StoodStill(f"the rig stood still for {figures['stood_still_ms']} ms")
        with self.about_the_rate("run"):
            self.assertEqual(figures["broken"], 0, "all have had their final word acknowledged")
            self.assertIn("all_back_ms", figures, "all have come back after they were cut off at once")
            self.assertEqual(result["ledger"]["started"], figures["started"])
            self.assertEqual(len(result["agents"]), AGENTS)
        self.assert_balanced(result)
