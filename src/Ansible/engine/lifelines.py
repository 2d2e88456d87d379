# SPDX-License-Identifier: GPL-3.0-or-later
"""What a device must still have after a change: the routing neighbours and the default routes that were up before it."""
import collections

import platforms

# What they are called, one of them and more.
_WORDS = {"neighbors": ("neighbour", "neighbours"), "default_routes": ("default route", "default routes")}
# So many of the lost ones are named.
_NAMED = 10


def taken(directory, ask):
    """What is up now, by the platform's state.py: names of neighbours and of default_routes; {} where the platform cannot show it."""
    read = platforms.state(directory).get("lifelines")
    return {kind: sorted(names) for kind, names in read(ask).items()} if read else {}


def lost(before, now, tolerance):
    """What of before is up no more, in words; "" where no more is lost than tolerance, a number for each kind, allows. What is new does not
    make up for it. Where several have the same name, all of them count."""
    parts = []
    for kind, words in _WORDS.items():
        gone = collections.Counter(before.get(kind, ())) - collections.Counter(now.get(kind, ()))
        names, allowed = sorted(gone.elements()), tolerance.get(kind, 0)
        if len(names) > allowed:
            told = ", ".join(names[:_NAMED]) + (f", and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
            parts.append(f"lost {len(names)} {words[len(names) > 1]} ({told}), {allowed} may be lost")
    return "; ".join(parts)
