# SPDX-License-Identifier: GPL-3.0-or-later
"""How FRR takes a change back by itself, where the login lands in a shell: FRR has no timer, so a process on the router gives vtysh the
lines that undo the change.

These lines leave alone what others configure meanwhile, unlike frr-reload.py, which also needs Python and is not on every router. They hold
for a part of a change as for all of it: what is not there is negated in vain. Whether they did it, the text tells."""
import shlex

import text
import timer
from timer import armed, back, confirm

# What a small router may lack, and how it shows that it has it.
_NEEDED = {"setsid": "setsid true", "sha256sum": "sha256sum", "vtysh": "vtysh -c 'show version'"}
# A pager of the login would wait for a key.
_SHOW = "show() { VTYSH_PAGER=cat vtysh -c 'show running-config'; }"


def supported(device, options):
    """hard, or why not."""
    missing = device.send_command(
        "\n".join(f"{command} </dev/null >/dev/null 2>&1 || echo {name}" for name, command in _NEEDED.items()), "", "look for programs")
    return f"in its shell these do not run: {', '.join(missing.split())}" if missing.strip() else "hard"


def arm(device, seconds, before, change):
    """What is armed, and its seconds."""
    return timer.arm(
        device, seconds, [], f'{_SHOW}\nshow > "$place/shown"',
        f"""printf '%s\\n' {' '.join(shlex.quote(text.raw(line)) for line in change["back"])} > "$place/lines"
vtysh -f "$place/lines" || :
same || {{ echo 'the device does not show the configuration before' >&2; failed=1; }}""",
        f"""{_SHOW}\nsame() {{ [ "$(show)" = "$(cat -- "$place/shown")" ]; }}\nsame || differs=1""")
