# SPDX-License-Identifier: GPL-3.0-or-later
"""Words of a Linux host's files, offered to block templates as filters."""
import ipaddress
import re

_TEXTS = ("file /etc/motd", "file /etc/issue", "file /etc/issue.net")
# What the kernel gives a route of IPv6 that names no metric.
_METRIC6 = 1024


def static_route(route):
    """The command that makes a static route."""
    prefix, distance = ipaddress.ip_network(route["prefix"], strict=False), int(route.get("distance", 1))
    words = ["ip route replace", str(prefix)]
    if "nextHop" in route:
        words.append(f"via {ipaddress.ip_address(route['nextHop'])}")
    if "interface" in route:
        words.append(f"dev {route['interface']}")
    words.append("proto static")
    if distance > 1:
        words.append(f"metric {distance if prefix.version == 4 else _METRIC6 - 1 + distance}")
    return " ".join(words)


def interface_address(address):
    """An address of an interface as the kernel shows it."""
    return str(ipaddress.ip_interface(address))


def until(header):
    """What ends the text of a file that people read."""
    return "^end$" if header in _TEXTS else None


def selector(server, level=None):
    """The line of rsyslog that sends messages of a level and of those above it to a server."""
    words = {"emergencies": "emerg", "alerts": "alert", "critical": "crit", "errors": "err", "warnings": "warning",
             "notifications": "notice", "informational": "info", "debugging": "*"}
    target = ipaddress.ip_address(server["address"])
    return (f'*.{words[level or "debugging"]} action(type="omfwd" target="{target}" port="{int(server.get("port", 514))}" '
            f'protocol="{server.get("transport", "udp")}"')


def trap_receiver(server):
    """The address of a receiver of traps, as snmpd writes it."""
    address = ipaddress.ip_address(server["address"])
    return f"udp:{address}:{int(server.get('port', 162))}" if address.version == 4 else f"udp6:[{address}]:{int(server.get('port', 162))}"


# --- lines as the engine compares them ---

def kept(wanted, shown):
    """Options of a time server, what else restricts a user of snmpd, the community of a trap receiver, and the interface by which messages
    leave stay where the wanted line does not name them."""
    one, other = (re.fullmatch(r"(server \S+)((?: iburst| prefer| key [0-9]+)*)( .+)?", text) for text in (wanted, shown))
    if one and other and not one[3]:
        words = shown.split()
        for option in re.findall("(key) ([0-9]+)|(iburst|prefer)", one[2]):
            if option[0] and "key" in words:
                words[words.index("key"):words.index("key") + 2] = option[:2]
            elif option[2] not in words:
                words += filter(None, option)
        return " ".join(words)
    one, other = (re.fullmatch(r"(r[ow]user)\s+(\S+)\s+(\w+)(\s.+)?", text) for text in (wanted, shown))
    if one and other and not one[4]:
        return shown if _level(one[3]) == _level(other[3]) else f"{other[1]} {one[2]} {one[3]}{other[4] or ''}"
    target = r'(\S+ action\(type="omfwd" target="\S+" port="\d+" protocol="\w+")( device="\S+")?\)'
    one, other = (re.fullmatch(target, text) for text in (wanted, shown))
    if one and other:
        return one[1] + (one[2] or other[2] or "") + ")"
    one, other = (re.fullmatch(r"(trap2sink \S+)( \S+)?", text) for text in (wanted, shown))
    return one[1] + (one[2] or other[2] or "") if one and other else wanted


def _level(word):
    return {"authpriv": "priv", "authnopriv": "auth", "noauthnopriv": "noauth"}.get(word.lower(), word.lower())


# --- packet filter ---

_HOOKS = {"in": "input", "out": "output", "forward": "forward"}
_NUMBERS = {"gre": 47, "esp": 50, "ospf": 89}


def chain(wanted):
    """A chain with its rules in one line: their order counts, and that of lines does not."""
    if "entries" not in wanted:
        return f"chain netautomation_{wanted['name']} {{}}"
    rules = [_rule(entry, wanted["direction"]) for entry in sorted(wanted["entries"], key=lambda entry: int(entry["sequence"]))]
    policy = "drop" if wanted.get("defaultAction") == "deny" else "accept"
    hook = f"type filter hook {_HOOKS[wanted['direction']]} priority filter; policy {policy};"
    return f"chain netautomation_{wanted['name']} {{ {' '.join([hook, *(rule + ';' for rule in rules)])} }}"


def portless(chains):
    """Whether a rule names a port where packets have none, or the end of a range without its begin."""
    return any(
        any(name in entry for name in ("sourcePort", "sourcePortTo", "destinationPort", "destinationPortTo"))
        and entry["protocol"] not in ("tcp", "udp", "ip")
        or any(f"{side}PortTo" in entry and int(entry.get(f"{side}Port", 65536)) > int(entry[f"{side}PortTo"])
               for side in ("source", "destination"))
        for each in chains for entry in each.get("entries", []))


def _rule(entry, direction):
    words, protocol = [], entry["protocol"]
    ends = {side: ipaddress.ip_network(entry[side], strict=False) for side in ("source", "destination") if side in entry}
    if "interface" in entry:
        words.append(f'{"oifname" if direction == "out" else "iifname"} "{entry["interface"]}"')
    words += [f"{'ip6' if network.version == 6 else 'ip'} {'saddr' if side == 'source' else 'daddr'} {network}"
              for side, network in ends.items()]
    ports = [(word, entry[f"{side}Port"], entry.get(f"{side}PortTo")) for side, word in (("source", "sport"), ("destination", "dport"))
             if f"{side}Port" in entry]
    if protocol in ("tcp", "udp") and not ports or protocol in _NUMBERS:
        words.append(f"meta l4proto {_NUMBERS.get(protocol, protocol)}")
    elif protocol == "icmp":
        words.append("meta l4proto { icmp, ipv6-icmp }")
    elif ports and protocol == "ip":
        words.append("meta l4proto { tcp, udp }")
    words += [f"{'th' if protocol == 'ip' else protocol} {word} {int(first)}" + (f"-{int(last)}" if last is not None else "")
              for word, first, last in ports]
    if entry.get("established"):
        words.append("ct state established,related")
    if entry.get("log"):
        words.append("log")
    words.append("accept" if entry["action"] == "permit" else "drop")
    if "description" in entry:
        words.append(f'comment "{entry["description"]}"')
    return " ".join(words)
