"""`POST /v1/search/{tool}`: a search in the web, in LiteLLM's shape, by the SearXNG of `[search] url`.

`POST /v1/search` is the same for clients that name the tool in the body (LiteLLM's) or not at all (Perplexity's, and
`litellm.search(search_provider="perplexity", api_base=...)`). Only the search is done here; pages are fetched by `farmhand mcp`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from aiohttp import web

from adapter.server.bodies import json_body, json_response
from adapter.server.state import ANSWERS, SETTINGS

if TYPE_CHECKING:
    from adapter.web.searcher import Searcher

SEARCHERS: web.AppKey[list[Searcher]] = web.AppKey("searchers")


def add(router: web.UrlDispatcher, prefix: str) -> None:
    router.add_get(f"{prefix}/search/tools", list_tools, allow_head=False)
    router.add_post(f"{prefix}/search/{{tool}}", search)
    router.add_post(f"{prefix}/search", search)


async def searching(app: web.Application) -> AsyncIterator[None]:
    """For `cleanup_ctx`: closes what the first search opens, if there was one."""
    made = app[SEARCHERS] = []
    yield
    for searcher in made:
        await searcher.close()


async def search(request: web.Request) -> web.StreamResponse:
    """Raises what `Searcher.search` raises, and `BadRequest`."""
    # Imported here, as in `routes_other`: most phones are never asked to search.
    from adapter.web import query

    request.app[ANSWERS].refuse_if_stopping()
    named = request.match_info.get("tool")
    if named is not None:
        query.check_tool(named)
    body = await json_body(request)
    tool = named or query.tool_of(body)
    query.check_tool(tool)
    asked = query.parse_search(body)
    found = await _searcher(request.app).search(asked)
    return json_response(query.render_search(found, asked, tool=tool))


async def list_tools(request: web.Request) -> web.StreamResponse:
    """`GET /v1/search/tools`."""
    from adapter.web import query

    return json_response(query.render_tools(configured=request.app[SETTINGS].search.url is not None))


def _searcher(app: web.Application) -> Searcher:
    from adapter.web.searcher import Searcher

    made = app[SEARCHERS]
    if not made:
        made.append(Searcher(app[SETTINGS].search))
    return made[0]
