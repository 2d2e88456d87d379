# SPDX-License-Identifier: GPL-3.0-or-later
"""The way out of a sandbox: a unix socket on which the service opens a stream to a device, by the device's address in the sandbox."""
import errno
import socket

LINK, PORT = "/run/link/sock", 2222
# The service gives up on a stream before that.
_LONGEST_DIAL = 25


def exhausted(fault):
    """Whether the sandbox or its host has no room, which is no fault of a device."""
    return (isinstance(fault, MemoryError) or (isinstance(fault, RuntimeError) and "new thread" in str(fault))
            or (isinstance(fault, OSError) and fault.errno in (
                errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ENOSPC)))


class _Stream(socket.socket):
    """asyncssh takes every socket for one of TCP."""

    def setsockopt(self, level, *option):
        if level != socket.IPPROTO_TCP:
            super().setsockopt(level, *option)

    def getpeername(self):
        return "device", PORT


def dial(address, *purpose):
    """A stream to the device, as a socket without a timeout. Raises OSError where the service opens none."""
    stream = _Stream(socket.AF_UNIX)
    try:
        stream.settimeout(_LONGEST_DIAL)
        stream.connect(LINK)
        stream.sendall(" ".join((address, str(PORT), *purpose)).encode() + b"\n")
        if stream.recv(1) != b"+":
            raise OSError("refused")
        stream.settimeout(None)
        return stream
    except OSError:
        stream.close()
        raise
