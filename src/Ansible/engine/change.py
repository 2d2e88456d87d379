# SPDX-License-Identifier: GPL-3.0-or-later
"""Types a change into a device that takes lines, or writes the text of one that takes its text, and takes it back."""
from ansible.module_utils.connection import ConnectionError as DeviceError

import plan
import platforms
import text
import tree


def typed(device, platform, directory, lines, end=None):
    """Types these lines and ends the configuration, by another command than usual where one is given; stops at what the device refuses.
    Answers what it said to lines that it took."""
    grammar, commands, said = tree.grammar(directory), platform["commands"], []
    typed, renamed = [commands["configure"], *lines, end or commands["end"]], False
    for number, line in enumerate(typed, 1):
        line = text.raw(line).strip()
        renamed = renamed or grammar.renames(line)
        if grammar.renames(line) or renamed and number == len(typed):
            device.renames()
        try:
            words = device.send_command(line).strip()
        except DeviceError as fault:
            if "abort" in commands and number < len(typed):
                raise DeviceError(f"{fault}\nNothing of the change has taken effect.") from None
            raise
        if words:
            said.append("\n".join(map(grammar.masked, f"{line}: {words}".splitlines())))
    return said


def taken_back(device, platform, directory, change, before):
    """Whether there was anything of the change to take back. Raises DeviceError where the device does not show the configuration before
    afterwards."""
    grammar, commands = tree.grammar(directory), platform["commands"]

    def lines(running):
        return {line for line in grammar.lines(running)[0] if not grammar.follows(line)}

    try:
        device.send_command(commands.get("abort", commands["end"]))
    except DeviceError:
        pass  # it is not in the middle of a change
    if lines(device.read_configuration()) == lines(before):
        return False
    typed(device, platform, directory, change["back"])
    if lines(device.read_configuration()) != lines(before):
        raise DeviceError("[netautomation:task_failed] the device does not show the configuration before")
    return True


def untyped(device, platform, directory, before):
    """Takes what is there of a change, all of it or a part, out of a device that takes lines."""
    commands = platform["commands"]
    try:
        device.send_command(commands.get("abort", commands["end"]))
    except DeviceError:
        pass  # it is not in the middle of a change
    if lines := plan.left(before, device.read_configuration(), directory):
        typed(device, platform, directory, lines)


def written(device, directory, now, text, signed, apply=None):
    """Makes the device's text from what it is now, by the platform's text.py or what is given in its place."""
    for name, command, given in (apply or platforms.writer(directory)[0])(now, text, signed):
        device.send_command(command, given, name)


def put_back(device, directory, change, before):
    """Whether the device's text had anything of the change to take back."""
    now = device.read_configuration()
    text, signed = plan.taken_back(change, before, now, directory)
    if signed:
        written(device, directory, now, text, signed)
    return bool(signed)
