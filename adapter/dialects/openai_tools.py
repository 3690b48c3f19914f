"""`tools` and `tool_choice`, and their forerunners `functions` and `function_call`, -> our words. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from adapter.chat import Tool, ToolChoice, ToolMode
from adapter.dialects.openai_values import boolean, json_text, kind_of, whole_text, wrong_type
from adapter.errors import BadRequest

# OpenClaw's largest recorded turn has 54 tools of 110 kB; more than these bounds fits no context of a phone.
MAX_TOOLS = 256
MAX_TOOLS_CHARS = 1 << 20
# OpenAI's own rule; a grammar and a template can write such a name without quoting it.
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_FIELDS = frozenset({"tools", "tool_choice", "parallel_tool_calls", "functions", "function_call"})
# A function without parameters takes none. Spelled out, since chat templates look into `properties`.
_NO_PARAMETERS = '{"type": "object", "properties": {}}'


@dataclass(frozen=True, slots=True)
class AskedTools:
    """The tools of a request. legacy: they came as `functions`, and calls are answered as `function_call`."""

    tools: tuple[Tool, ...] = ()
    choice: ToolChoice = field(default_factory=ToolChoice)
    legacy: bool = False

    @property
    def param(self) -> str:
        return "functions" if self.legacy else "tools"


_NO_TOOLS = AskedTools()


def parse_tools(given: Mapping[str, Any]) -> AskedTools:
    """Raises `BadRequest` naming the field: `tools[3].function.name`, `tool_choice` ..."""
    if _FIELDS.isdisjoint(given):
        return _NO_TOOLS
    functions = _array(given, "functions")
    tools = _array(given, "tools")
    if functions and tools:
        raise BadRequest("'functions' is the old form of 'tools'; send only one of them.", param="functions")
    if functions:
        return _old_form(given, functions)
    parsed = functions_of([(_function_of(entry, f"tools[{i}]"), f"tools[{i}].function") for i, entry in enumerate(tools)])
    if "function_call" in given:
        _choice_without_functions(given["function_call"])
    # Who names the function wants its one call: Instructor and LangChain read an object of it, and Instructor fails where there are two.
    parallel = boolean(given, "parallel_tool_calls", default=not isinstance(given.get("tool_choice"), dict))
    choice = _choice(given.get("tool_choice", "auto"), parsed, parallel=parallel)
    return AskedTools(parsed, choice) if parsed else AskedTools()


def _old_form(given: Mapping[str, Any], functions: Sequence[object]) -> AskedTools:
    """One call at most: the old answer has room for no more."""
    entries = [(entry, f"functions[{index}]") for index, entry in enumerate(functions)]
    tools = functions_of(entries)
    if given.get("tool_choice", "auto") != "auto":
        raise BadRequest("'tool_choice' belongs to 'tools'; with 'functions' send 'function_call'.", param="tool_choice")
    value = given.get("function_call", "auto")
    match value:
        case "auto" | "none":
            choice = ToolChoice(ToolMode(value), parallel=False)
        case {"name": str(name)}:
            _must_be_one_of(name, tools, "function_call.name")
            choice = ToolChoice(ToolMode.REQUIRED, name, parallel=False)
        case _:
            raise BadRequest(
                '\'function_call\' must be "auto", "none" or {"name": "..."}.', param="function_call"
            )
    return AskedTools(tools, choice, legacy=True)


def _array(given: Mapping[str, Any], name: str) -> list[Any]:
    value = given.get(name, [])
    if not isinstance(value, list):
        raise wrong_type(name, "an array", value)
    if len(value) > MAX_TOOLS:
        raise BadRequest(f"'{name}' has {len(value)} entries; at most {MAX_TOOLS} are possible.", param=name)
    return value


def _function_of(entry: object, where: str) -> object:
    if not isinstance(entry, dict):
        raise wrong_type(where, "an object with 'type' and 'function'", entry)
    kind = entry.get("type")
    if kind != "function":
        shown = f"'{kind:.40}'" if isinstance(kind, str) else kind_of(kind)
        raise BadRequest(
            f"'{where}.type' must be 'function'; tools of type {shown} are not supported.", param=f"{where}.type"
        )
    return entry.get("function")


def functions_of(entries: Sequence[tuple[object, str]]) -> tuple[Tool, ...]:
    """Functions as they came, each with its place in the request for error texts."""
    tools: dict[str, Tool] = {}
    size = 0
    for entry, where in entries:
        tool = _tool(entry, where)
        if tool.name in tools:
            raise BadRequest(f"'{where}.name' is '{tool.name}', which another one has already.", param=f"{where}.name")
        tools[tool.name] = tool
        size += len(tool.description) + len(tool.parameters)
        if size > MAX_TOOLS_CHARS:
            param = where.partition("[")[0]
            raise BadRequest(
                f"'{param}' has descriptions and schemas of more than {MAX_TOOLS_CHARS} characters.", param=param
            )
    return tuple(tools.values())


def _tool(entry: object, where: str) -> Tool:
    if not isinstance(entry, dict):
        raise wrong_type(where, "an object with 'name'", entry)
    name = entry.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise BadRequest(
            f"'{where}.name' must be 1 to 64 letters, digits, '_' or '-'.", param=f"{where}.name"
        )
    description = entry.get("description") or ""
    if not isinstance(description, str):
        raise wrong_type(f"{where}.description", "a string", description)
    strict = entry.get("strict") or False
    if not isinstance(strict, bool):
        raise wrong_type(f"{where}.strict", "true or false", strict)
    return Tool(name, whole_text(description), _parameters(entry.get("parameters"), f"{where}.parameters"), strict)


def _parameters(value: object, where: str) -> str:
    if value is None:
        return _NO_PARAMETERS
    if not isinstance(value, dict):
        raise wrong_type(where, "a JSON schema, which is an object", value)
    kind = value.get("type", "object")
    if kind != "object" and not (isinstance(kind, list) and "object" in kind):
        raise BadRequest(f"'{where}.type' must be 'object': arguments have names.", param=f"{where}.type")
    return json_text(value, where)


def _choice(value: object, tools: Sequence[Tool], *, parallel: bool) -> ToolChoice:
    match value:
        case "auto" | "none":
            return ToolChoice(ToolMode(value), parallel=parallel)
        case "required" if tools:
            return ToolChoice(ToolMode.REQUIRED, parallel=parallel)
        case "required":
            raise BadRequest("'tool_choice' is \"required\", but there are no 'tools'.", param="tool_choice")
        case {"type": "function", "function": {"name": str(name)}}:
            _must_be_one_of(name, tools, "tool_choice.function.name")
            return ToolChoice(ToolMode.REQUIRED, name, parallel=parallel)
        case {"type": str(kind)} if kind != "function":
            raise BadRequest(
                f"'tool_choice' of type '{kind:.40}' is not supported; send \"auto\", \"none\", \"required\" or one "
                "function, and only the tools that may be called.",
                param="tool_choice",
            )
        case _:
            raise BadRequest(
                '\'tool_choice\' must be "auto", "none", "required" or '
                '{"type": "function", "function": {"name": "..."}}.',
                param="tool_choice",
            )


def _must_be_one_of(name: str, tools: Sequence[Tool], where: str) -> None:
    if all(tool.name != name for tool in tools):
        raise BadRequest(f"'{where}' is '{name:.64}', which is none of the tools sent.", param=where)


def _choice_without_functions(value: object) -> None:
    if value not in ("auto", "none"):
        raise BadRequest("'function_call' wants a call, but there are no 'functions'.", param="function_call")
