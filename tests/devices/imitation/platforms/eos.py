"""Arista EOS, as a switch whose ports may be routed."""
import base64
import crypt
import hashlib
import json
import re

from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import TripleDES

from ..grammar import Refused, changed_set
from ..show import command, whole_sections
from ..tables.eos import ENTRIES, FACTORY, GRAMMAR, PORTS, TYPES
from ..views.eos import Views
from . import Block, Platform

# Hexadecimal digits of a key.
PRIVACY = {"des": 32, "aes": 32, "aes192": 48, "aes256": 64}


def veiled(text, begin=9):
    mask = b"dsfd;kfoA,.iyewrkldJKDHSUBsgvca69834ncxv9873254k;fg87"
    return f"{begin:02}" + bytes(byte ^ mask[(begin + at) % 53] for at, byte in enumerate(text.encode())).hex().upper()


def encrypted(name, text):
    """A neighbour's password: DES, under a key of the neighbour's name."""
    seed, data = bytearray.fromhex("d5a8c91ef5d58a23"), text.encode()
    for at, byte in enumerate(name.encode() + b"_passwd"):
        seed[at % 8] ^= byte
    filled = -(4 + len(data)) % 8
    cipher = Cipher(TripleDES(bytes(byte & 127 for byte in seed)), modes.CBC(bytes(8))).encryptor()
    return base64.b64encode(cipher.update(bytes([0x4c, 0x88, 0xbb, filled << 4 | 14]) + data + bytes(filled))).decode()


def localized(password, kind, engine, digits=None):
    """RFC 3414; a cipher needs so many digits."""
    name = {"sha": "sha1"}.get(kind, kind)
    made = hashlib.new(name)
    for at in range(0, 1 << 20, 64):
        made.update(bytes(password.encode()[(at + step) % len(password)] for step in range(64)))
    key = hashlib.new(name, made.digest() + bytes.fromhex(engine) + made.digest()).digest()
    return ((key + hashlib.new(name, key).digest()).hex() if digits else key.hex())[:digits]


class Eos(Views, Platform):
    """version: as `show version` has it; since 4.32, a session that waits for its confirmation is called committed; ports: how many
    EthernetN there are; config: the text of its first configuration; sessions: how many may be pending; cable: the
    ports that a cable joins, as 7-8."""
    GRAMMAR, TYPES, HOSTNAME, SECTION = GRAMMAR, TYPES, "localhost", staticmethod(whole_sections)
    PORTS, INDENT, NESTED, NO_SECRET = PORTS, "   ", True, "% Bad secret"
    VARIANT = {"version": "4.27.0F", "ports": 8, "config": None, "sessions": 5, "cable": "7-8"}
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
        if rule.context == "if" and re.match("vrf( |$)", line) and (section := root.at(path)).has(line) == bool(verb):
            # The addresses of an interface are gone with its VRF.
            section.drop(lambda child: re.match("ip(v6)? address", child.line))
        if verb == "no" and rule.opens == "if" and line.split()[1].startswith(PORTS):
            raise Refused(None, "% Invalid input")
        return False

    @staticmethod
    def _entry(section, verb, context, line):
        word = ENTRIES[context]
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
        at = wanted if wanted is not None else 10 + max(taken, default=0)
        node = GRAMMAR.node(GRAMMAR.rules[context][0], f"{word}{at} {text}", str(at))
        node.rank = (at,)
        section.put(node)

    def merged(self, section, rule, line, key):
        line = changed_set(section.find(key), line)
        if found := re.match(r"(username \S+.*|enable) secret (?:0 )?(?!5 |sha512 |\* )(\S+)$", line):
            salt = hashlib.sha256((found[1] + found[2]).encode()).hexdigest()[:16]
            return f"{found[1]} secret sha512 {crypt.crypt(found[2], '$6$' + salt)}"
        if key.startswith("logging") and " host " in key and line.endswith("protocol tcp") and not re.search(r" \d+ protocol", line):
            return line.replace(" protocol", " 514 protocol")
        if key.startswith("snmp-server community ") and not re.search(r" (ro|rw)\b", line):
            return re.sub(r"^(snmp-server community \S+(?: view \S+)?)", r"\1 ro", line)
        if rule.context == "" and key.startswith("ntp authentication-key"):
            if found := re.search(r" 0 (\S+)$", line):
                return f"{line[:found.start()]} 7 {veiled(found[1])}"
            return line if re.search(r" 7 \S+$", line) else re.sub(r" (\S+)$", r" 7 \1", line)
        if found := re.match(r"(neighbor (\S+) password) 0 (\S+)$", line):
            return f"{found[1]} 7 {encrypted(found[2], found[3])}"
        if found := re.match(r"(snmp-server user \S+ \S+ v3)( auth (\S+) (\S+)(?: priv (\S+) (\S+))?)$", line):
            engine = section.value("snmp-server engineID local", "f5717f52540012345600")
            keys = [f" auth {found[3]} {localized(found[4], found[3], engine)}"]
            keys += [f" priv {found[5]} {localized(found[6], found[3], engine, PRIVACY[found[5]])}"] if found[5] else []
            return f"{found[1]} localized {engine}{''.join(keys)}"
        return line

    def keeps(self, section, rule, line):
        return "% Invalid input" if line == "vlan 1" else None

    def after(self, root, path, verb, rule, line):
        if rule.context == "vlan" and path and line == f"name VLAN{int(path[-1].split()[1]):04d}":
            root.at(path).drop(lambda child: child.key == "name")
        if found := verb and rule.context in ("bgp", "bgp-vrf") and re.match(r"neighbor (\S+)( remote-as \S+| peer group)?$", line):
            section, gone = root.at(path), f"neighbor {found[1]} "
            if section is not None and section.find(f"neighbor {found[1]} remote-as") is None:
                for family in section.children:
                    if family.line.startswith("address-family"):
                        family.drop(lambda child: child.line.startswith(gone))

    # --- text ---
    def as_json(self, text, data):
        if data is None:
            raise Refused(None, "% This is an unconverted command")
        return json.dumps(data, indent=4)

    def block(self, line):
        found = re.match(r"banner (motd|login)$", line)
        return found and Block(self, line, "EOF", lambda key, text: f"{key}\n{text}\nEOF")

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
        if line == "end" or line in ("exit", "ex") and not session.paths[0]:
            session.leave()
        elif line in ("exit", "ex"):
            session.paths = [session.paths[0][:-1]]
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
            await super().configuring(session, line)

    @command("configure [terminal]", level=15)
    def configure(self, session, words):
        session.edit()

    @command("configure session [WORD]", level=15)
    def configure_session(self, session, words):
        device = session.device
        name = words[2] if len(words) > 2 else f"sess-{len(device.state.setdefault('sessions', {}))}"
        pending = [state for state in device.state.setdefault("sessions", {}).values() if state == "pending"]
        if device.state["sessions"].get(name) == "completed":
            return f"% Cannot enter session {name} (already completed)"
        if name not in device.candidates:
            if len(pending) >= int(self.variant["sessions"]):
                return ("% Maximum number of pending sessions has been reached. "
                        "Please commit or abort previous sessions before creating a new one.")
            device.candidates[name] = device.running.clone()
            device.state["sessions"][name] = "pending"
        session.edit(name, device.candidates[name])

    @command("no configure session WORD", level=15)
    def drop_session(self, session, words):
        device, name = session.device, words[3]
        if name not in device.state.get("sessions", {}) or device.state.get("timer") == name and "commit" in device.timers:
            return f"% Cannot delete non-existent session {name}"
        session.note("abort", name)
        device.candidates.pop(name, None)
        del device.state["sessions"][name]
        return None

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
        if name not in device.candidates:
            raise Refused(None, f"% Cannot commit session {name} (deleted)")
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

    # --- commands ---
    @command("write [memory]", "copy running-config startup-config", level=15)
    def write(self, session, words):
        session.device.save(session.number)
        return "Copy completed successfully."

    @command("copy (startup-config | URL) running-config", level=15)
    def restore(self, session, words):
        device, text = session.device, _stored(session.device, words[1])
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
        device, text = session.device, _stored(session.device, words[2])
        if text is None:
            return f"% Error: cannot read {words[2]}"
        session.note("line", " ".join(words))
        device.running = device.build(text)

    @command("reload now", level=15)
    def reload(self, session, words):
        session.note("reload")
        session.device.reload()


def _stored(device, name):
    return device.startup if name == "startup-config" else device.files.get(name)


PLATFORM = Eos
