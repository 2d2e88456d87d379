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


def of_family(entries, wanted):
    """The entries of a prefix list whose prefixes are of this family."""
    return [entry for entry in sorted(entries, key=lambda entry: int(entry["sequence"])) if family(entry["prefix"]) == wanted]


def set_name(name, family):
    """The name of a set of prefixes, of which each has one family. Quotes make a name of what is otherwise none."""
    text = f"{name}_{family[2:]}"
    return text if re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", text) else f"'{text}'"


def prefix_range(entry):
    """A prefix with the lengths that it stands for."""
    prefix = ipaddress.ip_network(entry["prefix"], strict=False)
    if "ge" not in entry and "le" not in entry:
        return str(prefix)
    least, most = int(entry.get("ge", prefix.prefixlen)), int(entry.get("le", prefix.max_prefixlen))
    return f"{prefix}{{{least},{most}}}"
