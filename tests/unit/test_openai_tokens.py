"""`/tokenize` and `/detokenize` in the shapes of llama-server and of vLLM."""

from __future__ import annotations

from typing import Any

import pytest

from adapter.chat import Message, Role, Tokens
from adapter.dialects.openai_tokens import parse_detokenize, parse_tokenize, render_tokens
from adapter.engines.base import Can
from adapter.errors import BadRequest

HI = [{"role": "user", "content": "hi"}]


@pytest.mark.parametrize(
    ("body", "text", "specials", "parse_specials"),
    [
        ({"content": "a"}, "a", False, True),
        ({"content": ""}, "", False, True),
        ({"content": "a", "add_special": True, "parse_special": False}, "a", True, False),
        ({"prompt": "a"}, "a", True, True),
        ({"prompt": "a", "add_special_tokens": False}, "a", False, True),
        ({"messages": HI}, (Message(Role.USER, "hi"),), False, True),
        ({"content": None, "prompt": "\ud83d"}, "\ufffd", True, True),
    ],
)
def test_text_in_both_shapes(body: dict[str, Any], text: object, specials: bool, parse_specials: bool) -> None:
    """vLLM adds BOS to a prompt by default, llama-server to nothing."""
    asked = parse_tokenize(body)
    assert (asked.text, asked.specials, asked.parse_specials) == (text, specials, parse_specials)
    assert asked.asked.needs == {Can.TOKENIZE: "model"}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "content"),
        ({"content": 5}, "content"),
        ({"prompt": ["a"]}, "prompt"),
        ({"messages": []}, "messages"),
        ({"content": "a", "prompt": "b"}, "prompt"),
        ({"content": "a", "add_special": "yes"}, "add_special"),
        ({"content": "a", "add_special": True, "add_special_tokens": True}, "add_special_tokens"),
        ({"content": "a", "with_pieces": 1}, "with_pieces"),
        ({"content": "a", "parse_special": 1}, "parse_special"),
        ({"content": "a", "return_token_strs": 1}, "return_token_strs"),
    ],
)
def test_what_is_wrong_is_named(body: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse_tokenize(body)
    assert caught.value.param == param


TOKENS = Tokens((7, 9, 11), (b"a", b"\xc3\xa9", b"\xf0\x9f"))


@pytest.mark.parametrize(
    ("fields", "differs"),
    [
        ({}, {}),
        (
            {"with_pieces": True},
            {"tokens": [{"id": 7, "piece": "a"}, {"id": 9, "piece": "é"}, {"id": 11, "piece": [240, 159]}]},
        ),
        ({"return_token_strs": True}, {"token_strs": ["a", "é", "\ufffd"]}),
    ],
)
def test_the_answer_has_the_keys_of_both(fields: dict[str, Any], differs: dict[str, Any]) -> None:
    asked = parse_tokenize({"content": "x", **fields})
    plain = {"tokens": [7, 9, 11], "count": 3, "max_model_len": 512, "model": "m"}
    assert render_tokens(asked, TOKENS, model="m", context_tokens=512) == plain | differs


def test_detokenize() -> None:
    asked, ids = parse_detokenize({"tokens": [1, 0], "model": "x"})
    assert (asked.model, ids) == ("x", (1, 0))


@pytest.mark.parametrize(
    ("body", "param"),
    [({}, "tokens"), ({"tokens": "1"}, "tokens"), ({"tokens": [1, -1]}, "tokens[1]"), ({"tokens": [True]}, "tokens[0]")],
)
def test_wrong_ids_are_named(body: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse_detokenize(body)
    assert caught.value.param == param
