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
            address = self.address(node)
            shown.append(self.state(node))
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
        rows += [f"{name:<16}4 {known.get('remote-as') or '-':>12}       0       0        1    0    0 never    "
                 f"{'Idle (Admin)' if 'shutdown' in known else 'Active'}"
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
        return "Reload scheduled" if "reload" in session.device.timers else "No reload is scheduled."
