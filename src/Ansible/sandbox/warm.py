# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible inside the first program of a sandbox: imported before the job arrives, then run in forks of that program.

This removes the main costs of ansible-core 2.14 on network devices: its own import, a new Python for the connection of every task and
host (ansible-connection, also for tasks that touch no device), a check of every host each millisecond, a look for files of variables at
each task, and a process for tasks that only compute. Where one task alone dials, its own process has the session. The playbook itself runs
as before. The patches depend on internals of ansible-core: with Execution:Warm=false the stock ansible-playbook runs instead, and tests
run both."""
import collections
import gc
import importlib
import importlib.util
import io
import json
import os
import pickle
import signal
import sys
import threading
import time

import platforms

# Modules that runs need, besides those that the platforms name. A module that is missing here is imported during the run.
AHEAD = (
    "ansible.executor.playbook_executor", "ansible.executor.task_executor", "ansible.plugins.strategy.free",
    "ansible.plugins.action.normal", "ansible.plugins.action.set_fact", "ansible.plugins.action.assert", "ansible.plugins.action.fail",
    "ansible.modules.setup", "ansible.cli.scripts.ansible_connection_cli_stub", "jinja2.nodes", "paramiko", "yaml",
    "ansible_collections.ansible.netcommon.plugins.connection.network_cli", "ansible_collections.ansible.netcommon.plugins.action.network",
    "ansible_collections.ansible.netcommon.plugins.action.cli_command", "ansible_collections.ansible.netcommon.plugins.modules.cli_command",
)
# The engine's own actions.
ACTIONS = ("carry_out", "observe", "read_configuration", "save")
# Tasks that touch no device.
LOCAL = {
    "add_host", "assert", "debug", "fail", "group_by", "include_tasks", "include_vars", "pause", "set_fact", "set_stats",
    "validate_argument_spec"}
# Of these, those that only compute.
COMPUTED = {"assert", "debug", "fail", "include_tasks", "set_fact"}


def load(patch, directories):
    """Imports Ansible and what the platforms in these folders need, and patches it. Runs in the process that will be forked, before it
    has any thread."""
    # Ansible looks for its other programs in this directory.
    sys.argv = ["/usr/bin/ansible-playbook"]
    spec = importlib.util.spec_from_file_location("netautomation_patch", patch + "/sitecustomize.py")
    guard = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(guard)
    import ansible.cli.playbook  # noqa: F401  brings the collections' importer
    for name in (*AHEAD, *(name for directory in directories for name in platforms.modules(directory))):
        try:
            importlib.import_module(name)
        except ImportError as fault:
            print(f"not loaded ahead: {name}: {fault}", file=sys.stderr)
    network_cli = sys.modules["ansible_collections.ansible.netcommon.plugins.connection.network_cli"]
    guard.guard(network_cli)
    from ansible.plugins import loader
    loader.connection_loader.get("ansible.netcommon.network_cli", class_only=True)
    loader.connection_loader.get("ssh", class_only=True)
    loader.connection_loader.get("commands", class_only=True)
    loader.strategy_loader.get("free", class_only=True)
    for name in ACTIONS:
        loader.action_loader.get(name, class_only=True)
    for plugins in (loader.become_loader, loader.cache_loader, loader.callback_loader, loader.connection_loader,
                    loader.inventory_loader, loader.vars_loader):
        list(plugins.all(class_only=True))
    for plugins in (loader.filter_loader, loader.test_loader):
        list(plugins.all())
    import work
    for directory in directories:
        work.know(directory)
    _patch()
    gc.collect()
    gc.freeze()


def play(arguments, directory, events):
    """ansible-playbook with these arguments, in this process; its exit code."""
    from ansible.cli.playbook import PlaybookCLI
    os.chdir(directory)
    os.environ["NETAUTOMATION_EVENTS"] = str(events)
    sys.argv = ["/usr/bin/ansible-playbook", *arguments]
    try:
        cli = PlaybookCLI(sys.argv)
        cli.parse()
        return cli.run() or 0
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    except BaseException as fault:
        # As ansible-playbook does: the message on stderr, and a code that is no count of hosts.
        print(f"ERROR! {fault}", file=sys.stderr)
        return 250


def _patch():
    import ansible.executor.task_executor as executor
    from ansible.plugins.loader import action_loader

    stock = executor.TaskExecutor._execute
    find = executor.TaskExecutor._get_action_handler_with_module_context

    def execute(self, variables=None):
        # A worker is forked for each task and host, so this reaches no other task.
        local = self._task.action.rsplit(".", 1)[-1] in LOCAL or self._task.vars.get("own_session")
        executor.start_connection = (lambda *_: None) if local else _connection
        return stock(self, variables)

    def handler(self, connection, templar):
        found, module = find(self, connection, templar)
        # Without an action plugin of their own, a platform's modules would each be packed and run by a new Python. netcommon's action
        # runs them in the worker, as it does for platforms that have an action plugin.
        collection = (self._play_context.network_os or "").rpartition(".")[0]
        if type(found).__module__ == "ansible.plugins.action.normal" and collection and self._task.action.startswith(collection + "."):
            found = action_loader.get(
                "ansible.netcommon.network", task=self._task, connection=connection, play_context=self._play_context, loader=self._loader,
                templar=templar, shared_loader_obj=self._shared_loader_obj)
        return found, module

    executor.TaskExecutor._execute = execute
    executor.TaskExecutor._get_action_handler_with_module_context = handler
    _compute_here(executor.TaskExecutor)
    _wait_for_results()
    _miss_workers()
    _leave_at_once()
    _without_vars_plugins()


def _compute_here(executor):
    """Tasks that only compute need no process: a fork of this one costs more than they do."""
    import work
    from ansible.executor.process.worker import WorkerProcess
    forked = WorkerProcess.start

    def start(self):
        name = self._task.action.rsplit(".", 1)[-1]
        if name == "carry_out":
            work.ready(self._task_vars["block_part"], self._task_vars["platform"]["directory"])
            gc.freeze()  # a collection in the fork would copy all of this process
        if name not in COMPUTED:
            return forked(self)
        # A worker's changes end with its process; here copies take its place.
        task = self._task.copy(exclude_parent=True, exclude_tasks=True)
        task._parent = self._task._parent
        with open(os.devnull) as stdin:
            result = executor(
                self._host, task, dict(self._task_vars), self._play_context, stdin, self._loader, self._shared_loader_obj,
                self._final_q).run()
        self._final_q.send_task_result(self._host.name, self._task._uuid, result, task_fields=task.dump_attrs())

    WorkerProcess.start = start


def _wait_for_results():
    """Strategies check every host each millisecond. Here they sleep until a result arrives."""
    import ansible.plugins.strategy as base
    import ansible.plugins.strategy.free as free
    from ansible import constants
    arrived = threading.Event()

    class Results(collections.deque):
        def append(self, result):
            super().append(result)
            arrived.set()

        def popleft(self):
            result = super().popleft()
            # After a result is handled, the strategy must look for the host's next task before it sleeps.
            arrived.set()
            return result

    class Time:
        def __getattr__(self, name):
            return getattr(time, name)

        def sleep(self, seconds):
            if seconds != constants.DEFAULT_INTERNAL_POLL_INTERVAL:
                return time.sleep(seconds)
            # The wait is short: a dead worker, a stop and the end of the last host send no result.
            arrived.wait(0.02)
            arrived.clear()

    meta = base.StrategyBase._execute_meta

    def execute_meta(self, *args, **options):
        # Meta tasks end here and send no result.
        arrived.set()
        return meta(self, *args, **options)

    base.StrategyBase._execute_meta = execute_meta
    base.deque = Results
    base.time = free.time = Time()


def _miss_workers():
    """A worker that died, for want of memory for example, sends no result, and nobody asks for it. Here its task fails."""
    from ansible.executor.task_result import TaskResult
    from ansible.plugins.strategy import StrategyBase
    stock = StrategyBase._process_pending_results

    def missed(strategy, worker):
        """Whether its host still waits for it, a second after it died: what it sent last may be on its way."""
        if not worker or not worker.exitcode or not strategy._blocked_hosts.get(worker._host.name):
            return False
        return time.monotonic() - worker.__dict__.setdefault("died", time.monotonic()) > 1

    def process(self, iterator, *arguments, **options):
        for place, worker in enumerate(self._workers):
            if missed(self, worker):
                self._workers[place] = None
                text = f"[netautomation:internal_error] the process of the device ended early ({worker.exitcode})"
                result = TaskResult(
                    worker._host.name, worker._task._uuid, {"failed": True, "msg": text}, task_fields=worker._task.dump_attrs())
                self.normalize_task_result(result)
                with self._results_lock:
                    self._results.append(result)
        return stock(self, iterator, *arguments, **options)

    StrategyBase._process_pending_results = process


def _leave_at_once():
    """A play ends by closing its sessions one after the other. Here they close at the same time."""
    from concurrent.futures import ThreadPoolExecutor
    from ansible.module_utils.connection import Connection, ConnectionError
    from ansible.plugins.strategy import StrategyBase
    stock = StrategyBase.cleanup

    def close(path):
        try:
            Connection(path).reset()
        except ConnectionError:
            pass  # it is closed already

    def cleanup(self):
        with ThreadPoolExecutor(32) as pool:
            list(pool.map(close, self._active_connections.values()))
        self._active_connections = {}
        stock(self)

    StrategyBase.cleanup = cleanup


def _without_vars_plugins():
    """All variables come with the job. Ansible looks for files with more of them at each task, host and group."""
    import ansible.vars.manager as manager
    manager.get_vars_from_path = manager.get_vars_from_inventory_sources = lambda *_: {}


def _connection(play_context, options, task_uuid):
    """Replaces ansible.executor.task_executor.start_connection: finds the host's connection process, or forks it from here."""
    from ansible import constants
    from ansible.cli.scripts import ansible_connection_cli_stub as stub
    from ansible.errors import AnsibleError
    from ansible.module_utils.connection import Connection, ConnectionError
    from ansible.playbook.play_context import PlayContext
    from ansible.plugins.loader import connection_loader
    from ansible.utils.path import makedirs_safe, unfrackpath

    playbook = str(os.getppid())
    directory = unfrackpath(constants.PERSISTENT_CONTROL_PATH_DIR)
    makedirs_safe(directory)
    control = connection_loader.get("ssh", class_only=True)._create_control_path(
        play_context.remote_addr, play_context.port, play_context.remote_user, play_context.connection, playbook)
    path = unfrackpath(control % {"directory": directory})
    context = play_context.serialize()
    if os.path.exists(path):
        connection = Connection(path)
        try:
            connection.set_options(direct=options)
            connection.update_play_context(pickle.dumps(context, protocol=0).decode())
            connection.set_check_prompt(task_uuid)
        except ConnectionError as fault:
            # Only network_cli has the last two.
            if getattr(fault, "code", None) != -32601:
                raise AnsibleError(str(fault)) from fault
        connection.pop_messages()
        return path

    reader, writer = os.pipe()
    own = PlayContext()
    own.deserialize(context)
    if stub.fork_process() == 0:
        _serve(stub, own, options, path, task_uuid, playbook, writer)
    os.close(writer)
    with os.fdopen(reader) as answer:
        text = answer.read()
    result = json.loads(text) if text else {"error": "the connection process ended early"}
    if "error" in result:
        raise AnsibleError(result["error"])
    return path


def _serve(stub, context, options, path, task_uuid, playbook, writer):
    """The connection process of one host. Never returns."""
    # The open descriptors belong to the worker. Each is redirected and not closed: an object that owns a number would close it later,
    # when the number belongs to another file.
    null = os.open(os.devnull, os.O_RDWR)
    for number in [int(name) for name in os.listdir("/proc/self/fd")]:
        if number > 2 and number not in (writer, null):
            try:
                os.dup2(null, number, inheritable=False)
            except OSError:
                pass
    for number in (signal.SIGALRM, signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, signal.SIG_DFL)
    # A worker is forked while Display's lock, which guards both streams, is held: a thread that writes to one here would wait for ever.
    sys.stdout, sys.stderr = io.StringIO(), io.StringIO()
    code = 0
    try:
        process = stub.ConnectionProcess(os.fdopen(writer, "w"), context, path, os.getcwd(), task_uuid, playbook)
        process.start(options)
        process.run()
    except BaseException:
        code = 1
    os._exit(code)
