"""clobber compare, clobber history and clobber plan new, on simulated runs: the same records as real ones, in a moment."""

import json
import os
import shutil
import sqlite3
import subprocess
import unittest

from support import BINARY, PATIENCE_S, Case, plan_text

TARGET = "http://127.0.0.1:9/"  # never contacted
INDEX = "clobber-history.sqlite"


class Compare(Case):
    def command(self, *words, code=0, **env):
        told = subprocess.run([BINARY, *words], capture_output=True, text=True, timeout=PATIENCE_S, check=False,
                              cwd=self.folder, env={**os.environ, "LC_ALL": "C.UTF-8", **env})
        self.assertEqual(told.returncode, code, f"{told.stdout}\n{told.stderr}")
        return told

    def simulate(self, out, seed, plant="service=5ms", duration="30s", goal="{hold: 1000/s}", name="test"):
        plan = plan_text(TARGET, goal, duration, "3s").replace("name: test", f"name: {name}")
        self.command("simulate", self.write("plan.yaml", plan), "--seed", str(seed), "--plant", plant,
                     "--out", f"runs/{out}", "--quiet")

    def compared(self, *words, code=0):
        return json.loads(self.command("compare", *words, "--format", "json", code=code).stdout)

    def test_equal_runs_are_the_same_and_always_by_the_same_figures(self):
        self.simulate("a", 1)
        self.simulate("b", 2)

        told = self.command("compare", "runs/a", "runs/b")

        self.assertIn("SAME   No difference detectable below ", told.stdout)
        self.assertNotIn("\x1b", told.stdout)
        self.assertEqual(told.stdout, self.command("compare", "runs/a", "runs/b/run.jsonl").stdout)
        self.assertTrue(self.command("compare", "runs/a", "runs/b", LC_ALL="C").stdout.isascii())
        found = self.compared("runs/a", "runs/b")["pairs"][0]
        self.assertEqual((found["word"], found["plans_differ"]), ("same", None))
        self.assertEqual({row["word"] for row in found["metrics"]}, {"same"})

    def test_five_percent_slower_is_worse_unless_tolerated(self):
        self.simulate("a", 1)
        self.simulate("b", 2, "service=5.25ms")

        told = self.command("compare", "runs/a", "runs/b", code=1)

        self.assertIn("WORSE  response p50 rose ", told.stdout)
        self.command("compare", "runs/a", "runs/b", "--tolerance", "10%")
        self.assertIn("BETTER", self.command("compare", "runs/b", "runs/a").stdout)
        several = self.compared("runs/a", "runs/a", "runs/b", code=1)["pairs"]
        self.assertEqual([pair["word"] for pair in several], ["same", "worse"])

    def test_what_cannot_be_judged_is_told_and_no_gate_opens_for_it(self):
        self.simulate("a", 1)
        self.simulate("short", 2, duration="8s")
        os.mkdir(self.path("runs/cut"))
        with open(self.path("runs/a/run.jsonl"), "rb") as whole, open(self.path("runs/cut/run.jsonl"), "wb") as cut:
            cut.write(whole.read(100_000))

        told = self.command("compare", "runs/a", "runs/short", code=4)
        self.assertIn("the plans differ: duration 30s and 8s", told.stdout)
        self.assertIn("NOT JUDGED  B: it has 5 whole seconds after its warm-up; give each run 8 or more.", told.stdout)
        self.assertIn("B: it was broken off", self.command("compare", "runs/a", "runs/cut", code=4).stdout)
        self.assertEqual(self.compared("runs/cut", "runs/a", code=4)["pairs"][0]["metrics"], [])

    def test_mistakes_of_the_command_line_exit_2(self):
        self.simulate("a", 1)
        for words in (["runs/a"], ["runs/a", "runs/none"], ["runs/a", "runs/a", "--tolerance", "much"],
                      ["runs/a", "runs/a", "--format", "xml"], ["runs/a"] * 9):
            told = self.command("compare", *words, code=2)
            self.assertEqual(told.stdout, "", words)

    def test_history_lists_runs_and_tells_which_one_changed_a_plan(self):
        self.simulate("one", 1, name="first")
        for index, plant in enumerate(["service=5ms", "service=5ms", "service=7ms", "service=7ms"]):
            self.simulate(f"r{index}", index, plant)
        os.mkdir(self.path("runs/nothing"))

        listed = self.command("history").stdout
        self.assertEqual(len(listed.splitlines()), 6)
        told = json.loads(self.command("history", "runs", "--name", "test", "--format", "json").stdout)

        self.assertEqual([run["folder"] for run in told["runs"]], ["r0", "r1", "r2", "r3"])
        self.assertEqual([(change["folder"], change["word"]) for change in told["changes"]], [("r2", "worse")])
        self.assertIn("response p50 rose ", told["changes"][0]["sentence"])
        trend = self.command("history", "--name", "test").stdout
        self.assertIn("test  4 runs", trend)
        self.assertNotIn("first", trend)
        self.command("history", "--name", "nobody", code=2)
        self.command("history", "nowhere", code=2)

    def test_an_index_that_is_missing_old_damaged_or_out_of_date_is_made_anew(self):
        self.simulate("a", 1)
        self.simulate("b", 2)
        listed = self.command("history").stdout
        index = self.path(f"runs/{INDEX}")

        def missing():
            os.remove(index)

        def damaged():
            with open(index, "r+b") as file:
                file.seek(4000)
                file.write(b"\xff" * 5000)

        def no_database():
            self.write(f"runs/{INDEX}", "a text")

        def of_another_version():
            with sqlite3.connect(index) as database:
                database.executescript("DROP TABLE runs; CREATE TABLE runs (folder TEXT); PRAGMA user_version = 99")

        for change in (missing, damaged, no_database, of_another_version):
            change()
            self.assertEqual(self.command("history").stdout, listed, change.__name__)
            with sqlite3.connect(index) as database:
                self.assertEqual(database.execute("SELECT folder FROM runs ORDER BY folder").fetchall(), [("a",), ("b",)],
                                 change.__name__)
        with sqlite3.connect(index) as database:  # what is known is not read again
            database.execute("UPDATE runs SET goal = 'as the index says'")
        self.assertIn("as the index says", self.command("history").stdout)
        os.utime(self.path("runs/a/run.jsonl"))
        os.utime(self.path("runs/b/run.jsonl"))
        self.assertEqual(self.command("history").stdout, listed)
        shutil.rmtree(self.path("runs/b"))
        self.assertEqual(len(self.command("history").stdout.splitlines()), 2)

    def test_names_from_outside_are_harmless_on_the_screen(self):
        self.simulate("a", 1)
        with open(self.path("runs/a/run.jsonl"), encoding="utf-8") as file:
            record = file.read()
        os.mkdir(self.path("runs/b\x1b[31m"))
        hostile = record.replace('"name":"test"', '"name":"\\u001b[2J\\u202eevil"').replace('"text":"hold 1000/s"',
                                                                                      '"text":"\\u001b]0;x"')
        self.write("runs/b\x1b[31m/run.jsonl", hostile)

        for told in (self.command("history"), self.command("compare", "runs/a", "runs/b\x1b[31m", code=0)):
            self.assertNotIn("\x1b", told.stdout)
            self.assertNotIn("\u202e", told.stdout)
            self.assertIn("\\x1B", told.stdout)

    def test_a_new_plan_is_valid(self):
        for goal in ("hold", "maximize", "while"):
            plan = self.command("plan", "new", "--goal", goal).stdout
            self.command("validate", self.write("new.yaml", plan))
        self.assertEqual(self.command("plan", "new").stdout, self.command("plan", "new", "--goal", "hold").stdout)
        self.command("plan", "old", code=2)
        self.command("plan", "new", "--goal", "fast", code=2)


if __name__ == "__main__":
    unittest.main()
