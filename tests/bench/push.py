#!/usr/bin/python3
"""The minimum that configures the routes of the block static-routes: one bare SSH session for each router.

  push.py < JSON   {"hosts": [{"address", "key"}], "username", "password", "lines": [...], "sessions": how many at a time}

Exits with 0 if every router accepts every line without output and shows it afterwards."""
import base64
import concurrent.futures
import json
import sys

import paramiko

job = json.load(sys.stdin)
SAY = ["show running-config", "configure terminal", *job["lines"], "end", "show running-config", "write memory", "exit"]


def push(host):
    client = paramiko.SSHClient()
    kind, key = host["key"].split()[:2]
    client.get_host_keys().add(host["address"], kind, paramiko.Ed25519Key(data=base64.b64decode(key)))
    client.connect(host["address"], username=job["username"], password=job["password"], look_for_keys=False, allow_agent=False)
    with client:
        session = client.get_transport().open_session()
        session.invoke_shell()
        session.sendall("".join(line + "\n" for line in SAY).encode())
        said = b""
        while data := session.recv(65536):
            said += data
    shown = said.decode().rsplit("show running-config", 1)[1].splitlines()
    return "%" not in "".join(line for line in shown if line.startswith("%")) and all(
        (line.removeprefix("no ") in shown) != line.startswith("no ") for line in job["lines"])


with concurrent.futures.ThreadPoolExecutor(job["sessions"]) as pool:
    good = list(pool.map(push, job["hosts"]))
sys.exit(0 if all(good) else 1)
