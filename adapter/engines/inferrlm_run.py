"""One answer of InferrLM, from the request to the moment when the app is done with it.

The run is a task of its own, apart from the client it works for. It has two reasons:

- It reads as fast as the app writes, however slow the client is: what an app has queued when it
  closes is lost (`protocols/inferrlm.md` 4.3).
- It owns the seat, and keeps it for as long as the app's model works: also when the client has left, since
  builds A and B cannot be stopped, and C can be only while it streams (12).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from adapter.dialects.inferrlm import Ask
from adapter.dialects.inferrlm_builds import Leaving, Traits, decide_leaving
from adapter.dialects.inferrlm_errors import (
    PASSING_WORDS,
    Asked,
    cut_off,
    no_first_token,
    render_error,
    stalled,
)
from adapter.dialects.inferrlm_records import Done, Failed, Piece, parse_plain, parse_records, parse_refusal
from adapter.engines.seats import Seat
from adapter.engines.upstream import StreamAnswer, Upstream
from adapter.errors import AdapterError, EngineUnavailable, UpstreamProtocol
from adapter.wire.ndjson import MalformedLine, NdjsonDecoder

logger = logging.getLogger(__name__)

CHAT_PATH = "/api/chat"
UNLOAD_BODY = b'{"action":"unload"}'
UNLOAD_S = 15.0
# A failure that came so soon cannot have been the generation's own: the model was busy (section 16, rule 11).
SOON_S = 0.5

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Limits:
    """Silence that is allowed, in seconds. See `InferrlmSettings`."""

    first_token_s: float
    between_tokens_s: float


@dataclass(frozen=True, slots=True)
class Pauses:
    """How patient we are with the app, in seconds.

    retry_s: before each new try when it was busy. hang_up_s: how long it may take to notice that we have
    left. settle_s: how long its model takes to stop after that ("after the current token", 12).
    """

    retry_s: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0, 8.0)
    hang_up_s: float = 2.0
    settle_s: float = 0.3


@dataclass(frozen=True, slots=True)
class Accepted:
    """The app has taken the request up: its headers have come."""


@dataclass(frozen=True, slots=True)
class Whole:
    """The whole answer at once, from a request that was not streamed."""

    text: str


Item = Accepted | Piece | Done | Whole


class _Stuck(Exception):
    """Nobody listens any more, and the app does not come to an end."""


class Run:
    """See the module's text. `items` are for one reader; `leave` is what the reader calls when it goes."""

    def __init__(
        self, upstream: Upstream, ask: Ask, traits: Traits, seat: Seat, *, limits: Limits, pauses: Pauses, unload: bool
    ) -> None:  # fmt: skip
        """Takes `seat` over. `unload`: see `decide_leaving`."""
        self._upstream = upstream
        self._ask = ask
        self._traits = traits
        self._seat = seat
        self._limits = limits
        self._pauses = pauses
        self._unload = unload
        self._items: asyncio.Queue[Item | Exception] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        self._now_s = loop.time
        self._first_token_by_s = loop.time() + limits.first_token_s
        self._left: asyncio.Future[None] = loop.create_future()
        self._unheard = False
        self._leaving: Leaving | None = None
        self._answer: StreamAnswer | None = None
        self._accepted = False
        self._began_s = 0.0
        self._text_came = False
        self.task = asyncio.create_task(self._main(), name=f"inferrlm {ask.model.name}")

    async def next(self) -> Item:
        """The next item. Raises the error that ended the run; nothing comes after it, or after `Done` or `Whole`."""
        item = await self._items.get()
        if isinstance(item, Exception):
            raise item
        return item

    def leave(self) -> None:
        """The reader has what it wanted, or is gone. May be called again, and after the end."""
        if not self._left.done():
            self._left.set_result(None)

    async def _main(self) -> None:
        try:
            await self._until_done()
        except asyncio.CancelledError:
            self._items.put_nowait(
                EngineUnavailable("Farmhand is shutting this engine down; try again later.")
            )
            raise
        except Exception as exc:
            # A fault of ours: the reader raises it and the server logs it; nobody may wait for ever because of it.
            self._items.put_nowait(exc)
            if self._unheard:
                logger.exception("abandoned answer failed model=%s", self._ask.model.name)
        finally:
            self.leave()
            self._seat.leave()

    async def _until_done(self) -> None:
        try:
            await self._try_until_taken()
        except AdapterError as exc:
            self._items.put_nowait(exc)
        except _Stuck:
            logger.warning(
                "app does not end an abandoned answer model=%s left_by=%s",
                self._ask.model.name,
                self._leaving,
            )
        if self._leaving is Leaving.CLOSE:
            await asyncio.sleep(self._pauses.settle_s)

    # --- tries ---------------------------------------------------------------------------------------------

    async def _try_until_taken(self) -> None:
        """Ask, and ask again while the app says that it is busy: with pauses, one at a time, before any text."""
        if self._left.done():
            return
        failed = await self._request()
        for pause_s in self._pauses.retry_s:
            if failed is None or self._unheard or not self._may_pass(failed):
                break
            if self._now_s() + pause_s >= self._first_token_by_s:
                break
            logger.info("app busy, trying again model=%s said=%r", self._ask.model.name, failed.word)
            await asyncio.wait({self._left}, timeout=pause_s)
            if self._left.done():
                return
            failed = await self._request()
        if failed is not None:
            raise self._error(failed)

    def _may_pass(self, failed: Failed) -> bool:
        soon = failed.word == "generation_failed" and self._now_s() - self._began_s < SOON_S
        return (soon or failed.word in PASSING_WORDS) and not self._text_came

    def _error(self, failed: Failed) -> AdapterError:
        window = self._ask.window
        asked = Asked(self._ask.model.name, window.tokens, window.prompt_tokens)
        return render_error(failed.word, asked, after_text=self._text_came)

    async def _request(self) -> Failed | None:
        """One try. Returns the failure that the app reported, `None` after a whole answer."""
        end: Done | Whole | Failed = await self._stream()
        if isinstance(end, Done) and self._is_stuck_litert(end):
            end = await self._plain()
        if isinstance(end, Failed):
            return end
        self._items.put_nowait(end)
        return None

    async def _stream(self) -> Done | Failed:
        """The request, streamed: pieces are passed on, the last record is returned."""
        self._began_s = self._now_s()
        answer = await self._patiently(self._upstream.open(CHAT_PATH, self._ask.body(stream=True)))
        with self._holding(answer):
            if answer.status != 200:
                return parse_refusal(await self._patiently(answer.read_plain()), answer.status)
            if not self._accepted:
                self._accepted = True
                self._items.put_nowait(Accepted())
            await self._reconsider_leaving()
            return await self._read(answer)

    @contextmanager
    def _holding(self, answer: StreamAnswer) -> Iterator[None]:
        self._answer = answer
        try:
            yield
        finally:
            self._answer = None
            answer.close()

    async def _read(self, answer: StreamAnswer) -> Done | Failed:
        decoder = NdjsonDecoder()
        while True:
            data = await self._patiently(answer.read())
            for record in parse_records(_decoded(decoder, data)):
                if not isinstance(record, Piece):
                    return record
                await self._pass_on(record)
            if not data:
                raise cut_off()

    async def _pass_on(self, piece: Piece) -> None:
        if piece.text and not self._text_came:
            self._text_came = True
            await self._reconsider_leaving()
        if not self._unheard:
            self._items.put_nowait(piece)

    # --- LiteRT ------------------------------------------------------------------------------------------------

    def _is_stuck_litert(self, done: Done) -> bool:
        """An empty stream on LiteRT may mean that somebody left during a reload: plain answers still work (13.2)."""
        return self._ask.model.litert and not self._text_came and not done.output and not self._unheard

    async def _plain(self) -> Whole | Failed:
        """The same request once more, not streamed. It cannot be cancelled, so a leaver's seat waits for it."""
        logger.warning("empty stream, asking again without streaming model=%s", self._ask.model.name)
        self._began_s = self._now_s()
        answer = await self._patiently(self._upstream.open(CHAT_PATH, self._ask.body(stream=False)))
        value = await self._patiently(answer.read_plain())
        return Whole(parse_plain(value)) if answer.status == 200 else parse_refusal(value, answer.status)

    # --- patience ----------------------------------------------------------------------------------------------

    async def _patiently(self, work: Coroutine[None, None, T]) -> T:
        """The result of `work`, which goes on when the reader leaves or has waited too long.

        Then nobody listens any more; the silence allowed from there is that of a load, and after it
        `_Stuck` is raised.
        """
        task = asyncio.create_task(work)
        either: tuple[asyncio.Future[Any], ...] = (task, self._left)
        try:
            while not self._unheard:
                await asyncio.wait(either, timeout=self._patience_s(), return_when=asyncio.FIRST_COMPLETED)
                if task.done():
                    return task.result()
                await self._stop_listening()
            await asyncio.wait({task}, timeout=self._patience_s())
            if not task.done():
                raise _Stuck
            return task.result()
        finally:
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    def _patience_s(self) -> float:
        if self._leaving is Leaving.CLOSE:
            return self._pauses.hang_up_s
        if self._unheard:
            return self._limits.first_token_s
        if self._text_came:
            return self._limits.between_tokens_s
        return max(0.0, self._first_token_by_s - self._now_s())

    async def _stop_listening(self) -> None:
        """The reader is gone, or is sent away because the app is silent for too long."""
        self._unheard = True
        if not self._left.done():
            if self._text_came:
                self._items.put_nowait(stalled(self._limits.between_tokens_s))
            else:
                self._items.put_nowait(no_first_token(self._limits.first_token_s))
        await self._reconsider_leaving()

    async def _reconsider_leaving(self) -> None:
        """Once nobody listens: how to part, which becomes possible only as the answer proceeds."""
        if not self._unheard:
            return
        leaving = decide_leaving(
            self._traits,
            litert=self._ask.model.litert,
            headers_came=self._answer is not None,
            text_came=self._text_came,
            unload=self._unload,
        )
        if leaving is self._leaving:
            return
        self._leaving = leaving
        logger.info("answer abandoned model=%s by=%s", self._ask.model.name, self._leaving)
        if self._leaving is Leaving.CLOSE and self._answer is not None:
            self._answer.hang_up()
        elif self._leaving is Leaving.UNLOAD:
            await self._unload_model()

    async def _unload_model(self) -> None:
        """Ends the generation at the price of a load (12); if that fails, the answer is drained."""
        try:
            await self._upstream.post("/api/models", UNLOAD_BODY, within_s=UNLOAD_S)
        except AdapterError as exc:
            logger.warning("unloading failed model=%s error=%s", self._ask.model.name, exc)


def _decoded(decoder: NdjsonDecoder, data: bytes) -> list[object]:
    """The values in `data`, or, at the end (`b""`), in what is left over."""
    try:
        return decoder.feed(data) if data else decoder.flush()
    except MalformedLine as exc:
        raise UpstreamProtocol(f"InferrLM's stream broke off or cannot be read: {exc}") from exc
