# SPDX-License-Identifier: GPL-3.0-or-later
"""Words of BIRD's configuration, offered to block templates as filters."""
import ipaddress
import re


def static_route(route):
    """The statement of a static route."""
    prefix = ipaddress.ip_network(route["prefix"], strict=False)
    if "nextHop" not in route:
        return f'route {prefix} via "{route["interface"]}"'
    link = f'%{route["interface"]}' if "interface" in route else ""
    return f"route {prefix} via {ipaddress.ip_address(route['nextHop'])}{link}"


def family(address):
    """The channel of an address or a prefix."""
    return "ipv6" if ":" in address else "ipv4"


def symbol(text):
    """Text as the name of a protocol: letters, digits and underscores."""
    return re.sub(r"[^a-z0-9]", "_", text.lower())


def quoted(text):
    """Text in quotes, which BIRD cannot have in it."""
    if '"' in str(text):
        raise ValueError("a quote in a text")
    return f'"{text}"'
