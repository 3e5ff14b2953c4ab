"""Who may join a fleet, and what an agent may be sent to. Fleets are on networks of their own, since on loopback there
is nobody to keep out."""

import http.server
import os
import pathlib
import re
import signal
import subprocess
import threading
import unittest

from hosts import HostCase, needs_hosts
from support import (BINARY, RATE, TOLERANCE, Case, events, figure, interrupt, plan_text, wait_until)


class Keys:
    """Keys of a test, in its folder."""

    def make(self, *names):
        done = subprocess.run((BINARY, "key", "new", self.path("keys"), *names), check=False, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def public(self, name):
        return self.read(self.path(f"keys/{name}.pub")).split()[-1]

    def secret(self, name):
        return re.search(r"^secret (\S+)$", self.read(self.path(f"keys/{name}.key")), re.MULTILINE).group(1)

    def admit(self, *names):
        """The list of who may join; not what a signal makes of it."""
        text = "".join(f"{name} {self.public(name)}\n" for name in names)
        path = self.write("authorized", text)
        os.chmod(path, 0o600)
        return path

    def lock_flags(self):
        return ("--secret-key", self.path("keys/office.key"), "--authorized-keys", self.path("authorized"))

    def key_flags(self, name, server="office"):
        return ("--secret-key", self.path(f"keys/{name}.key"), "--server-key", self.path(f"keys/{server}.pub"))

    def recorded(self, kind):
        """Sentences of such events so far."""
        return [line["sentence"] for line in self.record() if line["line"] == "event" and line["kind"] == kind]

    def wait_for_event(self, kind, pattern):
        return wait_until(lambda: [text for text in self.recorded(kind) if re.search(pattern, text)],
                          f"an event {kind} that says {pattern}")[0]

    def assert_secrets_are_nowhere(self, *names):
        """Not in any output, record or result; only in the files that are for it."""
        secrets = [self.secret(name).encode() for name in names]
        for folder, folders, files in os.walk(self.folder):
            if "keys" in folders:
                folders.remove("keys")
            for file in files:
                with open(os.path.join(folder, file), "rb") as stream:
                    text = stream.read()
                for secret in secrets:
                    self.assertNotIn(secret, text, file)


@needs_hosts
class Locked(HostCase, Keys):
    """A fleet on a network, with keys."""

    def coordinator_with_keys(self, host, plan, agents, *flags):
        process = self.clobber("coordinator", plan, "--bind", f"tcp://{host.address}:0", "--expect-agents", str(agents),
                               "--out", self.path("out"), *self.lock_flags(), *flags, through=host.inside)
        found = wait_until(lambda: re.search(r"tcp://[0-9.]+:\d+", self.read(process.err)), "the coordinator")
        process.endpoint = found.group(0)
        return process

    def agent_with_keys(self, host, coordinator, name, *flags):
        return self.clobber("agent", "--connect", coordinator.endpoint, "--lanes", "1", "--allow", "10.77.0.0/24",
                            *self.key_flags(name), *flags, through=host.inside)

    def test_strangers_stay_outside_and_disturb_nobody(self):
        office, far = self.hosts("office", "far")
        self.make("office", "eu-1", "eu-2", "stranger")
        self.admit("eu-1", "eu-2")
        target = self.target_on(far, "--latency", "2ms")
        plan = self.write("plan.yaml", plan_text(target.url, f"{{hold: {RATE}/s, {TOLERANCE}}}", "6s"))
        coordinator = self.coordinator_with_keys(office, plan, 2)
        strangers = [self.agent_with_keys(far, coordinator, "stranger", "--once") for _ in range(3)]
        plain = self.clobber("agent", "--connect", coordinator.endpoint, through=far.inside)
        for name in ("eu-1", "eu-2"):
            self.agent_with_keys(far, coordinator, name, "--once", "--name", "not-its-name")
        for stranger in strangers:
            self.finish(stranger, 5, 3)
            self.assertIn("refused our key", self.read(stranger.err))
        wait_until(lambda: "hung up before a word: it wants keys" in self.read(plain.err), "the plain agent's words")

        self.finish(coordinator, 10, 0)

        result = self.result()
        self.assert_counted_once(result, target)
        self.assertEqual(sorted(agent["name"] for agent in result["agents"]), ["eu-1", "eu-2"])
        self.assertIn(self.public("stranger"), events(result, "key_refused")[0]["sentence"])
        self.assertFalse(result["plaintext"])
        self.assert_secrets_are_nowhere("office", "eu-1", "eu-2", "stranger")

    def test_the_list_is_read_again_on_hangup(self):
        office, far = self.hosts("office", "far")
        self.make("office", "eu-1", "eu-2")
        self.admit("eu-1")
        target = self.target_on(far, "--latency", "2ms")
        plan = self.write("plan.yaml", plan_text(target.url, f"{{hold: {RATE}/s}}", "10m"))
        coordinator = self.coordinator_with_keys(office, plan, 1)
        one = self.agent_with_keys(far, coordinator, "eu-1")
        other = self.agent_with_keys(far, coordinator, "eu-2")
        wait_until(lambda: "refused our key" in self.read(other.err), "eu-2 to be refused")
        self.wait_for_load(1)

        self.admit("eu-1", "eu-2")
        coordinator.send_signal(signal.SIGHUP)
        self.wait_for_event("keys_reloaded", "^2 keys may join")
        self.wait_for_event("agent_joined", "eu-2")

        self.write("authorized", "eu-2 no-key\n")
        coordinator.send_signal(signal.SIGHUP)
        self.wait_for_event("keys_kept", r"stay as they were: .*authorized:1:6: 'no-key' is no key")

        self.admit("eu-2")
        coordinator.send_signal(signal.SIGHUP)
        self.wait_for_event("agent_barred", "eu-1")
        self.wait_for_event("agent_lost", "eu-1")
        wait_until(lambda: "refused our key" in self.read(one.err), "eu-1 to be refused")
        before = target.requests()
        wait_until(lambda: target.requests() > before + RATE, "eu-2 to carry on alone")

        interrupt(coordinator)
        self.finish(coordinator, 5, 130)
        ledger = self.result()["ledger"]
        self.assert_balanced(self.result())
        self.assertLessEqual(ledger["started"] - ledger["unwritten"], target.requests())
        self.assertLessEqual(target.requests(), ledger["started"] + ledger["lost_max"])

    def test_a_key_is_one_agent_at_a_time(self):
        office, far = self.hosts("office", "far")
        self.make("office", "eu-1")
        self.admit("eu-1")
        target = self.target_on(far, "--latency", "2ms")
        plan = self.write("plan.yaml", plan_text(target.url, f"{{hold: {RATE}/s, {TOLERANCE}}}", "6s"))
        coordinator = self.coordinator_with_keys(office, plan, 1)
        self.agent_with_keys(far, coordinator, "eu-1", "--once")
        self.wait_for_load(1)
        twin = self.agent_with_keys(far, coordinator, "eu-1", "--once", "--name", "another")
        self.finish(twin, 5, 3)
        self.assertIn("an agent called 'eu-1' is in this run already", self.read(twin.err))

        self.finish(coordinator, 10, 0)

        self.assert_counted_once(self.result(), target)
        self.assertEqual(len(self.result()["agents"]), 1)

    def test_a_bind_that_others_reach_needs_keys_or_a_word(self):
        office, far = self.hosts("office", "far")
        target = self.target_on(far, "--latency", "2ms")
        plan = self.write("plan.yaml", plan_text(target.url, f"{{hold: {RATE}/s, {TOLERANCE}}}", "2s"))
        refused = self.clobber("coordinator", plan, "--bind", f"tcp://{office.address}:0", through=office.inside)
        self.finish(refused, 1, 2)
        self.assertIn("can be reached by other machines: give --secret-key", self.read(refused.err))

        coordinator = self.coordinator_on(office, plan, 1)
        agent = self.agent_on(far, coordinator, "a1")
        self.finish(coordinator, 5, 0)

        self.assertIn("--plaintext: whoever reaches", self.read(coordinator.err))
        self.assertIn("no keys: whoever answers", self.read(agent.err))
        self.assertIn("coordinator and agents spoke plaintext", self.read(coordinator.out))
        self.assertTrue(self.result()["plaintext"])


class KeyFiles(Case, Keys):
    """What the commands say of files of keys; keys work on loopback too."""

    def setUp(self):
        super().setUp()
        self.make("office", "eu-1", "stranger")
        self.admit("eu-1")

    def test_a_secret_file_that_others_can_read_is_refused(self):
        plan = self.write("plan.yaml", plan_text("http://127.0.0.1:9/", "{hold: 5/s}"))
        os.chmod(self.path("keys/office.key"), 0o644)
        os.chmod(self.path("keys/eu-1.key"), 0o640)
        coordinator = self.clobber("coordinator", plan, "--bind", "tcp://127.0.0.1:0", *self.lock_flags())
        agent = self.clobber("agent", "--connect", "tcp://127.0.0.1:9", *self.key_flags("eu-1"))
        self.finish(coordinator, 1, 2)
        self.finish(agent, 1, 2)
        self.assertIn("office.key can be read by others (mode 0644); type: chmod 600 ", self.read(coordinator.err))
        self.assertIn("eu-1.key can be read by others (mode 0640); type: chmod 600 ", self.read(agent.err))

    def test_a_coordinator_with_another_key_is_not_obeyed(self):
        target = self.target()
        plan = self.write("plan.yaml", plan_text(target.url, "{hold: 50/s}"))
        coordinator = self.coordinator(plan, 1, *self.lock_flags())
        agent = self.agent(coordinator, "a1", *self.key_flags("eu-1", server="stranger"))
        wait_until(lambda: "its key is not the one of --server-key" in self.read(agent.err), "the agent's words")
        self.assertIsNone(agent.poll())
        interrupt(coordinator)
        self.finish(coordinator, 2, 130)
        self.assertEqual(target.requests(), 0)

    def test_doctor_takes_the_same_keys(self):
        doctor = self.clobber("doctor", "--bind", "tcp://127.0.0.1:0", *self.lock_flags())
        endpoint = wait_until(lambda: re.search(r"tcp://127\.0\.0\.1:\d+", self.read(doctor.err)), "doctor").group(0)
        self.clobber("agent", "--connect", endpoint, "--lanes", "1", "--once", *self.key_flags("stranger"))
        self.clobber("agent", "--connect", endpoint, "--lanes", "1", "--once", *self.key_flags("eu-1"))
        self.assertIn(self.finish(doctor, 15), (0, 1))
        self.assertRegex(self.read(doctor.out), r"(?m)\beu-1\b")

    def test_half_of_what_it_takes_is_refused(self):
        plan = self.write("plan.yaml", plan_text("http://127.0.0.1:9/", "{hold: 5/s}"))
        lock = self.lock_flags()
        for flags, words in ((lock[:2], "--secret-key needs --authorized-keys"),
                             (lock[2:], "--authorized-keys needs --secret-key"),
                             ((*lock, "--plaintext"), "say opposite things")):
            process = self.clobber("coordinator", plan, "--bind", "tcp://127.0.0.1:0", *flags)
            self.finish(process, 1, 2)
            self.assertIn(words, self.read(process.err))

    def test_keys_are_made_once(self):
        again = self.clobber("key", "new", self.path("keys"), "eu-1")
        self.finish(again, 1, 2)
        self.assertIn("eu-1.key is there already", self.read(again.err))


class Secrets(Case):
    """A value that a plan refers to reaches the target, and nothing that anybody reads."""

    VALUES = ("env-s3cr3t-7f2e", "file-s3cr3t-91ab")

    def listen(self):
        """A target that keeps the header lines of what it was asked."""
        seen = set()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                seen.add((self.headers["Authorization"], body))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        self.stack.callback(server.server_close)
        self.stack.callback(server.shutdown)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}/", seen

    def test_secrets_reach_the_target_and_nobody_else(self):
        url, seen = self.listen()
        os.environ["CLOBBER_TEST_TOKEN"] = self.VALUES[0]
        self.stack.callback(os.environ.pop, "CLOBBER_TEST_TOKEN")
        os.chmod(self.write("password", self.VALUES[1] + "\n"), 0o600)
        plan = self.write("plan.yaml", plan_text(url, "{hold: 20/s, tolerance: 50%}", "4s", more=(
            "requests: [{post: /, headers: {Authorization: 'Bearer ${env:CLOBBER_TEST_TOKEN}'}, "
            "body: 'pw=${file:password}'}]\n")))
        run = self.clobber("run", plan, "--out", self.path("out"), "--json", self.path("result.json"))
        self.wait_for_load(1)
        words = b"".join(pathlib.Path(f"/proc/{pid}/cmdline").read_bytes() for pid in [run.pid, *children(run.pid)])
        self.finish(run, 8)
        self.finish(self.clobber("validate", plan), 1, 0)
        self.finish(self.clobber("report", self.path("out")), 1)
        os.chmod(self.path("password"), 0o644)
        refused = self.clobber("validate", plan)
        self.finish(refused, 1, 2)
        self.assertRegex(self.read(refused.err), r"plan\.yaml:7:\d+: requests\.body: \$\{file:password\}: "
                         r".*can be read by others \(mode 0644\); type: chmod 600")

        self.assertEqual(seen, {(f"Bearer {self.VALUES[0]}", f"pw={self.VALUES[1]}")})
        os.unlink(self.path("password"))
        for value in self.VALUES:
            self.assertNotIn(value.encode(), words)
            for path in pathlib.Path(self.folder).rglob("*"):
                if path.is_file():
                    self.assertNotIn(value.encode(), path.read_bytes(), path)
        validated = self.read(self.path("clobber-validate-0.out"))
        self.assertIn("# ${env:CLOBBER_TEST_TOKEN} is ***\n# ${file:password} is ***\n", validated)


def children(pid):
    return [int(word) for task in os.listdir(f"/proc/{pid}/task")
            for word in pathlib.Path(f"/proc/{pid}/task/{task}/children").read_text(encoding="ascii").split()]


@needs_hosts
class Unlisted(HostCase):
    """The owner's list, as the network sees it: to what it does not allow there is not one packet."""

    def count_arrivals(self, host):
        host.nft("add table inet seen\n"
                 "add chain inet seen in { type filter hook input priority 0; }\n"
                 "add counter inet seen syn\n"
                 "add rule inet seen in tcp flags & (syn | ack) == syn counter name syn\n")

    def arrivals(self, host):
        return int(re.search(r"packets (\d+)", host.run("nft", "list", "counter", "inet", "seen", "syn")).group(1))

    def test_an_unlisted_target_gets_no_packet(self):
        office, victim = self.hosts("office", "victim")
        target = self.target_on(victim)
        self.count_arrivals(victim)
        office.run("sh", "-c", f"echo '{victim.address} shop.test' >> hosts && mount --bind hosts /etc/hosts")
        allowed = ("--allow", "10.0.0.0/8", "--allow", "other.test")
        for number, (url, flags) in enumerate((
                (target.url, ()),  # loopback alone
                (target.url, ("--allow", f"{victim.address}:1")),
                (target.url, ("--allow", "10.77.0.1", "--allow", "10.77.0.3/32")),
                (f"http://shop.test:{target.port}/", ("--allow", "other.test", "--allow", "127.0.0.0/8")),
                (f"http://[::ffff:{victim.address}]:{target.port}/", ("--allow", "::/0")),
                (f"http://[{victim.address6}]:{target.port}/", allowed))):
            with self.subTest(url=url, flags=flags):
                plan = self.write(f"plan-{number}.yaml", plan_text(url, "{hold: 50/s}", "2s"))
                out = self.path(f"out-{number}")
                coordinator = self.clobber("coordinator", plan, "--bind", "tcp://127.0.0.1:0", "--out", out, "--wait",
                                           "20s", through=office.inside)
                endpoint = wait_until(lambda: re.search(r"tcp://127\.0\.0\.1:\d+", self.read(coordinator.err)),
                                      "the coordinator").group(0)
                self.clobber("agent", "--connect", endpoint, "--once", "--lanes", "1", *flags, through=office.inside)
                self.finish(coordinator, 5, 3)
                self.assertIn("does not allow", self.read(coordinator.out) + self.read(coordinator.err))
        self.assertEqual(self.arrivals(victim), 0)
        figure("unlisted target", "6 plans, 0 SYN")

    def test_the_counter_sees_what_is_allowed(self):
        office, victim = self.hosts("office", "victim")
        target = self.target_on(victim)
        self.count_arrivals(victim)
        plan = self.write("plan.yaml", plan_text(target.url, "{hold: 50/s, tolerance: 50%}", "2s"))
        self.finish(self.clobber("run", plan, through=office.inside), 5)
        self.assertGreater(self.arrivals(victim), 0)


if __name__ == "__main__":
    unittest.main()
