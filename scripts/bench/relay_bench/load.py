"""The load, a program of its own: `python load.py PORT KEY --clients N --requests N [--chunks N]`, figures as JSON on stdout.

Raw asyncio, one kept-alive connection for each client, since a heavy client would hide what is measured. Every client asks again as soon as
it has its answer. total_ms: of plain answers; first_ms: until the first text of a stream; chunk_us: age of the chunks after it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
import time
from dataclasses import dataclass, field

TEXT = "The quick brown fox jumps over the lazy dog. " * 8
WARM_UP = 5
LIMIT_S = 120.0
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_STAMP = re.compile(rb'"content": ?"(\d+) ')


@dataclass
class Figures:
    total_ms: list[float] = field(default_factory=list)
    first_ms: list[float] = field(default_factory=list)
    chunk_us: list[float] = field(default_factory=list)


async def client(port: int, request: bytes, requests: int, *, stream: bool, figures: Figures) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for number in range(WARM_UP + requests):
        into = figures if number >= WARM_UP else Figures()
        began = time.perf_counter_ns()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"port {port}: {head.decode('latin-1')}{(await reader.read(2_000)).decode('utf-8', 'replace')}")
        if stream:
            await read_stream(reader, began, into)
        else:
            await read_plain(reader, head)
            into.total_ms.append((time.perf_counter_ns() - began) / 1e6)
    writer.close()


async def read_plain(reader: asyncio.StreamReader, head: bytes) -> None:
    length = _LENGTH.search(head)
    if length is not None:
        await reader.readexactly(int(length[1]))
        return
    while size := int(await reader.readuntil(b"\r\n"), 16):
        await reader.readexactly(size + 2)
    await reader.readexactly(2)


async def read_stream(reader: asyncio.StreamReader, began: int, figures: Figures) -> None:
    data = b""
    seen = 0
    while not data.endswith(b"\r\n0\r\n\r\n"):
        part = await reader.read(65_536)
        now = time.perf_counter_ns()
        if not part:
            raise SystemExit(f"a stream was cut: {data[-300:].decode('utf-8', 'replace')}")
        data += part
        for stamp in _STAMP.finditer(data, seen):
            if seen:
                figures.chunk_us.append((now - int(stamp[1])) / 1e3)
            seen = stamp.end()
        if seen and began:
            figures.first_ms.append((now - began) / 1e6)
            began = 0
    if not seen:
        raise SystemExit(f"a stream without text: {data[-300:].decode('utf-8', 'replace')}")


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("key")
    parser.add_argument("--clients", type=int, default=1)
    parser.add_argument("--requests", type=int, default=100)
    parser.add_argument("--chunks", type=int, default=0)
    args = parser.parse_args()
    figures = Figures()
    request = request_bytes(args.key, args.chunks)
    clients = [client(args.port, request, args.requests, stream=args.chunks > 0, figures=figures) for _ in range(args.clients)]
    async with asyncio.timeout(LIMIT_S):
        await asyncio.gather(*clients)
    json.dump(vars(figures), sys.stdout)


def request_bytes(key: str, chunks: int) -> bytes:
    """chunks: 0 for a plain answer."""
    body = {"model": "bench", "messages": [{"role": "user", "content": TEXT}], "max_tokens": max(1, chunks)}
    if chunks:
        body["stream"] = True
    data = json.dumps(body).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n"
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data


if __name__ == "__main__":
    asyncio.run(main())
