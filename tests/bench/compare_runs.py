"""How often `clobber compare` is right: python3 compare_runs.py BINARY [--pairs 20] [--seconds 10] [--rate 500].

Pairs of real runs against `clobber target` with a fixed latency, one run after the other: as many pairs in which nothing
differs as in which the second target is 5 % slower. Equal pairs should be told "worse" or "better" at most once in
twenty, the others "worse" at least eighteen times in twenty; exits 1 when not. Loopback only."""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile

LATENCY_MS = 5.0
SLOWER = 1.05
DIFFER_MOST = 0.05      # of the equal pairs
FOUND_LEAST = 0.9       # of the others
PATIENCE_S = 60


class Target:
    """`clobber target` with a fixed latency, on a port that the kernel chose."""

    def __init__(self, binary, latency_ms):
        self.process = subprocess.Popen([binary, "target", "--listen", "127.0.0.1:0", "--latency", f"{latency_ms:g}ms"],
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        line = self.process.stdout.readline()
        self.port = int(re.search(r"127\.0\.0\.1:(\d+)", line)[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()


def run(options, latency_ms, folder):
    with Target(options.binary, latency_ms) as target:
        told = subprocess.run([options.binary, "run", f"http://127.0.0.1:{target.port}/", "--rate", f"{options.rate:g}",
                               "--duration", f"{options.seconds}s", "--name", "pair", "--out", folder, "--quiet"],
                              capture_output=True, text=True, timeout=options.seconds + PATIENCE_S, check=False)
    if told.returncode not in (0, 1):
        print(told.stdout, told.stderr)


def compare(options, first, second):
    """The word for the pair, and its metrics by name; or why it was not judged."""
    told = subprocess.run([options.binary, "compare", first, second, "--format", "json"], capture_output=True, text=True,
                          timeout=PATIENCE_S, check=False)
    found = json.loads(told.stdout)
    pair = found["pairs"][0]
    if not pair["judged"]:
        return "not judged", {}, "; ".join(one["not_judged"] for one in found["runs"] if one["not_judged"])
    return pair["word"], {row["metric"]: row for row in pair["metrics"]}, ""


def one_pair(options, index, latency_ms):
    with tempfile.TemporaryDirectory() as folder:
        first, second = os.path.join(folder, "a"), os.path.join(folder, "b")
        run(options, LATENCY_MS, first)
        run(options, latency_ms, second)
        word, metrics, why = compare(options, first, second)
    p50, p99 = metrics.get("response_p50_ns"), metrics.get("response_p99_ns")
    shown = why or "  ".join(f"{name} {100 * row['difference']:+.1f} % (from {100 * row['detectable']:.1f} %)"
                             for name, row in (("p50", p50), ("p99", p99)) if row and row["difference"] is not None)
    print(f"{latency_ms:.2f}ms  pair {index + 1:2}  {word:10}  {shown}", flush=True)
    return word


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary")
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--seconds", type=int, default=13, help="of each run, 3 s warm-up included")
    parser.add_argument("--rate", type=float, default=500)
    options = parser.parse_args()

    words = {latency_ms: [one_pair(options, index, latency_ms) for index in range(options.pairs)]
             for latency_ms in (LATENCY_MS, LATENCY_MS * SLOWER)}
    differ = sum(word in ("worse", "better") for word in words[LATENCY_MS])
    found = words[LATENCY_MS * SLOWER].count("worse")
    print(f"equal: {differ} of {options.pairs} said to differ; 5 % apart: {found} of {options.pairs} found")
    well = differ <= DIFFER_MOST * options.pairs and found >= FOUND_LEAST * options.pairs
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
