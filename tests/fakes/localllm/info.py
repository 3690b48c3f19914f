"""Models, health, warm-up and metrics (protocols/localllm.md 6, 11)."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from tests.fakes.localllm import aicore
from tests.fakes.localllm.app import App
from tests.fakes.localllm.engines import BACKEND, Conversation
from tests.fakes.localllm.errors import EngineFailed, ModelFailed, NotReady
from tests.fakes.localllm.exchange import TEXT_TYPE, Exchange
from tests.fakes.localllm.options import AICORE_ID
from tests.fakes.localllm.runtime import Generation, Prompt

_INSTALLED_S = 1_778_650_000
"""Modification time of the first model file; each further one is a hundred seconds younger."""


async def models(app: App, exchange: Exchange) -> None:
    """`GET /v1/models`: chat files, embedding files, AICore, which is there on every phone and always new."""
    files = [*app.options.models, *app.options.embedders]
    data = [_model(name, _INSTALLED_S + 100 * index, "local") for index, name in enumerate(files)]
    data.append(_model(AICORE_ID, int(time.time()), "google-aicore"))
    exchange.reply_json(200, {"object": "list", "data": data})


def _model(name: str, created: int, owner: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": created, "owned_by": owner}


async def health(app: App, exchange: Exchange) -> None:
    """`GET /health`: that the server answers, and not that any model works."""
    engines = [
        {
            "key": engine.key,
            "backend": BACKEND,
            "attempts": [{"backend": BACKEND, "result": "ok", "duration_ms": engine.load_ms}],
        }
        for engine in app.registry.loaded.values()
    ]
    found: dict[str, Any] = {"status": "ok", "service": "localllm-android", "version": "1.0"}
    found |= {"queue_depth": len(app.ledger.waiting), "engines_loaded": len(engines), "engines": engines}
    if app.options.rich_errors:
        found["aicore"] = aicore.health_block(app.options)
    exchange.reply_json(200, found)


async def warm(app: App, exchange: Exchange) -> None:
    """`POST /health/warm`: load the engine, generate for "Hi", under the real mutex; not in the queue count (11.2)."""
    model = exchange.request.query.get("model") or app.options.selected
    began_s = time.monotonic()
    with app.request_in_flight():
        status, found = await _warm(app, model)
    took = {"ms": round((time.monotonic() - began_s) * 1000)}
    exchange.reply_json(status, {"model": model, **found, **took})


async def _warm(app: App, model: str) -> tuple[int, dict[str, Any]]:
    try:
        if model == AICORE_ID:
            aicore.ensure_ready(app.options)
            await _say_hi(app, aicore.ENGINE_KEY, None, 1)
        else:
            async with asyncio.timeout(app.options.warm_timeout_s):
                await _warm_engine(app, model)
    except NotReady as not_ready:
        return 503, {"status": "aicore_not_ready", "aicore_status": not_ready.status}
    except TimeoutError:
        return 504, {"status": "timeout"}
    except (EngineFailed, ModelFailed) as failure:
        return 503, {"status": "error", "error": str(failure)}
    return 200, {"status": "warm", "engine_loaded": True}


async def _warm_engine(app: App, model: str) -> None:
    engine = await app.registry.get(model, None)
    async with app.mutex:
        if engine.live is not None and engine.live.alive:
            raise ModelFailed("FAILED_PRECONDITION: a session already exists")
        conversation = engine.live = Conversation((), [])
        await _say_hi(app, engine.key, conversation, engine.context)
        app.registry.close_live(engine)


async def _say_hi(app: App, key: str, conversation: Conversation | None, budget: int) -> None:
    messages = ({"role": "user", "content": "Hi"},)
    with app.counted_as_run():
        reply = app.options.says([dict(message) for message in messages])
        generation = app.generate(Prompt(key, messages, (), 0.0, 40), reply, budget)
        if conversation is not None:
            conversation.generation = generation
        await _to_end(generation)


async def _to_end(generation: Generation) -> None:
    try:
        await generation.whole()
    except asyncio.CancelledError:
        generation.cancel()
        await generation.over.wait()
        raise


async def metrics(app: App, exchange: Exchange) -> None:
    """`GET /metrics` in Prometheus' text form; the counters begin at 0 in each life of the process (11.3)."""
    counters, ledger = app.ledger.counters, app.ledger
    rate = counters.stream_chunks / counters.inference_s if counters.inference_s else 0.0
    lines: list[str] = []
    _add(lines, "requests_total", "counter", counters.requests)
    _add(lines, "requests_completed_total", "counter", counters.completed)
    _add(lines, "requests_errored_total", "counter", counters.errored)
    _add(lines, "requests_cancelled_total", "counter", counters.cancelled)
    _add(lines, "stream_chunks_total", "counter", counters.stream_chunks)
    _add(lines, "inference_seconds_total", "counter", counters.inference_s)
    _add(lines, "inference_seconds_avg", "gauge", counters.average_s)
    _add(lines, "chunks_per_second_avg", "gauge", rate)
    _add(lines, "queue_depth", "gauge", len(ledger.waiting))
    _add(lines, "inflight", "gauge", int(ledger.running is not None))
    _add(lines, "engines_loaded", "gauge", len(app.registry.loaded))
    loaded = {f'key="{_label(key)}",backend="{BACKEND}"': 1.0 for key in app.registry.loaded}
    _add_labelled(lines, "engine_loaded", "gauge", loaded)
    requests, averages = _by_client(list(ledger.recent))
    _add_labelled(lines, "client_requests_total", "counter", requests)
    _add_labelled(lines, "client_inference_seconds_avg", "gauge", averages)
    exchange.reply(200, TEXT_TYPE, ("\n".join(lines) + "\n").encode())


def _by_client(recent: list[tuple[str, float]]) -> tuple[dict[str, float], dict[str, float]]:
    """Requests and mean seconds of at most 32 clients, of the last 50 requests only."""
    clients = list(dict.fromkeys(client for client, _ in recent))[:32]
    seconds = {client: [took_s for name, took_s in recent if name == client] for client in clients}
    counts = {f'client="{_label(client)}"': float(len(took)) for client, took in seconds.items()}
    averages = {f'client="{_label(client)}"': sum(took) / len(took) for client, took in seconds.items()}
    return counts, averages


def _add(lines: list[str], name: str, kind: str, value: float) -> None:
    lines += [f"# HELP localllm_{name} {name.replace('_', ' ')}", f"# TYPE localllm_{name} {kind}"]
    lines.append(f"localllm_{name} {value}")


def _add_labelled(lines: list[str], name: str, kind: str, values: dict[str, float]) -> None:
    lines += [f"# HELP localllm_{name} {name.replace('_', ' ')}", f"# TYPE localllm_{name} {kind}"]
    lines += [f"localllm_{name}{{{labels}}} {value:g}" for labels, value in values.items()]


def _label(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
