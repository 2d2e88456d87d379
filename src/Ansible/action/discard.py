# SPDX-License-Identifier: GPL-3.0-or-later
"""Drops what was typed into a session of the device and never committed."""
from ansible.module_utils.connection import Connection, ConnectionError as DeviceError
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        device, commands = Connection(self._connection.socket_path), task_vars["platform"]["commands"]
        try:
            for line in (commands["configure"], commands["abort"]):
                device.send_command(line)
        except DeviceError as fault:
            return {**result, "failed": True, "msg": str(fault)}
        return {**result, "changed": False}
