"""The aiohttp application: state, routes, start and stop in pairs."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

from aiohttp import web

from adapter.dispatch.dispatcher import Dispatcher
from adapter.engines.registry import Registry
from adapter.server.middleware import guarded, put_headers, traced
from adapter.server.routes import add_routes
from adapter.server.state import (
    ANSWERS,
    DISPATCHER,
    INSTANCE,
    KEYS,
    NAMED,
    NEW_ID,
    REGISTRY,
    SETTINGS,
    STARTED_AT,
    Answers,
)
from adapter.settings import KeySettings, Settings

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

    keys: the bearer keys that are let in, besides those of `[[key]]`. registry: the engines; from the settings unless a test brings its own.
    """
    app = web.Application(middlewares=[traced, guarded], client_max_size=settings.server.max_body_bytes)
    app[SETTINGS] = settings
    app[KEYS] = (*keys, *(entry.key for entry in settings.key))
    app[NAMED] = named_keys(keys, settings)
    app[INSTANCE] = secrets.token_hex(6)
    app[REGISTRY] = registry or Registry.from_settings(settings, instance=app[INSTANCE])
    app[ANSWERS] = Answers()
    app[STARTED_AT] = int(time.time())
    app[NEW_ID] = id_factory
    add_routes(app.router)
    app.on_response_prepare.append(put_headers)
    app.cleanup_ctx.append(_engines)
    app.on_shutdown.append(_drain)
    return app


def named_keys(keys: Iterable[str], settings: Settings) -> dict[str, tuple[str, KeySettings | None]]:
    """What stands for each key, since no key may be in a log: its name, else a few characters of its hash."""
    unnamed = {key: (f"key-{hashlib.sha256(key.encode()).hexdigest()[:8]}", None) for key in keys}
    return {**unnamed, **{entry.key: (entry.name, entry) for entry in settings.key}}


async def _engines(app: web.Application) -> AsyncIterator[None]:
    loop = asyncio.get_running_loop()
    try:
        await app[REGISTRY].start()
        app[DISPATCHER] = Dispatcher(app[REGISTRY], app[SETTINGS], now_s=loop.time)
        await app[DISPATCHER].start()
        yield
        await app[DISPATCHER].close()
    finally:  # also when one of several engines could not start
        await app[REGISTRY].close()


async def _drain(app: web.Application) -> None:
    """Runs when the port is closed already: let answers end, then end them with an error of their own."""
    cut = await app[ANSWERS].drain(app[SETTINGS].server.drain_s)
    if cut:
        logger.warning("stopping cut=%d answers were not complete", cut)
