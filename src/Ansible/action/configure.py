# SPDX-License-Identifier: GPL-3.0-or-later
"""Configures a device: types lines into it, one after the other, or runs the commands that write its text. Stops at what it refuses.

arguments: change, the plan; before, the configuration that it was made for.
returns: said, what the device answered to lines that it took."""
from ansible.module_utils.connection import Connection, ConnectionError as DeviceError
from ansible.plugins.action import ActionBase

import change as changes
import platforms
import shell


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        change = self._task.args["change"]
        result = {**super().run(tmp, task_vars), "changed": True, "diff": {"prepared": change["diff"]}}
        if self._task.check_mode:
            return result
        device, platform = Connection(self._connection.socket_path), task_vars["platform"]
        writer, said = platforms.writer(platform["directory"]), []
        try:
            if writer:
                for name, command, given in writer[0](self._task.args["before"], change["after"], change["signed"]):
                    device.send_command(command, given, name)
            else:
                said = changes.typed(device, platform, change["lines"])
        except (DeviceError, shell.Refused) as fault:
            return {**result, "failed": True, "msg": str(fault)}
        return {**result, "said": said}
