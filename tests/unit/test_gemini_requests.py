"""Gemini's bodies -> our words, by tables: every spelling, what is refused by name, what is listed as ignored."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from adapter.chat import Chat, Message, OutputKind, Reasoning, Role, ToolChoice, ToolMode
from adapter.dialects.gemini_parse import GeminiRequest, model_name, parse_count, parse_embed, parse_generate
from adapter.dialects.gemini_values import camel
from adapter.engines.base import Can
from adapter.errors import BadRequest

HI = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
PIXEL = "iVBORw0KGgo_-w"
PLACE = {"type": "OBJECT", "properties": {"place": {"type": "STRING", "nullable": True}}}
DECLARED = {"name": "tide", "description": "High water.", "parameters": PLACE}


def parsed(**fields: Any) -> GeminiRequest:
    return parse_generate({**HI, **fields}, model="models/m", stream=False)


def chat(**fields: Any) -> Chat:
    return parsed(**fields).chat


def messages(*contents: Any) -> tuple[Message, ...]:
    return chat(contents=list(contents)).messages


def refused(**fields: Any) -> BadRequest:
    with pytest.raises(BadRequest) as caught:
        parsed(**fields)
    return caught.value


def user(*parts: Any) -> Any:
    return {"role": "user", "parts": list(parts)}


def model(*parts: Any) -> Any:
    return {"role": "model", "parts": list(parts)}


@pytest.mark.parametrize(
    ("name", "camelled"),
    [("topP", "topP"), ("top_p", "topP"), ("max_output_tokens", "maxOutputTokens"), ("_responseJson", "_responseJson"), ("", ""), ("x", "x")],
)
def test_both_spellings(name: str, camelled: str) -> None:
    assert camel(name) == camelled


@pytest.mark.parametrize(("path", "name"), [("models/m", "m"), ("m", "m"), ("models/a/b:1", "a/b:1"), ("auto", "auto")])
def test_names_of_models(path: str, name: str) -> None:
    assert model_name(path) == name


# --- contents ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "contents",
    [
        [{"role": "user", "parts": [{"text": "hi"}]}],
        [{"parts": [{"text": "hi"}]}],
        {"parts": {"text": "hi"}},
        ["hi"],
        [{"role": "user", "parts": [{"text": "hi", "thought": None}]}],
    ],
)
def test_a_question_in_every_shape(contents: Any) -> None:
    assert chat(contents=contents).messages == (Message(Role.USER, "hi"),)


@pytest.mark.parametrize("name", ["systemInstruction", "system_instruction"])
@pytest.mark.parametrize(
    "value",
    ["Be kind.", {"parts": [{"text": "Be kind."}]}, {"parts": {"text": "Be kind."}}, {"role": "user", "parts": [{"text": "Be kind."}]}],
)
def test_the_systems_word_comes_first(name: str, value: Any) -> None:
    assert chat(**{name: value}).messages == (Message(Role.SYSTEM, "Be kind."), Message(Role.USER, "hi"))


def test_an_empty_system_is_none() -> None:
    assert chat(systemInstruction={"parts": [{"text": ""}]}).messages == (Message(Role.USER, "hi"),)


def test_chunks_of_a_streamed_answer_are_one_message() -> None:
    """`google-genai` keeps each as a content, keepalives among them."""
    chunks = (model({"text": "o"}), model({"text": ""}), model(), model({"text": "ne"}))
    found = messages(user({"text": "hi"}), *chunks, user({"text": "two"}, {"text": "lines"}))
    assert [(m.role, m.content) for m in found] == [(Role.USER, "hi"), (Role.ASSISTANT, "one"), (Role.USER, "two\nlines")]


def test_a_long_answer_in_chunks_is_not_copied_for_each_of_them() -> None:
    """8 MB in 4,000 contents took five seconds, in which nobody else got a token; now some hundredths of one."""
    contents = [user({"text": "hi"}), *[model({"text": "y" * 2_000})] * 4_000]
    begun_s = time.process_time()
    _, answer = messages(*contents)
    assert time.process_time() - begun_s < 1.5
    assert len(answer.content) == 8_000_000


def test_calls_and_their_results() -> None:
    wind_said = {"functionResponse": {"name": "wind", "response": {"result": 3}, "id": "x1"}}
    tide_said = {"function_response": {"name": "tide", "response": {}}}
    found = messages(
        user({"text": "?"}),
        model({"text": "Let me see."}, {"functionCall": {"name": "tide", "args": {"place": "Köln", "max_age": 1}}}),
        model({"function_call": {"id": "x1", "name": "wind"}}),
        {"role": "function", "parts": [wind_said, tide_said]},
    )
    _, asked, wind, tide = found
    assert asked.content == "Let me see." and [(c.id, c.name, json.loads(c.arguments)) for c in asked.tool_calls] == [
        ("call_1", "tide", {"place": "Köln", "max_age": 1}), ("x1", "wind", {}),
    ]  # fmt: skip
    assert (wind.role, wind.name, wind.tool_call_id, wind.content) == (Role.TOOL, "wind", "x1", '{"result": 3}')
    assert (tide.role, tide.name, tide.tool_call_id, tide.content) == (Role.TOOL, "tide", "call_1", "{}")


def test_results_without_ids_belong_to_calls_in_their_order() -> None:
    call, result = {"functionCall": {"name": "tide", "args": {}}}, {"functionResponse": {"name": "tide", "response": {}}}
    _, asked, first, second, more = messages(user({"text": "?"}), model(call, call), user(result, result, {"text": "more"}))
    assert [c.id for c in asked.tool_calls] == [first.tool_call_id, second.tool_call_id] == ["call_1", "call_2"]
    assert more == Message(Role.USER, "more")


def test_thoughts_are_not_read_again() -> None:
    found = parsed(contents=[user({"text": "?"}), model({"text": "hm", "thought": True}, {"text": "yes", "thoughtSignature": "AA"})])
    assert found.chat.messages[1] == Message(Role.ASSISTANT, "yes")
    assert found.asked.ignored == ("contents.parts.thought", "contents.parts.thoughtSignature")


def test_a_last_answer_is_gone_on_with() -> None:
    found = parsed(contents=[user({"text": "?"}), model({"text": "It is "})])
    assert found.chat.continues and found.asked.wishes == {Can.CONTINUE}


def test_pictures() -> None:
    """The SDK writes base64 for addresses; engines read the usual one."""
    inline, linked = {"inlineData": {"mimeType": "image/PNG", "data": PIXEL}}, {"fileData": {"fileUri": "https://x/y.jpg"}}
    found = parsed(contents=[user(inline, {"text": "what?"}, linked)])
    (message,) = found.chat.messages
    assert message.images == ("data:image/png;base64,iVBORw0KGgo/+w==", "https://x/y.jpg") and message.content == "what?"
    assert found.asked.needs[Can.VISION] == "contents"


@pytest.mark.parametrize(
    ("contents", "param"),
    [
        (None, "contents"),
        ([], "contents"),
        ("hi", "contents"),
        ([3], "contents[0]"),
        ([{"role": "system", "parts": [{"text": "x"}]}], "contents[0].role"),
        ([{"role": 3, "parts": [{"text": "x"}]}], "contents[0].role"),
        ([user()], "contents[0].parts"),
        ([{"role": "user", "parts": "x"}], "contents[0].parts"),
        ([model({"text": ""})], "contents"),
        ([user({"text": 3})], "contents[0].parts[0].text"),
        ([user({"text": "a", "functionCall": {}})], "contents[0].parts[0]"),
        ([user({"text": "a"}, {"what": 1})], "contents[0].parts[1]"),
        ([user({"functionCall": {"name": "x"}})], "contents[0].parts[0]"),
        ([model({"functionCall": {}})], "contents[0].parts[0].functionCall.name"),
        ([model({"functionCall": {"name": "x", "args": "{}"}})], "contents[0].parts[0].functionCall.args"),
        ([model({"inlineData": {"mimeType": "image/png", "data": PIXEL}})], "contents[0].parts[0]"),
        ([user({"functionResponse": {"name": "x", "response": "y"}})], "contents[0].parts[0].functionResponse.response"),
        ([user({"functionResponse": {"name": "x", "parts": [{}]}})], "contents[0].parts[0].functionResponse.parts"),
        ([user({"executableCode": {"code": "1"}})], "contents[0].parts[0].executableCode"),
        ([user({"inlineData": {"mimeType": "audio/wav", "data": "AAAA"}})], "contents[0].parts[0].inlineData.mimeType"),
        ([user({"inlineData": {"mimeType": "image/png", "data": "é"}})], "contents[0].parts[0].inlineData.data"),
        ([user({"inlineData": {"mimeType": "image/png", "data": ""}})], "contents[0].parts[0].inlineData.data"),
        ([user({"fileData": {"fileUri": "gs://x/y.png"}})], "contents[0].parts[0].fileData"),
        ([user({"text": "a"})] * 5_000, "contents"),
    ],
)
def test_contents_that_are_refused(contents: Any, param: str) -> None:
    assert refused(contents=contents).param == param


def test_a_field_in_both_spellings_is_refused() -> None:
    assert refused(generationConfig={"topP": 1, "top_p": 0.5}).param == "generationConfig.topP"


# --- tools ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "tools",
    [
        [{"functionDeclarations": [DECLARED]}],
        {"function_declarations": DECLARED},
        [{"functionDeclarations": []}, {"functionDeclarations": [DECLARED]}],
    ],
)
def test_functions(tools: Any) -> None:
    found = parsed(tools=tools)
    (tool,) = found.chat.tools
    assert (tool.name, tool.description) == ("tide", "High water.")
    assert json.loads(tool.parameters) == {"type": "object", "properties": {"place": {"type": ["string", "null"]}}}
    assert found.asked.needs[Can.TOOLS] == "tools" and found.chat.tool_choice == ToolChoice()


def test_functions_in_json_schema_stay_as_they_are() -> None:
    schema = {"type": "object", "properties": {"Type": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"enum": ["STRING"]}}}
    found = parsed(tools=[{"functionDeclarations": [{"name": "f", "parameters_json_schema": schema, "response_json_schema": {"type": "string"}}]}])
    assert json.loads(found.chat.tools[0].parameters) == schema
    assert found.asked.ignored == ("tools.functionDeclarations.responseJsonSchema",)


def test_a_function_without_parameters_takes_none() -> None:
    assert json.loads(chat(tools=[{"functionDeclarations": [{"name": "f"}]}]).tools[0].parameters) == {"type": "object", "properties": {}}


TWO = [{"functionDeclarations": [DECLARED, {"name": "wind"}]}]


@pytest.mark.parametrize(
    ("config", "names", "choice"),
    [
        ({}, ["tide", "wind"], ToolMode.AUTO),
        ({"mode": "AUTO"}, ["tide", "wind"], ToolMode.AUTO),
        ({"mode": "NONE"}, ["tide", "wind"], ToolMode.NONE),
        ({"mode": "ANY"}, ["tide", "wind"], ToolMode.REQUIRED),
        ({"mode": "any", "allowedFunctionNames": ["wind"]}, ["wind"], ToolMode.REQUIRED),
        ({"mode": "ANY", "allowed_function_names": ["wind", "tide"]}, ["tide", "wind"], ToolMode.REQUIRED),
        ({"mode": "VALIDATED"}, ["tide", "wind"], ToolMode.AUTO),
    ],
)
def test_who_may_be_called(config: Any, names: list[str], choice: ToolMode) -> None:
    found = chat(tools=TWO, tool_config={"function_calling_config": config})
    assert ([tool.name for tool in found.tools], found.tool_choice.mode) == (names, choice)
    assert all(tool.strict == (config.get("mode") == "VALIDATED") for tool in found.tools)


def test_tools_that_may_not_be_called_are_no_need() -> None:
    found = parsed(tools=TWO, toolConfig={"functionCallingConfig": {"mode": "NONE"}}).asked
    assert Can.TOOLS not in found.needs and found.without_effect(frozenset()) == ("tools",)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [{"googleSearch": {}}]}, "tools[0].googleSearch"),
        ({"tools": [{"functionDeclarations": [DECLARED]}, {"code_execution": {}}]}, "tools[1].codeExecution"),
        ({"tools": "x"}, "tools"),
        ({"tools": [{"functionDeclarations": [{"name": "a.b"}]}]}, "tools[0].functionDeclarations[0].name"),
        ({"tools": [{"functionDeclarations": [{"name": "a"}, {"name": "a"}]}]}, "tools[0].functionDeclarations[1].name"),
        (
            {"tools": [{"functionDeclarations": [{"name": "a", "parameters": {"type": "STRING"}}]}]},
            "tools[0].functionDeclarations[0].parameters.type",
        ),
        (
            {"tools": [{"functionDeclarations": [{"name": "a", "parameters": {}, "parametersJsonSchema": {}}]}]},
            "tools[0].functionDeclarations[0].parameters",
        ),
        ({"tools": TWO, "toolConfig": {"functionCallingConfig": {"mode": "SOME"}}}, "toolConfig.functionCallingConfig.mode"),
        ({"toolConfig": {"functionCallingConfig": {"mode": "ANY"}}}, "toolConfig.functionCallingConfig.mode"),
        (
            {"tools": TWO, "toolConfig": {"functionCallingConfig": {"allowedFunctionNames": ["tide"]}}},
            "toolConfig.functionCallingConfig.allowedFunctionNames",
        ),
        (
            {"tools": TWO, "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["tide", "x"]}}},
            "toolConfig.functionCallingConfig.allowedFunctionNames[1]",
        ),
    ],
)
def test_tools_that_are_refused(fields: Any, param: str) -> None:
    assert refused(**fields).param == param


# --- the configuration --------------------------------------------------------------------------------------------


def test_sampling_in_both_spellings() -> None:
    both = {"temperature": 0.5, "seed": 3}
    values = {"topP": 0.9, "topK": 40.0, "maxOutputTokens": 7, "stopSequences": ["a", "", "a"], "presencePenalty": 1, "frequencyPenalty": -1, **both}
    snake = {"top_p": 0.9, "top_k": 40, "max_output_tokens": 7, "stop_sequences": ["a"], "presence_penalty": 1, "frequency_penalty": -1, **both}
    found = chat(generationConfig=values).sampling
    assert found == chat(generation_config=snake).sampling
    assert (found.temperature, found.top_p, found.top_k, found.max_tokens, found.stop) == (0.5, 0.9, 40, 7, ("a",))


@pytest.mark.parametrize(
    ("config", "kind", "text"),
    [
        ({}, None, ""),
        ({"responseMimeType": "text/plain"}, None, ""),
        ({"responseMimeType": "application/json"}, OutputKind.JSON, ""),
        (
            {"responseMimeType": "application/json", "responseSchema": {"type": "ARRAY", "items": {"type": "INTEGER"}}},
            OutputKind.SCHEMA,
            {"type": "array", "items": {"type": "integer"}},
        ),
        ({"response_mime_type": "application/json", "response_json_schema": {"type": "object"}}, OutputKind.SCHEMA, {"type": "object"}),
        ({"_responseJsonSchema": {"const": "STRING"}}, OutputKind.SCHEMA, {"const": "STRING"}),
        ({"responseMimeType": "text/x.enum", "responseSchema": {"type": "STRING", "enum": ["a", "b", "a"]}}, OutputKind.CHOICE, ["a", "b"]),
    ],
)
def test_forms_of_the_answer(config: Any, kind: OutputKind | None, text: Any) -> None:
    found = parsed(generationConfig=config)
    output = found.chat.output
    assert (output.kind if output else None) == kind
    if output is not None:
        assert output.param.startswith("generationConfig.") and found.asked.needs[Can.OUTPUT] == output.param
        assert (json.loads(output.text) if output.text else "") == text


@pytest.mark.parametrize(
    ("thinking", "reasoning", "shown"),
    [
        ({}, Reasoning(), False),
        ({"thinkingBudget": 0}, Reasoning("none"), False),
        ({"thinking_budget": -1, "include_thoughts": True}, Reasoning(), True),
        ({"thinkingBudget": 64}, Reasoning(None, 64), False),
        ({"thinkingLevel": "LOW"}, Reasoning("low"), False),
        ({"thinkingLevel": "high", "includeThoughts": True}, Reasoning("high"), True),
    ],
)
def test_thinking(thinking: Any, reasoning: Reasoning, shown: bool) -> None:
    found = parsed(generationConfig={"thinkingConfig": thinking})
    assert (found.chat.reasoning, found.show_thoughts) == (reasoning, shown)
    missed = ("generationConfig.thinkingConfig",) if reasoning != Reasoning() else ()
    assert found.asked.without_effect(frozenset()) == missed


def test_several_candidates_and_their_probabilities() -> None:
    found = parsed(generationConfig={"candidateCount": 3, "responseLogprobs": True, "logprobs": 2})
    assert (found.chat.n, found.chat.logprobs) == (3, 2)
    assert found.asked.needs[Can.MANY] == "generationConfig.candidateCount" and found.asked.needs[Can.LOGPROBS] == "generationConfig.responseLogprobs"


@pytest.mark.parametrize(
    ("config", "param"),
    [
        ({"temperature": 3}, "temperature"),
        ({"topP": "x"}, "topP"),
        ({"topK": 1.5}, "topK"),
        ({"maxOutputTokens": 0}, "maxOutputTokens"),
        ({"stopSequences": [3]}, "stopSequences[0]"),
        ({"stopSequences": ["a"] * 17}, "stopSequences"),
        ({"candidateCount": 200}, "candidateCount"),
        ({"logprobs": 2}, "logprobs"),
        ({"responseMimeType": "image/png"}, "responseMimeType"),
        ({"responseMimeType": 3}, "responseMimeType"),
        ({"responseMimeType": "text/plain", "responseSchema": {}}, "responseSchema"),
        ({"responseMimeType": "text/x.enum"}, "responseSchema"),
        ({"responseMimeType": "text/x.enum", "responseSchema": {"enum": []}}, "responseSchema.enum"),
        ({"responseSchema": {}, "responseJsonSchema": {}}, "responseJsonSchema"),
        ({"responseSchema": "x"}, "responseSchema"),
        ({"thinkingConfig": {"thinkingLevel": "DEEP"}}, "thinkingConfig.thinkingLevel"),
        ({"thinkingConfig": {"includeThoughts": 1}}, "thinkingConfig.includeThoughts"),
        ({"responseModalities": ["TEXT", "IMAGE"]}, "responseModalities"),
        ({"speechConfig": {}}, "speechConfig"),
    ],
)
def test_configurations_that_are_refused(config: Any, param: str) -> None:
    error = refused(generationConfig=config)
    assert error.param == f"generationConfig.{param}" and "generationConfig." in str(error)


def test_what_has_no_effect_is_listed() -> None:
    found = parsed(safetySettings=[{}], labels={"a": "b"}, generationConfig={"mediaResolution": "LOW"}, toolConfig={"retrievalConfig": {}})
    assert found.asked.ignored == ("safetySettings", "labels", "toolConfig.retrievalConfig", "generationConfig.mediaResolution")


def test_a_cache_elsewhere_is_refused() -> None:
    assert refused(cachedContent="cachedContents/x").param == "cachedContent"


# --- counts and vectors -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [HI, {"generateContentRequest": {"model": "models/m", **HI}}, {"generate_content_request": HI}])
def test_what_is_to_be_counted(body: Any) -> None:
    assert parse_count(body, model="m").chat.messages == (Message(Role.USER, "hi"),)


def test_two_things_to_count_are_refused() -> None:
    with pytest.raises(BadRequest):
        parse_count({**HI, "generateContentRequest": HI}, model="m")


def test_texts_for_vectors() -> None:
    one = parse_embed({"content": {"parts": [{"text": "a"}, {"text": "b"}]}, "outputDimensionality": 4}, model="models/v", batch=False)
    assert (one.texts, one.dimensions, one.asked.model, one.asked.ignored) == (("a\nb",), (4,), "v", ())
    second = {"model": "models/v", "content": {"parts": {"text": "b"}}, "task_type": "X", "title": "t"}
    many = parse_embed({"requests": [{"content": "a"}, second]}, model="v", batch=True)
    assert (many.texts, many.dimensions, many.asked.ignored) == (("a", "b"), (None, None), ("taskType", "title"))


@pytest.mark.parametrize(
    ("body", "batch", "param"),
    [
        ({}, False, "content"),
        ({"content": {"parts": []}}, False, "content"),
        ({"content": {"parts": [{"inlineData": {}}]}}, False, "content.parts[0]"),
        ({"content": "a", "outputDimensionality": 0}, False, "outputDimensionality"),
        ({"requests": []}, True, "requests"),
        ({"requests": [{"content": "a"}, {}]}, True, "requests[1].content"),
        ({"requests": [{"content": "a"}] * 3_000}, True, "requests"),
    ],
)
def test_vectors_that_are_refused(body: Any, batch: bool, param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse_embed(body, model="v", batch=batch)
    assert caught.value.param == param
