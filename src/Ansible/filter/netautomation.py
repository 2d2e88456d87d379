# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters for blocks and for the engine's playbooks."""
import sys
import traceback

from ansible.utils.unsafe_proxy import wrap_var

import judge
import plan as planning
import platforms


def plan(running, part, block_input, directory, parts):
    """The lines to configure, by the block's file for the platform. Device text and input stay text, never templates."""
    try:
        planned, code = planning.plan(running, platforms.load(part), block_input, directory, parts), "refused"
    except Exception as fault:
        # A fault of the block, whose words mean nothing to a customer and may hold what the customer gave.
        print(f"plan of {part}: {type(fault).__name__} at {traceback.extract_tb(fault.__traceback__)[-1]}", file=sys.stderr)
        planned, code = planning.refused("the block has a fault on this platform; the device was only read"), "internal_error"
    if planned["refused"]:
        planned["refused"] = f"[netautomation:{code}] {planned['refused']}"
    return wrap_var(planned)


def result(change, verdict):
    return wrap_var(planning.result(change, verdict))


def compliance(text, given, directory):
    return wrap_var(judge.compliance(text, given, directory))


def snapshot(seen, given):
    return wrap_var(judge.snapshot(seen["facts"]["hostname"], seen["snapshot"], given))


def unsaved(running, startup, directory):
    return wrap_var(judge.unsaved(running, startup, directory))


def version(facts, wanted):
    return wrap_var(judge.version(facts, wanted))


def reachability(answers, given):
    return wrap_var(judge.reachability(answers, given))


def pings(given):
    return wrap_var(judge.pings(given))


class FilterModule:
    def filters(self):
        return {**planning.WORDS, "compliance": compliance, "pings": pings, "plan": plan, "reachability": reachability, "result": result,
                "snapshot": snapshot, "unsaved": unsaved, "version_wanted": version}
