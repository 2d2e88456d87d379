#!/usr/bin/python3
"""flood.py ADDRESS: opens as many connections to the link as a sandbox can, then uses the device at ADDRESS up and dials it again.
Prints as JSON what came of it."""
import json
import os
import socket
import sys
import time

LINK, PORT, PROCESSES, EACH, PATIENCE = "/run/link/sock", 2222, 8, 3900, 60


def accepted():
    """Connections that the service has taken: the kernel shows those that still wait without an inode. It names the link's end alone."""
    with open("/proc/net/unix", encoding="ascii") as file:
        return sum(words[-1].endswith("/sock") and words[6] != "0" for words in (line.split() for line in file) if len(words) > 7)


def flood():
    """Connects without waiting, and holds what it gets until it is told to end."""
    begun, held = os.pipe(), os.pipe()
    for _ in range(PROCESSES):
        if os.fork() == 0:
            os.close(held[1])
            streams = []
            for _ in range(EACH):
                try:
                    stream = socket.socket(socket.AF_UNIX)
                    stream.setblocking(False)
                    stream.connect(LINK)
                    streams.append(stream)
                except OSError:
                    pass
            os.write(begun[1], b"x")
            os.read(held[0], 1)
            os._exit(0)
    for _ in range(PROCESSES):
        os.read(begun[0], 1)
    most = accepted()
    os.close(held[1])
    for _ in range(PROCESSES):
        os.wait()
    return most


def dial(address):
    """A stream, or None where the service refuses it."""
    stream = socket.socket(socket.AF_UNIX)
    stream.settimeout(PATIENCE)
    stream.connect(LINK)
    stream.sendall(f"{address} {PORT}\n".encode())
    return stream if stream.recv(1) == b"+" else None


def streams(address):
    """How many of ten streams at once the device has."""
    waiting = []
    for _ in range(10):
        stream = socket.socket(socket.AF_UNIX)
        stream.settimeout(PATIENCE)
        stream.connect(LINK)
        stream.sendall(f"{address} {PORT}\n".encode())
        waiting.append(stream)
    return sum(stream.recv(1) == b"+" for stream in waiting)


def again(address, wanted):
    """Whether the device has so many streams again, once the service has noticed that the others ended."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            if streams(address) == wanted:
                return True
        except BlockingIOError:
            pass  # the service still takes what the flood has left in the queue
        time.sleep(0.05)
    return False


taken = flood()
rounds = [again(sys.argv[1], 4) for _ in range(3)]
until, stream = time.monotonic() + PATIENCE, None
while stream is None and time.monotonic() < until:
    stream = dial(sys.argv[1])
stream.sendall(b"hello")
print(json.dumps({"accepted": taken, "rounds": rounds, "said": stream.recv(5).decode()}))
