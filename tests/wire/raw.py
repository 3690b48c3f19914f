"""Bytes on a TCP connection, for what no HTTP client would send, and a reader that breaks a stream into its frames."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.wire.server import KEY, RunningAdapter

WAIT_S = 10.0
CHAT = "/v1/chat/completions"


def chat(text: str = "hi", **fields: Any) -> dict[str, Any]:
    return {"model": "auto", "messages": [{"role": "user", "content": text}], **fields}


def request(method: str = "POST", path: str = CHAT, body: bytes = b"", **headers: str) -> bytes:
    """A whole request. `headers`: with `_` for `-`; Host, key and length are there unless given as empty."""
    fields = {"Host": "127.0.0.1", "Authorization": f"Bearer {KEY}", "Content-Length": str(len(body))}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value)
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode("utf-8", "surrogateescape") + body


@dataclass(frozen=True)
class Answer:
    """One answer read from a connection."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> dict[str, Any]:
        """The error in OpenAI's form; fails if the body is anything else."""
        body = json.loads(self.body)
        assert set(body) == {"error"} and set(body["error"]) == {"message", "type", "param", "code"}
        assert isinstance(body["error"]["message"], str) and body["error"]["message"]
        return dict(body["error"])


class Connection:
    """One TCP connection to the adapter."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def head(self) -> tuple[int, dict[str, str]]:
        async with asyncio.timeout(WAIT_S):
            lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        pairs = (line.partition(": ") for line in lines[1:] if line)
        return int(lines[0].split()[1]), {name.lower(): value for name, _, value in pairs}

    async def answer(self, *, head_only: bool = False) -> Answer:
        """The next answer, which must have a Content-Length."""
        status, headers = await self.head()
        length = 0 if head_only else int(headers.get("content-length", "0"))
        async with asyncio.timeout(WAIT_S):
            return Answer(status, headers, await self.reader.readexactly(length))

    async def rest(self) -> bytes:
        """Everything until the server closes. A broken-off connection counts as closed."""
        async with asyncio.timeout(WAIT_S):
            try:
                return await self.reader.read()
            except ConnectionResetError:
                return b""

    async def leave(self) -> None:
        """Gone without a word, as a killed client."""
        self.writer.transport.abort()
        await asyncio.sleep(0)


@asynccontextmanager
async def connected(adapter: RunningAdapter) -> AsyncIterator[Connection]:
    reader, writer = await asyncio.open_connection("127.0.0.1", adapter.port)
    try:
        yield Connection(reader, writer)
    finally:
        writer.transport.abort()


async def ask(adapter: RunningAdapter, data: bytes) -> Answer:
    """Send these bytes over a connection of their own and read one answer."""
    async with connected(adapter) as connection:
        await connection.send(data)
        return await connection.answer()


# --- streams --------------------------------------------------------------------------------------------------


async def frames(response: aiohttp.ClientResponse) -> AsyncIterator[Any]:
    """The parsed data of each event as it arrives; `"[DONE]"` for the last."""
    async for line in response.content:
        if line.startswith(b"data: "):
            data = line.removeprefix(b"data: ").strip()
            yield "[DONE]" if data == b"[DONE]" else json.loads(data)
        else:
            assert line == b"\n", f"not a line of ours: {line!r}"


def text_of(chunks: list[Any]) -> str:
    choices = [choice for chunk in chunks if isinstance(chunk, dict) for choice in chunk.get("choices", ())]
    return "".join(choice["delta"].get("content") or "" for choice in choices)
