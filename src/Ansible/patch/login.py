# SPDX-License-Identifier: GPL-3.0-or-later
"""The login of network_cli: an SSH session of our own under it, limits of time and prompts of the device's own, and the privileged mode.
What the login needs stands in a file that only the run can read, and in no variable of Ansible."""
import functools
import json
import re
import signal
import time
import types

import ssh

LOGINS = "/home/run/login"
# What a device asks when a session enters the privileged mode.
_ENABLE = r"[\r\n]?[^\r\n]*(?:password|passcode|secret)(?: for [^\r\n:]*)?:? ?$"
_CODED = re.compile(r"\[netautomation:(\w+)\] (.*)", re.S)


@functools.lru_cache(maxsize=None)
def device(address):
    """The job's description of the device at this address."""
    with open(f"{LOGINS}/{address}", encoding="utf-8") as file:
        return json.load(file)


def coded(code, text):
    """The text of a failure that names its code."""
    return f"[netautomation:{code}] {text}"


def uncoded(fault):
    """The words of a failure without its code."""
    found = _CODED.search(str(fault))
    return found[2] if found else str(fault)


def guard(module):
    connection, lost = module.Connection, module.AnsibleConnectionFailure
    stock_connect, stock_become, patterns = connection._connect, connection._on_become, connection._get_terminal_std_re

    def connect(self):
        if self.connected:
            return stock_connect(self)
        target, plugin, limit = device(self._play_context.remote_addr), self.ssh_type_conn, self.get_option("persistent_command_timeout")
        until = time.monotonic() + target["connectSeconds"]

        def log_in():
            try:
                plugin.ssh, shell = ssh.log_in(target, until)
            except ssh.Fault as fault:
                raise lost(coded(fault.code, fault)) from None
            except Exception as fault:
                raise lost(coded("connection_closed", f"The device ended the login ({type(fault).__name__}).")) from None
            plugin._connected = True
            # What is left of the time is for the first prompt.
            self.set_option("persistent_command_timeout", max(1, round(until - time.monotonic())))
            return types.SimpleNamespace(ssh=types.SimpleNamespace(invoke_shell=lambda: shell))

        plugin._connect = log_in
        # The limit of the command that needs the session has begun; the login has one of its own.
        signal.alarm(0)
        try:
            stock_connect(self)
        except Exception as fault:
            # A half-open session would serve the next command.
            self.close()
            raise lost(str(fault)) from None
        finally:
            self.set_option("persistent_command_timeout", limit)
        self._ssh_shell.settimeout(limit)
        if session := getattr(self, "_session", None):
            session.seconds = limit
        return self

    def become(self, become_pass=None):
        target, terminal = device(self._play_context.remote_addr), self._terminal
        wanted, send, level = target.get("enableLevel") or 15, terminal._exec_cli_command, getattr(terminal, "get_privilege_level", None)
        password = target.get("enablePassword")

        def enable(command, check_rc=True):
            request = json.loads(command) if command.startswith(b"{") else {"command": command.decode()}
            if request["command"].split()[:1] == ["enable"]:
                request |= {"prompt": _ENABLE, "answer": password or "", "prompt_retry_check": True}
                request["command"] = "enable" if wanted == 15 else f"enable {wanted}"
            return send(json.dumps(request).encode())

        # The plugin knows how its platform enters the mode, but one question and one level only.
        terminal._exec_cli_command = enable
        if level:
            terminal.get_privilege_level = lambda: 15 if (now := level()) >= wanted else now
        try:
            stock_become(self, become_pass)
        except lost as fault:
            found = _CODED.search(str(fault))
            code, words = found.groups() if found else ("auth_failed", str(fault))
            if code in ("auth_failed", "task_failed"):
                code, words = ("auth_failed", f"The device did not let the login enter the privileged mode. {words}") if password else (
                    "needs_answer", "The device asks for a password before the privileged mode. Set enablePassword in the credential.")
            raise lost(coded(code, words)) from None
        finally:
            for name in ("_exec_cli_command", "get_privilege_level"):
                vars(terminal).pop(name, None)

    def prompts(self, option):
        found = patterns(self, option)
        own = device(self._play_context.remote_addr).get("prompt") if option == "terminal_stdout_re" else None
        # The pattern of a whole line becomes one for the end of what a device has said.
        return [re.compile(rb"(?:\A|[\r\n])(?:%s) ?\Z" % own[1:-1].encode()), *found] if own else found

    connection._connect, connection._on_become, connection._get_terminal_std_re = connect, become, prompts
