# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of one device: its configuration is read, compared, changed, read back, verified and saved."""
import base64
import hashlib
import re
import sys
import time
import traceback

from ansible.module_utils.connection import ConnectionError as DeviceError
from ansible.utils.display import Display

import change as changes
import devices
import guard
import halt
import lifelines
import login
import plan as planning
import platforms
import proof
import session
import shell
import ssh
import tree

# Seconds between looks: the parts of a device tell each other of a change, which takes them a moment. What does not show after the first
# pause need not show at all; what shows and should not has all of them to go.
PAUSES = (0.1, 0.4, 1.5)


# Seconds between looks at a change that waits for its confirmation; how long a neighbour may take to come back after a change.
LOOKS, RETURN = 5, 15

# Nothing more comes over the session.
_GONE = re.compile(r"\[netautomation:(?:connection_closed|idle_timeout)\]")


class Failed(Exception):
    """Why a step failed, with its code before the words; it was told."""


class Stopped(Exception):
    """The run is to stop, and nothing was typed."""


def know(directory):
    """Loads what a platform's devices need. Whoever is forked afterwards has it."""
    try:
        tree.grammar(directory), platforms.effect(directory), platforms.state(directory), platforms.writer(directory)
        platforms.guard(directory)
        session.know(platforms.read(directory))
    except Exception as fault:
        print(f"not loaded ahead: {directory}: {_place(fault)}", file=sys.stderr)  # a run on its devices reports it


def ready(part, directory):
    """Loads what the work by a block's file needs."""
    try:
        for name in ("wanted", "unwanted"):
            planning.compiled(platforms.load(part).get(name, ""), directory)
    except Exception:
        pass  # the work on each device says what is wrong


def done(device, variables, check):
    """What the task of a device returns."""
    try:
        work = _Work(device, variables, check)
    except Exception as fault:
        print(f"{variables.get('block_part')}: {_place(fault)}", file=sys.stderr)
        return {"failed": True, "msg": f"[netautomation:internal_error] the engine failed ({type(fault).__name__})"}
    return work.done()


class _Work:
    """The steps on one device, by the block's file for its platform."""

    def __init__(self, device, variables, check):
        self._device, self._variables, self._check = device, variables, check
        self._directory, self._input = variables["platform"]["directory"], variables["block_input"]
        self._platform, self._part = platforms.read(self._directory), platforms.load(variables["block_part"])
        self._grammar, self._logs_in = tree.grammar(self._directory), "block_login" in variables
        # The text that the device is to have, where the block restores one.
        self._restored = _text(variables["restored"]) if self._part.get("restore") and "look" not in variables else None
        self._before, self._change, self._typing, self._saving, self._gone = None, None, False, False, False
        # guard: what takes the change back, where one is asked for; wanted: the digest of the text that is to be confirmed.
        # asked: what the run asks of a guard; lines: the neighbours and default routes before.
        self._guard, self._wanted, self._lines, self._asked = None, None, None, variables.get("guard")
        if self._asked:
            self._guard = guard.Guard(device, self._platform, self._directory, self._asked["confirmSeconds"], self._login()["options"])

    def done(self):
        """What the task returns."""
        try:
            return self._looked() if "look" in self._variables else {"changed": False, "handed_over": self._done()}
        except Stopped:
            return {"changed": False, "stopped": True}
        except Failed as fault:
            if "look" not in self._variables:
                self._recover()
            return {"failed": True, "steps": True, "msg": str(fault)}

    def _done(self):
        self._before, parts = self._step("Read the running configuration", devices.configuration, self._device, self._platform)
        self._tell_text("before", self._before)
        self._change = change = self._step("Compare", self._compared, parts)
        verified, types = {}, bool(change["lines"])
        if types and self._guard:
            planned = self._step("See what takes the change back", self._guard.planned)
            self._tell("planned", kind=planned)
        elif self._guard and not self._check:
            # What is saved below would also be what the device goes back to.
            self._step("See whether a timer is armed", self._guard.alone)
        if types and not self._check:
            if self._guard:
                self._lines = self._step("Note neighbours and default routes", self._lifelines)
                self._step("Wait until the snapshot is kept", self._kept)
                self._step("Arm what takes the change back", self._armed, planned)
            # Kept for a device that fails from here on.
            self._tell("undo", undo=change["undo"])
            if "abort" in self._platform["commands"]:
                # What a session that was cut off has left would take effect with this change.
                self._step("Begin anew", devices.abort, self._device, self._platform)
        said = self._step("Configure", self._configured, changed=True, diff=change["diff"]) if types else None
        if not self._check:
            if self._guarded():
                self._step("Reach the device anew", self._reached)
            verified = self._step("Read it back and verify", self._verified, said)
            if self._guarded():
                self._step("Watch neighbours and default routes until the run decides", self._watched)
                self._step("Confirm", self._confirmed)
                self._tell("confirmed")
                self._guard = None
            # Also where nothing was typed: an earlier run may have been cut off before it saved.
            self._saving = True
            self._save()
        return planning.result(change, verified)

    def _compared(self, parts):
        if self._variables.get("planned") not in (None, self._digest(self._before)):
            raise DeviceError("[netautomation:drift] the configuration of the device is no longer the planned one")
        try:
            change = planning.plan(self._before, self._part, self._input, self._directory, parts) if self._restored is None \
                else planning.restored(self._before, self._restored, self._directory, parts)
        except Exception as fault:
            # A fault of the block, whose words mean nothing to a customer and may hold what the customer gave.
            print(f"plan of {self._variables['block_part']}: {_place(fault)}", file=sys.stderr)
            raise DeviceError(
                "[netautomation:internal_error] the block has a fault on this platform; the device was only read") from None
        if change["refused"]:
            raise DeviceError(f"[netautomation:refused] {change['refused']}")
        return change

    def _lifelines(self):
        return lifelines.taken(self._directory, self._device.send_command)

    def _kept(self):
        """A change begins once the text before it is kept, so that whoever comes after a run that was cut off knows it."""
        self._tell("keep")
        while not (verdict := halt.verdict(self._variables)):
            if halt.asked():
                raise Stopped
            time.sleep(0.02)
        if verdict != halt.GO:
            raise Stopped

    def _armed(self, kind):
        try:
            self._guard.arm(kind, self._before, self._change)
        finally:
            self._typing = self._guarded()
        self._tell("armed", kind=self._guard.kind, seconds=self._guard.seconds, by=self._guard.what)

    def _guarded(self):
        """Whether the change goes back unless it is confirmed."""
        return self._guard is not None and self._guard.kind is not None

    def _configured(self):
        """What the device answered to lines that it took; nothing is typed in check mode."""
        if self._check:
            return None
        self._typing = True
        try:
            if platforms.writer(self._directory):
                changes.written(self._device, self._directory, self._before, self._change["after"], self._change["signed"],
                                self._guarded() and self._guard.apply())
                return []
            return changes.typed(
                self._device, self._platform, self._directory, self._change["lines"], self._guarded() and self._guard.end())
        finally:
            if self._guarded():
                self._guard.typed()

    def _reached(self):
        """A session that is open may live on where none can be begun any more. It ends only after another one has begun, for it may be the
        only way to go back."""
        try:
            other, _ = ssh.log_in(self._login(), time.monotonic() + self._login()["connectSeconds"], "networkOs" in self._platform)
        except ssh.Fault as fault:
            raise DeviceError(login.coded(fault.code, fault)) from None
        except Exception as fault:
            raise DeviceError(login.coded("connection_closed", f"The device ended the login ({type(fault).__name__}).")) from None
        other.close()
        self._device.anew()
        self._device.send_command(self._platform["commands"]["version"])

    def _watched(self):
        """The devices of a wave are confirmed together, or none is. A device is ready once everything has held for as long as the run says,
        and watches on while it waits for the others, whose changes may cost it something, too. What is lost has that long to come back, and
        some seconds at least."""
        soak, ready = self._asked.get("soakSeconds") or 0, False
        held = missed = time.monotonic()
        while halt.verdict(self._variables) != halt.CONFIRM:
            lost, now = lifelines.lost(self._lines, self._lifelines(), self._asked.get("lost") or {}), time.monotonic()
            if lost:
                missed = missed or now
                if now - missed >= max(soak, RETURN):
                    raise DeviceError(f"[netautomation:lifeline_lost] {lost}")
                if ready:
                    self._tell("unready")
                held, ready = None, False
            else:
                held, missed = held or now, None
                if not ready and now - held >= soak:
                    self._tell("waits")
                    ready = True
            self._pause(LOOKS if lost or ready else min(LOOKS, max(1, soak - (now - held))))

    def _pause(self, seconds):
        """Unless the change is to go back."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if halt.asked() or halt.verdict(self._variables) == halt.BACK or self._guard.over():
                raise DeviceError("[netautomation:not_confirmed] the change was not confirmed")
            if halt.verdict(self._variables) == halt.CONFIRM:
                return
            time.sleep(0.02)

    def _confirmed(self):
        """Where the answer is lost, a new session tells."""
        try:
            return self._guard.confirm()
        except DeviceError as fault:
            if "[netautomation:task_failed]" in str(fault):
                raise
        self._device.anew()
        if self._guard.armed():
            return self._guard.confirm()
        if self._digest(self._device.read_configuration()) != self._wanted:
            raise DeviceError("[netautomation:task_failed] the change was not confirmed in time")

    def _digest(self, text):
        return hashlib.sha256(self._grammar.normalised(text).encode("utf-8", "surrogateescape")).hexdigest()

    def _login(self):
        return login.device(self._variables["ansible_host"])

    def _looked(self):
        """What a run that was cut off has left: what was to stay is confirmed and saved, and all else goes back. A timer that runs when
        ours must be over is somebody else's."""
        known, left = self._variables["look"], guard.Guard(self._device, self._platform, self._directory, 0, {})
        before = _text(known["text"] or "")
        state, armed = self._step("Look what the device has", self._seen, known, left)
        if armed and not known["ours"]:
            if state == "as_before":
                self._tell("reverted")
        elif armed and not known["stays"]:
            self._typing = True
            self._step("Go back", left.take_back, before, changed=True)
            self._tell("reverted")
        elif known["stays"] and state == "as_wanted":
            self._typing = True
            if armed:
                self._step("Confirm", self._stays, known, left)
            self._save()
            self._tell("kept")
        elif armed:
            pass  # it goes back by itself
        elif state == "as_before":
            # Lines that never took effect would wait in their session for whoever ends it.
            if "abort" in self._platform["commands"]:
                self._step("Discard what was typed", self._discard)
            if known["stays"]:
                # It may have been saved before somebody took it back.
                self._save()
            self._tell("reverted")
        elif known["putsBack"] and not known["stays"]:
            self._typing = True
            self._step("Go back", left.put_back, before, changed=True)
            self._tell("reverted")
        return {"changed": False}

    def _seen(self, known, left):
        digest = self._digest(devices.configuration(self._device, self._platform)[0])
        state = "as_before" if digest == known["before"] else "as_wanted" if digest == known.get("wanted") else "other"
        armed = left.find()
        self._tell("looked", state=state, armed=armed)
        return state, armed

    def _stays(self, known, left):
        left.confirm()
        if self._digest(self._device.read_configuration()) != known["wanted"]:
            raise DeviceError("[netautomation:task_failed] the timer was faster than the confirmation")

    def _save(self):
        if "save" in self._platform["commands"]:
            self._step("Save", devices.save, self._device, self._platform, self._grammar)

    def _verified(self, said):
        """By what: the configuration is as wanted and otherwise as it was, and the effect is there, where the device can show it. Where
        nothing was typed, only the effect is looked at. A login that the block gives the device is proven first: where the device does not
        let it in, its text is of no use, and this session may be the only one."""
        if self._logs_in and (fault := proof.fault(
                self._variables, self._device, self._platform, {} if self._guarded() else self._change, self._before)):
            raise DeviceError(fault)
        if said is not None:
            after = self._device.read_configuration()
            self._wanted = self._digest(after)
            self._tell_text("after", after)
            fault = planning.unverified(self._before, after, self._part, self._input, self._directory) if self._restored is None \
                else planning.unrestored(after, self._restored, self._directory)
            if fault:
                raise DeviceError("[netautomation:task_failed] " + "\n".join([fault, *(f"the device said to {words}" for words in said)]))
        seen, wrong = self._look(platforms.effect(self._directory) if self._restored is None else None, said is not None)
        if wrong:
            raise DeviceError("[netautomation:task_failed] the device is configured, and does not do it: " + "; ".join(
                map(self._grammar.masked, wrong)))
        # A login is what its line does, and it was proven before.
        return {"verified": "effect" if seen or self._logs_in else "config"}

    def _look(self, effect, typed):
        if effect is None:
            return False, []
        intent = planning.intent(self._part, self._input, self._directory)
        for pause in (*PAUSES, 0):
            try:
                seen, wrong = effect(*intent, self._device.send_command)
            except (DeviceError, AttributeError, LookupError, TypeError, ValueError):
                return False, []  # a device that does not answer such a question, or in another form, is judged by its configuration
            if not wrong and (seen or not typed or pause != PAUSES[0]):
                return seen, []
            time.sleep(pause)
        return seen, wrong

    def _recover(self):
        """A refused line, or a session that ended, leaves as little of a change as the device allows."""
        if not self._typing:
            return
        if self._guarded():
            try:
                self._step("Go back", self._gone_back)
                self._tell("reverted")
            except Failed:
                pass  # the device does so by itself, where it is hard
            return
        steps = []
        if "abort" in self._platform["commands"]:
            # It takes no effect even where this fails, and the next change begins with it.
            steps.append(("Discard what was typed", self._discard, True))
        if "after" in self._change:
            # Where the device takes a text, none of a change is better than a part of it.
            steps.append(("Put back what was before", self._put_back, False))
        if self._logs_in and self._change.get("back"):
            steps.append(("Take back the login", self._take_back, False))
        for name, act, ignored in steps:
            try:
                self._step(name, act, ignored=ignored)
            except Failed:
                if not ignored:
                    return

    def _discard(self):
        self._over_any(lambda: devices.abort(self._device, self._platform))

    def _gone_back(self):
        try:
            self._guard.back()
        except DeviceError as fault:
            if "[netautomation:task_failed]" in str(fault):
                raise
            self._device.anew()
            self._guard.back()
        return True

    def _put_back(self):
        return changes.put_back(self._device, self._directory, self._change, self._before)

    def _take_back(self):
        taken = self._over_any(
            lambda: changes.taken_back(self._device, self._platform, self._directory, self._change, self._before))
        if self._saving:
            self._device.send_command(self._platform["commands"]["save"])
        return taken

    def _over_any(self, act):
        """Over the session that is open, for there may be no other way in; otherwise over a new one, which gets in by whichever password
        the device has. A refused line leaves the open one in a mode that not every command is taken in."""
        if not self._gone:
            try:
                return act()
            except DeviceError:
                pass
        self._device.anew()
        self._gone = False
        return act()

    def _step(self, name, act, *arguments, changed=None, diff="", ignored=False):
        """Does a step and tells of it. changed: whether it changes the device; None where the act answers that."""
        if not self._typing and halt.asked():
            raise Stopped
        self._tell("begins", step=name)
        try:
            answer = act(*arguments)
        except Stopped:
            raise
        except (DeviceError, shell.Refused) as fault:
            words = str(fault)
        except Exception as fault:
            print(f"{name}: {_place(fault)}", file=sys.stderr)
            words = f"[netautomation:internal_error] the engine failed ({type(fault).__name__})"
        else:
            self._tell("ends", step=name, status="ok", changed=answer is True if changed is None else changed, diff=diff, **self._reverts())
            return answer
        self._gone = bool(_GONE.search(words))
        self._tell("ends", step=name, status="failed", changed=bool(changed), diff=diff, text=words, ignored=ignored, **self._reverts())
        raise Failed(f"{name}: {words}")

    def _reverts(self):
        left = self._guard.left() if self._guarded() else None
        return {} if left is None else {"reverts_at": left}

    def _tell_text(self, which, text):
        self._tell("text", which=which, text=self._grammar.normalised(text))

    def _tell(self, kind, /, **members):
        # The queue by which this process hands over its result, so that nothing overtakes anything.
        Display()._final_q.send_callback("netautomation_told", self._variables["inventory_hostname"], kind, **members)


def _text(given):
    """A text as the job has it."""
    return base64.b64decode(given).decode("utf-8", "surrogateescape")


def _place(fault):
    return f"{type(fault).__name__} at {traceback.extract_tb(fault.__traceback__)[-1]}"
