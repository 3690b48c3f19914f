"""Templates of real models: what a conversation with tools looks like to each of them."""

from __future__ import annotations

from datetime import datetime

import pytest

from adapter.calls.families import detect
from adapter.chat import Message, Reasoning, Role, ToolCall, ToolChoice, ToolMode
from adapter.engines.llama.template import ChatTemplate
from tests.unit.calls_cases import (
    ALL,
    CODER,
    GEMMA2,
    GEMMA4,
    GPT_OSS,
    GRANITE4,
    GRANITE33,
    HERMES,
    HI,
    LFM2,
    LFM25,
    LLAMA31,
    LLAMA32,
    MINISTRAL,
    NEMO,
    PHI4,
    PHI35,
    QWEN3,
    QWEN25,
    QWEN35,
    R1,
    SMALL,
    V31,
    asked,
    source_of,
)

CALLS = (
    ToolCall("call_abc123", "get_weather", '{"city": "Zürich", "days": 2}'),
    ToolCall("call_def456", "now", "{}"),
)
HISTORY = (
    Message(Role.SYSTEM, "Be brief."),
    HI,
    Message(Role.ASSISTANT, "", tool_calls=CALLS),
    Message(Role.TOOL, "sunny", tool_call_id="call_abc123"),
    Message(Role.TOOL, "noon", tool_call_id="call_def456"),
)
FAMILIES = {
    QWEN25: "hermes", QWEN3: "hermes", CODER: "qwen-xml", QWEN35: "qwen-xml", HERMES: "hermes", LLAMA31: "llama3",
    LLAMA32: "llama3", NEMO: "mistral", SMALL: "mistral-new", MINISTRAL: "mistral-new", GEMMA2: "gemma3", GEMMA4: "gemma4",
    PHI35: "generic", PHI4: "phi4", GRANITE33: "granite3", GRANITE4: "hermes", GPT_OSS: "gpt-oss", R1: "deepseek-r1",
    V31: "deepseek", LFM2: "lfm2", LFM25: "lfm2",
}  # fmt: skip
# How the first call, its result and the end of the prompt look.
REPLAYED = {
    QWEN25: ('<tool_call>\n{"name": "get_weather", "arguments": {"city": "Zürich", "days": 2}}\n</tool_call>',
             "<|im_start|>user\n<tool_response>\nsunny\n</tool_response>", "<|im_start|>assistant\n"),
    QWEN3: ('<tool_call>\n{"name": "get_weather", "arguments": {"city": "Zürich", "days": 2}}\n</tool_call>',
            "<|im_start|>user\n<tool_response>\nsunny\n</tool_response>", "<|im_start|>assistant\n"),
    CODER: ("<function=get_weather>\n<parameter=city>\nZürich\n</parameter>\n<parameter=days>\n2\n</parameter>\n</function>",
            "<tool_response>\nsunny\n</tool_response>", "<|im_start|>assistant\n"),
    QWEN35: ("<function=get_weather>\n<parameter=city>\nZürich\n</parameter>\n<parameter=days>\n2\n</parameter>\n</function>",
             "<tool_response>\nsunny\n</tool_response>", "<|im_start|>assistant\n<think>\n"),
    HERMES: ('{"name": "get_weather", "arguments": {"city": "Zürich", "days": 2}}',
             "<|im_start|>tool\n<tool_response>\nsunny\n</tool_response>", "<|im_start|>assistant\n"),
    LLAMA31: ('assistant<|end_header_id|>\n\n{"name": "get_weather", "parameters": {"city": "Zürich", "days": 2}}<|eot_id|>',
              'ipython<|end_header_id|>\n\n"sunny"<|eot_id|>', "<|start_header_id|>assistant<|end_header_id|>\n\n"),
    LLAMA32: ('assistant<|end_header_id|>\n\n{"name": "get_weather", "parameters": {"city": "Zürich", "days": 2}}<|eot_id|>',
              'ipython<|end_header_id|>\n\n"sunny"<|eot_id|>', "<|start_header_id|>assistant<|end_header_id|>\n\n"),
    NEMO: ('[TOOL_CALLS][{"name": "get_weather", "arguments": {"city": "Zürich", "days": 2}, "id": "',
           '[TOOL_RESULTS]{"content": sunny, "call_id": "', "[/TOOL_RESULTS]"),
    SMALL: ("[TOOL_CALLS]get_weather[CALL_ID]", "[TOOL_CONTENT]sunny[/TOOL_RESULTS]", "[/TOOL_RESULTS]"),
    MINISTRAL: ('[TOOL_CALLS]get_weather[ARGS]{"city": "Zürich", "days": 2}', "[TOOL_RESULTS]sunny[/TOOL_RESULTS]",
                "[/TOOL_RESULTS]"),
    GEMMA2: ('<start_of_turn>model\n<tool_call>\n{"name": "get_weather", "arguments": {"city": "Zürich", "days": 2}}',
             "<start_of_turn>user\n<tool_response>\nget_weather: sunny\n</tool_response>", "<start_of_turn>model\n"),
    GEMMA4: ('<|tool_call>call:get_weather{city:<|"|>Zürich<|"|>,days:2}<tool_call|>',
             '<|tool_response>response:get_weather{value:<|"|>sunny<|"|>}<tool_response|>', "<tool_response|>"),
    PHI35: ('<|assistant|>\n<tool_call>\n{"name": "get_weather", "arguments": {"city": "Zürich", "days": 2}}',
            "<|user|>\n<tool_response>\nget_weather: sunny\n</tool_response>", "<|assistant|>\n"),
    PHI4: ('<|assistant|><|tool_call|>[{"name": "get_weather", "arguments": {"city": "Zürich", "days": 2}}, {"name": "now"',
           "<|user|><tool_response>\nget_weather: sunny\n</tool_response>", "<|assistant|>"),
    GRANITE33: ('<|tool_call|>[{"name": "get_weather", "arguments": {"city": "Zürich", "days": 2}}, {"name": "now"',
                "user<|end_of_role|><tool_response>\nget_weather: sunny\n</tool_response>",
                "<|start_of_role|>assistant<|end_of_role|>"),
    GRANITE4: ('<tool_call>\n{"name": "get_weather", "arguments": {"city": "Zürich", "days": 2}}\n</tool_call>',
               "<tool_response>\nsunny\n</tool_response>", "<|start_of_role|>assistant<|end_of_role|>"),
    GPT_OSS: (' to=functions.get_weather<|channel|>commentary json<|message|>{"city": "Zürich", "days": 2}<|call|>',
              '<|start|>functions.get_weather to=assistant<|channel|>commentary<|message|>"sunny"<|end|>', "<|start|>assistant"),
    R1: ('function<｜tool▁sep｜>get_weather\n```json\n{"city": "Zürich", "days": 2}\n```',  # noqa: RUF001
         "<｜tool▁output▁begin｜>sunny<｜tool▁output▁end｜>", "<｜tool▁outputs▁end｜>"),  # noqa: RUF001
    V31: ('<｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>{"city": "Zürich", "days": 2}',  # noqa: RUF001
          "<｜tool▁output▁begin｜>sunny<｜tool▁output▁end｜>", "<｜tool▁output▁end｜>"),  # noqa: RUF001
    LFM2: ("<|tool_call_start|>[get_weather(city='Zürich', days=2), now()]<|tool_call_end|>",
           "<|im_start|>tool\nsunny<|im_end|>", "<|im_start|>assistant\n"),
    LFM25: ("<|tool_call_start|>[get_weather(city=", "<|im_start|>tool\nsunny<|im_end|>", "<|im_start|>assistant\n"),
}  # fmt: skip
NATIVE = set(ALL) - {GEMMA2, PHI35, R1, V31}


def template_of(name: str) -> ChatTemplate:
    return ChatTemplate(source_of(name), bos="<bos>", eos="<eos>", now=lambda: datetime(2026, 11, 20))


@pytest.mark.parametrize("name", ALL)
def test_family(name: str) -> None:
    assert detect(source_of(name)).name == FAMILIES[name]


@pytest.mark.parametrize("name", ALL)
def test_tools_calls_and_results_reach_the_model(name: str) -> None:
    prompt = template_of(name).render(asked(messages=HISTORY)).prompt
    call, result, end = REPLAYED[name]
    before = prompt[: prompt.index(call)]
    assert "get_weather" in before
    assert "Weather of a place." in before
    assert "notes.add" in before
    assert ("You can call these functions" in before) == (name not in NATIVE)
    assert prompt.index(call) < prompt.index(result)
    assert "noon" in prompt
    assert prompt.endswith(end)


@pytest.mark.parametrize("name", ALL)
def test_both_calls_are_replayed(name: str) -> None:
    """Also where a template takes one call a message, and raises at two or leaves the second out."""
    prompt = template_of(name).render(asked(messages=HISTORY)).prompt
    call = prompt.index(REPLAYED[name][0])
    assert "now" in prompt[call + len("get_weather") : prompt.index("noon")]


@pytest.mark.parametrize("name", ALL)
def test_partial_answer_is_the_prompts_end(name: str) -> None:
    partial = " Once upon\n a "
    for tools in ((), asked().tools):
        chat = asked(messages=(*HISTORY[:2], Message(Role.ASSISTANT, partial)), tools=tools)
        assert template_of(name).render(chat).prompt.endswith(partial)


@pytest.mark.parametrize("name", ALL)
def test_no_tools_no_trace(name: str) -> None:
    template = template_of(name)
    for chat in (asked(tools=()), asked(tool_choice=ToolChoice(ToolMode.NONE))):
        rendered = template.render(chat)
        assert "get_weather" not in rendered.prompt
        assert rendered.plan.grammar is None


@pytest.mark.parametrize("name", [NEMO, SMALL])
def test_short_ids_pair_calls_with_results(name: str) -> None:
    """Mistral wants nine letters and digits; the same id becomes the same, a right one stays."""
    prompt = template_of(name).render(asked(messages=HISTORY)).prompt
    first, second = prompt.index("sunny"), prompt.index("noon")
    ids = [part[:9] for part in prompt.replace('"id": "', "[CALL_ID]").split("[CALL_ID]")[1:]]
    assert len(set(ids)) == 2
    assert all(ident.isalnum() and prompt.count(ident) == 2 for ident in ids)
    assert prompt.rindex(ids[0]) < second
    assert prompt.rindex(ids[1]) > first
    call = ToolCall("abcDEF123", "now", "{}")
    own = (HI, Message(Role.ASSISTANT, "", tool_calls=(call,)), Message(Role.TOOL, "noon", tool_call_id=call.id))
    assert template_of(name).render(asked(messages=own)).prompt.count("abcDEF123") == 2


@pytest.mark.parametrize(
    ("name", "reasoning", "shown", "end"),
    [
        (QWEN3, Reasoning(effort="none"), "", "<think>\n\n</think>\n\n"),
        (QWEN3, Reasoning(effort="high"), "", "<|im_start|>assistant\n"),
        (QWEN35, Reasoning(max_tokens=0), "", "<think>\n\n</think>\n\n"),
        (GPT_OSS, Reasoning(), "Reasoning: medium", ""),
        (GPT_OSS, Reasoning(effort="high"), "Reasoning: high", ""),
        (GPT_OSS, Reasoning(effort="none"), "Reasoning: low", ""),
        (V31, Reasoning(), "", "<think></think>"),
        (V31, Reasoning(effort="low"), "", "<｜Assistant｜><think>"),  # noqa: RUF001
        (GEMMA4, Reasoning(), "", "<|turn>model\n<|channel>thought\n<channel|>"),
        (GEMMA4, Reasoning(effort="low"), "<|think|>", "<|turn>model\n"),
        (R1, Reasoning(effort="none"), "", "<think>\n</think>"),
        (R1, Reasoning(effort="high"), "", "<think>\n"),
    ],
)
def test_reasoning_in_the_templates_own_way(name: str, reasoning: Reasoning, shown: str, end: str) -> None:
    prompt = template_of(name).render(asked(tools=(), reasoning=reasoning)).prompt
    assert shown in prompt
    assert prompt.endswith(end)


def test_gemma_4_goes_on_after_a_call_with_text() -> None:
    """Its template does not begin the model's turn there (llama.cpp mends it, too)."""
    said = (HI, Message(Role.ASSISTANT, "I look.", tool_calls=CALLS[:1]), HISTORY[3])
    assert template_of(GEMMA4).render(asked(messages=said)).prompt.endswith("<turn|>\n<|turn>model\n")
