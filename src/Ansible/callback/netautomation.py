# SPDX-License-Identifier: GPL-3.0-or-later
"""One JSON line per event to the descriptor named in NETAUTOMATION_EVENTS."""
DOCUMENTATION = """
name: netautomation
type: stdout
short_description: JSON lines to an inherited descriptor
description: JSON lines to an inherited descriptor
options: {}
"""
import base64
import ctypes
import difflib
import fcntl
import hashlib
import json
import os
import re
import signal
import sys

from ansible.parsing.ajson import AnsibleJSONEncoder
from ansible.plugins.callback import CallbackBase
from ansible.plugins.strategy import StrategyBase

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "engine"))
import halt  # noqa: E402
import templates  # noqa: E402
import text as device_text  # noqa: E402

# Far above the limits of the service, so that the service's own cut, made after masking secrets, takes effect first. The service does not
# read a line beyond LINE.
TEXT, DIFF, PIECE, LINE = 64 << 10, 384 << 10, 96 << 10, 1000 << 10
# Whoever knows why a device fails puts the code before the text, or beside it into the task's result.
CODE = re.compile(r"\[netautomation:([a-z_]+)\] ?")


def _soft_stop():
    """After SIGUSR1 running tasks finish, and no further task starts on any device, nor a change."""
    signal.signal(signal.SIGUSR1, lambda *_: halt.ask())
    left = StrategyBase.get_hosts_left
    StrategyBase.get_hosts_left = lambda self, iterator: [] if halt.asked() else left(self, iterator)


def _cut(text, limit):
    """The text, or so much of its beginning as is shorter than the limit in JSON."""
    size = len(json.dumps(text))
    kept = len(text) if size <= limit else limit * len(text) // size
    return text if kept == len(text) else text[:kept] + f"\n[cut: {len(text) - kept} more characters]"


def _diff(diffs):
    """Modules return diffs in two shapes: ready text, or before and after."""
    parts = []
    for diff in diffs if isinstance(diffs, list) else [diffs]:
        if not isinstance(diff, dict):
            continue
        if diff.get("prepared"):
            parts.append(str(diff["prepared"]).rstrip("\n"))
        elif diff.get("before") != diff.get("after"):
            before, after = (
                value.splitlines() if isinstance(value, str) else json.dumps(value, indent=1, sort_keys=True, default=str).splitlines()
                for value in (diff.get("before", ""), diff.get("after", "")))
            parts.append("\n".join(difflib.unified_diff(before, after, "before", "after", lineterm="")))
    return "\n".join(part for part in parts if part)


def _visible(value):
    """The value with valid text everywhere: device text may hold bytes that are not UTF-8."""
    if isinstance(value, str):
        return device_text.visible(value)
    if isinstance(value, dict):
        return {_visible(name): _visible(item) for name, item in value.items()}
    return [_visible(item) for item in value] if isinstance(value, (list, tuple)) else value


def _is_include(task):
    """Including the block's tasks is no task of the block, and is reported only if it fails."""
    return task.action.rsplit(".", 1)[-1] == "include_tasks"


class CallbackModule(CallbackBase):
    CALLBACK_VERSION, CALLBACK_TYPE, CALLBACK_NAME = 2.0, "stdout", "netautomation"

    def __init__(self):
        super().__init__()
        self._fd = int(os.environ["NETAUTOMATION_EVENTS"])
        # Nobody but this process may write events: the programs that it starts do not inherit the descriptor, its workers lose it, and
        # PR_SET_DUMPABLE 0 keeps other processes of the same user from opening it by /proc.
        if ctypes.CDLL(None, use_errno=True).prctl(4, 0, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "prctl")
        os.set_inheritable(self._fd, False)
        os.register_at_fork(after_in_child=self._leave)
        templates.close()
        self._artifacts = {}
        _soft_stop()

    def _leave(self):
        # Redirected and not closed: whoever closes the number later would close another file.
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, self._fd, inheritable=False)
        os.close(null)

    def _put(self, event, **members):
        line = json.dumps(
            {"event": event, **_visible(members)}, cls=AnsibleJSONEncoder, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
        if len(line) > LINE:
            raise ValueError(f"a message of {len(line)} bytes")
        # Several processes may share a run, and a line longer than PIPE_BUF is not written in one piece.
        fcntl.lockf(self._fd, fcntl.LOCK_EX)
        while line:
            line = line[os.write(self._fd, line):]
        fcntl.lockf(self._fd, fcntl.LOCK_UN)

    def _tell(self, host, act, /, *arguments, **members):
        """Ansible passes over a fault in here. What could not be told is told to be lost, for the device is not done without it."""
        try:
            act(host, *arguments, **members)
        except Exception as fault:
            self._put("lost", device=host, text=f"{type(fault).__name__}: {fault}"[:300])

    def _result(self, host, status, task, values, **members):
        hidden, action = task.no_log is True or "censored" in values, task.action.rsplit(".", 1)[-1]
        text = ""
        if status in ("failed", "unreachable", "retry") or action == "debug":
            # Never a module's output: it may hold what a device showed.
            text = "the output is hidden" if hidden else "\n".join(
                str(values[key]) for key in ("msg", "stderr", "module_stderr") if values.get(key))
        if action == "carry_out" and (status == "ok" or "steps" in values):
            # Its steps were told.
            if "handed_over" in values:
                self._handed_over(host, {"block_result": values["handed_over"]})
            elif "stopped" in values:
                self._done(host, task.get_name(), "skipped", False, "", "")
                self._put("over", device=host)
            elif status == "failed":
                self._put("over", device=host)
            return
        self._done(host, task.get_name(), status, bool(values.get("changed")), text, "" if hidden else _diff(values.get("diff")),
                   values.get("netautomation_code"), **members)
        if action == "carry_out":
            # No further word of this device comes, and others may wait for it.
            self._put("over", device=host)
        if not hidden and status == "ok" and action == "set_fact":
            self._handed_over(host, values.get("ansible_facts") or {})

    def _done(self, host, task, status, changed, text, diff, code=None, **members):
        self._put("task", device=host, task=_cut(task.strip(), 200), status=status, changed=changed,
                  code=code or next(iter(CODE.findall(text)), None), text=_cut(CODE.sub("", text), TEXT), diff=_cut(diff, DIFF), **members)

    def _step(self, host, kind, /, step=None, which=None, status=None, changed=False, text="", diff="", undo=None, **members):
        if kind == "begins":
            self._put("start", device=host, task=step)
        elif kind == "ends":
            self._done(host, step, status, changed, text, diff, **members)
        elif kind == "text":
            self._pieces("text", host, which, text.encode("utf-8", "surrogateescape"))
        elif kind in ("planned", "keep", "armed", "waits", "unready", "confirmed", "kept", "reverted", "looked"):
            self._put(kind, device=host, **members)
        else:
            self._handed_over(host, {"block_undo": undo})

    def _handed_over(self, host, facts):
        """A block hands over its results in block_artifacts and block_result; block_result comes last and means done. With it goes what
        was handed over before, so that nothing can be missing unseen."""
        for name, text in (facts.get("block_artifacts") or {}).items():
            data = str(text).encode("utf-8", "surrogateescape")
            self._artifacts.setdefault(host, {})[str(name)] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            self._pieces("artifact", host, str(name), data)
        if "block_undo" in facts:
            self._put("undo", device=host, undo=facts["block_undo"])
        if "block_result" in facts:
            self._put("result", device=host, result=facts["block_result"], artifacts=self._artifacts.get(host, {}))

    def _pieces(self, event, host, name, data):
        for at in range(0, max(len(data), 1), PIECE):
            self._put(event, device=host, name=name, first=at == 0, data=base64.b64encode(data[at:at + PIECE]).decode())

    def v2_playbook_on_play_start(self, play):
        self._put("play")

    def v2_runner_on_start(self, host, task):
        if _is_include(task):
            return
        self._put("start", device=host.get_name(), task=_cut(task.get_name().strip(), 200))

    def netautomation_told(self, host, kind, /, **members):
        """What a step of carry_out tells, from the process of its device."""
        self._tell(host, self._step, kind, **members)

    def v2_runner_on_ok(self, result):
        if not _is_include(result._task):
            self._ended("ok", result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._ended("failed", result, ignored=bool(ignore_errors))

    def v2_runner_on_unreachable(self, result):
        self._ended("unreachable", result)

    def v2_runner_on_skipped(self, result):
        self._ended("skipped", result)

    def v2_runner_retry(self, result):
        self._ended("retry", result)

    def _ended(self, status, result, **members):
        self._tell(result._host.get_name(), self._result, status, result._task, result._result, **members)

    def v2_playbook_on_stats(self, stats):
        self._put("stats", devices={host: stats.summarize(host) for host in stats.processed})
