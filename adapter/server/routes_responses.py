"""`/v1/responses`: OpenAI's newer form of a chat, and the answers that are kept for `previous_response_id`.

What reads and writes these bodies is imported when the first one comes: most phones are only ever asked for chats.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from aiohttp import web

from adapter.caller import OnDeadline
from adapter.chat import Finished
from adapter.engines.base import EMULATED
from adapter.errors import BadRequest, InternalError, ResponseNotFound
from adapter.queueing.urgency import urgency_of
from adapter.responses.store import NotKept, ResponseStore, TooMuch
from adapter.server.answering import caller_for, envelope_for, written
from adapter.server.bodies import json_body, json_response
from adapter.server.deadline import Deadline
from adapter.server.state import ANSWERS, DISPATCHER, DOOR, REGISTRY, RESPONSES, SETTINGS
from adapter.server.trace import TRACE
from adapter.tokens import estimate_prompt_tokens, roughly_tokens

if TYPE_CHECKING:
    from adapter.dialects.responses_form import ResponsesForm
    from adapter.dialects.responses_past import Past
    from adapter.dialects.responses_request import ResponseRequest

logger = logging.getLogger(__name__)

T = TypeVar("T")

# A disk may take so long for an answer that is whole: its client waits in silence, and the next one for the engine.
KEEP_S = 10.0


def add(router: web.UrlDispatcher, prefix: str) -> None:
    router.add_post(f"{prefix}/responses", create)
    router.add_get(f"{prefix}/responses/{{id}}", retrieve, allow_head=False)
    router.add_delete(f"{prefix}/responses/{{id}}", delete)
    router.add_get(f"{prefix}/responses/{{id}}/input_items", input_items, allow_head=False)
    router.add_post(f"{prefix}/responses/{{id}}/cancel", cancel)


async def create(request: web.Request) -> web.StreamResponse:
    """`POST /v1/responses`, plain or streamed."""
    from adapter.dialects.responses_form import field_here
    from adapter.dialects.responses_request import parse_responses

    app = request.app
    app[ANSWERS].refuse_if_stopping()
    body = await json_body(request)
    parsed = parse_responses(
        body,
        await _past(request, body),
        max_messages=app[SETTINGS].server.max_messages,
        hops=request[DOOR].hops,
        diet=app[SETTINGS].router.prompt_diet,
        keeps=app[RESPONSES].keeps,
    )
    try:
        return await _answered(request, parsed)
    except BadRequest as error:  # of a chat, whose fields have other names; what was said while parsing has those of this form
        error.param = field_here(error.param)
        raise


async def _answered(request: web.Request, parsed: ResponseRequest) -> web.StreamResponse:
    from adapter.dialects.responses_form import ResponsesForm

    app, door = request.app, request[DOOR]
    asked, chat = parsed.asked, parsed.chat
    targets = await app[REGISTRY].targets(
        asked.model, asked.needs, asked.wishes, emulates=EMULATED, prompt_tokens=roughly_tokens(chat)
    )
    caller = caller_for(request, asked, urgency_of(chat, request.headers, door.settings))
    # Not the request's id, which a client may choose: whoever has this one may go on from the answer.
    envelope = replace(envelope_for(request, "resp", asked, targets), id=f"resp_{secrets.token_hex(24)}")
    form = ResponsesForm(envelope, parsed.echo, summary=parsed.summary)
    taken_back = not asked.stream and caller.on_deadline is not OnDeadline.PARTIAL
    events = app[DISPATCHER].chat(chat, targets, caller, streaming=not taken_back)
    deadline = Deadline(caller, lambda: estimate_prompt_tokens(m.content for m in chat.messages))

    async def keep(end: Finished) -> None:
        await _keep(request, parsed, form, end)

    return await written(request, asked, events, form, deadline, before_end=keep if parsed.store else None)


async def _past(request: web.Request, body: dict[str, Any]) -> Past:
    """What the request refers to, from the disk."""
    from adapter.dialects.responses_past import NOTHING, no_previous, referred

    words = referred(body)
    if not words.previous and not words.answers:
        return NOTHING
    store, holder, limits = request.app[RESPONSES], request[DOOR].key, request.app[SETTINGS].server
    try:
        return await asyncio.to_thread(
            store.past, words, holder, max_items=limits.max_messages, max_bytes=limits.max_body_bytes
        )
    except NotKept as exc:
        why = str(exc) if store.keeps else "no answers are kept here (responses.store_mib = 0)"
        raise no_previous(words.previous or "", why) from exc
    except TooMuch as exc:
        param = "previous_response_id" if words.previous else "input"
        raise BadRequest(f"What '{param}' refers to {exc}; send what matters of it in 'input'.", param=param) from exc
    except OSError as exc:
        raise _unreadable(exc) from exc


async def _keep(request: web.Request, parsed: ResponseRequest, form: ResponsesForm, end: Finished) -> None:
    """Before the last words are out, so that the id can be used as soon as it is known. A disk that fails or hangs spoils no answer."""
    from adapter.responses.record import Record

    response = form.body(end)
    record = Record(form.envelope.id, request[DOOR].key, parsed.echo["previous_response_id"], parsed.items, response)
    try:
        async with asyncio.timeout(KEEP_S):
            await asyncio.to_thread(request.app[RESPONSES].save, record)
    except OSError as exc:  # `TimeoutError` is one, without a text
        logger.warning("id=%s the answer cannot be kept error=%s", request[TRACE].id, str(exc) or f"it took more than {KEEP_S:g} s")
        form.not_stored()


# --- answers that are kept ----------------------------------------------------------------------------------------


async def retrieve(request: web.Request) -> web.Response:
    """`GET /v1/responses/{id}`: as it was sent."""
    if request.query.get("stream", "false").lower() not in ("false", "0"):
        raise BadRequest("'stream' is not supported here: an answer is kept whole, not as its events. Leave it out.", param="stream")
    ident, holder, store = _asked_for(request)
    record = await _kept(ident, lambda: store.load(ident, holder))
    return json_response(record.response)


async def delete(request: web.Request) -> web.Response:
    """`DELETE /v1/responses/{id}`."""
    ident, holder, store = _asked_for(request)
    await _kept(ident, lambda: store.delete(ident, holder))
    return json_response({"id": ident, "object": "response", "deleted": True})


async def input_items(request: web.Request) -> web.Response:
    """`GET /v1/responses/{id}/input_items`: what the model was given for it, the newest first unless `order=asc`."""
    from adapter.dialects.responses_listing import parse_listing, render_listing

    asked = parse_listing(request.query)
    ident, holder, store = _asked_for(request)
    limits = request.app[SETTINGS].server
    items = await _kept(
        ident, lambda: store.input_of(ident, holder, max_items=limits.max_messages, max_bytes=limits.max_body_bytes)
    )
    return json_response(render_listing(items, asked))


async def cancel(request: web.Request) -> web.Response:
    """`POST /v1/responses/{id}/cancel`: for answers that are made in the background, of which there are none."""
    raise BadRequest(
        "Only an answer with 'background': true can be cancelled, and there are none here: close the connection that it comes on, and it stops."
    )


def _asked_for(request: web.Request) -> tuple[str, str, ResponseStore]:
    return request.match_info["id"], request[DOOR].key, request.app[RESPONSES]


async def _kept(ident: str, look: Callable[[], T]) -> T:
    """What `look` finds, in a thread. Raises `ResponseNotFound`: whoever asks for the answer itself is told 404, as by OpenAI."""
    try:
        return await asyncio.to_thread(look)
    except NotKept as exc:
        raise ResponseNotFound(f"Response with id '{ident[:80]}' not found: {exc}.") from exc
    except TooMuch as exc:
        raise BadRequest(f"The conversation of this answer {exc}.") from exc
    except OSError as exc:
        raise _unreadable(exc) from exc


def _unreadable(exc: OSError) -> InternalError:
    logger.error("kept answers cannot be read error=%s", exc)
    return InternalError("The answers that were kept cannot be read; Farmhand's log has the details. Send the whole conversation in 'input'.")
