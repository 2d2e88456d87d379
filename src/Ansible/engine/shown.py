# SPDX-License-Identifier: GPL-3.0-or-later
"""What a device shows: of a change, line by line, for a platform's effect.py; and as far as it can be asked, for its state.py."""
import functools

from ansible.module_utils.connection import ConnectionError as DeviceError


def effect(wanted, unwanted, ask, place, shows):
    """(seen, wrong), as docs/platforms.md says. ask: a command's answer, asked for once. place(line): what the device can be asked about
    the line, or None. shows(line, ask): True, False, "otherwise" where the device shows the same thing with another value, or None where it
    does not show what the line is a part of, such as an interface that it does not have."""
    asked = functools.lru_cache(maxsize=None)(ask)
    seen = [shows(line, asked) for line in wanted]
    wrong = [line.text for line, each in zip(wanted, seen) if each == "otherwise"]
    gone = [shows(line, asked) if place(line) else None for line in unwanted]
    wrong += [f"no {line.text}" for line, each in zip(unwanted, gone) if each]
    return all(each is True for each in seen) and None not in gone, wrong


def known(ask, *readers):
    """What these functions of ask read, as one list. One whose command the device refuses, or answers in another form, reads nothing; a
    session that ended is an error."""
    found = []
    for read in readers:
        try:
            found += list(read(ask))
        except DeviceError as fault:
            if "[netautomation:task_failed]" not in str(fault):
                raise
        except (AttributeError, LookupError, TypeError, ValueError):
            pass
    return found


def default_route(family, way, vrf=None):
    """The name of a default route. way: its next hop, its interface, or both. vrf: none for the default one."""
    return f"{family} default via {' '.join(filter(None, way))}{f' vrf {vrf}' if vrf else ''}"
