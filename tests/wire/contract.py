"""What an answer's events must be, whichever engine they come from: the text of `adapter/engines/base.py` as checks."""

from __future__ import annotations

import json
from collections.abc import Sequence

from adapter.chat import (
    ChoiceFinished,
    Event,
    Finished,
    FinishReason,
    ReasoningDelta,
    Started,
    TextDelta,
    TokenLogprob,
    ToolCallDelta,
)


def check_events(events: Sequence[Event], *, n: int = 1, logprobs: int | None = None) -> None:
    """Fails unless `events` are one whole answer of `n` choices, with or without `logprobs`."""
    assert isinstance(events[0], Started), "Started comes first"
    assert isinstance(events[-1], Finished), "Finished comes last"
    assert [type(event) for event in events].count(Started) == 1
    assert [type(event) for event in events].count(Finished) == 1
    assert events[-1].usage.prompt_tokens > 0 and events[-1].usage.completion_tokens > 0
    deltas = [event for event in events if not isinstance(event, Started | Finished)]
    assert {event.choice for event in deltas} <= set(range(n)), "there are no other choices"
    for choice in range(n):
        own = [event for event in deltas if event.choice == choice]
        reason = _check_end(own, n) or events[-1].reason
        _check_deltas(own, reason, logprobs)
        if choice == 0:
            assert events[-1].reason is reason, "Finished repeats the reason of choice 0"


def _check_end(own: Sequence[Event], n: int) -> FinishReason | None:
    """Each of several choices ends once, and says nothing afterwards; a single one ends with the answer."""
    ends = [event for event in own if isinstance(event, ChoiceFinished)]
    if n == 1:
        assert ends == [], "the only choice has no end of its own"
        return None
    assert len(ends) == 1 and own[-1] is ends[0], "a choice ends once, last"
    return ends[0].reason


def _check_deltas(own: Sequence[Event], reason: FinishReason, logprobs: int | None) -> None:
    calls: list[list[ToolCallDelta]] = []
    for event in own:
        match event:
            case TextDelta():
                assert event.text
                _check_logprobs(event.logprobs, logprobs)
            case ReasoningDelta():
                assert event.text
            case ToolCallDelta() if event.id is not None:
                assert event.index == len(calls), "calls are counted from 0, one after the other"
                assert event.id and event.name
                calls.append([event])
            case ToolCallDelta():
                assert event.name is None and event.index == len(calls) - 1, "more of the call that began last"
                calls[-1].append(event)
            case _:
                pass
    _check_calls(calls, reason)


def _check_calls(calls: Sequence[Sequence[ToolCallDelta]], reason: FinishReason) -> None:
    assert len({call[0].id for call in calls}) == len(calls), "ids are unique"
    whole = calls[:-1] if reason is FinishReason.LENGTH else calls
    for call in whole:
        assert _is_object("".join(delta.arguments for delta in call)), "arguments are the text of an object"
    if reason is FinishReason.TOOL_CALLS:
        assert calls, "a reason needs its calls"


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def _check_logprobs(tokens: Sequence[TokenLogprob], wanted: int | None) -> None:
    if wanted is None:
        assert tokens == (), "nobody asked for them"
        return
    for token in tokens:
        assert token.logprob <= 0 and all(top.logprob <= 0 for top in token.top)
        assert len(token.top) <= wanted and all(top.top == () for top in token.top)
        assert [top.logprob for top in token.top] == sorted((top.logprob for top in token.top), reverse=True)
