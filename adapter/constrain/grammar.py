"""Grammars in GBNF, llama.cpp's language, put together from parts: literals, stop words, JSON, schemas, patterns, choices."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from adapter.constrain import automaton, bounds, chars, emit, gbnf, nfa, regex, until
from adapter.constrain.compile import compile_schema
from adapter.constrain.json_rules import JsonRules
from adapter.constrain.tries import trie_body
from adapter.errors import BadRequest

_UNFIT = re.compile(r"[^a-zA-Z0-9]+")


def literal(text: str) -> str:
    """The quoted GBNF literal that matches exactly `text`."""
    return chars.literal(text)


@dataclass(frozen=True, slots=True)
class SchemaRule:
    """rule: the name of the rule that matches the JSON text. unchecked: what it does not express, as "/path word", and what
    must therefore be checked in the whole answer (`check.check_value`)."""

    rule: str
    unchecked: tuple[str, ...] = ()


class GrammarBuilder:
    """Collects rules. Every method that adds some returns the name of the rule to refer to; equal rules are shared.

    Over a bound (`bounds`) each of them raises `BadRequest` with the `param` that was given.
    """

    def __init__(self) -> None:
        self._bodies: dict[str, str] = {}
        self._by_body: dict[str, str] = {}
        self._until: dict[tuple[str, ...], str] = {}
        self._taken: dict[str, int] = {"root": 1}
        self._chars = 0
        self._param: str | None = None
        self._json = JsonRules(self)

    def rule(self, hint: str, body: str) -> str:
        """Adds the rule `body` under a name like `hint`; returns the name."""
        if body not in self._by_body:
            name = self.reserve(hint)
            self.define(name, body)
            self._by_body[body] = name
        return self._by_body[body]

    def reserve(self, hint: str) -> str:
        """A new name like `hint`, for a rule that refers to itself; `define` must follow."""
        base = _UNFIT.sub("-", hint)[:40].strip("-").lower() or "r"
        count = self._taken.get(base, 0)
        self._taken[base] = count + 1
        if not count:
            return base
        # "a-2" may be a hint of its own
        return self.reserve(f"{base}-{count + 1}")

    def define(self, name: str, body: str) -> None:
        """Gives a reserved name its rule."""
        self._bodies[name] = body
        self._chars += len(name) + len(body) + 6
        remedy = "Make the schemas smaller, or send fewer tools."
        if self._chars > bounds.MAX_GRAMMAR_CHARS:
            raise bounds.too_large("characters of grammar", bounds.MAX_GRAMMAR_CHARS, remedy, self._param)
        if len(self._bodies) > bounds.MAX_RULES:
            raise bounds.too_large("grammar rules", bounds.MAX_RULES, remedy, self._param)

    def text(self, root_body: str) -> str:
        """The whole grammar; the rule `root` is `root_body`. Rules that it does not need are left out.

        Raises `BadRequest` if llama.cpp could not work with it, or no text could ever match it.
        """
        self._bodies["root"] = root_body
        try:
            text = "".join(f"{name} ::= {self._bodies[name]}\n" for name in self._needed())
        finally:
            del self._bodies["root"]
        gbnf.check(text, param=self._param)
        return text

    def _needed(self) -> list[str]:
        found = {"root": None}
        todo = ["root"]
        while todo:
            for name in gbnf.names_in(self._bodies[todo.pop()]):
                if name not in found and name in self._bodies:
                    found[name] = None
                    todo.append(name)
        return list(found)

    def json_value(self) -> str:
        """JSON of any kind."""
        return self._json.value()

    def json_object(self) -> str:
        """Any JSON object."""
        return self._json.object()

    def json_string(self) -> str:
        """Any JSON string, with its quotes."""
        return self._json.string()

    def until(self, *stops: str) -> str:
        """Any text, possibly empty, that contains none of the stop strings. A stop string may follow it directly."""
        wanted = tuple(sorted({stop for stop in stops if stop}))
        if sum(map(len, wanted)) > bounds.MAX_UNTIL_CHARS:
            raise bounds.too_large("characters of stop strings", bounds.MAX_UNTIL_CHARS, "Use fewer.", self._param)
        if wanted not in self._until:
            automaton = until.states(wanted)
            names = [self.reserve("until") for _ in automaton]
            for name, state in zip(names, automaton, strict=True):
                alternatives = [f"{chars.char_class(ranges)} {names[target]}" for ranges, target in state.edges]
                self.define(name, " | ".join(['""', *alternatives]))
            self._until[wanted] = names[0]
        return self._until[wanted]

    def schema(self, schema: Any, *, param: str | None, lenient: bool = False) -> SchemaRule:
        """JSON text that fits a JSON Schema, except for what is listed as unchecked. See `compile` for what is left out.

        lenient: a pattern that cannot be read is left out and listed. Raises `BadRequest` for a schema that no value fits, that is
        broken or too large, or that has such a pattern.
        """
        self._param = param
        compiled = compile_schema(self, self._json, schema, param=param, lenient=lenient)
        return SchemaRule(compiled.rule, compiled.unchecked)

    def regex(self, pattern: str, *, param: str | None) -> str:
        """Texts that match a regular expression from their first to their last character."""
        self._param = param
        try:
            machine = automaton.within(nfa.machine(regex.parse(pattern), whole=True), chars.WRITABLE)
        except regex.PatternError as error:
            raise BadRequest(f"The regular expression cannot be used: {error}.", param=param) from None
        except automaton.TooBig:
            raise BadRequest("The regular expression is too complex: make it shorter.", param=param) from None
        if not machine.edges:
            raise BadRequest("No text matches the regular expression.", param=param)
        return emit.machine_rule(self, machine, "regex", in_json=False)

    def choice(self, options: Sequence[str], *, param: str | None) -> str:
        """Exactly one of these texts."""
        self._param = param
        if not options or len(options) > bounds.MAX_ENUM:
            raise BadRequest(f"There must be 1 to {bounds.MAX_ENUM} choices, not {len(options)}.", param=param)
        for option in options:
            if not all(chars.contains(chars.WRITABLE, ord(char)) for char in option):
                raise BadRequest(f"The choice {option!r:.100} contains a character that no text can.", param=param)
        return self.rule("choice", trie_body(self, [(option, "") for option in options]))
