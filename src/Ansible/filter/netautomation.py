# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters for blocks and for the engine's playbooks."""
from ansible.utils.unsafe_proxy import wrap_var

import judge
import plan as planning


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
        return {**planning.WORDS, "compliance": compliance, "pings": pings, "reachability": reachability, "snapshot": snapshot,
                "unsaved": unsaved, "version_wanted": version}
