# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes back what of a change a device has, where the device takes a text.

arguments: change, the plan; before, the configuration that it was made for."""
from ansible.module_utils.connection import Connection, ConnectionError as DeviceError
from ansible.plugins.action import ActionBase

import plan
import platforms
import shell


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        change, directory = self._task.args["change"], task_vars["platform"]["directory"]
        device = Connection(self._connection.socket_path)
        try:
            now = device.read_configuration()
            text, signed = plan.taken_back(change, self._task.args["before"], now, directory)
            if signed:
                for name, command, given in platforms.writer(directory)[0](now, text, signed):
                    device.send_command(command, given, name)
        except (DeviceError, shell.Refused) as fault:
            return {**result, "failed": True, "msg": str(fault)}
        return {**result, "changed": bool(signed)}
