"""What is wrong before there is a request: bytes that are no HTTP, headers over their bounds.

aiohttp answers these itself, as plain text and below the middlewares. Here they get our form, so that a
client with too large a header reads what is too large.
"""

from __future__ import annotations

import logging
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import BadHttpMessage, LineTooLong

from adapter.errors import AdapterError, BadRequest, HeadersTooLarge, InternalError
from adapter.server.middleware import error_response

logger = logging.getLogger(__name__)

# aiohttp's own bounds, spelled out: one header line, one request line, and how many headers.
HEADER_BOUNDS: dict[str, Any] = {"max_line_size": 8_190, "max_field_size": 8_190, "max_headers": 128}


class _Handler(web.RequestHandler):
    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Called for malformed requests, and for exceptions that no middleware saw."""
        error = _error(status, exc, message)
        if status >= 500:
            logger.error("request failed below the middlewares", exc_info=exc)
        else:
            logger.info("refused before routing status=%d code=%s", error.status, error.code)
        response = error_response(error)
        response.force_close()
        return response

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """After its answer aiohttp reads on in a body that was found to be broken, and would log a traceback of that."""
        if not isinstance(kw.get("exc_info"), web.RequestPayloadError):
            super().log_exception(*args, **kw)


def _error(status: int, exc: BaseException | None, message: str | None) -> AdapterError:
    if isinstance(exc, LineTooLong) or "many headers" in str(exc).lower():
        return HeadersTooLarge(
            f"The request line or a header is too large: at most {HEADER_BOUNDS['max_field_size']} bytes each, "
            f"{HEADER_BOUNDS['max_headers']} headers."
        )
    if status < 500:
        text = exc.message if isinstance(exc, BadHttpMessage) else message
        return BadRequest(f"This is not a valid HTTP request: {(text or 'malformed').splitlines()[0][:150]}")
    return InternalError("Farmhand met an error of its own; its log has the details.")


class _Server(web.Server):
    def __call__(self) -> web.RequestHandler:
        return _Handler(self, loop=self._loop, **self._kwargs)


class AdapterRunner(web.AppRunner):
    """`AppRunner` whose connections answer malformed requests in OpenAI's form."""

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        server.__class__ = _Server  # the factory of connections is the only thing that differs
        return server
