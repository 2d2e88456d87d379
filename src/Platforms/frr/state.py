# SPDX-License-Identifier: GPL-3.0-or-later
"""What FRR says of itself. docs/platforms.md says what each function returns."""
import json
import re

import shown


def facts(ask):
    version, hostname = re.search(r"^FRRouting (\S+) \((.+)\) on ", ask("show version"), re.M).groups()
    return {"hostname": hostname, "vendor": "FRRouting", "version": version,
            "interfaces": [_facts(name, seen) for name, seen in _interfaces(ask)]}


def snapshot(ask):
    entries = [{"kind": "interface", "subject": name, "value": "up" if _up(seen) else "down", **_vrf(seen["vrfName"])}
               for name, seen in _interfaces(ask)]
    entries += [{"kind": "neighbor", "subject": subject, **_vrf(vrf), "value": "up" if up else "down"}
                for subject, vrf, up in _peers(ask)]
    for family in ("ip", "ipv6"):
        routes = json.loads(ask(f"show {family} route summary json"))["routes"]
        entries += [{"kind": "routes", "subject": f"{family} {route['type']}", "value": str(route["rib"])} for route in routes]
    return entries


def lifelines(ask):
    # Where nobody tells which programs run, all of them are asked.
    programs = shown.known(ask, lambda ask: ask("show daemons").split())
    protocols = {"bgpd": _bgp, "ospfd": _ospf, "ospf6d": _ospf6, "isisd": _isis}
    asked = [read for name, read in protocols.items() if name in programs or "zebra" not in programs]
    return {"neighbors": shown.known(ask, *asked), "default_routes": shown.known(
        ask, lambda ask: _default_routes(ask, "ip", "0.0.0.0/0"), lambda ask: _default_routes(ask, "ipv6", "::/0"))}


def _bgp(ask):
    return [_named(subject, vrf) for subject, vrf, up in _peers(ask) if up]


def _ospf(ask):
    for vrf, seen in json.loads(ask("show ip ospf vrf all neighbor json")).items():
        for router, each in seen["neighbors"].items():
            yield from (_named(f"ospf {router} {one['ifaceName'].partition(':')[0]}", vrf) for one in each
                        if (one.get("nbrState") or one["state"]).startswith("Full"))


def _ospf6(ask):
    for document in _documents(ask("show ipv6 ospf6 vrf all neighbor json")):
        # Newer releases name the VRF.
        for vrf, seen in {"default": document}.items() if "neighbors" in document else document.items():
            yield from (_named(f"ospf6 {one['neighborId']} {one['interfaceName']}", vrf) for one in seen["neighbors"]
                        if one["state"].startswith("Full"))


def _isis(ask):
    for document in _documents(ask("show isis vrf all neighbor json")):
        # A system is shown by its name as soon as that is known, so the address of its interface is what stays.
        yield from (f"isis {one['snpa']} {one['interface']} level {one['level']}" for area in document["areas"] for one in area["circuits"]
                    if one.get("state") == "Up")


def _default_routes(ask, family, prefix):
    for document in _documents(ask(f"show {family} route vrf all {prefix} json")):
        for route in document.get(prefix, []):
            # What a hop is reached by in its turn is no hop of the route, and one without address and interface leads nowhere.
            yield from (shown.default_route(family, (way.get("ip"), way.get("interfaceName")), _vrf(route["vrfName"]).get("vrf"))
                        for way in route["nexthops"] if route.get("selected") and way.get("active") and not way.get("resolver")
                        and ("ip" in way or "interfaceName" in way))


def _named(subject, vrf):
    return subject if vrf == "default" else f"{subject} vrf {vrf}"


def _documents(answer):
    """For all VRFs some commands answer with one JSON text for each."""
    decoder, at = json.JSONDecoder(), 0
    while at < len(answer := answer.strip()):
        document, at = decoder.raw_decode(answer, at)
        yield document
        at += len(answer[at:]) - len(answer[at:].lstrip())


def _peers(ask):
    """(subject, VRF, whether it is up) of each neighbour of BGP in each of its families."""
    for vrf, families in _all_vrfs(ask("show bgp vrf all summary json")).items():
        for family, peers in families.items():
            for address, peer in (peers.get("peers") or {}).items():
                yield f"bgp {address} {family}", vrf, peer["state"] == "Established"


def _all_vrfs(answer):
    """{VRF: {family: summary}}; without BGP the answer is empty or says so."""
    try:
        return {vrf: {family: seen for family, seen in families.items() if isinstance(seen, dict)}
                for vrf, families in json.loads(answer).items() if isinstance(families, dict)}
    except ValueError:
        return {}


def _interfaces(ask):
    """Those that the kernel has: a configuration may name others."""
    return [(name, seen) for name, seen in json.loads(ask("show interface json")).items() if not seen.get("pseudoInterface")]


def _facts(name, seen):
    said = {"description": seen.get("description"), "mtu": seen.get("mtu"), "mac": seen.get("hardwareAddress"),
            "addresses": [each["address"] for each in seen.get("ipAddresses", [])]}
    return {"interface": name, "enabled": seen["administrativeStatus"] == "up", "up": _up(seen), **_vrf(seen["vrfName"]),
            **{member: value for member, value in said.items() if value}}


def _up(seen):
    return seen["administrativeStatus"] == "up" and seen.get("operationalStatus") == "up"


def _vrf(name):
    return {} if name == "default" else {"vrf": name}
