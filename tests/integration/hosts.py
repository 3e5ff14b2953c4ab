"""Several hosts on one machine: network namespaces on a bridge, made by a test and gone with it.

All lie in a user namespace of their own, so no right is needed beyond making one, and nothing has a name that another
test could meet. A namespace ends with the last process in it, so there is nothing to remove: each host is a process
that sleeps, and ends with the test, or with whoever ran it."""

import functools
import json
import os
import re
import subprocess
import sys
import unittest

from support import Case, Target, wait_until

# Longer than any test may take; so even a test that was killed leaves nothing for good.
SLEEP = ("setpriv", "--pdeathsig", "KILL", "sleep", "700")
ASK = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), 30) as connection:
    connection.sendall(b"GET /stats HTTP/1.1\\r\\nHost: target\\r\\nConnection: close\\r\\n\\r\\n")
    answer = b""
    while more := connection.recv(65536):
        answer += more
print(answer.split(b"\\r\\n\\r\\n", 1)[1].decode())
"""


@functools.cache
def hosts_work():
    """Whether this machine lets us have hosts; where CI is set it must."""
    try:
        return subprocess.run(("unshare", "--user", "--map-root-user", "--net", "--mount", "true"), check=False,
                              stderr=subprocess.DEVNULL).returncode == 0
    except FileNotFoundError:
        return False


needs_hosts = unittest.skipUnless(hosts_work() or "CI" in os.environ,
                                  "NOT TESTED: this machine lets us have no user and network namespaces")


class Host:
    """What runs `inside` sees no network but this host's. `number` is the last part of its addresses."""

    def __init__(self, name, number, holder, folder):
        self.name, self.holder = name, holder
        self.address, self.address6 = f"10.77.0.{number}", f"fd77::{number}"
        self.inside = ("nsenter", f"--target={holder.pid}", "--user", "--net", "--mount", "--preserve-credentials",
                       f"--wdns={folder}")

    def run(self, *command, **options):
        done = subprocess.run((*self.inside, *command), check=False, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=60, **options)
        assert done.returncode == 0, f"{self.name}: {' '.join(command)}: {done.stderr}"
        return done.stdout

    def nft(self, text):
        self.run("nft", "-f", "-", input=text)

    def drop(self, sender, share_percent=100):
        """From now on what `sender` sends is lost on its way here, all of it or a share, at random."""
        at_random = "" if share_percent == 100 else f"numgen random mod 100 < {share_percent}"
        self.nft("add table inet faults\n"
                 "add chain inet faults in { type filter hook input priority 0; }\n"
                 f"add rule inet faults in ip saddr {sender.address} {at_random} drop\n")

    def heal(self):
        self.nft("delete table inet faults\n")

    def slow_down(self, bytes_per_s):
        """What leaves this host waits in line, for a second at most."""
        self.run("tc", "qdisc", "add", "dev", "eth0", "root", "tbf", "rate", f"{8 * bytes_per_s}bit", "burst", "2kb",
                 "latency", "1s")


class HostTarget(Target):
    """clobber target on a host, asked for its counts from there."""

    def __init__(self, process, host, port, address):
        super().__init__(process, port)
        self.host, self.address = host, address
        self.url = f"http://{address}:{port}/"

    def stats(self):
        return json.loads(self.host.run(sys.executable, "-ISc", ASK, self.address.strip("[]"), str(self.port)))


class HostCase(Case):
    """A test whose processes may be on hosts: hosts(...) makes them, clobber(..., through=host.inside) uses them."""

    def hold_namespaces(self, inside, *new):
        """A process with namespaces of its own, made inside of those of `inside`."""
        holder = self.start(*inside, "unshare", *new, *SLEEP, name="host")
        ours = os.readlink("/proc/self/ns/net")

        def is_there():
            assert holder.poll() is None, self.read(holder.err)
            with open(f"/proc/{holder.pid}/comm", encoding="ascii") as file:
                return file.read() == "sleep\n" and os.readlink(f"/proc/{holder.pid}/ns/net") != ours
        wait_until(is_there, "a network namespace")
        return holder

    def hosts(self, *names):
        """That many hosts, each with eth0 on one bridge."""
        switch = Host("switch", 254, self.hold_namespaces((), "--user", "--map-root-user", "--net", "--mount"), self.folder)
        switch.run("ip", "link", "add", "bridge", "type", "bridge")
        switch.run("ip", "link", "set", "bridge", "up")
        made = []
        for number, name in enumerate(names, 1):
            host = Host(name, number, self.hold_namespaces(switch.inside, "--net", "--mount"), self.folder)
            switch.run("ip", "-batch", "-", input=(
                f"link add port{number} type veth peer name eth0 netns {host.holder.pid}\n"
                f"link set port{number} master bridge\nlink set port{number} up\n"))
            host.run("ip", "-batch", "-", input=(
                f"link set lo up\nlink set eth0 up\naddress add {host.address}/24 dev eth0\n"
                f"address add {host.address6}/64 dev eth0 nodad\n"))
            made.append(host)
        return made

    def target_on(self, host, *flags, address=None):
        address = address or host.address
        process = self.clobber("target", "--listen", f"{address}:0", *flags, through=host.inside)
        text = wait_until(lambda: self.read(process.out), "clobber target")
        return HostTarget(process, host, int(re.search(r":(\d+)\s", text).group(1)), address)

    def coordinator_on(self, host, plan, agents, *flags):
        process = self.clobber("coordinator", plan, "--bind", f"tcp://{host.address}:0", "--plaintext",
                               "--expect-agents", str(agents), "--out", self.path("out"), *flags, through=host.inside)
        found = wait_until(lambda: re.search(r"tcp://[0-9.]+:\d+", self.read(process.err)), "the coordinator")
        process.endpoint = found.group(0)
        return process

    def agent_on(self, host, coordinator, name, *flags):
        return self.clobber("agent", "--connect", coordinator.endpoint, "--name", name, "--lanes", "1", "--once",
                            "--allow", "10.77.0.0/24", *flags, through=host.inside)
