# SPDX-License-Identifier: GPL-3.0-or-later
"""What a device says, from the bytes of its shell to a whole answer, in place of network_cli's own reading.

An answer ends where the prompt comes back, and any text of a device may look like its prompt, even on a line of its own. So where the
prompt seems to stand, blank lines are typed, each of a number of blanks that nobody can know: the answer is over where the prompt stands
before the echo of each of them and behind the last. That costs one round trip, and no wait for silence. It also brings back a prompt that
a log line was printed over. Nothing is typed together with a command, since a question or a pager would take it for its answer.

A line of a configuration that the device takes without a word needs no such proof: the echo of the next line is the proof, and words that
come in between belong to the line before."""
import collections
import functools
import random
import re
import signal
import socket
import time

import login
import platforms
import ssh
import tree

# What was typed to see whether the prompt comes back: where a prompt stood, how much had been said, the blanks of each line, and how many
# of the lines must come back.
Poll = collections.namedtuple("Poll", "covered typed counts need")

# Bytes of an answer, of a prompt, and of a line that cursor moves are followed in; lines that are searched for an error.
LIMIT, LONGEST, DRAWN, JUDGED = 32 << 20, 500, 1 << 14, 500
READINGS, POLLS, EMPTY = 4, 8, 3
# A customer's pattern may cost the fourth power of what it is searched in.
ASKED = 200
NEW_PASSWORD, NO_PAGES = "Change it on the device, then in the credential.", "Switch paging off for this login on the device."
# Seconds of silence: before a prompt in an unlikely place is tried, before one is tried again, before a text is taken for a pager or a
# question.
UNLIKELY, AGAIN, WAITS = 1.0, (2.0, 8.0), 0.2
# Wide, since most devices break the echo of a longer line, and high, since some show their pages by it whatever they are told.
WIDTH, HEIGHT = 511, 1000

ESCAPES = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-~])|\x07")
_MOVES = re.compile(rb"\x1b\[([0-9]*)[;0-9]*([CDGK])|" + ESCAPES.pattern + rb"|((?<! ) ++)(?=[\r\b])|(.)", re.S)
_CONTROLS = re.compile(rb"[\x1b\x08\r\a]")
_CUT = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*)?\Z")
_COLOURS = re.compile(rb"\x1b\[[0-9;]*m")
_SHAPE = re.compile(rb"\S[^\r\n]{0,98}[>#$%] ?")
_NOISE = re.compile(rb"%[A-Z][A-Z0-9_]*(?:-[A-Z0-9_]+)*-[0-7]-[A-Z0-9_]+:")
_PAGER = re.compile(rb"(?i)^\W*more\b.*$|^\W*lines? \d+.*$|^\(END\) *$|press .*(?:space|\bq\b).*$")
_QUESTION = re.compile(
    rb"(?i)(?:\[confirm\]|\by(?:es)?(?: ?/ ?|\|)n(?:o)?\b[\])]?.{0,8}|press\W+(?:any key|return|enter)\b.*|\?\s*(?:[\[(][^\])]*[\])]\s*)?:?"
    rb"|[\[(][^\])]*[\])]\s*:|\b(?:password|passcode|secret|user ?name|login|token)\b[^:]{0,40}:)\s*$")
_EXPIRED = re.compile(
    rb"(?i)password (?:has |is )?expired|(?:must|required to|need to) (?:change|reset) (?:your |the )?password"
    rb"|password change (?:is )?required|change your password now|(?:new|current|old) (?:unix )?password: *$")
_TOO_MANY = re.compile(
    rb"(?i)too many (?:concurrent |active |open |simultaneous )?(?:users|sessions|logins|connections)"
    rb"|max(?:imum|\.)? (?:number of )?(?:concurrent |allowed |active |vty )?(?:users|sessions|logins|connections|lines)"
    rb"|(?:session|user|login|connection|line|vty)s? limit|no (?:free|available|more) (?:vty|lines?|sessions?|terminals?)"
    rb"|all (?:vty |terminal |network )?(?:ports|lines|vtys|sessions) (?:are )?(?:in use|busy)")


class Trouble(Exception):
    """Why a device fails. The code goes before the text, and whoever reports the failure parts them again."""

    def __init__(self, code, text):
        super().__init__(f"[netautomation:{code}] {text}")
        self.code = code


def shown(line):
    """A line as it stands on the screen, with what ends it."""
    line = line.strip(b"\r")
    return _drawn(line) if _CONTROLS.search(line) else line


def _drawn(line):
    """What cursor moves and erasures leave of a line. A blank over a character erases it, and so do blanks from which the cursor goes back.
    """
    if len(line) > DRAWN:
        return ESCAPES.sub(b"", line).translate(None, b"\r\b")
    cells, at = [], 0
    for move in _MOVES.finditer(line):
        count, kind, blanks, character = move.groups()
        if kind == b"K":
            if count in (b"", b"0"):
                del cells[at:]
            else:
                cells[:at if count == b"1" else len(cells)] = [None] * (at if count == b"1" else len(cells))
        elif kind:
            # A cursor stays on the screen, however far it is sent.
            steps = int(count[:6] or 1)
            at = min(max(0, {b"C": at + steps, b"D": at - steps, b"G": steps - 1}[kind]), max(WIDTH, len(cells)))
        elif blanks:
            cells[at:at + len(blanks)] = [None] * len(blanks)
            at += len(blanks)
        elif character == b"\r":
            at = 0
        elif character == b"\b":
            at = max(0, at - 1)
        elif character:
            cells += [None] * (at + 1 - len(cells))
            cells[at] = None if character == b" " and cells[at] is not None else character
            at += 1
    while cells and cells[-1] is None:
        cells.pop()
    return b"".join(cell or b" " for cell in cells)


def _squeezed(text):
    return text.translate(None, b" \t")


def _texts(lines):
    return [line.decode("utf-8", "surrogateescape") for line in lines]


@functools.lru_cache(maxsize=4096)
def _pattern(text):
    return re.compile(text.encode(), re.M)


def know(platform):
    """Compiles the patterns of a platform. Whoever is forked afterwards has them."""
    Terminal((), (), platform.get("terminal"))
    for text in (*platform.get("volatile", []), platform.get("complete")):
        _pattern(text or "")


class Terminal:
    """How devices of a platform talk.

    prompts, errors: the patterns of the collection's terminal plugin; settings: `terminal` of platform.yaml; mask: takes a line and hides
    a secret in it; wholly: commands whose whole answer tells whether they failed."""

    def __init__(self, prompts, errors, settings=None, mask=str, wholly=()):
        settings = settings or {}
        self.prompts, self.mask, self.wholly = list(prompts), mask, set(wholly)
        self.errors = [*errors, *map(_pattern, settings.get("errors", []))]
        self.noise = [_NOISE, *map(_pattern, settings.get("noise", []))]
        self.questions = [(_pattern(question), answer) for question, answer in settings.get("questions", {}).items()]
        self.modes = settings.get("modes", r"\([^()]*\)").encode()
        pager = settings.get("pager") or {}
        self.keys, self.off = [(_pattern(line), key) for line, key in pager.get("keys", {}).items()], pager.get("off")

    def page(self, line):
        """(match, key) of a line in which the pager waits, or None."""
        return next(((found, key) for pattern, key in self.keys if (found := pattern.search(line))), None)

    def is_noise(self, line):
        """Printed by the device whenever it likes, and part of no answer."""
        return any(pattern.search(line) for pattern in self.noise)

    def is_prompt(self, line):
        """By the plugin's patterns, which were made for the end of any text. Here the prompt has a line to itself."""
        for pattern in self.prompts if 0 < len(line) <= LONGEST else ():
            # Some begin with a line break, others with "^".
            for text in (line, b"\n" + line):
                found = pattern.search(text)
                if found and found.end() == len(text) and not re.search(rb"\s", text[:found.start()].lstrip(b"\n")):
                    return True
        return False

    def words(self, lines, count=5):
        """Lines of the device as they may be shown to people."""
        texts = [self.mask(text.rstrip())[:200] for text in _texts(lines) if text.strip()]
        return "\n".join(texts[:count])


class Dialogue:
    """Questions that the caller of a command expects, with their answers."""

    def __init__(self, patterns, answers, newline=True, retry=False, every=False):
        self.patterns = [re.compile(pattern, re.I) for pattern in patterns]
        self.answers, self.end, self.retry, self.every = answers, b"\r" if newline else b"", retry, every
        self.at, self.done = 0, not patterns

    def answer(self, text):
        """What to type after this text; None where it asks nothing. A device asks in its last line."""
        text = text.rstrip(b"\r\n")
        text = text[max(text.rfind(b"\n"), len(text) - ASKED, 0):]
        for index, pattern in enumerate(self.patterns):
            if self.every and index:
                return None
            if pattern.search(text):
                if self.done:
                    raise Trouble("auth_failed", "The device asked again: it did not take the answer.")
                answer = self.answers[index] if index < len(self.answers) else self.answers[0]
                if self.every:
                    self.patterns.pop(0)
                    self.answers = self.answers[1:] or self.answers
                self.done = not (self.every and self.patterns)
                return answer + self.end
        return None

    def listens(self):
        return not self.done or (self.retry and self.patterns)


class _Echo:
    """Looks for the echo of a typed line, which a device may break, shift to the left behind a "$", or print log lines into."""

    def __init__(self, line):
        self._typed, self.begun = _squeezed(line.split(b"\n")[0]), False

    def ends(self, raw, prompt):
        """Whether the echo ends with this line."""
        lines = {shown(raw), ESCAPES.sub(b"", raw).translate(None, b"\r\b")}
        forms = [_squeezed(form) for line in lines for form in ({line, line.rpartition(prompt)[2]} if prompt else {line})]
        if self._typed in forms:
            return True
        for form in forms:
            part = form.lstrip(b"$<")
            if part and self._typed.endswith(part) and (self.begun or len(part) < len(form) and len(part) > 2):
                return True
        self.begun = any(form and (self._typed.startswith(form) or self.begun and form.lstrip(b"$<") in self._typed) for form in forms)
        return False


class _Reading:
    """One answer while it comes."""

    def __init__(self, line, dialogue=None, ready=None, whole=False):
        self.line, self.dialogue, self.ready, self.whole = line, dialogue, ready, whole
        self.echo = None if line is None else _Echo(line)
        self.start, self.seen, self.late = None, 0, []
        self.polls, self.sent = [], []
        self.pages, self.keys, self.answered = [], 0, 0
        self.doubt, self.partial, self.accepted = False, False, False


class Session:
    """The shell of one device.

    channel: read(seconds) answers bytes, b"" at its end, or None after so long a silence; write(bytes); now()."""

    def __init__(self, channel, terminal, seconds):
        self.channel, self.terminal, self.seconds = channel, terminal, seconds
        self.prompt, self.mode, self.fault = None, False, None
        self._buffer, self._kin = bytearray(), None
        # How many blank lines are typed at once, whether their blanks come back, and whether commands do.
        self._burst, self._blanks, self._echoes = 2, None, None
        self._renames, self._owed, self._spare = False, None, 0

    def open(self, dialogue=None):
        """Waits for the first prompt, and learns it."""
        return self._answer(_Reading(None, dialogue))[0]

    def renames(self):
        """The next line gives the device another name: its prompt is learnt anew."""
        self._renames = True

    def tell(self, line):
        self.channel.write(line + b"\r")

    def ask(self, line, dialogue=None, told=False):
        """The answer to a line, as the device sent it, without echo and prompt."""
        if not told:
            self.tell(line)
        return self._answer(_Reading(line, dialogue))[0]

    def read(self, line, complete=None, volatile=()):
        """The answer to a command that shows a configuration, read again until it is certain.

        complete: the pattern of its last line, or "twice" where it has no such mark; volatile: lines that change by themselves."""
        changing = [_pattern(text) for text in volatile]
        ready = _pattern(complete) if complete and complete != "twice" else None
        known, cut = [], 0
        for _ in range(READINGS):
            self.tell(line)
            text, doubt = self._answer(_Reading(line, ready=ready, whole=True))
            lines = text.split(b"\n")
            last = next((one for one in reversed(lines) if one.strip() and not self.terminal.is_noise(one)), b"")
            if doubt is None or ready and not ready.search(last.rstrip()):
                cut += 1
                continue
            same = [one for one in lines if not any(pattern.search(one) for pattern in changing)]
            if same in known or not (doubt or complete == "twice" or any(map(self.terminal.is_noise, lines))):
                return text
            known.append(same)
        raise Trouble("incomplete_output", f"The device did not show its configuration whole: it was read {READINGS} times, and "
                      + ("no two readings were the same." if known else "it did not end as such a configuration ends."))

    # --- one answer ---

    def _answer(self, reading):
        """(text, whether it may not be the device's own text; None where it cannot be)"""
        configuring, prompt, owed, spare = self.mode, self.prompt, self._owed, self._spare
        self._owed, self._spare = None, 0
        try:
            end, place = self._follow(reading)
            if reading.line is None:
                text = bytes(self._buffer[:end])
            else:
                text = self._text(reading, end, prompt, spare)
                self._judge(reading, text, configuring, owed)
            return text, reading.doubt
        except Trouble as fault:
            self.fault = fault
            raise
        finally:
            # Whatever comes from here on belongs to the next line.
            self._buffer.clear()
            self._renames = False

    def _follow(self, reading):
        """Reads to the end of the answer; where its text ends, and where the prompt begins."""
        heard = acted = self.channel.now()
        while True:
            self._seek(reading)
            if ends := self._settled(reading):
                return ends
            act, now = self._due(reading), self.channel.now()
            due = heard + self.seconds
            if act:
                due = min(due, max(heard, acted) + act[0])
                if due <= now:
                    act[1]()
                    acted = self.channel.now()
                    continue
            if heard + self.seconds <= now:
                raise self._stuck(reading)
            data = self.channel.read(max(due - now, 0.001))
            if data == b"":
                raise self._gone(reading)
            if data:
                self._buffer += data
                heard, reading.accepted = self.channel.now(), False
                if len(self._buffer) > LIMIT:
                    raise Trouble("task_failed", f"The device's answer is larger than {LIMIT >> 20} MiB.")

    def _line_at(self, begin, end):
        return shown(bytes(self._buffer[begin:end])) if end - begin < 4096 else b""

    def _tail(self):
        begin = self._buffer.rfind(b"\n") + 1
        cut = _CUT.search(self._buffer, max(begin, len(self._buffer) - 20))
        return begin, b"" if cut else self._line_at(begin, len(self._buffer))

    def _seek(self, reading):
        """Finds where the answer begins: behind the echo of its line."""
        if reading.echo is None or reading.start is not None:
            return
        while reading.seen >= 0 and (end := self._buffer.find(b"\n", reading.seen)) >= 0:
            line = bytes(self._buffer[reading.seen:end])
            if reading.echo.ends(line, self.prompt):
                reading.start, self._echoes = end + 1, True
                return
            reading.late.append(line)
            # An echo comes first. Further down, the same text is the device's.
            text = sum(bool(one.strip()) and not self.terminal.is_noise(one) for one in map(shown, reading.late))
            reading.seen = end + 1 if reading.echo.begun or text < {True: 60, None: 3, False: 1}[self._echoes] else -1

    def _candidate(self, reading, line):
        """Whether this last line may be the prompt after the answer: "same", "other" or None."""
        if self.prompt is None or self._renames:
            return "other" if self.terminal.is_prompt(line) else None
        if line == self.prompt:
            return "same"
        return "other" if self._kin.fullmatch(line) else None

    def _settled(self, reading):
        begin, line = self._tail()
        reading.partial = False
        if bare := self._bare(reading, line):
            return self._ended(reading, begin, begin, *bare, False)
        kind = self._candidate(reading, line)
        if not kind and not (self.prompt is None and reading.sent and _SHAPE.fullmatch(line)):
            return None
        if not reading.sent:
            # Taken without a word: the echo of the next line will prove it.
            if (self.prompt is not None and not self._renames and reading.start == begin and b"\n" not in reading.line
                    and not reading.dialogue and (self.mode or self._is_mode(line))):
                self._stand(line)
                self._owed = reading.line
                return begin, begin
            return None
        need = reading.polls[-1].need
        if self._buffer.count(b"\n", reading.polls[-1].typed, begin) < need:
            return None
        blanks = (True, False) if self._blanks is None else (self._blanks,)
        for exact in blanks:
            matched, place = self._run(reading, begin, line, exact)
            reading.partial = reading.partial or not exact and need <= matched < len(reading.sent)
            if matched >= need and (reading.accepted or not reading.partial):
                return self._ended(reading, place, begin, line, matched, exact)
        return None

    def _bare(self, reading, line):
        """The prompt of a device that echoes nothing, not even a line break: it stands as often in the last line as it was asked for."""
        if reading.sent and not self._blanks:
            for times in range(len(reading.sent), reading.polls[-1].need - 1, -1):
                prompt = line[:len(line) // (times + 1)]
                if prompt and line == prompt * (times + 1) and (
                        self._candidate(reading, prompt) or self.prompt is None and _SHAPE.fullmatch(prompt)):
                    reading.partial = times < len(reading.sent)
                    return (prompt, times) if reading.accepted or not reading.partial else None
        return None

    def _run(self, reading, begin, prompt, exact):
        """How many of the blank lines, from the last, stand above the last line, each behind the prompt; and where the first one begins."""
        matched, place = 0, begin
        for count in reversed(reading.sent):
            if place == 0:
                break
            above = self._buffer.rfind(b"\n", 0, place - 1) + 1
            line = self._line_at(above, place - 1)
            rest = line[len(prompt):]
            if exact:
                good = line.startswith(prompt) and not rest.strip(b" ") and count <= len(rest) <= count + reading.keys
            else:
                good = line == prompt
            if not good:
                break
            matched, place = matched + 1, above
        return matched, place

    def _ended(self, reading, place, begin, line, matched, exact):
        if self._blanks is None:
            self._blanks = exact
            if exact:
                self._echoes = True
        if self.prompt is None or self._renames:
            self._learn(line)
        self._stand(line)
        self._spare = len(reading.sent) - matched
        for covered, typed, _, _ in reading.polls if matched < len(reading.sent) else ():
            between = bytes(self._buffer[typed:place]).split(b"\n")
            if typed <= place and covered < place and all(not one.strip() or self.terminal.is_noise(one) for one in between):
                # Between that prompt and the ones that answer stands only what was printed over it.
                reading.doubt, place = True, covered
                break
        for count in reversed(reading.sent[:len(reading.sent) - matched]):
            # A pager took a part of the line, and the prompt the rest.
            above = self._buffer.rfind(b"\n", 0, max(0, place - 1)) + 1
            rest = self._line_at(above, place - 1).removeprefix(line)
            if place == 0 or rest.strip(b" ") or len(rest) > count or not self._line_at(above, place - 1).startswith(line):
                break
            reading.doubt, place = True, above
        return place, begin

    def _learn(self, prompt):
        bare = prompt.rstrip(b" ")
        stem = re.sub(rb"(?:%s)?[>#$%%]?\Z" % (self.terminal.modes if self._renames else b""), b"", bare)
        name = re.escape(stem)
        if len(stem) > 16:
            # Some devices cut a long name in the prompts of their configuration modes.
            name = rb"(?:%s|%s[^\s()]*(?=\())" % (name, re.escape(stem[:16]))
        self._kin = re.compile(rb"%s(?P<mode>(?:%s)?)[>#$%%]%s" % (name, self.terminal.modes, re.escape(prompt[len(bare):])))

    def _stand(self, prompt):
        self.prompt, self.mode = prompt, self._is_mode(prompt)

    def _is_mode(self, prompt):
        found = self._kin.fullmatch(prompt)
        return bool(found and found["mode"])

    # --- what is to be typed while an answer comes ---

    def _due(self, reading):
        """(seconds of silence, what to do then), or None."""
        dialogue = reading.dialogue
        if dialogue and dialogue.listens() and (reading.start is not None or reading.line is None or not self._echoes):
            asked = ESCAPES.sub(b"", bytes(self._buffer[max(dialogue.at, reading.start or 0):]))
            if (answer := dialogue.answer(asked)) is not None:
                return 0, lambda: self._reply(reading, answer)
        if reading.partial:
            # More of the prompts that were asked for may be on their way. Without blanks they would not be known later.
            return WAITS, lambda: setattr(reading, "accepted", True)
        begin, line = self._tail()
        found, key = self.terminal.page(line) or (None, None)
        if found and not (line[:found.start()] + line[found.end():]).strip():
            if reading.pages[-1:] == [(begin, len(self._buffer))] or self._turns_in_vain(reading, begin):
                return None
            return (WAITS if not reading.pages else WAITS / 4), lambda: self._turn(reading, begin, key)
        kind = self._candidate(reading, line)
        if not self._blanks and self.prompt and line and line == self.prompt * (len(line) // len(self.prompt)):
            kind = "same"
        if kind or self.prompt is None and _SHAPE.fullmatch(line) and not _QUESTION.search(line) and not _PAGER.search(line):
            if self.prompt is None and self._burst > 1 and reading.sent and self._run(reading, begin, line, False)[0] == 1:
                return AGAIN[0], lambda: self._one_by_one(reading)
            # Prompts before the echo of a line are those of the lines before it.
            early = self._echoes and reading.line is not None and reading.start is None
            return self._poll_at(reading, AGAIN[-1] if early else 0 if self._likely(reading, kind, begin) else UNLIKELY, begin)
        for pattern, answer in () if reading.whole else self.terminal.questions:
            if pattern.search(line) and reading.answered < len(self._buffer):
                return WAITS, lambda: self._reply(reading, answer.encode() + b"\r")
        covered, after = self._covered(reading, begin, line)
        if covered is None:
            return None
        printed = [line for line in after if line.strip()]
        if reading.polls and after and not printed:
            return None  # the echo of what was typed
        return self._poll_at(
            reading, WAITS if printed and all(map(self.terminal.is_noise, printed)) else UNLIKELY, covered, extra=1)

    def _likely(self, reading, kind, begin):
        """Whether a line that may be the prompt is worth typing at once. Elsewhere it costs nothing to see first whether text follows."""
        if kind is None:
            return False
        if self.prompt is None:
            return True
        if kind == "same" and not reading.ready:
            return True
        start = reading.start or 0
        if self._buffer.count(b"\n", start, begin) <= 3:
            return True
        above = bytes(self._buffer[max(start, begin - 512):begin]).rstrip().rpartition(b"\n")[2]
        return kind == "same" and bool(reading.ready.search(above.rstrip()))

    def _poll_at(self, reading, silence, covered, extra=0):
        if reading.polls:
            here = sum(poll.typed == len(self._buffer) for poll in reading.polls)
            if here >= len(AGAIN) or len(reading.polls) >= POLLS:
                return None
            silence = max(silence, AGAIN[here])
        return silence, lambda: self._poll(reading, covered, extra)

    def _poll(self, reading, covered, extra):
        blanks, need = self._blanks is not False, self._burst
        if not blanks and need > 1:
            # Only their number is left to tell them from such lines of the text.
            need += random.randint(1, 3)
        counts = [random.randint(2, 15) if blanks else 0 for _ in range(need + extra)]
        reading.polls.append(Poll(covered, len(self._buffer), counts, need))
        reading.sent += counts
        self.channel.write(b"".join(b" " * count + b"\r" for count in counts))

    def _one_by_one(self, reading):
        """A device that takes what is typed behind a line for a part of it."""
        self._burst = 1
        reading.polls[-1] = reading.polls[-1]._replace(need=1)

    def _covered(self, reading, begin, line):
        """Where a prompt stands that something was printed over, or that has text before it; and the lines after it."""
        if self.prompt is None or reading.line is None or reading.start is None and self._echoes:
            return None, []
        if line:
            behind = len(line) > len(self.prompt) and line.endswith(self.prompt) and self._buffer.endswith(self.prompt)
            return (len(self._buffer) - len(self.prompt) if behind else None), []
        after, end = [], begin
        while end > (reading.start or 0) and len(after) < 20:
            above = self._buffer.rfind(b"\n", 0, end - 1) + 1
            text = self._line_at(above, end - 1)
            if text.startswith(self.prompt):
                return above, [*after, text[len(self.prompt):]]
            if self._kin.fullmatch(text):
                return above, [*after, b""]  # of another mode
            after.append(text)
            end = above
        return None, []

    def _reply(self, reading, answer):
        if reading.dialogue:
            reading.dialogue.at = len(self._buffer)
        reading.answered = len(self._buffer)
        self.channel.write(answer)

    def _turn(self, reading, begin, key):
        reading.pages.append((begin, len(self._buffer)))
        reading.keys += 1
        self.channel.write(key.encode())

    def _turns_in_vain(self, reading, begin):
        """Whether the last pages were empty: a pager that takes the key and never ends."""
        since = reading.pages[-EMPTY:][0][1] if len(reading.pages) >= EMPTY else begin
        return since < begin and not any(shown(line).strip() for line in bytes(self._buffer[since:begin]).split(b"\n"))

    # --- the text of an answer ---

    def _text(self, reading, end, prompt, spare):
        start = reading.start
        if start is None and not self._echoes:
            self._echoes, start = False, 0
        elif start is None:
            # Something broke the echo: the text behind its first line may hold the rest of it.
            start, reading.doubt = self._buffer.find(b"\n") + 1, None
        raw = bytes(self._buffer[start:end])
        if self._echoes is False:
            # Prompts that were asked for before this line, and came after it was typed.
            late = re.match(rb"(?:%s(?:\r*\n)?){0,%d}" % (rb"(?:\x1b[^A-Za-z]*[A-Za-z])*".join(
                re.escape(prompt[at:at + 1]) for at in range(-1, len(prompt))), spare), raw)
            start += late.end()
            raw = raw[late.end():]
        pages = [begin - start for begin, to in reading.pages if to <= end]
        for _, typed, counts, _ in reversed(reading.polls):
            if typed >= end:
                continue
            # The answer went on behind what looked like the prompt, and a busy terminal may have echoed the blank lines into it.
            reading.doubt = reading.doubt if reading.doubt is None else True
            behind, echo = max(0, typed - start), b"".join(b" " * count + b"\r?\n" for count in counts)
            found = list(re.finditer(echo, raw[behind:])) if any(counts) else []
            if len(found) == 1:
                at, to = (behind + place for place in found[0].span())
                raw = raw[:at] + raw[to:]
                pages = [place - (to - at) if place >= at else place for place in pages]
        lines, at, kept = raw.split(b"\n"), 0, []
        # How this device ends its lines: an erasure ends with such characters, too.
        end = min((len(line) - len(line.rstrip(b"\r")) for line in lines[:-1]), default=0)
        for line in lines:
            if self._is_page(line):
                kept.append(_drawn(line[:len(line) - end]))
            elif any(at <= page <= at + len(line) for page in pages):
                # A pager that is not erased cannot be told from such a line of the text.
                reading.doubt = None
            else:
                kept.append(ESCAPES.sub(b"", line).strip(b"\r"))
            at += len(line) + 1
        return b"\n".join(kept)

    def _is_page(self, line):
        """A pager that went on by a key that was meant for the prompt."""
        parts = re.split(rb"[\r\b\x1b]", _COLOURS.sub(b"", line).rstrip(b"\r"), maxsplit=1)
        return len(parts) > 1 and self.terminal.page(parts[0]) is not None

    def _judge(self, reading, text, configuring, owed):
        if owed is not None and reading.start is not None:
            self._refuse(owed, [line for line in map(shown, reading.late) if line.strip() and not self.terminal.is_noise(line)])
        lines = [line for line in text.split(b"\n") if line.strip() and not self.terminal.is_noise(line)]
        if reading.line and b"\n" in reading.line:
            # The echo of a text of several lines.
            typed = set(map(_squeezed, reading.line.split(b"\n")))
            lines = [line for line in lines if _squeezed(line) not in typed]
        if not (configuring or reading.dialogue or reading.line in self.terminal.wholly):
            # The rest is text of the device, in which anything may stand. A line of "^" points at what was wrong.
            lines = lines[:next((index for index, line in enumerate(lines) if line.strip() != b"^"), 0) + 1]
        self._refuse(reading.line, lines)

    def _refuse(self, line, lines):
        # The patterns are the collection's, and some take the square of a line's length.
        text = b"\n" + b"\n".join(one[:LONGEST] for one in lines[:JUDGED])
        if any(pattern.search(text) for pattern in self.terminal.errors):
            words = self.terminal.words(lines)
            raise Trouble("task_failed", f"{self.terminal.words([line.strip()], 1)}: {words}")

    # --- answers that do not end ---

    def _last(self, reading):
        lines = [shown(line) for line in bytes(self._buffer[-4096:]).split(b"\n")]
        return next((line for line in reversed(lines) if line.strip()), b"")

    def _stuck(self, reading):
        last = self._last(reading)
        words = self.terminal.words([last], 1)
        if self.prompt is None and _EXPIRED.search(bytes(self._buffer[-4096:]).rstrip()):
            return Trouble("password_expired", f"The device demands a new password: {words} {NEW_PASSWORD}")
        if _PAGER.search(last.strip()) or self.terminal.page(last):
            return Trouble("pager", f"The device shows its answer page by page and waits for a key: {words} {NO_PAGES}")
        if _QUESTION.search(last):
            return Trouble("needs_answer", f"The device asks, and waits for an answer: {words}")
        said = f" It last said: {words}" if words and not reading.whole else ""
        return Trouble("idle_timeout", f"The device stopped answering.{said}")

    def _gone(self, reading):
        text = bytes(self._buffer[-4096:])
        words = self.terminal.words([self._last(reading)], 1)
        if self.prompt is None and _TOO_MANY.search(text):
            return Trouble("too_many_sessions", f"The device takes no further session: {words}")
        if self.prompt is None and _EXPIRED.search(text):
            return Trouble("password_expired", f"The device demands a new password: {words} {NEW_PASSWORD}")
        said = f" It last said: {words}" if words and self.prompt is None else ""
        return Trouble("connection_closed", f"The device closed the connection.{said}")


# --- network_cli ---

class _Channel:
    """Paramiko's channel for a Session."""
    now = staticmethod(time.monotonic)

    def __init__(self, channel):
        self._channel = channel

    def read(self, seconds):
        self._channel.settimeout(seconds)
        try:
            return self._channel.recv(65536)
        except socket.timeout:
            return None

    def write(self, data):
        try:
            self._channel.settimeout(60)
            self._channel.sendall(data)
        except OSError:
            raise Trouble("connection_closed", "The device closed the connection.") from None


def _terminal(connection):
    directory = (connection.get_option("platform") or {}).get("directory")
    platform = platforms.read(directory) if directory else {}
    patterns = [connection._get_terminal_std_re(option) for option in ("terminal_stdout_re", "terminal_stderr_re")]
    return platform, Terminal(
        *patterns, platform.get("terminal"), tree.grammar(directory).masked if directory else str,
        [command.encode() for name, command in platform.get("commands", {}).items() if name == "save"])


def guard(module):
    """Lets network_cli read by a Session."""
    import paramiko
    connection, shell = module.Connection, paramiko.SSHClient.invoke_shell
    # The platform's folder reaches the connection as an option, as all of its variables do.
    module.DOCUMENTATION += "  platform:\n    description: The platform of the device.\n    type: dict\n    vars:\n    - name: platform\n"

    def invoke_shell(self, *args, **options):
        return shell(self, *args, **{"width": WIDTH, "height": HEIGHT, **options})

    def session(self):
        if getattr(self, "_session_shell", None) is not self._ssh_shell:
            self._session_shell = self._ssh_shell
            self._platform, terminal = _terminal(self)
            self._session = Session(_Channel(self._ssh_shell), terminal, self.get_option("persistent_command_timeout"))
        return self._session

    def said(self, act):
        # The limits of a Session hold; network_cli's would end an answer in the middle.
        signal.alarm(0)
        try:
            return act()
        except Trouble as fault:
            raise module.AnsibleConnectionFailure(str(fault)) from None
        finally:
            self._matched_prompt = session(self).prompt

    def octets(texts):
        texts = texts if isinstance(texts, list) else [] if texts is None else [texts]
        return [text if isinstance(text, bytes) else str(text).encode("utf-8", "surrogateescape") for text in texts]

    def receive(self, command=None, prompts=None, answer=None, newline=True, prompt_retry_check=False, check_all=False, strip_prompt=True):
        dialogue = Dialogue(octets(prompts), octets(answer), newline, prompt_retry_check, check_all) if prompts else None
        current = session(self)
        try:
            text = said(self, (lambda: current.open(dialogue)) if command is None else lambda: current.ask(command, dialogue, told=True))
        finally:
            if current.prompt is None:
                self.close()  # nobody can talk to it
        self._command_response = self._last_response = text.strip(b"\n") + (b"" if strip_prompt else b"\n" + current.prompt)
        return self._command_response

    def send(self, command, prompt=None, answer=None, newline=True, sendonly=False, prompt_retry_check=False, check_all=False,
             strip_prompt=True):
        said(self, lambda: session(self).tell(command))
        if sendonly:
            return None
        text = self.receive(command, prompt, answer, newline, prompt_retry_check, check_all, strip_prompt)
        return text.decode("utf-8", "surrogateescape")

    def read_configuration(self, which="running"):
        """The running configuration, or another one that the platform has a command for, whole, as the device sent it."""
        current = session(self)
        platform = self._platform
        return said(self, lambda: current.read(
            platform["commands"][which].encode(), platform.get("complete"), platform.get("volatile", []))
        ).decode("utf-8", "surrogateescape")

    def renames(self):
        """The next line gives the device another name."""
        session(self).renames()

    def has_shell(self):
        """Whether the login lands in a shell in which the device's own is a program."""
        return bool(login.device(self._play_context.remote_addr).get("program"))

    def in_shell(self, command, text="", name=None):
        """What a command of that shell prints, in a channel of its own beside the terminal: nothing of it is typed into the program."""
        signal.alarm(0)
        target, mask = login.device(self._play_context.remote_addr), session(self).terminal.mask
        try:
            ended = ssh.run(self.ssh_type_conn.ssh, target, command, text, self.get_option("persistent_command_timeout"))
            return ssh.printed(ended, name or command, mask)
        except ssh.Fault as fault:
            raise module.AnsibleConnectionFailure(login.coded(fault.code, fault)) from None

    def anew(self):
        """Ends the session, in whatever state it is. The next command begins another one."""
        try:
            self.close()
        except Exception:
            self._ssh_shell, self._ssh_type_conn, self._connected = None, None, False
        self._conn_closed = False

    prepare = connection._on_open_shell

    def on_open_shell(self):
        terminal = session(self).terminal
        steps = [lambda: prepare(self), *([lambda: self.send(terminal.off.encode())] if terminal.off else [])]
        for step in steps:
            try:
                step()
            except module.AnsibleConnectionFailure:
                # The plugin has words of its own. A device that does not switch its pager off can still be read page by page.
                fault = session(self).fault
                if fault is None:
                    raise
                if fault.code != "task_failed" or not terminal.keys:
                    raise module.AnsibleConnectionFailure(str(fault)) from None
        if "recognised" in self._platform:
            try:
                answer = self.send(self._platform["commands"]["version"].encode())
            except module.AnsibleConnectionFailure as fault:
                if session(self).fault.code != "task_failed":
                    raise
                answer = str(fault).partition("] ")[2]
            if text := platforms.mismatch(self._platform, answer):
                raise module.AnsibleConnectionFailure(str(Trouble("platform_mismatch", text)))

    paramiko.SSHClient.invoke_shell = invoke_shell
    connection.receive, connection._on_open_shell, connection.anew = receive, on_open_shell, anew
    connection.send, connection.read_configuration, connection.renames, connection.in_shell = map(
        module.ensure_connect, (send, read_configuration, renames, in_shell))
    connection.has_shell = has_shell
