"""A workload from a shared object, the example of <clobber/plugin.h>, against the real memcached."""

import os
import re
import socket

from support import Case, PATIENCE_S, RATE, TOLERANCE, again_if_it_stood_still, unittest

PLUGIN = os.environ["CLOBBER_EXAMPLE_PLUGIN"]


class Plugin(Case):
    def memcached(self):
        return self.serve("memcached", lambda port: self.start(
            "memcached", "-u", "root", "-l", "127.0.0.1", "-p", str(port), "-U", "0"))

    @staticmethod
    def stats(port):
        with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as connection:
            connection.sendall(b"stats\r\n")
            text = b""
            while not text.endswith(b"END\r\n"):
                text += connection.recv(65536)
        return {name: int(value) for name, value in re.findall(r"STAT (cmd_[gs]et) (\d+)", text.decode())}

    def plan(self, port, options="100"):
        return self.write("plan.yaml", f"""
version: 1
target: tcp://127.0.0.1:{port}
goal: {{hold: {RATE}/s, {TOLERANCE}}}
duration: 4s
plugin: {{name: memcached, options: "{options}"}}
""")

    def assert_told(self, sentence):
        told = [event["sentence"] for event in self.result()["events"]]
        self.assertTrue(any(sentence in text for text in told), told)

    @again_if_it_stood_still
    def test_what_a_plugin_asks_is_counted_by_its_target_as_by_the_ledger(self):
        port = self.memcached()
        self.finish(self.clobber("run", self.plan(port), "--quiet", "--plugin", PLUGIN, "--out", self.path("out")), 4, 0)
        result = self.result()
        self.assert_balanced(result)
        self.assertEqual(result["ledger"]["ok"], result["ledger"]["started"])
        self.assertEqual(sum(self.stats(port).values()), result["ledger"]["started"])
        self.assertEqual([request["name"] for request in result["requests"]], ["memcached"])

    def test_an_agent_without_the_plugin_declines_with_a_sentence(self):
        run = self.clobber("run", self.plan(self.nobody()), "--quiet", "--out", self.path("out"))
        self.finish(run, 4, 3)
        self.assert_told("this agent has no plugin 'memcached'; its owner allows one by --plugin FILE")

    def test_options_that_the_plugin_refuses_are_told_in_its_words(self):
        run = self.clobber("run", self.plan(self.nobody(), "many"), "--quiet", "--plugin", PLUGIN, "--out", self.path("out"))
        self.finish(run, 4, 3)
        self.assert_told("plugin 'memcached': 'many' is no number of keys; give 1 to 1000000")

    def test_what_is_no_plugin_is_refused_at_the_start(self):
        for file, wanted in (("plan.yaml", "plan.yaml: "), ("absent.so", "absent.so: ")):
            agent = self.clobber("agent", "--connect", "tcp://127.0.0.1:1", "--plugin", file)
            self.plan(1)
            self.finish(agent, 1, 2)
            self.assertIn(f"clobber: plugin ./{wanted}", self.read(agent.err))


if __name__ == "__main__":
    unittest.main()
