"""Which request gets which answer (protocol sections 5, 6, 9, 10.1)."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from tests.fakes.inferrlm import answers, info
from tests.fakes.inferrlm.builds import Traits
from tests.fakes.inferrlm.chat import Chat, ChatRequest, Native, OpenAI
from tests.fakes.inferrlm.connection import Connection
from tests.fakes.inferrlm.engine import Engine, Refused
from tests.fakes.inferrlm.models import StoredModel
from tests.fakes.inferrlm.payload import (
    AppCrash,
    parse_chat_messages,
    parse_generate_messages,
    parse_openai_options,
    parse_options,
)

Payload = dict[str, Any]
Route = Callable[[Connection, str], Awaitable[Payload | None]]
_T = TypeVar("_T")

MODEL_ROUTES = ("/api/chat", "/api/generate", "/api/embeddings", "/v1/chat/completions")
"""Requests that touch the model; a client may have one of them in flight (11). See also `loads`."""


class Routes:
    """The endpoints. A route returns the plain answer, or None if it has answered by itself."""

    def __init__(
        self,
        traits: Traits,
        engine: Engine,
        chat: Chat,
        models: Sequence[StoredModel],
        client_count: Callable[[], int],
    ) -> None:
        self._traits = traits
        self._engine = engine
        self._chat = chat
        self._phone = info.Phone(traits, engine, models, client_count)
        self._table: dict[tuple[str, str], Route] = {
            ("GET", "/api/version"): self._plain(self._phone.version),
            ("GET", "/api/tags"): self._plain(self._phone.tags),
            ("GET", "/api/ps"): self._plain(self._phone.ps),
            ("POST", "/api/show"): self._show,
            ("POST", "/api/chat"): self._native_chat,
            ("POST", "/api/generate"): self._generate,
            ("POST", "/api/embeddings"): self._embeddings,
            ("POST", "/api/pull"): self._pull,
            ("POST", "/api/copy"): self._copy,
            ("DELETE", "/api/delete"): self._delete,
        }
        if traits.openai:
            self._table["GET", "/v1/models"] = self._plain(self._phone.openai_models)
            self._table["POST", "/v1/chat/completions"] = self._openai_chat

    async def answer(self, connection: Connection, method: str, path: str, body: str) -> None:
        """Answer one request. Only AppCrash, for the JSON value null in the wrong place, escapes."""
        if method == "OPTIONS":
            connection.write(info.preflight(self._traits))
            return
        if (method, path) == ("GET", "/"):
            connection.write(info.home_page())
            return
        route = self._route(method, path)
        try:
            payload = await route(connection, body)
        except Refused as refused:
            self._reply(connection, refused.status, {"error": refused.code})
        else:
            if payload is not None:
                self._reply(connection, 200, payload)

    def reply_crash(self, connection: Connection) -> None:
        """What an exception that nobody caught becomes; always in the native shape."""
        self._reply(connection, 500, {"error": "server_error"})

    def _route(self, method: str, path: str) -> Route:
        segments = [segment for segment in path.split("/") if segment]
        match (method, segments):
            case ("GET", ["api", "status", *_]):  # whatever comes below it
                return self._plain(self._phone.status)
            case ("POST", ["api", "models"]):
                return self._models
            case (_, ["api", "models", "remote" | "apple-foundation", *_]):
                return partial(self._other_back_ends, method, segments[2:])
            case ("POST", ["api", "settings", "thinking", *_]):
                return self._thinking
            case _:
                return self._table.get((method, path), self._not_found)

    def _reply(self, connection: Connection, status: int, payload: Payload) -> None:
        headers = {"Content-Type": "application/json; charset=utf-8"}
        body = answers.render_json(payload)
        connection.write(answers.render_plain(status, headers, body, knows_422=self._traits.knows_422))

    def _plain(self, describe: Callable[[], Payload]) -> Route:
        async def route(connection: Connection, body: str) -> Payload:
            return describe()

        return route

    async def _not_found(self, connection: Connection, body: str) -> Payload:
        raise Refused(404, "not_found")

    async def _native_chat(self, connection: Connection, body: str) -> Payload | None:
        payload = _parse_json(body)
        messages = parse_chat_messages(payload)
        if messages is None:
            raise Refused(400, "messages_required")
        settings = parse_options(payload.get("options"), self._traits)
        request = ChatRequest(_model_name(payload), messages, settings, payload.get("stream") is True)
        return await _crash_is_500(self._chat.run(connection, request, Native))

    async def _generate(self, connection: Connection, body: str) -> Payload | None:
        payload = _parse_json(body)
        messages = parse_generate_messages(payload)
        if messages is None:
            raise Refused(400, "prompt_required")
        settings = parse_options(payload.get("options"), self._traits)
        request = ChatRequest(_model_name(payload), messages, settings, payload.get("stream") is True)
        return await _crash_is_500(self._chat.run(connection, request, Native))

    async def _openai_chat(self, connection: Connection, body: str) -> Payload | None:
        """The same in another envelope, for errors as well (10.1)."""
        try:
            payload = _parse_json(body)
            messages = parse_chat_messages(payload)
            if messages is None:
                raise Refused(400, "messages_required")
            settings = parse_openai_options(payload, self._traits)
            request = ChatRequest(_model_name(payload), messages, settings, payload.get("stream") is True)
            return await _crash_is_500(self._chat.run(connection, request, OpenAI))
        except Refused as refused:
            kind = "invalid_request_error" if refused.status == 400 else "server_error"
            self._reply(connection, refused.status, {"error": {"message": refused.code, "type": kind}})
            return None

    async def _embeddings(self, connection: Connection, body: str) -> Payload:
        payload = _parse_json(body)
        if payload is None:
            raise AppCrash("Cannot read property 'model' of null")
        texts = _texts_to_embed(payload)
        if not texts:
            raise Refused(400, "input_required")
        model = await _crash_is_500(self._engine.ensure_loaded(_model_name(payload)))
        return answers.embedding_answer(model.name, await self._engine.embed(texts))

    async def _show(self, connection: Connection, body: str) -> Payload:
        payload = _parse_json(body)
        identifier = _first_text(payload, "name", "model", "path")
        if identifier is None:
            raise Refused(400, "model_required")
        model = self._engine.find(identifier)
        if model is None:
            raise Refused(404, "model_not_found")
        return self._phone.show(model)

    async def _models(self, connection: Connection, body: str) -> Payload:
        payload = _parse_json(body)
        match payload.get("action") if isinstance(payload, dict) else None:
            case "load":
                model = await _crash_is_500(self._engine.ensure_loaded(_model_name(payload)))
                loaded = {"name": model.name, "path": model.path, "projector": None}
                return {"status": "loaded", "model": loaded}
            case "unload":
                await self._engine.release()
                return {"status": "unloaded"}
            case "reload":
                return {"status": "reloaded", "path": await self._engine.reload()}
            case "refresh":
                return self._phone.refresh()
            case _:
                raise Refused(400, "invalid_action")

    async def _thinking(self, connection: Connection, body: str) -> Payload:
        payload = _parse_json(body)
        enabled = payload.get("enabled") if isinstance(payload, dict) else None
        if not isinstance(enabled, bool):
            raise Refused(400, "enabled_required")
        return {"status": "updated", "enabled": enabled}

    async def _pull(self, connection: Connection, body: str) -> Payload:
        """Answers as if a download began; none does."""
        payload = _not_null(_parse_json(body))
        url, name = _first_text(payload, "url"), _first_text(payload, "model", "name")
        if url is None or name is None:
            raise Refused(400, "missing_parameters")
        if not url.startswith(("http://", "https://")):
            raise Refused(400, "unsupported_url")
        return {"status": "downloading", "model": name, "downloadId": 1}

    async def _copy(self, connection: Connection, body: str) -> Payload:
        """Answers as if a file was copied; the list of models stays as it is."""
        payload = _parse_json(body)
        source = _first_text(payload, "source", "name", "model")
        destination = _first_text(payload, "destination", "target")
        if source is None or destination is None:
            raise Refused(400, "missing_parameters")
        model = self._engine.find(source)
        if model is None:
            raise Refused(404, "model_not_found")
        return {"status": "copied", "source": model.name, "destination": destination}

    async def _delete(self, connection: Connection, body: str) -> Payload:
        """Wants the exact stored name or path (5); the list of models stays as it is."""
        payload = _not_null(_parse_json(body))
        wanted = (_first_text(payload, "path"), _first_text(payload, "name"))
        if wanted == (None, None):
            raise Refused(400, "missing_parameters")
        if not self._phone.has_exactly(*wanted):
            raise Refused(404, "model_not_found")
        return {"success": True}

    async def _other_back_ends(
        self, method: str, segments: list[str], connection: Connection, body: str
    ) -> Payload | None:
        status, payload = self._phone.other_back_end(method, segments)
        self._reply(connection, status, payload)
        return None


def loads(path: str, payload: Any) -> bool:
    """Whether a request to `/api/models` loads or unloads, and so touches the model."""
    is_action = path.strip("/") == "api/models" and isinstance(payload, dict)
    return is_action and payload.get("action") in ("load", "unload", "reload")


def parse_json(body: str) -> Any:
    """JavaScript's `JSON.parse`: unlike Python's, it knows no NaN. Raises ValueError."""
    return json.loads(body, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _parse_json(body: str) -> Any:
    if not body:
        raise Refused(400, "empty_body")
    try:
        return parse_json(body)
    except ValueError as error:
        raise Refused(400, "invalid_json") from error


def _not_null(payload: Any) -> Any:
    if payload is None:
        raise AppCrash("Cannot read property of null")
    return payload


async def _crash_is_500(work: Awaitable[_T]) -> _T:
    """Loading failed: the handler itself answers 500 `server_error`, in its own envelope (10.1)."""
    try:
        return await work
    except AppCrash as crash:
        raise Refused(500, "server_error") from crash


def _model_name(payload: Payload) -> str | None:
    model = payload.get("model") if isinstance(payload, dict) else None
    return model if isinstance(model, str) else None


def _first_text(payload: Any, *keys: str) -> str | None:
    given = payload if isinstance(payload, dict) else {}
    return next((given[key] for key in keys if isinstance(given.get(key), str) and given[key]), None)


def _texts_to_embed(payload: Any) -> list[str]:
    """The first present of three keys; entries that are no strings vanish (9)."""
    given = payload if isinstance(payload, dict) else {}
    value = next((given[key] for key in ("input", "prompt", "text") if given.get(key) is not None), None)
    values = value if isinstance(value, list) else [value]
    return [text for text in values if isinstance(text, str)]
