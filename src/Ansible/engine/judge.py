# SPDX-License-Identifier: GPL-3.0-or-later
"""What blocks that only read make of what a device shows: is it as wanted? Each judgement has a member passed."""
import fnmatch
import itertools
import re

import tree

# Findings of a device that are handed over.
FINDINGS = 1000


def version(facts, wanted):
    """wanted: versions, of which the device runs one (* stands for any text), and minimumVersion."""
    own = facts["version"]
    passed = "versions" not in wanted or any(_like(own, each) for each in wanted["versions"])
    passed = passed and ("minimumVersion" not in wanted or _parts(own) >= _parts(wanted["minimumVersion"]))
    return {**{name: facts[name] for name in ("hostname", "vendor", "model", "version") if name in facts}, "passed": passed}


# Words of a version that is not there yet.
_BEFORE = {"alpha", "beta", "dev", "pre", "rc"}


def _parts(text):
    """The numbers and words of a version in the order in which it grows: 8.10 is above 8.9, a word below a number, 8.4-rc1 below 8.4."""
    parts = [(3, int(part), "") if part.isdigit() else (0 if part.lower() in _BEFORE else 2, 0, part.lower())
             for part in re.findall(r"[0-9]+|[A-Za-z]+", text)]
    return [*parts, (1, 0, "")]


def snapshot(hostname, entries, given):
    """The entries of the kinds that are asked for. With a baseline those that have changed come first, and what is gone is there, too."""
    kinds = given.get("include") or ["interface", "neighbor", "routes"]
    entries = [entry for entry in entries if entry["kind"] in kinds]
    if "baseline" not in given:
        return {"hostname": hostname, "entries": entries}
    before = next((each["entries"] for each in given["baseline"] if each["hostname"] == hostname), None)
    if before is None:
        raise ValueError(f"the baseline has no device of the host name {hostname}")
    were = {_place(entry): entry for entry in before if entry["kind"] in kinds}
    are = {_place(entry): entry for entry in entries}
    rows = []
    for place in {**are, **were}:
        row = dict(are.get(place) or {**were[place], "value": "gone"})
        was = were[place]["value"] if place in were else "absent"
        if row["value"] != was:
            row |= {"was": was, "worse": _worse(row["kind"], was, row["value"], given.get("tolerancePercent", 0))}
        rows.append(row)
    rows.sort(key=lambda row: (not row.get("worse"), "was" not in row))
    return {"hostname": hostname, "passed": not any(row.get("worse") for row in rows),
            "changed": sum("was" in row for row in rows), "entries": rows}


def _place(entry):
    return entry["kind"], entry.get("vrf"), entry["subject"]


def _worse(kind, was, value, tolerance):
    """An interface or neighbour that was up and is not; fewer routes than before, beyond the tolerance."""
    if kind == "routes":
        return was.isdigit() and (int(value) if value.isdigit() else 0) * 100 < int(was) * (100 - tolerance)
    return was == "up" and value != "up"


def pings(given):
    """What a device is asked to ping, and how often."""
    return [{**destination, "count": given.get("count", 5)} for destination in given["destinations"]]


def reachability(answers, given):
    """A destination is reached where no more answers are missing than are tolerated; one to which nothing could be sent is not."""
    least = 100 - given.get("tolerancePercent", 0)
    rows = [{**{name: destination[name] for name in ("address", "vrf") if name in destination}, **answer,
             "passed": answer["sent"] > 0 and answer["received"] * 100 >= answer["sent"] * least}
            for destination, answer in zip(given["destinations"], answers)]
    return {"passed": all(row["passed"] for row in rows), "destinations": rows}


def compliance(text, given, directory):
    """rules: lines that must and must not be there, in each section that they name. golden: the text that the configuration should be.
    In the lines of rules and of ignore * stands for any text."""
    grammar = tree.grammar(directory)
    lines, golden = (grammar.lines(each)[0] for each in (text, "\n".join(given.get("golden", []))))
    found = [finding for rule in given.get("rules", []) for finding in _broken(rule, lines)]
    if "golden" in given:
        found += _drift(lines, golden, given.get("ignore", []))
    shown = [{**finding, **{name: _masked(grammar, finding[name]) for name in ("line", "section") if name in finding}}
             for finding in found[:FINDINGS]]
    return {"passed": not found, "findings": shown, "more": len(found) - len(shown)}


def unsaved(running, startup, directory):
    """What a restart would change, as a diff: "-" for a line that it would lose, "+" for one that would come back, each behind the headers
    of its sections."""
    grammar = tree.grammar(directory)
    are, were = (grammar.lines(text)[0] for text in (running, startup))
    marks = {**{line: "-" for line in set(are) - set(were)}, **{line: "+" for line in set(were) - set(are)}}
    shown, place = [], ()
    for line in [*are, *(line for line in were if marks.get(line) == "+")]:
        if line not in marks:
            continue
        shared = 0
        while shared < min(len(place), len(line.path)) and place[shared] == line.path[shared]:
            shared += 1
        # A pattern of a secret knows a line's begin, so the sign comes after.
        shown += [" " + grammar.masked(grammar.indented(line.path[:depth], line.path[depth])) for depth in range(shared, len(line.path))]
        shown.append(marks[line] + grammar.masked(grammar.indented(*line)))
        place = (*line.path, line.text)
    return shown


def _broken(rule, lines):
    wanted = rule.get("section", [])
    for section in _sections(wanted, lines):
        inside = [line.text for line in lines if line.path == section]
        place = {"name": rule["name"], **({"section": list(section)} if section else {})}
        for pattern in rule.get("must", []):
            if not any(_like(text, pattern) for text in inside):
                yield {**place, "fault": "missing", "line": pattern}
        for pattern in rule.get("mustNot", []):
            yield from ({**place, "fault": "forbidden", "line": text} for text in inside if _like(text, pattern))


def _sections(wanted, lines):
    """The sections whose headers fit, each once; the top where no section is named."""
    if not wanted:
        return [()]
    paths = dict.fromkeys((*line.path, line.text) for line in lines if len(line.path) == len(wanted) - 1)
    return [path for path in paths if all(map(_like, path, wanted))]


def _drift(lines, golden, ignored):
    golden, lines = ([line for line in each if not any(_like(part, pattern) for part in (*line.path, line.text) for pattern in ignored)]
                     for each in (golden, lines))
    have, want = set(lines), set(golden)
    for fault, line in itertools.chain((("missing", line) for line in golden if line not in have),
                                       (("unexpected", line) for line in lines if line not in want)):
        yield {"fault": fault, **({"section": list(line.path)} if line.path else {}), "line": line.text}


def _like(text, pattern):
    return fnmatch.fnmatchcase(text, re.sub(r"[\[?]", lambda found: f"[{found[0]}]", pattern))


def _masked(grammar, shown):
    return [grammar.masked(text) for text in shown] if isinstance(shown, list) else grammar.masked(shown)
