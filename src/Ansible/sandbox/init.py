#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first program of a sandbox. Descriptor 6: the job as one JSON line, later lines are commands: "stop", and what becomes of the
change of a device: "go", "confirm" or "back", and its name. Descriptor 7: events as JSON lines. stderr: diagnostics. Arguments and
environment variables never hold secrets. With --warm PLATFORM... it imports Ansible and the modules of these platforms before it reads
the job, so that a sandbox can wait for one.

Only the processes that run the block's play write events. Programs that a block starts are of the same user, so these processes are not
"dumpable": nobody else opens their descriptors and memory by /proc."""
import base64
import concurrent.futures
import ctypes
import functools
import json
import mmap
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

ENGINE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "engine")
sys.path[:0] = [os.path.dirname(os.path.abspath(__file__)), ENGINE]
import halt  # noqa: E402
import link  # noqa: E402
import platforms  # noqa: E402

warm = None
if sys.argv[1:2] == ["--warm"]:
    import warm

HOME = "/home/run"
# Devices of one process, and the bits of ansible-playbook's exit code that report failed and unreachable devices.
SHARE, DEVICE_FAULTS = 25, 14
# Seconds for a look at a host key and for a login, where neither the device nor its platform says otherwise.
LOOK, LOGIN = 15, 30
# Not stdin and stdout, which the first process of the namespace, bubblewrap's own, would hold as well.
_commands, _events = 6, 7
_ansible, _stopped, _verdicts = None, [], {}
_lock = threading.Lock()


def close_to_others():
    """PR_SET_DUMPABLE 0, and no program inherits the descriptors. A fork keeps both; a program that is executed is open again."""
    if ctypes.CDLL(None, use_errno=True).prctl(4, 0, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
    for number in (_commands, _events):
        os.set_inheritable(number, False)


def put(event, **members):
    line = json.dumps({"event": event, **members}).encode() + b"\n"
    with _lock:  # Ansible writes to the same pipe, but only while no other thread here does
        while line:
            line = line[os.write(_events, line):]


# --- the link: every 127.x address stands for one device ---

def _pump(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        pass
    try:
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def _forward(client):
    try:
        stream = link.dial(client.getsockname()[0])
    except OSError:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset: the dialler sees it at once
        client.close()
        return
    back = threading.Thread(target=_pump, args=(stream, client), daemon=True)
    back.start()
    _pump(client, stream)
    back.join()
    client.close()
    stream.close()


def listen():
    server = socket.create_server(("0.0.0.0", link.PORT), backlog=512)

    def accept():
        while True:
            try:
                client = server.accept()[0]
            except OSError:
                time.sleep(0.1)  # no descriptor is left: others will end
                continue
            try:
                threading.Thread(target=_forward, args=(client,), daemon=True).start()
            except RuntimeError:
                client.close()

    threading.Thread(target=accept, daemon=True).start()


# --- host keys: always checked before anything secret is sent ---

def admit(device):
    """True once the pinned key is known as a whole; false after saying why the device is left out."""
    import ssh
    name, line = device["name"], device.get("hostKey")
    try:
        if line:
            line = " ".join(line.split()[:2])
            if ssh.fingerprint(line) != device["hostKeySha256"]:
                raise ssh.Fault("host_key_mismatch", "the device showed another host key than the pinned one")
        else:
            session = ssh.connect(device, time.monotonic() + (device["options"].get("connectSeconds") or LOOK), "key")
            session.close()
            line = session.key
        put("host_key", device=name, hostKey=line)
        device["hostKey"] = line
        if device.get("pendingPassword") is not None:
            settle(ssh, device)
        return True
    except ssh.Fault as fault:
        put("excluded", device=name, code=fault.code, text=str(fault))
    except Exception as fault:
        if link.exhausted(fault):
            put("excluded", device=name, code="sandbox_failed", text=str(ssh.no_room(fault)))
        else:
            put("excluded", device=name, code="host_key_mismatch", text=f"the host key could not be read: {type(fault).__name__}")
    return False


def settle(ssh, device):
    """Finds out which of its two passwords the device takes, and goes on with that one first."""
    until = time.monotonic() + (device["options"].get("connectSeconds") or LOGIN)
    session, pending = ssh.let_in(ssh.connect(device, until), device, until)
    session.close()
    if pending is not None:
        put("login", device=device["name"], pending=pending)
    if pending:
        device["password"], device["pendingPassword"] = device["pendingPassword"], device["password"]


# --- one run ---

def private(path, text, mode=0o600):
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(text if isinstance(text, bytes) else text.encode())
    return path


def unpack(files):
    """The block of this job, which comes with it: no sandbox sees another's."""
    for name, content in files.items():
        private(f"{HOME}/block/{name}", base64.b64decode(content), 0o400)
    for directory, _, _ in os.walk(f"{HOME}/block"):
        os.chmod(directory, 0o500)
    return f"{HOME}/block"


def unsafe(text):
    return {"__ansible_unsafe": text}


def variables(device, platform):
    """Ansible's variables of one device, besides those of its platform. What the login needs stands in a file of its own."""
    options, terminal = device["options"], platform.get("terminal") or {}
    login = {**device, "prompt": options.get("prompt"), "program": terminal.get("shell") if options.get("shell") else None,
             "connectSeconds": options.get("connectSeconds") or terminal.get("loginSeconds") or LOGIN}
    private(f"{HOME}/login/{device['address']}", json.dumps(login))
    values = {"ansible_host": device["address"], "ansible_port": link.PORT, "ansible_user": unsafe(device["username"])}
    if device.get("planned"):
        values["planned"] = device["planned"]
    values |= {name: device[name] for name in ("look", "restored") if device.get(name)}
    if options.get("commandSeconds"):
        values["ansible_command_timeout"] = options["commandSeconds"]
    if options.get("firstQuestion"):
        values |= platforms.first_question(unsafe(options["firstQuestion"]), unsafe(options.get("firstAnswer") or ""))
    if device.get("enable"):
        values |= platforms.privileged(platform)
    return values


class Unknown(Exception):
    pass


def plays(block, directory):
    """(play, variables) of the block on one platform; the play is lines, text or tasks."""
    try:
        platform = platforms.read(directory)
        connect = platforms.CONNECTIONS[platform["connection"]]
    except (KeyError, OSError, TypeError) as fault:
        raise Unknown(f"this worker does not know the device's platform: {type(fault).__name__}") from None
    part = f"{block}/platforms/{platform['name']}.yml"
    content = platforms.load(part)
    play = "tasks" if isinstance(content, list) or "tasks" in content else "text" if "artifact" in content else "lines"
    if "tasks" in content:
        # Ansible includes a file that holds tasks and nothing else.
        part = private(f"{HOME}/job/{platform['name']}.json", json.dumps(content["tasks"]))
    return play, {**connect(platform), "platform": {"directory": directory, "commands": platform["commands"]}, "block_part": part,
                  **({"block_artifact": content["artifact"]} if play == "text" else {})}


def inventory(block, devices, guarded):
    """(hosts and groups, the plays they need). A device that cannot be played is excluded alone, with its reason. guarded: only the
    engine's own steps take a change back."""
    known, hosts, groups = {}, {}, {}
    for device in devices:
        name, directory = device["name"], device["platform"]
        try:
            if directory not in known:
                known[directory] = (f"platform_{len(known)}", *plays(block, directory))
            group, play, shared = known[directory]
            if (guarded or device.get("look")) and play == "tasks":
                put("excluded", device=name, code="guard_unsupported", text="the block does its work by tasks of its own on this platform")
                continue
            hosts[name] = variables(device, platforms.read(directory))
        except Unknown as fault:
            put("excluded", device=name, code="unknown_platform", text=str(fault))
        except Exception as fault:
            put("excluded", device=name, code="internal_error", text=f"the block cannot be played: {type(fault).__name__}: {fault}")
        else:
            groups.setdefault(group, {"hosts": {}, "vars": shared})["hosts"][name] = None
            groups.setdefault(f"play_{play}", {"hosts": {}})["hosts"][name] = None
    return {"all": {"hosts": hosts, "children": groups}}, sorted({f"{ENGINE}/{play}.yml" for _, play, _ in known.values()})


def run(job):
    with concurrent.futures.ThreadPoolExecutor(min(len(job["devices"]), 32)) as pool:
        admitted = list(pool.map(admit, job["devices"]))
    devices = [device for device, good in zip(job["devices"], admitted) if good]
    if not devices or _stopped:
        return 0
    block = unpack(job["block"])
    known, playbooks = inventory(block, devices, bool(job.get("guard")))
    playable = list(known["all"]["hosts"])
    if not playable:
        return 0
    given = {"block_input": job["input"], **({"block_login": job["login"]} if job.get("login") else {})}
    if job.get("guard"):
        given |= {"guard": job["guard"], "verdicts": decide(known["all"]["hosts"])}
    hosts = private(f"{HOME}/job/inventory.json", json.dumps(known))
    extra = private(f"{HOME}/job/input.json", json.dumps(given))
    # Every device has a process of its own from the first task on, so a slow or dead one holds up no other. The few more forks are
    # for workers that have sent their result but still end.
    arguments = ["-i", hosts, "-e", f"@{extra}", "--diff", "--forks", str(len(playable) + 8)]
    if job["check"]:
        arguments.append("--check")
    return _ansible.play([*arguments, *playbooks], block, playable)


def decide(hosts):
    """The file in which each of these devices finds what becomes of its change."""
    path = private(f"{HOME}/job/verdicts", bytes(len(hosts)))
    with open(path, "r+b") as file:
        verdicts = mmap.mmap(file.fileno(), 0)
    for place, (name, values) in enumerate(hosts.items()):
        values["verdict_place"], _verdicts[name] = place, functools.partial(verdicts.__setitem__, place)
    return path


class Stock:
    """The installed ansible-playbook, as a program of its own."""

    def __init__(self, program):
        self._program, self._process = program, None

    def play(self, arguments, directory, _):
        self._process = subprocess.Popen(
            [self._program, *arguments], stdin=subprocess.DEVNULL, stdout=2, pass_fds=(_events,), cwd=directory,
            env={**os.environ, "NETAUTOMATION_EVENTS": str(_events), "PYTHONPATH": "/opt/ansible/patch"})
        if _stopped:
            self._process.kill()
        return self._process.wait()

    def stop(self):
        if self._process:
            self._process.send_signal(signal.SIGUSR1)


class Warm:
    """Ansible in forks of this process, made while it has no thread. The forks share the devices: one process keeps up with the tasks of
    a few dozen devices, not of a hundred."""

    def __init__(self, devices):
        self._plays = [self._fork() for _ in range(min(os.cpu_count() or 1, -(-devices // SHARE)))]

    @staticmethod
    def _fork():
        reader, writer = os.pipe()
        pid = os.fork()
        if pid:
            os.close(reader)
            return pid, writer
        os.close(writer)
        # Before the playbook runs, a stop can end the process at once.
        signal.signal(signal.SIGUSR1, lambda *_: os._exit(0))
        with os.fdopen(reader) as lines:
            line = lines.readline()
        os._exit(warm.play(*json.loads(line), _events) if line else 0)

    def play(self, arguments, directory, devices):
        for number, (_, writer) in enumerate(self._plays):
            own = devices[number::len(self._plays)]
            if own and not _stopped:
                # Every fork has the full inventory and runs only its share.
                limit = private(f"{HOME}/job/limit-{number}", "\n".join(own))
                os.write(writer, json.dumps([["--limit", f"@{limit}", *arguments], directory]).encode() + b"\n")
            os.close(writer)
        codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid, _ in self._plays]
        # Any other bit is a fault of the run itself.
        return next((code for code in codes if code & ~DEVICE_FAULTS), max(codes))

    def stop(self):
        for pid, _ in self._plays:
            try:
                os.kill(pid, signal.SIGUSR1)
            except ProcessLookupError:
                pass


def obey(commands):
    """The service holds the pipe open as long as it lives. When it ends, the service is gone and the run must end."""
    for command in commands:
        word, _, name = command.strip().partition(" ")
        if word == "stop":
            _stopped.append(True)
            if _ansible:
                _ansible.stop()
        elif name in _verdicts:
            _verdicts[name]({"go": halt.GO, "confirm": halt.CONFIRM, "back": halt.BACK}[word])
    os._exit(1)


# --- probes ---

def probe(job):
    import ssh  # once, not by each thread
    end = time.monotonic() + job["timeoutSeconds"]
    with concurrent.futures.ThreadPoolExecutor(len(job["devices"])) as pool:
        list(pool.map(lambda device: put("probe", device=device["name"], **look(ssh, device, end)), job["devices"]))


def look(ssh, device, end):
    """How far a login to the device comes; no fault of one device touches another."""
    until = min(end, time.monotonic() + (device["options"].get("connectSeconds") or LOGIN))
    code, text, key, session, pending = None, "", None, None, None
    try:
        session = ssh.connect(device, until)
        key = session.key
        session, pending = ssh.let_in(session, device, until)
    except ssh.Fault as fault:
        code, text, key = fault.code, str(fault), fault.key or key
    except Exception as fault:
        code, text = ("sandbox_failed", str(ssh.no_room(fault))) if link.exhausted(fault) else (
            "connection_closed", f"The device ended the login ({type(fault).__name__}).")
    stage = "auth" if session else "tcp" if code == "connect_timeout" else "ssh"
    if session:
        session.close()
    return {"stage": stage, "code": code, "text": text, "pending": pending, "hostKey": key,
            "hostKeySha256": ssh.fingerprint(key) if key else None}


def main():
    global _ansible
    os.umask(0o077)
    close_to_others()
    if warm:
        warm.load("/opt/ansible/patch", sys.argv[2:])
    commands = os.fdopen(_commands)
    line = commands.readline()
    if not line:
        return
    job = json.loads(line)
    _ansible = Warm(len(job["devices"])) if warm else Stock(job.get("ansiblePlaybook"))
    threading.stack_size(256 << 10)
    listen()
    threading.Thread(target=obey, args=(commands,), daemon=True).start()
    code = (probe if job["mode"] == "probe" else run)(job) or 0
    put("end", code=code)
    os._exit(0)


main()
