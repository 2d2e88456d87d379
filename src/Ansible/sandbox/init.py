#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first program of a sandbox. stdin: the job as one JSON line, later lines are commands ("stop"). stdout: events as
JSON lines. stderr: diagnostics. Arguments and environment variables never hold secrets. With --warm PLATFORM... it imports Ansible and
the modules of these platforms before it reads the job, so that a sandbox can wait for one."""
import base64
import concurrent.futures
import hashlib
import io
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading

ENGINE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "engine")
sys.path[:0] = [os.path.dirname(os.path.abspath(__file__)), ENGINE]
import platforms  # noqa: E402

warm = None
if sys.argv[1:2] == ["--warm"]:
    import warm

LINK, PORT, HOME = "/run/link/sock", 2222, "/home/run"
# Devices of one process, and the bits of ansible-playbook's exit code that report failed and unreachable devices.
SHARE, DEVICE_FAULTS = 25, 14
KEY_TYPES = (("ssh-ed25519",), ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"),
             ("rsa-sha2-512", "rsa-sha2-256", "ssh-rsa"))
_events = os.dup(1)
_ansible, _stopped = None, []
_lock = threading.Lock()


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


def dial(link, where):
    link.connect(LINK)
    link.sendall(f"{where}\n".encode())
    if link.recv(1) != b"+":
        raise OSError("refused")


def _forward(client):
    address, port = client.getsockname()
    link = socket.socket(socket.AF_UNIX)
    try:
        dial(link, f"{address} {port}")
    except OSError:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset: the dialler sees it at once
        client.close()
        link.close()
        return
    back = threading.Thread(target=_pump, args=(link, client), daemon=True)
    back.start()
    _pump(client, link)
    back.join()
    client.close()
    link.close()


def listen():
    server = socket.create_server(("0.0.0.0", PORT), backlog=512)

    def accept():
        while True:
            threading.Thread(target=_forward, args=(server.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


# --- host keys: always checked before anything secret is sent ---

class Unreachable(Exception):
    pass


def fingerprint(blob):
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def open_transport(device, types, timeout):
    import paramiko
    connection = None
    try:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(timeout)
        dial(connection, f"{device['address']} {PORT} key")
        transport = paramiko.Transport(connection)
        transport.banner_timeout = transport.handshake_timeout = timeout
        known = transport.get_security_options().key_types
        transport.get_security_options().key_types = [name for name in types if name in known]
        transport.start_client(timeout=timeout)
        # A silent device ends that wait without an error; this line fails when there is no key to compare.
        transport.get_remote_server_key()
        return transport
    except paramiko.ssh_exception.IncompatiblePeer:
        connection.close()
        return None
    except Exception as fault:
        if connection:
            connection.close()
        raise Unreachable(f"no SSH server answered: {type(fault).__name__}") from None


def verified(device, timeout):
    """(transport, key line, matches): tries the kinds of key a device may have until one has the pinned fingerprint."""
    pin, last = device.get("hostKeySha256"), (None, None, False)
    for types in KEY_TYPES if pin else (sum(KEY_TYPES, ()),):
        transport = open_transport(device, types, timeout)
        if transport is None:
            continue
        key = transport.get_remote_server_key()
        line = f"{key.get_name()} {key.get_base64()}"
        if not pin or fingerprint(key.asbytes()) == pin:
            return transport, line, True
        transport.close()
        last = (None, line, False)
    return last


def admit(device):
    """The known_hosts line of a device, or None after saying why it is left out."""
    name = device["name"]
    try:
        line = device.get("hostKey")
        if line:
            line = " ".join(line.split()[:2])
            matches = fingerprint(base64.b64decode(line.split()[1])) == device["hostKeySha256"]
        else:
            transport, line, matches = verified(device, 15)
            if transport:
                transport.close()
        if matches:
            put("host_key", device=name, hostKey=line)
            return f"[{device['address']}]:{PORT} {line}\n"
        put("excluded", device=name, code="host_key_mismatch", text="the device showed another host key than the pinned one"
            if line else "the device has no host key of a supported kind")
    except Unreachable as fault:
        put("excluded", device=name, code="connect_timeout", text=str(fault))
    except Exception as fault:
        put("excluded", device=name, code="host_key_mismatch", text=f"the host key could not be read: {type(fault).__name__}")
    return None


# --- one run ---

def private(path, text):
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    return path


def unsafe(text):
    return {"__ansible_unsafe": text}


def variables(device):
    """Ansible's variables of one device, besides those of its platform."""
    values = {"ansible_host": device["address"], "ansible_port": PORT, "ansible_user": unsafe(device["username"])}
    if device.get("password") is not None:
        values["ansible_password"] = unsafe(device["password"])
    if device.get("privateKey"):
        values["ansible_ssh_private_key_file"] = private(f"{HOME}/keys/{device['name']}", device["privateKey"].strip() + "\n")
    if device.get("enablePassword") is not None:
        values |= {"ansible_become": True, "ansible_become_method": "ansible.netcommon.enable",
                   "ansible_become_password": unsafe(device["enablePassword"])}
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
    play = "tasks" if isinstance(content, list) else "text" if "artifact" in content else "lines"
    return play, {**connect(platform), "platform": {"directory": directory, "commands": platform["commands"]}, "block_part": part,
                  **({"block_artifact": content["artifact"]} if play == "text" else {})}


def inventory(job, devices):
    """(hosts and groups, the plays they need). A device that cannot be played is excluded alone, with its reason."""
    known, hosts, groups = {}, {}, {}
    for device in devices:
        name, directory = device["name"], device["platform"]
        try:
            if directory not in known:
                known[directory] = (f"platform_{len(known)}", *plays(job["block"], directory))
            group, play, shared = known[directory]
            hosts[name] = variables(device)
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
        lines = list(pool.map(admit, job["devices"]))
    devices = [device for device, line in zip(job["devices"], lines) if line]
    if not devices or _stopped:
        return 0
    private(f"{HOME}/.ssh/known_hosts", "".join(line for line in lines if line))
    known, playbooks = inventory(job, devices)
    playable = list(known["all"]["hosts"])
    if not playable:
        return 0
    hosts = private(f"{HOME}/job/inventory.json", json.dumps(known))
    extra = private(f"{HOME}/job/input.json", json.dumps({"block_input": job["input"]}))
    # Every device has a process of its own from the first task on, so a slow or dead one holds up no other. The few more forks are
    # for workers that have sent their result but still end.
    arguments = ["-i", hosts, "-e", f"@{extra}", "--diff", "--forks", str(len(playable) + 8)]
    if job["check"]:
        arguments.append("--check")
    return _ansible.play([*arguments, *playbooks], job["block"], playable)


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


def obey():
    """The service holds stdin open as long as it lives. When stdin ends, the service is gone and the run must end."""
    for command in sys.stdin:
        if command.strip() == "stop":
            _stopped.append(True)
            if _ansible:
                _ansible.stop()
    os._exit(1)


# --- probes ---

def probe(job):
    import paramiko  # noqa: F401  # imported once, not by each thread
    with concurrent.futures.ThreadPoolExecutor(len(job["devices"])) as pool:
        list(pool.map(lambda device: put("probe", device=device["name"], **look(device, job["timeoutSeconds"])), job["devices"]))


def look(device, timeout):
    """How far a login to the device comes; no fault of one device touches another."""
    import paramiko
    try:
        transport, line, matches = verified(device, timeout)
    except Unreachable as fault:
        return {"stage": "tcp", "code": "connect_timeout", "text": str(fault)}
    except Exception as fault:
        return {"stage": "ssh", "code": "internal_error", "text": type(fault).__name__, "hostKey": None, "hostKeySha256": None}
    found = {"hostKey": line, "hostKeySha256": fingerprint(base64.b64decode(line.split()[1])) if line else None}
    if not matches:
        return {"stage": "ssh", "code": "host_key_mismatch", "text": "", **found}
    try:
        if device.get("privateKey"):
            transport.auth_publickey(device["username"], private_key(device["privateKey"]))
        else:
            transport.auth_password(device["username"], device.get("password") or "")
        return {"stage": "auth", "code": None, "text": "", **found}
    except paramiko.AuthenticationException:
        return {"stage": "auth", "code": "auth_failed", "text": "the device refused the credential", **found}
    except Exception as fault:
        return {"stage": "auth", "code": "connection_closed", "text": type(fault).__name__, **found}
    finally:
        transport.close()


def private_key(text):
    import paramiko
    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        try:
            return kind.from_private_key(io.StringIO(text.strip() + "\n"))
        except Exception:
            continue
    raise paramiko.AuthenticationException("the private key could not be read")


def main():
    global _ansible
    os.umask(0o077)
    os.dup2(2, 1)  # all printed text goes to the diagnostics, never between the events
    if warm:
        warm.load("/opt/ansible/patch", [name for directory in sys.argv[2:] for name in platforms.modules(directory)])
    line = sys.stdin.readline()
    if not line:
        return
    job = json.loads(line)
    _ansible = Warm(len(job["devices"])) if warm else Stock(job.get("ansiblePlaybook"))
    threading.stack_size(256 << 10)
    listen()
    threading.Thread(target=obey, daemon=True).start()
    code = (probe if job["mode"] == "probe" else run)(job) or 0
    put("end", code=code)
    os._exit(0)


main()
