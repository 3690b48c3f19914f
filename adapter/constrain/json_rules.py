"""JSON text as GBNF: values of any kind, strings, white space.

White space is what models write by themselves (a space, or a new line with an indentation) and bounded: a small model that
may write white space for ever sometimes does. Between a key and its colon there is none.
"""

from __future__ import annotations

from typing import Protocol

from adapter.constrain import bounds, chars

SPACE = r'| " " | "\n" [ \t]{0,32}'
# One character of a string, with every escape that JSON has; \u of surrogates only in pairs, or the text could not be written.
PLAIN: chars.Ranges = chars.without(chars.ALL, chars.union([(0, 0x1F), (0x22, 0x22), (0x5C, 0x5C)]))
_HEX = "[0-9a-fA-F]"
_UNICODE = (
    f'"u" ([0-9a-cA-CefEF] {_HEX} {_HEX} {_HEX} | [dD] ([0-7] {_HEX} {_HEX} '
    rf'| [89abAB] {_HEX} {_HEX} "\\u" [dD] [c-fC-F] {_HEX} {_HEX}))'
)
CHAR = rf'{chars.char_class(PLAIN)} | "\\" (["\\/bfnrt] | {_UNICODE})'
NUMBER = '"-"? ("0" | [1-9] [0-9]{0,17}) ("." [0-9]{1,17})? ([eE] [-+]? [0-9]{1,2})?'
LITERALS = '"true" | "false" | "null"'


class Rules(Protocol):
    """Where rules are added; see `GrammarBuilder`."""

    def rule(self, hint: str, body: str) -> str: ...

    def reserve(self, hint: str) -> str: ...

    def define(self, name: str, body: str) -> None: ...


class JsonRules:
    """The rules for JSON of any form, each made when it is first asked for; every method returns a rule's name."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._value = ""
        self._repeated: set[str] = set()
        self._repeats = 0
        self._names: dict[str, str] = {}

    def space(self) -> str:
        return self._rules.rule("space", SPACE)

    def char(self) -> str:
        """One character inside a string's quotes."""
        return self._rules.rule("char", CHAR)

    def string(self) -> str:
        return self._rules.rule("string", f'"\\"" {self.char()}* "\\""')

    def number(self) -> str:
        return self._rules.rule("number", NUMBER)

    def value(self) -> str:
        if not self._value:
            self._value = self._rules.reserve("value")
            self._rules.define(
                self._value, f"{self.object()} | {self.array()} | {self.string()} | {self.number()} | {LITERALS}"
            )
        return self._value

    def object(self) -> str:
        if not self._value:
            self.value()
        if "object" not in self._names:
            self._names["object"] = self._rules.rule("object", self.object_of(self.pair(self.string(), self._value)))
        return self._names["object"]

    def array(self) -> str:
        if not self._value:
            self.value()
        space = self.space()
        return self._rules.rule(
            "array", f'"[" {space} ({self._value} ("," {space} {self._value})* {space})? "]"'
        )

    def times(self, hint: str, part: str, least: int, most: int | None) -> str:
        """The rule for `part` so many times; "" if that would be one repetition too many for the whole grammar."""
        if (least, most) == (0, None):
            return self._rules.rule(hint, f"{part}*")
        body = f"{part}{{{least},{'' if most is None else most}}}"
        if body not in self._repeated:
            if self._repeats + max(least, most or 0) > bounds.MAX_REPEATS:
                return ""
            self._repeated.add(body)
            self._repeats += max(least, most or 0)
        return self._rules.rule(hint, body)

    def pair(self, key: str, value: str) -> str:
        """The body for `key: value`, both given as rules."""
        return f'{key} ":" {self.space()} {value}'

    def object_of(self, pair: str) -> str:
        """The body of an object of any number of members, each matching the body `pair`."""
        space = self.space()
        member = self._rules.rule("member", pair)
        return f'"{{" {space} ({member} ("," {space} {member})* {space})? "}}"'
