# SPDX-License-Identifier: GPL-3.0-or-later
"""How BIRD takes a configuration: its file as a whole. BIRD reads all of it before it does any of it, and keeps the old one otherwise."""
import shell

FILE = "/etc/bird/bird.conf"
# The new file is read before it takes the old one's place, and a file that BIRD itself has not read is left alone: what it holds was not
# asked for here. A clock that this shell cannot read tells nothing.
_CHECK = """birdc show status >/dev/null || refuse "BIRD does not run"
read_at=$(birdc show status | sed -n 's/^Last reconfiguration on //p')
if read_at=$(date -d "$read_at" +%s 2>/dev/null) && [ "$(stat -c %Y -- "$file1")" -gt $((read_at + 1)) ]; then
  refuse "BIRD has not read the last change of its file: have it read first (birdc configure), or take it back"
fi
bird -p -c "$new1" """
_LOAD = """said=$(birdc configure) || { printf '%s\\n' "$said" >&2; exit 1; }
case $said in *Reconfigur*) ;; *) printf '%s\\n' "$said" >&2; exit 1;; esac"""


def apply(before, after, changes, seconds=None):
    """[(what is done, the command, its standard input)]: what makes the text after of that before. seconds: for how long."""
    load = _LOAD.replace("configure", f"configure timeout {seconds}") if seconds else _LOAD
    return [("load the configuration", *shell.write({FILE: (before, after)}, _CHECK, load, _LOAD))]


def file():
    """The one file that is its configuration."""
    return FILE


def undo(before, after, changes):
    """What a person types to have the text before again."""
    return [*shell.edit(FILE, after, before), "birdc configure"]
