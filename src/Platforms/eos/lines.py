# SPDX-License-Identifier: GPL-3.0-or-later
"""Words of EOS's configuration lines, offered to block templates as filters, and what of these lines is the same."""
import base64
import crypt
import hashlib
import hmac
import ipaddress
import re

_KINDS = ("Ethernet", "Loopback", "Management", "Port-Channel", "Tunnel", "Vlan", "Vxlan")
_ENDS = ("source", "destination")


def interface_name(name):
    """The name as EOS shows it: et1 -> Ethernet1."""
    word, number = re.fullmatch(r"(\D*)(.*)", name, re.S).groups()
    found = [kind for kind in _KINDS if word and kind.lower().startswith(word.lower())]
    return found[0] + number if len(found) == 1 else name


def static_route(route):
    """The line of a static route as EOS shows it; the default distance, 1, is not shown."""
    prefix = ipaddress.ip_network(route["prefix"], strict=False)
    words = ["ipv6" if prefix.version == 6 else "ip", "route"]
    if "vrf" in route:
        words += ["vrf", route["vrf"]]
    words.append(str(prefix))
    if "interface" in route:
        words.append(interface_name(route["interface"]))
    if "nextHop" in route:
        words.append(str(ipaddress.ip_address(route["nextHop"])))
    if int(route.get("distance", 1)) != 1:
        words.append(str(int(route["distance"])))
    if "tag" in route:
        words.append(f"tag {int(route['tag'])}")
    return " ".join(words)


def interface_addresses(addresses):
    """The lines of addresses in their interface's section: the first one of IPv4 is the primary one."""
    lines, first = [], True
    for own in map(ipaddress.ip_interface, addresses):
        if own.version == 6:
            lines.append(f"ipv6 address {own}")
        else:
            lines.append(f"ip address {own}{'' if first else ' secondary'}")
            first = False
    return lines


def is_port(name):
    """The interface is a switched one unless it is told to be routed."""
    return re.fullmatch(r"(?:Ethernet|Port-Channel)[0-9/]+", name) is not None


def prefix_entry(entry):
    """The line of an entry in the section of its prefix list."""
    words = ["seq", str(int(entry["sequence"])), entry["action"], str(ipaddress.ip_network(entry["prefix"], strict=False))]
    return " ".join([*words, *(f"{word} {int(entry[word])}" for word in ("ge", "le") if word in entry)])


def access_entry(entry, family):
    """The line of an entry in the section of its access list."""
    six = family == "ipv6"
    protocol = {"ip": "ipv6" if six else "ip", "icmp": "icmpv6" if six else "icmp", "esp": "50"}.get(entry["protocol"], entry["protocol"])
    words = [str(int(entry["sequence"])), entry["action"], protocol]
    for end in _ENDS:
        words.append(_matched(entry[end]) if end in entry else "any")
        first, last = (entry.get(end + name) for name in ("Port", "PortTo"))
        if first is not None or last is not None:
            first, last = int(first or 1), int(last or first)
            words.append(f"eq {first}" if first == last else f"range {first} {last}")
    return " ".join([*words, *(word for word in ("established", "log") if entry.get(word))])


def unknown_port(entries):
    """A pattern of the lines in the place of these entries that name a port by a word whose number is not known here."""
    numbers, known = ("|".join(words) for words in ([str(int(entry["sequence"])) for entry in entries], map(re.escape, _PORTS)))
    return rf"(?:{numbers}) (?:permit|deny) .*\b(?:eq|neq|lt|gt|range(?: \S+)?) (?!(?:{known})(?: |$))[a-z].*"


def _matched(given):
    prefix = ipaddress.ip_network(given, strict=False)
    if prefix.prefixlen == 0:
        return "any"
    return f"host {prefix.network_address}" if prefix.prefixlen == prefix.max_prefixlen else str(prefix)


def vlan_name(vlan):
    """The name that a VLAN has by itself."""
    return f"VLAN{int(vlan):04d}"


def vlan_list(vlans):
    """1,3-5, and all for all there are."""
    left, parts = sorted(map(int, vlans)), []
    while left:
        run = next((at for at in range(1, len(left)) if left[at] != left[0] + at), len(left))
        parts.append(str(left[0]) if run == 1 else f"{left[0]}-{left[run - 1]}")
        left = left[run:]
    return "all" if parts == ["1-4094"] else ",".join(parts)


def log_target(address, server):
    """Where to log, as the device shows it: UDP to port 514 is not shown, a port of TCP is."""
    transport, port = server.get("transport", "udp"), int(server.get("port", 514))
    shown = transport != "udp" or port != 514
    return " ".join([address, *([str(port)] if shown else []), *([f"protocol {transport}"] if transport != "udp" else [])])


_PRIVACY = {"aes-128": "aes", "aes-192": "aes192", "aes-256": "aes256"}


def snmp_user(user):
    """The line of a user of SNMPv3, with its passwords as they are typed."""
    words = ["snmp-server user", user["username"], user.get("group", "netautomation"), "v3"]
    if "authPassword" in user:
        words += ["auth", user.get("authProtocol", "sha").replace("-", ""), str(user["authPassword"])]
    if "privPassword" in user:
        words += ["priv", _PRIVACY.get(user.get("privProtocol", "aes-128"), user.get("privProtocol")), str(user["privPassword"])]
    return " ".join(words)


def snmp_level(user):
    """What is asked of a user's messages."""
    return "priv" if "privPassword" in user else "auth" if "authPassword" in user else "noauth"


# --- lines as the engine compares them ---

_RANGE = "[0-9]{1,4}(?:-[0-9]{1,4})?"
_VLANS = re.compile(rf"vlan ({_RANGE}(?:,{_RANGE})+|[0-9]{{1,4}}-[0-9]{{1,4}})")
# VLANs that can have lines together.
_SHARED = 100
# crypt() takes as long as its second argument asks for.
_HASH = re.compile(r"\$[156]\$(?:rounds=[0-9]{1,5}\$)?[./0-9A-Za-z]{0,16}\$.*")
# What the device calls ports of access lists.
_PORTS = {
    "tcpmux": 1, "echo": 7, "discard": 9, "systat": 11, "daytime": 13, "qotd": 17, "msp": 18, "chargen": 19, "ftp-data": 20, "ftp": 21,
    "ssh": 22, "telnet": 23, "smtp": 25, "time": 37, "rlp": 39, "nameserver": 42, "whois": 43, "tacacs": 49, "re-mail-ck": 50,
    "domain": 53, "tacacs-ds": 65, "bootps": 67, "bootpc": 68, "tftp": 69, "gopher": 70, "finger": 79, "www": 80, "kerberos": 88,
    "hostname": 101, "pop2": 109, "pop3": 110, "sunrpc": 111, "ident": 113, "nntp": 119, "ntp": 123, "netbios-ns": 137,
    "netbios-dgm": 138, "netbios-ss": 139, "netbios-ssn": 139, "imap": 143, "snmp": 161, "snmptrap": 162, "xdmcp": 177, "bgp": 179,
    "irc": 194, "dnsix": 195, "qmtp": 209, "imap3": 220, "ptp-event": 319, "ptp-general": 320, "ldap": 389, "svrloc": 427,
    "mobile-ip": 434, "https": 443, "microsoft-ds": 445, "kpasswd": 464, "pim-auto-rp": 496, "isakmp": 500, "exec": 512, "biff": 512,
    "login": 513, "who": 513, "syslog": 514, "lpd": 515, "talk": 517, "rip": 520, "ncp": 524, "uucp": 540, "klogin": 543, "kshell": 544,
    "dhcpv6-client": 546, "dhcpv6-server": 547, "rtsp": 554, "nntps": 563, "ipp": 631, "ldaps": 636, "msdp": 639, "ldp": 646,
    "kerberos-adm": 749, "rsync": 873, "ftps-data": 989, "ftps": 990, "imaps": 993, "ircs": 994, "pop3s": 995, "openvpn": 1194,
    "ms-sql-s": 1433, "ms-sql-m": 1434, "pptp": 1723, "radius": 1812, "radius-acct": 1813, "nfs": 2049, "cvspserver": 2401, "iscsi": 3260,
    "bfd": 3784, "bfd-echo": 3785, "non500-isakmp": 4500, "multihop-bfd": 4784, "vxlan": 4789, "sip": 5060}


def spelled(lines):
    """VLANs of which the device has nothing else to say stand in one line."""
    return [(each, one) for path, text in lines
            for each in ([(header, *path[1:]) for header in _each(path[0], _SHARED)] if path else [path])
            for one in ([text] if path else _each(text))]


def _each(text, most=4094):
    found = _VLANS.fullmatch(text)
    numbers = sorted(_numbers(found[1])) if found else []
    return [f"vlan {number}" for number in numbers] if 0 < len(numbers) <= most else [text]


def _numbers(text):
    numbers = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        numbers.update(range(int(first), int(last or first) + 1))
    return numbers


def until(header):
    """A banner ends with a line of its own."""
    return "^EOF$" if re.fullmatch("banner (?:login|motd)", header) else None


def same(wanted, shown):
    """The device shows secrets as hashes or veiled, ports by their names, and lists of VLANs as it likes."""
    for pattern, judge in _SAME:
        if (one := re.fullmatch(pattern, wanted)) and (other := re.fullmatch(pattern, shown)):
            try:
                return judge(one, other)
            except (OSError, TypeError, ValueError):  # what is shown is no hash, or none that can be told
                return False
    return False


def kept(wanted, shown):
    """Options of a time server, the view and the access lists of a community, and the privilege and the role of a user stay where the
    wanted line does not name them."""
    one, other = (re.fullmatch(r"(ntp server (?:vrf \S+ )?\S+)((?: key [0-9]+| prefer)*)( .+)?", text) for text in (wanted, shown))
    if one and other and not one[3]:
        words = shown.split()
        for option in re.findall("(key) ([0-9]+)|(prefer)", one[2]):
            if option[0] and "key" in words:
                words[words.index("key"):words.index("key") + 2] = option[:2]
            elif option[2] not in words:
                words += filter(None, option)
        return " ".join(words)
    for pattern, names in _KEPT:
        if (one := re.fullmatch(pattern, wanted)) and (other := re.fullmatch(pattern, shown)):
            return "".join([one["head"], *(one[name] or other[name] or "" for name in names), one["tail"]])
    return wanted


_KEPT = [
    (r"(?P<head>snmp-server community \S+)(?P<view> view \S+)?(?P<access> (?:ro|rw))?(?P<six> ipv6 \S+)?(?P<four> \S+)?(?P<tail>)",
     ("view", "access", "six", "four")),
    (r"(?P<head>username \S+)(?P<privilege> privilege [0-9]+)?(?P<role> role \S+)?(?P<tail> (?:secret .+|nopassword))",
     ("privilege", "role")),
]


def _rule(found):
    return [str(_PORTS.get(word, word)) for word in found[0].split()]


def _user(one, other):
    """What is wanted of a user is there, and its password has the hash."""
    wanted, have = one.groupdict(), other.groupdict()
    if any(wanted[name] not in (None, have[name] or default) for name, default in (("name", None), ("privilege", "1"), ("role", None))):
        return False
    return bool(_HASH.fullmatch(have["value"])) and hmac.compare_digest(crypt.crypt(wanted["value"], have["value"]) or "", have["value"])


def _time_key(one, other):
    veiled = other["value"]
    clear = bytes(byte ^ _MASK[(int(veiled[:2]) + at) % len(_MASK)] for at, byte in enumerate(bytes.fromhex(veiled[2:])))
    return one["head"] == other["head"] and one["value"].encode() == clear


_MASK = b"dsfd;kfoA,.iyewrkldJKDHSUBsgvca69834ncxv9873254k;fg87"


def _neighbor_password(one, other):
    """The password of a neighbour is encrypted with DES under a key made of the neighbour's name."""
    if one["name"] != other["name"]:
        return False
    from cryptography.hazmat.primitives.ciphers import Cipher, modes
    from cryptography.hazmat.primitives.ciphers.algorithms import TripleDES
    key = bytearray(bytes.fromhex("d5a8c91ef5d58a23"))
    for at, byte in enumerate(f"{one['name']}_passwd".encode()):
        key[at % len(key)] ^= byte
    decryptor = Cipher(TripleDES(bytes(byte & 0x7f for byte in key)), modes.CBC(bytes(8))).decryptor()
    clear = decryptor.update(base64.b64decode(other["value"]))
    # Behind a mark stand how much is filled up, the password and the filling.
    return clear[:3] == b"\x4c\x88\xbb" and clear[4:len(clear) - (clear[3] >> 4)] == one["value"].encode()


def _snmp_user(one, other):
    """A user's keys are made of its passwords and the device's engine (RFC 3414)."""
    wanted, have = one.groupdict(), other.groupdict()
    if any(wanted[name] != have[name] for name in ("head", "auth", "priv")):
        return False
    if have["engine"] is None:
        return (wanted["authKey"], wanted["privKey"]) == (have["authKey"], have["privKey"])
    keys = [_localized(wanted["authKey"], wanted["auth"], have["engine"]) if wanted["auth"] else None,
            _localized(wanted["privKey"], wanted["auth"], have["engine"], wanted["priv"]) if wanted["priv"] else None]
    return keys == [have[name] and have[name].lower() for name in ("authKey", "privKey")]


_KEY_BYTES = {"des": 16, "aes": 16, "aes192": 24, "aes256": 32}


def _localized(password, protocol, engine, privacy=None):
    def digest(data):
        return hashlib.new("sha1" if protocol == "sha" else protocol, data).digest()
    repeated = password.encode() * (1048576 // len(password.encode()) + 1)
    key = digest(repeated[:1048576])
    key = digest(key + bytes.fromhex(engine) + key)
    while privacy and len(key) < _KEY_BYTES[privacy]:
        key += digest(key)
    return key[:_KEY_BYTES[privacy] if privacy else len(key)].hex()


_SAME = [
    (rf"switchport trunk allowed vlan ({_RANGE}(?:,{_RANGE})*)", lambda one, other: _numbers(one[1]) == _numbers(other[1])),
    (r"[0-9]+ (?:permit|deny) .+", lambda one, other: _rule(one) == _rule(other)),
    (r"spanning-tree portfast(?: edge)?", lambda one, other: True),
    (r"username (?P<name>\S+)(?: privilege (?P<privilege>[0-9]+))?(?: role (?P<role>\S+))? secret (?:0|5|sha512) (?P<value>\S+)",
     _user),
    (r"(?P<head>ntp authentication-key [0-9]+ \S+) [07] (?P<value>\S+)", _time_key),
    (r"neighbor (?P<name>\S+) password [07] (?P<value>\S+)", _neighbor_password),
    (r"(?P<head>snmp-server user \S+ \S+ v3)(?: localized (?P<engine>[0-9A-Fa-f]+))?(?: auth (?P<auth>\S+) (?P<authKey>\S+))?"
     r"(?: priv (?P<priv>\S+) (?P<privKey>\S+))?", _snmp_user),
]
