#!/usr/bin/env python3
"""What a shell cannot do: record /dev/kmsg, write it as a log file, forge a datagram, answer an NFQUEUE.

    tool.py record FILE            records as read, until SIGTERM; the wall clock's offset goes to FILE.offset
    tool.py ours FILE REGEX        fails when a record is missing or does not match
    tool.py text FORM HOST FILE    FILE as a log: iso, classic, dmesg, kmsg
    tool.py forge SRC SPORT DST DPORT [ID]   one UDP datagram with any source address
    tool.py queue NUMBER PORT:VERDICT...     answers a queue by UDP destination port: accept, drop
"""
import datetime
import os
import re
import signal
import socket
import struct
import sys
import time


def record(path):
    stop = []
    signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
    log = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
    os.lseek(log, 0, os.SEEK_END)
    offset = None
    with open(path, "wb") as out:
        # The file's existence says that recording has begun.
        out.flush()
        while True:
            try:
                data = os.read(log, 8192)
            except BlockingIOError:
                if stop:
                    break
                time.sleep(0.0001)
                continue
            # The record was made before it was read: the least difference is the clocks' offset.
            usec = int(data.split(b",", 3)[2])
            this = time.time_ns() // 1000 - usec
            offset = this if offset is None else min(offset, this)
            out.write(data)
    with open(path + ".offset", "w") as out:
        out.write(str(offset or 0))


def records(path):
    with open(path, "rb") as log:
        for line in log.read().split(b"\n"):
            if line and not line.startswith(b" "):
                head, text = line.split(b";", 1)
                fields = head.split(b",")
                yield int(fields[0]), int(fields[1]), int(fields[2]), fields[3], text


def ours(path, pattern):
    last, pattern = None, re.compile(pattern.encode())
    for _, sequence, _, _, text in records(path):
        if last is not None and sequence != last + 1:
            sys.exit(f"records are missing before {sequence}")
        last = sequence
        if not pattern.search(text):
            sys.exit(f"not ours: {text.decode(errors='replace')}")
    if last is None:
        sys.exit("nothing was printed")


def text(form, host, path):
    if form == "kmsg":
        sys.stdout.buffer.write(open(path, "rb").read())
        return
    offset = int(open(path + ".offset").read())
    out = []
    for _, _, usec, _, payload in records(path):
        payload = re.sub(rb"\\x([0-9a-f]{2})", lambda m: bytes([int(m[1], 16)]), payload)
        wall = datetime.datetime.fromtimestamp((offset + usec) / 1e6, datetime.timezone.utc)
        stamp = b"[%5d.%06d] " % divmod(usec, 1_000_000)
        if form == "iso":
            head = wall.strftime("%Y-%m-%dT%H:%M:%S.%f+00:00").encode()
            out.append(b"%s %s kernel: %s%s\n" % (head, host.encode(), stamp, payload))
        elif form == "classic":
            head = wall.strftime("%b %e %H:%M:%S").encode()
            out.append(b"%s %s kernel: %s%s\n" % (head, host.encode(), stamp, payload))
        elif form == "dmesg":
            out.append(stamp + payload + b"\n")
        else:
            sys.exit(f"no such form: {form}")
    sys.stdout.buffer.write(b"".join(out))


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def forge(src, sport, dst, dport, ident="4660"):
    udp = struct.pack("!HHHH", int(sport), int(dport), 12, 0) + b"hey\n"
    head = struct.pack(
        "!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), int(ident), 0, 64, 17, 0,
        socket.inet_aton(src), socket.inet_aton(dst))
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    raw.sendto(head + udp, (dst, 0))


def attribute(kind, data):
    return struct.pack("=HH", 4 + len(data), kind) + data + b"\0" * (-len(data) % 4)


def netlink(kind, number, body, family=0):
    body = struct.pack("!BBH", family, 0, number) + body
    return struct.pack("=IHHII", 16 + len(body), 0x300 | kind, 1, 0, 0) + body


def queue(number, *verdicts):
    answers = {int(port): verdict for port, verdict in (pair.split(":") for pair in verdicts)}
    number = int(number)
    link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
    link.bind((0, 0))
    # NFQNL_MSG_CONFIG: bind, then copy whole packets.
    link.send(netlink(2, number, attribute(1, struct.pack("!BBH", 1, 0, 0))))
    link.send(netlink(2, number, attribute(2, struct.pack("!IB", 0xFFFF, 2))))
    print("ready", flush=True)
    while True:
        message = link.recv(70000)
        if struct.unpack_from("=H", message, 4)[0] & 0xFF != 0:  # NFQNL_MSG_PACKET
            continue
        at, ident, payload = 20, None, b""
        while at + 4 <= len(message):
            length, kind = struct.unpack_from("=HH", message, at)
            data = message[at + 4:at + length]
            if kind & 0x7FFF == 1:
                ident = struct.unpack_from("!I", data)[0]
            elif kind & 0x7FFF == 10:
                payload = data
            at += (length + 3) & ~3
        if ident is None:
            continue
        port = struct.unpack_from("!H", payload, 22)[0]
        verdict = 0 if answers.get(port) == "drop" else 1
        link.send(netlink(1, number, attribute(2, struct.pack("!II", verdict, ident))))


{"record": record, "ours": ours, "text": text, "forge": forge, "queue": queue}[sys.argv[1]](*sys.argv[2:])
