"""An engine whose answer is known to the last character, so that a gap or a repeat in a continued answer shows."""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Sequence

from adapter.chat import Chat, Event, Finished, FinishReason, Message, Started, TextDelta, Tokens, Usage
from adapter.engines.base import PLAIN_CHAT, Can, Health, ModelCard
from adapter.errors import AdapterError


def words(count: int) -> str:
    """`w0 w1 w2 ...`: no part of it comes twice."""
    return " ".join(f"w{number}" for number in range(count))


class CountingEngine:
    """Says `text`, cut anywhere, and goes on with any beginning of it. A token is a character.

    fail_at: after so many characters of each answer that it begins itself, `error` is raised. can: of its only model, `m`.
    """

    def __init__(
        self,
        name: str,
        text: str,
        *,
        seed: int = 0,
        can: frozenset[Can] = PLAIN_CHAT | {Can.CONTINUE, Can.TOKENIZE},
        fail_at: int | None = None,
        error: AdapterError | None = None,
    ) -> None:
        self._name = name
        self._text = text
        self._random = random.Random(seed)
        self._can = can
        self.fail_at = fail_at
        self.error = error
        self.asked: list[Chat] = []

    @property
    def name(self) -> str:
        return self._name

    async def start(self) -> None:
        return

    async def close(self) -> None:
        return

    async def models(self) -> Sequence[ModelCard]:
        return [ModelCard("m", context_tokens=100_000, max_output_tokens=100_000, can=self._can)]

    async def health(self) -> Health:
        return Health(ready=True, detail="It counts.")

    async def generate(self, chat: Chat) -> AsyncGenerator[Event, None]:
        self.asked.append(chat)
        begun = chat.messages[-1].content if chat.continues else ""
        assert self._text.startswith(begun), "the partial answer is exactly what was sent"
        rest = self._text[len(begun) :]
        limit = chat.sampling.max_tokens
        said = rest if limit is None else rest[:limit]
        yield Started()
        at = 0
        while at < len(said):
            size = self._random.randint(1, 7)
            if self.error is not None and self.fail_at is not None and at + size > self.fail_at:
                if self.fail_at > at:
                    yield TextDelta(said[at : self.fail_at])
                raise self.error
            yield TextDelta(said[at : at + size])
            at += size
        reason = FinishReason.STOP if said == rest else FinishReason.LENGTH
        yield Finished(reason, Usage(10 + len(begun), max(1, len(said))))

    async def tokenize(
        self, model: str, text: str | Sequence[Message], *, specials: bool, parse_specials: bool
    ) -> Tokens:
        assert isinstance(text, str)
        return Tokens(tuple(map(ord, text)), tuple(char.encode() for char in text))

    async def detokenize(self, model: str, tokens: Sequence[int]) -> str:
        return "".join(map(chr, tokens))
