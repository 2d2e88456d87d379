# SPDX-License-Identifier: GPL-3.0-or-later
"""What EOS says of itself. docs/platforms.md says what each function returns."""
import json
import re

import shell
import shown


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
        entries += [{"kind": "neighbor", "subject": f"bgp {address} {family}", **_vrf(vrf), "value": "up" if _established(peer) else "down"}
                    for vrf, address, peer in _peers(ask, f"{family} bgp")]
    for family in ("ip", "ipv6"):
        for vrf, seen in _asked(ask, f"show {family} route vrf all summary").get("vrfs", {}).items():
            entries += [{"kind": "routes", "subject": f"{family} {source}", "value": str(count), **_vrf(vrf)}
                        for source, count in _counts(seen).items()]
    return entries


def lifelines(ask):
    # The protocols that are configured; all of them where the device does not tell.
    lines = shown.known(ask, lambda ask: ask("show running-config | include rout").splitlines())
    protocols = [
        (r"router ospf ", "ospf", "show ip ospf neighbor vrf all"), (r"router ospfv3", "ospfv3", "show ospfv3 neighbor"),
        (r"ipv6 router ospf ", "ospfv3", "show ipv6 ospf neighbor")]
    asked = [lambda ask, name=name, command=command: _ospf(ask, name, command) for header, name, command in protocols
             if _has(lines, header)]
    peers = []
    if _has(lines, "router bgp "):
        # Older releases have no summary of all families.
        peers = shown.known(ask, _all_families) or shown.known(
            ask, *(lambda ask, family=family: _up_in(ask, family) for family in ("ip", "ipv6")))
    return {"neighbors": peers + shown.known(ask, *asked, *([_isis] if _has(lines, "router isis ") else [])),
            "default_routes": shown.known(ask, lambda ask: _default_routes(ask, "ip", "0.0.0.0/0"),
                                          lambda ask: _default_routes(ask, "ipv6", "::/0"))}


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


def _has(lines, header):
    return not lines or any(re.match(header, line) for line in lines)


def _peers(ask, summary):
    """(VRF, address, what is said of it) of each neighbour of BGP."""
    for vrf, seen in _asked(ask, f"show {summary} summary vrf all").get("vrfs", {}).items():
        for address, peer in seen["peers"].items():
            yield vrf, address, peer


def _established(peer):
    return peer["peerState"] == "Established"


def _all_families(ask):
    for vrf, address, peer in _peers(ask, "bgp"):
        if _established(peer):
            agreed = [name for name, seen in peer.items() if isinstance(seen, dict) and seen.get("afiSafiState") == "negotiated"]
            yield from (_named(f"bgp {address} {family}".strip(), vrf) for family in agreed or [""])


def _up_in(ask, family):
    return [_named(f"bgp {address} {family}", vrf) for vrf, address, peer in _peers(ask, f"{family} bgp") if _established(peer)]


def _ospf(ask, name, command):
    for vrf, seen in _asked(ask, command)["vrfs"].items():
        # By instance, and with OSPFv3 of newer releases by family.
        for each in {**seen.get("instList", {}), **seen.get("addressFamily", {})}.values():
            entries = each.get("ospfNeighborEntries", []) + each.get("ospf3NeighborEntries", [])
            yield from (_named(f"{name} {one['routerId']} {one['interfaceName']}", vrf) for one in entries
                        if one["adjacencyState"] == "full")


def _isis(ask):
    for vrf, seen in _asked(ask, "show isis neighbors vrf all")["vrfs"].items():
        for instance in seen["isisInstances"].values():
            for system, known in instance["neighbors"].items():
                yield from (_named(f"isis {system} {one['interfaceName']}", vrf) for one in known["adjacencies"] if one["state"] == "up")


def _default_routes(ask, family, prefix):
    for vrf, seen in _asked(ask, f"show {family} route vrf all {prefix}")["vrfs"].items():
        route = seen["routes"].get(prefix, {})
        yield from (shown.default_route(family, (way.get("nexthopAddr") or way.get("vtepAddr"), way.get("interface")), _vrf(vrf).get("vrf"))
                    for way in route.get("vias", []) if route.get("routeAction") != "drop")


def _named(subject, vrf):
    return subject if vrf == "default" else f"{subject} vrf {vrf}"


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
