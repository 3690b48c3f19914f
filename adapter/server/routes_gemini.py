"""`/v1beta/models/{model}:generateContent` and its neighbours: chats, counts, vectors and models in Gemini's form.

What reads and writes these bodies is imported when the first one comes: most phones are never asked in this form.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from adapter.access.scopes import GEMINI_METHODS, GEMINI_ROOTS, gemini_method
from adapter.caller import OnDeadline
from adapter.chat import Usage, UsageSource
from adapter.dialects.openai_render import Envelope
from adapter.engines.base import EMULATED, Can
from adapter.errors import EndpointNotBuilt
from adapter.queueing.urgency import urgency_of
from adapter.routing import Target
from adapter.server.answer import result_of
from adapter.server.answering import caller_for, envelope_for, written
from adapter.server.bodies import json_body, json_response
from adapter.server.deadline import Deadline
from adapter.server.output import EVENT_STREAM
from adapter.server.routes_models import get_model, list_models
from adapter.server.state import ANSWERS, DISPATCHER, DOOR, REGISTRY, SETTINGS
from adapter.server.trace import TRACE
from adapter.tokens import estimate_prompt_tokens, estimate_tokens, roughly_tokens

# Vectors written at a stretch: some 10 ms on a phone, between which other people's tokens are delivered.
VECTORS_AT_ONCE = 16


def add(router: web.UrlDispatcher) -> None:
    """Under `/v1`, which `google-genai` 3 uses, the models are OpenAI's, who look at who asks."""
    for root in GEMINI_ROOTS:
        for method in GEMINI_METHODS:
            router.add_post(f"{root}/models/{{model:.+}}:{method}", called)
        if root != "/v1":
            router.add_get(f"{root}/models", list_models, allow_head=False)
            router.add_get(f"{root}/models/{{id:.+}}", get_model, allow_head=False)
            router.add_post(f"{root}/models/{{call:.+}}", unknown)


async def called(request: web.Request) -> web.StreamResponse:
    """`POST .../models/{model}:{method}`. The model's name may hold slashes and colons."""
    request.app[ANSWERS].refuse_if_stopping()
    return await _METHODS[gemini_method(request.path)](request)


async def unknown(request: web.Request) -> web.StreamResponse:
    raise EndpointNotBuilt(f"'{request.match_info['call'][-100:]}' does not end with a method; there are :{', :'.join(GEMINI_METHODS)}.")


# --- chats ----------------------------------------------------------------------------------------------------


async def generate(request: web.Request) -> web.StreamResponse:
    """`:generateContent` and `:streamGenerateContent`, the latter as events (`?alt=sse`) or as one JSON array."""
    from adapter.dialects.gemini_parse import parse_generate
    from adapter.dialects.gemini_render import GeminiForm

    app, door = request.app, request[DOOR]
    limit, stream = app[SETTINGS].server.max_messages, gemini_method(request.path) == "streamGenerateContent"
    body = await json_body(request)
    parsed = parse_generate(body, model=request.match_info["model"], stream=stream, max_messages=limit, hops=door.hops)
    asked, chat = parsed.asked, parsed.chat
    targets = await app[REGISTRY].targets(
        asked.model, asked.needs, asked.wishes, emulates=EMULATED, prompt_tokens=roughly_tokens(chat)
    )
    caller = caller_for(request, asked, urgency_of(chat, request.headers, door.settings))
    array = request.query.get("alt") != "sse"
    form = GeminiForm(
        envelope_for(request, "gen", asked, targets),
        n=chat.n,
        logprobs=chat.logprobs is not None,
        thoughts=parsed.show_thoughts,
        array=array,
    )
    taken_back = not stream and caller.on_deadline is not OnDeadline.PARTIAL
    events = app[DISPATCHER].chat(chat, targets, caller, streaming=not taken_back)
    deadline = Deadline(caller, lambda: estimate_prompt_tokens(m.content for m in chat.messages))
    return await written(request, asked, events, form, deadline, "application/json" if array else EVENT_STREAM)


# --- counts and vectors -----------------------------------------------------------------------------------------


async def count_tokens(request: web.Request) -> web.Response:
    """`:countTokens`: by the model's own tokenizer where it has one, else an estimate, which the answer says."""
    from adapter.dialects.gemini_models import render_gemini_count
    from adapter.dialects.gemini_parse import parse_count

    limit = request.app[SETTINGS].server.max_messages
    parsed = parse_count(await json_body(request), model=request.match_info["model"], max_messages=limit)
    registry, chat = request.app[REGISTRY], parsed.chat
    targets = await registry.targets(parsed.asked.model, {}, frozenset({Can.CHAT, Can.TOKENIZE}))
    first = targets[0]
    if Can.TOKENIZE in first.can:
        is_chat = Can.CHAT in first.can
        text = chat.messages if is_chat else "\n".join(message.content for message in chat.messages)
        tokenizing = [target for target in targets if Can.TOKENIZE in target.can]
        first, found = await result_of(
            lambda: registry.tokenize(text, tokenizing, specials=not is_chat, parse_specials=is_chat), request.app[ANSWERS]
        )
        tokens, source = len(found.ids), UsageSource.EXACT
    else:
        tokens = await asyncio.to_thread(estimate_prompt_tokens, [message.content for message in chat.messages])
        source = UsageSource.ESTIMATED
    if chat.tools:  # a template writes them in its own way
        tools = "\n".join(f"{tool.name} {tool.description} {tool.parameters}" for tool in chat.tools)
        tokens, source = tokens + await asyncio.to_thread(estimate_tokens, tools), UsageSource.ESTIMATED
    if any(message.images for message in chat.messages):  # nobody here knows what they take: they are not counted
        source = UsageSource.ESTIMATED
    _note(request, first)
    return json_response(render_gemini_count(tokens, {"engine": first.engine, "model": first.model, "usage": {"prompt_tokens": source}}))


async def embed(request: web.Request) -> web.Response:
    """`:embedContent` and `:batchEmbedContents`."""
    from adapter.dialects.gemini_models import render_gemini_vectors
    from adapter.dialects.gemini_parse import check_size, parse_embed
    from adapter.dialects.openai_embeddings import shortened

    batch = gemini_method(request.path) == "batchEmbedContents"
    parsed = parse_embed(await json_body(request), model=request.match_info["model"], batch=batch)
    registry = request.app[REGISTRY]
    targets = await registry.targets(parsed.asked.model, parsed.asked.needs)
    size = targets[0].card.embedding_size if targets[0].card else 0
    for wanted in set(parsed.dimensions):
        check_size(wanted, size)
    target, found = await result_of(lambda: registry.embed(parsed.texts, targets), request.app[ANSWERS])
    _note(request, target)
    usage = request[TRACE].usage = Usage(found.prompt_tokens, 0)
    vectors = []
    for wanted, vector in zip(parsed.dimensions, found.vectors, strict=True):
        check_size(wanted, len(vector))
        vectors.append(shortened(vector, wanted))
    extension = Envelope("", 0, target.model, target.engine, parsed.asked.ignored).extension(usage)
    head = {"usageMetadata": {"promptTokenCount": usage.prompt_tokens}, "farmhand": {**extension, "model": target.model}}
    pieces = []
    for index, piece in enumerate(render_gemini_vectors(vectors, head, batch=batch)):
        pieces.append(piece)
        if index % VECTORS_AT_ONCE == VECTORS_AT_ONCE - 1:
            await asyncio.sleep(0)
    return web.Response(body=b"".join(pieces), content_type="application/json")


def _note(request: web.Request, target: Target) -> None:
    request[TRACE].engine, request[TRACE].model = target.engine, target.model


_METHODS: Mapping[str, Callable[[web.Request], Awaitable[web.StreamResponse]]] = {
    "generateContent": generate,
    "streamGenerateContent": generate,
    "countTokens": count_tokens,
    "embedContent": embed,
    "batchEmbedContents": embed,
}
