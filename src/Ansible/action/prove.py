# SPDX-License-Identifier: GPL-3.0-or-later
"""Proves the login that a block gives the device by a new session, with its password alone. Where the device does not let it in, the change
is taken back over the session that is open: there may be no other way in.

arguments: change, the plan; before, the configuration that it was made for."""
import time

from ansible.module_utils.connection import Connection, ConnectionError as DeviceError
from ansible.plugins.action import ActionBase

import change as changes
import login
import ssh


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        result, change, before = super().run(tmp, task_vars), self._task.args["change"], self._task.args["before"]
        user, password = (str(task_vars["block_input"][name]) for name in task_vars["block_login"])
        own = login.device(task_vars["ansible_host"])
        # Answers to further questions belong to the login that they were given for.
        device = {**own, "username": user, "password": password, "pendingPassword": None, "privateKey": None,
                  "answers": own.get("answers") if user == own["username"] else []}
        try:
            session, _ = ssh.log_in(device, time.monotonic() + own["connectSeconds"])
            session.close()
            return {**result, "changed": False}
        except ssh.Fault as fault:
            words = str(fault)
        except Exception as fault:
            words = f"The device ended the login ({type(fault).__name__})."
        back = ""
        if change.get("back"):
            try:
                changes.taken_back(Connection(self._connection.socket_path), task_vars["platform"], change, before)
                back = " The change is taken back."
            except DeviceError as fault:
                back = f" The change could not be taken back: {login.uncoded(fault)}"
        words = login.coded("not_proven", f"The login of {user} with the new password failed: {words}{back}")
        return {**result, "failed": True, "msg": words}
