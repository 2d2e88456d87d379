# SPDX-License-Identifier: GPL-3.0-or-later
"""A device's text as lines with their places, so that a change leaves comments and spelling of everything else as they are.

A text says by indentation which section a line is in, or by braces: statements that end with ";" and blocks of them, with comments as in
C and "#" to the end of a line."""
import re


class Unreadable(Exception):
    """The text is not written as its platform says."""


class Node:
    """A line, or a section with its header. start, end: its place with all that is in it; inner: where more can be put into it."""

    def __init__(self, path, text, start, margin):
        self.path, self.text, self.start, self.margin = path, text, start, margin
        self.end = self.inner = None
        self.open, self.children = False, []


class Document:
    """The text of a device. lost: indented lines that stand in no section."""

    def __init__(self, grammar, text):
        self._grammar, self.text, self.nodes, self.lost = grammar, text, [], []
        (self._braces if grammar.braces else self._indented)()

    # --- by indentation ---

    def _indented(self):
        above, at, until = [], 0, None
        for line in self.text.split("\n"):  # splitlines() ends a line at characters that a device may have in one
            if until:
                # A text of several lines, whatever it says.
                at = self._goes_on(line.rstrip("\r"), at + len(line) + 1)
                until = None if re.search(until, line.rstrip("\r")) else until
                continue
            bare, depth, end = line.strip(" \t\r"), len(line) - len(line.lstrip(" \t")), min(at + len(line) + 1, len(self.text))
            skipped = not bare or self._grammar.skips(bare)
            for header_depth, node in above if line else ():
                if header_depth < depth:
                    node.end = node.inner = end  # a comment in a section belongs to it, too
                elif header_depth == depth and self._grammar.closes(bare):
                    node.end = end
            if not skipped:
                while above and above[-1][0] >= depth:
                    above.pop()
                if depth and not above:
                    self.lost.append(bare)
                else:
                    self._add(above[-1][1] if above else None, bare, at, line[:depth], end)
                    above.append((depth, self.nodes[-1]))
                    until = self._grammar.until(bare)
            at = end
        if until:
            raise Unreadable(f"a text in it does not end: {self._grammar.masked(self.nodes[-1].text.splitlines()[0])}")

    def _goes_on(self, line, end):
        node = self.nodes[-1]
        node.text += "\n" + line
        node.end = node.inner = min(end, len(self.text))
        return node.end

    def _add(self, parent, text, start, margin, end=None):
        node = Node((*parent.path, parent.text) if parent else (), text, start, margin)
        node.end = node.inner = end
        self.nodes.append(node)
        if parent:
            parent.children.append(node)
        return node

    # --- by braces ---

    # Braces that hold something, but no statement and no other braces, are a set: log syslog { info, error };
    _SET = r"\{(?!(?:\s|\#[^\n]*|/\*.*?\*/)*+\})(?=(?:[^{};\"'\#/]|\"[^\"\n]*\"|'[^'\n]*'|\#[^\n]*|/\*.*?\*/|/(?!\*))*+\})"
    _TOKEN = re.compile(
        r"(?P<skipped>\s+|\#[^\n]*|/\*.*?\*/)|(?P<quoted>\"[^\"\n]*\"|'[^'\n]*')"
        rf"|(?P<group>[\[(]|{_SET})|(?P<mark>[{{}};])|(?P<over>[\])])"
        # A length range of a prefix, 10.0.0.0/8{16,24}, is part of its word.
        r"|(?P<word>[^\s{};\"'\#\[\]()/]+(?:\{[\s\d,]*\})?|/)", re.S)

    def _braces(self):
        above, words, groups, start, at, gap, in_set = [], [], 0, None, 0, False, False
        while at < len(self.text):
            found = self._TOKEN.match(self.text, at)
            if not found:
                raise Unreadable(f"line {self.text.count(chr(10), 0, at) + 1} of the text cannot be read")
            kind, token, at = found.lastgroup, found[0], found.end()
            if kind == "skipped":
                gap = True
                continue
            over = kind == "over" or in_set and token == "}"
            in_set = token == "{" if kind == "group" and not in_set else in_set and token != "}"
            groups += (kind == "group") - over
            if over or kind != "mark" or groups > 0:
                if start is None:
                    start = found.start()
                words += [" ", token] if gap and words else [token]
            elif token == "}":
                if not above or words:
                    raise Unreadable(f"line {self.text.count(chr(10), 0, at) + 1} of the text has a brace where none can be")
                node = above.pop()
                node.end, node.inner = at, found.start()
            elif words or token == "{":
                node = self._add(above[-1] if above else None, "".join(words), found.start() if start is None else start,
                                 self._margin(found.start() if start is None else start), at)
                node.inner = found.start()
                if token == "{":
                    node.open = True
                    above.append(node)
                words, start = [], None
            elif token == ";" and self.nodes:
                # What ends a block, which may do without.
                last = above[-1].children[-1:] if above else [node for node in self.nodes if not node.path][-1:]
                if last and last[0].open and not self.text[last[0].end:at - 1].strip():
                    last[0].end = at
            gap = False
        if above or words:
            raise Unreadable("the text ends in the middle of a section")

    def _margin(self, start):
        begin = self.text.rfind("\n", 0, start) + 1
        return self.text[begin:start] if not self.text[begin:start].strip() else ""

    # --- changes ---

    def edited(self, added, removed, kept=()):
        """The text with these lines and without those, each as (path, text). removed: line -> the added line that takes its place, or None;
        kept: headers of sections that stay when nothing is left in them."""
        gone = [node for node in self.nodes if (node.path, node.text) in removed]
        swaps = {removed[node.path, node.text]: node for node in reversed(gone) if removed[node.path, node.text]}
        new_texts = {id(node): text for (_, text), node in swaps.items()}
        sections = {(*node.path, node.text): node for node in reversed(self.nodes)}
        places = {path: self._place(sections, path) for path, _ in added}
        gone, growing = set(map(id, gone)), {id(node) for node, _ in places.values()}
        for node in reversed(self.nodes):
            empties = node.children and all(id(child) in gone for child in node.children)
            if empties and id(node) not in growing and not any(pattern.fullmatch(node.text) for pattern in kept):
                gone.add(id(node))
        parents, edits, news = {id(child): id(node) for node in self.nodes for child in node.children}, [], {}
        for node in self.nodes:
            if id(node) in gone and parents.get(id(node)) not in gone:
                edits.append(self._swap(node, new_texts[id(node)]) if id(node) in new_texts else (*self._whole(node), ""))
        for path, text in added:
            if (path, text) not in swaps:
                node, rest = places[path]
                place = news.setdefault(id(node), (node, {}))[1]
                for header in (*rest, text):
                    place = place.setdefault(header, {})
        # At one place the innermost section ends first.
        news = sorted(news.values(), key=lambda pair: len(pair[0].path) + 1 if pair[0] else 0)
        edits = [self._insertion(node, new) for node, new in news] + edits
        text = self.text
        for begin, end, new in sorted(edits, key=lambda edit: edit[:2], reverse=True):
            text = text[:begin] + new + text[end:]
        return text

    @staticmethod
    def _place(sections, path):
        """(the deepest section of this path that is there, the headers that are missing)."""
        for depth in range(len(path), 0, -1):
            if path[:depth] in sections:
                return sections[path[:depth]], path[depth:]
        return None, path

    def _whole(self, node):
        """The place of a line with its margin, what is said behind it, and its end."""
        if not self._grammar.braces:
            return node.start, node.end
        begin = self.text.rfind("\n", 0, node.start) + 1
        behind = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\n|\Z)").match(self.text, node.end)
        if behind and not self.text[begin:node.start].strip():
            return begin, behind.end()
        return node.start, node.end

    def _swap(self, node, text):
        """Another line in the place of this one. A comment behind it stays."""
        if self._grammar.braces:
            return node.start, node.end, text + ";"
        return node.start, node.end, node.margin + text + ("\n" if self.text[node.end - 1] == "\n" else "")

    def _written(self, lines, margin):
        """Lines as the platform writes them; lines: header or line -> what is in it."""
        written = []
        for text, below in lines.items():
            inner = self._written(below, margin + " " * self._grammar.indent)
            if self._grammar.braces:
                # A block in another one ends as a statement does.
                inner, text = (f"{inner}{margin}}}{';' if margin else ''}\n", text + " {") if below else ("", text + ";")
            elif text.endswith("{"):
                inner += margin + "}\n"
            written.append(f"{margin}{text}\n{inner}")
        return "".join(written)

    def _insertion(self, node, lines):
        if node is None:
            end = len(self.text)
            return end, end, ("\n" if self.text and not self.text.endswith("\n") else "") + self._written(lines, "")
        margin = node.children[0].margin if node.children and node.children[0].margin.strip(" \t") == "" else ""
        margin = margin if len(margin) > len(node.margin) else node.margin + " " * self._grammar.indent
        if not self._grammar.braces:
            first = "" if not node.inner or self.text[node.inner - 1] == "\n" else "\n"
            return node.inner, node.inner, first + self._written(lines, margin)
        if not node.open:
            return node.inner, node.inner + 1, " {\n" + self._written(lines, margin) + node.margin + "};"
        begin = self.text.rfind("\n", 0, node.inner) + 1
        if not self.text[begin:node.inner].strip():
            return begin, begin, self._written(lines, margin)
        inner = len(self.text[:node.inner].rstrip())
        return inner, node.inner, "\n" + self._written(lines, margin) + node.margin
