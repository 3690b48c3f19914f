"""`adapter.engines.upstream` against servers that misbehave: everything becomes one of three errors."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from adapter.engines.upstream import App, Upstream
from adapter.errors import (
    AdapterError,
    EngineUnavailable,
    UpstreamProtocol,
    UpstreamTimeout,
    UpstreamUnreachable,
)

JSON = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\nContent-Type: application/json\r\n\r\n"


class Answering(asyncio.Protocol):
    """Says `words` to whatever comes first, then closes if `then_close`. Keeps what it received, by segment."""

    def __init__(self, words: bytes, *, then_close: bool, segments: list[bytes]) -> None:
        self._words = words
        self._then_close = then_close
        self.segments = segments
        self.ended = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self.segments.append(data)
        if len(self.segments) == 1:
            self._transport.write(self._words)
            if self._then_close:
                self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended.set()


@asynccontextmanager
async def app(words: bytes, *, then_close: bool = False) -> AsyncIterator[tuple[Upstream, list[Answering]]]:
    """An upstream, and the connections that its server has seen."""
    seen: list[Answering] = []

    def accept() -> Answering:
        seen.append(Answering(words, then_close=then_close, segments=[]))
        return seen[-1]

    server = await asyncio.get_running_loop().create_server(accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    upstream = Upstream(App("TheApp", f"http://127.0.0.1:{port}", "Open it."), connect_s=1.0)
    try:
        yield upstream, seen
    finally:
        await upstream.close()
        for connection in seen:
            connection._transport.abort()
        server.close()
        await server.wait_closed()


async def error_of(upstream: Upstream, *, within_s: float = 5.0) -> AdapterError:
    with pytest.raises(AdapterError) as caught:
        await upstream.get("/api/version", within_s=within_s)
    return caught.value


async def test_a_plain_answer_is_read_by_its_length_and_the_connection_closed_by_us() -> None:
    async with app(JSON + b'{"a": 1}') as (upstream, seen):
        answer = await upstream.get("/api/version", within_s=5.0)
        assert (answer.status, answer.value) == (200, {"a": 1})
        await asyncio.wait_for(seen[0].ended.wait(), 5)


async def test_head_and_body_leave_together() -> None:
    async with app(JSON + b'{"a": 1}') as (upstream, seen):
        body = b'{"messages": "' + b"x" * 5_000 + b'"}'
        await upstream.post("/api/chat", body, within_s=5.0)
        (segment,) = seen[0].segments
        head, _, rest = segment.partition(b"\r\n\r\n")
        assert head.startswith(b"POST /api/chat HTTP/1.1\r\n")
        assert b"content-length: %d\r\n" % len(body) in head.lower() + b"\r\n"
        assert b"connection: close" in head.lower()
        assert b"chunked" not in head.lower()
        assert b"expect" not in head.lower()
        assert rest == body


async def test_every_request_has_a_connection_of_its_own() -> None:
    async with app(JSON + b'{"a": 1}') as (upstream, seen):
        await asyncio.gather(*(upstream.get("/", within_s=5.0) for _ in range(3)))
        assert [len(connection.segments) for connection in seen] == [1, 1, 1]


@pytest.mark.parametrize(
    ("words", "then_close", "kind"),
    [
        (b"", True, UpstreamUnreachable),
        (b"SSH-2.0-OpenSSH_9.7\r\n", True, UpstreamProtocol),
        (JSON + b'{"a"', True, UpstreamProtocol),
        (JSON + b"<html/>\n", False, UpstreamProtocol),
        (JSON.replace(b"Content-Length: 8\r\n", b"") + b'{"a": 1}', False, UpstreamProtocol),
        (JSON.replace(b"8", b"99999999") + b"{", False, UpstreamProtocol),
        (b"HTTP/1.1 200 OK\r\nConte", True, UpstreamUnreachable),
    ],
)
async def test_misbehaviour_has_a_name(words: bytes, then_close: bool, kind: type[AdapterError]) -> None:
    async with app(words, then_close=then_close) as (upstream, _):
        error = await error_of(upstream)
        assert type(error) is kind
        assert "TheApp" in error.message


async def test_silence_ends_with_the_limit() -> None:
    async with app(b"") as (upstream, seen):
        error = await error_of(upstream, within_s=0.05)
        assert type(error) is UpstreamTimeout
        assert "/api/version" in error.message
        await asyncio.wait_for(seen[0].ended.wait(), 5)


def _closed_port() -> str:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize("url", [_closed_port, lambda: "http://no-such-machine.invalid:8889"])
async def test_nobody_there(url: Callable[[], str]) -> None:
    upstream = Upstream(App("TheApp", url(), "Open it."), connect_s=2.0)
    error = await error_of(upstream)
    await upstream.close()
    assert type(error) is UpstreamUnreachable
    assert error.message.endswith("Open it.")


async def test_hanging_up_ends_our_direction_only_and_what_comes_is_still_read() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with app(head + b"3\r\none\r\n") as (upstream, seen):
        answer = await upstream.open("/api/chat", b"{}")
        assert await answer.read() == b"one"
        answer.hang_up()
        await asyncio.wait_for(seen[0].ended.wait(), 5)
        with pytest.raises(UpstreamProtocol):
            await answer.read()
        answer.hang_up()
        answer.close()
        answer.close()


async def test_a_proxy_in_the_environment_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    async with app(JSON + b'{"a": 1}') as (upstream, _):
        assert (await upstream.get("/", within_s=5.0)).status == 200


async def test_after_close_nothing_is_opened_again() -> None:
    upstream = Upstream(App("TheApp", _closed_port(), "Open it."), connect_s=1.0)
    await upstream.close()
    await upstream.close()
    assert type(await error_of(upstream)) is EngineUnavailable
