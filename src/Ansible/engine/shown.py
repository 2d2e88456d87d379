# SPDX-License-Identifier: GPL-3.0-or-later
"""What a device shows of a change, line by line, for a platform's effect.py."""
import functools


def effect(wanted, unwanted, ask, place, shows):
    """(seen, wrong), as docs/platforms.md says. ask: a command's answer, asked for once. place(line): what the device can be asked about
    the line, or None. shows(line, ask): True, False, or "otherwise" where the device shows the same thing with another value."""
    asked = functools.lru_cache(maxsize=None)(ask)
    seen = [shows(line, asked) for line in wanted]
    wrong = [line.text for line, each in zip(wanted, seen) if each == "otherwise"]
    wrong += [f"no {line.text}" for line in unwanted if shows(line, asked)]
    return all(each is True for each in seen) and all(map(place, unwanted)), wrong
