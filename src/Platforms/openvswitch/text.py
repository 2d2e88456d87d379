# SPDX-License-Identifier: GPL-3.0-or-later
"""Open vSwitch's database as a text, and changes of the text as one transaction: all of it comes about or nothing.

A bridge is a section, in it are its ports, and in them their interfaces; a line is a column with its value, or a key of a column that
holds several, "other_config:rstp-priority 4096". Columns with the value that a new row has are left out."""
import json
import re
import shlex

import shell

# Columns by table, and what each holds: one value of a kind ("text", "number", "yes"), which is never absent where the kind ends in "!",
# or several ("texts", "numbers"), or keys with values ("keys").
_COLUMNS = {
    "open_vswitch": {"other_config": "keys", "external_ids": "keys"},
    "bridge": {
        "datapath_type": "text!", "fail_mode": "text", "protocols": "texts", "stp_enable": "yes!", "rstp_enable": "yes!",
        "mcast_snooping_enable": "yes!", "other_config": "keys", "external_ids": "keys"},
    "port": {
        "tag": "number", "trunks": "numbers", "vlan_mode": "text", "bond_mode": "text", "lacp": "text", "bond_updelay": "number!",
        "bond_downdelay": "number!", "protected": "yes!", "mac": "text", "other_config": "keys", "external_ids": "keys"},
    "interface": {
        "type": "text!", "options": "keys", "mtu_request": "number", "ofport_request": "number", "ingress_policing_rate": "number!",
        "ingress_policing_burst": "number!", "mac": "text", "lldp": "keys", "other_config": "keys", "external_ids": "keys"},
}
_EMPTY = {"text!": '""', "yes!": "false", "number!": "0"}
# Which sections are in which.
_WHERE = re.compile(r"open_vswitch|bridge \S.*(?:\nmirror .+|\nport \S.*(?:\ninterface \S.*)?)?")
_HEADER, _CONTROLLER = re.compile("(?:open_vswitch|bridge|port|interface)(?: |$)"), re.compile("controller(?: |$)")
_PLAIN = re.compile(r"[^\s\"\\]+")


def pinned(shown):
    """The text of what the database answered."""
    tables = [answer["rows"] for answer in json.loads(shown) if answer and "rows" in answer]
    if len(tables) != 6 or len(tables[0]) != 1:
        raise ValueError("the database does not have the tables of Open vSwitch")
    rows = {row["_uuid"][1]: row for table in tables[1:] for row in table}
    names = {key: row["name"] for key, row in rows.items() if "name" in row}
    text = _section("open_vswitch", "open_vswitch", tables[0][0], 0, bare=False)
    for bridge in _named(tables[0][0]["bridges"], rows):
        text += _section(f"bridge {bridge['name']}", "bridge", bridge, 0)
        text += sorted(f" controller {rows[key]['target']}\n" for key in _references(bridge["controller"]))
        for port in _named(bridge["ports"], rows):
            text += _section(f"port {port['name']}", "port", port, 1)
            for interface in _named(port["interfaces"], rows):
                text += _section(f"interface {interface['name']}", "interface", interface, 2)
        for mirror in _named(bridge["mirrors"], rows):
            text.append(f" mirror {mirror['name']}\n")
            for column in ("select_all", "select_src_port", "select_dst_port", "select_vlan", "output_port", "output_vlan"):
                values = [names.get(value[1], value[1]) if isinstance(value, list) else value for value in _values(mirror[column])]
                if values not in ([], [False]):
                    text.append(f"  {column} {','.join(sorted(map(_shown, values)))}\n")
    return "".join(text)


def apply(before, after, changes):
    """[(what is done, the command, its standard input)]: what makes the text after of that before."""
    steps = _steps(before, after, changes)
    # By standard input, since one word of a command has a limit; braces, since a shell does nothing of them before it has all.
    return [("change the database", "sh -s", "{ ovs-vsctl --timeout=20 " + " ".join(steps) + "; exit; }\n")] if steps else []


def undo(before, after, changes):
    """What a person types to have the text before again."""
    _steps(before, after, changes)  # what cannot be applied is refused before anything is
    steps = _steps(after, before, [["-" if sign == "+" else "+", path, text] for sign, path, text in changes])
    return ["ovs-vsctl " + " ".join(steps)]


# --- the text ---

def _section(header, table, row, depth, bare=True):
    lines = []
    for column, kind in _COLUMNS[table].items():
        values = _values(row[column])
        if kind == "keys":
            lines += [f"{column}:{_shown(key)} {_shown(value, True)}" for key, value in values]
        elif values and values != [json.loads(_EMPTY.get(kind, "null"))]:
            lines.append(f"{column} {','.join(map(_shown, sorted(values)))}")
    return [f"{' ' * depth}{header}\n"] * (bare or bool(lines)) + [f"{' ' * depth} {line}\n" for line in sorted(lines)]


def _values(value):
    """A column's values as a list; of keys, with their values."""
    if isinstance(value, list) and value[0] in ("set", "map"):
        return sorted(value[1], key=str) if value[0] == "map" else value[1]
    return [value]


def _references(value):
    return [each[1] for each in _values(value)]


def _named(value, rows):
    return sorted((rows[key] for key in _references(value)), key=lambda row: row["name"])


def _shown(value, last=False):
    """A value on one line: in quotes where it would not be one word, or at the end of a line where it would not be as it is there."""
    if isinstance(value, bool) or not isinstance(value, str):
        return json.dumps(value)
    good = value == value.strip() and value.isprintable() and not value.startswith('"') if last else _PLAIN.fullmatch(value)
    return value if value and good else json.dumps(value)


def _read(text):
    try:
        return json.loads(text) if text.startswith('"') else text
    except ValueError:
        raise shell.Refused(f"{text} is no text in quotes") from None


# --- the transaction ---

def _headers(text):
    """The sections of a text, each as the headers that lead to it."""
    found, path = set(), []
    for line in text.splitlines():
        depth = len(line) - len(line.lstrip(" "))
        path = [*path[:depth], line.strip(" ")]
        found.add(tuple(path))
    return found


def _steps(before, after, changes):
    """The commands of one ovs-vsctl, each behind its "--"."""
    for _, path, text in changes:
        if not _WHERE.fullmatch("\n".join([*path, text] if _HEADER.match(text) else path)) or _CONTROLLER.match(text) and len(path) != 1:
            raise shell.Refused(f"there is no '{text}' {'in ' + ', '.join(path) if path else 'by itself'}")
    had, has = _headers(before), _headers(after)
    gone, made, come = [], [], []
    for path in sorted({(*path, text)[:depth] for _, path, text in changes for depth in range(1, len(path) + 2)}):
        kind, _, name = path[-1].partition(" ")
        if kind in ("bridge", "port") and path in had and path not in has and path[:-1] not in had - has:
            gone.append(["del-br" if kind == "bridge" else "del-port", *([] if kind == "bridge" else [path[0][7:]]), name])
        elif kind == "bridge" and path in has and path not in had:
            made.append(["add-br", name])
        elif kind == "port" and path in has and path not in had and name != path[0][7:]:
            links = sorted(each[-1][10:] for each in has if each[:-1] == path and each[-1].startswith("interface "))
            made.append(["add-port", path[0][7:], name] if links in ([], [name]) else ["add-bond", path[0][7:], name, *links])
    new = {(tuple(path), _setting(text)) for sign, path, text in changes if sign == "+"}
    for bridge in sorted({path[0] for _, path, text in changes if text.startswith("controller ") and (path[0],) in has}):
        targets = sorted(each[-1][11:] for each in has if each[:-1] == (bridge,) and each[-1].startswith("controller "))
        come.append(["set-controller", bridge[7:], *targets] if targets else ["del-controller", bridge[7:]])
    for sign, path, text in changes:
        kind = text.partition(" ")[0]
        if kind in ("bridge", "port", "interface", "controller", "open_vswitch") or sign == "-" and tuple(path) not in has:
            continue
        if not path or path[-1].startswith("mirror ") or kind == "mirror":
            raise shell.Refused("mirrors are only shown, not changed")
        if sign == "+":
            come.append(_set(path, text))
        elif (tuple(path), _setting(text)) not in new:
            come.append(_clear(path, text))
    steps = [*gone, *made, *come]
    for word in (word for step in steps for word in step if word.startswith("-")):
        # It would be an option, or begin another command.
        raise shell.Refused(f"no name can begin as {word} does")
    return [f"-- {' '.join(map(shlex.quote, step))}" for step in steps]


def _setting(text):
    found = re.match(r'[a-z_]+(?::(?:"(?:[^"\\]|\\.)*"|[^ "]+))?', text)
    if not found:
        raise shell.Refused(f"{text} is no line of a column")
    return found[0]


def _place(path):
    kind, _, name = path[-1].partition(" ")
    return kind, [{"open_vswitch": "Open_vSwitch"}.get(kind, kind.capitalize()), name or "."]


def _set(path, text):
    kind, row = _place(path)
    setting = _setting(text)
    column, _, key = setting.partition(":")
    value, holds = text[len(setting) + 1:], _COLUMNS[kind].get(column)
    if holds is None:
        raise shell.Refused(f"there is no column {column} of a {kind}")
    if holds == "keys":
        key, value = _read(key), _read(value)
        _as_shown(text, f"{column}:{_shown(key)} {_shown(value, True)}")
        return ["set", *row, f"{column}:{json.dumps(key)}={json.dumps(value)}"]
    words = value.split(",")
    if holds.startswith(("number", "yes")):
        if not all(re.fullmatch("[0-9]+|true|false", word) for word in words):
            raise shell.Refused(f"{value} is no value of {column}")
        _as_shown(text, f"{column} {','.join(sorted(map(str, words), key=lambda word: (len(word), word)))}")
    else:
        values = sorted(map(_read, words if holds == "texts" else [value]))
        _as_shown(text, f"{column} {','.join(map(_shown, values))}")
        words = list(map(json.dumps, values))
    return ["set", *row, f"{column}={','.join(words)}"]


def _as_shown(text, shown):
    """A line that is shown otherwise could be neither verified nor taken back."""
    if text != shown:
        raise shell.Refused(f"{text} is shown as {shown}")


def _clear(path, text):
    kind, row = _place(path)
    column, _, key = _setting(text).partition(":")
    empty = _EMPTY.get(_COLUMNS[kind].get(column))
    if key:
        return ["remove", *row, column, json.dumps(_read(key))]
    return ["set", *row, f"{column}={empty}"] if empty else ["clear", *row, column]
