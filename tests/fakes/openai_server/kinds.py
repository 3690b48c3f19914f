"""How each server says what it is and what it has. Pure.

llama-server's forms are read in the llama.cpp that llama-cpp-python brings (`tools/server`); the others' as their documents and
issue trackers show them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["plain", "llama-server", "ollama", "vllm", "lmstudio", "farmhand", "mlx"]
CREATED = 1_760_000_000


@dataclass(frozen=True)
class Traits:
    """server: the `Server` header. continues: does it go on with a last assistant message: by itself, when `continue_final_message` says so, or not
    at all. any_model: it has one model and answers under every name. reasoning: the field for thinking. truncates: a prompt that is too long is
    cut without a word. first_comment: what its streams begin with. http10: answers end
    with their connection, so that a cut looks like an end. id_prefix, fingerprint: of its answers."""

    server: str = ""
    continues: Literal["always", "flag", "never"] = "never"
    any_model: bool = False
    reasoning: str = "reasoning_content"
    truncates: bool = False
    first_comment: str = ""
    http10: bool = False
    id_prefix: str = "chatcmpl-"
    fingerprint: str | None = None


KINDS: Mapping[Kind, Traits] = {
    "plain": Traits(),
    "llama-server": Traits("llama.cpp", "always", any_model=True, fingerprint="b9999-0000000"),
    "ollama": Traits(continues="always", reasoning="reasoning", truncates=True, fingerprint="fp_ollama"),
    "vllm": Traits("uvicorn", "flag", reasoning="reasoning"),
    "lmstudio": Traits(fingerprint="m"),
    "farmhand": Traits("Farmhand", "always"),
    "mlx": Traits("BaseHTTP/0.6 Python/3.11.7", reasoning="reasoning", first_comment=": keepalive 1/1", http10=True),
}


def continues(kind: Kind, body: Mapping[str, Any]) -> bool:
    """Does this request go on with its last assistant message?"""
    match KINDS[kind].continues:
        case "always":
            return bool(body.get("continue_final_message", True))
        case "flag":
            # vLLM refuses the flag beside its default `add_generation_prompt: true`.
            return bool(body.get("continue_final_message")) and body.get("add_generation_prompt") is False
        case _:
            return False


def get(kind: Kind, path: str, models: Sequence[str], context: int) -> tuple[int, Any] | None:
    """The answer to a GET: status, and JSON or text. `None`: it has no such path."""
    if path == "/v1/models":
        return 200, model_list(kind, models, context)
    if path.startswith("/v1/models/") and kind != "llama-server":
        name = path.removeprefix("/v1/models/")
        return (200, _model(kind, name, context)) if name in models else None
    return _OTHER_PATHS[kind](path, models, context)


def model_list(kind: Kind, models: Sequence[str], context: int) -> dict[str, Any]:
    data = [_model(kind, name, context) for name in models]
    if kind == "llama-server":
        names = [{"name": name, "model": name, "type": "model", "capabilities": ["completion"]} for name in models]
        return {"models": names, "object": "list", "data": data}
    return {"object": "list", "data": data}


def _model(kind: Kind, name: str, context: int) -> dict[str, Any]:
    base = {"id": name, "object": "model", "created": CREATED, "owned_by": "fake"}
    match kind:
        case "llama-server":
            meta = {"vocab_type": 2, "n_vocab": 512, "n_ctx": context, "n_ctx_train": 4 * context, "n_embd": 8, "n_params": 10_000, "size": 20_000}
            return {**base, "owned_by": "llamacpp", "aliases": [], "tags": [], "meta": meta}
        case "vllm":
            return {**base, "owned_by": "vllm", "root": name, "parent": None, "max_model_len": context, "permission": []}
        case "ollama":
            return {**base, "owned_by": "library"}
        case "lmstudio":
            return {"id": name, "object": "model", "owned_by": "organization_owner"}
        case "mlx":
            return {"id": name, "object": "model", "created": CREATED}
        case "farmhand":
            can = ["chat", "completions", "continue", "embeddings", "response_format", "tools"]
            extension = {"engine": "fake", "model": name, "loaded": True, "multiline": True, "can": can}
            sizes = dict.fromkeys(("context_length", "max_model_len", "max_input_tokens", "max_output_tokens"), context)
            return {**base, **sizes, "farmhand": extension}
        case _:
            return base


def _plain(path: str, models: Sequence[str], context: int) -> tuple[int, Any] | None:
    return None


def _llama_server(path: str, models: Sequence[str], context: int) -> tuple[int, Any] | None:
    match path:
        case "/health" | "/v1/health":
            return 200, {"status": "ok"}
        case "/props":
            return 200, {
                "default_generation_settings": {"params": {"temperature": 0.8}, "n_ctx": context},
                "total_slots": 4,
                "model_alias": models[0],
                "model_path": f"/models/{models[0]}.gguf",
                "modalities": {"vision": False, "video": False, "audio": False},
                "chat_template": "{{ messages }}",
                "chat_template_caps": {"supports_tools": True},
                "build_info": "b9999-0000000",
                "is_sleeping": False,
            }
        case _:
            return None


def _ollama(path: str, models: Sequence[str], context: int) -> tuple[int, Any] | None:
    match path:
        case "/":
            return 200, "Ollama is running"
        case "/api/version":
            return 200, {"version": "0.12.6"}
        case "/api/tags":
            return 200, {"models": [{"name": name, "model": name, "size": 20_000, "details": {"format": "gguf"}} for name in models]}
        case "/api/ps":
            return 200, {"models": [{"name": models[0], "model": models[0], "context_length": context}]}
        case _:
            return None


def _vllm(path: str, models: Sequence[str], context: int) -> tuple[int, Any] | None:
    match path:
        case "/health" | "/ping":
            return 200, ""
        case "/version":
            return 200, {"version": "0.11.0"}
        case _:
            return None


def _lmstudio(path: str, models: Sequence[str], context: int) -> tuple[int, Any] | None:
    if path == "/api/v0/models":
        loaded = {"state": "loaded", "max_context_length": 4 * context, "loaded_context_length": context}
        return 200, {"object": "list", "data": [{"id": name, "object": "model", "type": "llm", **loaded} for name in models]}
    # It means that: an unknown path is no error to it.
    return 200, {"error": f"Unexpected endpoint or method. (GET {path})"}


def _farmhand(path: str, models: Sequence[str], context: int) -> tuple[int, Any] | None:
    match path:
        case "/health":
            return 200, {"status": "ok"}
        case "/ready":
            return 200, {"status": "ready"}
        case _:
            return None


def _mlx(path: str, models: Sequence[str], context: int) -> tuple[int, Any] | None:
    return (200, {"status": "ok"}) if path == "/health" else None


_OTHER_PATHS = {
    "plain": _plain,
    "llama-server": _llama_server,
    "ollama": _ollama,
    "vllm": _vllm,
    "lmstudio": _lmstudio,
    "farmhand": _farmhand,
    "mlx": _mlx,
}
