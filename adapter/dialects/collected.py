"""The parts of an answer as they come in, for forms that show them as a whole. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from adapter.chat import ChoiceFinished, FinishReason, ReasoningDelta, TextDelta, TokenLogprob, ToolCallDelta


@dataclass(slots=True)
class CollectedCall:
    """`text`: the arguments so far."""

    id: str
    name: str
    arguments: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Empty arguments break whoever parses them: they are an empty object."""
        return "".join(self.arguments) or "{}"

    def args(self, *, cut: bool = False) -> dict[str, Any] | None:
        """`None`: not the text of an object, because it was cut, or because JSON has no word for a number in it. cut: the answer was ended, so that
        no arguments are not an empty object but those that did not come.
        """
        if cut and not any(self.arguments):
            return None
        try:
            found = json.loads(self.text)
            json.dumps(found, allow_nan=False)  # `loads` takes NaN and 1e999
        except (ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None


@dataclass(slots=True)
class Collected:
    """The parts of one choice."""

    text: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    logprobs: list[TokenLogprob] = field(default_factory=list)
    calls: dict[int, CollectedCall] = field(default_factory=dict)
    reason: FinishReason | None = None

    def add(self, event: TextDelta | ReasoningDelta | ToolCallDelta | ChoiceFinished) -> None:
        match event:
            case TextDelta():
                self.text.append(event.text)
                self.logprobs += event.logprobs
            case ReasoningDelta():
                self.reasoning.append(event.text)
            case ToolCallDelta():
                call = self.calls.setdefault(event.index, CollectedCall(event.id or "", event.name or ""))
                call.arguments.append(event.arguments)
            case ChoiceFinished():
                self.reason = event.reason
