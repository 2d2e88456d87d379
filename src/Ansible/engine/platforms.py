# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the published folder of a platform: its data in platform.yaml, its code in Python files beside it."""
import functools
import importlib.util
import os
import re

import yaml


class _Loader(yaml.SafeLoader):
    """YAML 1.2 core schema (section 10.3), as the service reads the same files: in YAML 1.1 "no" would be false and 010 eight."""


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
        ("null", r"(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
        ("bool", r"(?:true|True|TRUE|false|False|FALSE)$", list("tTfF")),
        ("int", r"[-+]?[0-9]+$", list("-+0123456789")),
        ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", list("-+.0123456789"))):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), _first)
_Loader.add_constructor("tag:yaml.org,2002:int", lambda loader, node: int(loader.construct_scalar(node), 10))


@functools.lru_cache(maxsize=64)
def load(path):
    """A file of a published folder, which never changes; whoever reads it must not change it either."""
    with open(path, encoding="utf-8") as file:
        return yaml.load(file, _Loader)


def read(directory):
    return load(os.path.join(directory, "platform.yaml"))


@functools.lru_cache(maxsize=None)
def _code(directory, name):
    """What a Python file of the platform offers: its functions without a leading underscore, by name."""
    path = os.path.join(directory, name + ".py")
    if not os.path.exists(path):
        return {}
    spec = importlib.util.spec_from_file_location("netautomation_" + name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {name: value for name, value in vars(module).items() if callable(value) and not name.startswith("_")}


def words(directory):
    """The platform's own filters: the functions of its lines.py."""
    return _code(directory, "lines")


def effect(directory):
    """The function of the platform's effect.py that looks for what a configuration does; None where the platform has none."""
    return _code(directory, "effect").get("effect")


def state(directory):
    """The functions of the platform's state.py, which read what a device says of itself."""
    return _code(directory, "state")


def pinned(directory):
    """The function that makes the text of a device from what it shows. Most devices show the text itself."""
    return _code(directory, "text").get("pinned", lambda shown: shown)


def writer(directory):
    """(apply, undo) of the platform's text.py, where its devices take no lines but their whole text; else None."""
    code = _code(directory, "text")
    return (code["apply"], code["undo"]) if "apply" in code else None


def guard(directory):
    """The functions of the platform's guard.py, by which a change goes back by itself; none where it goes back only by us."""
    return _code(directory, "guard")


def beside(file, name):
    """What another Python file in the folder of this one offers."""
    return _code(os.path.dirname(file), name)


def mismatch(platform, answer):
    """Why a device that answers so to `version` is not of this platform; None where it is, or where nobody can tell."""
    if re.search(platform.get("recognised", ""), answer, re.M):
        return None
    words = "".join(character if character.isprintable() else " " for character in " ".join(answer.split()))[:120]
    return (f'The device is not what its record says ({platform["title"]}): to "{platform["commands"]["version"]}" it answers "{words}". '
            "Nothing was sent that could change it.")


def first_question(pattern, answer):
    """Variables for what a device asks before its first prompt. Lists, since an empty text would not count as an answer."""
    return {"ansible_terminal_initial_prompt": [pattern], "ansible_terminal_initial_answer": [answer or ""]} if pattern else {}


def _network_cli(platform):
    terminal = platform.get("terminal") or {}
    options = {
        "ansible_terminal_stdout_re": [{"pattern": pattern} for pattern in terminal.get("prompts", [])],
        **first_question(terminal.get("question"), terminal.get("answer")),
        "ansible_command_timeout": terminal.get("commandSeconds"),
    }
    return {
        "ansible_connection": "ansible.netcommon.network_cli", "ansible_network_os": platform["networkOs"],
        **{name: value for name, value in options.items() if value}}


def _ssh(platform):
    seconds = (platform.get("terminal") or {}).get("commandSeconds")
    return {"ansible_connection": "commands", **({"ansible_command_timeout": seconds} if seconds else {})}


# The kinds of connection that this engine can make.
CONNECTIONS = {"network_cli": _network_cli, "ssh": _ssh}


def privileged(platform):
    """Variables of a login that enters the privileged mode. A session of commands does that by itself."""
    return {"ansible_become": True, "ansible_become_method": "ansible.netcommon.enable"} if "networkOs" in platform else {}


def modules(directory):
    """The modules to import before a run arrives: the plugins behind the platform's connection, and others it names."""
    platform = read(directory)
    if platform["connection"] not in CONNECTIONS:
        return []  # a run on its devices reports the unknown connection
    collection, _, name = platform.get("networkOs", "").rpartition(".")
    plugins = [f"ansible_collections.{collection}.plugins.{kind}.{name}" for kind in ("terminal", "cliconf") if collection]
    return [*plugins, *platform.get("preload", [])]
