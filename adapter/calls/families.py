"""The families that we know, and how to tell them by their templates. Pure.

What models really write was read from their templates and from the answers that llama.cpp's tests hold.
"""

from __future__ import annotations

from dataclasses import replace

from adapter.calls.family import Family
from adapter.calls.gemma4 import Gemma4Calls
from adapter.calls.harmony import TAGS, HarmonyCalls
from adapter.calls.json_calls import JsonCalls
from adapter.calls.named_calls import NamedCalls
from adapter.calls.python_calls import PythonCalls
from adapter.calls.reasoning import THINK, Tags
from adapter.calls.xml_calls import XmlCalls

_HERMES = JsonCalls("<tool_call>", closes=("</tool_call>",), newline="\n")
_BARE = JsonCalls("", also=("<|python_tag|>",), key="parameters", typed=True, between=";")
_MISTRAL_LIST = JsonCalls("[TOOL_CALLS]", listed=True, id=True)
_MISTRAL_NAMED = NamedCalls("[TOOL_CALLS]", "[ARGS]", id="[CALL_ID]")
_GRANITE = JsonCalls("<|tool_call|>", also=("<tool_call>",), listed=True)
_PHI = JsonCalls(
    "<|tool_call|>",
    closes=("<|/tool_call|>",),
    also=("functools",),
    listed=True,
)
_DEEPSEEK = NamedCalls(
    "<｜tool▁call▁begin｜>",  # noqa: RUF001 -- DeepSeek's own characters
    "<｜tool▁sep｜>",  # noqa: RUF001
    close="<｜tool▁call▁end｜>",  # noqa: RUF001
    all="<｜tool▁calls▁begin｜>",  # noqa: RUF001
    end="<｜tool▁calls▁end｜>",  # noqa: RUF001
)
_DEEPSEEK_R1 = NamedCalls(
    _DEEPSEEK.open, _DEEPSEEK.sep, _DEEPSEEK.close, _DEEPSEEK.all, _DEEPSEEK.end, kind="function"
)
_LFM2_MARKS = ("<|tool_call_start|>", "<|tool_call_end|>")
_BRACKETS = Tags("[THINK]", "[/THINK]", again=True)
_GEMMA4_TAGS = Tags("<|channel>thought", "<channel|>", again=True, closes="\n<channel|>", tokens=("<|channel>", "<channel|>"))

GENERIC = Family("generic", (_HERMES,), native=False)
HERMES = Family("hermes", (_HERMES,))
QWEN_XML = Family("qwen-xml", (XmlCalls(), _HERMES), tags=replace(THINK, ended_by=("<tool_call>\n<function=",)))
LLAMA3 = Family("llama3", (_BARE,))
MISTRAL = Family("mistral", (_MISTRAL_LIST, _MISTRAL_NAMED), tags=_BRACKETS, short_ids=True)
MISTRAL_NEW = Family("mistral-new", (_MISTRAL_NAMED, _MISTRAL_LIST), tags=_BRACKETS, short_ids=True)
GEMMA3 = Family("gemma3", (_HERMES, PythonCalls("```tool_code", "```", bare=True)), native=False)
GEMMA4 = Family("gemma4", (Gemma4Calls(),), tags=_GEMMA4_TAGS, next_turn=("<turn|>\n", "<|turn>model\n"))
PHI4 = Family("phi4", (_PHI,))
GRANITE3 = Family("granite3", (_GRANITE,))
GPT_OSS = Family("gpt-oss", (HarmonyCalls(),), tags=TAGS, effort=True)
DEEPSEEK = Family("deepseek", (_DEEPSEEK, _DEEPSEEK_R1))
DEEPSEEK_R1 = Family("deepseek-r1", (_DEEPSEEK_R1, _DEEPSEEK))
LFM2 = Family("lfm2", (PythonCalls(*_LFM2_MARKS),), any_role=True)
APRIEL = Family("apriel", (JsonCalls("<tool_calls>", closes=("</tool_calls>",), listed=True),))

# The first row, all of whose texts are in the template, tells.
_SIGNS: tuple[tuple[tuple[str, ...], Family], ...] = (
    (("<|channel|>", "<|message|>", "analysis"), GPT_OSS),
    (("<|tool_call>", "<tool_call|>"), GEMMA4),
    (("<start_of_turn>",), GEMMA3),
    (("<arg_key>",), GENERIC),
    (("<invoke name=",), GENERIC),
    (("<|start_header_id|>", "<function="), GENERIC),
    (("<|tool_list_start|>",), LFM2),
    (("<|tool_call_start|>",), LFM2),
    (("List of tools: [", "keep_past_thinking"), LFM2),
    (("<tool_calls>[",), APRIEL),
    (("<tool_call>", "<function=", "<parameter="), QWEN_XML),
    (("[TOOL_CALLS]", "[ARGS]"), MISTRAL_NEW),
    (("[TOOL_CALLS]",), MISTRAL),
    (("[THINK]", "[INST]"), MISTRAL_NEW),
    ((_DEEPSEEK.all, "```json"), DEEPSEEK_R1),
    ((_DEEPSEEK.all,), DEEPSEEK),
    (("<|start_header_id|>", "ipython"), LLAMA3),
    (("<|start_of_role|>", "<|tool_call|>"), GRANITE3),
    (("<|tool|>", "<|/tool|>"), PHI4),
    (("<tool_call>", "name"), HERMES),
)


def detect(source: str) -> Family:
    """The family whose template this is, `GENERIC` for all others.

    A model whose template says nothing of reasoning is not offered a block of it where a grammar leads: weak ones take
    any way out, and the block is one without an end.
    """
    found = next((family for signs, family in _SIGNS if all(sign in source for sign in signs)), GENERIC)
    tags = found.tags
    return replace(found, thinks=tags is not None and (tags.open in source or tags.close in source))
