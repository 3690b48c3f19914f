"""How each server words its errors. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from tests.fakes.openai_server.kinds import Kind

What = Literal["not_found", "bad_key", "busy", "loading", "failed", "no_path"]


@dataclass(frozen=True)
class Refused(Exception):
    """An answer that is an error. body: JSON, or text where it is a string."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)


def openai_error(status: int, message: str, type_: str, code: str | None = None, param: str | None = None) -> Refused:
    return Refused(status, {"error": {"message": message, "type": type_, "param": param, "code": code}})


def error(kind: Kind, what: What, detail: str = "") -> Refused:
    """detail: the model's name, or the path."""
    match what:
        case "not_found":
            return _not_found(kind, detail)
        case "bad_key":
            return _bad_key(kind)
        case "busy":
            refused = openai_error(429, "Rate limit reached: too many requests at a time.", "rate_limit_error", "rate_limit_exceeded")
            return Refused(429, refused.body, {"Retry-After": "7"})
        case "loading":
            return _coded(503, "Loading model", "unavailable_error")
        case "no_path":
            return openai_error(404, f"Unknown request URL: {detail}.", "invalid_request_error", "unknown_url")
        case "failed":
            return openai_error(500, "The model broke.", "server_error", "internal_error")


def context_error(words: str, prompt: int, context: int) -> Refused:
    """words: one of `quirks.CONTEXT_KINDS`, or a kind."""
    openai = (
        f"This model's maximum context length is {context} tokens. However, your messages resulted in {prompt} tokens. "
        "Please reduce the length of the messages."
    )
    match words:
        case "vllm":
            text = (
                f"This model's maximum context length is {context} tokens. However, your request has {prompt} input tokens. "
                "Please reduce the length of the input messages."
            )
            return _numbered(400, text, "BadRequestError")
        case "vllm_old":
            text = (
                f"This model's maximum context length is {context} tokens. However, you requested {prompt + 16} tokens "
                f"({prompt} in the messages, 16 in the completion). Please reduce the length of the messages or completion."
            )
            flat = {"object": "error", "message": text, "type": "BadRequestError", "param": None, "code": 400}
            return Refused(400, flat)
        case "llama-server":
            text = f"request ({prompt} tokens) exceeds the available context size ({context} tokens), try increasing it"
            refused = _coded(400, text, "exceed_context_size_error")
            refused.body["error"].update(n_prompt_tokens=prompt, n_ctx=context)
            return refused
        case "ollama":
            return openai_error(400, "the input length exceeds the context length", "invalid_request_error")
        case "lmstudio":
            text = (
                f"The number of tokens to keep from the initial prompt is greater than the context length (n_keep: {prompt}>= n_ctx: {context}). "
                "Try to load the model with a larger context length, or provide a shorter input."
            )
            return Refused(400, {"error": text})
        case "lmstudio_old":
            text = (
                f"Trying to keep the first {prompt} tokens when context the overflows. However, the model is loaded with context length of only "
                f"{context} tokens, which is not enough. Try to load the model with a larger context length, or provide a shorter input"
            )
            return Refused(400, {"error": text})
        case "litellm":
            text = f"litellm.ContextWindowExceededError: litellm.BadRequestError: ContextWindowExceededError: OpenAIException - {openai}"
            return Refused(400, {"error": {"message": text, "type": None, "param": None, "code": "400"}})
        case _:
            return openai_error(400, openai, "invalid_request_error", "context_length_exceeded", "messages")


def no_tools(kind: Kind, model: str) -> Refused:
    match kind:
        case "ollama":
            return openai_error(400, f"registry.ollama.ai/library/{model} does not support tools", "api_error")
        case "vllm":
            text = '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'
            return _numbered(400, text, "BadRequestError")
        case "llama-server":
            return _coded(500, "tools param requires --jinja flag", "server_error")
        case _:
            return openai_error(400, "tools are not supported with this model", "invalid_request_error", "unsupported_parameter", "tools")


def no_schema() -> Refused:
    text = "'response_format' is not supported with this model"
    return openai_error(400, text, "invalid_request_error", "unsupported_parameter", "response_format")


def schema_500() -> Refused:
    text = (
        "1 validation error:\n  {'type': 'literal_error', 'loc': ('body', 'response_format', 'type'), "
        "'msg': \"Input should be 'text' or 'json_object'\", 'input': 'json_schema'}"
    )
    return openai_error(500, text, "internal_server_error")


def no_json_object() -> Refused:
    return Refused(400, {"error": "'response_format.type' must be 'json_schema' or 'text'"})


def no_max_tokens() -> Refused:
    text = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
    return openai_error(400, text, "invalid_request_error", "unsupported_parameter", "max_tokens")


def no_stream_options() -> Refused:
    text = "Unrecognized request argument supplied: stream_options"
    return openai_error(400, text, "invalid_request_error", None, None)


def no_embeddings(kind: Kind) -> Refused:
    if kind == "llama-server":
        text = "This server does not support embeddings. Start it with `--embeddings`"
        return _coded(501, text, "not_supported_error")
    return error(kind, "no_path", "POST /v1/embeddings")


def _not_found(kind: Kind, model: str) -> Refused:
    match kind:
        case "vllm":
            return _numbered(404, f"The model `{model}` does not exist.", "NotFoundError")
        case "ollama":
            return openai_error(404, f'model "{model}" not found, try pulling it first', "not_found_error")
        case "mlx":
            return Refused(404, {"error": f"Repository not found for {model!r}."})
        case "lmstudio":
            return openai_error(404, f"Model {model!r} not found. Please load it first.", "invalid_request_error", "model_not_found", "model")
        case _:
            text = f"The model `{model}` does not exist or you do not have access to it."
            return openai_error(404, text, "invalid_request_error", "model_not_found", "model")


def _bad_key(kind: Kind) -> Refused:
    match kind:
        case "vllm":
            return Refused(401, {"error": "Unauthorized"})
        case "llama-server":
            return _coded(401, "Invalid API Key", "authentication_error")
        case _:
            return openai_error(401, "Incorrect API key provided.", "invalid_request_error", "invalid_api_key")


def _coded(status: int, message: str, type_: str) -> Refused:
    """llama-server's form: the status as `code`, a number, and no `param`."""
    return Refused(status, {"error": {"code": status, "message": message, "type": type_}})


def _numbered(status: int, message: str, type_: str) -> Refused:
    """vLLM's form: the status as `code`, a number."""
    return Refused(status, {"error": {"message": message, "type": type_, "param": None, "code": status}})
