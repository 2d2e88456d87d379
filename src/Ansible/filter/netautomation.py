# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters for blocks and for the engine's playbooks."""
import os
import sys

from ansible.utils.unsafe_proxy import wrap_var

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "engine"))
import plan as planning  # noqa: E402
import platforms  # noqa: E402


def plan(running, part, block_input, directory):
    """The lines to configure, by the block's file for the platform. Device text and input stay text, never templates."""
    return wrap_var(planning.plan(running, platforms.load(part), block_input, directory))


class FilterModule:
    def filters(self):
        return {**planning.WORDS, "plan": plan}
