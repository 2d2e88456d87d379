# SPDX-License-Identifier: GPL-3.0-or-later
"""Words of FRR's configuration lines, offered to block templates as filters."""


def distance(value):
    """The administrative distance as the end of a route's line. FRR does not show the default, 1."""
    return "" if int(value) == 1 else f" {int(value)}"
