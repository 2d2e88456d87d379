"""The lines of Cisco IOS."""
import re

from ..grammar import Grammar, mask, matching, number

PORTS = ("TenGigabitEthernet", "TwoGigabitEthernet", "FortyGigabitEthernet", "HundredGigE", "GigabitEthernet", "FastEthernet", "Ethernet")
LOGICAL = ("Loopback", "Vlan", "Port-channel", "Tunnel", "BDI")
PROTOCOLS = {"1": "icmp", "2": "igmp", "6": "tcp", "17": "udp", "47": "gre",
             "50": "esp", "51": "ahp", "88": "eigrp", "89": "ospf", "103": "pim"}
SERVICES = {"20": "ftp-data", "21": "ftp", "23": "telnet", "25": "smtp", "49": "tacacs", "53": "domain", "69": "tftp", "80": "www",
            "119": "nntp", "123": "ntp", "161": "snmp", "162": "snmptrap", "179": "bgp", "514": "syslog"}
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
    "MASK": lambda word: word if mask(word) else None,
    "ROW": lambda word: word.upper() if word.lower() in ("ro", "rw") else None,
    "SEVERITY": lambda word: SEVERITIES[int(word)] if word in "01234567" and len(word) == 1 else one_of(SEVERITIES)(word),
    "PROTOCOL": lambda word: PROTOCOLS.get(word) or (word if word in PROTOCOLS.values() or word in ("ip", "ipv6", "ipinip",
    "nos") else number(0, 255)(word)),
    "SERVICE": lambda word: SERVICES.get(word, word),
    "ICMP": matching(r"echo(-reply)?|traceroute|unreachable|time-exceeded|ttl-exceeded|packet-too-big|port-unreachable|"
                     r"host-unreachable|redirect|administratively-prohibited|parameter-problem|router-(advertisement|solicitation)|"
                     r"nd-n[as]|mask-re(ply|quest)|\d+"),
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
           "ttl (eq NUMBER | gt NUMBER | lt NUMBER | neq NUMBER | range NUMBER NUMBER) | (log | log-input)}")
ROUTE = "{NUMBER-OF-ROUTE}"
NEIGHBOR = [
    "remote-as = ASN", "peer-group = [WORD]", "local-as = ASN {no-prepend | replace-as | dual-as}", "shutdown", "description = LINE",
    "password = [7] WORD", "ebgp-multihop = [1-255]", "ttl-security hops = 1-254", "update-source = INTERFACE", "version = 4",
    "timers = NUMBER NUMBER [NUMBER]", "transport = LINE", "fall-over = [bfd]", "disable-connected-check", "activate",
    "send-community = [both | extended | standard]",
    "next-hop-self = [all]", "route-reflector-client", "default-originate = [route-map WORD]", "soft-reconfiguration = inbound",
    "allowas-in = [1-10]",
    "slow-peer detection = [disable | threshold NUMBER]", "aigp send = LINE", "prefix-list WORD = (in | out)",
    "route-map WORD = (in | out)",
    "filter-list WORD = (in | out)", "distribute-list WORD = (in | out)",
    "maximum-prefix = NUMBER [1-100] [warning-only | restart NUMBER]", "weight = NUMBER"]
NEIGHBORS = "\n".join(f"neighbor WORD {line} :: by 2" for line in NEIGHBOR)
NETWORKS = """
network IP [mask IP] = {route-map WORD | backdoor}
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
vlan internal allocation policy = (ascending | descending)
vlan VLANS :: > config-vlan each sort
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
ip route [vrf WORD] IP IP (INTERFACE [IP] | IP [global]) = [1-255] {{tag NUMBER | name WORD | (permanent | track NUMBER) \
    | multicast}} :: exact
ip access-list standard WORD :: > std-nacl
ip access-list extended WORD :: > ext-nacl
ip prefix-list WORD description = LINE :: by 3
ip prefix-list WORD [seq NUMBER] (permit | deny) PREFIX {{ge NUMBER | le NUMBER}} :: by 3 sort
logging origin-id = LINE
logging delimiter = LINE
logging filter URL = [args LINE]
logging history = SEVERITY
logging trap = SEVERITY :: neg default informational
logging facility = WORD :: default local7
logging server-arp
logging source-interface = INTERFACE [vrf WORD]
logging host (IP | ipv6 IP6 | WORD) [vrf WORD] = {{discriminator WORD | transport (tcp | udp) [port NUMBER] \
    | filtered [stream NUMBER] | xml}}
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
ntp peer [vrf WORD] (ip IP | ipv6 IP6 | IP | IP6 | WORD) = {{burst | iburst | key NUMBER | maxpoll NUMBER | minpoll NUMBER | prefer \
    | source INTERFACE | version 1-4}}
ntp server [vrf WORD] (ip IP | ipv6 IP6 | IP | IP6 | WORD) = {{burst | iburst | key NUMBER | maxpoll NUMBER | minpoll NUMBER | prefer \
    | source INTERFACE | version 1-4}}
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
ip address IP MASK secondary
ip address = (IP MASK | dhcp [client-id INTERFACE] [hostname WORD] | negotiated) :: neg exact
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
    "std-nacl": "[NUMBER] remark LINE\n[NUMBER] (permit | deny) (any | host IP | IP [IP]) [log]",
    "ext-nacl": f"[NUMBER] remark LINE\n[NUMBER] (permit | deny) PROTOCOL {SOURCE} {PORT} {SOURCE} {PORT} {MATCHES}",
    "ipv6-acl": f"[sequence NUMBER] remark LINE\n"
                f"[sequence NUMBER] (permit | deny) PROTOCOL {SOURCE6} {PORT} {SOURCE6} {PORT} {{{MATCHES[1:-1]} | sequence NUMBER}}",
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
vlan internal allocation policy ascending
{ports}
ip forward-protocol nd
no ip http server
no ip http secure-server
line con 0
line vty 0 4
 login local
 transport input ssh
"""
