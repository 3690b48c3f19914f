"""HTTP to a server of OpenAI's kind: one session, connections kept alive, every failure as one of our errors.

A connection is used again only after an answer was read to its end; leaving an answer closes its connection, which is how such servers
learn that nobody waits any more. Silence is bounded by one timer for each answer (`Patience`), which is armed again only when it fires.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import aiohttp
from yarl import URL

from adapter.dialects.upstream_openai_errors import Peer, cut_off, unreachable, unreadable
from adapter.errors import AdapterError, EngineUnavailable, UpstreamTimeout

MAX_BODY_BYTES = 64 << 20
MAX_ERROR_BYTES = 64 << 10
# Shorter than the 5 s after which uvicorn closes an idle connection, so that we seldom meet one that is just being closed.
KEEPALIVE_S = 4.0
# How long the end of an answer may take that is complete already, so that its connection can be used again.
TAIL_S = 0.05


@dataclass(frozen=True, slots=True)
class PlainAnswer:
    """A whole answer of any status."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    def value(self, peer: Peer) -> object:
        """Its JSON. Raises `UpstreamProtocol`."""
        try:
            value: object = json.loads(self.body)
        except (ValueError, RecursionError):
            raise unreadable(peer, "sent something that is not JSON", self.body) from None
        return value


class Session:
    """Makes requests to one server. Nothing is opened before the first one; `close` may be called twice."""

    def __init__(self, peer: Peer, base: str, headers: Mapping[str, str], *, connect_s: float) -> None:
        self._peer = peer
        self._base = base
        self._headers = {"Accept-Encoding": "identity", **headers}
        self._connect_s = connect_s
        self._session: aiohttp.ClientSession | None = None
        self._closed = False
        self._urls: dict[str, URL] = {}
        self._idle_since_s = float("-inf")

    async def get(self, url: str, *, within_s: float, headers: Mapping[str, str]) -> PlainAnswer:
        """url: a path below the base, or a whole URL. Raises our errors for everything but a status."""
        try:
            async with asyncio.timeout(within_s):
                response = await self._send("GET", url, None, headers)
                return await self.read(response, MAX_BODY_BYTES)
        except TimeoutError:
            raise UpstreamTimeout(f"{self._peer} did not answer GET {url} within {within_s:g} s.") from None

    async def post(
        self, path: str, body: bytes, *, headers: Mapping[str, str], within_s: float, late: Callable[[], AdapterError]
    ) -> aiohttp.ClientResponse:
        """The answer once its headers are there; the caller closes or releases it. late: makes the error for `within_s` without them."""
        try:
            async with asyncio.timeout(within_s):
                return await self._send("POST", path, body, headers)
        except TimeoutError:
            raise late() from None

    async def read(self, response: aiohttp.ClientResponse, limit: int) -> PlainAnswer:
        """The whole body, and the connection back into the pool. Cancelling closes it. Raises `UpstreamProtocol` beyond `limit` bytes."""
        data = bytearray()
        try:
            while piece := await response.content.readany():
                data += piece
                if len(data) > limit:
                    raise unreadable(self._peer, f"sent an answer of more than {limit} bytes", bytes(data[:200]))
            self.release(response)
        except (aiohttp.ClientError, OSError) as exc:
            raise self.as_ours(exc) from exc
        finally:
            response.close()  # nothing to do after `release`
        return PlainAnswer(response.status, bytes(data), response.headers)

    async def read_error(self, response: aiohttp.ClientResponse) -> bytes:
        """As much of a failure's body as one wants to read, for a while; the status counts, whatever becomes of the body."""
        data = bytearray()
        try:
            async with asyncio.timeout(2.0):
                while len(data) < MAX_ERROR_BYTES and (piece := await response.content.readany()):
                    data += piece
            if response.content.at_eof():
                self.release(response)
        except (aiohttp.ClientError, TimeoutError, OSError):
            pass
        finally:
            response.close()
        return bytes(data)

    async def settle(self, response: aiohttp.ClientResponse) -> None:
        """A complete answer has been read; a moment for the end of the body, so that the connection can be used again."""
        content = response.content
        try:
            if not content.at_eof():
                async with asyncio.timeout(TAIL_S):
                    while await content.readany():
                        pass
            self.release(response)
        except (aiohttp.ClientError, TimeoutError, OSError):
            response.close()

    def release(self, response: aiohttp.ClientResponse) -> None:
        response.release()
        self._idle_since_s = asyncio.get_running_loop().time()

    async def close(self) -> None:
        """From here on every request raises `EngineUnavailable`."""
        self._closed = True
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _send(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> aiohttp.ClientResponse:
        """Once more, where the connection may have been one that the server was just closing."""
        url = self._urls.get(path)
        if url is None:
            url = URL(path if path.startswith("http") else self._base + path)
            self._urls[path] = url
        try:
            try:
                return await self._open().request(method, url, data=body, headers=headers, allow_redirects=False)
            except aiohttp.ClientConnectorError:
                raise
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
                if asyncio.get_running_loop().time() - self._idle_since_s > KEEPALIVE_S:
                    raise
            self._idle_since_s = float("-inf")
            return await self._open().request(method, url, data=body, headers=headers, allow_redirects=False)
        except TimeoutError as exc:
            if isinstance(exc, aiohttp.ClientError):
                raise self.as_ours(exc) from exc
            raise
        except (aiohttp.ClientError, OSError) as exc:
            raise self.as_ours(exc, begun=False) from exc

    def _open(self) -> aiohttp.ClientSession:
        if self._closed:
            raise EngineUnavailable(f"Farmhand has closed its connections to '{self._peer.name}'; try again later.")
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEPALIVE_S),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._connect_s),
                headers=self._headers,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
                read_bufsize=1 << 18,
            )
        return self._session

    def as_ours(self, exc: Exception, *, begun: bool = True) -> AdapterError:
        """What a connection can suffer, as one of our errors. begun: there was an answer already."""
        peer = self._peer
        if self._closed:
            return EngineUnavailable(f"Farmhand has closed its connections to '{peer.name}'; try again later.")
        match exc:
            case aiohttp.ConnectionTimeoutError():
                return unreachable(peer, "nothing there takes connections")
            case aiohttp.ClientConnectorDNSError():
                return unreachable(peer, "there is no machine of that name")
            case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientSSLError():
                return unreachable(peer, f"its certificate is not accepted ({peer.quote(str(exc))})")
            case aiohttp.ClientConnectorError():
                return unreachable(peer, "nothing listens there")
            case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError() if not begun:
                return unreachable(peer, "it closed the connection without an answer")
            case aiohttp.ClientPayloadError() | aiohttp.ClientConnectionError() | OSError():
                return cut_off(peer)
            case _:
                return unreadable(peer, f"does not speak HTTP as expected ({type(exc).__name__})")


class Patience:
    """Bounds the silence of one answer: when nothing came for too long, its reader is woken by an error, and `lost` says why.

    `heard` is called for each piece and costs next to nothing; the timer fires once per limit, looks, and is armed again.
    """

    def __init__(self, response: aiohttp.ClientResponse, limit_s: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._response = response
        self._limit_s = limit_s
        self._heard_s = self._loop.time()
        self.lost = False
        self._timer = self._loop.call_later(limit_s, self._look)

    def heard(self, limit_s: float) -> None:
        """Something came. limit_s: for the silence that begins now."""
        self._heard_s = self._loop.time()
        if limit_s != self._limit_s:
            self._limit_s = limit_s
            self._timer.cancel()
            self._timer = self._loop.call_later(limit_s, self._look)

    def end(self) -> None:
        self._timer.cancel()

    def _look(self) -> None:
        left_s = self._heard_s + self._limit_s - self._loop.time()
        if left_s > 0.0005:
            self._timer = self._loop.call_later(left_s, self._look)
            return
        self.lost = True
        self._response.content.set_exception(aiohttp.ServerTimeoutError("silence"))
