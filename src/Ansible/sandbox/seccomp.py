#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""seccomp.py OUT: writes the system-call filter of a sandbox. What the list beside this file has is allowed, everything else answers EPERM.
A call of another architecture, or by x32's numbers, kills whoever makes it."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:] = [path for path in sys.path if path != HERE]  # this file has the name of the library it needs
import errno
import seccomp

# Flags of clone that make namespaces.
NAMESPACES = 0x7E020000
UNIX, INET, INET6 = 1, 2, 10
# IP protocols by number; 0 is the usual one of the socket's type.
TCP, UDP = 6, 17
LOW = 0xFFFFFFFF  # the kernel reads 32 bits of a request


def entries(path):
    """The calls of the list, each with its first argument's number where only that is allowed."""
    with open(path, encoding="ascii") as file:
        for line in file:
            words = line.partition("#")[0].split()
            if words:
                yield words[0], [int(word, 0) for word in words[1:]]


def build():
    rules = seccomp.SyscallFilter(seccomp.ERRNO(errno.EPERM))
    rules.set_attr(seccomp.Attr.CTL_OPTIMIZE, 2)  # a tree in place of a chain of some two hundred comparisons
    for name, requests in entries(os.path.join(HERE, "syscalls")):
        try:
            if not requests:
                rules.add_rule(seccomp.ALLOW, name)
            for request in requests:
                rules.add_rule(seccomp.ALLOW, name, seccomp.Arg(1, seccomp.MASKED_EQ, LOW, request))
        except (ValueError, RuntimeError) as fault:  # a call this kernel or library does not know cannot be made either
            print(f"seccomp: {name}: {fault}", file=sys.stderr)
    rules.add_rule(seccomp.ALLOW, "clone", seccomp.Arg(0, seccomp.MASKED_EQ, NAMESPACES, 0))
    # A filter cannot read its flags, which lie in memory; without clone3 libc falls back to clone.
    rules.add_rule(seccomp.ERRNO(errno.ENOSYS), "clone3")
    # The kernel loads the code of a family that either of these names.
    for name in ("socket", "socketpair"):
        rules.add_rule(seccomp.ALLOW, name, seccomp.Arg(0, seccomp.EQ, UNIX))
    for family in (INET, INET6):
        for protocol in (0, TCP, UDP):
            rules.add_rule(seccomp.ALLOW, "socket", seccomp.Arg(0, seccomp.EQ, family), seccomp.Arg(2, seccomp.EQ, protocol))
    return rules


if __name__ == "__main__":
    with open(sys.argv[1], "wb") as out:
        build().export_bpf(out)
