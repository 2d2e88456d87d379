"""Arista EOS, as a switch whose ports may be routed."""
import crypt
import hashlib
import ipaddress
import json
import re

from ..grammar import Grammar, Refused, matching, number, ranged, ranges
from ..session import Ended
from ..show import command, filtered, whole_sections
from ..tree import diff
from . import Block, Platform

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
MATCHES = "{ICMP | FLAG | fragments | tracked | dscp WORD | ttl (eq NUMBER | gt NUMBER | lt NUMBER | neq NUMBER) | hop-limit (eq | gt | lt | neq) NUMBER | log}"
VLAN_SET = "(none | all | VLANS | add VLANS | remove VLANS | except VLANS)"
NEIGHBOR = [
    "peer group = [WORD]", "remote-as = ASN", "local-as = ASN [no-prepend replace-as]", "shutdown", "description = LINE", "activate", "password = [0 | 7] WORD",
    "ebgp-multihop = [1-255]", "update-source = INTERFACE", "next-hop-self", "next-hop-peer", "bfd", "timers = NUMBER NUMBER", "route-map WORD = (in | out)",
    "prefix-list WORD = (in | out)", "route-reflector-client", "default-originate = [route-map WORD] [always]", "allowas-in = [1-10]",
    "send-community = [LINE]", "maximum-routes = NUMBER [warning-limit NUMBER [percent]] [warning-only]", "weight = NUMBER", "passive", "additional-paths LINE",
    "encapsulation = LINE", "soft-reconfiguration inbound = [all]", "ttl maximum-hops = NUMBER", "export-localpref = NUMBER", "metric-out = NUMBER"]
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
bgp (always-compare-med | asn notation LINE | bestpath LINE | cluster-id IP | client-to-client reflection | confederation LINE | convergence LINE | route LINE)
graceful-restart = [LINE]
graceful-restart-helper = [LINE]
{NEIGHBORS}
aggregate-address (PREFIX | PREFIX6) = {{as-set | summary-only | attribute-map WORD | match-map WORD | advertise-only}}
redistribute (connected | static | attached-host | dynamic | bgp leaked | rip) = {{route-map WORD}}
redistribute (ospf | ospfv3) [match (internal | external | nssa-external [1 | 2])] = {{route-map WORD}}
redistribute isis [level-1 | level-2 | level-1-2] = {{route-map WORD}}
network (PREFIX | PREFIX6) = {{route-map WORD}}
vlan-aware-bundle LINE :: > bgp-vlan
vlan 1-4094 :: > bgp-vlan
address-family (ipv4 | ipv6 | evpn | flow-spec (ipv4 | ipv6)) [unicast | multicast | labeled-unicast] :: > bgp-af
vrf WORD :: > bgp-vrf
"""
VRF = "[vrf WORD]"
CLOCK = "{version 1-4 | prefer | burst | iburst | minpoll 3-17 | maxpoll 3-17 | local-interface INTERFACE | source INTERFACE | key NUMBER}"
ACES = {
    "acl": f"[NUMBER] remark LINE\n[NUMBER] (permit | deny) [vlan NUMBER NUMBER] PROTOCOL {SOURCE} {PORT} {SOURCE} {PORT} {MATCHES}\nstatistics per-entry",
    "std-acl": "[NUMBER] remark LINE\n[NUMBER] (permit | deny) (any | host IP | PREFIX | IP IP) [log]\nstatistics per-entry",
    "acl6": f"[NUMBER] remark LINE\n[NUMBER] (permit | deny) [vlan NUMBER NUMBER] PROTOCOL {SOURCE6} {PORT} {SOURCE6} {PORT} {MATCHES}\nstatistics per-entry",
    "std-acl6": "[NUMBER] remark LINE\n[NUMBER] (permit | deny) (any | host IP6 | PREFIX6) [log]\nstatistics per-entry",
    "ipp": "[seq NUMBER] (permit | deny) PREFIX {eq NUMBER | ge NUMBER | le NUMBER}",
    "ipp6": "[seq NUMBER] (permit | deny) PREFIX6 {eq NUMBER | ge NUMBER | le NUMBER}",
}
ENTRIES = {**{name: (10, "", "") for name in ("acl", "std-acl", "acl6", "std-acl6")}, "ipp": (10, "seq ", "ip"), "ipp6": (10, "seq ", "ipv6")}

GRAMMAR = Grammar({
    "": f"""
aaa root = LINE
aaa (authentication | authorization | accounting) LINE
username WORD = {{privilege 0-15 | role WORD | nopassword | secret [0 | 5 | sha512 | *] WORD}} :: merge
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
logging [vrf WORD] host WORD = [add | remove] {{NUMBER | protocol (tcp | udp)}}
logging [vrf WORD] source-interface = INTERFACE
logging repeat-messages
logging event (link-status | congestion-drops | spanning-tree) [global]
hostname = WORD
dns domain = WORD
ip name-server {VRF} (IP | IP6) [(IP | IP6)] [(IP | IP6)]
ip domain-list WORD
ip domain lookup [vrf WORD] source-interface = INTERFACE
lldp timer = 1-32768 :: default 30
lldp hold-time = 10-65535 :: default 120
lldp (reinit = 1-10 | timer reinitialization = 1-20)
lldp tlv transmit WORD :: on
lldp tlv-select WORD :: on
lldp management-address (all | WORD)
lldp run :: on
ntp authentication-key NUMBER (md5 | sha1) = [0 | 7] WORD
ntp trusted-key = LINE
ntp authenticate = [servers]
ntp local-interface [vrf WORD] = INTERFACE
ntp qos dscp = 0-63
ntp server [vrf WORD] (IP | IP6 | WORD) = {CLOCK}
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
snmp-server community WORD = [view WORD] [ro | rw] [ipv6 WORD] [WORD]
snmp-server group WORD (v1 | v2c | v3 (auth | noauth | priv)) = {{context WORD | read WORD | write WORD | notify WORD}}
snmp-server user WORD LINE
snmp-server host WORD [vrf WORD] [traps | informs] [version (1 | 2c | 3 (auth | noauth | priv))] WORD [udp-port NUMBER]
snmp-server enable traps [WORD] [WORD]
snmp-server enable traps WORD WORD WORD [WORD] [WORD] [WORD]
snmp-server extension OID = URL [one-shot]
snmp-server (notification log-entry limit | transmit max-size | qos dscp) = NUMBER
spanning-tree mode = (mstp | rstp | rapid-pvst | none)
spanning-tree mst LINE
spanning-tree priority = NUMBER
vlan = VLANS :: > vlan each sort
vrf instance WORD :: > vrf
nexthop-group WORD type WORD :: > nexthop
interface = INTERFACES :: > if each sort
ip access-list standard WORD :: > std-acl
ip access-list WORD :: > acl
ipv6 access-list standard WORD :: > std-acl6
ipv6 access-list WORD :: > acl6
ip routing = [vrf WORD]
ipv6 unicast-routing = [vrf WORD]
ip prefix-list WORD [seq NUMBER] (permit | deny) PREFIX {{eq NUMBER | ge NUMBER | le NUMBER}}
ip prefix-list WORD :: > ipp
ipv6 prefix-list WORD [seq NUMBER] (permit | deny) PREFIX6 {{eq NUMBER | ge NUMBER | le NUMBER}}
ipv6 prefix-list WORD :: > ipp6
ip route {VRF} PREFIX (Nexthop-Group WORD | INTERFACE [IP] | IP) = [1-255] {{track bfd | tag NUMBER | name WORD | metric NUMBER}} [1-255] :: exact
ipv6 route {VRF} PREFIX6 (Nexthop-Group WORD | INTERFACE [IP6] | IP6) = [1-255] {{track bfd | tag NUMBER | name WORD | metric NUMBER}} :: exact
route-map WORD [permit | deny] [0-65535] :: > route-map sort
banner (login | motd) = TEXT
router bgp ASN :: > bgp
management api http-commands :: > mgmt-api-http-cmds
management ssh :: > mgmt-ssh
management console :: > mgmt-console
event-handler WORD :: > handler
""",
    "vlan": "name = WORD\nstate = (active | suspend) :: default active\ntrunk group WORD\nprivate-vlan LINE",
    "vrf": "rd = WORD\ndescription = LINE",
    "nexthop": "size = NUMBER\nentry LINE\nttl = NUMBER",
    "if": f"""
description = LINE
shutdown
mtu = 68-65535
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
    "bgp": BGP, "bgp-vrf": BGP, "bgp-af": BGP, "bgp-vlan": "rd = WORD\nroute-target (import | export | both) WORD\nvlan VLANS\nredistribute (learned | connected | LINE)",
    **ACES,
    "route-map": "match LINE\nset LINE\ndescription LINE\nsub-route-map = WORD\ncontinue = [NUMBER]",
    "mgmt-api-http-cmds": "shutdown :: neg\nprotocol (http | https | http localhost | unix-socket) = [port NUMBER]\nvrf WORD :: > mgmt-vrf\nno shutdown",
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
    ("if", r"^(ip address \d\S+) (255\S+)", lambda found: f"{found[1]}/{ipaddress.ip_network('0.0.0.0/' + found[2]).prefixlen}"),
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


class Eos(Platform):
    """version: as `show version` has it; since 4.32, a session that waits for its confirmation is called committed; ports: how many
    EthernetN there are; config: the text of its first configuration; sessions: how many may be pending."""
    GRAMMAR, TYPES, HOSTNAME, SECTION = GRAMMAR, TYPES, "localhost", staticmethod(whole_sections)
    VARIANT = {"version": "4.27.0F", "ports": 8, "config": None, "sessions": 5}
    SHORT = {"bgp-vrf": "router-bgp-vrf", "bgp": "router-bgp", "bgp-af": "router-bgp-af"}

    def factory(self, device):
        ports = "\n".join(f"interface Ethernet{port}" for port in range(1, int(self.variant["ports"]) + 1))
        return self.variant["config"] or FACTORY.format(hostname=device.name, ports=ports)

    # --- what a line does ---
    def does(self, root, path, verb, rule, line):
        if rule.context in ENTRIES and not line.startswith("statistics"):
            self._entry(root.at(path), verb, rule.context, line)
            return True
        if found := re.match(r"(snmp-server enable traps \S+) (\S+ .+)", line):
            for one in found[2].split():
                GRAMMAR.apply(root, [()], f"{verb} {found[1]} {one}".strip(), self)
            return True
        if rule.context == "" and (found := re.match(r"(ip|ipv6) prefix-list (\S+) (.+)", line)):
            name = f"{found[1]} prefix-list {found[2]}"
            if not verb:
                GRAMMAR.apply(root, [()], name, self)
            if (section := root.find(name)) is not None:
                self._entry(section, verb, "ipp" if found[1] == "ip" else "ipp6", found[3])
            return True
        if rule.context == "" and verb and (found := re.match(r"interface (\D+\d[\d/.,-]*)$", line)) and verb == "no" and found[1].startswith(PORTS):
            raise Refused(None, "% Invalid input")
        return False

    @staticmethod
    def _entry(section, verb, context, line):
        step, word, _ = ENTRIES[context]
        found = re.match(rf"{word}(\d+)(?: (.*))?$", line)
        wanted, text = (int(found[1]), found[2]) if found else (None, line)
        taken = {int(child.key): child for child in section.children if child.key.isdigit()}
        same = next((at for at, child in taken.items() if child.line == f"{word}{at} {text}"), None)
        if verb:
            section.drop(lambda child: child.key == str(same if wanted is None else wanted))
            return
        if same is not None and wanted in (None, same):
            return
        if wanted in taken:
            raise Refused(None, f"% Error: Duplicate sequence number: {wanted}")
        at = wanted if wanted is not None else step + max(taken, default=0)
        node = GRAMMAR.node(GRAMMAR.rules[context][0], f"{word}{at} {text}", str(at))
        node.rank = (at,)
        section.put(node)

    def merged(self, section, rule, line, key):
        old = section.find(key)
        if found := re.match(r"(switchport trunk allowed vlan) (add|remove|except) (\S+)$", line):
            before = ranges(old.line.rsplit(" ", 1)[1]) if old is not None and old.line[-1].isdigit() else set(range(1, 4095))
            change = ranges(found[3])
            left = {"add": before | change, "remove": before - change, "except": set(range(1, 4095)) - change}[found[2]]
            return f"{found[1]} {ranged(left) if left else 'none'}"
        if found := re.match(r"(username \S+.*|enable) secret (?:0 )?(?!5 |sha512 |\* )(\S+)$", line):
            salt = hashlib.sha256((found[1] + found[2]).encode()).hexdigest()[:16]
            return f"{found[1]} secret sha512 {crypt.crypt(found[2], '$6$' + salt)}"
        if key.startswith("logging") and " host " in key and line.endswith("protocol tcp") and not re.search(r" \d+ protocol", line):
            return line.replace(" protocol", " 514 protocol")
        if key.startswith("snmp-server community ") and not re.search(r" (ro|rw)\b", line):
            return re.sub(r"^(snmp-server community \S+(?: view \S+)?)", r"\1 ro", line)
        if rule.context == "" and key.startswith("ntp authentication-key") and not re.search(r" [07] \S+$", line):
            return re.sub(r" (\S+)$", r" 7 \1", line)
        return line

    def keeps(self, section, rule, line):
        return "% Invalid input" if line == "vlan 1" else None

    def after(self, root, path, verb, rule, line):
        if rule.context == "vlan" and path and line == f"name VLAN{int(path[-1].split()[1]):04d}":
            root.at(path).drop(lambda child: child.key == "name")

    # --- text ---
    def render(self, device, root):
        lines, last = [], None

        def walk(node, depth):
            for child in node.children:
                if child.rule.opens and depth:
                    lines.append("   " * depth + "!")
                lines.append("   " * depth + child.line)
                walk(child, depth + 1)

        for node in root.children:
            if last is not None and (node.rule.opens or last.rule.opens or node.rule.first != last.rule.first):
                lines.append("!")
            lines.append(node.line)
            walk(node, 1)
            last = node
        return lines

    def as_json(self, text, data):
        if data is None:
            raise Refused(None, "% This is an unconverted command")
        return json.dumps(data, indent=4)

    def block(self, line):
        found = re.match(r"banner (motd|login)$", line)
        return found and Block(self, line, "EOF", lambda key, text: f"{key}\n{text}\nEOF")

    def banner(self, device, kind):
        node = device.running.find(f"banner {kind}")
        return "" if node is None else "\n".join(node.line.split("\n")[1:-1]) + "\n"

    def refusal(self, session, line, refusal):
        if refusal.text:
            return refusal.text + "\n"
        if refusal.at is None:
            return "% Incomplete command\n"
        words = line.split()
        return "% Invalid input" + (f" (at token {refusal.at}: '{words[refusal.at]}')" if refusal.at < len(words) else "") + "\n"

    def greeting(self, device):
        return self.banner(device, "login") + self.banner(device, "motd")

    def knows(self, device, username, password):
        found = re.search(r"secret sha512 (\S+)", device.running.value(f"username {username}", ""))
        return bool(found) and crypt.crypt(password, found[1]) == found[1]

    def knows_key(self, device, username, key):
        text = key.export_public_key().decode().split()[1]
        return any(text in child.line for child, _ in device.running.lines(rf"username {re.escape(username)} ssh-key"))

    # --- configuration mode and its sessions ---
    def mode(self, session):
        shown = super().mode(session).replace("config", "", 1)
        return "config" + (f"-s-{session.candidate[:6]}" if session.candidate else "") + shown

    async def configuring(self, session, line):
        words = line.split()
        if line == "end":
            session.leave()
        elif line in ("exit", "ex"):
            session.paths = [path[:-1] for path in session.paths if path][:1]
            if not session.paths:
                session.leave()
        elif session.candidate and words[0] in ("commit", "abort"):
            self.finish(session, words)
        elif session.candidate and line == "rollback clean-config":
            session.note("line", line)
            session.root.children = []
            session.paths = [()]
        elif words[0] == "do" or line.startswith(("sh ", "sho ", "show ", "terminal ", "bash ", "write ", "copy ")):
            await session.execute(line[3:] if words[0] == "do" else line)
        elif re.match(r"(?:config\w*|conf) (?:session|sess|terminal|t$)", line):
            await session.execute(line)
        else:
            name = re.match(r"interface (\S+)$", GRAMMAR.rewrite("", line), re.IGNORECASE)
            name = name and interface(name[1])
            if name and name.startswith(PORTS) and session.device.running.find(f"interface {name.split('.')[0]}") is None:
                raise Refused(1)
            session.configure(line)
        return True

    @command("configure [terminal]", level=15)
    def configure(self, session, words):
        session.edit()

    @command("configure session [WORD]", level=15)
    def configure_session(self, session, words):
        device = session.device
        name = words[2] if len(words) > 2 else f"sess-{len(device.state.setdefault('sessions', {}))}"
        pending = [state for state in device.state.setdefault("sessions", {}).values() if state == "pending"]
        if name not in device.candidates:
            if len(pending) >= int(self.variant["sessions"]):
                return ("% Maximum number of pending sessions has been reached. Please commit or abort previous sessions before creating a new one.")
            device.candidates[name] = device.running.clone()
            device.state["sessions"][name] = "pending"
        session.edit(name, device.candidates[name])

    @command("configure session WORD (commit [timer WORD] | abort)", level=15)
    def end_session(self, session, words):
        device, name = session.device, words[2]
        if device.state.get("timer") == name and "commit" in device.timers:
            if words[3] == "commit" and len(words) == 4:
                session.note("confirm", name)
                device.cancel("commit")
                device.state["sessions"][name] = "completed"
            elif words[3] == "abort":
                revert = device.cancel("commit")[2]
                session.note("revert", name)
                revert()
            return None
        if name not in device.candidates:
            return f"% Cannot {words[3]} session {name}: no such session"
        session.edit(name, device.candidates[name])
        self.finish(session, words[3:])
        return None

    def finish(self, session, words):
        device, name = session.device, session.candidate
        if words[0] == "abort":
            if len(words) > 1:
                raise Refused(1)
            session.note("abort", name)
            device.candidates.pop(name, None)
            device.state["sessions"].pop(name, None)
            session.leave()
            return
        clock = re.fullmatch(r"(\d\d?):(\d\d):(\d\d)", words[2]) if len(words) == 3 and "timer".startswith(words[1]) else None
        if len(words) > 1 and not clock:
            raise Refused(1 if len(words) == 2 else 2)
        before = device.running
        session.note("commit", name)
        device.running = device.candidates.pop(name)
        device.changed = session.user
        device.state["sessions"][name] = "completed"
        session.leave()
        if clock:
            minutes = int(clock[1]) * 60 + int(clock[2]) + int(clock[3]) / 60
            device.state["sessions"][name], device.state["timer"] = "waiting", name

            def revert():
                device.running = before
                device.state["sessions"].pop(name, None)
            device.arm("commit", minutes * device.minute, session.number, revert)

    @command("show configuration sessions [detail]")
    def show_sessions(self, session, words):
        device = session.device
        late = tuple(int(part) for part in re.findall(r"\d+", self.variant["version"])[:2]) >= (4, 32)
        waiting = "committed" if late else "pendingCommitTimer"
        states = {name: waiting if state == "waiting" else state for name, state in device.state.get("sessions", {}).items()}
        text = (f"Maximum number of completed sessions: 1\nMaximum number of pending sessions: {self.variant['sessions']}\n\n"
                "  Name              State                   User    Terminal\n  ----------------- ----------------------- ------- --------\n")
        text += "\n".join(f"{'*' if name == session.candidate else ' '} {name:<17} {state:<23} {session.user}" for name, state in states.items())
        data = {"sessions": {name: {"state": state, "commitUser": "", "description": "", "instances": {}} for name, state in states.items()},
                "maxSavedSessions": 1, "maxOpenSessions": int(self.variant["sessions"]), "mergeOnCommit": False, "saveToStartupConfigOnCommit": False}
        if late and "commit" in device.timers:
            data["commitTimerSessionName"] = device.state["timer"]
        return text, data

    @command("show session-config [diffs]", "show session-config named WORD [diffs]")
    def show_session(self, session, words):
        device = session.device
        name = words[words.index("named") + 1] if "named" in words else session.candidate
        if name not in device.candidates:
            return "" if name is None else f"% No such session: {name}"
        text = device.text(device.candidates[name])
        if words[-1] == "diffs":
            return diff(device.text().split("\n"), text.split("\n"), ("system:/running-config", f"session:/{name}-session-config"))
        return f"! Command: show session-config\n{self.title(device)}\n{text}\n!\nend"

    # --- commands ---
    def title(self, device):
        return f"! device: {device.hostname} (vEOS-lab, EOS-{self.variant['version']})\n!"

    @command("show running-config [all | sanitized]", "write terminal", level=15)
    def show_running(self, session, words):
        device = session.device
        text = device.text(self.complete(device.running)) if "all" in words else device.text()
        return f"! Command: show running-config{' all' if 'all' in words else ''}\n{self.title(device)}\n{text}\n!\nend"

    @command("show running-config section LINE", level=15)
    def show_section(self, session, words):
        return filtered(session.device.text(), " ".join(words[2:]), self.SECTION)

    def complete(self, root):
        full = root.clone()
        for node in full.children:
            if node.rule.opens == "if":
                for key, line in (("shutdown", "no shutdown"), ("mtu", "mtu 1500"), ("switchport", "switchport"), ("speed", "speed auto"),
                                  ("switchport mode", "switchport mode access"), ("lldp transmit", "lldp transmit"), ("lldp receive", "lldp receive")):
                    if node.find(key) is None:
                        rule = next(rule for rule in GRAMMAR.rules["if"] if rule.first == key.split()[0] and rule.match(line.replace("no ", "").split())[0])
                        node.put(GRAMMAR.node(rule, line, key))
        return full

    @command("show startup-config", level=15)
    def show_startup(self, session, words):
        startup = session.device.startup
        return f"! Command: show startup-config\n! Startup-config last modified at Mon Mar  1 00:00:00 2021 by {session.user}\n{self.title(session.device)}\n{startup}\n!\nend"

    @command("show running-config diffs", level=15)
    def show_diffs(self, session, words):
        device = session.device
        return diff(device.startup.split("\n"), device.text().split("\n"), ("flash:/startup-config", "system:/running-config"))

    @staticmethod
    def serial(device):
        return hashlib.sha256(device.name.encode()).hexdigest()[:16].upper()

    @command("show version")
    def show_version(self, session, words):
        device = session.device
        mac = "52:54:00:" + ":".join(self.serial(device)[at:at + 2].lower() for at in (0, 2, 4))
        data = {"modelName": "vEOS-lab", "version": self.variant["version"], "internalVersion": self.variant["version"] + "-1", "architecture": "i686",
                "serialNumber": self.serial(device), "systemMacAddress": mac, "hardwareRevision": "", "hwMacAddress": mac, "memTotal": 2014424,
                "memFree": 1320432, "uptime": 788645.5, "bootupTimestamp": 1614556800.0, "imageFormatVersion": "2.0", "mfgName": "Arista", "isIntlVersion": False}
        return (f"Arista vEOS-lab\nHardware version:\nSerial number: {data['serialNumber']}\nHardware MAC address: {mac}\nSystem MAC address: {mac}\n\n"
                f"Software image version: {data['version']}\nArchitecture: i686\nInternal build version: {data['internalVersion']}\n\n"
                f"Uptime: 9 days, 3 hours and 4 minutes\nTotal memory: {data['memTotal']} kB\nFree memory: {data['memFree']} kB"), data

    @command("show hostname")
    def show_hostname(self, session, words):
        running = session.device.running
        fqdn = session.device.hostname + (f".{running.value('dns domain')}" if running.value("dns domain") else "")
        return f"Hostname: {session.device.hostname}\nFQDN:     {fqdn}", {"hostname": session.device.hostname, "fqdn": fqdn}

    @command("show banner (motd | login)")
    def show_banner(self, session, words):
        text = self.banner(session.device, words[-1])
        return text, {"motd" if words[-1] == "motd" else "loginBanner": text}

    @command("show inventory")
    def show_inventory(self, session, words):
        serial = self.serial(session.device)
        return (f"System information\n    Model                    Description\n    vEOS-lab                 Virtual EOS\n\n    HW Version  Serial Number\n"
                f"                {serial}\n"), {"systemInformation": {"name": "vEOS-lab", "description": "Virtual EOS", "serialNum": serial}}

    @command("show privilege")
    def show_privilege(self, session, words):
        return f"Current privilege level is {session.level}"

    @command("show clock")
    def show_clock(self, session, words):
        return "Mon Mar  1 00:00:00 2021\nTimezone: UTC\nClock source: local"

    @command("dir [all-filesystems | URL]")
    def directory(self, session, words):
        return ("Directory of flash:/\n\n       -rwx         29           Mar 1  2021  boot-config\n\n4093313024 bytes total (2744459264 bytes free)\n\n"
                "Directory of extension:/\n\nNo files in directory\n")

    @command("bash timeout NUMBER cat /mnt/flash/boot-config", level=15)
    def boot_config(self, session, words):
        return "SWI=flash:/vEOS-lab.swi"

    @staticmethod
    def ports(device, kinds=KINDS):
        return [node for node in device.running.children if node.rule.opens == "if" and node.line.split()[1].startswith(kinds)]

    @staticmethod
    def address(node):
        found = node.value("ip address", "")
        return found if re.match(r"[\d.]+/\d+$", found) else None

    @staticmethod
    def sixes(node):
        return [match[1] for _, match in node.lines(r"ipv6 address (\S+/\d+)")]

    @staticmethod
    def routed(node):
        return node.has("no switchport") or not node.line.startswith("interface Ethernet")

    @command("show interfaces [INTERFACE]")
    def show_interfaces(self, session, words):
        text, data = [], {}
        for node in self.ports(session.device):
            name = node.line.split()[1]
            if len(words) > 2 and name != words[2]:
                continue
            down, address = node.has("shutdown"), self.address(node)
            mac = "52:54:00:" + ":".join(hashlib.sha256((session.device.name + name).encode()).hexdigest()[at:at + 2] for at in (0, 2, 4))
            mtu = int(node.value("mtu", "1500" if self.routed(node) else "9214"))
            text.append("\n".join(filter(None, [
                f"{name} is {'administratively down' if down else 'up'}, line protocol is {'down' if down else 'up'} ({'disabled' if down else 'connected'})",
                f"  Hardware is Ethernet, address is {mac.replace(':', '')}", f"  Description: {node.value('description')}" if node.value("description") else "",
                f"  Internet address is {address}" if address else "", f"  IP MTU {mtu} bytes, BW 1000000 kbit"])))
            data[name] = {"name": name, "description": node.value("description", ""), "physicalAddress": mac, "mtu": mtu, "bandwidth": 1000000000,
                          "duplex": "duplexFull", "lineProtocolStatus": "down" if down else "up", "interfaceStatus": "disabled" if down else "connected",
                          "forwardingModel": "routed" if self.routed(node) else "bridged", "hardware": "ethernet", "interfaceAddress": []}
            if address:
                data[name]["interfaceAddress"] = [{"primaryIp": {"address": address.split("/")[0], "maskLen": int(address.split("/")[1])},
                                                   "secondaryIps": {}, "secondaryIpsOrderedList": [], "broadcastAddress": "255.255.255.255"}]
            if self.sixes(node):
                data[name]["interfaceAddressIp6"] = {"globalUnicastIp6s": [
                    {"address": one.split("/")[0], "subnet": str(ipaddress.ip_network(one, False))} for one in self.sixes(node)]}
        return "\n".join(text), {"interfaces": data}

    @command("show interfaces status")
    def show_status(self, session, words):
        rows = ["Port       Name   Status       Vlan     Duplex Speed  Type            Flags Encapsulation"]
        for node in self.ports(session.device, PORTS):
            name = re.sub(r"^(Et|Ma)\D*", r"\1", node.line.split()[1])
            vlan = "routed" if self.routed(node) else "trunk" if node.has("switchport mode trunk") else node.value("switchport access vlan", "1")
            rows.append(f"{name:<10} {node.value('description', ''):<6} {'disabled' if node.has('shutdown') else 'connected':<12} {vlan:<8} full   1G     EbraTestPhyPort")
        return "\n".join(rows)

    @command("show ip interface brief")
    def show_ip_brief(self, session, words):
        rows = ["                                                                              Address", f"{'Interface':<15}{'IP Address':<22}{'Status':<12}{'Protocol':<13}{'MTU':<8}Owner",
                f"{'-' * 14} {'-' * 21} {'-' * 11} {'-' * 12} {'-' * 7} -------"]
        for node in self.ports(session.device):
            if self.routed(node):
                down = node.has("shutdown")
                rows.append(f"{node.line.split()[1]:<15}{self.address(node) or 'unassigned':<22}{'admin down' if down else 'up':<12}{'down' if down else 'up':<13}{node.value('mtu', '1500'):<8}")
        return "\n".join(rows)

    @command("show ipv6 interface brief")
    def show_ipv6_brief(self, session, words):
        rows = ["   Interface       Status       MTU   IPv6 Address                  Addr State   Addr Source"]
        return "\n".join(rows + [f"   {node.line.split()[1]:<15} {'down' if node.has('shutdown') else 'up':<12} {node.value('mtu', '1500'):<5} {one:<29} up           config"
                                 for node in self.ports(session.device) for one in self.sixes(node)])

    @command("show vlan [brief]")
    def show_vlan(self, session, words):
        vlans = {1: ("default", "active")}
        for node, match in session.device.running.lines(r"vlan (\d+)$"):
            vlans[int(match[1])] = (node.value("name", f"VLAN{int(match[1]):04d}"), "suspended" if node.has("state suspend") else "active")
        ports = {}
        for node in self.ports(session.device, ("Ethernet",)):
            if not self.routed(node) and not node.has("switchport mode trunk"):
                ports.setdefault(int(node.value("switchport access vlan", "1")), []).append(node.line.split()[1])
        rows = ["VLAN  Name                             Status    Ports", "----- -------------------------------- --------- -------------------------------"]
        rows += [f"{vlan:<5} {name:<32} {state:<9} {', '.join('Et' + port[8:] for port in ports.get(vlan, []))}" for vlan, (name, state) in sorted(vlans.items())]
        data = {"vlans": {str(vlan): {"name": name, "status": state, "dynamic": False, "interfaces": {port: {"privatePromoted": False} for port in ports.get(vlan, [])}}
                          for vlan, (name, state) in sorted(vlans.items())}}
        return "\n".join(rows), data

    @command("show lldp neighbors [detail]")
    def show_lldp(self, session, words):
        if session.device.running.has("no lldp run"):
            return "% LLDP is not enabled", {"lldpNeighbors": []}
        return ("Last table change time   : never\nNumber of table inserts  : 0\nNumber of table deletes  : 0\nNumber of table drops    : 0\n"
                "Number of table age-outs : 0\n\nPort          Neighbor Device ID       Neighbor Port ID    TTL\n"), {
                    "tablesLastChangeTime": 0.0, "tablesInserts": 0, "tablesDeletes": 0, "tablesDrops": 0, "tablesAgeOuts": 0, "lldpNeighbors": []}

    @command("show ip route")
    def show_route(self, session, words):
        rows = ["", "VRF: default", "Codes: C - connected, S - static, B - BGP", "", "Gateway of last resort is not set", ""]
        for node in self.ports(session.device):
            if self.routed(node) and self.address(node) and not node.has("shutdown"):
                rows.append(f" C        {ipaddress.ip_network(self.address(node), False)} is directly connected, {node.line.split()[1]}")
        for _, match in session.device.running.lines(r"ip route (?!vrf)(\S+) (\S+)(?: (\d+))?"):
            via = f"is directly connected, {match[2]}" if interface(match[2]) else f"[{match[3] or 1}/0] via {match[2]}"
            rows.append(f" S        {match[1]} {via}")
        return "\n".join(rows)

    @command("show ip bgp summary", "show bgp summary")
    def show_bgp(self, session, words):
        bgp = session.device.running.lines(r"router bgp (\S+)")
        if not bgp:
            return "% BGP inactive", {"vrfs": {}}
        node, own = bgp[0][0], bgp[0][1][1]
        peers = {match[1]: match[2] for _, match in node.lines(r"neighbor (\S+) remote-as (\S+)")}
        rows = [f"BGP summary information for VRF default\nRouter identifier {node.value('router-id', '0.0.0.0')}, local AS number {own}",
                "  Neighbor         V  AS           MsgRcvd   MsgSent  InQ OutQ  Up/Down State   PfxRcd PfxAcc"]
        state = {peer: "Idle(Admin)" if node.has(f"neighbor {peer} shutdown") else "Active" for peer in peers}
        rows += [f"  {peer:<16} 4  {asn:<12} 0         0          0    0    never {state[peer]}" for peer, asn in peers.items()]
        return "\n".join(rows), {"vrfs": {"default": {"routerId": node.value("router-id", "0.0.0.0"), "asn": own, "peers": {
            peer: {"peerState": state[peer], "asn": asn, "version": 4, "prefixReceived": 0, "underMaintenance": False} for peer, asn in peers.items()}}}}

    @command("show vrf")
    def show_vrf(self, session, words):
        names = ["default"] + [match[1] for _, match in session.device.running.lines(r"vrf instance (\S+)")]
        return "   VRF         Protocols     State       Interfaces\n" + "\n".join(f"   {name:<11} ipv4          routing" for name in names), {
            "vrfs": {name: {"routeDistinguisher": "", "protocols": {}, "interfaces": []} for name in names}}

    @command("show ip access-lists [WORD]", "show ipv6 access-lists [WORD]")
    def show_access(self, session, words):
        kind = "IPv6" if words[1] == "ipv6" else "IP"
        shown = []
        for node, match in session.device.running.lines(rf"{words[1]} access-list (standard )?(\S+)$"):
            shown += [f"{'Standard ' if match[1] else ''}{kind} Access List {match[2]}"] + [f"        {child.line}" for child in node.children]
        return "\n".join(shown)

    @command("show management api http-commands")
    def show_api(self, session, words):
        node = session.device.running.find("management api http-commands")
        on = node is not None and node.has("no shutdown")
        return f"Enabled: {'Yes' if on else 'No'}", {"enabled": on, "httpServer": {"running": on, "configured": False, "port": 80}, "httpsServer": {
            "running": on, "configured": True, "port": 443}, "localHttpServer": {"running": False, "configured": False, "port": 8080},
            "unixSocketServer": {"running": False, "configured": False}, "vrfs": [], "urls": []}

    @command("show reload cause", "show users", "show boot-config", "show snmp")
    def show_little(self, session, words):
        return ""

    @command("write [memory]", "copy running-config startup-config", level=15)
    def write(self, session, words):
        session.device.save(session.number)
        return "Copy completed successfully."

    @command("copy (startup-config | URL) running-config", level=15)
    def restore(self, session, words):
        device = session.device
        text = device.startup if words[1] == "startup-config" else device.files.get(words[1])
        if text is None:
            return "% Error copying: No such file or directory"
        session.note("line", " ".join(words))
        device.build(text, device.running)
        return "Copy completed successfully."

    @command("copy running-config URL", level=15)
    def keep(self, session, words):
        session.note("save", words[-1])
        session.device.files[words[-1]] = session.device.text()
        return "Copy completed successfully."

    @command("configure replace (startup-config | URL)", level=15)
    def replace(self, session, words):
        device = session.device
        text = device.startup if words[2] == "startup-config" else device.files.get(words[2])
        if text is None:
            return f"% Error: cannot read {words[2]}"
        session.note("line", " ".join(words))
        device.running = device.build(text)

    @command("reload now", level=15)
    def reload(self, session, words):
        session.note("reload")
        session.device.reload()

    @command("enable [0-15]")
    async def enable(self, session, words):
        if session.level < 15 and session.device.enable:
            for _ in range(3):
                if await session.ask("Password: ", echo=False) == session.device.enable:
                    break
            else:
                return "% Bad secret"
        session.level = 15

    @command("disable")
    def disable(self, session, words):
        session.level = 1

    @command("terminal length 0-32767", "terminal width 0-32767", "terminal monitor", "terminal no monitor", "terminal dont-ask")
    def terminal(self, session, words):
        if words[1] == "length":
            session.length = int(words[2])
            return "Pagination disabled." if not session.length else f"Pagination set to {words[2]} lines."
        return f"Width set to {words[2]} columns." if words[1] == "width" else None

    @command("exit", "quit", "logout")
    def exit(self, session, words):
        raise Ended


PLATFORM = Eos
