# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps a block out of the Python that plays it: part of a block's templates is evaluated in the process that writes the events."""
import ansible.playbook.role
from ansible.template import AnsibleEnvironment
from ansible.template.native_helpers import ansible_concat, ansible_eval_concat
from ansible.utils.unsafe_proxy import AnsibleUnsafeText
from jinja2.sandbox import SandboxedEnvironment


def joined(parts):
    """What a template becomes. Ansible takes text that looks like a list, a mapping or a truth value for one, and fails at some of them.
    A text of the input by itself stays the text that the customer wrote."""
    parts = list(parts)
    if len(parts) == 1 and isinstance(parts[0], AnsibleUnsafeText):
        return parts[0]
    try:
        return ansible_eval_concat(part for part in parts)
    except (TypeError, RecursionError):
        return ansible_concat(parts)


def close():
    """Gives Ansible's templates the rules of Jinja's own sandbox: no names that begin with an underscore, nothing of Python's internals.
    And a role brings no plugins; other folders of plugins, which a block might write to, there are none (ANSIBLE_HOME)."""
    for name, rule in vars(SandboxedEnvironment).items():
        if not name.startswith("__"):
            setattr(AnsibleEnvironment, name, rule)
    AnsibleEnvironment.concat = staticmethod(joined)
    ansible.playbook.role.add_all_plugin_dirs = lambda path: None
