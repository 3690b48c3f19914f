"""An answer that was asked to have a form: found in what the model wrote around it, put right where that is certain, checked. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from adapter.calls.json_text import NotJson, parse_json, to_json
from adapter.chat import OutputFormat, OutputKind
from adapter.constrain import automaton, nfa, regex
from adapter.emulate.fit import fit, plain
from adapter.emulate.loose import Loose, Unreadable, strict_value
from adapter.errors import BadRequest, NotCapable

_FENCED = re.compile(r"```[\w+-]{0,40}[ \t]*\n?(.*?)(?:```|\Z)", re.DOTALL)
_MAX_TRIES = 40
_QUOTED = re.compile(r"""\A(?:\*\*|__|[`"'“‘*_])+|(?:\*\*|__|[`"'”’*_])+\Z""")  # noqa: RUF001
_WORDS = {OutputKind.JSON: "one JSON object", OutputKind.SCHEMA: "JSON that fits the schema"}


@dataclass(frozen=True, slots=True)
class FormRead:
    """text: the answer in its form. wrong: what is wrong with it, a part of a sentence; then `text` is not to be used.
    notes: what was put right, in words."""

    text: str
    notes: tuple[str, ...] = ()
    wrong: str | None = None


class Form:
    """Reads answers that must have one form. Raises `BadRequest` for a form that cannot be, `NotCapable` for a grammar."""

    def __init__(self, output: OutputFormat) -> None:
        if output.kind is OutputKind.GRAMMAR:
            raise NotCapable(
                "A grammar can only be held to by the embedded engine; ask for one of its models.", param=output.param
            )
        self.output = output
        self.schema: dict[str, Any] = {"type": "object"}
        self.options: list[str] = []
        self._machine: automaton.Machine | None = None
        if output.kind is OutputKind.SCHEMA:
            schema = _parsed(output)
            self.schema = schema if isinstance(schema, dict) else {}
        elif output.kind is OutputKind.CHOICE:
            self.options = _options(output)
        elif output.kind is OutputKind.REGEX:
            self._machine = _machine(output)

    def read(self, raw: str) -> FormRead:
        """raw: the whole answer, which the model ended itself."""
        match self.output.kind:
            case OutputKind.CHOICE:
                return self._choice(raw)
            case OutputKind.REGEX:
                return self._regex(raw)
            case _:
                return self._json(raw)

    # --- JSON -------------------------------------------------------------------------------------------------

    def _json(self, raw: str) -> FormRead:
        whole = strict_value(text := raw.strip())
        if whole is not None and whole[1] == len(text):
            value, notes, wrong = fit(self.schema, whole[0])
            if wrong is None:
                return FormRead(to_json(value) if notes else text, tuple(notes))
        faults: list[str] = []
        found: list[FormRead] = []
        for value, repairs in _values(raw):
            fitted, notes, wrong = fit(self.schema, value)
            if wrong is not None:
                faults.append(wrong)
            elif all(one.text != to_json(fitted) for one in found):
                found.append(FormRead(to_json(fitted), (*repairs, *notes)))
        if len(found) == 1:
            return found[0]
        if found:
            return FormRead("", wrong="there is more than one answer in it; write one only")
        if (bare := self._bare(raw)) is not None:
            return bare
        return FormRead("", wrong=f"it is not {_WORDS[self.output.kind]}" + (f": {faults[-1]}" if faults else ""))

    def _bare(self, raw: str) -> FormRead | None:
        """A text without its quotes, where only certain texts are right."""
        text = _unquoted(raw)
        value, notes, wrong = fit(self.schema, text)
        says = self.schema.get("enum") or "const" in self.schema
        return FormRead(to_json(value), ("quotes added", *notes)) if wrong is None and says else None

    # --- text -------------------------------------------------------------------------------------------------

    def _choice(self, raw: str) -> FormRead:
        if raw in self.options:
            return FormRead(raw)
        for text in (raw.strip(), _unquoted(raw), _unquoted(_unquoted(raw).rstrip(".!,;:"))):
            alike = [one for one in self.options if one.strip() == text]
            alike = alike or [one for one in self.options if plain(one) == plain(text)]
            if len(alike) == 1:
                return FormRead(alike[0], () if alike[0] == raw else ("spelled as in the choices",))
        return FormRead("", wrong=f"it is none of {to_json(self.options)}")

    def _regex(self, raw: str) -> FormRead:
        assert self._machine is not None
        for text in dict.fromkeys((raw, raw.strip(), _unquoted(raw))):
            fits = automaton.matches(self._machine, text)
            if fits is None:
                return FormRead("", wrong="it is too long to be checked against the pattern")
            if fits:
                return FormRead(text, () if text == raw else ("what stood around it removed",))
        return FormRead("", wrong="it does not match the pattern from its first to its last character")


def _values(raw: str) -> Iterator[tuple[Any, tuple[str, ...]]]:
    """The JSON values in a text: those in blocks of Markdown if there are any that can be read, else all."""
    blocks = list(_inside([match.group(1) for match in _FENCED.finditer(raw)], raw))
    yield from blocks or _inside([raw], raw)


def _inside(texts: Sequence[str], raw: str) -> Iterator[tuple[Any, tuple[str, ...]]]:
    for text in texts:
        at, tries = 0, 0
        while tries < _MAX_TRIES and (match := re.compile(r"[{\[]").search(text, at)) is not None:
            tries += 1
            loose = Loose(text, match.start(), close=True)
            try:
                value = loose.value()
            except Unreadable as wrong:
                # An answer whose text is broken has its parts, which are not the answer.
                at = max(match.start() + 1, wrong.at if wrong.at > match.start() + 1 else 0)
                continue
            repairs = list(loose.repairs)
            if raw.strip() != text[match.start() : loose.at]:
                repairs.append("what stood around it removed")
            at = max(loose.at, match.start() + 1)
            yield value, tuple(repairs)


def _unquoted(text: str) -> str:
    """Without white space, quotes and emphasis around it."""
    return _QUOTED.sub("", text.strip()).strip()


def _parsed(output: OutputFormat) -> Any:
    try:
        return parse_json(output.text)
    except NotJson as exc:
        raise BadRequest(f"This is no JSON: {exc}", param=output.param) from exc


def _options(output: OutputFormat) -> list[str]:
    options = _parsed(output)
    if not isinstance(options, list) or not options or not all(isinstance(one, str) for one in options):
        raise BadRequest("A choice must be a list of strings, one at least.", param=output.param)
    return options


def _machine(output: OutputFormat) -> automaton.Machine:
    try:
        return nfa.machine(regex.parse(output.text), whole=True)
    except (regex.PatternError, automaton.TooBig) as exc:
        raise BadRequest(f"This pattern cannot be used: {exc}", param=output.param) from exc
