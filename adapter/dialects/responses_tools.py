"""`tools` and `tool_choice` of `POST /v1/responses`, where functions lie flat, -> our words. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adapter.chat import Tool, ToolChoice, ToolMode
from adapter.dialects.openai_tools import MAX_TOOLS, functions_of
from adapter.dialects.openai_values import boolean, kind_of, whole_text, wrong_type
from adapter.errors import BadRequest

Json = dict[str, Any]

_REMEDIES = {
    "web_search": "a function of your own, which may call POST /v1/search",
    "web_search_preview": "a function of your own, which may call POST /v1/search",
    "mcp": "the functions of that server, and call it from your program",
    "custom": "a function with one string as its parameter",
}
_CHOICES = '"auto", "none", "required", {"type": "function", "name": "..."} or {"type": "allowed_tools", ...}'


@dataclass(frozen=True, slots=True)
class FlatTools:
    """tools: those that may be called. shown, choice_shown: all of them, and the choice, as the answer repeats them. parallel: are several calls welcome?"""

    tools: tuple[Tool, ...]
    choice: ToolChoice
    shown: tuple[Json, ...]
    choice_shown: Any
    parallel: bool


def parse_flat_tools(given: Mapping[str, Any]) -> FlatTools:
    """Raises `BadRequest` naming the field: `tools[3].name`, `tool_choice.name` ..."""
    entries = given.get("tools", [])
    if not isinstance(entries, list):
        raise wrong_type("tools", "an array", entries)
    if len(entries) > MAX_TOOLS:
        raise BadRequest(f"'tools' has {len(entries)} entries; at most {MAX_TOOLS} are possible.", param="tools")
    tools = functions_of([(_function(entry, f"tools[{index}]"), f"tools[{index}]") for index, entry in enumerate(entries)])
    value = given.get("tool_choice", "auto")
    # As in a chat: who names the function wants its one call.
    one = isinstance(value, dict) and value.get("type") == "function"
    parallel = boolean(given, "parallel_tool_calls", default=not one)
    allowed, choice = _choice(value, tools, parallel=parallel)
    shown = tuple(_shown(entry, tool) for entry, tool in zip(entries, tools, strict=True))
    return FlatTools(allowed, choice if tools else ToolChoice(), shown, _choice_shown(value), parallel)


def _function(entry: object, where: str) -> object:
    if not isinstance(entry, dict):
        raise wrong_type(where, "an object with 'type' and 'name'", entry)
    kind = entry.get("type")
    if kind == "function":
        if "name" not in entry and isinstance(entry.get("function"), dict):
            raise BadRequest(f"'{where}' has the form of a chat; put 'name' and 'parameters' beside 'type'.", param=f"{where}.name")
        return entry
    if not isinstance(kind, str):
        raise wrong_type(f"{where}.type", "a string", kind)
    remedy = _REMEDIES.get(kind, "a function of your own that does it")
    raise BadRequest(
        f"'{where}' is of type '{whole_text(kind[:40])}': nothing here runs tools, your program does; send {remedy}.", param=f"{where}.type"
    )


def _shown(entry: Json, tool: Tool) -> Json:
    return {
        "type": "function",
        "name": tool.name,
        "description": entry.get("description"),
        "parameters": entry.get("parameters"),
        "strict": tool.strict,
    }


def _choice_shown(value: Any) -> Any:
    """Without what was not looked at."""
    if not isinstance(value, dict):
        return value
    if value["type"] == "function":
        return {"type": "function", "name": value["name"]}
    return {"type": value["type"], "mode": value["mode"], "tools": [{"type": "function", "name": one["name"]} for one in value["tools"]]}


def _choice(value: object, tools: Sequence[Tool], *, parallel: bool) -> tuple[tuple[Tool, ...], ToolChoice]:
    """The tools that may be called, and how."""
    match value:
        case "auto" | "none":
            return tuple(tools), ToolChoice(ToolMode(value), parallel=parallel)
        case "required" if tools:
            return tuple(tools), ToolChoice(ToolMode.REQUIRED, parallel=parallel)
        case "required":
            raise BadRequest("'tool_choice' is \"required\", but there are no 'tools'.", param="tool_choice")
        case {"type": "function", "name": str(name)}:
            _named(name, tools, "tool_choice.name")
            return tuple(tools), ToolChoice(ToolMode.REQUIRED, name, parallel=parallel)
        case {"type": "allowed_tools", "mode": "auto" | "required" as mode, "tools": list(allowed)}:
            names = {_allowed(entry, tools, f"tool_choice.tools[{index}]") for index, entry in enumerate(allowed)}
            if not names:
                raise BadRequest("'tool_choice.tools' is empty; send \"none\" if no tool may be called.", param="tool_choice.tools")
            return tuple(tool for tool in tools if tool.name in names), ToolChoice(ToolMode(mode), parallel=parallel)
        case {"type": str(kind)} if kind not in ("function", "allowed_tools"):
            raise BadRequest(
                f"'tool_choice' of type '{whole_text(kind[:40])}' is not supported: there are functions only; send {_CHOICES}.",
                param="tool_choice.type",
            )
        case _:
            raise BadRequest(f"'tool_choice' must be {_CHOICES}.", param="tool_choice")


def _allowed(entry: object, tools: Sequence[Tool], where: str) -> str:
    match entry:
        case {"type": "function", "name": str(name)}:
            return _named(name, tools, f"{where}.name")
        case dict():
            raise BadRequest(f"'{where}' must be {{\"type\": \"function\", \"name\": \"...\"}}.", param=where)
        case _:
            raise BadRequest(f"'{where}' must be an object, not {kind_of(entry)}.", param=where)


def _named(name: str, tools: Sequence[Tool], where: str) -> str:
    if all(tool.name != name for tool in tools):
        raise BadRequest(f"'{where}' is '{whole_text(name[:64])}', which is none of the tools sent.", param=where)
    return name
