"""`tools` and `functions` -> our words, and everything that is wrong with them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapter.chat import Tool, ToolChoice, ToolMode
from adapter.dialects.openai_parse import ChatRequest, parse_chat
from adapter.dialects.openai_tools import MAX_TOOLS, MAX_TOOLS_CHARS
from adapter.errors import BadRequest

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}


def tool(name: str = "f", **function: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": SCHEMA, **function}}


def parsed(**fields: Any) -> ChatRequest:
    return parse_chat({"messages": [{"role": "user", "content": "hi"}], **fields})


def refused(**fields: Any) -> BadRequest:
    with pytest.raises(BadRequest) as caught:
        parsed(**fields)
    return caught.value


# --- tools ----------------------------------------------------------------------------------------------------


def test_tools_keep_their_order_and_their_schemas() -> None:
    chat = parsed(tools=[tool("b", description="Says ä.", strict=True), tool("a-1_X")]).chat
    assert [item.name for item in chat.tools] == ["b", "a-1_X"]
    assert chat.tools[0] == Tool("b", "Says ä.", json.dumps(SCHEMA), strict=True)
    assert chat.tool_choice == ToolChoice(ToolMode.AUTO)


@pytest.mark.parametrize("parameters", [None, "left out"])
def test_a_tool_without_parameters_takes_none(parameters: object) -> None:
    """Templates look into `properties`."""
    entry = tool(parameters=parameters)
    if parameters:
        del entry["function"]["parameters"]
    assert json.loads(parsed(tools=[entry]).chat.tools[0].parameters) == {"type": "object", "properties": {}}


def test_null_strict_and_description_ask_for_nothing() -> None:
    assert parsed(tools=[tool(strict=None, description=None)]).chat.tools == (Tool("f", "", json.dumps(SCHEMA)),)


def test_half_surrogates_reach_no_engine() -> None:
    (found,) = parsed(tools=[tool(description="\ud83d", parameters={"title": "\ud83d"})]).chat.tools
    assert "\ufffd" in found.description and "\ufffd" in found.parameters


@pytest.mark.parametrize(
    ("tools", "param"),
    [
        ("f", "tools"),
        ({"f": tool()}, "tools"),
        ([tool(f"f{n}") for n in range(MAX_TOOLS + 1)], "tools"),
        ([tool(description="x" * (MAX_TOOLS_CHARS + 1))], "tools"),
        (["f"], "tools[0]"),
        ([{"function": {"name": "f"}}], "tools[0].type"),
        ([{"type": ["function"], "function": {"name": "f"}}], "tools[0].type"),
        ([tool(), {"type": "web_search_preview"}], "tools[1].type"),
        ([{"type": "custom", "custom": {"name": "f"}}], "tools[0].type"),
        ([{"type": "function"}], "tools[0].function"),
        ([{"type": "function", "function": "f"}], "tools[0].function"),
        ([tool("")], "tools[0].function.name"),
        ([tool("a b")], "tools[0].function.name"),
        ([tool("ä")], "tools[0].function.name"),
        ([tool("f\n")], "tools[0].function.name"),
        ([tool("x" * 65)], "tools[0].function.name"),
        ([tool(name=5)], "tools[0].function.name"),  # type: ignore[arg-type]  # as a client might
        ([tool("a"), tool("a")], "tools[1].function.name"),
        ([tool(description=5)], "tools[0].function.description"),
        ([tool(strict="yes")], "tools[0].function.strict"),
        ([tool(parameters=[])], "tools[0].function.parameters"),
        ([tool(parameters="{}")], "tools[0].function.parameters"),
        ([tool(parameters=True)], "tools[0].function.parameters"),
        ([tool(parameters={"type": "string"})], "tools[0].function.parameters.type"),
        ([tool(parameters={"maximum": float("inf")})], "tools[0].function.parameters"),
    ],
)
def test_a_wrong_tool_is_named(tools: object, param: str) -> None:
    error = refused(tools=tools)
    assert error.param == param
    assert f"'{param}" in error.message and len(error.message) < 200


# --- tool_choice ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "choice"),
    [
        ({"tool_choice": "auto"}, ToolChoice()),
        ({"tool_choice": None}, ToolChoice()),
        ({"tool_choice": "none"}, ToolChoice(ToolMode.NONE)),
        ({"tool_choice": "required"}, ToolChoice(ToolMode.REQUIRED)),
        ({"tool_choice": "required", "parallel_tool_calls": False}, ToolChoice(ToolMode.REQUIRED, parallel=False)),
        (
            {"tool_choice": {"type": "function", "function": {"name": "f", "x": 1}}},
            ToolChoice(ToolMode.REQUIRED, "f", parallel=False),
        ),
        (
            {"tool_choice": {"type": "function", "function": {"name": "f"}}, "parallel_tool_calls": True},
            ToolChoice(ToolMode.REQUIRED, "f"),
        ),
    ],
)
def test_tool_choice(fields: dict[str, Any], choice: ToolChoice) -> None:
    assert parsed(tools=[tool()], **fields).chat.tool_choice == choice


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tool_choice": "required", "tools": []}, "tool_choice"),
        ({"tool_choice": "any"}, "tool_choice"),
        ({"tool_choice": []}, "tool_choice"),
        ({"tool_choice": True}, "tool_choice"),
        ({"tool_choice": {"type": "function"}}, "tool_choice"),
        ({"tool_choice": {"type": "function", "function": {"name": 5}}}, "tool_choice"),
        ({"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto"}}}, "tool_choice"),
        ({"tool_choice": {"type": "custom", "custom": {"name": "f"}}}, "tool_choice"),
        ({"tool_choice": {"type": "function", "function": {"name": "g"}}}, "tool_choice.function.name"),
        ({"parallel_tool_calls": "no"}, "parallel_tool_calls"),
    ],
)
def test_a_wrong_choice_is_named(fields: dict[str, Any], param: str) -> None:
    assert refused(**{"tools": [tool()], **fields}).param == param


def test_allowed_tools_are_refused_by_their_name() -> None:
    choice = {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}}
    assert "'allowed_tools'" in refused(tools=[tool()], tool_choice=choice).message


# --- the old form ---------------------------------------------------------------------------------------------

OLD = {"name": "f", "description": "d", "parameters": SCHEMA}


@pytest.mark.parametrize(
    ("call", "choice"),
    [
        (None, ToolChoice(parallel=False)),
        ("auto", ToolChoice(parallel=False)),
        ("none", ToolChoice(ToolMode.NONE, parallel=False)),
        ({"name": "f"}, ToolChoice(ToolMode.REQUIRED, "f", parallel=False)),
    ],
)
def test_functions_are_tools_of_old(call: object, choice: ToolChoice) -> None:
    """One call at most: the old answer has room for no more."""
    told = parsed(functions=[OLD], function_call=call)
    assert told.chat.tools == (Tool("f", "d", json.dumps(SCHEMA)),)
    assert told.chat.tool_choice == choice
    assert told.legacy_calls


def test_tools_are_not_the_old_form() -> None:
    assert not parsed(tools=[tool()]).legacy_calls


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"functions": "f"}, "functions"),
        ({"functions": [OLD], "tools": [tool()]}, "functions"),
        ({"functions": [OLD, OLD]}, "functions[1].name"),
        ({"functions": [5]}, "functions[0]"),
        ({"functions": [{"name": ""}]}, "functions[0].name"),
        ({"functions": [OLD], "function_call": "required"}, "function_call"),
        ({"functions": [OLD], "function_call": {"name": "g"}}, "function_call.name"),
        ({"functions": [OLD], "tool_choice": "required"}, "tool_choice"),
        ({"function_call": {"name": "f"}}, "function_call"),
        ({"tools": [tool()], "function_call": {"name": "f"}}, "function_call"),
    ],
)
def test_wrong_functions_are_named(fields: dict[str, Any], param: str) -> None:
    assert refused(**fields).param == param
