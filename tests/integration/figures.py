"""The figures that a release is judged by, each as a median of several runs: python3 figures.py [RUNS].

Needs CLOBBER_BINARY (a release build) and a machine that does nothing else. Prints a line a figure; exits 1 when one
is outside its bound. The tests hold the same behaviour with bounds that a busy machine meets; these are the bounds."""

import statistics
import sys
import time

from support import LEASE_S, Case, interrupt, moving_means, plan_text, wait_until

RUNS = int(sys.argv[1]) if len(sys.argv) > 1 else 5
RATE = 5000


class Figures(Case):
    """Not a test: borrows the parts of one."""

    def runTest(self):
        pass

    def hold(self, agents, seconds=20):
        nginx = self.nginx()
        plan = self.write("plan.yaml", plan_text(nginx.url, f"{{hold: {RATE}/s}}", f"{seconds}s", "2s"))
        self.finish(self.clobber("run", plan, "--agents", str(agents), "--out", self.path("out")), seconds + 20, 0)
        result = self.result()
        self.assert_balanced(result)
        return {
            f"hold, {agents} agent(s): off the goal, %": (abs(result["throughput_per_s"] / RATE - 1) * 100, 0.5),
            f"hold, {agents} agent(s): nginx's count less ours": (abs(nginx.requests() - result["ledger"]["started"]), 0),
        }

    def latency_step(self, agents):
        target = self.target("--latency", "5ms", "--servers", "256")
        plan = self.write("plan.yaml", plan_text(target.url, f"{{hold: {RATE}/s}}", "20s", "2s"))
        run = self.clobber("run", plan, "--agents", str(agents), "--out", self.path("out"))
        self.wait_for_load(10)
        stepped_s = self.ticks()[-1]["at_ns"] / 1e9
        target.knobs("latency=20ms")
        self.finish(run, 40, 0)
        ticks = self.running_ticks()
        means = [(at, mean) for at, mean in moving_means(ticks, "throughput_per_s", 10) if at > stepped_s]
        off = [at for at, mean in means if abs(mean / RATE - 1.0) > 0.02]
        figures = {f"latency x4, {agents} agent(s): back within 2 %, s": (max(off) - stepped_s if off else 0.0, 2.0)}
        for name, begin, end in (("before", stepped_s - 5, stepped_s), ("after", stepped_s + 4, stepped_s + 9)):
            span = [tick for tick in ticks if begin < tick["at_ns"] / 1e9 <= end]
            need = RATE * statistics.mean(tick["latency_mean_ns"] for tick in span) / 1e9
            workers = statistics.mean(tick["workers"] for tick in span)
            room = 3 * (need * agents) ** 0.5 + 2 * agents
            figures[f"latency x4, {agents} agent(s): workers {name}, share of the room above R"] = ((workers - need) / room, 1.0)
        return figures

    def saturated(self):
        target = self.target("--latency", "5ms", "--servers", "10")
        plan = self.write("plan.yaml", plan_text(target.url, "{hold: 4000/s}", "15s", "5s"))
        self.finish(self.clobber("run", plan, "--out", self.path("out")), 30, 1)
        result = self.result()
        self.assert_balanced(result)
        assert result["verdict"]["limited_by"] == "target" and result["ledger"]["not_started"] > 0
        return {
            "beyond capacity: share of 2000/s missing, %": ((1 - result["throughput_per_s"] / 2000) * 100, 3.0),
            "beyond capacity: workers at the end, times the knee": (result["control"]["concurrency_final"] / 10, 1.5),
        }

    def killed(self):
        target = self.target("--latency", "2ms")
        plan = self.write("plan.yaml", plan_text(target.url, f"{{hold: {RATE}/s, tolerance: 20%}}", "10s"))
        coordinator = self.coordinator(plan, 4)
        agents = [self.agent(coordinator, f"a{i}") for i in range(1, 5)]
        self.wait_for_load(3)
        agents[0].kill()
        killed_s = self.ticks()[-1]["at_ns"] / 1e9
        self.finish(coordinator, 40, 0)
        result = self.result()
        ledger = result["ledger"]
        count = target.requests()
        assert ledger["started"] - ledger["unwritten"] <= count <= ledger["started"] + ledger["lost_max"], (count, ledger)
        # A second whose mean is low began while the rate was: the rate is back a second before the mean's end.
        off = [at for at, mean in moving_means(self.running_ticks(), "throughput_per_s", 10)
               if at > killed_s + 1 and abs(mean / RATE - 1) > 0.02]
        return {"agent killed: rate back after, s": (max(off) - killed_s - 0.9 if off else 0.0, LEASE_S + 1)}

    def joined(self):
        target = self.target("--latency", "2ms")
        plan = self.write("plan.yaml", plan_text(target.url, f"{{hold: {RATE}/s, tolerance: 20%}}", "8s"))
        coordinator = self.coordinator(plan, 4)
        for i in range(1, 5):
            self.agent(coordinator, f"a{i}")
        self.wait_for_load(4)
        self.agent(coordinator, "a5")
        self.finish(coordinator, 10, 0)
        parts = [(tick["at_ns"], part) for tick in self.running_ticks() for part in tick["agents"] if part["name"] == "a5"]
        carries = [at_ns for at_ns, part in parts if part["throughput_per_s"] > 0.8 * RATE / 5]
        return {"agent joined: carries its share after, s": ((carries[0] - parts[0][0]) / 1e9, 1.0)}

    def interrupted(self):
        target = self.target("--latency", "4s")
        plan = self.write("plan.yaml", plan_text(target.url, "{hold: 200/s}", "30s"))
        run = self.clobber("run", plan, "--agents", "2", "--out", self.path("out"))
        self.wait_for_load(1.5)
        interrupt(run)
        wait_until(lambda: self.ticks()[-1]["state"] == "draining", "the drain")
        interrupt(run)
        began_s = time.monotonic()
        self.finish(run, 5, 130)
        return {"interrupted twice: over after, s": (time.monotonic() - began_s, 1.3)}


def main():
    outside = 0
    for measure, arguments in ((Figures.hold, (1,)), (Figures.hold, (4,)), (Figures.latency_step, (1,)),
                               (Figures.latency_step, (4,)), (Figures.saturated, ()), (Figures.killed, ()), (Figures.joined, ()),
                               (Figures.interrupted, ())):
        seen = {}
        for _ in range(RUNS):
            case = Figures()
            case.setUp()
            try:
                for name, (value, bound) in measure(case, *arguments).items():
                    seen.setdefault(name, ([], bound))[0].append(value)
            finally:
                case.doCleanups()
        for name, (values, bound) in seen.items():
            median = statistics.median(values)
            outside += median > bound
            print(f"{'ok ' if median <= bound else 'OUT'}  {median:8.3f}  at most {bound:g}  {name}  "
                  f"[{min(values):.3f} to {max(values):.3f}]", flush=True)
    return 1 if outside else 0


if __name__ == "__main__":
    sys.exit(main())
