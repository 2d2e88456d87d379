"""Cisco IOS and IOS XE, as a switch with routed ports."""
import base64
import crypt
import datetime
import hashlib
import re

from ..grammar import Grammar, Refused, matching, number, ranged, ranges
from ..session import Ended
from ..show import command
from . import Block, Platform

PORTS = ("TenGigabitEthernet", "TwoGigabitEthernet", "FortyGigabitEthernet", "HundredGigE", "GigabitEthernet", "FastEthernet", "Ethernet")
LOGICAL = ("Loopback", "Vlan", "Port-channel", "Tunnel", "BDI")
PROTOCOLS = {"1": "icmp", "2": "igmp", "6": "tcp", "17": "udp", "47": "gre", "50": "esp", "51": "ahp", "88": "eigrp", "89": "ospf", "103": "pim"}
SERVICES = {"20": "ftp-data", "21": "ftp", "23": "telnet", "25": "smtp", "49": "tacacs", "53": "domain", "69": "tftp", "80": "www", "119": "nntp",
            "123": "ntp", "161": "snmp", "162": "snmptrap", "179": "bgp", "514": "syslog"}
SEVERITIES = ("emergencies", "alerts", "critical", "errors", "warnings", "notifications", "informational", "debugging")
FACTORY_VLANS = {1002: "fddi-default", 1003: "token-ring-default", 1004: "fddinet-default", 1005: "trnet-default"}


def interface(word):
    """GigabitEthernet2 of gi2, or None."""
    found = re.fullmatch(r"([A-Za-z-]+)(\d+(?:[/.:]\d+)*)", word)
    if not found:
        return None
    name = next((name for name in PORTS + LOGICAL if name.lower().startswith(found[1].lower())), None)
    return name and name + found[2]


def one_of(names, taken=str.lower):
    return lambda word: taken(word) if word.lower() in names else None


TYPES = {
    "INTERFACE": interface,
    "ROW": lambda word: word.upper() if word.lower() in ("ro", "rw") else None,
    "SEVERITY": lambda word: SEVERITIES[int(word)] if word in "01234567" and len(word) == 1 else one_of(SEVERITIES)(word),
    "PROTOCOL": lambda word: PROTOCOLS.get(word) or (word if word in PROTOCOLS.values() or word in ("ip", "ipv6", "ipinip", "nos") else number(0, 255)(word)),
    "SERVICE": lambda word: SERVICES.get(word, word),
    "ICMP": matching(r"echo(-reply)?|traceroute|unreachable|time-exceeded|ttl-exceeded|packet-too-big|port-unreachable|host-unreachable|redirect|"
                     r"administratively-prohibited|parameter-problem|router-(advertisement|solicitation)|nd-n[as]|mask-re(ply|quest)|\d+"),
    "FLAG": matching("established|ack|fin|psh|rst|syn|urg"),
    "FAMILY": matching("ipv4|ipv6|vpnv4|vpnv6|l2vpn"),
    "ASN": matching(r"\d+(\.\d+)?"),
    "URL": matching(r"(flash|bootflash|nvram|tftp|ftp|scp|http|https|unix):\S*"),
    "DELIMITED": lambda word: word,
}
SOURCE = "(any | host IP | IP IP)"
SOURCE6 = "(any | host IP6 | PREFIX6)"
PORT = "[(eq SERVICE | gt SERVICE | lt SERVICE | neq SERVICE | range SERVICE SERVICE)]"
MATCHES = ("{ICMP | FLAG [FLAG] [FLAG] | dscp WORD | precedence WORD | tos WORD | option WORD | fragments | time-range WORD | "
           "ttl (eq NUMBER | gt NUMBER | lt NUMBER | neq NUMBER | range NUMBER NUMBER) | (log-input | log)}")
ROUTE = "{NUMBER-OF-ROUTE}"
NEIGHBOR = [
    "remote-as = ASN", "peer-group = [WORD]", "local-as = ASN {no-prepend | replace-as | dual-as}", "shutdown", "description = LINE",
    "password = [7] WORD", "ebgp-multihop = [1-255]", "ttl-security hops = 1-254", "update-source = INTERFACE", "version = 4",
    "timers = NUMBER NUMBER [NUMBER]", "transport = LINE", "fall-over = [bfd]", "disable-connected-check", "activate", "send-community = [both | extended | standard]",
    "next-hop-self = [all]", "route-reflector-client", "default-originate = [route-map WORD]", "soft-reconfiguration = inbound", "allowas-in = [1-10]",
    "slow-peer detection = [disable | threshold NUMBER]", "aigp send = LINE", "prefix-list WORD = (in | out)", "route-map WORD = (in | out)",
    "filter-list WORD = (in | out)", "distribute-list WORD = (in | out)", "maximum-prefix = NUMBER [1-100] [warning-only | restart NUMBER]", "weight = NUMBER"]
NEIGHBORS = "\n".join(f"neighbor WORD {line} :: by 2" for line in NEIGHBOR)
NETWORKS = """
network = IP [mask IP] [route-map WORD] [backdoor]
redistribute connected = {metric NUMBER | route-map WORD}
redistribute static = {metric NUMBER | route-map WORD}
redistribute ospf NUMBER = {metric NUMBER | match LINE | route-map WORD}
aggregate-address IP IP = {summary-only | as-set | route-map WORD}
maximum-paths = 1-32
"""
VLAN_SET = "(none | all | VLANS | add VLANS | remove VLANS | except VLANS)"

GRAMMAR = Grammar({
    "": f"""
version = WORD
service (timestamps (debug | log)) = [datetime {{msec | localtime | show-timezone | year}} | uptime]
service (password-encryption | pad | tcp-keepalives-in | tcp-keepalives-out | sequence-numbers | unsupported-transceiver | nagle)
service dhcp :: on
hostname = WORD
boot-start-marker
boot-end-marker
boot system LINE
vrf definition WORD :: > vrf
ip vrf WORD :: > ip-vrf
logging discriminator WORD = LINE
logging message-counter syslog :: on
logging message-counter (log | debug)
logging userinfo
logging persistent = LINE
logging queue-limit = LINE
logging count
logging esm config
logging cns-events = SEVERITY
logging dmvpn = [rate-limit NUMBER]
logging exception = NUMBER
logging rate-limit = LINE
logging reload = SEVERITY
logging buginf :: on
logging on :: on
logging buffered = [discriminator WORD] [xml] [4096-2147483647] [SEVERITY]
logging console = [xml] [SEVERITY] [discriminator WORD] :: neg
logging monitor = [xml] [SEVERITY] :: neg
enable secret = LINE
enable password = LINE
aaa new-model
aaa (authentication | authorization | accounting) LINE
ip routing :: on
ip cef
ip name-server [vrf WORD] (IP | IP6) [(IP | IP6)] [(IP | IP6)] [(IP | IP6)] [(IP | IP6)] [(IP | IP6)]
ip domain lookup [vrf WORD] source-interface = INTERFACE
ip domain lookup :: on
ip domain list [vrf WORD] WORD
ip domain name [vrf WORD] = WORD
ip multicast-routing [distributed]
ipv6 unicast-routing
vtp (mode | domain | version) = WORD
username WORD = {{privilege 0-15 | view WORD | nopassword | secret [0 | 4 | 5 | 8 | 9] WORD | password [0 | 7] WORD}} :: merge
archive :: > archive
spanning-tree mode = (pvst | rapid-pvst | mst)
spanning-tree extend system-id
vlan = VLANS :: > config-vlan each sort
lldp timer = 5-65534 :: default 30
lldp holdtime = 0-65535 :: default 120
lldp reinit = 2-5 :: default 2
lldp tlv-select WORD :: on
lldp run
class-map [match-any | match-all] WORD :: > cmap
policy-map WORD :: > pmap
interface INTERFACE :: > if sort
router bgp ASN :: > router
ip forward-protocol nd
ip http server :: neg
ip http secure-server :: neg
ip ssh version = (1 | 2)
ip ssh pubkey-chain :: > conf-ssh-pubkey
ip route [vrf WORD] IP IP (INTERFACE [IP] | IP [global]) = [1-255] {{tag NUMBER | name WORD | (permanent | track NUMBER) | multicast}} :: exact
ip access-list standard WORD :: > std-nacl
ip access-list extended WORD :: > ext-nacl
ip prefix-list WORD description = LINE :: by 3
ip prefix-list WORD [seq NUMBER] (permit | deny) PREFIX {{ge NUMBER | le NUMBER}} :: by 3 sort
logging origin-id = LINE
logging delimiter = LINE
logging filter URL = [args LINE]
logging history = SEVERITY
logging trap = SEVERITY :: neg
logging facility = WORD :: default local7
logging server-arp
logging source-interface = INTERFACE [vrf WORD]
logging host (IP | ipv6 IP6 | WORD) = {{vrf WORD | discriminator WORD | transport (tcp | udp) [port NUMBER] | filtered [stream NUMBER] | xml}}
ipv6 route [vrf WORD] PREFIX6 (INTERFACE [IP6] | IP6) = [1-254] {{(unicast | multicast) | tag NUMBER | track NUMBER | name WORD}} :: exact
ipv6 prefix-list WORD description = LINE :: by 3
ipv6 prefix-list WORD [seq NUMBER] (permit | deny) PREFIX6 {{ge NUMBER | le NUMBER}} :: by 3 sort
ipv6 access-list WORD :: > ipv6-acl
ipv6 router (eigrp ASN | ospf NUMBER) :: > rtr
route-map WORD [permit | deny] [0-65535] :: > route-map sort
snmp-server engineID local = WORD
snmp-server engineID remote (IP | IP6) [udp-port NUMBER] = WORD
snmp-server user LINE :: hide
snmp-server group WORD (v1 | v2c | v3 (auth | noauth | priv)) = {{context WORD | read WORD | write WORD | notify WORD | access WORD}}
snmp-server view WORD WORD (included | excluded)
snmp-server community WORD = [view WORD] [ROW] [ipv6 WORD] [WORD]
snmp-server inform = {{pending NUMBER | retries NUMBER | timeout NUMBER}}
snmp-server ip dscp = 0-63
snmp-server ip precedence = 0-7
snmp-server trap-source = INTERFACE
snmp-server source-interface (traps | informs) = INTERFACE
snmp-server packetsize = 484-17892
snmp-server queue-length = NUMBER
snmp-server location = LINE
snmp-server contact = LINE
snmp-server system-shutdown
snmp-server enable traps = [LINE]
snmp-server ifindex persist
snmp-server host (IP | IP6 | WORD) [vrf WORD] [informs | traps] [version (1 | 2c | 3 (auth | noauth | priv))] WORD = [LINE]
tacacs-server LINE
banner (motd | login | exec | incoming | slip-ppp | prompt-timeout) = DELIMITED
line (con | aux | vty) NUMBER [NUMBER] :: > line
ntp authentication-key NUMBER md5 = WORD [7]
ntp authenticate
ntp logging
ntp panic update
ntp maxdistance = 1-16
ntp mindistance = 0-16
ntp max-associations = NUMBER
ntp orphan = 1-16
ntp broadcastdelay = NUMBER
ntp clock-period = NUMBER
ntp trusted-key NUMBER [- NUMBER]
ntp source = INTERFACE
ntp access-group [ipv4 | ipv6] (peer | query-only | serve | serve-only) = WORD
ntp master = [1-15]
ntp allow mode (control | private) = [NUMBER]
ntp peer [vrf WORD] (ip IP | ipv6 IP6 | IP | IP6 | WORD) = {{burst | iburst | key NUMBER | maxpoll NUMBER | minpoll NUMBER | prefer | source INTERFACE | version 1-4}}
ntp server [vrf WORD] (ip IP | ipv6 IP6 | IP | IP6 | WORD) = {{burst | iburst | key NUMBER | maxpoll NUMBER | minpoll NUMBER | prefer | source INTERFACE | version 1-4}}
""",
    "rtr": "router-id = IP\neigrp router-id = IP\nshutdown :: neg",
    "vrf": "rd = WORD\naddress-family FAMILY :: > vrf-af\nexit-address-family",
    "vrf-af": "route-target (import | export | both) WORD",
    "ip-vrf": "rd = WORD\nroute-target (import | export | both) WORD",
    "archive": "log config :: > archive-log-cfg\npath = URL\nmaximum = 1-14\nwrite-memory\ntime-period = NUMBER",
    "archive-log-cfg": "logging enable\nlogging size = NUMBER\nnotify syslog = [contenttype plaintext]\nhidekeys",
    "config-vlan": """
name = WORD
state = (active | suspend) :: default active
mtu = 576-18190 :: default 1500
shutdown
remote-span
private-vlan = (primary | community | isolated)
private-vlan association = VLANS
""",
    "cmap": "match LINE",
    "pmap": "class WORD :: > pmap-c",
    "pmap-c": "set ip precedence = WORD\nset dscp = WORD\npolice cir percent = 1-100 :: > pmap-c-police\nbandwidth = LINE",
    "pmap-c-police": "conform-action LINE\nexceed-action LINE",
    "if": f"""
description = LINE
switchport :: on
switchport access vlan = 1-4094 :: default 1
switchport trunk encapsulation = (dot1q | isl | negotiate) :: default negotiate
switchport trunk native vlan = 1-4094 :: default 1
switchport trunk allowed vlan = {VLAN_SET} :: default all
switchport trunk pruning vlan = {VLAN_SET} :: default 2-1001
switchport mode = (access | trunk | dynamic (auto | desirable)) :: default dynamic auto
switchport voice vlan = 1-4094
switchport nonegotiate
switchport port-security
mtu = 64-18000 :: default 1500
vrf forwarding = WORD
ip address IP IP secondary
ip address = (IP IP | dhcp [client-id INTERFACE] [hostname WORD] | negotiated) :: neg exact
ip access-group WORD (in | out)
ip helper-address IP
ip ospf NUMBER area = WORD
ip ospf cost = NUMBER
ip redirects :: on
ip proxy-arp :: on
shutdown
duplex = (auto | full | half) :: default auto
speed = (auto | 10 | 100 | 1000 | 10000) :: default auto
negotiation auto :: neg
media-type = WORD
bandwidth = NUMBER
delay = NUMBER
load-interval = 30-600
encapsulation dot1Q = 1-4094 [native]
ipv6 address PREFIX6 [eui-64 | anycast]
ipv6 address (autoconfig [default] | dhcp)
ipv6 enable
ipv6 traffic-filter WORD (in | out)
lldp transmit :: on
lldp receive :: on
cdp enable :: on
spanning-tree portfast = [edge | trunk | disable]
spanning-tree bpduguard = (enable | disable)
channel-group = NUMBER mode (active | passive | on | auto | desirable)
service-policy (input | output) WORD
standby LINE
""",
    "router": f"""
bgp router-id = (IP | interface INTERFACE)
bgp log-neighbor-changes
bgp default ipv4-unicast :: on
bgp advertise-best-external
bgp always-compare-med
bgp asnotation dot
bgp bestpath (as-path (ignore | multipath-relax) | compare-routerid | cost-community ignore | igp-metric ignore | aigp ignore)
bgp bestpath med = {{confed | missing-as-worst}}
bgp cluster-id = WORD
bgp confederation identifier = ASN
bgp confederation peers LINE
bgp dampening = [NUMBER] [NUMBER NUMBER NUMBER]
bgp deterministic-med
bgp fast-external-fallover :: on
bgp graceful-restart = [LINE]
bgp graceful-shutdown all = LINE
bgp inject-map LINE
bgp listen LINE
bgp maxas-limit = NUMBER
bgp nopeerup-delay (cold-boot | nsf-switchover | post-boot | user-initiated) = NUMBER
bgp redistribute-internal
bgp update-delay = NUMBER
{NEIGHBORS}
{NETWORKS}
timers bgp = NUMBER NUMBER [NUMBER]
auto-summary
synchronization
address-family FAMILY [unicast | multicast] [vrf WORD] :: > router-af
""",
    "router-af": f"{NETWORKS}\n{NEIGHBORS}\nbgp dampening = LINE\nauto-summary\nsynchronization\ndefault-information originate",
    "conf-ssh-pubkey": "username WORD :: > conf-ssh-pubkey-user",
    "conf-ssh-pubkey-user": "key-hash ssh-rsa WORD [WORD]",
    "std-nacl": "remark LINE\n[NUMBER] (permit | deny) (any | host IP | IP [IP]) [log]",
    "ext-nacl": f"remark LINE\n[NUMBER] (permit | deny) PROTOCOL {SOURCE} {PORT} {SOURCE} {PORT} {MATCHES}",
    "ipv6-acl": f"remark LINE\n(permit | deny) PROTOCOL {SOURCE6} {PORT} {SOURCE6} {PORT} {{{MATCHES[1:-1]} | sequence NUMBER}}",
    "route-map": "match LINE\nset LINE\ndescription = LINE\ncontinue = [NUMBER]",
    "line": """
access-class WORD (in | out) [vrf-also]
exec-timeout = NUMBER [NUMBER] :: default 10
logging synchronous
login = [local | authentication WORD]
password = LINE
privilege level = 0-15
length = 0-512
stopbits = 1
transport input = [LINE]
transport output = [LINE]
transport preferred = WORD
""",
}, TYPES, [
    (None, r"^(int\S*) ([A-Za-z-]+) +(?=\d)", r"\1 \2"),
    ("", r"^logging (?=\d+\.\d+\.\d+\.\d+)", "logging host "),
    ("", r"^(ip|ipv6) domain-(name|list|lookup)\b", r"\1 domain \2"),
    ("", r"^access-list (\d{1,2}|1[3-9]\d\d) ", r"ip access-list standard \1 "),
    ("if", r"^(vrf|ip vrf) forwarding", "vrf forwarding"),
], negatable=r"ntp|ip(v6)? prefix-list \S+|(ip|ipv6) address|switchport|ip name-server|snmp-server")

FACTORY = """
version {short}
service timestamps debug datetime msec
service timestamps log datetime msec
hostname {hostname}
no ip domain lookup
spanning-tree mode rapid-pvst
spanning-tree extend system-id
{ports}
ip forward-protocol nd
no ip http server
no ip http secure-server
line con 0
line vty 0 4
 login local
 transport input ssh
"""


class Ios(Platform):
    """version: as `show version` has it; kind: switch, whose ports are routed when they are told so, or router; ports: how many
    GigabitEthernet1/0/N there are; config: the text of the first configuration."""
    GRAMMAR, TYPES, HOSTNAME = GRAMMAR, TYPES, "Router"
    VARIANT = {"version": "17.03.04", "kind": "switch", "ports": 8, "config": None}
    SHORT = {"conf-ssh-pubkey": "ssh-pubkey", "conf-ssh-pubkey-user": "ssh-pubkey-user", "pmap-c": "pmap-c", "config-vlan": "vlan"}

    def factory(self, device):
        ports = "\n".join(f"interface GigabitEthernet1/0/{port}" for port in range(1, int(self.variant["ports"]) + 1))
        return self.variant["config"] or FACTORY.format(
            hostname=device.name, short=".".join(self.variant["version"].split(".")[:2]), ports=ports)

    # --- what a line does ---
    def does(self, root, path, verb, rule, line):
        if rule.context in ("std-nacl", "ext-nacl", "ipv6-acl"):
            self._entry(root.at(path), verb, rule, line)
            return True
        if rule.context == "if" and rule.first == "switchport" and self.variant["kind"] == "router":
            raise Refused(0)
        if not verb and (found := re.match(r"(ip|ipv6) route vrf (\S+)", line)):
            vrf = root.find(f"vrf definition {found[2]}")
            if root.find(f"ip vrf {found[2]}") is None and (vrf is None or vrf.find(f"address-family {found[1].replace('ip', 'ipv4', 1).replace('ipv4v6', 'ipv6')}") is None):
                raise Refused(None, f"% IP routing table {found[2]} does not exist")
        return False

    @staticmethod
    def _entry(section, verb, rule, line):
        """An access list numbers its entries, and shows them without their numbers."""
        found = re.match(r"(\d+) (.*)", line)
        line, wanted = (found[2], int(found[1])) if found else (line, None)
        if rule.context == "ipv6-acl" and (found := re.search(r" sequence (\d+)$", line)):
            line, wanted = line[:found.start()], int(found[1])
        if rule.context == "std-nacl":
            line = re.sub(r"host ", "", line)
        taken = {int(child.key): child for child in section.children}
        same = next((at for at, child in taken.items() if child.line == line), None)
        if verb:
            section.drop(lambda child: child.key == str(same if wanted is None else wanted))
            return
        if same is not None and wanted in (None, same):
            return
        if same is not None or wanted in taken:
            raise Refused(0, "% Duplicate sequence number" if wanted in taken else "%Access rule can't be configured at higher sequence num")
        at = wanted if wanted is not None else 10 + max(taken, default=0)
        node = GRAMMAR.node(rule, line, str(at))
        node.rank = (at,)
        section.put(node)

    def merged(self, section, rule, line, key):
        old = section.find(key)
        if found := re.match(r"(switchport trunk (?:allowed|pruning) vlan) (add|remove|except) (\S+)$", line):
            before = ranges(old.line.rsplit(" ", 1)[1]) if old is not None and old.line[-1].isdigit() else set(range(1, 4095))
            change = ranges(found[3])
            left = {"add": before | change, "remove": before - change, "except": set(range(1, 4095)) - change}[found[2]]
            return f"{found[1]} {ranged(left) if left else 'none'}"
        if found := re.match(r"((?:enable|username \S+).*?) secret (?:0 )?([^ ]{1,3}|[^ ]{2}\S+)$", line):
            if not re.search(r" secret [4589] ", line):
                salt = base64.b64encode(hashlib.sha256((found[1] + found[2]).encode()).digest(), b"./")[:4].decode()
                return f"{found[1]} secret 5 {crypt.crypt(found[2], '$1$' + salt)}"
        line = re.sub(r"^((?:username \S+|enable).* password) (?![07] )(?=\S+$)", r"\1 0 ", line)
        if key.startswith("snmp-server community ") and not re.search(r" R[OW]\b", line):
            line = re.sub(r"^(snmp-server community \S+(?: view \S+)?)", r"\1 RO", line)
        if rule.context == "" and re.match(r"ip(v6)? prefix-list \S+ (permit|deny)", line):
            name = " ".join(line.split()[:3])
            used = [int(child.line.split()[4]) for child in section.children if child.line.startswith(name + " seq ")]
            line = line.replace(name, f"{name} seq {max(used, default=0) // 5 * 5 + 5}", 1)
        return line

    def born(self, node):
        if node.line.startswith("interface "):
            return () if self.variant["kind"] == "switch" and node.line.split()[1].startswith(PORTS) else ["no ip address"]
        if node.line.startswith("router bgp"):
            return ["bgp log-neighbor-changes"]
        return ()

    def keeps(self, section, rule, line):
        if rule.opens == "if" and line.split()[1].startswith(PORTS) and "." not in line:
            return "% Removal of physical interfaces is not permitted."
        if rule.opens == "config-vlan" and line in ("vlan 1", *(f"vlan {vlan}" for vlan in FACTORY_VLANS)):
            return f"Default VLAN {line.split()[1]} may not be deleted."
        return None

    def after(self, root, path, verb, rule, line):
        section = root.at(path)
        if rule.context == "if":
            self._hardware(root, path, section, verb, line)
        if verb == "no" and (found := re.match(r"(?:vrf definition|ip vrf) (\S+)$", line)):
            section.drop(lambda child: re.match(rf"ip(v6)? route vrf {re.escape(found[1])} ", child.line))
        if rule.context == "config-vlan" and line == f"name VLAN{int(path[-1].split()[1]):04d}":
            section.drop(lambda child: child.key == "name")

    def _hardware(self, root, path, section, verb, line):
        """A port has an address or switches, and without negotiation it has a speed."""
        if line == "switchport":
            section.drop(lambda child: child.rule.first in ("ip", "ipv6") and "address" in child.key)
            if verb:
                GRAMMAR.apply(root, [path], "no ip address", self)
        if section.has("no negotiation auto") and section.find("speed") is None:
            rule = next(rule for rule in GRAMMAR.rules["if"] if rule.first == "speed")
            section.put(GRAMMAR.node(rule, "speed 1000", "speed"))

    # --- text ---
    def render(self, device, root):
        lines, last = [], None

        def walk(node, depth):
            for child in node.children:
                lines.append(" " * depth + child.line)
                walk(child, depth + 1)

        for node in root.children:
            if last is not None and (node.rule.opens or last.rule.opens or node.rule.first != last.rule.first):
                lines.append("!")
            lines.append(node.line)
            walk(node, 1)
            last = node
        return lines

    def block(self, line):
        if found := re.match(r"banner (motd|login|exec|incoming|slip-ppp|prompt-timeout) (\^C|\S)(.*)$", line):
            block = Block(self, f"banner {found[1]}", found[2], lambda key, text: f"{key} ^C\n{text}\n^C".replace("^C\n\n", "^C\n"), found[3] or None)
            return block
        return None

    def refusal(self, session, line, refusal):
        if refusal.text:
            return refusal.text + "\n"
        if refusal.at is None:
            return "% Incomplete command.\n\n"
        words = [found.start() for found in re.finditer(r"\S+", line)] + [len(line)]
        return " " * (len(session.prompt()) + words[min(refusal.at, len(words) - 1)]) + "^\n% Invalid input detected at '^' marker.\n\n"

    def greeting(self, device):
        texts = [node.line.split("\n")[1:-1] for kind in ("motd", "login") if (node := device.running.find(f"banner {kind}")) is not None]
        return "".join("\n" + "\n".join(text) + "\n" for text in texts)

    # --- logins ---
    def knows(self, device, username, password):
        line = device.running.value(f"username {username}", "")
        if found := re.search(r"secret [459] (\S+)", line):
            return found[1].startswith("$1$") and crypt.crypt(password, found[1]) == found[1]
        found = re.search(r"password 0 (\S+)", line)
        return bool(found) and found[1] == password

    def knows_key(self, device, username, key):
        user = device.running.at(("ip ssh pubkey-chain", f"username {username}"))
        digest = hashlib.md5(key.public_data).hexdigest().upper()
        return user is not None and any(digest in child.line.upper() for child in user.children)

    # --- configuration mode ---
    async def configuring(self, session, line):
        words = line.split()
        if line in ("end", "exit", "ex") or re.fullmatch(r"exit-(address-family|vrf|af)", line):
            deep = [path[:-1] for path in session.paths if path]
            session.paths = deep[:1] or None if line != "end" else None
            if line != "end" and not deep:
                session.leave()
            return True
        if words[0] == "do":
            await session.execute(line[3:])
            return True
        if found := re.match(r"no (username|user) (\S+)$", line):
            if session.device.running.find(f"username {found[2]}") is not None and not await session.confirm(
                    "This operation will remove all username related configurations with same name.Do you want to continue? [confirm]"):
                return True
            session.note("line", line)
            session.device.running.drop(lambda child: child.key == f"username {found[2]}")
            return True
        if found := re.match(r"(?:default )?interface (\S+)$", GRAMMAR.rewrite("", line), re.IGNORECASE):
            name = interface(found[1])
            if name and name.startswith(PORTS) and session.device.running.find(f"interface {name.split('.')[0]}") is None:
                raise Refused(1)
        session.configure(line)
        return True

    def direct(self, line):
        return None

    # --- commands ---
    @command("show running-config [all | full | brief]", "write terminal", level=15)
    def show_running(self, session, words):
        return self.configuration(session.device, "all" in words)

    def configuration(self, device, everything=False):
        text = device.text(self.complete(device.running)) if everything else device.text()
        last = f"! Last configuration change at 00:00:00 UTC Mon Mar 1 2021 by {device.changed}\n!\n" if device.changed else ""
        return f"Building configuration...\n\nCurrent configuration : {len(text)} bytes\n!\n{last}{text}\n!\nend\n"

    def complete(self, root):
        """With the defaults that are not shown otherwise."""
        full = root.clone()

        def fill(node, context):
            for rule in GRAMMAR.rules[context]:
                words = [part for part in rule.node[1]]
                if not (rule.on or rule.default) or any(part[0] not in ("keyword", "cut") for part in words[:-1]):
                    continue
                key = " ".join(part[1] for part in words if part[0] == "keyword")
                if node.find(key) is None and all(part[0] in ("keyword", "cut") for part in words) | bool(rule.default):
                    node.put(GRAMMAR.node(rule, " ".join([key, *(rule.default or ())]), key))
            if context == "if" and node.find("shutdown") is None:
                shutdown = next(rule for rule in GRAMMAR.rules["if"] if rule.first == "shutdown")
                node.put(GRAMMAR.node(shutdown, "no shutdown", "shutdown"))
            for child in node.children:
                if child.rule.opens:
                    fill(child, child.rule.opens)
        fill(full, "")
        return full

    @command("show startup-config", level=15)
    def show_startup(self, session, words):
        startup = session.device.startup
        return f"Using {len(startup)} out of 262144 bytes\n!\n{startup}\n!\nend\n" if startup else "startup-config is not present"

    @command("show version")
    def show_version(self, session, words):
        device = session.device
        family = "IOS Software [Amsterdam], Catalyst L3 Switch Software (CAT9K_IOSXE)" if self.variant["version"].startswith("1" + "7") else \
            "IOS Software, vios_l2 Software (vios_l2-ADVENTERPRISEK9-M)"
        return (
            f"Cisco {family}, Version {self.variant['version']}, RELEASE SOFTWARE (fc3)\n"
            "Technical Support: http://www.cisco.com/techsupport\n\nROM: Bootstrap program is imitated\n\n"
            f"{device.hostname} uptime is 1 week, 2 days, 3 hours, 4 minutes\nSystem returned to ROM by reload\n"
            'System image file is "flash:packages.conf"\nLast reload reason: Reload Command\n\n'
            "cisco C9300-24T (X86) processor with 1343703K/6147K bytes of memory.\n"
            f"Processor board ID {self.serial(device)}\n{len(self.interfaces(device, PORTS))} Gigabit Ethernet interfaces\n"
            f"Model Number                       : C9300-24T\nSystem Serial Number               : {self.serial(device)}\n\n"
            "Configuration register is 0x102\n")

    @staticmethod
    def serial(device):
        return "FOC" + hashlib.sha256(device.name.encode()).hexdigest()[:8].upper()

    @command("show inventory")
    def show_inventory(self, session, words):
        return (f'NAME: "Switch 1", DESCR: "C9300-24T"\nPID: C9300-24T         , VID: V02  , SN: {self.serial(session.device)}\n\n'
                'NAME: "Switch 1 - Power Supply A", DESCR: "Switch 1 - Power Supply A"\nPID: PWR-C1-350WAC     , VID: V02  , SN: '
                f"{self.serial(session.device)[::-1]}\n")

    @command("show privilege")
    def show_privilege(self, session, words):
        return f"Current privilege level is {session.level}"

    @command("show clock")
    def show_clock(self, session, words):
        return datetime.datetime.now(datetime.timezone.utc).strftime("*%H:%M:%S.000 UTC %a %b %d %Y")

    @command("show users")
    def show_users(self, session, words):
        rows = [f"{'*' if other is session else ' '} {number_:>2} vty {number_:<5} {other.user:<10} idle                 00:00:00 127.0.0.1"
                for number_, other in enumerate(session.device.logged_in)]
        return "    Line       User       Host(s)              Idle       Location\n" + "\n".join(rows)

    @command("show memory statistics")
    def show_memory(self, session, words):
        return ("                Head    Total(b)     Used(b)     Free(b)   Lowest(b)  Largest(b)\n"
                "Processor  7F2B61F010   1343703040   300000000   1043703040   900000000   900000000")

    @command("dir [URL]")
    def directory(self, session, words):
        files = "\n".join(f"{number_:>6}  -rw-  {len(text):>12}  Mar 1 2021 00:00:00 +00:00  {name.split(':')[1]}"
                          for number_, (name, text) in enumerate(session.device.files.items(), 1) if name.startswith("flash:"))
        return f"Directory of flash:/\n\n{files}\n\n11353194496 bytes total (9000000000 bytes free)"

    @command("more URL", level=15)
    def more(self, session, words):
        if words[1] not in session.device.files:
            return f"%Error opening {words[1]} (No such file or directory)"
        return session.device.files[words[1]]

    @staticmethod
    def interfaces(device, kinds=PORTS + LOGICAL):
        return [node for node in device.running.children if node.rule.opens == "if" and node.line.split()[1].startswith(kinds)]

    @staticmethod
    def address(node):
        if found := re.match(r"(\S+) (\S+)$", node.value("ip address", "")):
            return found[1], found[2], sum(bin(int(part)).count("1") for part in found[2].split("."))
        return None

    @staticmethod
    def six(node):
        return [child.line.split()[2] for child in node.children if re.match(r"ipv6 address \S+/", child.line)]

    @command("show interfaces [INTERFACE]")
    def show_interfaces(self, session, words):
        shown = []
        for node in self.interfaces(session.device):
            name = node.line.split()[1]
            if len(words) > 2 and name != words[2]:
                continue
            down, virtual = node.has("shutdown"), name.startswith("Loopback")
            mac = hashlib.sha256((session.device.name + name).encode()).hexdigest()
            mac = f"5254.{mac[:4]}.{mac[4:8]}"
            address = self.address(node)
            shown.append("\n".join(filter(None, [
                f"{name} is {'administratively down' if down else 'up'}, line protocol is {'down' if down else 'up'} {'' if virtual else '(connected)'}".rstrip(),
                "  Hardware is Loopback" if virtual else f"  Hardware is Gigabit Ethernet, address is {mac} (bia {mac})",
                f"  Description: {node.value('description')}" if node.value("description") else "",
                f"  Internet address is {address[0]}/{address[2]}" if address else "",
                f"  MTU {node.value('mtu', '1514' if virtual else '1500')} bytes, BW {node.value('bandwidth', '8000000' if virtual else '1000000')} Kbit/sec, DLY 10 usec,",
                "     reliability 255/255, txload 1/255, rxload 1/255",
                f"  Encapsulation {'LOOPBACK' if virtual else 'ARPA'}, loopback not set",
                "" if virtual else "  Full Duplex, 1000Mb/s, link type is auto, media type is 10/100/1000BaseTX",
                "  5 minute input rate 0 bits/sec, 0 packets/sec", "  5 minute output rate 0 bits/sec, 0 packets/sec"])))
        if len(words) > 2 and not shown:
            raise Refused(2)
        return "\n".join(shown)

    @command("show ip interface [INTERFACE]")
    def show_ip_interface(self, session, words):
        shown = []
        for node in self.interfaces(session.device):
            name, down, address = node.line.split()[1], node.has("shutdown"), self.address(node)
            shown.append(f"{name} is {'administratively down' if down else 'up'}, line protocol is {'down' if down else 'up'}")
            if address:
                shown.append(f"  Internet address is {address[0]}/{address[2]}\n  Broadcast address is 255.255.255.255")
                shown += [f"  Secondary address {match[1]}/{sum(bin(int(part)).count('1') for part in match[2].split('.'))}"
                          for _, match in node.lines(r"ip address (\S+) (\S+) secondary")]
            else:
                shown.append("  Internet protocol processing disabled")
        return "\n".join(shown)

    @command("show ip interface brief")
    def show_ip_brief(self, session, words):
        rows = [f"{'Interface':<23}{'IP-Address':<16}OK? Method Status                Protocol"]
        for node in self.interfaces(session.device):
            address, down = self.address(node), node.has("shutdown")
            method = "DHCP  " if (node.value("ip address") or "").startswith("dhcp") else "manual" if address else "unset "
            rows.append(f"{node.line.split()[1]:<23}{address[0] if address else 'unassigned':<16}YES {method} "
                        f"{'administratively down' if down else 'up':<22}{'down' if down else 'up'}")
        return "\n".join(rows)

    @command("show ipv6 interface [INTERFACE]")
    def show_ipv6_interface(self, session, words):
        import ipaddress
        shown = []
        for node in self.interfaces(session.device):
            if addresses := self.six(node):
                down = node.has("shutdown")
                shown.append(f"{node.line.split()[1]} is {'administratively down' if down else 'up'}, line protocol is {'down' if down else 'up'}\n"
                             "  IPv6 is enabled, link-local address is FE80::1\n  Global unicast address(es):")
                shown += [f"    {one.split('/')[0]}, subnet is {str(ipaddress.ip_network(one, False)).upper()}" for one in addresses]
        return "\n".join(shown)

    @command("show ipv6 interface brief")
    def show_ipv6_brief(self, session, words):
        return "\n".join("\n".join(
            [f"{node.line.split()[1]:<23}[{'administratively down/down' if node.has('shutdown') else 'up/up'}]"]
            + [f"    {one.split('/')[0]}" for one in self.six(node)] + ["    unassigned"] * (not self.six(node)))
            for node in self.interfaces(session.device))

    @command("show interfaces status")
    def show_status(self, session, words):
        rows = ["", "Port         Name               Status       Vlan       Duplex  Speed Type"]
        for node in self.interfaces(session.device, PORTS):
            name = re.sub(r"^([A-Z][a-z])\D*", r"\1", node.line.split()[1])
            vlan = "routed" if not self.switched(node) else "trunk" if node.has("switchport mode trunk") else node.value("switchport access vlan", "1")
            rows.append(f"{name:<13}{node.value('description', '')[:18]:<19}{'disabled' if node.has('shutdown') else 'connected':<13}{vlan:<11}a-full a-1000 10/100/1000BaseTX")
        return "\n".join(rows)

    def switched(self, node):
        return self.variant["kind"] == "switch" and node.find("switchport") is None and node.line.split()[1].startswith(PORTS)

    @command("show vlan [brief]")
    def show_vlan(self, session, words):
        device = session.device
        if self.variant["kind"] == "router":
            raise Refused(1)
        vlans = {1: ("default", "active", 1500), **{vlan: (name, "act/unsup", 1500) for vlan, name in FACTORY_VLANS.items()}}
        for node, match in device.running.lines(r"vlan (\d+)$"):
            vlan = int(match[1])
            state = "sus" if node.has("state suspend") else "act"
            status = state + "/lshut" if node.has("shutdown") else "suspended" if state == "sus" else "active"
            vlans[vlan] = (node.value("name", "default" if vlan == 1 else f"VLAN{vlan:04d}"), status, int(node.value("mtu", "1500")))
        ports = {}
        for node in self.interfaces(device, PORTS):
            if self.switched(node) and not node.has("switchport mode trunk"):
                ports.setdefault(int(node.value("switchport access vlan", "1")), []).append(re.sub(r"^([A-Z][a-z])\D*", r"\1", node.line.split()[1]))
        rows = ["", f"VLAN {'Name':<32} {'Status':<9} Ports", f"---- {'-' * 32} {'-' * 9} {'-' * 31}"]
        for vlan, (name, status, _) in sorted(vlans.items()):
            own = ports.get(vlan, [])
            rows.append(f"{vlan:<4} {name:<32} {status:<9} {', '.join(own[:4])}".rstrip())
            rows += [" " * 48 + ", ".join(own[at:at + 4]) for at in range(4, len(own), 4)]
        if "brief" in words:
            return "\n".join(rows)
        rows += ["", "VLAN Type  SAID       MTU   Parent RingNo BridgeNo Stp  BrdgMode Trans1 Trans2",
                 "---- ----- ---------- ----- ------ ------ -------- ---- -------- ------ ------"]
        kinds = {1002: "fddi ", 1003: "tr   ", 1004: "fdnet", 1005: "trnet"}
        rows += [f"{vlan:<4} {kinds.get(vlan, 'enet ')} {100000 + vlan:<10} {mtu:<5} -      -      -        -    -        0      0"
                 for vlan, (_, _, mtu) in sorted(vlans.items())]
        remote = ranged([int(match[1]) for node, match in device.running.lines(r"vlan (\d+)$") if node.has("remote-span")])
        rows += ["", "Remote SPAN VLANs", "-" * 78, remote, "", "Primary Secondary Type              Ports", "------- --------- ----------------- " + "-" * 42]
        taken = set()
        nodes = {match[1]: node for node, match in device.running.lines(r"vlan (\d+)$")}
        for vlan, node in nodes.items():
            for second in ranges(node.value("private-vlan association", "")) if node.value("private-vlan association") else ():
                kind = nodes[str(second)].value("private-vlan", "non-operational") if str(second) in nodes else "non-operational"
                rows.append(f"{vlan:<7} {second:<9} {kind}")
                taken |= {vlan, str(second)}
        for vlan, node in nodes.items():
            kind = node.value("private-vlan")
            if kind and vlan not in taken:
                rows.append(f"{vlan:<7} {'none':<9} {'primary':<17} " if kind == "primary" else f"{'none':<7} {vlan:<9} {kind:<17} ")
        return "\n".join(rows)

    @command("show access-lists [WORD]", "show ip access-lists [WORD]", "show access-list")
    def show_access_lists(self, session, words):
        shown = []
        for node, match in session.device.running.lines(r"ip(v6)? access-list (?:(standard|extended) )?(\S+)$"):
            if len(words) > 2 and words[-1] not in (match[3], "access-lists", "access-list"):
                continue
            shown.append(f"IPv6 access list {match[3]}" if match[1] else f"{match[2].capitalize()} IP access list {match[3]}")
            for entry in node.children:
                if entry.line.startswith("remark"):
                    continue
                text = entry.line
                if match[2] == "standard":
                    text = re.sub(r"^(permit|deny) (\S+) (\d\S+)", lambda m: f"{m[1]:<6} {m[2]}, wildcard bits {m[3]}", text)
                shown.append(f"    {text} sequence {entry.key}" if match[1] else f"    {entry.key} {text}")
        return "\n".join(shown)

    @command("show lldp")
    def show_lldp(self, session, words):
        running = session.device.running
        if not running.has("lldp run"):
            return "% LLDP is not enabled"
        return ("Global LLDP Information:\n    Status: ACTIVE\n"
                f"    LLDP advertisements are sent every {running.value('lldp timer', '30')} seconds\n"
                f"    LLDP hold time advertised is {running.value('lldp holdtime', '120')} seconds\n"
                f"    LLDP interface reinitialisation delay is {running.value('lldp reinit', '2')} seconds")

    @command("show lldp neighbors [detail]")
    def show_lldp_neighbors(self, session, words):
        if not session.device.running.has("lldp run"):
            return "% LLDP is not enabled"
        if "detail" in words:
            return "Total entries displayed: 0"
        return ("Capability codes:\n    (R) Router, (B) Bridge, (T) Telephone, (C) DOCSIS Cable Device\n"
                "    (W) WLAN Access Point, (P) Repeater, (S) Station, (O) Other\n\n"
                "Device ID           Local Intf     Hold-time  Capability      Port ID\n\nTotal entries displayed: 0")

    @command("show cdp")
    def show_cdp(self, session, words):
        return "% CDP is not enabled"

    @command("show ip route")
    def show_ip_route(self, session, words):
        rows = ["Codes: L - local, C - connected, S - static, R - RIP, M - mobile, B - BGP", "", "Gateway of last resort is not set", ""]
        import ipaddress
        for node in self.interfaces(session.device):
            if (address := self.address(node)) and not node.has("shutdown"):
                name = node.line.split()[1]
                rows += [f"C        {ipaddress.ip_network(f'{address[0]}/{address[2]}', False)} is directly connected, {name}",
                         f"L        {address[0]}/32 is directly connected, {name}"]
        for _, match in session.device.running.lines(r"ip route (?!vrf)(\S+) (\S+) (\S+)(?: (\d+))?"):
            via = f"is directly connected, {match[3]}" if interface(match[3]) else f"[{match[4] or 1}/0] via {match[3]}"
            rows.append(f"S        {ipaddress.ip_network(f'{match[1]}/{match[2]}', False)} {via}")
        return "\n".join(rows)

    @command("show ip bgp summary", "show bgp summary", "show bgp ipv4 unicast summary")
    def show_bgp_summary(self, session, words):
        bgp = session.device.running.lines(r"router bgp (\S+)")
        if not bgp:
            return "% BGP not active"
        node, own = bgp[0][0], bgp[0][1][1]
        neighbors = {}
        for _, match in node.lines(r"neighbor (\S+) (remote-as|shutdown)(?: (\S+))?"):
            neighbors.setdefault(match[1], {})[match[2]] = match[3]
        rows = [f"BGP router identifier {node.value('bgp router-id', '0.0.0.0')}, local AS number {own}",
                "BGP table version is 1, main routing table version 1", "",
                "Neighbor        V           AS MsgRcvd MsgSent   TblVer  InQ OutQ Up/Down  State/PfxRcd"]
        rows += [f"{name:<16}4 {known.get('remote-as') or '-':>12}       0       0        1    0    0 never    {'Idle (Admin)' if 'shutdown' in known else 'Active'}"
                 for name, known in neighbors.items()]
        return "\n".join(rows)

    @command("show snmp user", "show switch virtual", "show vrf", "show boot", "show lacp sys-id", "show lldp interface")
    def show_nothing(self, session, words):
        return ""

    @command("show archive")
    def show_archive(self, session, words):
        archive = session.device.running.find("archive")
        if archive is None or archive.value("path") is None:
            return "Archive feature not enabled"
        kept = [name for name in session.device.files if name.startswith(archive.value("path"))]
        return (f"The maximum archive configurations allowed is {archive.value('maximum', '10')}.\n"
                f"There are currently {len(kept)} archive configurations saved.\nThe next archive file will be named {archive.value('path')}-{len(kept)}\n"
                " Archive #  Name\n" + "\n".join(f"   {at:<8} {name}" for at, name in enumerate(kept, 1)))

    @command("show archive config rollback timer")
    def show_rollback_timer(self, session, words):
        device = session.device
        if "rollback" not in device.timers:
            return "%No Rollback Confirmed Change pending"
        return (f"Time configured(in minutes): {device.state['rollback']:g}\nTimer type: absolute timer\n"
                f"Timer value: {device.left('rollback') / device.minute:.0f} min\nUser: {session.user}")

    @command("archive config", level=15)
    def archive_config(self, session, words):
        self.keep(session.device)

    def keep(self, device):
        archive = device.running.find("archive")
        if archive is None or archive.value("path") is None:
            return False
        count = device.state["archived"] = device.state.get("archived", -1) + 1
        device.files[f"{archive.value('path')}-{count}"] = device.text()
        return True

    @command("configure terminal", level=15)
    def configure(self, session, words):
        session.edit()
        session.say("Enter configuration commands, one per line.  End with CNTL/Z.\n")

    @command("configure terminal revert timer [idle] 1-120", level=15)
    def configure_revert(self, session, words):
        device = session.device
        if "rollback" in device.timers:
            return "%Error: A Rollback Confirmed Change is already pending."
        if not self.keep(device):
            return "%Error: Archive feature is not enabled. Rollback Confirmed Change cannot be used."
        self.arm(session, int(words[-1]))
        session.say(f"Rollback Confirmed Change: Backing up current running config to {list(device.files)[-1]}\n\n")
        self.configure(session, words)

    def arm(self, session, minutes, before=None):
        device = session.device
        before, startup = before or device.running.clone(), device.startup

        def revert():
            device.running = before
        del startup
        device.state["rollback"] = minutes
        device.arm("rollback", minutes * device.minute, session.number, revert)

    @command("configure confirm", level=15)
    def configure_confirm(self, session, words):
        if "rollback" not in session.device.timers:
            return "%No Rollback Confirmed Change pending"
        session.note("confirm")
        session.device.cancel("rollback")

    @command("configure revert (now | timer 1-120)", level=15)
    def revert(self, session, words):
        device = session.device
        timer = device.cancel("rollback")
        if timer is None:
            return "%No Rollback Confirmed Change pending"
        if words[-1] == "now":
            session.note("revert", "rollback")
            timer[2]()
            return "Rollback Confirmed Change: rolling to the archived configuration"
        device.state["rollback"] = int(words[-1])
        device.arm("rollback", int(words[-1]) * device.minute, session.number, timer[2])

    @command("configure replace URL [force] [time 1-120]", level=15)
    async def replace(self, session, words):
        device = session.device
        text = device.startup if words[2].endswith("startup-config") else device.files.get(words[2])
        if text is None:
            return f"%Error opening {words[2]} (No such file or directory)"
        if "force" not in words and (await session.ask(
                "This will apply all necessary additions and deletions\nto replace the current running configuration with the\n"
                "contents of the specified configuration file, which is\nassumed to be a complete configuration, not a partial\n"
                "configuration. Enter Y if you are sure you want to proceed. ? [no]: ")).lower() not in ("y", "yes"):
            return None
        session.note("line", f"configure replace {words[2]}")
        before = device.running
        device.running = device.build(text)
        if "time" in words:
            self.arm(session, int(words[-1]), before)
        return "Total number of passes: 1\nRollback Done\n"

    @command("write [memory]", level=15)
    def write(self, session, words):
        session.device.save(session.number)
        return "Building configuration...\n[OK]"

    @command("copy (running-config | startup-config | URL) (startup-config | running-config | URL)", level=15)
    async def copy(self, session, words):
        device, (source, target) = session.device, words[1:]
        name = await session.ask(f"Destination filename [{target.partition(':')[2] or target}]? ")
        if ":" in target and name:
            target = f"{target.partition(':')[0]}:{name}"
        text = {"running-config": device.text(), "startup-config": device.startup}.get(source, device.files.get(source))
        if text is None:
            return f"%Error opening {source} (No such file or directory)"
        if target == "startup-config":
            if source == "running-config":
                device.save(session.number)
                return "Building configuration...\n[OK]"
            session.note("save", source)
            device.startup = text
        elif target == "running-config":
            session.note("line", f"copy {source} {target}")
            device.build(text, device.running)
        else:
            session.note("save", target)
            device.files[target] = text
        return f"{len(text)} bytes copied in 0.100 secs ({len(text) * 10} bytes/sec)"

    @command("delete [/force] URL", level=15)
    async def delete(self, session, words):
        await session.ask(f"Delete filename [{words[-1].partition(':')[2]}]? ")
        if not await session.confirm(f"Delete {words[-1]}? [confirm]"):
            return None
        return None if session.device.files.pop(words[-1], None) is not None else f"%Error deleting {words[-1]} (No such file or directory)"

    @command("reload", "reload in 1-34560 [LINE]", level=15)
    async def reload(self, session, words):
        device = session.device
        if device.unsaved():
            answer = await session.ask("\nSystem configuration has been modified. Save? [yes/no]: ")
            if answer.lower().startswith("y"):
                device.save(session.number)
        if not await session.confirm("Proceed with reload? [confirm]"):
            return None
        if "in" in words:
            device.arm("reload", int(words[2]) * device.minute, session.number, device.reload)
            return f"Reload scheduled in {words[2]} minutes by {session.user} on vty0\nReload reason: Reload Command"
        session.note("reload")
        device.reload()
        return None

    @command("reload cancel", level=15)
    def reload_cancel(self, session, words):
        if session.device.cancel("reload") is None:
            return "%No reload is scheduled."
        session.note("confirm", "reload")
        return "\n\n***\n*** --- SHUTDOWN ABORTED ---\n***"

    @command("show reload")
    def show_reload(self, session, words):
        return "Reload scheduled" if "reload" in session.device.timers else "No reload is scheduled."

    @command("enable [0-15]")
    async def enable(self, session, words):
        if session.level < 15 and session.device.enable:
            for _ in range(3):
                if await session.ask("Password: ", echo=False) == session.device.enable:
                    break
            else:
                return "% Bad secrets\n"
        session.level = 15

    @command("disable")
    def disable(self, session, words):
        session.level = 1

    @command("terminal length 0-512", "terminal width 0-512", "terminal no monitor", "terminal monitor", "terminal dont-ask")
    def terminal(self, session, words):
        if words[1] == "length":
            session.length = int(words[2])

    @command("exit", "quit", "logout")
    def exit(self, session, words):
        raise Ended


PLATFORM = Ios
