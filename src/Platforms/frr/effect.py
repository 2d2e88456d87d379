# SPDX-License-Identifier: GPL-3.0-or-later
"""Where FRR shows what its configuration does: its routing table, the neighbours of its BGP and its interfaces, all in the default VRF."""
import json
import re

import shown

_ROUTE = re.compile(r"(ip|ipv6) route (\S+) (\S+)(?: (?!tag )([^0-9 ]\S*))?(?: tag ([0-9]+))?(?: ([0-9]+))?")
_INTERFACE = re.compile(r"interface (\S+)")
_ADDRESS = re.compile(r"(?:ip|ipv6) address (\S+)")
_NEIGHBOR = re.compile(r"neighbor (\S+)(?: remote-as ([0-9]+))?")


def effect(wanted, unwanted, ask):
    """(seen, wrong), as docs/platforms.md says."""
    # A route whose next hop cannot be reached does not show, nor does what is in another VRF. A ValueError: the device does not show it.
    return shown.effect(wanted, unwanted, lambda command: json.loads(ask(command)), _place, _shows)


def _place(line):
    """route, neighbor or interface where the device can be asked about the line, else None."""
    if not line.path and _ROUTE.match(line.text):
        return "route"
    if _neighbor(line):
        return "neighbor" if _NEIGHBOR.fullmatch(line.text) else None  # without one of its lines it is still there
    if line.path and _INTERFACE.fullmatch(line.path[0]) and re.match("description|shutdown$|(?:ip|ipv6) address", line.text):
        return "interface"
    return None


def _neighbor(line):
    """Whether the line is of a neighbour that the device shows."""
    return line.path and re.fullmatch("router bgp [0-9]+", line.path[0]) and _NEIGHBOR.match(line.text)


def _shows(line, asked):
    """As shown.effect() says."""
    place = _place(line)
    if place == "route":
        family, prefix, hop, interface, tag, distance = _ROUTE.match(line.text).groups()
        for route in asked(f"show {family} route static json").get(prefix, []):
            if any(_leads(way, hop, interface) for way in route["nexthops"]):
                return (route["distance"], route.get("tag", 0)) == (int(distance or 1), int(tag or 0)) or "otherwise"
        return False
    if _neighbor(line):
        address, number = _NEIGHBOR.match(line.text).groups()
        families = asked("show bgp summary json").values()
        peers = [family["peers"][address] for family in families if isinstance(family, dict) and address in family.get("peers", {})]
        if number and any(peer.get("remoteAs") != int(number) for peer in peers):
            return "otherwise"
        return bool(peers)
    if place == "interface":
        seen = asked("show interface json").get(_INTERFACE.fullmatch(line.path[0])[1])
        if seen is None:
            return None
        if line.text == "shutdown":
            return seen.get("administrativeStatus") == "down"
        if line.text.startswith("description"):
            said, wanted = seen.get("description"), line.text.removeprefix("description").strip()
            return bool(said) and (wanted in ("", said) or "otherwise")
        return any(each["address"] == _ADDRESS.match(line.text)[1] for each in seen.get("ipAddresses", []))
    return False


def _leads(way, hop, interface):
    """A hop is an address or, where the route has none, an interface. What a hop is reached by in its turn is no hop of the route."""
    if way.get("resolver"):
        return False
    if "ip" not in way:
        return way.get("interfaceName") == hop
    return way["ip"] == hop and interface in (None, way.get("interfaceName"))
