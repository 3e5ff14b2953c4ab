"""Bytes that no agent says, for a coordinator's port: from a seed, so that what broke something can be said again."""

import os
import pathlib
import random
import socket
import struct
import time

import zmtp

CORPUS = pathlib.Path(os.environ["CLOBBER_TREE"], "tests", "fuzz", "corpus", "message")
IP_BIND_ADDRESS_NO_PORT = 24
# Strangers come from an address of their own, so that they use up nobody's ports.
ADDRESS = "127.0.0.9"


def connect(endpoint):
    host, port = endpoint.removeprefix("tcp://").rsplit(":", 1)
    connection = socket.socket()
    connection.setsockopt(socket.SOL_IP, IP_BIND_ADDRESS_NO_PORT, 1)
    connection.bind((ADDRESS, 0))
    connection.settimeout(30.0)
    connection.connect((host, int(port)))
    return connection


class Stranger:
    """Each turn is a connection that says something else."""

    def __init__(self, endpoint, seed):
        self.endpoint = endpoint
        self.random = random.Random(seed)
        self.messages = [path.read_bytes() for path in sorted(CORPUS.iterdir())]
        self.turns = 0

    def turn(self):
        self.turns += 1
        say = self.random.choice((self.raw, self.broken_handshake, self.frames, self.frames, self.frames))
        try:
            with connect(self.endpoint) as connection:
                say(connection)
        except OSError:
            pass  # refused, or cut in the middle: what it is there for

    def bytes(self, most):
        return self.random.randbytes(self.random.randrange(1, most))

    def raw(self, connection):
        connection.sendall(self.bytes(4096))

    def broken_handshake(self, connection):
        """A greeting up to some byte, perhaps of another mechanism or with a wrong command after it."""
        said = bytearray(zmtp.GREETING + zmtp.ready(self.random.choice((b"DEALER", b"PUB", b"", b"\xff" * 200))))
        if self.random.random() < 0.5:
            said[self.random.randrange(len(said))] = self.random.randrange(256)
        connection.sendall(said[:self.random.randrange(1, len(said) + 1)] + self.bytes(64))

    def mutated(self):
        """A message of the corpus with a few bytes changed, cut off or put in."""
        message = bytearray(self.random.choice(self.messages))
        for _ in range(self.random.randrange(4)):
            at = self.random.randrange(len(message) + 1)
            message[at:at + self.random.randrange(3)] = self.random.randbytes(self.random.randrange(3))
        return bytes(message)

    def frames(self, connection):
        """Whole messages after a handshake as it should be, and then perhaps what no frame may be."""
        peer = zmtp.Peer(connection, b"DEALER")
        for _ in range(self.random.randrange(1, 30)):
            peer.send_body(self.random.choice((self.mutated, lambda: self.bytes(2000), lambda: b""))())
        for _ in range(self.random.randrange(20)):
            peer.send_body(self.bytes(50), zmtp.MORE)
        peer.send_body(self.bytes(self.random.choice((10, 250 * 1024))))
        connection.sendall(self.random.choice((
            b"", struct.pack(">BQ", zmtp.LONG, 1 << 62), struct.pack(">BQ", zmtp.LONG, 300 * 1024) + self.bytes(70000),
            zmtp.frame(zmtp.COMMAND, self.bytes(300)), bytes([self.random.randrange(8, 256)]) + self.bytes(300))))
        time.sleep(0.01)  # or the end of the connection overtakes what was said
