# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a configuration of the device, by the command of its platform and until it is whole.

arguments: which, the command's name: running, or startup, what the device loads when it restarts.
returns: stdout, the text as the device sent it; lines, how many it has."""
from ansible.module_utils.connection import ConnectionError as DeviceError
from ansible.plugins.action import ActionBase

import devices
import platforms


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        result, platform = super().run(tmp, task_vars), platforms.read(task_vars["platform"]["directory"])
        try:
            text, _ = devices.configuration(devices.of(self._connection), platform, self._task.args.get("which", "running"))
        except DeviceError as fault:
            return {**result, "failed": True, "msg": str(fault)}
        return {**result, "changed": False, "stdout": text, "lines": text.count("\n")}
