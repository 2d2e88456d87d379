# SPDX-License-Identifier: GPL-3.0-or-later
"""Proves the login that a block gives a device by a new session, with its password alone."""
import time

from ansible.module_utils.connection import ConnectionError as DeviceError

import change as changes
import login
import ssh


def fault(variables, open_session, platform, change, before):
    """Why the device does not let the login in; None where it does. The change is taken back then, over the session that is open: there may
    be no other way in."""
    user, password = (str(variables["block_input"][name]) for name in variables["block_login"])
    own = login.device(variables["ansible_host"])
    # Answers to further questions belong to the login that they were given for.
    device = {**own, "username": user, "password": password, "pendingPassword": None, "privateKey": None,
              "answers": own.get("answers") if user == own["username"] else []}
    try:
        session, _ = ssh.log_in(device, time.monotonic() + own["connectSeconds"])
        session.close()
        return None
    except ssh.Fault as refused:
        words = str(refused)
    except Exception as ended:
        words = f"The device ended the login ({type(ended).__name__})."
    if change.get("back"):
        try:
            changes.taken_back(open_session, platform, variables["platform"]["directory"], change, before)
            words += " The change is taken back."
        except DeviceError as failed:
            words += f" The change could not be taken back: {login.uncoded(failed)}"
    return login.coded("not_proven", f"The login of {user} with the new password failed: {words}")
