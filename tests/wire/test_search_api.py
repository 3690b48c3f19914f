"""`POST /v1/search/{tool}` of the real server over a SearXNG with all its quirks."""

from __future__ import annotations

import asyncio
import re
import socket
from typing import Any

import pytest

from tests.fakes.searxng import USUAL, FakeSearxng, entry
from tests.wire.server import RunningAdapter, running_adapter

pytestmark = pytest.mark.usefixtures("never_blocking")


async def post(adapter: RunningAdapter, body: dict[str, Any], path: str = "/v1/search/web") -> tuple[int, dict[str, Any]]:
    async with adapter.session.post(path, json=body) as response:
        return response.status, await response.json()


async def search(searxng: FakeSearxng, body: dict[str, Any], path: str = "/v1/search/web", **more: Any) -> tuple[int, dict[str, Any]]:
    async with running_adapter(search={"url": searxng.url, **more}) as adapter:
        return await post(adapter, body, path)


def error_of(answer: tuple[int, dict[str, Any]]) -> tuple[int, str, str | None, str]:
    status, body = answer
    assert body.keys() == {"error"}
    return status, body["error"]["code"], body["error"]["param"], body["error"]["message"]


async def test_the_shape_that_litellm_has() -> None:
    async with FakeSearxng() as searxng:
        status, body = await search(searxng, {"query": "farm"})
    assert status == 200
    assert body == {
        "object": "search",
        "results": [
            {
                "title": "Farm - Wikipedia", "url": "https://en.wikipedia.org/wiki/Farm", "snippet": "A farm is an area of land & more.",
                "date": "2024-05-01T00:00:00", "last_updated": None,
            },
            {"title": "Farming news", "url": "https://news.example.org/farming", "snippet": "", "date": "2024-06-02 08:00:00", "last_updated": None},
            {"title": "https://example.com/untitled", "url": "https://example.com/untitled", "snippet": "No title.", "date": None, "last_updated": None},
            {"title": "Farm tools", "url": "https://tools.example.com/a", "snippet": "Spades.", "date": None, "last_updated": None},
        ],
        "farmhand": {"engine": "searxng", "tool": "web"},
    }  # fmt: skip
    assert searxng.seen == [{"q": "farm", "format": "json"}]


@pytest.mark.parametrize("path", ["/v1/search/searxng", "/search/web", "/v1/search", "/search"])
async def test_every_path(path: str) -> None:
    async with FakeSearxng() as searxng:
        status, body = await search(searxng, {"query": "farm", "max_results": 1}, path)
    assert status == 200 and len(body["results"]) == 1
    assert body["farmhand"]["tool"] == ("searxng" if path.endswith("searxng") else "web")


async def test_the_tools_are_listed_as_litellm_lists_them() -> None:
    async with running_adapter(search={"url": "http://127.0.0.1:9"}) as adapter, adapter.session.get("/v1/search/tools") as response:
        body = await response.json()
    assert [(tool["search_tool_name"], tool["search_provider"]) for tool in body["data"]] == [("searxng", "searxng"), ("web", "searxng")]
    async with running_adapter() as adapter, adapter.session.get("/v1/search/tools") as response:
        assert await response.json() == {"object": "list", "data": []}


@pytest.mark.parametrize(
    ("body", "asked"),
    [
        ({"search_domain_filter": ["https://www.Example.org/"]}, {"q": "farm site:example.org"}),
        ({"search_domain_filter": ["a.org", "b.org", "-c.org"]}, {"q": "farm (site:a.org OR site:b.org) -site:c.org"}),
        ({"search_domain_filter": ["-https://www.c.org/"]}, {"q": "farm -site:c.org"}),
        ({"country": "US"}, {"q": "farm", "language": "en-US"}),
        ({"country": "uk"}, {"q": "farm", "language": "en-GB"}),
        ({"country": "ch"}, {"q": "farm", "language": "de-CH"}),
        ({"country": "JP"}, {"q": "farm", "language": "ja-JP"}),
        ({"country": "pt-br"}, {"q": "farm", "language": "pt-BR"}),
        ({"search_recency_filter": "week"}, {"q": "farm", "time_range": "week"}),
        ({"query": "  two \n words ", "max_results": None}, {"q": "two words"}),
    ],
)
async def test_what_searxng_is_asked(body: dict[str, Any], asked: dict[str, str]) -> None:
    async with FakeSearxng() as searxng:
        status, answer = await search(searxng, {"query": "farm", **body})
    assert status == 200 and "ignored" not in answer["farmhand"]
    assert searxng.seen == [{**asked, "format": "json"}]


async def test_domains_hold_also_where_the_engines_do_not_know_them() -> None:
    async with FakeSearxng() as searxng:
        _, only = await search(searxng, {"query": "farm", "search_domain_filter": ["example.com"]})
        _, without = await search(searxng, {"query": "farm", "search_domain_filter": ["-example.com", "-wikipedia.org"]})
    assert [result["url"] for result in only["results"]] == ["https://example.com/untitled", "https://tools.example.com/a"]
    assert [result["url"] for result in without["results"]] == ["https://news.example.org/farming"]


async def test_several_queries_are_one_list_without_what_is_in_it_twice() -> None:
    async with FakeSearxng() as searxng:
        _, body = await search(searxng, {"query": ["farm", "hand", "farm"], "max_results": 20})
    assert sorted(asked["q"] for asked in searxng.seen) == ["farm", "hand"]
    assert len(body["results"]) == 4


async def test_bad_entries_silent_engines_and_ignored_fields_are_told() -> None:
    bad = [None, "x", {"title": "no url"}, entry("js", "javascript:alert(1)"), entry("long", "http://x.example/" + "y" * 5_000)]
    async with FakeSearxng([*bad, *USUAL], unresponsive=[["brave", "timeout"], ["qwant", "access denied"], "old", 7]) as searxng:
        status, body = await search(searxng, {"query": "farm", "country": "Atlantis", "search_mode": "academic", "return_images": True})
    assert status == 200 and len(body["results"]) == 4
    assert body["farmhand"] == {
        "engine": "searxng",
        "tool": "web",
        "ignored": ["search_mode", "return_images", "country"],
        "skipped": 5,
        "unresponsive_engines": [
            {"engine": "brave", "reason": "timeout"},
            {"engine": "qwant", "reason": "access denied"},
            {"engine": "old", "reason": "no answer"},
        ],
    }


async def test_snippets_are_cut_and_odd_text_is_sent() -> None:
    odd = entry("a\ud800b", "https://example.org/1", "word " * 1_000, publishedDate=12)
    async with FakeSearxng([odd]) as searxng:
        status, body = await search(searxng, {"query": "cut \ud83d emoji", "max_tokens_per_page": 10})
    assert status == 200
    assert body["results"][0]["title"] == "a\ufffdb" and body["results"][0]["date"] is None
    assert body["results"][0]["snippet"] == "word word word word word word word word…"[:40]


async def test_nothing_found_is_an_empty_list() -> None:
    async with FakeSearxng([]) as searxng:
        status, body = await search(searxng, {"query": "zzz"})
    assert (status, body["results"]) == (200, [])


async def test_a_packed_answer_is_read() -> None:
    async with FakeSearxng(quirks={"gzip"}) as searxng:
        status, body = await search(searxng, {"query": "farm"})
    assert status == 200 and len(body["results"]) == 4


@pytest.mark.parametrize(
    ("body", "param", "said"),
    [
        ({}, "query", "'query' is missing"),
        ({"query": None}, "query", "'query' is missing"),
        ({"query": " "}, "query", "is empty"),
        ({"query": 7}, "query", "must be a string or an array"),
        ({"query": []}, "query", "send 1 to 5"),
        ({"query": ["a"] * 6}, "query", "send 1 to 5"),
        ({"query": ["a", 7]}, "query[1]", "must be a string"),
        ({"query": "x" * 1_001}, "query", "at most 1000"),
        ({"query": "!!g farm"}, "query", "leaves SearXNG"),
        ({"query": "x", "max_results": 0}, "max_results", "from 1 to 20"),
        ({"query": "x", "max_results": 21}, "max_results", "from 1 to 20"),
        ({"query": "x", "max_results": "5"}, "max_results", "a whole number|a number"),
        ({"query": "x", "max_tokens_per_page": 0}, "max_tokens_per_page", "from 1"),
        ({"query": "x", "search_domain_filter": {}}, "search_domain_filter", "an array of domains"),
        ({"query": "x", "search_domain_filter": ["a b"]}, "search_domain_filter", "must be a domain"),
        ({"query": "x", "search_domain_filter": ["a." * 200 + "org"]}, "search_domain_filter", "must be a domain"),
        ({"query": "x", "search_domain_filter": ["a.org"] * 21}, "search_domain_filter", "at most 20"),
        ({"query": "x", "country": 1}, "country", "must be a string"),
        ({"query": "x", "search_tool_name": 5}, "search_tool_name", "must be a string"),
        ({"query": "x", "search_tool_name": "tavily"}, "search_tool_name", "There is no search 'tavily'; use searxng or web"),
    ],
)
async def test_bad_requests_name_the_field(body: dict[str, Any], param: str, said: str) -> None:
    async with FakeSearxng() as searxng:
        status, code, named, message = error_of(await search(searxng, body, "/v1/search"))
    assert (status, code, named) == (400, "bad_request", param)
    assert re.search(said, message)
    assert searxng.seen == []


async def test_an_unknown_tool_is_no_404() -> None:
    async with running_adapter() as adapter:
        status, code, param, message = error_of(await post(adapter, {"query": "x"}, "/v1/search/brave"))
    assert (status, code, param) == (400, "bad_request", "search_tool_name") and "searxng or web" in message


async def test_without_a_searxng() -> None:
    async with running_adapter() as adapter:
        status, code, _, message = error_of(await post(adapter, {"query": "x"}))
    assert (status, code) == (400, "not_capable") and "[search]" in message and "url =" in message


async def test_a_key_without_the_scope() -> None:
    config: dict[str, Any] = {"key": [{"name": "embedder", "key": "sk-embed-only-1", "scope": ["embed"]}]}
    async with running_adapter(**config) as adapter:
        for path in ("/v1/search", "/v1/search/web"):
            async with adapter.session.post(path, json={"query": "x"}, headers={"Authorization": "Bearer sk-embed-only-1"}) as response:
                assert response.status == 403


@pytest.mark.parametrize(
    ("quirk", "status", "code", "said"),
    [
        ("html_only", 502, "upstream_refused", "formats: [html, json]"),
        ("limiter", 503, "engine_unavailable", "limiter: false"),
        ("broken", 503, "engine_unavailable", "failed (500): search error"),
        ("gateway", 503, "engine_unavailable", "failed (502): 502 Bad Gateway"),
        ("html_200", 502, "upstream_protocol", "sent no JSON but 'Welcome to nginx!'"),
        ("json_200", 502, "upstream_protocol", "without results: who are you?"),
        ("array_200", 502, "upstream_protocol", "without results"),
        ("moved", 502, "upstream_refused", "https://search.example.org/search"),
        ("password", 502, "upstream_refused", "wants a password"),
        ("not_there", 502, "upstream_refused", "no /search"),
        ("cut", 503, "upstream_unreachable", "in the middle"),
        ("huge", 502, "upstream_protocol", "larger than 4 MiB"),
        ("teapot", 502, "upstream_protocol", "answered 418: I'm a teapot"),
    ],
)
async def test_what_stands_in_the_way_is_told(quirk: str, status: int, code: str, said: str) -> None:
    async with FakeSearxng(quirks={quirk}) as searxng:
        got, named, _, message = error_of(await search(searxng, {"query": "farm"}))
    assert (got, named) == (status, code)
    assert said in message and searxng.url in message


@pytest.mark.parametrize(("quirk", "after"), [("limiter", "30"), ("limiter_retry", "7")])
async def test_the_limiter_s_pause_is_handed_on(quirk: str, after: str) -> None:
    async with (
        FakeSearxng(quirks={quirk}) as searxng,
        running_adapter(search={"url": searxng.url}) as adapter,
        adapter.session.post("/v1/search/web", json={"query": "farm"}) as response,
    ):
        assert response.status == 503 and response.headers["Retry-After"] == after


async def test_a_searxng_that_hangs_is_left_after_the_time() -> None:
    async with FakeSearxng(quirks={"silent"}) as searxng:
        status, code, _, message = error_of(await search(searxng, {"query": ["a", "b", "c"]}, timeout_s=0.5))
        async with asyncio.timeout(10):
            await searxng.left.wait()
    assert (status, code) == (504, "upstream_timeout") and "0.5 s" in message


async def test_nobody_at_the_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    async with running_adapter(search={"url": f"http://127.0.0.1:{port}"}) as adapter:
        status, code, _, message = error_of(await post(adapter, {"query": "x"}))
    assert (status, code) == (503, "upstream_unreachable")
    assert f"http://127.0.0.1:{port}: nothing listens there" in message and "[search] url" in message


async def test_a_password_in_the_address_is_used_and_not_told() -> None:
    async with FakeSearxng(quirks={"html_200"}) as searxng:
        url = searxng.url.replace("http://", "http://farm:secret@")
        async with running_adapter(search={"url": url}) as adapter:
            *_, message = error_of(await post(adapter, {"query": "x"}))
    assert searxng.seen and searxng.url in message and "secret" not in message
    async with running_adapter(search={"url": url}) as adapter:  # nobody is there any more
        *_, message = error_of(await post(adapter, {"query": "x"}))
    assert "nothing listens there" in message and "secret" not in message


async def test_no_network() -> None:
    """A name that cannot be looked up; `.invalid` never can (RFC 2606)."""
    async with running_adapter(search={"url": "http://searxng.invalid"}) as adapter:
        status, code, _, message = error_of(await post(adapter, {"query": "x"}))
    assert (status, code) == (503, "upstream_unreachable") and "no network" in message


async def test_a_client_that_leaves_ends_the_search() -> None:
    async with FakeSearxng(quirks={"silent"}) as searxng, running_adapter(search={"url": searxng.url, "timeout_s": 60}) as adapter:
        task = asyncio.create_task(post(adapter, {"query": "x"}))
        await searxng.asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(10):
            await searxng.left.wait()


async def test_one_connection_serves_many_searches_and_is_closed_with_the_server() -> None:
    from adapter.server.routes_search import SEARCHERS

    async with FakeSearxng() as searxng, running_adapter(search={"url": searxng.url}) as adapter:
        assert adapter.app[SEARCHERS] == []
        for _ in range(3):
            assert (await post(adapter, {"query": "x"}))[0] == 200
        (searcher,) = adapter.app[SEARCHERS]
        session = searcher._session
        assert session is not None and not session.closed
    assert session.closed
