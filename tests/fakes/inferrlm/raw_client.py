"""A client that sends exactly the bytes it is told to and sees every one that comes back."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from tests.fakes.inferrlm.recording import readable, split_units

PATIENCE_S = 10.0
SILENCE_S = 0.05
"""How long nothing must come before a test believes that nothing will."""


def render_request(method: str, path: str, payload: Any = None) -> bytes:
    """A request as a careful client sends it: one piece, `Content-Length`, ASCII."""
    body = b"" if payload is None else json.dumps(payload).encode("ascii")
    return f"{method} {path} HTTP/1.1\r\nHost: phone\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def chat(prompt: str, **fields: Any) -> dict[str, Any]:
    """The body of a chat request with one user message."""
    return {"messages": [{"role": "user", "content": prompt}], **fields}


@dataclass(frozen=True)
class Answer:
    """A plain answer."""

    status: int
    head: str
    json: Any


class RawClient:
    """One connection, used as an async context manager."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._bytes = b""

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close in order: a FIN, if everything was read."""
        self._writer.close()
        await _closed(self._writer)

    async def reset(self) -> None:
        """Close with a TCP reset."""
        raw = self._writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()
        await _closed(self._writer)

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def ask(self, method: str, path: str, payload: Any = None) -> None:
        await self.send(render_request(method, path, payload))

    async def units(self, count: int) -> list[str]:
        """The first `count` units of all that came (head, chunk, event, plain answer)."""
        async with asyncio.timeout(PATIENCE_S):
            while len(units := split_units(self._bytes)[0]) < count:
                piece = await self._reader.read(65536)
                assert piece, f"closed after {units}"
                self._bytes += piece
        return [readable(unit) for unit in units[:count]]

    async def answer(self) -> Answer:
        """The plain answer that came first."""
        (unit,) = await self.units(1)
        head, _, body = unit.partition("\r\n\r\n")
        return Answer(int(head.split(" ")[1]), head, json.loads(body) if body else None)

    async def to_end(self) -> list[str]:
        """All units until the server closed. Raises ConnectionResetError if it broke off."""
        async with asyncio.timeout(PATIENCE_S):
            while piece := await self._reader.read(65536):
                self._bytes += piece
        units, rest = split_units(self._bytes)
        assert not rest, rest
        return [readable(unit) for unit in units]

    async def records(self) -> list[dict[str, Any]]:
        """The records of an NDJSON stream, which must have ended in order."""
        _, *chunks, last = await self.to_end()
        assert last == "chunk: ", last
        return [json.loads(chunk.removeprefix("chunk: ")) for chunk in chunks]

    async def is_silent(self) -> bool:
        """Whether nothing comes for a while, not even the end."""
        try:
            async with asyncio.timeout(SILENCE_S):
                self._bytes += (piece := await self._reader.read(65536))
        except TimeoutError:
            return True
        assert piece is not None
        return False


async def _closed(writer: asyncio.StreamWriter) -> None:
    try:
        await writer.wait_closed()
    except ConnectionError:
        return


async def ask(port: int, method: str, path: str, payload: Any = None) -> Answer:
    """One request over one connection, for a plain answer."""
    async with RawClient(port) as client:
        await client.ask(method, path, payload)
        return await client.answer()


async def ask_stream(port: int, path: str, payload: dict[str, Any]) -> list[dict[str, Any]]:
    """One streamed native request over one connection, for its records."""
    async with RawClient(port) as client:
        await client.ask("POST", path, {**payload, "stream": True})
        return await client.records()


def text_of(records: list[dict[str, Any]]) -> str:
    """The joined deltas of a native stream."""
    return "".join(record.get("response", "") for record in records)
