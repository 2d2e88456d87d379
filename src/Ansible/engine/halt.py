# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the run is to stop. All processes that are forked after this is imported see the same."""
import mmap

_flag = mmap.mmap(-1, 1)


def ask():
    _flag[0] = 1


def asked():
    return _flag[0] == 1
