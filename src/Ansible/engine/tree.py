# SPDX-License-Identifier: GPL-3.0-or-later
"""A device's configuration as lines in their sections, and what of it belongs to one object, by the platform's grammar."""
import collections
import functools
import re

import document
import platforms

Line = collections.namedtuple("Line", "path text")  # path: the headers of the sections it is in, from the outside

_PROGRAM = "#!"  # the first line of a script: which program runs it


class Grammar:
    """How a platform writes its configuration: the members "grammar" and "secrets" of its platform.yaml, and the functions of its lines.py
    that docs/platforms.md names."""

    def __init__(self, platform, code):
        data = platform["grammar"]
        self._spelled, self._typed = code.get("spelled", list), code.get("typed", lambda text: [text])
        self.same, self.until = code.get("same", lambda wanted, shown: False), code.get("until", lambda header: None)
        self.kept = code.get("kept", lambda wanted, shown: wanted)
        self._volatile = [re.compile(pattern) for pattern in platform.get("volatile", [])]
        self._secrets = [re.compile(pattern) for pattern in platform.get("secrets", [])]
        self.indent, self.comment, self.negation = data["indent"], data["comment"], data["negation"]
        self.leave, self.braces = data.get("leave", "exit"), data.get("braces", False)
        self._renames = re.compile(data["renames"]) if "renames" in data else None
        self._ends = re.compile(data["ends"]) if "ends" in data else None
        self._derived = [re.compile(pattern) for pattern in data.get("derived", [])]
        self._sections = [re.compile(pattern) for pattern in data.get("sections", [])]
        self._anywhere = [re.compile(pattern) for pattern in data.get("anywhere", [])]
        self.kinds = [Kind(each) for each in data.get("objects", [])]
        # A text is taken apart several times in a row, before a change and after it.
        self.owned = functools.lru_cache(maxsize=1 << 16)(self._owned)

    def lines(self, text):
        """(lines, those that stand in no section though they are indented)."""
        found = document.Document(self, text)
        return [Line(*line) for line in self._spelled([Line(node.path, node.text) for node in found.nodes])], found.lost

    def normalised(self, text):
        """The text without what changes by itself and without the ends of its lines: equal where the configuration is. Some devices put
        such lines between two marks, and have one mark where there is none of them."""
        kept, dropped = [], False
        for line in map(str.rstrip, text.replace("\r\n", "\n").split("\n")):
            if any(pattern.search(line) for pattern in self._volatile):
                dropped = True
            elif not (dropped and line == self.comment and kept[-1:] == [line]):
                kept.append(line)
                dropped = False
        return "\n".join(kept).strip("\n") + "\n"

    def skips(self, bare):
        """The line is none of the configuration: a comment, what changes by itself, or what only closes a section."""
        comment = bare.startswith(self.comment) and not bare.startswith(_PROGRAM)
        return comment or self.closes(bare) or any(pattern.search(bare) for pattern in self._volatile)

    def follows(self, line):
        """The line only shows what follows from others, and changes with them."""
        return any(pattern.fullmatch((*line.path, line.text)[0]) for pattern in self._derived)

    def closes(self, bare):
        return bool(self._ends and self._ends.fullmatch(bare))

    def edited(self, text, added, removed):
        """The text with these lines and without those; removed as Document.edited takes it."""
        return document.Document(self, text).edited(added, removed, self._sections)

    def leaves(self, text):
        """The lines that a template asks for, each once. A line with others below it only names their section."""
        lines, _ = self.lines(text)
        headers = {line.path[:depth + 1] for line in lines for depth in range(len(line.path))}
        return list(dict.fromkeys(line for line in lines if (*line.path, line.text) not in headers))

    def negated(self, text):
        return text[len(self.negation):] if text.startswith(self.negation) else self.negation + text

    def renames(self, typed):
        """The line gives the device another name, and with it another prompt."""
        return bool(self._renames and self._renames.fullmatch(typed))

    def removable(self, path):
        """A section that stays when it is empty, and that a negation of its header removes; path: with its header."""
        return self.section(path) is not None

    def section(self, path):
        """Which of the kinds of such sections this is; None where it is none."""
        return next((pattern for pattern in self._sections for text in (path[-1], "\n".join(path)) if pattern.fullmatch(text)), None)

    def anywhere(self, header):
        """A template may name such a section without those that it is in."""
        return any(pattern.fullmatch(header) for pattern in self._anywhere)

    def commands(self, lines):
        """The lines as they are typed, each section entered once as long as its lines follow each other."""
        typed, place = [], ()
        for path, text in lines:
            shared = 0
            while shared < min(len(place), len(path)) and place[shared] == path[shared]:
                shared += 1
            # A line may mean something else in a section than outside, so each section is left before the next line outside is typed.
            typed += [self.indented(place[:depth + 1], self.leave) for depth in reversed(range(shared, len(place)))]
            typed += [self.indented(path[:depth], path[depth]) for depth in range(shared, len(path))]
            typed += [self.indented(path, line) for line in self._typed(text)]
            place = (*path, text) if self.removable((*path, text)) else path  # a header by itself opens its section, too
        return typed

    def indented(self, path, text):
        return " " * (self.indent * len(path)) + text

    def masked(self, text):
        """A line, or several, without the secrets in it."""
        for pattern in self._secrets:
            for match in reversed(list(pattern.finditer(text))):
                text = f"{text[:match.start(1)]}***{text[match.end(1):]}"
        return text

    def _owned(self, line):
        """The object that a line is a part of: (kind, its groups), or None."""
        for kind in self.kinds:
            if groups := kind.groups(line):
                return Part(kind, kind.home(line.path), groups)
        return None

    def unreadable(self, text, path=None):
        """A line about a kind of object that is not written in any way known of it; path: where it stands, if that is known."""
        return any(kind.begins.match(text) and (path is None or kind.home(path) is not None) for kind in self.kinds)


class Kind:
    """A kind of object in a configuration, such as a static route: one line, or several lines that name it."""

    def __init__(self, data):
        self.name, self.remove = data["name"], data.get("remove")
        self.whole, self.below = data.get("whole", False), data.get("below", False)
        self._line = re.compile(data["line"])
        self.begins = re.compile(data["begins"]) if "begins" in data else self._line
        self._within = [tuple(re.compile(header) for header in path) for path in data["within"]]
        self.key, self.one, self.shared = data["key"], data["one"], data.get("shared", {})
        self.once, self.enough = data.get("once", []), data.get("enough", False)
        self.vital, self.inherits, self.defaults = data.get("vital", []), data.get("inherits"), data.get("defaults", [])
        self.first = data.get("first", False)
        self.clears = re.compile(data["clears"]) if "clears" in data else None

    def home(self, path):
        """The section that holds the object whose line stands at this path; None where no such object can be."""
        for headers in self._within:
            home = path[:len(headers)]
            if (self.below or len(path) == len(home)) and len(home) == len(headers) and all(map(re.Pattern.fullmatch, headers, home)):
                return home
        return None

    def groups(self, line):
        if not self.begins.match(line.text) or self.home(line.path) is None:
            return None
        match = self._line.fullmatch(line.text)
        return match and match.groupdict()


class Part(collections.namedtuple("Part", "kind home groups")):
    """A line as a part of an object."""

    @property
    def object(self):
        return self.kind.name, self.home, tuple(self.groups[name] for name in self.kind.key)

    @property
    def removal(self):
        """The command that removes the whole object; None where each of its lines has one of its own."""
        return self.kind.remove and self.kind.remove.format(**self.groups)

    @property
    def vital(self):
        """The device drops the whole object with this line."""
        return "*" in self.kind.vital or self.groups.get("setting") in self.kind.vital

    @property
    def once(self):
        """What the device takes one line with at most, passing over a second one; None where the first of its groups has no value."""
        values = tuple(self.groups[name] for name in self.kind.once)
        return ("once", self.kind.name, self.home, values) if values and values[0] is not None else None

    def slot(self, line):
        """What the device has one line for at most; None where it takes any number of them."""
        values = tuple(self.groups[name] for name in self.kind.one)
        return None if self.groups.get("setting", "") is None else (self.kind.name, line.path, values)


class Tree:
    """The lines of a configuration, found by their object and by what the device has one line for."""

    def __init__(self, grammar, lines):
        self.grammar, self.lines = grammar, lines
        self.present = set(lines)
        self.sections = {line.path + (line.text,) for line in lines} | {
            line.path[:depth + 1] for line in lines for depth in range(len(line.path))}
        self.parts, self.objects, self.slots, self.onces, self.unread = {}, {}, {}, {}, []
        for line in lines:
            part = grammar.owned(line)
            if part is None and grammar.unreadable(line.text, line.path):
                self.unread.append(line)
            elif part:
                self.parts[line] = part
                self.objects.setdefault(part.object, []).append(line)
                if slot := part.slot(line):
                    self.slots.setdefault(slot, []).append(line)
                if part.once:
                    self.onces[part.once] = line

    def order(self, paths):
        """The key that sorts these sections as a text has them: each one after that it is in, and beside others as they came."""
        ranks = {}
        for path in paths:
            for depth in range(len(path) + 1):
                ranks.setdefault(path[:depth], len(ranks))
        return lambda path: [ranks[path[:depth]] for depth in range(len(path) + 1)]

    def without(self, removed):
        """The lines that are left without these, and without the headers of sections of which nothing is left."""
        left = [line for line in self.lines if line not in removed and not any(
            Line(line.path[:depth], header) in removed for depth, header in enumerate(line.path))]
        were = {line.path[:depth] for line in self.lines for depth in range(1, len(line.path) + 1)}
        while True:
            are = {line.path[:depth] for line in left for depth in range(1, len(line.path) + 1)}
            emptied = were - are
            stay = [line for line in left if (*line.path, line.text) not in emptied]
            if len(stay) == len(left):
                return left
            left = stay

    def holds_unseen(self, line, part):
        """The line is a default, which the device shows only where it is otherwise."""
        for rule in part.kind.defaults:
            if part.groups.get("setting") == rule["setting"] and line.path == (*part.home, rule["in"]):
                holds = "if" not in rule or Line(part.home, rule["if"]) in self.present
                holds = holds and ("unless" not in rule or Line(part.home, rule["unless"]) not in self.present)
                return holds and part.slot(line) not in self.slots and not any(self._given(line, part))
        return False

    def inherited(self, line, part):
        """(the line that another object gives this one in the same place, that object's name), or None."""
        return next(((groups["value"], name) for groups, name in self._given(line, part) if groups.get("no") is None), None)

    def _given(self, line, part):
        """What other objects say in the place of this line for the object of it: (groups of their line, their name)."""
        rule = part.kind.inherits
        if not rule or part.groups.get("setting") not in rule["settings"]:
            return
        for own in self.objects.get(part.object, []):
            giver = self.parts[own].groups
            if giver.get("setting") != rule["by"] or not giver.get("value"):
                continue
            there = part.kind.name, part.home, (giver["value"],)
            for other in self.objects.get(there, []):
                groups = self.parts[other].groups
                if groups["setting"] == part.groups["setting"] and other.path == line.path:
                    yield groups, giver["value"]


@functools.lru_cache(maxsize=None)
def grammar(directory):
    return Grammar(platforms.read(directory), platforms.words(directory))
