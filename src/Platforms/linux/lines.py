# SPDX-License-Identifier: GPL-3.0-or-later
"""Words of a Linux host's files, offered to block templates as filters."""
import ipaddress

# What the kernel gives a route of IPv6 that names no metric.
_METRIC6 = 1024


def static_route(route):
    """The command that makes a static route."""
    prefix, distance = ipaddress.ip_network(route["prefix"], strict=False), int(route.get("distance", 1))
    words = ["ip route replace", str(prefix)]
    if "nextHop" in route:
        words.append(f"via {ipaddress.ip_address(route['nextHop'])}")
    if "interface" in route:
        words.append(f"dev {route['interface']}")
    words.append("proto static")
    if distance > 1:
        words.append(f"metric {distance if prefix.version == 4 else _METRIC6 - 1 + distance}")
    return " ".join(words)
