"""A target that misbehaves in a known way, and counts what it was asked: an independent ledger for every habit.

What it does with a request is named by the path. It has a thread for each connection, which is enough for a few hundred
requests a second."""

import collections
import re
import socket
import struct
import threading

STATUS = b"HTTP/1.1 200 OK\r\n"
OK = STATUS + b"Content-Length: 2\r\n\r\nok"
HEAD = STATUS + b"Content-Length: 100\r\n\r\n"
CHUNKED = STATUS + b"Transfer-Encoding: chunked\r\n\r\n"
MANY_BYTES = 10 * 1024 * 1024
DRIP_S = 0.02
# A peer that is read no more keeps its thread so long at most.
PATIENCE_S = 30.0


class Over(Exception):
    """The connection is not for another request."""


def send(connection, data, _stop):
    connection.sendall(data)


def send_then_close(connection, data, _stop):
    connection.sendall(data)
    raise Over


def send_then_reset(connection, data, _stop):
    """The reset may overtake what was sent before it, and then says the same."""
    connection.sendall(data)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
    raise Over


def half_close(connection, data, _stop):
    """Says that no more comes, and still listens."""
    connection.sendall(data)
    connection.shutdown(socket.SHUT_WR)
    listen(connection)


def listen(connection, _data=None, _stop=None):
    while connection.recv(65536):
        pass
    raise Over


def split(connection, data, _stop):
    for i in range(len(data)):
        connection.sendall(data[i:i + 1])


def until_refused(connection, data, stop):
    """Sends until the other side will have no more of it."""
    while not stop.is_set():
        connection.sendall(data)


def drip(connection, data, stop):
    """A byte now and then, for ever: each alone is in time."""
    connection.sendall(data)
    while not stop.wait(DRIP_S):
        connection.sendall(b".")


# Habit: what it does, with which bytes, and the class in which its requests end; None: they are good.
HABITS = {
    "good": (send, OK, None),
    "reset": (send_then_reset, b"", "reset"),
    "reset_in_head": (send_then_reset, b"HTTP/1.1 20", "reset"),
    "reset_in_body": (send_then_reset, HEAD + b"x", "reset"),
    "close": (send_then_close, b"", "closed"),
    "close_in_head": (send_then_close, STATUS + b"A", "closed"),
    "close_in_body": (send_then_close, HEAD + b"x", "closed"),
    "half_close_in_body": (half_close, HEAD + b"x", "closed"),
    "close_in_chunk": (send_then_close, CHUNKED + b"5\r\nab", "closed"),
    "close_ends_body": (send_then_close, b"HTTP/1.0 200 OK\r\n\r\nall", None),
    "half_close_ends_body": (half_close, STATUS + b"\r\nall", None),
    "split": (split, OK, None),
    "many_headers": (until_refused, STATUS + b"X: y\r\n" * (MANY_BYTES // 6), "too_large"),
    "long_header": (until_refused, STATUS + b"X: " + b"y" * MANY_BYTES, "too_large"),
    "interim_for_ever": (until_refused, b"HTTP/1.1 100 Continue\r\n\r\n" * 100, "too_large"),
    "chunk_overflow": (until_refused, CHUNKED + b"10000000000000000\r\n", "malformed"),
    "chunk_too_long": (until_refused, CHUNKED + b"2\r\nabc\r\n0\r\n\r\n", "malformed"),
    "garbage": (until_refused, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", "malformed"),
    "two_lengths": (until_refused, STATUS + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc", "malformed"),
    "too_much": (send, OK + b"more", "unexpected"),
    "two_answers": (send, OK + OK, "unexpected"),
    "too_little": (send, HEAD + b"x", "timeout"),
    "drip": (drip, STATUS + b"X: ", "timeout"),
    "silence": (listen, None, "timeout"),
    "unavailable": (send, OK.replace(b"200", b"503"), "http_503"),
    # For connections of their own: it closes what would carry the next request.
    "close_after": (send_then_close, OK, None),
}


class Hostile:
    """Serves until close(); `greeting` is what it does with a connection before it hears anything."""

    def __init__(self, greeting=None):
        self.greeting = greeting
        self.seen = collections.Counter()
        self.connections = 0
        self.lock = threading.Lock()
        self.stop = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        self.stop.set()
        self.listener.close()

    def accept(self):
        while not self.stop.is_set():
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                self.connections += 1
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            with connection:
                connection.settimeout(PATIENCE_S)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self.greeting is not None:
                    self.greeting(connection)
                while True:
                    self.answer(connection)
        except (Over, OSError):
            pass

    def answer(self, connection):
        request = b""
        while not request.endswith(b"\r\n\r\n"):
            more = connection.recv(65536)
            if not more:
                raise Over
            request += more
        habit = re.match(rb"GET /(\w*) ", request).group(1).decode()
        with self.lock:
            self.seen[habit] += 1
        act, data, _ = HABITS[habit]
        act(connection, data, self.stop)

    def requests(self):
        with self.lock:
            return sum(self.seen.values())
