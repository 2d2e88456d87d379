# SPDX-License-Identifier: GPL-3.0-or-later
"""What Open vSwitch says of itself. docs/platforms.md says what each function returns."""
import json
import re

import shell
import shown
from shell import ping  # noqa: F401  one of the functions


def facts(ask):
    version = re.search(r"^ovs-vsctl \(Open vSwitch\) (\S+)", ask("ovs-vsctl --version"))[1]
    return {"hostname": ask("hostname").strip(), "vendor": "Open vSwitch", "version": version,
            "interfaces": list(map(_facts, _interfaces(ask)))}


def snapshot(ask):
    entries = [{"kind": "interface", "subject": link["name"], "value": "up" if _up(link) else "down"} for link in _interfaces(ask)]
    return entries + [{"kind": "neighbor", "subject": subject, "value": "up" if up else "down"}
                      for subject, up in _remotes(ask, "Controller")]


def lifelines(ask):
    # Who commands the switch and its database, and the links on which LACP has come to terms.
    remotes = [lambda ask, table=table: (subject for subject, up in _remotes(ask, table) if up) for table in ("Controller", "Manager")]
    return {"neighbors": shown.known(ask, *remotes, _lacp), "default_routes": shell.default_routes(ask)}


def _remotes(ask, table):
    """(subject, whether it is connected)"""
    return [(f"{table.lower()} {each['target']}", each["is_connected"]) for each in _rows(ask, table, "target", "is_connected")]


def _lacp(ask):
    return [f"lacp {link['name']}" for link in _rows(ask, "Interface", "name", "lacp_current") if link.get("lacp_current")]


def _interfaces(ask):
    return sorted(_rows(ask, "Interface", "name", "admin_state", "link_state", "mtu", "mac_in_use"), key=lambda link: link["name"])


def _rows(ask, table, *columns):
    """The rows of a table, without columns that have no value."""
    shown = json.loads(ask(f"ovs-vsctl -f json --columns={','.join(columns)} list {table}"))
    return [{name: value for name, value in zip(shown["headings"], row) if value != ["set", []]} for row in shown["data"]]


def _facts(link):
    return {"interface": link["name"], "enabled": link.get("admin_state") == "up", "up": _up(link),
            **{name: link[column] for name, column in (("mtu", "mtu"), ("mac", "mac_in_use")) if column in link}}


def _up(link):
    return link.get("admin_state") == link.get("link_state") == "up"
