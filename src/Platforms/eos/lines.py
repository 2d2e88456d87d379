# SPDX-License-Identifier: GPL-3.0-or-later
"""Words of EOS's configuration lines, offered to block templates as filters."""
import ipaddress
import re

_KINDS = ("Ethernet", "Loopback", "Management", "Port-Channel", "Tunnel", "Vlan", "Vxlan")


def interface_name(name):
    """The name as EOS shows it: et1 -> Ethernet1."""
    word, number = re.fullmatch(r"(\D*)(.*)", name, re.S).groups()
    found = [kind for kind in _KINDS if word and kind.lower().startswith(word.lower())]
    return found[0] + number if len(found) == 1 else name


def static_route(route):
    """The line of a static route as EOS shows it; the default distance, 1, is not shown."""
    prefix = ipaddress.ip_network(route["prefix"], strict=False)
    words = ["ipv6" if prefix.version == 6 else "ip", "route"]
    if "vrf" in route:
        words += ["vrf", route["vrf"]]
    words.append(str(prefix))
    if "interface" in route:
        words.append(interface_name(route["interface"]))
    if "nextHop" in route:
        words.append(str(ipaddress.ip_address(route["nextHop"])))
    if int(route.get("distance", 1)) != 1:
        words.append(str(int(route["distance"])))
    if "tag" in route:
        words.append(f"tag {int(route['tag'])}")
    return " ".join(words)


def interface_addresses(addresses):
    """The lines of addresses in their interface's section: the first one of IPv4 is the primary one."""
    lines, first = [], True
    for own in map(ipaddress.ip_interface, addresses):
        if own.version == 6:
            lines.append(f"ipv6 address {own}")
        else:
            lines.append(f"ip address {own}{'' if first else ' secondary'}")
            first = False
    return lines


def is_port(name):
    """The interface is a switched one unless it is told to be routed."""
    return re.fullmatch(r"(?:Ethernet|Port-Channel)[0-9/]+", name) is not None
