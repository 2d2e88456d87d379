# SPDX-License-Identifier: GPL-3.0-or-later
"""Where Cisco IOS shows what its configuration does: its routing table of IPv4, its BGP, interfaces, ports and VLANs."""
import ipaddress
import re

import shown

_ROUTE = re.compile(r"ip route ([0-9.]+) ([0-9.]+)(?: ([A-Z]\S+))?(?: ([0-9.]+\.[0-9.]+))?(?: ([0-9]+))?(?: tag ([0-9]+))?")
_INTERFACE = re.compile(r"interface (\S+)")
_NEIGHBOR = re.compile(r"neighbor (\S+)(?: remote-as ([0-9]+))?")
_SETTING = re.compile(
    r"(description|shutdown|mtu|ip address|switchport (?:mode|(?:access|voice|trunk native|trunk allowed) vlan))(?: (.+))?")
# What is a line of its own.
_PLACES = {"route": _ROUTE, "VLAN": re.compile(r"vlan [0-9]+"), "interface": _INTERFACE}
# How a port's settings are shown.
_PORT = {"switchport mode": r"^Administrative Mode: (?:static )?(\S+)", "switchport access vlan": r"^Access Mode VLAN: (\d+)",
         "switchport voice vlan": r"^Voice VLAN: (\d+)", "switchport trunk native vlan": r"^Trunking Native Mode VLAN: (\d+)",
         "switchport trunk allowed vlan": r"^Trunking VLANs Enabled: (\S+)"}


def effect(wanted, unwanted, ask):
    """(seen, wrong), as docs/platforms.md says."""
    # A route whose next hop cannot be reached does not show, nor does what is in a VRF.
    return shown.effect(wanted, unwanted, ask, _place, _shows)


def _place(line):
    """What the device can be asked about the line, else None."""
    if not line.path:
        return next((place for place, pattern in _PLACES.items() if pattern.fullmatch(line.text)), None)
    if len(line.path) == 1 and re.fullmatch(r"vlan [0-9]+", line.path[0]) and re.match(r"name\b", line.text):
        return "VLAN name"
    if _neighbor(line):
        return "neighbor" if _NEIGHBOR.fullmatch(line.text) else None  # without one of its lines it is still there
    found = len(line.path) == 1 and _INTERFACE.fullmatch(line.path[0]) and _SETTING.fullmatch(line.text)
    return found and ("port" if found[1] in _PORT else "interface")


def _neighbor(line):
    """Whether the line is of a neighbour that the device shows."""
    default = line.path and line.path[0].startswith("router bgp ") and not any(" vrf " in header for header in line.path)
    return default and _NEIGHBOR.match(line.text)


def _shows(line, asked):
    """As shown.effect() says."""
    place = _place(line)
    if place == "route":
        return _route(line, asked)
    if place in ("VLAN", "VLAN name"):
        number = (*line.path, line.text)[0].split()[1]
        row, name = re.search(rf"^{number} +(\S+)", asked("show vlan brief"), re.M), line.text.partition(" ")[2]
        if place == "VLAN" or not row:
            return bool(row)
        return row[1] != f"VLAN{int(number):04d}" and (name in ("", row[1]) or "otherwise")
    if _neighbor(line):
        address, number = _NEIGHBOR.match(line.text).groups()
        rows = re.findall(rf"^\*?{re.escape(address)}\s+4\s+(\S+)", asked("show bgp all summary"), re.M)
        return bool(rows) and (number in (None, rows[0]) or "otherwise")
    if place == "port":
        name, value = _SETTING.fullmatch(line.text).groups()
        answer = asked(f"show interfaces {line.path[0].split()[1]} switchport")
        if not re.search("^Name: ", answer, re.M):
            return None
        told = re.search(_PORT[name], answer, re.M)
        return bool(told and value) and (told[1] == value or "otherwise")
    return place == "interface" and _interface(line, asked)


def _interface(line, asked):
    if not line.path:
        return f"{line.text.split()[1]} is " in asked(f"show interfaces {line.text.split()[1]}")
    interface, (name, value) = line.path[0].split()[1], _SETTING.fullmatch(line.text).groups()
    told = asked(f"show {'ip interface' if name == 'ip address' else 'interfaces'} {interface}")
    if f"{interface} is " not in told:
        return None
    if name == "ip address":
        if found := re.fullmatch(r"(\S+) (\S+)( secondary)?", value or ""):
            own = ipaddress.ip_interface(f"{found[1]}/{found[2]}")
            return bool(re.search(rf"(?:{'Secondary' if found[3] else 'Internet'}) address (?:is )?{re.escape(str(own))}\s", told + "\n"))
        return False
    if name == "shutdown":
        return f"{interface} is administratively down" in told
    said = re.search(r"^  Description: (.+?)\s*$" if name == "description" else r"\bMTU (\d+) bytes", told, re.M)
    if value is None:
        return name == "description" and bool(said)
    return bool(said) and (said[1] == value or "otherwise")


def _route(line, asked):
    network, mask, interface, hop, distance, tag = _ROUTE.fullmatch(line.text).groups()
    # One question tells of all that lead nowhere, or are gone.
    if not re.search(rf"^S\D*{re.escape(network)}[/ ]", asked("show ip route static"), re.M):
        return False
    told = asked(f"show ip route {network} {mask}")
    known = re.search(r'Known via "static", distance (\d+)', told)
    if f"Routing entry for {ipaddress.ip_network(f'{network}/{mask}')}" not in told or not known:
        return False
    ways = re.findall(r"^  \*? *(?:directly connected, via )?(\S+?)(?:, via (\S+))?\s*$", told[told.find("Descriptor Blocks:"):], re.M)
    if not any((hop or interface) == first and interface in (None, first, second) for first, second in ways):
        return False
    shown = re.search(r"^  Tag (\d+)", told, re.M)
    return (known[1], shown[1] if shown else None) == (distance or "1", tag) or "otherwise"
