#!/usr/bin/python3
"""Short talks between the engine's session code and scripted devices, each with one trouble of real ones.

  tests/devices/talks.py [NAME]

One line for each talk; the last line is "N passed, M failed". No network, and a clock of its own."""
import re
import sys

import torture

import text as device_text

session = torture.session
talks = {}


def talk(case):
    talks[case.__name__] = case
    return case


class Device:
    """Echoes what is typed, and answers by `said`: a text, or a generator that types with `say` and asks for more with "line"."""
    chunk, kernel, text = 4096, False, b"x"

    def __init__(self, said, prompt=b"r1# ", greeting=b"", ends=b"\r\n", first=None):
        self.said, self.prompt, self.greeting, self.ends, self.first = said, prompt, greeting, ends, first

    def shell(self, say):
        say(self.greeting)
        if self.first:
            yield from self.first(self, say)
        say(self.prompt)
        while True:
            line = yield "line"
            say(line + self.ends)
            answer = self.said.get(line.strip(), b"")
            if callable(answer):
                yield from answer(self, say)
            else:
                say(answer.replace(b"\n", self.ends))
            say(self.prompt)


class Closing(torture.Wire):
    """The device hangs up when there is nothing more to say."""

    def read(self, seconds):
        return torture.Wire.read(self, seconds) or b""


class OneByOne(torture.Wire):
    """Whatever comes at once is one line to the device."""

    def write(self, data):
        torture.Wire.write(self, data.strip(b" \r").replace(b"\r", b" ") + b"\r")


def opened(device, settings=None, wire=torture.Wire, mask=str, **options):
    terminal = session.Terminal([torture.PLUGIN], torture.ERRORS, settings, mask, **options)
    shell = session.Session(wire(device), terminal, torture.LIMIT)
    shell.open()
    return shell


def fails(code, words, act):
    try:
        got = act()
    except session.Trouble as fault:
        assert fault.code == code and words in str(fault), fault
        return str(fault)
    raise AssertionError(f"it answered {got}")


def becomes(prompt, words=b""):
    def change(device, say):
        say(words)
        device.prompt = prompt
        yield from ()
    return change


def asks(question, then=lambda line: b""):
    def ask(device, say):
        say(question)
        line = yield "line"
        say(b"\r\n" + then(line))
    return ask


@talk
def a_text_in_a_shown_configuration_is_no_error():
    shell = opened(Device({b"show run": b"!\n description circuit id not found\nend\n"}))
    assert shell.ask(b"show run").endswith(b"end\n")


@talk
def a_refused_command_is_told_with_the_devices_words():
    shell = opened(Device({b"show x": b"      ^\n% Unknown command: x\n"}))
    fails("task_failed", "show x: ", lambda: shell.ask(b"show x"))
    assert shell.ask(b"") == b""


@talk
def a_refused_line_of_configuration_is_found_anywhere_in_its_answer():
    words = b"note\n" * 9 + b"% Unknown command: ip x\n"
    shell = opened(Device({b"configure terminal": becomes(b"r1(config)# "), b"ip x": words}))
    shell.ask(b"configure terminal")
    told = fails("task_failed", "ip x: note", lambda: shell.ask(b"ip x"))
    assert told.count("\n") == 4, told


@talk
def a_secret_of_a_refused_line_is_masked():
    def mask(line):
        return re.sub(r"(password) \S+", r"\1 ***", line)
    said = {b"configure terminal": becomes(b"r1(config)# "), b"password kept": b"% Unknown command: password kept\n"}
    shell = opened(Device(said), mask=mask)
    shell.ask(b"configure terminal")
    assert "kept" not in fails("task_failed", "password ***", lambda: shell.ask(b"password kept"))


@talk
def words_that_come_behind_the_prompt_belong_to_the_line_before():
    def late(device, say):
        say(device.prompt + b"\r\n% Unknown command: ip x\r\n", 0)
        yield from ()
    shell = opened(Device({b"configure terminal": becomes(b"r1(config)# "), b"ip x": late}))
    shell.ask(b"configure terminal")
    fails("task_failed", "ip x: ", lambda: (shell.ask(b"ip x"), shell.ask(b"end")))


@talk
def the_answer_of_save_is_judged_wholly():
    device = Device({b"write": b"Building configuration\n% Unknown command: disk full\n"})
    assert opened(device).ask(b"write")
    fails("task_failed", "disk full", lambda: opened(device, wholly=[b"write"]).ask(b"write"))


@talk
def another_mode_of_the_same_device_is_its_prompt_and_another_device_is_not():
    shell = opened(Device({
        b"configure terminal": becomes(b"r1(config)# ", b"Enter configuration commands, one per line.\r\n"),
        b"end": becomes(b"r1# "), b"hop": becomes(b"r2# ")}))
    shell.ask(b"configure terminal")
    assert shell.mode and shell.prompt == b"r1(config)# "
    shell.ask(b"end")
    assert not shell.mode and shell.prompt == b"r1# "
    fails("idle_timeout", "r2#", lambda: shell.ask(b"hop"))


@talk
def a_new_name_is_learnt_only_where_it_is_announced():
    said = {b"configure terminal": becomes(b"r1(config)# "), b"hostname r2": becomes(b"r2(config)# "), b"end": becomes(b"r2# ")}
    shell = opened(Device(said))
    shell.ask(b"configure terminal")
    shell.renames()
    shell.ask(b"hostname r2")
    assert shell.mode and shell.prompt == b"r2(config)# ", shell.prompt
    shell.ask(b"end")
    assert shell.prompt == b"r2# "
    shell = opened(Device(said))
    shell.ask(b"configure terminal")
    fails("idle_timeout", "r2(config)#", lambda: shell.ask(b"hostname r2"))


@talk
def a_long_name_that_is_cut_in_configuration_mode_is_the_same_device():
    said = {b"configure terminal": becomes(b"core-switch-building-(config)#")}
    shell = opened(Device(said, prompt=b"core-switch-building-seven-floor-two#"))
    shell.ask(b"configure terminal")
    assert shell.mode


@talk
def names_that_the_plugin_does_not_know_are_learnt():
    for prompt in ("swé#".encode("latin-1"), b"sw1* #", b"\x1b[1;32msw1\x1b[0m> "):
        shell = opened(Device({b"show x": b"y\n"}, prompt=prompt))
        assert shell.ask(b"show x") == b"y\n"


@talk
def a_greeting_that_ends_like_a_prompt_or_tells_of_an_error_is_a_greeting():
    def slow(device, say):
        say(b"\r\n% Unknown command: budget\r\ndevice in maint#", 3)
        say(b"\r\nmaint#", 3)
        say(b"\r\nmore\r\n")
        yield from ()
    shell = opened(Device({b"show x": b"y\n"}, first=slow))
    assert shell.prompt == b"r1# " and shell.ask(b"show x") == b"y\n"


@talk
def a_log_line_over_the_prompt_is_no_part_of_the_answer():
    def log(device, say):
        say(b"y\r\nr1# ", 0.1)
        say(b"\r\n*Nov 28 05:00:00: %SYS-5-CONFIG_I: Configured from console\r\n")
        yield "line"
        say(b"\r\n")
    shell = opened(Device({b"show x": log}))
    assert shell.ask(b"show x") == b"y\n"


@talk
def a_prompt_behind_a_text_without_its_line_break_ends_the_answer():
    assert opened(Device({b"show x": b"a\nb"})).ask(b"show x") == b"a\nb"


@talk
def a_device_that_takes_all_that_comes_at_once_for_one_line_is_read():
    shell = opened(Device({b"show x": b"y\n"}), wire=OneByOne)
    assert shell.ask(b"show x") == b"y\n" and shell.ask(b"show x") == b"y\n"


@talk
def an_enable_password_is_asked_for_and_given():
    def enable(device, say):
        say(b"Password: ")
        if (yield "line") != b"good":
            say(b"\r\nPassword: ")
            yield "line"
        device.prompt = b"r1#"
        say(b"\r\n")
    for password, code in ((b"good", None), (b"bad", "auth_failed")):
        shell = opened(Device({b"enable": enable}, prompt=b"r1>"))
        dialogue = session.Dialogue([rb"[Pp]assword: ?$"], [password], retry=True)
        if code:
            fails(code, "", lambda: shell.ask(b"enable", dialogue))
        else:
            shell.ask(b"enable", dialogue)
            assert shell.prompt == b"r1#"


@talk
def a_question_is_answered_by_the_platform_or_named():
    device = Device({b"copy": asks(
        b"Overwrite file [startup-config]?[confirm]", lambda line: b"[OK]\r\n" if line == b"y" else b"% no\r\n")})
    assert opened(device, {"questions": {r"\[confirm\]$": "y"}}).ask(b"copy").endswith(b"[OK]\n")
    fails("needs_answer", "Overwrite file [startup-config]?[confirm]", lambda: opened(device).ask(b"copy"))


@talk
def a_question_at_login_is_answered_by_the_platform_or_named():
    device = Device({}, first=asks(b"Press any key to continue"))
    opened(device, {"questions": {"Press any key": ""}})
    fails("needs_answer", "Press any key", lambda: opened(device))


@talk
def a_demand_for_a_new_password_is_told():
    device = Device({}, first=asks(b"Your password has expired.\r\nChanging password for netops.\r\nNew password: "))
    fails("password_expired", "New password:", lambda: opened(device))


@talk
def a_full_device_says_so_and_another_that_hangs_up_does_not():
    device = Device({}, prompt=b"% Too many sessions, try later\r\n")
    fails("too_many_sessions", "Too many sessions", lambda: opened(device, wire=Closing))
    fails("connection_closed", "Goodbye", lambda: opened(Device({}, prompt=b"Goodbye\r\n"), wire=Closing))


@talk
def a_pager_is_answered_and_one_that_nobody_knows_is_named():
    def paged(device, say):
        say(b"a\r\n--More--")
        yield "key"
        say(b"\r        \r b\r\nend\r\n")
    device = Device({b"show run": paged})
    assert opened(device, {"pager": {"keys": {"^--More--$": " "}}}).ask(b"show run") == b"a\n b\nend\n"
    fails("pager", "--More--", lambda: opened(device).read(b"show run", "^end$"))


@talk
def a_pager_that_takes_keys_and_never_ends_is_named():
    def paged(device, say):
        say(b"a\r\n(END)")
        while True:
            yield "key"
            say(b"\r\x1b[K\r\n\r\n(END)")
    fails("pager", "(END)", lambda: opened(Device({b"show run": paged}), {"pager": {"keys": {r"^\(END\)": " "}}}).ask(b"show run"))


@talk
def a_silent_device_shows_its_last_words_and_never_its_configuration():
    def silent(device, say):
        say(b"a\r\nkept to itself")
        yield "line"
    fails("idle_timeout", "kept", lambda: opened(Device({b"x": silent})).ask(b"x"))
    told = fails("idle_timeout", "", lambda: opened(Device({b"x": silent})).read(b"x", "^end$"))
    assert "kept" not in told


@talk
def a_configuration_that_changes_by_itself_is_read_until_two_are_the_same():
    def texts(*several):
        several = iter(several)

        def show(device, say):
            say(next(several).replace(b"\n", b"\r\n"))
            yield from ()
        return opened(Device({b"show run": show}))
    assert texts(b"a\n", b"b\n", b"b\n").read(b"show run", "twice") == b"b\n"
    assert texts(b"t 1\na\n", b"t 2\na\n").read(b"show run", "twice", ["^t "]) == b"t 2\na\n"
    assert texts(b"a\n", b"a\nend\n").read(b"show run", "^end$") == b"a\nend\n"
    fails("incomplete_output", "4 times", lambda: texts(b"a\n", b"b\n", b"c\n", b"d\n").read(b"show run", "twice"))
    fails("incomplete_output", "4 times", lambda: texts(*[b"a\n"] * 4).read(b"show run", "^end$"))


@talk
def bytes_that_are_not_text_can_be_shown_and_taken_back():
    for octets in (b"Z\xfcrich\0", "Zürich \uef80 \uef00 \uefff".encode(), bytes(range(256))):
        text = octets.decode("utf-8", "surrogateescape")
        shown = device_text.visible(text)
        shown.encode()
        assert "\0" not in shown and device_text.raw(shown) == text
    assert device_text.visible("Z\udcfcrich") == "Z\ueffcrich"


def main():
    passed = failed = 0
    for name, case in talks.items():
        if len(sys.argv) > 1 and sys.argv[1] not in name:
            continue
        try:
            case()
            passed += 1
            print(f"ok     {name}")
        except Exception as fault:
            failed += 1
            print(f"FAILED {name}: {type(fault).__name__}: {fault}")
    print(f"{passed} passed, {failed} failed")
    return 0 if passed and not failed else 1


sys.exit(main())
