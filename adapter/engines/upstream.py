"""HTTP to an app on the phone that serves it badly: one request, one connection, nothing optional.

The rules are those of `protocols/inferrlm.md` 4 and 16.1, 16.2:

- One connection per request; head and body leave in one write (aiohttp holds the head back until it has
  the body, so the method is complete in the first segment; the fakes enforce it); `Content-Length`,
  never chunked, never `Expect`.
- A plain answer is read up to its `Content-Length` and then *we* close: the app never does.
- Closing is orderly. A close with unread bytes sends a reset, which the app may not notice, so `hang_up` ends only
  our direction, and what still comes is read until the app has closed its own.

Whatever goes wrong becomes one of three errors, in one table (`as_adapter_error`).
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import aiohttp

from adapter.errors import (
    AdapterError,
    EngineUnavailable,
    UpstreamProtocol,
    UpstreamTimeout,
    UpstreamUnreachable,
)

logger = logging.getLogger(__name__)

# The longest plain answers are lists of models and whole answers; both stay far below.
MAX_PLAIN_BYTES = 8 << 20
SHOWN_BYTES = 80


@dataclass(frozen=True, slots=True)
class App:
    """Who is at the other end, for messages. `remedy`: what a person does when nobody answers."""

    name: str
    url: str
    remedy: str


@dataclass(frozen=True, slots=True)
class PlainAnswer:
    """A whole answer: its status and its JSON value."""

    status: int
    value: object


class Upstream:
    """Makes requests to one app. Nothing is opened before the first one; `close` may be called twice."""

    def __init__(self, app: App, *, connect_s: float) -> None:
        self._app = app
        self._connect_s = connect_s
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    async def get(self, path: str, *, within_s: float) -> PlainAnswer:
        """GET a JSON answer. Raises the three errors of the module's text."""
        return await self._plain("GET", path, None, within_s)

    async def post(self, path: str, body: bytes, *, within_s: float) -> PlainAnswer:
        """POST `body` (ASCII JSON) for a JSON answer. Raises the three errors of the module's text."""
        return await self._plain("POST", path, body, within_s)

    async def open(self, path: str, body: bytes) -> StreamAnswer:
        """POST `body` and wait for the answer's headers, without a limit of its own.

        Cancelling closes the connection, of which an app that is loading a model takes no notice.
        """
        with self._errors():
            return StreamAnswer(await self._send("POST", path, body), self._app)

    async def close(self) -> None:
        """From here on every request raises `EngineUnavailable`."""
        self._closed = True
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _plain(self, method: str, path: str, body: bytes | None, within_s: float) -> PlainAnswer:
        with self._errors(f"{method} {path} took more than {within_s:g} s"):
            async with asyncio.timeout(within_s):
                response = await self._send(method, path, body)
                answer = StreamAnswer(response, self._app)
                try:
                    return PlainAnswer(response.status, await answer.read_plain())
                finally:
                    answer.close()

    async def _send(self, method: str, path: str, body: bytes | None) -> aiohttp.ClientResponse:
        headers = {"Accept-Encoding": "identity"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        return await self._open_session().request(
            method, self._app.url + path, data=body, headers=headers, allow_redirects=False
        )

    def _open_session(self) -> aiohttp.ClientSession:
        if self._closed:
            raise _shut_down(self._app)
        if self._session is None:
            self._session = app_session(self._connect_s)
        return self._session

    @contextmanager
    def _errors(self, timeout_text: str = "it took too long") -> Iterator[None]:
        try:
            yield
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            if self._closed:
                raise _shut_down(self._app) from exc
            raise as_adapter_error(exc, self._app, timeout_text) from exc


class StreamAnswer:
    """An answer whose headers have come. The owner closes it."""

    def __init__(self, response: aiohttp.ClientResponse, app: App) -> None:
        self._response = response
        self._app = app
        self.status = response.status

    async def read(self) -> bytes:
        """The next bytes, as soon as there are some; `b""` at the end. Raises `UpstreamProtocol` if cut off.

        Cancelling loses no bytes.
        """
        try:
            return await self._response.content.readany()
        except (aiohttp.ClientError, OSError) as exc:
            raise _cut_off(self._app) from exc

    async def read_plain(self) -> object:
        """The JSON value of an answer that is not a stream: exactly `Content-Length` bytes, then close."""
        length = self._response.content_length
        if length is None or length > MAX_PLAIN_BYTES:
            # Without a length one would have to read until the app closes, which it never does.
            self.close()
            said = "no Content-Length" if length is None else f"{length} bytes"
            raise UpstreamProtocol(f"{self._app.name} sent an answer that cannot be read: {said}.")
        data = bytearray()
        while len(data) < length and (new := await self.read()):
            data += new
        self.close()
        try:
            value: object = json.loads(data.decode("utf-8"))
        except (ValueError, RecursionError):
            raise UpstreamProtocol(
                f"{self._app.name} at {self._app.url} sent something that is not JSON: {bytes(data[:SHOWN_BYTES])!r}. "
                "Is it the app that listens there?"
            ) from None
        return value

    def hang_up(self) -> None:
        """Tell the app that we have left, in an orderly way: end our direction, and go on reading.

        The app then ends the stream and closes (`protocols/inferrlm.md` 12); closing at once could
        meet bytes that have just arrived, and would then be a reset, which the app does not notice.
        """
        connection = self._response.connection
        transport = connection.transport if connection is not None else None
        if transport is not None and not transport.is_closing() and transport.can_write_eof():
            transport.write_eof()

    def close(self) -> None:
        """Give the connection up; may be called twice."""
        self._response.close()


def app_session(connect_s: float) -> aiohttp.ClientSession:
    """For requests to an app on the phone, a connection each. connect_s: time to connect; nothing else is limited here."""
    return aiohttp.ClientSession(
        # `force_close` makes aiohttp say `Connection: close` and never use a connection twice.
        connector=aiohttp.TCPConnector(force_close=True, limit=0),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=connect_s),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,  # a proxy in the environment has no business between us and the phone's apps
    )


def as_adapter_error(exc: Exception, app: App, timeout_text: str) -> AdapterError:
    """The one table from what a connection can suffer to what a client is told."""
    match exc:
        case aiohttp.ConnectionTimeoutError():
            return _unreachable(app, "nothing there takes connections")
        case TimeoutError():
            return UpstreamTimeout(f"{app.name} at {app.url} is too slow: {timeout_text}. {app.remedy}")
        case aiohttp.ClientConnectorDNSError():
            return _unreachable(app, "there is no machine of that name")
        case aiohttp.ClientConnectorError():
            return _unreachable(app, "nothing listens there")
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError():
            return _unreachable(app, "it closed the connection without an answer")
        case aiohttp.ClientPayloadError():
            return _cut_off(app)
        case _:
            shown = str(exc)[:SHOWN_BYTES]
            return UpstreamProtocol(
                f"{app.name} at {app.url} does not speak HTTP as expected: {type(exc).__name__}: {shown}"
            )


def _shut_down(app: App) -> EngineUnavailable:
    return EngineUnavailable(f"Farmhand is shutting its connection to {app.name} down; try again later.")


def _cut_off(app: App) -> UpstreamProtocol:
    return UpstreamProtocol(
        f"{app.name} broke its answer off in the middle: it was closed, or the phone stopped it. {app.remedy}"
    )


def _unreachable(app: App, what: str) -> UpstreamUnreachable:
    return UpstreamUnreachable(f"{app.name} does not answer at {app.url}: {what}. {app.remedy}")
