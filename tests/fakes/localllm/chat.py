"""`POST /v1/chat/completions`: the checks in their order, then the engine (protocols/localllm.md 5.1)."""

from __future__ import annotations

import asyncio
import dataclasses

from tests.fakes.localllm import aicore, litert
from tests.fakes.localllm.app import App
from tests.fakes.localllm.errors import (
    EngineFailed,
    ModelFailed,
    NotReady,
    Refused,
    TimedOut,
    explain,
    invalid,
)
from tests.fakes.localllm.exchange import ClientGone, Exchange
from tests.fakes.localllm.ledger import Ticket
from tests.fakes.localllm.options import AICORE_ID
from tests.fakes.localllm.orders import Ordered
from tests.fakes.localllm.payload import ChatRequest, parse_chat
from tests.fakes.localllm.streams import break_stream

_FAILURES = (Refused, EngineFailed, ModelFailed, NotReady, TimedOut)


async def chat(app: App, ordered: Ordered, exchange: Exchange) -> None:
    """Answer one chat request; raises Refused and Unhandled for errors before the reply began."""
    client = client_of(exchange)
    app.buckets.take(client)
    order = ordered.take(early=True)
    if order is not None:
        raise order.failure()
    request = await _checked(app, exchange)
    ticket = app.ledger.enter(client)
    exchange.headers |= ticket.headers
    counters = app.ledger.counters
    try:
        with app.request_in_flight():
            await _work(app, ordered, exchange, request, ticket)
        counters.completed += 1
    except _FAILURES as failure:
        counters.errored += 1
        refused = explain(failure, app.options, request.model)
        if not exchange.has_begun:
            raise refused from failure
        break_stream(exchange, refused, app.options.mid_stream_failure)
    except ClientGone:
        counters.errored += 1
        exchange.cut()
    except asyncio.CancelledError:
        counters.cancelled += 1
        raise
    finally:
        app.ledger.leave(ticket)


def client_of(exchange: Exchange) -> str:
    """The User-Agent, by which the app knows its clients (9)."""
    return exchange.request.headers.get("user-agent", "").strip() or "anonymous"


async def _checked(app: App, exchange: Exchange) -> ChatRequest:
    """Rows 3 to 7 of 5.1."""
    options, headers = app.options, exchange.request.headers
    if int(headers.get("content-length") or 0) > 2 * options.max_prompt_chars + 8192:
        raise invalid(413, "Request body is larger than allowed")
    request = parse_chat(headers.get("content-type", ""), await exchange.body())
    if not request.model.strip() and options.build != "monolith":
        request = dataclasses.replace(request, model=options.selected)
    if request.characters > options.max_prompt_chars:
        raise invalid(413, "Prompt is longer than allowed")
    return request


async def _work(
    app: App, ordered: Ordered, exchange: Exchange, request: ChatRequest, ticket: Ticket
) -> None:
    order = ordered.take(early=False)
    if order is not None:
        raise order.failure()
    if request.model == AICORE_ID:
        await aicore.answer(app, exchange, request, ticket)
    else:
        await litert.answer(app, exchange, request, ticket)
