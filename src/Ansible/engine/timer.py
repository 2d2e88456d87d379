# SPDX-License-Identifier: GPL-3.0-or-later
"""A timer on a device with a shell, for a platform's guard.py: a process that survives the session that started it, and takes a change back
unless it is confirmed before.

What it needs stands in a directory that only the login can read, and that a restart of the device empties: a script, which came by standard
input, and copies of the files as they were, which the device made itself. Whoever renames the file "armed" first decides what becomes of
the change."""
import hashlib
import shlex

_PLACE = "place=/run/netautomation.guard; [ -w /run ] || place=/dev/shm/netautomation.guard.$(id -u)\n"
_ALIVE = 'kill -s 0 -- "-$(cat -- "$place/pid" 2>/dev/null)" 2>/dev/null'
# It has a group of its own a moment after it was started.
_BEGUN = f"""tries=0
until {_ALIVE}; do
  tries=$((tries + 1)); [ $tries -le 50 ] || {{ echo 'the timer did not start' >&2; exit 1; }}
  sleep 0.1
done"""
# $0: the place, $1: seconds.
_TIMER = """trap "" HUP; sleep "$1"; mv -- "$0/armed" "$0/going" 2>/dev/null || exit 0
sh "$0/back" || { sleep 5; sh "$0/back"; }
rm -rf -- "$0"
"""
# back COPY FILE gives a file its content, owner and mode again.
_RESTORE = """place=${0%/*} differs='' failed=''
back() {
  file=$(readlink -m -- "$2")
  if [ ! -e "$place/$1" ]; then
    [ ! -e "$file" ] || { rm -f -- "$file" || failed=1; differs=1; }
  elif ! cmp -s -- "$place/$1" "$file"; then
    cp -p -- "$place/$1" "$file.netautomation" && sync "$file.netautomation" && mv -f -- "$file.netautomation" "$file" || failed=1
    differs=1
  fi
}
"""


def arm(device, seconds, files, keep="", follow="", compare=""):
    """Keeps these files, and puts them back after so many seconds. keep: commands that keep something else in the folder "$place"; compare:
    commands that set "differs" where that has changed; follow: what the device does then, where something has: it sets "failed" where that
    fails."""
    names = [(f"file{number}", shlex.quote(name)) for number, name in enumerate(files)]
    restore = "\n".join([_RESTORE, *(f"back {copy} {name}" for copy, name in names), compare, '[ -n "$differs" ] || exit 0', follow,
                         '[ -z "$failed" ]', ""])
    data = restore.encode("utf-8", "surrogateescape")
    device.send_command("\n".join([
        f"set -eu; umask 077\n{_PLACE}if [ -e \"$place\" ] && ! {_ALIVE}; then rm -rf -- \"$place\"; fi",
        'mkdir -- "$place"', "trap 'rm -rf -- \"$place\"' EXIT", f'head -c {len(data)} > "$place/back"',
        f"[ \"$(sha256sum < \"$place/back\")\" = '{hashlib.sha256(data).hexdigest()}  -' ]",
        *(f'[ ! -e {name} ] || cp -p -- {name} "$place/{copy}"' for copy, name in names), keep, ': > "$place/armed"',
        f'setsid sh -c {shlex.quote(_TIMER)} "$place" {seconds} </dev/null >/dev/null 2>&1 &', 'echo $! > "$place/pid"', _BEGUN,
        "trap - EXIT"]),
        restore, "arm a timer")
    return "a process on the device", seconds


def armed(device):
    """What will take a change back; None where nothing will."""
    said = device.send_command(
        f'{_PLACE}if {{ [ -e "$place/armed" ] || [ -e "$place/going" ]; }} && {_ALIVE}; then echo armed; fi', "", "look for a timer")
    return "a process on the device" if said.strip() else None


def confirm(device):
    """The change stays."""
    device.send_command(
        f"{_PLACE}mv -- \"$place/armed\" \"$place/confirmed\" 2>/dev/null || {{ echo 'the timer was faster' >&2; exit 1; }}\n"
        'kill -s TERM -- "-$(cat -- "$place/pid")"; rm -rf -- "$place"', "", "confirm the change")


def back(device):
    """Goes back now, where a timer is armed, which stays. Once begun it goes on, even where the session ends."""
    device.send_command(
        f"{_PLACE}[ -e \"$place/armed\" ] || exit 0\ntrap '' HUP INT TERM PIPE\n"
        'sh "$place/back" >"$place/said" 2>&1 </dev/null || { cat -- "$place/said" >&2; exit 1; }', "", "take the change back")
