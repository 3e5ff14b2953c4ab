"""Rows of the fault matrix about the machine and its names: clocks that are set, a core that is full, descriptors that run
out, name servers that fail or lie, IPv6 in all its states."""

import os
import signal
import subprocess
import sys
import unittest

from hosts import HostCase, HostTarget, hosts_work, needs_hosts
from support import (BINARY, RATE, SANITIZED, TOLERANCE, Case, again_if_it_stood_still, events, figure, interrupt, plan_text,
                     wait_until)

WALL_CLOCK = os.environ.get("CLOBBER_WALL_CLOCK", "")


class Clocks(Case):
    @unittest.skipUnless(hosts_work() or "CI" in os.environ, "NOT TESTED: no time namespaces here")
    @again_if_it_stood_still
    def test_wall_clock_off_by_an_hour_either_way_has_no_effect(self):
        wrong = ("env", f"LD_PRELOAD={WALL_CLOCK}", "ASAN_OPTIONS=verify_asan_link_order=0")
        # An agent's own clocks, too, may be any: what counts is how they run.
        elsewhere = ("unshare", "--user", "--map-root-user", "--time", "--fork", "--kill-child")
        target = self.target("--latency", "2ms")
        plan = self.write("plan.yaml", plan_text(target.url, f"{{hold: {RATE // 2}/s, {TOLERANCE}}}", "4s"))
        coordinator = self.coordinator(plan, 2, through=wrong)
        for name, offset in (("behind", "0"), ("ahead", "3600")):
            self.agent(coordinator, name, through=(*wrong, *elsewhere, "--boottime", offset, "--monotonic", offset))
        self.finish(coordinator, 4, 0)
        result = self.result()
        self.assert_counted_once(result, target)
        self.assertEqual(events(result, "agent_lost") + events(result, "clock_drift"), [])
        figure("wall clock +-1 h", f"{result['throughput_per_s']:.0f} of {RATE // 2}/s, the target's count the same; the agents' "
               "own clocks an hour apart")


class Full(Case):
    HOGS = 12

    def test_agents_cpu_full_is_flagged_and_the_generators_fault(self):
        core = str(min(os.sched_getaffinity(0)))
        target = self.target("--latency", "1ms")
        # Open arrivals at a rate that takes most of a core, and the agent has a thirteenth of one.
        rate = 15000 if SANITIZED else 30000
        plan = self.write("plan.yaml", plan_text(target.url, f"{{hold: {rate}/s}}", "4s"))
        coordinator = self.coordinator(plan, 1)
        agent = self.agent(coordinator, "a1", through=("taskset", "-c", core))
        hogs = [self.start("taskset", "-c", core, sys.executable, "-Sc", "while True: pass", name="hog")
                for _ in range(self.HOGS)]
        try:
            code = self.finish(coordinator, 10)
        finally:
            for hog in hogs:
                self.end(hog)
        result = self.result()
        self.assert_balanced(result)
        self.assertEqual((code, result["verdict"]["limited_by"]), (4, "generator"), result["verdict"])
        self.assertTrue(any(part["flags"] for tick in self.ticks() for part in tick["agents"]), "no beat was flagged")
        self.finish(agent, 5)
        figure("agent's CPU full", result["verdict"]["sentence"])

    def test_no_descriptors_left_in_mid_run_are_the_generators_fault(self):
        target = self.target("--latency", "2ms")
        plan = self.write("plan.yaml", plan_text(target.url, "{hold: 200/s}", "4s", "0",
                                                 "http: {keep_alive: false}\nlimits: {stop_after: 0}\n"))
        coordinator = self.coordinator(plan, 1)
        agent = self.agent(coordinator, "a1")
        self.wait_for_load(1)
        # As many as it has open already, with nothing in flight.
        subprocess.run(("prlimit", f"--pid={agent.pid}", "--nofile=8:8"), check=True)
        self.finish(coordinator, 4, 4)
        result = self.result()
        self.assert_balanced(result)
        self.assertEqual(target.requests(), result["ledger"]["started"] - result["ledger"]["unwritten"])
        self.assertEqual(set(result["errors"]), {"fd_limit"})
        self.assertEqual(result["verdict"]["limited_by"], "generator")
        self.assertIn("ulimit -n", result["verdict"]["sentence"])
        figure("no descriptors", result["verdict"]["sentence"])


class Signals(Case):
    def test_sigpipe_is_ignored_and_a_reader_that_left_costs_no_report(self):
        target = self.target("--latency", "2ms")
        plan = self.write("plan.yaml", plan_text(target.url, f"{{hold: 100/s, {TOLERANCE}}}", "3s"))
        reader, writer = os.pipe()
        os.close(reader)
        with open(self.path("run.err"), "wb") as err:
            run = subprocess.Popen((BINARY, "run", plan, "--out", self.path("out")), stdout=writer, stderr=err)
        os.close(writer)
        self.stack.callback(self.end, run)
        run.err = run.out = self.path("run.err")
        self.wait_for_load(1)
        run.send_signal(signal.SIGPIPE)
        self.finish(run, 5, 0)
        self.assert_counted_once(self.result(), target)

    def test_sigterm_to_a_run_drains_and_reports_as_sigint_does(self):
        target = self.target("--latency", "20ms")
        run = self.clobber("run", target.url, "-R", "100", "-d", "10m", "--agents", "2", "--out", self.path("out"))
        self.wait_for_load(1)
        run.send_signal(signal.SIGTERM)
        self.finish(run, 5, 130)
        self.assertEqual(self.result()["ledger"]["in_flight_at_end"], 0)
        self.assert_counted_once(self.result(), target)


@needs_hosts
class Names(HostCase):
    """The host's name server answers what the test says at that moment."""

    def begin(self, word):
        (host,) = self.hosts("host")
        self.say(word)
        host.run("mount", "--bind", self.write("resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n"),
                 "/etc/resolv.conf")
        server = self.start(*host.inside, sys.executable, "-IS", os.path.join(os.path.dirname(__file__), "name_server.py"),
                            self.path("answer"), name="names")
        wait_until(lambda: "ready" in self.read(server.out), "the name server")
        return host

    def say(self, word):
        self.write("answer.new", word)
        os.rename(self.path("answer.new"), self.path("answer"))

    def test_dns_nxdomain_servfail_and_timeout_at_the_start_are_exit_3(self):
        host = self.begin("NXDOMAIN")
        for word in ("NXDOMAIN", "SERVFAIL", "SILENCE"):
            self.say(word)
            run = self.clobber("run", "http://target.test:8080/", "-R", "10", "-d", "2s", "--out", self.path(word), through=host.inside)
            self.finish(run, 10, 3)
            said = self.read(run.err)
            self.assertIn("target.test", said)
            figure(f"DNS {word} at the start", said.strip())

    @again_if_it_stood_still
    def test_dns_changed_is_followed_failing_keeps_the_last_good_and_rebinding_is_refused(self):
        host = self.begin("127.0.0.2")
        targets = {}
        for last in (2, 3):
            self.clobber("target", "--listen", f"127.0.0.{last}:8080", through=host.inside)
        self.clobber("target", "--listen", f"{host.address}:8080", through=host.inside)
        plan = self.write("plan.yaml", plan_text(
            "http://target.test:8080/", f"{{hold: 100/s, {TOLERANCE}}}", "10m", "0",
            "http: {keep_alive: false, resolve: {every: 1s}}\nlimits: {stop_after: 0}\n"))
        coordinator = self.coordinator_on(host, plan, 1)
        agent = self.clobber("agent", "--connect", coordinator.endpoint, "--name", "a1", "--lanes", "1", "--once", through=host.inside)
        self.wait_for_load(1)

        def count(address):
            targets[address] = HostTarget(None, host, 8080, address).requests()
            return targets[address]
        self.assertGreater(count("127.0.0.2"), 0)
        self.say("127.0.0.3")
        wait_until(lambda: count("127.0.0.3") > 20, "requests where the name points now")
        for word in ("NXDOMAIN", "SERVFAIL", host.address):
            self.say(word)
            lines = self.read(agent.err).count("stays where it was")
            wait_until(lambda: self.read(agent.err).count("stays where it was") > lines, f"the agent to hear {word}")
            before = count("127.0.0.3")
            wait_until(lambda: count("127.0.0.3") > before + 20, f"requests in spite of {word}")
        interrupt(coordinator)
        self.finish(coordinator, 5, 130)
        result = self.result()
        self.assert_balanced(result)
        self.assertEqual(count(host.address), 0, "the owner allows loopback alone")
        self.assertEqual(count("127.0.0.2") + count("127.0.0.3"), result["ledger"]["started"] - result["ledger"]["unwritten"])
        figure("DNS changed, failing, rebinding", f"{targets} requests, {result['ledger']['started']} started")


@needs_hosts
class Ipv6(HostCase):
    def run_against(self, url, far, target, code=0, out="out"):
        plan = self.write("plan.yaml", plan_text(url, f"{{hold: {RATE // 4}/s, {TOLERANCE}}}", "2s", "0"))
        run = self.clobber("run", plan, "--out", self.path(out), through=far.inside)
        self.finish(run, 10, code)
        result = self.result(out)
        self.assert_balanced(result)
        if target is not None:
            self.assertEqual(target.requests(), result["ledger"]["started"] - result["ledger"]["unwritten"])
        return result, run

    @again_if_it_stood_still
    def test_ipv6_only_carries_what_the_target_counts(self):
        near, far = self.hosts("near", "far")
        for host in (near, far):
            host.run("ip", "-4", "address", "flush", "dev", "eth0")
        target = self.target_on(near, address=f"[{near.address6}]")
        result, _ = self.run_against(target.url, far, target)
        self.assertEqual(result["errors"], {})

    @again_if_it_stood_still
    def test_dual_stack_with_dead_ipv6_uses_what_answers(self):
        near, far = self.hosts("near", "far")
        target = self.target_on(near)
        names = self.write("hosts", f"{near.address6} target.test\n{near.address} target.test\n")
        far.run("mount", "--bind", names, "/etc/hosts")
        result, _ = self.run_against(f"http://target.test:{target.port}/", far, target)
        self.assertEqual(result["errors"], {}, "refused by IPv6")
        near.nft("add table inet faults\nadd chain inet faults in { type filter hook input priority 0; }\n"
                 "add rule inet faults in ip6 saddr fd77::/64 meta l4proto tcp drop\n")
        other = self.target_on(near)
        result, _ = self.run_against(f"http://target.test:{other.port}/", far, other, out="dropped")
        self.assertEqual(result["errors"], {}, "dropped by IPv6")

    def test_dead_ipv6_is_an_error_that_names_the_address(self):
        near, far = self.hosts("near", "far")
        result, run = self.run_against(f"http://[{near.address6}]:9/", far, None, 3)
        self.assertIn("connect_refused", result["errors"])
        self.assertIn(near.address6, self.read(run.out))


if __name__ == "__main__":
    unittest.main()
