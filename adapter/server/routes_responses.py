"""`/v1/responses`: OpenAI's newer form of a chat."""

from __future__ import annotations

from aiohttp import web

from adapter.errors import EndpointNotBuilt


def add(router: web.UrlDispatcher, prefix: str) -> None:
    router.add_post(f"{prefix}/responses", create)


async def create(request: web.Request) -> web.StreamResponse:
    raise EndpointNotBuilt(f"{request.path} is not built yet; use POST /v1/chat/completions.")
