"""The aiohttp application: state, routes, start and stop in pairs."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from aiohttp import web

from adapter.access.gate import Gate
from adapter.dispatch.dispatcher import Dispatcher
from adapter.engines.registry import Registry
from adapter.meter import Meter
from adapter.responses.store import ResponseStore
from adapter.routing_types import Target
from adapter.server.middleware import guarded, put_headers, traced
from adapter.server.pressing import Pressing
from adapter.server.routes import add_routes
from adapter.server.routes_search import searching
from adapter.server.state import (
    ANSWERS,
    DISPATCHER,
    GATE,
    INSTANCE,
    METER,
    NEW_ID,
    PRESSING,
    REGISTRY,
    RESPONSES,
    SETTINGS,
    STARTED_AT,
    Answers,
)
from adapter.settings import Settings

logger = logging.getLogger(__name__)

# For AppRunner. Without `handler_cancellation` a client's leaving would stop nothing (checked in aiohttp 3.14.5:
# only its test server has it on by default). No access log: `Trace` writes the one line.
RUNNER_OPTIONS: dict[str, Any] = {"handler_cancellation": True, "access_log": None, "shutdown_timeout": 5.0}


def new_id() -> str:
    return secrets.token_hex(12)


def build_app(
    settings: Settings,
    *,
    keys: tuple[str, ...],
    registry: Registry | None = None,
    id_factory: Callable[[], str] = new_id,
) -> web.Application:
    """The adapter, ready for an `AppRunner` made with `RUNNER_OPTIONS`.

    keys: bearer keys that may do everything, besides those of the settings and tokens. registry: the engines; from the settings unless a test brings its own.
    """
    app = web.Application(middlewares=[traced, guarded], client_max_size=settings.server.max_body_bytes)
    app[SETTINGS] = settings
    app[GATE] = Gate(keys, settings, wall=time.time, clock=time.monotonic)
    app[INSTANCE] = secrets.token_hex(6)
    app[REGISTRY] = registry or Registry.from_settings(settings, instance=app[INSTANCE])
    app[ANSWERS] = Answers()
    app[RESPONSES] = ResponseStore(
        settings.home / "responses",
        max_bytes=settings.responses.store_mib * 1_048_576,
        keep_s=settings.responses.keep_days * 86_400,
        wall=time.time,
    )
    app[STARTED_AT] = int(time.time())
    app[NEW_ID] = id_factory
    add_routes(app.router)
    app.on_response_prepare.append(put_headers)
    app.cleanup_ctx.append(_counts)
    app.cleanup_ctx.append(_engines)
    app.cleanup_ctx.append(searching)
    app.on_shutdown.append(_drain)
    return app


async def _counts(app: web.Application) -> AsyncIterator[None]:
    """Outside the engines, so that answers which end with those are counted."""
    yield
    await app[GATE].tally.close()


async def _engines(app: web.Application) -> AsyncIterator[None]:
    loop = asyncio.get_running_loop()
    try:
        await app[REGISTRY].start()
        app[DISPATCHER] = Dispatcher(app[REGISTRY], app[SETTINGS], now_s=loop.time)
        await app[DISPATCHER].start()
        _watch(app)
        yield
        await app[PRESSING].close()
        await app[DISPATCHER].close()
    finally:  # also when one of several engines could not start
        await app[REGISTRY].close()


def _watch(app: web.Application) -> None:
    """From here on it is known what goes on, and the phone can be spared."""
    registry, dispatcher = app[REGISTRY], app[DISPATCHER]
    meter = app[METER] = Meter(now_s=asyncio.get_running_loop().time, lists=registry.lists)
    app[PRESSING] = Pressing(registry, dispatcher, on_change=meter.pressed)
    app[ANSWERS].on_begin, app[ANSWERS].on_rest = meter.began, meter.rests
    here = frozenset(registry.on_this_phone)

    def note_pace(target: Target, tokens: int, first_s: float, last_s: float) -> None:
        if target.engine in here:
            meter.paced(target.engine, target.model, tokens, first_s, last_s)

    dispatcher.on_pace = note_pace


async def _drain(app: web.Application) -> None:
    """Runs when the port is closed already: let answers end, then end them with an error of their own."""
    app[METER].stop()
    cut = await app[ANSWERS].drain(app[SETTINGS].server.drain_s)
    if cut:
        logger.warning("stopping cut=%d answers were not complete", cut)
