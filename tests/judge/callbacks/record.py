# SPDX-License-Identifier: GPL-3.0-or-later
"""One JSON line for each task's result, in the file that JUDGE_RECORD names."""
import json
import os

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    CALLBACK_VERSION, CALLBACK_TYPE, CALLBACK_NAME = 2.0, "stdout", "record"

    def _record(self, result, outcome, ignored=False):
        content = result._result
        parts = [content.get("msg"), content.get("assertion"), content.get("module_stderr")]
        line = {
            "case": result._host.get_name(), "outcome": outcome, "ignored": ignored, "changed": bool(content.get("changed")),
            "task": result._task.get_name(), "action": result._task.action, "path": result._task.get_path(),
            "said": " | ".join(str(part) for part in parts if part)[:600] if outcome != "ok" else "",
            "result": {part: content[part] for part in ("commands", "before", "after", "gathered", "stdout") if part in content}}
        with open(os.environ["JUDGE_RECORD"], "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def v2_runner_on_ok(self, result):
        self._record(result, "ok")

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._record(result, "failed", ignore_errors)

    def v2_runner_on_unreachable(self, result):
        self._record(result, "failed")

    def v2_runner_on_skipped(self, result):
        self._record(result, "skipped")
