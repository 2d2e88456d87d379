# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what a device says of itself, by the functions of its platform's state.py.

arguments: what, the names of functions; each, optional: what to call them for.
returns: for each name what its function returned, as a list where there is each."""
from ansible.module_utils.connection import ConnectionError as DeviceError
from ansible.plugins.action import ActionBase
from ansible.utils.unsafe_proxy import wrap_var

import devices
import platforms


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        known, device = platforms.state(task_vars["platform"]["directory"]), devices.of(self._connection)
        try:
            seen = {name: _called(known[name], device.send_command, self._task.args.get("each")) for name in self._task.args["what"]}
        except DeviceError as fault:
            return {**result, "failed": True, "msg": str(fault)}
        except (AttributeError, LookupError, TypeError, ValueError) as fault:
            # The words of the device could be anything; the code that reads them says which part of them.
            return {**result, "failed": True, "msg": f"[netautomation:task_failed] the device's answer cannot be read: {fault}"}
        return {**result, "changed": False, **wrap_var(seen)}


def _called(function, ask, each):
    return function(ask) if each is None else [function(ask, one) for one in each]
