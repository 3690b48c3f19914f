"""How much the model may think, in the four ways that clients say it, and further variables for its template. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from adapter.chat import Reasoning
from adapter.dialects.openai_values import integer, json_text, one_of, wrong_type
from adapter.errors import BadRequest

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
MAX_TEMPLATE_CHARS = 16 * 1024
# Each with who says it so: ours, llama-server's. OpenRouter's is an object, below.
_BUDGETS = ("max_reasoning_tokens", "thinking_budget_tokens")
THINKING_FIELDS = ("reasoning_effort", "reasoning", *_BUDGETS)
_OPENROUTER = ("effort", "max_tokens", "enabled")
_FIELDS = frozenset(THINKING_FIELDS)
_UNSAID = Reasoning()


def parse_reasoning(given: Mapping[str, Any]) -> Reasoning:
    """Raises `BadRequest` for an effort or a budget that is given twice."""
    if _FIELDS.isdisjoint(given):  # nearly always
        return _UNSAID
    nested = _openrouter(given)
    flat = {name: given[name] for name in THINKING_FIELDS if name in given and name != "reasoning"} | nested
    effort = one_of(flat, ("reasoning_effort", "reasoning.effort"))
    budget = one_of(flat, (*_BUDGETS, "reasoning.max_tokens"))
    return Reasoning(
        effort=_effort(flat, effort) if effort else None,
        max_tokens=_budget(flat, budget) if budget else None,
    )


def unheeded_reasoning(given: Mapping[str, Any]) -> Iterator[str]:
    """Keys of OpenRouter's object that have no effect here, such as `exclude`."""
    value = given.get("reasoning")
    if isinstance(value, dict):
        yield from (f"reasoning.{key}" for key in value if key not in _OPENROUTER and value[key])


def _openrouter(given: Mapping[str, Any]) -> dict[str, Any]:
    value = given.get("reasoning", {})
    if not isinstance(value, dict):
        raise wrong_type("reasoning", "an object with 'effort' or 'max_tokens'", value)
    enabled = value.get("enabled")
    if enabled is not None and not isinstance(enabled, bool):
        raise wrong_type("reasoning.enabled", "true or false", enabled)
    asked = {f"reasoning.{key}": value[key] for key in ("effort", "max_tokens") if value.get(key) is not None}
    return {"reasoning.effort": "none"} if enabled is False else asked


def _effort(given: Mapping[str, Any], name: str) -> str:
    value = given[name]
    if not isinstance(value, str):
        raise wrong_type(name, "a string", value)
    if value not in EFFORTS:
        raise BadRequest(f"'{name}' must be one of {', '.join(EFFORTS)}.", param=name)
    return value


def _budget(given: Mapping[str, Any], name: str) -> int | None:
    """-1 is llama-server's "no limit"."""
    return None if given[name] == -1 else integer(given, name, 0, 2**31 - 1)


def parse_template_options(given: Mapping[str, Any]) -> str:
    """`chat_template_kwargs` -> JSON text of an object."""
    if "chat_template_kwargs" not in given:
        return "{}"
    value = given["chat_template_kwargs"]
    if not isinstance(value, dict):
        raise wrong_type("chat_template_kwargs", "an object", value)
    text = json_text(value, "chat_template_kwargs")
    if len(text) > MAX_TEMPLATE_CHARS:
        raise BadRequest(
            f"'chat_template_kwargs' has {len(text)} characters; at most {MAX_TEMPLATE_CHARS} are possible.",
            param="chat_template_kwargs",
        )
    return text
