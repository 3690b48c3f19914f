"""Listen, serve until a signal, stop in order."""

from __future__ import annotations

import asyncio
import errno
import logging
import signal
from collections.abc import Callable

from aiohttp import web

from adapter.server.app import RUNNER_OPTIONS
from adapter.server.protocol import HEADER_BOUNDS, AdapterRunner
from adapter.settings import ServerSettings

logger = logging.getLogger(__name__)

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

# What a handler gets to end by itself after a second signal, and once more after it was cancelled.
HURRY_S = 0.1


class CannotListen(Exception):
    """The port cannot be had; the text says why and what to do."""


async def serve(app: web.Application, settings: ServerSettings, *, on_listening: Callable[[int], None]) -> None:
    """Serve until SIGINT, SIGTERM or SIGHUP, then stop in order: close the port, drain, close the engines.

    on_listening: called once with the real port. Raises `CannotListen`. A second signal cuts the draining short.
    """
    stop = asyncio.Event()
    runner = AdapterRunner(app, **RUNNER_OPTIONS, **HEADER_BOUNDS)
    loop = asyncio.get_running_loop()
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, stop.set)
    try:
        await runner.setup()
        site = web.TCPSite(runner, settings.host, settings.port)
        try:
            await site.start()
        except (OSError, UnicodeError) as exc:  # the latter for a host that no name server could be asked for
            raise CannotListen(_why(exc, settings)) from exc
        on_listening(_port(runner))
        await stop.wait()
        logger.info("stopping drain_s=%g", settings.drain_s)
        await _stop(runner, stop)
    finally:
        for number in STOP_SIGNALS:
            loop.remove_signal_handler(number)
        await runner.cleanup()


async def _stop(runner: AdapterRunner, stop: asyncio.Event) -> None:
    """Clean up, or hurry when a second signal comes: the answers still running are then cancelled."""
    stop.clear()
    cleaning = asyncio.ensure_future(runner.cleanup())
    again = asyncio.ensure_future(stop.wait())
    await asyncio.wait({cleaning, again}, return_when=asyncio.FIRST_COMPLETED)
    again.cancel()
    if not cleaning.done() and runner.server is not None:
        logger.warning("second signal: not waiting for running answers")
        # Cancels the handlers; their engines' iterators close with them. Not 0, which aiohttp takes for "no limit".
        await runner.server.shutdown(HURRY_S)
    await cleaning


def _port(runner: AdapterRunner) -> int:
    """The IPv4 one where there are two: port 0 on `localhost` gives each family its own."""
    addresses = sorted(runner.addresses, key=lambda address: ":" in address[0])
    return int(addresses[0][1])


def _why(exc: OSError | UnicodeError, settings: ServerSettings) -> str:
    where = f"{settings.host}:{settings.port}"
    if isinstance(exc, UnicodeError):
        return f"{settings.host!r} is no host name; choose another with --host."
    match exc.errno:
        case errno.EADDRINUSE:
            return (
                f"Port {settings.port} on {settings.host} is taken, perhaps by another Farmhand: stop that program, "
                "or choose another port with --port."
            )
        case errno.EACCES:
            return f"{where} may not be used: ports below 1024 need root; choose another with --port."
        # None: from Python 3.13 on asyncio passes over such addresses and then says that none was left.
        case errno.EADDRNOTAVAIL | None:
            return f"{settings.host} is not an address of this machine; choose another with --host."
        case _:
            return f"{where} cannot be listened on: {exc.strerror or exc}."
