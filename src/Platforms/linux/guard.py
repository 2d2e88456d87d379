# SPDX-License-Identifier: GPL-3.0-or-later
"""How a Linux host takes a change back by itself: a process puts the files back, and what follows from them."""
import platforms
import timer
from timer import armed, back, confirm

_text = platforms.beside(__file__, "text")


def supported(device, options):
    """A host with a shell has a timer."""
    return "hard"


def arm(device, seconds, before, change):
    """What is armed, and its seconds."""
    return timer.arm(device, seconds, *_text["back"](before, change["after"], change["signed"]))
