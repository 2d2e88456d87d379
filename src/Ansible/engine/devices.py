# SPDX-License-Identifier: GPL-3.0-or-later
"""The device behind an action: how to talk to it, and what every block does with it."""
import logging
import os
import re
import sys

from ansible.module_utils.connection import Connection, ConnectionError as DeviceError


# Nobody reads what the libraries of a session log; without a handler it goes to stderr.
logging.getLogger().addHandler(logging.NullHandler())


def of(connection):
    """The device behind an action's connection: over a session in a process of its own, which the tasks of a host share, or in this one,
    where no other task dials (own_session)."""
    # A worker is forked while Ansible's lock of both streams is held: the thread of a session that writes to one would wait for ever.
    sys.stdout = sys.stderr = open(os.dup(2), "w", buffering=1, errors="replace")
    return _Own(connection) if connection.socket_path is None else Connection(connection.socket_path)


class _Own:
    """A session in this process. Its faults are those of one in another."""

    def __init__(self, connection):
        self._connection = connection

    def __getattr__(self, name):
        act = getattr(self._connection, name)

        def call(*arguments):
            try:
                return act(*arguments)
            except DeviceError:
                raise
            except Exception as fault:
                raise DeviceError(str(fault) or type(fault).__name__) from None
        return call


class InShell:
    """A device behind a terminal, for commands of the shell that its login lands in: for a timer, as with a device of commands alone."""

    def __init__(self, device):
        self._device = device

    def send_command(self, command, text="", name=None):
        return self._device.in_shell(command, text, name)


def configuration(device, platform, which="running"):
    """(text, parts): a configuration of the device, whole, and the names of its programs that run, where the platform has a command for
    them."""
    return device.read_configuration(which), _parts(platform.get("parts"), device)


def _parts(rules, device):
    """A program that does not run shows no configuration, and a save would leave its part out."""
    if rules is None:
        return None
    try:
        down = re.findall(rules["down"], device.send_command(rules["watch"]), re.M)
    except DeviceError:
        down = []  # nobody watches over them there
    if down:
        raise DeviceError(
            f"[netautomation:incomplete_output] {', '.join(down)} does not run on the device, so its configuration is not whole.")
    try:
        return device.send_command(rules["list"]).split() or None
    except DeviceError:
        return None


def save(device, platform, grammar):
    """Saves the running configuration, and reads from the answer whether it is saved."""
    answer = device.send_command(platform["commands"]["save"])
    if not re.search(platform.get("saved", ""), answer, re.M):
        words = "\n".join(map(grammar.masked, answer[-300:].splitlines()))
        raise DeviceError(f"[netautomation:task_failed] the device did not say that it saved: {words}")


def abort(device, platform):
    """Drops the session of the device in which changes are typed."""
    try:
        answer = device.send_command(platform["commands"]["abort"])
    except DeviceError as fault:
        answer = str(fault)
    if answer.strip() and not re.search(platform["aborted"], answer):
        code = "" if answer.startswith("[") else "[netautomation:task_failed] the device did not drop the session: "
        raise DeviceError(code + answer.strip()[:300])
