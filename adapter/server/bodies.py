"""Request bodies in, JSON out."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from adapter.dialects.openai_body import parse_json_object
from adapter.dialects.openai_render import dump
from adapter.errors import BadRequest
from adapter.server.state import ANSWERS, SETTINGS

# Bodies above this are parsed in a thread: 256 KiB of JSON take about 2 ms here, several times that on a phone,
# and the loop has other people's tokens to deliver.
PARSE_INLINE_BYTES = 262_144


async def json_body(request: web.Request) -> dict[str, Any]:
    """The request's JSON object. Raises `BadRequest`, or `EngineUnavailable` when we stop meanwhile."""
    return (await body_of(request))[1]


async def body_of(request: web.Request) -> tuple[bytes, dict[str, Any]]:
    """The request's body and the JSON object in it. Raises as `json_body`."""
    app = request.app
    settings = app[SETTINGS].server
    if (announced := request.content_length or 0) > settings.max_body_bytes:
        raise web.HTTPRequestEntityTooLarge(settings.max_body_bytes, announced)
    try:
        if request.content.is_eof():  # it came with the headers, as small ones do
            raw = await request.read()
        else:
            async with app[ANSWERS].arriving(settings.body_s):
                raw = await request.read()
    except TimeoutError:
        app[ANSWERS].refuse_if_stopping()
        raise BadRequest(f"The request body did not arrive within {settings.body_s:g} s.") from None
    except (web.RequestPayloadError, HttpProcessingError) as exc:  # broken chunks, no gzip where gzip was promised
        why = str(exc).splitlines()[-1].strip()  # the first line is aiohttp's "400, message:"
        raise BadRequest(f"The request body cannot be read: {why[:150]}") from None
    if len(raw) > PARSE_INLINE_BYTES:
        return raw, await asyncio.to_thread(parse_json_object, raw, max_nesting=settings.max_nesting)
    return raw, parse_json_object(raw, max_nesting=settings.max_nesting)


def json_response(value: dict[str, Any]) -> web.Response:
    return web.Response(body=dump(value), content_type="application/json")
