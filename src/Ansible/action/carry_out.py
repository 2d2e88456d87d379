# SPDX-License-Identifier: GPL-3.0-or-later
"""Carries out a block given as configuration lines. It is one task, so that a device needs one session and one process; its steps are told
as they begin and end.

returns: handed_over, the result of the block; steps, that what failed was told; stopped, where a stop came before anything was typed."""
from ansible.plugins.action import ActionBase

import devices
import work


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        result, device = super().run(tmp, task_vars), devices.of(self._connection)
        return {**result, **work.done(device, task_vars, self._task.check_mode)}
