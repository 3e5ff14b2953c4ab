"""A target that breaks every rule: each request ends in the class of its habit, exactly; the ledger is the target's own
count; and no deadline is missed. The same on both engines."""

import collections
import unittest

from hostile import HABITS, OK, Hostile, Over, send_then_reset
from support import TOLERANCE, Case, StoodStill, again_if_it_stood_still, plan_text, wait_until

TIMEOUT_MS = 2000
SHORT_MS = 300
# Past its deadline a request may be by so much: what the lane takes to look, and the histogram's own step. Where a machine
# takes the CPU away from the lane for longer, the test tries again.
LATE_MS = 50
# Apart, for what they do to a connection would meet another habit's request.
ALONE = ("close_after",)


class Hostility:
    """The tests, for one engine."""
    engine = None

    def hostile(self, greeting=None):
        target = Hostile(greeting)
        self.stack.callback(target.close)
        return target

    def load(self, target, goal, requests, http="", seconds=2, timeout_ms=TIMEOUT_MS):
        lines = "".join(f"  - {{name: {habit}, weight: {weight}, get: /{habit}}}\n"
                        for habit, weight in requests.items())
        plan = self.write("plan.yaml", plan_text(
            target.url, goal, f"{seconds}s", "0",
            f"http: {{timeout: {timeout_ms}ms{http}}}\nlimits: {{stop_after: 0}}\nrequests:\n{lines}"))
        coordinator = self.coordinator(plan, 1)
        agent = self.agent(coordinator, "only", "--engine", self.engine)
        wait_until(lambda: agent.poll() is not None or self.running_ticks(), "the run's begin")
        if "--engine uring" in self.read(agent.err):
            self.skipTest(self.read(agent.err))
        self.finish(coordinator, seconds)
        self.finish(agent, 5)
        result = self.result()
        self.assert_balanced(result)
        return result

    def assert_ledger(self, result, target):
        """Nothing was written that is not in the ledger, and all that was written came."""
        ledger = result["ledger"]
        self.assertEqual(ledger["in_flight_at_end"], 0, ledger)
        self.assertEqual(ledger["lost_max"], 0, ledger)
        self.assertEqual(target.requests(), ledger["started"] - ledger["unwritten"], ledger)

    def test_every_habit_ends_in_its_class(self):
        target = self.hostile()
        habits = [habit for habit in HABITS if habit not in ALONE]
        # Each of another weight, so that two that are mixed up show.
        weights = {habit: 10 + i for i, habit in enumerate(habits)}
        result = self.load(target, f"{{hold: 200/s, {TOLERANCE}}}", weights, seconds=4)
        self.assert_ledger(result, target)
        expected = collections.Counter()
        for row in result["requests"]:
            habit = row["name"]
            self.assertEqual(row["ok"] + row["failed"], target.seen[habit], habit)
            self.assertGreater(target.seen[habit], 0, habit)
            failure = HABITS[habit][2]
            self.assertEqual(row["ok" if failure else "failed"], 0, habit)
            if failure:
                expected[failure] += row["failed"]
        self.assertEqual(result["errors"], dict(expected))
        self.assertEqual(result["ledger"]["unwritten"], 0)

    @again_if_it_stood_still
    def test_deadlines_are_kept(self):
        target = self.hostile()
        result = self.load(target, f"{{hold: 50/s, {TOLERANCE}}}", {"silence": 1, "drip": 1, "too_little": 1},
                           timeout_ms=SHORT_MS)
        self.assert_ledger(result, target)
        self.assertEqual(result["errors"], {"timeout": target.requests()})
        service = result["latency"]["service"]
        self.assertGreaterEqual(service["p50_ns"], 0.99 * SHORT_MS * 1e6)
        if service["max_ns"] > (SHORT_MS + LATE_MS) * 1e6:
            raise StoodStill(f"a deadline of {SHORT_MS} ms that took {service['max_ns'] / 1e6:.1f} ms")

    def test_a_target_that_resets_what_it_accepts_is_blamed_for_each(self):
        target = self.hostile(lambda connection: send_then_reset(connection, b"", None))
        result = self.load(target, f"{{hold: 100/s, {TOLERANCE}}}", {"good": 1}, ", keep_alive: false")
        ledger, errors = result["ledger"], collections.Counter(result["errors"])
        self.assertEqual(ledger["started"], target.connections)
        # A reset that comes before the lane has seen its connect through is the end of a connect.
        self.assertEqual(errors["reset"] + errors["connect_failed"], ledger["started"], errors)
        self.assertEqual(sum(errors.values()), ledger["failed"], errors)
        self.assertGreaterEqual(ledger["unwritten"], errors["connect_failed"])
        self.assertEqual(target.requests(), 0)

    @again_if_it_stood_still
    def test_an_answer_before_its_request_is_never_given_to_two(self):
        def greet(connection):
            connection.sendall(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            if connection.recv(65536):
                with target.lock:
                    target.seen["good"] += 1
            raise Over
        target = self.hostile(greet)
        result = self.load(target, f"{{hold: 100/s, {TOLERANCE}}}", {"good": 1}, ", keep_alive: false")
        if result["errors"].keys() == {"timeout"}:
            raise StoodStill(f"a target that was kept from greeting: {result['errors']}")
        self.assert_ledger(result, target)
        self.assertEqual(result["errors"], {})

    @again_if_it_stood_still
    def test_a_connection_closed_between_two_requests_costs_none(self):
        target = self.hostile()
        result = self.load(target, f"{{hold: 50/s, {TOLERANCE}}}", {"close_after": 1})
        # A target that is kept from closing at once may close on a request that is on its way, and never reads that.
        unread = collections.Counter(result["errors"])
        self.assertEqual(target.requests() + unread["closed"] + unread["reset"], result["ledger"]["started"])
        self.assertGreaterEqual(target.connections, target.requests())
        if unread:
            raise StoodStill(f"a target that closed late: {dict(unread)}")


class OnEpoll(Hostility, Case):
    engine = "epoll"


class OnUring(Hostility, Case):
    engine = "uring"


if __name__ == "__main__":
    unittest.main()
