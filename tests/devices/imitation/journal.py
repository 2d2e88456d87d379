"""What a process of imitations did, one JSON line an event, written before the event takes effect."""
import itertools
import json
import os
import time


class Journal:
    """path: None keeps nothing. An event is login, open, close, line (of a configuration), save, commit, abort, arm, confirm, revert,
    reload or held."""
    sessions = itertools.count(1)

    def __init__(self, path):
        self._file = None if path is None else os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def note(self, device, session, event, text=None):
        if self._file is not None:
            line = {"t": time.time(), "m": time.monotonic(), "d": device, "s": session, "e": event, "text": text}
            os.write(self._file, (json.dumps(line) + "\n").encode())
