# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a configuration of the device, by the command of its platform and until it is whole. The running one is told, too.

arguments: which, the command's name: running, or startup, what the device loads when it restarts.
returns: stdout, the text as the device sent it; lines, how many it has."""
from ansible.module_utils.connection import ConnectionError as DeviceError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

import devices
import platforms
import tree


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        result, directory = super().run(tmp, task_vars), task_vars["platform"]["directory"]
        which = self._task.args.get("which", "running")
        try:
            text, _ = devices.configuration(devices.of(self._connection), platforms.read(directory), which)
        except DeviceError as fault:
            return {**result, "failed": True, "msg": str(fault)}
        if which == "running":
            normalised = tree.grammar(directory).normalised(text)
            Display()._final_q.send_callback(
                "netautomation_told", task_vars["inventory_hostname"], "text", which="before", text=normalised)
        return {**result, "changed": False, "stdout": text, "lines": text.count("\n")}
