# SPDX-License-Identifier: GPL-3.0-or-later
"""What BIRD says of itself. docs/platforms.md says what each function returns."""
import re

from shell import ping  # noqa: F401  one of the functions


def facts(ask):
    status = ask("birdc show status")
    return {"hostname": _one(r"^Hostname is (\S+)", status), "vendor": "CZ.NIC", "version": _one(r"^BIRD (\S+)$", status),
            "interfaces": [_facts(*link) for link in _interfaces(ask)]}


def snapshot(ask):
    entries = [{"kind": "interface", "subject": name, "value": state} for name, state, _ in _interfaces(ask)]
    for name, kind, state in re.findall(r"^(\S+) +([A-Z]\S*) .*\n((?:[ \t].*\n|\n(?=[ \t]))*)", ask("birdc show protocols all"), re.M):
        if kind == "BGP":
            address, up = _one(r"Neighbor address: (\S+)", state), _one(r"BGP state: +(\S+)", state) == "Established"
            entries.append({"kind": "neighbor", "subject": f"bgp {address}", "value": "up" if up else "down"})
        entries += [{"kind": "routes", "subject": f"{channel} {name}", "value": count} for channel, count in re.findall(
            r"^  Channel (\S+)\n(?:    .*\n)*?    Routes: +([0-9]+) imported", state, re.M)]
    return entries


def _one(pattern, text):
    found = re.search(pattern, text, re.M)
    if not found:
        raise ValueError(f"no {pattern}")
    return found[1]


def _interfaces(ask):
    """(name, up or down, the lines about it)"""
    return re.findall(r"^(\S+) (up|down) \(.*\n((?:[ \t].*\n)*)", ask("birdc show interfaces"), re.M)


def _facts(name, state, said):
    addresses = re.findall(r"^\s+([0-9a-fA-F.:]+/[0-9]+) \(", said, re.M)
    return {"interface": name, "enabled": "AdminUp" in said, "up": state == "up" and "LinkUp" in said,
            "mtu": int(_one(r"\bMTU=([0-9]+)", said)), **({"addresses": addresses} if addresses else {})}
