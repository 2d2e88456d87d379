# SPDX-License-Identifier: GPL-3.0-or-later
"""Types lines into a device's configuration, one after the other, and stops at the first that it refuses.

arguments: lines; diff, what they change, for the event."""
from ansible.module_utils.connection import Connection, ConnectionError as DeviceError
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        result = {**super().run(tmp, task_vars), "changed": True, "diff": {"prepared": self._task.args["diff"]}}
        if self._task.check_mode:
            return result
        device, commands = Connection(self._connection.socket_path), task_vars["platform"]["commands"]
        said = []
        try:
            for line in (commands["configure"], *self._task.args["lines"], commands["end"]):
                if words := device.send_command(line.strip()).strip():
                    said.append(f"{line.strip()}: {words}")
        except DeviceError as fault:
            return {**result, "failed": True, "changed": bool(said) or line != commands["configure"], "msg": str(fault)}
        return {**result, "said": said}
