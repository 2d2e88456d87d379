# SPDX-License-Identifier: GPL-3.0-or-later
"""What BIRD says of itself. docs/platforms.md says what each function returns."""
import re

import shell
import shown
from shell import ping  # noqa: F401  one of the functions


def facts(ask):
    status = ask("birdc show status")
    return {"hostname": _one(r"^Hostname is (\S+)", status), "vendor": "CZ.NIC", "version": _one(r"^BIRD (\S+)$", status),
            "interfaces": [_facts(*link) for link in _interfaces(ask)]}


def snapshot(ask):
    entries = [{"kind": "interface", "subject": name, "value": state} for name, state, _ in _interfaces(ask)]
    for name, kind, state in _protocols(ask):
        if kind == "BGP":
            address, up = _peer(state)
            entries.append({"kind": "neighbor", "subject": f"bgp {address}", "value": "up" if up else "down"})
        entries += [{"kind": "routes", "subject": f"{channel} {name}", "value": count} for channel, count in re.findall(
            r"^  Channel (\S+)\n(?:    .*\n)*?    Routes: +([0-9]+) imported", state, re.M)]
    return entries


def lifelines(ask):
    protocols = shown.known(ask, _protocols)
    asked = [read for kind, read in (("OSPF", _ospf), ("Babel", _babel)) if any(kind == each for _, each, _ in protocols)]
    peers = [_peer(state) + (state,) for _, kind, state in protocols if kind == "BGP"]
    # A neighbour is up in each channel by itself.
    bgp = [f"bgp {address} {channel}" for address, up, state in peers if up
           for channel in re.findall(r"^  Channel (\S+)\n    State: +UP$", state, re.M)]
    return {"neighbors": bgp + shown.known(ask, *asked), "default_routes": shell.default_routes(ask)}


def _protocols(ask):
    """(name, kind, the lines about it) of each protocol."""
    return re.findall(r"^(\S+) +([A-Z]\S*) .*\n((?:[ \t].*\n|\n(?=[ \t]))*)", ask("birdc show protocols all"), re.M)


def _peer(state):
    """(address, whether it is up) of a neighbour of BGP."""
    return _one(r"Neighbor address: (\S+)", state), _one(r"BGP state: +(\S+)", state) == "Established"


def _ospf(ask):
    return [f"ospf {router} {interface}" for router, interface in re.findall(
        r"^(\d\S*)\s+\d+\s+Full/\S+\s+\S+\s+(\S+)", ask("birdc show ospf neighbors"), re.M)]


def _babel(ask):
    return [f"babel {address} {interface}" for address, interface in re.findall(
        r"^(\S*[.:]\S*) +(\S+) +\d+ ", ask("birdc show babel neighbors"), re.M)]


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
