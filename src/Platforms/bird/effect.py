# SPDX-License-Identifier: GPL-3.0-or-later
"""Where BIRD shows what its configuration does: its tables and its protocols."""
import re

_ROUTE = re.compile(r'route (\S+) via (?:"([^"]+)"|([^\s%]+)(?:%(\S+))?)')
_NEIGHBOR = re.compile(r"neighbor (\S+) as ([0-9]+)")


def effect(wanted, unwanted, ask):
    """(seen, wrong), as docs/platforms.md says. A route whose next hop cannot be reached does not show."""
    protocols, routes = ask("birdc show protocols all"), ask("birdc show route all")
    seen = [_shows(text, protocols, routes) for _, text in wanted]
    wrong = [f"no {text}" for _, text in unwanted if _shows(text, protocols, routes)]
    return False not in seen, wrong


def _shows(text, protocols, routes):
    """Whether BIRD shows it; None where it is nothing that BIRD shows."""
    if found := _ROUTE.match(text):
        prefix, link, hop, scope = found.groups()
        way = rf"dev {re.escape(link)}" if link else rf"via {re.escape(hop)} on {re.escape(scope) if scope else '.+'}"
        return any(re.search(rf"^\s+{way}$", part, re.M) for part in _static_routes(routes, prefix))
    if found := _NEIGHBOR.match(text):
        address, number = found.groups()
        return any(re.search(rf"Neighbor address: {re.escape(address)}(?:%\S+)?$", part, re.M)
                   and re.search(rf"Neighbor AS: +{number}$", part, re.M) for part in _entries(protocols, r"\S+ +BGP "))
    if text.startswith("protocol bgp "):
        return bool(_entries(protocols, re.escape(text.split()[2]) + " +BGP "))
    return None


def _static_routes(routes, prefix):
    """The routes of this prefix that are static. Its second one begins with blanks in the prefix's place."""
    return [part for entry in _entries(routes, re.escape(prefix) + " ") for part in re.split(r"\n(?= +\S+ \[)", entry)
            if "Type: static" in part]


def _entries(text, begins):
    """The parts of an answer whose first line begins so; the other lines of a part are indented."""
    return re.findall(rf"^{begins}.*\n(?:[ \t].*\n?)*", text, re.M)
