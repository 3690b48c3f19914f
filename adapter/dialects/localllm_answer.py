"""One answer of LocalLLM as it grows: records in, our events out. Pure.

Does what the app does not: tells reasoning from text, ends at stop strings, keeps `max_tokens`, numbers the calls and gives
them ids, counts (`protocols/localllm.md` 7.4, 8).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from adapter.chat import Finished, FinishReason, ReasoningDelta, TextDelta, ToolCallDelta, Usage, UsageSource
from adapter.dialects.localllm import Ask
from adapter.dialects.localllm_arguments import mended_arguments
from adapter.dialects.localllm_errors import empty_answer
from adapter.dialects.localllm_frames import Call, End, Piece, Whole
from adapter.reasoning import Part, ReasoningSplitter, split_complete
from adapter.stops import StopFilter
from adapter.tokens import estimate_tokens

Delta = TextDelta | ReasoningDelta | ToolCallDelta
# No character costs more than two tokens of the estimate, so many further characters cannot cross the limit.
_TOKENS_PER_CHAR = 2


class Answer:
    """Feed `piece` until `complete`, then `end`, or `whole` alone; then ask for `finish`."""

    def __init__(self, ask: Ask, stop: Sequence[str], *, new_call_id: Callable[[], str]) -> None:
        """new_call_id: ids that no other answer has, also not one before a restart of the app or of ours (7.3)."""
        self._ask = ask
        self._new_call_id = new_call_id
        self._splitter = ReasoningSplitter()
        self._stops = StopFilter(stop)
        self._joined = ""
        self._half = ""
        self._measured_at_chars = 0
        self._said: list[str] = []
        self._calls: list[Call] = []
        self._spoke = False
        self._cut = False

    @property
    def complete(self) -> bool:
        """Nothing further belongs to this answer: a stop string came, or `max_tokens` are there."""
        return self._cut or self._stops.matched is not None

    @property
    def text(self) -> str:
        """The answer without its reasoning, as it was passed on."""
        return "".join(self._said)

    @property
    def calls(self) -> tuple[Call, ...]:
        return tuple(self._calls)

    def piece(self, piece: Piece) -> list[Delta]:
        """The deltas that one frame allows. Nothing once `complete`."""
        return self._grown(self._whole_characters(piece.text)) if not self.complete else []

    def end(self, end: End) -> list[Delta]:
        """The app says that it has finished: what was held back, and its calls. Raises `UpstreamProtocol` for broken calls."""
        if self.complete:
            return []
        half, self._half = self._half, ""
        deltas = self._grown("\ufffd" if half else "")
        if self.complete:
            return deltas
        deltas += self._passed_on(self._splitter.flush()) + self._rest()
        return deltas if self._stops.matched is not None else deltas + self._called(end.calls)

    def whole(self, whole: Whole) -> list[Delta]:
        """The whole answer at once. Raises `UpstreamProtocol` for broken calls."""
        text = whole.text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        self._joined = self._within_limit(text)
        reasoning, answer = split_complete(self._joined)
        parts = [(Part.REASONING, reasoning), (Part.TEXT, answer)]
        deltas = self._passed_on([part for part in parts if part[1]]) + self._rest()
        return deltas if self.complete else deltas + self._called(whole.calls)

    def finish(self) -> Finished:
        """The last event. Raises `UpstreamProtocol` for an answer without a word that nothing explains."""
        if not (self._spoke or self.complete):
            raise empty_answer(self._ask.model.id)
        if self._calls:
            reason = FinishReason.TOOL_CALLS
        elif self._stops.matched is None and (self._cut or self._full()):
            reason = FinishReason.LENGTH
        else:
            reason = FinishReason.STOP
        return Finished(reason, self._usage())

    def _full(self) -> bool:
        """Gemini Nano ends at its limit, and calls that "stop" too (8.6)."""
        return not self._ask.model.litert and estimate_tokens(self._joined) >= self._ask.max_tokens

    def _usage(self) -> Usage:
        called = sum(estimate_tokens(call.name) + estimate_tokens(call.arguments) for call in self._calls)
        return Usage(
            prompt_tokens=self._ask.prompt_tokens,
            completion_tokens=max(1, estimate_tokens(self._joined) + called),
            prompt_source=UsageSource.ESTIMATED,
            completion_source=UsageSource.ESTIMATED,
        )

    # --- text ---------------------------------------------------------------------------------------------------

    def _whole_characters(self, text: str) -> str:
        """Frames are cut by UTF-16 units, so half an emoji may end one and begin the next."""
        text = self._half + text
        self._half = text[-1] if text and "\ud800" <= text[-1] <= "\udbff" else ""
        text = text[: len(text) - len(self._half)]
        return text if text.isascii() else text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")

    def _grown(self, text: str) -> list[Delta]:
        if not text:
            return []
        before = len(self._joined)
        self._joined += text
        if self._may_be_over():
            self._joined = self._within_limit(self._joined, at_least=before)
        deltas = self._passed_on(self._splitter.feed(self._joined[before:]))
        return deltas + self._passed_on(self._splitter.flush()) + self._rest() if self._cut else deltas

    def _may_be_over(self) -> bool:
        """Is it time to count again? Counting at every frame would take the square of the answer's length."""
        return len(self._joined) >= self._measured_at_chars

    def _within_limit(self, text: str, *, at_least: int = 0) -> str:
        """`text`, cut after its share of `max_tokens`, but not within what was passed on."""
        limit, tokens = self._ask.max_tokens, estimate_tokens(text)
        self._measured_at_chars = len(text) + max(1, (limit - tokens) // _TOKENS_PER_CHAR)
        if tokens <= limit:
            return text
        self._cut = True
        return text[: max(at_least, len(text) * limit // tokens, 1)]

    def _passed_on(self, parts: list[tuple[Part, str]]) -> list[Delta]:
        deltas: list[Delta] = []
        for part, text in parts:
            if part is Part.REASONING and text:
                self._spoke = True
                deltas.append(ReasoningDelta(text))
            elif part is Part.TEXT:
                deltas += self._told(self._stops.feed(text))
        return deltas

    def _rest(self) -> list[Delta]:
        return self._told(self._stops.flush())

    def _told(self, text: str) -> list[Delta]:
        if not text:
            return []
        self._spoke = True
        self._said.append(text)
        return [TextDelta(text)]

    # --- calls --------------------------------------------------------------------------------------------------

    def _called(self, calls: Sequence[Call]) -> list[Delta]:
        deltas: list[Delta] = []
        for call in calls:
            arguments = mended_arguments(call.arguments, self._ask.schemas.get(call.name, {}))
            deltas.append(ToolCallDelta(len(self._calls), self._new_call_id(), call.name, arguments))
            self._calls.append(Call(call.name, arguments))
            self._spoke = True
        return deltas
