"""HTTP to the LocalLLM app (`protocols/localllm.md` 3, 4, 9).

One connection for each request: an idle one that the app has closed would look like the crash that has to be told apart (5.1, row 19).
The server is an ordinary one otherwise; answers may be chunked. What goes wrong below HTTP becomes an `AdapterError` here, and a
status that is no success a `Refused`, which says what the app said.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager

import aiohttp

from adapter.dialects.localllm_errors import Refusal, crashed, cut_stream, parse_refusal
from adapter.dialects.localllm_frames import (
    FrameDecoder,
    Record,
    Whole,
    parse_plain,
    request_number,
)
from adapter.engines.upstream import App, app_session, as_adapter_error
from adapter.errors import EngineUnavailable, UpstreamProtocol

MAX_PLAIN_BYTES = 32 << 20
SHOWN_BYTES = 80
CHAT_PATH = "/v1/chat/completions"
HEADERS = {
    # Our name in the app's rate limit, metrics and log (9), so it never changes.
    "User-Agent": "farmhand",
    # Without JSON in it errors come as an empty 406 (3).
    "Accept": "application/json, text/event-stream",
    "Accept-Encoding": "identity",
}


class Refused(Exception):
    """The app answered with an error; `refusal` is what it said."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"status {refusal.status}: {refusal.type} {refusal.code}")
        self.refusal = refusal


class Http:
    """Requests to one app. Nothing is opened before the first; `close` may be called twice."""

    def __init__(
        self, app: App, *, connect_s: float, key: Callable[[], str | None], on_number: Callable[[int], None]
    ) -> None:
        """key: the bearer secret as it is then. on_number: told the number of each chat request that the app accepts (9)."""
        self.app = app
        self._connect_s = connect_s
        self._key = key
        self._on_number = on_number
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    async def get(self, path: str, *, within_s: float) -> tuple[int, object]:
        """Status and JSON value, `None` where the body is something else. Raises `AdapterError`."""
        return await self._small("GET", path, None, within_s)

    async def post(self, path: str, body: bytes | None, *, within_s: float) -> tuple[int, object]:
        return await self._small("POST", path, body, within_s)

    async def plain(self, body: bytes, *, path: str = CHAT_PATH, taken: Callable[[], None]) -> object:
        """POST for a whole JSON answer, without a limit of its own. taken: called when the headers of a success have come.

        Raises `Refused` and `AdapterError`. Cancelling closes the connection, of which the app takes no notice (7.8).
        """
        with self._errors():
            response = await self._accepted(path, body, taken)
            try:
                return _json(await _whole_body(response), self.app)
            finally:
                response.close()

    async def answer(self, body: bytes, *, taken: Callable[[], None]) -> Whole:
        """As `plain`, for a chat."""
        return parse_plain(await self.plain(body, taken=taken))

    async def stream(self, body: bytes, *, taken: Callable[[], None]) -> AsyncGenerator[list[Record], None]:
        """The records of a stream as they come; an empty list is a sign of life. Ends only when the answer is whole.

        Raises `Refused`, also for an error frame, and `AdapterError`: `UpstreamProtocol` for a stream without `[DONE]` (8.5).
        """
        with self._errors():
            response = await self._accepted(CHAT_PATH, body, taken)
            try:
                async with aclosing(_records(response)) as found:
                    async for records in found:
                        yield records
            finally:
                response.close()

    async def close(self) -> None:
        """From here on every request raises `EngineUnavailable`."""
        self._closed = True
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _accepted(self, path: str, body: bytes, taken: Callable[[], None]) -> aiohttp.ClientResponse:
        response = await self._send("POST", path, body)
        try:
            if (number := request_number(response.headers.get("X-Request-Id"))) is not None:
                self._on_number(number)
            if response.status != 200:
                retry_after = response.headers.get("Retry-After")
                raise Refused(parse_refusal(response.status, await _whole_body(response), retry_after=retry_after))
            taken()
        except BaseException:
            response.close()
            raise
        return response

    async def _small(self, method: str, path: str, body: bytes | None, within_s: float) -> tuple[int, object]:
        with self._errors(f"{method} {path.partition('?')[0]} took more than {within_s:g} s"):
            async with asyncio.timeout(within_s):
                response = await self._send(method, path, body)
                try:
                    data = await _whole_body(response)
                finally:
                    response.close()
        try:
            return response.status, json.loads(data)
        except (ValueError, RecursionError):
            return response.status, None

    async def _send(self, method: str, path: str, body: bytes | None) -> aiohttp.ClientResponse:
        headers: dict[str, str] = dict(HEADERS)
        if (key := self._key()) is not None:
            headers["Authorization"] = f"Bearer {key}"
        if body is not None:
            headers["Content-Type"] = "application/json"
        return await self._open_session().request(
            method, self.app.url + path, data=body, headers=headers, allow_redirects=False
        )

    def _open_session(self) -> aiohttp.ClientSession:
        if self._closed:
            raise self._shut_down()
        if self._session is None:
            self._session = app_session(self._connect_s)
        return self._session

    @contextmanager
    def _errors(self, timeout_text: str = "it took too long") -> Iterator[None]:
        try:
            yield
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            if self._closed:
                raise self._shut_down() from exc
            if _is_crash(exc):
                raise crashed() from exc
            raise as_adapter_error(exc, self.app, timeout_text) from exc

    def _shut_down(self) -> EngineUnavailable:
        return EngineUnavailable(
            f"Farmhand is shutting its connection to {self.app.name} down; try again later."
        )


def _is_crash(exc: Exception) -> bool:
    """The connection stood, and ended where an answer was due. One that could not be made is an app that is closed."""
    if isinstance(exc, aiohttp.ClientConnectorError | TimeoutError):
        return False
    return isinstance(exc, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError | ConnectionError)


async def _records(response: aiohttp.ClientResponse) -> AsyncGenerator[list[Record], None]:
    if response.content_type != "text/event-stream":
        raise UpstreamProtocol(
            f"LocalLLM answered a request for a stream with {response.content_type[:40]}. "
            "This build of the app may be unknown to Farmhand; set stream = \"never\" for it."
        )
    decoder = FrameDecoder()
    try:
        while not decoder.done and (data := await response.content.readany()):
            records = decoder.feed(data)
            refusal = next((record for record in records if isinstance(record, Refusal)), None)
            # Text may have come together with the error that ends it; the client gets it, and whoever goes on begins behind it.
            yield records if refusal is None else records[: records.index(refusal)]
            if refusal is not None:
                raise Refused(refusal)
    except (aiohttp.ClientError, OSError) as exc:
        # The app cuts its chunked body when it fails in the middle (8.5); a crash looks the same.
        raise cut_stream() from exc
    if not decoder.complete:
        raise cut_stream()


async def _whole_body(response: aiohttp.ClientResponse) -> bytes:
    data = bytearray()
    while new := await response.content.readany():
        data += new
        if len(data) > MAX_PLAIN_BYTES:
            raise UpstreamProtocol(f"LocalLLM sent an answer of more than {MAX_PLAIN_BYTES} bytes.")
    return bytes(data)


def _json(data: bytes, app: App) -> object:
    try:
        value: object = json.loads(data)
    except (ValueError, RecursionError):
        raise UpstreamProtocol(
            f"{app.name} at {app.url} sent something that is not JSON: {data[:SHOWN_BYTES]!r}. "
            "Is it the app that listens there?"
        ) from None
    return value
