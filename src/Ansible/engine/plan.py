# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines to configure on a device: the block's templates compared with the device's own text."""
import functools
import ipaddress
import re

import jinja2
import jinja2.sandbox

import platforms


def one_line(value):
    """Checks a value that becomes part of a configuration line: a line break in it would start a second command."""
    text = str(value)
    if any(ord(c) < 32 or 127 <= ord(c) < 160 or c in "\u2028\u2029" for c in text):
        raise ValueError("a control character in a value for a configuration line")
    return text


def canonical_prefix(value):
    """10.9.1.1/16 -> 10.9.0.0/16, the form in which a device shows the prefix."""
    return str(ipaddress.ip_network(value, strict=False))


WORDS = {"canonical_prefix": canonical_prefix, "one_line": one_line}


def sections(text, grammar):
    """Each line of a configuration with its parent lines, by indentation: [((parent, ...), line)]."""
    found, above = [], []
    for line in text.splitlines():
        bare = line.strip()
        if not bare or bare.startswith(grammar["comment"]):
            continue
        depth = len(line) - len(line.lstrip())
        while above and above[-1][0] >= depth:
            above.pop()
        found.append((tuple(parent for _, parent in above), bare))
        above.append((depth, bare))
    return found


def plan(running, part, block_input, directory):
    """part: the block's file for this platform; directory: the platform's. Answers the lines to send, those of them that change the
    device, and the reason for refusing the device, if any."""
    grammar = platforms.read(directory)["grammar"]
    render = functools.partial(_render, directory=directory, values={"input": block_input})
    shown = sections(running, grammar)
    present = set(shown)
    missing = [(path, line) for path, line in _leaves(render(part.get("wanted", "")), grammar) if (path, line) not in present]
    extra = [(path, line) for path, line in _leaves(render(part.get("unwanted", "")), grammar) if (path, line) in present]
    changes = [(path, grammar["negation"] + line) for path, line in extra] + missing
    indent = grammar["indent"]
    return {"lines": _commands(changes, indent), "configured": [_indented(path, line, indent) for path, line in changes],
            "refused": _refusal(part, shown, render)}


def _refusal(part, shown, render):
    for rule in part.get("refuse", []):
        pattern = re.compile(render(rule["line"]))
        if any(not path and pattern.fullmatch(line) for path, line in shown):
            return rule["because"]
    return None


def _leaves(text, grammar):
    """The lines that a template asks for, each once. A line with others below it only names their section."""
    lines = sections(text, grammar)
    parents = {(*path[:depth], path[depth]) for path, _ in lines for depth in range(len(path))}
    return list(dict.fromkeys((path, line) for path, line in lines if (*path, line) not in parents))


def _commands(changes, indent):
    lines, place = [], ()
    for path, line in changes:
        if path != place:
            # A section that is not inside the one before is entered from the top.
            below = path[:len(place)] == place
            lines += [_indented(path[:depth], path[depth], indent) for depth in range(len(place) if below else 0, len(path))]
            place = path
        lines.append(_indented(path, line, indent))
    return lines


def _indented(path, line, indent):
    return " " * (indent * len(path)) + line


def _render(template, directory, values):
    return _compiled(template, directory).render(values)


@functools.lru_cache(maxsize=64)
def _compiled(template, directory):
    # A run renders the same few templates for every device; to compile one takes longer than all the rest of a plan.
    return _environment(directory).from_string(template)


@functools.lru_cache(maxsize=None)
def _environment(directory):
    # Every value that a template puts into a line is checked, whether the template asks for it or not.
    environment = jinja2.sandbox.SandboxedEnvironment(
        undefined=jinja2.StrictUndefined, finalize=one_line, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= WORDS | platforms.words(directory)
    return environment
