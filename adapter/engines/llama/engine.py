"""Engine `llama`: the embedded model, in a worker process of its own. See DESIGN.md beside this file.

Never imports llama_cpp: a native abort, or a kill for lack of memory, must not take the adapter along.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from adapter.chat import Chat, Completion, Embedding, Event, Message, Tokens
from adapter.engines.base import Can, Health, ModelCard, Pressure
from adapter.engines.llama.host import WorkerHost
from adapter.engines.llama.model_file import DEMO, model_id
from adapter.errors import EngineUnavailable
from adapter.settings import LlamaSettings

if TYPE_CHECKING:
    from adapter.engines.llama.asking import Asking

CHATS = frozenset(Can) - {Can.EMBEDDINGS, Can.VISION}
EMBEDS = frozenset({Can.EMBEDDINGS, Can.TOKENIZE})


class LlamaEngine:
    def __init__(self, settings: LlamaSettings, home: Path) -> None:
        """`home`: the state folder, whose `models` are known by their bare names."""
        self._settings = settings
        self._host = WorkerHost(settings, home)

    @property
    def name(self) -> str:
        return self._settings.name

    async def start(self) -> None:
        """With `preload`, or prompts to pin, the model is loaded from now on, in the background."""
        await asyncio.to_thread(self._host.look_for_pins)
        self._host.preload()

    async def close(self) -> None:
        await self._host.close()

    async def models(self) -> Sequence[ModelCard]:
        """The one model; nothing when its file or the library is missing or damaged (`health` says which)."""
        try:
            return [await asyncio.to_thread(self._card)]
        except EngineUnavailable:
            return []

    def _card(self) -> ModelCard:
        """Of a loaded model without looking at the file: it may be gone by now, and the worker still answers."""
        worker = self._host.running
        if worker is not None:
            context, width = worker.ready.ctx_tokens, worker.ready.embedding_size
            embeds = width > 0
        else:
            self._host.check()
            # Imported here: an adapter that nobody has asked yet does without it.
            from adapter.engines.llama.embed_model import is_embedding_model

            meta = self._host.file.meta()
            asked = self._settings.ctx_tokens
            context = min(asked, meta.context_length or asked)
            embeds = is_embedding_model(meta)
            width = meta.embedding_length or 0 if embeds else 0
        return ModelCard(
            model_id(self._settings.model),
            context_tokens=context,
            max_output_tokens=context,
            loaded=worker is not None,
            can=EMBEDS if embeds else CHATS,
            embedding_size=width,
            stopgap=self._settings.model == DEMO,
        )

    @property
    def capacity(self) -> int:
        """One while the phone wants it slow: the worker begins one at a time then, and who waits there waits without an estimate."""
        return 1 if self._host.level is Pressure.SLOW else self._settings.slots

    async def settled(self) -> None:
        """A slot is free at the next decode step after its reader has left."""

    async def health(self) -> Health:
        try:
            self._host.check_pressure()
            if worker := self._host.running:
                return Health(True, f"The model {model_id(self._settings.model)} ({worker.ready.description}) is loaded.")
            self._host.check_pause()
            await asyncio.to_thread(self._host.check_start)
        except EngineUnavailable as exc:
            return Health(False, exc.message)
        return Health(True, f"The model {self._host.file.path} is loaded when it is asked for.")

    async def pressure(self, level: Pressure, *, reason: str = "", retry_after_s: int | None = None) -> None:
        await self._host.pressure(level, reason=reason, retry_after_s=retry_after_s)

    # --- requests -------------------------------------------------------------------------------------------

    @cached_property
    def _asking(self) -> Asking:
        # Imported by the first request: at rest its frames, dialects and processes would be memory for nobody.
        from adapter.engines.llama.asking import Asking

        return Asking(self._settings, self._host)

    def generate(self, chat: Chat) -> AsyncGenerator[Event, None]:
        return self._asking.generate(chat)

    def complete(self, completion: Completion) -> AsyncGenerator[Event, None]:
        return self._asking.complete(completion)

    async def embed(self, model: str, texts: Sequence[str]) -> Embedding:
        return await self._asking.embed(texts)

    async def tokenize(
        self, model: str, text: str | Sequence[Message], *, specials: bool, parse_specials: bool
    ) -> Tokens:
        return await self._asking.tokenize(text, specials=specials, parse_specials=parse_specials)

    async def detokenize(self, model: str, tokens: Sequence[int]) -> str:
        return await self._asking.detokenize(tokens)
