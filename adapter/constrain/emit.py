"""A machine as a right-linear grammar, plain or as the inside of a JSON string. Pure."""

from __future__ import annotations

from collections.abc import Callable

from adapter.constrain import chars
from adapter.constrain.automaton import Machine
from adapter.constrain.json_rules import Rules

_LONG_CLASS = 20  # one that is longer is written once, as a rule
_SHORT_ESCAPES = {0x08: "b", 0x09: "t", 0x0A: "n", 0x0C: "f", 0x0D: "r", 0x22: '\\"', 0x5C: "\\\\"}
_MUST_ESCAPE = chars.union([(0x00, 0x1F), (0x22, 0x22), (0x5C, 0x5C)])


def machine_rule(rules: Rules, machine: Machine, hint: str, *, in_json: bool) -> str:
    """The name of the rule for the texts that `machine` (not empty, trimmed) accepts.

    in_json: as they stand between a JSON string's quotes; else they contain no NUL. In JSON what must be escaped is escaped in the one usual way, and nothing else.
    """
    write = _json_class(rules) if in_json else _plain_class(rules)
    entries = [0] * len(machine.edges)
    for edges in machine.edges:
        for _, target in edges:
            entries[target] += 1
    inlined = {
        state
        for state, edges in enumerate(machine.edges)
        if state and entries[state] == 1 and (not edges or (len(edges) == 1 and state not in machine.accepting))
    }
    names = {state: rules.reserve(hint) for state in range(len(machine.edges)) if state not in inlined}
    for state, name in names.items():
        alternatives = [_path(machine, edge, names, write) for edge in machine.edges[state]]
        if state in machine.accepting:
            alternatives.insert(0, '""')
        rules.define(name, " | ".join(alternatives))
    return names[0]


def _path(
    machine: Machine, edge: tuple[chars.Ranges, int], names: dict[int, str], write: Callable[[chars.Ranges], str]
) -> str:
    """An edge and all that must follow it, up to the next state with a rule."""
    parts = []
    while True:
        ranges, target = edge
        parts.append(write(ranges))
        if target in names:
            parts.append(names[target])
            break
        if not machine.edges[target]:
            break
        edge = machine.edges[target][0]
    return " ".join(parts)


def _plain_class(rules: Rules) -> Callable[[chars.Ranges], str]:
    def write(ranges: chars.Ranges) -> str:
        text = chars.char_class(ranges)
        return text if len(text) <= _LONG_CLASS else rules.rule("chars", text)

    return write


def _json_class(rules: Rules) -> Callable[[chars.Ranges], str]:
    memo: dict[chars.Ranges, str] = {}

    def write(ranges: chars.Ranges) -> str:
        if ranges not in memo:
            escaped = chars.intersect(ranges, _MUST_ESCAPE)
            plain = chars.without(ranges, _MUST_ESCAPE)
            if not escaped:
                memo[ranges] = _plain_class(rules)(plain)
            else:
                options = [chars.char_class(plain)] if plain else []
                memo[ranges] = rules.rule("chars", " | ".join([*options, f'"\\\\" ({_escapes(escaped)})']))
        return memo[ranges]

    return write


def _escapes(ranges: chars.Ranges) -> str:
    points = [point for low, high in ranges for point in range(low, high + 1)]
    short = "".join(_SHORT_ESCAPES[point] for point in points if point in _SHORT_ESCAPES)
    options = [f"[{short}]"] if short else []
    for digit in (0, 1):
        last = "".join(f"{p % 16:x}" for p in points if p not in _SHORT_ESCAPES and p // 16 == digit)
        if last:
            options.append(f'"u00{digit}" [{last}]')
    return " | ".join(options)
