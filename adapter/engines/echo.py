"""An engine without a model: it says the last user message again, word by word.

For first runs without llama.cpp, for tests of everything around an engine, and as the shortest example of the
contract in `base.py`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

from adapter.chat import Chat, Event, Finished, FinishReason, Role, Started, TextDelta, Usage
from adapter.engines.base import Health, ModelCard, Pressure
from adapter.engines.pause import Pause
from adapter.errors import ContextTooLong
from adapter.settings import EchoSettings
from adapter.stops import StopFilter

MODEL = "echo"
# A word with the white space before it is a token here, so that the joined tokens are the text.
_WORD = re.compile(r"\s*\S+|\s+\Z")


class EchoEngine:
    """Has room for any number of requests, so it never queues."""

    def __init__(self, settings: EchoSettings, home: Path) -> None:
        self._settings = settings
        self._pause = Pause()

    @property
    def name(self) -> str:
        return self._settings.name

    async def start(self) -> None:
        return

    async def close(self) -> None:
        return

    async def models(self) -> Sequence[ModelCard]:
        context = self._settings.ctx_tokens
        return [ModelCard(MODEL, context_tokens=context, max_output_tokens=context, loaded=True)]

    async def pressure(self, level: Pressure, *, reason: str = "", retry_after_s: int | None = None) -> None:
        """It costs nothing, but shows what a paused phone answers."""
        self._pause.set(level, reason, retry_after_s)

    async def health(self) -> Health:
        if (refused := self._pause.refusal) is not None:
            return Health(False, refused.message)
        return Health(ready=True, detail="The echo engine is always ready.")

    async def generate(self, chat: Chat) -> AsyncGenerator[Event, None]:
        self._pause.check()
        prompt_tokens = sum(len(_words(m.content)) for m in chat.messages)
        room = self._settings.ctx_tokens - prompt_tokens
        if room < 1:
            raise ContextTooLong.of(context_tokens=self._settings.ctx_tokens, prompt_tokens=prompt_tokens)
        yield Started()
        limit = min(room, chat.sampling.max_tokens or self._settings.default_max_tokens)
        words = _words(f"You said: {_last_question(chat)}")
        stops = StopFilter(chat.sampling.stop)
        said = 0
        for word in words[:limit]:
            await asyncio.sleep(self._settings.token_delay_s)
            said += 1
            if text := stops.feed(word):
                yield TextDelta(text)
            if stops.matched:
                break
        if tail := stops.flush():
            yield TextDelta(tail)
        cut = said < len(words) and stops.matched is None
        yield Finished(
            FinishReason.LENGTH if cut else FinishReason.STOP,
            Usage(prompt_tokens=prompt_tokens, completion_tokens=said),
        )


def _words(text: str) -> list[str]:
    return _WORD.findall(text)


def _last_question(chat: Chat) -> str:
    """The last user message that says something; behind it may stand context of the client's own."""
    said = [m.content for m in chat.messages if m.role is Role.USER and m.content.strip()]
    return said[-1] if said else "nothing"
