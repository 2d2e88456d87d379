# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters for blocks."""
import ipaddress


def canonical_prefix(value):
    """10.9.1.1/16 -> 10.9.0.0/16: the form in which a router shows the prefix again."""
    return str(ipaddress.ip_network(value, strict=False))


def one_line(value):
    """A value that is to become part of a configuration line: a line break in it would be a second command."""
    text = str(value)
    if any(ord(c) < 32 or 127 <= ord(c) < 160 or c in "\u2028\u2029" for c in text):
        raise ValueError("a control character in a value for a configuration line")
    return text


class FilterModule:
    def filters(self):
        return {"canonical_prefix": canonical_prefix, "one_line": one_line}
