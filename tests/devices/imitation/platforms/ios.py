"""Cisco IOS and IOS XE, as a switch with routed ports or as a router."""
import asyncio
import base64
import crypt
import hashlib
import re

from ..grammar import Refused, changed_set
from ..show import command
from ..tables.ios import FACTORY, FACTORY_VLANS, GRAMMAR, PORTS, TYPES
from ..views.ios import Views
from . import Block, Platform


def veiled(text):
    """A password of type 7."""
    key = b"dsfd;kfoA,.iyewrkldJKDHSUBsgvca69834ncxv9873254k;fg87"
    return "08" + "".join(f"{byte ^ key[(8 + at) % len(key)]:02X}" for at, byte in enumerate(text.encode()))


class Ios(Views, Platform):
    """version: as `show version` has it; kind: switch, whose ports are routed when they are told so, or router; ports: how many
    GigabitEthernet1/0/N there are; config: the text of the first configuration."""
    GRAMMAR, TYPES, PORTS, HOSTNAME = GRAMMAR, TYPES, PORTS, "Router"
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
        if not verb and (found := re.fullmatch(r"(ip name-server(?: vrf \S+)?)((?: [0-9A-Fa-f]*[.:]\S*){2,})", line)):
            for one in found[2].split():
                GRAMMAR.apply(root, [()], f"{found[1]} {one}", self)
            return True
        if not verb and (found := re.match(r"(ip|ipv6) route vrf (\S+)", line)):
            family = "address-family " + {"ip": "ipv4"}.get(found[1], found[1])
            if root.find(f"ip vrf {found[2]}") is None and root.at((f"vrf definition {found[2]}", family)) is None:
                raise Refused(None, f"% IP routing table {found[2]} does not exist")
        return False

    def shown(self, node):
        """The entries of an access list have numbers, which releases before 17 do not show, and for IPv4 "deny" is as wide as "permit"."""
        if node.rule.context not in ("ext-nacl", "std-nacl", "ipv6-acl"):
            return node.line
        six = node.rule.context == "ipv6-acl"
        line = node.line if six else re.sub("^deny ", "deny   ", node.line)
        return f"{'sequence ' * six}{node.key} {line}" if self.variant["version"].startswith("17") else line

    @staticmethod
    def _entry(section, verb, rule, line):
        """An access list numbers its entries."""
        found = re.match(r"(?:sequence )?(\d+) (.*)", line)
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
            raise Refused(None, "% Duplicate sequence number" if wanted in taken else "% Duplicate entry")
        at = wanted if wanted is not None else 10 + max(taken, default=0)
        node = GRAMMAR.node(rule, line, str(at))
        node.rank = (at,)
        section.put(node)

    def merged(self, section, rule, line, key):
        line = changed_set(section.find(key), line)
        if found := re.match(r"((?:enable|username \S+).*?) secret (?:0 )?([^ ]{1,3}|[^ ]{2}\S+)$", line):
            if not re.search(r" secret [4589] ", line):
                salt = base64.b64encode(hashlib.sha256((found[1] + found[2]).encode()).digest(), b"./")[:4].decode()
                return f"{found[1]} secret 5 {crypt.crypt(found[2], '$1$' + salt)}"
        line = re.sub(r"^((?:username \S+|enable).* password) (?![07] )(?=\S+$)", r"\1 0 ", line)
        if (found := re.fullmatch(r"(ntp authentication-key \d+ md5) (\S+)", line)):
            return f"{found[1]} {veiled(found[2])} 7"
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
            if line.startswith("vrf forwarding"):
                # Addresses belong to the table that the interface leaves.
                section.drop(lambda child: child.rule.first == "ipv6" and "address" in child.key or child.key.startswith("ip address"))
                GRAMMAR.apply(root, [path], "no ip address", self)
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
    def block(self, line):
        if found := re.match(r"banner (motd|login|exec|incoming|slip-ppp|prompt-timeout) (\^C|\S)(.*)$", line):
            return Block(self, f"banner {found[1]}", found[2],
                         lambda key, text: f"{key} ^C\n{text}\n^C" if text else f"{key} ^C\n^C", found[3] or None)
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
        here = GRAMMAR.context(session.root, session.paths[0])
        user = re.match(r"no username (\S+)$", line)
        if line == "end" or line in ("exit", "ex") and not here:
            session.leave()
        elif line in ("exit", "ex") or re.fullmatch(r"exit-(address-family|vrf|af)", line):
            session.paths = [session.paths[0][:-1]]
        elif line.startswith("do "):
            await session.execute(line[3:])
        elif user and here != "conf-ssh-pubkey" and session.root.find(f"username {user[1]}") is not None and not await session.confirm(
                "This operation will remove all username related configurations with same name.Do you want to continue? [confirm]"):
            return
        else:
            await super().configuring(session, line)

    # --- commands ---
    @command("more URL", level=15)
    def more(self, session, words):
        if words[1] not in session.device.files:
            return f"%Error opening {words[1]} (No such file or directory)"
        return session.device.files[words[1]]

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
        before = before or device.running.clone()

        def revert():
            device.running = before
        device.state["rollback"] = minutes
        device.arm("rollback", minutes * device.minute, session.number, revert)
        self.warn(device, "rollback", minutes, "Rollback Confirmed Change: Rollback will begin in one minute."
                  "Enter \"configure confirm\" if you wish to keep what you've configured")

    @staticmethod
    def warn(device, kind, minutes, text):
        """A minute before it takes something back, the device says so on all terminals."""
        timer = device.timers[kind]

        def say():
            for session in device.logged_in if device.timers.get(kind) is timer else ():
                session.print_over(f"\n{text}\n")
        asyncio.get_running_loop().call_later((minutes - 1) * device.minute, say)

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
            self.warn(device, "reload", int(words[2]), "\n***\n*** --- SHUTDOWN in 0:01:00 ---\n***\n")
            return f"Reload scheduled in {words[2]} minutes by {session.user} on vty0\nReload reason: Reload Command"
        session.note("reload")
        device.reload()
        return None

    @command("reload cancel", level=15)
    def reload_cancel(self, session, words):
        if session.device.cancel("reload") is None:
            return "%No reload is scheduled."
        session.note("confirm", "reload")
        # Behind the prompt.
        asyncio.get_running_loop().call_soon(session.print_over, "\n\n\n***\n*** --- SHUTDOWN ABORTED ---\n***\n\n")
        return None


PLATFORM = Ios
