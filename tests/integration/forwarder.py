"""A line between agents and their coordinator that does what lines do: delays, goes silent without closing, breaks, and
says again after a break what it had carried before."""

import queue
import random
import socket
import threading
import time

import zmtp

PATIENCE_S = 60.0
# Per direction, of what was carried before a break: a few seconds of beats.
REPLAYED_MAX = 100


class Connection:
    """One agent's connection: two directions, each with a thread that reads and one that writes when it is due."""

    def __init__(self, forwarder, agent, coordinator):
        self.forwarder = forwarder
        self.sockets = (agent, coordinator)
        self.silent = forwarder.silent
        for direction, (source, sink) in enumerate(((agent, coordinator), (coordinator, agent))):
            line = queue.Queue()
            threading.Thread(target=self.read, args=(direction, source, line), daemon=True).start()
            threading.Thread(target=self.write, args=(sink, line), daemon=True).start()

    def read(self, direction, source, line):
        frames = zmtp.Frames()
        due, is_new = 0.0, True
        try:
            while data := source.recv(65536):
                due = max(due, time.monotonic() + self.forwarder.delay())
                for kind, piece in frames.feed(data):
                    line.put((due, piece))
                    if kind != "message":
                        continue
                    # Not sooner: what overtakes the other side's READY breaks the handshake.
                    for old in self.forwarder.replayed(direction) if is_new else ():
                        line.put((due, old))
                    is_new = False
                    self.forwarder.remember(direction, piece)
        except OSError:
            pass
        line.put(None)

    def write(self, sink, line):
        try:
            while (item := line.get()) is not None:
                due, data = item
                time.sleep(max(0.0, due - time.monotonic()))
                if not self.silent:
                    sink.sendall(data)
        except OSError:
            pass
        if not self.silent:
            self.close()

    def close(self):
        for end in self.sockets:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()


class Forwarder:
    """Between whoever connects to `endpoint` and the coordinator's. Serves until close()."""

    def __init__(self, coordinator, delay_s=0.0, jitter_s=0.0, replays=False, seed=1):
        host, port = coordinator.removeprefix("tcp://").rsplit(":", 1)
        self.coordinator = (host, int(port))
        self.delay_s, self.jitter_s, self.replays = delay_s, jitter_s, replays
        self.random = random.Random(seed)
        self.silent = False  # what connects from now on meets a line that swallows, too
        self.lock = threading.Lock()
        self.connections = []
        self.carried = ([], [])
        self.replayed_count = 0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.endpoint = f"tcp://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                agent, _ = self.listener.accept()
                coordinator = socket.create_connection(self.coordinator, PATIENCE_S)
            except OSError:
                return
            coordinator.settimeout(None)
            for end in (agent, coordinator):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.connections.append(Connection(self, agent, coordinator))

    def delay(self):
        with self.lock:
            return self.delay_s + self.random.uniform(-self.jitter_s, self.jitter_s)

    def remember(self, direction, frame):
        if self.replays:
            with self.lock:
                self.carried[direction].append(frame)
                del self.carried[direction][:-REPLAYED_MAX]

    def replayed(self, direction):
        """All that an earlier connection carried last, newest first: late, twice and in the wrong order."""
        with self.lock:
            old = self.carried[direction][::-1]
            self.replayed_count += len(old)
        return old

    def go_half_open(self):
        """No connection says a word any more, and none is closed; nor will those do that are made from now on."""
        with self.lock:
            self.silent = True
            for connection in self.connections:
                connection.silent = True

    def speak_again(self):
        """To those who connect from now on. What went half-open stays so."""
        self.silent = False

    def cut(self):
        """Closes every connection; who connects again is let through."""
        with self.lock:
            connections, self.connections = self.connections, []
        for connection in connections:
            connection.close()

    def close(self):
        self.listener.close()
        self.cut()
