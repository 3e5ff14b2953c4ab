"""How true to its schedule the generator is: python3 pacing.py [rate] [stall].

rate   how far a run of 2 s is from its rate at 10, 50 and 90 % of what 16 and 64 workers get from nginx, as a median of
       five; whether what was planned is exact by the agent's own clock; and how late requests are sent at 10 %. nginx
       and the generator have a core each.
stall  a server that is stopped (SIGSTOP) for 200 ms every 2 s, at 10 and 50 % of its capacity: what the report says of
       the response times, beside those of a fluid queue with the same stops. Service times are shown too: they forget
       what waited, and so does wrk, which is shown where it is installed.

Needs CLOBBER_BINARY (a release build) and a machine that does nothing else. Prints a line a figure; exits 1 when one is
outside its bound."""

import os
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))

from support import Case, plan_text  # noqa: E402

RUNS = 5
SERVER_CORE, GENERATOR_CORE = 1, 0
SHORT_S = 2
RATE_OFF_MAX = 0.001
PLANNED_OFF_MAX = 2  # one at either end
SEND_LAG_MAX_US = 200
LATENCY_S, SERVERS = 0.005, 32
CAPACITY_PER_S = SERVERS / LATENCY_S
STOP_S, PERIOD_S, STOPS = 0.2, 2.0, 5
QUANTILES = {"p99": 0.99, "p999": 0.999}
TRUTH_OFF_MAX = 0.05
FLUID_STEP_S = 1e-4

failures = []


def tell(name, value, bound):
    within = value <= bound
    print(f"{name:64} {value:10.4g}  at most {bound:g}{'' if within else '  OUTSIDE'}", flush=True)
    if not within:
        failures.append(name)


def fluid_delays(rate_per_s, stops, end_s):
    """How long what arrives at each step of [0, end_s) waits, before its own service: arrivals and capacity flow, and the
    line is first come, first served."""
    delays, line = [], 0.0
    for step in range(int(end_s / FLUID_STEP_S)):
        at_s = step * FLUID_STEP_S
        stop_s = next((end - at_s for begin, end in stops if begin <= at_s < end), 0.0)
        delays.append(stop_s + line / CAPACITY_PER_S)
        served = 0.0 if stop_s > 0.0 else CAPACITY_PER_S * FLUID_STEP_S
        line = max(line + rate_per_s * FLUID_STEP_S - served, 0.0)
    return sorted(delays)


class Pacing(Case):
    """Not a test: borrows the parts of one."""

    def runTest(self):
        pass

    def one(self, target, goal, seconds, workers=None, warmup="0"):
        shutil.rmtree(self.path("out"), ignore_errors=True)
        limits = f"limits: {{concurrency: {workers}}}\n" if workers else ""
        plan = self.write("plan.yaml", plan_text(target, goal, f"{seconds}s", warmup, limits))
        self.finish(self.clobber("run", plan, "--quiet", "--out", self.path("out")), seconds + 20)
        result = self.result()
        self.assert_balanced(result)
        return result

    def rate(self):
        both = os.sched_getaffinity(0)
        self.addCleanup(os.sched_setaffinity, 0, both)
        os.sched_setaffinity(0, {SERVER_CORE})
        nginx = self.nginx()
        os.sched_setaffinity(0, {GENERATOR_CORE})
        for workers in (16, 64):
            most_per_s = self.one(nginx.url, f"{{concurrency: {workers}}}", SHORT_S)["throughput_per_s"]
            for share in (0.1, 0.5, 0.9):
                rate = round(share * most_per_s)
                off, planned_off, lag_us = [], [], []
                for _ in range(RUNS):
                    before = nginx.requests()
                    result = self.one(nginx.url, f"{{hold: {rate}/s, tolerance: 50%}}", SHORT_S, workers)
                    off.append(abs((nginx.requests() - before) / (rate * SHORT_S) - 1.0))
                    loaded_s = result["agents"][0]["loaded_ns"] / 1e9
                    planned_off.append(abs(result["ledger"]["planned"] - rate * loaded_s))
                    lag_us.append(max(agent["send_lag_p99_ns"] for agent in result["agents"]) / 1e3)
                name = f"{workers} workers, {share:.0%} of the most, {rate}/s"
                tell(f"{name}: off the rate", statistics.median(off), RATE_OFF_MAX)
                tell(f"{name}: planned, off by", max(planned_off), PLANNED_OFF_MAX)
                if share == 0.1:
                    tell(f"{name}: send lag p99, us", statistics.median(lag_us), SEND_LAG_MAX_US)

    def stop_and_go(self, process, begin_s):
        """The stops as they were, from `begin_s` on."""
        stops = []
        for number in range(STOPS):
            time.sleep(max(begin_s + number * PERIOD_S + PERIOD_S / 2 - time.monotonic(), 0.0))
            stopped_s = time.monotonic()
            process.send_signal(signal.SIGSTOP)
            time.sleep(STOP_S)
            process.send_signal(signal.SIGCONT)
            stops.append((stopped_s - begin_s, time.monotonic() - begin_s))
        return stops

    def stalled(self, share):
        rate, seconds = round(share * CAPACITY_PER_S), round(STOPS * PERIOD_S)
        target = self.target("--latency", f"{LATENCY_S * 1e3:g}ms", "--servers", str(SERVERS))
        shutil.rmtree(self.path("out"), ignore_errors=True)
        plan = self.write("plan.yaml", plan_text(target.url, f"{{hold: {rate}/s, tolerance: 50%}}", f"{seconds + 1}s", "1s"))
        run = self.clobber("run", plan, "--quiet", "--out", self.path("out"))
        self.wait_for_load(0.5)
        begin_s = time.monotonic() + 0.5 - (self.ticks()[-1]["at_ns"] / 1e9 - 0.5)
        stops = self.stop_and_go(target.process, begin_s)
        self.finish(run, seconds)
        latency = self.result()["latency"]
        delays = fluid_delays(rate, stops, seconds)
        for name, quantile in QUANTILES.items():
            truth_ms = (delays[int(quantile * len(delays))] + LATENCY_S) * 1e3
            response_ms, service_ms = (latency[kind][f"{name}_ns"] / 1e6 for kind in ("response", "service"))
            print(f"# {share:.0%}: {name} of a fluid queue {truth_ms:.1f} ms, response {response_ms:.1f} ms, "
                  f"service {service_ms:.1f} ms")
            tell(f"stall at {share:.0%}: response {name} off the truth", abs(response_ms / truth_ms - 1.0), TRUTH_OFF_MAX)

    def stalled_wrk(self):
        """Workers that wait for an answer before they ask again: a stop delays one request of each."""
        if shutil.which("wrk") is None:
            return
        target = self.target("--latency", f"{LATENCY_S * 1e3:g}ms", "--servers", str(SERVERS))
        seconds = round(STOPS * PERIOD_S)
        begin_s = time.monotonic()
        wrk = subprocess.Popen(["wrk", "-t1", f"-c{SERVERS // 2}", f"-d{seconds}s", "--latency", target.url],
                               stdout=subprocess.PIPE, text=True)
        self.stop_and_go(target.process, begin_s)
        text = wrk.communicate()[0]
        p99 = re.search(r"99%\s+(\S+)", text)[1]
        print(f"# 50%: p99 by wrk with {SERVERS // 2} connections {p99}", flush=True)

    def stall(self):
        for share in (0.1, 0.5):
            self.stalled(share)
        self.stalled_wrk()


def main():
    for name in sys.argv[1:] or ("rate", "stall"):
        if name not in ("rate", "stall"):
            raise SystemExit(f"{name} is not known; give rate, stall or nothing")
        pacing = Pacing()
        pacing.setUp()
        try:
            getattr(pacing, name)()
        finally:
            pacing.doCleanups()
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
