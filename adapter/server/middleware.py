"""Around every request: its id and log line, errors made into responses, and the door."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable

from aiohttp import web

from adapter.access.gate import refusal
from adapter.access.headers import rate_headers
from adapter.access.holders import NOBODY, Holder
from adapter.access.scopes import needed
from adapter.dialects.gemini_errors import is_gemini, render_gemini_error
from adapter.dialects.hops import HOPS_HEADER, check_hops, parse_hops
from adapter.dialects.openai_render import dump, render_error
from adapter.errors import (
    AdapterError,
    BadKey,
    BadRequest,
    BodyTooLarge,
    HeadersTooLarge,
    MethodNotAllowed,
    NotFound,
    TokensUnavailable,
)
from adapter.queueing.headers import queue_headers
from adapter.server.answer import CLIENT_GONE, as_adapter_error
from adapter.server.guard import bearer_token, check_host, check_origin, gemini_authorization, wrong_key
from adapter.server.state import DOOR, GATE, INSTANCE, METER, NEW_ID, SETTINGS, STANDING, Door
from adapter.server.trace import TRACE, Trace

logger = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

# A client's own id is taken over if it is harmless in a header and in a log line.
_HARMLESS_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_GOOGLE_KEY = "X-Goog-Api-Key"
# What anybody may ask: is it alive, is it ready. Everything else needs the key.
OPEN_PATHS = frozenset({"/health", "/ready", "/v1/health", "/v1/ready"})


def speaks_gemini(request: web.Request) -> bool:
    """Is this a request in Gemini's form, to be answered so?"""
    return is_gemini(request.path, keyed=_GOOGLE_KEY in request.headers)


def error_response(error: AdapterError, *, gemini: bool = False) -> web.Response:
    """The one place where an error becomes a response. gemini: in that form."""
    body = render_gemini_error(error) if gemini else render_error(error)
    response = web.Response(status=error.status, body=dump(body), content_type="application/json")
    if error.retry_after_s is not None:
        response.headers["Retry-After"] = str(error.retry_after_s)
    if error.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


@web.middleware
async def traced(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Outermost: id, one log line, and no exception leaves."""
    loop = asyncio.get_running_loop()
    sent = request.headers.get("X-Request-Id", "")
    trace = Trace(sent if _HARMLESS_ID.fullmatch(sent) else request.app[NEW_ID](), loop.time())
    request[TRACE] = trace
    status = 499  # nginx's number for a client that left; seen in the log only
    try:
        response = await _answered(request, handler, trace)
        status = response.status
        return response
    except asyncio.CancelledError:
        trace.finish = CLIENT_GONE
        raise
    finally:
        now_s = loop.time()
        trace.log(request.method, request.path, status, now_s)
        request.app[METER].ended(request.path, status, trace, now_s)


async def _answered(request: web.Request, handler: Handler, trace: Trace) -> web.StreamResponse:
    allow = ""
    try:
        return await handler(request)
    except web.HTTPException as exc:
        error = _own_words(exc, request)
        allow = exc.headers.get("Allow", "")
    except Exception as exc:  # the edge: nothing may pass as a traceback
        error = as_adapter_error(exc)
        if error is not exc:
            logger.error("id=%s failed", trace.id, exc_info=exc)
    trace.finish, trace.code = "error", error.code
    response = error_response(error, gemini=speaks_gemini(request))
    if allow:  # HTTP wants it with every 405
        response.headers["Allow"] = allow
    return response


def _own_words(exc: web.HTTPException, request: web.Request) -> AdapterError:
    """aiohttp's routing and size errors, which come as plain text, in OpenAI's form."""
    match exc.status:
        case 404:
            return NotFound(
                f"There is no {request.path[:200]} here; this version serves /v1/chat/completions, "
                "/v1/responses, /v1/completions, /v1/embeddings, /v1/models, /v1/search, /v1beta/models, /tokenize, "
                "/detokenize, /health, /ready, /metrics and /admin."
            )
        case 405:
            allowed = exc.headers.get("Allow", "another method")
            return MethodNotAllowed(f"{request.path[:200]} does not take {request.method[:20]}; use {allowed}.")
        case 413:
            limit = request.app[SETTINGS].server.max_body_bytes
            return BodyTooLarge(f"The request body is larger than {limit} bytes (server.max_body_bytes).")
        case 431:
            return HeadersTooLarge("The request's headers are too large.")
        case status if status < 500:
            return BadRequest(f"The request cannot be served: {exc.reason}.")
        case _:
            return as_adapter_error(exc)


async def put_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Signal before any response is sent: the id, and CORS where the configuration names the origin."""
    headers = response.headers
    headers["Server"] = "farmhand"
    if trace := request.get(TRACE):
        headers["X-Request-Id"] = trace.id
        if trace.queued is not None:
            headers.update(queue_headers(trace.queued))
        if trace.engine != "-":
            headers["X-Farmhand-Engine"] = trace.engine
    if standing := request.get(STANDING):
        headers.update(rate_headers(standing))
    origin = request.headers.get("Origin")
    if origin and origin in request.app[SETTINGS].server.cors_origins:
        headers["Access-Control-Allow-Origin"] = origin
        headers["Vary"] = "Origin"


@web.middleware
async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The Host header for everybody; the bearer key for all but the open paths and CORS preflights.

    Where no key is needed, the Origin stands in for it against web pages.
    """
    settings, headers = request.app[SETTINGS], request.headers
    server = settings.server
    check_host(headers.get("Host"), listening_on=server.host, allowed=server.allowed_hosts)
    if request.method == "OPTIONS" and headers.get("Origin") in server.cors_origins:
        return web.Response(status=204, headers=_PREFLIGHT)
    if not settings.auth.required:
        check_origin(headers.get("Origin"), allowed=server.cors_origins)
    if request.path in OPEN_PATHS:
        return await handler(request)
    holder = await identify(request)
    _let_in(request, holder)
    try:
        return await handler(request)
    finally:
        request.app[GATE].note(holder, request.path, request[TRACE].usage)


def _let_in(request: web.Request, holder: Holder) -> None:
    """Raises what speaks against this request of theirs; sets DOOR, and STANDING for a key with a rate."""
    gate, own = request.app[GATE], request.app[INSTANCE]
    gate.check_scope(holder, request.path)
    came = parse_hops(request.headers.get(HOPS_HEADER))
    check_hops(came, own)
    if standing := gate.take(holder, request.path):
        request[STANDING] = standing
        if standing.wait_s:
            raise refusal(holder, standing)
    request[DOOR] = Door(holder.name, holder.settings, (*came, own))


_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST, DELETE",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, *",
    "Access-Control-Max-Age": "600",
}


async def identify(request: web.Request) -> Holder:
    """Who asks, by the bearer key, or by where Gemini's clients put theirs. Raises `BadKey`, `TokensUnavailable`; where no key is needed, whoever shows none of ours is `NOBODY`.

    A key for `/admin/...` is always needed.
    """
    header, app = request.headers.get("Authorization"), request.app
    if header is None and speaks_gemini(request):
        header = gemini_authorization(request.headers.get(_GOOGLE_KEY), request.query.get("key"))
    if app[SETTINGS].auth.required or needed(request.path) == "admin":
        if holder := await app[GATE].holder(bearer_token(header)):
            return holder
        raise wrong_key()
    try:
        return await app[GATE].holder(bearer_token(header)) or NOBODY
    except (BadKey, TokensUnavailable):
        return NOBODY
