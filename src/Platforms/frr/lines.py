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
