# SPDX-License-Identifier: GPL-3.0-or-later
"""What EOS says of itself. docs/platforms.md says what each function returns."""
import json

import shell


def facts(ask):
    system, vrfs = _asked(ask, "show version"), _vrfs(ask)
    said = {"vendor": system.get("mfgName"), "model": system.get("modelName"), "serial": system.get("serialNumber")}
    return {"hostname": _asked(ask, "show hostname")["hostname"], **{name: value for name, value in said.items() if value},
            "version": system["version"], **({"uptimeSeconds": int(system["uptime"])} if "uptime" in system else {}),
            "interfaces": [_facts(name, seen, vrfs) for name, seen in _interfaces(ask)]}


def snapshot(ask):
    vrfs = _vrfs(ask)
    entries = [{"kind": "interface", "subject": name, "value": "up" if _up(seen) else "down", **_vrf(vrfs.get(name, "default"))}
               for name, seen in _interfaces(ask)]
    for family in ("ip", "ipv6"):
        for vrf, seen in _asked(ask, f"show {family} bgp summary vrf all").get("vrfs", {}).items():
            entries += [{"kind": "neighbor", "subject": f"bgp {address} {family}", **_vrf(vrf),
                         "value": "up" if peer["peerState"] == "Established" else "down"} for address, peer in seen["peers"].items()]
    for family in ("ip", "ipv6"):
        for vrf, seen in _asked(ask, f"show {family} route vrf all summary").get("vrfs", {}).items():
            entries += [{"kind": "routes", "subject": f"{family} {source}", "value": str(count), **_vrf(vrf)}
                        for source, count in _counts(seen).items()]
    return entries


def neighbors(ask):
    return [_neighbor(name, each) for name, seen in _asked(ask, "show lldp neighbors detail")["lldpNeighbors"].items()
            for each in seen["lldpNeighborInfo"]]


def ping(ask, destination):
    words = ["ping", *(["vrf", destination["vrf"]] if "vrf" in destination else []), *(["ipv6"] if ":" in destination["address"] else []),
             destination["address"], "repeat", str(destination["count"])]
    if "sourceInterface" in destination:
        words += ["source", destination["sourceInterface"]]
    return shell.pinged(ask(" ".join(words)))


def _asked(ask, command):
    return json.loads(ask(f"{command} | json"))


def _neighbor(name, each):
    port = each["neighborInterfaceInfo"]
    said = {"neighborInterface": port.get("interfaceId_v2") or port.get("interfaceId", "").strip('"'),
            "address": next((own["address"] for own in each.get("managementAddresses", []) if own.get("address")), None),
            "description": each.get("systemDescription")}
    # A neighbour need not tell its name; what it is known by it does.
    return {"interface": name, "neighbor": each.get("systemName") or each["chassisId"],
            **{member: value for member, value in said.items() if value}}


def _counts(seen):
    """How many routes each source has; a protocol with kinds of routes has their total."""
    counts = {source: count for source, count in seen.items() if isinstance(count, int) and source != "totalRoutes"}
    for kinds in seen.values():
        if isinstance(kinds, dict):
            counts |= {name.removesuffix("Total"): count for name, count in kinds.items() if name.endswith("Total")}
    return {source: count for source, count in counts.items() if count}


def _interfaces(ask):
    return _asked(ask, "show interfaces")["interfaces"].items()


def _vrfs(ask):
    return {name: vrf for vrf, seen in _asked(ask, "show vrf")["vrfs"].items() for name in seen.get("interfaces", [])}


def _facts(name, seen, vrfs):
    own = [each for own in seen.get("interfaceAddress", []) for each in (own.get("primaryIp", {}), *own.get("secondaryIpsOrderedList", []))]
    addresses = [f"{each['address']}/{each['maskLen']}" for each in own if each.get("maskLen")]
    addresses += [f"{each['address']}/{each['subnet'].partition('/')[2]}"
                  for each in (seen.get("interfaceAddressIp6") or {}).get("globalUnicastIp6s", [])]
    said = {"description": seen.get("description"), "mtu": seen.get("mtu"), "mac": seen.get("physicalAddress"), "addresses": addresses}
    return {"interface": name, "enabled": seen["interfaceStatus"] != "disabled", "up": _up(seen), **_vrf(vrfs.get(name, "default")),
            **{member: value for member, value in said.items() if value}}


def _up(seen):
    return seen.get("lineProtocolStatus") == "up"


def _vrf(name):
    return {} if name == "default" else {"vrf": name}
