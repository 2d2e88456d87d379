#!/usr/bin/python3
"""Changes random texts and looks whether everything else of them stays as it was.

  tests/blocks/texts.py [--rounds N] [--seed S]

A text is written by braces or by indentation, with comments, odd spelling, and statements on one line. Lines go and come at random. What
comes out must have the lines that were asked for, no others, and each comment of a line that stays. The last line is "N passed"."""
import argparse
import pathlib
import random
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "src/Ansible/engine"))
sys.dont_write_bytecode = True
import tree  # noqa: E402


def grammar(braces):
    return tree.Grammar({"grammar": {"indent": 2, "comment": "#", "negation": "- ", "braces": braces, "sections": ["stays .*"]}}, {})


class Writer:
    """A random text. kept: comments, each with the line that it belongs to."""

    def __init__(self, dice, braces):
        self.dice, self.braces, self.kept, self.count = dice, braces, [], 0

    def word(self):
        self.count += 1
        return f"{self.dice.choice(['route', 'stays', 'a'])} {self.count}" + self.dice.choice(
            ["", ' "; } {"', " 10.0.0.0/8{16,24}", " [ 1, 2{3,4} ]", ' { x, "};", (1) }', " = { 1,/*;*/2 }"]
            if self.braces else ["", " { x", ' "#"'])

    def section(self, path=(), margin=""):
        text = ""
        for _ in range(self.dice.randrange(1, 4) if path else 4):
            if self.dice.random() < 0.3:
                self.count += 1
                text += f"{margin}# c{self.count}\n"
            word, below = self.word(), len(path) < 3 and self.dice.random() < 0.4
            behind = ""
            if self.dice.random() < 0.2 and self.braces and not below:
                self.count += 1
                behind = f" # c{self.count}"
                self.kept.append(((path, word.strip()), behind[1:]))
            blank = self.dice.choice([" ", "  ", "\t"]) if self.braces else ""
            spelled = word.replace(" ", " " + blank, 1) if self.dice.random() < 0.2 and self.braces else word
            if not below:
                text += f"{margin}{spelled}{';' if self.braces else ''}{behind}\n"
            elif self.braces and self.dice.random() < 0.3:
                inner = self.word()
                text += f"{margin}{spelled} {{ {inner}; }}{self.dice.choice(['', ';'])}\n"
            else:
                inner = self.section((*path, word), margin + self.dice.choice(["  ", "    ", "\t"]))
                text += f"{margin}{spelled}{' {' if self.braces else ''}\n{inner}" + (
                    f"{margin}}}{self.dice.choice(['', ';'])}\n" if self.braces else "")
        return text


def play(dice):
    braces = dice.random() < 0.6
    writer, rules = Writer(dice, braces), grammar(braces)
    text = writer.section()
    lines = rules.lines(text)[0]
    headers = {line.path[:depth] for line in lines for depth in range(1, len(line.path) + 1)}
    leaves = [line for line in lines if (*line.path, line.text) not in headers]
    paths = sorted({(), *headers, ("new 1",), ("new 1", "new 2")})
    removed = dict.fromkeys(dice.sample(leaves, dice.randrange(len(leaves) + 1)))
    added = [tree.Line(dice.choice(paths), f"plus {number}") for number in range(dice.randrange(5))]
    for line in added:
        old = [other for other in removed if other.path == line.path and removed[other] is None]
        if old and dice.random() < 0.5:
            removed[old[0]] = line
    after = rules.edited(text, added, removed)
    seen = rules.lines(after)[0]
    left = tree.Tree(rules, lines).without(removed)
    wanted = {*left, *added} | {tree.Line(path[:-1], path[-1]) for line in added for path in (
        line.path[:depth] for depth in range(1, len(line.path) + 1))}
    # Such a section stays when it is empty, and what it is in with it.
    optional = {tree.Line(path[:depth - 1], path[depth - 1]) for path in headers if path[-1].startswith("stays")
                for depth in range(1, len(path) + 1)}
    assert wanted <= set(seen) <= wanted | optional, (text, after, wanted ^ set(seen))
    for line, comment in writer.kept:
        assert line in removed or line not in left or comment in after, (text, after, comment)
    if not added and not removed:
        assert after == text, (text, after)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--rounds", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    options = parser.parse_args()
    print("seed", options.seed)
    for number in range(options.rounds):
        play(random.Random(f"{options.seed} {number}"))
    print(f"{options.rounds} passed")


main()
