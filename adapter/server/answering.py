"""What every kind of answer is made with: who asks, the envelope, the writer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence

from aiohttp import web

from adapter.caller import Caller, Urgency
from adapter.dialects.openai_render import AnswerForm, Envelope
from adapter.dialects.openai_request import Asked
from adapter.dispatch.items import Item
from adapter.queueing.patience import caller_of
from adapter.routing import Target
from adapter.server.answer import AnswerWriter, BeforeEnd
from adapter.server.deadline import Deadline
from adapter.server.output import EVENT_STREAM
from adapter.server.state import ANSWERS, DOOR, SETTINGS
from adapter.server.trace import TRACE


def caller_for(request: web.Request, asked: Asked, urgency: Urgency | None) -> Caller:
    door = request[DOOR]
    return caller_of(
        request.headers,
        key_name=door.key,
        key=door.settings,
        stream=asked.stream,
        urgency=urgency or Urgency.INTERACTIVE,
        now_s=asyncio.get_running_loop().time(),
        hops=door.hops,
    )


def envelope_for(request: web.Request, kind: str, asked: Asked, targets: Sequence[Target]) -> Envelope:
    """As if the first target answered; `AnswerWriter` corrects it when another one does."""
    first = targets[0]
    return Envelope(
        id=f"{kind}-{request[TRACE].id}",
        created=int(time.time()),
        model=first.model,
        engine=first.engine,
        ignored=asked.without_effect(first.can),
    )


async def written(
    request: web.Request,
    asked: Asked,
    events: AsyncGenerator[Item, None],
    form: AnswerForm,
    deadline: Deadline,
    content_type: str = EVENT_STREAM,
    before_end: BeforeEnd | None = None,
) -> web.StreamResponse:
    """content_type: of a stream. before_end: as for `AnswerWriter`."""
    writer = AnswerWriter(
        asked,
        events,
        form,
        answers=request.app[ANSWERS],
        trace=request[TRACE],
        deadline=deadline,
        before_end=before_end,
    )
    if asked.stream:
        return await writer.stream(request, request.app[SETTINGS].server, content_type)
    return await writer.plain(request, request.app[SETTINGS].server)
