"""Calls against the schemas of their tools. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from adapter.calls.json_text import to_json
from adapter.calls.tools import ToolBox
from adapter.emulate.fit import fit_arguments
from adapter.emulate.pieces import Call, Fault, FaultKind, Part


@dataclass(frozen=True, slots=True)
class Checked:
    """parts: as they were, without what is wrong, and calls with arguments that fit. faults: what is wrong. notes: what was put right."""

    parts: tuple[Part, ...]
    faults: tuple[Fault, ...]
    notes: tuple[str, ...]


def checked(parts: Sequence[Part], tools: ToolBox) -> Checked:
    """Check all calls."""
    kept: list[Part] = []
    faults: list[Fault] = []
    notes: list[str] = []
    for part in parts:
        found = check_call(part, tools) if isinstance(part, Call) else part
        if isinstance(found, Fault):
            faults.append(found)
            continue
        kept.append(found)
        if isinstance(found, Call):
            notes += [f"call of {found.name}: {note}" for note in found.repairs]
    return Checked(tuple(kept), tuple(faults), tuple(notes))


def check_call(call: Call, tools: ToolBox) -> Call | Fault:
    """The call with arguments that fit, or what is wrong with it."""
    raw = to_json({"name": call.name, "arguments": call.arguments})
    if not isinstance(call.arguments, dict):
        return Fault(FaultKind.SCHEMA, f"the arguments of {call.name} must be a JSON object", raw, call.name)
    value, notes, wrong = fit_arguments(tools[call.name].schema, call.arguments)
    if wrong is not None:
        what = f"the arguments of {call.name} do not fit its parameters: {wrong}"
        return Fault(FaultKind.SCHEMA, what, raw, call.name)
    return replace(call, arguments=value, repairs=(*call.repairs, *notes))
