"""Whether memory stays as it is and every request is counted: python3 endurance.py [REQUESTS [RATE]].

So many requests (100 million) at a rate (100000/s) against nginx, whose own count must agree with the ledger; the memory
of all processes of the run, read each second, must not grow once the first tenth is over. Then what 10,000 connections
take besides a hundred. Needs CLOBBER_BINARY (a release build) and a hard limit of 25,000 descriptors. Prints a line a
figure; exits 1 when one is outside its bound."""

import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))

from support import Case, plan_text  # noqa: E402

REQUESTS = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000_000
RATE = int(sys.argv[2]) if len(sys.argv) > 2 else 100_000
GROWTH_MAX_KIB = 512  # the record's buffers, and a histogram's page when a new latency comes
CONNECTIONS_FEW, CONNECTIONS_MANY = 100, 10_000
CONNECTIONS_S = 6
CONNECTION_BYTES_MAX = 1024

failures = []


def tell(name, value, bound):
    within = value <= bound
    print(f"{name:56} {value:10g}  at most {bound:g}{'' if within else '  OUTSIDE'}", flush=True)
    if not within:
        failures.append(name)


def tree(pid):
    """A process and its children's children."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        children = file.read().split()
    return [pid] + [process for child in children for process in tree(int(child))]


def memory_kib(pid):
    """What the processes of a run have written to, in memory of their own; 0 once they have ended."""
    try:
        texts = [pathlib.Path(f"/proc/{process}/status").read_text(encoding="ascii") for process in tree(pid)]
        return sum(int(line.split()[1]) for text in texts for line in text.splitlines() if line.startswith("RssAnon"))
    except (FileNotFoundError, ProcessLookupError):
        return 0


class Endurance(Case):
    """Not a test: borrows the parts of one."""

    def runTest(self):
        pass

    def run_watched(self, nginx, goal, seconds, out):
        """Memory each second, and the result."""
        plan = self.write("plan.yaml", plan_text(nginx.url, goal, f"{seconds}s", "0"))
        run, memory = self.clobber("run", plan, "--quiet", "--out", self.path(out)), []
        while run.poll() is None:
            time.sleep(1)
            memory.append(memory_kib(run.pid))
        self.finish(run, 0)
        return [kib for kib in memory if kib > 0], self.result(out)

    def long(self):
        nginx, seconds = self.nginx(), max(round(REQUESTS / RATE), 2)
        memory, result = self.run_watched(nginx, f"{{hold: {REQUESTS / seconds:.6g}/s, tolerance: 50%}}", seconds, "long")
        ledger = result["ledger"]
        self.assert_balanced(result)
        print(f"# {ledger['planned']} planned, {ledger['started']} started, {max(memory)} KiB at most")
        tell("requests: nginx's count less ours", abs(nginx.requests() - (ledger["started"] - ledger["unwritten"])), 0)
        settled = memory[len(memory) // 10:-1] or memory
        tell("memory: growth after the first tenth, KiB", max(settled) - settled[0], GROWTH_MAX_KIB)

    def connections(self):
        nginx = self.nginx(connections=CONNECTIONS_MANY + 100)
        most = {}
        for count in (CONNECTIONS_FEW, CONNECTIONS_MANY):
            memory, result = self.run_watched(nginx, f"{{concurrency: {count}}}", CONNECTIONS_S, f"out-{count}")
            self.assert_balanced(result)
            most[count] = max(memory)
        each = (most[CONNECTIONS_MANY] - most[CONNECTIONS_FEW]) * 1024 / (CONNECTIONS_MANY - CONNECTIONS_FEW)
        tell("memory: each of 10,000 connections, bytes", round(each), CONNECTION_BYTES_MAX)


def main():
    endurance = Endurance()
    endurance.setUp()
    try:
        endurance.long()
        endurance.connections()
    finally:
        endurance.doCleanups()
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
