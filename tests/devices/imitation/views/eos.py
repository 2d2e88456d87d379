"""What Arista EOS shows."""
import hashlib
import ipaddress
import re

from ..show import command, filtered
from ..tables.eos import GRAMMAR, KINDS, PORTS, interface
from ..tree import diff


class Views:
    def banner(self, device, kind):
        node = device.running.find(f"banner {kind}")
        return "" if node is None else "\n".join(node.line.split("\n")[1:-1]) + "\n"

    @command("show configuration sessions [detail]")
    def show_sessions(self, session, words):
        device = session.device
        late = tuple(int(part) for part in re.findall(r"\d+", self.variant["version"])[:2]) >= (4, 32)
        waiting = "committed" if late else "pendingCommitTimer"
        states = {name: waiting if state == "waiting" else state for name, state in device.state.get("sessions", {}).items()}
        text = (f"Maximum number of completed sessions: 1\nMaximum number of pending sessions: {self.variant['sessions']}\n\n"
                "  Name              State                   User    Terminal\n"
                "  ----------------- ----------------------- ------- --------\n")
        text += "\n".join(f"{'*' if name == session.candidate else ' '} {name:<17} {state:<23} {session.user}"
                          for name, state in states.items())
        data = {"sessions": {name: {"state": state, "commitUser": "", "description": "", "instances": {}}
                             for name, state in states.items()},
                "maxSavedSessions": 1, "maxOpenSessions": int(self.variant["sessions"]), "mergeOnCommit": False,
                "saveToStartupConfigOnCommit": False}
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
                                  ("switchport mode", "switchport mode access"), ("lldp transmit", "lldp transmit"),
                                  ("lldp receive", "lldp receive")):
                    if node.find(key) is None:
                        (rule, _), *_ = GRAMMAR.understood("if", line.replace("no ", "").split())
                        node.put(GRAMMAR.node(rule, line, key))
        return full

    @command("show startup-config", level=15)
    def show_startup(self, session, words):
        startup = session.device.startup
        return (f"! Command: show startup-config\n! Startup-config last modified at Mon Mar  1 00:00:00 2021 by {session.user}\n"
                f"{self.title(session.device)}\n{startup}\n!\nend")

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
        data = {"modelName": "vEOS-lab", "version": self.variant["version"], "internalVersion": self.variant["version"] + "-1",
                "architecture": "i686", "serialNumber": self.serial(device), "systemMacAddress": mac, "hardwareRevision": "",
                "hwMacAddress": mac, "memTotal": 2014424, "memFree": 1320432, "uptime": 788645.5, "bootupTimestamp": 1614556800.0,
                "imageFormatVersion": "2.0", "mfgName": "Arista", "isIntlVersion": False}
        return (f"Arista vEOS-lab\nHardware version:\nSerial number: {data['serialNumber']}\n"
                f"Hardware MAC address: {mac}\nSystem MAC address: {mac}\n\n"
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
        data = {"systemInformation": {"name": "vEOS-lab", "description": "Virtual EOS", "serialNum": serial}}
        return ("System information\n    Model                    Description\n    vEOS-lab                 Virtual EOS\n\n"
                f"    HW Version  Serial Number\n                {serial}\n"), data

    @command("show clock")
    def show_clock(self, session, words):
        return "Mon Mar  1 00:00:00 2021\nTimezone: UTC\nClock source: local"

    @command("dir [all-filesystems | URL]")
    def directory(self, session, words):
        return ("Directory of flash:/\n\n       -rwx         29           Mar 1  2021  boot-config\n\n"
                "4093313024 bytes total (2744459264 bytes free)\n\n"
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
    def secondaries(node):
        return [match[1] for _, match in node.lines(r"ip address (\S+/\d+) secondary")]

    @staticmethod
    def sixes(node):
        return [match[1] for _, match in node.lines(r"ipv6 address (\S+/\d+)")]

    @staticmethod
    def routed(node):
        return node.has("no switchport") or not node.line.startswith("interface Ethernet")

    def member(self, node):
        """The VLAN of a port, as a table of ports shows it."""
        if self.routed(node):
            return "routed"
        return "trunk" if node.has("switchport mode trunk") else node.value("switchport access vlan", "1")

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
                f"{name} is {'administratively down' if down else 'up'}, line protocol is {'down' if down else 'up'} "
                f"({'disabled' if down else 'connected'})",
                f"  Hardware is Ethernet, address is {mac.replace(':', '')}",
                f"  Description: {node.value('description')}" if node.value("description") else "",
                f"  Internet address is {address}" if address else "", f"  IP MTU {mtu} bytes, BW 1000000 kbit"])))
            data[name] = {"name": name, "description": node.value("description", ""), "physicalAddress": mac, "mtu": mtu,
                          "bandwidth": 1000000000, "duplex": "duplexFull", "lineProtocolStatus": "down" if down else "up",
                          "interfaceStatus": "disabled" if down else "connected",
                          "forwardingModel": "routed" if self.routed(node) else "bridged", "hardware": "ethernet", "interfaceAddress": []}
            if address:
                data[name]["interfaceAddress"] = [{
                    "primaryIp": {"address": address.split("/")[0], "maskLen": int(address.split("/")[1])}, "secondaryIps": {},
                    "secondaryIpsOrderedList": [
                        {"address": one.split("/")[0], "maskLen": int(one.split("/")[1])} for one in self.secondaries(node)],
                    "broadcastAddress": "255.255.255.255"}]
            if self.sixes(node):
                data[name]["interfaceAddressIp6"] = {"globalUnicastIp6s": [
                    {"address": one.split("/")[0], "subnet": str(ipaddress.ip_network(one, False))} for one in self.sixes(node)]}
        return "\n".join(text), {"interfaces": data}

    @command("show interfaces status")
    def show_status(self, session, words):
        rows = ["Port       Name   Status       Vlan     Duplex Speed  Type            Flags Encapsulation"]
        for node in self.ports(session.device, PORTS):
            name = re.sub(r"^(Et|Ma)\D*", r"\1", node.line.split()[1])
            rows.append(f"{name:<10} {node.value('description', ''):<6} {'disabled' if node.has('shutdown') else 'connected':<12} "
                        f"{self.member(node):<8} full   1G     EbraTestPhyPort")
        return "\n".join(rows)

    @command("show ip interface brief")
    def show_ip_brief(self, session, words):
        rows = [" " * 78 + "Address", f"{'Interface':<15}{'IP Address':<22}{'Status':<12}{'Protocol':<13}{'MTU':<8}Owner",
                f"{'-' * 14} {'-' * 21} {'-' * 11} {'-' * 12} {'-' * 7} -------"]
        for node in self.ports(session.device):
            if self.routed(node):
                down = node.has("shutdown")
                rows.append(f"{node.line.split()[1]:<15}{self.address(node) or 'unassigned':<22}{'admin down' if down else 'up':<12}"
                            f"{'down' if down else 'up':<13}{node.value('mtu', '1500'):<8}")
        return "\n".join(rows)

    @command("show ipv6 interface brief")
    def show_ipv6_brief(self, session, words):
        rows = ["   Interface       Status       MTU   IPv6 Address                  Addr State   Addr Source"]
        return "\n".join(rows + [f"   {node.line.split()[1]:<15} {'down' if node.has('shutdown') else 'up':<12} "
                                 f"{node.value('mtu', '1500'):<5} {one:<29} up           config"
                                 for node in self.ports(session.device) for one in self.sixes(node)])

    @command("show vlan [brief]")
    def show_vlan(self, session, words):
        vlans = {1: ("default", "active")}
        for node, match in session.device.running.lines(r"vlan (\d+)$"):
            vlans[int(match[1])] = (node.value("name", f"VLAN{int(match[1]):04d}"), "suspended" if node.has("state suspend") else "active")
        ports = {}
        for node in self.ports(session.device, ("Ethernet",)):
            if self.member(node).isdigit():
                ports.setdefault(int(self.member(node)), []).append(node.line.split()[1])
        rows = ["VLAN  Name                             Status    Ports", f"----- {'-' * 32} {'-' * 9} {'-' * 31}"]
        rows += [f"{vlan:<5} {name:<32} {state:<9} {', '.join('Et' + port[8:] for port in ports.get(vlan, []))}"
                 for vlan, (name, state) in sorted(vlans.items())]
        data = {"vlans": {str(vlan): {"name": name, "status": state, "dynamic": False,
                                      "interfaces": {port: {"privatePromoted": False} for port in ports.get(vlan, [])}}
                          for vlan, (name, state) in sorted(vlans.items())}}
        return "\n".join(rows), data

    def cabled(self, device):
        """The port at the other end of each port's cable, both being up."""
        ends = [f"Ethernet{port}" for port in self.variant["cable"].split("-")]
        nodes = {node.line.split()[1]: node for node in self.ports(device, ("Ethernet",))}
        up = len(ends) == 2 and all(end in nodes and not nodes[end].has("shutdown") for end in ends)
        return [(nodes[one], nodes[other]) for one, other in (ends, ends[::-1])] if up else []

    @command("show lldp neighbors")
    def show_lldp(self, session, words):
        if session.device.running.has("no lldp run"):
            return "% LLDP is not enabled", {"lldpNeighbors": []}
        seen = [(node.line.split()[1], other.line.split()[1]) for node, other in self.heard(session.device)]
        rows = [f"{port.replace('Ethernet', 'Et'):<13} {session.device.hostname:<24} {other:<19} 120" for port, other in seen]
        return ("Last table change time   : never\nNumber of table inserts  : 0\nNumber of table deletes  : 0\n"
                "Number of table drops    : 0\n"
                "Number of table age-outs : 0\n\nPort          Neighbor Device ID       Neighbor Port ID    TTL\n"
                + "\n".join(rows)), {
                    "tablesLastChangeTime": 0.0, "tablesInserts": 0, "tablesDeletes": 0, "tablesDrops": 0, "tablesAgeOuts": 0,
                    "lldpNeighbors": [{"port": port, "neighborDevice": session.device.hostname, "neighborPort": other, "ttl": 120}
                                      for port, other in seen]}

    def heard(self, device):
        return [] if device.running.has("no lldp run") else [
            (node, other) for node, other in self.cabled(device) if not node.has("no lldp receive") and not other.has("no lldp transmit")]

    @command("show lldp neighbors detail")
    def show_lldp_detail(self, session, words):
        device, text, data = session.device, [], {}
        fqdn = device.hostname + (f".{device.running.value('dns domain')}" if device.running.value("dns domain") else "")
        for node, other in self.heard(device):
            name, port = node.line.split()[1], other.line.split()[1]
            text.append(f"Interface {name} detected 1 LLDP neighbors:\n\n  Neighbor {fqdn}/\"{port}\"\n"
                        f"    - System Name: \"{fqdn}\"\n    - Port ID: \"{port}\"")
            data[name] = {"lldpNeighborInfo": [{
                "chassisIdType": "macAddress", "chassisId": "5254.0012.3456", "systemName": fqdn,
                "systemDescription": f"Arista Networks EOS version {self.variant['version']} running on an Arista vEOS-lab",
                "neighborInterfaceInfo": {"interfaceIdType": "interfaceName", "interfaceId": f'"{port}"', "interfaceId_v2": port},
                "managementAddresses": [{"addressType": "ipv4", "address": device.address}], "ttl": 120}]}
        return "\n".join(text), {"lldpNeighbors": data}

    @command("ping WORD [repeat NUMBER] [source WORD]", "ping vrf WORD (ip | ipv6) WORD [repeat NUMBER] [source WORD]",
             "ping vrf WORD WORD [repeat NUMBER] [source WORD]", "ping (ip | ipv6) WORD [repeat NUMBER] [source WORD]")
    def ping(self, session, words):
        """The device itself answers, at the addresses of its interfaces that are up."""
        vrf = words[words.index("vrf") + 1] if "vrf" in words else "default"
        count = int(words[words.index("repeat") + 1]) if "repeat" in words else 5
        target = ipaddress.ip_address(next(word for word in words[1:] if word != vrf and word not in ("ip", "ipv6", "vrf")))
        near = [ipaddress.ip_interface(one) for node in self.ports(session.device)
                if self.routed(node) and not node.has("shutdown") and node.value("vrf", "default") == vrf
                for one in [*filter(None, [self.address(node)]), *self.secondaries(node), *self.sixes(node)]]
        if not any(target in one.network for one in near if one.version == target.version):
            return "ping: connect: Network is unreachable"
        own = any(target == one.ip for one in near)
        rows = [f"PING {target} ({target}) 72(100) bytes of data."]
        rows += [f"80 bytes from {target}: icmp_seq={number} ttl=64 time=0.0{number % 10}6 ms" for number in range(1, count + 1) if own]
        lost = "0% packet loss, time 1ms" if own else "100% packet loss, time 41ms"
        rows += ["", f"--- {target} ping statistics ---", f"{count} packets transmitted, {count if own else 0} received, {lost}"]
        return "\n".join(rows + ["rtt min/avg/max/mdev = 0.016/0.036/0.096/0.015 ms, ipg/ewma 0.050/0.030 ms"] * own)

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

    @command("show ip route vrf WORD PREFIX", "show ipv6 route vrf WORD PREFIX6")
    def show_route_to(self, session, words):
        """Static routes alone, and of them those that lead somewhere."""
        rows, vrfs = [], {}
        for name in self.vrfs(session.device):
            if words[4] in ("all", name):
                found = list(self.ways(session.device, words[1], name, words[5]))
                best = min((distance for distance, *_ in found), default=1)
                vias = [{**({"nexthopAddr": hop} if hop else {}), "interface": to} for distance, hop, to in found if distance == best]
                rows += ["", f"VRF: {name}", "Source Codes:", "       C - connected, S - static, K - kernel", ""]
                rows += [f" S        {words[5]} [{best}/0] via {', '.join(via.values())}" for via in vias]
                route = {"hardwareProgrammed": True, "routeType": "static", "routeLeaked": False, "kernelProgrammed": True,
                         "routeAction": "forward", "directlyConnected": False, "preference": best, "metric": 0, "vias": vias}
                vrfs[name] = {"routingDisabled": False, "allRoutesProgrammedHardware": True, "allRoutesProgrammedKernel": True,
                              "defaultRouteState": "reachable" if vias else "notSet", "routes": {words[5]: route} if vias else {}}
        return "\n".join(rows), {"vrfs": vrfs}

    def ways(self, device, family, vrf, prefix):
        """(distance, next hop, interface) of each static route to this network whose interface is up."""
        near = {}
        for node in self.ports(device):
            if self.routed(node) and not node.has("shutdown") and node.value("vrf", "default") == vrf:
                own = [*filter(None, [self.address(node)]), *self.secondaries(node), *self.sixes(node)]
                near[node.line.split()[1]] = [ipaddress.ip_interface(one).network for one in own]
        where = "(?!vrf )" if vrf == "default" else f"vrf {re.escape(vrf)} "
        for _, match in device.running.lines(rf"{family} route {where}{re.escape(prefix)} ([A-Z]\S+)?(?: ?(\d\S*[.:]\S*))?(?: (\d+))?"):
            to, hop, distance = match.groups()
            if hop and not to:
                to = next((name for name, nets in near.items() if any(ipaddress.ip_address(hop) in net for net in nets)), None)
            if to in near:
                yield int(distance or 1), hop, to

    @command("show ip route [vrf WORD] summary", "show ipv6 route [vrf WORD] summary")
    def show_route_summary(self, session, words):
        running, six, vrfs = session.device.running, words[1] == "ipv6", {}
        for name in self.vrfs(session.device):
            connected = sum(len(self.sixes(node)) if six else bool(self.address(node)) + len(self.secondaries(node))
                            for node in self.ports(session.device)
                            if self.routed(node) and not node.has("shutdown") and node.value("vrf", "default") == name)
            static = len({match[2] for _, match in running.lines(rf"{words[1]} route (vrf \S+ )?(\S+)")
                          if (match[1] or "vrf default ").split()[1] == name})
            vrfs[name] = {"connected": connected, "static": static, "bgpCounts": {"bgpTotal": 0, "bgpExternal": 0, "bgpInternal": 0},
                          "ospfCounts": {"ospfTotal": 0}, "rip": 0, "totalRoutes": connected + static, "maskLen": {}}
        asked = words[words.index("vrf") + 1] if "vrf" in words else "default"
        if asked not in ("all", *vrfs):
            return f"% IP Routing table for VRF {asked} does not exist."
        vrfs = {name: counts for name, counts in vrfs.items() if asked in ("all", name)}
        rows = [f"VRF: {name}\n   Route Source                                Number Of Routes\n   connected {counts['connected']:>46}\n"
                f"   static (persistent) {counts['static']:>36}\n   Total Routes {counts['totalRoutes']:>43}"
                for name, counts in vrfs.items()]
        return "\n".join(rows), {"vrfs": vrfs}

    @staticmethod
    def vrfs(device):
        return ["default"] + [match[1] for _, match in device.running.lines(r"vrf instance (\S+)")]

    @command("show ip bgp summary [vrf WORD]", "show ipv6 bgp summary [vrf WORD]")
    def show_bgp(self, session, words):
        six = words[1] == "ipv6"
        return self.summary(
            session, words, "  Neighbor         V  AS           MsgRcvd   MsgSent  InQ OutQ  Up/Down State   PfxRcd PfxAcc",
            lambda peer, asn, state, families: None if (":" in peer) != six else (
                [f"  {peer:<16} 4  {asn:<12} " + ("10        10         0    0 00:05:00 Estab   0      0" if state == "Established" else
                                                f"0         0          0    0    never {state}")],
                {"peerState": state, "asn": asn, "version": 4, "prefixReceived": 0, "underMaintenance": False}))

    @command("show bgp summary [vrf WORD]")
    def show_bgp_families(self, session, words):
        return self.summary(
            session, words, "  Neighbor                 AS Session State AFI/SAFI                AFI/SAFI State   NLRI Rcd   NLRI Acc",
            lambda peer, asn, state, families: (
                [f"  {peer:<16} {asn:>10} {state:<13} {name:<23} {agreed:<14} {0:>10} {0:>10}" for name, agreed in families.items()],
                {"peerState": state, "peerAsn": asn, **{
                    name: {"afiSafiState": agreed, "nlrisReceived": 0, "nlrisAccepted": 0} for name, agreed in families.items()}}))

    def summary(self, session, words, heading, told):
        """The neighbours of a VRF, or of all. told: the rows of one and its data, or None where it is not among them. A neighbour is up
        unless it is shut down or silent."""
        bgp = session.device.running.lines(r"router bgp (\S+)")
        if not bgp:
            return "% BGP inactive", {"vrfs": {}}
        top, own = bgp[0][0], bgp[0][1][1]
        asked = words[words.index("vrf") + 1] if "vrf" in words else "default"
        rows, vrfs = [], {}
        for name, node in ({"default": top} | {match[1]: node for node, match in top.lines(r"vrf (\S+)")}).items():
            if asked not in ("all", name):
                continue
            router, peers = node.value("router-id", "0.0.0.0"), {}
            rows += [f"BGP summary information for VRF {name}\nRouter identifier {router}, local AS number {own}", heading]
            for _, match in node.lines(r"neighbor (\S*[.:]\S*) remote-as (\S+)"):
                peer, asn = match.groups()
                down = "Idle(Admin)" if node.has(f"neighbor {peer} shutdown") else None if session.answers(peer) else "Active"
                families = dict.fromkeys(self.families(node, peer), "configured" if down else "negotiated")
                if known := told(peer, asn, down or "Established", families):
                    rows += known[0]
                    peers[peer] = known[1]
            vrfs[name] = {"routerId": router, "asn": own, "peers": peers}
        return "\n".join(rows), {"vrfs": vrfs}

    @staticmethod
    def families(node, peer):
        """Those in which a neighbour is activated, as it is in IPv4 unless it is told otherwise."""
        active = [] if node.has("no bgp default ipv4-unicast") else ["ipv4Unicast"]
        for section, match in node.lines(r"address-family (ipv4|ipv6|evpn)$"):
            if section.has(f"neighbor {peer} activate"):
                active.append({"evpn": "l2VpnEvpn"}.get(match[1], f"{match[1]}Unicast"))
        return active

    @command("show ip ospf neighbor [vrf WORD]", "show ipv6 ospf neighbor", "show ospfv3 neighbor", "show isis neighbors [vrf WORD]")
    def show_no_neighbors(self, session, words):
        return "", {"vrfs": {}}

    @command("show vrf")
    def show_vrf(self, session, words):
        names = self.vrfs(session.device)
        rows = ["   VRF         Protocols     State       Interfaces"] + [f"   {name:<11} ipv4          routing" for name in names]
        return "\n".join(rows), {"vrfs": {name: {
            "routeDistinguisher": "", "protocols": {}, "interfaces": [
                node.line.split()[1] for node in self.ports(session.device) if self.routed(node) and node.value("vrf", "default") == name]}
                for name in names}}

    @command("show ip access-lists [WORD]", "show ipv6 access-lists [WORD]")
    def show_access(self, session, words):
        kind = "IPv6" if words[1] == "ipv6" else "IP"
        shown = []
        for node, match in session.device.running.lines(rf"{words[1]} access-list (standard )?(\S+)$"):
            shown.append(f"{'Standard ' if match[1] else ''}{kind} Access List {match[2]}")
            shown += [f"        {child.line}" for child in node.children]
        return "\n".join(shown)

    @command("show management api http-commands")
    def show_api(self, session, words):
        node = session.device.running.find("management api http-commands")
        on = node is not None and node.has("no shutdown")
        servers = {"httpServer": (on, 80), "httpsServer": (on, 443), "localHttpServer": (False, 8080), "unixSocketServer": (False, 0)}
        return f"Enabled: {'Yes' if on else 'No'}", {
            "enabled": on, "vrfs": [], "urls": [],
            **{name: {"running": runs, "configured": runs, "port": port} for name, (runs, port) in servers.items()}}

    @command("show reload cause", "show users", "show boot-config", "show snmp")
    def show_little(self, session, words):
        return ""
