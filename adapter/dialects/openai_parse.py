"""OpenAI's request body -> our words. Pure.

What decides each rule is `protocols/clients.md`: content comes in every shape (2.7), messages carry foreign
keys, nothing that was asked for may be dropped without a word. A field is therefore honoured, refused by
name (where ignoring it would change the answer's meaning), or passed over as a hint and listed
in `ChatRequest.ignored`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from adapter.chat import Chat
from adapter.dialects.openai_messages import parse_messages
from adapter.dialects.openai_refusals import REFUSALS
from adapter.dialects.openai_sampling import parse_sampling
from adapter.dialects.openai_values import boolean, whole_text, wrong_type
from adapter.errors import BadRequest

MAX_MODEL_CHARS = 512
# Every last chunk repeats them; a body of junk must not come back as an answer of junk.
MAX_IGNORED = 32


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One parsed request. `chat.model` is still the name that the client asked for.

    ignored: hints and unknown fields that the answer does not depend on, in the order sent, the first 32.
    """

    chat: Chat
    stream: bool
    include_usage: bool
    ignored: tuple[str, ...]


def parse_chat(body: Mapping[str, Any], *, max_messages: int = 4_096) -> ChatRequest:
    """The body of `POST /v1/chat/completions` -> `ChatRequest`. Raises `BadRequest` naming the field."""
    given = {key: value for key, value in body.items() if value is not None}
    for name, refuse in REFUSALS.items():
        if name in given:
            refuse(given)
    stream = boolean(given, "stream", default=False)
    return ChatRequest(
        chat=Chat(
            model=_model(given),
            messages=parse_messages(given, max_messages),
            sampling=parse_sampling(given),
        ),
        stream=stream,
        include_usage=_include_usage(given),
        ignored=tuple(islice(_ignored(given), MAX_IGNORED)),
    )


def _ignored(given: Mapping[str, Any]) -> Iterator[str]:
    return (whole_text(key)[:64] for key in given if key not in _HONOURED and not _is_neutral(given, key))


def _model(given: Mapping[str, Any]) -> str:
    value = given.get("model", "auto")
    if not isinstance(value, str):
        raise wrong_type("model", "a string", value)
    if len(value) > MAX_MODEL_CHARS:
        raise BadRequest(
            f"'model' has {len(value)} characters; at most {MAX_MODEL_CHARS} are possible.", param="model"
        )
    return whole_text(value).strip() or "auto"


def _include_usage(given: Mapping[str, Any]) -> bool:
    options = given.get("stream_options", {})
    if not isinstance(options, dict):
        raise wrong_type("stream_options", "an object", options)
    value = options.get("include_usage") or False
    if not isinstance(value, bool):
        raise wrong_type("stream_options.include_usage", "true or false", value)
    return value


_HONOURED = frozenset(
    {
        "model", "messages", "stream", "stream_options", "temperature", "top_p", "top_k", "min_p",
        "frequency_penalty", "presence_penalty", "repeat_penalty", "repetition_penalty", "max_tokens",
        "max_completion_tokens", "stop", "seed",
    }
)  # fmt: skip


def _is_neutral(given: Mapping[str, Any], key: str) -> bool:
    """Was the field checked above and found to ask for nothing? Tools that may not be called were set aside."""
    return key in REFUSALS and not (key in ("tools", "functions") and given[key])
