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
import difflib
import fcntl
import json
import os
import signal

from ansible.parsing.ajson import AnsibleJSONEncoder
from ansible.plugins.callback import CallbackBase
from ansible.plugins.strategy import StrategyBase

# Far above the limits of the service, so that the service's own cut, made after masking secrets, takes effect first.
TEXT, DIFF, RESULT, ARTIFACT, PIECE = 64 << 10, 384 << 10, 64 << 10, 8 << 20, 96 << 10


def _soft_stop():
    """After SIGUSR1 running tasks finish, and no further task starts on any device."""
    stopped = []
    signal.signal(signal.SIGUSR1, lambda *_: stopped.append(True))
    left = StrategyBase.get_hosts_left
    StrategyBase.get_hosts_left = lambda self, iterator: [] if stopped else left(self, iterator)


def _cut(text, limit):
    return text if len(text) <= limit else text[:limit] + f"\n[cut: {len(text) - limit} more characters]"


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


def _is_include(task):
    """Including the block's tasks is no task of the block, and is reported only if it fails."""
    return task.action.rsplit(".", 1)[-1] == "include_tasks"


class CallbackModule(CallbackBase):
    CALLBACK_VERSION, CALLBACK_TYPE, CALLBACK_NAME = 2.0, "stdout", "netautomation"

    def __init__(self):
        super().__init__()
        self._fd = int(os.environ["NETAUTOMATION_EVENTS"])
        # Neither modules nor connection processes may inherit it: the reader takes its end for the end of the run.
        os.set_inheritable(self._fd, False)
        # Several processes may share a run, and a line longer than PIPE_BUF is not written in one piece.
        self._lock = open(os.path.expanduser("~/events.lock"), "w")
        _soft_stop()

    def _put(self, event, **members):
        line = json.dumps({"event": event, **members}, cls=AnsibleJSONEncoder, separators=(",", ":")).encode() + b"\n"
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        while line:
            line = line[os.write(self._fd, line):]
        fcntl.flock(self._lock, fcntl.LOCK_UN)

    def _result(self, status, result, **members):
        host, task, values = result._host.get_name(), result._task, result._result
        hidden = task.no_log is True or "censored" in values
        text = ""
        if status in ("failed", "unreachable", "retry") or task.action.rsplit(".", 1)[-1] == "debug":
            text = "the output is hidden" if hidden else "\n".join(
                str(values[key]) for key in ("msg", "stderr", "module_stderr", "module_stdout") if values.get(key))
        self._put("task", device=host, task=_cut(task.get_name().strip(), 200), status=status, changed=bool(values.get("changed")),
                  text=_cut(text, TEXT), diff="" if hidden else _cut(_diff(values.get("diff")), DIFF), **members)
        if not hidden and status == "ok" and task.action.rsplit(".", 1)[-1] == "set_fact":
            self._handed_over(host, values.get("ansible_facts") or {})

    def _handed_over(self, host, facts):
        """A block hands over its results in block_artifacts and block_result; block_result comes last and means done."""
        for name, text in (facts.get("block_artifacts") or {}).items():
            data = str(text).encode()[:ARTIFACT]
            for at in range(0, max(len(data), 1), PIECE):
                self._put("artifact", device=host, name=str(name)[:100], data=base64.b64encode(data[at:at + PIECE]).decode())
        if "block_result" in facts:
            result = facts["block_result"]
            if len(json.dumps(result, cls=AnsibleJSONEncoder)) > RESULT:
                result = {"truncated": True}
            self._put("result", device=host, result=result)

    def v2_playbook_on_play_start(self, play):
        self._put("play")

    def v2_runner_on_start(self, host, task):
        if _is_include(task):
            return
        self._put("start", device=host.get_name(), task=_cut(task.get_name().strip(), 200))

    def v2_runner_on_ok(self, result):
        if not _is_include(result._task):
            self._result("ok", result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._result("failed", result, ignored=bool(ignore_errors))

    def v2_runner_on_unreachable(self, result):
        self._result("unreachable", result)

    def v2_runner_on_skipped(self, result):
        self._result("skipped", result)

    def v2_runner_retry(self, result):
        self._result("retry", result)

    def v2_playbook_on_stats(self, stats):
        self._put("stats", devices={host: stats.summarize(host) for host in stats.processed})
