"""What Cisco IOS shows."""
import datetime
import hashlib
import ipaddress
import re

from ..grammar import Refused, ranged, ranges
from ..show import command
from ..tables.ios import FACTORY_VLANS, GRAMMAR, LOGICAL, PORTS, interface


class Views:
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
        family = "IOS Software, vios_l2 Software (vios_l2-ADVENTERPRISEK9-M)"
        if self.variant["version"].startswith("17"):
            family = "IOS Software [Amsterdam], Catalyst L3 Switch Software (CAT9K_IOSXE)"
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

    @staticmethod
    def interfaces(device, kinds=PORTS + LOGICAL):
        return [node for node in device.running.children if node.rule.opens == "if" and node.line.split()[1].startswith(kinds)]

    @staticmethod
    def state(node):
        down = node.has("shutdown")
        return f"{node.line.split()[1]} is {'administratively down' if down else 'up'}, line protocol is {'down' if down else 'up'}"

    @staticmethod
    def short(node):
        return re.sub(r"^([A-Z][a-z])\D*", r"\1", node.line.split()[1])

    def member(self, node):
        """The VLAN of a port, as a table of ports shows it."""
        if not self.switched(node):
            return "routed"
        return "trunk" if node.has("switchport mode trunk") else node.value("switchport access vlan", "1")

    @staticmethod
    def address(node):
        primary = node.find("ip address")
        if primary is not None and (found := re.fullmatch(r"ip address (\d\S+) (\S+)", primary.line)):
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
            virtual = name.startswith("Loopback")
            mac = hashlib.sha256((session.device.name + name).encode()).hexdigest()
            mac = f"5254.{mac[:4]}.{mac[4:8]}"
            address = self.address(node)
            shown.append("\n".join(filter(None, [
                self.state(node) + ("" if virtual else " (connected)"),
                "  Hardware is Loopback" if virtual else f"  Hardware is Gigabit Ethernet, address is {mac} (bia {mac})",
                f"  Description: {node.value('description')}" if node.value("description") else "",
                f"  Internet address is {address[0]}/{address[2]}" if address else "",
                f"  MTU {node.value('mtu', '1514' if virtual else '1500')} bytes, "
                f"BW {node.value('bandwidth', '8000000' if virtual else '1000000')} Kbit/sec, DLY 10 usec,",
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
            if len(words) > 3 and node.line.split()[1] != words[3]:
                continue
            address = self.address(node)
            shown.append(self.state(node))
            if vrf := node.value("vrf forwarding"):
                shown.append(f'  VPN Routing/Forwarding "{vrf}"')
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
        shown = []
        for node in self.interfaces(session.device):
            if addresses := self.six(node):
                shown.append(f"{self.state(node)}\n  IPv6 is enabled, link-local address is FE80::1\n  Global unicast address(es):")
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
            rows.append(f"{self.short(node):<13}{node.value('description', '')[:18]:<19}"
                        f"{'disabled' if node.has('shutdown') else 'connected':<13}{self.member(node):<11}a-full a-1000 10/100/1000BaseTX")
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
            if self.member(node).isdigit():
                ports.setdefault(int(self.member(node)), []).append(self.short(node))
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
        rows += ["", "Remote SPAN VLANs", "-" * 78, remote, "", "Primary Secondary Type              Ports",
                 "------- --------- ----------------- " + "-" * 42]
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
        rows = self.cabled(session.device)
        if "detail" in words:
            return "\n".join(
                f"{'-' * 48}\nLocal Intf: {local}\nChassis id: 5254.0000.0001\nPort id: {far}\nPort Description: {name}\n"
                f"System Name: {session.device.hostname}\n\nSystem Description: \nCisco IOS Software, Version {self.variant['version']}\n\n"
                "Time remaining: 101 seconds\nSystem Capabilities: B,R\nEnabled Capabilities: R\nManagement Addresses - not advertised\n"
                "Vlan ID: 1\n" for local, far, name in rows) + f"\nTotal entries displayed: {len(rows)}"
        return ("Capability codes:\n    (R) Router, (B) Bridge, (T) Telephone, (C) DOCSIS Cable Device\n"
                "    (W) WLAN Access Point, (P) Repeater, (S) Station, (O) Other\n\n"
                "Device ID           Local Intf     Hold-time  Capability      Port ID\n"
                + "".join(f"{session.device.hostname:<20}{local:<15}120        R               {far}\n" for local, far, _ in rows)
                + f"\nTotal entries displayed: {len(rows)}")

    def cabled(self, device):
        """A cable joins the last two ports of a device: (port, the one at its other end, that one's name), as far as LLDP sees it."""
        ends = self.interfaces(device, PORTS)[-2:]
        if any(node.has("shutdown") for node in ends):
            return []
        return [(self.short(near), self.short(far), far.line.split()[1]) for near, far in zip(ends, ends[::-1])
                if not near.has("no lldp receive") and not far.has("no lldp transmit")]

    @command("show cdp")
    def show_cdp(self, session, words):
        return "% CDP is not enabled"

    def connected(self, device, vrf=None):
        """Networks of IPv4 and IPv6 of a VRF that interfaces lead to, each with the interface's own address and name."""
        for node in self.interfaces(device):
            if not node.has("shutdown") and node.value("vrf forwarding") == vrf:
                own = [f"{address[0]}/{address[2]}"] if (address := self.address(node)) else []
                own += ["/".join(match.groups()) for _, match in node.lines(r"ip address (\S+) (\S+) secondary")]
                for each in own + self.six(node):
                    yield ipaddress.ip_interface(each), node.line.split()[1]

    def routes(self, device, vrf=None, six=False):
        """Static routes of a VRF that lead somewhere: (network, interface, next hop, distance, tag)."""
        networks = list(self.connected(device, vrf))
        where = f"{'ipv6' if six else 'ip'} route {f'vrf {re.escape(vrf)} ' if vrf else '(?!vrf )'}"
        prefix, hop = (r"(\S+)()", r"[0-9A-Fa-f]*:\S*") if six else (r"(\S+) (\S+)", r"\d\S*\.\S+")
        for _, match in device.running.lines(rf"{where}{prefix}(?: ([G-Z]\S+))?(?: ({hop}))?(?: (\d+))?(?: tag (\d+))?"):
            name, hop = match[3], match[4]
            # An address that is link-local stands with its interface.
            if any(name == to if name or not hop else ipaddress.ip_address(hop) in own.network for own, to in networks):
                yield ipaddress.ip_network(match[1] if six else f"{match[1]}/{match[2]}", False), name, hop, match[5] or "1", match[6]

    @command("show ip route", "show ip route static")
    def show_ip_route(self, session, words):
        default = [route for route in self.routes(session.device) if not route[0].prefixlen]
        gateway = f"{default[0][2] or '0.0.0.0'} to network 0.0.0.0" if default else "not set"
        rows = ["Codes: L - local, C - connected, S - static, R - RIP, M - mobile, B - BGP", "", f"Gateway of last resort is {gateway}", ""]
        for own, name in self.connected(session.device):
            if own.version == 4 and words[-1] != "static":
                rows += [f"C        {own.network} is directly connected, {name}", f"L        {own.ip}/32 is directly connected, {name}"]
        for network, name, hop, distance, _ in self.routes(session.device):
            rows.append(f"S        {network} " + (f"[{distance}/0] via {hop}" if hop else f"is directly connected, {name}"))
        return "\n".join(rows)

    def best(self, session, words, wanted, six=False):
        """(the heading of its table, the static routes to this network that are in use)"""
        vrf = words[4] if words[3] == "vrf" else None
        if vrf and not any(session.device.running.has(f"{kind} {vrf}") for kind in ("vrf definition", "ip vrf")):
            raise Refused(None, f"% IP routing table {vrf} does not exist")
        found = [route for route in self.routes(session.device, vrf, six) if route[0] == wanted]
        least = min((int(route[3]) for route in found), default=0)
        return f"\nRouting Table: {vrf}\n" if vrf and not six else "", [route for route in found if int(route[3]) == least]

    @command("show ip route [vrf WORD] IP IP")
    def show_ip_route_to(self, session, words):
        wanted = ipaddress.ip_network(f"{words[-2]}/{words[-1]}", False)
        heading, best = self.best(session, words, wanted)
        if not best:
            return f"{heading}% {'Subnet' if wanted.prefixlen else 'Network'} not in table"
        _, _, _, distance, tag = best[0]
        candidate = "" if wanted.prefixlen else ", candidate default path"
        ways = "\n".join(
            f"  {'*' if not at else ' '} {hop or f'directly connected, via {name}'}{f', via {name}' if hop and name else ''}\n"
            "      Route metric is 0, traffic share count is 1" for at, (_, name, hop, *_) in enumerate(best))
        told = f"\n  Tag {tag}" if tag else ""
        return (f'{heading}Routing entry for {wanted}{", supernet" if candidate else ""}\n'
                f'  Known via "static", distance {distance}, metric 0{candidate}{told}\n'
                f"  Routing Descriptor Blocks:\n{ways}")

    @command("show ipv6 route [vrf WORD] PREFIX6")
    def show_ipv6_route_to(self, session, words):
        wanted = ipaddress.ip_network(words[-1], False)
        _, best = self.best(session, words, wanted, six=True)
        if not best:
            return "% Route not found"
        ways = "\n".join(
            f"    {', '.join(filter(None, (hop, name))) if hop else f'directly connected via {name}'}\n      Last updated 00:00:10 ago"
            for _, name, hop, *_ in best)
        return (f'Routing entry for {str(wanted).upper()}\n  Known via "static", distance {best[0][3]}, metric 0\n'
                f"  Route count is {len(best)}/{len(best)}, share count 0\n  Routing paths:\n{ways}")

    @command("show ip route summary", "show ipv6 route summary")
    def show_route_summary(self, session, words):
        six = words[1] == "ipv6"
        connected = [own for own, _ in self.connected(session.device) if (own.version == 6) == six]
        static = len({route[0] for route in self.routes(session.device, six=six)})
        if six:
            rows = [("connected", len(connected)), ("local", len(connected)), ("static", static)]
            return "\n".join(["IPv6 routing table name is default(0) global scope", "IPv6 routing table default maximum-paths is 16",
                              "Route Source    Networks    Overhead    Memory (bytes)",
                              *(f"{name:<16}{count:<12}{count * 88:<12}{count * 128}" for name, count in rows),
                              f"{'Total':<16}{sum(count for _, count in rows):<12}0           0"])
        rows = [("application", 0), ("connected", 2 * len(connected)), ("static", static)]
        return "\n".join(["IP routing table name is default (0x0)", "IP routing table maximum-paths is 32",
                          "Route Source    Networks    Subnets     Replicates  Overhead    Memory (bytes)",
                          *(f"{name:<16}0           {count:<12}0           {count * 96:<12}{count * 288}" for name, count in rows),
                          "internal        1                                               400",
                          f"{'Total':<16}1           {sum(count for _, count in rows):<12}0           0           0"])

    @command("ping [vrf WORD] (IP | IP6) [repeat 1-2147483647] [timeout 0-3600] [source INTERFACE]")
    def ping(self, session, words):
        """Only its own addresses answer: there is nothing behind its ports."""
        vrf = words[2] if words[1] == "vrf" else None
        target = ipaddress.ip_address(words[3 if vrf else 1])
        sent = int(words[words.index("repeat") + 1]) if "repeat" in words else 5
        if vrf and not any(session.device.running.has(f"{kind} {vrf}") for kind in ("vrf definition", "ip vrf")):
            return f"% VRF {vrf} does not exist"
        answers = any(own.ip == target for own, _ in self.connected(session.device, vrf))
        told = f"Success rate is {100 if answers else 0} percent ({sent if answers else 0}/{sent})"
        return ("Type escape sequence to abort.\n"
                f"Sending {sent}, 100-byte ICMP Echos to {str(target).upper()}, timeout is 1 seconds:\n{('!' if answers else '.') * sent}\n"
                f"{told}{', round-trip min/avg/max = 1/2/4 ms' if answers else ''}")

    @command("show interfaces INTERFACE switchport")
    def show_switchport(self, session, words):
        node = session.device.running.find(f"interface {words[2]}")
        if node is None or self.variant["kind"] == "router" or not words[2].startswith(PORTS):
            raise Refused(2)
        if not self.switched(node):
            return f"Name: {self.short(node)}\nSwitchport: Disabled"
        mode = node.value("switchport mode", "dynamic auto")
        voice = node.value("switchport voice vlan")
        allowed = node.value("switchport trunk allowed vlan", "ALL")
        return "\n".join([
            f"Name: {self.short(node)}", "Switchport: Enabled", f"Administrative Mode: {'static ' * (mode == 'access')}{mode}",
            f"Operational Mode: {'down' if node.has('shutdown') else 'static access' if mode != 'trunk' else 'trunk'}",
            f"Access Mode VLAN: {node.value('switchport access vlan', '1')} (named)",
            f"Trunking Native Mode VLAN: {node.value('switchport trunk native vlan', '1')} (named)",
            f"Voice VLAN: {f'{voice} (named)' if voice else 'none'}", f"Trunking VLANs Enabled: {allowed}",
            "Pruning VLANs Enabled: 2-1001"])

    @command("show bgp all summary")
    def show_bgp_all_summary(self, session, words):
        told = self.summaries(session)
        if told is None:
            return "% BGP not active"
        return "\n\n".join(f"For address family: {name}\n{text}" for name, text in told.items())

    @command("show ip bgp summary", "show bgp summary", "show bgp ipv4 unicast summary")
    def show_bgp_summary(self, session, words):
        told = self.summaries(session)
        return "% BGP not active" if told is None else told.get("IPv4 Unicast", "")

    def summaries(self, session):
        """By family the table of its neighbours; None without BGP. Those of VRFs are among VPNv4 and VPNv6."""
        bgp = session.device.running.lines(r"router bgp (\S+)")
        if not bgp:
            return None
        node, own = bgp[0][0], bgp[0][1][1]
        top, families = self.peers(node), {}
        if not node.has("no bgp default ipv4-unicast"):
            families["IPv4 Unicast"] = dict(top)
        for section, match in node.lines(r"address-family (ipv4|ipv6|vpnv4|vpnv6)(?: unicast)?(?: vrf (\S+))?$"):
            kind = match[1].replace("ip", "vpn") if match[2] else match[1]
            family = families.setdefault({"i": "IP", "v": "VPN"}[kind[0]] + kind[-2:] + " Unicast", {})
            if match[2]:
                family |= {(match[2], name): known for name, known in self.peers(section).items()}
            else:
                family |= {name: top[name] for name, known in self.peers(section).items() if "activate" in known and name in top}
        heading = (f"BGP router identifier {node.value('bgp router-id', '0.0.0.0')}, local AS number {own}\n"
                   "BGP table version is 1, main routing table version 1\n\n"
                   "Neighbor        V           AS MsgRcvd MsgSent   TblVer  InQ OutQ Up/Down  State/PfxRcd")
        return {family: "\n".join([heading, *(self.peer(session, name if isinstance(name, str) else name[1], known)
                                              for name, known in peers.items())]) for family, peers in families.items()}

    @staticmethod
    def peers(node):
        """What a section says of each neighbour."""
        neighbors = {}
        for _, match in node.lines(r"neighbor (\S+) (remote-as|shutdown|activate)(?: (\S+))?"):
            neighbors.setdefault(match[1], {})[match[2]] = match[3]
        return neighbors

    @staticmethod
    def peer(session, name, known):
        """A neighbour is up unless it is shut down or silent. A long address has a line of its own."""
        place = f"{name}\n{'':<16}" if len(name) > 15 else f"{name:<16}"
        if "shutdown" in known or not session.answers(name):
            state = "Idle (Admin)" if "shutdown" in known else "Active"
            return f"{place}4 {known.get('remote-as') or '-':>12}       0       0        1    0    0 never    {state}"
        return f"{place}4 {known.get('remote-as') or '-':>12}      10      10        1    0    0 00:05:00        0"

    @command("show ip ospf neighbor", "show ipv6 ospf neighbor", "show ospfv3 neighbor", "show isis neighbors",
             "show ip eigrp [vrf WORD] neighbors", "show ipv6 eigrp [vrf WORD] neighbors",
             "show snmp user", "show switch virtual", "show vrf", "show boot", "show lacp sys-id", "show lldp interface")
    def show_nothing(self, session, words):
        return ""

    @command("show archive")
    def show_archive(self, session, words):
        archive = session.device.running.find("archive")
        if archive is None or archive.value("path") is None:
            return "Archive feature not enabled"
        kept = [name for name in session.device.files if name.startswith(archive.value("path"))]
        return (f"The maximum archive configurations allowed is {archive.value('maximum', '10')}.\n"
                f"There are currently {len(kept)} archive configurations saved.\n"
                f"The next archive file will be named {archive.value('path')}-{len(kept)}\n"
                " Archive #  Name\n" + "\n".join(f"   {at:<8} {name}" for at, name in enumerate(kept, 1)))

    @command("show archive config rollback timer")
    def show_rollback_timer(self, session, words):
        device = session.device
        if "rollback" not in device.timers:
            return "%No Rollback Confirmed Change pending"
        return (f"Time configured(in minutes): {device.state['rollback']:g}\nTimer type: absolute timer\n"
                f"Timer value: {device.left('rollback') / device.minute:.0f} min\nUser: {session.user}")

    @command("show reload")
    def show_reload(self, session, words):
        device = session.device
        if "reload" not in device.timers:
            return "No reload is scheduled."
        minutes, seconds = divmod(round(device.left("reload") / device.minute * 60), 60)
        return (f"Reload scheduled for 00:0{minutes % 10}:00 UTC Mon Mar 1 2021 (in {minutes} minutes and {seconds} seconds) by "
                f"{session.user} on vty0\nReload reason: Reload Command")
