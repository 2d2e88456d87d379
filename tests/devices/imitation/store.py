"""What one device keeps: the running and the startup configuration, files, candidates, and timers that take a change back."""
import asyncio

from .grammar import Refused
from .tree import Node


class Device:
    """minute: how many seconds a minute of its timers takes; reached: the holds whose moment has come."""

    def __init__(self, platform, name, address, journal, minute=60.0):
        self.platform, self.name, self.address, self._journal, self.minute = platform, name, address, journal, minute
        self.timers, self.logged_in, self.reached = {}, set(), set()
        self.renew()

    def renew(self):
        """As it comes from the factory."""
        self.files, self.candidates, self.state = {}, {}, {}
        self.running = Node()
        self.load(self.platform.factory(self))
        self.startup = self.text()
        self.changed = None

    @property
    def hostname(self):
        return self.running.value("hostname", self.platform.HOSTNAME)

    def note(self, session, event, text=None):
        self._journal.note(self.name, session, event, text)

    def text(self, root=None):
        return "\n".join(self.platform.render(self, self.running if root is None else root))

    def build(self, text, base=None):
        """The tree of a configuration's text; a line that is refused is left out, as a device does that starts with it."""
        root, paths, indents, block = base or Node(), [()], [(-1, [()])], None
        for line in text.split("\n"):
            if block is not None:
                block = None if block.take(line, root) else block
                continue
            if (block := self.platform.block(line.strip())) is not None or not line.strip() or line.lstrip().startswith("!"):
                continue
            depth = len(line) - len(line.lstrip(" "))
            while indents[-1][0] >= depth:
                indents.pop()
            try:
                paths = self.platform.GRAMMAR.apply(root, indents[-1][1], line.strip(), self.platform)
            except Refused:
                continue
            indents.append((depth, paths))
        return root

    def load(self, text):
        self.running = self.build(text)

    def unsaved(self):
        return self.text() != self.startup

    def save(self, session):
        self.note(session, "save")
        self.startup = self.text()

    # A timer holds the configuration that comes back. One of each kind is pending at most.
    def arm(self, kind, seconds, session, action):
        self.cancel(kind)
        self.note(session, "arm", f"{kind} {seconds:g}")
        loop = asyncio.get_running_loop()

        def fire():
            self.timers.pop(kind, None)
            self.note(session, "revert" if kind != "reload" else "reload", kind)
            action()
        self.timers[kind] = (loop.call_later(seconds, fire), loop.time() + seconds, action)

    def cancel(self, kind):
        timer = self.timers.pop(kind, None)
        if timer:
            timer[0].cancel()
        return timer

    def left(self, kind):
        return self.timers[kind][1] - asyncio.get_running_loop().time()

    def reload(self):
        """Everything that was not saved is gone, and so are the sessions."""
        for kind in list(self.timers):
            self.cancel(kind)
        self.load(self.startup)
        self.candidates.clear()
        for session in list(self.logged_in):
            session.hang_up()
