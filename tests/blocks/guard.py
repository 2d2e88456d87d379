#!/usr/bin/python3
"""Changes that go back by themselves: the engine in its sandbox against imitations of IOS and EOS, and real machines with BIRD, Linux, Open
vSwitch and FRR, whose sessions are cut at the worst moments.

  tests/blocks/guard.py [--sample SEED] [NAME]    as root; NAME: text that the names of the checks must contain; SEED: one check of each
                                                  kind of device, chosen by this number

One line a check; the last line is "N passed, M failed". The minutes of the imitations run as seconds."""
import base64
import concurrent.futures
import contextlib
import ctypes
import hashlib
import ipaddress
import itertools
import json
import os
import pathlib
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
ROUTES = {"routes": [{"prefix": "10.9.0.0/16", "nextHop": "10.66.0.1"}, {"prefix": "10.8.0.0/16", "nextHop": "10.66.0.1"}]}
# A minute of an imitation, and the confirmation that runs ask for, in seconds.
MINUTE, REAL = 15, 15
# The same where a look has to come before the timer runs off.
LOOKED = 90
LIBC, NUMBERS = ctypes.CDLL(None, use_errno=True), itertools.count(1)


class Link:
    """What the service is to a sandbox: a unix socket that opens streams to the device."""

    def __init__(self, path, device):
        self._device, self._streams, self.refusing, self.at_next = device, [], False, None
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        path.chmod(0o666)
        self._server.listen(16)
        threading.Thread(target=self._accept, daemon=True).start()

    def refuse(self):
        """No new session from now on; those that are open live on."""
        self.refusing = True

    def cut_at_next(self):
        """The next session that is asked for finds the link down, and so do those that are open."""
        self.at_next = self.cut

    def cut(self):
        self.refusing = True
        for each in self._streams:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.cut()
        self._server.close()

    def _accept(self):
        while True:
            try:
                client = self._server.accept()[0]
            except OSError:
                return
            threading.Thread(target=self._open, args=(client,), daemon=True).start()

    def _open(self, client):
        line = b""
        while not line.endswith(b"\n") and (byte := client.recv(1)):
            line += byte
        if act := self.at_next:
            self.at_next = None
            act()
        if self.refusing:
            client.sendall(b"-")
            return client.close()
        if space := self._device.get("namespace"):
            with open(f"/run/netns/{space}", "rb") as file:
                LIBC.setns(file.fileno(), 0x40000000)  # of this thread alone
        stream = socket.create_connection((self._device["address"], self._device["port"]), 10)
        stream.settimeout(None)
        client.sendall(b"+")
        self._streams += [client, stream]
        threading.Thread(target=pump, args=(client, stream), daemon=True).start()
        pump(stream, client)


def pump(source, target):
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)


class Run:
    """What a run told: its events, and by name the last of each kind."""

    def __init__(self, events):
        self.events = events
        self.steps = {each["task"]: each for each in events if each["event"] == "task"}

    def last(self, kind):
        return next((each for each in reversed(self.events) if each["event"] == kind), None)

    def code(self):
        return next((each["code"] for each in self.events if each["event"] in ("task", "excluded") and each.get("code")), None)

    def __str__(self):
        return "; ".join(f"{each['event']} {each.get('task') or each.get('name') or ''} {each.get('status') or ''} {each.get('text') or ''}"
                         for each in self.events if each["event"] not in ("start", "play", "text"))


def play(device, block="static-routes", given=ROUTES, look=None, hook=lambda event, link: None, seconds=60, warm=True, login=None):
    """Runs a block on a device as the service does, but for the limits of its sandbox. warm: not by the stock ansible-playbook; login: the
    members of the input that are a login."""
    with tempfile.TemporaryDirectory(prefix="na-guard") as place:
        place = pathlib.Path(place)
        place.chmod(0o755)
        link = Link(place / "sock", device)
        content = ROOT / "src/Platforms" / device["platform"]
        folder = ROOT / "src/Blocks" / block if isinstance(block, str) else None
        files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.glob("platforms/**/*") if path.is_file()} \
            if folder else {f"platforms/{device['platform']}.yml": block}
        job = {
            "mode": "run", "check": False, "input": given, "block": {name: base64.b64encode(data).decode() for name, data in files.items()},
            "guard": {"confirmSeconds": seconds}, "login": login, "ansiblePlaybook": "/usr/bin/ansible-playbook",
            "devices": [{
                "name": "d", "address": "127.1.0.1", "platform": f"/run/content/{device['platform']}", "answers": [],
                "options": {"shell": True} if device.get("shell") else {},
                "look": look, "hostKey": None, "enable": device.get("enable", False),
                **{name: device[name] for name in ("username", "password", "hostKeySha256")}}]}
        command = [
            "bwrap", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--die-with-parent", "--new-session", "--clearenv",
            "--ro-bind", "/usr", "/usr", "--symlink", "usr/bin", "/bin", "--symlink", "usr/sbin", "/sbin", "--symlink", "usr/lib", "/lib",
            "--symlink", "usr/lib64", "/lib64", "--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache", "--proc", "/proc", "--dev",
            "/dev", *(word for name in ("passwd", "group", "hosts")
                      for word in ("--ro-bind", f"{ROOT}/src/Ansible/sandbox/{name}", f"/etc/{name}")),
            "--tmpfs", "/tmp", "--tmpfs", "/home", "--dir", "/home/run", "--dir", "/run",
            "--ro-bind", f"{ROOT}/src/Ansible", "/opt/ansible",
            "--ro-bind", str(place), "/run/link", "--ro-bind", str(content), f"/run/content/{device['platform']}",
            "--setenv", "HOME", "/home/run", "--setenv", "PATH", "/usr/bin:/bin", "--setenv", "LANG", "C.UTF-8",
            "--setenv", "PYTHONDONTWRITEBYTECODE", "1", "--setenv", "ANSIBLE_CONFIG", "/opt/ansible/ansible.cfg",
            "--setenv", "ANSIBLE_HOME", "/opt/ansible", "--chdir", "/home/run", "--",
            "/usr/bin/python3", "-I", "/opt/ansible/sandbox/init.py",
            *(["--warm", f"/run/content/{device['platform']}"] if warm else [])]
        with open(place / "stderr", "w+", encoding="utf-8") as errors:
            sandbox = subprocess.Popen(["/bin/sh", "-c", 'exec "$@" 7>&1 6<&0 </dev/null >&2', "sh", *command], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, stderr=errors)
            late = threading.Timer(150, sandbox.kill)
            late.start()
            try:
                sandbox.stdin.write(json.dumps(job).encode() + b"\n")
                sandbox.stdin.flush()
                events = []
                for line in sandbox.stdout:
                    events.append(json.loads(line))
                    hook(events[-1], link)
                    if word := {"keep": "go", "waits": "confirm"}.get(events[-1]["event"]):
                        sandbox.stdin.write(f"{word} d\n".encode())
                        sandbox.stdin.flush()
                sandbox.wait()
                errors.seek(0)
                assert events and events[-1]["event"] == "end", f"the sandbox ended early: {errors.read()[-2000:]}"
            finally:
                late.cancel()
                sandbox.kill()
                sandbox.wait()
                link.close()
        return Run(events)


def at(kind, act, **members):
    """A hook: the link does so at the first such event."""
    def hook(event, link):
        if event["event"] == kind and all(event.get(name) == value for name, value in members.items()):
            act(link)
    return hook


def eventually(holds, seconds=40):
    """What a device does by itself has no other sign than that it is done."""
    end = time.monotonic() + seconds
    while not (found := holds()) and time.monotonic() < end:
        time.sleep(0.1)
    return found


# --- imitations ---

class Imitation:
    """One imitation in a process of its own."""

    def __init__(self, place, platform, lines="", minute=MINUTE, variant=()):
        number = next(NUMBERS)
        self.platform, self._place = platform, pathlib.Path(tempfile.mkdtemp(dir=place))
        self._console, self._journal, self._faults = (self._place / name for name in ("console", "journal", "faults"))
        self._faults.write_text("{}")
        address = f"127.{64 + os.getpid() % 128}.{os.getpid() // 128 % 250}.{number}"
        self._process = subprocess.Popen(
            [ROOT / "tests/devices/run", platform, "--address", address, "--minute", str(minute), "--console", self._console,
             "--journal", self._journal, "--faults", self._faults, *(word for each in variant for word in ("--variant", each))],
            stdout=subprocess.PIPE, text=True)
        said = json.loads(self._process.stdout.readline())
        assert self._process.stdout.readline() == "ready\n"
        key = base64.b64decode(said["hostKey"].split()[1])
        self.device = {"platform": platform, "address": said["address"], "port": said["port"], "username": said["username"],
                       "password": said["password"], "hostKeySha256": pin(key)}
        if lines:
            self.ask("type", lines)
        self.ask("show", "write memory")

    def ask(self, verb, given=None):
        with socket.socket(socket.AF_UNIX) as console:
            console.connect(str(self._console))
            console.sendall(json.dumps({"device": "d01", "verb": verb, "given": given}).encode() + b"\n")
            answer = json.loads(b"".join(iter(lambda: console.recv(65536), b"")))
        return answer["text"]

    def text(self):
        return self.ask("text")

    def fault(self, **faults):
        self._faults.write_text(json.dumps({"d01": faults}))

    def events(self):
        return [json.loads(line)["e"] for line in self._journal.read_text().splitlines()]

    def armed(self):
        """Timers that were armed and have neither run off nor been confirmed."""
        told = self.events()
        return told.count("arm") - sum(told.count(each) for each in ("confirm", "revert", "reload"))

    def end(self):
        self._process.terminate()
        self._process.wait()


def pin(key):
    return "SHA256:" + base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")


ARCHIVE = "archive\npath flash:before\n"
# What a person has typed before, and has not saved where an archive is on.
KINDS = {"ios": ("ios", ARCHIVE), "ios_without_archive": ("ios", ""), "eos": ("eos", ""), "eos_4_32": ("eos", "", "version=4.32.2F")}
CONFIRMING = {"ios": "^configure confirm", "ios_without_archive": "^reload cancel", "eos": "netautomation commit$",
              "eos_4_32": "netautomation commit$"}


@contextlib.contextmanager
def imitation(place, kind, **options):
    platform, lines, *variant = KINDS[kind]
    one = Imitation(place, platform, lines, variant=variant, **options)
    try:
        yield one
    finally:
        one.end()


def is_confirmed(run, one, before):
    assert run.last("result") and run.last("confirmed") and not run.last("reverted"), run
    assert run.last("armed")["kind"] == "hard" and run.last("armed")["seconds"] == 60, run
    assert "10.9.0.0" in one.text() and one.text() != before
    assert not one.armed(), one.events()


def is_reverted(run, one, before, at_once=True):
    assert not run.last("result") and not run.last("confirmed") and run.last("armed"), run
    assert bool(run.last("reverted")) == at_once, run
    assert at_once or run.steps["Go back"]["reverts_at"] <= 60, run
    assert eventually(lambda: not one.armed()), one.events()
    assert one.text() == before, one.text()
    assert one.events().count("save") == 1, one.events()


def change_that_holds_is_confirmed_and_only_then_saved(place, kind):
    with imitation(place, kind) as one:
        before = one.text()
        run = play(one.device)
        is_confirmed(run, one, before)
        told = one.events()
        assert told.index("confirm") < len(told) - 1 - told[::-1].index("save"), told
        again = play(one.device)
        assert again.last("result") and not again.last("armed"), again


def change_whose_check_fails_is_taken_back_at_once(place, kind):
    with imitation(place, kind) as one:
        before = one.text()

        def spoil():
            route = next(line for line in one.text().split("\n") if line.startswith("ip route 10.8"))
            one.ask("type", f"no {route}")

        def at_armed(link):
            link.at_next = spoil
        run = play(one.device, hook=at("armed", at_armed))
        is_reverted(run, one, before)
        assert run.steps["Read it back and verify"]["status"] == "failed", run


def session_that_new_ones_cannot_follow_goes_back_over_the_open_one(place, kind):
    with imitation(place, kind) as one:
        before = one.text()
        run = play(one.device, hook=at("armed", Link.refuse))
        is_reverted(run, one, before)
        assert run.steps["Reach the device anew"]["code"] == "connect_timeout", run


def login_that_is_not_proven_goes_back(place, kind):
    with imitation(place, kind) as one:
        one.ask("type", "username ops privilege 15 secret before-1")
        one.ask("show", "write memory")
        before, given, saved = one.text(), {"username": "ops", "password": "after-22"}, one.events().count("save")
        # A server knows the users, and not of the change.
        one.fault(accounts={one.device["username"]: one.device["password"]})
        run = play(one.device, "password-rotation", given, login=["username", "password"])
        assert run.code() == "not_proven" and run.last("reverted") and one.text() == before and not one.armed(), run
        one.fault()
        assert one.events().count("save") == saved
        run = play(one.device, "password-rotation", given, login=["username", "password"])
        assert run.last("confirmed") and not one.armed() and one.text() != before, run


def stock_ansible_confirms_and_goes_back(place, kind):
    with imitation(place, kind) as one:
        before = one.text()
        is_reverted(play(one.device, hook=at("armed", Link.refuse), warm=False), one, before)
    with imitation(place, kind) as one:
        before = one.text()
        is_confirmed(play(one.device, warm=False), one, before)


def name_of_the_device_goes_back_with_its_prompt(place, kind):
    with imitation(place, kind) as one:
        before = one.text()
        run = play(one.device, "hostname", {"hostname": "other"}, hook=at("armed", Link.refuse))
        is_reverted(run, one, before)
        assert play(one.device, "hostname", {"hostname": "other"}).last("confirmed") and one.text() != before


def link_cut_after_arming_lets_the_device_go_back_by_itself(place, kind):
    with imitation(place, kind) as one:
        before = one.text()
        run = play(one.device, hook=at("armed", Link.cut))
        is_reverted(run, one, before, at_once=False)


def link_cut_between_two_lines_lets_the_device_go_back_by_itself(place, kind):
    with imitation(place, kind) as one:
        before = one.text()
        one.fault(drop="^ip route 10.8")
        run = play(one.device, hook=at("armed", Link.cut_at_next))
        is_reverted(run, one, before, at_once=False)


def link_cut_between_apply_and_confirm_lets_the_device_go_back_by_itself(place, kind):
    with imitation(place, kind) as one:
        before = one.text()
        run = play(one.device, hook=at("armed", Link.cut_at_next))
        is_reverted(run, one, before, at_once=False)
        assert run.steps["Configure"]["status"] == "ok", run


def session_cut_between_two_lines_is_followed_by_one_that_goes_back(place, kind):
    with imitation(place, kind) as one:
        before = one.text()
        one.fault(drop="^ip route 10.8")
        is_reverted(play(one.device), one, before)


def session_cut_before_the_confirmation_is_confirmed_by_another_or_goes_back(place, kind):
    with imitation(place, kind) as one:
        before = one.text()
        one.fault(drop=CONFIRMING[kind])
        run = play(one.device)
        is_reverted(run, one, before, at_once=run.last("reverted") is not None)


def session_cut_behind_the_confirmation_is_found_confirmed(place, kind):
    with imitation(place, kind) as one:
        before = one.text()
        one.fault(dropAfter=CONFIRMING[kind])
        is_confirmed(play(one.device), one, before)


def timer_of_somebody_else_is_respected_and_nothing_is_sent(place, kind):
    with imitation(place, kind) as one:
        if kind.startswith("eos"):
            one.ask("type", "configure session other\nvlan 77\ncommit timer 00:05:00")
        else:
            one.ask("show", "configure terminal revert timer 5" if kind == "ios" else "reload in 5")
        before, told = one.text(), [each for each in one.events() if each not in ("login", "open", "close")]
        run = play(one.device)
        assert run.code() == "timer_pending" and not run.last("armed") and not run.last("reverted"), run
        assert one.text() == before and one.armed() == 1, one.events()
        assert [each for each in one.events() if each not in ("login", "open", "close")] == told, one.events()


def cut_before_the_confirmation(one, plays, **options):
    """Plays a change whose link is cut while it waits. Answers what a look is given of it: the digests, and the text before."""
    texts = {"before": b"", "after": b""}

    def hook(event, link):
        if event["event"] == "text":
            texts[event["name"]] = (b"" if event["first"] else texts[event["name"]]) + base64.b64decode(event["data"])
        if event["event"] == "waits":
            link.cut()
    plays(one, hook=hook, **options)
    before, after = (hashlib.sha256(texts[name]).hexdigest() for name in ("before", "after"))
    return {"before": before, "wanted": after, "text": base64.b64encode(texts["before"]).decode(), "stays": False, "ours": True,
            "putsBack": False}


def imitated_play(one, **options):
    return play(one.device, **options)


def ended(run):
    """What a look has found, and what it came to."""
    seen = run.last("looked")
    return seen["state"], bool(seen["armed"]), (run.last("kept") or run.last("reverted") or {"event": None})["event"]


def look_takes_back_at_once_what_was_not_to_stay(place, kind):
    with imitation(place, kind, minute=LOOKED) as one:
        before, saved = one.text(), one.events().count("save")
        look = cut_before_the_confirmation(one, imitated_play)
        assert one.text() != before and one.armed()
        assert (found := ended(play(one.device, look=look))) == ("as_wanted", True, "reverted"), found
        assert one.text() == before and not one.armed() and "reload" not in one.events(), one.events()
        assert one.events().count("save") == saved, one.events()


def look_confirms_and_saves_what_was_to_stay(place, kind):
    with imitation(place, kind, minute=LOOKED) as one:
        saved = one.events().count("save")
        look = cut_before_the_confirmation(one, imitated_play)
        wanted = one.text()
        assert (found := ended(play(one.device, look={**look, "stays": True}))) == ("as_wanted", True, "kept"), found
        assert one.text() == wanted and not one.armed() and one.events().count("save") == saved + 1, one.events()
        # Whoever looks once more finds the same.
        assert (found := ended(play(one.device, look={**look, "stays": True}))) == ("as_wanted", False, "kept"), found


def look_leaves_a_timer_that_must_be_somebody_else_s(place, kind):
    with imitation(place, kind, minute=LOOKED) as one:
        look = cut_before_the_confirmation(one, imitated_play)
        for stays in (True, False):
            assert (found := ended(play(one.device, look={**look, "ours": False, "stays": stays}))) == ("as_wanted", True, None), found
        assert one.armed(), one.events()


def look_types_nothing_into_what_has_gone_back_or_has_become_something_else(place, kind):
    with imitation(place, kind) as one:
        before = one.text()
        look = cut_before_the_confirmation(one, imitated_play)
        assert eventually(lambda: not one.armed())
        assert (found := ended(play(one.device, look=look))) == ("as_before", False, "reverted"), found
        assert one.text() == before, one.text()
        one.ask("type", "hostname other")
        for stays in (True, False):
            assert (found := ended(play(one.device, look={**look, "stays": stays}))) == ("other", False, None), found
        assert "other" in one.text()


def device_that_is_as_wanted_is_not_saved_under_somebody_else_s_timer(place, kind):
    with imitation(place, kind, minute=LOOKED) as one:
        look = cut_before_the_confirmation(one, imitated_play)
        saved, wanted = one.events().count("save"), one.text()
        # The timer that is left is nobody's now.
        run = play(one.device)
        assert (run.code(), run.last("result")) == ("timer_pending", None), (run, look)
        assert one.events().count("save") == saved and one.text() == wanted and one.armed(), one.events()


def look_drops_the_session_in_which_a_cut_run_has_typed(place, kind):
    with imitation(place, kind) as one:
        texts = {}

        def hook(event, link):
            if event["event"] == "text":
                texts[event["name"]] = hashlib.sha256(base64.b64decode(event["data"])).hexdigest()
            at("armed", Link.cut_at_next)(event, link)
        one.fault(drop="^ip route 10.8")
        play(one.device, hook=hook)
        one.fault()
        assert eventually(lambda: not one.armed())
        look = {"before": texts["before"], "text": None, "stays": False, "ours": True, "putsBack": False}
        assert (found := ended(play(one.device, look=look))) == ("as_before", False, "reverted"), found
        if kind.startswith("eos"):
            sessions = json.loads(one.ask("show", "show configuration sessions detail | json"))["sessions"]
            assert not [each for each in sessions.values() if each["state"] == "pending"], sessions


# --- real machines ---

class Lab:
    """Machines of their own, each of which plays one check at a time."""
    OPTIONS = {"frr": "--routers", "frr_shell": "--frr", "bird": "--bird", "linux": "--linux", "openvswitch": "--openvswitch"}
    TEXTS = {
        "frr_shell": "vtysh -c 'show running-config'",
        "bird": "cat /etc/bird/bird.conf; birdc show route all; birdc configure status",
        "linux": "cd /etc; find hostname motd network nftables.conf chrony rsyslog.d -type f -exec ls -l --time-style=+ {} + "
                 "-exec cat {} +; ip route; ip -o address; ip -o link show eth0; nft -s list ruleset",
        "openvswitch": "{ ovs-vsctl show | sed 1d; for each in bridge port interface; do "
                       "ovs-vsctl --columns=name,other_config list $each; done; } | sort",
    }

    def __init__(self, kinds, index=100):
        self._vpc = f"g{os.getpid()}"
        options = [word for each, option in self.OPTIONS.items() for word in (option, "1" if each in kinds else "0")]
        for tries in range(5):
            # Another lab may have this transit net.
            up = self._lab("up", *options, "--index", str(index + (os.getpid() + tries) % 150))
            if up.returncode == 0:
                break
            self._lab("down")
        assert up.returncode == 0, up.stderr
        inventory = json.loads(self._lab("inventory").stdout)
        login = json.loads(pathlib.Path(inventory["login"]).read_text(encoding="utf-8"))
        self.devices = {self._kind(each): {**each, **login, "namespace": inventory["namespace"]} for each in inventory["devices"]}

    @staticmethod
    def _kind(device):
        return device["platform"] + ("_shell" if device["shell"] else "")

    def _lab(self, verb, *words, given=None):
        return subprocess.run([ROOT / "deploy/local/lab", verb, "--vpc", self._vpc, *words], input=given, text=True, capture_output=True)

    def shell(self, name, commands):
        done = self._lab("shell", name, given=commands)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def router(self, name):
        return self._lab("running-config", name).stdout

    def hand(self, name, verb, *rest):
        subprocess.run([ROOT / "tests/blocks/hand", "lab", self._vpc, name, verb, *rest], check=True, stdout=subprocess.DEVNULL)

    def end(self):
        down = self._lab("down")
        assert down.returncode == 0, down.stderr


class Machine:
    """A machine of the lab with a shell."""

    def __init__(self, lab, kind):
        self._lab, self.kind, self.device = lab, kind, lab.devices[kind]
        self.name = self.device["name"]
        assert not self.armed(), self.armed()

    def text(self):
        return self._lab.shell(self.name, Lab.TEXTS[self.kind])

    def shell(self, commands):
        return self._lab.shell(self.name, commands)

    def fault(self, pattern):
        self._lab.hand(self.name, "fault", pattern)

    def mend(self):
        self._lab.hand(self.name, "mend")

    def armed(self):
        return self.shell("ls -d /run/netautomation.guard /dev/shm/netautomation.guard* 2>/dev/null\n"
                          "pgrep -f '[n]etautomation.guard' || :").strip()


BLOCKS = {
    # A section with others in it, and lines of another program.
    "frr_shell": ({"wanted": """router bgp 65001
 neighbor 10.66.0.9 remote-as 65002
 neighbor 10.66.0.9 description it's "transit"
ip prefix-list IN seq 5 permit 10.0.0.0/8 le 24
ip route 10.9.0.0/16 10.66.0.1
"""}, {}),
    "bird": ("static-routes", ROUTES),
    # Files, a service, an address, routes and rules.
    "linux": ({"wanted": """file /etc/motd
 Kept by netautomation.
end
file /etc/network/interfaces
 iface eth0 inet static
     address 198.51.100.7/24
     up ip link set dev eth0 alias uplink
file /etc/network/if-up.d/netautomation
 #!/bin/sh
 ip route replace 10.9.0.0/16 via 10.66.0.1 proto static
file /etc/nftables.conf
 table inet guard {
     chain input { type filter hook input priority 0; }
 }
"""}, {}),
    "openvswitch": ({"wanted": "bridge br0\n other_config:hwaddr 02:00:00:00:00:09\n port p1\n  tag 20\n"}, {}),
}


def real_play(one, seconds=REAL, **options):
    block, given = BLOCKS[one.kind]
    block = block if isinstance(block, str) else json.dumps(block).encode()
    return play(one.device, block, given, seconds=seconds, **options)


def is_as_before(run, one, before, at_once):
    assert not run.last("result") and not run.last("confirmed") and run.last("armed"), run
    assert run.last("armed")["seconds"] == REAL, run
    assert bool(run.last("reverted")) == at_once, run
    assert eventually(lambda: not one.armed()), one.armed()
    assert one.text() == before, f"{before}\nis now\n{one.text()}"


def machine_s_change_that_holds_is_confirmed_and_stays(lab, platform):
    one = Machine(lab, platform)
    before = one.text()
    run = real_play(one)
    assert run.last("result") and run.last("confirmed") and run.last("armed")["kind"] == "hard" and not one.armed(), run
    assert one.text() != before


def machine_s_link_cut_after_arming_lets_it_go_back_by_itself(lab, platform):
    one = Machine(lab, platform)
    before = one.text()
    run = real_play(one, hook=at("armed", Link.cut))
    is_as_before(run, one, before, at_once=False)


def machine_s_link_cut_behind_the_change_lets_it_go_back_by_itself(lab, platform):
    one = Machine(lab, platform)
    before, seen = one.text(), []

    def cut(link):
        seen.append(one.text())
        link.cut()

    def at_armed(link):
        link.at_next = lambda: cut(link)  # which is that which proves that the device is reached
    run = real_play(one, hook=at("armed", at_armed))
    is_as_before(run, one, before, at_once=False)
    assert seen != [before], "nothing was changed that could go back"


def machine_that_no_new_session_reaches_goes_back_over_the_open_one(lab, platform):
    one = Machine(lab, platform)
    before = one.text()
    is_as_before(real_play(one, hook=at("armed", Link.refuse)), one, before, at_once=True)


def machine_under_stock_ansible_goes_back_and_is_confirmed(lab, platform):
    one = Machine(lab, platform)
    before = one.text()
    is_as_before(real_play(one, hook=at("armed", Link.refuse), warm=False), one, before, at_once=True)
    run = real_play(one, warm=False)
    assert run.last("confirmed") and run.last("result") and not one.armed() and one.text() != before, run


def machine_whose_login_is_not_root_goes_back(lab, platform):
    one = Machine(lab, platform)
    before = one.text()
    one.device = {**one.device, "username": "netops", "enable": True}
    is_as_before(real_play(one, hook=at("armed", Link.refuse)), one, before, at_once=True)
    is_as_before(real_play(one, hook=at("armed", Link.cut_at_next)), one, before, at_once=False)


def machine_s_session_cut_with_the_confirmation_is_found_confirmed(lab, platform):
    one = Machine(lab, platform)
    before = one.text()
    one.fault("confirmed")
    run = real_play(one)
    assert run.last("result") and run.last("confirmed") and not one.armed() and one.text() != before, run


def machine_s_link_cut_around_the_confirmation_leaves_all_of_the_change_or_nothing(lab, platform):
    one = Machine(lab, platform)
    before, at_cut = one.text(), []

    def cut(link):
        link.cut()
        at_cut.append(one.text())
    run = real_play(one, hook=at("start", cut, task="Confirm"))
    assert not run.last("reverted"), run
    assert eventually(lambda: not one.armed()), one.armed()
    assert at_cut[0] != before and one.text() in (before, at_cut[0]), one.text()
    assert not run.last("confirmed") or one.text() == at_cut[0], run


def machine_with_somebody_else_s_timer_is_left_alone(lab, platform):
    one = Machine(lab, platform)
    before = one.text()
    one.shell("mkdir /run/netautomation.guard; cd /run/netautomation.guard; : > armed; setsid sleep 300 </dev/null >/dev/null 2>&1 & "
              "echo $! > /run/netautomation.guard/pid")
    try:
        run = real_play(one)
    finally:
        one.shell("kill $(cat /run/netautomation.guard/pid); rm -r /run/netautomation.guard")
    assert run.code() == "timer_pending" and not run.last("armed"), run
    assert one.text() == before


def router_s_link_cut_between_two_lines_lets_it_go_back_by_itself(lab, kind):
    one = Machine(lab, kind)
    before, seen = one.text(), []
    one.fault("^ *ip prefix-list IN")

    def cut(link):
        seen.append(one.text())
        link.cut()

    def at_armed(link):
        link.at_next = lambda: cut(link)
    run = real_play(one, hook=at("armed", at_armed))
    is_as_before(run, one, before, at_once=False)
    assert "router bgp 65001" in seen[0] and "prefix-list" not in seen[0], seen


def router_s_session_cut_between_two_lines_is_followed_by_one_that_goes_back(lab, kind):
    one = Machine(lab, kind)
    before = one.text()
    one.fault("^ *ip prefix-list IN")
    is_as_before(real_play(one), one, before, at_once=True)


def router_s_login_that_is_in_vtysh_s_group_alone_goes_back_and_is_confirmed(lab, kind):
    one = Machine(lab, kind)
    before = one.text()
    one.device = {**one.device, "username": "netops"}
    is_as_before(real_play(one, hook=at("armed", Link.refuse)), one, before, at_once=True)
    is_as_before(real_play(one, hook=at("armed", Link.cut_at_next)), one, before, at_once=False)
    run = real_play(one)
    assert run.last("confirmed") and run.last("armed")["kind"] == "hard" and not one.armed() and one.text() != before, run


def router_s_own_configuration_comes_back_where_a_change_takes_its_place(lab, kind):
    one = Machine(lab, kind)
    one.shell("printf '%s\n' 'ip prefix-list IN seq 5 permit 10.0.0.0/8 le 16' 'router bgp 65001' ' neighbor 10.66.0.9 remote-as 65003' "
              "' neighbor 10.66.0.9 password hush' 'ip route 10.9.0.0/16 10.66.0.1 tag 7' > /tmp/own; vtysh -f /tmp/own")
    before = one.text()
    assert "hush" in before and "tag 7" in before, before
    is_as_before(real_play(one, hook=at("armed", Link.cut_at_next)), one, before, at_once=False)


def router_without_a_program_that_the_timer_needs_is_left_alone(lab, kind):
    one = Machine(lab, kind)
    before = one.text()
    one.shell("mount --bind /dev/null /usr/bin/setsid")
    run = real_play(one)
    assert run.code() == "guard_unsupported" and "setsid" in str(run) and not run.last("armed") and one.text() == before, run


def machine_s_look_takes_back_at_once_what_was_not_to_stay(lab, platform):
    one = Machine(lab, platform)
    before = one.text()
    look = cut_before_the_confirmation(one, real_play, seconds=LOOKED)
    assert one.text() != before and one.armed(), one.armed()
    assert (found := ended(real_play(one, look=look))) == ("as_wanted", True, "reverted"), found
    assert one.text() == before and not one.armed(), f"{before}\nis now\n{one.text()}"


def machine_s_look_confirms_what_was_to_stay(lab, platform):
    one = Machine(lab, platform)
    before = one.text()
    look = cut_before_the_confirmation(one, real_play, seconds=LOOKED)
    assert (found := ended(real_play(one, look={**look, "stays": True}))) == ("as_wanted", True, "kept"), found
    assert not one.armed() and one.text() != before and "unconfirmed" not in one.text(), one.text()
    if one.kind == "frr_shell":
        assert "10.9.0.0" in one.shell("cat /etc/frr/frr.conf")


def machine_whose_timer_is_lost_is_put_back_by_a_look(lab, platform):
    one = Machine(lab, platform)
    before = one.text()
    look = cut_before_the_confirmation(one, real_play)
    one.shell("pkill -KILL -f '[n]etautomation.guard'; rm -rf /run/netautomation.guard /dev/shm/netautomation.guard*; "
              "! command -v birdc || birdc configure confirm")
    assert (found := ended(real_play(one, look=look))) == ("as_wanted", False, None), found
    assert (found := ended(real_play(one, look={**look, "ours": False, "putsBack": True}))) == ("as_wanted", False, "reverted"), found
    assert one.text() == before and not one.armed(), f"{before}\nis now\n{one.text()}"


def router_s_change_is_put_back_by_the_service_alone(lab, platform):
    device, name = lab.devices[platform], lab.devices[platform]["name"]
    before = lab.router(name)
    refused = play(device, hook=at("armed", Link.refuse), seconds=REAL)
    assert refused.last("armed")["kind"] == "soft" and refused.last("reverted") and lab.router(name) == before, refused
    lab.hand(name, "fault", "^ip route 10.8")
    cut = play(device, seconds=REAL)
    lab.hand(name, "mend")
    assert cut.last("reverted") and lab.router(name) == before, cut
    lost = play(device, hook=at("armed", Link.cut_at_next), seconds=REAL)
    assert lost.last("armed") and not lost.last("reverted") and "reverts_at" not in lost.steps["Go back"], lost
    assert lab.router(name) != before, f"{lost}\n{before}"
    lab.hand(name, "fresh")
    before = lab.router(name)
    kept = play(device, seconds=REAL)
    assert kept.last("confirmed") and lab.router(name) != before, f"{kept}\n{before}"


def router_s_part_of_a_section_is_put_back_by_the_service(lab, platform):
    device, name = lab.devices[platform], lab.devices[platform]["name"]
    before, given = lab.router(name), {"asn": 65001, "neighbors": [{"address": "10.66.0.9", "remoteAs": 65002, "description": "transit"}]}
    lab.hand(name, "fault", "^ *neighbor .* description")
    cut = play(device, "bgp-neighbors", given, seconds=REAL)
    lab.hand(name, "mend")
    refused = play(device, "bgp-neighbors", given, seconds=REAL, hook=at("armed", Link.refuse))
    for run in (cut, refused):
        assert run.last("armed") and run.last("reverted") and lab.router(name) == before, run


REAL_CHECKS = [
    machine_s_link_cut_after_arming_lets_it_go_back_by_itself,
    machine_s_link_cut_behind_the_change_lets_it_go_back_by_itself,
    machine_that_no_new_session_reaches_goes_back_over_the_open_one,
    machine_under_stock_ansible_goes_back_and_is_confirmed,
    machine_whose_login_is_not_root_goes_back,
    machine_s_session_cut_with_the_confirmation_is_found_confirmed,
    machine_s_link_cut_around_the_confirmation_leaves_all_of_the_change_or_nothing,
    machine_with_somebody_else_s_timer_is_left_alone,
    machine_s_change_that_holds_is_confirmed_and_stays,
    machine_s_look_takes_back_at_once_what_was_not_to_stay,
    machine_s_look_confirms_what_was_to_stay,
    machine_whose_timer_is_lost_is_put_back_by_a_look,
]
ROUTER_CHECKS = [
    router_s_link_cut_between_two_lines_lets_it_go_back_by_itself,
    router_s_session_cut_between_two_lines_is_followed_by_one_that_goes_back,
    router_s_login_that_is_in_vtysh_s_group_alone_goes_back_and_is_confirmed,
    router_s_own_configuration_comes_back_where_a_change_takes_its_place,
    router_without_a_program_that_the_timer_needs_is_left_alone,
]
MACHINES = {"bird": REAL_CHECKS, "linux": REAL_CHECKS, "openvswitch": REAL_CHECKS, "frr_shell": REAL_CHECKS + ROUTER_CHECKS,
            "frr": [router_s_change_is_put_back_by_the_service_alone, router_s_part_of_a_section_is_put_back_by_the_service]}

IMITATED = [
    change_that_holds_is_confirmed_and_only_then_saved,
    change_whose_check_fails_is_taken_back_at_once,
    session_that_new_ones_cannot_follow_goes_back_over_the_open_one,
    name_of_the_device_goes_back_with_its_prompt,
    login_that_is_not_proven_goes_back,
    stock_ansible_confirms_and_goes_back,
    link_cut_after_arming_lets_the_device_go_back_by_itself,
    link_cut_between_two_lines_lets_the_device_go_back_by_itself,
    link_cut_between_apply_and_confirm_lets_the_device_go_back_by_itself,
    session_cut_between_two_lines_is_followed_by_one_that_goes_back,
    session_cut_before_the_confirmation_is_confirmed_by_another_or_goes_back,
    session_cut_behind_the_confirmation_is_found_confirmed,
    timer_of_somebody_else_is_respected_and_nothing_is_sent,
    look_takes_back_at_once_what_was_not_to_stay,
    look_confirms_and_saves_what_was_to_stay,
    look_leaves_a_timer_that_must_be_somebody_else_s,
    look_types_nothing_into_what_has_gone_back_or_has_become_something_else,
    device_that_is_as_wanted_is_not_saved_under_somebody_else_s_timer,
    look_drops_the_session_in_which_a_cut_run_has_typed,
]


def on_new(check, lab, platform):
    try:
        check(lab, platform)
    finally:
        lab.hand(lab.devices[platform]["name"], "fresh")


def main():
    arguments, chosen = sys.argv[1:], None
    if arguments[:1] == ["--sample"] and len(arguments) > 1:
        chosen, arguments = random.Random(arguments[1]), arguments[2:]
    wanted = arguments[0] if arguments else ""
    if wanted.startswith("-"):
        sys.exit(__doc__)

    def some(checks):
        return checks if chosen is None else [chosen.choice(checks)]

    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="na-guard") as place, concurrent.futures.ThreadPoolExecutor(8) as pool:
        checks = [(f"{kind}: {check.__name__}", check, kind) for kind in KINDS for check in some(IMITATED)]
        running = {pool.submit(check, place, kind): name for name, check, kind in checks if wanted in name}
        own = {kind: [check for check in some(checks) if wanted in f"{kind}: {check.__name__}"]
               for kind, checks in MACHINES.items()}
        real = [kind for kind, checks in own.items() if checks]
        lab = Lab(real) if real else None
        # A machine plays one check after the other.
        turns = {kind: concurrent.futures.ThreadPoolExecutor(1) for kind in real}
        running |= {turns[kind].submit(on_new, check, lab, kind): f"{kind}: {check.__name__}" for kind in real for check in own[kind]}
        try:
            for done in concurrent.futures.as_completed(running):
                fault = done.exception()
                passed, failed = passed + (fault is None), failed + (fault is not None)
                print(f"ok {running[done]}" if fault is None else f"FAILED {running[done]}: {type(fault).__name__}: {fault}", flush=True)
        finally:
            if lab:
                lab.end()
    print(f"{passed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
