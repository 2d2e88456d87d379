"""A device's own console, past its SSH server: what a person does at it, and what it really holds."""
import asyncio
import json
import pathlib

from .session import Ended, Session


class _Terminal:
    """In place of a channel: takes what is said, and says yes to what is asked."""

    def __init__(self):
        self.said, self.stdout, self.stdin, self.channel = [], self, self, self

    def write(self, data):
        self.said.append(data.decode("utf-8", "replace").replace("\r\n", "\n"))

    async def read(self, size):
        return b"\r"

    def get_connection(self):
        return self

    def abort(self):
        raise Ended


class Console:
    """A unix socket. A request is one JSON line, {"device", "verb", "given"}; its answer is one, too, with "text" or "fault".

    fresh: the device as it was made; text: its configuration; type: lines into its configuration; show: the answer to a command; fault:
    sessions that begin from now on end at a line that the pattern finds; refuse: they refuse such a line; mend: no more."""

    def __init__(self, devices, front):
        self._devices, self._front = {device.name: device for device in devices}, front

    async def listen(self, path):
        pathlib.Path(path).unlink(missing_ok=True)
        return await asyncio.start_unix_server(self._serve, path, limit=1 << 24)

    async def _serve(self, reader, writer):
        try:
            request = json.loads(await reader.readline())
            device = self._devices[request["device"]]
            answer = {"text": await getattr(self, f"_{request['verb']}")(device, request.get("given")) or ""}
        except (Ended, KeyError, AttributeError, ValueError) as fault:
            answer = {"fault": f"{type(fault).__name__}: {fault}"}
        writer.write(json.dumps(answer).encode())
        writer.close()

    async def _fresh(self, device, _):
        for session in list(device.logged_in):
            session.hang_up()
        for kind in list(device.timers):
            device.cancel(kind)
        device.renew()
        self._front.own_faults.pop(device.name, None)

    async def _text(self, device, _):
        return device.text() + "\n"

    async def _type(self, device, lines):
        return await self._session(device, ["configure terminal", *lines.splitlines(), "end"])

    async def _show(self, device, command):
        return await self._session(device, [command.strip()])

    async def _session(self, device, lines):
        terminal = _Terminal()
        session = Session(device, terminal, "console", {}, 15)
        session.length = 0
        for line in lines:
            await session.take(line)
        return "".join(terminal.said)

    async def _fault(self, device, pattern):
        self._front.own_faults[device.name] = {"drop": pattern or "."}

    async def _refuse(self, device, pattern):
        self._front.own_faults[device.name] = {"refuse": pattern}

    async def _mend(self, device, _):
        self._front.own_faults.pop(device.name, None)
