#!/usr/bin/python3
"""Writes docs/catalogue.md: which block is proven on which platform, and by what.

  tests/blocks/catalogue.py [CELLS]

CELLS is what `tests/blocks/run --json` left: the rows of these cells are written anew. Rows of cells that were not played stay, and a
platform's file without a row gets one that says so; a row without a platform's file goes."""
import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "src/Ansible/engine"))
sys.dont_write_bytecode = True
import platforms  # noqa: E402

PAGE = ROOT / "docs/catalogue.md"
HEAD = """# What is proven

Each block on each of its platforms, as `tests/blocks/run --write` played it: in the service's sandbox, judged by the device's own text
([how](writing-blocks.md#proofs)). An imitation is none of the vendor's devices ([what it is](../tests/devices/README.md)).

- **check** tells the change and makes none; **idempotent**: a second apply is `ok` and changes nothing; **undo**: the commands that the
  result holds bring the text before back.
- **effect**: the device shows what the change does, besides its text. Every proven cell has also refused a wrong input before a run, and
  owned up to a device that dropped out in the middle.

| block | platform | proven on | check | idempotent | undo | effect |
|---|---|---|---|---|---|---|
"""


def row(cell):
    if cell.get("fault") is not None:
        return f"not proven: {cell['fault'].split(':')[0]} | | | | |"
    held = cell["held"]
    says = ["yes" if step in held else "no" for step in ("check", "again", "undo")] if cell["writes"] else ["yes", "reads", "reads"]
    return f"{cell['on']} | {' | '.join(says)} | {'yes' if 'shows' in held else 'text' if cell['writes'] else 'reads'} |"


def main():
    there = PAGE.read_text() if PAGE.exists() else ""
    rows = {(block, platform): rest for block, platform, rest in re.findall(
        r"^\| \[([a-z0-9-]+)\][^|]* \| ([a-z0-9]+) \| (.*)$", there, re.MULTILINE)}
    for cell in json.loads(pathlib.Path(sys.argv[1]).read_text()) if len(sys.argv) > 1 else []:
        rows[cell["block"], cell["platform"]] = row(cell)
    lines = []
    for part in sorted((ROOT / "src/Blocks").glob("*/platforms/*.yml")):
        block = part.parent.parent.name
        title = platforms.load(part.parent.parent / "block.yaml")["title"]
        proven = rows.get((block, part.stem), "not proven: not played | | | | |")
        lines.append(f"| [{block}](../src/Blocks/{block}/README.md \"{title}\") | {part.stem} | {proven}\n")
    PAGE.write_text(HEAD + "".join(lines))


main()
