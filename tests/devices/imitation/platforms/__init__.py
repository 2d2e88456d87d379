"""What a platform's module gives, and what it need not: the tables of one make, and its words."""
import re

from ..grammar import Grammar, Refused, ranges
from ..session import Ended
from ..show import command, fitting_lines, handlers
from ..tree import Node


class Block:
    """A text of several lines, until `end` stands in one: what stands before it there belongs to the text, too."""

    def __init__(self, platform, key, end, form, first=None):
        self._platform, self._key, self._end, self._form, self._lines = platform, key, end, form, [] if first is None else [first]

    def take(self, line, root):
        """Returns true with the last line, when the text stands in the configuration."""
        before, end, _ = line.partition(self._end)
        if not end:
            self._lines.append(line)
            return False
        (rule, _), *_ = self._platform.GRAMMAR.understood("", self._key.split() + ["text"])
        root.put(Node(self._form(self._key, "\n".join(self._lines + [before] * bool(before))), self._key, rule, (rule.order,)))
        return True


class Platform:
    """HOSTNAME, PAGE: the name and the lines of a page of a new device; VARIANT: start options and their values; SECTION: what
    `| section` shows; PORTS: the kinds of interfaces that are hardware; INDENT: of a line in a section; NESTED: whether a mark stands
    before a section in a section; SHORT: the words of a prompt for a context; NO_SECRET: what a wrong secret is answered with."""
    HOSTNAME, PAGE, VARIANT, SECTION, INDENT, NESTED = "device", 24, {}, staticmethod(fitting_lines), " ", False
    GRAMMAR, PORTS, SHORT, NO_SECRET = None, (), {}, "% Bad secrets\n"

    def __init__(self, **variant):
        self.variant = {**self.VARIANT, **variant}
        table, self.handlers = handlers(self)
        self.COMMANDS = Grammar({"exec": table}, getattr(self, "TYPES", ()))

    # --- the grammar's questions ---
    def does(self, root, path, verb, rule, line):
        """Does a line that the tables cannot say, and returns True."""
        return False

    def merged(self, section, rule, line, key):
        """The line to keep, where it depends on the one that stands."""
        return line

    def born(self, node):
        """Lines that a new section holds."""
        return ()

    def after(self, root, path, verb, rule, line):
        """What else a line changes."""

    def keeps(self, section, rule, line):
        """The device's words where it does not take a section away."""
        return None

    # --- text ---
    def render(self, device, root):
        """The lines of a configuration. A mark stands around sections, and between lines that begin otherwise."""
        lines, last = [], None

        def walk(node, depth):
            for child in node.children:
                if child.rule.opens and self.NESTED:
                    lines.append(self.INDENT * depth + "!")
                lines.append(self.INDENT * depth + self.shown(child))
                walk(child, depth + 1)

        for node in root.children:
            if last is not None and (node.rule.opens or last.rule.opens or node.rule.first != last.rule.first):
                lines.append("!")
            lines.append(node.line)
            walk(node, 1)
            last = node
        return lines

    def shown(self, node):
        """A line as a configuration shows it."""
        return node.line

    # --- the terminal's ---
    async def configuring(self, session, line):
        """Does a line that is typed in configuration mode."""
        self.has_ports(session.root, line)
        session.configure(line)

    def has_ports(self, root, line):
        """Refuses a line that opens ports which the device does not have."""
        found, *_ = self.GRAMMAR.understood("", self.GRAMMAR.rewrite("", line.removeprefix("default ")).split())
        if not found or found[0].opens != "if" or not found[1][-1].startswith(self.PORTS):
            return
        name = found[1][-1]
        module = re.match(r"\D+(?:\d+/)*", name).group()
        if any(root.find(f"interface {module}{port}") is None for port in ranges(name[len(module):].split(".")[0])):
            raise Refused(1)

    def mode(self, session):
        context = self.GRAMMAR.context(session.root, session.paths[0])
        return "config" + ("-" + self.SHORT.get(context, context) if context else "")

    def greeting(self, device):
        return ""

    def as_json(self, text, data):
        """What `| json` shows, where the platform has it."""
        raise Refused(0)

    def block(self, line):
        """What takes the following lines, where this one begins a text of several."""
        return None

    def knows(self, device, username, password):
        return False

    def knows_key(self, device, username, key):
        return False

    # --- commands of all makes ---
    @command("show privilege")
    def show_privilege(self, session, words):
        return f"Current privilege level is {session.level}"

    @command("enable [0-15]")
    async def enable(self, session, words):
        if session.level < 15 and session.device.enable:
            for _ in range(3):
                if await session.ask("Password: ", echo=False) == session.device.enable:
                    break
            else:
                return self.NO_SECRET
        session.level = 15

    @command("disable")
    def disable(self, session, words):
        session.level = 1

    @command("terminal length 0-32767")
    def terminal_length(self, session, words):
        session.length = int(words[2])

    @command("terminal width 0-32767", "terminal monitor", "terminal no monitor", "terminal dont-ask")
    def terminal(self, session, words):
        """Nothing that an imitation does depends on it."""

    @command("exit", "quit", "logout")
    def exit(self, session, words):
        raise Ended
