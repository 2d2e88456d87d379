# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes back what of a change a device has, where the device takes lines: over the session that is open, or else over a new one.

arguments: change, the plan; before, the configuration that it was made for; save, whether the change may have been saved."""
from ansible.module_utils.connection import Connection, ConnectionError as DeviceError
from ansible.plugins.action import ActionBase

import change as changes


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        result, given, platform = super().run(tmp, task_vars), self._task.args, task_vars["platform"]
        device = Connection(self._connection.socket_path)
        try:
            try:
                taken = changes.taken_back(device, platform, given["change"], given["before"])
            except DeviceError:
                device.anew()
                taken = changes.taken_back(device, platform, given["change"], given["before"])
            if given["save"] and "save" in platform["commands"]:
                device.send_command(platform["commands"]["save"])
        except DeviceError as fault:
            return {**result, "failed": True, "msg": str(fault)}
        return {**result, "changed": taken}
