"""Junk in every field of a body of `/v1/responses`: a 400 that names a field, or a request whose answer can be written."""

from __future__ import annotations

import json
import random
import re
from typing import Any

from adapter.dialects.openai_render import dump, render_error
from adapter.dialects.responses_past import Past, referred
from adapter.dialects.responses_request import parse_responses
from adapter.errors import BadRequest

ROUNDS = 12_000
FIELDS = (
    "model", "input", "instructions", "tools", "tool_choice", "parallel_tool_calls", "text", "reasoning", "include", "top_logprobs", "metadata",
    "user", "truncation", "store", "stream", "stream_options", "previous_response_id", "background", "conversation", "prompt", "max_output_tokens",
    "temperature", "top_p", "stop", "seed", "guided_json", "chat_template_kwargs", "messages", "response_format", "n",
)  # fmt: skip
WORDS = (
    "type", "role", "content", "text", "message", "user", "assistant", "input_text", "output_text", "input_image", "image_url", "call_id", "name",
    "arguments", "output", "function_call", "function_call_output", "reasoning", "item_reference", "id", "function", "parameters", "strict", "format",
    "json_schema", "json_object", "schema", "auto", "required", "allowed_tools", "mode", "tools", "effort", "summary", "low", "verbosity",
    "data:image/png;base64,AA", "resp_" + "0" * 48, "\ud83d", "", "x" * 300,
)  # fmt: skip
NUMBERS = (0, 1, -1, 2, 2**31, 2**70, 0.5, 1e308, float("inf"))
ITEMS: tuple[Any, ...] = (
    {"role": "user", "content": "hi"},
    {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "c", "output": "x"},
    {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "x"}]},
    {"type": "function", "name": "f", "parameters": {"type": "object"}},
    {"type": "json_schema", "name": "n", "schema": {"type": "object"}},
    {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]},
)
PAST = Past(({"type": "message", "id": "msg_1", "role": "user", "content": "before"},))


def junk(chance: random.Random, depth: int = 0) -> Any:
    match chance.randrange(10 if depth < 5 else 5):
        case 0:
            return chance.choice((None, True, False))
        case 1:
            return chance.choice(NUMBERS)
        case 2 | 3 | 4:
            return chance.choice(WORDS)
        case 5 | 6:
            return [junk(chance, depth + 1) for _ in range(chance.randrange(4))]
        case 7:
            return {chance.choice(WORDS): junk(chance, depth + 1) for _ in range(chance.randrange(5))}
        case _:
            return {**chance.choice(ITEMS), **({chance.choice(WORDS): junk(chance, depth + 1)} if chance.randrange(2) else {})}


def test_junk_is_refused_with_a_sentence() -> None:
    chance = random.Random(23)
    refused = taken = 0
    for _ in range(ROUNDS):
        body = {"input": "x", "tools": [ITEMS[4]]} | {chance.choice(FIELDS): junk(chance) for _ in range(chance.randrange(1, 4))}
        try:
            referred(body)
            parsed = parse_responses(body, PAST)
        except BadRequest as exc:
            refused += 1
            dump(render_error(exc)).decode()
            assert exc.param in (None, "previous_response_id") or f"'{re.split(r'[.[]', exc.param)[0]}" in exc.message, exc.message
            assert exc.param
            assert len(exc.message) < 500
        else:
            taken += 1
            json.dumps(parsed.echo, allow_nan=False)
            assert parsed.chat.messages
    assert refused > 500 and taken > 500
