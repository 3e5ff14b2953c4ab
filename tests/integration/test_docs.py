"""Every command in the README and under docs/ runs as it stands, but for its ports."""

import glob
import os
import re
import subprocess
import unittest

from support import BINARY, PATIENCE_S, SANITIZED, Case, free_port

SOURCE = os.environ["CLOBBER_TREE"]
# A goal that a busy machine misses (exit 1, or 4 when it was itself the limit) is no mistake of a page. In the background
# there is nobody to tell the code to, and the job must be the command itself, to be ended.
CLOBBER = f"""
clobber() {{
    [ $BASHPID = $$ ] || exec {BINARY} "$@"
    local code=0
    {BINARY} "$@" || code=$?
    case $1:$code in run:[14] | coordinator:[14]) return 0 ;; esac
    return $code
}}
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
"""


class Docs(Case):
    def pages(self):
        return [os.path.join(SOURCE, "README.md"), *sorted(glob.glob(os.path.join(SOURCE, "docs", "*.md")))]

    def run_block(self, block, ports):
        for written, free in ports.items():
            block = block.replace(written, str(free))
        if not os.path.exists(self.path("build")):
            os.mkdir(self.path("build"))
            os.symlink(os.path.dirname(BINARY), self.path("build/release"))
            os.symlink(os.path.join(SOURCE, "tests"), self.path("tests"))
        script = self.write("block.sh", CLOBBER + block)
        return subprocess.run(["bash", "-eu", script], cwd=self.folder, capture_output=True, text=True, timeout=2 * PATIENCE_S,
                              check=False)

    def test_every_shell_block_runs(self):
        ran = 0
        for page in self.pages():
            with open(page, encoding="utf-8") as file:
                text = file.read()
            ports = {"8080": free_port(), "7420": free_port()}
            if page.endswith("library.md") and SANITIZED:
                continue  # programs of others are not built with the sanitizer that the library would need
            for name, block in re.findall(r"^```(yaml|c|sh)\n(.*?)^```", text, re.M | re.S):
                if name == "c":
                    if block.startswith("/* start.c */"):
                        self.write("start.c", block)
                    continue
                if name == "yaml":
                    plan = re.match(r"# (\w+\.yaml)\n", block)
                    if plan:
                        for written, free in ports.items():
                            block = block.replace(written, str(free))
                        self.write(plan[1], block)
                    continue
                told = self.run_block(block, ports)
                self.assertEqual(told.returncode, 0, f"{page}:\n{block}\n{told.stdout}\n{told.stderr}")
                ran += 1
        self.assertGreater(ran, 0)

    def test_every_link_between_pages_leads_somewhere(self):
        for page in self.pages():
            with open(page, encoding="utf-8") as file:
                links = re.findall(r"\]\((?!https?:)([^)#]+)", file.read())
            for link in links:
                self.assertTrue(os.path.exists(os.path.join(os.path.dirname(page), link)), f"{page}: {link}")

    def test_the_plan_reference_is_what_the_table_says(self):
        with open(os.path.join(SOURCE, "docs", "plan.md"), encoding="utf-8") as file:
            page = file.read()
        made = subprocess.run([BINARY, "validate", "--reference"], capture_output=True, text=True, check=True, timeout=PATIENCE_S)
        self.assertIn(made.stdout.strip(), page)


if __name__ == "__main__":
    unittest.main()
