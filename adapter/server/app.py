"""The aiohttp application: state, routes, start and stop in pairs."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from aiohttp import web

from adapter.engines.registry import Registry
from adapter.server.middleware import guarded, put_headers, traced
from adapter.server.routes import add_routes
from adapter.server.state import ANSWERS, KEYS, NEW_ID, REGISTRY, SETTINGS, STARTED_AT, Answers
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

    keys: the bearer keys that are let in. registry: the engines; from the settings unless a test brings its own.
    """
    app = web.Application(middlewares=[traced, guarded], client_max_size=settings.server.max_body_bytes)
    app[SETTINGS] = settings
    app[KEYS] = keys
    app[REGISTRY] = registry or Registry.from_settings(settings)
    app[ANSWERS] = Answers()
    app[STARTED_AT] = int(time.time())
    app[NEW_ID] = id_factory
    add_routes(app.router)
    app.on_response_prepare.append(put_headers)
    app.cleanup_ctx.append(_engines)
    app.on_shutdown.append(_drain)
    return app


async def _engines(app: web.Application) -> AsyncIterator[None]:
    try:
        await app[REGISTRY].start()
        yield
    finally:  # also when one of several engines could not start
        await app[REGISTRY].close()


async def _drain(app: web.Application) -> None:
    """Runs when the port is closed already: let answers end, then end them with an error of their own."""
    cut = await app[ANSWERS].drain(app[SETTINGS].server.drain_s)
    if cut:
        logger.warning("stopping cut=%d answers were not complete", cut)
