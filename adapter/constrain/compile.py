"""From a JSON Schema to grammar rules. Pure.

The grammar allows a part of what the schema allows, never more, except for what `Compiled.unchecked` lists. It is a part, because:
an object with `properties` gets other keys only where `additionalProperties` says so; keys come in the schema's order; what a `pattern`, an
`enum` or a key demands is written with the usual escapes only; white space is bounded; numbers have an end.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from adapter.constrain import automaton, bounds, check, numbers, words
from adapter.constrain.exclusive import exclusive
from adapter.constrain.flat import Flat, Impossible, Items, Located, Node, Source, flatten, nodes_of
from adapter.constrain.json_rules import JsonRules, Rules
from adapter.constrain.objects import Member, object_body
from adapter.constrain.other_keys import OtherKeys
from adapter.constrain.strings import StringRules
from adapter.constrain.tries import trie_body
from adapter.errors import BadRequest


@dataclass(frozen=True, slots=True)
class Compiled:
    rule: str
    unchecked: tuple[str, ...]


def compile_schema(rules: Rules, json: JsonRules, schema: Any, *, param: str | None, lenient: bool) -> Compiled:
    """lenient: a pattern that cannot be read is left out and listed. Raises `BadRequest`."""
    _measure(schema, param)
    compiler = _Compiler(rules, json, schema, param, lenient)
    try:
        rule = compiler.rule((Located(schema, ""),), "json", 0)
    except Impossible as error:
        raise BadRequest(f"No value can fit this schema. At {error}", param=param) from None
    except RecursionError:
        raise bounds.too_large("levels of a schema", bounds.MAX_NESTING, "Make it flatter.", param) from None
    return Compiled(rule, tuple(dict.fromkeys(entry.strip() for entry in compiler.unchecked)))


def _measure(schema: Any, param: str | None) -> None:
    size = 0
    for nodes, one in enumerate(nodes_of(schema)):
        size += len(one) if isinstance(one, str) else sum(map(len, one)) if isinstance(one, dict) else 1
        if nodes > 20 * bounds.MAX_SCHEMA_NODES:
            raise bounds.too_large("values in a schema", 20 * bounds.MAX_SCHEMA_NODES, "Make it smaller.", param)
    if size > bounds.MAX_SCHEMA_CHARS:
        raise bounds.too_large("characters of schema", bounds.MAX_SCHEMA_CHARS, "Make it smaller.", param)


class _Compiler:
    def __init__(self, rules: Rules, json: JsonRules, root: Any, param: str | None, lenient: bool) -> None:
        self._rules = rules
        self._json = json
        self._source = Source(root, param)
        self._checker = check.Checker(root)
        self._param = param
        self._names: dict[tuple[int, ...], str | Impossible] = {}
        self._kept: list[Node] = []  # so that no id is used twice
        self.unchecked: list[str] = []
        self._strings = StringRules(rules, json, self.unchecked, param=param, lenient=lenient)
        self._others = OtherKeys(rules, json, self._strings, self._source, self.unchecked, self.rule)

    def rule(self, node: Node, hint: str, deep: int) -> str:
        """The rule for values that fit all schemas of the node."""
        key = tuple(dict.fromkeys(id(one.schema) for one in node if one.schema is not True))
        if not key:
            return self._json.value()
        known = self._names.get(key)
        if isinstance(known, Impossible):
            raise known
        if known is not None:
            return known
        if deep > bounds.MAX_NESTING:
            raise bounds.too_large("levels of a schema", bounds.MAX_NESTING, "Make it flatter.", self._param)
        if len(self._names) >= bounds.MAX_SCHEMA_NODES:
            raise bounds.too_large("parts of a schema", bounds.MAX_SCHEMA_NODES, "Make it smaller.", self._param)
        self._kept.append(node)
        self._names[key] = name = self._rules.reserve(hint)
        try:
            body = self._flat_body(flatten(node, self._source), node, hint, deep, ())
        except Impossible as error:
            self._names[key] = error
            raise
        self._rules.define(name, body)
        return name

    def _flat_body(self, flat: Flat, node: Node, hint: str, deep: int, chosen: Node) -> str:
        """chosen: of each group that is settled, the schema that was taken."""
        if flat.values is not None:
            return self._enum(flat, (*node, *chosen))
        if not flat.groups:
            self.unchecked += flat.later
            return self._typed(flat, hint, deep)
        group = flat.groups[0]
        if group.one_of and not exclusive(group, self._source):
            self.unchecked.append(group.one_of)
        if len(flat.groups) == 1 and flat.only_groups and not chosen:
            self.unchecked += flat.later
            return self._any_of([functools.partial(self.rule, (one,), hint, deep + 1) for one in group.options], flat.path)
        if math.prod(max(1, len(one.options)) for one in flat.groups) > bounds.MAX_BRANCHES or deep > bounds.MAX_NESTING:
            remedy = "Move those words into the branches."
            raise bounds.too_large("branches of anyOf with words beside it", bounds.MAX_BRANCHES, remedy, self._param)
        return self._any_of([self._branch(node, (*chosen, one), hint, deep) for one in group.options], flat.path)

    def _branch(self, node: Node, chosen: Node, hint: str, deep: int) -> Callable[[], str]:
        """`node` with one more of its groups settled."""

        def compile_branch() -> str:
            flat = flatten((*node, *chosen), self._source)
            flat.groups = flat.groups[len(chosen) :]
            return self._rules.rule(hint, self._flat_body(flat, node, hint, deep + 1, chosen))

        return compile_branch

    def _any_of(self, options: list[Callable[[], str]], path: str) -> str:
        found = []
        failures: list[Impossible] = []
        for option in options:
            try:
                found.append(option())
            except Impossible as error:
                failures.append(error)
        if not found:
            raise failures[0] if failures else Impossible(path, "anyOf has no schemas.")
        return " | ".join(dict.fromkeys(found))

    def _enum(self, flat: Flat, node: Node) -> str:
        values = flat.values or []
        if len(values) > bounds.MAX_ENUM:
            raise bounds.too_large("values of an enum", bounds.MAX_ENUM, "Use fewer, or a string.", self._param)
        fitting = [value for value in values if all(self._checker.first(one.schema, value) is None for one in node)]
        if not fitting:
            raise Impossible(flat.path, "no value of enum or const fits the words beside it.")
        return trie_body(self._rules, [(words.json_text(value), "") for value in fitting])

    def _typed(self, flat: Flat, hint: str, deep: int) -> str:
        meant = {kind for kind in flat.meant if kind in flat.types}
        types = set(flat.types) if flat.typed or not meant else meant | ({"integer"} & flat.types if "number" in meant else set())
        if types == words.TYPES and not flat.meant:
            return self._json.value()
        kinds: list[tuple[str, Callable[[], str]]] = [
            ("object", lambda: self._object(flat, deep)),
            ("array", lambda: self._array(flat, hint, deep)),
            ("string", lambda: self._strings.body(flat)),
            ("number", lambda: self._number(flat)),
            ("integer", lambda: self._integer(flat) if "number" not in types else ""),
            ("boolean", lambda: '"true" | "false"'),
            ("null", lambda: '"null"'),
        ]
        bodies = [functools.partial(body) for kind, body in kinds if kind in types]
        return self._any_of_kinds(bodies, flat.path)

    def _any_of_kinds(self, bodies: list[functools.partial[str]], path: str) -> str:
        found = []
        failures: list[Impossible] = []
        for body in bodies:
            try:
                text = body()
            except Impossible as error:
                failures.append(error)
            else:
                found += [text] if text else []
        if not found:
            raise failures[0] if failures else Impossible(path, "its types allow nothing.")
        return " | ".join(found)

    # numbers

    def _integer(self, flat: Flat) -> str:
        body = numbers.integer_body(self._rules, flat.limits)
        if not body:
            raise Impossible(flat.path, "there is no integer between minimum and maximum.")
        return body

    def _number(self, flat: Flat) -> str:
        body = numbers.number_body(self._rules, flat.limits)
        if not body:
            raise Impossible(flat.path, "there is no number between minimum and maximum.")
        return body

    # arrays

    def _array(self, flat: Flat, hint: str, deep: int) -> str:
        least, most = flat.item_count
        if most is not None and least > most:
            raise Impossible(flat.path, f"minItems {least} is more than maxItems {most}.")
        heads = max((len(items.heads) for items in flat.items), default=0)
        if least <= heads and self._closed(flat.items, heads):
            most = heads if most is None else min(most, heads)
        names: list[str] = []
        for number in range(heads):
            try:
                names.append(self.rule(_item(flat.items, number), f"{hint}-{number}", deep + 1))
            except Impossible:
                if number < least:
                    raise
                most = number if most is None else min(most, number)
                break
        if most is not None:
            names = names[:most]
        return self._array_body(flat, names, self._more(flat, len(names), most, hint, deep), least)

    def _closed(self, items: list[Items], heads: int) -> bool:
        """A tuple says how many items there are, if nothing says what others may be."""
        return heads > 0 and all(one.rest is None for one in items)

    def _more(self, flat: Flat, heads: int, most: int | None, hint: str, deep: int) -> tuple[str, int | None]:
        """The rule for items behind the first ones, and how many there may be of them."""
        if most is not None and most <= heads:
            return "", 0
        try:
            item = self.rule(_item(flat.items, heads), f"{hint}-item", deep + 1)
        except Impossible:
            if flat.item_count[0] > heads:
                raise
            return "", 0
        return item, None if most is None else most - heads

    def _array_body(self, flat: Flat, heads: list[str], more: tuple[str, int | None], least: int) -> str:
        space = self._json.space()
        item, count = more
        end = self._rules.rule("end-of-array", f'{space} "]"')
        rest = end
        if item:
            low = max(0, least - max(len(heads), 1))
            high = None if count is None else count - (not heads)
            another = self._rules.rule("item", f'"," {space} {item}')
            if high != 0:
                times = self._strings.times(another, low, high, f"{flat.path} minItems", f"{flat.path} maxItems")
                rest = self._rules.rule("items", f"{times} {end}")
        # from the last item to the first: what follows it
        for number in range(len(heads) - 1, 0, -1):
            following = f'"," {space} {heads[number]} {rest}'
            rest = self._rules.rule("items", following if number < least else f"{following} | {end}")
        first = heads[0] if heads else item
        if not first:
            return f'"[" {space} "]"'
        return f'"[" {space} {first} {rest}' if least else f'"[" {space} ({first} {rest} | "]")'

    # objects

    def _object(self, flat: Flat, deep: int) -> str:
        least, most = flat.key_count
        if most is not None and (least > most or len(flat.required) > most):
            raise Impossible(flat.path, f"maxProperties {most} is less than what it must have.")
        names = list(dict.fromkeys([name for keys in flat.keys for name in keys.named] + flat.required))
        if len(names) > bounds.MAX_PROPERTIES:
            raise bounds.too_large("properties of an object", bounds.MAX_PROPERTIES, "Use fewer.", self._param)
        if not names:
            return self._map(flat, deep)
        members = []
        for name in names:
            try:
                self._check_name(flat, name)
                value = self.rule(self._at_key(flat, name), name, deep + 1)
            except Impossible as error:
                if name in flat.required:
                    raise Impossible(flat.path, f"the key {name!r:.100} is required, but cannot be: {error}") from None
                continue
            members.append(Member(name, value, name in flat.required))
        if least > len(flat.required):
            self.unchecked.append(f"{flat.path} minProperties")
        if most is not None:
            self.unchecked.append(f"{flat.path} maxProperties")
        return object_body(self._rules, self._json.space(), members, self._others.pair(flat, names, deep))

    def _map(self, flat: Flat, deep: int) -> str:
        """No key is known."""
        least, most = flat.key_count
        if flat.keys and not least and all(keys.extra is None and not keys.patterns for keys in flat.keys):
            most = 0  # `properties` with nothing in it, as a tool without arguments has it
        pair = self._others.pair(flat, [], deep)
        if not pair:
            if least:
                raise Impossible(flat.path, f"minProperties is {least}, but no key is allowed.")
            return f'"{{" {self._json.space()} "}}"'
        if least > 1:  # the same key twice counts once
            self.unchecked.append(f"{flat.path} minProperties")
        if (least, most) == (0, None):
            return self._json.object_of(pair)
        if most == 0:
            return f'"{{" {self._json.space()} "}}"'
        space = self._json.space()
        another = self._rules.rule("member", f'"," {space} {pair}')
        high = None if most is None else most - 1
        end = self._rules.rule("end", f'{space} "}}"')
        inner = f"{pair} {end}"
        if high != 0:
            low = max(0, least - 1)
            times = self._strings.times(another, low, high, f"{flat.path} minProperties", f"{flat.path} maxProperties")
            inner = f"{pair} {times} {end}"
        return f'"{{" {space} {inner}' if least else f'"{{" {space} ({inner} | "}}")'

    def _check_name(self, flat: Flat, name: str) -> None:
        for one in flat.key_names:
            if self._checker.first(one.schema, name) is not None:
                raise Impossible(one.path, f"propertyNames excludes {name!r:.100}.")

    def _at_key(self, flat: Flat, name: str) -> Node:
        """All that is demanded of the value at a key."""
        found: list[Located] = []
        for keys in flat.keys:
            own = [keys.named[name]] if name in keys.named else []
            own += [sub for pattern, sub in keys.patterns if self._matches(pattern, name)]
            if not own and keys.extra is not None:
                own = [keys.extra]
            found += own
        return tuple(found) or (Located(True, flat.path),)

    def _matches(self, pattern: str, name: str) -> bool:
        machine = self._strings.pattern(pattern, "patternProperties")
        return machine is not None and automaton.matches(machine, name) is True


def _item(items: list[Items], number: int) -> Node:
    found = []
    for one in items:
        sub = one.heads[number] if number < len(one.heads) else one.rest
        found += [sub] if sub is not None else []
    return tuple(found) or (Located(True, ""),)
