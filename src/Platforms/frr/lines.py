# SPDX-License-Identifier: GPL-3.0-or-later
"""Words of FRR's configuration lines, offered to block templates as filters."""
import ipaddress


def static_route(route):
    """The line of a static route as FRR shows it; the default distance, 1, is not shown."""
    prefix = ipaddress.ip_network(route["prefix"], strict=False)
    words = ["ipv6" if prefix.version == 6 else "ip", "route", str(prefix)]
    if "nextHop" in route:
        words.append(str(ipaddress.ip_address(route["nextHop"])))
    if "interface" in route:
        words.append(route["interface"])
    if "tag" in route:
        words.append(f"tag {int(route['tag'])}")
    if int(route.get("distance", 1)) != 1:
        words.append(str(int(route["distance"])))
    return " ".join(words)


def interface_address(address):
    """The line of an address in its interface's section."""
    own = ipaddress.ip_interface(address)
    return f"{'ipv6' if own.version == 6 else 'ip'} address {own}"


def prefix_entry(entry, name):
    """The line of an entry of a prefix list."""
    prefix = ipaddress.ip_network(entry["prefix"], strict=False)
    words = ["ipv6" if prefix.version == 6 else "ip", "prefix-list", name, "seq", str(int(entry["sequence"])), entry["action"], str(prefix)]
    return " ".join([*words, *(f"{word} {int(entry[word])}" for word in ("ge", "le") if word in entry)])
