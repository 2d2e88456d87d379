#!/usr/bin/python3
"""A device that pauses, splits, overprints and rewrites what it says, at any byte, and shows a configuration full of text that looks like
its prompt, a pager, a question or an error.

  torture.py read [--readings N] [--seed S]       the engine's session code on N such devices, without a network and with a clock of its own
  torture.py serve --port P --login FILE --state DIR [--devices N] [--seed S]
                                                  device i behind ssh at 127.66.0.i, with pauses of a second at most

`read` prints one line of JSON: counts of "right", "wrong" (a text that is not the device's), "failed" by code, and the seeds of what
should not be. `serve` writes what a backup of each device must hold to DIR/dNN.conf: nothing where the device cuts it. Its first line is
"ready"."""
import argparse
import json
import os
import random
import re
import sys
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [f"{ROOT}/src/Ansible/patch", f"{ROOT}/src/Ansible/engine", f"{ROOT}/tests/faults"]
sys.dont_write_bytecode = True
import session  # noqa: E402

LIMIT = 30
PLUGIN = re.compile(rb"[\r\n]?[\w\+\-\.:\/\[\]]+(?:\([^\)]+\)){0,3}(?:[>#]) ?$")
ERRORS = [re.compile(rb"% Unknown command", re.I), re.compile(rb"[^\r\n]+ not found"), re.compile(rb"invalid input", re.I)]
LOG = b"*Nov 28 05:00:%02d.123: %%SYS-5-CONFIG_I: Configured from console by ops on vty0"


def configuration(dice, prompt, host, echo):
    """About 200 lines, as bytes with line feeds, whose last one is "end"."""
    mean = [
        prompt, prompt.rstrip(), prompt + b"show running-config", host + b"(config)# ", host + b"(config)#", b"core#", b"maint> ",
        b" description Zurich " + prompt.rstrip(), b" description uplink, circuit id not found", b"% Unknown command: x",
        b"% Invalid input", b"--More--",
        b" description --More--", b" description sure? [confirm]", b"Overwrite file [y/n]?", b"Password: ", b"Press any key to continue",
        b"", b"   ", b" trailing blanks   ", b"\tdescription tab", b"end", b"!", b" description Z\xfcrich", b" description nul \0 here",
        " description Zürich \uef80".encode(), b"banner motd line one " + LOG % 7 if dice.random() < 0.1 else b"banner motd line one",
        prompt + b"\n" + prompt, b"end\n" + prompt.rstrip() + b"\n", b"end\n" + prompt, b"show running-config",
    ]
    lines = [b"Building configuration...", b"", b"Current configuration:", b"!", b"hostname " + host]
    for number in range(dice.randint(150, 200)):
        plain = b"interface Gi0/%d\n ip address 10.0.%d.1 255.255.255.0" % (number, number)
        lines.append(dice.choice(mean) if dice.random() < 0.35 else plain)
    if echo != "exact":
        # A device without an echo of blanks cannot be told from a text that shows its prompt again and again.
        lines = [line for place, line in enumerate(lines) if not any(
            prompt.rstrip() in line and prompt.rstrip() in lines[place - back] for back in (1, 2))]
    return b"\n".join([*lines, b"!", b"end", b""])


class Device:
    """The program of a device. It types with `say`, and asks its terminal for a line or a key by yielding "line" or "key"."""

    def __init__(self, seed, longest=25.0):
        dice = self.dice = random.Random(seed)
        self.longest = longest
        host = dice.choice([b"r1", b"sw(1)", b"core-sw-01.example.net", b"R"])
        self.host, self.prompt = host, host + dice.choice([b"#", b"# "])
        self.echo = dice.choice(["exact"] * 4 + ["trimmed", "none"])
        self.text = configuration(dice, self.prompt, host, self.echo)
        # A terminal of the system echoes at once what is typed while a program runs; a line editor of the device's own does not.
        self.kernel = self.echo == "exact" and dice.random() < 0.5
        self.page = dice.choice([0, 0, 0, 24])
        self.erase = dice.choice([b"\r          \r", b"\b" * 10 + b" " * 10 + b"\b" * 10, b"\r\x1b[K", b"\x1b[2K\r"])
        self.colour = dice.random() < 0.2
        # What readline says around a line that may be pasted into.
        self.paste = self.echo == "exact" and dice.random() < 0.3
        self.wrap = dice.choice(["", "", "scroll", "break", "margin"])
        self.logs = dice.random() < 0.3
        self.tails = dice.choice([b"\r\n"] * 4 + [b"\r\r\n", b"\n"])
        self.truncated = dice.random() < 0.1
        self.stalls = dice.random() < 0.05
        self.mark = dice.random() < 0.8
        self.chunk = 1 if seed % 100 == 0 else 7 if seed % 20 == 0 else dice.choice([64, 256, 4096])
        self.readings, self.expected = 0, None

    def shell(self, say):
        dice = self.dice
        if dice.random() < 0.5:
            say(b"\r\n*** Welcome ***\r\nContact noc, device in maint#", dice.uniform(0, 3))
            say(b"\r\nmore text\r\n")
        self._stand(say)
        while True:
            line = yield "line"
            self._echo(line, say)
            word = line.strip()
            if word == b"show running-config":
                yield from self._show(say)
            elif word == b"show version":
                say(b"FRRouting 8.4.4." + self.tails)
            elif word and word != b"terminal length 0":
                say(b"% Unknown command: " + word + self.tails)
            self._stand(say)
            if self.logs and self.readings < 2 and word and dice.random() < 0.3:
                say(self.tails + LOG % dice.randint(0, 59) + self.tails, dice.uniform(0, 0.2))

    def _stand(self, say):
        if self.paste:
            say(b"\x1b[?2004h")
        say((b"\x1b[1;32m" + self.prompt[:2] + b"\x1b[0m" + self.prompt[2:]) if self.colour else self.prompt)

    def _echo(self, line, say):
        if self.echo == "none":
            return
        if self.echo == "trimmed":
            line = line.strip()
        if len(line.strip()) > 10 and self.wrap == "scroll":
            line = line[:10] + b"\b" * 10 + b"$" + line[6:] + b" " * 4 + b"\b" * 4
        elif len(line.strip()) > 10 and self.wrap == "break":
            line = line[:10] + b" \b\r\n$" + line[8:]
        elif len(line.strip()) > 10 and self.wrap == "margin":
            line = line[:10] + b" \r" + line[10:]
        if self.logs and self.readings < 1 and line.strip() and self.dice.random() < 0.1:
            say(b"\r\n" + LOG % 1 + b"\r\n" + self.prompt)
        say(line + b"\r\n" + (b"\x1b[?2004l\r" if self.paste else b""))

    def _show(self, say):
        dice, text = self.dice, self.text
        self.readings += 1
        if self.truncated:
            # Never twice in the same place, and never behind what could be the end: nobody could tell.
            text = text[:len(text) * dice.randint(20 * self.readings, 20 * self.readings + 19) // 100].rpartition(b"\n")[0] + b"\n"
            text += b"" if not text.rstrip().endswith(b"end") else b"!\n"
        lines = text.split(b"\n")[:-1]
        stops = {dice.randrange(len(text) + 1) for _ in range(dice.choice([0, 1, 1, 2, 5]))}
        if dice.random() < 0.5:
            # Behind what looks like the prompt.
            places = [found.end() for found in re.finditer(re.escape(self.prompt), text)]
            stops |= set(dice.sample(places, min(len(places), 2)))
        log = dice.randrange(len(lines)) if self.logs and self.readings <= 2 and dice.random() < 0.5 else -1
        at = shown = 0
        for number, line in enumerate(lines):
            if number == log:
                say(LOG % dice.randint(0, 59) + self.tails)
            parts, done = [], 0
            for stop in sorted(stop - at for stop in stops if at <= stop <= at + len(line)):
                parts.append((line[done:stop], LIMIT * 1.5 if self.stalls else self.longest * dice.random() ** 3))
                done = stop
            for part, pause in parts:
                say(part, pause)
            say(line[done:] + self.tails)
            at += len(line) + 1
            shown += 1
            if self.page and shown % self.page == 0:
                say(b"--More--")
                yield "key"
                say(self.erase)


class Wire:
    """A device's terminal and the way to it, with a clock of its own: the channel of a Session."""

    def __init__(self, device):
        self._device, self._dice, self._time = device, random.Random(device.text), 0.0
        self._ahead, self._input, self._out = 0.0, b"", []
        # One way to the device takes so long.
        self._lag = self._dice.choice([0.0, 0.0, 0.05, 0.3])
        self._program = device.shell(self._say)
        self._wants = next(self._program)

    def now(self):
        return self._time

    def read(self, seconds):
        until = self._time + seconds
        if not self._out or self._out[0][0] > until:
            self._time = until
            return None
        when, data = self._out.pop(0)
        self._time = max(self._time, when)
        while self._out and self._out[0][0] <= self._time and len(data) < self._device.chunk:
            data += self._out.pop(0)[1]
        size = self._dice.randint(1, self._device.chunk)
        if len(data) > size:
            self._out.insert(0, (self._time, data[size:]))
        return data[:size]

    def write(self, data):
        arrives = self._time + self._lag
        if arrives < self._ahead and self._device.kernel and self._wants == "line":
            back = arrives + self._lag
            place = next((index for index, (when, _) in enumerate(self._out) if when > back), len(self._out))
            self._out.insert(place, (back, data.replace(b"\r", b"\r\n")))
        self._ahead = max(self._ahead, arrives)
        self._input += data
        self._run()

    def _say(self, data, pause=0.0):
        if data:
            self._out.append((self._ahead + self._lag, data))
        self._ahead += pause

    def _run(self):
        while self._input:
            if self._wants == "key":
                key, self._input = self._input[:1], self._input[1:]
                self._wants = self._program.send(key)
            elif b"\r" in self._input:
                line, _, self._input = self._input.partition(b"\r")
                self._wants = self._program.send(line)
            else:
                return


class Shell:
    """The same terminal behind a channel of ssh, in real time. Its programs read what is typed while they run."""

    def __init__(self, device, channel):
        self._device, self._channel, self._input = device, channel, b""

    def run(self):
        program = self._device.shell(self._say)
        wants = next(program)
        while True:
            while not (self._input if wants == "key" else b"\r" in self._input):
                data = self._channel.recv(4096)
                if not data:
                    return
                self._input += data
            if wants == "key":
                typed, self._input = self._input[:1], self._input[1:]
            else:
                typed, _, self._input = self._input.partition(b"\r")
            wants = program.send(typed)

    def _say(self, data, pause=0.0):
        while data:
            size = self._device.dice.randint(1, max(self._device.chunk, 64))
            self._channel.sendall(data[:size])
            data = data[size:]
        time.sleep(pause)


def serve(options):
    import socket

    import fleet
    import paramiko

    with open(options.login, encoding="ascii") as file:
        login = json.load(file)

    def answer(device, key, client):
        transport = paramiko.Transport(client)
        try:
            transport.add_server_key(key)
            server = fleet.Login(login)
            transport.start_server(server=server)
            channel = transport.accept(60)
            if channel is not None and server.shell.wait(30):
                Shell(device, channel).run()
        except (paramiko.SSHException, EOFError, OSError):
            pass
        finally:
            transport.close()

    def accept(listener, seed, key):
        while True:
            client, _ = listener.accept()
            threading.Thread(target=answer, args=(tame(seed), key, client), daemon=True).start()

    def tame(seed):
        device = Device(seed, longest=1.0)
        device.stalls = device.kernel = False
        return device

    for number in range(1, options.devices + 1):
        seed, path = options.seed + number, os.path.join(options.state, "d%02d" % number)
        with open(path + ".conf", "wb") as file:
            file.write(b"" if tame(seed).truncated else tame(seed).text)
        fleet.subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path + ".key"], check=True)
        listener = socket.create_server(("127.66.0.%d" % number, options.port), backlog=64)
        key = paramiko.Ed25519Key(filename=path + ".key")
        threading.Thread(target=accept, args=(listener, seed, key), daemon=True).start()
    print("ready", flush=True)
    threading.Event().wait()


def reading(seed):
    """What a session makes of one device: "right", "wrong", or the code of its failure."""
    random.seed(seed)
    device = Device(seed)
    wire = Wire(device)
    terminal = session.Terminal([PLUGIN], ERRORS, {"pager": {"keys": {"^--More--$": " "}}})
    shell = session.Session(wire, terminal, LIMIT)
    try:
        shell.open()
        shell.ask(b"terminal length 0")
        text = shell.read(b"show running-config", r"^end$" if device.mark else "twice", ["^Building configuration"])
    except session.Trouble as fault:
        return device, fault.code
    return device, "right" if text == device.text else "wrong"


def read(options):
    counts, seeds = {"right": 0, "wrong": 0, "failed": {}}, {}
    # What a device owes: its whole text, unless it cuts it or pauses for longer than the limit.
    able = whole = falsely = 0
    for seed in range(options.seed, options.seed + options.readings):
        device, what = reading(seed)
        fair = not device.truncated and not device.stalls
        if what in ("right", "wrong"):
            counts[what] += 1
        else:
            counts["failed"][what] = counts["failed"].get(what, 0) + 1
        able, whole = able + fair, whole + (fair and what == "right")
        falsely += what == "incomplete_output" and not device.truncated
        if what == "wrong" or fair and what != "right":
            seeds.setdefault(what, []).append(seed)
    print(json.dumps({
        **counts, "able": able, "whole": whole, "falselyIncomplete": falsely,
        "seeds": {what: some[:20] for what, some in seeds.items()}}))


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    ways = parser.add_subparsers(dest="way", required=True)
    reads, serves = ways.add_parser("read"), ways.add_parser("serve")
    reads.add_argument("--readings", type=int, default=2000)
    for way in (reads, serves):
        way.add_argument("--seed", type=int, default=1)
    for name in ("--port", "--devices"):
        serves.add_argument(name, type=int, required=True)
    for name in ("--login", "--state"):
        serves.add_argument(name, required=True)
    options = parser.parse_args()
    read(options) if options.way == "read" else serve(options)


if __name__ == "__main__":
    main()
