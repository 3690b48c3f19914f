"""`POST /v1/search/{tool}`: a search in the web, in LiteLLM's shape."""

from __future__ import annotations

from aiohttp import web

from adapter.errors import EndpointNotBuilt


def add(router: web.UrlDispatcher, prefix: str) -> None:
    router.add_post(f"{prefix}/search/{{tool}}", search)


async def search(request: web.Request) -> web.StreamResponse:
    raise EndpointNotBuilt(f"{request.path} is not built yet.")
