"""A client that sends exactly what it is told to and tells how the answer ended."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

CHAT = "/v1/chat/completions"
PATIENCE_S = 10.0


def chat(text: str = "one two three", **fields: Any) -> dict[str, Any]:
    """The body of a chat request with one user message."""
    return {"model": "gemma-4-e2b", "messages": [{"role": "user", "content": text}], **fields}


def request(method: str, path: str, payload: Any = None, *, body: bytes | None = None, **headers: str) -> bytes:
    """A whole request. `headers`: with `_` for `-`; an empty value leaves out what is there by itself."""
    data = body if body is not None else b"" if payload is None else json.dumps(payload).encode()
    fields = {"Host": "phone", "Connection": "close", "Content-Length": str(len(data))}
    fields |= {"Content-Type": "application/json"} if data else {}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value)
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode() + data


@dataclass(frozen=True)
class Answer:
    """One answer, read until the server closed; status 0 if it closed without a byte."""

    status: int
    headers: dict[str, str]
    body: bytes
    """Without the chunks' frames."""
    complete: bool
    """The length or the terminator was reached."""

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        """The error in the JSON envelope, which is all there is in the body."""
        assert self.headers["content-type"] == "application/json; charset=UTF-8"
        assert set(self.json) == {"error"}
        return dict(self.json["error"])

    @property
    def text(self) -> str:
        """What the model said, of a blocking answer or of a stream."""
        if not self.headers["content-type"].startswith("text/event-stream"):
            return str(self.json["choices"][0]["message"]["content"])
        return "".join(delta.get("content", "") for delta in self.deltas)

    @property
    def lines(self) -> list[str]:
        """The blocks of a stream, comments and `[DONE]` included."""
        blocks = self.body.decode().split("\n\n")
        return blocks[:-1] if blocks[-1] == "" else blocks

    @property
    def frames(self) -> list[dict[str, Any]]:
        """The JSON of all `data:` blocks but `[DONE]`."""
        data = [line.removeprefix("data: ") for line in self.lines if line.startswith("data: ")]
        return [json.loads(text) for text in data if text != "[DONE]"]

    @property
    def deltas(self) -> list[dict[str, Any]]:
        return [frame["choices"][0]["delta"] for frame in self.frames if "choices" in frame]


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection that is broken off at the end of the block."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
        await asyncio.sleep(0)


async def send(port: int, data: bytes) -> Answer:
    """Send bytes over a connection of their own, read until the server closes. Raises ConnectionResetError."""
    async with connected(port) as (reader, writer), asyncio.timeout(PATIENCE_S):
        writer.write(data)
        return parse(await reader.read())


async def ask(port: int, method: str, path: str, payload: Any = None, **more: Any) -> Answer:
    return await send(port, request(method, path, payload, **more))


async def post(port: int, payload: Any, **more: Any) -> Answer:
    """One chat request."""
    return await ask(port, "POST", CHAT, payload, **more)


def parse(data: bytes) -> Answer:
    """The bytes of one connection as one answer."""
    if not data:
        return Answer(0, {}, b"", complete=False)
    head, _, rest = data.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    if headers.get("transfer-encoding") == "chunked":
        body, complete = _join_chunks(rest)
    else:
        body, complete = rest, len(rest) == int(headers.get("content-length", -1))
    return Answer(int(first.split()[1]), headers, body, complete)


def _join_chunks(data: bytes) -> tuple[bytes, bool]:
    body = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        length = int(size, 16)
        if length == 0:
            assert data == b"\r\n", data
            return body, True
        assert data[length : length + 2] == b"\r\n", data
        body, data = body + data[:length], data[length + 2 :]
    return body, False
