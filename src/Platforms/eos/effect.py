# SPDX-License-Identifier: GPL-3.0-or-later
"""Where EOS shows what its configuration does: its VLANs, its interfaces, and the neighbours of its BGP in the default VRF."""
import json
import re

import shown

_VLAN = re.compile(r"vlan ([0-9]+)")
_INTERFACE = re.compile(r"interface (\S+)")
_ADDRESS = re.compile(r"(?:ip|ipv6) address (\S+)( secondary)?")
_NEIGHBOR = re.compile(r"neighbor (\S+)(?: remote-as ([0-9]+))?")


def effect(wanted, unwanted, ask):
    """(seen, wrong), as docs/platforms.md says."""
    # A ValueError: the device does not show it.
    return shown.effect(wanted, unwanted, lambda command: json.loads(ask(f"{command} | json")), _place, _shows)


def _place(line):
    """vlan, neighbor or interface where the device can be asked about the line, else None."""
    if not line.path:
        return "vlan" if _VLAN.fullmatch(line.text) else "interface" if _INTERFACE.fullmatch(line.text) else None
    if _VLAN.fullmatch(line.path[0]) and re.match(r"name\b", line.text):
        return "vlan"
    if _neighbor(line):
        return "neighbor" if _NEIGHBOR.fullmatch(line.text) else None  # without one of its lines it is still there
    if _INTERFACE.fullmatch(line.path[0]) and re.match(r"description|shutdown$|(?:ip|ipv6) address ", line.text):
        return "interface"
    return None


def _neighbor(line):
    """Whether the line is of a neighbour that the device shows."""
    return line.path and line.path[0].startswith("router bgp") and len(line.path) == 1 and _NEIGHBOR.match(line.text)


def _shows(line, asked):
    """As shown.effect() says."""
    place = _place(line)
    if place == "vlan":
        number = _VLAN.fullmatch((*line.path, line.text)[0])[1]
        seen = asked("show vlan")["vlans"].get(number)
        if line.text == "name":
            return bool(seen) and seen["name"] != f"VLAN{int(number):04d}"
        return bool(seen) and (not line.path or seen["name"] == line.text.removeprefix("name ") or "otherwise")
    if _neighbor(line):
        address, number = _NEIGHBOR.match(line.text).groups()
        family = "ipv6" if ":" in address else "ip"
        peer = asked(f"show {family} bgp summary").get("vrfs", {}).get("default", {}).get("peers", {}).get(address)
        return bool(peer) and (not number or str(peer.get("asn")) == number or "otherwise")
    if place == "interface":
        seen = asked("show interfaces")["interfaces"].get(_INTERFACE.fullmatch((*line.path, line.text)[0])[1])
        if not line.path:
            return seen is not None
        if seen is None:
            return None
        if line.text == "shutdown":
            return seen.get("interfaceStatus") == "disabled"
        if line.text.startswith("description"):
            said, wanted = seen.get("description"), line.text.removeprefix("description").strip()
            return bool(said) and (wanted in ("", said) or "otherwise")
        address, second = _ADDRESS.match(line.text).groups()
        shown = _addresses(seen)
        return address in shown and (shown[address] in (None, bool(second)) or "otherwise")
    return False


def _addresses(seen):
    """address -> whether it is a secondary one, which none of IPv6 is."""
    own = [(each, second) for own in seen.get("interfaceAddress", [])
           for second, those in enumerate(([own.get("primaryIp", {})], own.get("secondaryIpsOrderedList", []))) for each in those]
    shown = {f"{each['address']}/{each['maskLen']}": bool(second) for each, second in own if each.get("maskLen")}
    return shown | {f"{each['address']}/{each['subnet'].partition('/')[2]}": None
                    for each in (seen.get("interfaceAddressIp6") or {}).get("globalUnicastIp6s", [])}
