"""The adapter as users run it, inside a test: the real app, the real `AdapterRunner`, a port of its own.

Not aiohttp's test server, whose defaults differ: it cancels a handler when its client leaves even where the adapter
would not.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from adapter.engines.base import Engine
from adapter.engines.registry import Registry
from adapter.server.app import RUNNER_OPTIONS, build_app
from adapter.server.protocol import HEADER_BOUNDS, AdapterRunner
from adapter.settings import Settings

KEY = "sk-test-0123456789abcdef"
ECHO: Mapping[str, Any] = {"name": "echo", "kind": "echo"}


@dataclass(frozen=True)
class RunningAdapter:
    """url: base without `/v1`. session: has `url` as its base and sends the key."""

    url: str
    port: int
    key: str
    session: aiohttp.ClientSession
    app: web.Application
    runner: AdapterRunner


def settings(home: Path, **sections: Any) -> Settings:
    """`sections` as in the file, with the echo engine where no engine is named: `settings(home, server={...})`."""
    return Settings(home=home, **{"engine": [dict(ECHO)], **sections})


@asynccontextmanager
async def running_adapter(
    config: Settings | None = None,
    *,
    engines: Sequence[Engine] | None = None,
    routes: Mapping[str, Sequence[str]] | None = None,
    **sections: Any,
) -> AsyncIterator[RunningAdapter]:
    """Serve until the block is left; everything is then closed, the port first.

    config: whole settings; else `sections` over the echo engine, as in `settings`. engines: these instead of the
    configured ones, with `routes` for model names.
    """
    with tempfile.TemporaryDirectory() as folder:
        chosen = config or settings(Path(folder), **sections)
        registry = None if engines is None else Registry(engines, routes or {})
        app = build_app(chosen, keys=(KEY,), registry=registry)
        runner = AdapterRunner(app, **{**RUNNER_OPTIONS, "shutdown_timeout": 1.0}, **HEADER_BOUNDS)
        try:
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            port = int(runner.addresses[0][1])
            url = f"http://127.0.0.1:{port}"
            async with aiohttp.ClientSession(
                url, headers={"Authorization": f"Bearer {KEY}"}, timeout=aiohttp.ClientTimeout(total=20)
            ) as session:
                yield RunningAdapter(url, port, KEY, session, app, runner)
        finally:
            await runner.cleanup()
