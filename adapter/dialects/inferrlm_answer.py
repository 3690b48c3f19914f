"""One answer of InferrLM as it grows: records in, our events out. Pure.

Does what the app does not: tells reasoning from text, ends at stop strings, counts, checks `output`
against what was sent, and knows why the answer ended (`protocols/inferrlm.md` 10.2 to 10.4, 13, 16).
"""

from __future__ import annotations

from adapter.chat import Finished, FinishReason, ReasoningDelta, TextDelta, Usage, UsageSource
from adapter.dialects.inferrlm import Ask
from adapter.dialects.inferrlm_errors import Asked, restarted_answer
from adapter.dialects.inferrlm_records import Done, Piece
from adapter.errors import EngineFailed, UpstreamProtocol
from adapter.reasoning import Part, ReasoningSplitter, split_complete
from adapter.stops import StopFilter
from adapter.tokens import estimate_tokens

# The app keeps `max_tokens` for each attempt at an answer, so more pieces than that are of several attempts. A few more
# are forgiven: should the runtime count a little differently from us, no good answer may be lost to it.
RESTART_SLACK_PIECES = 8

Delta = TextDelta | ReasoningDelta


class Answer:
    """Feed `piece` until `complete`, then `done` if the app finished first, then ask for `finish`."""

    def __init__(
        self, ask: Ask, stop: tuple[str, ...], *, multiline: bool, opens_reasoning: bool = False
    ) -> None:
        """`multiline`: a line break does not end the answer. `opens_reasoning`: see `ModelFacts`."""
        self._ask = ask
        self._multiline = multiline
        self._opens_reasoning = opens_reasoning
        self._splitter = ReasoningSplitter(starts_open=opens_reasoning)
        self._stops = StopFilter(stop)
        self._joined = ""
        self._pieces = 0
        self._said_something = False
        self._streamed = True
        self._cut = False

    @property
    def complete(self) -> bool:
        """Nothing further belongs to this answer: a stop string came, or LiteRT said `max_tokens` pieces.

        (On LiteRT the app's `max_tokens` is the size of the context, so the limit is ours to keep.)
        """
        return self._stops.matched is not None or (self._ask.model.litert and self._full)

    @property
    def _full(self) -> bool:
        return self._cut or self._pieces >= self._ask.max_tokens

    def piece(self, piece: Piece) -> list[Delta]:
        """The deltas that one record allows; often one, sometimes none. Nothing once `complete`.

        Raises `EngineFailed` when there are more than there can be: the app began again (10.3).
        """
        if not piece.text or self.complete:
            return []
        self._pieces += 1
        if self._pieces > self._ask.max_tokens + RESTART_SLACK_PIECES:
            raise self._restarted()
        self._joined += piece.text
        deltas = self._passed_on(self._splitter.feed(piece.text))
        return deltas + (self._flushed() if self.complete else [])

    def done(self, done: Done) -> list[Delta]:
        """The app says that it has finished: what was held back, and what `output` has beyond the pieces.

        Raises `EngineFailed` if `output` is another text than the pieces: the app began again (10.3).
        """
        if self.complete:
            return []
        rest = self._beyond_pieces(done.output)
        self._joined += rest
        return self._passed_on(self._splitter.feed(rest)) + self._flushed()

    def plain(self, text: str) -> list[Delta]:
        """The whole answer at once, from a request that was not streamed (13.2)."""
        self._streamed = False
        if (tokens := estimate_tokens(text)) > self._ask.max_tokens:
            self._cut = True
            text = text[: len(text) * self._ask.max_tokens // tokens]
        self._joined = text
        reasoning, answer = split_complete(text, starts_open=self._opens_reasoning)
        return self._passed_on([(Part.REASONING, reasoning), (Part.TEXT, answer)]) + self._stop_flushed()

    def finish(self) -> Finished:
        """The last event. Raises `UpstreamProtocol` for an answer without a word that nothing explains."""
        stopped = self._stops.matched is not None
        full = not stopped and self._full
        if not (self._said_something or stopped or full):
            raise self._empty()
        reason = FinishReason.LENGTH if full else FinishReason.STOP
        return Finished(reason, self._usage())

    def _usage(self) -> Usage:
        counted = self._streamed and not self._ask.model.litert
        tokens = self._pieces if self._streamed else estimate_tokens(self._joined)
        return Usage(
            prompt_tokens=self._ask.window.prompt_tokens,
            # A stop string can end the answer before its first character.
            completion_tokens=max(1, tokens),
            prompt_source=UsageSource.ESTIMATED,
            # One piece is one token with GGUF models (13.1); nothing says so for LiteRT.
            completion_source=UsageSource.COUNTED if counted else UsageSource.ESTIMATED,
        )

    def _beyond_pieces(self, output: str | None) -> str:
        """What `output` has and the pieces lack; they may also differ by outer white space (7.4)."""
        if output is None or output.strip() == self._joined.strip():
            return ""
        said = self._joined.lstrip()
        if not output.lstrip().startswith(said):
            raise self._restarted()
        return output.lstrip()[len(said) :]

    def _restarted(self) -> EngineFailed:
        window = self._ask.window
        return restarted_answer(Asked(self._ask.model.name, window.tokens, window.prompt_tokens))

    def _passed_on(self, parts: list[tuple[Part, str]]) -> list[Delta]:
        deltas: list[Delta] = []
        for part, text in parts:
            if part is Part.REASONING:
                deltas.append(ReasoningDelta(text))
            else:
                deltas.append(TextDelta(self._stops.feed(text)))
        return self._noted(deltas)

    def _flushed(self) -> list[Delta]:
        return self._passed_on(self._splitter.flush()) + self._stop_flushed()

    def _stop_flushed(self) -> list[Delta]:
        return self._noted([TextDelta(self._stops.flush())])

    def _noted(self, deltas: list[Delta]) -> list[Delta]:
        said = [delta for delta in deltas if delta.text]
        self._said_something = self._said_something or bool(said)
        return said

    def _empty(self) -> UpstreamProtocol:
        if self._ask.model.litert or self._multiline:
            return UpstreamProtocol(
                f"InferrLM ended its answer without a word, and without an error. Try again; if it stays so, load "
                f"{self._ask.model.name!r} anew in the app."
            )
        return UpstreamProtocol(
            "InferrLM ended its answer without a word. This version of the app stops at the first line break, so a "
            "model that begins with one (many reasoning models do) says nothing: ask for an answer on one line, or "
            "use another model or engine."
        )
