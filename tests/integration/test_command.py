"""What a newcomer types: help, version, mistakes, pipes."""

import json
import os
import subprocess
import unittest

from support import BINARY, JUDGED, PATIENCE_S, TOLERANCE, Case, again_if_it_stood_still, plan_text


class Command(Case):
    def run_words(self, *words, stdin="", env=None):
        return subprocess.run([BINARY, *words], input=stdin, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
                              cwd=self.folder, env={**os.environ, **(env or {})})

    def test_help_and_version_exit_0(self):
        self.assertEqual(self.run_words("--version").returncode, 0)
        top = self.run_words("--help")
        self.assertEqual(top.returncode, 0)
        for command in ("run", "coordinator", "agent", "target", "validate", "simulate"):
            self.assertIn(command, top.stdout)
            told = self.run_words(command, "--help")
            self.assertEqual(told.returncode, 0, told.stderr)
            self.assertIn(f"clobber {command}", told.stdout)

    def test_mistakes_exit_2_and_suggest(self):
        for words, wanted in ((["rnu"], "run"), (["run", "--agnets", "2", "x"], "agents"), (["run"], "PLAN"),
                              (["coordinator", "p.yaml", "--bind", "tcp://0.0.0.0:0"], None)):
            self.write("p.yaml", plan_text("http://127.0.0.1:9/", "{hold: 1/s}"))
            told = self.run_words(*words)
            self.assertEqual(told.returncode, 2, told.stderr)
            self.assertNotEqual(told.stderr, "")
            if wanted:
                self.assertIn(wanted, told.stderr)
        self.assertFalse(os.path.exists(self.path("runs")))

    def test_what_was_typed_wrong_is_told_without_its_escapes(self):
        escape = "x\x1b[31my"
        for words in (["report", escape], ["validate", escape], ["run", "-R", escape, "http://127.0.0.1:9/"],
                      ["coordinator", escape], ["agent", "--connect", escape], ["target", "--listen", escape],
                      [escape], ["simulate", escape], ["compare", escape, escape], ["history", escape]):
            told = self.run_words(*words)
            self.assertNotEqual(told.returncode, 0, words)
            self.assertNotIn("\x1b", told.stdout + told.stderr, words)
            self.assertIn("x\\x1B[31my", told.stderr, words)

    def test_validate_prints_the_plan_and_reads_its_own_print(self):
        text = plan_text("http://127.0.0.1:9/", "{hold: 10/s}")
        first = self.run_words("validate", "-", stdin=text)
        self.assertEqual(first.returncode, 0, first.stderr)
        second = self.run_words("validate", "-", stdin=first.stdout)
        self.assertEqual(second.stdout, first.stdout)

    def test_a_bad_plan_exits_2_with_all_its_mistakes_and_starts_nothing(self):
        path = self.write("bad.yaml", "version: 1\ntarget: http://127.0.0.1:9/\ngoal: {hold: 0/s}\nduraton: 5s\n")
        for command in ("validate", "run", "coordinator"):
            told = self.run_words(command, path)
            self.assertEqual(told.returncode, 2)
            self.assertIn("bad.yaml:3:", told.stderr)
            self.assertIn("bad.yaml:4:1: ", told.stderr)
            self.assertIn("duration", told.stderr)
        self.assertFalse(os.path.exists(self.path("runs")))

    @again_if_it_stood_still
    def test_the_result_goes_alone_to_stdout_and_a_run_is_never_overwritten(self):
        target = self.target("--latency", "1ms")
        plan = self.write("plan.yaml", plan_text(target.url, f"{{hold: 100/s, {TOLERANCE}}}", "2s"))
        words = ["run", plan, "--out", self.path("out"), "--json", "-"]
        told = self.run_words(*words)
        with self.about_the_rate():
            self.assertEqual(told.returncode, 0, told.stderr)
        result = json.loads(told.stdout)
        self.assertEqual(result["schema"], 1)
        self.assertEqual(result, self.result())
        again = self.run_words(*words)
        self.assertEqual(again.returncode, 2)
        self.assertEqual(result, self.result())

    def test_environment_twins_count_and_flags_beat_them(self):
        target = self.target("--latency", "1ms")
        told = self.run_words("run", target.url, "-d", "2s", "--json", "-",
                              env={"CLOBBER_RATE": "50", "CLOBBER_OUT": self.path("from-env"), "CLOBBER_DURATION": "9h"})
        # A busy machine can miss a goal that is held to 1 %, and a bare URL has no other.
        self.assertIn(told.returncode, JUDGED, told.stderr)
        self.assertTrue(os.path.exists(self.path("from-env/result.json")))
        self.assertEqual(json.loads(told.stdout)["goal"]["value_per_s"], 50)

    def test_a_name_that_does_not_resolve_is_exit_3(self):
        # No name server is asked for a label of 64 characters (RFC 1035: at most 63), so none can make us wait.
        name = "a" * 64 + ".invalid"
        told = self.run_words("run", "-R", "10", "-d", "2s", f"http://{name}/")
        self.assertEqual(told.returncode, 3, told.stderr)
        self.assertIn(f"cannot resolve '{name}'", told.stderr)
        self.assertFalse(os.path.exists(self.path("runs")))

    def test_a_result_that_cannot_be_written_is_exit_3_and_the_run_is_kept(self):
        target = self.target("--latency", "1ms")
        told = self.run_words("run", target.url, "-R", "10", "-d", "2s", "--out", self.path("out"),
                              "--json", self.path("no-such-folder/result.json"))
        self.assertEqual(told.returncode, 3)
        self.assertTrue(os.path.exists(self.path("out/result.json")))
        self.assertIn("throughput", told.stdout)


if __name__ == "__main__":
    unittest.main()
