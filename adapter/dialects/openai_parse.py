"""OpenAI's body of a chat -> our words. Pure.

What decides each rule is `protocols/clients.md`: content comes in every shape (2.7), messages carry foreign
keys, nothing that was asked for may be dropped without a word. A field is therefore honoured, refused by
name (where ignoring it would change the answer's meaning), or passed over as a hint and listed
in `Asked.ignored`. What only some models can honour stands in `Asked.needs`, with its field, for the router.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from adapter.chat import Chat, Completion, OutputKind, ToolMode
from adapter.dialects.openai_messages import parse_messages
from adapter.dialects.openai_output import OUTPUT_FIELDS, parse_output
from adapter.dialects.openai_refusals import REFUSALS, refuse_unbuilt
from adapter.dialects.openai_request import (
    MAX_ANSWERS,
    Asked,
    bounded_names,
    given_fields,
    parse_model,
    parse_stream,
)
from adapter.dialects.openai_sampling import SAMPLING_FIELDS, parse_sampling
from adapter.dialects.openai_thinking import (
    THINKING_FIELDS,
    parse_reasoning,
    parse_template_options,
    unheeded_reasoning,
)
from adapter.dialects.openai_tools import AskedTools, parse_tools
from adapter.dialects.openai_values import boolean, integer, whole_text, wrong_type
from adapter.engines.base import Can
from adapter.errors import BadRequest

MAX_TOP_LOGPROBS = 20
MAX_SESSION_CHARS = 256


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One parsed chat. `chat.model` is still the name that the client asked for.

    legacy_calls: the tools came as `functions`, so a call is answered as `function_call`.
    """

    chat: Chat
    asked: Asked
    legacy_calls: bool = False


def parse_chat(body: Mapping[str, Any], *, max_messages: int = 4_096, hops: tuple[str, ...] = ()) -> ChatRequest:
    """The body of `POST /v1/chat/completions` -> `ChatRequest`. hops: for `Chat.hops`. Raises `BadRequest` naming the field."""
    given = given_fields(body)
    refuse_unbuilt(given, REFUSALS)
    tools = parse_tools(given)
    stream, include_usage = parse_stream(given)
    chat = Chat(
        model=parse_model(given),
        messages=parse_messages(given, max_messages),
        sampling=parse_sampling(given),
        tools=tools.tools,
        tool_choice=tools.choice,
        output=parse_output(given),
        reasoning=parse_reasoning(given),
        n=parse_n(given),
        logprobs=_logprobs(given),
        template_options=parse_template_options(given),
        session=_session(given),
        hops=hops,
    )
    asked = Asked(
        model=chat.model,
        needs=_needs(chat, tools),
        wishes=_CONTINUES if chat.continues else frozenset(),
        stream=stream,
        include_usage=include_usage,
        ignored=_ignored(given),
        hints=tuple(_hints(given, tools)) if tools.tools or not _HINTS.isdisjoint(given) else (),
    )
    return ChatRequest(chat, asked, legacy_calls=tools.legacy)


def parse_n(given: Mapping[str, Any]) -> int:
    return integer(given, "n", 1, MAX_ANSWERS) or 1


def _logprobs(given: Mapping[str, Any]) -> int | None:
    wanted = boolean(given, "logprobs", default=False)
    top = integer(given, "top_logprobs", 0, MAX_TOP_LOGPROBS)
    if top and not wanted:
        raise BadRequest("'top_logprobs' needs 'logprobs': true.", param="top_logprobs")
    return (top or 0) if wanted else None


def _session(given: Mapping[str, Any]) -> str | None:
    """LocalLLM's own extension (`protocols/localllm.md` 7.5), which Pitwall's Android client sends."""
    value = given.get("session_id", "")
    if not isinstance(value, str):
        raise wrong_type("session_id", "a string", value)
    return whole_text(value)[:MAX_SESSION_CHARS] or None


def _needs(chat: Chat, tools: AskedTools) -> dict[Can, str]:
    """Tools that may not be called are no need: nobody can call what the model never sees."""
    needs = {Can.CHAT: "model"}
    if any(message.images for message in chat.messages):
        needs[Can.VISION] = "messages"
    if tools.tools and tools.choice.mode is not ToolMode.NONE:
        needs[Can.TOOLS] = tools.param
    return needs | answer_needs(chat)


def answer_needs(request: Chat | Completion) -> dict[Can, str]:
    """What chats and completions may ask for alike."""
    needs = {}
    if request.output is not None:
        needs[Can.OUTPUT] = request.output.param
        if request.output.kind is OutputKind.GRAMMAR:
            needs[Can.GRAMMAR] = request.output.param
    if request.logprobs is not None:
        needs[Can.LOGPROBS] = "logprobs"
    if request.sampling.logit_bias:
        needs[Can.LOGIT_BIAS] = "logit_bias"
    if request.n > 1:
        needs[Can.MANY] = "n"
    return needs


def _hints(given: Mapping[str, Any], tools: AskedTools) -> Iterator[tuple[Can, str]]:
    if tools.tools and tools.choice.mode is ToolMode.NONE:
        yield Can.TOOLS, tools.param
    yield from ((Can.REASONING, name) for name in THINKING_FIELDS if given.get(name, {}) != {})
    if given.get("chat_template_kwargs"):
        yield Can.TOKENIZE, "chat_template_kwargs"  # who tokenizes messages has the template


def _ignored(given: Mapping[str, Any]) -> tuple[str, ...]:
    if _HONOURED.issuperset(given) and "reasoning" not in given:
        return ()
    return bounded_names([*(key for key in given if key not in _HONOURED), *unheeded_reasoning(given)])


_CONTINUES = frozenset({Can.CONTINUE})
_HINTS = frozenset({"chat_template_kwargs", *THINKING_FIELDS})
_HONOURED = frozenset(
    {
        "model", "messages", "stream", "stream_options", "tools", "tool_choice", "parallel_tool_calls", "functions",
        "function_call", "n", "logprobs", "top_logprobs", "chat_template_kwargs", "session_id",
        *SAMPLING_FIELDS, *OUTPUT_FIELDS, *THINKING_FIELDS, *REFUSALS,
    }
)  # fmt: skip
