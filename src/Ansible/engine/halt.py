# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the run is to stop, and what becomes of the change of each device. All processes that are forked after this is imported see the
same stop; the verdicts stand in a file with a byte for each device, which the program that reads the service's commands writes."""
import functools
import mmap

_flag = mmap.mmap(-1, 1)
# Verdicts on a guarded change: it may begin, it stays, it goes back.
GO, CONFIRM, BACK = 1, 2, 3


def ask():
    _flag[0] = 1


def asked():
    return _flag[0] == 1


def verdict(variables):
    """0 where there is none yet."""
    return _verdicts(variables["verdicts"])[variables["verdict_place"]]


@functools.lru_cache(maxsize=1)
def _verdicts(path):
    with open(path, "rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
