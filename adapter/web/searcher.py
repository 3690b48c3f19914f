"""Searches by a SearXNG: one session, made when it is needed first, and every trouble made into an error that says what to do."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import aiohttp

from adapter.errors import (
    AdapterError,
    BadRequest,
    EngineUnavailable,
    NotCapable,
    UpstreamProtocol,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from adapter.settings import SearchSettings
from adapter.web.inflate import ACCEPTED
from adapter.web.query import Found, SearchRequest
from adapter.web.reading import Unreadable, read_bounded
from adapter.web.searxng import found_in, params_of

MAX_ANSWER_BYTES = 4 << 20
# Of one request's queries; SearXNG asks several engines for each, which take that ill from a private address.
AT_ONCE = 2
CONNECT_S = 10.0
SHOWN_CHARS = 120
MAX_RETRY_S = 3_600


class Searcher:
    """`close` may be called twice; afterwards every search raises `EngineUnavailable`."""

    def __init__(self, settings: SearchSettings) -> None:
        self._settings = settings
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    @property
    def configured(self) -> bool:
        return self._settings.url is not None

    async def search(self, asked: SearchRequest) -> Found:
        """Raises `NotCapable` where no SearXNG is set; `UpstreamUnreachable`, `UpstreamTimeout`, `UpstreamRefused`, `UpstreamProtocol`,
        `EngineUnavailable`. All queries together take `timeout_s` at most. Cancelling closes the connections."""
        url = self._settings.url
        if url is None:
            raise NotCapable(
                'No web search is set up here: put url = "http://..." of a SearXNG into [search] of the configuration, and restart Farmhand.'
            )
        named = _without_password(url)
        free = asyncio.Semaphore(AT_ONCE)
        try:
            async with asyncio.timeout(self._settings.timeout_s), asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._one(url, named, params_of(query, asked), free)) for query in asked.queries]
        except TimeoutError:
            raise UpstreamTimeout(
                f"SearXNG at {named} gave no answer within {self._settings.timeout_s:g} s ([search] timeout_s); some of its engines may be slow."
            ) from None
        except BaseExceptionGroup as failed:
            raise _first(failed) from None
        return found_in([task.result() for task in tasks], asked)

    async def close(self) -> None:
        self._closed = True
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _one(self, url: str, named: str, params: dict[str, str], free: asyncio.Semaphore) -> dict[str, Any]:
        """named: what errors call it."""
        async with free:
            try:
                async with self._open().get(f"{url}/search", params=params, allow_redirects=False) as response:
                    body, cut = await read_bounded(response, MAX_ANSWER_BYTES)
                    return _answer(response, body, cut, named)
            except aiohttp.ConnectionTimeoutError:
                raise UpstreamUnreachable(f"SearXNG does not answer at {named}: nothing there takes connections. {_REMEDY}") from None
            except Unreadable as exc:
                raise UpstreamProtocol(f"The answer of SearXNG at {named} cannot be read: {exc}.") from None
            except (aiohttp.ClientError, OSError) as exc:
                if isinstance(exc, TimeoutError):
                    raise
                raise _as_error(exc, named) from None

    def _open(self) -> aiohttp.ClientSession:
        if self._closed:
            raise EngineUnavailable("Farmhand is stopping; try again when it is back.", retry_after_s=10)
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=16),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": "Farmhand", "Accept": "application/json", "Accept-Encoding": ACCEPTED},
                auto_decompress=False,
                trust_env=False,
            )
        return self._session


_REMEDY = "Is it running, is there a network, and is [search] url right?"


def _without_password(url: str) -> str:
    """For messages, which any client may read."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _first(failed: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error of a query that failed; what is a fault of ours before it, so that it is seen."""
    found = [exc for exc in failed.exceptions if not isinstance(exc, AdapterError)]
    return (found or list(failed.exceptions))[0]


def _answer(response: aiohttp.ClientResponse, body: bytes, cut: bool, url: str) -> dict[str, Any]:
    if response.status != 200:
        raise _refusal(response, body, url)
    if cut:
        raise UpstreamProtocol(f"The answer of SearXNG at {url} is larger than {MAX_ANSWER_BYTES >> 20} MiB.")
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise UpstreamProtocol(
            f"What answers at {url} sent no JSON but {_shown(body)!r}. Is [search] url that of a SearXNG?"
        ) from None
    if not isinstance(value, dict) or not isinstance(value.get("results"), list):
        said = value.get("error") if isinstance(value, dict) else None
        raise UpstreamProtocol(f"What answers at {url} sent JSON without results" + (f": {str(said)[:SHOWN_CHARS]}" if said else "") + ".")
    return value


def _refusal(response: aiohttp.ClientResponse, body: bytes, url: str) -> AdapterError:
    match response.status:
        case 403:
            return UpstreamRefused(
                f"SearXNG at {url} refuses (403). Usually JSON is not among its formats: in its settings.yml set search: formats: [html, json], and "
                "restart it."
            )
        case 401 | 407:
            return UpstreamRefused(f"What stands before SearXNG at {url} wants a password ({response.status}); search needs an address without one.")
        case 429:
            return EngineUnavailable(
                f"SearXNG at {url} says that it was asked too often (429). If it is your own, turn its limiter off (server: limiter: false) or let "
                "this machine pass.",
                retry_after_s=_retry_after(response),
            )
        case 301 | 302 | 303 | 307 | 308:
            where = response.headers.get("Location", "another place")[:200]
            return UpstreamRefused(f"SearXNG at {url} sends us on to {where}; set [search] url to where it really answers.")
        case 404:
            return UpstreamRefused(f"There is no /search at {url} (404). Is [search] url that of a SearXNG, with the path it lies under?")
        case 400:
            return BadRequest(f"SearXNG does not take this search: {_said(body)}", param="query")
        case status if status >= 500:
            return EngineUnavailable(f"SearXNG at {url} failed ({status}): {_said(body)}", retry_after_s=_retry_after(response))
        case status:
            return UpstreamProtocol(f"SearXNG at {url} answered {status}: {_said(body)}")


def _retry_after(response: aiohttp.ClientResponse) -> int:
    text = response.headers.get("Retry-After", "")
    return min(int(text), MAX_RETRY_S) if text.isdecimal() and len(text) < 8 else 30


def _said(body: bytes) -> str:
    """Its own words: of `{"error": ...}`, or of an HTML page."""
    try:
        value = json.loads(body)
        if isinstance(value, dict) and isinstance(value.get("error"), str):
            return str(value["error"])[:SHOWN_CHARS]
    except (ValueError, RecursionError):
        pass
    return _shown(body) or "without a word"


def _shown(body: bytes) -> str:
    text = re.sub(r"<[^<>]{1,300}>", " ", body[:4_000].decode("utf-8", "replace"))
    return " ".join(text.split())[:SHOWN_CHARS]


def _as_error(exc: Exception, url: str) -> AdapterError:
    match exc:
        case aiohttp.ClientConnectorDNSError():
            why = "there is no machine of that name, or no network"
        case aiohttp.ClientSSLError():
            why = "its certificate is not accepted"
        case aiohttp.ClientConnectorError():
            why = f"nothing listens there ({exc.os_error.strerror or 'no connection'})"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError() | aiohttp.ClientPayloadError():
            why = "it closed the connection in the middle"
        case _:
            return UpstreamProtocol(f"What answers at {url} does not speak HTTP as expected ({type(exc).__name__}).")
    return UpstreamUnreachable(f"SearXNG does not answer at {url}: {why}. {_REMEDY}")
