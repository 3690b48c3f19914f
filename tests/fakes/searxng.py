"""SearXNG as its JSON API behaves, its quirks included (docs.searxng.org/dev/search_api, and `searx/webapp.py`).

It answers `GET /search`: 403 with an HTML page for a format that its settings do not name, 400 with JSON for no query, a redirect for a `!!bang`, 429 from
its limiter, and on order whatever may stand before it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Sequence
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from aiohttp import web

QUIRKS = {
    "html_only": "`search.formats` is [html], as SearXNG is delivered: 403, as an HTML page",
    "limiter": "its limiter is on: 429, in plain text",
    "limiter_retry": "the same with Retry-After: 7, from a proxy before it",
    "broken": "500 with JSON {'error': 'search error'}",
    "gateway": "502 with nginx's HTML page",
    "html_200": "some other server: 200 with an HTML page",
    "json_200": "some other server: JSON without results",
    "array_200": "some other server: a JSON array",
    "moved": "it sends http on to https",
    "password": "401 of a proxy before it",
    "not_there": "404: it lies under another path",
    "silent": "engines hang: no answer at all",
    "cut": "the connection breaks in the middle of the answer",
    "huge": "more than anybody wants to read",
    "gzip": "a proxy packs the answer",
    "teapot": "a status that nobody expects",
}
FORBIDDEN = (
    "<!doctype html>\n<html lang=en>\n<title>403 Forbidden</title>\n<h1>Forbidden</h1>\n<p>You don&#39;t have the permission to access the "
    "requested resource. It is either read-protected or not readable by the server.</p>\n"
)


def entry(title: str, url: str, content: str | None = "", **more: Any) -> dict[str, Any]:
    """One result with the keys that SearXNG gives it."""
    parts = urlsplit(url)
    return {
        "url": url, "title": title, "content": content, "publishedDate": None, "thumbnail": "", "engine": "duckduckgo", "template": "default.html",
        "parsed_url": [parts.scheme, parts.netloc, parts.path, "", parts.query, parts.fragment], "img_src": "", "priority": "",
        "engines": ["duckduckgo", "brave"], "positions": [1], "score": 1.0, "category": "general", **more,
    }  # fmt: skip


USUAL = (
    entry("Farm - Wikipedia", "https://en.wikipedia.org/wiki/Farm", "A <b>farm</b> is an area of land &amp; more.", publishedDate="2024-05-01T00:00:00"),
    entry("Farming news", "https://news.example.org/farming", None, pubdate="2024-06-02 08:00:00"),
    entry("Farm - Wikipedia", "http://www.en.wikipedia.org/wiki/Farm#History", "The same page."),
    entry("", "https://example.com/untitled", "No title."),
    entry("Farm tools", "https://tools.example.com/a", "Spades."),
)


class FakeSearxng:
    """seen: the query of every request. results: for every query. unresponsive: as it reports them."""

    def __init__(self, results: Sequence[Any] = USUAL, *, quirks: Collection[str] = (), unresponsive: Sequence[Any] = ()) -> None:
        assert set(quirks) <= QUIRKS.keys()
        self.results, self.quirks, self.unresponsive = list(results), set(quirks), list(unresponsive)
        self.seen: list[dict[str, str]] = []
        self.asked = asyncio.Event()
        self.left = asyncio.Event()
        self.url = ""
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/search", self._search)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _search(self, request: web.Request) -> web.StreamResponse:
        asked = dict(request.query)
        self.seen.append(asked)
        self.asked.set()
        if (early := await self._trouble(request)) is not None:
            return early
        if asked.get("format") != "json":
            return web.Response(text="<!doctype html><title>SearXNG</title>", content_type="text/html")
        if not asked.get("q"):
            return web.json_response({"error": "No query"}, status=400)
        if "!!" in asked["q"]:
            raise web.HTTPFound("https://www.google.com/search?q=x")
        if asked.get("language", "en").count("-") > 1:
            return web.json_response({"error": "Invalid value \"x\" for parameter language"}, status=400)
        response = web.json_response(self.answer(asked["q"]))
        if "gzip" in self.quirks:
            response.enable_compression(web.ContentCoding.gzip)
        return response

    def answer(self, query: str) -> dict[str, Any]:
        return {
            "query": query, "number_of_results": 0, "results": self.results, "answers": [], "corrections": [], "infoboxes": [], "suggestions": [],
            "unresponsive_engines": self.unresponsive,
        }  # fmt: skip

    async def _trouble(self, request: web.Request) -> web.StreamResponse | None:
        quirks = self.quirks
        if "html_only" in quirks:
            return web.Response(status=403, text=FORBIDDEN, content_type="text/html")
        if quirks & {"limiter", "limiter_retry"}:
            return web.Response(status=429, text="IP limit", headers={"Retry-After": "7"} if "limiter_retry" in quirks else {})
        if "silent" in quirks:
            try:
                await asyncio.Event().wait()
            finally:
                self.left.set()
        if "cut" in quirks:
            response = web.StreamResponse(headers={"Content-Length": "5000", "Content-Type": "application/json"})
            await response.prepare(request)
            await response.write(b'{"results": [')
            assert request.transport is not None
            request.transport.abort()
            return response
        for name, answer in _PLAIN.items():
            if name in quirks:
                status, text, content_type, headers = answer
                return web.Response(status=status, text=text, content_type=content_type, headers=headers)
        return None


_PLAIN: dict[str, tuple[int, str, str, dict[str, str]]] = {
    "broken": (500, json.dumps({"error": "search error"}), "application/json", {}),
    "gateway": (502, "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>", "text/html", {}),
    "html_200": (200, "<html><body>Welcome to nginx!</body></html>", "text/html", {}),
    "json_200": (200, json.dumps({"error": "who are you?"}), "application/json", {}),
    "array_200": (200, "[]", "application/json", {}),
    "moved": (301, "", "text/html", {"Location": "https://search.example.org/search"}),
    "password": (401, "", "text/html", {"WWW-Authenticate": "Basic"}),
    "not_there": (404, "<h1>Not Found</h1>", "text/html", {}),
    "huge": (200, '{"results": [' + " " * (5 << 20) + "]}", "application/json", {}),
    "teapot": (418, "I'm a teapot", "text/plain", {}),
}
