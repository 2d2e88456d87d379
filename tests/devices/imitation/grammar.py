"""What a platform's configuration mode understands, as a table of lines, and what a line does to a tree.

A rule is a line of the table: `description = LINE :: > context`. Lower case is a keyword, which may be abbreviated; UPPER CASE a type of
the platform, or a range of numbers; `[a]` may be absent; `(a | b)` is one of them; `{a | b}` is any of them in any order, which are shown
in this order. What stands before `=` is the key: a section holds one line of it. The order of rules is the order in which they are shown.
Behind `::` stand
  > CONTEXT   the line opens a section of that context
  on          the platform does it unless told otherwise: only `no ...` is shown
  neg         `no ...` is shown, too
  default V   this value is not shown
  exact       `no` needs the whole key, and takes away no other value than it names
  sort        its lines are shown by number, not by age
  by N        its lines stand with all others that begin with the same N words
  merge       options that a new line does not name stay
  each        it names several sections, and opens them all
  hide        it is taken, but not shown
"""
import ipaddress
import re

from .tree import Node, natural


class Refused(Exception):
    """`at` is the number of the word that is not understood, or None where there are too few."""

    def __init__(self, at, text=None):
        super().__init__(text)
        self.at, self.text = at, text


def number(low, high):
    return lambda word: str(int(word)) if word.isdigit() and low <= int(word) <= high else None


def matching(pattern, form=str):
    whole = re.compile(pattern)
    return lambda word: form(word) if whole.fullmatch(word) else None


def ranges(text):
    """1,3-5 as numbers."""
    numbers = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        numbers.update(range(int(first), int(last or first) + 1))
    return numbers


def ranged(numbers):
    """Numbers as 1,3-5; two that follow each other stay two, as the platforms show them."""
    parts, numbers = [], sorted(numbers)
    while numbers:
        run = next((n for n in range(1, len(numbers)) if numbers[n] != numbers[0] + n), len(numbers))
        run = run if run > 2 else 1
        parts.append(str(numbers[0]) if run == 1 else f"{numbers[0]}-{numbers[run - 1]}")
        numbers = numbers[run:]
    return ",".join(parts)


def octet(word):
    return all(int(part) < 256 for part in word.split("."))


def mask(word):
    """How long a mask is, or None where it is none."""
    try:
        return None if word.startswith("0.") else ipaddress.ip_network(f"0.0.0.0/{word}").prefixlen
    except ValueError:
        return None


def six(word):
    """An IPv6 address, as the platforms show it: capitals, zeros cut."""
    address, slash, length = word.partition("/")
    try:
        return str(ipaddress.IPv6Address(address)).upper() + slash + length
    except ValueError:
        return None


def changed_set(old, line):
    """The line that shows what `... vlan add 5` makes of the one that stands."""
    found = re.match(r"(switchport trunk (?:allowed|pruning) vlan) (add|remove|except) (\S+)$", line)
    if not found:
        return line
    everything, change = set(range(1, 4095)), ranges(found[3])
    before = ranges(old.line.rsplit(" ", 1)[1]) if old is not None and old.line[-1].isdigit() else everything
    left = {"add": before | change, "remove": before - change, "except": everything - change}[found[2]]
    return f"{found[1]} {ranged(left) if left else 'none'}"


def vlans(word):
    found = ranges(word) if re.fullmatch(r"\d{1,4}(-\d{1,4})?(,\d{1,4}(-\d{1,4})?)*", word) else ()
    return ranged(found) if found and min(found) > 0 and max(found) < 4095 else None


IPV4 = r"\d{1,3}(\.\d{1,3}){3}"
TYPES = {
    "WORD": lambda word: word,
    "IP": lambda word: word if re.fullmatch(IPV4, word) and octet(word) else None,
    "PREFIX": lambda word: word if re.fullmatch(IPV4 + r"/(3[0-2]|[12]?\d)", word) and octet(word.split("/")[0]) else None,
    "IP6": lambda word: six(word) if ":" in word and "/" not in word else None,
    "PREFIX6": lambda word: six(word) if re.search(r":.*/\d+$", word) else None,
    "NUMBER": matching(r"\d+"),
    "VLANS": vlans,
}
CUT = object()


class Rule:
    def __init__(self, text, context, order, types):
        pattern, _, flags = (part.strip() for part in text.partition("::"))
        self.context, self.order, self._types = context, order, types
        flags = flags.split()
        self.opens = flags[flags.index(">") + 1] if ">" in flags else None
        self.default = tuple(flags[flags.index("default") + 1:]) if "default" in flags else None
        self.by = int(flags[flags.index("by") + 1]) if "by" in flags else 0
        for name in ("on", "neg", "exact", "sort", "each", "hide", "merge"):
            setattr(self, name, name in flags)
        self._parts = re.findall(r"[][(){}|=]|[^][(){}|=\s]+", pattern)
        self._next = 0
        self.node = self._sequence(())
        self.head, self.first = 0, self._parts[0]
        for part in self.node[1]:
            if part[0] != "keyword":
                break
            self.head += 1

    def _sequence(self, ends):
        items = []
        while self._next < len(self._parts) and self._parts[self._next] not in ends:
            part = self._parts[self._next]
            self._next += 1
            if part in "[({":
                closing = {"[": "]", "(": ")", "{": "}"}[part]
                choices = [self._sequence(("|", closing))]
                while self._parts[self._next] == "|":
                    self._next += 1
                    choices.append(self._sequence(("|", closing)))
                self._next += 1
                items.append(({"[": "optional", "(": "one", "{": "any"}[part], choices))
            elif part == "=":
                items.append(("cut", None))
            elif part in ("LINE", "REST"):
                items.append(("line", part == "REST"))
            elif re.fullmatch(r"\d+-\d+", part):
                items.append(("type", number(*map(int, part.split("-"))), f"<{part}>"))
            elif part.isupper() or part[0].isupper() and part in self._types:
                items.append(("type", self._types[part], part))
            else:
                items.append(("keyword", part))
        return ("sequence", items)

    def options(self, words):
        """What stands behind the key, as the words of each choice by its place."""
        (_, choices), found = self.node[1][-1], {}
        while words:
            for place, choice in enumerate(choices):
                length = next((length for length in range(len(words), 0, -1) if self.match(words[:length], choice)[0]), 0)
                if length:
                    found[place], words = words[:length], words[length:]
                    break
            else:
                break
        return found

    def match(self, words, node=None):
        """Whole matches, each as its words in the platform's order; those that ended before the pattern did; how many words were
        understood; and what may come next."""
        partial, far, expected = [], 0, set()

        def walk(node, place, out):
            nonlocal far
            kind, content = node[:2]
            far = max(far, place)
            if kind == "sequence":
                found = [(place, out)]
                for number_, item in enumerate(content):
                    if number_ and item[0] != "cut":
                        partial.extend(words_ for at, words_ in found if at == len(words))
                    found = [after for at, words_ in found for after in walk(item, at, words_)]
                return found
            if kind == "cut":
                return [(place, out + (CUT,))]
            if kind == "line":
                expected.update(["LINE"] * (place == len(words)))
                return [(len(words), out + tuple(words[place:]))] if place < len(words) or content else []
            if kind in ("optional", "one"):
                taken = [after for choice in content for after in walk(choice, place, out)]
                return taken + ([(place, out)] if kind == "optional" else [])
            if kind == "any":
                chosen, left = {}, list(range(len(content)))
                while left and place < len(words):
                    for choice in left:
                        if ends := [end for end in walk(content[choice], place, ()) if end[0] > place]:
                            place, chosen[choice] = max(ends, key=lambda end: end[0])
                            left.remove(choice)
                            break
                    else:
                        break
                return [(place, out + tuple(word for choice in sorted(chosen) for word in chosen[choice]))]
            if place == len(words):
                expected.add(node[-1])
                return []
            word = words[place]
            taken = (content if content.lower().startswith(word.lower()) else None) if kind == "keyword" else content(word)
            return [] if taken is None else [(place + 1, out + (taken,))]

        ends = walk(node or self.node, 0, ())
        far = max([far] + [place for place, _ in ends])
        return [out for place, out in ends if place == len(words)], partial, far, expected


def split(out):
    """Words of a match as its line and its key."""
    words = [word for word in out if word is not CUT]
    key = out[:out.index(CUT)] if CUT in out else words
    return " ".join(words), " ".join(key)


class Grammar:
    """contexts: the table of each context by its name, that of the top by ""; rewrites: (context or None, pattern, text) applied to a line
    before it is understood; negatable: a pattern of what `no` takes away though it names no line whole. A line that its context does not
    know is looked for further up, as far as the top."""

    def __init__(self, contexts, types=(), rewrites=(), negatable=None):
        types = {**TYPES, **dict(types)}
        self.rules = {
            name: [Rule(line, name, order, types) for order, line in enumerate(filter(str.strip, table.split("\n")))]
            for name, table in contexts.items()}
        for rules in self.rules.values():
            for rule in rules:
                rule.group = next(
                    (other.order for other in rules if other.by and rule.by and other.first == rule.first), rule.order)
        self._rewrites = [(context, re.compile(pattern), text) for context, pattern, text in rewrites]
        self._negatable = re.compile(negatable) if negatable else None
        self._known = {}

    def understood(self, context, words, negated=False):
        """The best whole match as (rule, out), or with `no` a part of one; how far the words are understood, and whether more may come."""
        memory = (context, tuple(words), negated)
        if memory in self._known:
            return self._known[memory]
        best, far, short = None, 0, False
        for rule in self.rules[context]:
            whole, partial, reached, _ = rule.match(words)
            less = 0
            far = max(far, reached)
            short = short or bool(partial)
            if not whole and negated and not rule.opens:
                whole = [out for out in partial if CUT in out or not rule.exact and len(out) >= max(rule.head, 1)]
                less = 500 if any(CUT in out for out in whole) else 1000
                whole = whole or partial[:1] * bool(self._negatable and self._negatable.fullmatch(" ".join(words)))
            for out in whole:
                # An exact keyword goes before one that is abbreviated.
                given = [word for word in out if word is not CUT]
                cost = less + sum(1 for word, typed in zip(given, words) if word != typed and word.startswith(typed))
                if best is None or cost < best[0]:
                    best = (cost, rule, out)
        answer = (best[1:] if best else None, far, short)
        if len(self._known) < 20000:
            self._known[memory] = answer
        return answer

    def help(self, context, line):
        """What may be typed next: the rest of a word, or the next one."""
        words = line.split()
        begun = words.pop() if line and not line.endswith(" ") else ""
        found = set()
        for rule in self.rules[context]:
            whole, partial, _, expected = rule.match(words)
            found |= expected | ({"<cr>"} if whole and not begun else set())
        return sorted(word for word in found if word.startswith(begun))

    def context(self, root, path):
        node = root.at(path)
        return node.rule.opens if path and node is not None else ""

    def rewrite(self, context, line):
        for place, pattern, text in self._rewrites:
            if place is None or place == context:
                line = pattern.sub(text, line)
        return line

    def apply(self, root, paths, line, platform):
        """Does what the line says under each of the paths, which are keys, and returns the paths where the next line belongs."""
        after = []
        for path in paths:
            after += self._apply(root, path, line, platform)
        return list(dict.fromkeys(after))

    def _apply(self, root, path, line, platform):
        verb, _, rest = line.partition(" ")
        verb = verb.lower() if verb.lower() in ("no", "default") else ""
        if verb and not rest.strip():
            raise Refused(None)
        refusal, furthest = None, -1
        for depth in range(len(path), -1, -1):
            context = self.context(root, path[:depth])
            words = self.rewrite(context, rest if verb else line).split()
            found, far, short = self.understood(context, words, bool(verb))
            if found:
                return self._do(root, path[:depth], verb, *found, platform)
            if far > furthest:
                refusal, furthest = Refused(None if short and far == len(words) else far + bool(verb)), far
        raise refusal

    def _do(self, root, path, verb, rule, out, platform):
        section = root.at(path)
        line, key = split(out)
        if platform.does(root, path, verb, rule, line):
            return [path]
        many = [(line, key)]
        if rule.each:
            head, _, last = line.rpartition(" ")
            prefix = re.match(r"\D*(?:\d+/)*", last).group()
            if re.fullmatch(r"[\d,-]+", last[len(prefix):]):
                many = [(f"{head} {prefix}{one}",) * 2 for one in sorted(ranges(last[len(prefix):]))]
        for line_, key_ in many:
            if verb:
                self._undo(root, path, verb, rule, line_, key_, len(many) > 1, platform)
            elif not rule.hide:
                self._set(root, path, rule, line_, key_, platform)
        platform.after(root, path, verb, rule, line)
        return [path + (key_,) for _, key_ in many] if rule.opens and not verb else [path]

    def _set(self, root, path, rule, line, key, platform):
        section = root.at(path)
        line = platform.merged(section, rule, line, key)
        if rule.on or rule.default is not None and tuple(line[len(key):].split()) == rule.default:
            section.drop(lambda child: child.key == key)
            return
        old = section.find(key)
        if rule.merge and old is not None:
            head = len(key.split())
            kept = {**rule.options(old.line.split()[head:]), **rule.options(line.split()[head:])}
            line = " ".join([key] + [word for place in sorted(kept) for word in kept[place]])
        node = section.put(self.node(rule, line, key))
        if old is None:
            self.bear(root, path, node, platform)

    def bear(self, root, path, node, platform):
        """What a section holds as soon as it is there."""
        for line in platform.born(node):
            self._apply(root, path + (node.key,), line, platform)

    @staticmethod
    def node(rule, line, key):
        rank = (rule.group, natural(" ".join(key.split()[:rule.by])), rule.order) if rule.by else (rule.order,)
        return Node(line, key, rule, rank + (natural(line),) if rule.sort else rank)

    def _undo(self, root, path, verb, rule, line, key, of_many, platform):
        section = root.at(path)
        if rule.opens and verb == "default":
            if (node := section.find(key)) is not None:
                node.children = []
                self.bear(root, path, node, platform)
            return
        if refusal := platform.keeps(section, rule, line):
            if of_many:
                return
            raise Refused(0, refusal)
        section.drop(lambda child: child.line == line if rule.exact and key != line else (
            child.key == key or child.key.startswith(key + " ") and not of_many))
        # What says no to another value than the one that stands changes nothing.
        if verb == "no" and (rule.on or rule.neg) and section.find(key) is None:
            section.put(self.node(rule, f"no {line if rule.on else key}", key))
