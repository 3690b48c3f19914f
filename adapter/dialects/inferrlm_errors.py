"""InferrLM's error words, each as the error that says whose fault it is and what helps. Pure.

A word comes as `{"error": word}` with a status, or as `error` in the last record of a stream
(`protocols/inferrlm.md` 10.1, 10.2). Passing conditions become 503, never 401, 402, 404 or 408.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from adapter.errors import (
    AdapterError,
    BadRequest,
    ContextTooLong,
    EngineFailed,
    EngineUnavailable,
    ModelNotFound,
    UpstreamProtocol,
    UpstreamTimeout,
)

SHOWN_CHARS = 200

BUSY_WORDS = frozenset({"MODEL_BUSY", "model_busy", "Context is busy"})
CONTEXT_WORDS = frozenset({"CONTEXT_LENGTH_EXCEEDED", "Context is full"})
# Conditions that pass by themselves within seconds or minutes (section 16, rule 11).
PASSING_WORDS = BUSY_WORDS | {"model_not_loaded"}
# Our own request was at fault: we never send such a thing, so a build we do not know is behind it.
REFUSAL_WORDS = frozenset(
    {"empty_body", "invalid_json", "messages_required", "not_found", "method_not_allowed"}
)
CLOUD_WORDS = frozenset({"remote_models_disabled", "api_key_missing", "apple_foundation_not_available"})


@dataclass(frozen=True, slots=True)
class Asked:
    """What the failed request was: needed for the sentence."""

    model: str
    window_tokens: int
    prompt_tokens: int


def render_error(word: str, asked: Asked, *, after_text: bool = False) -> AdapterError:
    """The error for `word`. after_text: part of the answer had come already."""
    if word in CONTEXT_WORDS:
        return restarted_answer(asked) if after_text else _context_too_long(asked)
    known = next((error for words, error in _KNOWN.items() if word in words), None)
    return known(word, asked) if known else _runtime_failed(word, asked)


def restarted_answer(asked: Asked) -> EngineFailed:
    """The window filled up in mid-answer, and the app began again with a shorter history (10.3)."""
    error = EngineFailed(
        f"InferrLM ran out of context ({asked.window_tokens} tokens) in the middle of the answer and started it "
        "again with part of the conversation left out, so what came cannot be used. "
        "Shorten the conversation or ask for fewer tokens (max_tokens)."
    )
    error.spoils = True
    return error


def no_first_token(limit_s: float) -> UpstreamTimeout:
    return UpstreamTimeout(
        f"InferrLM gave no first token within {limit_s:g} s (first_token_s in the engine's configuration). It may "
        "still be loading the model, reading a long prompt, or be held up by a chat in the app: ask again later, "
        "with less text, or of a smaller model."
    )


def stalled(limit_s: float) -> UpstreamTimeout:
    return UpstreamTimeout(
        f"InferrLM stalled in the middle of the answer: nothing came for {limit_s:g} s (between_tokens_s in the "
        "engine's configuration). Ask again; if it stays so, restart the app."
    )


def cut_off() -> UpstreamProtocol:
    """The stream ended without the record that makes it whole (10.2)."""
    return UpstreamProtocol(
        "InferrLM ended the stream without its last record, so the answer is not whole: the app was closed, or the "
        "end of the stream was lost. Ask again; if it stays so, open the app and look whether its server is on."
    )


def _context_too_long(asked: Asked) -> ContextTooLong:
    # The app has the last word over our estimate, which was then too low.
    prompt_tokens = max(asked.prompt_tokens, asked.window_tokens + 1)
    return ContextTooLong.of(context_tokens=asked.window_tokens, prompt_tokens=prompt_tokens)


def _busy(word: str, asked: Asked) -> AdapterError:
    return EngineUnavailable(
        f"InferrLM is busy ({word}): another program, or a chat inside the app itself, is using the model. "
        "Try again in a moment; nothing but Farmhand should talk to the app.",
        retry_after_s=10,
    )


def _not_loaded(word: str, asked: Asked) -> AdapterError:
    return EngineUnavailable(
        "InferrLM has no model in memory, or is loading one just now (model_not_loaded). Try again in a moment; "
        f"if it stays so, open the app and load {asked.model!r} there.",
        retry_after_s=10,
    )


def _not_found(word: str, asked: Asked) -> AdapterError:
    return ModelNotFound(
        f"InferrLM no longer has a model named {asked.model!r}; it was deleted or renamed in the app. "
        "GET /v1/models lists what there is.",
        param="model",
    )


def _load_failed(word: str, asked: Asked) -> AdapterError:
    return EngineFailed(
        f"InferrLM could not load the model {asked.model!r} (server_error). Mostly the phone has too little free "
        "memory: close other apps or choose a smaller model; else the file is damaged: download it again in the app."
    )


def _cloud_name(word: str, asked: Asked) -> AdapterError:
    return BadRequest(
        f"InferrLM takes the name {asked.model!r} for a cloud provider ({word}); Farmhand uses models stored on the "
        "phone only. Rename the stored model in the app.",
        param="model",
    )


def _refused(word: str, asked: Asked) -> AdapterError:
    return UpstreamProtocol(
        f"InferrLM refused the request as {word!r}. Either something else listens at its address, or this build of "
        "the app is unknown to Farmhand: check the url in the configuration and update both."
    )


def _failed_silently(word: str, asked: Asked) -> AdapterError:
    return EngineFailed(
        "InferrLM gave up without saying why (generation_failed): the model may be busy, out of memory, or unable to "
        "take these messages. Try again; if it stays so, load the model anew in the app."
    )


def _runtime_failed(word: str, asked: Asked) -> AdapterError:
    return EngineFailed(
        f"InferrLM's runtime failed: {word[:SHOWN_CHARS]}. Try again; if it stays so, load {asked.model!r} anew in "
        "the app."
    )


_KNOWN: Mapping[frozenset[str], Callable[[str, Asked], AdapterError]] = {
    BUSY_WORDS: _busy,
    CLOUD_WORDS: _cloud_name,
    REFUSAL_WORDS: _refused,
    frozenset({"model_not_loaded"}): _not_loaded,
    frozenset({"model_not_found"}): _not_found,
    frozenset({"server_error"}): _load_failed,
    frozenset({"generation_failed"}): _failed_silently,
}
