"""What a model is asked besides answers: vectors, tokens.

What reads and writes these bodies is imported when the first one comes: most phones are only ever asked for chats.
"""

from __future__ import annotations

import asyncio

from aiohttp import web

from adapter.chat import Usage
from adapter.dialects.openai_request import Asked
from adapter.routing import Target
from adapter.server.answer import result_of
from adapter.server.bodies import json_body, json_response
from adapter.server.state import ANSWERS, REGISTRY, SETTINGS
from adapter.server.trace import TRACE

# Vectors written at a stretch: some 10 ms on a phone, between which other people's tokens are delivered.
VECTORS_AT_ONCE = 16


async def create_embeddings(request: web.Request) -> web.Response:
    """`POST /v1/embeddings`."""
    from adapter.dialects import openai_embeddings as embeddings

    request.app[ANSWERS].refuse_if_stopping()
    asked = embeddings.parse_embeddings(await json_body(request))
    targets = await _targets(request, asked.asked)
    embeddings.check_dimensions(asked.dimensions, targets[0].card.embedding_size if targets[0].card else 0)
    registry = request.app[REGISTRY]
    target, found = await result_of(lambda: registry.embed(asked.texts, targets), request.app[ANSWERS])
    _note(request, target)
    request[TRACE].usage = Usage(found.prompt_tokens, 0)
    items = []
    for index, item in enumerate(embeddings.render_vectors(asked, found.vectors)):
        items.append(item)
        if index % VECTORS_AT_ONCE == VECTORS_AT_ONCE - 1:
            await asyncio.sleep(0)
    head = embeddings.embeddings_head(
        found, model=target.model, engine=target.engine, ignored=asked.asked.ignored
    )
    return web.Response(body=embeddings.render_embeddings(items, head), content_type="application/json")


async def tokenize(request: web.Request) -> web.Response:
    """`POST /tokenize`: text or messages -> token ids."""
    from adapter.dialects import openai_tokens as tokens

    request.app[ANSWERS].refuse_if_stopping()
    limit = request.app[SETTINGS].server.max_messages
    asked = tokens.parse_tokenize(await json_body(request), max_messages=limit)
    targets = await _targets(request, asked.asked)
    registry = request.app[REGISTRY]
    target, found = await result_of(
        lambda: registry.tokenize(
            asked.text, targets, specials=asked.specials, parse_specials=asked.parse_specials
        ),
        request.app[ANSWERS],
    )
    _note(request, target)
    context = target.card.context_tokens if target.card else 0
    return json_response(tokens.render_tokens(asked, found, model=target.model, context_tokens=context))


async def detokenize(request: web.Request) -> web.Response:
    """`POST /detokenize`: token ids -> text."""
    from adapter.dialects import openai_tokens as tokens

    request.app[ANSWERS].refuse_if_stopping()
    asked, ids = tokens.parse_detokenize(await json_body(request))
    targets = await _targets(request, asked)
    registry = request.app[REGISTRY]
    target, text = await result_of(lambda: registry.detokenize(ids, targets), request.app[ANSWERS])
    _note(request, target)
    return json_response(tokens.render_text(text, model=target.model))


async def _targets(request: web.Request, asked: Asked) -> tuple[Target, ...]:
    return await request.app[REGISTRY].targets(asked.model, asked.needs, asked.wishes)


def _note(request: web.Request, target: Target) -> None:
    request[TRACE].engine, request[TRACE].model = target.engine, target.model
