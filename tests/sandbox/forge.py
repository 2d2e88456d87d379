#!/usr/bin/python3
"""forge.py DEVICE: tries to write events in the name of the engine, through whatever of its processes can be opened. Prints as JSON what
could be, and whether this process has the descriptors itself."""
import ctypes
import json
import os
import sys

libc = ctypes.CDLL(None, use_errno=True)
PTRACE_SEIZE, PIDFD_OPEN, PIDFD_GETFD = 0x4206, 434, 438
FORGED = "".join(json.dumps({"event": event, "device": sys.argv[1], **members}) + "\n" for event, members in (
    ("task", {"task": "forged", "status": "ok", "changed": True, "code": None, "text": "forged", "diff": "+ forged"}),
    ("result", {"result": {"forged": True}, "artifacts": {}}))).encode()


def command(pid):
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        return file.read()


def own():
    """This process and those that were executed to start it: what they say is this task's own."""
    pid, found = os.getpid(), set()
    while pid and not any(word in command(pid) for word in (b"init.py", b"ansible-playbook", b"bwrap")):
        found.add(pid)
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            pid = int(file.read().rpartition(")")[2].split()[1])
    return found


def write(descriptor):
    os.set_blocking(descriptor, False)
    os.write(descriptor, FORGED)


def tries(pid):
    """What of another process opens. Descriptors up to 2 of the first process are those of the diagnostics."""
    for number in range(64):
        try:
            write(os.open(f"/proc/{pid}/fd/{number}", os.O_WRONLY))
            yield f"descriptor {number}"
        except OSError:
            pass
    try:
        os.close(os.open(f"/proc/{pid}/mem", os.O_RDWR))
        yield "memory"
    except OSError:
        pass
    if libc.ptrace(PTRACE_SEIZE, pid, 0, 0) == 0:
        yield "ptrace"
    handle = libc.syscall(PIDFD_OPEN, pid, 0)
    for number in range(64) if handle >= 0 else ():
        if (stolen := libc.syscall(PIDFD_GETFD, handle, number, 0)) >= 0:
            write(stolen)
            yield f"stolen descriptor {number}"


mine, engine, opened = own(), 0, []
for number in range(3, 64):
    try:
        write(number)
        opened.append(f"inherited {number}")
    except OSError:
        pass
for name in os.listdir("/proc"):
    if not name.isdigit() or int(name) in mine:
        continue
    try:
        words = command(name)
    except OSError:
        continue
    engine += b"init.py" in words or b"ansible-playbook" in words
    opened += [f"{words[:40]} {what}" for what in tries(int(name))
               if not (int(name) == 1 and what in ("descriptor 0", "descriptor 1", "descriptor 2", "memory"))]
print(json.dumps({"engine": engine, "opened": opened}))
