"""One answer of a server of OpenAI's kind, from its headers to its end: read as events, or passed on as bytes."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypedDict

import aiohttp

from adapter.chat import Event, Finished, Started, Usage
from adapter.dialects.upstream_openai_answer import Answer, usage_of
from adapter.dialects.upstream_openai_errors import (
    Peer,
    failure,
    in_stream,
    no_first_token,
    read_error,
    said,
    stalled,
    unreadable,
)
from adapter.dialects.upstream_openai_frames import DONE, FrameDecoder, MalformedFrame, parse_payload
from adapter.dialects.upstream_openai_relay import plain_as_stream, relay_plain
from adapter.dialects.upstream_openai_scan import RelayScan
from adapter.engines.base import Raw
from adapter.engines.openai_http import MAX_BODY_BYTES, Patience, Session
from adapter.errors import AdapterError

# How long the usage and the end of the stream may take after the last choice has its reason.
AFTER_END_S = 2.0
CHARS_PER_TOKEN = 4
_JSON_BEGINS = (b"{", b"[")


class _Scanned(TypedDict):
    """Arguments of `RelayScan` and `relay_plain`."""

    model: str
    n: int
    explained: bool
    made_up: str
    created: int


@dataclass(frozen=True, slots=True)
class Limits:
    """Silence allowed, in seconds: until there is something of the answer, and from then on."""

    first_token_s: float
    between_tokens_s: float


@dataclass(frozen=True, slots=True)
class Request:
    """path: below the base. headers: beside those of the session. model: the server's own name, for errors. n: answers asked for.

    prompt_chars: of all messages, for an estimate. stops: an empty answer may come of a stop string. made_up: an id of our own, for what
    comes without one. max_tokens: as asked for.
    """

    path: str
    body: bytes
    headers: dict[str, str]
    model: str
    n: int = 1
    prompt_chars: int = 0
    stops: bool = False
    made_up: str = ""
    max_tokens: int | None = None


class Run:
    """Use it once: `events` or `relayed`. Leaving the iterator closes the connection, unless the answer was read to its end."""

    def __init__(self, session: Session, peer: Peer, request: Request, limits: Limits) -> None:
        self._session = session
        self._peer = peer
        self._request = request
        self._limits = limits
        self._begun = False
        # What the engine learns of the server: it answers at all; its answers have to be read, not only passed on.
        self.started = False
        self.needs_care = False

    # --- as events ------------------------------------------------------------------------------------------

    async def events(self, answer: Answer) -> AsyncGenerator[Event, None]:
        """The answer as `Engine.generate` promises it."""
        response = await self._open()
        patience = Patience(response, self._limits.first_token_s)
        try:
            yield Started()
            async with aclosing(self._values(response, patience, answer)) as values:
                async for value in values:
                    for event in answer.feed(value):
                        self._begun = True
                        yield event
                    if answer.cut_here:
                        break
            end = answer.finish()
            if answer.cut_here:
                response.close()  # it is still writing
            else:
                await self._session.settle(response)
            yield end
        finally:
            patience.end()
            response.close()

    async def _values(
        self, response: aiohttp.ClientResponse, patience: Patience, answer: Answer
    ) -> AsyncGenerator[object, None]:
        """The JSON of each chunk, or of the one plain answer; ends at `[DONE]`, at the end, or when nothing more comes of a complete one."""
        frames = FrameDecoder()
        first: bytes | None = b""
        while piece := await self._read(response, patience, complete=answer.complete):
            if first is not None:
                first += piece
                if not first.strip():
                    continue
                if first.lstrip()[:1] in _JSON_BEGINS:
                    yield self._parsed(await self._rest(response, patience, first))
                    return
                piece, first = first, None
            for payload in self._payloads(frames.feed, piece):
                if payload.strip() == DONE:
                    return
                yield self._parsed(payload)
            patience.heard(self._limit(complete=answer.complete))
        for payload in self._payloads(lambda _: frames.flush(), b""):
            if payload.strip() != DONE:
                yield self._parsed(payload)

    def _payloads(self, feed: Callable[[bytes], list[bytes]], piece: bytes) -> list[bytes]:
        try:
            return feed(piece)
        except MalformedFrame as exc:
            raise unreadable(self._peer, exc.problem, exc.data) from None

    def _parsed(self, payload: bytes) -> object:
        try:
            return parse_payload(payload)
        except MalformedFrame as exc:
            raise unreadable(self._peer, exc.problem, exc.data) from None

    # --- as bytes -------------------------------------------------------------------------------------------

    def relayed(self, *, stream: bool) -> AsyncGenerator[Started | Raw | Finished, None]:
        """The answer as `Relays.relay` promises it."""
        return self._streamed() if stream else self._plain()

    async def _streamed(self) -> AsyncGenerator[Started | Raw | Finished, None]:
        response = await self._open()
        patience = Patience(response, self._limits.first_token_s)
        try:
            yield Started()
            scan = RelayScan(self._peer, max_tokens=self._request.max_tokens, **self._scanned())
            limits, content, first = self._limits, response.content, True
            while not scan.done:
                try:
                    piece = await content.readany()
                except (aiohttp.ClientError, OSError) as exc:
                    self._raise_unless_whole(exc, patience, complete=scan.complete)
                    break
                if not piece:
                    break
                if first and piece.lstrip()[:1] in _JSON_BEGINS:
                    piece = self._as_stream(await self._rest(response, patience, piece))
                first = first and not piece.strip()
                passed = scan.feed(piece)
                self._begun = scan.begun
                patience.heard(AFTER_END_S if scan.complete else limits.between_tokens_s if scan.begun else limits.first_token_s)
                if passed:
                    yield Raw(passed, last=scan.done and content.at_eof())
                scan.check()
            rest = scan.end()
            self.needs_care = scan.thinks or scan.cut_here
            if rest:
                yield Raw(rest)
            if scan.cut_here:
                response.close()  # it is still writing
            else:
                await self._session.settle(response)
            yield Finished(scan.reason, self._usage(scan.usage, scan.frames))
        finally:
            patience.end()
            response.close()

    async def _plain(self) -> AsyncGenerator[Started | Raw | Finished, None]:
        response = await self._open()
        try:
            yield Started()
            body = await self._whole(response)
            answer = relay_plain(body, self._peer, **self._scanned())
            self.needs_care = answer.thinks
            await self._session.settle(response)
            yield Raw(answer.data)
            yield Finished(answer.reason, self._usage(answer.usage, len(answer.text) // CHARS_PER_TOKEN))
        finally:
            response.close()

    async def _whole(self, response: aiohttp.ClientResponse) -> bytes:
        """The body. No clock for one that came with its headers, as small ones do."""
        content = response.content
        if content.is_eof() and content.exception() is None and content.total_bytes <= MAX_BODY_BYTES:
            return await content.readany()
        patience = Patience(response, self._limits.first_token_s)
        try:
            return await self._rest(response, patience, b"")
        finally:
            patience.end()

    def _scanned(self) -> _Scanned:
        request = self._request
        return {
            "model": request.model,
            "n": request.n,
            "explained": request.stops,
            "made_up": request.made_up,
            "created": int(time.time()),
        }

    def _as_stream(self, body: bytes) -> bytes:
        """A server that answers in plain JSON although it was asked for a stream: its answer, as the stream that the client wants."""
        value = self._parsed(body)
        if not isinstance(value, dict) or not value.get("choices"):
            reason = said(value)
            raise in_stream(reason, self._peer) if reason else unreadable(self._peer, "sent an answer without choices", body)
        return plain_as_stream(value)

    def _usage(self, told: Mapping[str, Any], pieces: int) -> Usage:
        """For the log. A rough estimate where the server says nothing: counting properly would cost more than all the rest here."""
        return usage_of(told, {}, lambda: self._request.prompt_chars // CHARS_PER_TOKEN, lambda: pieces)

    # --- both -----------------------------------------------------------------------------------------------

    async def _open(self) -> aiohttp.ClientResponse:
        request, limit_s = self._request, self._limits.first_token_s
        response = await self._session.post(
            request.path,
            request.body,
            headers=request.headers,
            within_s=limit_s,
            late=lambda: no_first_token(self._peer, limit_s),
        )
        if response.status != 200:
            body = await self._session.read_error(response)
            retry_after = response.headers.get("Retry-After")
            raise failure(response.status, read_error(body), self._peer, retry_after=retry_after, model=request.model)
        self.started = True
        return response

    async def _read(self, response: aiohttp.ClientResponse, patience: Patience, *, complete: bool) -> bytes:
        """The next bytes; b"" at the end, or when the answer is complete and nothing more comes."""
        try:
            return await response.content.readany()
        except (aiohttp.ClientError, OSError) as exc:
            self._raise_unless_whole(exc, patience, complete=complete)
            return b""

    def _raise_unless_whole(self, exc: Exception, patience: Patience, *, complete: bool) -> None:
        if complete:
            return
        if patience.lost:
            raise self._too_late() from None
        raise self._session.as_ours(exc) from exc

    async def _rest(self, response: aiohttp.ClientResponse, patience: Patience, first: bytes) -> bytes:
        data = bytearray(first)
        self._begun = self._begun or bool(first.strip())
        patience.heard(self._limit(complete=False))
        while piece := await self._read(response, patience, complete=False):
            data += piece
            self._begun = self._begun or bool(piece.strip())  # blanks keep a connection alive, and say nothing
            patience.heard(self._limit(complete=False))
            if len(data) > MAX_BODY_BYTES:
                raise unreadable(self._peer, f"sent an answer of more than {MAX_BODY_BYTES} bytes", bytes(data[:200]))
        return bytes(data)

    def _limit(self, *, complete: bool) -> float:
        if complete:
            return AFTER_END_S
        return self._limits.between_tokens_s if self._begun else self._limits.first_token_s

    def _too_late(self) -> AdapterError:
        if self._begun:
            return stalled(self._peer, self._limits.between_tokens_s)
        return no_first_token(self._peer, self._limits.first_token_s)
