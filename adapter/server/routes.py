"""The paths, and the handlers of what is answered in pieces: read, call, answer. The work is done elsewhere."""

from __future__ import annotations

import time
from collections.abc import Sequence

from aiohttp import web

from adapter.dialects.openai_completions import parse_completions
from adapter.dialects.openai_parse import parse_chat
from adapter.dialects.openai_render import Envelope
from adapter.dialects.openai_render_chat import ChatForm
from adapter.dialects.openai_render_text import TextForm
from adapter.dialects.openai_request import Asked
from adapter.errors import EndpointNotBuilt
from adapter.routing import Target
from adapter.server.answer import AnswerWriter
from adapter.server.bodies import json_body
from adapter.server.merge import merged
from adapter.server.routes_models import get_model, health, list_models, ready
from adapter.server.routes_other import create_embeddings, detokenize, set_pressure, tokenize
from adapter.server.state import ANSWERS, REGISTRY, SETTINGS
from adapter.server.trace import TRACE

NOT_BUILT = ("/responses",)


async def chat_completions(request: web.Request) -> web.StreamResponse:
    """`POST /v1/chat/completions`, plain or streamed."""
    request.app[ANSWERS].refuse_if_stopping()
    body = await json_body(request)
    parsed = parse_chat(body, max_messages=request.app[SETTINGS].server.max_messages)
    asked, chat = parsed.asked, parsed.chat
    registry = request.app[REGISTRY]
    targets = await registry.targets(asked.model, asked.needs, asked.wishes)
    form = ChatForm(
        _envelope(request, "chatcmpl", asked, targets),
        n=chat.n,
        logprobs=chat.logprobs is not None,
        include_usage=asked.include_usage,
        legacy=parsed.legacy_calls,
    )
    writer = AnswerWriter(
        asked, registry.generate(chat, targets), form, answers=request.app[ANSWERS], trace=request[TRACE]
    )
    return await _answer(request, asked, writer)


async def completions(request: web.Request) -> web.StreamResponse:
    """`POST /v1/completions`, plain or streamed, for one prompt or several."""
    request.app[ANSWERS].refuse_if_stopping()
    parsed = parse_completions(await json_body(request))
    asked, first = parsed.asked, parsed.completions[0]
    registry = request.app[REGISTRY]
    targets = await registry.targets(asked.model, asked.needs, asked.wishes)
    answers = [registry.complete(completion, targets) for completion in parsed.completions]
    form = TextForm(
        _envelope(request, "cmpl", asked, targets),
        n=len(answers) * first.n,
        logprobs=first.logprobs is not None,
        include_usage=asked.include_usage,
    )
    events = answers[0] if len(answers) == 1 else merged(answers, first.n)
    writer = AnswerWriter(asked, events, form, answers=request.app[ANSWERS], trace=request[TRACE])
    return await _answer(request, asked, writer)


def _envelope(request: web.Request, kind: str, asked: Asked, targets: Sequence[Target]) -> Envelope:
    """As if the first target answered; `AnswerWriter` corrects it when another one does."""
    first = targets[0]
    return Envelope(
        id=f"{kind}-{request[TRACE].id}",
        created=int(time.time()),
        model=first.model,
        engine=first.engine,
        ignored=asked.without_effect(first.can),
    )


async def _answer(request: web.Request, asked: Asked, writer: AnswerWriter) -> web.StreamResponse:
    if asked.stream:
        return await writer.stream(request, request.app[SETTINGS].server)
    return await writer.plain()


async def not_built(request: web.Request) -> web.StreamResponse:
    """A 400, not a 404: behind LiteLLM one 404 shuts the model off for everybody, chats included."""
    raise EndpointNotBuilt(f"{request.path} is not built yet; use POST /v1/chat/completions.")


def add_routes(router: web.UrlDispatcher) -> None:
    """Every path with and without `/v1`: clients given a base URL without it call it so."""
    for prefix in ("", "/v1"):
        router.add_post(f"{prefix}/chat/completions", chat_completions)
        router.add_post(f"{prefix}/completions", completions)
        router.add_post(f"{prefix}/embeddings", create_embeddings)
        router.add_post(f"{prefix}/tokenize", tokenize)
        router.add_post(f"{prefix}/detokenize", detokenize)
        router.add_get(f"{prefix}/models", list_models, allow_head=False)
        router.add_get(f"{prefix}/models/{{id:.+}}", get_model, allow_head=False)
        router.add_get(f"{prefix}/health", health)
        router.add_get(f"{prefix}/ready", ready)
        for path in NOT_BUILT:
            router.add_post(f"{prefix}{path}", not_built)
    router.add_post("/admin/pressure", set_pressure)
