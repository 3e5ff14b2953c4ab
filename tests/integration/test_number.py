"""A number of requests: each index once, whoever makes it; seen by a target that writes down what it was asked."""

import os
import signal
import unittest
from collections import Counter

from support import SANITIZED, Case, again_if_it_stood_still, events, plan_text, wait_until

TOTAL = 20000 if SANITIZED else 100000
AGENTS = (1, 2, 4)
WEIGHTS = (7, 2, 1)


class Recorder:
    """nginx that answers any path, and writes down each request."""

    def __init__(self, case):
        self.case = case

        def start(port):
            case.write("recorder.conf", f"""
                daemon off; master_process off; pid {case.folder}/recorder.pid; error_log {case.folder}/recorder.log;
                worker_rlimit_nofile 10000;
                events {{ worker_connections 4000; }}
                http {{ log_format line '$request'; access_log {self.log(port)} line buffer=64k;
                  keepalive_requests 1000000000; keepalive_timeout 300s;
                  client_body_temp_path {case.folder}/b; proxy_temp_path {case.folder}/p;
                  fastcgi_temp_path {case.folder}/f; uwsgi_temp_path {case.folder}/u; scgi_temp_path {case.folder}/s;
                  server {{ listen 127.0.0.1:{port} backlog=1024; location / {{ return 200 ok; }} }} }}""")
            self.process = case.start("nginx", "-p", case.folder, "-e", "stderr", "-c", case.path("recorder.conf"))
            return self.process
        self.port = case.serve("nginx", start)
        self.url = f"http://127.0.0.1:{self.port}"

    def log(self, port):
        return self.case.path(f"recorder-{port}.log")

    def requests(self):
        """All that it was asked, when it has ended: "GET /a/17"."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait()
        return Counter(line.rsplit(" ", 1)[0] for line in self.case.read(self.log(self.port)).splitlines())


class Counted(Case):
    def plan(self, target, goal, total, more=""):
        kinds = zip("abc", WEIGHTS)
        requests = "".join(f'  - {{get: "/{name}/{{{{ seq }}}}", weight: {weight}}}\n' for name, weight in kinds)
        return self.write("plan.yaml", f"version: 1\ntarget: {target.url}\ngoal: {goal}\nrequests_total: {total}\n"
                          f"duration: 10m\n{more}requests:\n{requests}")

    def made(self, agents, goal, total, more=""):
        """What the target was asked by a run of its own, whose ledger is exact."""
        target = Recorder(self)
        folder = f"out-{agents}-{target.port}"
        run = self.clobber("run", self.plan(target, goal, total, more), "--agents", str(agents), "--lanes", "2",
                           "--out", self.path(folder))
        code = self.finish(run, 60)
        result = self.result(folder)
        self.assert_balanced(result)
        self.assertEqual(result["ledger"]["planned"], total)
        self.assertEqual(result["ledger"]["requests_total"], total)
        requests = target.requests()
        self.assertEqual(sum(requests.values()), result["ledger"]["started"] - result["ledger"]["unwritten"])
        return requests, result, code

    def test_one_two_and_four_agents_make_the_same_requests(self):
        made = [self.made(agents, "{concurrency: 16}", TOTAL)[0] for agents in AGENTS]
        self.assertEqual(made[0], made[1])
        self.assertEqual(made[0], made[2])
        indexes = Counter(int(request.rsplit("/", 1)[1]) for request in made[0])
        self.assertEqual(indexes, Counter(range(TOTAL)))
        kinds = Counter(request[5] for request in made[0])
        for kind, weight in zip("abc", WEIGHTS):
            self.assertEqual(kinds[kind], TOTAL * weight // sum(WEIGHTS))

    def test_another_seed_makes_another_order_of_the_mix(self):
        first = self.made(1, "{concurrency: 4}", 1000)[0]
        other = self.made(2, "{concurrency: 4}", 1000, "seed: 2\n")[0]
        self.assertNotEqual(first, other)

    def test_a_search_and_closed_arrivals_end_with_the_last_request(self):
        for goal in ("{maximize: throughput}", "{hold: 1000/s, arrivals: closed, tolerance: 50%}"):
            requests = self.made(2, goal, 5000)[0]
            self.assertEqual(set(requests.values()), {1})
            self.assertEqual(len(requests), 5000)

    def test_a_rate_plans_exactly_so_many(self):
        requests, result, _ = self.made(2, "{hold: 1000/s, tolerance: 50%}", 3000)
        self.assertEqual(set(requests.values()), {1})
        self.assertEqual(len(requests), 3000 - result["ledger"]["not_started"])

    def test_fewer_requests_than_workers(self):
        for total in (1, 3):
            requests, _, code = self.made(4, "{concurrency: 32}", total)
            self.assertEqual(sum(requests.values()), total)
            self.assertEqual(code, 0)

    def test_one_request_of_a_url(self):
        target = Recorder(self)
        run = self.clobber("run", target.url + "/only", "-n", "1", "-c", "1", "--out", self.path("out"))
        self.finish(run, 5, 0)
        self.assertEqual(target.requests(), Counter({"GET /only": 1}))


class CountedAgentKilled(Case):
    @again_if_it_stood_still
    def test_what_a_killed_agent_held_is_missing_and_nothing_comes_twice(self):
        target = Recorder(self)
        text = plan_text(target.url, "{hold: 1000/s, tolerance: 50%}", "10m", more='requests: [get: "/{{ seq }}"]')
        total = 10000
        coordinator = self.coordinator(self.write("plan.yaml", f"requests_total: {total}\n{text}"), 3)
        agents = [self.agent(coordinator, f"a{i}") for i in range(3)]
        self.wait_for_load(3)
        os.kill(agents[1].pid, signal.SIGKILL)
        wait_until(lambda: self.ticks()[-1]["agents_lost"] == 1, "the loss")
        self.finish(coordinator, 30, 1)
        result = self.result()
        self.assert_balanced(result)
        ledger = result["ledger"]
        self.assertEqual(result["verdict"]["outcome"], "missed")
        self.assertIn(f"of {total} requests ended", result["verdict"]["sentence"])
        self.assertEqual(result["verdict"]["limited_by"], "agents")
        self.assertEqual(len(events(result, "agent_lost")), 1)
        # It held at most a supply of four seconds, and a third of the rate.
        self.assertLess(ledger["planned"], total)
        self.assertGreater(ledger["planned"], total / 2)
        requests = target.requests()
        self.assertEqual(set(requests.values()), {1})
        self.assertGreaterEqual(len(requests), ledger["started"] - ledger["unwritten"])
        self.assertLessEqual(len(requests), ledger["started"] + ledger["lost_max"])


if __name__ == "__main__":
    unittest.main()
