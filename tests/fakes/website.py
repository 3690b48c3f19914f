"""A web site that does whatever a page can do to whoever fetches it: raw HTTP on loopback, deterministic.

    async with Website() as site:
        site.pages["/x"] = Answer(b"<p>hi")
        ...  # fetch site.url + "/x", then look at site.seen
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from types import TracebackType
from typing import Self

HTML = "text/html; charset=utf-8"
ARTICLE_WORDS = "The farmhand feeds the horses before dawn, mends the fence by the creek and counts the sheep twice, since one of them likes to hide. "
ARTICLE = (
    "<!doctype html><html lang='en'><head><title>The farm &amp; the hand</title><script>var hidden = 1;</script></head><body>"
    "<nav><a href='/'>Home</a> <a href='/login'>Log in</a></nav><main><article><h1>A day on the farm</h1>"
    + "".join(f"<p>Part {number}. {ARTICLE_WORDS * 3}</p>" for number in range(1, 9))
    + "<ul><li>oats</li><li>hay</li></ul></article></main><footer>Imprint, cookies, tracking</footer></body></html>"
)


@dataclass(frozen=True, slots=True)
class Answer:
    """content_type `None`: the header is left out. cut: the connection is closed after the body although more was announced. drip: the body comes a byte
    at a time, each after this many seconds; endless: it goes on for ever."""

    body: bytes = b""
    status: int = 200
    content_type: str | None = HTML
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False
    drip_s: float = 0.0
    endless: bool = False


def redirect(to: str, status: int = 302) -> Answer:
    return Answer(b"moved", status, headers={"Location": to})


@cache
def _bomb(size: int) -> bytes:
    """Kilobytes that unpack to `size` bytes."""
    pack = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    block = b"<p>boom</p>" * 10_000
    out = b"".join(pack.compress(block) for _ in range(size // len(block)))
    return out + pack.flush()


def usual_pages() -> dict[str, Answer]:
    article = ARTICLE.encode()
    bare = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return {
        "/article": Answer(article),
        "/gzip": Answer(gzip.compress(article), headers={"Content-Encoding": "gzip"}),
        "/deflate": Answer(zlib.compress(article), headers={"Content-Encoding": "deflate"}),
        "/bare-deflate": Answer(bare.compress(article) + bare.flush(), headers={"Content-Encoding": "deflate"}),
        "/not-gzip": Answer(article, headers={"Content-Encoding": "gzip"}),
        "/brotli": Answer(b"\x8b\x00", headers={"Content-Encoding": "br"}),
        "/bomb": Answer(_bomb(200_000_000), headers={"Content-Encoding": "gzip"}),
        "/huge": Answer(b"<p>more and more</p>\n", endless=True),
        "/drip": Answer(b"<p>slow", drip_s=0.05, endless=True),
        "/silent": Answer(b"x", drip_s=3_600.0),
        "/cut": Answer(b"<p>half of it", headers={"Content-Length": "5000"}, cut=True),
        "/empty": Answer(b""),
        "/no-type": Answer(b"<html><p>untold", content_type=None),
        "/binary": Answer(b"\x00\x01\x02\xff" * 40, content_type=None),
        "/pdf": Answer(b"%PDF-1.7 ...", content_type="application/pdf"),
        "/hidden-pdf": Answer(b"%PDF-1.7 ...", content_type=None),
        "/image": Answer(b"\x89PNG", content_type="image/png"),
        "/json": Answer(b'{"a": [1, 2]}', content_type="application/json"),
        "/feed": Answer(b"<?xml version='1.0'?><rss><title>t</title></rss>", content_type="application/rss+xml"),
        "/text": Answer(b"plain words", content_type="text/plain"),
        "/missing": Answer(b"<h1>gone</h1>", 404),
        "/wrong-charset": Answer("<title>Grüße</title><p>Straße, naïve, 東京".encode(), content_type="text/html; charset=iso-8859-1"),
        "/latin": Answer("<title>Grüße</title><p>Straße".encode("latin-1"), content_type="text/html; charset=utf-8"),
        "/meta": Answer("<meta charset='windows-1251'><p>Привет".encode("cp1251"), content_type="text/html"),
        "/moved": redirect("/article"),
        "/moved-often": redirect("/hop?3"),
        "/loop": redirect("/loop"),
        "/to-private": redirect("http://192.168.1.1/admin"),
        "/to-metadata": redirect("http://169.254.169.254/latest/meta-data/"),
        "/to-file": redirect("file:///etc/passwd"),
        "/to-decimal": redirect("http://2130706433:9/"),
        "/to-credentials": redirect("http://user:secret@example.org/"),
    }


class Website:
    """seen: (method and target, headers in lower case) of every request. left: is set when a client leaves before its answer's end."""

    def __init__(self, pages: Mapping[str, Answer] | None = None) -> None:
        self.pages = dict(usual_pages() if pages is None else pages)
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.left = asyncio.Event()
        self.asked = asyncio.Event()
        self._more = asyncio.Event()
        self.port = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def until(self, request: str) -> None:
        """`GET /x` has come."""
        while request not in [seen for seen, _ in self.seen]:
            self._more.clear()
            await self._more.wait()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None) -> None:
        assert self._server is not None
        self._server.close()
        for task in [*self._tasks]:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
            self.seen.append((head[0].rpartition(" ")[0], headers))
            self.asked.set()
            self._more.set()
            gone = asyncio.get_running_loop().create_task(self._watch(reader))
            try:
                await self._answer(head[0].split(" ")[1], writer, gone)
            finally:
                gone.cancel()
        except (ConnectionError, asyncio.IncompleteReadError):
            self.left.set()
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _watch(self, reader: asyncio.StreamReader) -> None:
        """Ends when the client has closed its side."""
        with contextlib.suppress(ConnectionError):
            while await reader.read(1_024):
                pass

    async def _answer(self, target: str, writer: asyncio.StreamWriter, gone: asyncio.Task[None]) -> None:
        answer = self.pages.get(target) or self._hop(target) or Answer(b"<h1>Not here</h1>", 404)
        headers = dict(answer.headers)
        if answer.content_type is not None:
            headers["Content-Type"] = answer.content_type
        if not answer.endless:
            headers.setdefault("Content-Length", str(len(answer.body)))
        headers["Connection"] = "close"
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        writer.write(f"HTTP/1.1 {answer.status} {'OK' if answer.status == 200 else 'So it is'}\r\n{lines}\r\n".encode("latin-1"))
        await writer.drain()
        if answer.drip_s:
            await self._drip(answer, writer, gone)
            return
        writer.write(answer.body)
        await writer.drain()
        while answer.endless:
            if gone.done():
                raise ConnectionResetError
            writer.write(answer.body * 1_000)
            await writer.drain()

    async def _drip(self, answer: Answer, writer: asyncio.StreamWriter, gone: asyncio.Task[None]) -> None:
        at = 0
        while answer.endless or at < len(answer.body):
            done, _ = await asyncio.wait({gone}, timeout=answer.drip_s)
            if done:
                raise ConnectionResetError
            writer.write(answer.body[at % len(answer.body) :][:1])
            await writer.drain()
            at += 1

    @staticmethod
    def _hop(target: str) -> Answer | None:
        """`/hop?4` -> `/hop?3` -> ... -> the article."""
        path, _, number = target.partition("?")
        if path != "/hop":
            return None
        return redirect(f"/hop?{int(number) - 1}" if int(number) else "/article", 301)
