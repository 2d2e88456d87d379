"""A configuration as ordered nodes."""
import difflib
import re


class Node:
    """One line with the lines under it. `key` is the part of the line that there is once in a section; `rank` places it there."""
    __slots__ = ("line", "key", "rule", "rank", "children")

    def __init__(self, line="", key="", rule=None, rank=()):
        self.line, self.key, self.rule, self.rank, self.children = line, key, rule, rank, []

    def clone(self):
        copy = Node(self.line, self.key, self.rule, self.rank)
        copy.children = [child.clone() for child in self.children]
        return copy

    def find(self, key):
        return next((child for child in self.children if child.key == key), None)

    def at(self, path):
        """The node under the keys of `path`, or None."""
        node = self
        for key in path:
            if (node := node.find(key)) is None:
                return None
        return node

    def put(self, new):
        """Replaces the node of the same key, or takes its place by rank, behind those of the same rank."""
        for number, child in enumerate(self.children):
            if child.key == new.key:
                new.children = child.children
                self.children[number] = new
                return new
        place = next((number for number, child in enumerate(self.children) if child.rank > new.rank), len(self.children))
        self.children.insert(place, new)
        return new

    def drop(self, unwanted):
        """Removes the children that `unwanted` names, and says how many they were."""
        before = len(self.children)
        self.children = [child for child in self.children if not unwanted(child)]
        return before - len(self.children)

    def lines(self, pattern):
        """The children whose line the pattern matches, each with its match."""
        found = re.compile(pattern)
        return [(child, match) for child in self.children if (match := found.match(child.line))]

    def value(self, head, default=None):
        """What stands behind `head` in the child that begins with it."""
        return next((child.line[len(head) + 1:] for child in self.children if child.line.startswith(head + " ")), default)

    def has(self, line):
        return any(child.line == line for child in self.children)


def natural(text):
    """A sort key that knows numbers: Ethernet2 before Ethernet10."""
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", text) if part)


def diff(before, after, names):
    return "\n".join(difflib.unified_diff(before, after, *names, lineterm="", n=3))
