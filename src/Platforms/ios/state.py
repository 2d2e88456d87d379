# SPDX-License-Identifier: GPL-3.0-or-later
"""What Cisco IOS says of itself. docs/platforms.md says what each function returns."""
import re

import shown

# What of a configuration tells which protocols and VRFs there are. Each has a host name.
_ROUTING = "show running-config | include ^hostname|^router|^ipv6 router|^vrf definition|^ip vrf|address-family|ipv6 address|ipv6 enable"
_UNITS = {"year": 31536000, "week": 604800, "day": 86400, "hour": 3600, "minute": 60}


def facts(ask):
    told = ask("show version")
    hostname, uptime = re.search(r"^(\S+) uptime is (.+?)\s*$", told, re.M).groups()
    seen = {"hostname": hostname, "vendor": "Cisco", "version": re.search(r"\bVersion ([^\s,]+)", told)[1],
            "uptimeSeconds": sum(int(count) * _UNITS[unit] for count, unit in re.findall(r"(\d+) (\w+?)s?\b", uptime) if unit in _UNITS)}
    for name, pattern in (("model", r"^[Cc]isco (\S+) .*processor"), ("serial", r"^Processor board ID (\S+)")):
        if found := re.search(pattern, told, re.M):
            seen[name] = found[1]
    addresses, vrfs = _addresses(ask)
    return {**seen, "interfaces": [_facts(name, lines, addresses, vrfs) for name, lines in _interfaces(ask("show interfaces"))]}


def snapshot(ask):
    _, vrfs = _addresses(ask)
    entries = [{"kind": "interface", "subject": name, "value": "up" if _up(lines) else "down", **_vrf(vrfs, name)}
               for name, lines in _interfaces(ask("show interfaces"))]
    entries += [{"kind": "neighbor", "subject": subject, "value": "up" if up else "down"} for subject, up in _peers(ask)]
    for family, columns in (("ip", 2), ("ipv6", 1)):
        for line in ask(f"show {family} route summary").splitlines():
            found = re.match(r"([a-z]\S*(?: \S+)??)\s+((?:\d+\s+)*\d+)\s*$", line)
            if found and found[1] != "internal":
                entries.append({"kind": "routes", "subject": f"{family} {found[1]}",
                                "value": str(sum(map(int, found[2].split()[:columns])))})
    return entries


def lifelines(ask):
    lines = shown.known(ask, lambda ask: ask(_ROUTING).splitlines())
    # Header of the configuration, reader; all are asked where the device does not tell.
    protocols = [
        (r"router bgp ", lambda ask: [subject for subject, up in _peers(ask) if up]),
        (r"router ospf ", lambda ask: _ospf(ask, "ospf", "show ip ospf neighbor")),
        (r"router ospfv3 ", lambda ask: _ospf(ask, "ospfv3", "show ospfv3 neighbor")),
        (r"ipv6 router ospf ", lambda ask: _ospf(ask, "ospfv3", "show ipv6 ospf neighbor")),
        (r"router isis", _isis)]
    asked = [read for header, read in protocols if not lines or any(re.match(header, line) for line in lines)]
    places = _places(lines) if lines else [("eigrp", "ip", ""), ("eigrp", "ipv6", ""), ("routes", "ip", ""), ("routes", "ipv6", "")]
    # What is in a VRF is asked for each by itself.
    asked += [lambda ask, place=place: _eigrp(ask, *place) for kind, *place in places if kind == "eigrp"]
    routes = [lambda ask, place=place: _default_routes(ask, *place) for kind, *place in places if kind == "routes"]
    return {"neighbors": shown.known(ask, *asked), "default_routes": shown.known(ask, *routes)}


def _places(lines):
    """(eigrp or routes, family, VRF) of each routing table, and of each of EIGRP's, that a configuration has. "" is the default VRF."""
    six = any(re.match(" ipv6 (?:address|enable)", line) for line in lines)
    places, section = [("routes", "ip", ""), *([("routes", "ipv6", "")] if six else [])], ""
    for line in lines:
        family = re.match(r" +address-family (?:ipv4|(ipv6))\b(?:.* vrf (\S+))?", line)
        if not line.startswith(" "):
            section = line
            if found := re.match(r"ip vrf (\S+)", line):
                places.append(("routes", "ip", found[1]))
            elif found := re.match(r"router eigrp \d|(ipv6) router eigrp ", line):
                places.append(("eigrp", found[1] or "ip", ""))
        elif family and (found := re.match(r"(router eigrp )|vrf definition (\S+)", section)):
            name = family[1] or "ip"
            if found[1] or name == "ip" or six:
                places.append(("eigrp" if found[1] else "routes", name, (family[2] if found[1] else found[2]) or ""))
    return list(dict.fromkeys(places))


def _peers(ask):
    """(subject, whether it is up) of each neighbour of BGP in each of its families; those of VRFs are among VPNv4 and VPNv6."""
    family = None
    # A long address has a line of its own.
    for line in re.sub(r"^(\S*:\S*)\s*\n", r"\1 ", ask("show bgp all summary"), flags=re.M).splitlines():
        if found := re.match(r"For address family: (.+?)\s*$", line):
            family = found[1]
        elif found := re.match(r"\*?(\S*[.:]\S*)\s+4\s+(?:\S+\s+){7}(\S.*)$", line):
            yield f"bgp {found[1]} {family}", found[2].isdigit()


def _ospf(ask, name, command):
    return [f"{name} {router} {interface}" for router, interface in re.findall(
        r"^(\d\S*) +\d+ +FULL/ *\S+ +\S+ +\S+ +(\S+)\s*$", ask(command), re.M)]


def _isis(ask):
    # A system is shown by its name as soon as that is known, so its address is what stays.
    return [f"isis {address or system} {level} {interface}" for system, level, interface, address in re.findall(
        r"^(\S+) +(L\S+) +(\S+) +(?:(\S+) +)?UP ", ask("show isis neighbors"), re.M)]


def _eigrp(ask, family, vrf):
    # An address that is link-local stands in a line of its own.
    told = re.sub(r"^(\d+ +)Link-local address: +(.*)\n +(\S+) *$", r"\1\3 \2", ask(f"show {family} eigrp {_in(vrf)}neighbors"), flags=re.M)
    return [_named(f"eigrp {address} {interface}", vrf) for address, interface in re.findall(
        r"^\d+ +(\S*[.:]\S*) +(\S+) +\d+ ", told, re.M)]


def _default_routes(ask, family, vrf):
    prefix = "0.0.0.0 0.0.0.0" if family == "ip" else "::/0"
    told = ask(f"show {family} route {_in(vrf)}{prefix}")
    if found := re.search(r"^Default gateway is (\S+)", told, re.M):
        # It does not route.
        return [shown.default_route(family, (found[1],))]
    if f"Routing entry for {prefix.split()[0].removesuffix('/0')}/0" not in told:
        return []
    ways = [_way(words) for words in re.findall(r"^  [* ] (\S.*?)\s*$", told, re.M)]
    return [shown.default_route(family, way, vrf) for way in ways if "Null0" not in way]


def _way(words):
    """Next hop and interface of a route, without who told it and when."""
    parts = re.sub(r"^directly connected,? ", "", words).split(", ")
    return [part.removeprefix("via ") for part in parts if not re.match(r"from |.* ago$|indirectly connected", part)]


def _in(vrf):
    return f"vrf {vrf} " if vrf else ""


def _named(subject, vrf):
    return f"{subject} vrf {vrf}" if vrf else subject


def neighbors(ask):
    names = {_short(name): name for name, _ in _interfaces(ask("show interfaces"))}
    rows = []
    for part in re.split(r"^-{10,}\s*$", ask("show lldp neighbors detail"), flags=re.M)[1:]:
        def said(pattern, part=part):
            found = re.search(pattern, part, re.M)
            return found[1] if found and found[1] != "not advertised" else None
        local = said(r"^Local Intf: (\S+)")
        optional = {"neighborInterface": said(r"^Port id: (.+?)\s*$"), "address": said(r"^    IP: (\S+)"),
                    "description": said(r"^System Description: *\n(.+?)\s*$")}
        rows.append({"interface": names.get(local, local), "neighbor": said(r"^System Name: (.+?)\s*$") or said(r"^Chassis id: (\S+)"),
                     **{name: value for name, value in optional.items() if value}})
    return rows


def ping(ask, destination):
    words = ["ping", *(["vrf", destination["vrf"]] if "vrf" in destination else []), destination["address"],
             "repeat", str(destination["count"]), "timeout 1"]
    words += ["source", destination["sourceInterface"]] if "sourceInterface" in destination else []
    said = ask(" ".join(words))
    counts = re.search(r"\((\d+)/(\d+)\)", said)
    if not counts:
        raise ValueError(f"ping says {said.strip()[:200]}")
    average = re.search(r"min/avg/max = \d+/(\d+)/\d+ ms", said)
    return {"sent": int(counts[2]), "received": int(counts[1]), **({"rttMs": int(average[1])} if average else {})}


def _short(name):
    return re.sub(r"^([A-Za-z]{2})[A-Za-z-]*", r"\1", name)


def _interfaces(told):
    """(name, the lines about it) of each interface."""
    parts = re.split(r"^(\S+)(?= is (?:up|down|administratively down|deleted))", told, flags=re.M)[1:]
    return list(zip(parts[::2], parts[1::2]))


def _addresses(ask):
    """({interface: addresses}, {interface: VRF})"""
    addresses, vrfs = {}, {}
    for name, lines in _interfaces(ask("show ip interface")):
        addresses[name] = re.findall(r"^  (?:Internet|Secondary) address is (\S+)|^  Secondary address (\S+)", lines, re.M)
        addresses[name] = ["".join(pair) for pair in addresses[name]]
        if found := re.search(r'VPN Routing/Forwarding "([^"]+)"', lines):
            vrfs[name] = found[1]
    for name, lines in _interfaces(ask("show ipv6 interface")):
        for address, prefix in re.findall(r"^    (\S+), subnet is \S+(/\d+)", lines, re.M):
            addresses.setdefault(name, []).append(address.lower() + prefix)
    return addresses, vrfs


def _facts(name, lines, addresses, vrfs):
    mac = re.search(r"address is (\w{4})\.(\w{4})\.(\w{4})", lines)
    description, mtu = re.search(r"^  Description: (.+?)\s*$", lines, re.M), re.search(r"\bMTU (\d+) bytes", lines)
    said = {"description": description and description[1], "mtu": mtu and int(mtu[1]),
            "mac": mac and ":".join(re.findall("..", "".join(mac.groups()))), "addresses": addresses.get(name)}
    return {"interface": name, "enabled": not lines.startswith(" is administratively down"), "up": _up(lines), **_vrf(vrfs, name),
            **{member: value for member, value in said.items() if value}}


def _up(lines):
    return bool(re.match(r" is up, line protocol is up\b", lines))


def _vrf(vrfs, name):
    return {"vrf": vrfs[name]} if name in vrfs else {}
