"""Gemini Nano behind ML Kit: its probe, its chat, its two routes (protocols/localllm.md 8.6, 12)."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from tests.fakes.localllm import images
from tests.fakes.localllm.app import App
from tests.fakes.localllm.errors import BackgroundBlocked, ModelFailed, NotReady, Refused, TimedOut
from tests.fakes.localllm.exchange import ClientGone, Exchange
from tests.fakes.localllm.frames import Frames
from tests.fakes.localllm.ledger import Ticket
from tests.fakes.localllm.options import AICORE_ID, Options
from tests.fakes.localllm.payload import ChatRequest, image_urls, parse_object, text_of
from tests.fakes.localllm.runtime import Generation, Prompt
from tests.fakes.localllm.streams import finish_stream, relay_pieces

MAX_OUTPUT = 256
"""The permitted range of `max_tokens` is 1 to this, by ML Kit's reference (7.4)."""
ENGINE_KEY = f"{AICORE_ID}_AICORE"
_CODES = {"unavailable": 0, "downloadable": 1, "downloading": 2, "available": 3}
_LABELS = ("system", "assistant", "tool", "user")
_PROBE_ERROR = "the AICore service did not answer"


class SwallowingExchange:
    """An exchange whose failed writes nobody hears of: an AICore stream runs to its end (7.8)."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def chunk(self, text: str) -> None:
        try:
            self._exchange.chunk(text)
        except ClientGone:
            return

    def end_stream(self) -> None:
        self._exchange.end_stream()


def status_label(options: Options) -> str:
    """The true status; the app in the background has an available model."""
    match options.aicore:
        case "background":
            return "available"
        case "probe_failed":
            return "unknown(-1)"
        case status:
            return status


def ensure_ready(options: Options) -> None:
    """Rows 10 to 12 of 5.1."""
    label = status_label(options)
    if label != "available":
        raise NotReady(label if label in _CODES else "unavailable")


async def answer(app: App, exchange: Exchange, request: ChatRequest, ticket: Ticket) -> None:
    """No mutex, no heartbeat; tools and session are ignored, the history is one flattened text."""
    ensure_ready(app.options)
    pictures = await _last_picture(request)
    deadline_s = asyncio.get_running_loop().time() + app.options.request_timeout_s
    frames = Frames(request, ticket.number, app.options)
    app.ledger.start(ticket)
    if request.stream:
        exchange.begin_stream()
        SwallowingExchange(exchange).chunk(frames.role())
    with app.counted_as_run():
        generation = _start(app, request, pictures)
        try:
            await _deliver(app, exchange, request, frames, generation, deadline_s)
        except (TimedOut, asyncio.CancelledError):
            generation.cancel()
            await generation.over.wait()
            raise


def _start(app: App, request: ChatRequest, pictures: int) -> Generation:
    if app.options.aicore == "background":
        raise BackgroundBlocked("ErrorCode 30: background usage is blocked, use it in the foreground")
    if request.max_tokens is not None and not 1 <= request.max_tokens <= MAX_OUTPUT:
        raise ModelFailed(f"maxOutputTokens must be between 1 and {MAX_OUTPUT}")
    flat: dict[str, Any] = {"role": "user", "content": _flatten(request)}
    if pictures:
        flat["images"] = pictures
    reply = app.options.says([{"role": role, "content": text} for role, text in _lines(request)])
    prompt = Prompt(ENGINE_KEY, (flat,), (), request.temperature, request.top_k)
    return app.generate(prompt, reply, request.max_tokens or MAX_OUTPUT)


def _lines(request: ChatRequest) -> list[tuple[str, str]]:
    """Role and text of each message that has text; a role that is none of four counts as user (7.2)."""
    lines = [(message["role"], text_of(message)) for message in request.messages]
    return [(role if role in _LABELS else "user", text) for role, text in lines if text]


def _flatten(request: ChatRequest) -> str:
    """`role: text`, a blank line, ..., and `assistant: ` at the end (7.2)."""
    return "\n\n".join([*(f"{role}: {text}" for role, text in _lines(request)), "assistant: "])


async def _deliver(
    app: App, exchange: Exchange, request: ChatRequest, frames: Frames, generation: Generation, deadline_s: float
) -> None:
    if request.stream:
        deaf = SwallowingExchange(exchange)
        await relay_pieces(app, deaf, frames, generation, deadline_s, heartbeat=False)
        finish_stream(deaf, frames, ())
        return
    try:
        async with asyncio.timeout_at(deadline_s):
            text = await generation.whole()
    except TimeoutError:
        raise TimedOut from None
    exchange.reply_json(200, frames.completion(text, ()))


async def _last_picture(request: ChatRequest) -> int:
    """The last image of the conversation; one that cannot be had is left out without a word."""
    urls = [url for message in request.messages for url in image_urls(message)]
    try:
        if urls:
            await images.load(urls[-1])
        return min(1, len(urls))
    except images.BadImage:
        return 0


def health_block(options: Options) -> dict[str, Any]:
    """The block `aicore` of `/health` (11.1)."""
    if options.aicore == "probe_failed":
        return {"status": "unavailable", "model_id": AICORE_ID, "is_default": True, "error": _PROBE_ERROR}
    label = status_label(options)
    return {"status_code": _CODES[label], "status": label, "model_id": AICORE_ID, "is_default": True}


async def status_route(app: App, exchange: Exchange) -> None:
    """`GET /v1/aicore/status`: always 200; at 1d4a195 the codes 0 and 3 are swapped (12)."""
    options, label = app.options, status_label(app.options)
    code = _CODES.get(label, -1)
    swapped = {0: 3, 3: 0}.get(code, code) if options.build == "split" else code
    found: dict[str, Any] = {"model_id": AICORE_ID, "status_code": swapped, "status": label}
    found["available"] = label == "available"
    if options.rich_errors:
        found |= {"soc_model": "Tensor G5", "device": "mustang", "manufacturer": "Google"}
        if exchange.request.query.get("probe") == "all":
            kinds = ("stable/fast", "stable/full", "preview/fast", "preview/full")
            found["configs"] = {kind: {"code": code, "label": label} for kind in kinds}
    if code == -1:
        found["error"] = _PROBE_ERROR
    exchange.reply_json(200, found)


async def run_benchmark(app: App, exchange: Exchange) -> None:
    """`POST /v1/aicore/benchmark`, with a made-up answer per prompt; the result is camelCase."""
    if status_label(app.options) != "available":
        raise _benchmark_error(503, "aicore_unavailable", "AICore is not available")
    try:
        given = parse_object("application/json", await exchange.body())
    except Refused:
        given = {}
    prompts = [text for text in given.get("prompts") or ["Say hi"] if isinstance(text, str)]
    app.benchmark = _benchmark_result(prompts)
    exchange.reply_json(200, app.benchmark)


async def last_benchmark(app: App, exchange: Exchange) -> None:
    if app.benchmark is None:
        raise _benchmark_error(404, "no_benchmark", "No benchmark was run")
    exchange.reply_json(200, app.benchmark)


def _benchmark_error(status: int, kind: str, message: str) -> Refused:
    return Refused(status, {"error": {"type": kind, "message": message, "status": status}})


def _benchmark_result(prompts: list[str]) -> dict[str, Any]:
    run = {"response": "Hi to you!", "ttftMs": 410, "totalMs": 730, "tokenCount": 3, "tokensPerSec": 4.1}
    averages = {"avgTtftMs": 410.0, "avgTotalMs": 730.0, "avgTokensPerSec": 4.1}
    phone = {"deviceModel": "Pixel 10 Pro XL", "socModel": "Tensor G5", "aicoreStatus": "available"}
    total = {"totalTokensGenerated": 3 * len(prompts), "timestamp": int(time.time() * 1000)}
    return {"runs": [{"prompt": prompt, **run} for prompt in prompts], **averages, **total, **phone}
