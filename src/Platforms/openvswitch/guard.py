# SPDX-License-Identifier: GPL-3.0-or-later
"""How Open vSwitch takes a change back by itself: a process on the host restores the database as a whole."""
import os

import platforms
import timer
from timer import armed, back, confirm

# What the database shows of the configuration.
_SHOW = f"show() {{ {platforms.read(os.path.dirname(__file__))['commands']['running'].rstrip()}\n}}"


def supported(device, options):
    """A host with a shell has a timer."""
    return "hard"


def arm(device, seconds, before, change):
    """What is armed, and its seconds."""
    return timer.arm(
        device, seconds, [], f'{_SHOW}\nshow > "$place/shown"; ovsdb-client backup > "$place/database"',
        'ovsdb-client restore < "$place/database" || failed=1',
        f'{_SHOW}\n[ "$(show)" = "$(cat -- "$place/shown")" ] || differs=1')
