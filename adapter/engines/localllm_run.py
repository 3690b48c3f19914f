"""One answer of LocalLLM, from the request to the moment when the app is done with it.

The run is a task of its own, apart from the client it works for: the app does not notice that a client has left, and works on
(`protocols/localllm.md` 7.8). A second request meanwhile may crash it (7.6), so the run owns the seat and reads the abandoned
answer to its end.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeVar

from adapter.dialects.localllm import Ask
from adapter.dialects.localllm_check import check_body, streams_whole
from adapter.dialects.localllm_errors import Refusal, cut_stream, stalled, too_slow
from adapter.dialects.localllm_frames import End, Piece, Record, Whole
from adapter.engines.localllm_http import Http, Refused
from adapter.engines.localllm_pauses import Limits, Pauses
from adapter.engines.seats import Seat
from adapter.errors import AdapterError, AppCrashed, EngineUnavailable

logger = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Accepted:
    """The app has taken the request up."""


Item = Accepted | Piece | End | Whole


@dataclass(frozen=True, slots=True)
class Errand:
    """What a run is to do. session: see `Ask.body`. whole: does this model stream whole text; `None`: find it out first. learn: is told what was
    found out. explain: makes the error of a refusal; it may ask the app, whose seat the run still has."""

    http: Http
    ask: Ask
    session: str | None
    whole: bool | None
    learn: Callable[[bool], None]
    explain: Callable[[Refusal], Awaitable[AdapterError]]


class _Stuck(Exception):
    """Nobody listens any more, and the app does not come to an end."""


class Run:
    """See the module's text. `next` is for one reader; `leave` is what the reader calls when it goes."""

    def __init__(self, errand: Errand, seat: Seat, *, limits: Limits, pauses: Pauses) -> None:
        """Takes `seat` over."""
        self._errand = errand
        self._seat = seat
        self._limits = limits
        self._pauses = pauses
        self._items: asyncio.Queue[Item | Exception] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        self._now_s = loop.time
        self._left: asyncio.Future[None] = loop.create_future()
        self._until_s = loop.time() + limits.whole_s
        self._accepted = False
        self._streaming = False
        self._text_came = False
        self._unheard = False
        self.error: Exception | None = None
        """What ended it, also if nobody heard."""
        self.task = asyncio.create_task(self._main(), name=f"localllm {errand.ask.model.id}")

    async def next(self) -> Item:
        """The next item. Raises the error that ended the run; nothing comes after it, or after `End` or `Whole`."""
        item = await self._items.get()
        if isinstance(item, Exception):
            raise item
        return item

    def leave(self) -> None:
        """The reader has what it wanted, or is gone. May be called again, and after the end."""
        if not self._left.done():
            self._left.set_result(None)

    @property
    def abandoned(self) -> bool:
        """Nobody waits for it any more; the app may still be at work on it."""
        return self._unheard or self._left.done()

    async def _main(self) -> None:
        try:
            await self._until_done()
        except asyncio.CancelledError:
            self._fail(EngineUnavailable("Farmhand is shutting this engine down; try again later."))
            raise
        except _Stuck:
            logger.warning("app does not end an abandoned answer model=%s", self._errand.ask.model.id)
        except Exception as exc:
            # A fault of ours too: the reader raises it and the server logs it; nobody may wait for ever because of it.
            self._fail(exc)
            if not isinstance(exc, AdapterError):
                logger.debug("run failed model=%s", self._errand.ask.model.id, exc_info=True)
        finally:
            self._seat.leave()

    def _fail(self, error: Exception) -> None:
        self.error = error
        self._items.put_nowait(error)

    async def _until_done(self) -> None:
        if self.abandoned:
            return
        whole = await self._patiently(self._streams_whole())
        if self.abandoned:  # a check that nobody waits for any more needs no answer behind it
            return
        self._until_s = self._now_s() + self._limits.whole_s
        try:
            await self._request(stream=whole)
        except Refused as refused:
            if not refused.refusal.may_pass_at_once or self._text_came or self.abandoned:
                raise await self._patiently(self._explained(refused)) from None
            logger.info("conversation was in the way, asking once more said=%r", refused.refusal.message[:80])
            await self._again(stream=whole)

    async def _again(self, *, stream: bool) -> None:
        """The one retry that section 18, rule 12 allows."""
        try:
            await self._request(stream=stream)
        except Refused as refused:
            raise await self._patiently(self._explained(refused)) from None

    async def _explained(self, refused: Refused) -> AdapterError:
        return await self._errand.explain(refused.refusal)

    # --- one request --------------------------------------------------------------------------------------------

    async def _request(self, *, stream: bool) -> None:
        # Plain answers tell nothing until they are complete; that they were not refused at once is what there is.
        timer = asyncio.get_running_loop().call_later(self._pauses.taken_s, self._accept)
        body = self._errand.ask.body(stream=stream, session=self._errand.session)
        try:
            if stream:
                self._pass_on(await self._read(body))
            else:
                self._pass_on(await self._patiently(self._errand.http.answer(body, taken=self._accept)))
        finally:
            timer.cancel()

    async def _read(self, body: bytes) -> End:
        self._streaming = True
        end: End | None = None
        async with aclosing(self._errand.http.stream(body, taken=self._accept)) as frames:
            while (records := await self._patiently(_next(frames))) is not None:
                for record in records:
                    if isinstance(record, Piece):
                        self._text_came = True
                        self._pass_on(record)
                    elif isinstance(record, End):
                        end = record
        if end is None:
            raise cut_stream()
        return end

    def _accept(self) -> None:
        if not self._accepted:
            self._accepted = True
            self._items.put_nowait(Accepted())

    def _pass_on(self, item: Item) -> None:
        if not self.abandoned:
            self._accept()
            self._items.put_nowait(item)

    # --- the check of streams -------------------------------------------------------------------------------------

    async def _streams_whole(self) -> bool:
        """Asked once in the life of the app's process, for each model (8.4). A stream that breaks counts as no."""
        errand = self._errand
        if errand.whole is not None:
            return errand.whole
        try:
            whole = await self._compared()
        except Refused as refused:
            # The request itself will be refused likewise; nothing was found out.
            logger.info("check of streams refused model=%s error=%s", errand.ask.model.id, refused)
            return False
        except AdapterError as exc:
            if isinstance(exc, AppCrashed | EngineUnavailable):
                raise  # the app is gone, and the request itself would fail in the same way
            logger.info("check of streams failed model=%s error=%s", errand.ask.model.id, exc)
            whole = False
        logger.info("streams checked model=%s whole=%s", errand.ask.model.id, whole)
        errand.learn(whole)
        return whole

    async def _compared(self) -> bool:
        http, model = self._errand.http, self._errand.ask.model.id
        plain = await http.answer(check_body(model, stream=False), taken=_nothing)
        if not plain.text.strip():
            return False
        pieces: list[str] = []
        async with aclosing(http.stream(check_body(model, stream=True), taken=_nothing)) as frames:
            async for records in frames:
                pieces += [record.text for record in records if isinstance(record, Piece)]
        return streams_whole(plain.text, pieces)

    # --- patience -------------------------------------------------------------------------------------------------

    async def _patiently(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`, which goes on when the reader leaves or has waited too long.

        Then nobody listens any more; the app gets the time of a whole answer once more, and after it `_Stuck` is raised.
        """
        task = asyncio.create_task(work)
        silent_since_s = self._now_s()
        either: tuple[asyncio.Future[Any], ...] = (task, self._left)
        try:
            while not task.done() and not self._unheard:
                patience_s = self._patience_s(silent_since_s)
                await asyncio.wait(either, timeout=max(0.0, patience_s), return_when=asyncio.FIRST_COMPLETED)
                if not task.done():
                    self._stop_listening(silent_since_s)
            if not task.done():
                await asyncio.wait({task}, timeout=max(0.0, self._until_s - self._now_s()))
            if not task.done():
                raise _Stuck
            return task.result()
        finally:
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    def _patience_s(self, silent_since_s: float) -> float:
        whole_s = self._until_s - self._now_s()
        if not (self._streaming and self._text_came):
            return whole_s
        return min(whole_s, silent_since_s + self._limits.between_s - self._now_s())

    def _stop_listening(self, silent_since_s: float) -> None:
        """The reader is gone, or is sent away because the app takes too long. What remains is to wait for its end."""
        now_s = self._now_s()
        if not self._left.done():
            if now_s < self._until_s:
                self._fail(stalled(self._limits.between_s))
            else:
                self._fail(too_slow(self._limits.whole_s))
        self._unheard = True
        self._until_s = now_s + self._limits.whole_s
        logger.info("answer abandoned, read to its end model=%s", self._errand.ask.model.id)


async def _next(frames: AsyncGenerator[list[Record], None]) -> list[Record] | None:
    return await anext(frames, None)


def _nothing() -> None:
    pass


