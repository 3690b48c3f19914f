"""The tools of `farmhand mcp`, without the protocol around them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from adapter.dialects.openai_parse import parse_chat
from adapter.errors import BadRequest
from adapter.settings import SearchSettings
from adapter.web.addresses import Allowed
from adapter.web.extract import Extractor
from adapter.web.fetch import Fetcher
from adapter.web.searcher import Searcher
from adapter.web.tools import FETCH, PLAIN_NAMES, SEARCH, Toolset
from tests.fakes.searxng import FakeSearxng, entry
from tests.fakes.website import Answer, Website, redirect

pytestmark = pytest.mark.usefixtures("never_blocking")


@asynccontextmanager
async def tools(search_url: str | None = None, allowed: Sequence[str] = ("127.0.0.1",)) -> AsyncIterator[Toolset]:
    made = Toolset(Fetcher(Allowed.parse(allowed)), Searcher(SearchSettings(url=search_url)), Extractor([]))
    try:
        yield made
    finally:
        await made.close()


async def failed(made: Toolset, name: str, arguments: Mapping[str, Any]) -> str:
    said = await made.call(name, arguments)
    assert said.failed
    return said.text


async def test_a_page_with_title_address_and_clean_text() -> None:
    async with Website() as site, tools() as made:
        said = await made.call("web.fetch", {"url": site.url + "/moved"})
    assert not said.failed
    head, _, text = said.text.partition("\n\n")
    assert head == f"Title: The farm & the hand\nURL: {site.url}/article"
    assert text.startswith("# A day on the farm\n\nPart 1. The farmhand feeds") and text.endswith("- oats\n\n- hay")
    assert "Log in" not in text and "hidden" not in text


async def test_paging_gives_the_whole_text_and_fetches_once() -> None:
    async with Website() as site, tools() as made:
        whole = (await made.call("web.fetch", {"url": site.url + "/article"})).text.partition("\n\n")[2]
        got, offset = "", 0
        while offset < len(whole):
            said = await made.call("web_fetch", {"url": site.url + "/article", "max_chars": 1_000, "offset": offset})
            head, _, text = said.text.partition("\n\n")
            end = min(offset + 1_000, len(whole))
            assert f"Characters {offset} to {end} of {len(whole)}" in head
            assert ("call again with offset" in head) is (end < len(whole))
            got, offset = got + text, end
        assert got == whole and len(whole) > 2_000
        assert [request for request, _ in site.seen] == ["GET /article"] * 2, "the first piece looks anew, the others read on"
        assert "is beyond its end" in await failed(made, "web.fetch", {"url": site.url + "/article", "offset": 10_000_000})


async def test_raw_is_the_source() -> None:
    async with Website() as site, tools() as made:
        said = await made.call("web.fetch", {"url": site.url + "/article", "raw": True, "max_chars": 100})
    assert said.text.partition("\n\n")[2].startswith("<!doctype html>")


async def test_pages_without_text_and_pages_that_are_cut() -> None:
    async with Website() as site, tools() as made:
        assert "The page has no text" in (await made.call("web.fetch", {"url": site.url + "/empty"})).text
        assert "its end was cut off" in (await made.call("web.fetch", {"url": site.url + "/huge"})).text
        site.pages["/shell"] = Answer(b"<title>App</title><div id=root></div><script>go()</script>")
        assert "Title: App" in (await made.call("web.fetch", {"url": site.url + "/shell"})).text


async def test_what_is_no_character_is_replaced() -> None:
    """A lone surrogate, as a byte of a header becomes one, cannot be written as JSON: the MCP library's server ended over it."""
    odd = entry("a\ud800", "https://example.org/\ud83d")
    async with FakeSearxng([odd], unresponsive=[["b\udc00", "why"]]) as searxng, Website() as site, tools(searxng.url) as made:
        site.pages["/odd"] = redirect("http://example.org/\xff")
        texts = [(await made.call("search.web", {"query": "x"})).text, await failed(made, "web.fetch", {"url": site.url + "/odd"})]
    for text in texts:
        text.encode()
        assert "\ufffd" in text


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("web.fetch", {}, "'url' is missing"),
        ("web.fetch", {"url": 5}, "'url' must be a string"),
        ("web.fetch", {"url": "nowhere"}, "Only http"),
        ("web.fetch", {"url": "http://10.0.0.1/"}, "not on the public internet"),
        ("web.fetch", {"url": "http://x.example/", "max_chars": 5}, "'max_chars' must be from 100"),
        ("web.fetch", {"url": "http://x.example/", "offset": -1}, "'offset' must be from 0"),
        ("web.fetch", {"url": "http://x.example/", "raw": "yes"}, "'raw' must be true or false"),
        ("web.fetch", {"url": "http://x.example/", "start_index": 5}, "no argument 'start_index'; it has url, max_chars, offset, raw"),
        ("search.web", {}, "'query' is missing"),
        ("search.web", {"query": "x", "max_results": 50}, "from 1 to 20"),
        ("search.web", {"query": "x"}, "No web search is set up"),
        ("search.web", {"query": "x", "country": "us"}, "no argument 'country'"),
        ("shell.run", {"command": "ls"}, "There is no tool 'shell.run'; there are web.fetch and search.web"),
    ],
)
async def test_what_goes_wrong_is_said(name: str, arguments: dict[str, Any], said: str) -> None:
    async with tools() as made:
        assert said in await failed(made, name, arguments)


async def test_a_search() -> None:
    async with FakeSearxng(unresponsive=[["brave", "timeout"]]) as searxng, tools(searxng.url) as made:
        said = await made.call("search_web", {"query": "farm", "max_results": 2})
    assert said.text == (
        "1. Farm - Wikipedia (2024-05-01)\n   https://en.wikipedia.org/wiki/Farm\n   A farm is an area of land & more.\n"
        "2. Farming news (2024-06-02)\n   https://news.example.org/farming\n\nNo answer from: brave (timeout)"
    )
    async with FakeSearxng([]) as searxng, tools(searxng.url) as made:
        assert (await made.call("search.web", {"query": "zzz"})).text == "Nothing was found."
    async with FakeSearxng(quirks={"html_only"}) as searxng, tools(searxng.url) as made:
        assert "formats: [html, json]" in await failed(made, "search.web", {"query": "farm"})


@pytest.mark.parametrize(("names", "taken"), [([*PLAIN_NAMES], True), ([FETCH.name, SEARCH.name], False)])
def test_an_openai_server_takes_the_plain_names_only(names: list[str], taken: bool) -> None:
    """Why they are the ones listed: clients hand names on as they are, and OpenAI's rule knows no dots."""
    tools = [{"type": "function", "function": {"name": name, "parameters": FETCH.schema}} for name in names]
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "tools": tools}
    if taken:
        parse_chat(body, max_messages=4, hops=())
    else:
        with pytest.raises(BadRequest, match="name"):
            parse_chat(body, max_messages=4, hops=())


def test_the_schemas_say_what_is_checked() -> None:
    assert set(PLAIN_NAMES.values()) == {FETCH.name, SEARCH.name}
    for tool in (FETCH, SEARCH):
        assert tool.schema["additionalProperties"] is False
        assert set(tool.schema["required"]) <= tool.schema["properties"].keys()
