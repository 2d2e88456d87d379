#!/usr/bin/python3
"""Holds what blocks that only read make of a device's text and state, and what a device shows of a change, against answers by hand.

The last line is "N passed, M failed"."""
import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "src/Ansible/engine"))
sys.dont_write_bytecode = True
import judge  # noqa: E402
import platforms  # noqa: E402
import tree  # noqa: E402

FRR, IOS = (str(ROOT / "src/Platforms" / name) for name in ("frr", "ios"))
TEXT = """Building configuration...
frr version 8.4.4
hostname r1
!
interface eth0
 description to the core
 ip address 10.0.0.1/24
exit
!
interface eth1
exit
!
router bgp 65001
 neighbor 10.0.0.2 remote-as 65002
 neighbor 10.0.0.2 password hush
 !
 address-family ipv4 unicast
  network 10.9.0.0/16
 exit-address-family
exit
!
end
"""


def found(**given):
    judged = judge.compliance(TEXT, given, FRR)
    assert judged["passed"] == (not judged["findings"]), judged
    return [" ".join([each["fault"], *(f"[{header}]" for header in each.get("section", [])), each["line"]]) for each in judged["findings"]]


def rule(**members):
    return found(rules=[{"name": "r", **members}])


def version(own, **wanted):
    return judge.version({"version": own}, wanted)["passed"]


UP, DOWN = ({"kind": "neighbor", "subject": "bgp 10.0.0.2 ipv4Unicast", "value": value} for value in ("up", "down"))
TEN, NINE, EIGHT = ({"kind": "routes", "subject": "ip bgp", "value": value} for value in ("10", "9", "8"))


def compared(now, before, **given):
    judged = judge.snapshot("r1", now, {"baseline": [{"hostname": "r1", "entries": before}], **given})
    return judged["passed"], [(row.get("was"), row["value"]) for row in judged["entries"]]


def reached(sent, received, **given):
    judged = judge.reachability([{"sent": sent, "received": received}, {"sent": 5, "received": 5, "rttMs": 0.2}],
                                {"destinations": [{"address": "10.0.0.2", "vrf": "red", "sourceInterface": "eth1"},
                                                  {"address": "10.0.0.3"}],
                                 **given})
    assert judged["destinations"][1] == {"address": "10.0.0.3", "sent": 5, "received": 5, "rttMs": 0.2, "passed": True}, judged
    first = {"address": "10.0.0.2", "vrf": "red", "sent": sent, "received": received, "passed": judged["passed"]}
    assert judged["destinations"][0] == first, judged
    return judged["passed"]


def enabled(platform, interface, answer):
    """What the platform makes of an interface that is not to be shut down, where the device answers so to everything."""
    unwanted = [tree.Line((f"interface {interface}",), "shutdown")]
    return platforms.effect(str(ROOT / "src/Platforms" / platform))([], unwanted, lambda command: answer)


def without(platform, line, answer):
    """What the platform makes of a neighbour's line that is not to be there."""
    return platforms.effect(str(ROOT / "src/Platforms" / platform))([], [tree.Line(("router bgp 65001",), line)], lambda command: answer)


PEERS = {"ios": "10.0.0.2        4        65002       1       1        1    0    0 00:00:01        0\n",
         "eos": json.dumps({"vrfs": {"default": {"peers": {"10.0.0.2": {"asn": "65002"}}}}}),
         "frr": json.dumps({"ipv4Unicast": {"peers": {"10.0.0.2": {"remoteAs": 65002}}}})}
SEEN, NOT_SEEN = (True, []), (False, [])
CASES = [
    (lambda: enabled("ios", "GigabitEthernet1/0/1", "GigabitEthernet1/0/1 is up, line protocol is up\n"), SEEN),
    (lambda: enabled("ios", "GigabitEthernet1/0/9", "   ^\n% Invalid input detected at '^' marker.\n"), NOT_SEEN),
    (lambda: enabled("eos", "Ethernet1", json.dumps({"interfaces": {"Ethernet1": {"interfaceStatus": "connected"}}})), SEEN),
    (lambda: enabled("eos", "Ethernet9", json.dumps({"interfaces": {}})), NOT_SEEN),
    (lambda: enabled("frr", "eth1", json.dumps({"eth1": {"administrativeStatus": "up"}})), SEEN),
    (lambda: enabled("frr", "eth9", "{}"), NOT_SEEN),
    *((lambda name=name: without(name, "neighbor 10.0.0.2", PEERS[name]), (True, ["no neighbor 10.0.0.2"])) for name in PEERS),
    # The neighbour stays, and so does what shows of it.
    *((lambda name=name: without(name, "neighbor 10.0.0.2 password 7 SECRET", PEERS[name]), NOT_SEEN) for name in PEERS),
    (lambda: reached(5, 5), True),
    (lambda: reached(5, 4), False),
    (lambda: reached(5, 4, tolerancePercent=20), True),
    (lambda: reached(5, 3, tolerancePercent=20), False),
    (lambda: reached(0, 0), False),
    (lambda: reached(0, 0, tolerancePercent=100), False),
    (lambda: judge.pings({"destinations": [{"address": "10.0.0.2"}], "count": 2}), [{"address": "10.0.0.2", "count": 2}]),
    (lambda: rule(must=["hostname *"]), []),
    (lambda: rule(must=["hostname r2"]), ["missing hostname r2"]),
    (lambda: rule(must=["hostname r?"]), ["missing hostname r?"]),
    (lambda: rule(must=["description *"], section=["interface eth*"]), ["missing [interface eth1] description *"]),
    (lambda: rule(must=["description *"]), ["missing description *"]),
    (lambda: rule(mustNot=["ip address 10.*"], section=["interface *"]), ["forbidden [interface eth0] ip address 10.0.0.1/24"]),
    (lambda: rule(mustNot=["network *"], section=["router bgp *", "address-family ipv4 *"]),
     ["forbidden [router bgp 65001] [address-family ipv4 unicast] network 10.9.0.0/16"]),
    (lambda: rule(mustNot=["*"], section=["router ospf*"]), []),
    (lambda: rule(mustNot=["neighbor * password *"], section=["router bgp *"]),
     ["forbidden [router bgp 65001] neighbor 10.0.0.2 password ***"]),
    (lambda: found(golden=TEXT.splitlines()), []),
    (lambda: found(golden=["hostname r1", "interface eth0", " description to the edge", "ip route 10.0.0.0/8 10.0.0.2"],
                   ignore=["router bgp *", "frr version *", "interface eth1"]),
     ["missing [interface eth0] description to the edge", "missing ip route 10.0.0.0/8 10.0.0.2",
      "unexpected [interface eth0] description to the core", "unexpected [interface eth0] ip address 10.0.0.1/24"]),
    (lambda: judge.unsaved(TEXT, TEXT.replace("Building configuration...\n", ""), FRR), []),
    (lambda: judge.unsaved(TEXT, TEXT.replace(" description to the core\n", "").replace(" neighbor 10.0.0.2 password hush\n", "").replace(
        "interface eth1\nexit\n", "ip route 10.0.0.0/8 10.0.0.2\n"), FRR),
     [" interface eth0", "- description to the core", "-interface eth1", " router bgp 65001", "- neighbor 10.0.0.2 password ***",
      "+ip route 10.0.0.0/8 10.0.0.2"]),
    # A Catalyst's lines that begin with "vlan" and name none.
    (lambda: judge.compliance("vlan internal allocation policy ascending\nvlan 2\nend\n", {"golden": ["vlan 2"]}, IOS)["findings"],
     [{"fault": "unexpected", "line": "vlan internal allocation policy ascending"}]),
    (lambda: version("8.4.4", versions=["8.4.*"]), True),
    (lambda: version("8.4.4", versions=["8.4", "8.5*"]), False),
    (lambda: version("8.10", minimumVersion="8.9"), True),
    (lambda: version("15.6(2)T", minimumVersion="15.6(3)"), False),
    (lambda: version("4.32.1F", minimumVersion="4.32.1F"), True),
    (lambda: version("8.4.4", versions=["8.*"], minimumVersion="8.5"), False),
    (lambda: version("8.4-rc1", minimumVersion="8.4"), False),
    (lambda: version("8.4", minimumVersion="8.4-rc1"), True),
    (lambda: version("8.4-1+deb12u1", minimumVersion="8.4"), True),
    (lambda: compared([UP], [UP]), (True, [(None, "up")])),
    (lambda: compared([DOWN], [UP]), (False, [("up", "down")])),
    (lambda: compared([UP], [DOWN]), (True, [("down", "up")])),
    (lambda: compared([], [UP]), (False, [("up", "gone")])),
    (lambda: compared([UP], []), (True, [("absent", "up")])),
    (lambda: compared([NINE], [TEN]), (False, [("10", "9")])),
    (lambda: compared([NINE], [TEN], tolerancePercent=10), (True, [("10", "9")])),
    (lambda: compared([EIGHT], [TEN], tolerancePercent=10), (False, [("10", "8")])),
    (lambda: compared([TEN], [NINE]), (True, [("9", "10")])),
    (lambda: compared([DOWN, NINE], [UP, TEN], include=["routes"], tolerancePercent=10), (True, [("10", "9")])),
]


def main():
    failed = 0
    for number, (ask, expected) in enumerate(CASES, 1):
        if (answer := ask()) != expected:
            failed += 1
            print(f"FAILED case {number}: {answer} in place of {expected}")
    print(f"{len(CASES) - failed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
