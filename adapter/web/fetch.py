"""One page, fetched within limits.

robots.txt is not read: a page is fetched because a person's agent asked for this one, as a browser would, and nothing is crawled. The User-Agent
names Farmhand, so that a site that does not want it can say so with a 403. No cookies, no credentials, no proxy of the environment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message

import aiohttp

from adapter.web.addresses import Allowed
from adapter.web.connecting import guarded_connector, sentence_of
from adapter.web.inflate import ACCEPTED
from adapter.web.reading import Unreadable, read_bounded
from adapter.web.refused import Refused
from adapter.web.urls import PageUrl, parse_url

HEADERS = {
    "User-Agent": "Mozilla/5.0 (compatible; Farmhand; fetches single pages for an agent)",
    "Accept": "text/html,application/xhtml+xml,text/plain,application/json,application/xml;q=0.9,text/*;q=0.8,*/*;q=0.1",
    "Accept-Encoding": ACCEPTED,
    "Accept-Language": "en,*;q=0.5",
}
REDIRECTS = frozenset({301, 302, 303, 307, 308})
SNIFFED_BYTES = 1_024


@dataclass(frozen=True, slots=True)
class Limits:
    """max_bytes: of a page, unpacked; what is beyond is cut off. Times in seconds: for everything together, to connect, between two pieces."""

    max_bytes: int = 5_000_000
    total_s: float = 30.0
    connect_s: float = 10.0
    idle_s: float = 10.0
    max_redirects: int = 5


@dataclass(frozen=True, slots=True)
class Fetched:
    """url: where it was found in the end. kind: "html", "text", "json" or "xml". cut: there was more than the limit."""

    url: str
    kind: str
    charset: str | None
    body: bytes
    cut: bool


class Fetcher:
    """Nothing is opened before the first page; `close` may be called twice. connector: for tests."""

    def __init__(
        self, allowed: Allowed, limits: Limits | None = None, connector: Callable[[], aiohttp.BaseConnector] | None = None
    ) -> None:
        self._allowed = allowed
        self._limits = limits or Limits()
        self._connector = connector or (lambda: guarded_connector(allowed))
        self._session: aiohttp.ClientSession | None = None

    async def fetch(self, url: str) -> Fetched:
        """Raises `Refused` with a sentence for whatever goes wrong. Cancelling closes the connection."""
        limits = self._limits
        try:
            async with asyncio.timeout(limits.total_s):
                return await self._follow(parse_url(url, self._allowed))
        except aiohttp.ServerTimeoutError as exc:  # a TimeoutError as well
            what = "takes no connections" if isinstance(exc, aiohttp.ConnectionTimeoutError) else f"sent nothing for {limits.idle_s:g} s"
            raise Refused(f"{url[:200]} {what}; try again later.") from None
        except TimeoutError:
            raise Refused(f"{url[:200]} took more than {limits.total_s:g} s; try again later.") from None
        except (aiohttp.ClientError, OSError, ValueError) as exc:  # ValueError: yarl about a host that is no name
            raise Refused(sentence_of(exc) or f"{url[:200]} cannot be fetched: {_cause(exc)}.") from None

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _follow(self, page: PageUrl) -> Fetched:
        start = page.url
        for _ in range(self._limits.max_redirects + 1):
            async with self._open().get(page.url, headers=HEADERS, allow_redirects=False) as response:
                location = response.headers.get("Location")
                if response.status not in REDIRECTS or not location:
                    return await self._read(page, response)
            try:
                page = parse_url(location, self._allowed, base=page.url)
            except Refused as exc:
                raise Refused(f"{start[:200]} leads to {location[:200]}. {exc}") from None
        raise Refused(f"{start[:200]} leads from one address to the next more than {self._limits.max_redirects} times.")

    async def _read(self, page: PageUrl, response: aiohttp.ClientResponse) -> Fetched:
        if not 200 <= response.status < 300:
            reason = f" {response.reason}" if response.reason else ""
            raise Refused(f"{page.url[:200]} answered {response.status}{reason[:60]}.")
        kind, charset = kind_of_content(response.headers.get("Content-Type", ""))
        try:
            body, cut = await read_bounded(response, self._limits.max_bytes)
        except Unreadable as exc:
            raise Refused(f"{page.url[:200]} cannot be read: {exc}.") from None
        return Fetched(page.url, kind or sniffed(body), charset, body, cut)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            limits = self._limits
            self._session = aiohttp.ClientSession(
                connector=self._connector(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=limits.connect_s, sock_read=limits.idle_s),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
            )
        return self._session


def kind_of_content(header: str) -> tuple[str | None, str | None]:
    """A Content-Type header -> (kind, charset); kind `None` where it does not tell. Raises `Refused` for what is no text."""
    message = Message()
    message["Content-Type"] = header.encode("ascii", "replace").decode() or "application/octet-stream"
    media, label = message.get_content_type(), _charset_of(message)
    if media in ("text/html", "application/xhtml+xml"):
        return "html", label
    if media == "application/json" or media.endswith("+json"):
        return "json", label
    if media in ("application/xml", "text/xml") or media.endswith("+xml"):
        return "xml", label
    if media.startswith("text/"):
        return "text", label
    if not header:
        return None, None
    if media == "application/pdf":
        raise Refused("That is a PDF, which is not read here; look for the same as a web page.")
    raise Refused(f"That is {media[:60]}, not a page of text; only HTML, text, JSON and XML are read.")


def _charset_of(message: Message) -> str | None:
    try:
        charset = message.get_param("charset")
    except (TypeError, ValueError):  # pieces of it that contradict each other: `charset*=a; charset*0=b`
        return None
    return charset if isinstance(charset, str) else None


def sniffed(body: bytes) -> str:
    """The kind of a page that does not say what it is. Raises `Refused` for what is no text."""
    start = body[:SNIFFED_BYTES].lstrip()
    if start.startswith(b"%PDF-"):
        raise Refused("That is a PDF, which is not read here; look for the same as a web page.")
    if b"\0" in start and not start.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Refused("That is no text, and it does not say what it is; only HTML, text, JSON and XML are read.")
    return "html" if start.startswith(b"<") else "text"


def _cause(exc: BaseException) -> str:
    match exc:
        case aiohttp.ClientConnectorDNSError():
            return "there is no machine of that name, or no network"
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError():
            return "its certificate or encryption is not accepted"
        case aiohttp.ClientConnectorError():
            return f"nothing answers there ({exc.os_error.strerror or 'no connection'})"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientPayloadError() | aiohttp.ClientOSError():
            return "it closed the connection in the middle"
        case aiohttp.InvalidURL() | ValueError():
            return "that is not a URL"
        case _:
            return f"it does not speak HTTP as expected ({type(exc).__name__})"
