"""LocalLLM's failures, each as the error that says whose fault it is and what helps (`protocols/localllm.md` 5). Pure.

Status, `type` and `code` decide. Behind 500 `server_error` only text tells (5.2), and only there is it looked at.
Passing conditions become 503 or 429, never 401, 402, 404 or 408, which shut a model off behind LiteLLM.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from adapter.errors import (
    AdapterError,
    AppCrashed,
    BadRequest,
    ContextTooLong,
    EngineFailed,
    EngineUnavailable,
    ModelNotFound,
    QueueFull,
    UpstreamProtocol,
    UpstreamRefused,
    UpstreamTimeout,
)

SHOWN_CHARS = 200
INIT_FAILED = "LITERT_INIT_FAILED"
# 5.2: a conversation of somebody else's was in the way, or closed ours. It is gone now, so once more may help.
_PASSING = ("stuck conversation", "not alive")
_NO_PROMPT = ("no non-system messages", "role=user or role=tool")
_NUMBER = re.compile(r"\d{1,9}")


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that is an error, whatever its form. code: as text. aicore_status: `downloading` and so on, `""` without it."""

    status: int
    type: str = ""
    code: str = ""
    message: str = ""
    aicore_status: str = ""
    retry_after_s: int | None = None

    @property
    def may_pass_at_once(self) -> bool:
        """Ask once more, at once (18, rule 12)."""
        return self.status == 500 and any(fragment in self.message for fragment in _PASSING)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the failed request was: needed for the sentence. listed: is the model among those that the app lists?"""

    model: str
    context_tokens: int
    prompt_tokens: int
    listed: bool = True
    has_images: bool = False
    has_tools: bool = False


def parse_refusal(status: int, body: bytes, *, retry_after: str | None = None) -> Refusal:
    """From any body: an envelope, plain text (an exception outside the app's own handling), or nothing (404, 405, 406)."""
    text = body.decode("utf-8", "replace").strip()
    try:
        value = json.loads(text) if text else None
    except (ValueError, RecursionError):
        value = None
    seconds = _whole_seconds(retry_after)
    if isinstance(value, dict) and "error" in value:
        return refusal_of(status, value, retry_after_s=seconds)
    return Refusal(status, message=text[:SHOWN_CHARS], retry_after_s=seconds)


def refusal_of(status: int, value: Mapping[str, object], *, retry_after_s: int | None = None) -> Refusal:
    """From the envelope `{"error": ...}` (5), in either of its shapes."""
    error = value.get("error")
    if not isinstance(error, dict):
        return Refusal(status, message=str(error)[:SHOWN_CHARS], retry_after_s=retry_after_s)
    said = {key: error.get(key) for key in ("type", "code", "message", "aicore_status")}
    texts = {key: part if isinstance(part, str) else "" for key, part in said.items()}
    return Refusal(
        status,
        texts["type"],
        texts["code"] or str(said["code"] or ""),
        texts["message"][: SHOWN_CHARS * 5],
        texts["aicore_status"],
        retry_after_s,
    )


def render_refusal(refusal: Refusal, asked: Asked) -> AdapterError:
    """The error that a client gets for `refusal`."""
    rich = _by_code(refusal, asked)
    if rich is not None:
        return rich
    match refusal.status:
        case 401:
            return wrong_key()
        case 408:
            return UpstreamTimeout(
                f"LocalLLM gave up after its own time limit: {_shown(refusal)}. Raise the request timeout in the app's "
                "settings (and request_s here), or ask for a shorter answer."
            )
        case 413:
            return _too_large(refusal, asked)
        case 429:
            return _busy(refusal)
        case 403 | 425 | 503:
            return EngineUnavailable(
                f"LocalLLM cannot answer now: {_shown(refusal)}. Open the app on the phone and look at its state.",
                retry_after_s=refusal.retry_after_s or 15,
            )
        case 400 | 404 | 405 | 406:
            return UpstreamProtocol(
                f"LocalLLM refused the request with status {refusal.status}: {_shown(refusal)}. Either something else "
                "listens at its address, or this build of the app is unknown to Farmhand: check the url and update both."
            )
        case _:
            return _failure(refusal, asked)


def wrong_key() -> UpstreamRefused:
    return UpstreamRefused(
        "LocalLLM refuses our key (401). Set `key` of this engine in the configuration to the secret that stands in "
        "the app under Settings, Security."
    )


def crashed() -> AppCrashed:
    """The connection ended where an answer was due (5.1, row 19)."""
    return AppCrashed(
        "LocalLLM closed the connection in the middle of the request: the app has crashed or was stopped by Android, "
        "which usually starts it again within seconds. Farmhand looks for it; ask again."
    )


def cut_stream() -> UpstreamProtocol:
    """No final frame and `[DONE]`: the answer is not whole (8.5), and asking again is the client's decision."""
    return UpstreamProtocol(
        "LocalLLM broke its stream off, so the answer is not whole: it ran into its own time limit (raise the request "
        "timeout in the app's settings), failed in the middle, or was stopped. Ask again."
    )


def too_slow(limit_s: float) -> UpstreamTimeout:
    return UpstreamTimeout(
        f"LocalLLM gave no whole answer within {limit_s:g} s (request_s + load_s in the engine's configuration). The "
        "app cannot be told to stop and works on; ask later, with less text, or of a smaller model."
    )


def stalled(limit_s: float) -> UpstreamTimeout:
    return UpstreamTimeout(
        f"LocalLLM stalled in the middle of the answer: nothing came for {limit_s:g} s (between_tokens_s in the "
        "engine's configuration). Ask again; if it stays so, restart the app."
    )


def empty_answer(model: str) -> UpstreamProtocol:
    return UpstreamProtocol(
        f"LocalLLM ended its answer without a word, and without an error. Try again; if it stays so, choose another "
        f"model than {model!r} or restart the app."
    )


# --- codes ------------------------------------------------------------------------------------------------------------


def _by_code(refusal: Refusal, asked: Asked) -> AdapterError | None:
    match refusal.code:
        case "LITERT_INIT_FAILED" if not asked.listed:
            return no_such_model(asked.model)
        case "LITERT_INIT_FAILED":
            return EngineUnavailable(
                f"LocalLLM cannot load {asked.model!r}: {_shown(refusal)}. See whether it is downloaded whole and made "
                "for this phone's chip, and whether the phone has memory left; or use another model.",
                retry_after_s=60,
            )
        case "AICORE_DOWNLOADABLE":
            return EngineUnavailable(
                "Gemini Nano is not on the phone yet. Open LocalLLM and download it in the Models tab.", retry_after_s=120
            )
        case "AICORE_DOWNLOADING":
            return EngineUnavailable(
                "The phone is still downloading Gemini Nano. Ask again when the Models tab of LocalLLM shows it as "
                "available.",
                retry_after_s=refusal.retry_after_s or 30,
            )
        case "AICORE_BACKGROUND_BLOCKED":
            return EngineUnavailable(
                "Gemini Nano answers only while LocalLLM is on the screen. Bring the app to the front, or use one of "
                "its other models.",
                retry_after_s=10,
            )
        case "AICORE_UNAVAILABLE" | "AICORE_UNKNOWN":
            return EngineUnavailable(
                f"Gemini Nano cannot be used on this phone now ({refusal.aicore_status or refusal.code}). Use one of "
                "LocalLLM's other models.",
                retry_after_s=300,
            )
        case "AICORE_RUNTIME_ERROR":
            return _text_too_long(refusal, asked) or EngineFailed(
                f"Gemini Nano failed: {_shown(refusal)}. Ask again, with less text if it is long."
            )
        case _:
            return None


def no_such_model(model: str) -> ModelNotFound:
    return ModelNotFound(
        f"LocalLLM has no model {model!r}. GET /v1/models lists what there is.", param="model"
    )


def _too_large(refusal: Refusal, asked: Asked) -> BadRequest:
    if asked.has_images:
        return BadRequest(
            "The request with its pictures is larger than LocalLLM accepts (about 150 KB of picture unless its owner "
            'raised "max prompt chars"). Send smaller pictures, or serve them over http://127.0.0.1 on the phone.',
            param="messages",
        )
    return ContextTooLong(
        f"The messages are longer than LocalLLM accepts: {_shown(refusal)}. Please reduce the length of the messages, "
        'or raise "max prompt chars" in the app\'s settings.',
        param="messages",
    )


def _busy(refusal: Refusal) -> QueueFull:
    return QueueFull(
        f"LocalLLM is busy with others' requests, or limits ours: {_shown(refusal)}. Nothing but Farmhand should use "
        "the app; ask again later.",
        retry_after_s=refusal.retry_after_s or 5,
    )


# --- 500 --------------------------------------------------------------------------------------------------------------


def _failure(refusal: Refusal, asked: Asked) -> AdapterError:
    """5.2. Client mistakes would be sent again by every client if they stayed 500."""
    message = refusal.message
    if not asked.listed:  # builds before the rich errors say it this way
        return no_such_model(asked.model)
    if error := _text_too_long(refusal, asked):
        return error
    if any(fragment in message for fragment in _NO_PROMPT):
        return BadRequest(
            "LocalLLM wants a message of the user or of a tool as the last one; the messages have none there.",
            param="messages",
        )
    if asked.has_images and "image" in message.lower():
        return BadRequest(
            f"LocalLLM cannot use a picture of the request: {_shown(refusal)}. Send a PNG or JPEG in a data: URL.",
            param="messages",
        )
    if not refusal.type:  # text/plain: outside the app's own handling (3)
        return EngineFailed(
            f"LocalLLM failed outside its own error handling: {_shown(refusal)}. Try again; if it stays so, restart the app."
        )
    return EngineFailed(
        f"LocalLLM's runtime failed: {_shown(refusal)}. Try again; if it stays so, restart the app."
    )


def _text_too_long(refusal: Refusal, asked: Asked) -> ContextTooLong | None:
    """The report has two numbers: what came in, and the smaller limit."""
    if "too long" not in refusal.message.lower():
        return None
    numbers = [int(found) for found in _NUMBER.findall(refusal.message)]
    if len(numbers) >= 2:
        prompt_tokens, limit = max(numbers[-2:]), min(numbers[-2:])
        if 0 < limit <= prompt_tokens:
            return ContextTooLong.of(context_tokens=limit, prompt_tokens=max(prompt_tokens, limit + 1))
    # The app has the last word over our estimate, which was then too low.
    prompt_tokens = max(asked.prompt_tokens, asked.context_tokens + 1)
    return ContextTooLong.of(context_tokens=asked.context_tokens, prompt_tokens=prompt_tokens)


def _shown(refusal: Refusal) -> str:
    return refusal.message[:SHOWN_CHARS] or refusal.code or f"status {refusal.status}, without a word"


def _whole_seconds(value: str | None) -> int | None:
    try:
        seconds = float(value) if value is not None else None
    except ValueError:
        return None
    if seconds is None or not math.isfinite(seconds) or seconds < 0:
        return None
    return max(1, min(86_400, math.ceil(seconds)))
