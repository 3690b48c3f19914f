"""What the phone tells about itself (protocol sections 3, 4.1, 5)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from tests.fakes.inferrlm import answers
from tests.fakes.inferrlm.builds import Traits
from tests.fakes.inferrlm.clock import iso_now
from tests.fakes.inferrlm.engine import Engine
from tests.fakes.inferrlm.models import StoredModel

# The address the app believes to have; its port is fixed, whatever port the fake listens on (4.1).
BELIEVED_HOST = "192.168.1.50"
BELIEVED_PORT = 8889


def preflight(traits: Traits) -> bytes:
    """The answer to OPTIONS on any path."""
    headers = {
        "Access-Control-Allow-Methods": "GET,POST,DELETE,OPTIONS",
        "Access-Control-Allow-Headers": traits.allow_headers,
    }
    return answers.render_plain(204, headers, b"")


def home_page() -> bytes:
    """The HTML documentation; only its framing is the app's."""
    body = b"<!DOCTYPE html><html><head><title>InferrLM</title></head><body></body></html>"
    return answers.render_plain(200, {"Content-Type": "text/html; charset=utf-8"}, body)


class Phone:
    """The information requests. Cheap, answered at once even while the model works."""

    def __init__(
        self,
        traits: Traits,
        engine: Engine,
        models: Sequence[StoredModel],
        client_count: Callable[[], int],
    ) -> None:
        self._traits = traits
        self._engine = engine
        self._models = models
        self._client_count = client_count
        self._scanned_at = iso_now()

    def version(self) -> dict[str, Any]:
        return {"version": self._traits.version}

    def status(self) -> dict[str, Any]:
        path = self._engine.path
        return {
            "server": {
                "isRunning": True,
                "url": f"http://{BELIEVED_HOST}:{BELIEVED_PORT}",
                "port": BELIEVED_PORT,
                "clientCount": self._client_count(),
            },
            "model": {"loaded": self._engine.listed_by_ps, "path": path},
            "rag": {"ready": False},
        }

    def tags(self) -> dict[str, Any]:
        return {
            "models": [
                {
                    "name": model.name,
                    "modified_at": self._scanned_at,
                    "size": model.size_bytes,
                    "digest": None,
                    "model_type": model.model_type,
                    "is_external": False,
                }
                for model in self._models
            ]
        }

    def ps(self) -> dict[str, Any]:
        """One model or none; the time is that of the request that first needed it."""
        path = self._engine.path
        model = self._engine.find(path) if path is not None and self._engine.listed_by_ps else None
        if model is None:
            return {"models": []}
        shown = {
            "name": model.name,
            "model": model.path,
            "size": model.size_bytes,
            "is_external": False,
            "model_type": model.model_type,
            "loaded_at": self._engine.active.since if self._engine.active else iso_now(),
        }
        return {"models": [shown]}

    def show(self, model: StoredModel) -> dict[str, Any]:
        info = {
            "general.architecture": "llama",
            "general.name": model.name,
            "llama.context_length": "131072",
            "tokenizer.chat_template": "{{ fake }}",
        }
        return {
            "name": model.name,
            "path": model.path,
            "size": model.size_bytes,
            "modified_at": self._scanned_at,
            "is_external": False,
            "model_type": model.model_type,
            "capabilities": list(model.capabilities),
            "multimodal": "vision" in model.capabilities,
            "default_projection_model": None,
            "settings": {"useGlobalSettings": True},
            "info": info,
        }

    def refresh(self) -> dict[str, Any]:
        self._scanned_at = iso_now()
        shown = [
            {
                "name": model.name,
                "path": model.path,
                "size": model.size_bytes,
                "modified_at": self._scanned_at,
                "model_type": model.model_type,
                "is_external": False,
            }
            for model in self._models
        ]
        return {"status": "refreshed", "count": len(shown), "models": shown}

    def openai_models(self) -> dict[str, Any]:
        """`created` is the time of the question; projection files are listed as well."""
        created = int(time.time())
        return {
            "object": "list",
            "data": [
                {"id": model.name, "object": "model", "created": created, "owned_by": "local"}
                for model in self._models
            ],
        }

    def has_exactly(self, path: str | None, name: str | None) -> bool:
        return any(model.path == path or model.name == name for model in self._models)

    def other_back_end(self, method: str, segments: list[str]) -> tuple[int, dict[str, Any]]:
        """`/api/models/apple-foundation` and `/api/models/remote`: nothing is configured (5)."""
        if method not in ("GET", "POST"):
            return 405, {"error": "method_not_allowed"}
        if segments[0] == "apple-foundation":
            return self._apple_foundation(method)
        if len(segments) > 2:
            return 404, {"error": "not_found"}
        named = segments[1].lower() if len(segments) == 2 else None
        if named is not None and named not in self._traits.remote_providers:
            return 404, {"error": "provider_not_found"}
        if method == "POST":
            message = "Enable remote models in settings on the device."
            return 409, {"error": "remote_models_disabled", "message": message}
        states = [_remote_state(name) for name in self._traits.remote_providers if named in (None, name)]
        found: dict[str, Any] = {"providers": states} if named is None else {"provider": states[0]}
        message = "Enable remote models in settings to activate providers."
        return 200, {"enabled": False, **found, "message": message}

    def _apple_foundation(self, method: str) -> tuple[int, dict[str, Any]]:
        message = "Apple Foundation is not available on this device."
        if method == "POST":
            return 501, {"error": "apple_foundation_unavailable", "message": message}
        state = {"available": False, "requirementsMet": False, "enabled": False, "status": "configure"}
        return 200, {**state, "message": message}


def _remote_state(name: str) -> dict[str, Any]:
    return {"provider": name, "configured": False, "model": None, "usingDefault": True}
