"""A search as LiteLLM's and Perplexity's clients ask for it: the body -> our words, and results -> their JSON. Pure.

Witness of both forms: litellm 1.106.2, `litellm/proxy/search_endpoints/endpoints.py` and `litellm/llms/perplexity/search/transformation.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from adapter.dialects.openai_request import bounded_names, given_fields
from adapter.dialects.openai_values import integer, whole_text, wrong_type
from adapter.errors import BadRequest
from adapter.web.countries import language_of

# What a search may be called. There is one behind both names.
TOOLS = ("searxng", "web")
MAX_RESULTS = 20
DEFAULT_RESULTS = 10
MAX_QUERIES = 5
MAX_QUERY_CHARS = 1_000
MAX_DOMAINS = 20
MAX_DOMAIN_CHARS = 255
MAX_PAGE_TOKENS = 100_000
DEFAULT_PAGE_TOKENS = 1_024
CHARS_A_TOKEN = 4

# Perplexity's words that SearXNG knows as well.
RECENCY = ("day", "week", "month", "year")
_HONOURED = frozenset(
    {"query", "max_results", "search_domain_filter", "max_tokens_per_page", "country", "search_recency_filter", "search_tool_name", "model"}
)
_DOMAIN = re.compile(r"-?(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}\.?")


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """queries: at least one. domains, not_domains: results are from one of the former (all, if empty), and from none of the latter.
    language: SearXNG's word, or `None` for its own choice. snippet_chars: how long a snippet may be. ignored: fields without effect."""

    queries: tuple[str, ...]
    max_results: int = DEFAULT_RESULTS
    domains: tuple[str, ...] = ()
    not_domains: tuple[str, ...] = ()
    language: str | None = None
    time_range: str | None = None
    snippet_chars: int = DEFAULT_PAGE_TOKENS * CHARS_A_TOKEN
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """date: as the search engine wrote it, `None` where it did not."""

    title: str
    url: str
    snippet: str
    date: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """skipped: how many entries were no results. unresponsive: (engine, why) of those that SearXNG asked in vain."""

    results: tuple[Result, ...]
    skipped: int = 0
    unresponsive: tuple[tuple[str, str], ...] = field(default=())


def check_tool(name: str) -> None:
    """A wrong name is a 400: behind LiteLLM a 404 would shut things off for everybody (`protocols/clients.md` 9.3)."""
    if name not in TOOLS:
        raise BadRequest(f"There is no search {name[:60]!r}; use {' or '.join(TOOLS)}, as in POST /v1/search/web.", param="search_tool_name")


def tool_of(body: Mapping[str, Any]) -> str:
    """`search_tool_name`, as LiteLLM takes it where the path names none; Perplexity's clients name none at all."""
    value = body.get("search_tool_name") or "web"
    if not isinstance(value, str):
        raise wrong_type("search_tool_name", "a string", value)
    return value


def parse_search(body: Mapping[str, Any]) -> SearchRequest:
    """Raises `BadRequest` naming the field."""
    given = given_fields(body)
    ignored = [key for key in given if key not in _HONOURED]
    domains = _domains(given)
    country, recency = _word(given, "country"), _word(given, "search_recency_filter")
    language = language_of(country) if country else None
    if country and language is None:
        ignored.append("country")
    if recency and recency not in RECENCY:
        ignored.append("search_recency_filter")
    tokens = integer(given, "max_tokens_per_page", 1, MAX_PAGE_TOKENS) or DEFAULT_PAGE_TOKENS
    return SearchRequest(
        queries=_queries(given),
        max_results=integer(given, "max_results", 1, MAX_RESULTS) or DEFAULT_RESULTS,
        domains=tuple(name for name in domains if not name.startswith("-")),
        not_domains=tuple(name[1:] for name in domains if name.startswith("-")),
        language=language,
        time_range=recency if recency in RECENCY else None,
        snippet_chars=tokens * CHARS_A_TOKEN,
        ignored=bounded_names(ignored),
    )


def _queries(given: Mapping[str, Any]) -> tuple[str, ...]:
    value = given.get("query")
    if value is None:
        raise BadRequest("'query' is missing; send a string, or an array of strings.", param="query")
    if isinstance(value, str):
        return (_query(value, "query"),)
    if not isinstance(value, list):
        raise wrong_type("query", "a string or an array of strings", value)
    if not 1 <= len(value) <= MAX_QUERIES:
        raise BadRequest(f"'query' has {len(value)} texts; send 1 to {MAX_QUERIES}.", param="query")
    return tuple(dict.fromkeys(_query(entry, f"query[{index}]") for index, entry in enumerate(value)))


def _query(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise wrong_type(where, "a string", value)
    query = " ".join(whole_text(value).split())
    if not query:
        raise BadRequest(f"'{where}' is empty; send what to search for.", param="query")
    if len(query) > MAX_QUERY_CHARS:
        raise BadRequest(f"'{where}' has {len(query)} characters; at most {MAX_QUERY_CHARS} are possible.", param="query")
    # SearXNG answers these with a redirect to that site, not with results.
    if re.search(r"(?:^|\s)!!", query):
        raise BadRequest(f"'{where}' has a word that begins with '!!', which leaves SearXNG for another site; leave it out.", param="query")
    return query


def _domains(given: Mapping[str, Any]) -> list[str]:
    value = given.get("search_domain_filter", [])
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list):
        raise wrong_type("search_domain_filter", "an array of domains", value)
    if len(value) > MAX_DOMAINS:
        raise BadRequest(f"'search_domain_filter' has {len(value)} domains; at most {MAX_DOMAINS} are possible.", param="search_domain_filter")
    return [_domain(entry, f"search_domain_filter[{index}]") for index, entry in enumerate(value)]


def _domain(entry: object, where: str) -> str:
    if not isinstance(entry, str):
        raise wrong_type(where, "a string", entry)
    text = entry.strip().lower()
    sign = "-" if text.startswith("-") else ""
    name = sign + text.removeprefix("-").removeprefix("https://").removeprefix("http://").rstrip("/").removeprefix("www.")
    if len(name) > MAX_DOMAIN_CHARS or not _DOMAIN.fullmatch(name):
        raise BadRequest(f"'{where}' must be a domain such as \"example.org\", or \"-example.org\" to leave it out.", param="search_domain_filter")
    return name.rstrip(".")


def _word(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name, "")
    if not isinstance(value, str):
        raise wrong_type(name, "a string", value)
    return value.strip().lower()


# --- the answer -------------------------------------------------------------------------------------------------


def render_search(found: Found, asked: SearchRequest, *, tool: str) -> dict[str, Any]:
    """The whole body. What went wrong on the way, without being an error, is under `farmhand`."""
    extension: dict[str, Any] = {"engine": "searxng", "tool": tool}
    if asked.ignored:
        extension["ignored"] = list(asked.ignored)
    if found.skipped:
        extension["skipped"] = found.skipped
    if found.unresponsive:
        extension["unresponsive_engines"] = [{"engine": name, "reason": why} for name, why in found.unresponsive]
    return {"object": "search", "results": [_rendered(result) for result in found.results], "farmhand": extension}


def _rendered(result: Result) -> dict[str, Any]:
    # `last_updated` is Perplexity's; SearXNG does not know it.
    return {"title": result.title, "url": result.url, "snippet": result.snippet, "date": result.date, "last_updated": None}


def render_tools(*, configured: bool) -> dict[str, Any]:
    """`GET /v1/search/tools`, as LiteLLM lists them. Empty where no search is configured."""
    data = [{"search_tool_name": name, "search_provider": "searxng", "description": "The web, by the SearXNG of [search] url."} for name in TOOLS]
    return {"object": "list", "data": data if configured else []}


def text_list(results: Sequence[Result]) -> str:
    """For a model to read: numbered, with the URL on a line of its own."""
    lines = []
    for number, result in enumerate(results, 1):
        lines += [f"{number}. {result.title}" + (f" ({result.date[:10]})" if result.date else ""), f"   {result.url}"]
        if result.snippet:
            lines.append(f"   {result.snippet}")
    return "\n".join(lines)
