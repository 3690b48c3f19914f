"""From a row's logits to a token, and from a token to what the client sees: one answer at a time."""

from __future__ import annotations

import logging

from adapter.chat import TokenLogprob
from adapter.engines.llama import link
from adapter.engines.llama.answers import Answer, constrained_from
from adapter.engines.llama.model import Likely, Model
from adapter.engines.llama.schedule_plan import Chunk, Outcome
from adapter.engines.llama.text import Shown

logger = logging.getLogger(__name__)


class Chooser:
    def __init__(self, model: Model) -> None:
        self._model = model
        self._frames: list[link.Frame] = []

    def choose(self, answer: Answer, chunk: Chunk) -> tuple[Outcome, list[link.Frame]]:
        """Take a token for each row that wanted one, as far as guesses were right. Returns what the scheduler gets to know, and
        what the client. Raises `BadGrammar` for an answer that cannot go on."""
        self._frames = []
        return self._outcome(answer, chunk), self._frames

    def _outcome(self, answer: Answer, chunk: Chunk) -> Outcome:
        guessed = chunk.tokens[len(chunk.tokens) - chunk.samples + 1 :]
        chosen: list[int] = []
        for row in range(chunk.samples):
            token = answer.sampler.sample(chunk.seq_id, row)
            self._take_token(answer, token, chunk.seq_id, row)
            chosen.append(token)
            if answer.text.ended is not None or row >= len(guessed) or token != guessed[row]:
                break
        rows = len(chosen)
        if answer.lookup is not None:
            answer.lookup.add(chosen)
            if guessed:
                answer.lookup.judged(len(guessed), rows - 1)
        if answer.text.ended is None:
            chosen += self._forced(answer)
        return Outcome(tuple(chosen), rows)

    def _take_token(self, answer: Answer, token: int, seq_id: int, row: int) -> None:
        answer.tokens.append(token)
        if self._model.is_eog(token):
            # A control token that ends the answer can be a part of its markup (gpt-oss: <|call|>).
            shown = answer.text.end_of_generation()
        else:
            shown = answer.text.token(self._piece(answer, token), self._logprob(answer, token, seq_id, row))
        self._show(answer, shown)
        if answer.text.ended is None and answer.plan.waits_for_call and not answer.constrained:
            self._constrain(answer)

    def _show(self, answer: Answer, shown: list[Shown]) -> None:
        frames = list(answer.frames(shown))
        if not frames and answer.text.ended is None:
            frames = [link.Working(answer.request.job.id)]
        self._frames += frames

    def _piece(self, answer: Answer, token: int) -> bytes:
        piece = self._model.piece(token)
        if not piece and answer.plan.shows:
            name = self._model.piece(token, special=True)
            return name if name.decode("utf-8", "replace") in answer.plan.shows else b""
        return piece

    def _logprob(self, answer: Answer, token: int, seq_id: int, row: int) -> TokenLogprob | None:
        top = answer.request.job.logprobs
        if top is None:
            return None
        own, likely = answer.sampler.logprobs(seq_id, row, token, top)
        return self._named(Likely(token, own), tuple(self._named(one) for one in likely))

    def _named(self, one: Likely, top: tuple[TokenLogprob, ...] = ()) -> TokenLogprob:
        piece = self._model.piece(one.token, special=True)
        return TokenLogprob(piece.decode("utf-8", "replace"), tuple(piece), one.logprob, top)

    def _constrain(self, answer: Answer) -> None:
        """The model has begun a call: from its first character on the grammar holds."""
        began = answer.text.call_began()
        if began is None or answer.plan.grammar is None:
            return
        first, before = began
        answer.constrained = True
        if not answer.sampler.constrain(constrained_from(answer.plan.grammar, before), answer.tokens[first:]):
            logger.info("a call began in a form that its grammar does not have task=%s", answer.request.job.id)

    def _forced(self, answer: Answer) -> list[int]:
        """What ends the reasoning, once its budget is used up."""
        plan = answer.plan
        limit = plan.reasoning_tokens
        if limit is None or answer.closed_reasoning or not plan.closes_reasoning or not answer.text.in_reasoning:
            return []
        if answer.text.reasoning_tokens < max(1, limit):
            return []
        answer.closed_reasoning = True
        forced: list[int] = []
        for token in self._model.tokenize(plan.closes_reasoning, specials=False, parse_specials=True):
            if answer.text.ended is not None:
                break
            answer.sampler.accept(token)
            answer.tokens.append(token)
            forced.append(token)
            self._show(answer, answer.text.token(self._piece(answer, token)))
        return forced
