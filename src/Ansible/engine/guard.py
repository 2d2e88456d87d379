# SPDX-License-Identifier: GPL-3.0-or-later
"""A change that goes back unless it is confirmed: the device's own timer by its platform's guard.py, or else we put it back."""
import time

from ansible.module_utils.connection import ConnectionError as DeviceError

import change as changes
import devices
import plan
import platforms
import tree


class Guard:
    """One change on one device. kind: hard, where the device goes back by itself, whatever is cut; else soft. seconds: how long the change
    may wait for its confirmation. what: what was armed, in words. All are None while nothing is."""

    def __init__(self, device, platform, directory, seconds, options):
        self._device, self._platform, self._directory, self._wanted = device, platform, directory, seconds
        self._code, self._options, self._grammar = platforms.guard(directory), options, tree.grammar(directory)
        self._armer = device
        if (platform.get("terminal") or {}).get("shell"):
            # Only a login that lands in a shell can leave a timer there.
            self._armer, self._code = devices.InShell(device), self._code if device.has_shell() else {}
        self.kind = self.what = self.seconds = self._end = self._before = self._change = None

    def planned(self):
        """hard or soft: what will take a change back. Nothing is armed yet."""
        kind = self._code["supported"](self._armer, self._options) if self._code else "soft"
        if kind not in ("hard", "soft"):
            raise DeviceError(f"[netautomation:guard_unsupported] {kind}")
        self.alone()
        return kind

    def alone(self):
        """Raises DeviceError where a timer is armed already."""
        if other := self.armed():
            raise DeviceError(f"[netautomation:timer_pending] the device will take back a change of somebody else: {other}")

    def arm(self, kind, before, change):
        """From here on the device goes back, or we have to put it back."""
        # A timer may be armed even where no answer comes.
        self.kind, self.seconds, self._before, self._change = kind, self._wanted, before, change
        self._begins()
        if kind == "hard":
            self.what, self.seconds = self._code["arm"](self._armer, self._wanted, before, change)
            self._begins()

    def _begins(self):
        self._end = time.monotonic() + self.seconds

    def typed(self):
        """Some timers begin with what ends the change, and not before."""
        if self._own("end") or self._own("apply"):
            self._begins()

    def left(self):
        """Seconds until the device has gone back by itself at the latest; None where it does not."""
        return max(0, round(self._end - time.monotonic())) if self.kind == "hard" else None

    def over(self):
        """Whether the change waits no longer for its confirmation."""
        return time.monotonic() >= self._end

    def armed(self):
        """What will take a change back, in words; None where nothing will."""
        return self._code["armed"](self._armer) if self._code else None

    def end(self):
        """What ends a configuration of lines, in place of the platform's command; None where that does."""
        return end(self.seconds) if (end := self._own("end")) else None

    def apply(self):
        """What makes one text of another, in place of the platform's; None where that does."""
        own = self._own("apply")
        return own and (lambda before, after, changes: own(before, after, changes, self.seconds))

    def _own(self, name):
        return self._code.get(name) if self.kind == "hard" else None

    def confirm(self):
        """The change stays."""
        if self.kind == "hard":
            self._code["confirm"](self._armer)

    def back(self):
        """Goes back now. Raises DeviceError where the text of the device is not that of before, byte for byte."""
        if self.kind == "hard":
            self._code["back"](self._armer)
        elif "after" in self._change:
            changes.put_back(self._device, self._directory, self._change, self._before)
        else:
            changes.untyped(self._device, self._platform, self._directory, self._before)
        self._shown(self._before)
        if self.armed():
            # Nothing is left for it to take back.
            self.confirm()

    def find(self):
        """What is armed, in words, which is then taken for our own; None where nothing is."""
        self.what = self.armed()
        self.kind = "hard" if self.what else None
        return self.what

    def take_back(self, before):
        """For a run that was cut off, where what it armed still is. before: the normalised text."""
        self._before = before
        self.back()

    def put_back(self, before):
        """For a run that was cut off, where nothing on the device does it. before: the normalised text."""
        if platforms.writer(self._directory):
            now = self._device.read_configuration()
            change = plan.restored(now, before, self._directory)
            if change["refused"]:
                raise DeviceError(f"[netautomation:task_failed] {change['refused']}")
            if change["signed"]:
                changes.written(self._device, self._directory, now, change["after"], change["signed"])
        else:
            changes.untyped(self._device, self._platform, self._directory, before)
        self._shown(before)

    def _shown(self, before):
        if self._grammar.normalised(self._device.read_configuration()) != self._grammar.normalised(before):
            raise DeviceError("[netautomation:task_failed] the device does not show the configuration before")
