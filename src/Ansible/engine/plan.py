# SPDX-License-Identifier: GPL-3.0-or-later
"""What to configure on a device: the block's templates compared with the device's own text, section by section and object by object."""
import difflib
import functools
import ipaddress
import re

import jinja2
import jinja2.sandbox

import document
import platforms
import shell
import tree
from tree import Line


def one_line(value):
    """Checks a value that becomes part of a configuration line: a line break in it would start a second command."""
    text = str(value)
    if any(ord(c) < 32 or 127 <= ord(c) < 160 or c in "\u2028\u2029" for c in text):
        raise ValueError("a control character in a value for a configuration line")
    return text


def canonical_prefix(value):
    """10.9.1.1/16 -> 10.9.0.0/16, and 2001:DB8::/32 -> 2001:db8::/32: the form in which a device shows the prefix."""
    return str(ipaddress.ip_network(value, strict=False))


def canonical_address(value):
    """2001:DB8:0::1 -> 2001:db8::1, the form in which a device shows the address (RFC 5952)."""
    return str(ipaddress.ip_address(value))


def pattern(value):
    """The value as a part of a regular expression that matches it alone."""
    return re.escape(str(value))


def impossible(lists):
    """Whether an entry of these access lists is none that a device takes: a port where packets have none, the end of a range below its
    begin, "established" of what has no connections, or a prefix of the other family."""
    ends = ("source", "destination")
    return any(
        entry["protocol"] not in ("tcp", "udp") and any(f"{end}{name}" in entry for end in ends for name in ("Port", "PortTo"))
        or any(int(entry.get(f"{end}Port", 1)) > int(entry.get(f"{end}PortTo", 65535)) for end in ends)
        or entry.get("established") and entry["protocol"] != "tcp"
        or any((":" in entry[end]) != (given["family"] == "ipv6") for end in ends if end in entry)
        for given in lists for entry in given.get("entries", []))


WORDS = {"canonical_address": canonical_address, "canonical_prefix": canonical_prefix, "impossible": impossible, "one_line": one_line,
         "pattern": pattern}


class Refused(Exception):
    """The device must be left alone."""


def plan(running, part, block_input, directory, parts=None):
    """part: the block's file for this platform; directory: the platform's; parts: the names of the device's programs that run, where it can
    tell. Answers, as a dict:
    lines, what to type, or what changes of the text, where the device takes its whole text: that is then after, and signed its lines;
    refused, why the device must be left alone, if it must; and, with secrets masked, configured, the lines without those that only move
    between sections; diff; undo, what to type to have the configuration before again, which is back with its secrets where the device takes
    lines. A device that is as it should be has no lines."""
    try:
        _all_run(parts, [line for lines in intent(part, block_input, directory) for line in lines], directory)
        change = _change(running, part, block_input, directory)
        change.check()
        if writer := platforms.writer(directory):
            return _rewritten(change, running, change.edited(running), writer[1], change.diff(masked=False), change.diff())
        return _typed(change, change.typed(), change.undo())
    except (Refused, document.Unreadable, shell.Refused) as reason:
        return _refused(reason, directory)


def restored(running, wanted, directory, parts=None):
    """The change that gives a device this text, as plan() answers it. wanted: normalised."""
    grammar = tree.grammar(directory)
    wanted = grammar.normalised(wanted)
    try:
        change = _between(running, wanted, directory)
        _all_run(parts, [*change.added, *change.removed], directory)
        if writer := platforms.writer(directory):
            after = _spelled(running, wanted, grammar) if grammar.normalised(running) != wanted else running
            return _rewritten(change, running, after, writer[1], *("\n".join(_differences(running, wanted, shown, grammar))
                                                                  for shown in (str, grammar.masked)))
        if not (change.added or change.removed) and grammar.normalised(running) != wanted:
            raise Refused("the device has the same lines in another order, in which it cannot be made to show them")
        return _typed(change, _between(wanted, running, directory).undo(), change.undo())
    except (Refused, document.Unreadable, shell.Refused) as reason:
        return _refused(reason, directory)


def _typed(change, lines, undo):
    """A change of a device that takes lines."""
    grammar, back = change.grammar, change.grammar.commands(undo)
    return {"lines": grammar.commands(lines), "configured": [grammar.masked(grammar.indented(*line)) for line in lines],
            "diff": change.diff(), "undo": list(map(grammar.masked, back)), "back": back, "refused": None}


def _rewritten(change, running, after, undo, diff, masked):
    """A change of a device that takes its whole text. undo: the platform's."""
    grammar = change.grammar
    configured = [*(grammar.masked(grammar.indented(*line)) for line in change.added), *(
        "- " + grammar.masked(grammar.indented(*line)) for line in change.removed)]
    back = undo(running, after, change.signed()) if after != running else []
    return {"lines": diff.splitlines(), "configured": configured, "diff": masked, "undo": list(map(grammar.masked, back)),
            "refused": None, "after": after, "signed": change.signed()}


def _spelled(running, wanted, grammar):
    """The wanted text as a device takes it: what it has of it stays as it is written there, and an empty line stands in its section."""
    before, after, lines = running.split("\n"), wanted.split("\n"), []
    empty = "" if grammar.braces else " " * grammar.indent
    for kind, begin, end, start, stop in difflib.SequenceMatcher(None, [line.rstrip() for line in before], after).get_opcodes():
        lines += before[begin:end] if kind == "equal" else [line or empty for line in after[start:stop]]
    return "\n".join(lines).rstrip(" \n") + "\n"


def _differences(before, after, shown, grammar):
    """What is different between two texts, with some lines around it."""
    before, after = (grammar.normalised(text).removesuffix("\n").split("\n") for text in (before, after))
    # The first two lines name the texts.
    return [line[0] + shown(line[1:]) for line in [*difflib.unified_diff(before, after, n=2, lineterm="")][2:] if line[0] != "@"]


def _refused(reason, directory):
    # A platform quotes a line as it is.
    return refused(tree.grammar(directory).masked(str(reason)) if isinstance(reason, shell.Refused) else str(reason))


def refused(reason):
    return {"lines": [], "configured": [], "diff": "", "undo": [], "refused": reason}


def result(change, verdict):
    """What the block hands over: its plan, and by what it was verified, which is left out where nothing was."""
    return {"configured": change["configured"], "undo": change["undo"],
            **({"verified": verdict["verified"]} if "verified" in verdict else {})}


def unverified(before, after, part, block_input, directory):
    """What is wrong with the configuration after a change; None where it is as wanted, and everything else as it was."""
    try:
        left = _change(after, part, block_input, directory)
        if left.added or left.removed:
            return f"the device does not show what was configured:\n{left.diff()}"
        made = _change(before, part, block_input, directory)
    except (Refused, document.Unreadable) as reason:
        return str(reason)
    stand = set(made.grammar.lines(after)[0])
    # A device need not show a section that the change has emptied.
    kept = made.before.without(made.removed)
    gone = [made.grammar.masked(made.grammar.indented(*line)) for line in kept if line not in stand and not made.grammar.follows(line)]
    return "lines that were not to change are gone:\n" + "\n".join(gone) if gone else None


def taken_back(change, before, now, directory):
    """How to take back what of a change a device has: (the text that it shall have, what changes, as signed). Where the device has all of
    the change and no other, that is the text before; what others have changed meanwhile stays."""
    grammar = tree.grammar(directory)
    present, signed = {line for line in grammar.lines(now)[0] if not grammar.follows(line)}, []
    for sign, path, text in change["signed"]:
        if (sign == "+") == ((tuple(path), text) in present):
            signed.append(["-" if sign == "+" else "+", path, text])
    if present == {line for line in grammar.lines(change["after"])[0] if not grammar.follows(line)}:
        return before, signed
    lines = {sign: [Line(tuple(path), text) for each, path, text in signed if each == sign] for sign in "+-"}
    return (grammar.edited(now, lines["+"], dict.fromkeys(lines["-"])) if signed else now), signed


def unrestored(after, wanted, directory):
    """What is wrong with the configuration after it was to become this one; None where it is the same."""
    grammar = tree.grammar(directory)
    other = _differences(wanted, after, grammar.masked, grammar)
    return "the device does not show the configuration that it was to have, but:\n" + "\n".join(other) if other else None


def left(before, now, directory):
    """What to type into a device that takes lines, and has some of a change, to have the configuration before."""
    return tree.grammar(directory).commands(_between(before, now, directory).undo())


def _between(before, now, directory):
    """The change that has made one text of another."""
    grammar = tree.grammar(directory)
    had, has = ([line for line in grammar.lines(text)[0] if not grammar.follows(line)] for text in (before, now))
    change, headers = Change(tree.Tree(grammar, had)), _headers(has)
    change.added = [line for line in has if line not in change.before.present and (*line.path, line.text) not in headers]
    present = set(has)
    change.removed = dict.fromkeys(line for line in had if line not in present)
    change.made_way(headers, _headers(had))
    return change


def _headers(lines):
    return {line.path[:depth + 1] for line in lines for depth in range(len(line.path))}


def intent(part, block_input, directory):
    """(wanted, unwanted): the lines of the block's templates."""
    grammar = tree.grammar(directory)
    return [grammar.leaves(_render(part.get(name, ""), directory, {"input": block_input})) for name in ("wanted", "unwanted")]


def _all_run(parts, lines, directory):
    """A program that does not run shows none of its configuration, which would seem absent."""
    needed = (platforms.read(directory).get("parts") or {}).get("needed", {})
    texts = [text for path, line in lines for text in (*path, line)]
    for name, pattern in needed.items() if parts is not None else ():
        if name not in parts and any(re.fullmatch(pattern, text) for text in texts):
            raise Refused(f"{name} does not run on the device")


def _change(running, part, block_input, directory):
    grammar = tree.grammar(directory)
    shown, lost = grammar.lines(running)
    _refuse(part, shown, block_input, directory)
    for line in lost:
        if grammar.unreadable(line):
            raise Refused(f"the device shows a line in no section: {grammar.masked(line)}")
    wanted, unwanted = intent(part, block_input, directory)
    change = Change(tree.Tree(grammar, shown))
    wanted = [line for each in wanted for line in change.placed(each, needed=True)]
    unwanted = [line for each in unwanted for line in change.placed(each)]
    for line in wanted:
        change.want(line, part.get("initial", []))
    named = {_named(grammar, line): line for line in wanted}
    for line in unwanted:
        # Such as one interface under two names.
        if other := named.get(_named(grammar, line)):
            raise Refused(f"the input wants '{grammar.masked(other.text)}'{_within(grammar, other)}, and also not")
    if "exact" in part:
        change.drop_others(wanted, part["exact"])
    for line in unwanted:
        change.drop(line)
    return change


def _within(grammar, line):
    return f" ({', '.join(map(grammar.masked, line.path))})" if line.path else ""


def _named(grammar, line):
    """What a removal of the line is about."""
    part = grammar.owned(line)
    return part.object if part else line


class Change:
    """The lines to add to a configuration and to take from it."""

    def __init__(self, before):
        self.before, self.grammar = before, before.grammar
        self.added, self.removed = [], {}  # removed: line -> the command that removes it, None where an added line replaces it
        self._places = {}
        self._same = set()  # lines that say in other words what is wanted
        self._first = {}  # removals that come before the lines that are added
        self._in_the_way = {}  # an added line -> the lines of those removals that make way for it
        self._vital = []  # lines that go, with which the device drops the rest of their object
        self._whole = {}  # sections that the change has made and that go whole -> whether before anything comes

    def placed(self, line, needed=False):
        """The line in the sections that the device has above it, where a template need not name them: none where it has no such section."""
        header = (*line.path, line.text)[0]
        if not self.grammar.anywhere(header):
            return [line]
        found = [path[:-1] for path in self.before.sections if path[-1] == header]
        if len(found) > 1 or needed and not found:
            raise Refused(f"the device has {'more than one' if found else 'no'} {self.grammar.masked(header)}")
        return [Line((*above, *line.path), line.text) for above in found]

    def want(self, line, initial=()):
        """The line must be there, in place of others that the device cannot have beside it. initial: settings of which a line that is there
        stays, whatever it says."""
        part = self.grammar.owned(line)
        if part is None:
            if line not in self.before.present:
                self.added.append(line)
            return
        slot = part.slot(line)
        if part.groups.get("setting") in initial and slot in self.before.slots:
            return
        for place in filter(None, (part.object if part.kind.whole else slot, part.once)):
            if self._places.setdefault(place, line) != line:
                raise Refused(f"the device cannot have both {self._named(self._places[place])} and {self._named(line)}")
        if line not in self.before.present:
            kept = {other: self.grammar.kept(line.text, other.text) for other in self.before.slots.get(slot, [])}
            if len(kept) > 1 and not part.kind.enough and any(text != line.text for text in kept.values()):
                raise Refused(f"the device has several lines in place of {self._named(line)}, which say more than it")
            line = next((other for other in kept if self.grammar.same(line.text, other.text)), line)
            if len(kept) == 1 and line not in kept:
                line = line._replace(text=next(iter(kept.values())))
            self._same.add(line)
        others, twin = self._others(line, part, slot), self.before.onces.get(part.once, line)
        if part.kind.first:
            self._first |= {other: self.grammar.negated(other.text) for other, _ in others}
        there = any(other not in self.removed for other in self.before.objects.get(part.object, []))
        if part.kind.enough and there or twin != line and self.before.parts[twin].groups == part.groups:
            self._same.add(twin)
            return
        if twin != line and self.before.parts[twin].slot(twin) != slot:
            self._first[twin] = self.grammar.negated(twin.text)
        if line not in self.before.present and not self.before.holds_unseen(line, part) and not self._inherits(line, part):
            self.added.append(line)
            self._in_the_way[line] = [twin, *(other for other, _ in others)]
        else:
            others = [(other, self.grammar.negated(other.text)) for other, _ in others]  # nothing replaces them
        self.removed |= dict(others) | self._first

    def drop_others(self, wanted, group):
        """Of an object that has wanted lines with a value for this group, all others with one must not be there."""
        kept = {*wanted, *self._same, *self.removed}
        objects = {part.object for line in wanted if (part := self.grammar.owned(line)) and part.groups.get(group) is not None}
        for line, part in self.before.parts.items():
            if part.object in objects and part.groups[group] is not None and line not in kept:
                self.removed[line] = self.grammar.negated(line.text)

    def drop(self, line):
        """The object of the line must not be there, whatever its other attributes; a line of no object, just as it is."""
        part = self.grammar.owned(line)
        if part is None:
            if line in self.before.present:
                self._drop(line, self.grammar.negated(line.text))
            return
        self._readable(part)
        lines = self.before.objects.get(part.object, [])
        if self._one_of_several(line, part):
            for other in lines:
                if other == line or other.path == line.path and self.grammar.same(line.text, other.text):
                    self._drop(other, self.grammar.negated(other.text))
                    if self.before.parts[other].vital:
                        self._vital.append(other)
            if any(other not in self.removed for other in lines):
                return
        for other in lines:
            self._drop(other, part.removal or self.grammar.negated(other.text))

    def _one_of_several(self, line, part):
        """The line is one of those that its object may have, not the object itself."""
        if set(part.kind.one) <= set(part.kind.key):
            return False
        named = any(part.groups[name] for name in part.kind.key)
        return not named or part.removal not in (None, self.grammar.negated(line.text))

    def _drop(self, line, command):
        """The line goes, and a section goes with all that is in it."""
        self.removed[line] = command
        below = (*line.path, line.text)
        if below in self.before.sections:
            self.removed.update({other: None for other in self.before.lines if other.path[:len(below)] == below})

    def check(self):
        """Refuses what the device cannot have: another value of an attribute that it keeps once for several lines, and what is left of an
        object without that which makes it one."""
        for line in self._vital:
            for other in self.before.objects[self.before.parts[line].object]:
                if other not in self.removed:
                    raise Refused(f"without {self._named(line)} the device would not keep {self._named(other)}")
        kept = [(line, part) for line, part in self.before.parts.items() if line not in self.removed]
        added = [(line, part) for line in self.added if (part := self.grammar.owned(line))]
        first = {}
        for line, part in kept + added:
            for attribute, by in part.kind.shared.items():
                place = (part.kind.name, part.home, attribute, *(part.groups[name] for name in by))
                other, value = first.setdefault(place, (line, part.groups[attribute]))
                if value != part.groups[attribute]:
                    raise Refused(
                        f"the device cannot have {self._named(line)} beside {self._named(other)}: it keeps one {attribute} for both. "
                        f"Name both in one input, with the same {attribute}.")

    def typed(self):
        """What to do, in order. A line comes before the removal of another with the same purpose, so that no moment is without both, but
        for one that the device would pass over: it comes right after that removal, so that no moment is without several."""
        first, typed, after = {}, [], {}
        for line, command in (self._first | self.removed).items():
            if command is not None:
                part = self.before.parts.get(line)
                place = Line(part.home if part and command == part.removal else line.path, command)
                if line in self._first:
                    first[line] = place
                else:
                    after[place] = None
        # What such a line makes the device forget cannot be removed after it.
        forgetful = {line.path for line in self.added if (part := self.grammar.owned(line)) and part.kind.clears}
        for line in self.added:
            way = self._in_the_way.get(line, ()) if line.path not in forgetful else ()
            typed += [first.pop(other) for other in way if other in first]
            typed += [line, *self._cleared([line], self.removed)]
        return [*first.values(), *typed, *after]

    def _cleared(self, lines, without=()):
        """Lines of the configuration before that the device forgets where one of these changes."""
        places = [(line.path, part.kind.clears) for line in lines if (part := self.grammar.owned(line)) and part.kind.clears]
        return [line for line in self.before.lines for path, clears in places
                if line.path == path and clears.fullmatch(line.text) and line not in without]

    def signed(self):
        """What changes, as [sign, path, text]: "-" for a line that goes, "+" for one that comes."""
        return [[sign, list(line.path), line.text] for sign, lines in (("-", self.removed), ("+", self.added)) for line in lines]

    def edited(self, text):
        """The text of the device with the change in it. A line takes the place of that which it replaces."""
        slots = {(part.slot(line), line.path): line for line in self.added if (part := self.grammar.owned(line))}
        places = {line: slots.get((part.slot(line), line.path)) if (part := self.before.parts.get(line)) and command is None else None
                  for line, command in self.removed.items()}
        return self.grammar.edited(text, self.added, places)

    def diff(self, masked=True):
        """What changes, each line behind its sections: "-" for a line that goes, "+" for one that comes, " " for a section that stays."""
        gone = {(*line.path, line.text) for line in self.removed}
        headers = {line.path for line in self.removed} & gone
        sections = {}
        for sign, line in [*(("-", line) for line in self.removed), *(("+", line) for line in self.added)]:
            if (*line.path, line.text) not in headers:
                shown = self._shown(line) if masked else self.grammar.indented(*line)
                sections.setdefault(line.path, []).append(sign + shown.replace("\n", "\n" + sign))
        text, place = [], ()
        for path in sorted(sections, key=self.before.order(sections)):
            for depth in range(len(path)):
                if path[:depth + 1] != place[:depth + 1]:
                    sign = "-" if path[:depth + 1] in gone else " " if path[:depth + 1] in self.before.sections else "+"
                    header = Line(path[:depth], path[depth])
                    text.append(sign + (self._shown(header) if masked else self.grammar.indented(*header)))
            place = path
            text += sections[path]
        return "\n".join(text)

    def made_way(self, headers, before):
        """Notes what had to go before something came, where only the texts are known. headers, before: those of the sections of the text
        after and of that before."""
        parts = [(line, self.grammar.owned(line)) for line in self.added]
        firsts = {part.slot(line) for line, part in parts if part and part.kind.first} - {None}
        onces = {part.once: part.slot(line) for line, part in parts if part and part.once}
        # Lines of which nothing is known, and which begin alike, may be of one setting.
        alike = {(line.path, line.text.split(" ")[0]) for line, part in parts if part is None}
        for line in self.removed:
            part, header = self.before.parts.get(line), (*line.path, line.text) in before
            if part and (part.slot(line) in firsts or onces.get(part.once, part.slot(line)) != part.slot(line)) \
                    or part is None and not header and (line.path, line.text.split(" ")[0]) in alike:
                self._first[line] = self.grammar.negated(line.text)
        # So may sections: a router has one process of BGP.
        came = {(path[:-1], self.grammar.section(path)) for path in before - headers}
        for path in self._sections():
            if self.grammar.removable(path) and not any(path[:depth] in self._whole for depth in range(len(path))):
                self._whole[path] = (path[:-1], self.grammar.section(path)) in came

    def undo(self):
        """What to do to have the configuration before again."""
        ahead = [Line(path[:-1], self.grammar.negated(path[-1])) for path, first in self._whole.items() if first]
        back = [line for line in self.removed if line not in self._first]
        slots = {part.slot(line) for line in back if (part := self.before.parts.get(line))} - {None}
        done = set()
        for line in reversed(self.added):
            part = self.grammar.owned(line)
            if part and (part.slot(line) in slots or part.object in done) or self._goes_whole(line.path):
                continue  # the line before replaces it, or its section goes
            lines = self.before.objects.get(part.object, []) if part else []
            if part and part.kind.remove and (not lines or part.vital):
                done.add(part.object)
                back = [other for other in back if other not in lines] + [Line(part.home, part.removal), *lines]
            else:
                back.append(Line(line.path, self.grammar.negated(line.text)))
        for path in sorted(self._sections(), key=len, reverse=True):
            if self.grammar.removable(path) and not self._goes_whole(path[:-1]) and not self._whole.get(path):
                back.append(Line(path[:-1], self.grammar.negated(path[-1])))
        cleared = self._cleared([*self.added, *self.removed])
        back += [line for line in self.before.lines if line in self._first]
        return [*ahead, *(line for line in back if line not in cleared), *cleared]

    def _goes_whole(self, path):
        return any(path[:depth + 1] in self._whole for depth in range(len(path)))

    def _shown(self, line):
        return self.grammar.masked(self.grammar.indented(*line))

    def _named(self, line):
        """The line for a sentence, with its section."""
        return f"'{self.grammar.masked(line.text)}'{_within(self.grammar, line)}"

    def _others(self, line, part, slot):
        """Lines that cannot stay beside this one: (line, the command that removes it, or None where this one replaces it)."""
        self._readable(part)
        same = self.before.objects.get(part.object, []) if part.kind.whole else self.before.slots.get(slot, [])
        return [(other, None if self.before.parts[other].slot(other) == slot else self.grammar.negated(other.text))
                for other in same if other != line]

    def _inherits(self, line, part):
        given = self.before.inherited(line, part)
        if given is None:
            return False
        if given[0] != part.groups["value"]:
            by, setting = part.kind.inherits["by"], part.groups["setting"]
            raise Refused(f"{self._named(line)} is wanted, but its {by} {given[1]} sets {setting} {given[0]}")
        return True

    def _readable(self, part):
        """A line that may be about the same object but cannot be read must not be taken for another one."""
        for line in self.before.unread:
            if part.kind.begins.match(line.text) and part.groups[part.kind.key[0]] in line.text.split():
                raise Refused(f"the device shows a line that cannot be read: {self._named(line)}")

    def _sections(self):
        """Sections that the change makes."""
        paths = dict.fromkeys(line.path[:depth + 1] for line in self.added for depth in range(len(line.path)))
        return [path for path in paths if path not in self.before.sections]


def _refuse(part, shown, block_input, directory):
    for rule in part.get("refuse", []):
        text = _render(rule.get("line") or rule["unless"], directory, {"input": block_input}).strip()
        expression, deep = re.compile(text), "\\n" in text
        if ("line" in rule) == any((deep or not line.path) and expression.fullmatch("\n".join((*line.path, line.text))) for line in shown):
            raise Refused(rule["because"])


def _render(template, directory, values):
    return compiled(template, directory).render(values)


@functools.lru_cache(maxsize=64)
def compiled(template, directory):
    # A run renders the same few templates for every device; to compile one takes longer than all the rest of a plan.
    return _environment(directory).from_string(template)


@functools.lru_cache(maxsize=None)
def _environment(directory):
    # Every value that a template puts into a line is checked, whether the template asks for it or not.
    environment = jinja2.sandbox.SandboxedEnvironment(
        undefined=jinja2.StrictUndefined, finalize=one_line, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= WORDS | platforms.words(directory)
    return environment
