"""What there is, and whether it can answer: models, health, readiness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

from adapter.dialects.admin_state import render_pressure
from adapter.dialects.gemini_models import render_gemini_list, render_gemini_model
from adapter.dialects.openai_render import render_model, render_model_list
from adapter.dispatch.dispatcher import Dispatcher
from adapter.engines.base import PLAIN_CHAT, Can, Health
from adapter.errors import BadKey, EngineUnavailable, TokensUnavailable
from adapter.routing import AUTO, Target, public_models, resolve
from adapter.server.bodies import json_response
from adapter.server.middleware import identify, speaks_gemini
from adapter.server.state import ANSWERS, DISPATCHER, DOOR, INSTANCE, PRESSING, REGISTRY, STARTED_AT


async def list_models(request: web.Request) -> web.Response:
    """`GET /v1/models`: everything that can be asked for now, and `auto`, which shows its first choice. Under `/v1beta` in Gemini's form."""
    models = await models_of(request)
    return json_response(render_gemini_list(models) if speaks_gemini(request) else render_model_list(models))


async def get_model(request: web.Request) -> web.Response:
    """`GET /v1/models/{id}`. The id may hold slashes."""
    model = await described(request, request.match_info["id"])
    return json_response(render_gemini_model(model) if speaks_gemini(request) else model)


async def described(request: web.Request, name: str) -> dict[str, Any]:
    """The model object of that name. Raises `ModelNotFound`, `EngineUnavailable`."""
    models = await models_of(request)
    for model in models:
        if model["id"] == name:
            return model
    # Raises with the nearest names. `engine/auto` means a chat where there is one.
    targets = await request.app[REGISTRY].targets(name, wishes=PLAIN_CHAT)
    for model in models:
        if _is_target(model, targets[0]):
            return {**model, "id": name}
    raise EngineUnavailable(f"The model '{name[:100]}' cannot be described now; its engine cannot be reached.")


async def models_of(request: web.Request) -> list[dict[str, Any]]:
    """The model objects of everything that can be asked for now, `auto` included."""
    registry = request.app[REGISTRY]
    created = request.app[STARTED_AT]
    # Another Farmhand may be waiting for this list while we would wait for its own.
    listings = await registry.listings(waiting=len(request[DOOR].hops) == 1)
    models = [
        render_model(name, card, engine=engine, created=created, instance=request.app[INSTANCE])
        for name, engine, card in public_models(listings, registry.routes)
    ]
    chats = [model for model in models if Can.CHAT in model["farmhand"]["can"]]
    if not chats or any(model["id"] == AUTO for model in models):
        return models
    first = resolve(AUTO, listings, registry.routes, {Can.CHAT: "model"})[0]
    return [*models, _auto(chats, first)]


def _auto(chats: Sequence[Mapping[str, Any]], first: Target) -> dict[str, Any]:
    """`auto`: its first choice, with the sizes of the smallest model it could mean, which hold whoever answers."""
    smallest = min(chats, key=lambda model: int(model["context_length"]))
    chosen = next((model for model in chats if _is_target(model, first)), smallest)
    return {**smallest, "id": AUTO, "owned_by": "farmhand", "farmhand": chosen["farmhand"]}


def _is_target(model: Mapping[str, Any], target: Target) -> bool:
    return (model["farmhand"]["engine"], model["farmhand"]["model"]) == (target.engine, target.model)


async def health(request: web.Request) -> web.Response:
    """`GET /health`: this process runs. Open, and never asks an engine."""
    return json_response({"status": "ok"})


async def ready(request: web.Request) -> web.Response:
    """`GET /ready`: 200 if some engine can answer now, or could if the phone were not paused; else 503. Details only for who shows a key.

    A pause is wanted: whoever starts us again for it, or leaves us alone for good, has misunderstood. Requests are told why, and until when.
    """
    app = request.app
    engines, pressing = await app[REGISTRY].health(), app[PRESSING]
    can_answer = any(h.ready for h in engines.values()) or (pressing.pauses and bool(app[REGISTRY].on_this_phone))
    is_ready = can_answer and not app[ANSWERS].stopping
    body: dict[str, Any] = {"status": "ready" if is_ready else "not ready"}
    if await _knows_key(request):
        body["pressure"] = {
            **render_pressure(pressing.order, pressing.lapses_in_s),
            "held_s": None if pressing.held_s is None else round(pressing.held_s, 1),
        }
        body["engines"] = _engine_states(app[DISPATCHER], engines)
    response = json_response(body)
    if not is_ready:
        response.set_status(503)
        response.headers["Retry-After"] = "5"
    return response


def _engine_states(dispatcher: Dispatcher, engines: Mapping[str, Health]) -> dict[str, Any]:
    """What each engine says, how busy it is, and which of its models are left alone at present."""
    states: dict[str, Any] = {name: {"ready": h.ready, "detail": h.detail} for name, h in engines.items()}
    for name, queue in dispatcher.queues().items():
        states[name]["queue"] = {
            "capacity": queue.capacity,
            "running": queue.running,
            "waiting": queue.waiting_interactive + queue.waiting_background,
            "mean_s": None if queue.mean_s is None else round(queue.mean_s, 3),
        }
    for shown in dispatcher.breaker_states():
        states[shown["target"].partition("/")[0]].setdefault("breakers", []).append(shown)
    return states


async def _knows_key(request: web.Request) -> bool:
    try:
        await identify(request)
    except (BadKey, TokensUnavailable):
        return False
    return True
