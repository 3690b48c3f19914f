"""Keeps at most one process that counts with a vocabulary: started by the first question, ended when nobody asks any more.

A count is a nicety, and nobody's answer waits for it: while the process is not there, or does not answer at once, there is none.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from adapter.chat import Chat
from adapter.engines.llama import link
from adapter.engines.llama.memory import read_available_bytes
from adapter.engines.llama.process import Conversation, Request, Worker, WorkerDied
from adapter.engines.llama.restarts import Restarts

logger = logging.getLogger(__name__)

IDLE_S = 60.0
# The largest vocabularies take 133 MB (262,144 tokens, Gemma). On a phone that is short of memory Android would end another program
# for it, perhaps the app that answers.
NEEDED_BYTES = 512 << 20
START_S = 30.0
# A template is a program and may hang; a process that misses so many answers in a row is replaced.
MAX_MISSED = 3
# Questions that may wait in the process at a time.
MAX_ASKED = 4


class VocabularyProcess(Worker):
    MODULE = "adapter.engines.llama.vocabulary"


class VocabularyHost:
    """One event loop; nothing here is safe across threads."""

    def __init__(
        self,
        path: Path,
        *,
        idle_s: float = IDLE_S,
        available_bytes: Callable[[], int | None] = read_available_bytes,
    ) -> None:
        """path: a GGUF. idle_s: the process ends after so long without a question. available_bytes: as for `WorkerHost`."""
        self._available_bytes = available_bytes
        self._path = path
        self._idle_s = idle_s
        self._process: VocabularyProcess | None = None
        self._spawning: asyncio.Task[None] | None = None
        self._endings: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._restarts = Restarts()
        self._asked = 0
        self._missed = 0
        self._useful = False  # this process has answered
        self._closed = False

    @property
    def running(self) -> VocabularyProcess | None:
        return self._process if self._process and self._process.alive else None

    async def count(
        self, chat: Chat | None, text: str | None, *, within_s: float
    ) -> tuple[int | None, int | None]:
        """Tokens of the chat's prompt, and of the text; `None` for what was not asked or cannot be said in time.

        At once if there is no process yet: it is started for the next question.
        """
        process = self.running
        if process is None:
            self.warm()
            return None, None
        self._arm_timer()
        if self._asked >= MAX_ASKED:
            return None, None
        self._asked += 1
        try:
            async with asyncio.timeout(within_s):
                counts = await self._ask(process, chat, text)
        except TimeoutError:
            self._note_missed(process)
            return None, None
        finally:
            self._asked -= 1
        self._missed, self._useful = 0, True
        return counts

    def warm(self) -> None:
        """Start the process if there is none, without waiting for it. Not at once after it has died repeatedly."""
        if self._closed or self._spawning or self.running:
            return
        now_s = asyncio.get_running_loop().time()
        if self._process is not None and not self._process.closing:
            self._restarts.died(now_s, self._process.death, useful=self._useful)
            self._process = None
        if self._restarts.wait_s(now_s) == 0:
            self._spawning = asyncio.create_task(self._spawn(), name=f"vocabulary-spawn {self._path.name}")
            self._spawning.add_done_callback(self._spawned)

    async def _spawn(self) -> None:
        loop = asyncio.get_running_loop()
        available = await asyncio.to_thread(self._available_bytes)
        if available is not None and available < NEEDED_BYTES:
            logger.info("tokens are not counted file=%s: only %s MiB are free", self._path.name, available >> 20)
            return
        hello = link.Hello(str(self._path), slots=1, queue=0, ctx_tokens=0, batch_tokens=0)
        try:
            process = await VocabularyProcess.spawn(hello, start_s=START_S)
        except WorkerDied as exc:
            self._restarts.died(loop.time(), str(exc), useful=False)
            logger.warning("tokens are not counted file=%s: the vocabulary's process %s", self._path, exc)
            return
        logger.info(
            "vocabulary ready file=%s pid=%s load_s=%.2f", self._path.name, process.pid, process.ready.load_s
        )
        self._process, self._missed, self._useful = process, 0, False
        self._arm_timer()

    def _spawned(self, _: asyncio.Task[None]) -> None:
        self._spawning = None

    async def _ask(self, process: Worker, chat: Chat | None, text: str | None) -> tuple[int | None, int | None]:
        prompt = completion = None
        async with AsyncExitStack() as asked:
            # Both questions are out before the first answer is waited for.
            of_chat = self._submit(process, link.Submit(0, chat), asked) if chat is not None else None
            of_text = self._submit(process, link.Tokenize(0, text), asked) if text is not None else None
            if of_chat is not None and isinstance(frame := await of_chat.next(), link.Started):
                prompt = frame.prompt_tokens
            if of_text is not None and isinstance(frame := await of_text.next(), link.Tokenized):
                completion = len(frame.tokens)
        return prompt, completion

    def _submit(self, process: Worker, request: Request, asked: AsyncExitStack) -> Conversation | None:
        try:
            conversation = process.submit(request)
        except link.LinkError:  # more than a frame may have
            return None
        asked.callback(conversation.leave)
        return conversation

    def _note_missed(self, process: Worker) -> None:
        self._missed += 1
        if self._missed >= MAX_MISSED:
            process.kill("it did not answer in time, several times in a row")

    # --- end -----------------------------------------------------------------------------------------------

    def _arm_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(self._idle_s, self._end_idle)

    def _end_idle(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.closing = True
            ending = asyncio.create_task(process.close(), name=f"vocabulary-end {self._path.name}")
            self._endings.add(ending)
            ending.add_done_callback(self._endings.discard)

    async def close(self) -> None:
        """End everything: no process and no task is left. May be called twice."""
        self._closed = True
        if self._timer:
            self._timer.cancel()
        if self._spawning:
            self._spawning.cancel()
            await asyncio.wait({self._spawning})
        self._end_idle()
        if self._endings:
            await asyncio.wait(set(self._endings))
