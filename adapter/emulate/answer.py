"""One answer of an engine as it comes in, and the verdict on it when it is complete. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from adapter.calls.json_text import parse_json, to_json
from adapter.calls.output import Text
from adapter.chat import (
    Finished,
    FinishReason,
    OutputFormat,
    OutputKind,
    TextDelta,
    TokenLogprob,
    ToolCall,
    ToolCallDelta,
)
from adapter.emulate.forms import Form
from adapter.emulate.judge import checked
from adapter.emulate.loose import Loose, Unreadable
from adapter.emulate.names import Names
from adapter.emulate.pieces import INSIDE_A_CALL, Call, Fault, FaultKind, Part
from adapter.emulate.plan import Plan
from adapter.emulate.prompt import HERMES
from adapter.emulate.reading import AnswerReader, Reading
from adapter.emulate.shapes import as_arguments, unknown_name

_MAX_TOLD_CHARS = 2_000


@dataclass(slots=True)
class _Native:
    """A call that the engine itself made out."""

    id: str | None
    name: str
    arguments: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """parts: the text that has not been passed on yet, and calls. wrong: why the answer cannot be used, a part of a sentence.
    cut: a call that `max_tokens` ended. deltas: calls to be passed on as they came, where they are not our business. notes: what
    was put right or left out. mended: of these words, what was repaired: "tools", "response_format"."""

    parts: tuple[Part, ...] = ()
    reason: FinishReason = FinishReason.STOP
    wrong: str | None = None
    cut: Fault | None = None
    deltas: tuple[ToolCallDelta, ...] = ()
    notes: tuple[str, ...] = ()
    mended: frozenset[str] = frozenset()


@dataclass(slots=True)
class Answer:
    """Takes the deltas of one answer. flows: text is passed on as soon as it surely is text."""

    plan: Plan
    flows: bool
    logprobs: list[TokenLogprob] = field(default_factory=list)
    _reader: AnswerReader = field(init=False)
    _held: list[str] = field(default_factory=list)
    _native: dict[int, _Native] = field(default_factory=dict)
    _deltas: list[ToolCallDelta] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._reader = AnswerReader(self.plan.tools)

    @property
    def raw(self) -> str:
        """The answer as the model wrote it, or as near to that as can be known."""
        calls = [ToolCall("", call.name, call.arguments or "{}") for call in self._native.values()]
        return "\n".join(filter(None, [self._reader.raw.strip(), HERMES.write(calls)]))

    def text(self, delta: TextDelta) -> str:
        """Take text; return what can be passed on now."""
        self.logprobs += delta.logprobs
        sure = self._reader.feed(delta.text)
        if self.flows:
            return sure
        self._held.append(sure)
        return ""

    def call(self, delta: ToolCallDelta) -> None:
        """Take a part of a call that the engine made out."""
        self._deltas.append(delta)
        if delta.index not in self._native:
            self._native[delta.index] = _Native(delta.id, delta.name or "")
        self._native[delta.index].arguments += delta.arguments

    def verdict(self, finished: Finished) -> Verdict:
        """The answer is complete."""
        cut = finished.reason is FinishReason.LENGTH
        reading = self._reader.finish(cut=cut)
        before = "".join(self._held)
        if before:
            reading = replace(reading, parts=_joined(before, reading.parts))
        ours = len(self.plan.tools) > 0
        native = [self._of_native(call, cut) for call in self._native.values()] if ours else []
        judged = checked(self._arguments_alone((*reading.parts, *native)), self.plan.tools)
        if self.plan.forbids_calls and self._deltas:
            return Verdict(wrong="no function may be called in this answer")
        if self.plan.form is not None and not judged_calls(judged.parts) and not self._deltas:
            formed = self._formed(finished, judged.faults)
            if formed is not None:
                return formed
        wrong = self._wrong(judged.parts, judged.faults, finished.reason)
        if wrong is not None:
            return Verdict(wrong=wrong)
        parts, more = self._one_call(judged.parts)
        notes = [*judged.notes, *more]
        if reading.dropped:
            size = len(reading.dropped)
            notes.append(f"what the model wrote in the place of results was left out ({size} characters)")
        broken = next((fault for fault in judged.faults if fault.kind is FaultKind.CUT), None)
        if broken is not None and broken.name is not None and broken.arguments is not None:
            left = [fault for fault in judged.faults if fault is not broken]
        else:
            left = list(judged.faults)
        notes += [f"left out: {fault.what}: {fault.raw[:_MAX_TOLD_CHARS]}" for fault in left]
        return Verdict(
            parts=parts,
            reason=self._reason(finished.reason, parts, broken, reading),
            cut=broken,
            deltas=() if ours else tuple(self._deltas),
            notes=tuple(notes),
            mended=frozenset({"tools"} if judged.notes else ()),
        )

    def _arguments_alone(self, parts: tuple[Part, ...]) -> tuple[Part, ...]:
        """Where one tool must be called, an answer that is nothing but its arguments is a call: what else could it be?"""
        if not self.plan.needs_call or any(not isinstance(part, Text) for part in parts):
            return parts
        asked = [spec for spec in self.plan.tools.only(self.plan.choice.name) if spec.properties]
        if len(asked) != 1 or len(self.plan.tools.only(self.plan.choice.name)) != 1:
            return parts
        read = Form(OutputFormat(OutputKind.SCHEMA, to_json(asked[0].schema))).read(self._reader.raw)
        value = parse_json(read.text) if read.wrong is None else None
        if not isinstance(value, dict) or asked[0].properties.keys().isdisjoint(value):
            return parts
        return (Call(asked[0].name, value, ("arguments alone read as a call", *read.notes)),)

    def _of_native(self, native: _Native, cut: bool) -> Part:
        names = Names(self.plan.tools)
        name = names.resolve(native.name)
        raw = to_json({"name": native.name, "arguments": native.arguments})
        if name is None:
            return unknown_name(native.name, names, raw)
        if not native.arguments.strip():
            return Call(name, {}, id=native.id)
        loose = Loose(native.arguments, close=not cut)
        try:
            value = as_arguments(loose.value(), names[name])
        except Unreadable as wrong:
            if cut and wrong.ran_out:
                return Fault(FaultKind.CUT, INSIDE_A_CALL, raw, name, native.arguments)
            return Fault(FaultKind.BROKEN, f"the arguments of {name} cannot be read: {wrong.what}", raw)
        return Call(name, value, tuple(loose.repairs), native.id)

    def _formed(self, finished: Finished, faults: tuple[Fault, ...]) -> Verdict | None:
        """The verdict on an answer that must have the form; `None` where a fault in a call says more."""
        assert self.plan.form is not None
        raw = self._reader.raw
        if finished.reason is FinishReason.LENGTH or finished.reason is FinishReason.CONTENT_FILTER:
            # The client set the limit, or somebody else ended it: what there is is shown, with the reason that says so.
            return Verdict(parts=(Text(raw),) if raw else (), reason=finished.reason)
        read = self.plan.form.read(raw)
        if read.wrong is None:
            return Verdict(
                parts=(Text(read.text),) if read.text else (),
                reason=FinishReason.STOP,
                notes=tuple(f"answer: {note}" for note in read.notes),
                mended=frozenset({"response_format"} if read.notes else ()),
            )
        return None if faults else Verdict(wrong=read.wrong)

    def _wrong(self, parts: tuple[Part, ...], faults: tuple[Fault, ...], reason: FinishReason) -> str | None:
        serious = [fault for fault in faults if fault.kind is not FaultKind.CUT]
        if serious and reason is not FinishReason.CONTENT_FILTER:
            return "; ".join(fault.what for fault in serious[:3])
        calls = judged_calls(parts)
        wanted = self.plan.choice.name
        if self.plan.needs_call and reason not in (FinishReason.LENGTH, FinishReason.CONTENT_FILTER) and not calls:
            return f"there is no call of {'a function' if wanted is None else wanted} in it"
        if self.plan.needs_call and wanted is not None and any(call.name != wanted for call in calls):
            return f"only {wanted} may be called"
        return None

    def _one_call(self, parts: tuple[Part, ...]) -> tuple[tuple[Part, ...], list[str]]:
        """Without the calls behind the first, where only one is welcome."""
        calls = judged_calls(parts)
        if self.plan.choice.parallel or len(calls) < 2:
            return parts, []
        others = ", ".join(call.name for call in calls[1:])
        kept = tuple(part for part in parts if not isinstance(part, Call) or part is calls[0])
        return kept, [f"calls behind the first left out, as parallel_tool_calls is false: {others}"]

    def _reason(
        self, reason: FinishReason, parts: tuple[Part, ...], cut: Fault | None, reading: Reading
    ) -> FinishReason:
        called = len(judged_calls(parts)) > 0
        if not len(self.plan.tools):
            return reason
        if reason is FinishReason.LENGTH:
            # Behind complete calls only the model's own talk was cut.
            complete = called and cut is None and (isinstance(parts[-1], Call) or bool(reading.dropped))
            return FinishReason.TOOL_CALLS if complete else reason
        if reason is FinishReason.CONTENT_FILTER:
            return reason
        return FinishReason.TOOL_CALLS if called else FinishReason.STOP


def judged_calls(parts: tuple[Part, ...]) -> list[Call]:
    """The calls among the parts."""
    return [part for part in parts if isinstance(part, Call)]


def _joined(before: str, parts: tuple[Part, ...]) -> tuple[Part, ...]:
    if parts and isinstance(parts[0], Text):
        return (Text(before + parts[0].text), *parts[1:])
    return (Text(before), *parts)
