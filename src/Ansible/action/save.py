# SPDX-License-Identifier: GPL-3.0-or-later
"""Saves the running configuration, by the command of the device's platform, and reads from the answer whether it is saved.

arguments: lost, optional: the lines that a restart would lose. Where there are any, the save is a change, which check mode leaves out."""
import re

from ansible.module_utils.connection import Connection, ConnectionError as DeviceError
from ansible.plugins.action import ActionBase

import platforms
import tree


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        platform = platforms.read(task_vars["platform"]["directory"])
        if lost := self._task.args.get("lost"):
            result |= {"changed": True, "diff": {"prepared": "\n".join(lost)}}
            if self._task.check_mode:
                return result
        try:
            answer = Connection(self._connection.socket_path).send_command(platform["commands"]["save"])
        except DeviceError as fault:
            return {**result, "failed": True, "msg": str(fault)}
        if not re.search(platform.get("saved", ""), answer, re.M):
            words = "\n".join(map(tree.grammar(task_vars["platform"]["directory"]).masked, answer[-300:].splitlines()))
            return {**result, "failed": True, "msg": f"[netautomation:task_failed] the device did not say that it saved: {words}"}
        return result
