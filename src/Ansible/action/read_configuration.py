# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the device's running configuration, by the command of its platform and until it is whole.

returns: stdout, the text as the device sent it; lines, how many it has."""
from ansible.module_utils.connection import Connection, ConnectionError as DeviceError
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        try:
            text = Connection(self._connection.socket_path).read_configuration()
        except DeviceError as fault:
            return {**result, "failed": True, "msg": str(fault)}
        return {**result, "changed": False, "stdout": text, "lines": text.count("\n")}
