"""Fields that would change the answer and cannot be honoured yet: refused by name, unless they ask for nothing. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from adapter.errors import BadRequest

_Refusal = Callable[[Mapping[str, Any]], None]


def _refuse(name: str, why: str, remedy: str) -> BadRequest:
    return BadRequest(f"'{name}' is not supported: {why}. {remedy}", param=name)


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


REFUSALS: dict[str, _Refusal] = {
    "modalities": _refuse_modalities,
    "audio": _when_set("audio", "answers are text only"),
    "web_search_options": _refuse_web_search,
}
_NO_CALLS = "a completion has no tools; send a chat instead"
COMPLETION_REFUSALS: dict[str, _Refusal] = {
    "tools": _when_set("tools", _NO_CALLS),
    "functions": _when_set("functions", _NO_CALLS),
    "prompt_embeds": _when_set("prompt_embeds", "prompts are text or token ids"),
    "use_beam_search": _when_set("use_beam_search", "answers are sampled"),
}


def refuse_unbuilt(given: Mapping[str, Any], refusals: Mapping[str, _Refusal]) -> None:
    """Raises `BadRequest` for the first field of `refusals` that asks for something."""
    for name, refuse in refusals.items():
        if name in given:
            refuse(given)
