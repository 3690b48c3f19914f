"""Which request gets which answer: gated and open routes, 404, 405, and the 500 without an envelope (protocols/localllm.md 3, 4)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from tests.fakes.localllm import aicore, chat, info, retrieval
from tests.fakes.localllm.app import App
from tests.fakes.localllm.errors import PassedOn, Refused, Unhandled, unauthorized
from tests.fakes.localllm.exchange import TEXT_TYPE, Exchange
from tests.fakes.localllm.orders import Ordered

Route = Callable[[App, Exchange], Awaitable[None]]


class Routes:
    def __init__(self, app: App, ordered: Ordered) -> None:
        self._app = app
        self._table = _table(app, ordered)

    async def answer(self, exchange: Exchange) -> None:
        """Answer one request, whatever happens inside it; only faults of the fake itself escape."""
        methods = self._find(exchange.request.path)
        if methods is None:
            exchange.reply(404)
            return
        route = methods.get(exchange.request.method)
        if route is None:
            exchange.reply(405)
            return
        try:
            if exchange.request.path.startswith("/v1/"):
                self._authorize(exchange)
            await route(self._app, exchange)
        except Refused as refused:
            exchange.headers |= refused.headers
            exchange.reply_json(refused.status, refused.payload)
        except Unhandled as unhandled:
            exchange.reply(500, TEXT_TYPE, str(unhandled).encode())
        except PassedOn as passed_on:
            exchange.reply(passed_on.status, passed_on.content_type, passed_on.body)
        except asyncio.IncompleteReadError:  # the client left in the middle of its own request
            exchange.cut()

    def _find(self, path: str) -> dict[str, Route] | None:
        parent, _, name = path.rpartition("/")
        by_name = self._table.get(f"{parent}/*") if name else None
        return self._table.get(path, by_name)

    def _authorize(self, exchange: Exchange) -> None:
        """Exactly `Bearer `, then the key, trimmed; without a key everything passes (4)."""
        key, given = self._app.options.key, exchange.request.headers.get("authorization", "")
        if key and not (given.startswith("Bearer ") and given.removeprefix("Bearer ").strip() == key):
            raise unauthorized()


def _table(app: App, ordered: Ordered) -> dict[str, dict[str, Route]]:
    async def chat_route(app: App, exchange: Exchange) -> None:
        await chat.chat(app, ordered, exchange)

    documents: dict[str, Route] = {"GET": retrieval.list_documents, "POST": retrieval.put_document}
    table: dict[str, dict[str, Route]] = {
        "/health": {"GET": info.health},
        "/v1/models": {"GET": info.models},
        "/v1/chat/completions": {"POST": chat_route},
        "/v1/embeddings": {"POST": retrieval.embeddings},
        "/v1/documents": documents,
        "/v1/documents/*": {"DELETE": retrieval.delete_document},
        "/v1/search": {"POST": retrieval.search},
        "/v1/tenants": {"GET": retrieval.list_tenants},
        "/v1/tenants/*": {"DELETE": retrieval.delete_tenant},
    }
    if app.options.build != "monolith":
        table["/v1/aicore/status"] = {"GET": aicore.status_route}
    if app.options.rich_errors:
        table["/v1/aicore/benchmark"] = {"POST": aicore.run_benchmark, "GET": aicore.last_benchmark}
    if app.options.build == "warm":
        table["/health/warm"] = {"POST": info.warm}
        table["/metrics"] = {"GET": info.metrics}
    return table
