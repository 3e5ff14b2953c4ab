"""deploy/Containerfile and deploy/compose.yaml with a real podman: build, up, runs over three agents, one of them cut off,
one killed. All of podman's state lies in the test's own folder, and its bridge in a network namespace of the test's own,
so nothing of the machine's containers is seen or touched, and each run begins with an empty image store."""

import json
import os
import shutil
import subprocess
import sys
import unittest

from hosts import ASK, SLEEP
from support import BINARY, Case, again_if_it_stood_still, wait_until

TREE = os.environ["CLOBBER_TREE"]
DEPLOY = os.path.join(TREE, "deploy")
USER = 65532  # of the Containerfile
AGENTS = ("agent-1", "agent-2", "agent-3")
RATE = 300
TOOLS = ("podman", "podman-compose", "runc", "nft", "nsenter", "unshare")
PLAN = f"""version: 1
name: containers
target: http://target:8080
goal: {{hold: {RATE}/s, tolerance: 50%}}
duration: 5m
agents: {{expect: 3, min: 1}}
"""


class Containers(Case):
    def setUp(self):
        super().setUp()
        missing = [tool for tool in TOOLS if shutil.which(tool) is None]
        if missing and "podman" not in missing and "CI" in os.environ:
            self.fail(f"podman is here, but not {', '.join(missing)} (deploy/install container)")
        if missing or os.geteuid() != 0:
            self.skipTest(f"NOT TESTED: containers need root and {', '.join(missing or TOOLS)} (deploy/install container)")

    def make_folder(self):
        super().make_folder()
        self.project = os.path.basename(self.folder).replace("clobber-test-", "clobber-t-").lower()
        with open(os.path.join(DEPLOY, "containers.conf"), encoding="utf-8") as file:
            conf = file.read().replace("[network]", f'[network]\nnetwork_config_dir = "{self.path("networks")}"')
        conf = conf.replace("[engine]", f'[engine]\ntmp_dir = "{self.path("libpod")}"')
        self.environment = dict(
            os.environ, CONTAINERS_CONF=self.write("containers.conf", conf),
            CONTAINERS_STORAGE_CONF=self.write("storage.conf", "[storage]\ndriver = \"overlay\"\n"
                                               f"graphroot = \"{self.path('store')}\"\nrunroot = \"{self.path('state')}\"\n"),
            IMAGE="localhost/clobber", PLAN=self.write("plan.yaml", PLAN), KEYS=self.path("keys"), RUNS=self.path("runs"))
        os.chmod(self.folder, 0o755)
        os.mkdir(self.path("runs"))
        os.chown(self.path("runs"), USER, USER)
        holder = self.start("unshare", "--net", "--mount", *SLEEP, name="network")
        ours = os.readlink("/proc/self/ns/net")
        wait_until(lambda: os.readlink(f"/proc/{holder.pid}/ns/net") != ours, "a network namespace")
        self.inside = ("nsenter", f"--target={holder.pid}", "--net", f"--wdns={self.folder}")
        self.stack.callback(self.remove_all)

    def run_inside(self, *command, seconds=180, check=True):
        done = subprocess.run((*self.inside, *command), env=self.environment, check=False, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=seconds)
        if check:
            self.assertEqual(done.returncode, 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}")
        return done

    def podman(self, *words, **options):
        return self.run_inside("podman", *words, **options)

    def compose(self, *words):
        return self.run_inside("podman-compose", "-p", self.project, "-f", os.path.join(DEPLOY, "compose.yaml"), *words)

    def remove_all(self):
        """Of this test's own store alone."""
        self.podman("rm", "--all", "--force", "--time", "0", check=False)
        self.podman("system", "reset", "--force", check=False)

    def build(self):
        """The image of people, but with a root that is there already, because nothing can be downloaded here: what the
        stage that compiles would have made of this very build."""
        os.mkdir(self.path("root"))
        subprocess.run((os.path.join(DEPLOY, "image-root"), BINARY, self.path("root/image")), check=True, timeout=60)
        self.write("root/Containerfile", "FROM scratch\nCOPY image /image\n")
        flags = ("build", "--quiet", "--layers=false", "--isolation", "chroot")
        self.podman(*flags, "-t", "localhost/clobber-root", self.path("root"))
        self.podman(*flags, "-t", "localhost/clobber", "--build-arg", "ROOT=localhost/clobber-root",
                    "-f", os.path.join(DEPLOY, "Containerfile"), TREE)

    def needs_containers(self):
        """A machine may have podman and still let nobody use it."""
        self.podman("network", "create", f"{self.project}_probe", check=False)
        told = self.podman("run", "--rm", "--network", f"{self.project}_probe", "--read-only", "--cap-drop", "all",
                           "localhost/clobber", "--help", check=False)
        if told.returncode != 0:
            print(told.stderr, file=sys.stderr)
            self.skipTest("NOT TESTED: podman is here, but this machine lets it run no container")

    def make_keys(self):
        keys = self.path("keys")
        os.mkdir(keys)
        subprocess.run((BINARY, "key", "new", keys, "coordinator", *AGENTS), check=True, timeout=60, stdout=subprocess.DEVNULL)
        with open(f"{keys}/authorized", "w", encoding="utf-8") as file:
            file.writelines(self.read(f"{keys}/{name}.pub") for name in AGENTS)
        for name in os.listdir(keys):
            os.chown(f"{keys}/{name}", USER, USER)

    # What runs

    def container(self, service):
        found = self.podman("ps", "--all", "--quiet", "--filter", f"label=com.docker.compose.service={service}").stdout.split()
        self.assertEqual(len(found), 1, service)
        return found[0]

    def process_of(self, service):
        return self.podman("inspect", "--format", "{{.State.Pid}}", self.container(service)).stdout.strip()

    @staticmethod
    def nft(process, text):
        subprocess.run(("nsenter", "-t", process, "-n", "nft", "-f", "-"), input=text, text=True, check=True, timeout=60)

    def requests(self):
        """What the target counted, from inside of its own network."""
        told = subprocess.run(("nsenter", "-t", self.process_of("target"), "-n", sys.executable, "-ISc", ASK, "127.0.0.1",
                               "8080"), check=True, capture_output=True, text=True, timeout=60)
        return json.loads(told.stdout)["requests"]

    def runs(self):
        folder = self.path("runs/runs")
        return sorted(os.listdir(folder)) if os.path.isdir(folder) else []

    def lines(self, run):
        return self.record(f"runs/runs/{self.runs()[run - 1]}") if len(self.runs()) >= run else []

    def wait_for(self, run, until_s):
        wait_until(lambda: any(line["line"] == "tick" and line["at_ns"] > until_s * 1e9 for line in self.lines(run)),
                   f"{until_s} s of run {run}")

    def wait_for_event(self, run, kind, agent):
        wait_until(lambda: any(line.get("kind") == kind and agent in line["sentence"] for line in self.lines(run)),
                   f"{kind} of {agent} in run {run}")

    def interrupt(self, run):
        """The result of a run that is told to end as `podman stop` does it: in order."""
        self.podman("stop", "--time", "30", self.container("coordinator"))
        self.assertEqual(len(self.runs()), run)
        return self.result(f"runs/runs/{self.runs()[run - 1]}")

    def fleet_is_cut_and_healed(self):
        agent = self.process_of("agent-2")
        self.wait_for(1, 1)
        self.nft(agent, "table inet cut {\n chain in { type filter hook input priority 0; policy drop; }\n"
                        " chain out { type filter hook output priority 0; policy drop; }\n}\n")
        self.wait_for_event(1, "agent_lost", "agent-2")
        self.nft(agent, "delete table inet cut\n")
        self.wait_for_event(1, "agent_back", "agent-2")
        result = self.interrupt(1)
        self.assert_counted_once(result, self)
        self.assertEqual({agent["name"] for agent in result["agents"]}, set(AGENTS))
        self.assertFalse(result["plaintext"])

    def agent_is_killed(self):
        before = self.requests()
        self.podman("start", self.container("coordinator"))
        self.wait_for(2, 1)
        self.podman("kill", "--signal", "KILL", self.container("agent-3"))
        self.wait_for_event(2, "agent_lost", "agent-3")
        result = self.interrupt(2)
        self.assert_balanced(result)
        ledger = result["ledger"]
        self.assertGreaterEqual(self.requests() - before, ledger["ok"] + ledger["failed"])
        self.assertLessEqual(self.requests() - before, ledger["started"] + ledger["lost_max"])

    @again_if_it_stood_still
    def test_a_fleet_of_containers_counts_right_when_one_is_cut_off_and_when_one_is_killed(self):
        self.build()
        self.needs_containers()
        self.make_keys()
        self.compose("up", "--detach")
        try:
            self.fleet_is_cut_and_healed()
            self.agent_is_killed()
        except AssertionError:
            for service in ("coordinator", *AGENTS):
                print(service, self.podman("logs", self.container(service), check=False).stderr, file=sys.stderr)
            raise


if __name__ == "__main__":
    unittest.main()
