"""A name server on 127.0.0.1:53 of a host of its own: python3 name_server.py FILE. What it answers is what FILE says at
that moment: an IPv4 address, NXDOMAIN, SERVFAIL, or nothing at all for SILENCE."""

import socket
import struct
import sys

CODES = {"SERVFAIL": 2, "NXDOMAIN": 3}
TYPE_A = 1


def answer(query, word):
    end = 12
    while query[end]:
        end += 1 + query[end]
    end += 5
    kind = struct.unpack(">H", query[end - 4:end - 2])[0]
    is_address = word not in CODES and kind == TYPE_A
    head = query[:2] + struct.pack(">HHHHH", 0x8180 | CODES.get(word, 0), 1, int(is_address), 0, 0)
    record = struct.pack(">HHHIH", 0xc00c, TYPE_A, 1, 0, 4) + socket.inet_aton(word) if is_address else b""
    return head + query[12:end] + record


def main():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 53))
        print("ready", flush=True)
        while True:
            query, client = server.recvfrom(4096)
            with open(sys.argv[1], encoding="ascii") as file:
                word = file.read().strip()
            if word != "SILENCE":
                server.sendto(answer(query, word), client)


if __name__ == "__main__":
    main()
