# SPDX-License-Identifier: GPL-3.0-or-later
"""Imported by every Python of a run before anything else. When a session ends during a command, ansible.netcommon's network_cli
reports an answer without text, so a backup would be "None" and an existing route would seem absent; writing into an ended session is an
"Internal error". Here both become a lost connection."""
import importlib.machinery
import os
import sys

# Where our actions and filters find the engine.
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "engine"))
_execute = importlib.machinery.SourceFileLoader.exec_module


def _exec_module(loader, module):
    _execute(loader, module)
    if loader.path.endswith("/ansible/netcommon/plugins/connection/network_cli.py"):
        guard(module)


def guard(module):
    connection, lost = module.Connection, module.AnsibleConnectionFailure
    receive, send = connection.receive, connection.send

    def checked_receive(self, *args, **options):
        answer = receive(self, *args, **options)
        if answer is None:
            raise lost("Server connection dropped")
        return answer

    def checked_send(self, *args, **options):
        try:
            return send(self, *args, **options)
        except OSError as fault:
            raise lost("Socket is closed") from fault

    connection.receive, connection.send = checked_receive, checked_send


importlib.machinery.SourceFileLoader.exec_module = _exec_module
