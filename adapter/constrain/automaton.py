"""Finite automata over characters: what a pattern, a length or a list of words allows, and how these combine. Pure.

A `Machine` has no empty steps. It is deterministic unless its pattern would need too many states for that; everything but
`complement` works on both kinds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from adapter.constrain import bounds, chars


class TooBig(Exception):
    """More states, or more work, than the bounds allow."""


Edges = tuple[tuple[chars.Ranges, int], ...]


@dataclass(frozen=True, slots=True)
class Machine:
    """States are numbers; 0 is the first. edges: for each state what may come next and where that leads. An empty `edges`
    is the machine that accepts nothing."""

    edges: tuple[Edges, ...]
    accepting: frozenset[int]
    deterministic: bool = True


NOTHING = Machine((), frozenset())
ANYTHING = Machine((((chars.ALL, 0),),), frozenset({0}))
_MAX_STEPS = 1_000_000


class Matcher:
    """Texts against machines, with an end to the work: some 300,000 characters for deterministic machines."""

    def __init__(self) -> None:
        self._steps = 0

    def matches(self, machine: Machine, text: str) -> bool | None:
        """Does the whole text fit? `None` when all texts together have taken too many steps."""
        if not machine.edges:
            return False
        states = {0}
        for char in text:
            point = ord(char)
            edges = [edge for state in states for edge in machine.edges[state]]
            states = {target for ranges, target in edges if chars.contains(ranges, point)}
            if not states:
                return False
            self._steps += len(edges) + 1
            if self._steps > _MAX_STEPS:
                return None
        return not states.isdisjoint(machine.accepting)


def matches(machine: Machine, text: str) -> bool | None:
    """The same for one text."""
    return Matcher().matches(machine, text)


def lengths(least: int, most: int | None) -> Machine:
    """Texts of `least` to `most` characters. `most` not below `least`, both at most `bounds.MAX_REPEAT`."""
    last = least if most is None else most
    edges: list[Edges] = [((chars.ALL, at + 1),) for at in range(last)]
    edges.append(((chars.ALL, last),) if most is None else ())
    return Machine(tuple(edges), frozenset(range(least, last + 1)))


def words(options: Iterable[str]) -> Machine:
    """Exactly these texts."""
    steps: list[dict[str, int]] = [{}]
    ends = set()
    for word in options:
        node = 0
        for char in word:
            if char not in steps[node]:
                steps[node][char] = len(steps)
                steps.append({})
            node = steps[node][char]
        ends.add(node)
    edges = tuple(tuple((chars.of(char), target) for char, target in step.items()) for step in steps)
    return Machine(edges, frozenset(ends))


def complement(machine: Machine) -> Machine:
    """All texts that `machine`, which is deterministic, does not accept."""
    if not machine.deterministic:
        raise TooBig
    sink = len(machine.edges)
    edges = []
    for state in machine.edges:
        missing = chars.without(chars.ALL, chars.union(*(ranges for ranges, _ in state)))
        edges.append((*state, (missing, sink)) if missing else state)
    everything: Edges = ((chars.ALL, sink),)
    accepting = frozenset(range(sink + 1)) - machine.accepting
    return trimmed(Machine((*edges, everything), accepting))


def intersection(a: Machine, b: Machine) -> Machine:
    """The texts that both accept. Raises `TooBig`."""
    if not a.edges or not b.edges:
        return NOTHING
    number = {(0, 0): 0}
    order = [(0, 0)]
    edges: list[Edges] = []
    work = 0
    for left, right in order:
        found: list[tuple[chars.Ranges, int]] = []
        for ranges_a, to_a in a.edges[left]:
            for ranges_b, to_b in b.edges[right]:
                work += 1
                both = chars.intersect(ranges_a, ranges_b)
                if both:
                    if (to_a, to_b) not in number:
                        number[to_a, to_b] = len(order)
                        order.append((to_a, to_b))
                    found.append((both, number[to_a, to_b]))
        if len(order) > bounds.MAX_DFA_STATES or work > 20 * bounds.MAX_DFA_STATES:
            raise TooBig
        edges.append(tuple(found))
    ends = frozenset(n for (p, q), n in number.items() if p in a.accepting and q in b.accepting)
    return trimmed(Machine(tuple(edges), ends, a.deterministic and b.deterministic))


def within(machine: Machine, ranges: chars.Ranges) -> Machine:
    """The texts that have only these characters."""
    edges = tuple(
        tuple((both, target) for own, target in state if (both := chars.intersect(own, ranges)))
        for state in machine.edges
    )
    return trimmed(Machine(edges, machine.accepting, machine.deterministic))


def trimmed(machine: Machine) -> Machine:
    """The same without the states from which no end can be reached, or which cannot be reached."""
    before: list[set[int]] = [set() for _ in machine.edges]
    for state, edges in enumerate(machine.edges):
        for _, target in edges:
            before[target].add(state)
    useful = _reach(machine.accepting, before)
    after = [{target for _, target in edges if target in useful} for edges in machine.edges]
    if not machine.edges or 0 not in useful:
        return NOTHING
    reached = sorted(_reach({0}, after))
    number = {state: index for index, state in enumerate(reached)}
    kept = tuple(
        tuple((ranges, number[target]) for ranges, target in machine.edges[state] if target in number)
        for state in reached
    )
    return Machine(kept, frozenset(number[s] for s in machine.accepting if s in number), machine.deterministic)


def _reach(starts: Iterable[int], steps: Sequence[set[int]]) -> set[int]:
    found = set(starts)
    todo = list(found)
    while todo:
        for target in steps[todo.pop()] - found:
            found.add(target)
            todo.append(target)
    return found
