# SPDX-License-Identifier: GPL-3.0-or-later
"""Where Open vSwitch shows what its database does: an interface that it cannot have says so."""
import json


def effect(wanted, unwanted, ask):
    """(seen, wrong), as docs/platforms.md says."""
    touched = {header[10:] for path, text in wanted for header in (*path, text) if header.startswith("interface ")}
    touched |= {header[5:] for path, text in wanted for header in (*path, text) if header.startswith("port ")}
    faults = {name: fault for name, fault in json.loads(ask("ovs-vsctl -f json --columns=name,error list Interface"))["data"]
              if name in touched and fault != ["set", []]}
    return not faults, [f"{name}: {fault}" for name, fault in faults.items()]
