"""What a platform's module gives, and what it need not: the tables of one make, and its words."""
from ..grammar import Grammar, Refused
from ..show import fitting_lines, handlers
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
    `| section` shows; SHORT: the words of a prompt for a context."""
    HOSTNAME, PAGE, VARIANT, SECTION = "device", 24, {}, staticmethod(fitting_lines)
    GRAMMAR, SHORT = None, {}

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

    # --- the terminal's ---
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
