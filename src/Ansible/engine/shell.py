# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of a device with a shell, for a platform's text.py: written as a whole or not at all, and how to take a change of one back.
Pings from one, and its default routes, for its state.py.

Nothing of a file stands in a command: contents come by standard input, names are quoted."""
import difflib
import hashlib
import json
import re
import shlex

import shown

# The new file and the old one while the device decides.
_NEW, _OLD = ".netautomation", ".netautomation.before"


class Refused(Exception):
    """The platform cannot do that, and nothing of it was done."""


def write(files, check="", load="", back=""):
    """(command, standard input) that write these files: name -> (the text before, the text after), None where there is none.

    All of them are put beside the old ones first; check, shell commands, may refuse them then. They take the old ones' places one after
    the other, each at once. load makes the device read them; where it fails, the old files come back, and back has them read again. In
    check the new files are "$new1", "$new2", ..., in all of them the files' own names are "$file1", ..."""
    names, begin, commit, revert, contents = [], [], [], [], []
    for number, (name, (old, new)) in enumerate(files.items(), 1):
        file, beside, before = f'"$file{number}"', f'"$new{number}"', f'"$old{number}"'
        names += [f"file{number}=$(readlink -m -- {shlex.quote(name)})",
                  f'new{number}=$file{number}{_NEW} old{number}=$file{number}{_OLD}']
        known = f"[ -f {file} ] && [ \"$(sha256sum < {file})\" = '{_hash(old)}  -' ]" if old is not None else f"[ ! -e {file} ]"
        begin.append(f"{{ {known}; }} || refuse {shlex.quote(name + ' has changed since it was read')}")
        if new is not None:
            data = _bytes(new)
            contents.append(new)
            # A copy has the owner and the mode of the file.
            begin.append(f"cp -p -- {file} {beside}" if old is not None else
                         f'mkdir -p -- "$(dirname -- {file})"; (umask 022; : > {beside})')
            begin += [f"head -c {len(data)} > {beside}",
                      f"[ \"$(sha256sum < {beside})\" = '{_hash(new)}  -' ] || refuse {shlex.quote(name + ' did not arrive whole')}",
                      f"sync {beside}"]
        commit += [f"ln -- {file} {before}"] if old is not None else []
        commit.append(f"mv -f -- {beside} {file}" if new is not None else f"rm -f -- {file}")
        revert.append(f"[ ! -e {before} ] || mv -f -- {before} {file}" if old is not None else f"rm -f -- {file}")
    remove = "rm -f -- " + " ".join(f'"$new{number}" "$old{number}"' for number in range(1, len(files) + 1))
    script = [
        "set -eu", 'refuse() { printf "%s\\n" "$1" >&2; exit 1; }', "umask 077", *names, remove, f"trap '{remove}' EXIT", *begin,
        *filter(None, [check]),
        # From here on the command goes on to its end, even if nobody listens any more.
        "trap '' HUP INT TERM PIPE", "set +e", "( set -e", *commit, f"{load or ':'}\n)", "code=$?",
        f"if [ $code != 0 ]; then {'; '.join(revert)}; ( {back or load or ':'}\n) >/dev/null 2>&1; exit 1; fi"]
    # By standard input, too: one word of a command has a limit of 128 KiB. Braces, since a shell does nothing of them before it has all.
    script = "{\n" + "\n".join(script) + "\n}\n"
    return f'script=$(head -c {len(_bytes(script))}); eval "${{script:?}}"', script + "".join(contents)


def edit(name, old, new):
    """Lines for a person to type into a shell: they make the new text of a file from the old one, and show nothing else of it."""
    if old is None or new is None:
        return [f"rm -- {shlex.quote(name)}"] if new is None else _here(f"cat > {shlex.quote(name)}", _lines(new))
    before, after, script = _lines(old), _lines(new), []
    if not before:
        return _here(f"cat > {shlex.quote(name)}", after)
    for kind, begin, end, start, stop in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if kind == "delete":
            script.append(f"{begin + 1},{end}d")
        elif kind != "equal":
            at = f"{begin + 1},{end}c\\" if kind == "replace" else f"{begin + 1}i\\" if begin < len(before) else "$a\\"
            lines = [line.replace("\\", "\\\\") for line in after[start:stop]]
            script += [at, *(line + "\\" for line in lines[:-1]), lines[-1]]
    return _here(f"sed -i -f /dev/stdin {shlex.quote(name)}", script) if script else []


def ping(ask, destination):
    """The answer to pings, as docs/platforms.md says, by ping of iputils."""
    words = ["ping", "-n", "-q", "-c", str(destination["count"]), "-i", "0.2", "-W", "1"]
    if "sourceInterface" in destination:
        words += ["-I", destination["sourceInterface"]]
    # It ends with 1 where no answer came.
    return pinged(ask(" ".join(map(shlex.quote, [*words, destination["address"]])) + " 2>&1 || :"))


def pinged(said):
    """What iputils say of their pings."""
    if "Network is unreachable" in said:
        return {"sent": 0, "received": 0}
    counts = re.search(r"^(\d+) packets transmitted, (\d+) received", said, re.M)
    if not counts:
        raise ValueError(f"ping says {said.strip()[:200]}")
    average = re.search(r"^rtt min/avg/max/mdev = [^/]+/([^/]+)/", said, re.M)
    return {"sent": int(counts[1]), "received": int(counts[2]), **({"rttMs": float(average[1])} if average else {})}


def default_routes(ask):
    """The default routes of the kernel that lead somewhere, in all tables, by ip of iproute2. A VRF is a table."""
    return shown.known(ask, lambda ask: _default_routes(ask, "4", "ip"), lambda ask: _default_routes(ask, "6", "ipv6"))


def _default_routes(ask, family, name):
    for route in json.loads(ask(f"ip -{family} -json route show table all default") or "[]"):
        table = route.get("table", "main")
        for way in route.get("nexthops", [route]) if route.get("type", "unicast") == "unicast" else []:
            if not {"dead", "linkdown"} & set(way.get("flags", ())):
                hop = way.get("gateway") or way.get("via", {}).get("host")
                yield shown.default_route(name, (hop, way.get("dev")), None if table == "main" else table)


def _here(command, lines):
    mark = "END"
    while mark in lines:
        mark += "_"
    return [f"{command} <<'{mark}'", *lines, mark]


def _lines(text):
    """splitlines() ends a line at characters that a file may have in one."""
    return text.removesuffix("\n").split("\n") if text else []


def _bytes(text):
    return text.encode("utf-8", "surrogateescape")


def _hash(text):
    return hashlib.sha256(_bytes(text)).hexdigest()
