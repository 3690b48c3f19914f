"""How much a model may reason: OpenAI's words -> tokens, and -> variables of chat templates. Pure."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from adapter.calls.family import Family
from adapter.calls.reasoning import opens
from adapter.chat import Reasoning

# Chosen so that a phone at some 10 tokens a second answers within seconds, a minute, and a few minutes.
_TOKENS = {"none": 0, "minimal": 128, "low": 512, "medium": 2048}
_WORDS = {"none": "low", "minimal": "low", "xhigh": "high", "max": "high"}  # what gpt-oss knows is low, medium and high
_SWITCHES = ("enable_thinking", "thinking")


def reasoning_tokens(family: Family, wanted: Reasoning) -> int | None:
    """The budget in tokens, `None` for no limit.

    `max_tokens` as it is. Effort none: 0; minimal: 128; low: 512; medium: 2048; high, xhigh, max: no limit. Where the template
    takes the word itself (gpt-oss), the model knows what it means, and only "none" has a budget.
    """
    if wanted.max_tokens is not None:
        return wanted.max_tokens
    if wanted.effort is None or (family.effort and wanted.effort != "none"):
        return None
    return _TOKENS.get(wanted.effort)


def reasoning_variables(wanted: Reasoning, used: Collection[str]) -> dict[str, Any]:
    """Values for those variables of a template that switch or measure reasoning; none where nothing was asked for.

    used: the names that the template uses.
    """
    found: dict[str, Any] = {}
    if wanted.effort is None and wanted.max_tokens is None:
        return found
    thinks = wanted.effort != "none" and wanted.max_tokens != 0
    found.update({name: thinks for name in _SWITCHES if name in used})
    if "reasoning_effort" in used and wanted.effort is not None:
        found["reasoning_effort"] = _WORDS.get(wanted.effort, wanted.effort)
    if "thinking_budget" in used and wanted.max_tokens is not None:
        found["thinking_budget"] = wanted.max_tokens
    return found


def closed(family: Family, wanted: Reasoning, prompt: str, *, reasons: bool) -> str:
    """The prompt with an empty block of reasoning at its end, if none at all is wanted and the template did not see to it.

    reasons: the template shows that the model reasons.
    """
    tags = family.tags
    if tags is None or reasoning_tokens(family, wanted) != 0 or tags.after:
        return prompt
    if opens(tags, prompt):
        return f"{prompt.rstrip()}\n{tags.closes or tags.close}"
    if reasons and not prompt.rstrip().endswith(tags.close):
        return f"{prompt}{tags.open}\n{tags.closes or tags.close}"
    return prompt
