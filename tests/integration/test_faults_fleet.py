"""Rows of the fault matrix about who comes and who stands still: a coordinator frozen, agents that join late or all at
once, peers of another version, strangers on the port."""

import os
import re
import resource
import signal
import socket
import time
import unittest

import zmtp
from strangers import Stranger, connect
from support import (LEASE_S, RATE, SANITIZED, TOLERANCE, Case, again_if_it_stood_still, events, figure, free_port,
                     interrupt, now_ns, plan_text, wait_until)

MAJOR, MINOR = 1, 3
ECHO = object()


def memory_kib(process):
    with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmRSS:\s+(\d+) kB", file.read()).group(1))


def cpu_seconds(process):
    with open(f"/proc/{process.pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class CoordinatorFrozen(Case):
    def test_coordinator_frozen_for_5_s_ends_the_load_and_wakes_to_no_burst(self):
        target = self.target("--latency", "2ms")
        plan = self.write("plan.yaml", plan_text(target.url, f"{{hold: {RATE}/s}}", "10m"))
        coordinator = self.coordinator(plan, 2)
        for name in ("a1", "a2"):
            self.agent(coordinator, name)
        self.wait_for_load(2)

        coordinator.send_signal(signal.SIGSTOP)
        frozen_ns = now_ns()
        time.sleep(5.0)
        stats = target.stats()
        # What left in time may wait on a busy machine until the target reads it.
        late_s = (stats["last_request_ns"] - frozen_ns) / 1e9 - LEASE_S
        self.assertLessEqual(late_s, 1.0)

        coordinator.send_signal(signal.SIGCONT)
        woken_ns = now_ns()
        wait_until(lambda: target.requests() > stats["requests"] + RATE, "load after the coordinator woke")
        made, seconds = target.requests() - stats["requests"], (now_ns() - woken_ns) / 1e9
        # What was not started meanwhile is not made up for: that would be 3 s of the rate more, at once.
        self.assertLessEqual(made, RATE * (seconds + 1.5))
        figure("coordinator frozen 5 s", f"load gone {late_s + LEASE_S:.1f} s after it froze; then {made} requests in "
               f"{seconds:.1f} s at {RATE}/s")
        interrupt(coordinator)
        self.finish(coordinator, 5, 130)
        result = self.result()
        self.assert_counted_once(result, target)
        self.assertEqual(len(events(result, "coordinator_late")), 1, result["events"])


class LateJoin(Case):
    WORKERS = 12

    @again_if_it_stood_still
    def test_late_join_at_half_time_carries_load_and_the_sum_stays_under_the_ceiling(self):
        target = self.target("--latency", "20ms")
        plan = self.write("plan.yaml", plan_text(target.url, f"{{concurrency: {self.WORKERS}}}", "6s"))
        coordinator = self.coordinator(plan, 2)
        for name in ("a1", "a2"):
            self.agent(coordinator, name)
        self.wait_for_load(3)
        self.agent(coordinator, "a3")
        self.finish(coordinator, 6, 0)
        result = self.result()
        self.assert_counted_once(result, target)
        self.assertLessEqual(target.stats()["in_service_max"], self.WORKERS)
        seen = [(tick["at_ns"], part) for tick in self.running_ticks() for part in tick["agents"] if part["name"] == "a3"]
        carries = [at_ns for at_ns, part in seen if part["throughput_per_s"] > 0]
        with self.about_the_rate():
            self.assertTrue(carries, "it carried nothing")
        figure("late join at half-time", f"carries load {(carries[0] - seen[0][0]) / 1e9:.1f} s after it was there; at most "
               f"{target.stats()['in_service_max']} of {self.WORKERS} in flight at the target")


class Crowd(Case):
    """All agents look for a coordinator that is not there: first not yet, then not any more."""
    AGENTS = 16 if SANITIZED else 32

    def test_many_agents_reconnect_at_once_and_are_all_taken(self):
        target = self.target("--latency", "2ms")
        endpoint = f"tcp://127.0.0.1:{free_port()}"
        for i in range(self.AGENTS):
            self.clobber("agent", "--connect", endpoint, "--name", f"a{i}", "--lanes", "1", "--max-concurrency", "50",
                         "--once")
        plan = self.write("plan.yaml", plan_text(target.url, f"{{hold: 200/s, {TOLERANCE}}}", "10m"))
        command = ("coordinator", plan, "--bind", endpoint, "--expect-agents", str(self.AGENTS))
        begun_ns = now_ns()
        coordinator = self.clobber(*command, "--out", self.path("out"))
        wait_until(self.running_ticks, "all agents")
        first_s = (now_ns() - begun_ns) / 1e9
        coordinator.kill()
        coordinator.wait()

        before = len(self.ticks())
        begun_ns = now_ns()
        coordinator = self.clobber("coordinator", plan, "--resume", self.path("out"))
        wait_until(lambda: any(tick["parts_reported"] == self.AGENTS for tick in self.ticks()[before:]), "all agents again")
        figure(f"{self.AGENTS} agents reconnect at once", f"all there {first_s:.1f} s after the coordinator began, and "
               f"{(now_ns() - begun_ns) / 1e9:.1f} s after it was begun again with --resume")
        interrupt(coordinator)
        self.finish(coordinator, 5, 130)
        result = self.result()
        self.assert_counted_once(result, target)
        self.assertEqual(len(result["agents"]), self.AGENTS)


class Versions(Case):
    """Old and new: a peer written from the protocol's document alone poses as each."""

    def begin(self, goal="{hold: 100/s}"):
        plan = self.write("plan.yaml", plan_text("http://127.0.0.1:1/", goal, "10m"))
        return self.coordinator(plan, 1)

    def answer_to(self, coordinator, major, minor):
        """What is said to the hello of such an agent, and after how many seconds."""
        peer = zmtp.Peer.connect(coordinator.endpoint)
        self.stack.callback(peer.close)
        began = time.monotonic()
        peer.hello(major, minor, f"agent of {major}.{minor}")
        answer = peer.wait_for((zmtp.WELCOME, zmtp.REFUSE))
        return answer, time.monotonic() - began

    def test_agent_of_another_major_version_is_refused_naming_both(self):
        coordinator = self.begin()
        for major in (0, MAJOR + 1):
            answer, seconds = self.answer_to(coordinator, major, 0)
            self.assertEqual(answer[0], zmtp.REFUSE)
            self.assertEqual(answer[5], 0, "code: version")
            self.assertIn(f"clobber/{MAJOR}", answer[6])
            self.assertIn(f"clobber/{major}", answer[6])
            figure("peer of another version", f"refused after {1000 * seconds:.0f} ms: {answer[6]}")
        self.assertIsNone(coordinator.poll())

    def test_agents_of_other_minor_versions_are_welcome_in_the_smaller_one(self):
        coordinator = self.begin()
        for minor in (0, MINOR + 1):
            answer, _ = self.answer_to(coordinator, MAJOR, minor)
            self.assertEqual(answer[0], zmtp.WELCOME)
            self.assertEqual(answer[5:7], [MAJOR, min(minor, MINOR)])

    def test_agent_too_old_for_the_plan_is_refused_with_what_it_takes(self):
        coordinator = self.begin("{hold: 100/s, spacing: poisson}")
        answer, _ = self.answer_to(coordinator, MAJOR, 0)
        self.assertEqual(answer[0], zmtp.REFUSE)
        self.assertIn(f"clobber/{MAJOR}.", answer[6])

    def coordinator_of(self, kind, *fields):
        """A coordinator of our own that answers a HELLO so, and an agent that meets it. ECHO: the HELLO's t_agent."""
        listener = self.stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        agent = self.clobber("agent", "--connect", f"tcp://127.0.0.1:{listener.getsockname()[1]}", "--name", "a1",
                             "--lanes", "1", "--once")
        connection, _ = listener.accept()
        peer = zmtp.Peer(self.stack.enter_context(connection), b"ROUTER")
        hello = peer.wait_for((zmtp.HELLO,))
        self.assertEqual(hello[5:8], ["CLB1", MAJOR, MINOR])
        peer.run_id, peer.incarnation, peer.epoch = os.urandom(16), hello[2], 1
        peer.say(kind, *(hello[15] if field is ECHO else field for field in fields))
        return agent, peer

    def test_coordinator_of_another_major_version_refuses_and_the_agent_says_why(self):
        sentence = f"the coordinator speaks clobber/{MAJOR + 1}, agent 'a1' clobber/{MAJOR}"
        agent, _ = self.coordinator_of(zmtp.REFUSE, 0, sentence, 0)
        self.finish(agent, 5, 3)
        self.assertIn(sentence, self.read(agent.err))

    def test_coordinator_of_a_newer_minor_version_is_understood(self):
        real = self.begin()
        welcome, _ = self.answer_to(real, MAJOR, MINOR)
        major, _, *middle, _ = welcome[5:]
        _, peer = self.coordinator_of(zmtp.WELCOME, major, MINOR + 1, *middle, ECHO, 7, "news", b"more")
        ready = peer.wait_for((zmtp.READY,))
        self.assertEqual(ready[5], welcome[14])


class Strangers(Case):
    """Bytes of strangers on the port, while an honest agent works."""
    SEED = int(os.environ.get("CLOBBER_SEED", "1"))
    SECONDS = 3
    GROWTH_KIB_MAX = 4096
    # A sanitizer keeps what was freed for a while, so there only a leak of everything would show.
    GROWTH_KIB_SANITIZED_MAX = 300 * 1024

    def begin(self, *limits):
        """A coordinator (behind `limits`, a command that sets them) with an honest agent under load."""
        self.honest_target = self.target("--latency", "2ms")
        plan = self.write("plan.yaml", plan_text(self.honest_target.url, f"{{hold: {RATE // 2}/s, {TOLERANCE}}}", "10m"))
        coordinator = self.coordinator(plan, 1, through=limits)
        self.agent(coordinator, "honest")
        self.wait_for_load(2)
        return coordinator

    def conclude(self, coordinator, row, began_kib, began_s, what):
        """Nothing came of it: the memory is flat, the honest agent was heard all the time, and the ledger is exact."""
        ended_s = self.ticks()[-1]["at_ns"] / 1e9
        time.sleep(0.5)
        growth_kib = memory_kib(coordinator) - began_kib
        self.assertLessEqual(growth_kib, self.GROWTH_KIB_SANITIZED_MAX if SANITIZED else self.GROWTH_KIB_MAX)
        # A beat comes between two ticks, or the tick has no part of the agent.
        silent, longest = 0, 0
        ticks = self.ticks_between(began_s, ended_s)
        for tick in ticks:
            silent = 0 if tick["parts_reported"] > 0 else silent + 1
            longest = max(longest, silent)
        figure(row, f"{what}; memory {growth_kib:+} KiB; {len(ticks)} ticks in {ended_s - began_s:.1f} s, and the honest "
               f"agent's beat missed at most {longest} in a row")
        interrupt(coordinator)
        self.finish(coordinator, 5, 130)
        result = self.result()
        self.assert_counted_once(result, self.honest_target)
        with self.about_the_rate():
            for kind in ("agent_lost", "agent_corrupt"):
                self.assertEqual(events(result, kind), [])

    @again_if_it_stood_still
    def test_bytes_of_a_stranger_on_the_port_change_nothing(self):
        coordinator = self.begin()
        stranger = Stranger(coordinator.endpoint, self.SEED)
        # Once through all that libzmq and we keep for later.
        for _ in range(50):
            stranger.turn()
        began_kib, began_s = memory_kib(coordinator), self.ticks()[-1]["at_ns"] / 1e9
        end = time.monotonic() + self.SECONDS
        while time.monotonic() < end:
            stranger.turn()
        self.conclude(coordinator, "bytes of a stranger", began_kib, began_s, f"{stranger.turns} connections, seed {self.SEED}")

    @staticmethod
    def wave(coordinator, wanted):
        """So many connections at once that say nothing, until the coordinator has thrown them out."""
        idle = []
        try:
            for _ in range(wanted):
                idle.append(connect(coordinator.endpoint))
            time.sleep(2.5)  # longer than a handshake may take
        finally:
            for connection in idle:
                connection.close()

    def idle(self, row, wanted, *limits):
        coordinator = self.begin(*limits)
        first_kib = memory_kib(coordinator)
        # libzmq keeps 3 to 4 KiB for a connection in its handshake, and the memory for the next ones.
        self.wave(coordinator, wanted)
        began_kib, began_s = memory_kib(coordinator), self.ticks()[-1]["at_ns"] / 1e9
        cpu_s = cpu_seconds(coordinator)
        self.wave(coordinator, wanted)
        load = (cpu_seconds(coordinator) - cpu_s) / (self.ticks()[-1]["at_ns"] / 1e9 - began_s)
        self.conclude(coordinator, row, began_kib, began_s,
                      f"twice {wanted} connections, {began_kib - first_kib:+} KiB for the first ones; coordinator at "
                      f"{100 * load:.0f} % CPU")

    @again_if_it_stood_still
    def test_10000_idle_connections_change_nothing(self):
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = min(10000, hard - 500)
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, before)
        self.idle("10,000 idle connections", wanted)

    @again_if_it_stood_still
    def test_descriptors_are_kept_for_the_fleet_before_strangers_come(self):
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.idle("no descriptors at the coordinator", 900, "prlimit", f"--nofile=400:{hard}")


if __name__ == "__main__":
    unittest.main()
