"""Many texts as one rule that never has two ways to go on with the same character. Pure.

llama.cpp tries every way in turn for every token of the vocabulary, so a list of 500 words costs 500 times one word.
"""

from __future__ import annotations

from collections.abc import Sequence

from adapter.constrain import chars
from adapter.constrain.json_rules import Rules

_MAX_DEEP = 100


def trie_body(rules: Rules, texts: Sequence[tuple[str, str]]) -> str:
    """The body for one of the texts, each followed by the rule (or body without alternatives) beside it, "" for none."""
    return _body(rules, sorted(set(texts)), 0)


def _body(rules: Rules, texts: list[tuple[str, str]], deep: int) -> str:
    if deep > _MAX_DEEP:
        return " | ".join(_joined(text, after) for text, after in texts)
    groups: dict[str, list[tuple[str, str]]] = {}
    for text, after in texts:
        groups.setdefault(text[:1], []).append((text, after))
    options = []
    for first, group in groups.items():
        if len(group) == 1 or not first:
            options += [_joined(text, after) for text, after in group]
            continue
        shared = _shared(group[0][0], group[-1][0])
        rest = [(text[len(shared) :], after) for text, after in group]
        options.append(f"{chars.literal(shared)} {rules.rule('one-of', _body(rules, rest, deep + 1))}")
    return " | ".join(options)


def _joined(text: str, after: str) -> str:
    return f"{chars.literal(text)} {after}".strip() if text else after or '""'


def _shared(a: str, b: str) -> str:
    """The common beginning; of the first and the last of sorted texts it is that of all."""
    count = 0
    while count < min(len(a), len(b)) and a[count] == b[count]:
        count += 1
    return a[:count]
