# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a Linux host shows what its files do: its addresses, its routing table, its name, and our table in its packet filter."""
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
_TABLE = ("file /etc/nftables.conf", "table inet netautomation {")
_CHAIN = re.compile(r"chain (\S+) \{.*\}")
_LISTED = re.compile(r"^\tchain (\S+) \{\n(.*?)^\t\}$", re.M | re.S)


def effect(wanted, unwanted, ask):
    """(seen, wrong), as docs/platforms.md says."""
    table = [route for family in "46" for route in json.loads(ask(f"ip -{family} -json route show proto static") or "[]")]
    links = {link["ifname"]: link for link in json.loads(ask("ip -json -details address")) if "ifname" in link}
    name = ask("hostname").strip()
    compared, wrong = _chains(wanted, unwanted, ask)
    seen = [_shows(path, text, table, links, name) for path, text in wanted if not _QUIET.fullmatch(text) and not _chain(path, text)]
    gone = [(text, _shows(path, text, table, links, name)) for path, text in unwanted if not _chain(path, text)]
    return compared and all(seen) and None not in (shows for _, shows in gone), wrong + [f"no {text}" for text, shows in gone if shows]


def _chain(path, text):
    """The name of a chain of our table, else None."""
    found = _CHAIN.fullmatch(text) if path == _TABLE else None
    return found and found[1]


def _chains(wanted, unwanted, ask):
    """(whether the host could compare these chains, those that are not in force as they should be). A file may never have been loaded."""
    chains, gone = ({name: text for path, text in lines if (name := _chain(path, text))} for lines in (wanted, unwanted))
    if not chains and not gone:
        return True, []
    show = "nft -s list table inet netautomation"
    force = dict(_LISTED.findall(ask(f"{show} 2>/dev/null || :")))
    # What these chains look like in the host's own words: loaded where no packet comes by, a network of their own.
    text = "\n".join(["table inet netautomation {", *chains.values(), "}\n"])
    own = dict(_LISTED.findall(ask(f"unshare -n sh -c 'nft -f - && {show}' 2>/dev/null || :", text))) if chains else {}
    wrong = [f"the chain {name} in force is not that of /etc/nftables.conf, which nft -f /etc/nftables.conf loads"
             for name in chains if name not in force or name in own and own[name] != force[name]]
    return own.keys() == chains.keys(), wrong + [f"no chain {name}" for name in gone if name in force]


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
