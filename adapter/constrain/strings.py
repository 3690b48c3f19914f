"""Rules for strings: length, patterns, formats, alone and together. Pure."""

from __future__ import annotations

from adapter.constrain import automaton, bounds, emit, nfa, regex, words
from adapter.constrain.automaton import Machine, TooBig
from adapter.constrain.flat import Flat, Impossible
from adapter.constrain.json_rules import JsonRules, Rules
from adapter.errors import BadRequest


class StringRules:
    """unchecked: where to list what no rule expresses. lenient: that may also be a pattern that cannot be read."""

    def __init__(self, rules: Rules, json: JsonRules, unchecked: list[str], *, param: str | None, lenient: bool) -> None:
        self._rules = rules
        self._json = json
        self._unchecked = unchecked
        self._param = param
        self._lenient = lenient
        self._machines: dict[str, Machine | None] = {}
        self._texts: dict[Machine, str] = {}
        self._hard = 0  # automata that were too big for the best form

    def body(self, flat: Flat) -> str:
        least, most = flat.length
        if most is not None and least > most:
            raise Impossible(flat.path, f"minLength {least} is more than maxLength {most}.")
        machine = self.machine(flat)
        if machine is not None:
            return f'"\\"" {self.inside_quotes(machine)} "\\""'
        return self._plain_string(flat)

    def _plain_string(self, flat: Flat) -> str:
        least, most = flat.length
        if (least, most) == (0, None):
            return self._json.string()
        inner = self.times(self._json.char(), least, most, f"{flat.path} minLength", f"{flat.path} maxLength")
        return f'"\\"" {inner} "\\""'

    def times(self, part: str, least: int, most: int | None, low_word: str, high_word: str) -> str:
        """The rule for `part` so many times. A bound that is too high is left out and listed by its word."""
        if least > bounds.MAX_REPEAT:
            what = low_word.rpartition(" ")[2]
            raise BadRequest(f"{low_word.strip()}: {what} can be {bounds.MAX_REPEAT} at most. Ask for less.", param=self._param)
        if most is not None and most > bounds.MAX_REPEAT:
            self._unchecked.append(high_word)
            most = None
        found = self._json.times("times", part, least, most)
        if found:
            return found
        self._unchecked += [low_word] * (least > 0) + [high_word] * (most is not None)
        return self._json.times("times", part, 0, None)

    def machine(self, flat: Flat) -> Machine | None:
        """All that patterns, format and length demand; `None` where there is no pattern or format, or none that helps."""
        found: Machine | None = None
        machines = [(self.pattern(pattern, path), f"{path} pattern") for pattern, path in flat.patterns]
        if flat.format:
            machines.append((nfa.machine(regex.parse(words.FORMATS[flat.format]), whole=True), f"{flat.path} format"))
        for machine, entry in machines:
            if machine is None:
                self._unchecked.append(entry)
            elif found is None:
                found = machine
            else:
                found = self.both(found, machine, entry)
        if found is not None and flat.length != (0, None):
            found = self.cut(found, flat)
        if found is not None and not found.edges:
            raise Impossible(flat.path, "no string fits pattern, format, minLength and maxLength together.")
        return found

    def inside_quotes(self, machine: Machine) -> str:
        if machine not in self._texts:
            self._texts[machine] = emit.machine_rule(self._rules, machine, "text", in_json=True)
        return self._texts[machine]

    def pattern(self, pattern: str, path: str) -> Machine | None:
        """`None` for one that cannot be read, where that may be passed over."""
        if pattern in self._machines:
            return self._machines[pattern]
        why = "it is too complex"
        try:
            found = self._machines[pattern] = nfa.machine(regex.parse(pattern), whole=False)
        except regex.PatternError as error:
            why = str(error)
        except TooBig:
            self._count_hard()
        else:
            if not found.deterministic:
                self._count_hard()
            return found
        if self._lenient:
            self._machines[pattern] = None
            return None
        raise BadRequest(
            f"{path or '/'}: the pattern {pattern!r:.200} cannot be used: {why}. Use one without look-behind, back references and"
            " other extensions, or leave it out.",
            param=self._param,
        )

    def both(self, a: Machine, b: Machine, entry: str) -> Machine:
        try:
            return automaton.intersection(a, b)
        except TooBig:
            self._count_hard()
            self._unchecked.append(entry)
            return a

    def _count_hard(self) -> None:
        self._hard += 1
        if self._hard > bounds.MAX_HARD_PATTERNS:
            remedy = "Use simpler patterns, or shorter lengths beside them."
            raise bounds.too_large("patterns with very many states", bounds.MAX_HARD_PATTERNS, remedy, self._param)

    def cut(self, machine: Machine, flat: Flat) -> Machine:
        """With the length's bounds, as far as they are small enough."""
        least, most = flat.length
        for low, high, word in ((least, None, "minLength"), (0, most, "maxLength")):
            if low == 0 and high is None:
                continue
            if max(low, high or 0) > bounds.MAX_REPEAT:
                self._unchecked.append(f"{flat.path} {word}")
            else:
                machine = self.both(machine, automaton.lengths(low, high), f"{flat.path} {word}")
        return machine
