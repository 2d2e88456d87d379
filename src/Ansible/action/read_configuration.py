# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a configuration of the device, by the command of its platform and until it is whole.

arguments: which, the command's name: running, or startup, what the device loads when it restarts.
returns: stdout, the text as the device sent it; lines, how many it has; parts, the names of the device's programs that run, where the
platform has a command for them."""
import re

from ansible.module_utils.connection import Connection, ConnectionError as DeviceError
from ansible.plugins.action import ActionBase

import platforms


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        try:
            device = Connection(self._connection.socket_path)
            text = device.read_configuration(self._task.args.get("which", "running"))
            parts = _parts(platforms.read(task_vars["platform"]["directory"]).get("parts"), device)
        except DeviceError as fault:
            return {**result, "failed": True, "msg": str(fault)}
        return {**result, "changed": False, "stdout": text, "lines": text.count("\n"), "parts": parts}


def _parts(rules, device):
    """A program that does not run shows no configuration, and a save would leave its part out."""
    if rules is None:
        return None
    try:
        down = re.findall(rules["down"], device.send_command(rules["watch"]), re.M)
    except DeviceError:
        down = []  # nobody watches over them there
    if down:
        raise DeviceError(
            f"[netautomation:incomplete_output] {', '.join(down)} does not run on the device, so its configuration is not whole.")
    try:
        return device.send_command(rules["list"]).split() or None
    except DeviceError:
        return None
