#!/usr/bin/python3
"""Makes every system call by its number, 0 to 1023, and by x32's, each in a process of its own with arguments that do no harm. Prints as
JSON which of them answered something else than EPERM, by name, and which of x32's and of the 32-bit architecture's were survived; the
requests of ioctl and the kinds of socket that the filter allows; and the flags of clone that may make a namespace."""
import ctypes
import errno
import json
import mmap
import os
import select
import signal
import time

import seccomp

X32, LAST, AT_ONCE, PATIENCE = 0x40000000, 1023, 64, 60
# Arguments that the filter or the kernel judges; for all others -1, which is no descriptor, no address and no process.
ARGUMENTS = {
    "clone": (signal.SIGCHLD, 0, 0, 0, 0, 0), "socket": (1, 1, 0), "socketpair": (1, 1, 0, -1),
    "ioctl": (-1, 0x5401), "prctl": (3, 0, 0, 0, 0),
    "kill": (0x7fffffff, 0), "tgkill": (0x7fffffff, 0x7fffffff, 0), "tkill": (0x7fffffff, 0), "setpgid": (0x7fffffff, 0),
    "setuid": (1000,), "setgid": (1000,), "setresuid": (1000, 1000, 1000), "setresgid": (1000, 1000, 1000), "prlimit64": (0, 7, 0, 0),
    "setrlimit": (7, -1), "futex": (1, 1, 0), "setpriority": (0, 0, 19), "sched_setaffinity": (0, 0, 0), "nice": (0,),
}
libc = ctypes.CDLL(None, use_errno=True)


def attempt(number, arguments, report):
    """In a child. What the call answers goes into the pipe: its error, 0 for none. A child that cannot say has not had EPERM either."""
    ctypes.set_errno(0)
    answer = libc.syscall(ctypes.c_long(number), *(ctypes.c_long(each) for each in arguments))
    os.write(report, bytes([ctypes.get_errno() if answer == -1 else 0]))
    os._exit(0)


def int80(report):
    """getpid by the 32-bit architecture's gate."""
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")
    ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
    os.write(report, b"\0")
    os._exit(0)


def children(jobs):
    """What each job's child wrote, or None; many at the same time, and none for longer than PATIENCE."""
    jobs, answers = list(jobs), {}
    for begin in range(0, len(jobs), AT_ONCE):
        readers = {}
        for name, action in jobs[begin:begin + AT_ONCE]:
            reader, writer = os.pipe()
            pid = os.fork()
            if pid == 0:
                action(writer)
                os._exit(1)
            os.close(writer)
            readers[reader] = (name, pid)
        until = time.monotonic() + PATIENCE
        while readers and (ready := select.select(list(readers), [], [], max(0, until - time.monotonic()))[0]):
            for reader in ready:
                name, pid = readers.pop(reader)
                answers[name] = os.read(reader, 1) or None
                os.close(reader)
                end(pid)
        for reader, (name, pid) in readers.items():
            answers[name] = None
            os.close(reader)
            end(pid)
    return answers


def end(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError:
        pass
    os.waitpid(pid, 0)


def call(number, name=None):
    arguments = ARGUMENTS.get(name, (-1,) * 6)
    return lambda report: attempt(number, arguments, report)


def name_of(number):
    try:
        name = seccomp.resolve_syscall(seccomp.Arch(), number)
    except ValueError:
        return str(number)
    return name.decode() if isinstance(name, bytes) else name


def allowed(number, *arguments):
    ctypes.set_errno(0)
    answer = libc.syscall(ctypes.c_long(number), *(ctypes.c_long(each) for each in arguments))
    return answer != -1 or ctypes.get_errno() != errno.EPERM


def sockets(family, protocol, name="socket"):
    return any(allowed(seccomp.resolve_syscall(seccomp.Arch(), name), family, kind, protocol, -1) for kind in (1, 2))


names = {number: name_of(number) for number in range(LAST + 1)}
own = children((number, call(number, names[number])) for number in names)
foreign = children([*((X32 + number, call(X32 + number)) for number in names), ("int80", int80)])
print(json.dumps({
    "answered": sorted(names[number] for number, answer in own.items() if answer != bytes([errno.EPERM])),
    "noSuchCall": sorted(names[number] for number, answer in own.items() if answer == bytes([errno.ENOSYS])),
    "requests": [hex(request) for begin in (0x5400, 0x8900) for request in range(begin, begin + 0x100)
                 if allowed(seccomp.resolve_syscall(seccomp.Arch(), "ioctl"), -1, request)],
    "families": [family for family in range(64) if sockets(family, 0)],
    "pairs": [family for family in range(64) if sockets(family, 0, "socketpair")],
    "protocols": [protocol for protocol in (1, 6, 17, 58, 132, 136, 262) if sockets(2, protocol)],
    "namespaces": [hex(flag) for flag in (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000)
                   if allowed(seccomp.resolve_syscall(seccomp.Arch(), "clone"), flag | 0x100, 0, 0, 0, 0)],
    "survived": sorted(str(number) for number, answer in foreign.items() if answer is not None)}))
