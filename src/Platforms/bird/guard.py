# SPDX-License-Identifier: GPL-3.0-or-later
"""How BIRD takes a change back by itself. BIRD's own timer brings back what it ran, and not its file, so a process puts the file back, too,
and has it read."""
import platforms
import timer
from timer import back

_text = platforms.beside(__file__, "text")


def supported(device, options):
    """A host with a shell has a timer."""
    return "hard"


def armed(device):
    """What will take a change back; None where nothing will."""
    return "configure timeout" if _waits(device) else timer.armed(device)


def arm(device, seconds, before, change):
    """What is armed, and its seconds."""
    return timer.arm(device, seconds, [_text["file"]()], follow="birdc configure >/dev/null || failed=1")


def apply(before, after, changes, seconds):
    """BIRD runs the new file for some time."""
    return _text["apply"](before, after, changes, seconds)


def confirm(device):
    """The change stays. Where it is cut in between, the process is still armed."""
    if _waits(device):
        device.send_command("birdc configure confirm")
    timer.confirm(device)


def _waits(device):
    return "unconfirmed" in device.send_command("birdc configure status")
