# SPDX-License-Identifier: GPL-3.0-or-later
"""How IOS takes a change back by itself: to the copy that its archive has made, by a timer of minutes; where the archive is off, by a
reload into the configuration that was saved."""
import os
import re

from ansible.module_utils.connection import ConnectionError as DeviceError

import tree


def supported(device, options):
    """hard, or why a change would not come back as the device was."""
    if _archives(device):
        return "hard"
    normalised = tree.grammar(os.path.dirname(__file__)).normalised
    if normalised(device.read_configuration()) == normalised(device.read_configuration("startup")):
        return "hard"
    return ("its archive is off, and its running configuration is not saved: a reload would lose more than the change. Switch the archive "
            "on (archive, path), or save the configuration")


def armed(device):
    """What will take a change back; None where nothing will. A reload that was planned takes it back, too."""
    if _rolls_back(device):
        return "configure terminal revert timer"
    return "reload in" if re.search(r"^\s*Reload scheduled", _said(device, "show reload"), re.M) else None


def arm(device, seconds, before, change):
    """What is armed, and its seconds: whole minutes. The timer is not that of idle sessions, which those of other people keep from running
    off."""
    minutes = -(-seconds // 60)
    if _archives(device):
        device.send_command(f"configure terminal revert timer {minutes}")
        device.send_command("end")
    else:
        device.send_command(f"reload in {minutes}", [r"\[confirm\]"], [""])
    if not (what := armed(device)):
        raise DeviceError("[netautomation:task_failed] the device has armed no timer")
    return what, minutes * 60


def confirm(device):
    """The change stays."""
    command = "configure confirm" if _rolls_back(device) else "reload cancel"
    if re.search("^%No |^%? ?No reload is scheduled", said := device.send_command(command), re.M):
        raise DeviceError(f"[netautomation:task_failed] the timer was faster: {said.strip()}")


def back(device):
    """Goes back now, where a timer is armed. A reload stays planned until the configuration is seen to be that of before."""
    try:
        device.send_command("end")
    except DeviceError:
        pass  # it is not in the middle of a change
    if what := armed(device):
        device.renames()
        device.send_command("configure replace nvram:startup-config force" if what == "reload in" else "configure revert now")


def _archives(device):
    return not re.search("(?i)not enabled", said := _said(device, "show archive")) and bool(said.strip())


def _rolls_back(device):
    return "Timer value" in _said(device, "show archive config rollback timer")


def _said(device, command):
    """Releases without such a command refuse it."""
    try:
        return device.send_command(command)
    except DeviceError as fault:
        if "[netautomation:task_failed]" not in str(fault):
            raise
        return ""
