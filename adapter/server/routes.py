"""The paths, and the handlers of what is answered in pieces: read, call, answer. The work is done elsewhere."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from aiohttp import web

from adapter.caller import Caller, OnDeadline
from adapter.dialects.openai_parse import parse_chat
from adapter.dialects.openai_render_chat import ChatForm
from adapter.dialects.openai_request import Asked
from adapter.engines.base import EMULATED, Wire
from adapter.queueing.urgency import urgency_of
from adapter.server import routes_gemini, routes_responses, routes_search
from adapter.server.answering import caller_for, envelope_for, written
from adapter.server.bodies import body_of, json_body
from adapter.server.deadline import Deadline
from adapter.server.routes_admin import get_metrics, get_state, set_pressure
from adapter.server.routes_models import get_model, health, list_models, ready
from adapter.server.routes_other import create_embeddings, detokenize, tokenize
from adapter.server.state import ANSWERS, DISPATCHER, DOOR, REGISTRY, SETTINGS
from adapter.tokens import estimate_prompt_tokens, estimate_tokens, roughly_tokens


async def chat_completions(request: web.Request) -> web.StreamResponse:
    """`POST /v1/chat/completions`, plain or streamed."""
    app, door = request.app, request[DOOR]
    app[ANSWERS].refuse_if_stopping()
    raw, body = await body_of(request)
    parsed = parse_chat(body, max_messages=app[SETTINGS].server.max_messages, hops=door.hops)
    asked, chat = parsed.asked, parsed.chat
    targets = await app[REGISTRY].targets(
        asked.model, asked.needs, asked.wishes, emulates=EMULATED, prompt_tokens=roughly_tokens(chat)
    )
    caller = caller_for(request, asked, urgency_of(chat, request.headers, door.settings))
    form = ChatForm(
        envelope_for(request, "chatcmpl", asked, targets),
        n=chat.n,
        logprobs=chat.logprobs is not None,
        include_usage=asked.include_usage,
        legacy=parsed.legacy_calls,
    )
    taken_back = not asked.stream and caller.on_deadline is not OnDeadline.PARTIAL
    events = app[DISPATCHER].chat(
        chat,
        targets,
        caller,
        streaming=not taken_back,
        wire=_wire(raw, body, asked, caller, legacy=parsed.legacy_calls),
    )
    deadline = Deadline(caller, lambda: estimate_prompt_tokens(m.content for m in chat.messages))
    return await written(request, asked, events, form, deadline)


async def completions(request: web.Request) -> web.StreamResponse:
    """`POST /v1/completions`, plain or streamed, for one prompt or several."""
    # Imported here, as in `routes_other`: most phones are only ever asked for chats.
    from adapter.dialects.openai_completions import parse_completions
    from adapter.dialects.openai_render_text import TextForm
    from adapter.server.merge import merged

    request.app[ANSWERS].refuse_if_stopping()
    parsed = parse_completions(await json_body(request))
    asked, first, door = parsed.asked, parsed.completions[0], request[DOOR]
    targets = await request.app[REGISTRY].targets(asked.model, asked.needs, asked.wishes)
    caller = caller_for(request, asked, door.settings.urgency if door.settings else None)
    taken_back = not asked.stream and caller.on_deadline is not OnDeadline.PARTIAL
    answers = [
        request.app[DISPATCHER].complete(replace(one, hops=door.hops), targets, caller, streaming=not taken_back)
        for one in parsed.completions
    ]
    form = TextForm(
        envelope_for(request, "cmpl", asked, targets),
        n=len(answers) * first.n,
        logprobs=first.logprobs is not None,
        include_usage=asked.include_usage,
    )
    events = answers[0] if len(answers) == 1 else merged(answers, first.n)
    deadline = Deadline(caller, lambda: sum(estimate_tokens(one.text or "") for one in parsed.completions))
    return await written(request, asked, events, form, deadline)


def _wire(raw: bytes, body: dict[str, Any], asked: Asked, caller: Caller, *, legacy: bool) -> Wire | None:
    """The request as it came, unless its answer must be in our hands: to be cut at a deadline, or shown in the old form."""
    if legacy or caller.on_deadline is OnDeadline.PARTIAL:
        return None
    return Wire("/chat/completions", raw, body, asked.stream, caller.hops)


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
        routes_responses.add(router, prefix)
        routes_search.add(router, prefix)
    routes_gemini.add(router)
    router.add_post("/admin/pressure", set_pressure)
    router.add_get("/admin/state", get_state, allow_head=False)
    router.add_get("/metrics", get_metrics, allow_head=False)
