"""The body of `POST /v1/completions` -> our words. Pure.

The older endpoint: text to go on with, no roles, no template. Several prompts may come in one request; each becomes a
`Completion` of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from adapter.chat import Completion
from adapter.dialects.openai_output import OUTPUT_FIELDS, parse_output
from adapter.dialects.openai_parse import answer_needs, parse_n
from adapter.dialects.openai_refusals import COMPLETION_REFUSALS, refuse_unbuilt
from adapter.dialects.openai_request import (
    MAX_ANSWERS,
    Asked,
    bounded_names,
    given_fields,
    parse_model,
    parse_stream,
)
from adapter.dialects.openai_sampling import SAMPLING_FIELDS, parse_sampling
from adapter.dialects.openai_values import boolean, integer, token_id, whole_text, wrong_type
from adapter.engines.base import Can
from adapter.errors import BadRequest

MAX_TOP_LOGPROBS = 5
_WANTED = "a string, an array of strings, or token ids"


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """completions: one for each prompt, alike in everything else; answer `c` of prompt `p` is choice `p * n + c`."""

    completions: tuple[Completion, ...]
    asked: Asked


def parse_completions(body: Mapping[str, Any]) -> CompletionRequest:
    """Raises `BadRequest` naming the field."""
    given = given_fields(body)
    refuse_unbuilt(given, COMPLETION_REFUSALS)
    stream, include_usage = parse_stream(given)
    first = Completion(
        model=parse_model(given),
        suffix=_suffix(given),
        echo=boolean(given, "echo", default=False),
        sampling=parse_sampling(given),
        output=parse_output(given),
        n=_n(given),
        logprobs=_logprobs(given),
    )
    if first.echo and first.logprobs is not None:
        raise BadRequest("'logprobs' cannot be had together with 'echo'; leave one of them out.", param="logprobs")
    asked = Asked(
        model=first.model,
        needs={Can.COMPLETIONS: "model", **answer_needs(first)},
        stream=stream,
        include_usage=include_usage,
        ignored=bounded_names(key for key in given if key not in _HONOURED),
    )
    return CompletionRequest(tuple(_with_prompts(first, given)), asked)


def _with_prompts(completion: Completion, given: Mapping[str, Any]) -> list[Completion]:
    prompts = _prompts(given)
    if len(prompts) * completion.n > MAX_ANSWERS:
        raise BadRequest(
            f"'prompt' has {len(prompts)} entries, which with n = {completion.n} makes {len(prompts) * completion.n} "
            f"answers; at most {MAX_ANSWERS} are possible.",
            param="prompt",
        )
    return [
        replace(completion, text=prompt) if isinstance(prompt, str) else replace(completion, tokens=prompt)
        for prompt in prompts
    ]


def _prompts(given: Mapping[str, Any]) -> list[str | tuple[int, ...]]:
    value = given.get("prompt")
    match value:
        case None:
            raise BadRequest(f"'prompt' is missing; send {_WANTED}.", param="prompt")
        case str():
            return [whole_text(value)]
        case []:
            raise BadRequest(f"'prompt' is empty; send {_WANTED}.", param="prompt")
        case [int(), *_]:
            return [_ids(value, "prompt")]
        case [*entries]:
            return [_prompt(entry, f"prompt[{index}]") for index, entry in enumerate(entries[: MAX_ANSWERS + 1])]
        case _:
            raise wrong_type("prompt", _WANTED, value)


def _prompt(entry: object, where: str) -> str | tuple[int, ...]:
    if isinstance(entry, str):
        return whole_text(entry)
    if not isinstance(entry, list):
        raise wrong_type(where, "a string or an array of token ids", entry)
    return _ids(entry, where)


def _ids(entries: list[Any], where: str) -> tuple[int, ...]:
    if not entries:
        raise BadRequest(f"'{where}' is empty; send at least one token id.", param=where)
    return tuple(token_id(entry, f"{where}[{index}]") for index, entry in enumerate(entries))


def _suffix(given: Mapping[str, Any]) -> str | None:
    """An empty one asks for nothing: there is no gap."""
    value = given.get("suffix", "")
    if not isinstance(value, str):
        raise wrong_type("suffix", "a string", value)
    return whole_text(value) or None


def _n(given: Mapping[str, Any]) -> int:
    n = parse_n(given)
    best_of = integer(given, "best_of", 1, MAX_ANSWERS)
    if best_of not in (None, n):
        raise BadRequest("'best_of' is not supported: every answer is returned. Send only 'n'.", param="best_of")
    return n


def _logprobs(given: Mapping[str, Any]) -> int | None:
    """Here a number, not a switch; `false` for none was seen in ports of chat code."""
    if given.get("logprobs") is False:
        return None
    return integer(given, "logprobs", 0, MAX_TOP_LOGPROBS)


_HONOURED = frozenset(
    {
        "model", "prompt", "suffix", "echo", "n", "best_of", "logprobs", "stream", "stream_options",
        *SAMPLING_FIELDS, *OUTPUT_FIELDS, *COMPLETION_REFUSALS,
    }
)  # fmt: skip
