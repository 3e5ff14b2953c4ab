"""Templates and data files, as nginx wrote down what it was asked for: exactly the rows that the plan means, however many
agents make the requests."""

import collections

from support import Case, unittest

USERS = [("7", "ann"), ("8", "b\u00f6 b/&?"), ("9", 'say "hi", you'), ("10", "")]


class Recorder:
    def __init__(self, url, log):
        self.url, self.log = url, log

    def lines(self):
        with open(self.log, encoding="utf-8") as file:
            return collections.Counter(file.read().splitlines())


class Data(Case):
    def recorder(self):
        """nginx that writes down path, one header and body. A body is only read when somebody wants it: itself."""
        log = self.path("access.log")

        def start(port):
            self.write("nginx.conf", f"""
                daemon off; master_process off; pid {self.folder}/nginx.pid; error_log {self.folder}/nginx.log;
                worker_rlimit_nofile 10000;
                events {{ worker_connections 4000; }}
                http {{ keepalive_requests 1000000000; keepalive_timeout 300s; access_log off;
                  client_body_temp_path {self.folder}/b; proxy_temp_path {self.folder}/p;
                  fastcgi_temp_path {self.folder}/f; uwsgi_temp_path {self.folder}/u; scgi_temp_path {self.folder}/s;
                  log_format asked escape=none '$request_uri|$http_x_user|$content_length|$request_body';
                  server {{ listen 127.0.0.1:{port} backlog=1024;
                    location / {{ access_log {log} asked; return 200 ok; }}
                    location /body {{ access_log {log} asked; proxy_pass http://127.0.0.1:{port}/end; }}
                    location /end {{ return 200 ok; }} }} }}""")
            return self.start("nginx", "-p", self.folder, "-e", "stderr", "-c", self.path("nginx.conf"))
        return Recorder(f"http://127.0.0.1:{self.serve('nginx', start)}", log)

    def run_plan(self, recorder, agents, more):
        """What was asked for, as nginx has it; what it had before is forgotten."""
        open(recorder.log, "w", encoding="utf-8").close()
        plan = self.write("plan.yaml", f"""
version: 1
target: {recorder.url}
goal: {{concurrency: 4}}
duration: 60s
seed: 42
{more}
""")
        folder = self.path(f"out-{len(self.runs)}")
        self.runs.append(folder)
        self.finish(self.clobber("run", plan, "--quiet", "--agents", str(agents), "--out", folder), 60, 0)
        return recorder.lines()

    def setUp(self):
        super().setUp()
        self.runs = []
        rows = "".join('%s,"%s"\n' % (key, name.replace('"', '""')) for key, name in USERS)
        self.write("users.csv", "id,name\n" + rows)

    def test_every_request_has_its_row_whoever_makes_it(self):
        recorder = self.recorder()
        plan = """
requests_total: 300
data: {users: {file: users.csv}}
requests: [{get: "/u/{{ users.id }}?n={{ seq }}", headers: {X-User: "<{{ users.name }}>"}}]
"""
        wanted = collections.Counter(
            f"/u/{USERS[i % 4][0]}?n={i}|<{USERS[i % 4][1]}>||" for i in range(300))
        for agents in (1, 2):
            self.assertEqual(self.run_plan(recorder, agents, plan), wanted)

    def test_what_is_drawn_is_the_same_for_one_agent_and_for_two(self):
        recorder = self.recorder()
        plan = """
requests_total: 300
data: {users: {file: users.csv, order: random}}
requests: [{get: "/{{ seq }}/{{ users.id }}/{{ random(1, 1000) }}/{{ uuid }}"}]
"""
        alone = self.run_plan(recorder, 1, plan)
        self.assertEqual(sum(alone.values()), 300)
        self.assertEqual(len(alone), 300)
        self.assertEqual({line.split("/")[2] for line in alone}, {key for key, _ in USERS})
        self.assertEqual(self.run_plan(recorder, 2, plan), alone)

    def test_bodies_are_as_long_as_they_say(self):
        recorder = self.recorder()
        self.write("items.jsonl", '{"sku": "A1", "price": 9.5}\n{"sku": "B22", "price": 10}\n')
        self.write("body.json", '{"sku": "{{ items.sku }}", "price": {{ items.price }}, "n": {{ seq }}}')
        lines = self.run_plan(recorder, 1, """
requests_total: 120
data: {items: {file: items.jsonl}}
requests: [{post: /body, body: {file: body.json}}]
""")
        bodies = ['{"sku": "%s", "price": %s, "n": %d}' % (("A1", "9.5", i) if i % 2 == 0 else ("B22", "10", i))
                  for i in range(120)]
        self.assertEqual(lines, collections.Counter(f"/body||{len(body)}|{body}" for body in bodies))

    def test_a_file_of_many_parts_comes_whole_to_every_agent(self):
        recorder = self.recorder()
        count = 60000
        self.write("users.csv", "id,filling\n" + "".join(f"{i},{'x' * 40}\n" for i in range(count)))
        lines = self.run_plan(recorder, 2, """
requests_total: 400
data: {users: {file: users.csv, order: random}}
requests: [{get: "/{{ users.id }}/{{ users.filling }}"}]
""")
        self.assertEqual(sum(lines.values()), 400)
        for line in lines:
            _, key, filling = line.rstrip("|").split("/")
            self.assertEqual(filling, "x" * 40)
            self.assertLess(int(key), count)
        self.assertGreater(len(lines), 380)  # 400 of 60,000: hardly any twice

    def test_unique_rows_end_the_run(self):
        recorder = self.recorder()
        self.write("users.csv", "id\n" + "".join(f"{i}\n" for i in range(500)))
        for agents in (1, 2):
            lines = self.run_plan(recorder, agents, """
data: {users: {file: users.csv, order: unique}}
requests: [{get: "/{{ users.id }}"}]
""")
            self.assertEqual(lines, collections.Counter(f"/{i}|||" for i in range(500)))


if __name__ == "__main__":
    unittest.main()
