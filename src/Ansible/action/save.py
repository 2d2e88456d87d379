# SPDX-License-Identifier: GPL-3.0-or-later
"""Saves the running configuration, by the command of the device's platform, and reads from the answer whether it is saved.

arguments: lost, optional: the lines that a restart would lose. Where there are any, the save is a change, which check mode leaves out."""
from ansible.module_utils.connection import ConnectionError as DeviceError
from ansible.plugins.action import ActionBase

import devices
import platforms
import tree


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        result, directory = super().run(tmp, task_vars), task_vars["platform"]["directory"]
        if lost := self._task.args.get("lost"):
            result |= {"changed": True, "diff": {"prepared": "\n".join(lost)}}
            if self._task.check_mode:
                return result
        try:
            devices.save(devices.of(self._connection), platforms.read(directory), tree.grammar(directory))
        except DeviceError as fault:
            return {**result, "failed": True, "msg": str(fault)}
        return result
