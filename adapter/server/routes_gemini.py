"""`/v1beta/models/{model}:generateContent`: a chat in Gemini's form."""

from __future__ import annotations

from aiohttp import web

from adapter.errors import EndpointNotBuilt


def add(router: web.UrlDispatcher) -> None:
    router.add_post("/v1beta/models/{call:.+}", generate)


async def generate(request: web.Request) -> web.StreamResponse:
    raise EndpointNotBuilt(f"{request.path} is not built yet; use POST /v1/chat/completions.")
