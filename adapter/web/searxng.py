"""SearXNG's JSON: what it is asked, and what it answers. Pure.

Its form: docs.searxng.org/dev/search_api. A format that its settings do not name is a 403; an empty query a 400; `unresponsive_engines` is a list of
pairs; `content` may be null or missing; the same page may come from several engines.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from html import unescape
from typing import Any
from urllib.parse import urlsplit

from adapter.dialects.openai_values import whole_text
from adapter.web.query import Found, Result, SearchRequest

MAX_TITLE_CHARS = 300
MAX_URL_CHARS = 4_096
MAX_ENGINES = 20


def params_of(query: str, asked: SearchRequest) -> dict[str, str]:
    """The query string of `GET /search`. Domains are put into the words, as the engines behind it understand them."""
    words = [query]
    if len(asked.domains) == 1:
        words.append(f"site:{asked.domains[0]}")
    elif asked.domains:
        words.append("(" + " OR ".join(f"site:{name}" for name in asked.domains) + ")")
    words += [f"-site:{name}" for name in asked.not_domains]
    params = {"q": " ".join(words), "format": "json"}
    if asked.language:
        params["language"] = asked.language
    if asked.time_range:
        params["time_range"] = asked.time_range
    return params


def found_in(answers: Sequence[Mapping[str, Any]], asked: SearchRequest) -> Found:
    """One answer for each query -> one list, the best of each first. Engines that do not know `site:` are seen to here."""
    lists: list[list[Result]] = []
    skipped = 0
    unresponsive: dict[str, str] = {}
    for answer in answers:
        kept, bad = _results(answer, asked)
        lists.append(kept)
        skipped += bad
        unresponsive.update(_unresponsive(answer))
    results: dict[str, Result] = {}
    for place in range(max((len(each) for each in lists), default=0)):
        for each in lists:
            if place < len(each):
                results.setdefault(_same(each[place].url), each[place])
    return Found(tuple(results.values())[: asked.max_results], skipped, tuple(unresponsive.items())[:MAX_ENGINES])


def _results(answer: Mapping[str, Any], asked: SearchRequest) -> tuple[list[Result], int]:
    entries = answer.get("results")
    kept, bad = [], 0
    for entry in entries if isinstance(entries, list) else ():
        result = _result(entry, asked.snippet_chars)
        if result is None:
            bad += 1
        elif _wanted(result.url, asked):
            kept.append(result)
    return kept, bad


def _result(entry: object, snippet_chars: int) -> Result | None:
    if not isinstance(entry, dict):
        return None
    url = entry.get("url")
    if not isinstance(url, str) or len(url) > MAX_URL_CHARS or not url.startswith(("http://", "https://")):
        return None
    date = entry.get("publishedDate") or entry.get("pubdate")
    return Result(
        title=_words(entry.get("title"), MAX_TITLE_CHARS) or url,
        url=whole_text(url),
        snippet=_words(entry.get("content"), snippet_chars),
        date=whole_text(date)[:40] if isinstance(date, str) else None,
    )


def _words(value: object, limit: int) -> str:
    """Text on one line, without the marks that some engines leave in it."""
    if not isinstance(value, str):
        return ""
    text = unescape(re.sub(r"<[^<>]{1,200}>", "", value[: 4 * limit + 1_000]))
    return _cut(" ".join(whole_text(text).split()), limit)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: max(1, limit - 1)].rstrip() + "…"


def _wanted(url: str, asked: SearchRequest) -> bool:
    try:
        host = (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return False
    if asked.domains and not any(_is_below(host, name) for name in asked.domains):
        return False
    return not any(_is_below(host, name) for name in asked.not_domains)


def _is_below(host: str, domain: str) -> bool:
    return host == domain or host.endswith(f".{domain}")


def _same(url: str) -> str:
    """What two spellings of one page's address have in common."""
    return url.partition("#")[0].removeprefix("https://").removeprefix("http://").removeprefix("www.").rstrip("/")


def _unresponsive(answer: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    entries = answer.get("unresponsive_engines")
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, list) and len(entry) == 2:
            yield str(entry[0])[:60], str(entry[1])[:120]
        elif isinstance(entry, str):
            yield entry[:60], "no answer"
