# SPDX-License-Identifier: GPL-3.0-or-later
"""How EOS takes a change back by itself: its session is committed for some time, and once more to stay."""
import json
import os

from ansible.module_utils.connection import ConnectionError as DeviceError

import platforms

_SESSION = platforms.read(os.path.dirname(__file__))["commands"]["configure"]
_NAME = _SESSION.split()[-1]


def supported(device, options):
    """hard, or why not."""
    try:
        _sessions(device)
    except (DeviceError, ValueError):
        return "the device does not tell of its configuration sessions"
    return "hard"


def armed(device):
    """What will take a change back; None where nothing will. Since 4.32 a session that waits is called committed, as others are, and its
    name stands beside."""
    said = _sessions(device)
    names = [name for name, each in said["sessions"].items() if each["state"] == "pendingCommitTimer"]
    names += [said["commitTimerSessionName"]] if said.get("commitTimerSessionName") else []
    return f"configure session {names[0]}" if names else None


def arm(device, seconds, before, change):
    """The timer begins with the commit."""
    return "commit timer", seconds


def end(seconds):
    """The commit that goes back."""
    minutes, seconds = divmod(seconds, 60)
    return f"commit timer {minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}"


def confirm(device):
    """The change stays. A session that went back would only begin anew with this command."""
    if armed(device) == f"configure session {_NAME}":
        device.send_command(f"{_SESSION} commit")
        if not armed(device) and _sessions(device)["sessions"].get(_NAME, {}).get("state") == "completed":
            return
    raise DeviceError("[netautomation:task_failed] the timer was faster than the confirmation")


def back(device):
    """Goes back now, whether the session was committed or not."""
    try:
        device.send_command("abort")
    except DeviceError:
        pass  # nothing is being typed
    if armed(device):
        device.renames()
        device.send_command(f"{_SESSION} abort")
    elif _NAME in _sessions(device)["sessions"]:
        device.send_command(f"no {_SESSION}")


def _sessions(device):
    return json.loads(device.send_command("show configuration sessions detail | json"))
