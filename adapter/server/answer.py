"""One answer, from the registry's events to a plain body or a stream."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any, Generic, TypeVar

from aiohttp import web

from adapter.chat import ChoiceFinished, Finished, ReasoningDelta, TextDelta, ToolCallDelta
from adapter.dialects.openai_render import AnswerForm, dump
from adapter.dialects.openai_request import Asked
from adapter.dispatch.items import Item, Queued, Remark, Seam
from adapter.engines.base import Raw
from adapter.errors import AdapterError, InternalError, UpstreamProtocol
from adapter.routing import Target
from adapter.server.deadline import Deadline
from adapter.server.output import EVENT_STREAM, ClientGone, EventStream, Heartbeat, Output, PlainAnswer
from adapter.server.pump import EventPump
from adapter.server.state import Answers
from adapter.server.trace import Trace
from adapter.settings import ServerSettings

logger = logging.getLogger(__name__)

T = TypeVar("T")

BeforeEnd = Callable[[Finished], Awaitable[None]]

CLIENT_GONE = "client_gone"
_TOLD = (TextDelta, ReasoningDelta, ToolCallDelta, ChoiceFinished, Finished)


class AnswerWriter:
    """Runs one request on the targets that were found for it, and writes what comes.

    events: what the dispatcher says. form: how it looks; an upstream's own bytes are passed on in its place. deadline: when the
    answer must be complete. before_end: done once the form has the whole answer, before its last words are written. Cancelling either method
    (the client left, with aiohttp's `handler_cancellation`) closes the engine's iterator before the cancellation goes on.
    """

    def __init__(
        self,
        asked: Asked,
        events: AsyncGenerator[Item, None],
        form: AnswerForm,
        *,
        answers: Answers,
        trace: Trace,
        deadline: Deadline,
        before_end: BeforeEnd | None = None,
    ) -> None:
        self._asked = asked
        self._events = events
        self._form = form
        self._answers = answers
        self._trace = trace
        self._deadline = deadline
        self._before_end = before_end
        self._relaying = False
        self._silent = True

    async def plain(self, request: web.Request, limits: ServerSettings) -> web.StreamResponse:
        """Collect the whole answer. Any failure becomes its own status, as long as none has been sent.

        After `plain_hold_s` the status goes out and spaces follow, which JSON allows in front: Node's `fetch` gives up on 300 s without a byte
        (`protocols/clients.md` 6). Then a failure can only be told by breaking the connection off, which every client reports or retries.
        """
        response = PlainAnswer()
        out = Output(request, response, limits.write_stall_s)
        async with self._pumped(direct=not self._deadline.partial) as pump:
            with self._deadline.watching(pump):
                try:
                    async with Heartbeat(out, lambda: (b" ",), limits.keepalive_s, first_s=limits.plain_hold_s):
                        body = await self._collected(self._deadline.items(pump))
                except asyncio.CancelledError:
                    if (error := pump.why_cancelled()) is None:
                        raise
                    return self._broken_off(out, response, error)
                except Exception as exc:  # noqa: BLE001 - told to the client, logged in full
                    return self._broken_off(out, response, exc)
        if not out.opened:
            return web.Response(body=body, content_type="application/json")
        try:
            await out.finish(body)
        except ClientGone:
            self._trace.finish = CLIENT_GONE
        return response

    def _broken_off(self, out: Output, response: web.StreamResponse, exc: Exception) -> web.StreamResponse:
        """Raises it where it has a status of its own yet."""
        if not out.opened:
            raise exc from None
        error = as_adapter_error(exc)
        logger.error("id=%s failed after its status was sent code=%s", self._trace.id, error.code, exc_info=None if error is exc else exc)
        self._trace.finish, self._trace.code = "error", error.code
        out.abort()
        return response

    async def _collected(self, items: AsyncIterator[Item]) -> bytes:
        raw = b""
        async for item in items:
            self._note(item)
            match item:
                case Finished():
                    if self._before_end is not None:
                        await self._before_end(item)
                    return raw or dump(self._form.body(item))
                case Raw():
                    raw = item.data
                case TextDelta() | ReasoningDelta() | ToolCallDelta() | ChoiceFinished():
                    self._form.add(item)
                case _:
                    pass
        raise _cut_short()

    async def stream(self, request: web.Request, limits: ServerSettings, content_type: str = EVENT_STREAM) -> web.StreamResponse:
        """Server-sent events. The status waits for the first text, an early failure, or `status_hold_s`."""
        response = EventStream(content_type)
        out = Output(request, response, limits.write_stall_s)
        keepalive_s = self._deadline.keepalive_s(limits.keepalive_s)
        async with self._pumped(direct=True) as pump:
            with self._deadline.watching(pump):
                try:
                    async with Heartbeat(out, self._sign_of_life, keepalive_s, first_s=limits.status_hold_s):
                        item = await self._passed_on(pump, out)
                    await self._told(pump, item, out, keepalive_s)
                    await out.finish(b"" if self._relaying else self._form.done)
                except ClientGone:
                    self._trace.finish = CLIENT_GONE
                except asyncio.CancelledError:
                    if (error := pump.why_cancelled()) is None:
                        raise
                    await self._broken(out, error)
                except Exception as exc:  # noqa: BLE001 - the stream's edge: told to the client, logged in full
                    await self._broken(out, exc)
        return response

    # --- parts ----------------------------------------------------------------------------------------------

    def _pumped(self, *, direct: bool) -> _Registered[Item]:
        return _Registered(EventPump(self._events, direct=direct), self._answers)

    async def _passed_on(self, pump: EventPump[Item], out: Output) -> Item:
        """Passes an upstream's bytes on, to their end or to where they break off; returns the first item of another kind that is told."""
        async for item in pump.rest():
            if isinstance(item, Raw):
                if not self._relaying:
                    self._note(item)
                await out.pass_on(item.data, more=item.last)
            else:
                self._note(item)
                if isinstance(item, _TOLD):
                    return item
        raise _cut_short()

    async def _told(self, pump: EventPump[Item], item: Item, out: Output, keepalive_s: float) -> None:
        """The answer in our own form, from `item` on. What is ready together leaves together."""
        if not out.opened:
            for chunk in self._form.opening():
                await out.send(self._form.frame(chunk), more=True)
        while not isinstance(item, Finished):
            if isinstance(item, Raw):
                await out.pass_on(item.data)
            elif isinstance(item, _TOLD) and (said := self._form.chunk(item)) is not None:
                await out.send(self._form.frame(said), more=True)
            if not pump.ready():
                await out.flush()
            pump.engage()
            item = await self._next_or_keepalive(pump, out, keepalive_s)
            self._note(item)
        if self._before_end is not None:
            await out.flush()
            await self._before_end(item)
        for chunk in [] if self._relaying else self._form.closing(item):
            await out.send(self._form.frame(chunk), more=True)

    async def _next_or_keepalive(self, pump: EventPump[Item], out: Output, keepalive_s: float) -> Item:
        while True:
            try:
                item = await self._deadline.next(pump, keepalive_s)
            except TimeoutError:
                await out.send(self._form.frame(self._form.keepalive()))
                continue
            if item is None:
                raise _cut_short()
            return item

    def _sign_of_life(self) -> list[bytes]:
        """While there is nothing else to say; at first it opens the stream. Headers alone would wait inside aiohttp."""
        opening, self._silent = self._form.opening() if self._silent else [], False
        return [self._form.frame(chunk) for chunk in opening or [self._form.keepalive()]]

    async def _broken(self, out: Output, exc: Exception) -> None:
        """The status is spent: an error frame and no proper end, so that nobody takes this for a whole answer."""
        if not out.opened:  # it has a status of its own yet
            raise exc
        error = as_adapter_error(exc)
        if error is not exc:
            logger.error("id=%s failed in mid-stream", self._trace.id, exc_info=exc)
        self._trace.finish, self._trace.code = "error", error.code
        try:
            for chunk in self._form.failed(error):
                await out.send(self._form.frame(chunk), more=True)
            await out.finish()
        except ClientGone:
            self._trace.finish = CLIENT_GONE

    def _note(self, item: Item) -> None:
        """Keep envelope and trace in step with what happens."""
        trace = self._trace
        match item:
            case TextDelta() | ReasoningDelta() | ToolCallDelta():
                if trace.first_token_s is None:
                    trace.first_token_s = asyncio.get_running_loop().time()
                self._deadline.said(item)
            case Raw():
                self._relaying = True
                if trace.first_token_s is None:
                    trace.first_token_s = asyncio.get_running_loop().time()
            case Target(engine, model):
                ignored, envelope = self._asked.without_effect(item.can | item.emulated), self._form.envelope
                if (engine, model, ignored) != (envelope.engine, envelope.model, envelope.ignored):
                    self._form.envelope = replace(envelope, engine=engine, model=model, ignored=ignored)
                trace.engine, trace.model = engine, model
            case Finished(reason, usage):
                trace.finish, trace.usage = reason, usage
            case Queued():
                trace.queued = item
            case Seam():
                self._go_on_behind(item)
            case Remark():
                self._remark(item.key, item.value)
            case _:
                pass

    def _go_on_behind(self, seam: Seam) -> None:
        """From here on the answer is in our own form; it stays one answer, with one id."""
        self._relaying = False
        if seam.relayed_id:
            self._form.envelope = replace(self._form.envelope, id=seam.relayed_id)
        said = {"at_chars": seam.at_chars, "before": seam.before, "after": seam.after, "code": seam.code}
        self._remark("seams", [*dict(self._form.envelope.remarks).get("seams", []), said])

    def _remark(self, key: str, value: Any) -> None:
        envelope = self._form.envelope
        if key == "ignored":
            self._form.envelope = replace(envelope, ignored=tuple(dict.fromkeys((*envelope.ignored, *value))))
            return
        remarks = {**dict(envelope.remarks), key: value}
        self._form.envelope = replace(envelope, remarks=tuple(remarks.items()))


async def result_of(work: Callable[[], Awaitable[T]], answers: Answers) -> T:
    """Do work that has one result as answers are given: an orderly stop waits for it, and then ends it with a word."""
    async with _Registered(EventPump(_once(work)), answers) as pump:
        result = await pump.next()
    assert result is not None
    return result


async def _once(work: Callable[[], Awaitable[T]]) -> AsyncGenerator[T, None]:
    yield await work()


class _Registered(Generic[T]):
    """The pump, known to `Answers` for as long as it runs."""

    def __init__(self, pump: EventPump[T], answers: Answers) -> None:
        self._pump = pump
        self._answers = answers

    async def __aenter__(self) -> EventPump[T]:
        self._answers.begin(self._pump)
        return await self._pump.__aenter__()

    async def __aexit__(self, *exc: object) -> None:
        try:
            await self._pump.__aexit__(None, None, None)
        finally:
            self._answers.end(self._pump)


def _cut_short() -> AdapterError:
    return UpstreamProtocol("The engine ended the answer without saying that it is complete.")


def as_adapter_error(exc: Exception) -> AdapterError:
    """Anything that is not ours already is a fault of ours; the client gets no details, the log all of them."""
    if isinstance(exc, AdapterError):
        return exc
    return InternalError("Farmhand met an error of its own; its log has the details.")
