#!/usr/bin/python3
"""Plans every case of every block, as the engine does, and prints the differences.

  tests/blocks/cases.py [--blocks DIR] [--platforms DIR] [--engine DIR] [--platform NAME] [BLOCK...]

BLOCK is a folder of --blocks, or the path of another folder.

One line for each case and platform; the last line is "N passed, M failed". A case, src/Blocks/BLOCK/cases/NAME.json, holds an input and
for each platform the configuration before, the lines to send, those that undo them, and the configuration after, for which no line is
left to send; or the reason why the device is refused. Where a device takes its whole text, the configuration after is exactly that. The
case of a block that restores has the configuration that is wanted, too.
"""
import argparse
import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.dont_write_bytecode = True


def faults(plan, part, case, platform, given):
    def made(text):
        return plan.restored(text, case["wanted"], str(platform)) if "wanted" in case else plan.plan(text, part, given, str(platform))

    planned = made(case["before"])
    if planned["refused"] != case.get("refused"):
        return f"refused: {planned['refused']}"
    if "refused" in case:
        return None
    for expected, name in (("plan", "lines"), ("undo", "undo")):
        if planned[name] != case[expected]:
            return f"the {expected} is {planned[name]}"
    if planned.get("after", case["after"]) != case["after"]:
        return f"the text after is {planned['after']!r}"
    left = made(case["after"])["lines"]
    return f"left to do afterwards: {left}" if left else None


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--blocks", type=pathlib.Path, default=ROOT / "src/Blocks")
    parser.add_argument("--platforms", type=pathlib.Path, default=ROOT / "src/Platforms")
    parser.add_argument("--engine", type=pathlib.Path, default=ROOT / "src/Ansible/engine")
    parser.add_argument("--platform", help="this one alone")
    parser.add_argument("block", nargs="*", type=pathlib.Path)
    options = parser.parse_args()
    sys.path.insert(0, str(options.engine))
    import plan
    import platforms
    counts = {True: 0, False: 0}
    for block in [options.blocks / name for name in options.block] or sorted(options.blocks.iterdir()):
        cases = [(path, json.loads(path.read_text())) for path in sorted(block.glob("cases/*.json"))]
        for path, case in cases:
            for name, expected in case["platforms"].items():
                if options.platform in (None, name):
                    part = platforms.load(block / "platforms" / f"{name}.yml")
                    fault = faults(plan, part, expected, options.platforms / name, case["input"])
                    counts[fault is None] += 1
                    print(f"{'ok    ' if fault is None else 'FAILED'} {block.name} {path.stem} {name}{': ' + fault if fault else ''}")
        # A block that plans lines has a case for each platform that it supports.
        for part in sorted(block.glob("platforms/*.yml")):
            content = platforms.load(part)
            if options.platform in (None, part.stem) and isinstance(content, dict) and not {"artifact", "tasks"} & content.keys() \
                    and not any(part.stem in case["platforms"] for _, case in cases):
                counts[False] += 1
                print(f"FAILED {block.name}: no case for {part.stem}")
    print(f"{counts[True]} passed, {counts[False]} failed")
    return 0 if (counts[True] or options.block) and not counts[False] else 1


sys.exit(main())
