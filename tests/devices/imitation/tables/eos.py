"""The lines of Arista EOS."""
import ipaddress
import re

from ..grammar import Grammar, mask, matching, number, ranged, ranges

KINDS = ("Ethernet", "Loopback", "Management", "Port-Channel", "Vlan", "Vxlan", "Tunnel")
PORTS = ("Ethernet", "Management")
PROTOCOLS = {"1": "icmp", "2": "igmp", "6": "tcp", "17": "udp", "47": "gre", "51": "ahp", "89": "ospf", "103": "pim", "112": "vrrp"}
SERVICES = {"20": "ftp-data", "21": "ftp", "22": "ssh", "23": "telnet", "25": "smtp", "49": "tacacs", "53": "domain", "69": "tftp",
            "80": "www", "123": "ntp", "161": "snmp", "179": "bgp", "443": "https", "514": "syslog"}
SEVERITIES = ("emergencies", "alerts", "critical", "errors", "warnings", "notifications", "informational", "debugging")


def interface(word):
    found = re.fullmatch(r"([A-Za-z-]+)(\d+(?:/\d+)*(?:\.\d+)?)", word)
    name = found and next((name for name in KINDS if name.lower().startswith(found[1].lower())), None)
    return name and name + found[2]


def interfaces(word):
    """Ethernet1-3 or Ethernet1,3, too."""
    found = re.fullmatch(r"([A-Za-z-]+)(\d[\d,-]*)", word)
    return interface(word) or (found and (one := interface(found[1] + "1")) and one[:-1] + ranged(ranges(found[2]))) or None


def six(word):
    address, slash, length = word.partition("/")
    try:
        return str(ipaddress.IPv6Address(address)) + slash + length
    except ValueError:
        return None


def of_three(names, word):
    return names.get(word) or (word if word in names.values() else None)


TYPES = {
    "INTERFACE": interface, "INTERFACES": interfaces,
    "IP6": lambda word: six(word) if ":" in word and "/" not in word else None,
    "PREFIX6": lambda word: six(word) if re.search(r":.*/\d+$", word) else None,
    "SEVERITY": lambda word: SEVERITIES[int(word)] if word in tuple("01234567") else word if word in SEVERITIES else None,
    "PROTOCOL": lambda word: of_three(PROTOCOLS, word) or (word if word in ("ip", "ipv6", "icmpv6") else number(0, 255)(word)),
    "SERVICE": lambda word: SERVICES.get(word, word),
    "FLAG": matching("established|ack|fin|psh|rst|syn|urg"),
    "ICMP": matching(r"echo(-reply)?|unreachable|time-exceeded|redirect|traceroute|message-reply|\d+"),
    "ASN": matching(r"\d+(\.\d+)?"),
    "SPEED": matching(r"auto|(forced )?\d+(\.\d+)?[gG]?(full|half)?(-\d)?|\d+g"),
    "OID": matching(r"\.?\d+(\.\d+)*", lambda word: "." + word.lstrip(".")),
    "URL": matching(r"(flash|file|extension|http|https|scp|tftp):\S*"),
    "TEXT": lambda word: word,
}
PORT = "[(eq SERVICE | gt SERVICE | lt SERVICE | neq SERVICE | range SERVICE SERVICE)]"
SOURCE, SOURCE6 = "(any | host IP | PREFIX | IP IP)", "(any | host IP6 | PREFIX6)"
MATCHES = ("{ICMP | FLAG | fragments | tracked | dscp WORD | ttl (eq NUMBER | gt NUMBER | lt NUMBER | neq NUMBER) | "
           "hop-limit (eq | gt | lt | neq) NUMBER | log}")
ACTION = "[NUMBER] remark LINE\n[NUMBER] (permit | deny)"
VLAN_SET = "(none | all | VLANS | add VLANS | remove VLANS | except VLANS)"
NEIGHBOR = [
    "peer group = [WORD]", "remote-as = ASN", "local-as = ASN [no-prepend replace-as]", "shutdown", "description = LINE", "activate",
    "password = [0 | 7] WORD",
    "ebgp-multihop = [1-255]", "update-source = INTERFACE", "next-hop-self", "next-hop-peer", "bfd", "timers = NUMBER NUMBER",
    "route-map WORD = (in | out)",
    "prefix-list WORD = (in | out)", "route-reflector-client", "default-originate = [route-map WORD] [always]", "allowas-in = [1-10]",
    "send-community = [LINE]", "maximum-routes = NUMBER [warning-limit NUMBER [percent]] [warning-only]", "weight = NUMBER",
    "passive", "additional-paths LINE",
    "encapsulation = LINE", "soft-reconfiguration inbound = [all]", "ttl maximum-hops = NUMBER", "export-localpref = NUMBER",
    "metric-out = NUMBER"]
NEIGHBORS = "\n".join(f"neighbor WORD {line} :: by 2" for line in NEIGHBOR)
BGP = f"""
router-id = IP
timers bgp = NUMBER NUMBER
distance bgp = NUMBER [NUMBER NUMBER]
default-metric = NUMBER
maximum-paths = NUMBER [ecmp NUMBER]
dynamic peer max = NUMBER
shutdown
rd = WORD
route-target (import | export) WORD [WORD]
ucmp (link-bandwidth (recursive | encoding-weighted) | fec threshold LINE | mode LINE)
bgp additional-paths (receive | install | send LINE)
bgp log-neighbor-changes :: on
bgp listen range LINE
bgp default ipv4-unicast :: on
bgp (always-compare-med | asn notation LINE | bestpath LINE | cluster-id IP | client-to-client reflection | confederation LINE \
    | convergence LINE | route LINE)
graceful-restart = [LINE]
graceful-restart-helper = [LINE]
{NEIGHBORS}
aggregate-address (PREFIX | PREFIX6) = {{as-set | summary-only | attribute-map WORD | match-map WORD | advertise-only}}
redistribute bgp leaked = {{route-map WORD}}
redistribute connected = {{route-map WORD}}
redistribute isis [level-1 | level-2 | level-1-2] = {{route-map WORD}}
redistribute (ospf | ospfv3) [match (internal | external | nssa-external [1 | 2])] = {{route-map WORD}}
redistribute static = {{route-map WORD}}
redistribute rip = {{route-map WORD}}
redistribute (attached-host | dynamic) = {{route-map WORD}}
network (PREFIX | PREFIX6) = {{route-map WORD}}
vlan-aware-bundle LINE :: > bgp-vlan
vlan 1-4094 :: > bgp-vlan
address-family (ipv4 | ipv6 | evpn | flow-spec (ipv4 | ipv6)) [unicast | multicast | labeled-unicast] :: > bgp-af
vrf WORD :: > bgp-vrf
"""
VRF = "[vrf WORD]"
CLOCK = "{version 1-4 | prefer | burst | iburst | minpoll 3-17 | maxpoll 3-17 | local-interface INTERFACE | source INTERFACE | key NUMBER}"
ACES = {
    "acl": f"{ACTION} [vlan NUMBER NUMBER] PROTOCOL {SOURCE} {PORT} {SOURCE} {PORT} {MATCHES}\nstatistics per-entry",
    "std-acl": f"{ACTION} (any | host IP | PREFIX | IP IP) [log]\nstatistics per-entry",
    "acl6": f"{ACTION} [vlan NUMBER NUMBER] PROTOCOL {SOURCE6} {PORT} {SOURCE6} {PORT} {MATCHES}\nstatistics per-entry",
    "std-acl6": f"{ACTION} (any | host IP6 | PREFIX6) [log]\nstatistics per-entry",
    "ipp": "[seq NUMBER] (permit | deny) PREFIX {eq NUMBER | ge NUMBER | le NUMBER}",
    "ipp6": "[seq NUMBER] (permit | deny) PREFIX6 {eq NUMBER | ge NUMBER | le NUMBER}",
}
# Sections whose lines have a number, and the word that stands before it.
ENTRIES = {"acl": "", "std-acl": "", "acl6": "", "std-acl6": "", "ipp": "seq ", "ipp6": "seq "}

GRAMMAR = Grammar({
    "": f"""
aaa root = LINE
aaa (authentication | authorization | accounting) LINE
username WORD = {{privilege 0-15 | role WORD | (nopassword | secret [0 | 5 | sha512 | *] WORD)}} :: merge sort
username WORD (sshkey | ssh-key) = LINE
enable (secret | password) = [0 | 5 | sha512] WORD
transceiver qsfp default-mode = 4x10G
service routing protocols model = (ribd | multi-agent)
service configuration session max (pending | completed) = NUMBER
agent WORD LINE
prompt = LINE
alias WORD LINE
logging on :: on
logging buffered = [NUMBER] [SEVERITY]
logging console = SEVERITY
logging monitor = SEVERITY
logging trap = [SEVERITY]
logging persistent = [NUMBER]
logging synchronous = [level (SEVERITY | all)]
logging facility = WORD :: default local7
logging format timestamp = {{traditional | high-resolution | (timezone | year) [timezone | year]}}
logging format (hostname = (fqdn | ipv4) | sequence-numbers)
logging policy match [inverse-result] match-list WORD = discard
logging level WORD = SEVERITY
logging [vrf WORD] host WORD = [add | remove] {{NUMBER | protocol (tcp | udp)}} :: sort
logging [vrf WORD] source-interface = INTERFACE
logging repeat-messages
logging event (link-status | congestion-drops | spanning-tree) [global]
hostname = WORD
dns domain = WORD
ip name-server {VRF} (IP | IP6) [(IP | IP6)] [(IP | IP6)] :: sort
ip domain-list WORD :: sort
ip domain lookup [vrf WORD] source-interface = INTERFACE
lldp timer = 1-32768 :: default 30
lldp hold-time = 10-65535 :: default 120
lldp (reinit = 1-10 | timer reinitialization = 1-20)
lldp tlv transmit WORD :: on
lldp tlv-select WORD :: on
lldp management-address (all | WORD)
lldp run :: on
ntp authentication-key NUMBER (md5 | sha1) = [0 | 7] WORD :: sort
ntp trusted-key = LINE
ntp authenticate = [servers]
ntp local-interface [vrf WORD] = INTERFACE
ntp qos dscp = 0-63
ntp server [vrf WORD] (IP | IP6 | WORD) = {CLOCK} :: sort
ntp serve (ip | ipv6) access-group WORD [vrf WORD] = [in]
ntp serve all
snmp-server engineID (local | remote WORD [udp-port NUMBER]) = WORD
snmp-server contact = LINE
snmp-server location = LINE
snmp-server chassis-id = LINE
snmp-server ipv4 access-list WORD [vrf WORD]
snmp-server local-interface = INTERFACE
snmp-server vrf WORD local-interface = INTERFACE
snmp-server vrf WORD
snmp-server view WORD WORD (included | excluded)
snmp-server community WORD = [view WORD] [ro | rw] [ipv6 WORD] [WORD] :: sort
snmp-server group WORD (v1 | v2c | v3 (auth | noauth | priv)) = {{context WORD | read WORD | write WORD | notify WORD}} :: sort
snmp-server user WORD WORD (v1 | v2c | v3) = [LINE] :: sort
snmp-server user WORD remote LINE :: sort
snmp-server host WORD [vrf WORD] [traps | informs] [version (1 | 2c | 3 (auth | noauth | priv))] WORD [udp-port NUMBER] :: sort
snmp-server enable traps [WORD] [WORD]
snmp-server enable traps WORD WORD WORD [WORD] [WORD] [WORD]
snmp-server extension OID = URL [one-shot]
snmp-server (notification log-entry limit | transmit max-size | qos dscp) = NUMBER
spanning-tree mode = (mstp | rstp | rapid-pvst | none)
spanning-tree mst LINE
spanning-tree priority = NUMBER
vlan VLANS :: > vlan each sort
vrf instance WORD :: > vrf sort
nexthop-group WORD type WORD :: > nexthop
class-map type qos match-any WORD :: > cmap
policy-map type quality-of-service WORD :: > pmap
interface INTERFACES :: > if each sort
ip access-list standard WORD :: > std-acl sort
ip access-list WORD :: > acl sort
ipv6 access-list standard WORD :: > std-acl6 sort
ipv6 access-list WORD :: > acl6 sort
ip routing = [vrf WORD]
ipv6 unicast-routing = [vrf WORD]
ip prefix-list WORD [seq NUMBER] (permit | deny) PREFIX {{eq NUMBER | ge NUMBER | le NUMBER}}
ip prefix-list WORD :: > ipp sort
ipv6 prefix-list WORD [seq NUMBER] (permit | deny) PREFIX6 {{eq NUMBER | ge NUMBER | le NUMBER}}
ipv6 prefix-list WORD :: > ipp6 sort
ip route {VRF} PREFIX (Nexthop-Group WORD | INTERFACE [IP] | IP) = [1-255] {{track bfd | tag NUMBER | name WORD \
    | metric NUMBER}} [1-255] :: exact by 3
ipv6 route {VRF} PREFIX6 (Nexthop-Group WORD | INTERFACE [IP6] | IP6) = [1-255] {{track bfd | tag NUMBER | name WORD \
    | metric NUMBER}} :: exact by 3
route-map WORD [permit | deny] [0-65535] :: > route-map sort
banner (login | motd) = TEXT
router bgp ASN :: > bgp
management api http-commands :: > mgmt-api-http-cmds
management ssh :: > mgmt-ssh
management console :: > mgmt-console
event-handler WORD :: > handler
""",
    "vlan": "name = WORD\nstate = (active | suspend) :: default active\ntrunk group WORD\nprivate-vlan LINE",
    "cmap": "match (ip | ipv6) access-group WORD\nmatch (vlan | dscp | cos) LINE",
    "pmap": "class WORD :: > pmap-c",
    "pmap-c": "set cos = 0-7\nset dscp = WORD\nset traffic-class = 0-7",
    "vrf": "rd = WORD\ndescription = LINE",
    "nexthop": "size = NUMBER\nentry LINE\nttl = NUMBER",
    "if": f"""
description = LINE
shutdown
mtu = 68-65535 :: default 1500
load-interval = NUMBER
speed = SPEED [SPEED] :: default auto
logging event link-status = [use-global]
vrf = WORD
switchport access vlan = 1-4094 :: default 1
switchport trunk native vlan = (1-4094 | tag) :: default 1
switchport trunk allowed vlan = {VLAN_SET} :: default all
switchport mode = (access | trunk | dot1q-tunnel | tap | tool) :: default access
switchport trunk group WORD
switchport :: on
channel-group = NUMBER mode (active | passive | on)
lacp LINE
encapsulation dot1q vlan = 1-4094
ip address = (dhcp | PREFIX | virtual PREFIX | unnumbered INTERFACE) :: exact
ip address PREFIX secondary
ip access-group WORD (in | out)
ip helper-address IP [vrf WORD]
ip proxy-arp
ip ospf LINE
ipv6 enable
ipv6 address (auto-config | dhcp | PREFIX6 [eui-64])
ipv6 access-group WORD (in | out)
lldp transmit :: on
lldp receive :: on
spanning-tree portfast = [edge | network]
spanning-tree bpduguard = (enable | disable)
service-profile = WORD
""",
    "bgp": BGP, "bgp-vrf": BGP, "bgp-af": BGP, 
    "bgp-vlan": "rd = WORD\nroute-target (import | export | both) WORD\nvlan VLANS\nredistribute (learned | connected | LINE)",
    **ACES,
    "route-map": "match LINE\nset LINE\ndescription LINE\nsub-route-map = WORD\ncontinue = [NUMBER]",
    "mgmt-api-http-cmds": "shutdown :: neg\nprotocol (http | https | http localhost | unix-socket) = [port NUMBER]\nvrf WORD :: > mgmt-vrf",
    "mgmt-vrf": "shutdown :: neg",
    "mgmt-ssh": "idle-timeout = NUMBER\nshutdown :: neg\nconnection limit = NUMBER\nvrf WORD :: > mgmt-vrf",
    "mgmt-console": "idle-timeout = NUMBER",
    "handler": "trigger LINE\naction LINE\ndelay = NUMBER\nasynchronous\ntimeout = NUMBER",
}, TYPES, [
    (None, r"^(int\S*) ([A-Za-z-]+) +(?=\d)", r"\1 \2"),
    ("", r"^ip domain-name\b", "dns domain"),
    ("", r"^(logging policy match) invert-result", r"\1 inverse-result"),
    ("", r"^ip domain lookup vrf default ", "ip domain lookup "),
    ("", r"^(ip name-server) (?!vrf)(?=\S)", r"\1 vrf default "),
    ("", r"^(username \S+) sshkey", r"\1 ssh-key"),
    ("if", r"^(ip address \d\S+) (255\S+)", lambda found: f"{found[1]}/{mask(found[2])}" if mask(found[2]) else found[0]),
    ("", r"^(policy-map type) qos", r"\1 quality-of-service"),
    ("if", r"^vrf forwarding", "vrf"),
    ("if", r"^speed forced (\S+)", r"speed \1"),
    ("bgp", r"^(neighbor \S+) peer-group", r"\1 peer group"),
    ("bgp-vrf", r"^(neighbor \S+) peer-group", r"\1 peer group"),
], negatable=r"ntp|ip address|ipv6 address|ip name-server|ip domain lookup( vrf \S+)? source-interface|switchport trunk allowed vlan")

FACTORY = """
transceiver qsfp default-mode 4x10G
service routing protocols model ribd
hostname {hostname}
spanning-tree mode mstp
{ports}
interface Management1
 ip address dhcp
"""
