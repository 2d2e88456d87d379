#!/usr/bin/python3
"""Stands between sshd and a router's shell, and rests behind a text, or ends the session there.

  pause.py TEXT SECONDS|end PROGRAM [ARGUMENT...]"""
import os
import pty
import select
import sys
import time
import tty

mark, seconds, program = sys.argv[1].encode(), None if sys.argv[2] == "end" else float(sys.argv[2]), sys.argv[3:]
child, terminal = pty.fork()
if child == 0:
    os.execv(program[0], program)
if os.isatty(0):
    tty.setraw(0)
while True:
    ready = select.select([0, terminal], [], [])[0]
    try:
        if 0 in ready:
            typed = os.read(0, 4096)
            if not typed:
                break
            os.write(terminal, typed)
        if terminal in ready:
            said = os.read(terminal, 4096)
            while mark in said:
                end = said.index(mark) + len(mark)
                os.write(1, said[:end])
                said = said[end:]
                if seconds is None:
                    sys.exit()
                time.sleep(seconds)
            os.write(1, said)
    except OSError:
        break
