#!/usr/bin/python3
"""Holds what a device is read to have up, neighbours and default routes, and what of it a change has lost, against answers by hand: answers
of devices, in their makers' forms; what imitations of IOS and EOS answer; and with --real FRR and BIRD that have real neighbours.

  tests/blocks/neighbors.py [--real]    --real: these alone, in network namespaces of their own; as root

One line a check that fails; the last line is "N passed, M failed"."""
import asyncio
import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "src/Ansible/engine"), str(ROOT / "tests/devices")]
sys.dont_write_bytecode = True
from ansible.module_utils.connection import ConnectionError as DeviceError  # noqa: E402

import lifelines  # noqa: E402
from imitation.console import _Terminal  # noqa: E402
from imitation.journal import Journal  # noqa: E402
from imitation.platforms.eos import Eos  # noqa: E402
from imitation.platforms.ios import Ios  # noqa: E402
from imitation.session import Session  # noqa: E402
from imitation.store import Device  # noqa: E402


def taken(platform, ask):
    return lifelines.taken(str(ROOT / "src/Platforms" / platform), ask)


# --- answers by hand ---

class Refused(str):
    """What a device says to a command that it does not know."""


def read(platform, answers, asked=None):
    """(neighbours, default routes) of a device that answers so, and refuses every other command."""
    def ask(command):
        if asked is not None:
            asked.append(command)
        if isinstance(answer := answers.get(command, Refused("% Invalid input")), Refused):
            raise DeviceError(f"[netautomation:task_failed] {command}: {answer}")
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, str) else json.dumps(answer)
    seen = taken(platform, ask)
    return seen["neighbors"], seen["default_routes"]


def questions(platform, answers):
    asked = []
    read(platform, answers, asked)
    return len(asked)


IOS_ROUTING = "show running-config | include ^hostname|^router|^ipv6 router|^vrf definition|^ip vrf|address-family|ipv6 address|ipv6 enable"
IOS_HEADINGS = """hostname edge
vrf definition BLUE
 address-family ipv4
 exit-address-family
 address-family ipv6
 exit-address-family
ip vrf GREEN
 ipv6 address 2001:DB8:1::1/64
router eigrp CAMPUS
 address-family ipv4 unicast autonomous-system 10
 address-family ipv4 unicast vrf BLUE autonomous-system 20
 address-family ipv6 unicast autonomous-system 10
router ospfv3 5
 address-family ipv6 unicast
router ospf 1
router isis CORE
router bgp 65001
 address-family ipv4
 address-family ipv4 vrf BLUE
"""
IOS_BGP = """For address family: IPv4 Unicast
BGP router identifier 10.0.0.1, local AS number 65001
BGP table version is 8, main routing table version 8

Neighbor        V           AS MsgRcvd MsgSent   TblVer  InQ OutQ Up/Down  State/PfxRcd
192.0.2.2       4        65002     412     409        8    0    0 06:11:40       12
*192.0.2.77     4        65077      12      11        8    0    0 00:03:01        0
192.0.2.3       4        65003       0       0        1    0    0 never    Idle (Admin)
192.0.2.4       4        65004       0       0        1    0    0 00:10:09 Active

For address family: IPv6 Unicast
BGP router identifier 10.0.0.1, local AS number 65001
BGP table version is 1, main routing table version 1

Neighbor        V           AS MsgRcvd MsgSent   TblVer  InQ OutQ Up/Down  State/PfxRcd
2001:DB8:1:2:3::2
                4        65002     412     409        8    0    0 06:11:40        3

For address family: VPNv4 Unicast
BGP router identifier 10.0.0.1, local AS number 65001
BGP table version is 2, main routing table version 2

Neighbor        V           AS MsgRcvd MsgSent   TblVer  InQ OutQ Up/Down  State/PfxRcd
198.51.100.2    4        65010      44      41        2    0    0 1d02h           1
"""
IOS = {
    IOS_ROUTING: IOS_HEADINGS,
    "show bgp all summary": IOS_BGP,
    "show ip ospf neighbor": """
Neighbor ID     Pri   State           Dead Time   Address         Interface
10.0.0.7          1   FULL/BDR        00:00:37    192.0.2.7       GigabitEthernet0/0/1
10.0.0.8          0   FULL/  -        00:00:31    192.0.2.8       Tunnel8
10.0.0.9          1   2WAY/DROTHER    00:00:33    192.0.2.9       GigabitEthernet0/0/1
10.0.0.6          1   EXSTART/DR      00:00:39    192.0.2.6       GigabitEthernet0/0/2
""",
    "show ospfv3 neighbor": """
          OSPFv3 5 address-family ipv6 (router-id 10.0.0.1)

Neighbor ID     Pri   State           Dead Time   Interface ID    Interface
10.0.0.7          1   FULL/DR         00:00:34    9               GigabitEthernet0/0/1
""",
    "show isis neighbors": """
Tag CORE:
System Id       Type Interface     IP Address      State Holdtime Circuit Id
core1           L1   Gi0/0/3       192.0.2.33      UP    24       core1.01
core1           L2   Gi0/0/3       192.0.2.33      UP    27       core1.01
core2           L2   Gi0/0/4                       UP    22       00
core3           L2   Gi0/0/5       192.0.2.35      INIT  29       00
""",
    "show ip eigrp neighbors": """EIGRP-IPv4 VR(CAMPUS) Address-Family Neighbors for AS(10)
H   Address                 Interface              Hold Uptime   SRTT   RTO  Q  Seq
                                                   (sec)         (ms)       Cnt Num
1   192.0.2.41              Gi0/0/6                  13 00:41:07    4   100  0  31
0   192.0.2.42              Gi0/0/7                  11 3d04h       9   100  0  8
""",
    "show ip eigrp vrf BLUE neighbors": """EIGRP-IPv4 VR(CAMPUS) Address-Family Neighbors for AS(20)
           VRF(BLUE)
H   Address                 Interface              Hold Uptime   SRTT   RTO  Q  Seq
                                                   (sec)         (ms)       Cnt Num
0   198.51.100.41           Gi0/0/8                  12 00:41:07    4   100  0  31
""",
    "show ipv6 eigrp neighbors": """EIGRP-IPv6 VR(CAMPUS) Address-Family Neighbors for AS(10)
H   Address                 Interface              Hold Uptime   SRTT   RTO  Q  Seq
                                                   (sec)         (ms)       Cnt Num
0   Link-local address:     Gi0/0/6                  14 00:41:01    3   100  0  12
    FE80::41
""",
    "show ip route 0.0.0.0 0.0.0.0": """Routing entry for 0.0.0.0/0, supernet
  Known via "ospf 1", distance 110, metric 1, candidate default path
  Tag 1, type extern 2, forward metric 20
  Last update from 192.0.2.7 on GigabitEthernet0/0/1, 00:14:02 ago
  Routing Descriptor Blocks:
  * 192.0.2.8, from 10.0.0.8, 00:14:02 ago, via Tunnel8
      Route metric is 1, traffic share count is 1
      Route tag 1
    192.0.2.7, from 10.0.0.7, 2w1d ago, via GigabitEthernet0/0/1
      Route metric is 1, traffic share count is 1
      Route tag 1
""",
    "show ipv6 route ::/0": """Routing entry for ::/0
  Known via "static", distance 1, metric 0
  Route count is 2/2, share count 0
  Routing paths:
    FE80::2, GigabitEthernet0/0/1
      Last updated 00:05:01 ago
    directly connected via Tunnel8
      Last updated 00:05:01 ago
""",
    "show ip route vrf BLUE 0.0.0.0 0.0.0.0": """
Routing Table: BLUE
Routing entry for 0.0.0.0/0, supernet
  Known via "static", distance 1, metric 0, candidate default path
  Routing Descriptor Blocks:
  * directly connected, via GigabitEthernet0/0/8
      Route metric is 0, traffic share count is 1
    198.51.100.1
      Route metric is 0, traffic share count is 1
""",
    "show ipv6 route vrf BLUE ::/0": """Routing entry for ::/0
  Known via "static", distance 1, metric 0
  Route count is 1/1, share count 0
  Routing paths:
    directly connected via Null0
      Last updated 00:05:01 ago
""",
    "show ip route vrf GREEN 0.0.0.0 0.0.0.0": """
Routing Table: GREEN
Routing entry for 0.0.0.0/0, supernet
  Known via "static", distance 1, metric 0, candidate default path
  Routing Descriptor Blocks:
  * 203.0.113.1, via GigabitEthernet0/0/9
      Route metric is 0, traffic share count is 1
""",
}
IOS_SEEN = ([
    "bgp 192.0.2.2 IPv4 Unicast", "bgp 192.0.2.77 IPv4 Unicast", "bgp 198.51.100.2 VPNv4 Unicast", "bgp 2001:DB8:1:2:3::2 IPv6 Unicast",
    "eigrp 192.0.2.41 Gi0/0/6", "eigrp 192.0.2.42 Gi0/0/7", "eigrp 198.51.100.41 Gi0/0/8 vrf BLUE", "eigrp FE80::41 Gi0/0/6",
    "isis 192.0.2.33 L1 Gi0/0/3", "isis 192.0.2.33 L2 Gi0/0/3", "isis core2 L2 Gi0/0/4",
    "ospf 10.0.0.7 GigabitEthernet0/0/1", "ospf 10.0.0.8 Tunnel8", "ospfv3 10.0.0.7 GigabitEthernet0/0/1"], [
    "ip default via 192.0.2.7 GigabitEthernet0/0/1", "ip default via 192.0.2.8 Tunnel8",
    "ip default via 198.51.100.1 vrf BLUE", "ip default via 203.0.113.1 GigabitEthernet0/0/9 vrf GREEN",
    "ip default via GigabitEthernet0/0/8 vrf BLUE",
    "ipv6 default via FE80::2 GigabitEthernet0/0/1", "ipv6 default via Tunnel8"])
# A switch with a router at its side.
IOS_SWITCH = {
    IOS_ROUTING: "hostname access\n",
    "show ip route 0.0.0.0 0.0.0.0": "Default gateway is 192.0.2.1\n\nHost               Gateway           Last Use\n"
                                     "ICMP redirect cache is empty\n"}
# It does not tell what is configured.
IOS_MUTE = {name: answer for name, answer in IOS.items() if name != IOS_ROUTING and " vrf " not in name}

EOS = {
    "show running-config | include rout": "service routing protocols model multi-agent\nroute-map IN permit 10\nip routing\n"
                                          "router bgp 65001\nrouter isis CORE\nrouter ospf 1\nrouter ospfv3\n",
    "show bgp summary vrf all | json": {"vrfs": {
        "default": {"vrf": "default", "routerId": "10.0.0.1", "asn": "65001", "peers": {
            "192.0.2.2": {"peerState": "Established", "peerAsn": "65002",
                          "ipv4Unicast": {"afiSafiState": "negotiated", "nlrisReceived": 12, "nlrisAccepted": 12},
                          "l2VpnEvpn": {"afiSafiState": "advertised", "nlrisReceived": 0, "nlrisAccepted": 0}},
            "10.0.0.9": {"peerState": "Established", "peerAsn": "65001",
                         "l2VpnEvpn": {"afiSafiState": "negotiated", "nlrisReceived": 3, "nlrisAccepted": 3}},
            "192.0.2.3": {"peerState": "Active", "peerAsn": "65003",
                          "ipv4Unicast": {"afiSafiState": "configured", "nlrisReceived": 0, "nlrisAccepted": 0}}}},
        "BLUE": {"vrf": "BLUE", "routerId": "10.0.0.1", "asn": "65001", "peers": {
            "2001:db8::2": {"peerState": "Established", "peerAsn": "65010",
                            "ipv6Unicast": {"afiSafiState": "negotiated", "nlrisReceived": 1, "nlrisAccepted": 1}}}}}},
    "show ip ospf neighbor vrf all | json": {"vrfs": {"default": {"instList": {"1": {"ospfNeighborEntries": [
        {"routerId": "10.0.0.7", "priority": 1, "drState": "DR", "interfaceName": "Ethernet3", "adjacencyState": "full",
         "inactivity": 1796063028.2, "interfaceAddress": "192.0.2.7"},
        {"routerId": "10.0.0.8", "priority": 1, "drState": "DROther", "interfaceName": "Ethernet3", "adjacencyState": "2Ways",
         "inactivity": 1796063029.1, "interfaceAddress": "192.0.2.8"}]}}}}},
    "show ospfv3 neighbor | json": {"vrfs": {"default": {"addressFamily": {"ipv6": {"ospf3NeighborEntries": [
        {"routerId": "10.0.0.7", "priority": 1, "interfaceName": "Ethernet3", "adjacencyState": "full", "inactivity": 1796063028.2}]}}}}},
    "show isis neighbors vrf all | json": {"vrfs": {"default": {"isisInstances": {"CORE": {"neighbors": {
        "0100.0000.0007": {"adjacencies": [{"hostname": "core7", "circuitId": "0F", "interfaceName": "Ethernet4", "state": "up"}]},
        "0100.0000.0008": {"adjacencies": [{"hostname": "core8", "circuitId": "10", "interfaceName": "Ethernet5", "state": "down"}]}}}}}}},
    "show ip route vrf all 0.0.0.0/0 | json": {"vrfs": {
        "default": {"routes": {"0.0.0.0/0": {"routeType": "eBGP", "routeAction": "forward", "preference": 20, "metric": 0, "vias": [
            {"nexthopAddr": "192.0.2.2", "interface": "Ethernet1"}, {"nexthopAddr": "192.0.2.6", "interface": "Ethernet2"}]}}},
        "BLUE": {"routes": {"0.0.0.0/0": {"routeType": "static", "routeAction": "forward", "vias": [{"interface": "Ethernet9"}]}}},
        "GREEN": {"routes": {"0.0.0.0/0": {"routeType": "eBGP", "routeAction": "forward", "vias": [
            {"type": "vxlan", "vtepAddr": "10.0.0.9", "vni": 1000, "interface": "Vxlan1"}]}}},
        "GREY": {"routes": {}},
        "RED": {"routes": {"0.0.0.0/0": {"routeType": "static", "routeAction": "drop", "vias": [{"interface": "Null0"}]}}}}},
    "show ipv6 route vrf all ::/0 | json": {"vrfs": {"default": {"routes": {"::/0": {
        "routeType": "static", "routeAction": "forward", "vias": [{"nexthopAddr": "fe80::2", "interface": "Ethernet1"}]}}}}},
}
EOS_SEEN = ([
    "bgp 10.0.0.9 l2VpnEvpn", "bgp 192.0.2.2 ipv4Unicast", "bgp 2001:db8::2 ipv6Unicast vrf BLUE",
    "isis 0100.0000.0007 Ethernet4", "ospf 10.0.0.7 Ethernet3", "ospfv3 10.0.0.7 Ethernet3"], [
    "ip default via 10.0.0.9 Vxlan1 vrf GREEN", "ip default via 192.0.2.2 Ethernet1", "ip default via 192.0.2.6 Ethernet2",
    "ip default via Ethernet9 vrf BLUE",
    "ipv6 default via fe80::2 Ethernet1"])
EOS_OLD = {
    "show running-config | include rout": "ip routing\nrouter bgp 65001\nipv6 router ospf 5\n",
    "show ip bgp summary vrf all | json": {"vrfs": {"default": {"peers": {
        "192.0.2.2": {"peerState": "Established", "asn": "65002"}, "192.0.2.3": {"peerState": "Idle", "asn": "65003"}}}}},
    "show ipv6 bgp summary vrf all | json": {"vrfs": {"RED": {"peers": {"2001:db8::2": {"peerState": "Established", "asn": "65002"}}}}},
    "show ipv6 ospf neighbor | json": {"vrfs": {"default": {"instList": {"5": {"ospf3NeighborEntries": [
        {"routerId": "10.0.0.7", "interfaceName": "Vlan7", "adjacencyState": "full"}]}}}}}}

# FRR where there are VRFs; --real has the rest. For all VRFs some of its commands answer with one text for each.
FRR_ROUTE = {"prefix": "0.0.0.0/0", "protocol": "bgp", "selected": True, "uptime": "00:00:08"}
FRR = {
    "show daemons": " zebra bgpd ospfd ospf6d isisd staticd\n",
    "show bgp vrf all summary json": {
        "default": {"ipv4Unicast": {"peers": {"192.0.2.2": {"state": "Established"}, "192.0.2.3": {"state": "Idle (Admin)"}}},
                    "l2VpnEvpn": {"peers": {"10.0.0.9": {"state": "Established"}}}},
        "red": {"ipv6Unicast": {"peers": {"2001:db8::2": {"state": "Established"}}}}},
    "show ip ospf vrf all neighbor json": {"red": {"vrfName": "red", "vrfId": 7, "neighbors": {"10.0.0.7": [
        {"nbrState": "Full/DR", "state": "Full/DR", "ifaceName": "eth7:192.0.2.1"},
        {"nbrState": "Init/DROther", "state": "Init/DROther", "ifaceName": "eth8:192.0.2.5"}]}}},
    "show ipv6 ospf6 vrf all neighbor json":
        '{"neighbors":[{"neighborId":"10.0.0.7","state":"Full","interfaceName":"eth7"}]}\n{"neighbors":[]}\n',
    "show isis vrf all neighbor json": {"areas": [{"area": "CORE", "circuits": [
        {"circuit": 2, "adj": "core7", "interface": "eth7", "level": 2, "state": "Up", "expires-in": "9s", "snpa": "0200.0000.0007"},
        {"circuit": 3, "adj": "core8", "interface": "eth8", "level": 2, "state": "Initializing", "snpa": "0200.0000.0008"}]}]},
    "show ip route vrf all 0.0.0.0/0 json": "\n".join(json.dumps({"0.0.0.0/0": routes}) for routes in (
        [{**FRR_ROUTE, "vrfName": "default", "nexthops": [
            {"ip": "192.0.2.9", "active": True, "recursive": True},
            {"ip": "192.0.2.2", "active": True, "resolver": True, "interfaceName": "eth0"},
            {"ip": "192.0.2.8", "interfaceName": "eth8"}]},
         {**FRR_ROUTE, "vrfName": "default", "selected": False, "nexthops": [
             {"ip": "192.0.2.5", "active": True, "interfaceName": "eth5"}]}],
        [{**FRR_ROUTE, "vrfName": "red", "nexthops": [{"directlyConnected": True, "active": True, "interfaceName": "eth7"}]}],
        [{**FRR_ROUTE, "vrfName": "blue", "nexthops": [{"unreachable": True, "blackhole": True, "active": True}]}])),
    "show ipv6 route vrf all ::/0 json": "{}\n{}\n",
}
FRR_SEEN = ([
    "bgp 10.0.0.9 l2VpnEvpn", "bgp 192.0.2.2 ipv4Unicast", "bgp 2001:db8::2 ipv6Unicast vrf red", "isis 0200.0000.0007 eth7 level 2",
    "ospf 10.0.0.7 eth7 vrf red", "ospf6 10.0.0.7 eth7"], ["ip default via 192.0.2.9", "ip default via eth7 vrf red"])

KERNEL = {
    "ip -4 -json route show table all default": [
        {"dst": "default", "gateway": "192.0.2.1", "dev": "eth0", "protocol": "dhcp", "metric": 100, "flags": []},
        {"dst": "default", "gateway": "192.0.2.5", "dev": "eth1", "protocol": "static", "flags": ["linkdown"]},
        {"dst": "default", "dev": "tun0", "table": "100", "scope": "link", "flags": []},
        {"type": "unreachable", "dst": "default", "dev": "lo", "table": "200", "flags": []}],
    "ip -6 -json route show table all default": [
        {"dst": "default", "protocol": "ra", "metric": 1024, "flags": [], "expires": 1700, "nexthops": [
            {"gateway": "fe80::1", "dev": "eth0", "weight": 1, "flags": []},
            {"gateway": "fe80::2", "dev": "eth0", "weight": 1, "flags": ["dead"]}]},
        {"dst": "default", "via": {"family": "inet6", "host": "2001:db8::9"}, "dev": "eth1", "flags": []}]}
KERNEL_SEEN = ["ip default via 192.0.2.1 eth0", "ip default via tun0 vrf 100", "ipv6 default via 2001:db8::9 eth1",
               "ipv6 default via fe80::1 eth0"]

BIRD = {**KERNEL, "birdc show protocols all": """BIRD 2.0.12 ready.
Name       Proto      Table      State  Since         Info
device1    Device     ---        up     12:00:01.100

core       BGP        ---        up     12:00:05.702  Established
  BGP state:          Established
    Neighbor address: 192.0.2.2
    Neighbor AS:      65002
    Hold timer:       197.853/240
  Channel ipv4
    State:          UP
    Table:          master4
    Routes:         3 imported, 0 exported, 3 preferred
  Channel ipv6
    State:          DOWN
    Table:          master6

edge       BGP        ---        start  12:00:01.668  Active        Socket: No route to host
  BGP state:          Active
    Neighbor address: 192.0.2.3
    Neighbor graceful restart active
  Channel ipv4
    State:          UP
    Table:          master4

inner      OSPF       master4    up     12:00:01.668  Running
  Channel ipv4
    State:          UP

mesh       Babel      ---        up     12:00:01.668
  Channel ipv6
    State:          UP

""", "birdc show ospf neighbors": """BIRD 2.0.12 ready.
inner:
Router ID   \tPri\t     State     \tDTime\tInterface  Router IP
10.0.0.7    \t  1\tFull/PtP  \t 3.993\teth7       192.0.2.7
10.0.0.8    \t  1\tInit/Other\t 3.100\teth7       192.0.2.8
""", "birdc show babel neighbors": """BIRD 2.0.12 ready.
mesh:
IP address                Interface  Metric Routes Hellos Expires Auth
fe80::7c26:43ff:fe28:940d eth8           96      0     10   0.979 No
"""}
BIRD_SEEN = ["babel fe80::7c26:43ff:fe28:940d eth8", "bgp 192.0.2.2 ipv4", "ospf 10.0.0.7 eth7"], KERNEL_SEEN

OVS = {
    **KERNEL,
    "ovs-vsctl -f json --columns=target,is_connected list Controller": {
        "headings": ["target", "is_connected"], "data": [["tcp:192.0.2.2:6653", True], ["ssl:192.0.2.3:6653", False]]},
    "ovs-vsctl -f json --columns=target,is_connected list Manager": {
        "headings": ["target", "is_connected"], "data": [["ssl:192.0.2.4:6640", True]]},
    "ovs-vsctl -f json --columns=name,lacp_current list Interface": {
        "headings": ["name", "lacp_current"], "data": [["eth1", True], ["eth2", False], ["eth3", ["set", []]]]}}
OVS_SEEN = ["controller tcp:192.0.2.2:6653", "lacp eth1", "manager ssl:192.0.2.4:6640"], KERNEL_SEEN

ALL = {"ios": (IOS, IOS_SEEN), "eos": (EOS, EOS_SEEN), "frr": (FRR, FRR_SEEN), "bird": (BIRD, BIRD_SEEN),
       "linux": (KERNEL, ([], KERNEL_SEEN)), "openvswitch": (OVS, OVS_SEEN)}


def refusing(answers, *commands):
    return {name: answer for name, answer in answers.items() if name not in commands}


def garbled(answers):
    """A device that answers something else to everything."""
    return dict.fromkeys(answers, "no such thing in this release\n")


def raises(platform, fault):
    """Whether a session that ends at the last question is an error."""
    answers, asked = dict(ALL[platform][0]), []
    read(platform, answers, asked)
    answers[asked[-1]] = DeviceError(f"[netautomation:{fault}] gone")
    try:
        read(platform, answers)
    except DeviceError as error:
        return fault in str(error)
    return False


def lost(before, now, **tolerance):
    return lifelines.lost({"neighbors": before, "default_routes": []}, {"neighbors": now, "default_routes": []}, tolerance)


TWO = ["bgp 10.0.0.2 ipv4", "ospf 10.0.0.3"]
ANSWERS = [
    *((f"{name}: what is up", lambda name=name: read(name, ALL[name][0]), ALL[name][1]) for name in ALL),
    *((f"{name}: commands that it refuses show nothing", lambda name=name: read(name, {}), ([], [])) for name in ALL),
    *((f"{name}: answers in another form show nothing", lambda name=name: read(name, garbled(ALL[name][0])), ([], [])) for name in ALL),
    *((f"{name}: {fault} is an error", lambda name=name, fault=fault: raises(name, fault), True)
      for name in ALL for fault in ("connection_closed", "idle_timeout")),
    ("ios: a protocol whose command it refuses hides no other", lambda: read("ios", refusing(IOS, "show bgp all summary")),
     ([each for each in IOS_SEEN[0] if not each.startswith("bgp")], IOS_SEEN[1])),
    ("ios: one that does not tell what is configured is asked for all", lambda: read("ios", IOS_MUTE),
     tuple([each for each in seen if " vrf " not in each] for seen in IOS_SEEN)),
    ("ios: one that does not route", lambda: read("ios", IOS_SWITCH), ([], ["ip default via 192.0.2.1"])),
    ("eos: an old release", lambda: read("eos", EOS_OLD),
     (["bgp 192.0.2.2 ip", "bgp 2001:db8::2 ipv6 vrf RED", "ospfv3 10.0.0.7 Vlan7"], [])),
    ("frr: programs that do not run are not asked", lambda: questions("frr", {**FRR, "show daemons": " zebra bgpd staticd\n"}), 4),
    ("frr: one that does not tell its programs is asked for all", lambda: read("frr", refusing(FRR, "show daemons")), FRR_SEEN),
    ("bird: protocols that it does not run are not asked",
     lambda: questions("bird", {**BIRD, "birdc show protocols all": "BIRD 2.0.12 ready.\n"}), 3),
    ("a platform that cannot show it", lambda: lifelines.taken(str(ROOT / "src/Blocks/state-snapshot"), None), {}),
    ("nothing is lost", lambda: lost(TWO, TWO), ""),
    ("two are lost", lambda: lost(TWO, []), "lost 2 neighbours (bgp 10.0.0.2 ipv4, ospf 10.0.0.3), 0 may be lost"),
    ("one is lost", lambda: lost(TWO, TWO[1:]), "lost 1 neighbour (bgp 10.0.0.2 ipv4), 0 may be lost"),
    ("a new one does not make up for it", lambda: lost(TWO, [TWO[0], "bgp 10.0.0.9 ipv4"]),
     "lost 1 neighbour (ospf 10.0.0.3), 0 may be lost"),
    ("a new one is no loss", lambda: lost(TWO, [*TWO, "bgp 10.0.0.9 ipv4"]), ""),
    ("as many as are tolerated", lambda: lost(TWO, [], neighbors=2), ""),
    ("more than are tolerated", lambda: lost(TWO, [], neighbors=1),
     "lost 2 neighbours (bgp 10.0.0.2 ipv4, ospf 10.0.0.3), 1 may be lost"),
    ("a tolerance for others", lambda: lost(TWO, TWO[1:], default_routes=5), "lost 1 neighbour (bgp 10.0.0.2 ipv4), 0 may be lost"),
    ("one of two of the same name", lambda: lost(["ospf 1"] * 2, ["ospf 1"]), "lost 1 neighbour (ospf 1), 0 may be lost"),
    ("many are not all named", lambda: lost([f"bgp {number:02}" for number in range(12)], []),
     f"lost 12 neighbours ({', '.join(f'bgp {number:02}' for number in range(10))}, and 2 more), 0 may be lost"),
    ("both kinds", lambda: lifelines.lost({"neighbors": ["a"], "default_routes": ["b"]}, {"neighbors": [], "default_routes": []}, {}),
     "lost 1 neighbour (a), 0 may be lost; lost 1 default route (b), 0 may be lost"),
    ("nothing was known", lambda: lifelines.lost({}, {}, {}), ""),
    ("everything that was known is gone", lambda: lifelines.lost({"neighbors": ["a"]}, {}, {}), "lost 1 neighbour (a), 0 may be lost"),
]


# --- imitations ---

LINES = {
    "ios": """vrf definition RED
rd 1:1
address-family ipv4
interface Loopback0
ip address 192.0.2.1 255.255.255.0
ipv6 address 2001:db8::1/64
interface Loopback1
vrf forwarding RED
ip address 198.51.100.1 255.255.255.0
ip route 0.0.0.0 0.0.0.0 192.0.2.2
ip route 0.0.0.0 0.0.0.0 192.0.2.3
ip route vrf RED 0.0.0.0 0.0.0.0 198.51.100.2
ipv6 route ::/0 2001:db8::2
router bgp 65001
neighbor 192.0.2.2 remote-as 65002
neighbor 192.0.2.3 remote-as 65003
address-family ipv4 vrf RED
neighbor 198.51.100.2 remote-as 65010""",
    "eos": """vrf instance RED
interface Ethernet1
no switchport
ip address 192.0.2.1/24
ipv6 address 2001:db8::1/64
interface Ethernet2
no switchport
vrf RED
ip address 198.51.100.1/24
ip route 0.0.0.0/0 192.0.2.2
ip route 0.0.0.0/0 192.0.2.3
ip route vrf RED 0.0.0.0/0 198.51.100.2
ipv6 route ::/0 2001:db8::2
router bgp 65001
neighbor 192.0.2.2 remote-as 65002
neighbor 192.0.2.3 remote-as 65003
vrf RED
neighbor 198.51.100.2 remote-as 65010"""}


class Imitation:
    def __init__(self, platform):
        self._platform, self.faults, self.asked = platform, {}, []
        make = Ios(kind="router") if platform == "ios" else Eos()
        self._device = Device(make, "d01", "127.0.0.1", Journal(None))
        self.type(LINES[platform])

    def type(self, lines):
        said = self._said("configure terminal", *lines.splitlines(), "end")
        assert "%" not in said, said

    def taken(self):
        self.asked = []
        return taken(self._platform, self._ask)

    def _ask(self, command):
        self.asked.append(command)
        said = self._said(command)
        if said.lstrip().startswith(("^", "% Invalid")):
            raise DeviceError(f"[netautomation:task_failed] {command}: {said}")
        return said

    def _said(self, *lines):
        async def session():
            terminal = _Terminal()
            one = Session(self._device, terminal, "netops", self.faults, 15)
            one.length = 0
            for line in lines:
                await one.take(line)
            return "".join(terminal.said)
        return asyncio.run(session())


def changed(platform, lines="", silent=None):
    """What a change of an imitation loses."""
    one = Imitation(platform)
    before = one.taken()
    assert [len(before["neighbors"]), len(before["default_routes"]), len(one.asked) <= 5] == [3, 4, True], (before, one.asked)
    if lines:
        one.type(lines)
    if silent:
        one.faults = {"silent": silent}
    return lifelines.lost(before, one.taken(), {})


# What is typed, and what it loses.
TYPED = {
    "ios": {
        "router bgp 65001\nno neighbor 192.0.2.2": "lost 1 neighbour (bgp 192.0.2.2 IPv4 Unicast)",
        "router bgp 65001\nneighbor 192.0.2.3 shutdown": "lost 1 neighbour (bgp 192.0.2.3 IPv4 Unicast)",
        "router bgp 65001\naddress-family ipv4 vrf RED\nneighbor 198.51.100.2 shutdown":
            "lost 1 neighbour (bgp 198.51.100.2 VPNv4 Unicast)",
        "no router bgp 65001": "lost 3 neighbours (bgp 192.0.2.2 IPv4 Unicast, bgp 192.0.2.3 IPv4 Unicast, "
                               "bgp 198.51.100.2 VPNv4 Unicast)",
        "no ip route 0.0.0.0 0.0.0.0 192.0.2.3": "lost 1 default route (ip default via 192.0.2.3)",
        "interface Loopback1\nshutdown": "lost 1 default route (ip default via 198.51.100.2 vrf RED)"},
    "eos": {
        "router bgp 65001\nno neighbor 192.0.2.2": "lost 1 neighbour (bgp 192.0.2.2 ipv4Unicast)",
        "router bgp 65001\nneighbor 192.0.2.3 shutdown": "lost 1 neighbour (bgp 192.0.2.3 ipv4Unicast)",
        "router bgp 65001\nvrf RED\nneighbor 198.51.100.2 shutdown": "lost 1 neighbour (bgp 198.51.100.2 ipv4Unicast vrf RED)",
        "no router bgp 65001": "lost 3 neighbours (bgp 192.0.2.2 ipv4Unicast, bgp 192.0.2.3 ipv4Unicast, "
                               "bgp 198.51.100.2 ipv4Unicast vrf RED)",
        "no ip route 0.0.0.0/0 192.0.2.3": "lost 1 default route (ip default via 192.0.2.3 Ethernet1)",
        "interface Ethernet2\nshutdown": "lost 1 default route (ip default via 198.51.100.2 Ethernet2 vrf RED)"}}
HARMLESS = ("hostname other", "router bgp 65001\nneighbor 192.0.2.9 remote-as 65009")
IMITATED = [
    *((f"{platform} is typed {lines!r}", lambda platform=platform, lines=lines: changed(platform, lines), f"{told}, 0 may be lost")
      for platform, cases in TYPED.items() for lines, told in cases.items()),
    *((f"{platform} is typed {lines!r}", lambda platform=platform, lines=lines: changed(platform, lines), "")
      for platform in TYPED for lines in HARMLESS),
    *((f"a neighbour of {platform} falls silent", lambda platform=platform: changed(platform, silent="^192.0.2.2$"),
       f"lost 1 neighbour (bgp 192.0.2.2 {family}), 0 may be lost")
      for platform, family in (("ios", "IPv4 Unicast"), ("eos", "ipv4Unicast"))),
]


# --- FRR and BIRD ---

class Pair:
    """Two namespaces with a link between them, a program with the same neighbours in each: 10.1.2.1 and 10.1.2.2."""

    def __init__(self, place):
        self.names, self.place = [f"na-n{os.getpid()}-{one}" for one in "ab"], place

    def __enter__(self):
        for name in self.names:
            run("ip", "netns", "add", name)
        run("ip", "link", "add", "e0", "netns", self.names[0], "type", "veth", "peer", "name", "e0", "netns", self.names[1])
        for number, name in enumerate(self.names, 1):
            for line in (f"addr add 10.1.2.{number}/24 dev e0", f"addr add 2001:db8::{number}/64 dev e0 nodad", "link set lo up",
                         "link set e0 up"):
                run("ip", "-n", name, *line.split())
        return self

    def __exit__(self, *_):
        for name in self.names:
            for pid in run("ip", "netns", "pids", name).split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), 9)
            run("ip", "netns", "del", name)

    def shell(self, number, command):
        return run("ip", "netns", "exec", self.names[number - 1], "sh", "-c", command)


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


class Frr(Pair):
    def __enter__(self):
        super().__enter__()
        for number in (1, 2):
            folder, other = self.place / str(number), 3 - number
            folder.mkdir()
            (folder / "vtysh.conf").write_text("service integrated-vtysh-config\n")
            (folder / "daemon.conf").write_text(f"hostname r{number}\n")
            (folder / "frr.conf").write_text(f"""interface e0
 ip ospf area 0
 ip ospf hello-interval 1
 ip ospf dead-interval 4
 ip ospf network point-to-point
 ipv6 ospf6 area 0
 ipv6 ospf6 hello-interval 1
 ipv6 ospf6 dead-interval 4
 ipv6 ospf6 network point-to-point
 ip router isis CORE
 isis hello-interval 1
router bgp 6500{number}
 no bgp ebgp-requires-policy
 neighbor 10.1.2.{other} remote-as 6500{other}
 neighbor 2001:db8::{other} remote-as 6500{other}
 address-family ipv6 unicast
  neighbor 2001:db8::{other} activate
router ospf
 ospf router-id 10.0.0.{number}
router ospf6
 ospf6 router-id 10.0.0.{number}
router isis CORE
 net 49.0001.0000.0000.000{number}.00
 is-type level-2-only
ip route 0.0.0.0/0 10.1.2.{other}
ip route 0.0.0.0/0 10.1.2.9
ipv6 route ::/0 2001:db8::{other}
""")
            for path in (folder, *folder.iterdir()):
                shutil.chown(path, "frr", "frr")
            for program in ("zebra", "staticd", "bgpd", "ospfd", "ospf6d", "isisd"):
                self.shell(number, f"/usr/lib/frr/{program} -d -A 127.0.0.1 -P 0 -f {folder}/daemon.conf -i {folder}/{program}.pid "
                                   f"--vty_socket {folder} -z {folder}/zserv.api >/dev/null 2>&1 </dev/null")
            self.vty(number, "-b")
        return self

    def vty(self, number, *words):
        return run("vtysh", "--vty_socket", self.place / str(number), "--config_dir", self.place / str(number), *words)

    def ask(self, command):
        return self.vty(1, "-c", command)

    def type(self, *lines):
        self.vty(1, *(word for line in ("configure terminal", *lines) for word in ("-c", line)))

    @property
    def UP(self):
        mac = self.shell(2, "cat /sys/class/net/e0/address").strip().replace(":", "")
        return ({"bgp 10.1.2.2 ipv4Unicast", "bgp 2001:db8::2 ipv4Unicast", "bgp 2001:db8::2 ipv6Unicast", "ospf 10.0.0.2 e0",
                 "ospf6 10.0.0.2 e0", f"isis {mac[:4]}.{mac[4:8]}.{mac[8:]} e0 level 2"},
                {"ip default via 10.1.2.2 e0", "ip default via 10.1.2.9 e0", "ipv6 default via 2001:db8::2 e0"})

    def shut(self):
        """Shuts down a neighbour, takes away a default route, and ends OSPF at the interface."""
        self.type("router bgp 65001", "neighbor 10.1.2.2 shutdown", "exit", "no ip route 0.0.0.0/0 10.1.2.9", "interface e0",
                  "no ip ospf area 0")

    LOST = ("lost 2 neighbours (bgp 10.1.2.2 ipv4Unicast, ospf 10.0.0.2 e0), 0 may be lost; "
            "lost 1 default route (ip default via 10.1.2.9 e0), 0 may be lost")


class Bird(Pair):
    def __enter__(self):
        super().__enter__()
        for number in (1, 2):
            self.configure(number)
            self.shell(number, f"bird -c {self.place}/{number}.conf -s {self.place}/{number}.ctl -P {self.place}/{number}.pid")
        return self

    def configure(self, number, change=lambda text: text):
        other = 3 - number
        (self.place / f"{number}.conf").write_text(change(f"""router id 10.0.0.{number};
protocol device {{}}
protocol kernel {{ ipv4 {{ export all; }}; }}
protocol static office {{ ipv4; route 0.0.0.0/0 via 10.1.2.{other} via 10.1.2.9; }}
protocol bgp core {{ local as 6500{number}; neighbor 10.1.2.{other} as 6500{other}; ipv4 {{ import none; export none; }}; }}
protocol ospf v2 inner {{ ipv4 {{ import none; export none; }}; area 0 {{ interface "e0" {{ type ptp; hello 1; dead 4; }}; }}; }}
protocol babel mesh {{ interface "e0" {{ hello interval 1 s; }}; ipv6 {{ import none; export none; }}; }}
"""))

    def ask(self, command):
        return self.shell(1, command.replace("birdc ", f"birdc -s {self.place}/1.ctl "))

    @property
    def UP(self):
        far = json.loads(self.shell(2, "ip -json -6 address show dev e0 scope link"))
        address = next(each["local"] for link in far for each in link.get("addr_info", []) if "local" in each)
        return ({"bgp 10.1.2.2 ipv4", "ospf 10.0.0.2 e0", f"babel {address} e0"},
                {"ip default via 10.1.2.2 e0", "ip default via 10.1.2.9 e0"})

    def shut(self):
        """Takes away a protocol with a neighbour and one of two ways of the default route."""
        self.configure(1, lambda text: text.replace("protocol bgp core {", "protocol bgp core { disabled;").replace(" via 10.1.2.9;", ";"))
        self.ask("birdc configure")

    LOST = "lost 1 neighbour (bgp 10.1.2.2 ipv4), 0 may be lost; lost 1 default route (ip default via 10.1.2.9 e0), 0 may be lost"


def eventually(seen, wanted):
    """What it is in the end: protocols need their time."""
    end = time.monotonic() + 60
    while (found := seen()) != wanted and time.monotonic() < end:
        time.sleep(0.2)
    return found


def really(make, platform):
    """What is up on a real device, and what of it a change loses, with what reading it takes."""
    with tempfile.TemporaryDirectory(prefix="na-neighbors") as place:
        pathlib.Path(place).chmod(0o755)
        with make(pathlib.Path(place)) as pair:
            wanted = pair.UP
            up = eventually(lambda: tuple(map(set, taken(platform, pair.ask).values())), wanted)
            asked, begin = [], time.monotonic()
            before = taken(platform, lambda command: (asked.append(command), pair.ask(command))[1])
            print(f"       {platform}: {len(asked)} questions, {time.monotonic() - begin:.2f} s")
            pair.shut()
            gone = eventually(lambda: lifelines.lost(before, taken(platform, pair.ask), {}), pair.LOST)
            return up == wanted or up, gone == pair.LOST or gone


REAL = [("FRR", lambda: really(Frr, "frr"), (True, True)), ("BIRD", lambda: really(Bird, "bird"), (True, True))]


def main():
    if sys.argv[1:] not in ([], ["--real"]):
        sys.exit(__doc__)
    checks, failed = REAL if sys.argv[1:] else [*ANSWERS, *IMITATED], 0
    for name, ask, expected in checks:
        try:
            fault = None if (answer := ask()) == expected else f"{answer} in place of {expected}"
        except Exception as error:
            fault = f"{type(error).__name__}: {error}"
        if fault:
            failed += 1
            print(f"FAILED {name}: {fault}")
    print(f"{len(checks) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
