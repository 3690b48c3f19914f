"""Fields that would change the answer and cannot be honoured yet: refused by name, unless they ask for nothing. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from adapter.dialects.openai_values import boolean, integer, wrong_type
from adapter.errors import BadRequest

_Refusal = Callable[[Mapping[str, Any]], None]


def _refuse(name: str, why: str, remedy: str) -> BadRequest:
    return BadRequest(f"'{name}' is not supported: {why}. {remedy}", param=name)


def _refuse_n(given: Mapping[str, Any]) -> None:
    if integer(given, "n", 1, 128) != 1:
        raise _refuse("n", "one answer at a time is built so far", "Leave it out or send n = 1.")


def _callable(name: str, choice: str) -> _Refusal:
    """Refuse a list of callables, unless `choice` is "none": who never sees them cannot call them."""

    def refuse(given: Mapping[str, Any]) -> None:
        if not isinstance(given[name], list):
            raise wrong_type(name, "an array", given[name])
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
        raise wrong_type("response_format", "an object with a string in 'type'", value)
    if kind != "text":
        raise _refuse(
            "response_format",
            f"answers cannot be held to '{kind[:40]}' yet",
            "Leave it out, or ask for JSON in the prompt and check the answer.",
        )


def _refuse_logprobs(given: Mapping[str, Any]) -> None:
    if boolean(given, "logprobs", default=False):
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
REFUSALS: dict[str, _Refusal] = {
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
