"""The rule for a JSON object: keys in the schema's order, optional ones in any subset, then others. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from adapter.constrain.chars import literal
from adapter.constrain.json_rules import Rules
from adapter.constrain.tries import trie_body
from adapter.constrain.words import json_text

_MAX_TRIE_CHARS = 40_000


@dataclass(frozen=True, slots=True)
class Member:
    """value: the rule of its value."""

    name: str
    value: str
    required: bool


def object_body(rules: Rules, space: str, members: Sequence[Member], extra: str) -> str:
    """The body for an object with these members, in this order. extra: the rule for one more `key: value`, of which any number may
    follow; "" for none."""
    return _Object(rules, space, members, extra).body()


class _Object:
    def __init__(self, rules: Rules, space: str, members: Sequence[Member], extra: str) -> None:
        self._rules = rules
        self._space = space
        self._members = members
        self._extra = extra
        self._end = rules.rule("end", f'{space} "}}"')
        # _after[i]: the rule for what may follow when all before member i is settled and something was written.
        self._after = [""] * (len(members) + 1)
        # _keys[i]: the body for the next member, where that is one from i on.
        self._keys = [""] * (len(members) + 1)
        self._tries = sum(len(member.name) + 20 for member in members) * len(members) // 2 <= _MAX_TRIE_CHARS

    def body(self) -> str:
        count = len(self._members)
        for index in range(count, -1, -1):
            if index < count:
                self._keys[index] = self._next(index)
            elif self._extra:
                self._keys[index] = f"{self._extra} {self._reserve_end()}"
            self._after[index] = self._rest(index)
        options = self._keys[0]
        if self._closable(0):
            options = f'"}}" | {options}' if options else '"}"'
        return f'"{{" {self._space} {_grouped(options)}'

    def _closable(self, index: int) -> bool:
        return not any(member.required for member in self._members[index:])

    def _reserve_end(self) -> str:
        """Behind the last member there may be any number of others: this rule needs itself."""
        self._after[-1] = self._rules.reserve("rest")
        return self._after[-1]

    def _rest(self, index: int) -> str:
        """The rule for everything after a member, its own comma included."""
        more = f'"," {self._space} {_grouped(self._keys[index])}' if self._keys[index] else ""
        body = " | ".join(part for part in (more, self._end if self._closable(index) else "") if part)
        if self._after[index]:
            self._rules.define(self._after[index], body)
            return self._after[index]
        return self._rules.rule("rest", body)

    def _next(self, index: int) -> str:
        if not self._tries:
            own = f"{literal(self._key(index))} {self._value(index)}"
            later = "" if self._members[index].required else self._keys[index + 1]
            return f"{own} | {self._rules.rule('key', later)}" if later else own
        reachable = []
        for at in range(index, len(self._members)):
            reachable.append(at)
            if self._members[at].required:
                break
        other = self._keys[-1] if not self._members[reachable[-1]].required else ""
        if len(reachable) == 1:
            named = f"{literal(self._key(index))} {self._value(index)}"
        else:
            texts = [(self._key(at)[1:], self._value(at)) for at in reachable]
            named = f'"\\"" {self._rules.rule("key", trie_body(self._rules, texts))}'
        return f"{named} | {other}" if other else named

    def _key(self, at: int) -> str:
        return json_text(self._members[at].name) + ":"

    def _value(self, at: int) -> str:
        """The rule for all behind the colon of member `at`."""
        return self._rules.rule("is", f"{self._space} {self._members[at].value} {self._after[at + 1]}")


def _grouped(body: str) -> str:
    return f"({body})" if " | " in body else body
