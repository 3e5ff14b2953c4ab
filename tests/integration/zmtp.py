"""As much of ZMTP 3.0 (rfc.zeromq.org/spec/23) and of clobber's messages (docs/protocol.md) as a stranger, an old peer or
a forwarder needs: written from the documents alone, so a mistake of the product is not repeated here."""

import os
import socket
import struct

PATIENCE_S = 60.0
GREETING_BYTES = 64
GREETING = b"\xff" + 8 * b"\0" + b"\x7f" + b"\x03\x00" + b"NULL".ljust(20, b"\0") + 32 * b"\0"
MORE, LONG, COMMAND = 1, 2, 4

HELLO, WELCOME, REFUSE, READY, BEAT, SETPOINT, STOP = 1, 2, 3, 4, 6, 7, 11


def frame(flags, content):
    if len(content) > 255:
        return struct.pack(">BQ", flags | LONG, len(content)) + content
    return struct.pack(">BB", flags, len(content)) + content


def ready(socket_type):
    return frame(COMMAND, b"\x05READY" + b"\x0bSocket-Type" + struct.pack(">I", len(socket_type)) + socket_type
                 + b"\x08Identity" + struct.pack(">I", 0))


class Frames:
    """Cuts a stream of bytes into the greeting, in the pieces in which it comes, commands and messages: whole frames."""

    def __init__(self):
        self.bytes = b""
        self.greeting_left = GREETING_BYTES

    def next_length(self):
        """Of the next frame, in bytes; None: not to be told yet."""
        if len(self.bytes) < 2:
            return None
        if not self.bytes[0] & LONG:
            return 2 + self.bytes[1]
        return 9 + struct.unpack(">Q", self.bytes[1:9])[0] if len(self.bytes) >= 9 else None

    def feed(self, data):
        if self.greeting_left > 0:
            piece, data = data[:self.greeting_left], data[self.greeting_left:]
            self.greeting_left -= len(piece)
            yield "greeting", piece
        self.bytes += data
        while (length := self.next_length()) is not None and len(self.bytes) >= length:
            whole, self.bytes = self.bytes[:length], self.bytes[length:]
            yield "command" if whole[0] & COMMAND else "message", whole


def body(whole):
    return whole[9:] if whole[0] & LONG else whole[2:]


def pack(value):
    """msgpack of what the messages are made of."""
    if isinstance(value, list):
        assert len(value) < 1 << 16
        return (bytes([0x90 | len(value)]) if len(value) < 16 else struct.pack(">BH", 0xdc, len(value))) + b"".join(
            map(pack, value))
    if isinstance(value, bytes):
        return struct.pack(">BI", 0xc6, len(value)) + value
    if isinstance(value, str):
        return struct.pack(">BB", 0xd9, len(value.encode())) + value.encode()
    return bytes([value]) if value < 128 else struct.pack(">BQ", 0xcf, value)


WIDTHS = {0xc4: ">B", 0xc5: ">H", 0xc6: ">I", 0xcc: ">B", 0xcd: ">H", 0xce: ">I", 0xcf: ">Q", 0xd9: ">B", 0xda: ">H",
          0xdb: ">I", 0xdc: ">H", 0xdd: ">I"}


def unpack(data, at=0):
    """(the value at `at`, where the next one begins)"""
    kind = data[at]
    if kind < 0x80:
        return kind, at + 1
    if 0x90 <= kind <= 0x9f:
        number, at, kind = kind & 0x0f, at + 1, 0xdc
    elif 0xa0 <= kind <= 0xbf:
        number, at, kind = kind & 0x1f, at + 1, 0xd9
    else:
        number = struct.unpack_from(WIDTHS[kind], data, at + 1)[0]
        at += 1 + struct.calcsize(WIDTHS[kind])
    if 0xcc <= kind <= 0xcf:
        return number, at
    if kind in (0xdc, 0xdd):
        values = []
        for _ in range(number):
            value, at = unpack(data, at)
            values.append(value)
        return values, at
    text = data[at:at + number]
    return (text.decode() if kind >= 0xd9 else text), at + number


class Peer:
    """One end of a connection after the handshake; messages go as lists."""

    def __init__(self, connection, socket_type):
        self.socket = connection
        self.frames = Frames()
        self.waiting = []
        self.incarnation = os.urandom(16)
        self.run_id, self.epoch, self.seq = bytes(16), 0, 0
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.settimeout(PATIENCE_S)
        connection.sendall(GREETING + ready(socket_type))
        # A message that overtakes the other side's READY breaks the handshake.
        self.greeted = False
        while not self.greeted:
            self.hear()

    @classmethod
    def connect(cls, endpoint):
        """As an agent does."""
        host, port = endpoint.removeprefix("tcp://").rsplit(":", 1)
        return cls(socket.create_connection((host, int(port)), PATIENCE_S), b"DEALER")

    def close(self):
        self.socket.close()

    def send_body(self, content, flags=0):
        self.socket.sendall(frame(flags, content))

    def say(self, kind, *fields):
        self.seq += 1
        self.send_body(pack([kind, self.run_id, self.incarnation, self.epoch, self.seq, *fields]))

    def hello(self, major, minor, name, *more):
        """The fields of today; what a newer version adds goes into `more`."""
        self.say(HELLO, "CLB1", major, minor, 0, name, f"{major}.{minor}.0", 1, 1000, 10**10, bytes(32), 1, 0, *more)

    def hear(self):
        """Takes what comes next, within the time that the socket has."""
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionResetError("the other side has closed")
        for kind, whole in self.frames.feed(data):
            if kind == "message":
                self.waiting.append(unpack(body(whole))[0])
            elif whole[2:8] == b"\x05READY":
                self.greeted = True
            elif whole[2:7] == b"\x04PING":
                self.socket.sendall(frame(COMMAND, b"\x04PONG" + whole[9:]))

    def wait_for(self, kinds):
        """The next message of one of `kinds`; others are passed over."""
        while True:
            while self.waiting:
                message = self.waiting.pop(0)
                if message[0] in kinds:
                    return message
            self.hear()
