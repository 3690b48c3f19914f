"""The rules for the arguments of calls, and which of them a grammar cannot hold alone. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from adapter.calls.json_text import to_json
from adapter.calls.tools import Spec, ToolBox
from adapter.constrain.grammar import GrammarBuilder, literal
from adapter.constrain.tries import trie_body

# As much white space as models put between the parts of a call. Bounded: a small model might write it for ever.
GAP = r"[ \t\n]{0,20}"

_MAX_FREE = 5  # members in any order make 2 ** 5 rules
# Characters of schemas, descriptions apart, that are compiled for one request. A grammar is some seven times as long, twice that
# for families with two ways of writing calls, and must stay below `bounds.MAX_GRAMMAR_CHARS`. OpenClaw sends 54 tools with
# 40,000 such characters; the longest one has 5,000.
MAX_SCHEMA_CHARS = 10_000
# In one answer.
MOST_CALLS = 16


class ArgumentRules:
    """Makes rules in `builder`; `unchecked` collects the names of tools whose calls must be checked afterwards.

    coarse: tools whose arguments are only held to be JSON, see `coarse_tools`.
    """

    def __init__(self, builder: GrammarBuilder, coarse: Collection[str] = ()) -> None:
        self.builder = builder
        self._coarse = frozenset(coarse)
        self._objects: dict[str, str] = {}
        self.unchecked: set[str] = set()
        self._recursive: dict[str, str] = {}

    @property
    def gap(self) -> str:
        """The rule for white space."""
        return self.builder.rule("gap", GAP)

    def object(self, spec: Spec) -> str:
        """The rule for all arguments as a JSON object."""
        if spec.name in self._coarse:
            self.unchecked.add(spec.name)
            return self.builder.json_object()
        if spec.name not in self._objects:  # a family may have several ways of writing calls
            self._objects[spec.name] = self._made(spec, spec.schema)
        return self._objects[spec.name]

    def part(self, spec: Spec, schema: Any) -> str:
        """The rule for a JSON value by a part of the tool's schema, which may refer to definitions of the whole."""
        if spec.name in self._coarse:
            self.unchecked.add(spec.name)
            return self.builder.json_value()
        shared = {key: spec.schema[key] for key in ("$defs", "definitions") if key in spec.schema}
        return self._made(spec, {**schema, **shared} if isinstance(schema, dict) else schema)

    def _made(self, spec: Spec, schema: Any) -> str:
        made = self.builder.schema(schema, param=spec.param, lenient=True)
        if made.unchecked:
            self.unchecked.add(spec.name)
        return made.rule

    def recursive(self, hint: str, body: Callable[[str], str]) -> str:
        """The rule that may refer to itself by the name that `body` gets; made once for each hint."""
        if hint not in self._recursive:
            name = self._recursive[hint] = self.builder.reserve(hint)
            self.builder.define(name, body(name))
        return self._recursive[hint]

    def by_name(self, calls: Sequence[tuple[str, str]]) -> str:
        """The rule for calls that begin with a text of their own (the name, and what ends it) and go on with a body.

        Common beginnings are shared: llama.cpp tries each alternative for each token of the vocabulary.
        """
        texts = [(text, self.builder.rule(f"of-{text}", after)) for text, after in calls]
        return self.builder.rule("call", trie_body(self.builder, texts))

    def one_of(self, hint: str, bodies: list[str]) -> str:
        return self.builder.rule(hint, " | ".join(bodies))


def coarse_tools(tools: ToolBox) -> set[str]:
    """The tools with the longest schemas, as many as must be left out of a grammar to keep it small. A model of the size that
    phones run writes their JSON well enough; that it is JSON is still certain."""
    room, coarse = MAX_SCHEMA_CHARS, set()
    for size, name in sorted((len(to_json(_bare(spec.schema))), spec.name) for spec in tools):
        room -= size
        if room < 0:
            coarse.add(name)
    return coarse


def _bare(schema: Any) -> Any:
    """The schema without descriptions, which cost nothing in a grammar."""
    if isinstance(schema, dict):
        return {key: _bare(value) for key, value in schema.items() if not (key == "description" and isinstance(value, str))}
    return [_bare(item) for item in schema] if isinstance(schema, list) else schema


def listed(rules: ArgumentRules, pairs: dict[str, str], required: Collection[str], comma: str) -> str:
    """The body for some of the members in their order, with `comma` (a body) between them, all `required` among them.

    Two rules for each place in the order: what may follow a member, and what may follow none.
    """
    rest, first = '""', '""'
    for key, body in reversed(pairs.items()):
        pair = rules.builder.rule(f"member-{key}", body)
        behind, begins = f"{comma} {pair} {rest}", f"{pair} {rest}"
        if key not in required:
            behind, begins = f"{behind} | {rest}", f"{begins} | {first}"
        rest, first = rules.builder.rule("rest", behind), rules.builder.rule("first", begins)
    return first


def any_order(rules: ArgumentRules, pairs: dict[str, str], required: Collection[str]) -> str:
    """The body for some of the members, each once at most, all `required` among them, in any order as far as that stays small:
    else the required ones first, and the others in theirs. One rule for each set of members that were seen."""
    names = {key: rules.builder.rule(f"member-{key}", body) for key, body in pairs.items()}
    free = list(names) if len(names) <= _MAX_FREE else [key for key in names if key in required]
    if len(free) > _MAX_FREE:
        free = []
    tail = " ".join(name if key in required else f"{name}?" for key, name in names.items() if key not in free)
    made: dict[frozenset[str], str] = {}

    def after(seen: frozenset[str]) -> str:
        if seen not in made:
            options = [f"{names[key]} {after(seen | {key})}" for key in free if key not in seen]
            if all(key in seen for key in free if key in required):
                options.append(tail or '""')
            made[seen] = rules.builder.rule("rest", " | ".join(options))
        return made[seen]

    return after(frozenset())


def repeated(call: str, *, many: bool, between: str = "") -> str:
    """The body for one call, or for as many as one answer may have: small models do not stop calling by themselves."""
    return f"{call} ({between} {call}){{0,{MOST_CALLS - 1}}}" if many else call


__all__ = ["GAP", "ArgumentRules", "any_order", "coarse_tools", "listed", "literal", "repeated"]
