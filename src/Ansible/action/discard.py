# SPDX-License-Identifier: GPL-3.0-or-later
"""Drops the session of the device in which changes are typed, where there is one."""
import re

from ansible.module_utils.connection import Connection, ConnectionError as DeviceError
from ansible.plugins.action import ActionBase

import platforms


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        platform = platforms.read(task_vars["platform"]["directory"])
        try:
            answer = Connection(self._connection.socket_path).send_command(platform["commands"]["abort"])
        except DeviceError as fault:
            answer = str(fault)
        if answer.strip() and not re.search(platform["aborted"], answer):
            code = "" if answer.startswith("[") else "[netautomation:task_failed] the device did not drop the session: "
            return {**result, "failed": True, "msg": code + answer.strip()[:300]}
        return {**result, "changed": False}
