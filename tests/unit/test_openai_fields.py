"""The numbers, the stop strings, what is refused by name, and what only some models can do."""

from __future__ import annotations

from typing import Any

import pytest

from adapter.chat import Reasoning, Sampling, TokenBias
from adapter.dialects.openai_parse import ChatRequest, parse_chat
from adapter.dialects.openai_refusals import REFUSALS
from adapter.engines.base import PLAIN_CHAT, Can
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

REFUSED: list[tuple[str, object]] = [
    ("modalities", ["text", "audio"]),
    ("modalities", "text"),
    ("audio", {"voice": "x"}),
    ("web_search_options", {}),
    ("web_search_options", {"search_context_size": "low"}),
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
    {"parallel_tool_calls": True},
    {"functions": []},
    {"functions": [], "function_call": "auto"},
    {"function_call": "none"},
    {"response_format": {"type": "text"}},
    {"logprobs": False},
    {"logprobs": False, "top_logprobs": 0},
    {"top_logprobs": 0},
    {"logit_bias": {}},
    {"logit_bias": {"7": 0}},
    {"reasoning": {}},
    {"max_reasoning_tokens": None},
    {"chat_template_kwargs": {}},
    {"modalities": ["text"]},
    {"audio": {}},
    {"grammar": ""},
    {"regex": ""},
    {"json_schema": {}},
    {"guided_json": ""},
    {"guided_regex": ""},
    {"guided_choice": []},
    {"guided_grammar": ""},
    {"structured_outputs": {}},
    {"structured_outputs": {"json": None, "disable_fallback": False}},
]


@pytest.mark.parametrize("fields", NEUTRAL)
def test_what_asks_for_nothing_passes_without_a_word(fields: dict[str, Any]) -> None:
    assert parsed(**fields) == parsed()


def test_every_refusal_has_a_neutral_value() -> None:
    """So that the two tables above are complete: a new refusal belongs into both."""
    assert {name for name, _ in REFUSED} == set(REFUSALS)
    assert set(REFUSALS) - {name for fields in NEUTRAL for name in fields} == {"web_search_options"}


# --- what only some models can do -----------------------------------------------------------------------------


def needs(**fields: Any) -> dict[Can, str]:
    return {can: name for can, name in parsed(**fields).asked.needs.items() if can is not Can.CHAT}


@pytest.mark.parametrize(
    ("fields", "needed"),
    [
        ({}, {}),
        ({"tools": [TOOL]}, {Can.TOOLS: "tools"}),
        ({"tools": [TOOL], "tool_choice": "none"}, {}),
        ({"functions": [{"name": "f"}]}, {Can.TOOLS: "functions"}),
        ({"response_format": {"type": "json_object"}}, {Can.OUTPUT: "response_format"}),
        ({"guided_regex": "a"}, {Can.OUTPUT: "guided_regex"}),
        ({"structured_outputs": {"choice": ["a"]}}, {Can.OUTPUT: "structured_outputs.choice"}),
        ({"logprobs": True}, {Can.LOGPROBS: "logprobs"}),
        ({"logit_bias": {"7": 1}}, {Can.LOGIT_BIAS: "logit_bias"}),
        ({"n": 2}, {Can.MANY: "n"}),
        ({"reasoning_effort": "low", "max_reasoning_tokens": 0}, {}),
        (
            {"n": 2, "tools": [TOOL], "logprobs": True},
            {Can.TOOLS: "tools", Can.LOGPROBS: "logprobs", Can.MANY: "n"},
        ),
    ],
)
def test_needs(fields: dict[str, Any], needed: dict[Can, str]) -> None:
    assert needs(**fields) == needed


@pytest.mark.parametrize(
    ("last", "wished"),
    [
        ({"role": "user", "content": "hi"}, set()),
        ({"role": "assistant", "content": "The answer is"}, {Can.CONTINUE}),
        ({"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "f"}}]}, set()),
    ],
)
def test_a_partial_answer_wishes_to_be_continued(last: dict[str, Any], wished: set[Can]) -> None:
    asked = parse_chat({"messages": [{"role": "user", "content": "q"}, last]}).asked
    assert asked.wishes == wished
    assert Can.CONTINUE not in asked.needs


@pytest.mark.parametrize(
    ("fields", "can", "name"),
    [
        ({"reasoning_effort": "low"}, Can.REASONING, "reasoning_effort"),
        ({"max_reasoning_tokens": 0}, Can.REASONING, "max_reasoning_tokens"),
        ({"reasoning": {"max_tokens": 5}}, Can.REASONING, "reasoning"),
        ({"tools": [TOOL], "tool_choice": "none"}, Can.TOOLS, "tools"),
        ({"functions": [{"name": "f"}], "function_call": "none"}, Can.TOOLS, "functions"),
        ({"chat_template_kwargs": {"a": 1}}, Can.TOKENIZE, "chat_template_kwargs"),
    ],
)
def test_hints_count_as_ignored_where_the_model_cannot(fields: dict[str, Any], can: Can, name: str) -> None:
    asked = parsed(user="u", **fields).asked
    assert asked.without_effect(PLAIN_CHAT) == ("user", name)
    assert asked.without_effect(PLAIN_CHAT | {can}) == ("user",)


# --- n, logprobs, biases --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "n", "logprobs"),
    [
        ({}, 1, None),
        ({"n": 128}, 128, None),
        ({"logprobs": True}, 1, 0),
        ({"logprobs": True, "top_logprobs": 20}, 1, 20),
    ],
)
def test_n_and_logprobs(fields: dict[str, Any], n: int, logprobs: int | None) -> None:
    chat = parsed(**fields).chat
    assert (chat.n, chat.logprobs) == (n, logprobs)


def test_biases() -> None:
    chat = parsed(logit_bias={"7": -100, "9": 1.5, "11": 0, "2147483647": 100}).chat
    assert chat.sampling.logit_bias == (TokenBias(7, -100.0), TokenBias(9, 1.5), TokenBias(2**31 - 1, 100.0))


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": 0}, "n"),
        ({"n": 129}, "n"),
        ({"n": "1"}, "n"),
        ({"n": True}, "n"),
        ({"logprobs": 5}, "logprobs"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"top_logprobs": 3, "logprobs": False}, "top_logprobs"),
        ({"top_logprobs": 21, "logprobs": True}, "top_logprobs"),
        ({"top_logprobs": -1, "logprobs": True}, "top_logprobs"),
        ({"top_logprobs": "3", "logprobs": True}, "top_logprobs"),
        ({"logit_bias": [[7, 1]]}, "logit_bias"),
        ({"logit_bias": {"a": 1}}, "logit_bias"),
        ({"logit_bias": {"-1": 1}}, "logit_bias"),
        ({"logit_bias": {"1.5": 1}}, "logit_bias"),
        ({"logit_bias": {"": 1}}, "logit_bias"),
        ({"logit_bias": {"\u0663": 1}}, "logit_bias"),  # a digit, but not one of JSON's
        ({"logit_bias": {"2147483648": 1}}, "logit_bias"),
        ({"logit_bias": {"9" * 5_000: 1}}, "logit_bias"),
        ({"logit_bias": {"\ud83d": 1}}, "logit_bias"),
        ({"logit_bias": {"7": 101}}, "logit_bias"),
        ({"logit_bias": {"7": "1"}}, "logit_bias"),
        ({"logit_bias": {"7": None}}, "logit_bias"),
        ({"logit_bias": {"7": True}}, "logit_bias"),
        ({"logit_bias": {"7": 1, "07": 2}}, "logit_bias"),
        ({"logit_bias": {f"{n}": 1 for n in range(1_025)}}, "logit_bias"),
    ],
)
def test_wrong_n_logprobs_and_biases_are_named(fields: dict[str, Any], param: str) -> None:
    error = refused(**fields)
    assert error.param == param
    assert f"'{param}'" in error.message and len(error.message) < 200


# --- reasoning and the template -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "reasoning"),
    [
        ({}, Reasoning()),
        ({"reasoning_effort": "low"}, Reasoning("low")),
        ({"reasoning": {"effort": "xhigh"}}, Reasoning("xhigh")),
        ({"reasoning_effort": "max"}, Reasoning("max")),
        ({"reasoning": {"effort": None, "max_tokens": 9}}, Reasoning(None, 9)),
        ({"reasoning": {"enabled": False, "effort": "high", "max_tokens": 5}}, Reasoning("none")),
        ({"reasoning": {"enabled": True}}, Reasoning()),
        ({"max_reasoning_tokens": 0}, Reasoning(None, 0)),
        ({"thinking_budget_tokens": 64}, Reasoning(None, 64)),
        ({"thinking_budget_tokens": -1}, Reasoning()),
        ({"reasoning_effort": "none", "max_reasoning_tokens": 5}, Reasoning("none", 5)),
    ],
)
def test_reasoning_in_every_form(fields: dict[str, Any], reasoning: Reasoning) -> None:
    told = parsed(**fields)
    assert told.chat.reasoning == reasoning
    assert told.asked.ignored == ()


def test_what_openrouter_says_besides_is_told_to_have_no_effect() -> None:
    assert parsed(reasoning={"effort": "low", "exclude": True}).asked.ignored == ("reasoning.exclude",)


def test_template_options_pass_as_json() -> None:
    assert parsed(chat_template_kwargs={"enable_thinking": False, "x": "ä"}).chat.template_options == (
        '{"enable_thinking": false, "x": "ä"}'
    )


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"reasoning_effort": "very"}, "reasoning_effort"),
        ({"reasoning_effort": 3}, "reasoning_effort"),
        ({"reasoning_effort": "low", "reasoning": {"effort": "low"}}, "reasoning.effort"),
        ({"reasoning": "low"}, "reasoning"),
        ({"reasoning": {"effort": []}}, "reasoning.effort"),
        ({"reasoning": {"enabled": "no"}}, "reasoning.enabled"),
        ({"reasoning": {"max_tokens": -1.5}}, "reasoning.max_tokens"),
        ({"max_reasoning_tokens": -2}, "max_reasoning_tokens"),
        ({"max_reasoning_tokens": "9"}, "max_reasoning_tokens"),
        ({"max_reasoning_tokens": 9, "thinking_budget_tokens": 9}, "thinking_budget_tokens"),
        ({"chat_template_kwargs": "x"}, "chat_template_kwargs"),
        ({"chat_template_kwargs": {"x": "y" * 17_000}}, "chat_template_kwargs"),
        ({"chat_template_kwargs": {"x": float("inf")}}, "chat_template_kwargs"),
    ],
)
def test_wrong_reasoning_is_named(fields: dict[str, Any], param: str) -> None:
    assert refused(**fields).param == param
