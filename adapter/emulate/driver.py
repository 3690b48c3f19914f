"""Asks an engine for what it cannot do or does not keep to by itself: once, and once more with what was wrong."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace

from adapter.calls.json_text import to_json
from adapter.calls.output import Text
from adapter.chat import (
    Chat,
    ChoiceFinished,
    Event,
    Finished,
    FinishReason,
    ReasoningDelta,
    Started,
    TextDelta,
    TokenLogprob,
    ToolCallDelta,
    Usage,
    UsageSource,
)
from adapter.dispatch.items import Begin, Remark
from adapter.emulate.answer import Answer, Verdict
from adapter.emulate.pieces import Call
from adapter.emulate.plan import Plan, again, plan
from adapter.engines.base import Can
from adapter.errors import ContextTooLong, EngineFailed, OutputInvalid

_SOURCES = (UsageSource.EXACT, UsageSource.COUNTED, UsageSource.ESTIMATED)


def _random_id() -> str:
    return "call_" + secrets.token_hex(12)


async def emulated(
    chat: Chat,
    begin: Begin,
    *,
    prompted: frozenset[Can],
    checked: frozenset[Can],
    streaming: bool,
    new_id: Callable[[], str] = _random_id,
) -> AsyncGenerator[Event | Remark, None]:
    """One answer to `chat`, by the contract of engines (`engines/base.py`), with one `Remark("emulated", ...)` before `Finished`
    if there was anything to do: for "tools" and "response_format" one of "prompt", "checked", "repaired", "asked again", and "notes".

    prompted: what the engine knows nothing of (`TOOLS`, `OUTPUT`): it is told in words. checked: what it has but does not keep
    to: what comes is looked at. streaming: text is passed on as soon as it surely is none of a call; else, and where all of the
    answer must have a form or be a call, when the answer is complete and right. Calls always come whole, when all is.

    An answer that does not fit is asked for once more. Raises `OutputInvalid` if the second does not fit either, `NotCapable` for
    a grammar, `BadRequest` for tools or forms that cannot be, before anything is asked; and whatever the engine raises. Closing
    it closes the engine's iterator. usage: of all asks together. With `n` > 1 the answers are made one after the other.
    """
    made = plan(chat, prompted, checked)
    runs: list[_Run] = []
    started = False
    for choice in range(chat.n):
        run = _Run(_one_of(made, choice) if chat.n > 1 else made, begin, choice, streaming, new_id)
        async with aclosing(run.events()) as events:
            async for event in events:
                if not isinstance(event, Started):
                    yield event
                elif not started:
                    started = True
                    yield event
        if chat.n > 1:
            yield ChoiceFinished(choice, run.reason)
        runs.append(run)
    if told := _remark(runs):
        yield Remark("emulated", told)
    yield Finished(runs[0].reason, _usage_of(runs))


def _one_of(made: Plan, choice: int) -> Plan:
    """One of several answers: asked for by itself, and with a seed of its own so that it is not the same again."""
    seed = made.asked.sampling.seed
    sampling = replace(made.asked.sampling, seed=None if seed is None else seed + choice)
    return replace(made, asked=replace(made.asked, n=1, sampling=sampling))


class _Run:
    """One choice: the first ask and, if need be, the second."""

    def __init__(self, made: Plan, begin: Begin, choice: int, streaming: bool, new_id: Callable[[], str]) -> None:
        self._plan = made
        self._begin = begin
        self._choice = choice
        self._flows = streaming and made.may_flow
        self._new_id = new_id
        self._calls = 0
        self._shown = False
        self._between = False  # the next text is a paragraph of its own, behind that of an answer before
        self._finished: Finished | None = None
        self._verdict = Verdict()
        self._answer = Answer(made, self._flows)
        self.usages: list[Usage] = []
        self.ways = dict(made.ways)
        self.notes: list[str] = []

    @property
    def reason(self) -> FinishReason:
        return self._verdict.reason

    async def events(self) -> AsyncGenerator[Event | Remark, None]:
        """All but `Finished`. Raises as `emulated` does."""
        async with aclosing(self._ask(self._plan.asked)) as events:
            async for event in events:
                yield event
        wrong = self._verdict.wrong
        if wrong is not None:
            async with aclosing(self._second(self._answer.raw, wrong)) as events:
                async for event in events:
                    yield event
        for last in self._last():
            yield last

    async def _second(self, raw: str, wrong: str) -> AsyncGenerator[Event | Remark, None]:
        self.ways = dict.fromkeys(self.ways, "asked again")
        self.notes.append(f"asked again, as the first answer could not be used: {wrong}")
        try:
            async with aclosing(self._ask(again(self._plan, raw, wrong))) as events:
                async for event in events:
                    yield event
        except ContextTooLong as exc:
            raise self._invalid(wrong, "there is no room to ask again") from exc
        if self._verdict.wrong is not None:
            raise self._invalid(self._verdict.wrong, "it was asked twice")

    def _invalid(self, wrong: str, why: str) -> OutputInvalid:
        return OutputInvalid(
            f"The answer of model '{self._plan.asked.model}' cannot be used ({why}): {wrong}. Try again, or choose a "
            "model that is held to tools and forms by a grammar, such as those of the embedded engine.",
            param=self._plan.param,
        )

    async def _ask(self, chat: Chat) -> AsyncGenerator[Event | Remark, None]:
        """Pass on what can be passed on at once; the verdict on the rest is there afterwards."""
        self._answer = answer = Answer(self._plan, self._flows)
        self._finished = None
        self._between = self._shown
        async with aclosing(self._begin(chat)) as events:
            async for event in events:
                match event:
                    case TextDelta():
                        if text := answer.text(event):
                            yield self._text(text, answer.logprobs)
                    case ToolCallDelta():
                        answer.call(event)
                    case ReasoningDelta():
                        yield replace(event, choice=self._choice)
                    case Finished():
                        self._finished = event
                    case Started() | Remark():
                        yield event
                    case ChoiceFinished():
                        pass  # one answer was asked for; its end is `Finished`
        if self._finished is None:
            raise EngineFailed(f"The answer of model '{chat.model}' stopped without its end. Try again.")
        self.usages.append(self._finished.usage)
        self._verdict = answer.verdict(self._finished)

    def _text(self, text: str, logprobs: list[TokenLogprob]) -> TextDelta:
        if self._between:
            text = f"\n\n{text}"
        self._shown, self._between = True, False
        told = tuple(logprobs)
        logprobs.clear()
        return TextDelta(text, self._choice, told)

    def _last(self) -> list[Event]:
        """What waited for the answer's end."""
        verdict, logprobs = self._verdict, self._answer.logprobs
        self.notes += verdict.notes
        for way in verdict.mended:
            if self.ways.get(way) in ("prompt", "checked"):
                self.ways[way] = "repaired"
        events: list[Event] = []
        for part in verdict.parts:
            if isinstance(part, Text):
                events.append(self._text(part.text, logprobs))
            elif isinstance(part, Call):
                events.append(self._call(part.name, to_json(part.arguments), part.id))
        if verdict.cut is not None and verdict.cut.name is not None and verdict.cut.arguments is not None:
            events.append(self._call(verdict.cut.name, verdict.cut.arguments, None))
        events += [replace(delta, choice=self._choice) for delta in verdict.deltas]
        return events

    def _call(self, name: str, arguments: str, known: str | None) -> ToolCallDelta:
        index = self._calls
        self._calls += 1
        return ToolCallDelta(index, known or self._new_id(), name, arguments, self._choice)


def _remark(runs: list[_Run]) -> dict[str, object]:
    """What was done, of several answers the most; with `notes` if there is anything to say about it."""
    order = ("prompt", "checked", "repaired", "asked again")
    told: dict[str, object] = {}
    for way in runs[0].ways:
        told[way] = max((run.ways[way] for run in runs), key=order.index)
    notes = list(dict.fromkeys(note for run in runs for note in run.notes))
    return {**told, "notes": notes} if notes else told


def _usage_of(runs: list[_Run]) -> Usage:
    """All asks together. The prompt counts once for all choices, and again for whatever was asked again."""
    usages = [usage for run in runs for usage in run.usages]
    prompts = runs[0].usages[:1] + [usage for run in runs for usage in run.usages[1:]]
    return Usage(
        prompt_tokens=sum(usage.prompt_tokens for usage in prompts),
        completion_tokens=sum(usage.completion_tokens for usage in usages),
        cached_tokens=sum(usage.cached_tokens for usage in prompts),
        prompt_source=max((usage.prompt_source for usage in prompts), key=_SOURCES.index),
        completion_source=max((usage.completion_source for usage in usages), key=_SOURCES.index),
    )
