"""The figures that a release is judged by, each as a median of several runs: python3 figures.py [RUNS] [NAME...].

A NAME runs only the figures that begin with it (`maximize`, `maximize-nginx-32`); without one all are run, and how long
that takes is told first. Needs CLOBBER_BINARY (a release build) and a machine that does nothing else. Prints a line a
figure; exits 1 when one is outside its bound. The tests hold the same behaviour with bounds that a busy machine meets;
these are the bounds."""

import re
import statistics
import sys
import time

from support import LEASE_S, Case, interrupt, moving_means, plan_text, wait_until

RUNS = int(sys.argv[1]) if len(sys.argv) > 1 and sys.argv[1].isdigit() else 5
NAMES = sys.argv[2 if len(sys.argv) > 1 and sys.argv[1].isdigit() else 1:]
RATE = 5000
TICK_S = 0.1
LATENCY_MS = 5
SERVERS = (8, 32, 64)  # 1600, 6400 and 12800/s: what one core serves and another asks for with room to spare
NO_ANSWER = {"throughput_per_s": 0.0, "concurrency": float("inf"), "converged_ns": float("inf")}
SWEEP_STEP = 1.06      # of concurrency, from 0.7 to 2.5 times the servers
SWEEP_S = 4            # of a point, a second of it warm-up
BOUND_MS = 20


def sweep_grid(servers):
    grid, concurrency = [], 0.7 * servers
    while concurrency < 2.5 * servers:
        if not grid or round(concurrency) > grid[-1]:
            grid.append(round(concurrency))
        concurrency *= SWEEP_STEP
    return grid


def recovered_ticks(ticks, since_s, rate):
    """Until the last second below 98 % of `rate`: a second whose mean is low began while the rate was."""
    low = [at for at, mean in moving_means(ticks, "throughput_per_s", 10) if at > since_s and mean < 0.98 * rate]
    return max((max(low) - since_s - 0.9) / TICK_S, 0.0) if low else 0.0


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

    # What a search is measured against: every concurrency by itself.

    sweeps = {}

    def served(self, kind, servers, latency=("--latency", f"{LATENCY_MS}ms")):
        target = self.target(*latency, "--servers", str(servers))
        return self.proxy(target) if kind == "nginx" else target

    def fixed(self, url, concurrency):
        out = f"fixed-{concurrency}"
        plan = self.write("fixed.yaml", plan_text(url, f"{{concurrency: {concurrency}}}", f"{SWEEP_S}s", "1s"))
        self.finish(self.clobber("run", plan, "--out", self.path(out), "--quiet"), SWEEP_S + 20, 0)
        result = self.result(out)
        return concurrency, result["throughput_per_s"], result["latency"]["response"]["p99_ns"] / 1e6

    def sweep(self, kind, servers, *latency):
        """[(concurrency, throughput, p99 in ms)], measured once and printed."""
        key = (kind, servers, *latency)
        if key not in self.sweeps:
            url = self.served(kind, servers, *latency).url
            self.sweeps[key] = [self.fixed(url, concurrency) for concurrency in sweep_grid(servers)]
            print(f"sweep of {kind}, {servers} servers: workers, answers a second, p99 in ms")
            for point in self.sweeps[key]:
                print("  %5d %9.1f %8.2f" % point, flush=True)
        return self.sweeps[key]

    def search(self, url, seconds, goal):
        plan = self.write("search.yaml", plan_text(url, goal, f"{seconds}s", "3s"))
        self.finish(self.clobber("run", plan, "--out", self.path("out"), "--quiet"), seconds + 20, 0)
        result = self.result()
        self.assert_balanced(result)
        return result

    def maximize(self, kind, servers):
        points = self.sweep(kind, servers)
        best = max(throughput for _, throughput, _ in points)
        fewest = min(workers for workers, throughput, _ in points if throughput >= 0.98 * best)
        answer = self.search(self.served(kind, servers).url, 30, "{maximize: throughput}")["control"]["answer"] or NO_ANSWER
        name = f"maximize {kind}, {servers} servers"
        return {
            f"{name}: below the sweep's best, {best:.0f}/s, %": ((1 - answer["throughput_per_s"] / best) * 100, 3.0),
            f"{name}: workers, times the fewest, {fewest}, for 98 % of it": (answer["concurrency"] / fewest, 1.10),
            f"{name}: converged after, s": (answer["converged_ns"] / 1e9, 10.0),
        }

    def bounded(self, kind, servers):
        """A bound a little above the knee's own latency, so that it is what holds the search."""
        latency = ("--latency", "12ms", "--jitter", "4ms")
        points = self.sweep(kind, servers, latency)
        allowed = max(throughput for _, throughput, p99_ms in points if p99_ms < BOUND_MS)
        goal = f"{{maximize: throughput, while: [latency.p(99) < {BOUND_MS}ms]}}"
        result = self.search(self.served(kind, servers, latency).url, 100, goal)
        answer = result["control"]["answer"] or NO_ANSWER
        told = re.search(r"latency\.p\(99\) ([\d.]+)ms", result["verdict"]["sentence"])
        p99_ms = float(told.group(1)) if told else float("inf")
        seconds = [tick["response"]["p99_ns"] / 1e6 for tick in self.running_ticks() if tick["phase"] == 2 and "response" in tick]
        violated = sum(p99 >= BOUND_MS for p99 in seconds) / len(seconds) if seconds else 1.0
        name = f"while {kind}, {servers} servers"
        return {
            f"{name}: p99 since the answer, ms": (p99_ms, BOUND_MS),
            f"{name}: seconds in violation, %": (violated * 100, 2.0),
            f"{name}: below the best that the sweep allows, {allowed:.0f}/s, %":
                ((1 - answer["throughput_per_s"] / allowed) * 100, 5.0),
        }

    def held(self, kind, servers):
        rate = round(0.7 * servers * 1000 / LATENCY_MS)
        result = self.search(self.served(kind, servers).url, 15, f"{{hold: {rate}/s}}")
        control = result["control"]
        name = f"hold {rate}/s on {kind}, {servers} servers"
        return {
            f"{name}: settled after, ticks": (control["settle_ns"] / 1e9 / TICK_S, 10),
            f"{name}: overshoot of a mean over 1 s, %": (control["overshoot"] * 100, 2.0),
            f"{name}: off the goal, %": (abs(result["throughput_per_s"] / rate - 1) * 100, 0.5),
        }

    # Disturbances: how long the rate is low, beyond what no controller can help.

    def disturbed(self, rate, target, *knobs):
        """Turns each of `knobs` 6 s after the one before; the ticks, and when each was turned."""
        plan = self.write("plan.yaml", plan_text(target.url, f"{{hold: {rate}/s, tolerance: 50%}}", f"{6 * len(knobs) + 8}s", "1s"))
        run = self.clobber("run", plan, "--agents", "2", "--out", self.path("out"), "--quiet")
        turned_s = []
        for i, knob in enumerate(knobs):
            wait_until(lambda at=6e9 * (i + 1): any(tick["at_ns"] > at for tick in self.ticks()), "its time", 30)
            turned_s.append(self.ticks()[-1]["at_ns"] / 1e9)
            target.knobs(knob)
        self.finish(run, 60)
        return self.running_ticks(), turned_s

    def slower(self):
        target = self.target("--latency", "5ms", "--servers", "256")
        ticks, (turned_s,) = self.disturbed(RATE, target, "latency=20ms")
        return {"latency x4: recovered after, ticks": (recovered_ticks(ticks, turned_s, RATE), 10)}

    def halved(self):
        """3000/s from 20 servers of 5 ms, half of which go and come back."""
        target = self.target("--latency", "5ms", "--servers", "20")
        ticks, (_, back_s) = self.disturbed(3000, target, "servers=10", "servers=20")
        return {"capacity halved and back: recovered after, ticks": (recovered_ticks(ticks, back_s, 3000), 10)}

    def orphaned(self):
        """What a killed agent ran may be given to others only when its lease has surely ended."""
        figure, = self.killed().values()
        limit_s = 1.02 * LEASE_S + TICK_S
        return {"agent killed: recovered after its lease, ticks": (max(figure[0] - limit_s, 0.0) / TICK_S, 10)}


def figures():
    """{name: (measure, arguments, seconds of one run, seconds before the first)}"""
    rows = {}
    for agents in (1, 4):
        rows[f"rate-{agents}"] = (Figures.hold, (agents,), 21, 0)
        rows[f"latency-{agents}"] = (Figures.latency_step, (agents,), 21, 0)
    rows["saturated"] = (Figures.saturated, (), 16, 0)
    rows["killed"] = (Figures.killed, (), 12, 0)
    rows["joined"] = (Figures.joined, (), 10, 0)
    rows["interrupted"] = (Figures.interrupted, (), 4, 0)
    for kind in ("target", "nginx"):
        for servers in SERVERS:
            sweep_s = len(sweep_grid(servers)) * (SWEEP_S + 1)
            rows[f"hold-{kind}-{servers}"] = (Figures.held, (kind, servers), 16, 0)
            rows[f"maximize-{kind}-{servers}"] = (Figures.maximize, (kind, servers), 31, sweep_s)
        rows[f"while-{kind}"] = (Figures.bounded, (kind, 32), 101, len(sweep_grid(32)) * (SWEEP_S + 1))
    rows["disturbed-latency"] = (Figures.slower, (), 15, 0)
    rows["disturbed-capacity"] = (Figures.halved, (), 21, 0)
    rows["disturbed-agent"] = (Figures.orphaned, (), 12, 0)
    return {name: row for name, row in rows.items() if not NAMES or any(name.startswith(begin) for begin in NAMES)}


def measure(row):
    """{figure: ([its values], its bound)}"""
    method, arguments, _, _ = row
    seen = {}
    for _ in range(RUNS):
        case = Figures()
        case.setUp()
        try:
            for name, (value, bound) in method(case, *arguments).items():
                seen.setdefault(name, ([], bound))[0].append(value)
        finally:
            case.doCleanups()
    return seen


def main():
    outside = 0
    rows = figures()
    minutes = sum(before + RUNS * seconds for _, _, seconds, before in rows.values()) / 60
    print(f"{', '.join(rows)}: {RUNS} run(s) each, about {minutes:.0f} minutes", flush=True)
    for row in rows.values():
        for name, (values, bound) in measure(row).items():
            median = statistics.median(values)
            outside += median > bound
            print(f"{'ok ' if median <= bound else 'OUT'}  {median:8.3f}  at most {bound:g}  {name}  "
                  f"[{min(values):.3f} to {max(values):.3f}]", flush=True)
    return 1 if outside or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
