# SPDX-License-Identifier: GPL-3.0-or-later
"""Imported by every Python of a run before anything else. Puts our own code in place of parts of ansible.netcommon's network_cli."""
import importlib.machinery
import os
import sys

_here = os.path.dirname(os.path.abspath(__file__))
# Where our actions and filters find the engine, and this file its neighbours.
sys.path[:0] = [os.path.join(os.path.dirname(_here), "engine"), _here]
_execute = importlib.machinery.SourceFileLoader.exec_module


def _exec_module(loader, module):
    _execute(loader, module)
    if loader.path.endswith("/ansible/netcommon/plugins/connection/network_cli.py"):
        guard(module)


def guard(module):
    import login
    import session
    session.guard(module)
    login.guard(module)


importlib.machinery.SourceFileLoader.exec_module = _exec_module
