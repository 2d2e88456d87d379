# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands on a device with a shell, each in a channel of its own of one SSH session and without a terminal: `connection: ssh` of a
platform. The session is the engine's own, as under network_cli."""
DOCUMENTATION = """
name: commands
short_description: Commands over one SSH session
description: Commands over one SSH session, each without a terminal
options:
  persistent_connect_timeout:
    description: Seconds after which an unused session ends.
    type: int
    default: 30
    ini: [{section: persistent_connection, key: connect_timeout}]
    vars: [{name: ansible_connect_timeout}]
  persistent_command_timeout:
    description: Seconds of a device's silence during a command.
    type: int
    default: 30
    ini: [{section: persistent_connection, key: command_timeout}]
    vars: [{name: ansible_command_timeout}]
  persistent_log_messages:
    description: Never.
    type: boolean
    default: false
  platform:
    description: The platform of the device.
    type: dict
    vars: [{name: platform}]
"""
import functools
import signal
import time

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection import NetworkConnectionBase, ensure_connect

import login
import platforms
import ssh
import tree


def _coded(act):
    """Reports a fault by its code."""
    @functools.wraps(act)
    def coded(self, *arguments):
        signal.alarm(0)  # the limits of a session hold, as in patch/session.py
        try:
            return act(self, *arguments)
        except ssh.Fault as fault:
            if fault.code in ("connection_closed", "idle_timeout"):
                self.close()  # nobody can talk to it
            raise AnsibleConnectionFailure(login.coded(fault.code, fault)) from None
    return coded


class Connection(NetworkConnectionBase):
    transport = "commands"
    _session = None

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self._sub_plugin = {"type": "external", "obj": None}  # it has none

    @_coded
    def _connect(self):
        device = login.device(self._play_context.remote_addr)
        try:
            self._session, _ = ssh.log_in(device, time.monotonic() + device["connectSeconds"], shell=False)
        except ssh.Fault:
            raise
        except Exception as fault:
            raise ssh.Fault("connection_closed", f"The device ended the login ({type(fault).__name__}).") from None
        self._connected = True
        self._recognise()
        return self

    def _recognise(self):
        """Nothing else is sent to a device that is not what its record says."""
        platform = platforms.read(self.get_option("platform")["directory"])
        if "recognised" not in platform:
            return
        try:
            ended = self._run(platform["commands"]["version"], "")
        except ssh.Fault as fault:
            self.close()
            raise ssh.Fault("platform_mismatch", f"The device is not what its record says ({platform['title']}): {fault}") \
                if fault.code == "no_commands" else fault from None
        answer = bytes(ended.output + ended.errors).decode("utf-8", "replace")
        if text := platforms.mismatch(platform, answer):
            self.close()
            raise ssh.Fault("platform_mismatch", text)

    @ensure_connect
    @_coded
    def send_command(self, command, text="", name=None):
        """What the command prints. text: its standard input; name: what it does, for the message of a failure."""
        return ssh.printed(self._run(command, text), name or command, tree.grammar(self.get_option("platform")["directory"]).masked)

    def _run(self, command, text):
        device = login.device(self._play_context.remote_addr)
        return ssh.run(self._session, device, command, text, self.get_option("persistent_command_timeout"))

    def read_configuration(self, which="running"):
        """The text that stands for the device's configuration."""
        directory = self.get_option("platform")["directory"]
        shown = self.send_command(platforms.read(directory)["commands"][which])
        try:
            return platforms.pinned(directory)(shown)
        except ValueError as fault:
            text = f"The device's configuration cannot be read: {fault}"
            raise AnsibleConnectionFailure(login.coded("incomplete_output", text)) from None

    def anew(self):
        """Ends the session. The next command begins another one."""
        self.close()
        self._conn_closed = False

    def close(self):
        if self._session:
            self._session.close()
            self._session = None
        super().close()
