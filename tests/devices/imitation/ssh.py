"""The devices' SSH servers: one address and one host key each, all in one process."""
import asyncio
import ipaddress
import json
import os
import traceback

import asyncssh

from .session import Ended, Session


def allowed(address):
    """An imitation lets anybody in who knows its login, so it never listens on all addresses."""
    found = ipaddress.ip_address(address)
    if found.is_unspecified or found.is_multicast:
        raise ValueError(f"{address} stands for all addresses")
    return found


class Front:
    """login: the name and the password that every device takes besides its own users; enable: the secret that `enable` asks for, if any;
    faults: the file that names the troubles of devices, read at each login, {"d01": {"latency": 0.2}, "*": {}}."""

    def __init__(self, login, enable=None, faults=None):
        self.login, self.enable, self._faults, self._listeners = login, enable, faults, []
        self.own_faults = {}  # Of the console, which come before those of the file.

    def faults(self, device):
        content = {}
        if self._faults and os.path.exists(self._faults):
            with open(self._faults, encoding="utf-8") as file:
                content = json.load(file)
        return {**content.get("*", {}), **content.get(device.name, {}), **self.own_faults.get(device.name, {})}

    async def listen(self, device, port):
        """Returns the public host key."""
        allowed(device.address)
        key = asyncssh.generate_private_key("ssh-ed25519")

        async def serve(process):
            await self._serve(device, process)

        self._listeners.append(await asyncssh.listen(
            device.address, port, server_factory=lambda: Login(self, device), process_factory=serve, encoding=None, line_editor=False,
            server_host_keys=[key], login_timeout=60, keepalive_interval=30, reuse_address=True))
        device.enable = self.enable
        return key.export_public_key().decode().strip()

    async def _serve(self, device, process):
        faults = self.faults(device)
        user = process.get_extra_info("username")
        try:
            if len(device.logged_in) >= faults.get("vtys", 1 << 30):
                process.stdout.write(b"\r\n% Connection refused: all lines are busy\r\n")
            else:
                session = Session(device, process, user, faults, 1 if self.enable else 15)
                await session.run(process.command)
        except (Ended, OSError, asyncssh.Error, asyncssh.BreakReceived, asyncssh.TerminalSizeChanged):
            pass
        except Exception:  # The other devices go on, and the fault is seen.
            traceback.print_exc()
        try:
            process.exit(0)
        except OSError:
            pass

    def close(self):
        for listener in self._listeners:
            listener.close()


class Login(asyncssh.SSHServer):
    def __init__(self, front, device):
        self._front, self._device = front, device

    def begin_auth(self, username):
        return True

    def password_auth_supported(self):
        return True

    def validate_password(self, username, password):
        accounts = self._front.faults(self._device).get("accounts")
        good = accounts.get(username) == password if accounts else (
            (username, password) == self._front.login or self._device.platform.knows(self._device, username, password))
        self._device.note(None, "login", f"{username} {'in' if good else 'refused'}")
        return good

    def public_key_auth_supported(self):
        return True

    def validate_public_key(self, username, key):
        return self._device.platform.knows_key(self._device, username, key)


async def serve(devices, front, port, ready):
    """Until it is cancelled. `ready` is called with each device and its host key."""
    for device in devices:
        ready(device, await front.listen(device, port))
    await asyncio.Event().wait()
