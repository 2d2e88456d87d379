#!/usr/bin/python3
"""Imitation routers behind ssh, IOS-like, each with one trouble that real devices give.

  troubled.py --port P --login FILE --state DIR

The devices answer at 127.67.0.1, 127.67.0.2, ... in the order of DEVICES. FILE holds username, password, enable and token, as JSON. Before
it prints "ready", the program writes DIR/devices.json: for each device by its name the address, the host key and the configuration, as
Latin-1; and the private keys that every device takes, with the passphrase of FILE. Each login that is tried is a line of its output."""
import argparse
import asyncio
import json
import os
import re

import asyncssh

HOST = b"sw1"
CONFIGURATION = """Building configuration...
!
version 15.2
hostname sw1
!
interface Gi0/1
 description uplink
 ip address 10.0.0.1 255.255.255.0
!
line vty 0 4
 login local
!
end"""
LIMITED = {"server_host_keys": ["ed25519"]}

# What a device's shell does: see Shell. What its SSH server has: the options of asyncssh.listen, and the kinds of authentication in `ways`.
DEVICES = {
    # --- what it shows ---
    "plain": {},
    "motd-like-a-prompt": {"motd": [b"\r\n*** Welcome ***\r\nContact noc, device in maint#", 0.4, b"\r\nmore text\r\n"]},
    "motd-with-an-error": {"motd": [b"\r\nmotd: % Error budget is 0\r\n"]},
    "pager": {"page": b" --More-- ", "erase": b"\r          \r"},
    "pager-without-a-key": {"page": b"<--- More --->", "erase": b"\r              \r"},
    "parentheses": {"name": b"sw(1)"},
    "latin-1": {"configuration": CONFIGURATION.replace("uplink", "caf\xe9 \xfcber").encode("latin-1")},
    "colours": {"prompt": b"\x1b[1;32msw1\x1b[0m#"},
    "not-ascii": {"name": b"sw\xe9"},
    "status-in-the-prompt": {"prompt": b"sw1* #"},
    "log-over-the-prompt": {"log": b"\r\n*Nov 28 05:00:00: %SYS-5-CONFIG_I: Configured from console by ops on vty0\r\n"},
    "wrapped-echo": {"wrap": 12},
    "pause-at-a-prompt": {"configuration": [b"line 1\nsw1#", 0.3, b"\nlast line\nend"]},
    "prompt-in-a-description": {"configuration": [b"interface eth0\n description link to core#", 0.3, b"\n!\nrouter bgp 65001\nend"]},
    # --- what it asks and says before the first prompt ---
    "slow": {"motd": [6]},
    "slower": {"motd": [24]},
    "asks-to-change": {"asks": b"\r\nYour password will expire in 3 days. Change now? [y/n]: "},
    "asks-for-a-key": {"asks": b"\r\nPress any key to continue", "key": True},
    "asks-something": {"asks": b"\r\nSelect a context (1-4): "},
    "expired": {"asks": b"\r\nYour password has expired.\r\nEnter new password: "},
    "full": {"motd": [b"\r\n% Maximum number of vty sessions reached\r\n"], "ends": True},
    # --- how it gives privileges ---
    "enable-secret": {"level": 1, "enable": b"Enable secret: "},
    "enable-local": {"level": 1, "enable": b"Local_Password:"},
    "enable-free": {"level": 1},
    "enable-refused": {"level": 1, "enable": b"Password: "},
    "low-hash": {"level": 7, "enable": b"Password: "},
    "middle-level": {"level": 1, "enable": b"Password: ", "highest": 7},
    # --- its SSH server ---
    "kex-group1": {"server_host_keys": ["rsa"], "kex_algs": ["diffie-hellman-group1-sha1"]},
    "kex-group14-sha1": {"server_host_keys": ["rsa"], "kex_algs": ["diffie-hellman-group14-sha1"]},
    "kex-exchange-sha1": {"server_host_keys": ["rsa"], "kex_algs": ["diffie-hellman-group-exchange-sha1"]},
    "kex-group16": {**LIMITED, "kex_algs": ["diffie-hellman-group16-sha512"]},
    "kex-group18": {**LIMITED, "kex_algs": ["diffie-hellman-group18-sha512"]},
    "kex-curve25519": {**LIMITED, "kex_algs": ["curve25519-sha256"]},
    "aes-cbc": {"server_host_keys": ["rsa"], "encryption_algs": ["aes128-cbc"]},
    "3des-md5": {"server_host_keys": ["rsa"], "encryption_algs": ["3des-cbc"], "mac_algs": ["hmac-md5"]},
    "aes-gcm": {**LIMITED, "encryption_algs": ["aes256-gcm@openssh.com"]},
    "aes-gcm-ecdsa": {"server_host_keys": ["ecdsa"], "encryption_algs": ["aes128-gcm@openssh.com"]},
    "chacha20": {**LIMITED, "encryption_algs": ["chacha20-poly1305@openssh.com"]},
    "etm-macs": {**LIMITED, "encryption_algs": ["aes256-ctr"], "mac_algs": ["hmac-sha2-256-etm@openssh.com"]},
    "rsa-sha1-1024": {"server_host_keys": ["rsa-1024"], "signature_algs": ["ssh-rsa"]},
    "dss": {"server_host_keys": ["dss"]},
    "another-key": {**LIMITED, "encryption_algs": ["aes256-gcm@openssh.com"]},
    "no-password-way": {"ways": ["questions"]},
    "tacacs-question": {"ways": ["questions"], "questions": [[("TACACS Password: ", "password")]]},
    "two-questions": {"ways": ["questions"], "questions": [[("Password: ", "password"), ("Token: ", "token")]]},
    "two-rounds": {"ways": ["questions"], "questions": [[("Password: ", "password")], [("Token: ", "token")]],
                   "encryption_algs": ["aes256-gcm@openssh.com"]},
    "no-second-answer": {"ways": ["questions"], "questions": [[("Password: ", "password")], [("Token: ", "token")]]},
    "wants-another-password": {"ways": ["password"], "expired": True},
    "key-ed25519": {"ways": ["key"]},
    "key-ecdsa-pem": {"ways": ["key"]},
    "key-rsa-pkcs8": {"ways": ["key"], "encryption_algs": ["aes256-gcm@openssh.com"]},
    "key-wrong-passphrase": {"ways": ["key"]},
    "key-and-enable": {"ways": ["key"], "level": 1, "enable": b"Password: "},
}


class Server(asyncssh.SSHServer):
    """ways: password, questions (keyboard-interactive), key; questions: rounds of texts, each with the member of the login that answers."""

    def __init__(self, name, login, keys, ways=("password",), questions=None, expired=False):
        self._name, self._login, self._keys, self._ways, self._expired, self._round = name, login, keys, ways, expired, 0
        self._questions = questions or [[("Password: ", "password")]]

    def begin_auth(self, username):
        print(f"a login at {self._name}", flush=True)
        return True

    def password_auth_supported(self):
        return "password" in self._ways

    def kbdint_auth_supported(self):
        return "questions" in self._ways

    def public_key_auth_supported(self):
        return "key" in self._ways

    def validate_password(self, username, password):
        if self._expired:
            raise asyncssh.PasswordChangeRequired("New password: ")
        return (username, password) == (self._login["username"], self._login["password"])

    def validate_public_key(self, username, key):
        return username == self._login["username"] and key in self._keys

    def get_kbdint_challenge(self, username, lang, submethods):
        self._round = 0
        return self._challenge()

    def _challenge(self):
        return "", "", "", [(text, False) for text, _ in self._questions[self._round]]

    def validate_kbdint_response(self, username, responses):
        if list(responses) != [self._login[member] for _, member in self._questions[self._round]]:
            return False
        self._round += 1
        return True if self._round == len(self._questions) else self._challenge()


class Shell:
    """name, prompt: where they are not "sw1" and "sw1#"; motd: texts and pauses; asks: a question before the first prompt, which any line,
    or any key, answers; ends: it ends the session then; configuration: its text, or texts and pauses; page, erase: it shows a page of four
    lines at a time, whatever it is told; log: what it prints over the prompt after each command; wrap: the characters of a long command
    that it echoes before it scrolls; level, highest: the privileges at the login and the most that `enable` gives; enable: what it asks
    then."""

    def __init__(self, process, login, name=HOST, prompt=None, motd=(), asks=None, key=False, ends=False, configuration=CONFIGURATION,
                 page=None, erase=None, log=None, wrap=None, level=15, highest=15, enable=None):
        self._process, self._login, self._name, self._prompt, self._motd = process, login, name, prompt, motd
        self._asks, self._key, self._ends, self._configuration, self._page, self._erase = asks, key, ends, configuration, page, erase
        self._log, self._wrap, self._level, self._highest, self._enable = log, wrap, level, highest, enable
        self._typed = b""

    def _say(self, text):
        text = text if isinstance(text, bytes) else text.encode()
        self._process.stdout.write(re.sub(b"(?<!\r)\n", b"\r\n", text))

    async def _key_pressed(self):
        while not self._typed:
            if not (got := await self._process.stdin.read(4096)):
                raise EOFError
            self._typed += got
        self._typed, key = self._typed[1:], self._typed[:1]
        return key

    async def _line(self):
        line = b""
        while (key := await self._key_pressed()) not in b"\r\n":
            line += key
        return line.decode("utf-8", "replace").strip()

    async def _show(self, parts):
        for part in parts if isinstance(parts, (list, tuple)) else [parts]:
            if isinstance(part, (int, float)):
                await asyncio.sleep(part)
            else:
                self._say(part)

    async def run(self):
        await self._show(self._motd)
        if self._ends:
            return
        if self._asks:
            self._say(self._asks)
            await (self._key_pressed() if self._key else self._line())
        self._say("\n")
        line = ""
        while True:
            self._say(self._prompt or self._name + (b"#" if self._level > 1 else b">"))
            if self._log and line:
                await asyncio.sleep(0.02)
                self._say(self._log)
            line = await self._line()
            self._echo(line)
            if line == "exit":
                return
            await self._answer(line)

    def _echo(self, line):
        wrap = self._wrap
        self._say(f"{line[:wrap]} \b\n${line[wrap - 4:]}\n" if wrap and len(line) > wrap else f"{line}\n")

    async def _answer(self, line):
        if line.startswith("enable"):
            await self._raise(int(line.split()[1]) if " " in line else 15)
        elif line == "show privilege":
            self._say(f"Current privilege level is {self._level}\n")
        elif line == "show running-config" and self._level > 1:
            await self._show_configuration()
        elif line == "show version":
            self._say("Cisco IOS Software, imitation, Version 15.2\n")
        elif line and not line.startswith("terminal "):
            self._say("          ^\n% Invalid input detected at '^' marker.\n\n")

    async def _raise(self, level):
        if self._enable:
            self._say(self._enable)
            if await self._line() != self._login["enable"]:
                self._say("\n% Bad secrets\n\n")
                return
            self._say("\n")
        if level > self._highest:
            self._say("% Error in authentication.\n\n")
        else:
            self._level = level

    async def _show_configuration(self):
        if not self._page:
            await self._show(self._configuration)
            self._say("\n")
            return
        lines = self._configuration.split("\n")
        for number, line in enumerate(lines):
            self._say(line + "\n")
            if number % 4 == 3 and number + 1 < len(lines):
                self._say(self._page)
                while await self._key_pressed() != b" ":
                    pass
                self._say(self._erase)


def host_keys():
    return {
        "ed25519": asyncssh.generate_private_key("ssh-ed25519"), "ecdsa": asyncssh.generate_private_key("ecdsa-sha2-nistp256"),
        "rsa": asyncssh.generate_private_key("ssh-rsa", key_size=2048), "rsa-1024": asyncssh.generate_private_key("ssh-rsa", key_size=1024),
        "dss": asyncssh.generate_private_key("ssh-dss"),
    }


async def listen(name, address, port, login, client_keys, host_keys, trouble):
    """One device, as devices.json has it."""
    of_server = {"ways", "questions", "expired"}
    of_listener = {part for part in trouble if part.endswith("_algs")}
    kinds = trouble.get("server_host_keys", ["ed25519"])
    shell = {part: value for part, value in trouble.items() if part not in of_server | of_listener | {"server_host_keys"}}

    async def serve(process):
        try:
            await Shell(process, login, **shell).run()
        except (EOFError, BrokenPipeError, asyncssh.BreakReceived, asyncssh.TerminalSizeChanged):
            pass
        process.exit(0)

    await asyncssh.listen(
        address, port, server_factory=lambda: Server(
            name, login, client_keys, **{part: value for part, value in trouble.items() if part in of_server}),
        process_factory=serve, encoding=None, line_editor=False, server_host_keys=[host_keys[kind] for kind in kinds],
        **{part: trouble[part] for part in of_listener})
    configuration = trouble.get("configuration", CONFIGURATION)
    parts = [part for part in (configuration if isinstance(configuration, list) else [configuration]) if not isinstance(part, float)]
    return {
        "address": address, "hostKey": host_keys[kinds[0]].export_public_key().decode().strip(),
        "configuration": b"".join(part if isinstance(part, bytes) else part.encode("latin-1") for part in parts).decode("latin-1"),
    }


async def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--port", type=int, required=True)
    for name in ("--login", "--state"):
        arguments.add_argument(name, required=True)
    options = arguments.parse_args()
    with open(options.login, encoding="utf-8") as file:
        login = json.load(file)
    keys = {
        "ed25519-openssh": (asyncssh.generate_private_key("ssh-ed25519"), "openssh"),
        "ecdsa-pem": (asyncssh.generate_private_key("ecdsa-sha2-nistp256"), "pkcs1-pem"),
        "rsa-pkcs8": (asyncssh.generate_private_key("ssh-rsa", key_size=2048), "pkcs8-pem"),
    }
    taken, hosts, devices = [key.convert_to_public() for key, _ in keys.values()], host_keys(), {}
    for number, (name, trouble) in enumerate(DEVICES.items(), 1):
        devices[name] = await listen(name, f"127.67.0.{number}", options.port, login, taken, hosts, trouble)
    private = {name: key.export_private_key(form, passphrase=login["passphrase"]).decode() for name, (key, form) in keys.items()}
    with open(os.path.join(options.state, "devices.json"), "w", encoding="utf-8") as file:
        json.dump({"devices": devices, "keys": private}, file)
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
