# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks a device after a change: its configuration is as wanted and otherwise as it was, and the effect is there, where the device can
show it. Where nothing was typed, only the effect is looked at. A login that the block gives the device is proven first: where the device
does not let it in, its text is of no use, and this session may be the only one.

arguments: before, the configuration before; said, only where something was typed: what the device answered to lines that it took; change,
only with a login: the plan.
returns: verified, "effect" or "config"."""
import time

from ansible.module_utils.connection import Connection, ConnectionError as DeviceError
from ansible.plugins.action import ActionBase

import plan
import platforms
import proof
import tree

# Seconds between looks: the parts of a device tell each other of a change, which takes them a moment. What does not show after the first
# pause need not show at all; what shows and should not has all of them to go.
PAUSES = (0.1, 0.4, 1.5)

# The words of a device may look like those of another failure.
FAILED = "[netautomation:task_failed] "


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        part, given, directory = platforms.load(task_vars["block_part"]), task_vars["block_input"], task_vars["platform"]["directory"]
        device, said = Connection(self._connection.socket_path), self._task.args.get("said")
        if "block_login" in task_vars:
            if fault := proof.fault(task_vars, device, self._task.args["change"], self._task.args["before"]):
                return {**result, "failed": True, "msg": fault}
        if said is not None:
            try:
                after = device.read_configuration()
            except DeviceError as fault:
                return {**result, "failed": True, "msg": str(fault)}
            if fault := plan.unverified(self._task.args["before"], after, part, given, directory):
                return {**result, "failed": True, "msg": FAILED + "\n".join([fault, *(f"the device said to {words}" for words in said)])}
        seen, wrong = _look(platforms.effect(directory), plan.intent(part, given, directory), device, said is not None)
        if wrong:
            return {**result, "failed": True, "msg": FAILED + "the device is configured, and does not do it: " + "; ".join(
                map(tree.grammar(directory).masked, wrong))}
        # A login is what its line does, and it was proven before.
        return {**result, "verified": "effect" if seen or "block_login" in task_vars else "config"}


def _look(effect, intent, device, typed):
    if effect is None:
        return False, []
    for pause in (*PAUSES, 0):
        try:
            seen, wrong = effect(*intent, device.send_command)
        except (DeviceError, AttributeError, LookupError, TypeError, ValueError):
            return False, []  # a device that does not answer such a question, or in another form, is judged by its configuration
        if not wrong and (seen or not typed or pause != PAUSES[0]):
            return seen, []
        time.sleep(pause)
    return seen, wrong
