"""Junk in every field of Gemini's bodies: a 400 that names a field, or a request, and never anything else."""

from __future__ import annotations

import random
from collections.abc import Mapping
from functools import partial
from typing import Any

import pytest

from adapter.dialects.gemini_errors import render_gemini_error
from adapter.dialects.gemini_parse import parse_count, parse_embed, parse_generate
from adapter.dialects.openai_render import dump
from adapter.errors import BadRequest

ROUNDS = 4_000
CONFIG = (
    "temperature", "topP", "topK", "maxOutputTokens", "stopSequences", "seed", "candidateCount", "responseMimeType", "responseSchema",
    "response_json_schema", "responseLogprobs", "logprobs", "thinkingConfig", "responseModalities",
)  # fmt: skip
WORDS = (
    "text", "parts", "role", "user", "model", "function", "inlineData", "mimeType", "data", "image/png", "fileData", "fileUri", "functionCall",
    "functionResponse", "name", "args", "response", "id", "thought", "functionDeclarations", "parameters", "type", "OBJECT", "STRING", "enum",
    "functionCallingConfig", "mode", "ANY", "allowedFunctionNames", "application/json", "text/x.enum", "thinkingBudget", "includeThoughts",
    "content", "requests", "\ud83d", "", "_", "a_b", "x" * 300, *CONFIG,
)  # fmt: skip
NUMBERS = (0, 1, -1, 2, 2**31, 2**70, 10**400, 0.5, 1e308, float("inf"), -1.0)
CHAT = ("contents", "systemInstruction", "system_instruction", "tools", "toolConfig", "generationConfig", "safetySettings", "what")
BODIES = [
    (partial(parse_generate, model="m", stream=True), {"contents": [{"parts": [{"text": "x"}]}]}, CHAT),
    (partial(parse_count, model="m"), {"contents": [{"parts": [{"text": "x"}]}]}, (*CHAT, "generateContentRequest")),
    (partial(parse_embed, model="m", batch=False), {"content": "x"}, ("content", "outputDimensionality", "title")),
    (partial(parse_embed, model="m", batch=True), {"requests": [{"content": "x"}]}, ("requests", "what")),
]


def junk(chance: random.Random, depth: int = 0) -> Any:
    match chance.randrange(8 if depth < 6 else 5):
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


@pytest.mark.parametrize(("parse", "body", "fields"), BODIES, ids=["generate", "count", "embed", "batch"])
def test_junk_is_refused_with_a_sentence(parse: Any, body: Mapping[str, Any], fields: tuple[str, ...]) -> None:
    """Short, fit to be sent, and about a field that was sent or is missing."""
    chance = random.Random(17)
    refused = 0
    for _ in range(ROUNDS):
        spoilt: dict[str, Any] = {**body}
        for _ in range(chance.randrange(1, 4)):
            spoilt[chance.choice(fields)] = junk(chance)
        if chance.random() < 0.5 and "contents" in body:
            spoilt["generationConfig"] = {chance.choice(CONFIG): junk(chance) for _ in range(3)}
        try:
            parse(spoilt)
        except BadRequest as exc:
            refused += 1
            dump(render_gemini_error(exc)).decode()
            assert exc.param and f"'{exc.param}" in exc.message, exc.message
            assert len(exc.message) < 1_200
    assert 0 < refused <= ROUNDS
