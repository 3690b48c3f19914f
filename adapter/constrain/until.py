"""Text that does not contain certain words, as a right-linear grammar: the automaton of Aho and Corasick. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from adapter.constrain import chars


@dataclass(frozen=True, slots=True)
class State:
    """edges: what may come next, and the number of the state after it. Every state may be the last."""

    edges: tuple[tuple[chars.Ranges, int], ...]


def states(stops: tuple[str, ...]) -> list[State]:
    """The automaton that reads any text up to where a stop string would be complete. State 0 is the first one.

    stops: non-empty strings. Edges of one state have no character in common.
    """
    goto, dead = _trie(stops)
    step = _completed(goto, dead)
    alive = [node for node in range(len(goto)) if not dead[node]]
    number = {node: index for index, node in enumerate(alive)}
    return [State(_edges(step[node], number)) for node in alive]


def _trie(stops: tuple[str, ...]) -> tuple[list[dict[str, int]], list[bool]]:
    goto: list[dict[str, int]] = [{}]
    dead = [False]
    for stop in stops:
        node = 0
        for char in stop:
            if char not in goto[node]:
                goto[node][char] = len(goto)
                goto.append({})
                dead.append(False)
            node = goto[node][char]
        dead[node] = True
    return goto, dead


def _completed(goto: list[dict[str, int]], dead: list[bool]) -> list[dict[str, int]]:
    """For each node every step that does not lead back to the root, failure links followed."""
    step: list[dict[str, int]] = [dict(goto[0])] + [{} for _ in goto[1:]]
    fail = [0] * len(goto)
    queue = deque(goto[0].values())
    while queue:
        node = queue.popleft()
        dead[node] = dead[node] or dead[fail[node]]
        step[node] = {**step[fail[node]], **goto[node]}
        for char, child in goto[node].items():
            fail[child] = step[fail[node]].get(char, 0)
            queue.append(child)
    return step


def _edges(step: dict[str, int], number: dict[int, int]) -> tuple[tuple[chars.Ranges, int], ...]:
    by_target: dict[int, list[str]] = {}
    for char, target in step.items():
        if target in number:
            by_target.setdefault(number[target], []).append(char)
    elsewhere = chars.without(chars.WRITABLE, chars.of("".join(step)))
    return ((elsewhere, 0), *((chars.of("".join(found)), target) for target, found in by_target.items()))
