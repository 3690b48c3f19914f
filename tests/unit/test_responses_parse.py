"""`POST /v1/responses` -> our words: items, tools, forms, references; and how what is wrong is named."""

from __future__ import annotations

from typing import Any

import pytest

from adapter.chat import Message, OutputFormat, OutputKind, Reasoning, Role, ToolCall, ToolChoice, ToolMode
from adapter.dialects.responses_past import MAX_REFERRED, Past, Referred, is_response_id, item_id, referred
from adapter.dialects.responses_request import ResponseRequest, parse_responses
from adapter.engines.base import Can
from adapter.errors import BadRequest, PreviousResponseNotFound

HEX = "0123456789abcdef" * 3
ID = f"resp_{HEX}"
PNG = "data:image/png;base64,AAAA"
TIDE = {"type": "function", "name": "tide", "parameters": {"type": "object", "properties": {"place": {"type": "string"}}}}
MOON = {"type": "function", "name": "moon"}
CALL = {"type": "function_call", "call_id": "c1", "name": "tide", "arguments": '{"place": "Emden"}'}
RESULT = {"type": "function_call_output", "call_id": "c1", "output": "14:05"}


def parse(body: dict[str, Any] | None = None, past: Past | None = None, **more: Any) -> ResponseRequest:
    return parse_responses({"model": "m", "input": "hi", **(body or {})}, past or Past(), **more)


def messages(items: Any, past: Past | None = None) -> list[Message]:
    return list(parse({"input": items}, past).chat.messages)


def user(text: str, *images: str) -> Message:
    return Message(Role.USER, text, images=images)


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ("hi", [user("hi")]),
        ([{"role": "user", "content": "hi"}], [user("hi")]),
        ([{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "a"}]}], [user("a")]),
        ([{"role": "user", "content": [{"type": "input_text", "text": "a"}, {"type": "text", "text": "b"}]}], [user("a\nb")]),
        ([{"role": "user", "content": [{"type": "input_image", "image_url": PNG, "detail": "low"}]}], [user("", PNG)]),
        ([{"role": "user", "content": [{"type": "input_image", "image_url": {"url": PNG}}]}], [user("", PNG)]),
        ([{"role": "system", "content": "s"}, {"role": "developer", "content": "d"}], [Message(Role.SYSTEM, "s"), Message(Role.DEVELOPER, "d")]),
        ([{"role": "assistant", "content": [{"type": "output_text", "text": "a", "annotations": []}]}], [Message(Role.ASSISTANT, "a")]),
        ([{"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]}], [Message(Role.ASSISTANT, "no")]),
        ([{"role": "assistant", "content": None}], [Message(Role.ASSISTANT, "")]),
        ([{"role": "user", "content": "caf\ud83d"}], [user("caf\ufffd")]),
        ([{"type": None, "role": "user", "content": "hi"}], [user("hi")]),
    ],
)
def test_messages_in_every_shape(items: Any, expected: list[Message]) -> None:
    assert messages(items) == expected


def test_calls_that_stand_together_are_one_message() -> None:
    second = {**CALL, "call_id": "c2", "arguments": {"place": "Husum"}}
    asked = [{"role": "user", "content": "When?"}, {"role": "assistant", "content": "Let me see."}, CALL, second, RESULT]
    calls = (ToolCall("c1", "tide", '{"place": "Emden"}'), ToolCall("c2", "tide", '{"place": "Husum"}'))
    assert messages(asked)[1:] == [
        Message(Role.ASSISTANT, "Let me see.", tool_calls=calls),
        Message(Role.TOOL, "14:05", tool_call_id="c1"),
    ]


def test_words_behind_calls_do_not_come_between_them_and_their_results() -> None:
    second = {**CALL, "call_id": "c2", "arguments": {"place": "Husum"}}
    said = [{"role": "assistant", "content": text} for text in ("Let me see.", "One moment.")]
    calls = (ToolCall("c1", "tide", '{"place": "Emden"}'), ToolCall("c2", "tide", '{"place": "Husum"}'))
    results = [Message(Role.TOOL, "14:05", tool_call_id=one) for one in ("c1", "c2")]
    outputs = [RESULT, {**RESULT, "call_id": "c2"}]
    assert messages([said[0], CALL, said[1], second, *outputs]) == [
        Message(Role.ASSISTANT, "Let me see.\nOne moment.", tool_calls=calls), *results,
    ]  # fmt: skip
    assert messages([CALL, second, {"type": "reasoning", "summary": []}, said[1], *outputs])[0].content == "One moment."
    assert len(messages([CALL, RESULT, *said])) == 4


def test_a_call_without_words_before_it_and_a_result_in_parts() -> None:
    output = [{"type": "input_text", "text": "14:05"}, {"type": "input_image", "image_url": PNG}]
    found = messages([{**CALL, "arguments": ""}, {**RESULT, "output": output}])
    assert found == [
        Message(Role.ASSISTANT, "", tool_calls=(ToolCall("c1", "tide", "{}"),)),
        Message(Role.TOOL, "14:05", tool_call_id="c1", images=(PNG,)),
    ]


@pytest.mark.parametrize(("after", "there"), [([], False), ([RESULT], True)])
def test_a_call_that_was_cut_counts_only_if_somebody_answered_it(after: list[Any], there: bool) -> None:
    cut = {**CALL, "status": "incomplete", "arguments": '{"pla'}
    found = messages([{"role": "user", "content": "a"}, cut, *after])
    assert any(message.tool_calls for message in found) is there


def test_reasoning_is_passed_over_with_a_word() -> None:
    asked = parse({"input": [{"type": "reasoning", "id": "rs_1", "summary": []}, {"role": "user", "content": "hi"}]})
    assert asked.chat.messages == (user("hi"),)
    assert asked.asked.ignored == ("input.reasoning",)


def test_instructions_come_first_and_are_only_those_of_this_request() -> None:
    past = Past(({"type": "message", "id": "x", "role": "user", "content": "before"},))
    asked = parse({"instructions": "Be brief.", "previous_response_id": ID}, past)
    assert asked.chat.messages == (Message(Role.SYSTEM, "Be brief."), user("before"), user("hi"))
    assert asked.items == ({"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]},)
    assert parse({"previous_response_id": ID}, past).chat.messages == (user("before"), user("hi"))


# --- what it goes on from ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, Referred()),
        ({"previous_response_id": None}, Referred()),
        ({"previous_response_id": ID}, Referred(ID)),
        ({"input": [{"type": "item_reference", "id": item_id(ID, "message", 0)}]}, Referred(None, (ID,))),
        ({"input": [{"id": item_id(ID, "reasoning", 0)}, {"id": item_id(ID, "message", 1)}]}, Referred(None, (ID,))),
        ({"input": [{"type": None, "id": item_id(ID, "message", 0)}]}, Referred(None, (ID,))),
        ({"input": [{"type": "item_reference", "id": "msg_of_somebody_else"}]}, Referred()),
        ({"input": [{"type": "item_reference", "id": 7}]}, Referred()),
        ({"input": "hi"}, Referred()),
    ],
)
def test_what_has_to_be_looked_up(body: dict[str, Any], expected: Referred) -> None:
    assert referred(body) == expected


@pytest.mark.parametrize("word", ["resp_1", f"{ID}0", "../../key", ID.upper(), f"{ID}\n", "msg_" + HEX])
def test_what_is_no_id_of_ours_never_becomes_a_file(word: str) -> None:
    assert not is_response_id(word)
    with pytest.raises(PreviousResponseNotFound) as caught:
        referred({"previous_response_id": word})
    assert (caught.value.status, caught.value.param) == (400, "previous_response_id")
    assert "not found" in caught.value.message and "'input'" in caught.value.message


def test_references_stand_for_items() -> None:
    known = {"msg_1": {"type": "message", "id": "msg_1", "role": "assistant", "content": "before"}}
    asked = parse({"input": [{"type": "item_reference", "id": "msg_1"}, {"role": "user", "content": "hi"}]}, Past(known=known))
    assert asked.chat.messages == (Message(Role.ASSISTANT, "before"), user("hi"))
    assert asked.items[0] == known["msg_1"]  # kept as what it stood for
    in_past = Past(({"type": "message", "id": "msg_2", "role": "user", "content": "b"},))
    assert len(parse({"input": [{"id": "msg_2"}]}, in_past).chat.messages) == 2


def test_too_many_answers_referred_to() -> None:
    items = [{"id": item_id(f"resp_{index:048x}", "message", 0)} for index in range(MAX_REFERRED + 1)]
    assert len(referred({"input": items[:-1]}).answers) == MAX_REFERRED >= 500, "a long run of an agent that uses the AI SDK"
    with pytest.raises(BadRequest, match=f"items of {MAX_REFERRED + 1} answers") as caught:
        referred({"input": items})
    assert caught.value.param == "input"


# --- tools, forms, reasoning, sampling ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("choice", "names", "expected"),
    [
        ("auto", ["tide", "moon"], ToolChoice()),
        ("none", ["tide", "moon"], ToolChoice(ToolMode.NONE)),
        ("required", ["tide", "moon"], ToolChoice(ToolMode.REQUIRED)),
        ({"type": "function", "name": "moon"}, ["tide", "moon"], ToolChoice(ToolMode.REQUIRED, "moon", parallel=False)),
        ({"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "moon"}]}, ["moon"], ToolChoice()),
        (
            {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "tide"}]},
            ["tide"],
            ToolChoice(ToolMode.REQUIRED),
        ),
    ],
)
def test_who_may_be_called(choice: Any, names: list[str], expected: ToolChoice) -> None:
    asked = parse({"tools": [TIDE, MOON], "tool_choice": choice})
    assert [tool.name for tool in asked.chat.tools] == names
    assert asked.chat.tool_choice == expected
    assert [tool["name"] for tool in asked.echo["tools"]] == ["tide", "moon"]
    assert asked.echo["tool_choice"] == choice
    assert asked.echo["parallel_tool_calls"] is expected.parallel
    assert (Can.TOOLS in asked.asked.needs) is (choice != "none")


def test_tools_are_repeated_whole() -> None:
    asked = parse({"tools": [{**TIDE, "strict": True, "description": "d"}], "parallel_tool_calls": False})
    (tool,) = asked.chat.tools
    assert (tool.strict, tool.description, asked.chat.tool_choice.parallel) == (True, "d", False)
    assert asked.echo["tools"] == [{**TIDE, "strict": True, "description": "d"}]
    assert asked.echo["parallel_tool_calls"] is False


SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ({}, None),
        ({"format": {"type": "text"}}, None),
        ({"format": {"type": "json_object"}}, OutputFormat(OutputKind.JSON, "", "text.format")),
        (
            {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA, "strict": True}},
            OutputFormat(OutputKind.SCHEMA, '{"type": "object", "properties": {"a": {"type": "integer"}}}', "text.format"),
        ),
    ],
)
def test_forms(text: dict[str, Any], expected: OutputFormat | None) -> None:
    asked = parse({"text": text})
    assert asked.chat.output == expected
    assert asked.asked.needs.get(Can.OUTPUT) == ("text.format" if expected else None)
    assert asked.echo["text"] == (text or {"format": {"type": "text"}})


def test_an_extension_is_a_form_too() -> None:
    assert parse({"guided_choice": ["yes", "no"]}).chat.output == OutputFormat(OutputKind.CHOICE, '["yes", "no"]', "guided_choice")


def test_how_to_choose_tokens() -> None:
    sampling = parse({"temperature": 0, "top_p": 0.5, "max_output_tokens": 9, "stop": "x", "seed": 3, "top_k": 4}).chat.sampling
    assert (sampling.temperature, sampling.top_p, sampling.max_tokens) == (0, 0.5, 9)
    assert (sampling.stop, sampling.seed, sampling.top_k) == (("x",), 3, 4)
    assert parse({"max_tokens": 7}).chat.sampling.max_tokens == 7
    assert parse({"max_tokens": 7, "max_output_tokens": 5}).chat.sampling.max_tokens == 5


@pytest.mark.parametrize(
    ("reasoning", "expected", "summary", "ignored"),
    [
        ({"effort": "low"}, Reasoning("low"), False, ()),
        ({"effort": "high", "summary": "auto"}, Reasoning("high"), True, ()),
        ({"generate_summary": "concise"}, Reasoning(), True, ()),
        ({"summary": None, "effort": None}, Reasoning(), False, ()),
        ({"effort": "low", "context": "auto"}, Reasoning("low"), False, ("reasoning.context",)),
    ],
)
def test_reasoning(reasoning: dict[str, Any], expected: Reasoning, summary: bool, ignored: tuple[str, ...]) -> None:
    asked = parse({"reasoning": reasoning})
    assert (asked.chat.reasoning, asked.summary) == (expected, summary)
    assert asked.asked.without_effect(frozenset({Can.REASONING})) == ignored


def test_an_effort_has_no_effect_without_a_model_that_reasons() -> None:
    assert parse({"reasoning": {"effort": "low"}}).asked.without_effect(frozenset({Can.CHAT})) == ("reasoning.effort",)


def test_logprobs() -> None:
    asked = parse({"include": ["message.output_text.logprobs"], "top_logprobs": 3})
    assert (asked.chat.logprobs, asked.asked.needs[Can.LOGPROBS], asked.echo["top_logprobs"]) == (3, "include", 3)
    assert parse({"top_logprobs": 3}).asked.ignored == ("top_logprobs",)
    assert parse({"include": ["reasoning.encrypted_content"]}).asked.ignored == ("include.reasoning.encrypted_content",)


def test_pictures_need_eyes() -> None:
    asked = parse({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": PNG}]}]})
    assert asked.asked.needs[Can.VISION] == "input"


# --- what has no effect, what is repeated -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "ignored"),
    [
        ({"service_tier": "auto", "prompt_cache_key": "k", "safety_identifier": "s", "max_tool_calls": 3}, (
            "service_tier", "prompt_cache_key", "safety_identifier", "max_tool_calls",
        )),
        ({"text": {"verbosity": "low"}}, ("text.verbosity",)),
        ({"truncation": "auto"}, ("truncation",)),
        ({"truncation": "disabled", "background": False, "store": False, "metadata": {}, "user": "u", "n": 1}, ()),
        ({"stream_options": {"include_obfuscation": True}}, ("stream_options.include_obfuscation",)),
        ({"stream_options": {"include_obfuscation": False}, "stream": True}, ()),
        ({"unheard_of": 1}, ("unheard_of",)),
        ({"conversation": None, "prompt": None, "previous_response_id": None}, ()),
    ],
)  # fmt: skip
def test_what_has_no_effect_is_named(body: dict[str, Any], ignored: tuple[str, ...]) -> None:
    assert parse(body).asked.ignored == ignored


def test_long_prompts_may_be_cut_where_that_is_configured() -> None:
    assert parse({"truncation": "auto"}, diet=True).asked.ignored == ()


@pytest.mark.parametrize(("store", "keeps", "kept", "ignored"), [(None, True, True, ()), (False, True, False, ()), (None, False, False, ()), (True, False, False, ("store",))])
def test_what_is_kept(store: bool | None, keeps: bool, kept: bool, ignored: tuple[str, ...]) -> None:
    asked = parse({"store": store}, keeps=keeps)
    assert (asked.store, asked.echo["store"], asked.asked.ignored) == (kept, kept, ignored)


def test_what_the_answer_repeats() -> None:
    asked = parse(
        {
            "instructions": "Be brief.", "max_output_tokens": 9, "temperature": 0.5, "top_p": 1, "metadata": {"a": "b"}, "user": "u",
            "truncation": "auto", "reasoning": {"effort": "low"}, "previous_response_id": ID,
        }
    )  # fmt: skip
    assert asked.echo | {"tools": []} == {
        "background": False, "instructions": "Be brief.", "max_output_tokens": 9, "max_tool_calls": None, "parallel_tool_calls": True,
        "previous_response_id": ID, "reasoning": {"effort": "low", "summary": None}, "store": True, "temperature": 0.5,
        "text": {"format": {"type": "text"}}, "tool_choice": "auto", "tools": [], "top_logprobs": 0, "top_p": 1.0, "truncation": "auto",
        "user": "u", "metadata": {"a": "b"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("body", "name", "shown"),
    [
        ({"reasoning": {"enabled": False, "effort": [float("inf")]}}, "reasoning", {"effort": "none", "summary": None}),
        ({"reasoning_effort": "low"}, "reasoning", {"effort": "low", "summary": None}),
        ({"text": {"format": {"type": "text", "schema": float("inf"), "name": 1}}}, "text", {"format": {"type": "text"}}),
        ({"text": {"format": {"type": "json_object", "strict": "very"}}}, "text", {"format": {"type": "json_object"}}),
    ],
)
def test_what_was_not_looked_at_is_not_repeated(body: dict[str, Any], name: str, shown: Any) -> None:
    """JSON has no word for a client's 1e999: the whole answer could not be read."""
    assert parse(body).echo[name] == shown


# --- what is wrong ------------------------------------------------------------------------------------------------

USER: Any = {"role": "user"}


@pytest.mark.parametrize(
    ("body", "param", "said"),
    [
        ({"input": None}, "input", "is missing"),
        ({"input": []}, "input", "is empty"),
        ({"input": 3}, "input", "a string or an array, not a number"),
        ({"input": ["hi"]}, "input[0]", "an object with 'type', not a string"),
        ({"input": [{"content": "x"}]}, "input[0].type", "must be a string, not null"),
        ({"input": [{**USER, "content": "a"}, {"type": "web_search_call"}]}, "input[1].type", "'web_search_call', which is not supported"),
        ({"input": [{"role": "tool", "content": "x"}]}, "input[0].role", "user, assistant, system, developer; got 'tool'"),
        ({"input": [{"role": 3, "content": "x"}]}, "input[0].role", "got a number"),
        ({"input": [{**USER, "content": 3}]}, "input[0].content", "a string or an array of parts, not a number"),
        ({"input": [{**USER, "content": ["x"]}]}, "input[0].content[0]", "an object with 'type'"),
        ({"input": [{**USER, "content": [{"type": "input_text"}]}]}, "input[0].content[0]", "a string in 'text'"),
        ({"input": [{**USER, "content": [{"type": "input_file", "file_id": "f"}]}]}, "input[0].content[0]", "no engine here takes files"),
        ({"input": [{**USER, "content": [{"type": "input_image", "file_id": "f"}]}]}, "input[0].content[0].image_url", "ids of files mean nothing"),
        ({"input": [{**USER, "content": [{"type": "input_image", "image_url": PNG}] * 65}]}, "input[0].content", "65 images; at most 64"),
        ({"input": [RESULT]}, "input[0].call_id", "no function_call with it before"),
        ({"input": [{**CALL, "call_id": None}]}, "input[0].call_id", "a string, not null"),
        ({"input": [{**CALL, "call_id": ""}]}, "input[0].call_id", "is empty"),
        ({"input": [{**CALL, "name": 3}]}, "input[0].name", "a string, not a number"),
        ({"input": [{**CALL, "arguments": 3}]}, "input[0].arguments", "the JSON text of an object"),
        ({"input": [{**CALL, "arguments": {"a": float("inf")}}]}, "input[0].arguments", "a number that is too large"),
        ({"input": [{"type": "item_reference", "id": "msg_x"}]}, "input[0].id", "send the item itself"),
        ({"input": [{"type": "item_reference"}]}, "input[0].id", "a string, not null"),
        ({"instructions": ["x"]}, "instructions", "a string, not an array"),
        ({"model": 3}, "model", "a string"),
        ({"tools": {}}, "tools", "an array"),
        ({"tools": [TIDE] * 257}, "tools", "257 entries; at most 256"),
        ({"tools": ["x"]}, "tools[0]", "'type' and 'name'"),
        ({"tools": [{"name": "x"}]}, "tools[0].type", "a string, not null"),
        ({"tools": [TIDE, {"type": "web_search"}]}, "tools[1].type", "nothing here runs tools, your program does"),
        ({"tools": [{"type": "file_search"}]}, "tools[0].type", "a function of your own that does it"),
        ({"tools": [{"type": "mcp"}]}, "tools[0].type", "the functions of that server"),
        ({"tools": [{"type": "computer_use_preview"}]}, "tools[0].type", "'computer_use_preview'"),
        ({"tools": [{"type": "function", "function": {"name": "x"}}]}, "tools[0].name", "the form of a chat"),
        ({"tools": [{"type": "function", "name": "a b"}]}, "tools[0].name", "1 to 64 letters"),
        ({"tools": [{**TIDE, "parameters": []}]}, "tools[0].parameters", "a JSON schema"),
        ({"tools": [TIDE, TIDE]}, "tools[1].name", "which another one has already"),
        ({"tool_choice": "required"}, "tool_choice", "there are no 'tools'"),
        ({"tools": [TIDE], "tool_choice": "always"}, "tool_choice", '"auto", "none"'),
        ({"tools": [TIDE], "tool_choice": {"type": "function", "name": "x"}}, "tool_choice.name", "none of the tools sent"),
        ({"tools": [TIDE], "tool_choice": {"type": "web_search"}}, "tool_choice.type", "there are functions only"),
        ({"tools": [TIDE], "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": []}}, "tool_choice.tools", "is empty"),
        (
            {"tools": [TIDE], "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "x"}]}},
            "tool_choice.tools[0].name",
            "none of the tools sent",
        ),
        ({"tools": [TIDE], "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "mcp"}]}}, "tool_choice.tools[0]", "must be"),
        ({"parallel_tool_calls": "yes"}, "parallel_tool_calls", "true or false"),
        ({"text": "json"}, "text", "an object with 'format'"),
        ({"text": {"format": "json"}}, "text.format", "a string in 'type'"),
        ({"text": {"format": {"type": "xml"}}}, "text.format.type", "'xml' is not supported"),
        ({"text": {"format": {"type": "json_schema", "name": "n"}}}, "text.format.schema", "a JSON schema"),
        ({"text": {"format": {"type": "json_schema", "name": "a b", "schema": {}}}}, "text.format.name", "1 to 64"),
        ({"text": {"format": {"type": "json_schema", "name": "n", "schema": {}, "strict": 1}}}, "text.format.strict", "true or false"),
        ({"text": {"format": {"type": "json_schema", "json_schema": {"schema": {}}}}}, "text.format.schema", "the form of a chat"),
        ({"text": {"format": {"type": "json_schema", "schema": {"a": "x" * 300_000}}}}, "text.format.schema", "more than 262144 characters"),
        ({"text": {"format": {"type": "json_object"}}, "guided_regex": "a+"}, "guided_regex", "ask for the same"),
        ({"text": {"verbosity": "loud"}}, "text.verbosity", "low, medium, high"),
        ({"reasoning": "low"}, "reasoning", "an object"),
        ({"reasoning": {"effort": "huge"}}, "reasoning.effort", "must be one of"),
        ({"reasoning": {"summary": "long"}}, "reasoning.summary", "auto, concise, detailed"),
        ({"max_output_tokens": 0}, "max_output_tokens", "from 1"),
        ({"temperature": 3}, "temperature", "from 0 to 2"),
        ({"top_logprobs": 21}, "top_logprobs", "from 0 to 20"),
        ({"include": "x"}, "include", "an array of strings"),
        ({"metadata": {"a": 1}}, "metadata", "strings"),
        ({"metadata": {str(index): "x" for index in range(17)}}, "metadata", "17 keys"),
        ({"metadata": []}, "metadata", "an object"),
        ({"user": 3}, "user", "a string"),
        ({"truncation": "some"}, "truncation", '"auto" or "disabled"'),
        ({"store": "yes"}, "store", "true or false"),
        ({"stream": "yes"}, "stream", "true or false"),
        ({"stream_options": 1}, "stream_options", "an object"),
        ({"background": True}, "background", "while its client waits"),
        ({"conversation": "conv_1"}, "conversation", "previous_response_id"),
        ({"prompt": {"id": "p"}}, "prompt", "no prompt templates"),
        ({"messages": [USER]}, "messages", "POST /v1/chat/completions"),
        ({"response_format": {"type": "text"}}, "response_format", "'text'"),
        ({"n": 2}, "n", "one answer"),
        ({"modalities": ["audio"]}, "modalities", "text only"),
    ],
)
def test_what_is_wrong_is_named(body: dict[str, Any], param: str, said: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse(body)
    assert caught.value.param == param
    assert said in caught.value.message


def test_items_are_counted_with_what_went_before() -> None:
    past = Past(tuple({"type": "message", "id": str(index), "role": "user", "content": "x"} for index in range(3)))
    assert len(parse({}, past, max_messages=4).chat.messages) == 4
    with pytest.raises(BadRequest, match=r"4 items \(3 of them from what went before\); .*server\.max_messages") as caught:
        parse({}, past, max_messages=3)
    assert caught.value.param == "input"


@pytest.mark.parametrize("name", ["previous_response_id"])
@pytest.mark.parametrize("value", [3, ["x"], {}])
def test_an_id_that_is_none(name: str, value: Any) -> None:
    with pytest.raises(BadRequest, match="must be a string") as caught:
        referred({name: value})
    assert caught.value.param == name
