#!/usr/bin/python3
"""Devices that say anything: garbage for the engine's parsers of what devices say.

  hostile.py [--outputs N] [--seed S] [--first I] [--secret TEXT] [--marker FILE] [--plant]

Each output goes through a session, and what the session takes for the device's text goes on to the engine's reading of configurations and
to its plans; some of it is asked as a question of a login. One line of JSON for each: "case", "end" (a refusal's code, or "text"), "text"
(base64), and "crash" where something happened that no refusal is: an exception of another kind, more than LONGEST seconds, a text that did
not survive its way, or a program, a connection or a file that the parsers opened. The last line has the counts and the memory in KiB.
--plant does one of each of these things by itself and must be caught."""
import argparse
import base64
import json
import os
import random
import re
import resource
import signal
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [f"{ROOT}/src/Ansible/patch", f"{ROOT}/src/Ansible/engine"]
sys.dont_write_bytecode = True
import plan  # noqa: E402
import platforms  # noqa: E402
import session  # noqa: E402
import ssh  # noqa: E402
import text as device_text  # noqa: E402
import tree  # noqa: E402

LIMIT, LONGEST, LARGEST = 30, 5.0, 8192
PLUGIN = re.compile(rb"[\r\n]?[\w\+\-\.:\/\[\]]+(?:\([^\)]+\)){0,3}(?:[>#]) ?$")
ERRORS = [re.compile(rb"% Unknown command", re.I), re.compile(rb"invalid input", re.I)]
PLATFORM = f"{ROOT}/src/Platforms/frr"
PART = platforms.load(f"{ROOT}/src/Blocks/static-routes/platforms/frr.yml")
ROUTES = {"routes": [{"prefix": "10.9.0.0/16", "nextHop": "10.66.0.1"}]}
# What nobody who only reads has to do.
ACTS = ("os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty", "subprocess.Popen", "pty.spawn", "socket.connect", "socket.bind",
        "socket.sendto", "os.remove", "os.rename", "os.mkdir", "ctypes.dlopen")
acted = []


class Slow(BaseException):
    """More processor time than any text is worth."""


def watch(event, arguments):
    if event in ACTS or event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        acted.append(event)


def slow(*_):
    raise Slow


def payloads(options):
    touch = f"touch {options.marker}"
    return [part.encode("utf-8", "surrogatepass") for part in (
        "{{ lookup('pipe','%s') }}" % touch, "{%% for x in ().__class__.__base__.__subclasses__() %%}{{ x }}{%% endfor %%}%s" % touch,
        "{# #}", "!!python/object/apply:os.system ['%s']" % touch, "!unsafe x", "!vault |", "$(%s)" % touch, "`%s`" % touch, "; %s" % touch,
        "| %s" % touch, '{"__ansible_unsafe": "x"}', '{"__ansible_vault": "x"}', "ansible_connection: local", "[netautomation:ok] done",
        "{\"type\": \"device_outcome\", \"outcome\": \"changed\"}", "\u202etxt.exe\u2066", "\u2028{{ 7*7 }}\u2029", "\ud800\udfff",
        "\uef80\uef00\uefff",
        options.secret, options.secret[::-1], base64.b64encode(options.secret.encode()).decode(), "\x1b[31m".join(options.secret),
        "\r\n".join(options.secret), "${jndi:ldap://x}", "%s%n%x" * 20, "../../../etc/passwd", "\0", "=cmd|' /C calc'!A0")]


class Garbage:
    def __init__(self, dice, options):
        self.dice, self.payloads = dice, payloads(options)
        self.host = dice.choice([b"r1", b"core(1)", b"a" * 90, b"\xc3\xbc", b"(((", b"x" * 99, b"$", b"", b"{{ x }}"])
        self.prompt = self.host + dice.choice([b"#", b"# ", b">", b"$ ", b"%", b"(config)#", b""])

    def piece(self):
        dice = self.dice
        many = dice.choice([1, 2, 10, 200, 2000])
        return dice.choice([
            lambda: dice.randbytes(dice.randrange(300)), lambda: dice.choice(self.payloads), lambda: dice.choice(self.payloads),
            lambda: self.prompt, lambda: b"\r\n" + self.prompt, lambda: self.prompt * many,
            lambda: b"\x1b[" + b"0;" * many, lambda: b"\x1b]" + b"t" * many,
            lambda: b"\x1bP" + dice.choice(self.payloads), lambda: b"\x1b" * many,
            lambda: b"\x1b[%dC" % dice.choice([0, 1, 10 ** 9, 10 ** 30]), lambda: b"\x1b[%dG" % dice.choice([0, 1, 10 ** 9, 10 ** 30]),
            lambda: b"\x1b[%dD" % dice.choice([0, 1, 10 ** 9, 10 ** 30]), lambda: b"\x9b31m\x9d\x90",
            lambda: b"\x1b[K\x1b[2J\x1b[H\x1b[6n\x1b[c",
            lambda: b"\b" * many, lambda: b"\r" * many, lambda: b" " * many + b"\r", lambda: (b" " * 3 + b"\b") * many,
            lambda: b"\n" * many, lambda: b"\r\n" * many, lambda: b"\a" * many, lambda: b"\0" * many, lambda: b"\t" * many,
            lambda: b"\x0e\x0f\x05\x11\x13" * many, lambda: b"--More--", lambda: b"lines 1-24 " * many, lambda: b"more " * many,
            lambda: b"Press any key to continue " * many, lambda: b"[confirm]" * many, lambda: b"(" * many,
            lambda: b"[(" * many + b"y/n", lambda: b"? " * many, lambda: b"Password: " * many,
            lambda: b"New password: ",
            lambda: b"password has expired " * many, lambda: b"too many " * many, lambda: b"login:" * many,
            lambda: b"a" * dice.choice([10, 511, 4096, 20000]), lambda: b"%SYS-5-X: " * many, lambda: b"% Unknown command",
            lambda: b"invalid input", lambda: b"\xff\xfd\x18\xff\xfa" * many, lambda: b"\xc0\x80\xed\xa0\x80\xf4\x90\x80\x80" * many,
            lambda: "\u0130\ufb03\u1e9e".encode() * many, lambda: b"! comment\n" * min(many, 50),
            lambda: b"".join(b" " * depth + b"section\n" for depth in range(min(many, 200))),
            lambda: b"ip route " + dice.choice(self.payloads) + b" 10.0.0.1\n", lambda: b"router bgp " + b"9" * many + b"\n neighbor x\n",
            lambda: b"vrf a\n ip route 10.9.0.0/16 Null0\nexit-vrf\n" * min(many, 50), lambda: b"hostname " + self.payloads[0] + b"\n",
            lambda: b"Current configuration:\n!\n", lambda: b"end\n", lambda: b"\nend\r\n" + self.prompt,
            lambda: b"show running-config\r\n", lambda: b"show running-config"[:dice.randrange(19)]])()[:LARGEST]

    def answer(self):
        dice = self.dice
        if dice.random() < 0.3:
            # Near to a right one, so that it comes far.
            body = b"".join(self.piece() + b"\r\n" for _ in range(dice.randrange(1, 12)))
            return b"show running-config\r\nBuilding configuration...\r\n" + body + b"end\r\n" + self.prompt
        return b"".join(self.piece() for _ in range(dice.randrange(1, 10)))[:LARGEST * 2]


class Wire:
    """The channel of a Session to such a device, with a clock of its own."""

    def __init__(self, dice, garbage):
        self._dice, self._garbage, self._time = dice, garbage, 0.0
        self._whole, self._left = dice.random() < 0.5, 60
        # Half of them talk well and only show what they should not.
        self._polite = dice.random() < 0.5
        self._out = b"\r\n" + garbage.prompt if self._polite or dice.random() < 0.3 else garbage.answer()
        pieces = b"".join(garbage.piece() + b"\r\n" for _ in range(dice.randrange(1, 12)))
        self._shown = b"Building configuration...\r\n" + pieces + b"end\r\n"

    def now(self):
        return self._time

    def read(self, seconds):
        if not self._out:
            self._time += seconds
            return b"" if self._left < 1 and self._dice.random() < 0.5 else None
        size = len(self._out) if self._whole else self._dice.choice([1, 3, 64, 4096])
        data, self._out = self._out[:size], self._out[size:]
        self._time += self._dice.choice([0.0, 0.0, 0.1, 3.0])
        return data

    def write(self, data):
        self._left -= 1
        if self._left < 1:
            return
        if self._polite:
            for line in data.split(b"\r")[:-1]:
                self._out += line + b"\r\n" + (self._shown if line.startswith(b"show") else b"") + self._garbage.prompt
        elif self._dice.random() < 0.6:
            self._out += data.replace(b"\r", b"\r\n") + self._dice.choice([self._garbage.prompt, b"", self._garbage.answer()])
        elif self._dice.random() < 0.9:
            self._out += self._garbage.answer()


def hear(dice, garbage):
    """(how it ended, what it said)"""
    terminal = session.Terminal([PLUGIN], ERRORS, {"pager": {"keys": {"^--More--$": " "}}}, mask=tree.grammar(PLATFORM).masked)
    shell = session.Session(Wire(dice, garbage), terminal, LIMIT)
    try:
        shell.open()
        shell.ask(b"terminal length 0")
        return "text", shell.read(b"show running-config", dice.choice([r"^end$", "twice"]), ["^Building configuration"])
    except session.Trouble as fault:
        return fault.code, str(fault).encode("utf-8", "surrogateescape")


def read(said):
    """What the engine makes of a text that it took."""
    inside = said.decode("utf-8", "surrogateescape")
    outside = device_text.visible(inside)
    outside.encode()
    if device_text.raw(outside).encode("utf-8", "surrogateescape") != said:
        raise AssertionError("the text did not survive its way")
    grammar = tree.grammar(PLATFORM)
    lines, _ = grammar.lines(inside)
    tree.Tree(grammar, lines)
    grammar.masked(inside)
    json.dumps(plan.plan(inside, PART, ROUTES, PLATFORM))


def ask(dice, said):
    """A login that asks this."""
    words = said.decode("utf-8", "replace")
    answers = ssh._Answers({"password": "x", "answers": [{"pattern": "(?i)favou?rite( colou?r)*", "answer": "blue"}]})
    try:
        answers(words[:100], words, [(words, dice.random() < 0.5) for _ in range(dice.randrange(1, 4))])
    except ssh.Fault:
        pass
    ssh.shown(words)
    ssh._ended(words)


def case(number, options):
    dice = random.Random(options.seed * 1_000_003 + number)
    random.seed(number)
    garbage, crash, end, said = Garbage(dice, options), None, "none", b""
    acted.clear()
    signal.setitimer(signal.ITIMER_PROF, LONGEST)
    try:
        if options.plant and number == options.first:
            os.system("true")
        elif options.plant and number == options.first + 1:
            while True:
                pass
        elif options.plant and number == options.first + 2:
            raise KeyError("planted")
        end, said = hear(dice, garbage)
        read(said)
        whole = garbage.answer()
        read(whole)
        ask(dice, whole)
        if end != "text":
            said = whole
    except Slow:
        crash = f"more than {LONGEST} s"
    except Exception as fault:  # Whatever it is.
        crash = f"{type(fault).__name__}: {fault}"[:300]
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    if acted:
        crash = f"did {', '.join(sorted(set(acted)))}"
    print(json.dumps({"case": number, "end": end, "crash": crash, "text": base64.b64encode(said[:LARGEST]).decode()}))
    return end, crash


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--outputs", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--secret", default="sample-secret")
    parser.add_argument("--marker", default="/nonexistent/marker")
    parser.add_argument("--plant", action="store_true")
    options = parser.parse_args()
    # What is read and compiled once is not the input's doing.
    read(b"hostname r1\n")
    sys.addaudithook(watch)
    signal.signal(signal.SIGPROF, slow)
    ends, crashes, warm = {}, 0, 0
    for number in range(options.first, options.first + options.outputs):
        end, crash = case(number, options)
        ends[end] = ends.get(end, 0) + 1
        crashes += crash is not None
        if number - options.first == options.outputs // 5:
            warm = resident()
    print(json.dumps({"ends": ends, "crashes": crashes, "warm": warm, "last": resident()}))


def resident():
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize() >> 10


if __name__ == "__main__":
    main()
