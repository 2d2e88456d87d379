# SPDX-License-Identifier: GPL-3.0-or-later
"""Types lines into a device's configuration, one after the other, and stops at the first that it refuses.

arguments: lines; diff, what they change, for the event.
returns: said, what the device answered to lines that it took."""
from ansible.module_utils.connection import Connection, ConnectionError as DeviceError
from ansible.plugins.action import ActionBase

import text
import tree


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        result = {**super().run(tmp, task_vars), "changed": True, "diff": {"prepared": self._task.args["diff"]}}
        if self._task.check_mode:
            return result
        device, platform = Connection(self._connection.socket_path), task_vars["platform"]
        grammar, commands, said = tree.grammar(platform["directory"]), platform["commands"], []
        try:
            for line in (commands["configure"], *self._task.args["lines"], commands["end"]):
                line = text.raw(line).strip()
                if grammar.renames(line):
                    device.renames()
                if words := device.send_command(line).strip():
                    said.append("\n".join(map(grammar.masked, f"{line}: {words}".splitlines())))
        except DeviceError as fault:
            return {**result, "failed": True, "msg": str(fault)}
        return {**result, "said": said}
