"""One chat answer, from the registry's events to a plain body or a stream."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from dataclasses import replace

from aiohttp import web

from adapter.chat import Finished, ReasoningDelta, Started, TextDelta
from adapter.dialects import openai_render as render
from adapter.dialects.openai_parse import ChatRequest
from adapter.engines.registry import Registry
from adapter.errors import AdapterError, InternalError, UpstreamProtocol
from adapter.routing import Target
from adapter.server.pump import EventPump, Item
from adapter.server.state import Answers
from adapter.server.trace import Trace
from adapter.settings import ServerSettings
from adapter.wire import sse

logger = logging.getLogger(__name__)

CLIENT_GONE = "client_gone"


class AnswerWriter:
    """Runs one request on the targets that were found for it, and writes what comes.

    Cancelling either method (the client left, with aiohttp's `handler_cancellation`) closes the engine's
    iterator before the cancellation goes on.
    """

    def __init__(
        self,
        asked: ChatRequest,
        targets: tuple[Target, ...],
        *,
        registry: Registry,
        answers: Answers,
        trace: Trace,
        created: int,
    ) -> None:
        self._asked = asked
        self._events = registry.generate(asked.chat, targets)
        self._answers = answers
        self._trace = trace
        self._envelope = render.Envelope(
            id=f"chatcmpl-{trace.id}", created=created, model=targets[0].model, engine=targets[0].engine,
            ignored=asked.ignored,
        )  # fmt: skip

    async def plain(self) -> web.Response:
        """Collect the whole answer. Any failure becomes its own status: nothing has been sent."""
        answer = render.Answer()
        async with self._pumped() as pump:
            while (item := await pump.next()) is not None:
                self._note(item)
                if isinstance(item, TextDelta | ReasoningDelta):
                    answer.add(item)
                elif isinstance(item, Finished):
                    body = render.render_completion(self._envelope, answer, item)
                    return web.Response(body=render.dump(body), content_type="application/json")
        raise _cut_short()

    async def stream(self, request: web.Request, limits: ServerSettings) -> web.StreamResponse:
        """Server-sent events. The status waits for the first text, an early failure, or `status_hold_s`."""
        async with self._pumped() as pump:
            held = await self._held(pump, limits.status_hold_s)
            response = web.StreamResponse(headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})
            response.content_type = "text/event-stream"
            response.charset = "utf-8"
            out = _Output(request, response, limits.write_stall_s)
            try:
                await response.prepare(request)
                await out.send(render.render_role_chunk(self._envelope))
                await self._relay(pump, held, out, limits.keepalive_s)
                await out.finish(sse.DONE)
            except ConnectionResetError:
                self._trace.finish = CLIENT_GONE
            except Exception as exc:  # noqa: BLE001 - the stream's edge: told to the client, logged in full
                await self._broken(out, exc)
            return response

    # --- parts ----------------------------------------------------------------------------------------------

    def _pumped(self) -> _Registered:
        return _Registered(EventPump(self._events), self._answers)

    async def _held(self, pump: EventPump, hold_s: float) -> Item | None:
        """The first item with something to send, or `None` when the hold is over before there is one."""
        try:
            async with asyncio.timeout(hold_s):
                while (item := await pump.next()) is not None:
                    self._note(item)
                    if not isinstance(item, Started | Target):
                        return item
        except TimeoutError:
            return None
        raise _cut_short()

    async def _relay(self, pump: EventPump, item: Item | None, out: _Output, keepalive_s: float) -> None:
        while True:
            if isinstance(item, TextDelta | ReasoningDelta):
                await out.send(render.render_delta_chunk(self._envelope, item), more=pump.ready())
            elif isinstance(item, Finished):
                usage = self._asked.include_usage
                for chunk in render.render_finish_chunks(self._envelope, item, include_usage=usage):
                    await out.send(chunk, more=True)
                return
            item = await self._next_or_keepalive(pump, out, keepalive_s)
            self._note(item)

    async def _next_or_keepalive(self, pump: EventPump, out: _Output, keepalive_s: float) -> Item:
        while True:
            try:
                async with asyncio.timeout(keepalive_s):
                    item = await pump.next()
            except TimeoutError:
                await out.send(render.render_keepalive_chunk(self._envelope))
                continue
            if item is None:
                raise _cut_short()
            return item

    async def _broken(self, out: _Output, exc: Exception) -> None:
        """The status is spent: an error frame and no [DONE], so that nobody takes this for a whole answer."""
        error = as_adapter_error(exc)
        if error is not exc:
            logger.error("id=%s failed in mid-stream", self._trace.id, exc_info=exc)
        self._trace.finish, self._trace.code = "error", error.code
        try:
            await out.send(render.render_error(error))
            await out.finish()
        except ConnectionResetError:
            self._trace.finish = CLIENT_GONE

    def _note(self, item: Item) -> None:
        """Keep envelope and trace in step with what happens."""
        trace = self._trace
        match item:
            case Target(engine, model):
                self._envelope = replace(self._envelope, engine=engine, model=model)
                trace.engine, trace.model = engine, model
            case TextDelta() | ReasoningDelta() if trace.first_token_s is None:
                trace.first_token_s = asyncio.get_running_loop().time()
            case Finished(reason, usage):
                trace.finish, trace.usage = reason, usage
            case _:
                pass


class _Registered:
    """The pump, known to `Answers` for as long as it runs."""

    def __init__(self, pump: EventPump, answers: Answers) -> None:
        self._pump = pump
        self._answers = answers

    async def __aenter__(self) -> EventPump:
        self._answers.begin(self._pump)
        return await self._pump.__aenter__()

    async def __aexit__(self, *exc: object) -> None:
        try:
            await self._pump.__aexit__(None, None, None)
        finally:
            self._answers.end(self._pump)


class _Output:
    """The client's end of a stream. Small chunks that are ready together leave in one write."""

    def __init__(self, request: web.Request, response: web.StreamResponse, stall_s: float) -> None:
        self._request = request
        self._response = response
        self._stall_s = stall_s
        self._waiting = bytearray()

    async def send(self, chunk: render.Json, *, more: bool = False) -> None:
        """One event; kept for the next call if `more` is about to follow."""
        self._waiting += sse.encode(render.dump(chunk))
        if not more or len(self._waiting) > 16_384:
            await self._write()

    async def finish(self, last: bytes = b"") -> None:
        self._waiting += last
        await self._write()
        await self._bounded(self._response.write_eof())

    async def _write(self) -> None:
        if self._waiting:
            data, self._waiting = bytes(self._waiting), bytearray()
            await self._bounded(self._response.write(data))

    async def _bounded(self, writing: Awaitable[None]) -> None:
        """A client that reads nothing for `stall_s` is gone: its seat belongs to somebody who listens.

        Its connection is broken off, since a clean end would pass for a whole answer, should it come back.
        """
        try:
            async with asyncio.timeout(self._stall_s):
                await writing
        except TimeoutError:
            if self._request.transport is not None:
                self._request.transport.abort()
            raise ConnectionResetError("the client stopped reading") from None


def _cut_short() -> AdapterError:
    return UpstreamProtocol("The engine ended the answer without saying that it is complete.")


def as_adapter_error(exc: Exception) -> AdapterError:
    """Anything that is not ours already is a fault of ours; the client gets no details, the log all of them."""
    if isinstance(exc, AdapterError):
        return exc
    return InternalError("Farmhand met an error of its own; its log has the details.")
