# SPDX-License-Identifier: GPL-3.0-or-later
"""Words of the configuration lines of Cisco IOS, offered to block templates as filters, and what of these lines is the same."""
import base64
import crypt
import hashlib
import hmac
import ipaddress
import re

import shell

_TYPES = ("GigabitEthernet", "TenGigabitEthernet", "TwoGigabitEthernet", "FiveGigabitEthernet", "TwentyFiveGigE", "FortyGigabitEthernet",
          "HundredGigE", "FastEthernet", "Ethernet", "Loopback", "Vlan", "Port-channel", "Tunnel", "BDI", "Serial",
          "FourHundredGigE", "AppGigabitEthernet", "Dialer", "Virtual-Template", "Multilink", "Async", "Cellular", "ATM", "BVI", "nve",
          "Null")
# What the device calls ports of access lists, by protocol.
_PORTS = {
    "tcp": {7: "echo", 9: "discard", 13: "daytime", 19: "chargen", 20: "ftp-data", 21: "ftp", 23: "telnet", 25: "smtp", 37: "time",
            43: "whois", 49: "tacacs", 53: "domain", 70: "gopher", 79: "finger", 80: "www", 101: "hostname", 109: "pop2", 110: "pop3",
            111: "sunrpc", 113: "ident", 119: "nntp", 135: "msrpc", 179: "bgp", 194: "irc", 496: "pim-auto-rp", 512: "exec", 513: "login",
            514: "cmd", 515: "lpd", 517: "talk", 540: "uucp", 543: "klogin", 544: "kshell"},
    "udp": {7: "echo", 9: "discard", 37: "time", 42: "nameserver", 49: "tacacs", 53: "domain", 67: "bootps", 68: "bootpc", 69: "tftp",
            111: "sunrpc", 123: "ntp", 137: "netbios-ns", 138: "netbios-dgm", 139: "netbios-ss", 161: "snmp", 162: "snmptrap", 177: "xdmcp",
            195: "dnsix", 434: "mobile-ip", 496: "pim-auto-rp", 500: "isakmp", 512: "biff", 513: "who", 514: "syslog", 517: "talk",
            520: "rip", 4500: "non500-isakmp"}}
_NUMBERS = {name: {word: str(port) for port, word in ports.items()} for name, ports in _PORTS.items()}
_ENDS = ("source", "destination")
# Characters of a line that a device takes whole.
_WIDTH = 200


# --- words of templates ---

def interface(name):
    """Gi1/0/1 -> GigabitEthernet1/0/1, as the device shows it."""
    kind, number = re.match(r"([A-Za-z-]*)(.*)", name).groups()
    full = [each for each in _TYPES if each.lower() == kind.lower()] or [each for each in _TYPES if each.lower().startswith(kind.lower())]
    return full[0] + number if kind and full else name


def address(value):
    """2001:db8::1 -> 2001:DB8::1, as the device shows it."""
    return str(ipaddress.ip_address(value)).upper()


def static_route(route):
    """The line of a static route; the default distance, 1, is not shown."""
    prefix = ipaddress.ip_network(route["prefix"], strict=False)
    words = ["ipv6" if prefix.version == 6 else "ip", "route", *(["vrf", route["vrf"]] if "vrf" in route else []), _prefix(prefix)]
    words += [interface(route["interface"])] if "interface" in route else []
    words += [address(route["nextHop"])] if "nextHop" in route else []
    words += [str(int(route["distance"]))] if int(route.get("distance", 1)) != 1 else []
    return " ".join([*words, *([f"tag {int(route['tag'])}"] if "tag" in route else [])])


def _prefix(prefix):
    return f"{prefix.network_address} {prefix.netmask}" if prefix.version == 4 else str(prefix).upper()


def interface_address(given, secondary=False):
    """The line of an address in its interface's section."""
    own = ipaddress.ip_interface(given)
    if own.version == 6:
        return f"ipv6 address {str(own).upper()}"
    return f"ip address {own.ip} {own.netmask}{' secondary' if secondary else ''}"


def interface_addresses(given):
    """The lines of an interface's addresses: the first of IPv4 is the primary one."""
    versions = [ipaddress.ip_interface(each).version for each in given]
    return [interface_address(each, version == 4 and 4 in versions[:at]) for at, (each, version) in enumerate(zip(given, versions))]


def prefix_entry(entry, name):
    """The line of an entry of a prefix list."""
    prefix = ipaddress.ip_network(entry["prefix"], strict=False)
    words = ["ipv6" if prefix.version == 6 else "ip", "prefix-list", name, "seq", str(int(entry["sequence"])), entry["action"],
             str(prefix).upper()]
    return " ".join([*words, *(f"{word} {int(entry[word])}" for word in ("ge", "le") if word in entry)])


def vlan_name(vlan):
    """The name that a VLAN has by itself."""
    return f"VLAN{int(vlan):04d}"


def log_host(server):
    """The line of a log target."""
    words = ["logging", "host", *(["ipv6"] if ":" in server["address"] else []), address(server["address"])]
    words += ["vrf", server["vrf"]] if "vrf" in server else []
    transport, port = server.get("transport", "udp"), server.get("port")
    if transport != "udp" or port not in (None, 514):
        words += ["transport", transport, *(["port", str(port)] if port not in (None, {"udp": 514, "tcp": 601}[transport]) else [])]
    return " ".join(words)


def trap_receiver(server):
    """How the lines of a trap receiver begin."""
    return " ".join(["snmp-server host", address(server["address"]), *(["vrf", server["vrf"]] if "vrf" in server else [])])


def access_list(given):
    """The header of an access list's section."""
    return f"ipv6 access-list {given['name']}" if given["family"] == "ipv6" else f"ip access-list extended {given['name']}"


def access_entry(entry, family):
    """The line of an entry of an access list."""
    protocol = "ipv6" if entry["protocol"] == "ip" and family == "ipv6" else entry["protocol"]
    words = [*(["sequence"] if family == "ipv6" else []), str(int(entry["sequence"])), entry["action"], protocol]
    for end in _ENDS:
        words.append(_matched(entry[end]) if end in entry else "any")
        first, last = entry.get(end + "Port"), entry.get(end + "PortTo")
        if first is not None or last is not None:
            names = [_PORTS.get(protocol, {}).get(int(port), str(int(port))) for port in (first or 1, last or first)]
            words.append(f"eq {names[0]}" if names[0] == names[1] else f"range {names[0]} {names[1]}")
    words += [word for word in ("established", "log") if entry.get(word)]
    return " ".join(words)


def unknown_port(entries):
    """A pattern of the lines in the place of these entries that name a port by a word whose number is not known here."""
    numbers = "|".join(str(int(entry["sequence"])) for entry in entries)
    words = {name: "|".join(map(re.escape, ports.values())) for name, ports in _PORTS.items()}
    named = "|".join(rf"{name} .*\b(?:eq|neq|lt|gt|range(?: \S+)?) (?!(?:syslog|{known})(?: |$))[a-z].*" for name, known in words.items())
    return rf"(?:sequence )?(?:{numbers}) (?:permit|deny) +(?:{named})"


def _matched(given):
    prefix = ipaddress.ip_network(given, strict=False)
    if prefix.prefixlen == 0:
        return "any"
    if prefix.prefixlen == prefix.max_prefixlen:
        return f"host {str(prefix.network_address).upper()}"
    return f"{prefix.network_address} {prefix.hostmask}" if prefix.version == 4 else str(prefix).upper()


def vlan_list(vlans):
    """1,3-5: two that follow each other stay two."""
    parts, left = [], sorted(map(int, vlans))
    while left:
        run = next((at for at in range(1, len(left)) if left[at] != left[0] + at), len(left))
        run = run if run > 2 else 1
        parts.append(str(left[0]) if run == 1 else f"{left[0]}-{left[run - 1]}")
        left = left[run:]
    return ",".join(parts)


# --- lines as the engine compares them ---

# VLANs have much else in lines that begin so: "vlan internal allocation policy ascending", "vlan configuration 10".
_NUMBERED = re.compile(r"(vlan|ntp trusted-key) (\d+(?:(?:-| - )\d+)?(?:,\d+(?:-\d+)?)*)")
# Things that can have lines together.
_SHARED = 100
_LAST = {"vlan": 4094, "ntp trusted-key": 65535}
_RESOLVERS = re.compile(r"(ip name-server(?: vrf \S+)?)((?: [0-9A-Fa-f]*[.:]\S*)+)")
_DENY = re.compile(r"((?:access-list \d+ |(?:sequence )?(?:\d+ )?)deny) {2,}")
_MORE = re.compile(r"(switchport trunk allowed vlan )add (\S+)")


def spelled(lines):
    """Some lines name several things, a long list goes on in a line of its own, "deny" is as wide as "permit", and older releases write
    some words in one."""
    result = []
    for path, text in lines:
        text = re.sub(r"^ip domain-(name|list|lookup)\b", r"ip domain \1", text)
        text = _DENY.sub(r"\1 ", text, 1) if _DENY.match(text) else text
        more = _MORE.fullmatch(text)
        if more and result and result[-1][0] == path and result[-1][1].startswith(more[1]):
            result[-1] = path, f"{result[-1][1]},{more[2]}"
            continue
        paths = [path]
        if path and not path[0].startswith("interface") and (several := _each(path[0])) and len(several) <= _SHARED:
            paths = [(header, *path[1:]) for header in several]
        result += [(each, one) for each in paths for one in ((not path and _each(text)) or [text])]
    return result


def _each(text):
    """vlan 2-3 -> vlan 2, vlan 3; None where the line names one thing."""
    if found := _RESOLVERS.fullmatch(text):
        return [f"{found[1]} {word}" for word in found[2].split()]
    if not (found := _NUMBERED.fullmatch(text)):
        return None
    numbers, last = {}, _LAST[found[1]]
    for part in found[2].replace(" - ", "-").split(","):
        begin, _, end = part.partition("-")
        if int(end or begin) > last:
            return None
        numbers |= dict.fromkeys(range(int(begin), int(end or begin) + 1))
    return [f"{found[1]} {number}" for number in numbers]


def until(header):
    """A banner ends where its mark stands again; a certificate with a word."""
    if found := re.match(r"banner \S+ (\^C|\S)(.*)", header):
        mark = re.escape(found[1])
        return None if re.search(mark, found[2]) else mark
    return r"^\s*quit$" if re.match(r"certificate (?:self-signed|ca) |certificate [0-9A-F]+$", header) else None


def typed(text):
    """The mark that a banner is shown with cannot be typed, and a line has an end."""
    if found := re.fullmatch(r"(?s)(banner \S+ )\^C(.*)\^C", text):
        mark = next((mark for mark in "#@%~$*+=&|;:/\\^_" if mark not in found[2]), None)
        if not mark:
            raise shell.Refused("the text of a banner has every character that could be its mark")
        return [f"{found[1]}{mark}{found[2]}{mark}"]
    if (found := re.fullmatch(r"(switchport trunk allowed vlan )([\d,-]+)", text)) and len(text) > _WIDTH:
        lines, line = [], ""
        for part in found[2].split(","):
            if line and len(line) + len(part) > _WIDTH - 40:
                lines, line = [*lines, line], ""
            line += ("," if line else "") + part
        first, *rest = [*lines, line]
        return [found[1] + first, *(f"{found[1]}add {each}" for each in rest)]
    return [text]


_COMMUNITY = re.compile(r"(?P<head>snmp-server community \S+)(?P<view> view \S+)?(?P<access> (?:RO|RW))?(?P<six> ipv6 \S+)?(?P<four> \S+)?")
_TIME_SERVER = re.compile(r"(ntp server(?: vrf \S+)? (?:ip |ipv6 )?\S+)((?: key \d+| prefer)*)( .+)?")


def kept(wanted, shown):
    """Options of a time server, and the view and the access lists of a community, stay where the wanted line does not name them."""
    one, other = map(_TIME_SERVER.fullmatch, (wanted, shown))
    if one and other and not one[3]:
        words = shown.split()
        for option in re.findall(r"(key) (\d+)|(prefer)", one[2]):
            if option[0] and "key" in words:
                words[words.index("key"):words.index("key") + 2] = option[:2]
            elif option[2] not in words:
                words += filter(None, option)
        return " ".join(words)
    one, other = map(_COMMUNITY.fullmatch, (wanted, shown))
    if one and other:
        return "".join([one["head"], *(one[name] or other[name] or "" for name in ("view", "access", "six", "four"))])
    return wanted


def same(wanted, shown):
    """The device shows secrets as hashes, options in an order of its own, and some words as older or newer releases do."""
    for pattern, judge in _SAME:
        if (one := re.fullmatch(pattern, wanted)) and (other := re.fullmatch(pattern, shown)):
            return judge(one, other)
    return _plain(wanted) == _plain(shown)


def _plain(text):
    text = re.sub(r"^ip vrf forwarding", "vrf forwarding", text)
    text = re.sub(r"^spanning-tree portfast edge$", "spanning-tree portfast", text)
    if found := re.match(r"(?:sequence )?\d+ (?:permit|deny) (tcp|udp) ", text):
        numbers = {**_NUMBERS[found[1]], **({"syslog": "514"} if found[1] == "tcp" else {})}
        text = " ".join(numbers.get(word, word) for word in text.split())
    return text


def _user(one, other):
    """What is wanted of a user is there: its privilege, where one is wanted, and its password."""
    wanted, have = one.groupdict(), other.groupdict()
    if wanted["name"] != have["name"] or wanted["privilege"] and wanted["privilege"] != (have["privilege"] or "1"):
        return False
    return wanted["value"] == have["value"] if wanted["type"] != "0" else _hashed(wanted["value"], have["type"], have["value"] or "")


def _hashed(password, kind, value):
    """Whether this is the hash of the password."""
    try:
        if kind in ("5", "0", None, "7", "4"):
            own = {"5": lambda: _md5(password, value), "7": lambda: password if _clear(value) == password else "",
                   "4": lambda: _base64(hashlib.sha256(password.encode()).digest())}.get(kind, lambda: password)()
            return hmac.compare_digest(own or "", password if kind == "7" else value)
        _, number, salt, digest = value.split("$")
        if number == "9":
            own = hashlib.scrypt(password.encode(), salt=salt.encode(), n=16384, r=1, p=1, dklen=32)
        elif number == "8":
            own = hashlib.pbkdf2_hmac("sha256", password.encode(), salt.encode(), 20000, 32)
        else:
            return False
        return hmac.compare_digest(_base64(own), digest)
    except (OSError, TypeError, ValueError):
        return False


def _md5(password, value):
    """Of no other kind, since crypt() takes as long as its second argument asks for."""
    return crypt.crypt(password, value) if value.startswith("$1$") else ""


_ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_COMMON = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def _base64(data):
    return base64.b64encode(data).decode().rstrip("=").translate(str.maketrans(_COMMON, _ALPHABET))


_KEY = b"dsfd;kfoA,.iyewrkldJKDHSUBsgvca69834ncxv9873254k;fg87"


def _clear(value):
    """The text behind a password of type 7, which is only veiled."""
    begin, veiled = int(value[:2]), bytes.fromhex(value[2:])
    return bytes(byte ^ _KEY[(begin + at) % len(_KEY)] for at, byte in enumerate(veiled)).decode("latin-1")


def _veiled(one, other):
    """The same but for a secret that is veiled on the device."""
    wanted, have = one.groupdict(), other.groupdict()
    return wanted["head"] == have["head"] and (have["value"] if have["type"] != "7" else _unveiled(have["value"])) == wanted["value"]


def _unveiled(value):
    try:
        return _clear(value)
    except ValueError:
        return None


def _receiver(one, other):
    """What a trap receiver is told about stays, and its port where none is wanted; 162 is not shown."""
    ports = [found and found[1] for found in (re.search(r" udp-port (\d+)", each["more"]) for each in (one, other))]
    return (one["head"], one["community"]) == (other["head"], other["community"]) and ports[0] in (None, ports[1] or "162")


_SAME = [
    (r"snmp-server host (?P<head>\S+(?: vrf \S+)?)(?: informs| traps)? version 2c (?P<community>\S+)(?P<more>(?: .+)?)", _receiver),
    (r"username (?P<name>\S+)(?: privilege (?P<privilege>\d+))?(?: (?:secret|password)(?: (?P<type>\d))? (?P<value>\S+))?", _user),
    (r"(?P<head>neighbor \S+ password)(?: (?P<type>[07]))? (?P<value>\S+)(?P<tail>)", _veiled),
    (r"(?P<head>ntp authentication-key \d+ \S+) (?P<value>\S+)(?: (?P<type>7))?", _veiled),
]
