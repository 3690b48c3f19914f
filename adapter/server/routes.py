"""The handlers: read, call, answer. Each is a few lines; the work is done elsewhere."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from adapter.dialects.openai_body import parse_json_object
from adapter.dialects.openai_parse import parse_chat
from adapter.dialects.openai_render import dump, render_model, render_model_list
from adapter.errors import BadKey, BadRequest, EndpointNotBuilt, EngineUnavailable
from adapter.routing import AUTO, Target, public_models, resolve
from adapter.server.answer import AnswerWriter
from adapter.server.middleware import check_key
from adapter.server.state import ANSWERS, REGISTRY, SETTINGS, STARTED_AT
from adapter.server.trace import TRACE

# Bodies above this are parsed in a thread: 256 KiB of JSON take about 2 ms here, several times that on a phone,
# and the loop has other people's tokens to deliver.
PARSE_INLINE_BYTES = 262_144
NOT_BUILT = ("/completions", "/embeddings", "/responses")


async def chat_completions(request: web.Request) -> web.StreamResponse:
    """`POST /v1/chat/completions`, plain or streamed."""
    settings = request.app[SETTINGS].server
    answers = request.app[ANSWERS]
    answers.refuse_if_stopping()
    body = await _json_body(request)
    asked = parse_chat(body, max_messages=settings.max_messages)
    registry = request.app[REGISTRY]
    writer = AnswerWriter(
        asked,
        await registry.targets(asked.chat.model),
        registry=registry,
        answers=answers,
        trace=request[TRACE],
        created=int(time.time()),
    )
    if asked.stream:
        return await writer.stream(request, settings)
    return await writer.plain()


async def not_built(request: web.Request) -> web.StreamResponse:
    """A 400, not a 404: behind LiteLLM one 404 shuts the model off for everybody, chats included."""
    raise EndpointNotBuilt(f"{request.path} is not built yet; this version answers POST /v1/chat/completions.")


async def _json_body(request: web.Request) -> dict[str, Any]:
    settings = request.app[SETTINGS].server
    if (announced := request.content_length or 0) > settings.max_body_bytes:
        raise web.HTTPRequestEntityTooLarge(settings.max_body_bytes, announced)
    try:
        async with request.app[ANSWERS].arriving(settings.body_s):
            raw = await request.read()
    except TimeoutError:
        request.app[ANSWERS].refuse_if_stopping()
        raise BadRequest(f"The request body did not arrive within {settings.body_s:g} s.") from None
    except (web.RequestPayloadError, HttpProcessingError) as exc:  # broken chunks, no gzip where gzip was promised
        why = str(exc).splitlines()[-1].strip()  # the first line is aiohttp's "400, message:"
        raise BadRequest(f"The request body cannot be read: {why[:150]}") from None
    if len(raw) > PARSE_INLINE_BYTES:
        return await asyncio.to_thread(parse_json_object, raw, max_nesting=settings.max_nesting)
    return parse_json_object(raw, max_nesting=settings.max_nesting)


async def list_models(request: web.Request) -> web.Response:
    """`GET /v1/models`: everything that can be asked for now, and `auto`, which shows its first choice."""
    return _json(render_model_list(await _models(request)))


async def get_model(request: web.Request) -> web.Response:
    """`GET /v1/models/{id}`. The id may hold slashes."""
    name = request.match_info["id"]
    models = await _models(request)
    for model in models:
        if model["id"] == name:
            return _json(model)
    registry = request.app[REGISTRY]
    targets = resolve(name, await registry.listings(), registry.routes)  # raises with the nearest names
    for model in models:
        if _is_target(model, targets[0]):
            return _json({**model, "id": name})
    raise EngineUnavailable(f"The model '{name[:100]}' cannot be described now; its engine cannot be reached.")


async def _models(request: web.Request) -> list[dict[str, Any]]:
    registry = request.app[REGISTRY]
    created = request.app[STARTED_AT]
    listings = await registry.listings()
    models = [
        render_model(name, card, engine=engine, created=created)
        for name, engine, card in public_models(listings, registry.routes)
    ]
    if not models or any(model["id"] == AUTO for model in models):
        return models
    return [*models, _auto(models, resolve(AUTO, listings, registry.routes)[0])]


def _auto(models: Sequence[Mapping[str, Any]], first: Target) -> dict[str, Any]:
    """`auto`: its first choice, with the sizes of the smallest model it could mean, which hold whoever answers."""
    smallest = min(models, key=lambda model: int(model["context_length"]))
    chosen = next((model for model in models if _is_target(model, first)), smallest)
    return {**smallest, "id": AUTO, "owned_by": "farmhand", "farmhand": chosen["farmhand"]}


def _is_target(model: Mapping[str, Any], target: Target) -> bool:
    return (model["farmhand"]["engine"], model["farmhand"]["model"]) == (target.engine, target.model)


async def health(request: web.Request) -> web.Response:
    """`GET /health`: this process runs. Open, and never asks an engine."""
    return _json({"status": "ok"})


async def ready(request: web.Request) -> web.Response:
    """`GET /ready`: 200 if some engine can answer now, else 503. Details only for who shows a key."""
    engines = await request.app[REGISTRY].health()
    is_ready = any(h.ready for h in engines.values()) and not request.app[ANSWERS].stopping
    body: dict[str, Any] = {"status": "ready" if is_ready else "not ready"}
    if _knows_key(request):
        body["engines"] = {name: {"ready": h.ready, "detail": h.detail} for name, h in engines.items()}
    response = _json(body)
    if not is_ready:
        response.set_status(503)
        response.headers["Retry-After"] = "5"
    return response


def _knows_key(request: web.Request) -> bool:
    try:
        check_key(request)
    except BadKey:
        return False
    return True


def _json(value: dict[str, Any]) -> web.Response:
    return web.Response(body=dump(value), content_type="application/json")


def add_routes(router: web.UrlDispatcher) -> None:
    """Every path with and without `/v1`: clients given a base URL without it call it so."""
    for prefix in ("", "/v1"):
        router.add_post(f"{prefix}/chat/completions", chat_completions)
        router.add_get(f"{prefix}/models", list_models, allow_head=False)
        router.add_get(f"{prefix}/models/{{id:.+}}", get_model, allow_head=False)
        router.add_get(f"{prefix}/health", health)
        router.add_get(f"{prefix}/ready", ready)
        for path in NOT_BUILT:
            router.add_post(f"{prefix}{path}", not_built)
