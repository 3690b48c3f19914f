"""What a server of OpenAI's kind says when it fails -> our errors, by whose fault it is. Pure.

Its text is quoted, so that the cause is not lost, at most 300 characters of it, and never with a key in it. Passing conditions
stay passing conditions (`protocols/clients.md` 9.3): its 401, 403 and 404 do not become ours.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adapter.dialects.openai_values import whole_text
from adapter.dialects.upstream_openai_kinds import refuses_tools
from adapter.errors import (
    AdapterError,
    BadRequest,
    ContextTooLong,
    EngineFailed,
    EngineUnavailable,
    LoopDetected,
    ModelNotFound,
    NotCapable,
    QueueFull,
    UpstreamProtocol,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)

SHOWN_CHARS = 300
MAX_RETRY_AFTER_S = 3_600


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end, for sentences. name: of the engine. secrets: texts that no sentence may hold."""

    name: str
    url: str
    secrets: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"The upstream '{self.name}' at {self.url}"

    def quote(self, text: str) -> str:
        """`text` on one line, shortened, without secrets; "" if there is none."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        text = " ".join(whole_text(text).split())
        return text if len(text) <= SHOWN_CHARS else f"{text[: SHOWN_CHARS - 1]}…"


@dataclass(frozen=True, slots=True)
class Said:
    """What a body or an error frame says. status: 0 where none came with it."""

    message: str = ""
    code: str = ""
    param: str | None = None
    status: int = 0
    context_tokens: int | None = None
    prompt_tokens: int | None = None


def read_error(body: bytes) -> Said:
    """The body of a failure, in whatever shape: OpenAI's, `{"error": "text"}`, `{"detail": ...}`, text, a web page."""
    text = body[:65_536].decode("utf-8", "replace").strip()
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        if text[:1] == "<":
            title = re.search(r"<title[^>]*>(.*?)</title>", text, re.IGNORECASE | re.DOTALL)
            return Said(f"a web page{f': {title.group(1).strip()}' if title else ''}")
        return Said(text)
    return said(value) or Said(text)


def said(value: object) -> Said | None:
    """The error in a JSON value (a body, a frame of a stream); `None` if it holds none."""
    if not isinstance(value, dict):
        return None
    if value.get("error"):
        error = value["error"]
        return _of(error, value) if isinstance(error, dict) else Said(str(error), str(value.get("code") or ""))
    if value.get("choices") is None and (value.get("detail") or value.get("object") == "error" or _bare(value)):
        detail = value.get("detail")
        return _of(value, value) if detail is None else Said(detail if isinstance(detail, str) else json.dumps(detail))
    return None


def _bare(value: Mapping[str, Any]) -> bool:
    return isinstance(value.get("message"), str) and "data" not in value


def _of(error: Mapping[str, Any], outer: Mapping[str, Any]) -> Said:
    code, kind, param = error.get("code"), error.get("type"), error.get("param")
    status = code if isinstance(code, int) else error.get("status", outer.get("status"))
    if isinstance(code, str) and code.isdigit():
        status = int(code)
    words = [str(word) for word in (code, kind) if isinstance(word, str)]
    return Said(
        str(error.get("message") or error.get("detail") or json.dumps(error)),
        " ".join(words),
        param if isinstance(param, str) else None,
        status if isinstance(status, int) and 400 <= status <= 599 else 0,
        _count(error.get("n_ctx")),
        _count(error.get("n_prompt_tokens")),
    )


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**31 else None


def failure(status: int, reason: Said, peer: Peer, *, retry_after: str | None = None, model: str = "") -> AdapterError:
    """The error for an answer with `status` (>= 300). retry_after: its header. model: the server's name for what was asked for."""
    quoted = peer.quote(reason.message)
    told = f': "{quoted}"' if quoted else " without saying why"
    too_long = context_error(reason, quoted)  # also as a 500: Ollama, older llama-server
    if too_long is not None:
        return too_long
    if status >= 500 and (refused := _refused_after_all(reason, peer)):
        return refused
    match status:
        case 400 | 413 | 422:
            return _bad_request(reason, f"{peer} refused the request{told}", model, peer)
        case 401 | 402 | 403 | 407:
            return UpstreamRefused(
                f"{peer} refuses Farmhand ({status}){told}. Set `key` of [[engine]] {peer.name!r} to a key that is valid there."
            )
        case 404 | 410:
            return _not_found(reason, peer, told, model)
        case 408 | 504:
            return UpstreamTimeout(f"{peer} gave up waiting ({status}){told}. Try again later, or with less text.")
        case 429 if "quota" in f"{reason.code} {reason.message}".lower() or "billing" in reason.code:
            return UpstreamRefused(f"{peer} has no quota left for this key{told}. See to it there, or use another upstream.")
        case 429:
            return QueueFull(f"{peer} is at its limit{told}.", retry_after_s=_seconds(retry_after))
        case 409 | 425 | 503 | 529:
            return EngineUnavailable(f"{peer} cannot answer now ({status}){told}.", retry_after_s=_seconds(retry_after))
        case _ if status >= 500:
            return EngineFailed(f"{peer} failed ({status}){told}. Its own log says more.")
        case _ if status < 400:
            return UpstreamProtocol(f"{peer} answers with a redirection ({status}). Set `url` to where it leads.")
        case _:
            return UpstreamProtocol(f"{peer} answers with status {status}{told}. Is its `url` right? It usually ends in /v1.")


def in_stream(reason: Said, peer: Peer, *, model: str = "") -> AdapterError:
    """The error for an error frame, or for a body with status 200 that is an error."""
    return failure(reason.status or 500, reason, peer, model=model)


# pydantic's words for a field of the body, as `python -m llama_cpp.server` sends them: with 500, and where in its source.
_INVALID_FIELD = re.compile(r"validation errors?:\s.{0,200}'loc': \('body', '(\w{1,40})'", re.DOTALL)
_TRACE = "\n\n  File "
# Fields that ask for something a model or a server may lack, rather than being wrong.
_ASKS_FOR_MUCH = {"response_format", "tools", "tool_choice", "grammar", "functions"}


def _refused_after_all(reason: Said, peer: Peer) -> BadRequest | None:
    """A refusal with a status of 500: the request is at fault, and the server alive."""
    text = f'{peer} refused the request: "{peer.quote(reason.message.partition(_TRACE)[0])}".'
    if refuses_tools(reason.message):
        return NotCapable(text, param="tools")
    found = _INVALID_FIELD.search(reason.message[:4_096])
    if found is None:
        return None
    param = found.group(1)
    return (NotCapable if param in _ASKS_FOR_MUCH else BadRequest)(text, param=param)


def _bad_request(reason: Said, text: str, model: str, peer: Peer) -> AdapterError:
    codes = reason.code.split()
    if "loop_detected" in codes:
        return LoopDetected(f"{text}.")
    if "model_not_found" in codes:
        return _not_found(reason, peer, f': "{peer.quote(reason.message)}"', model)
    if "not_capable" in codes:
        return NotCapable(f"{text}.", param=reason.param)
    if refuses_tools(reason.message):
        return NotCapable(f"{text}.", param="tools")
    return BadRequest(f"{text}.", param=reason.param)


def _not_found(reason: Said, peer: Peer, told: str, model: str) -> AdapterError:
    if "model" in f"{reason.code} {reason.message}".lower():
        named = f" '{model[:100]}'" if model else ""
        return ModelNotFound(f"{peer} has no model{named}{told}. GET /v1/models lists what there is.", param="model")
    return UpstreamProtocol(f"{peer} does not know this path (404){told}. Check its `url`: it usually ends in /v1.")


# --- too long -------------------------------------------------------------------------------------------------

_TOO_LONG = re.compile(
    r"maximum context length|available context size|context size has been exceeded|context length of only|exceed(?:s|ed)?\W+(?:the )?(?:maximum )?"
    r"context|longer than the (?:maximum )?(?:model|context)|input length .{0,40}context length|prompt is too long|configured context size"
    r"|maximum model length|input is too long|greater than the context length|context window exceed|exceeds? the (?:model's )?context",
    re.IGNORECASE,
)  # fmt: skip
_CODES = ("context_length_exceeded", "exceed_context_size_error")
_CONTEXT_TOKENS = (
    r"maximum context length (?:is|of) (\d+)",
    r"context length of only (\d+)",
    r"available context size \((\d+)",
    r"exceeds? (?:the )?context (?:window|size|length) (?:of )?\(?(\d+)",
    r"maximum model length (?:of|is) (\d+)",
    r"context size is (\d+)",
    r"n_ctx\W+(\d+)",
    r"context length \((\d+)",
)
_PROMPT_TOKENS = (
    r"messages resulted in (\d+)",
    r"\((\d+) in the messages",
    r"\((\d+) in (?:your|the) prompt",
    r"prompt contains (?:at least )?(\d+)",
    r"request \((\d+) tokens",
    r"keep the first (\d+)",
    r"requested tokens \((\d+)",
    r"prompt has (\d+)",
    r"passed (\d+) input tokens",
    r"prompt \((?:length )?(\d+)",
    r"your request has (\d+)",
    r"n_keep\W+(\d+)",
    r"requested (\d+) tokens",
)
_ANSWER_TOKENS = (r"(\d+) in the completion", r"(\d+) for the completion", r"requested (\d+) output tokens")


def context_error(reason: Said, quoted: str) -> ContextTooLong | None:
    """Prompt and answer do not fit, if that is what it says: in the wordings of OpenAI, vLLM, llama-server, Ollama, LM Studio and
    llama-cpp-python. In OpenAI's wording, which gateways parse, where both numbers are told."""
    if not any(code in reason.code for code in _CODES) and not _TOO_LONG.search(reason.message[:4_096]):
        return None
    text = reason.message[:4_096]
    context = reason.context_tokens or _first(_CONTEXT_TOKENS, text)
    prompt = reason.prompt_tokens or _first(_PROMPT_TOKENS, text)
    if context and prompt:
        asked = _first(_ANSWER_TOKENS, text) if prompt <= context else None
        return ContextTooLong.of(context_tokens=context, prompt_tokens=prompt, max_tokens=asked)
    error = ContextTooLong(
        f'The messages and the answer do not fit into the model\'s context. The upstream says: "{quoted}" '
        "Please reduce the length of the messages or completion.",
        param="messages",
    )
    error.context_tokens, error.prompt_tokens = context, prompt
    return error


def _first(patterns: tuple[str, ...], text: str) -> int | None:
    for pattern in patterns:
        found = re.search(pattern, text, re.IGNORECASE)
        if found and len(found.group(1)) <= 9:
            return int(found.group(1)) or None
    return None


def _seconds(retry_after: str | None) -> int | None:
    """`Retry-After` in seconds; a date counts as not said."""
    try:
        return min(MAX_RETRY_AFTER_S, max(1, round(float(retry_after or ""))))
    except (ValueError, OverflowError):
        return None


# --- what a connection can suffer -----------------------------------------------------------------------------


def unreachable(peer: Peer, what: str) -> UpstreamUnreachable:
    return UpstreamUnreachable(f"{peer} does not answer: {what}. Start it, or correct `url` of [[engine]] {peer.name!r}.")


def cut_off(peer: Peer) -> UpstreamProtocol:
    return UpstreamProtocol(f"{peer} broke its answer off in the middle. Ask again; if it stays so, look into its log.")


def no_first_token(peer: Peer, limit_s: float) -> UpstreamTimeout:
    return UpstreamTimeout(
        f"{peer} said nothing for {limit_s:g} s (first_token_s of the engine). It may be loading a model or reading a long "
        "prompt: ask again later, or with less text."
    )


def stalled(peer: Peer, limit_s: float) -> UpstreamTimeout:
    return UpstreamTimeout(
        f"{peer} stalled in the middle of its answer: nothing came for {limit_s:g} s (between_tokens_s of the engine). Ask again."
    )


def unreadable(peer: Peer, what: str, data: bytes = b"") -> UpstreamProtocol:
    """what: a clause about what came. data: its beginning."""
    shown = peer.quote(data[:200].decode("utf-8", "replace"))
    return UpstreamProtocol(f"{peer} {what}{f': {shown!r}' if shown else ''}. Is it a server of OpenAI's kind? Check its `url`.")


def empty(peer: Peer) -> UpstreamProtocol:
    return UpstreamProtocol(f"{peer} ended its answer without a single character of it. Ask again; if it stays so, try another model.")


def silent(peer: Peer) -> UpstreamProtocol:
    """So `python -m llama_cpp.server` tells of a failure; asked for without `stream`, it says which."""
    error = UpstreamProtocol(f"{peer} ended its answer without a byte. Ask again; if it stays so, look into its log.")
    error.silent = True
    return error


def unfinished(peer: Peer) -> UpstreamProtocol:
    return UpstreamProtocol(
        f"{peer} ended the stream without a finish_reason, so the answer is not whole. Ask again; if it stays so, look into its log."
    )
