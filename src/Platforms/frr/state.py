# SPDX-License-Identifier: GPL-3.0-or-later
"""What FRR says of itself. docs/platforms.md says what each function returns."""
import json
import re


def facts(ask):
    version, hostname = re.search(r"^FRRouting (\S+) \((.+)\) on ", ask("show version"), re.M).groups()
    return {"hostname": hostname, "vendor": "FRRouting", "version": version,
            "interfaces": [_facts(name, seen) for name, seen in _interfaces(ask)]}


def snapshot(ask):
    entries = [{"kind": "interface", "subject": name, "value": "up" if _up(seen) else "down", **_vrf(seen["vrfName"])}
               for name, seen in _interfaces(ask)]
    for vrf, families in _all_vrfs(ask("show bgp vrf all summary json")).items():
        for family, peers in families.items():
            entries += [{"kind": "neighbor", "subject": f"bgp {address} {family}", **_vrf(vrf),
                         "value": "up" if peer["state"] == "Established" else "down"}
                        for address, peer in (peers.get("peers") or {}).items()]
    for family in ("ip", "ipv6"):
        routes = json.loads(ask(f"show {family} route summary json"))["routes"]
        entries += [{"kind": "routes", "subject": f"{family} {route['type']}", "value": str(route["rib"])} for route in routes]
    return entries


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
