"""Are the schemas of a `oneOf` such that no value can fit two of them? Pure."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from adapter.constrain import bounds, words
from adapter.constrain.flat import Flat, Group, Impossible, Located, Source, flatten


def exclusive(group: Group, source: Source) -> bool:
    """Told from their types, or from a key that two of them require with different values, as in tagged unions.

    False as well where it cannot be told.
    """
    if len(group.options) > bounds.MAX_BRANCHES:
        return False
    try:
        kinds = [_kind(option, source) for option in group.options]
    except Impossible:
        return False
    return all(_apart(a, b) for number, a in enumerate(kinds) for b in kinds[number + 1 :])


@dataclass(frozen=True, slots=True)
class _Kind:
    """What tells a schema's values from others. values: `None` for any. keys: the values of keys that are always there."""

    types: frozenset[str]
    values: frozenset[Hashable] | None
    keys: dict[str, frozenset[Hashable]]


def _kind(option: Located, source: Source) -> _Kind:
    flat = flatten((option,), source)
    always = {}
    for name in flat.required:
        node = tuple(keys.named[name] for keys in flat.keys if name in keys.named)
        values = _identities(flatten(node, source)) if node else None
        if values is not None:
            always[name] = values
    return _Kind(flat.types, _identities(flat), always)


def _identities(flat: Flat) -> frozenset[Hashable] | None:
    return None if flat.values is None else frozenset(map(words.identity, flat.values))


def _apart(a: _Kind, b: _Kind) -> bool:
    types = a.types & b.types
    if not types or (a.values is not None and b.values is not None and a.values.isdisjoint(b.values)):
        return True
    return types == {"object"} and any(a.keys[name].isdisjoint(b.keys[name]) for name in a.keys.keys() & b.keys.keys())
