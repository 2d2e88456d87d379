# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-playbook for many plays on network devices: it imports the engine once and forks its connection processes, where the stock one
starts a new interpreter for each task, and starts none for a task that needs no device. What tasks do and answer is untouched."""
import io
import json
import os
import pickle
import signal
import sys

import ansible.cli.scripts.ansible_connection_cli_stub as stub
import ansible.constants as constants
import ansible.executor.task_executor as executor
from ansible.cli.playbook import PlaybookCLI
from ansible.module_utils._text import to_text
from ansible.module_utils.connection import Connection
from ansible.playbook.play_context import PlayContext
from ansible.plugins.loader import connection_loader
from ansible.utils.path import makedirs_safe, unfrackpath

WITHOUT_DEVICE = {"debug", "set_fact", "assert", "fail", "find", "file", "include_vars", "expect", "command", "stat", "pause"}


def connection_process(context, options, path, task, parent, answer):
    """The forked process: it keeps no descriptor of the playbook's but the one that it answers on."""
    null = os.open(os.devnull, os.O_RDWR)
    for number in map(int, os.listdir("/proc/self/fd")):
        if number > 2 and number not in (answer, null):
            try:
                os.dup2(null, number, False)
            except OSError:
                pass  # The descriptor of the listing itself.
    for each in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
        signal.signal(each, signal.SIG_DFL)
    sys.stdout = io.StringIO()
    code = 0
    try:
        process = stub.ConnectionProcess(os.fdopen(answer, "w"), context, path, os.getcwd(), task, parent)
        process.start(options)
        process.run()
    except BaseException:  # pylint: disable=broad-except
        code = 1
    os._exit(code)


def start_connection(play_context, options, task_uuid):
    parent = to_text(os.getppid())
    ssh = connection_loader.get("ssh", class_only=True)
    control = ssh._create_control_path(
        play_context.remote_addr, play_context.port, play_context.remote_user, play_context.connection, parent)
    folder = unfrackpath(constants.PERSISTENT_CONTROL_PATH_DIR)
    makedirs_safe(folder)
    path = unfrackpath(control % {"directory": folder})
    if os.path.exists(path):
        try:
            connection = Connection(path)
            try:
                connection.set_options(direct=options)
            except Exception:  # pylint: disable=broad-except
                pass  # As the stock one: a connection without options keeps those that it has.
            connection.update_play_context(to_text(pickle.dumps(play_context.serialize(), protocol=0)))
            connection.set_check_prompt(task_uuid)
            connection.pop_messages()
            return path
        except Exception:  # pylint: disable=broad-except
            os.unlink(path)
    reader, writer = os.pipe()
    context = PlayContext()
    context.deserialize(play_context.serialize())
    if stub.fork_process() == 0:
        connection_process(context, options, path, task_uuid, parent, writer)
    os.close(writer)
    with os.fdopen(reader) as answer:
        answered = answer.read()
    answered = json.loads(answered) if answered else {"error": "the connection process died"}
    if "error" in answered:
        raise executor.AnsibleError(answered["error"])
    return path


def main():
    execute = executor.TaskExecutor._execute

    def without(self, variables=None):
        # A process is forked for each task, so this reaches no other task.
        alone = self._task.action.rsplit(".", 1)[-1] in WITHOUT_DEVICE
        executor.start_connection = (lambda *_: None) if alone else start_connection
        return execute(self, variables)

    executor.TaskExecutor._execute = without
    playbook = PlaybookCLI(["/usr/bin/ansible-playbook", *sys.argv[1:]])
    playbook.parse()
    return playbook.run()


if __name__ == "__main__":
    sys.exit(main())
