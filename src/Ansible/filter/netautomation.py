# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters for blocks and for the engine's playbooks."""
from ansible.utils.unsafe_proxy import wrap_var

import plan as planning
import platforms


def plan(running, part, block_input, directory):
    """The lines to configure, by the block's file for the platform. Device text and input stay text, never templates."""
    return wrap_var(planning.plan(running, platforms.load(part), block_input, directory))


def result(change, verdict):
    return wrap_var(planning.result(change, verdict))


class FilterModule:
    def filters(self):
        return {**planning.WORDS, "plan": plan, "result": result}
