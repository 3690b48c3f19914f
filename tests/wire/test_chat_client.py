"""The client of `farmhand chat` against servers that fail, stall and reason; and who gets our key."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from adapter.keys import load_or_create_key
from adapter.terminal import address
from adapter.terminal.client import ChatError, Client
from adapter.terminal.conversation import Conversation
from adapter.terminal.pieces import Done, Piece, Reasoning, Text

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def server(handler: Handler) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


def streaming(*frames: bytes, drop: bool = False) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for frame in frames:
            await response.write(frame)
        if drop:
            assert request.transport is not None
            request.transport.close()
        return response

    return handle


async def pieces(url: str) -> list[Piece]:
    client = Client(url, "sk-key")
    try:
        return [piece async for piece in client.answer("m", Conversation("m").ask("hi"))]
    finally:
        await client.close()


HELLO = b'data: {"choices":[{"delta":{"reasoning_content":"hm"}}]}\n\ndata: {"choices":[{"delta":{"content":"hi"}}]}\n\n'


async def test_an_answer_with_reasoning() -> None:
    async with server(streaming(HELLO[:30], HELLO[30:], b"data: [DONE]\n\n")) as url:
        assert await pieces(url) == [Reasoning("hm"), Text("hi"), Done()]


@pytest.mark.parametrize(
    ("handler", "says"),
    [
        (streaming(HELLO), "broke off"),
        (streaming(HELLO, drop=True), "broke off"),
        (streaming(HELLO, b'data: {"error": {"message": "out of memory"}}\n\n'), "out of memory"),
        (streaming(b"data: <p>\n\n"), "no answer"),
    ],
)
async def test_an_answer_that_fails(handler: Handler, says: str) -> None:
    async with server(handler) as url:
        with pytest.raises(ChatError, match=says):
            await pieces(url)


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (401, "{}", "--key KEY"),
        (404, '{"error": {"message": "no model \'m\'"}}', "no model 'm'"),
        (503, '{"error": {"message": "start the app"}}', "start the app"),
        (502, "<html>", "status 502"),
        (200, "<html>", "does not stream"),
    ],
)
async def test_refusals(status: int, body: str, says: str) -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=body)

    async with server(handle) as url:
        with pytest.raises(ChatError, match=says):
            await pieces(url)
        client = Client(url, None)
        with pytest.raises(ChatError):
            await client.models()
        await client.close()


async def test_what_is_sent() -> None:
    """Bearer key, a streamed request, the whole history; without a key no header."""
    seen: list[tuple[str | None, object]] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        seen.append((request.headers.get("Authorization"), await request.json()))
        return await streaming(b"data: [DONE]\n\n")(request)

    async with server(handle) as url:
        await pieces(url)
        client = Client(url, None)
        assert [piece async for piece in client.answer("m", [])] == [Done()]
        await client.close()
    assert seen[0] == (
        "Bearer sk-key",
        {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": True},
    )
    assert seen[1][0] is None


def test_our_key_stays_on_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another server gets the key that was given for it, or none."""
    monkeypatch.setenv("FARMHAND_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    ours = load_or_create_key(tmp_path)
    assert address.server(None, None) == ("http://127.0.0.1:8888/v1", ours)
    assert address.server("http://localhost:9/v1/", None) == ("http://localhost:9/v1", ours)
    assert address.server("https://example.org/v1", None) == ("https://example.org/v1", None)
    assert address.server("https://example.org/v1", "sk-theirs") == ("https://example.org/v1", "sk-theirs")
    monkeypatch.setenv("FARMHAND_SERVER_PORT", "0")
    with pytest.raises(ValueError, match="--url"):
        address.server(None, None)


def test_a_question_that_failed_is_not_sent_twice() -> None:
    """`Chat` reports the failure, and the conversation goes on without that question."""
    from adapter.terminal.chat import Chat
    from adapter.terminal.screen import Screen

    notes = io.StringIO()
    talk = Conversation("m")
    lines = iter(["hi", "/quit"])
    chat = Chat("http://127.0.0.1:9/v1", None, talk, Screen(io.StringIO(), notes), lambda prompt: next(lines))
    assert chat.converse() == 0
    assert "farmhand serve" in notes.getvalue()
    assert talk.ask("again") == [{"role": "user", "content": "again"}]
