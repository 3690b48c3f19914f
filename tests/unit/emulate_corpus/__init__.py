"""What small models write when they were asked for calls or for a form, and what must come of it: 280 answers in categories.

Written from what Gemma, Llama, Qwen, Phi, Mistral and their kin are known to write, most of it before the parser was.
`python -m tests.unit.emulate_corpus` prints the score by category.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapter.calls.tools import ToolBox, tools_of
from adapter.chat import OutputFormat, OutputKind, Tool, ToolChoice
from adapter.emulate.forms import Form
from adapter.emulate.judge import checked
from adapter.emulate.pieces import Call
from adapter.emulate.reading import AnswerReader

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Case:
    """calls: name and arguments. text: what stays of the answer besides. problem: the kind of the first fault, "" for none."""

    category: str
    id: str
    raw: str
    calls: tuple[tuple[str, Any], ...]
    text: str
    problem: str
    length: bool


@dataclass(frozen=True, slots=True)
class FormCase:
    """want: the text that must come out; `None`: the answer cannot be used. A case that is cut comes out as it is."""

    id: str
    form: str
    raw: str
    want: str | None
    length: bool


def tools() -> tuple[Tool, ...]:
    found = json.loads((HERE / "tools.json").read_text("utf-8"))
    return tuple(Tool(name, one["description"], json.dumps(one["parameters"])) for name, one in found.items())


def box() -> ToolBox:
    return tools_of(tools(), ToolChoice())


def cases() -> list[Case]:
    return list(_cases())


def _cases() -> Iterator[Case]:
    for path in sorted(HERE.glob("*.toml")):
        if path.stem == "forms":
            continue
        for one in tomllib.loads(path.read_text("utf-8"))["case"]:
            calls = tuple(_call(text) for text in one.get("calls", ()))
            problem = one.get("problem", "")
            text = one.get("text", "" if calls or problem else one["raw"])
            yield Case(path.stem, one["id"], one["raw"], calls, text, problem, one.get("length", False))


def _call(text: str) -> tuple[str, Any]:
    name, _, arguments = text.partition(" ")
    return name, json.loads(arguments)


def form_cases() -> list[FormCase]:
    found = tomllib.loads((HERE / "forms.toml").read_text("utf-8"))
    return [
        FormCase(one["id"], one["form"], one["raw"], one.get("want"), one.get("length", False)) for one in found["case"]
    ]


def forms() -> dict[str, Form]:
    """Readers of the forms by the names that the cases use."""
    schemas = tomllib.loads((HERE / "forms.toml").read_text("utf-8"))["forms"]
    made = {name: OutputFormat(OutputKind.SCHEMA, text) for name, text in schemas.items()}
    made["json_object"] = OutputFormat(OutputKind.JSON)
    made["choice"] = OutputFormat(OutputKind.CHOICE, json.dumps(["positive", "neutral", "negative", "very negative"]))
    made["regex"] = OutputFormat(OutputKind.REGEX, r"\d{4}-\d{2}-\d{2}")
    return {name: Form(output) for name, output in made.items()}


def read(case: Case, pieces: Sequence[str], known: ToolBox) -> tuple[tuple[tuple[str, Any], ...], str, str]:
    """The answer in these pieces -> calls that fit, text, kind of the first fault."""
    reader = AnswerReader(known)
    text = "".join([reader.feed(piece) for piece in pieces])
    reading = reader.finish(cut=case.length)
    parts = checked(reading.parts, known).parts
    calls = tuple((part.name, part.arguments) for part in parts if isinstance(part, Call))
    faults = [part.kind for part in checked(reading.parts, known).faults]
    return calls, text + reading.text, faults[0].value if faults else ""


def right(case: Case, got: tuple[tuple[tuple[str, Any], ...], str, str]) -> bool:
    """Text without calls must be there to the letter; beside calls white space does not count."""
    calls, text, problem = got
    if not case.calls and not case.problem:
        same = text == case.text
    else:
        same = text.split() == case.text.split()
    return same and list(calls) == list(case.calls) and problem == case.problem


def form_right(case: FormCase, form: Form) -> bool:
    found = form.read(case.raw)
    return (found.text if found.wrong is None else None) == case.want


def score() -> dict[str, tuple[int, int]]:
    """For each category how many answers came out right, and how many there are."""
    known, found = box(), forms()
    results = [(case.category, right(case, read(case, [case.raw], known))) for case in cases()]
    results += [("forms", form_right(case, found[case.form])) for case in form_cases()]
    return {
        name: (sum(fine for category, fine in results if category == name), sum(category == name for category, _ in results))
        for name in dict.fromkeys(category for category, _ in results)
    }


def table(rows: Iterable[tuple[str, tuple[int, int]]]) -> str:
    lines = [f"{name:<12} {fine:>4} of {all_of:>3}" for name, (fine, all_of) in rows]
    return "\n".join(lines)
