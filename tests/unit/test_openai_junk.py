"""Junk in every field of every body: a 400 that names a field, or an answer, and never anything else."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from adapter.dialects.openai_completions import parse_completions
from adapter.dialects.openai_embeddings import parse_embeddings
from adapter.dialects.openai_output import OUTPUT_FIELDS
from adapter.dialects.openai_parse import parse_chat
from adapter.dialects.openai_pressure import parse_pressure
from adapter.dialects.openai_render import dump, render_error
from adapter.dialects.openai_sampling import SAMPLING_FIELDS
from adapter.dialects.openai_thinking import THINKING_FIELDS
from adapter.dialects.openai_tokens import parse_detokenize, parse_tokenize
from adapter.errors import BadRequest

ROUNDS = 4_000
COMMON = ("model", "stream", "stream_options", "n", "logprobs", *SAMPLING_FIELDS, *OUTPUT_FIELDS)
CHAT = (
    "messages", "tools", "tool_choice", "functions", "function_call", "parallel_tool_calls", "top_logprobs",
    "chat_template_kwargs", "modalities", "audio", *THINKING_FIELDS,
)  # fmt: skip
# Parser, a body that it takes, the fields to spoil.
BODIES: list[tuple[Callable[[Mapping[str, Any]], object], dict[str, Any], tuple[str, ...]]] = [
    (parse_chat, {"messages": [{"role": "user", "content": "x"}]}, COMMON + CHAT),
    (parse_completions, {"prompt": "x"}, (*COMMON, "prompt", "suffix", "echo", "best_of")),
    (parse_embeddings, {"input": "x"}, ("input", "model", "dimensions", "encoding_format")),
    (parse_tokenize, {"content": "x"}, ("content", "prompt", "messages", "add_special", "with_pieces", "model")),
    (parse_detokenize, {"tokens": [1]}, ("tokens", "model")),
    (parse_pressure, {"level": "slow"}, ("level",)),
]
WORDS = (
    "function", "type", "name", "json", "schema", "regex", "choice", "grammar", "parameters", "strict", "json_schema",
    "json_object", "effort", "max_tokens", "auto", "none", "required", "text", "role", "user", "content", "tool_calls",
    "arguments", "id", "enabled", "object", "1", "-1", "7", "\ud83d", "", "x" * 300,
)  # fmt: skip
NUMBERS = (0, 1, -1, 2, 128, 2**31, 2**70, 10**400, 0.5, 1e308, float("inf"), -1.0)


def junk(chance: random.Random, depth: int = 0) -> Any:
    match chance.randrange(8 if depth < 5 else 5):
        case 0:
            return chance.choice((None, True, False))
        case 1:
            return chance.choice(NUMBERS)
        case 2 | 3 | 4:
            return chance.choice(WORDS)
        case 5:
            return [junk(chance, depth + 1) for _ in range(chance.randrange(4))]
        case _:
            return {chance.choice(WORDS): junk(chance, depth + 1) for _ in range(chance.randrange(5))}


@pytest.mark.parametrize(("parse", "body", "fields"), BODIES, ids=lambda value: getattr(value, "__name__", ""))
def test_junk_is_refused_with_a_sentence(
    parse: Callable[[Mapping[str, Any]], object], body: dict[str, Any], fields: tuple[str, ...]
) -> None:
    """Short, fit to be sent, and about a field that was sent or is missing."""
    chance = random.Random(17)
    refused = 0
    for _ in range(ROUNDS):
        spoilt = body | {chance.choice(fields): junk(chance) for _ in range(chance.randrange(1, 4))}
        try:
            parse(spoilt)
        except BadRequest as exc:
            refused += 1
            dump(render_error(exc)).decode()
            assert exc.param and f"'{exc.param}'" in exc.message
            assert len(exc.message) < 400
    assert 0 < refused <= ROUNDS
