# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Linux host says of itself. docs/platforms.md says what each function returns."""
import collections
import json
import re

import shell
from shell import ping  # noqa: F401  one of the functions


def facts(ask):
    system = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', ask("cat /etc/os-release"), re.M))
    # Machines without firmware of their own, such as containers, have no such files.
    model, serial = (ask(f"cat /sys/class/dmi/id/{name} 2>/dev/null || :").strip() for name in ("product_name", "product_serial"))
    return {"hostname": ask("hostname").strip(), "vendor": system["NAME"], "version": system["VERSION_ID"],
            **{name: value for name, value in (("model", model), ("serial", serial)) if value},
            "uptimeSeconds": int(float(ask("cat /proc/uptime").split()[0])), "interfaces": list(map(_facts, _links(ask)))}


def snapshot(ask):
    entries = [{"kind": "interface", "subject": link["ifname"], "value": "up" if _up(link) else "down", **_vrf(link)}
               for link in _links(ask)]
    for family, name in (("4", "ip"), ("6", "ipv6")):
        counts = collections.Counter(route.get("protocol", "other") for route in json.loads(ask(f"ip -{family} -json route show") or "[]"))
        entries += [{"kind": "routes", "subject": f"{name} {protocol}", "value": str(count)} for protocol, count in sorted(counts.items())]
    return entries


def lifelines(ask):
    return {"neighbors": [], "default_routes": shell.default_routes(ask)}


def neighbors(ask):
    return [neighbor for table in json.loads(ask("lldpcli -f json0 show neighbors details"))["lldp"]
            for link in table.get("interface", []) if (neighbor := _neighbor(link))]


def _neighbor(link):
    chassis, port = link["chassis"][0], link["port"][0]
    # A neighbour need not tell its name; what it is known by it does.
    said = {"neighbor": _first(chassis, "name") or _first(chassis, "id"), "neighborInterface": _first(port, "id"),
            "address": _first(chassis, "mgmt-ip"), "description": _first(chassis, "descr")}
    return {"interface": link["name"], **{name: value for name, value in said.items() if value}}


def _first(holder, name):
    return next((each["value"] for each in holder.get(name, []) if each.get("value")), None)


def _links(ask):
    return [link for link in json.loads(ask("ip -json -details address")) if "ifname" in link]


def _facts(link):
    said = {"description": link.get("ifalias"), "mtu": link.get("mtu"),
            "mac": link.get("address") if link.get("link_type") == "ether" else None,
            "addresses": [f"{each['local']}/{each['prefixlen']}" for each in link.get("addr_info", [])]}
    return {"interface": link["ifname"], "enabled": "UP" in link["flags"], "up": _up(link), **_vrf(link),
            **{name: value for name, value in said.items() if value}}


def _up(link):
    return {"UP", "LOWER_UP"} <= set(link["flags"])


def _vrf(link):
    return {"vrf": link["master"]} if link.get("linkinfo", {}).get("info_slave_kind") == "vrf" else {}
