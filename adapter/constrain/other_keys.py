"""Rules for an object's keys that have no name in the schema: patterns of keys, names of keys, and all others. Pure."""

from __future__ import annotations

from collections.abc import Callable

from adapter.constrain import automaton, check
from adapter.constrain.automaton import Machine, TooBig
from adapter.constrain.flat import Flat, Impossible, Located, Node, Source, flatten
from adapter.constrain.json_rules import JsonRules, Rules
from adapter.constrain.strings import StringRules

_MAX_KEY_CHARS = 400  # of the names that other keys must differ from


class OtherKeys:
    """rule_of: makes the rule of a value from its node, a hint and how deep it is. unchecked: where to list what no rule expresses."""

    def __init__(
        self,
        rules: Rules,
        json: JsonRules,
        strings: StringRules,
        source: Source,
        unchecked: list[str],
        rule_of: Callable[[Node, str, int], str],
    ) -> None:
        self._rules = rules
        self._json = json
        self._strings = strings
        self._source = source
        self._unchecked = unchecked
        self._rule_of = rule_of
        self._checker = check.Checker(source.root)

    def pair(self, flat: Flat, names: list[str], deep: int) -> str:
        """The rule for a key that has no name in the schema, and its value; "" for none."""
        if names and not any(keys.extra is not None or keys.patterns for keys in flat.keys):
            return ""
        patterns = [one for keys in flat.keys for one in keys.patterns]
        pairs = []
        for pattern, sub in patterns:
            try:
                value = self._rule_of(self._beside(flat, sub), "value", deep + 1)
            except Impossible:
                continue
            machine = self._strings.pattern(pattern, sub.path)
            if machine is None:
                self._unchecked.append(f"{flat.path} patternProperties")
            key = self._other_key(flat, names, machine, [])
            pairs += [self._json.pair(key, value)] if key else []
        if len(patterns) > 1 or (patterns and len(flat.keys) > 1):
            self._unchecked.append(f"{flat.path} patternProperties")
        extras = tuple(keys.extra for keys in flat.keys if keys.extra is not None)
        if extras or not patterns:
            pairs += self._open_pair(flat, names, extras, [pattern for pattern, _ in patterns], deep)
        return self._rules.rule("pair", " | ".join(pairs)) if pairs else ""

    def _beside(self, flat: Flat, sub: Located) -> Node:
        """The schema of a pattern's keys, and what other schemas say about all keys that they do not name."""
        others = [
            keys.extra
            for keys in flat.keys
            if keys.extra is not None and all(one is not sub for _, one in keys.patterns)
        ]
        return (sub, *others)

    def _open_pair(
        self, flat: Flat, names: list[str], extras: tuple[Located, ...], patterns: list[str], deep: int
    ) -> list[str]:
        try:
            value = self._rule_of(extras or (Located(True, flat.path),), "value", deep + 1)
        except Impossible:
            return []
        key = self._other_key(flat, names, None, patterns)
        return [self._json.pair(key, value)] if key else []

    def _other_key(self, flat: Flat, names: list[str], machine: Machine | None, patterns: list[str]) -> str:
        """The rule for a key that is none of `names`, fits `machine` and `propertyNames`, and matches none of `patterns`; "" for none."""
        found = machine
        excluded = [self._strings.pattern(pattern, "patternProperties") for pattern in patterns]
        if 0 < sum(map(len, names)) <= _MAX_KEY_CHARS:
            excluded.append(automaton.words(names))
        elif names:
            self._unchecked.append(f"{flat.path} additionalProperties")
        for one in excluded:
            if one is not None:
                try:
                    found = automaton.intersection(found or automaton.ANYTHING, automaton.complement(one))
                except TooBig:
                    self._unchecked.append(f"{flat.path} patternProperties")
        for located in flat.key_names:
            wanted = self._key_machine(located)
            if wanted is not None:
                found = self._strings.both(found or automaton.ANYTHING, wanted, f"{flat.path} propertyNames")
        if found is None or found == automaton.ANYTHING:
            return self._json.string()
        if not found.edges:
            return ""
        return self._rules.rule("key", f'"\\"" {self._strings.inside_quotes(found)} "\\""')

    def _key_machine(self, located: Located) -> Machine | None:
        """What `propertyNames` demands, as far as it can be said."""
        try:
            flat = flatten((located,), self._source)
        except Impossible:
            return automaton.NOTHING
        if "string" not in flat.types:
            return automaton.NOTHING
        if flat.groups or flat.later:
            self._unchecked.append(f"{located.path}")
        if flat.values is not None:
                return automaton.words(
                value for value in flat.values if isinstance(value, str) and self._checker.first(located.schema, value) is None
            )
        try:
            machine = self._strings.machine(flat)
        except Impossible:
            return automaton.NOTHING
        return self._strings.cut(automaton.ANYTHING, flat) if machine is None and flat.length != (0, None) else machine
