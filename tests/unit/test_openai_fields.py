"""The numbers, the stop strings, and the fields that are refused by name unless they ask for nothing."""

from __future__ import annotations

from typing import Any

import pytest

from adapter.chat import Sampling
from adapter.dialects.openai_parse import ChatRequest, parse_chat
from adapter.errors import BadRequest

TOOL = {"type": "function", "function": {"name": "f", "parameters": {}}}


def parsed(**fields: Any) -> ChatRequest:
    return parse_chat({"messages": [{"role": "user", "content": "hi"}], **fields})


def refused(**fields: Any) -> BadRequest:
    with pytest.raises(BadRequest) as caught:
        parsed(**fields)
    return caught.value


# --- numbers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "sampling"),
    [
        ({}, Sampling()),
        ({"temperature": 0}, Sampling(temperature=0.0)),
        ({"temperature": 2}, Sampling(temperature=2.0)),
        ({"top_p": 1.0, "min_p": 0}, Sampling(top_p=1.0, min_p=0.0)),
        ({"top_k": 0}, Sampling(top_k=0)),
        ({"top_k": 40.0}, Sampling(top_k=40)),
        ({"top_k": -1}, Sampling(top_k=0)),
        ({"frequency_penalty": -2, "presence_penalty": 2}, Sampling(None, None, None, None, -2.0, 2.0)),
        ({"repeat_penalty": 1.1}, Sampling(repeat_penalty=1.1)),
        ({"repetition_penalty": 1.2}, Sampling(repeat_penalty=1.2)),
        ({"repeat_penalty": 1.1, "repetition_penalty": 1.2}, Sampling(repeat_penalty=1.1)),
        ({"seed": 0}, Sampling(seed=0)),
        ({"seed": -(2**63)}, Sampling(seed=-(2**63))),
        ({"seed": 2**64 - 1}, Sampling(seed=2**64 - 1)),
        ({"max_tokens": 1}, Sampling(max_tokens=1)),
        ({"max_tokens": 7.0}, Sampling(max_tokens=7)),
        ({"max_tokens": -1}, Sampling()),
        ({"max_completion_tokens": 5}, Sampling(max_tokens=5)),
        ({"max_tokens": 9, "max_completion_tokens": 5}, Sampling(max_tokens=5)),
        ({"max_tokens": 9, "max_completion_tokens": None}, Sampling(max_tokens=9)),
        ({"max_tokens": 9, "max_completion_tokens": -1}, Sampling()),
    ],
)
def test_numbers_in_range(fields: dict[str, Any], sampling: Sampling) -> None:
    assert parsed(**fields).chat.sampling == sampling


WRONG: dict[str, tuple[object, ...]] = {
    # 1e999 in JSON becomes infinity.
    "temperature": (-0.1, 2.5, "0.5", True, [], float("inf"), 10**4_000),
    "top_p": (-0.1, 1.1, "0.5", True),
    "min_p": (-0.1, 1.1, {}),
    "frequency_penalty": (-2.1, 3, {}, False),
    "presence_penalty": (-2.1, 3, "0"),
    "repeat_penalty": (0, -1, 11, "1"),
    "repetition_penalty": (0, 11, True),
    "top_k": (-2, 1_000_001, 1.5, "40", True),
    "seed": (2**64, -(2**63) - 1, 1.5, "7", True, 10**4_000),
    "max_tokens": (0, -2, 2**31, 1.5, "9", True, [], 1e300, float("inf")),
    "max_completion_tokens": (0, -2, 1.5, "9", False),
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name in WRONG for value in WRONG[name]])
def test_a_wrong_number_is_named(name: str, value: object) -> None:
    """A boolean is no number, a number in a string is none either; the message stays short."""
    error = refused(**{name: value})
    assert error.param == name
    assert name in error.message
    assert len(error.message) < 200


def test_a_fraction_is_shown() -> None:
    """Not "must be a whole number, not a number"."""
    assert refused(max_tokens=1.5).message == "'max_tokens' must be a whole number, not 1.5."


# --- stop -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stop", "stops"),
    [
        (None, ()),
        ("", ()),
        ([], ()),
        ([""], ()),
        ("END", ("END",)),
        (["a", "b"], ("a", "b")),
        (["a", "a", ""], ("a",)),
        ("\n", ("\n",)),
        (["x"] * 16, ("x",)),
        ("x" * 256, ("x" * 256,)),
    ],
)
def test_stop_forms(stop: object, stops: tuple[str, ...]) -> None:
    assert parsed(stop=stop).chat.sampling.stop == stops


@pytest.mark.parametrize(
    ("stop", "param"),
    [
        (5, "stop"),
        ({"a": 1}, "stop"),
        (True, "stop"),
        ([f"{n}" for n in range(17)], "stop"),
        (["a", None], "stop[1]"),
        ([["a"]], "stop[0]"),
        ("x" * 257, "stop[0]"),
    ],
)
def test_a_wrong_stop_is_named(stop: object, param: str) -> None:
    assert refused(stop=stop).param == param


# --- refusals -------------------------------------------------------------------------------------------------

SCHEMA = {"type": "json_schema", "json_schema": {"name": "a", "schema": {}}}

REFUSED: list[tuple[str, object]] = [
    ("n", 2),
    ("n", 0),
    ("n", 129),
    ("n", "1"),
    ("n", True),
    ("tools", [TOOL]),
    ("tools", {"f": TOOL}),
    ("tools", "f"),
    ("tool_choice", "required"),
    ("tool_choice", {"type": "function", "function": {"name": "f"}}),
    ("tool_choice", []),
    ("functions", [{"name": "f"}]),
    ("functions", "f"),
    ("function_call", {"name": "f"}),
    ("response_format", {"type": "json_object"}),
    ("response_format", SCHEMA),
    ("response_format", {"type": "grammar\ud83d"}),
    ("response_format", {}),
    ("response_format", "json_object"),
    ("response_format", {"type": None}),
    ("logprobs", True),
    ("logprobs", 5),
    ("top_logprobs", 3),
    ("logit_bias", {"50256": -100}),
    ("modalities", ["text", "audio"]),
    ("modalities", "text"),
    ("audio", {"voice": "x"}),
    ("web_search_options", {}),
    ("web_search_options", {"search_context_size": "low"}),
    ("grammar", "root ::= x"),
    ("json_schema", {"type": "object"}),
    ("guided_json", {"type": "object"}),
    ("guided_regex", "[a-z]"),
    ("guided_choice", ["a"]),
    ("guided_grammar", "x"),
    ("structured_outputs", {"regex": "x"}),
]


@pytest.mark.parametrize(("name", "value"), REFUSED)
def test_what_would_change_the_meaning_is_refused_by_name(name: str, value: object) -> None:
    error = refused(**{name: value})
    assert error.param == name
    assert f"'{name}'" in error.message


NEUTRAL: list[dict[str, Any]] = [
    {"n": 1},
    {"n": 1.0},
    {"tools": []},
    {"tools": [], "tool_choice": "auto"},
    {"tool_choice": "none"},
    {"tool_choice": "auto"},
    {"functions": []},
    {"functions": [], "function_call": "auto"},
    {"function_call": "none"},
    {"response_format": {"type": "text"}},
    {"logprobs": False},
    {"top_logprobs": 0},
    {"logit_bias": {}},
    {"modalities": ["text"]},
    {"audio": {}},
    {"grammar": ""},
    {"json_schema": {}},
    {"guided_json": ""},
    {"guided_regex": ""},
    {"guided_choice": []},
    {"guided_grammar": ""},
    {"structured_outputs": {}},
]


@pytest.mark.parametrize("fields", NEUTRAL)
def test_what_asks_for_nothing_passes_without_a_word(fields: dict[str, Any]) -> None:
    assert parsed(**fields) == parsed()


@pytest.mark.parametrize(("name", "choice"), [("tools", "tool_choice"), ("functions", "function_call")])
def test_tools_that_may_not_be_called_are_set_aside(name: str, choice: str) -> None:
    """Nobody can call what the model never sees; the answer says that they had no effect."""
    assert parsed(**{name: [TOOL], choice: "none"}).ignored == (name,)
    assert refused(**{name: [TOOL], choice: "auto"}).param == name
    assert refused(**{name: [TOOL], choice: "required"}).param == name


def test_every_refusal_has_a_neutral_value() -> None:
    """So that the two tables above are complete: a new refusal belongs into both."""
    from adapter.dialects.openai_refusals import REFUSALS

    assert {name for name, _ in REFUSED} == set(REFUSALS)
    assert {name for fields in NEUTRAL for name in fields} == set(REFUSALS) - {"web_search_options"}
