# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a Linux host shows what its files do: its addresses, its routing table and its name."""
import ipaddress
import json
import re

_STATIC = re.compile(r"iface (\S+) inet6? static")
_ADDRESS = re.compile(r"address ([0-9a-fA-F.:]+/[0-9]+)")
# What has no effect by itself.
_QUIET = re.compile(r"#!/bin/sh|auto \S+")
_FURTHER = re.compile(r"up ip address replace (\S+) dev (\S+)")
_SETTING = re.compile(r"up ip link set dev (\S+) (?:(alias|mtu) (.+)|(up|down))")
_ROUTE = re.compile(r"ip route replace (\S+)(?: via (\S+))?(?: dev (\S+))? proto static(?: metric ([0-9]+))?")


def effect(wanted, unwanted, ask):
    """(seen, wrong), as docs/platforms.md says."""
    table = [route for family in "46" for route in json.loads(ask(f"ip -{family} -json route show proto static") or "[]")]
    links = {link["ifname"]: link for link in json.loads(ask("ip -json -details address")) if "ifname" in link}
    name = ask("hostname").strip()
    seen = [_shows(path, text, table, links, name) for path, text in wanted if not _QUIET.fullmatch(text)]
    gone = [(text, _shows(path, text, table, links, name)) for path, text in unwanted]
    return all(seen) and None not in (shows for _, shows in gone), [f"no {text}" for text, shows in gone if shows]


def _shows(path, text, table, links, name):
    """Whether the host shows it; None where it is nothing that it shows."""
    link, own = len(path) == 2 and _STATIC.fullmatch(path[1]), _ADDRESS.fullmatch(text)
    if link and own:
        return _has(links, link[1], own[1])
    if further := _FURTHER.fullmatch(text):
        return _has(links, further[2], further[1])
    if setting := _SETTING.fullmatch(text):
        seen, (name, value, state) = links.get(setting[1], {}), setting.groups()[1:]
        shown = {"alias": f'"{seen.get("ifalias", "")}"', "mtu": str(seen.get("mtu"))}
        return shown[name] == value if name else ("UP" in seen.get("flags", [])) == (state == "up")
    if path == ("file /etc/hostname",):
        return text == name
    if not (found := _ROUTE.fullmatch(text)):
        return None
    prefix, hop, interface, metric = found.groups()
    network = ipaddress.ip_network(prefix)
    return any(
        _network(route["dst"], network.version) == network and hop in (None, route.get("gateway")) and interface in (None, route.get("dev"))
        and route.get("metric", 0) == int(metric or (1024 if network.version == 6 else 0)) for route in table)


def _has(links, link, address):
    owned = {f"{own['local']}/{own['prefixlen']}" for own in links.get(link, {}).get("addr_info", [])}
    return str(ipaddress.ip_interface(address)) in owned


def _network(text, version):
    """A route's prefix; a host's has no length, and "default" is none."""
    every = "0.0.0.0/0" if version == 4 else "::/0"
    network = ipaddress.ip_network(every if text == "default" else text)
    return network if network.version == version else None
