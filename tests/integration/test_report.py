"""A real run, again from its record: every format tells what result.json tells."""

import base64
import copy
import csv
import hashlib
import io
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import unittest
import xml.etree.ElementTree
import zlib

import browser
from support import BINARY, JUDGED, PATIENCE_S, TOLERANCE, Case, plan_text

TREE = os.environ.get("CLOBBER_TREE", "../..")
THRESHOLDS = "thresholds: ['latency.p(99) < 60s', 'errors.rate < 90%', 'throughput > 9000000/s']\n"


def make_run(case):
    """A run with errors and one threshold that fails, in `out`; returns what it printed."""
    target = case.target("--latency", "3ms", "--error-rate", "0.05")
    case.write("plan.yaml", plan_text(target.url, f"{{hold: 100/s, {TOLERANCE}}}", "4s", "1s",
                                      THRESHOLDS + "agents: {expect: 2}\n"))
    told = subprocess.run([BINARY, "run", case.path("plan.yaml"), "--out", case.path("out"), "--quiet"], capture_output=True,
                          text=True, timeout=PATIENCE_S, check=False)
    case.assertIn(told.returncode, JUDGED, told.stdout + told.stderr)
    return told.stdout


def report(case, name, run="out", code=0):
    told = subprocess.run([BINARY, "report", case.path(run), "--format", name], capture_output=True, timeout=PATIENCE_S, check=False)
    case.assertEqual(told.returncode, code, told.stderr)
    return told.stdout.decode()


class Varints:
    """What follows the header of a histogram in HdrHistogram's V2 encoding: a second reading of it, from its description."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def next(self):
        value, shift = 0, 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            if shift == 56:
                value |= byte << shift
                break
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                break
        return (value >> 1) ^ -(value & 1)


def decode(text):
    """[(highest value of the cell, count)] of a compressed histogram in base64."""
    packed = base64.b64decode(text)
    cookie, length = struct.unpack(">II", packed[:8])
    assert cookie & ~0xF0 == 0x1C849304, hex(cookie)
    plain = zlib.decompress(packed[8:8 + length])
    cookie, payload, _, digits, least = struct.unpack(">IIIIq", plain[:24])
    assert (cookie & ~0xF0, digits, least) == (0x1C849303, 2, 1)
    varints, cells, index = Varints(plain[40:40 + payload]), [], 0
    while varints.at < payload:
        value = varints.next()
        if value < 0:
            index -= value
            continue
        octave = max(0, index // 128 - 1)
        low = index if index < 256 else (index - octave * 128) << octave
        cells.append((low + (1 << octave) - 1, value))
        index += 1
    return cells


def quantile(cells, q):
    wanted, seen = q * sum(count for _, count in cells), 0
    for value, count in cells:
        seen += count
        if seen >= wanted:
            return value
    return 0


def strictly(schema):
    """The same schema, which allows nothing that it does not describe: so that it is kept in step."""
    if isinstance(schema, dict):
        if "properties" in schema:
            schema["additionalProperties"] = False
        for value in schema.values():
            strictly(value)
    elif isinstance(schema, list):
        for value in schema:
            strictly(value)
    return schema


VALIDATE = ("import json, sys, jsonschema\n"
            "schema, result = json.load(sys.stdin)\n"
            "jsonschema.Draft202012Validator.check_schema(schema)\n"
            "jsonschema.validate(result, schema)\n")


class Report(Case):
    def setUp(self):
        super().setUp()
        self.printed = make_run(self)
        self.told = self.result()

    def validate(self, result):
        # The packages of Debian are where Debian's own interpreter looks, which may not be the one that runs this.
        for python in (sys.executable, "/usr/bin/python3"):
            if subprocess.run([python, "-c", "import jsonschema"], capture_output=True, check=False).returncode == 0:
                break
        else:
            self.fail("no Python here has jsonschema: apt-get install python3-jsonschema")
        with open(os.path.join(TREE, "docs/schema/result-1.json"), encoding="utf-8") as file:
            schema = json.load(file)
        for wanted in (schema, strictly(copy.deepcopy(schema))):
            told = subprocess.run([python, "-c", VALIDATE], input=json.dumps([wanted, result]), capture_output=True, text=True, check=False)
            self.assertEqual(told.returncode, 0, told.stderr[-2000:])

    def test_every_format_tells_what_the_result_tells(self):
        self.assertEqual(report(self, "text"), self.printed)
        self.assertEqual(json.loads(report(self, "json")), self.told)
        self.validate(self.told)
        self.assertEqual(report(self, "hgrm"), self.read(self.path("out/latency.hgrm")))
        self.look_at_csv()
        self.look_at_hlog()
        self.look_at_junit()
        self.look_at_markdown()
        self.look_at_page()

    def look_at_csv(self):
        rows = list(csv.DictReader(io.StringIO(report(self, "csv"))))
        ledger = self.told["ledger"]
        # The record ends with the last tick; what last words add is in the result alone.
        self.assertLessEqual(sum(int(row["ok"]) for row in rows), ledger["ok"])
        self.assertGreater(sum(int(row["ok"]) for row in rows), 0.8 * ledger["ok"])
        self.assertIn("errors_http_503", rows[0])
        for row in rows:
            if row["throughput_per_s_lowest"]:
                self.assertLessEqual(float(row["throughput_per_s_lowest"]), float(row["throughput_per_s_highest"]))

    def look_at_hlog(self):
        text = report(self, "hlog")
        lines = [line.split(",") for line in text.splitlines() if line.startswith("Tag=")]
        logs = {line[0][4:]: decode(line[4]) for line in lines}
        for kind in ("response", "service"):
            wanted = self.told["latency"][kind]
            for key, q in (("p50_ns", 0.5), ("p90_ns", 0.9), ("p99_ns", 0.99), ("p999_ns", 0.999)):
                self.assertEqual(min(quantile(logs[kind], q), wanted["max_ns"]), wanted[key], f"{kind} {key}")
        self.read_with_its_own_tools(text)

    def read_with_its_own_tools(self, text):
        script = ("const hdr = require('hdr-histogram-js');"
                  "const reader = new hdr.HistogramLogReader(require('fs').readFileSync(0, 'utf8')); const told = {};"
                  "for (let h; (h = reader.nextIntervalHistogram());) told[h.tag] = h.getValueAtPercentile(99);"
                  "console.log(JSON.stringify(told));")
        node = shutil.which("node")
        if not node or subprocess.run([node, "-e", "require('hdr-histogram-js')"], capture_output=True, check=False).returncode:
            print("NOT READ BY HDRHISTOGRAM'S OWN TOOLS: node finds no hdr-histogram-js (npm install -g hdr-histogram-js)", file=sys.stderr)
            return
        told = json.loads(subprocess.run([node, "-e", script], input=text, capture_output=True, text=True, check=True).stdout)
        wanted = self.told["latency"]["response"]
        self.assertEqual(min(told["response"], wanted["max_ns"]), wanted["p99_ns"])

    def look_at_junit(self):
        suite = xml.etree.ElementTree.fromstring(report(self, "junit"))[0]
        self.assertEqual(suite.get("tests"), "4")
        failed = [case.get("name") for case in suite if len(case)][-1:]
        self.assertEqual(failed, [t["text"] for t in self.told["thresholds"] if not t["passed"]])

    def look_at_markdown(self):
        text = report(self, "markdown")
        self.assertTrue(text.startswith("### "), text)
        self.assertIn("✗ **failed**", text)

    def look_at_page(self):
        page = self.read(self.path("out/report.html"))
        self.assertEqual(report(self, "html"), page)
        self.assertLess(len(page), 400_000)
        style = re.search(r"<style>(.*?)</style>", page, re.S).group(1)
        script = page[page.rindex("<script>") + len("<script>"):page.rindex("</script>")]
        for text in (style, script):
            self.assertIn(f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'", page)
        self.assertRegex(page, "<h1 id=\"sentence\">\\w")  # it stands there without any script

    def test_a_record_that_was_cut_is_told_as_broken_off(self):
        whole = self.read(self.path("out/run.jsonl"))
        os.mkdir(self.path("cut"))
        self.write("cut/run.jsonl", whole[:int(len(whole) * 0.6)])

        told = json.loads(report(self, "json", "cut"))

        self.assertTrue(told["partial"])
        self.assertEqual(told["verdict"]["outcome"], "aborted")
        self.validate(told)
        self.assertIn("BROKEN OFF", report(self, "text", "cut"))
        self.assertIn("BROKEN OFF", report(self, "markdown", "cut"))
        self.assertIn("Stopped at ", report(self, "html", "cut"))
        self.assertEqual(report(self, "hgrm", "cut", code=2), "")
        self.assertEqual(xml.etree.ElementTree.fromstring(report(self, "junit", "cut"))[0].get("errors"), "1")


FIGURES = "[...document.querySelectorAll('.figures .v')].map(figure => figure.textContent)"
# How many canvases have anything drawn on them.
DRAWN = """[...document.querySelectorAll('.plot')].map(plot => [...plot.querySelectorAll('canvas')].some(canvas =>
  canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some((byte, i) => i % 4 === 3 && byte > 0)))"""
CELLS = "[...document.querySelectorAll('#latency-table tbody tr')].map(row => [...row.cells].slice(0, 3).map(cell => cell.textContent))"
CURSOR = """(() => { const plot = document.querySelector('#throughput .plot'); plot.focus();
  plot.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight', bubbles: true}));
  return [...document.querySelectorAll('.panel output')].map(output => output.textContent); })()"""
TABLES = """(async () => { document.querySelectorAll('details').forEach(fold => { fold.open = true; });
  await new Promise(done => setTimeout(done, 100)); return [...document.querySelectorAll('details')].map(fold => fold.querySelectorAll('tr, li').length); })()"""


def three_digits(value):
    value = float(f"{value:.3g}")
    return f"{value:.{2 if value < 10 else 1 if value < 100 else 0}f}"


def shown_time(ns):
    """As the page has them."""
    for unit, name in ((1e9, "s"), (1e6, "ms"), (1e3, "µs")):
        if ns >= unit or name == "µs":
            return f"{three_digits(ns / unit)}\u00a0{name}"
    return ""


@unittest.skipUnless(browser.installed(), "NO BROWSER, SO NOBODY HAS LOOKED AT THE PAGE: apt-get install chromium (122 MB)")
class Page(Case):
    def setUp(self):
        super().setUp()
        make_run(self)
        self.told = self.result()
        self.page = browser.Browser()
        self.addCleanup(self.page.close)

    def open(self, **how):
        path = self.path("out/report.html")
        self.page.open(path, **how)
        self.assertEqual(self.page.console, [])
        # Nothing but the file itself is asked for: no request leaves the machine.
        self.assertEqual([url for url in self.page.requests if not url.startswith("data:")], [f"file://{os.path.abspath(path)}"])

    def test_a_browser_draws_the_report_of_a_real_run(self):
        self.open()
        self.assertIn("test", self.page.run("document.title"))
        drawn = self.page.run(DRAWN)
        self.assertGreaterEqual(len(drawn), 6)  # four over time, the distribution, the start in two
        self.assertTrue(all(drawn), drawn)
        self.assert_figures()
        self.assertTrue(all(text.startswith("00:00") for text in self.page.run(CURSOR)))
        self.assertTrue(all(rows > 1 for rows in self.page.run(TABLES)))
        self.assertEqual(self.page.console, [])

    def assert_figures(self):
        latency, figures = self.told["latency"], self.page.run(FIGURES)
        rate = self.told["throughput_per_s"]
        self.assertEqual(figures[0].replace("\u202f", ""), f"{round(rate) if rate >= 100 else three_digits(rate)}/s")
        self.assertEqual(figures[2], shown_time(latency["response"]["p99_ns"]))
        wanted = [[name, shown_time(latency["response"][key]), shown_time(latency["service"][key])]
                  for name, key in (("mean", "mean_ns"), ("p50", "p50_ns"), ("p90", "p90_ns"), ("p95", "p95_ns"), ("p99", "p99_ns"),
                                    ("p99.9", "p999_ns"), ("p99.99", "p9999_ns"), ("longest", "max_ns"))]
        self.assertEqual(self.page.run(CELLS), wanted)

    def test_both_schemes_and_a_phone_fit_and_are_photographed(self):
        paper = {False: "rgb(252, 252, 250)", True: "rgb(20, 23, 27)"}
        for dark, width in ((False, 1280), (True, 360)):
            self.open(width=width, dark=dark)
            self.assertEqual(self.page.run("getComputedStyle(document.documentElement).backgroundColor"), paper[dark])
            self.assertLessEqual(self.page.run("document.documentElement.scrollWidth"), width)
            picture = self.path(f"{width}-{dark}.png")
            self.page.picture(picture)
            self.assertGreater(os.path.getsize(picture), 20_000)
        self.page.printed(self.path("report.pdf"))
        self.assertGreater(os.path.getsize(self.path("report.pdf")), 20_000)
