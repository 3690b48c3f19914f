"""The body of `POST /v1/responses` -> our words. Pure.

As with chats (`openai_parse.py`) a field is honoured, refused by name where ignoring it would change the answer's meaning, or passed over as a
hint and listed in `Asked.ignored`. `instructions` are those of this request only, as OpenAI has it: an earlier answer's are not carried over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from adapter.chat import Chat, Message, Role, Sampling, ToolMode
from adapter.dialects.openai_parse import MAX_TOP_LOGPROBS, answer_needs
from adapter.dialects.openai_refusals import REFUSALS, refuse_unbuilt
from adapter.dialects.openai_request import Asked, bounded_names, given_fields, parse_model
from adapter.dialects.openai_sampling import SAMPLING_FIELDS, parse_sampling
from adapter.dialects.openai_thinking import (
    THINKING_FIELDS,
    parse_reasoning,
    parse_template_options,
    unheeded_reasoning,
)
from adapter.dialects.openai_values import boolean, integer, whole_text, wrong_type
from adapter.dialects.responses_input import PASSED_OVER, Conversation, Item, answered_calls, said_by_user
from adapter.dialects.responses_past import NOTHING, Past, resolved
from adapter.dialects.responses_text import EXTENSIONS, AskedText, parse_text
from adapter.dialects.responses_tools import FlatTools, parse_flat_tools
from adapter.engines.base import Can
from adapter.errors import BadRequest

Json = dict[str, Any]

LOGPROBS = "message.output_text.logprobs"
MAX_METADATA, MAX_METADATA_KEY, MAX_METADATA_VALUE = 16, 64, 512
MAX_USER_CHARS = 512
_SUMMARIES = ("auto", "concise", "detailed")
# Chats' names for `max_output_tokens`, which programs send all the same: ignoring a limit would make for long waits.
_LIMITS = ("max_output_tokens", "max_completion_tokens", "max_tokens")


@dataclass(frozen=True, slots=True)
class ResponseRequest:
    """One parsed request. `chat.model` is still the name that the client asked for.

    items: what this request adds to the conversation, for the store. echo: what the answer repeats of the request. store: is the answer to be
    kept? summary: reasoning is to come as a summary.
    """

    chat: Chat
    asked: Asked
    items: tuple[Item, ...]
    echo: Json
    store: bool
    summary: bool


def parse_responses(
    body: Mapping[str, Any],
    past: Past = NOTHING,
    *,
    max_messages: int = 4_096,
    hops: tuple[str, ...] = (),
    diet: bool = False,
    keeps: bool = True,
) -> ResponseRequest:
    """past: what `referred` named, looked up. diet: may long prompts be shortened here? keeps: are answers kept at all?

    Raises `BadRequest` naming the field in this API's words.
    """
    given = given_fields(body)
    _refuse(given)
    items = _items(given, past, max_messages)
    conversation = Conversation(answered_calls([*past.items, *items]))
    conversation.read(past.items, "previous_response_id")
    conversation.passed_over = False  # nobody sent those
    conversation.read(items, "input")
    tools, text = parse_flat_tools(given), parse_text(given)
    logprobs = _logprobs(given)
    chat = Chat(
        model=parse_model(given),
        messages=(*_instructions(given), *conversation.messages),
        sampling=_sampling(given),
        tools=tools.tools,
        tool_choice=tools.choice,
        output=text.output,
        reasoning=parse_reasoning(given),
        logprobs=logprobs,
        template_options=parse_template_options(given),
        hops=hops,
    )
    summary = _summary(given)
    store = boolean(given, "store", default=True) and keeps
    unheeded = [PASSED_OVER] if conversation.passed_over else []
    unheeded += [*text.hints, *_unheeded(given, diet=diet, keeps=keeps, logprobs=logprobs is not None)]
    asked = Asked(
        model=chat.model,
        needs=_needs(chat),
        wishes=frozenset({Can.CONTINUE}) if chat.continues else frozenset(),
        stream=boolean(given, "stream", default=False),
        ignored=bounded_names([*(key for key in given if key not in _HONOURED), *unheeded]),
        hints=tuple(_hints(given, chat)),
    )
    return ResponseRequest(chat, asked, tuple(items), _echo(given, chat, tools, text, store=store), store, summary)


# --- the conversation -------------------------------------------------------------------------------------------


def _items(given: Mapping[str, Any], past: Past, limit: int) -> Sequence[Any]:
    value = given.get("input")
    match value:
        case None:
            raise BadRequest("'input' is missing; send a string or an array with at least one item.", param="input")
        case str():
            items: list[Any] = [said_by_user(whole_text(value))]
        case list():
            items = resolved(value, past)
        case _:
            raise wrong_type("input", "a string or an array", value)
    if not items:
        raise BadRequest("'input' is empty; send at least one item.", param="input")
    if (count := len(items) + len(past.items)) > limit:
        before = f" ({len(past.items)} of them from what went before)" if past.items else ""
        raise BadRequest(f"'input' has {count} items{before}; at most {limit} are possible (server.max_messages).", param="input")
    return items


def _instructions(given: Mapping[str, Any]) -> tuple[Message, ...]:
    value = given.get("instructions", "")
    if not isinstance(value, str):
        raise wrong_type("instructions", "a string", value)
    return (Message(Role.SYSTEM, whole_text(value)),) if value else ()


# --- single fields ----------------------------------------------------------------------------------------------


def _sampling(given: Mapping[str, Any]) -> Sampling:
    """Besides OpenAI's two, those that chats know."""
    sampling = parse_sampling({name: given[name] for name in SAMPLING_FIELDS if name in given and name not in _LIMITS})
    name = next((name for name in _LIMITS if name in given), None)
    return replace(sampling, max_tokens=integer(given, name, 1, 2**31 - 1)) if name else sampling


def _logprobs(given: Mapping[str, Any]) -> int | None:
    top = integer(given, "top_logprobs", 0, MAX_TOP_LOGPROBS)
    return (top or 0) if LOGPROBS in _include(given) else None


def _include(given: Mapping[str, Any]) -> list[str]:
    value = given.get("include", [])
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise BadRequest("'include' must be an array of strings.", param="include")
    return value


def _summary(given: Mapping[str, Any]) -> bool:
    """Nobody here writes summaries: who asks for one gets the reasoning in its place, which is what their program shows."""
    asked = given.get("reasoning") or {}
    for name in ("summary", "generate_summary"):  # the latter: its former name
        if (value := asked.get(name)) is not None:
            if value not in _SUMMARIES:
                raise BadRequest(f"'reasoning.{name}' must be one of {', '.join(_SUMMARIES)}.", param=f"reasoning.{name}")
            return True
    return False


def _metadata(given: Mapping[str, Any]) -> Json:
    value = given.get("metadata", {})
    if not isinstance(value, dict):
        raise wrong_type("metadata", "an object", value)
    if len(value) > MAX_METADATA:
        raise BadRequest(f"'metadata' has {len(value)} keys; at most {MAX_METADATA} are possible.", param="metadata")
    for key, entry in value.items():
        if not isinstance(entry, str) or len(entry) > MAX_METADATA_VALUE or len(key) > MAX_METADATA_KEY:
            raise BadRequest(
                f"'metadata' holds strings of at most {MAX_METADATA_VALUE} characters under keys of at most {MAX_METADATA_KEY}; "
                f"'{whole_text(key[:MAX_METADATA_KEY])}' is something else.",
                param="metadata",
            )
    return value


def _user(given: Mapping[str, Any]) -> str | None:
    value = given.get("user")
    if value is not None and not isinstance(value, str):
        raise wrong_type("user", "a string", value)
    return value[:MAX_USER_CHARS] if value else None


def _truncation(given: Mapping[str, Any]) -> str:
    value = given.get("truncation", "disabled")
    if value not in ("auto", "disabled"):
        raise BadRequest("'truncation' must be \"auto\" or \"disabled\".", param="truncation")
    return str(value)


def _echo(given: Mapping[str, Any], chat: Chat, tools: FlatTools, text: AskedText, *, store: bool) -> Json:
    """In OpenAI's order; what was not asked for is null, since what an engine does by itself is not known here."""
    reasoning = given.get("reasoning") or {}
    return {
        "background": False,
        "instructions": given.get("instructions"),
        "max_output_tokens": chat.sampling.max_tokens,
        "max_tool_calls": None,
        "parallel_tool_calls": tools.parallel,
        "previous_response_id": given.get("previous_response_id") or None,
        "reasoning": {"effort": chat.reasoning.effort, "summary": reasoning.get("summary")},
        "store": store,
        "temperature": chat.sampling.temperature,
        "text": text.shown,
        "tool_choice": tools.choice_shown,
        "tools": list(tools.shown),
        "top_logprobs": chat.logprobs or 0,
        "top_p": chat.sampling.top_p,
        "truncation": _truncation(given),
        "user": _user(given),
        "metadata": _metadata(given),
    }


# --- what a model must be able to do, and what nobody does ----------------------------------------------------------


def _needs(chat: Chat) -> dict[Can, str]:
    needs = {Can.CHAT: "model"}
    if any(message.images for message in chat.messages):
        needs[Can.VISION] = "input"
    if chat.tools and chat.tool_choice.mode is not ToolMode.NONE:
        needs[Can.TOOLS] = "tools"
    needs |= answer_needs(chat)
    if Can.LOGPROBS in needs:
        needs[Can.LOGPROBS] = "include"
    return needs


def _hints(given: Mapping[str, Any], chat: Chat) -> Iterator[tuple[Can, str]]:
    if chat.tools and chat.tool_choice.mode is ToolMode.NONE:
        yield Can.TOOLS, "tools"
    if (given.get("reasoning") or {}).get("effort") is not None:
        yield Can.REASONING, "reasoning.effort"
    yield from ((Can.REASONING, name) for name in THINKING_FIELDS if name in given and name != "reasoning")
    if given.get("chat_template_kwargs"):
        yield Can.TOKENIZE, "chat_template_kwargs"


def _unheeded(given: Mapping[str, Any], *, diet: bool, keeps: bool, logprobs: bool) -> Iterator[str]:
    """Parts of fields that are otherwise honoured."""
    yield from (name for name in unheeded_reasoning(given) if name not in ("reasoning.summary", "reasoning.generate_summary"))
    yield from (f"include.{name}" for name in _include(given) if name != LOGPROBS)
    if given.get("top_logprobs") and not logprobs:
        yield "top_logprobs"
    if given.get("truncation") == "auto" and not diet:
        yield "truncation"
    if given.get("store") is True and not keeps:
        yield "store"
    options = given.get("stream_options", {})
    if not isinstance(options, dict):
        raise wrong_type("stream_options", "an object", options)
    yield from (f"stream_options.{name}" for name, value in options.items() if value)


def _refuse(given: Mapping[str, Any]) -> None:
    refuse_unbuilt(given, REFUSALS)
    for name, (asks, why) in _REFUSED.items():
        if name in given and asks(given[name]):
            raise BadRequest(f"'{name}' is not supported: {why}", param=name)


_REFUSED: dict[str, tuple[Callable[[Any], bool], str]] = {
    "background": (bool, "an answer is made while its client waits for it. Leave it out, and stream."),
    "conversation": (bool, "conversations are not kept as such. Send 'previous_response_id', or all of it in 'input'."),
    "prompt": (bool, "there are no prompt templates here. Send its text in 'instructions' and 'input'."),
    "messages": (bool, "it belongs to POST /v1/chat/completions. Send 'input'."),
    "functions": (bool, "it belongs to POST /v1/chat/completions. Send 'tools'."),
    "response_format": (bool, "it belongs to POST /v1/chat/completions. Send 'text': {'format': ...}."),
    "n": (lambda value: value != 1, "there is one answer to a request. Send it again for another one."),
}
_HONOURED = frozenset(
    {
        "model", "input", "instructions", "stream", "stream_options", "tools", "tool_choice", "parallel_tool_calls", "text", "reasoning",
        "max_output_tokens", "top_logprobs", "include", "store", "metadata", "user", "truncation", "previous_response_id",
        "chat_template_kwargs", *SAMPLING_FIELDS, *EXTENSIONS, *THINKING_FIELDS, *_REFUSED, *REFUSALS,
    }
)  # fmt: skip
