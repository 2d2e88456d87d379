"""What all platforms' show commands share."""
import re

from .grammar import Refused


def command(*patterns, level=1):
    """A handler of commands outside of configuration mode, called with the session and the command's words."""
    def mark(function):
        function.patterns, function.level = patterns, level
        return function
    return mark


def handlers(platform):
    """The table of a platform's commands, and the handler of each of its lines."""
    patterns, found = [], []
    for name in dir(platform):
        handler = getattr(platform, name, None)
        for pattern in getattr(handler, "patterns", ()):
            patterns.append(pattern)
            found.append(handler)
    return "\n".join(patterns), found


def whole_sections(lines, pattern):
    """EOS: a section of which a line fits, with all that it holds."""
    shown, block = [], []
    for line in lines + ["!"]:
        if not line.startswith(" "):
            if any(pattern.search(each) for each in block):
                shown += block
            block = []
        if line != "!":
            block.append(line)
    return shown


def fitting_lines(lines, pattern):
    """IOS: a line that fits, with those under it."""
    shown, depth = [], None
    for line in lines:
        indent = len(line) - len(line.lstrip(" "))
        if depth is not None and indent <= depth:
            depth = None
        if depth is None and line.strip() not in ("!", "") and pattern.search(line):
            depth = indent
        if depth is not None:
            shown.append(line)
    return shown


def filtered(text, how, section):
    verb, _, rest = how.partition(" ")
    lines = text.split("\n")
    for name in ("include", "exclude", "begin", "section", "count", "grep", "no-more"):
        if len(verb) > 0 and name.startswith(verb):
            break
    else:
        raise Refused(0)
    if name == "no-more":
        return text
    try:
        pattern = re.compile(rest.strip().strip('"'), re.IGNORECASE if section is whole_sections else 0)
    except re.error:
        raise Refused(0) from None
    if name == "section":
        lines = section(lines, pattern)
    elif name == "begin":
        lines = lines[next((number for number, line in enumerate(lines) if pattern.search(line)), len(lines)):]
    elif name == "exclude":
        lines = [line for line in lines if not pattern.search(line)]
    else:
        lines = [line for line in lines if pattern.search(line)]
        if name == "count":
            return f"Number of lines which match regexp = {len(lines)}"
    return "\n".join(lines)
