# SPDX-License-Identifier: GPL-3.0-or-later
"""Text of a device inside the engine is a string in which a lone surrogate stands for a byte that is not UTF-8 (surrogateescape).

Nobody outside takes such strings. There each of these bytes is a character of the private range U+EF80 to U+EFFF, and NUL, which no
database keeps, is U+EF00. A character of the text that already lies there is written as its bytes, so that nothing is lost."""
import re

_HIDDEN = re.compile("[\0\ud800-\udfff\uef00\uef80-\uefff]")
_SHOWN = re.compile("[\uef00\uef80-\uefff]+")


def visible(text):
    """The text in valid Unicode."""
    return _HIDDEN.sub(lambda found: "".join(chr(0xEF00 + byte) for byte in _bytes(found[0])), text)


def raw(text):
    """What was made visible."""
    return _SHOWN.sub(lambda found: bytes(ord(character) - 0xEF00 for character in found[0]).decode("utf-8", "surrogateescape"), text)


def _bytes(character):
    return character.encode("utf-8", "surrogateescape" if "\udc80" <= character <= "\udcff" else "surrogatepass")
