# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks a device after a change: its configuration is as wanted and otherwise as it was, and the effect is there, where the device can
show it. Where nothing was typed, only the effect is looked at.

arguments: before; after, only where something was typed; said, what the device answered to lines that it took."""
import time

from ansible.module_utils.connection import Connection, ConnectionError as DeviceError
from ansible.plugins.action import ActionBase

import plan
import platforms

# Seconds between looks: the parts of a device tell each other of a change, which takes them a moment.
PAUSES = (0.1, 0.4, 1.5)


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        part, given, directory = platforms.load(task_vars["block_part"]), task_vars["block_input"], task_vars["platform"]["directory"]
        before, after, said = (self._task.args.get(name) for name in ("before", "after", "said"))
        if after and (fault := plan.unverified(before, after, part, given, directory)):
            return {**result, "failed": True, "msg": "\n".join([fault, *(f"the device said to {words}" for words in said or [])])}
        seen, wrong = self._look(platforms.effect(directory), plan.intent(part, given, directory))
        if wrong:
            return {**result, "failed": True, "msg": "the device is configured, and does not do it: " + "; ".join(wrong)}
        return {**result, "verified": "effect" if seen else "config"}

    def _look(self, effect, intent):
        if effect is None:
            return False, []
        device = Connection(self._connection.socket_path)
        for pause in (*PAUSES, 0):
            try:
                seen, wrong = effect(*intent, device.send_command)
            except (DeviceError, ValueError):
                return False, []  # a device that does not answer such a question is judged by its configuration
            if seen or not wrong and pause != PAUSES[0]:
                return seen, []
            time.sleep(pause)
        return seen, wrong
