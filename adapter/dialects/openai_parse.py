"""OpenAI's request body -> our words. Pure.

What decides each rule is `protocols/clients.md`: content comes in every shape (2.7), messages carry foreign
keys, nothing that was asked for may be dropped without a word. A field is therefore honoured, refused by
name (where ignoring it would change the answer's meaning), or passed over as a hint and listed
in `ChatRequest.ignored`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from adapter.chat import Chat, Message, Role, Sampling, ToolCall
from adapter.errors import BadRequest

MAX_STOPS = 16
MAX_STOP_CHARS = 256
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


def parse_json_object(raw: bytes, *, max_nesting: int) -> dict[str, Any]:
    """Bytes of a body -> its JSON object. Raises `BadRequest` for anything else."""
    if not raw.strip():
        raise BadRequest("The request body is empty; send a JSON object with 'model' and 'messages'.")
    too_deep = BadRequest(f"The JSON is nested deeper than {max_nesting} levels (server.max_nesting).")
    try:
        body = json.loads(raw, parse_constant=_refuse_constant)
    except RecursionError:
        raise too_deep from None
    except UnicodeDecodeError as exc:
        raise BadRequest(f"The request body is not valid UTF-8 (byte {exc.start}).") from None
    except json.JSONDecodeError as exc:
        where = f"line {exc.lineno}, column {exc.colno}"
        raise BadRequest(f"The request body is not valid JSON: {exc.msg} at {where}.") from None
    except ValueError as exc:
        raise BadRequest(f"The request body is not valid JSON: {str(exc)[:120]}.") from None
    if not isinstance(body, dict):
        raise BadRequest(f"The request body must be a JSON object, not {_kind(body)}.")
    if _deeper_than(body, max_nesting):
        raise too_deep
    return body


def _refuse_constant(word: str) -> Any:
    raise ValueError(f"{word} is not a JSON number")


def _deeper_than(value: Any, limit: int) -> bool:
    level: list[Any] = [value]
    for _ in range(limit):
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return True


def parse_chat(body: Mapping[str, Any], *, max_messages: int = 4_096) -> ChatRequest:
    """The body of `POST /v1/chat/completions` -> `ChatRequest`. Raises `BadRequest` naming the field."""
    given = {key: value for key, value in body.items() if value is not None}
    for name, refuse in _REFUSALS.items():
        if name in given:
            refuse(given)
    stream = _boolean(given, "stream", default=False)
    return ChatRequest(
        chat=Chat(
            model=_model(given),
            messages=_messages(given, max_messages),
            sampling=_sampling(given),
        ),
        stream=stream,
        include_usage=_include_usage(given),
        ignored=tuple(islice(_ignored(given), MAX_IGNORED)),
    )


def _ignored(given: Mapping[str, Any]) -> Iterator[str]:
    return (_text(key)[:64] for key in given if key not in _HONOURED and not _is_neutral(given, key))


# --- scalars --------------------------------------------------------------------------------------------------


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "an array"
        case _:
            return "an object"


def _text(value: str) -> str:
    """Half surrogate pairs (a client cut an emoji in two) become U+FFFD: they cannot be sent on as UTF-8."""
    if value.isascii():
        return value
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _wrong(param: str, wanted: str, value: object) -> BadRequest:
    return BadRequest(f"'{param}' must be {wanted}, not {_kind(value)}.", param=param)


def _boolean(given: Mapping[str, Any], name: str, *, default: bool) -> bool:
    value = given.get(name, default)
    if not isinstance(value, bool):
        raise _wrong(name, "true or false", value)
    return value


def _number(given: Mapping[str, Any], name: str, low: float, high: float) -> float | None:
    value = given.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong(name, f"a number from {low:g} to {high:g}", value)
    if not low <= value <= high:
        raise BadRequest(f"'{name}' must be from {low:g} to {high:g}; got {value!s:.40}.", param=name)
    return float(value)


def _integer(given: Mapping[str, Any], name: str, low: int, high: int) -> int | None:
    value = given.get(name)
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, float):
        raise BadRequest(f"'{name}' must be a whole number, not {value:g}.", param=name)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong(name, "a whole number", value)
    if not low <= value <= high:
        raise BadRequest(f"'{name}' must be from {low} to {high}; got {value!s:.40}.", param=name)
    return value


def _model(given: Mapping[str, Any]) -> str:
    value = given.get("model", "auto")
    if not isinstance(value, str):
        raise _wrong("model", "a string", value)
    if len(value) > MAX_MODEL_CHARS:
        raise BadRequest(
            f"'model' has {len(value)} characters; at most {MAX_MODEL_CHARS} are possible.", param="model"
        )
    return _text(value).strip() or "auto"


def _include_usage(given: Mapping[str, Any]) -> bool:
    options = given.get("stream_options", {})
    if not isinstance(options, dict):
        raise _wrong("stream_options", "an object", options)
    value = options.get("include_usage") or False
    if not isinstance(value, bool):
        raise _wrong("stream_options.include_usage", "true or false", value)
    return value


# --- sampling -------------------------------------------------------------------------------------------------

_INT64 = 2**63


def _sampling(given: Mapping[str, Any]) -> Sampling:
    repeat = "repeat_penalty" if "repeat_penalty" in given else "repetition_penalty"
    return Sampling(
        temperature=_number(given, "temperature", 0, 2),
        top_p=_number(given, "top_p", 0, 1),
        top_k=_top_k(given),
        min_p=_number(given, "min_p", 0, 1),
        frequency_penalty=_number(given, "frequency_penalty", -2, 2),
        presence_penalty=_number(given, "presence_penalty", -2, 2),
        repeat_penalty=_number(given, repeat, 0.01, 10),
        max_tokens=_max_tokens(given),
        seed=_integer(given, "seed", -_INT64, 2 * _INT64 - 1),
        stop=_stops(given),
    )


def _top_k(given: Mapping[str, Any]) -> int | None:
    """-1 is vLLM's "off", which is 0 here."""
    value = _integer(given, "top_k", -1, 1_000_000)
    return 0 if value == -1 else value


def _max_tokens(given: Mapping[str, Any]) -> int | None:
    """`max_completion_tokens` is OpenAI's newer name and wins. -1 is LM Studio's and llama.cpp's "no limit"."""
    name = "max_completion_tokens" if "max_completion_tokens" in given else "max_tokens"
    if given.get(name) == -1:
        return None
    return _integer(given, name, 1, 2**31 - 1)


def _stops(given: Mapping[str, Any]) -> tuple[str, ...]:
    """A string or a list of them. An empty string stops nothing and counts as none."""
    value = given.get("stop", [])
    entries = [value] if isinstance(value, str) else value
    if not isinstance(entries, list):
        raise _wrong("stop", "a string or an array of strings", value)
    if len(entries) > MAX_STOPS:
        raise BadRequest(f"'stop' has {len(entries)} strings; at most {MAX_STOPS} are possible.", param="stop")
    for index, entry in enumerate(entries):
        if not isinstance(entry, str):
            raise _wrong(f"stop[{index}]", "a string", entry)
        if len(entry) > MAX_STOP_CHARS:
            raise BadRequest(
                f"'stop[{index}]' has {len(entry)} characters; at most {MAX_STOP_CHARS} are possible.",
                param=f"stop[{index}]",
            )
    return tuple(dict.fromkeys(_text(entry) for entry in entries if entry))


# --- messages -------------------------------------------------------------------------------------------------


def _messages(given: Mapping[str, Any], limit: int) -> tuple[Message, ...]:
    value = given.get("messages")
    if value is None:
        raise BadRequest("'messages' is missing; send an array with at least one message.", param="messages")
    if not isinstance(value, list):
        raise _wrong("messages", "an array", value)
    if not value:
        raise BadRequest("'messages' is empty; send at least one message.", param="messages")
    if len(value) > limit:
        raise BadRequest(
            f"'messages' has {len(value)} entries; at most {limit} are possible (server.max_messages).",
            param="messages",
        )
    return tuple(_message(entry, f"messages[{index}]") for index, entry in enumerate(value))


def _message(entry: object, where: str) -> Message:
    if not isinstance(entry, dict):
        raise _wrong(where, "an object with 'role' and 'content'", entry)
    role = _role(entry.get("role"), f"{where}.role")
    name = entry.get("name")
    call_id = entry.get("tool_call_id")
    return Message(
        role=role,
        content=_content(entry.get("content"), f"{where}.content"),
        name=_text(name) if isinstance(name, str) else None,
        tool_calls=_tool_calls(entry, where) if role is Role.ASSISTANT else (),
        tool_call_id=_text(call_id) if isinstance(call_id, str) else None,
    )


def _role(value: object, where: str) -> Role:
    if value == "function":  # the tool role's name before 2023-11
        return Role.TOOL
    try:
        return Role(value)  # type: ignore[arg-type]  # anything that is no role ends in the except
    except ValueError:
        known = ", ".join(Role)
        shown = f"{value!s:.40}" if isinstance(value, str) else _kind(value)
        raise BadRequest(f"'{where}' must be one of {known}; got {shown}.", param=where) from None


def _content(value: object, where: str) -> str:
    """String, list of parts, null or absent. Parts of text are joined by line breaks, as llama-server does."""
    match value:
        case None:
            return ""
        case str():
            return _text(value)
        case list():
            return "\n".join(_part(part, f"{where}[{index}]") for index, part in enumerate(value))
        case _:
            raise _wrong(where, "a string or an array of parts", value)


_MEDIA = {
    "image_url": "images",
    "image": "images",
    "input_image": "images",
    "input_audio": "audio",
    "audio": "audio",
    "file": "files",
    "input_file": "files",
    "video_url": "video",
}


def _part(part: object, where: str) -> str:
    if isinstance(part, str):
        return _text(part)
    if not isinstance(part, dict):
        raise _wrong(where, "an object with 'type'", part)
    kind = part.get("type")
    if isinstance(kind, str) and kind in _MEDIA:
        raise BadRequest(
            f"'{where}' is of type '{kind}': no engine here takes {_MEDIA[kind]}; send text only.", param=where
        )
    text = part.get("refusal") if kind == "refusal" else part.get("text")
    if not isinstance(text, str):
        raise BadRequest(f"'{where}' must be a part with 'type': 'text' and a string in 'text'.", param=where)
    return _text(text)


def _tool_calls(entry: Mapping[str, Any], where: str) -> tuple[ToolCall, ...]:
    """Earlier calls in the history, in the present form or in `function_call`, its forerunner."""
    calls = entry.get("tool_calls") or []
    if not isinstance(calls, list):
        raise _wrong(f"{where}.tool_calls", "an array", calls)
    if not calls and isinstance(entry.get("function_call"), dict):
        calls = [{"id": "", "function": entry["function_call"]}]
    return tuple(_tool_call(call, f"{where}.tool_calls[{index}]") for index, call in enumerate(calls))


def _tool_call(call: object, where: str) -> ToolCall:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(call, dict) or not isinstance(function, dict):
        raise BadRequest(f"'{where}' must be an object with 'function'.", param=where)
    name = function.get("name")
    if not isinstance(name, str) or not name:
        raise BadRequest(f"'{where}.function.name' must be a string.", param=where)
    arguments = function.get("arguments") or "{}"
    if not isinstance(arguments, str):  # some clients replay the object that they parsed
        arguments = json.dumps(arguments, ensure_ascii=False)
    return ToolCall(id=_text(str(call.get("id") or "")), name=_text(name), arguments=_text(arguments))


# --- fields that change the meaning and cannot be honoured yet ---------------------------------------------

_Refusal = Callable[[Mapping[str, Any]], None]


def _refuse(name: str, why: str, remedy: str) -> BadRequest:
    return BadRequest(f"'{name}' is not supported: {why}. {remedy}", param=name)


def _refuse_n(given: Mapping[str, Any]) -> None:
    if _integer(given, "n", 1, 128) != 1:
        raise _refuse("n", "one answer at a time is built so far", "Leave it out or send n = 1.")


def _callable(name: str, choice: str) -> _Refusal:
    """Refuse a list of callables, unless `choice` is "none": who never sees them cannot call them."""

    def refuse(given: Mapping[str, Any]) -> None:
        if not isinstance(given[name], list):
            raise _wrong(name, "an array", given[name])
        if given[name] and given.get(choice) != "none":
            raise _refuse(name, _NO_CALLS, f"Leave it out, or send {choice} = \"none\".")

    return refuse


def _choice(name: str, callables: str) -> _Refusal:
    """Refuse a forced call; with something to call, the refusal of that says it better."""

    def refuse(given: Mapping[str, Any]) -> None:
        if given[name] not in ("none", "auto") and not given.get(callables):
            raise _refuse(name, _NO_CALLS, "Leave it out.")

    return refuse


def _refuse_response_format(given: Mapping[str, Any]) -> None:
    value = given["response_format"]
    kind = value.get("type") if isinstance(value, dict) else None
    if not isinstance(kind, str):
        raise _wrong("response_format", "an object with a string in 'type'", value)
    if kind != "text":
        raise _refuse(
            "response_format",
            f"answers cannot be held to '{kind[:40]}' yet",
            "Leave it out, or ask for JSON in the prompt and check the answer.",
        )


def _refuse_logprobs(given: Mapping[str, Any]) -> None:
    if _boolean(given, "logprobs", default=False):
        raise _refuse("logprobs", "no engine here reports them yet", "Leave it out.")


def _refuse_modalities(given: Mapping[str, Any]) -> None:
    if given["modalities"] != ["text"]:
        raise _refuse("modalities", "answers are text only", 'Leave it out or send ["text"].')


def _refuse_web_search(given: Mapping[str, Any]) -> None:
    """An empty object asks for it, too: with the defaults."""
    raise _refuse("web_search_options", "no engine here searches the web", "Leave it out.")


def _when_set(name: str, why: str) -> _Refusal:
    """Refuse `name` unless its value is empty, zero or false, which ask for nothing."""

    def refuse(given: Mapping[str, Any]) -> None:
        if given[name]:
            raise _refuse(name, why, "Leave it out.")

    return refuse


_NO_CALLS = "no engine here calls tools yet"
_CONSTRAINED = "answers cannot be held to a grammar yet"
_REFUSALS: dict[str, _Refusal] = {
    "n": _refuse_n,
    "tools": _callable("tools", "tool_choice"),
    "tool_choice": _choice("tool_choice", "tools"),
    "functions": _callable("functions", "function_call"),
    "function_call": _choice("function_call", "functions"),
    "response_format": _refuse_response_format,
    "logprobs": _refuse_logprobs,
    "top_logprobs": _when_set("top_logprobs", "no engine here reports them yet"),
    "logit_bias": _when_set("logit_bias", "token ids differ from model to model and no engine here takes them yet"),
    "modalities": _refuse_modalities,
    "audio": _when_set("audio", "answers are text only"),
    "web_search_options": _refuse_web_search,
    "grammar": _when_set("grammar", _CONSTRAINED),
    "json_schema": _when_set("json_schema", _CONSTRAINED),
    "guided_json": _when_set("guided_json", _CONSTRAINED),
    "guided_regex": _when_set("guided_regex", _CONSTRAINED),
    "guided_choice": _when_set("guided_choice", _CONSTRAINED),
    "guided_grammar": _when_set("guided_grammar", _CONSTRAINED),
    "structured_outputs": _when_set("structured_outputs", _CONSTRAINED),
}

_HONOURED = frozenset(
    {
        "model", "messages", "stream", "stream_options", "temperature", "top_p", "top_k", "min_p",
        "frequency_penalty", "presence_penalty", "repeat_penalty", "repetition_penalty", "max_tokens",
        "max_completion_tokens", "stop",
    }
)  # fmt: skip


def _is_neutral(given: Mapping[str, Any], key: str) -> bool:
    """Was the field checked above and found to ask for nothing? Tools that may not be called were set aside."""
    return key in _REFUSALS and not (key in ("tools", "functions") and given[key])
