"""From a pattern to a machine: Thompson's construction, then subsets of states as states. Pure."""

from __future__ import annotations

import itertools

from adapter.constrain import automaton, bounds, chars
from adapter.constrain.automaton import Edges, Machine, TooBig
from adapter.constrain.regex import Anchor, Chars, Either, Node, Pattern, Repeat, Sequence

_MAX_WORK = 60_000


def machine(pattern: Pattern, *, whole: bool) -> Machine:
    """whole: the text must match from its first to its last character; else the pattern may match anywhere in it.

    Accepts nothing where the pattern cannot match. Raises `TooBig`.
    """
    found = _machine(pattern.node, before=not whole, after=not whole)
    for look in pattern.looks:
        seen = _machine(look.node, before=False, after=True)
        found = automaton.intersection(found, seen if look.wanted else automaton.complement(seen))
    return found


def _machine(node: Node, *, before: bool, after: bool) -> Machine:
    """before, after: any text may stand there."""
    nfa = _Nfa()
    first, last = nfa.state(), nfa.state()
    if before:
        nfa.edges[first].append((chars.ALL, first))
    if after:
        nfa.edges[last].append((chars.ALL, last))
    nfa.add(node, first, last)
    subsets = _Subsets(nfa, first, last, after)
    try:
        return automaton.trimmed(subsets.deterministic())
    except TooBig:
        return automaton.trimmed(subsets.as_it_is())


class _Nfa:
    """States with edges that read a character, and free steps. A free step may be bound to the text's start or end."""

    def __init__(self) -> None:
        self.edges: list[list[tuple[chars.Ranges, int]]] = []
        self.free: list[list[tuple[Anchor | None, int]]] = []

    def state(self) -> int:
        if len(self.edges) >= bounds.MAX_NFA_STATES:
            raise TooBig
        self.edges.append([])
        self.free.append([])
        return len(self.edges) - 1

    def add(self, node: Node, start: int, end: int) -> None:
        """Makes `node` lead from `start` to `end`."""
        match node:
            case Chars(ranges):
                if ranges:
                    self.edges[start].append((ranges, end))
            case Anchor():
                self.free[start].append((node, end))
            case Either(options):
                for option in options:
                    inner = self.state()
                    self.free[start].append((None, inner))
                    self.add(option, inner, end)
            case Sequence(parts):
                for part in parts[:-1]:
                    middle = self.state()
                    self.add(part, start, middle)
                    start = middle
                if parts:
                    self.add(parts[-1], start, end)
                else:
                    self.free[start].append((None, end))
            case Repeat(part, least, most):
                self._repeat(part, least, most, start, end)

    def _repeat(self, part: Node, least: int, most: int | None, start: int, end: int) -> None:
        for _ in range(least):
            start = self._then(part, start)
        if most is None:
            loop = self.state()  # one of its own: nothing else may lead into the loop
            self.free[start].append((None, loop))
            self.add(part, loop, loop)
            start = loop
        else:
            for _ in range(most - least):
                self.free[start].append((None, end))
                start = self._then(part, start)
        self.free[start].append((None, end))

    def _then(self, part: Node, start: int) -> int:
        after = self.state()
        self.add(part, start, after)
        return after


class _Subsets:
    def __init__(self, nfa: _Nfa, first: int, last: int, endless: bool) -> None:
        self._nfa = nfa
        self._first = first
        self._last = last
        self._endless = endless  # whatever follows the last state is accepted
        self._work = 0

    def deterministic(self) -> Machine:
        """Subset construction; raises `TooBig`."""
        atoms, cut = self._atoms()
        start = self._closure({self._first}, at_start=True)
        number = {start: 0}
        order = [start]
        edges: list[Edges] = []
        for subset in order:
            targets: dict[int, set[int]] = {}
            for state in subset:
                for ranges, target in self._nfa.edges[state]:
                    self._spend(len(cut[ranges]))
                    for atom in cut[ranges]:
                        targets.setdefault(atom, set()).add(target)
            by_target: dict[frozenset[int], list[tuple[int, int]]] = {}
            closed: dict[frozenset[int], frozenset[int]] = {}
            for atom, found in targets.items():
                key = frozenset(found)
                if key not in closed:
                    closed[key] = self._closure(key, at_start=False)
                by_target.setdefault(closed[key], []).append(atoms[atom])
            for target_set in by_target:
                if target_set not in number:
                    number[target_set] = len(order)
                    order.append(target_set)
            if len(order) > bounds.MAX_DFA_STATES:
                raise TooBig
            edges.append(tuple((chars.union(found), number[target]) for target, found in by_target.items()))
        return Machine(tuple(edges), self._ends(order))

    def as_it_is(self) -> Machine:
        """One state for each of the pattern's, free steps followed; several may be current at a time."""
        self._work = 0
        start = self._closure({self._first}, at_start=True)
        closures = [start] + [self._closure({state}, at_start=False) for state in range(len(self._nfa.edges))]
        edges: list[Edges] = []
        for closure in closures:
            found = [(ranges, target + 1) for state in closure for ranges, target in self._nfa.edges[state]]
            self._spend(len(found))
            edges.append(tuple(found))
        return Machine(tuple(edges), self._ends(closures), deterministic=False)

    def _ends(self, subsets: list[frozenset[int]]) -> frozenset[int]:
        ends = set()
        for number, subset in enumerate(subsets):
            if self._last in self._closure(subset, at_start=number == 0, at_end=True):
                ends.add(number)
        return frozenset(ends)

    def _closure(self, states: set[int] | frozenset[int], *, at_start: bool, at_end: bool = False) -> frozenset[int]:
        found = set(states)
        todo = list(found)
        while todo:
            state = todo.pop()
            self._spend(1)
            for anchor, target in self._nfa.free[state]:
                if anchor is not None and not (at_end if anchor.at_end else at_start):
                    continue
                if target not in found:
                    found.add(target)
                    todo.append(target)
        if self._endless and self._last in found and not at_end:
            return frozenset({self._last})
        return frozenset(found)

    def _atoms(self) -> tuple[list[tuple[int, int]], dict[chars.Ranges, list[int]]]:
        """All sets cut into ranges that no set divides, and for each set which of these it has."""
        sets = {ranges for edges in self._nfa.edges for ranges, _ in edges}
        starts = sorted({low for ranges in sets for low, _ in ranges} | {high + 1 for ranges in sets for _, high in ranges})
        atoms = [(low, following - 1) for low, following in itertools.pairwise(starts)]
        if len(sets) * len(atoms) > _MAX_WORK:
            raise TooBig
        index = {low: number for number, (low, _) in enumerate(atoms)}
        cut = {}
        for ranges in sets:
            cut[ranges] = [
                number for low, high in ranges for number in range(index[low], index.get(high + 1, len(atoms)))
            ]
        return atoms, cut

    def _spend(self, steps: int) -> None:
        self._work += steps
        if self._work > _MAX_WORK:
            raise TooBig
