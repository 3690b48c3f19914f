"""LocalLLM's chat dialect, outward: `Chat` -> body of `POST /v1/chat/completions`. Pure.

Sections are those of `protocols/localllm.md`. The app speaks OpenAI's language with its own meaning: it honours nine fields and
drops the rest without a word, keeps one system text, and on LiteRT takes `max_tokens` for the size of the context (7.1 to 7.4).
The way back is in `localllm_frames.py` (bytes and frames) and `localllm_answer.py` (an answer as a whole), the messages are
made in `localllm_messages.py`, failures are told in `localllm_errors.py`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from adapter.chat import Chat, Tool, ToolMode
from adapter.dialects.localllm_messages import aicore_messages, litert_messages
from adapter.dialects.localllm_models import AICORE_MAX_OUTPUT_TOKENS, Kind, Model, context_tokens
from adapter.dialects.schema_repair import repair_parameters
from adapter.errors import BadRequest, ContextTooLong, NotCapable
from adapter.tokens import estimate_prompt_tokens, estimate_tokens

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ask:
    """One request as the app will get it.

    max_tokens: what the answer may have, for us to keep. prompt_tokens: estimated, tools included. schemas: of the tools' arguments, as sent.
    fields: what goes into the body beside `model` and `messages`.
    """

    model: Model
    messages: tuple[Json, ...]
    max_tokens: int
    prompt_tokens: int
    context_tokens: int
    fields: Mapping[str, Any] = field(default_factory=dict)
    schemas: Mapping[str, Json] = field(default_factory=dict)
    has_images: bool = False

    def body(self, *, stream: bool, session: str | None = None) -> bytes:
        """The body as UTF-8. session: an id for `session_id` (7.5); LiteRT only."""
        value: Json = {"model": self.model.id, "messages": list(self.messages), "stream": stream, **self.fields}
        if session and self.model.litert:
            value["session_id"] = session
        return dump(value)


def dump(value: object) -> bytes:
    """JSON as it is sent: UTF-8, since the app limits the length of bodies in bytes (5.1)."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8")


def render_chat(chat: Chat, model: Model, *, configured_tokens: int, default_max_tokens: int) -> Ask:
    """Say `chat` in LocalLLM's words, for a model that it lists.

    configured_tokens: see `localllm_models.context_tokens`. Raises `NotCapable` for what this model cannot take, `BadRequest` for what none
    can, and `ContextTooLong` when the prompt's estimate is over the window: near its end the runtime may crash natively (7.4).
    """
    if not model.chats:
        raise NotCapable(f"'{model.id}' makes embeddings and cannot chat; ask for another model.", param="model")
    litert = model.litert
    if chat.tools and not litert and chat.tool_choice.mode is not ToolMode.NONE:
        raise NotCapable(f"'{model.id}' takes no tools (Gemini Nano in LocalLLM ignores them).", param="tools")
    messages = litert_messages(chat.messages, model) if litert else aicore_messages(chat.messages, model)
    tools = [_tool(tool) for tool in _offered(chat)]
    window = context_tokens(model, configured_tokens)
    prompt_tokens = _prompt_tokens(messages, tools)
    if prompt_tokens >= window:
        raise ContextTooLong.of(context_tokens=window, prompt_tokens=prompt_tokens)
    return Ask(
        model=model,
        messages=tuple(messages),
        max_tokens=_limit(chat, model, default_max_tokens),
        prompt_tokens=prompt_tokens,
        context_tokens=window,
        fields=_fields(chat, model, tools),
        schemas={tool["function"]["name"]: tool["function"]["parameters"] for tool in tools},
        has_images=any(message.images for message in chat.messages),
    )


def _limit(chat: Chat, model: Model, default: int) -> int:
    asked = chat.sampling.max_tokens or default
    return min(asked, AICORE_MAX_OUTPUT_TOKENS) if model.kind is Kind.AICORE else asked


def _fields(chat: Chat, model: Model, tools: Sequence[Json]) -> Json:
    sampling = chat.sampling
    fields: Json = {}
    if sampling.temperature is not None:
        fields["temperature"] = sampling.temperature
    if sampling.top_k:  # 0 is "off" to us, and unknown to the app
        fields["top_k"] = sampling.top_k
    if model.kind is Kind.AICORE and sampling.max_tokens is not None:
        # Here alone it is what its name says, from 1 to 256.
        fields["max_tokens"] = min(sampling.max_tokens, AICORE_MAX_OUTPUT_TOKENS)
    if tools:
        fields["tools"] = list(tools)
    return fields


def unheeded(chat: Chat) -> tuple[str, ...]:
    """The request's fields, in OpenAI's names, that are set but have no effect on any model of LocalLLM (7.1).

    Not what is kept to here: stop strings, limits, forms, and how many calls there may be.
    """
    sampling = chat.sampling
    given = {
        "top_p": sampling.top_p is not None,
        "top_k": sampling.top_k == 0,
        "min_p": sampling.min_p is not None,
        "seed": sampling.seed is not None,
        "frequency_penalty": bool(sampling.frequency_penalty),
        "presence_penalty": bool(sampling.presence_penalty),
        "repeat_penalty": sampling.repeat_penalty not in (None, 1),
        "logit_bias": bool(sampling.logit_bias),
        "reasoning_effort": chat.reasoning.effort is not None or chat.reasoning.max_tokens is not None,
        "chat_template_kwargs": chat.template_options.strip() not in ("", "{}"),
    }
    return tuple(name for name, is_set in given.items() if is_set)


# --- tools --------------------------------------------------------------------------------------------------------


def _offered(chat: Chat) -> tuple[Tool, ...]:
    """The tools that the model gets to see. The app enforces no choice (7.3), but a model cannot call what it does not see."""
    choice = chat.tool_choice
    if choice.mode is ToolMode.NONE:
        return ()
    return tuple(tool for tool in chat.tools if choice.name is None or tool.name == choice.name)


def _tool(tool: Tool) -> Json:
    """`name` and `parameters` are both needed, else the app answers 500 (7.3)."""
    try:
        given = json.loads(tool.parameters)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise BadRequest(f"The parameters of the tool '{tool.name}' must be a JSON schema (an object).", param="tools")
    function: Json = {"name": tool.name, "parameters": repair_parameters(given)}
    if tool.description:
        function["description"] = tool.description
    return {"type": "function", "function": function}


# --- size -----------------------------------------------------------------------------------------------------------


# Gemma 3 and 4 see a picture as so many tokens.
IMAGE_TOKENS = 256


def _prompt_tokens(messages: Sequence[Json], tools: Sequence[Json]) -> int:
    texts, images = [], 0
    for message in messages:
        content = message.get("content")
        parts = content if isinstance(content, list) else []
        images += sum(part["type"] == "image_url" for part in parts)
        said = content if isinstance(content, str) else "\n".join(p["text"] for p in parts if p["type"] == "text")
        calls = "".join(f"{c['function']['name']}{c['function']['arguments']}" for c in message.get("tool_calls", ()))
        texts.append(said + calls)
    shown = dump(tools).decode() if tools else ""
    return estimate_prompt_tokens(texts) + IMAGE_TOKENS * images + estimate_tokens(shown)
