# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps a block out of the Python that plays it: part of a block's templates is evaluated in the process that writes the events."""
import ansible.playbook.role
from ansible.template import AnsibleEnvironment
from jinja2.sandbox import SandboxedEnvironment


def close():
    """Gives Ansible's templates the rules of Jinja's own sandbox: no names that begin with an underscore, nothing of Python's internals.
    And a role brings no plugins; other folders of plugins, which a block might write to, there are none (ANSIBLE_HOME)."""
    for name, rule in vars(SandboxedEnvironment).items():
        if not name.startswith("__"):
            setattr(AnsibleEnvironment, name, rule)
    ansible.playbook.role.add_all_plugin_dirs = lambda path: None
