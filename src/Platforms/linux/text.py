# SPDX-License-Identifier: GPL-3.0-or-later
"""How a Linux host takes a configuration: its files, and what each of them means for what runs.

All files are written beside the old ones and looked at before the first takes an old one's place; where the host refuses what follows,
all of them come back."""
import fnmatch
import functools
import os
import re
import shlex

import platforms
import shell

_ROUTES = "/etc/network/if-up.d/netautomation"
# The resolver's file, and how many of its servers it asks.
_RESOLVERS, _ASKED = "/etc/resolv.conf", 3
_INTERFACES = re.compile(r"file /etc/network/interfaces(?:\.d/.+)?")
_STATIC = re.compile(r"iface (\S+) inet6? static")
_ADDRESS = re.compile(r"address ([0-9a-fA-F.:]+/[0-9]+)")
_FURTHER = re.compile(r"up ip address replace (\S+) dev (\S+)")
_SETTING = re.compile(r"up ip link set dev (\S+) (?:(alias|mtu) (.+)|up|down)")
_LINK = re.compile(r"^ (\S+) (up|down) mtu ([0-9]+)$", re.M)
_ROUTE = re.compile(r"ip route replace (\S+)((?: via \S+)?(?: dev \S+)? proto static)((?: metric [0-9]+)?)")
# Files, what a new one must stand, what makes the host follow it, and what a person types for that; {} is the place of the file, <> the
# users of snmpd that change.
_FOLLOW = (
    ("/etc/hostname", "[ \"$(grep -c . < {})\" = 1 ] || refuse 'a host has one name'", "hostname -F {}", "hostname -F {}"),
    ("/etc/nftables.conf", "grep -qx 'flush ruleset' {} || refuse '/etc/nftables.conf has no line \"flush ruleset\"'\nnft -c -f {}\n"
     "rules=$(nft list ruleset)", "nft -f {}", "nft -f {}"),
    ("/etc/chrony/sources.d/*", "", "chronyc reload sources >/dev/null 2>&1 || again chrony",
     "chronyc reload sources || service chrony restart"),
    ("/etc/chrony/chrony.conf", "chronyd -p -f {} >/dev/null", "again chrony", "service chrony restart"),
    ("/etc/chrony/conf.d/*", "", "chronyd -p >/dev/null\nagain chrony", "service chrony restart"),
    ("/etc/chrony/chrony.keys", "", "again chrony", "service chrony restart"),
    ("/etc/rsyslog.conf", "rsyslogd -N1 -f {} >/dev/null", "again rsyslog", "service rsyslog restart"),
    ("/etc/rsyslog.d/*", "", "rsyslogd -N1 >/dev/null\nagain rsyslog", "service rsyslog restart"),
    ("/etc/snmp/snmpd.conf", "", "users '<>'",
     "service snmpd stop\nsed -i -E '/^usmUser .* \"(<>)\" /d' /var/lib/snmp/snmpd.conf\nservice snmpd start"),
    ("/etc/lldpd.d/*", "", "again lldpd", "service lldpd restart"),
    (_ROUTES, "chmod 755 {}", "", ""),
)
_CHECK, _LOAD, _BY_HAND = 1, 2, 3
# The rules that were in force need not have been those of the file.
_RULES = '[ -z "${rules+x}" ] || printf "flush ruleset\\n%s\\n" "$rules" | nft -f -'
_WORDS = """runs() { service "$1" status >/dev/null 2>&1; }
again() {
  if runs "$1"; then service "$1" restart >/dev/null 2>&1 </dev/null && runs "$1" || { echo "$1 does not start" >&2; exit 1; }; fi
}
# snmpd keeps a user that it has made in a file of its own, which it writes when it ends and which counts more.
users() {
  ran=$(! runs snmpd || echo yes)
  [ -z "$ran" ] || service snmpd stop >/dev/null 2>&1
  [ ! -f /var/lib/snmp/snmpd.conf ] || sed -i -E "/^usmUser .* \\"($1)\\" /d" /var/lib/snmp/snmpd.conf
  [ -z "$ran" ] || { service snmpd start >/dev/null 2>&1 </dev/null && runs snmpd; } || { echo "snmpd does not start" >&2; exit 1; }
}
"""
_USER = re.compile(r"^\s*createUser\s+([A-Za-z0-9._-]+)(?:\s.*)?$", re.M)


def apply(before, after, changes):
    """[(what is done, the command, its standard input)]: what makes the text after of that before."""
    files = _changed(before, after, changes)
    if not files:
        return []
    new, own = ([f'"${kind}{number}"' for number in range(1, len(files) + 1)] for kind in ("new", "file"))
    follow = _WORDS + _follow(files, own, _LOAD)
    load, back = f"{follow}\n{_all_or_none(_network(before, changes))}", f"{follow}\n{_RULES}"
    command, given = shell.write(files, _follow(files, new, _CHECK), load, back)
    return [("write " + ", ".join(files), command, given)]


def back(before, after, changes):
    """(files, commands that keep what else is needed, commands that follow the files as they were): for a timer that takes the change back,
    whatever has become of the device meanwhile."""
    files = _changed(after, before, changes)
    follow = _follow(files, [f'"$(readlink -m -- {shlex.quote(name)})"' for name in files], _LOAD)
    lines = "\n".join(undone.removeprefix("ip ") for _, undone in reversed(_network(before, changes)))
    rules = "/etc/nftables.conf" in files
    return (list(files), 'nft list ruleset > "$place/rules"' if rules else "", "\n".join([
        _WORDS, *(f"( {line} ) || failed=1" for line in follow.splitlines()),
        *(["{ echo flush ruleset; cat -- \"$place/rules\"; } | nft -f - || failed=1"] if rules else []),
        *([f"ip -force -batch - <<'END' || failed=1\n{lines}\nEND"] if lines else [])]))


def undo(before, after, changes):
    """What a person types to have the text before again."""
    files = _changed(after, before, changes)
    _refuse_unasked(*reversed(files.get(_RESOLVERS, (None, None))))
    lines = [line for name, (old, new) in files.items() for line in shell.edit(name, old, new)]
    return [*lines, *_follow(files, list(files), _BY_HAND).splitlines(), *(back for _, back in reversed(_network(before, changes)))]


def _refuse_unasked(old, new):
    """A name server behind the third would have no effect. A plan is the place to say so: what is taken back may have had more."""
    had, has = (len(re.findall(r"^nameserver\s", text or "", re.M)) for text in (old, new))
    if has > max(had, _ASKED):
        raise shell.Refused(
            f"the resolver asks the first {_ASKED} servers of {_RESOLVERS}, which would have {has}: remove another one first")


def _changed(before, after, changes):
    """name -> (the text before, the text after) of files that differ; None where there is none."""
    for _, path, text in changes:
        if not [*path, text][0].startswith("file "):
            raise shell.Refused("the rules in force follow from /etc/nftables.conf, and can be changed only there")
    old, new = _files(before), _files(after)
    files = {name: (old.get(name), new.get(name)) for name in sorted({*old, *new}) if old.get(name) != new.get(name)}
    for name in files:
        if not any(pattern.fullmatch(name) for pattern in _read()):
            raise shell.Refused(f"{name} is none of the files that are read, so a change of it could be neither seen nor taken back")
    return files


@functools.lru_cache(maxsize=None)
def _read():
    """The names that the command for the configuration reads. As for a shell, * stands for no begin with a dot and for no folder."""
    words = re.search(r"for file in (.*?)\s+do\s", platforms.read(os.path.dirname(__file__))["commands"]["running"], re.S)[1].split()
    return [re.compile(re.escape(word).replace(r"\*", r"[^/\s.][^/\s]*")) for word in words if word != "\\"]


def _files(text):
    """name -> what is in the file."""
    files, name = {}, None
    for line in re.findall(r"[^\n]*\n|[^\n]+\Z", text):
        if not line.startswith(" "):
            name = line[5:].rstrip("\n") if line.startswith("file ") else None
            if name:
                files[name] = ""
        elif name:
            files[name] += line[1:]
    return files


def _follow(files, places, part):
    """What belongs to the changed files, each once and in the order of the list above."""
    found = []
    for rule in _FOLLOW:
        for (name, (old, new)), place in zip(files.items(), places):
            line = rule[part].replace("{}", place).replace("<>", "|".join(map(re.escape, _users(old or "", new or ""))))
            if fnmatch.fnmatchcase(name, rule[0]) and line and line not in found and ("{}" not in rule[part] or new is not None):
                found.append(line)
    return "\n".join(found)


def _users(old, new):
    """The users of snmpd of whom a line differs."""
    lines = [{found[0]: found[1] for found in _USER.finditer(text)} for text in (old, new)]
    return sorted({user for line, user in {**lines[0], **lines[1]}.items() if (line in lines[0]) != (line in lines[1])})


def _network(before, changes):
    """The commands for links, addresses and routes, each with that which takes it back."""
    steps = _links(before, changes)
    for sign, path, text in changes:
        if len(path) == 2 and _INTERFACES.fullmatch(path[0]) and (link := _STATIC.fullmatch(path[1])) and (own := _ADDRESS.fullmatch(text)):
            add, delete = (f"ip address {verb} {own[1]} dev {shlex.quote(link[1])}" for verb in ("add", "del"))
            steps.append((add, delete) if sign == "+" else (delete, add))
        elif further := _FURTHER.fullmatch(text):
            add, delete = text.removeprefix("up "), f"ip address del {further[1]} dev {shlex.quote(further[2])}"
            steps.append((add, delete) if sign == "+" else (delete, add))
    # A way may need a new address, and none may need an old one.
    routes = _routes(changes)
    return [*(step for step in steps if " del " not in step[0]), *routes, *(step for step in steps if " del " in step[0])]


def _links(before, changes):
    """The commands for settings of links. What a link had without a line of its own stands in the text; an MTU and a state without a line
    stay as they are."""
    had, lines = {name: ("up" if up == "up" else "down", mtu) for name, up, mtu in _LINK.findall(before)}, {"-": {}, "+": {}}
    for sign, _, text in changes:
        if found := _SETTING.fullmatch(text):
            lines[sign][found[1], found[2]] = text.removeprefix("up ")
    steps = []
    for link, name in {**lines["-"], **lines["+"]}:
        words, (state, mtu) = f"ip link set dev {link}", had.get(link, ("up", "1500"))
        bare = f'{words} alias ""' if name == "alias" else f"{words} mtu {mtu}" if name else f"{words} {state}"
        old, new = (lines[sign].get((link, name)) for sign in "-+")
        if new or name == "alias":
            steps.append((new or bare, old or bare))
    return steps


def _routes(changes):
    """The commands for the routes that go and come, each with that which takes it back. A way to a prefix that was there before is
    replaced; another one, which somebody else has made, is not."""
    lines = {"-": {}, "+": {}}
    for sign, path, text in changes:
        if path == ["file " + _ROUTES] and (found := _ROUTE.fullmatch(text)):
            prefix, way, metric = found.groups()
            lines[sign][prefix, metric] = " ".join(map(shlex.quote, (prefix + way + metric).split()))
    old, new = lines["-"], lines["+"]
    return [
        *((f"ip route del {old[place]}", f"ip route add {old[place]}") for place in old if place not in new),
        *((f"ip route replace {new[place]}", f"ip route replace {old[place]}") if place in old else
          (f"ip route add {new[place]}", f"ip route del {new[place]}") for place in new)]


def _all_or_none(steps):
    """Shell commands that do all of these or, where one fails, none. One process does them, which says in which line it failed."""
    if not steps:
        return ""
    forth, back = ("\n".join(step[part].removeprefix("ip ") for step in steps) for part in (0, 1))
    return f"""said=$(ip -batch - 2>&1 <<'END'
{forth}
END
) || {{
  failed=$(printf '%s\\n' "$said" | sed -n 's/^Command failed -:\\([0-9]*\\)$/\\1/p')
  head -n $((failed - 1)) <<'END' | tac | ip -force -batch -
{back}
END
  printf '%s\\n' "$said" >&2
  exit 1
}}"""
