#!/usr/bin/python3
"""Holds each platform's patterns of secrets against lines that have one, SECRET, and against lines that have none. The last line is
"N passed, M failed"."""
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "src/Ansible/engine"))
sys.dont_write_bytecode = True
import judge  # noqa: E402
import plan  # noqa: E402
import platforms  # noqa: E402
import tree  # noqa: E402

WITH = {
    "ios": """
enable secret 9 SECRET
enable password SECRET
username ann privilege 15 secret 9 SECRET
username ann privilege 15 algorithm-type scrypt secret SECRET
username ann password 0 SECRET SECRET
 password 7 SECRET
password SECRET
ip ftp password 7 SECRET
ip http client password 7 SECRET
vtp password SECRET
cts sxp default password 7 SECRET
 ppp chap password 7 SECRET
 ppp pap sent-username ann password 0 SECRET
 isis password SECRET
 area-password SECRET
 domain-password SECRET
 neighbor 192.0.2.1 password 7 SECRET
snmp-server community SECRET RO
snmp-server host 192.0.2.1 SECRET
snmp-server host 192.0.2.1 version 2c SECRET bgp
snmp-server host 192.0.2.1 vrf RED informs version 2c SECRET udp-port 1162
snmp-server user ann ops v3 auth md5 SECRET priv aes 128 SECRET access 9
snmp-server user ann ops v3 encrypted auth sha SECRET
snmp mib community-map SECRET context red
ntp authentication-key 1 md5 SECRET 7
ntp authentication-key 1 hmac-sha2-256 SECRET 7
 ip ospf authentication-key 7 SECRET
 ip ospf authentication-key SECRET
 ip ospf message-digest-key 1 md5 7 SECRET
 ip ospf message-digest-key 1 md5 SECRET
 area 1 virtual-link 192.0.2.1 authentication-key 7 SECRET
 area 1 virtual-link 192.0.2.1 message-digest-key 1 md5 SECRET
 ipv6 ospf authentication ipsec spi 256 md5 0 SECRET
 ospfv3 encryption ipsec spi 256 esp aes-cbc 128 0 SECRET sha1 0 SECRET
  authentication mode hmac-sha-256 7 SECRET
 authentication-key 7 SECRET last
  key-string 7 SECRET
  key-string SECRET
 standby 1 authentication SECRET
 standby 1 authentication text SECRET
 standby 1 authentication md5 key-string 7 SECRET timeout 30
 glbp 1 authentication md5 key-string SECRET
 vrrp 1 authentication text SECRET
 ip nhrp authentication SECRET
 key 7 SECRET
 key SECRET
key config-key password-encrypt SECRET
 pac key 7 SECRET
tacacs-server key 7 SECRET
tacacs-server host 192.0.2.1 key SECRET
radius-server key 7 SECRET
radius-server host 192.0.2.1 auth-port 1812 acct-port 1813 key 7 SECRET
 server-private 192.0.2.1 auth-port 1812 key 7 SECRET
 server-private 192.0.2.1 key SECRET
 client 192.0.2.1 server-key 7 SECRET
 server-key SECRET
crypto isakmp key SECRET address 0.0.0.0
crypto isakmp key 6 SECRET hostname far.example
 pre-shared-key SECRET
 pre-shared-key local 6 SECRET
  pre-shared-key address 0.0.0.0 0.0.0.0 key SECRET
 authentication remote pre-share key 6 SECRET
 set session-key inbound esp 256 cipher SECRET authenticator SECRET
 wpa-psk ascii 0 SECRET
 security wpa psk set-key ascii 0 SECRET
 path ftp://ann:SECRET@192.0.2.1/configs
""",
    "eos": """
username ann secret sha512 SECRET
username ann privilege 15 role ops secret 5 SECRET
enable password sha512 SECRET
enable secret SECRET
aaa root secret sha512 SECRET
   neighbor 192.0.2.1 password 7 SECRET
   ip ospf authentication-key 7 SECRET
   ip ospf authentication-key SECRET
   ip ospf message-digest-key 1 md5 7 SECRET
   area 1 virtual-link 192.0.2.1 authentication-key 7 SECRET
radius-server host 192.0.2.1 vrf MGMT key 7 SECRET
radius-server host 192.0.2.1 key 7 SECRET auth-port 1645
radius-server key 7 SECRET
tacacs-server host 192.0.2.1 key SECRET
   server 192.0.2.1 key 7 SECRET
   vrrp 1 authentication text SECRET
   vrrp 1 peer authentication ietf-md5 key-string 7 SECRET
   isis authentication key 7 SECRET
   isis authentication key-id 1 algorithm sha-1 key 7 SECRET
   authentication key 7 SECRET level-2
   ip rip authentication key SECRET
   ospfv3 authentication ipsec spi 34 sha1 passphrase 7 SECRET
   ospfv3 encryption ipsec spi 34 esp null md5 0 SECRET
snmp-server community SECRET ro
snmp-server host 192.0.2.1 SECRET
snmp-server host 192.0.2.1 version 2c SECRET
snmp-server host 192.0.2.1 vrf MGMT informs version 2c SECRET udp-port 1162
snmp-server user ann ops v3 localized 800000 auth sha SECRET priv aes SECRET
ntp authentication-key 1 md5 7 SECRET
ntp authentication-key 1 sha1 SECRET
   key 0abc 7 SECRET fallback
   shared-secret 7 SECRET
   shared-key 7 SECRET
   secret 7 SECRET
   secret 1 7 SECRET receive-lifetime infinite transmit-lifetime infinite
   auth username ann password 7 SECRET
   dot1x pae supplicant passphrase 7 SECRET
   exec /usr/bin/TerminAttr -cvaddr=192.0.2.1:9910 -cvauth=key,SECRET -cvvrf=MGMT
   exec /usr/bin/TerminAttr -ingestauth=key,SECRET
   upload ftp://ann:SECRET@192.0.2.1/configs
""",
    "frr": """
 neighbor 192.0.2.1 password SECRET
 ip ospf authentication-key SECRET
 ip ospf message-digest-key 1 md5 SECRET
 ipv6 ospf6 authentication key-id 1 hash-algo hmac-sha-256 key SECRET
 area 1 virtual-link 192.0.2.1 message-digest-key 1 md5 SECRET
 area 1 virtual-link 192.0.2.1 authentication-key SECRET
 isis password md5 SECRET
 area-password clear SECRET
 domain-password md5 SECRET
  key-string SECRET
enable password SECRET
password 8 SECRET
 ip rip authentication string SECRET
 ip nhrp authentication SECRET
 pce address 192.0.2.1 tcp-md5-auth SECRET
""",
    "bird": """
password "SECRET";
 password 'SECRET' { id 1; };
  password SECRET:00;
""",
    "linux": """
 rocommunity SECRET default
 rwcommunity6 SECRET
 com2sec local localhost SECRET
 com2sec6 local default SECRET
 com2sec -Cn red local localhost SECRET
 com2secunix local SECRET
 com2secunix local /run/snmp SECRET
 authcommunity log,execute SECRET
 trapsink 192.0.2.1 SECRET
 trap2sink udp:192.0.2.1:162 SECRET
 informsink 192.0.2.1 SECRET
 trapcommunity SECRET
 trapsess -v 3 -u ann -a SHA -A SECRET -X SECRET 192.0.2.1
 trapsess -Ci -v 2c -c SECRET 192.0.2.1
 proxy -v 2c -c SECRET 192.0.2.1 .1.3
 smuxpeer .1.3.6 SECRET
 createUser ann SHA SECRET AES SECRET
 createUser -e 0x80 ann SHA SECRET
 1 SHA256 HEX:SECRET
 1 AES128 HEX:SECRET
 2 MD5 SECRET
 3 SECRET
  wpa-psk SECRET
  wpa-password SECRET
  wireless-key SECRET
  up curl ftp://ann:SECRET@192.0.2.1/
""",
    "openvswitch": """
   options:psk SECRET
   options:psk "SECRET \\" SECRET"
""",
}
WITHOUT = {
    "ios": """
service password-encryption
password encryption aes
no ntp authentication-key 5
ntp server 192.0.2.1 key 5 prefer
key chain CORE
 standby 1 authentication md5 key-chain CORE
 isis authentication key-chain CORE
crypto isakmp policy 10
 pre-shared-key address 0.0.0.0 0.0.0.0
 authentication pre-share
 switchport access vlan 10
snmp-server group ops v3 auth
username ann privilege 15
username ann autocommand show users
 key-hash ssh-rsa 0123456789ABCDEF
""",
    "eos": """
username ann ssh-key ssh-ed25519 AAAA ann@far.example
username ann nopassword
snmp-server group ops v3 priv
snmp-server host 192.0.2.1 version 3 priv ann
no ntp authentication-key 1
ntp server vrf MGMT 192.0.2.1 prefer key 1
no ntp server 192.0.2.1 key 1
   password minimum length 12
   isis authentication mode md5
   exec /usr/bin/TerminAttr -cvauth=token,/tmp/token
""",
    "frr": """
service password-encryption
 ip ospf authentication message-digest
key chain CORE
""",
    "bird": "  neighbor 192.0.2.1 as 65002;",
    "linux": """
 server 192.0.2.1 iburst key 1
 192.0.2.1 far.example
 sysLocation ams
""",
    "openvswitch": "   options:remote_ip 192.0.2.1",
}


def folder(platform):
    return str(ROOT / "src/Platforms" / platform)


def checks():
    """(what holds, whether it does)."""
    for platform, text in WITH.items():
        for line in filter(None, text.split("\n")):
            masked = tree.grammar(folder(platform)).masked(line)
            yield f"{platform} masks {line!r}: {masked!r}", "SECRET" not in masked and "***" in masked
    for platform, text in WITHOUT.items():
        for line in filter(None, text.split("\n")):
            masked = tree.grammar(folder(platform)).masked(line)
            yield f"{platform} leaves {line!r}: {masked!r}", masked == line
    # Behind the signs of a difference, and in what a person types.
    text = "tacacs server T\n key 7 SECRET\nend\n"
    yield "what is not saved", "SECRET" not in str(judge.unsaved(text, "end\n", folder("ios")))
    for platform, before, section, line in (
            ("ios", text, [], "tacacs server T"),
            ("linux", "file /etc/snmp/snmpd.conf\n sysLocation ams\n com2sec local default SECRET\n", ["file /etc/snmp/snmpd.conf"],
             "com2sec local default SECRET"),
            ("bird", 'protocol bgp a {\n  password "SECRET" {\n    id 1;\n  };\n}\n', ["protocol bgp a", 'password "SECRET"'], "id 1"),
            ("linux", "file /etc/chrony/chrony.keys\n 1 SECRET\n", ["file /etc/chrony/chrony.keys"], "1 SECRET"),
            ("openvswitch", "bridge b\n port p\n  interface p\n   options:psk \"SECRET's \\\" SECRET\"\n   type gre\n",
             ["bridge b", "port p", "interface p"], "options:psk \"SECRET's \\\" SECRET\"")):
        part = platforms.load(ROOT / "src/Blocks/raw-lines/platforms" / f"{platform}.yml")
        given = {"state": "absent", "changes": [{**({"section": section} if section else {}), "lines": [line]}]}
        planned = plan.plan(before, part, given, folder(platform))
        shown = [planned[name] for name in ("configured", "diff", "undo", "refused")]
        yield f"{platform} without {line!r}: {planned}", (planned["configured"] or planned["refused"]) and "SECRET" not in str(shown)


def main():
    held = list(checks())
    for what, holds in held:
        if not holds:
            print(f"FAILED {what}")
    failed = sum(not holds for _, holds in held)
    print(f"{len(held) - failed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
