"""Embeddings, and as much of documents, search and tenants as a client can see (protocols/localllm.md 5.3, 13)."""

from __future__ import annotations

import hashlib
import math
from typing import Any

from tests.fakes.localllm.app import App
from tests.fakes.localllm.errors import Unhandled, invalid
from tests.fakes.localllm.exchange import Exchange
from tests.fakes.localllm.payload import Json, parse_object
from tests.fakes.localllm.runtime import count_tokens

DIMENSIONS = 384
MAX_TOKENS = 128
"""Of each text, the two markers included; the rest is cut off without notice."""


async def embeddings(app: App, exchange: Exchange) -> None:
    given = await _object(exchange)
    model, texts = given.get("model"), _texts(given)
    if sum(map(len, texts)) > app.options.max_prompt_chars:
        raise invalid(413, "Input is longer than allowed")
    _check_model(app, model)
    data = [{"object": "embedding", "embedding": embed(text), "index": n} for n, text in enumerate(texts)]
    used = sum(min(MAX_TOKENS, count_tokens(text) + 2) for text in texts)
    usage = {"prompt_tokens": used, "total_tokens": used}
    exchange.reply_json(200, {"object": "list", "model": model, "data": data, "usage": usage})


def embed(text: str) -> list[float]:
    """A unit vector of the first 126 words, each of which turns it a little; no words, no direction but the first."""
    vector = [0.0] * DIMENSIONS
    vector[0] = 0.1
    for word in text.lower().split()[: MAX_TOKENS - 2]:
        for index, byte in enumerate(hashlib.sha512(word.encode("utf-8", "replace")).digest()):
            vector[(index * 6 + byte) % DIMENSIONS] += byte / 255 - 0.5
    length = math.sqrt(sum(value * value for value in vector))
    return [value / length for value in vector]


async def put_document(app: App, exchange: Exchange) -> None:
    given = await _object(exchange)
    name, text, model = (_required(given, field) for field in ("id", "text", "model"))
    if len(text) > 50 * app.options.max_prompt_chars:
        raise invalid(413, "Text is longer than allowed")
    _check_model(app, model)
    tenant = _tenant(exchange)
    chunks = _chunks(text)
    document = {"model": model, "chunks": chunks, "metadata": given.get("metadata")}
    app.documents.setdefault(tenant, {})[name] = document
    exchange.reply_json(200, _described(name, document, tenant))


async def list_documents(app: App, exchange: Exchange) -> None:
    tenant = _tenant(exchange)
    data = [_described(name, found, tenant) for name, found in app.documents.get(tenant, {}).items()]
    exchange.reply_json(200, {"object": "list", "data": data, "tenant_id": tenant})


async def delete_document(app: App, exchange: Exchange) -> None:
    tenant, name = _tenant(exchange), exchange.request.path.rpartition("/")[2]
    found = app.documents.get(tenant, {}).pop(name, None)
    removed = len(found["chunks"]) if found else 0
    reply = {"document_id": name, "deleted": found is not None, "chunks_removed": removed}
    exchange.reply_json(200, {**reply, "tenant_id": tenant})


async def search(app: App, exchange: Exchange) -> None:
    """Nearest first, of max(4k, 16) neighbours over all tenants, those of this tenant and model."""
    given = await _object(exchange)
    query, model = _required(given, "query"), _required(given, "model")
    _check_model(app, model)
    tenant, asked = _tenant(exchange), given.get("k")
    k = min(50, max(1, 5 if not isinstance(asked, int) else asked))
    found = sorted(_scored(app, embed(query)), key=lambda entry: -entry[0])[: max(4 * k, 16)]
    hits = [{**hit, "score": score} for score, owner, of_model, hit in found if (owner, of_model) == (tenant, model)]
    exchange.reply_json(200, {"object": "list", "data": hits[:k], "model": model, "tenant_id": tenant})


async def list_tenants(app: App, exchange: Exchange) -> None:
    data = [
        {
            "tenant_id": tenant,
            "document_count": len(documents),
            "chunk_count": sum(len(document["chunks"]) for document in documents.values()),
        }
        for tenant, documents in app.documents.items()
    ]
    exchange.reply_json(200, {"object": "list", "data": data})


async def delete_tenant(app: App, exchange: Exchange) -> None:
    name = exchange.request.path.rpartition("/")[2]
    found = app.documents.pop(name, None)
    removed = sum(len(document["chunks"]) for document in (found or {}).values())
    exchange.reply_json(200, {"tenant_id": name, "deleted": found is not None, "chunks_removed": removed})


async def _object(exchange: Exchange) -> Json:
    return parse_object(exchange.request.headers.get("content-type", ""), await exchange.body())


def _texts(given: Json) -> list[str]:
    """`input` as a list; raises 400 for what is no text, Unhandled where it is missing."""
    wanted = given.get("encoding_format")
    if wanted is not None and wanted != "float":
        raise invalid(400, "Only encoding_format float is known")
    value = given.get("input")
    if value is None:
        raise Unhandled("Parameter specified as non-null is null: parameter input")
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise invalid(400, "input must be a string or a list of strings")
    return texts


def _required(given: Json, field: str) -> str:
    value = given.get(field)
    if value is None:
        raise Unhandled(f"Parameter specified as non-null is null: parameter {field}")
    if not isinstance(value, str) or not value.strip():
        raise invalid(400, f"{field} must not be blank")
    return value


def _check_model(app: App, model: Any) -> None:
    if model not in app.options.embedders:
        raise invalid(404, "No usable embedding model of this name")


def _tenant(exchange: Exchange) -> str:
    """Self-declared; also set as a header of the reply."""
    headers = exchange.request.headers
    names = (headers.get(name, "").strip().lower() for name in ("x-client-id", "user-agent"))
    tenant = next((name for name in names if name), "anonymous")
    exchange.headers["X-Tenant-Id"] = tenant
    return tenant


def _described(name: str, document: dict[str, Any], tenant: str) -> dict[str, Any]:
    size, model = len(document["chunks"]), document["model"]
    return {"document_id": name, "chunk_count": size, "model": model, "tenant_id": tenant}


def _chunks(text: str) -> list[str]:
    """Pieces of 400 characters, each beginning 60 before the end of the one before; paragraphs are not looked at."""
    return [text[start : start + 400] for start in range(0, max(1, len(text) - 60), 340)]


def _similarity(query: list[float], text: str) -> float:
    return sum(a * b for a, b in zip(query, embed(text), strict=True))


def _scored(app: App, query: list[float]) -> list[tuple[float, str, str, dict[str, Any]]]:
    return [
        (_similarity(query, text), tenant, document["model"], hit)
        for tenant, documents in app.documents.items()
        for name, document in documents.items()
        for index, text in enumerate(document["chunks"])
        for hit in [{"document_id": name, "chunk_index": index, "text": text, "metadata": document["metadata"]}]
    ]
