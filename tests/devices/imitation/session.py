"""A terminal's session: prompt, echo, pager, modes, questions, and the troubles a device may be told to have."""
import asyncio
import contextlib
import os
import pathlib
import re

from .grammar import Refused
from .journal import Journal
from .show import filtered


class Ended(Exception):
    """The session is over."""


class Session:
    """process: the channel; paths: where in the configuration its next line belongs, or None outside of configuration mode; root: the
    tree that it edits; level: its privilege; candidate: the name of the candidate that it edits."""

    def __init__(self, device, process, user, faults, level=15):
        self.device, self.platform, self._process, self.user, self._faults = device, device.platform, process, user, faults
        self.level, self.number = level, next(Journal.sessions)
        self.paths, self.candidate, self._root, self._typed = None, None, None, b""
        self.length, self.until = device.platform.PAGE, None

    @property
    def root(self):
        return self._root if self.candidate else self.device.running

    def note(self, event, text=None):
        self.device.note(self.number, event, text)
        self.device.reached |= {hold["while"] for hold in map(self._faults.get, ("hold", "holdAfter"))
                                if hold and re.search(hold.get("after", "^$"), f"{event} {text}")}

    def hang_up(self):
        self._process.channel.get_connection().abort()

    def say(self, text):
        self._process.stdout.write(re.sub("(?<!\r)\n", "\r\n", text).encode("latin-1", "replace"))

    def print_over(self, text):
        """Over the prompt, whenever the device likes; the session may have ended."""
        with contextlib.suppress(BrokenPipeError):
            self.say(text)

    async def _key(self):
        while not self._typed:
            if not (got := await self._process.stdin.read(65536)):
                raise Ended
            self._typed += got
        key, self._typed = self._typed[:1], self._typed[1:]
        return key

    async def line(self, echo=True):
        """What is typed up to the end of the line. Control characters as on a terminal: erase, forget the line, leave the mode."""
        line, shown = bytearray(), 0
        while True:
            key = await self._key()
            if key == b"\n" and self._after_return:
                self._after_return = False
                continue
            self._after_return = key == b"\r"
            if key in b"\r\n":
                break
            if key in b"\x7f\x08":
                del line[-1:]
            elif key == b"\x15":
                line.clear()
            elif key == b"\x03":
                line.clear()
                break
            elif key == b"\x1a":
                self.leave()
                break
            elif key == b"?" and echo and self.until is None and not line.startswith(b"banner"):
                self._help(line.decode("latin-1"))
                shown = len(line)
            else:
                line += key
        text = line.decode("latin-1")
        self.say((text[shown:] if echo else "") + "\n")
        return text
    _after_return = False

    def _help(self, line):
        """What may come next, while the line is typed; what is typed goes on."""
        if self.paths is None:
            found = self.platform.COMMANDS.help("exec", line)
        else:
            found = self.platform.GRAMMAR.help(self.platform.GRAMMAR.context(self.root, self.paths[0]), line)
        shown = "".join(f"  {word}\n" for word in found) or "% Unrecognized command\n"
        self.say(f"{line}?\n{shown}\n{self.prompt()}{line}")

    async def ask(self, question, echo=True):
        self.say(question)
        return (await self.line(echo)).strip()

    async def confirm(self, question):
        """One key: return or y is a yes."""
        self.say(question)
        key = await self._key()
        self.say("\n")
        self._after_return = key == b"\r"
        return key in b"\r\nyY"

    async def show(self, text):
        """As pages, unless the length of the terminal is 0."""
        lines = text.split("\n")
        while self.length and len(lines) > self.length:
            self.say("\n".join(lines[:self.length - 1]) + "\n --More-- ")
            lines = lines[self.length - 1:]
            key = await self._key()
            self.say("\r          \r")
            if key == b"q":
                return
            if key in b"\r\n":
                self.say(lines.pop(0) + "\n")
        self.say("\n".join(lines) + "\n")

    def edit(self, candidate=None, root=None):
        self.paths, self.candidate, self._root = [()], candidate, root

    def leave(self):
        self.paths, self.candidate, self._root = None, None, None

    def enter(self, root):
        """Edits another tree from now on, where its sections still are."""
        self._root = root

    def prompt(self):
        mark = "#" if self.level > 1 else ">"
        if self.paths is None:
            return self.device.hostname + mark
        return f"{self.device.hostname}({self.platform.mode(self)})#"

    async def run(self, command=None):
        """The whole session, or one command of it."""
        self.note("open", self.user)
        self.device.logged_in.add(self)
        try:
            if command is not None:
                self.length = 0
                await self.take(command)
                return
            for part in self._faults.get("motd", []):
                await asyncio.sleep(part) if isinstance(part, (int, float)) else self.say(part)
            self.say(self.platform.greeting(self.device) + "\n")
            while True:
                self.say("" if self.until else self.prompt())
                await self.take(await self.line())
        except Ended:
            pass
        finally:
            self.device.logged_in.discard(self)
            self.note("close")

    async def take(self, line):
        if pause := self._faults.get("latency"):
            await asyncio.sleep(pause)
        if self._has("drop", line):
            self.hang_up()
            raise Ended
        if self._has("hang", line):
            await asyncio.Event().wait()
        await self._hold("hold", line)
        if self.until:
            self.until = None if self.until.take(line, self.root) else self.until
        elif line.strip() and not line.strip().startswith("!"):
            try:
                if self._has("refuse", line):
                    raise Refused(0)
                await self._command(" ".join(line.split()))
            except Refused as refusal:
                self.say(self.platform.refusal(self, line, refusal))
        await self._hold("holdAfter", line)
        if self._has("dropAfter", line):
            self.hang_up()
            raise Ended

    def answers(self, neighbor):
        """Whether a neighbour, by its address, is there."""
        return not self._has("silent", neighbor)

    def _has(self, fault, line):
        return fault in self._faults and re.search(self._faults[fault], line)

    async def _hold(self, fault, line):
        """Waits for as long as the file is there; where it says drop, the connection ends."""
        if not (hold := self._faults.get(fault)) or not re.search(hold["line"], line):
            return
        file = pathlib.Path(hold["while"])
        if ("after" in hold and hold["while"] not in self.device.reached) or not file.exists():
            return
        self.note("held", line)
        with contextlib.suppress(FileNotFoundError):
            while not (told := file.read_text(encoding="ascii")):
                await asyncio.sleep(0.02)
            if told == "drop":
                os.unlink(file)
                self.hang_up()
                raise Ended
        if self._process.channel.is_closing():
            raise Ended

    async def _command(self, line):
        if self.paths is not None:
            if (block := self.platform.block(line)) is not None:
                self.note("line", line)
                self.until = block
                return
            await self.platform.configuring(self, line)
            return
        await self.execute(line)

    async def execute(self, line):
        """A command outside of configuration mode, with its filters. Its handler answers with a text, or with a text and the data that
        `| json` shows."""
        command, *filters = [part.strip() for part in line.split("|", 1)] if line.startswith(("sh", "dir", "more")) else [line]
        words = command.split()
        found, far, short = self.platform.COMMANDS.understood("exec", words)
        if not found:
            raise Refused(None if short and far == len(words) else far)
        rule, out = found
        handler = self.platform.handlers[rule.order]
        if handler.level > self.level:
            raise Refused(0)
        answer = handler(self, list(out))
        answer = await answer if asyncio.iscoroutine(answer) else answer
        text, data = answer if isinstance(answer, tuple) else (answer, None)
        if filters and filters[0].startswith("json"):
            text = self.platform.as_json(text, data)
        elif filters and text is not None:
            text = filtered(text, filters[0], self.platform.SECTION)
        if text is not None:
            await self.show(text)

    def configure(self, line):
        """One line of configuration, which the journal has before the tree."""
        grammar = self.platform.GRAMMAR
        self.note("line", line)
        root = self.root
        self.paths = [path[:depth] for path in self.paths for depth in [next(
            depth for depth in range(len(path), -1, -1) if root.at(path[:depth]) is not None)]]
        self.paths = grammar.apply(root, self.paths, line, self.platform) or [()]
        if not self.candidate:
            self.device.changed = self.user
