"""`tools` and `toolConfig` of Gemini's form -> our words. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from adapter.chat import Tool, ToolChoice, ToolMode
from adapter.dialects.gemini_values import fields, listed, text_of
from adapter.dialects.openai_tools import MAX_TOOLS, MAX_TOOLS_CHARS
from adapter.dialects.openai_values import json_text, wrong_type
from adapter.dialects.schema_repair import repair_parameters
from adapter.errors import BadRequest

# A grammar and a template can write such a name without quoting it; Google also allows dots and colons.
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_MODES = {"AUTO": ToolMode.AUTO, "NONE": ToolMode.NONE, "ANY": ToolMode.REQUIRED, "VALIDATED": ToolMode.AUTO, "MODE_UNSPECIFIED": ToolMode.AUTO}
_CONFIG = "toolConfig.functionCallingConfig"


@dataclass(frozen=True, slots=True)
class GeminiTools:
    tools: tuple[Tool, ...] = ()
    choice: ToolChoice = field(default_factory=ToolChoice)
    ignored: tuple[str, ...] = ()


def parse_tools(given: Mapping[str, Any]) -> GeminiTools:
    """given: the body's fields. Raises `BadRequest` naming the field: `tools[0].functionDeclarations[1].name`, `tools[1].googleSearch` ..."""
    tools: dict[str, Tool] = {}
    ignored: list[str] = []
    for index, entry in enumerate(listed(given.get("tools"), "tools")):
        where = f"tools[{index}]"
        for name, value in fields(entry, where).items():
            if name != "functionDeclarations":
                raise BadRequest(
                    f"'{where}.{name}' is not supported: nothing here runs tools for the model; send functionDeclarations and run them yourself.",
                    param=f"{where}.{name}",
                )
            _declared(value, f"{where}.{name}", tools, ignored)
    if sum(len(tool.description) + len(tool.parameters) for tool in tools.values()) > MAX_TOOLS_CHARS:
        raise BadRequest(f"'tools' has descriptions and schemas of more than {MAX_TOOLS_CHARS} characters.", param="tools")
    found, choice = _chosen(given, tuple(tools.values()), ignored)
    return GeminiTools(found, choice, tuple(dict.fromkeys(ignored)))


def _declared(value: object, where: str, tools: dict[str, Tool], ignored: list[str]) -> None:
    for index, entry in enumerate(listed(value, where)):
        tool = _tool(entry, f"{where}[{index}]", ignored)
        if tool.name in tools:
            raise BadRequest(f"'{where}[{index}].name' is '{tool.name}', which another one has already.", param=f"{where}[{index}].name")
        tools[tool.name] = tool
    if len(tools) > MAX_TOOLS:
        raise BadRequest(f"'{where}' has {len(tools)} entries; at most {MAX_TOOLS} are possible.", param=where)


def _tool(entry: object, where: str, ignored: list[str]) -> Tool:
    given = fields(entry, where)
    name = given.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise BadRequest(f"'{where}.name' must be 1 to 64 letters, digits, '_' or '-'.", param=f"{where}.name")
    ignored += (f"tools.functionDeclarations.{key}" for key in given if key not in _HONOURED)
    return Tool(name, text_of(given, "description", where), _parameters(given, where))


_HONOURED = frozenset({"name", "description", "parameters", "parametersJsonSchema"})


def _parameters(given: Mapping[str, Any], where: str) -> str:
    """Gemini's dialect of schemas (types in capitals, `nullable`) or JSON Schema. Without either the function takes nothing."""
    dialect, plain = given.get("parameters"), given.get("parametersJsonSchema")
    if dialect is not None and plain is not None:
        raise BadRequest(f"'{where}.parameters' and '{where}.parametersJsonSchema' say the same; send only one of them.", param=f"{where}.parameters")
    name = "parameters" if plain is None else "parametersJsonSchema"
    value = dialect if plain is None else plain
    if value is None:
        value = {}
    if not isinstance(value, dict):
        raise wrong_type(f"{where}.{name}", "a schema, which is an object", value)
    kind = value.get("type", "object")
    if str(kind).lower() != "object" and not (isinstance(kind, list) and "object" in kind):
        raise BadRequest(f"'{where}.{name}.type' must be OBJECT: arguments have names.", param=f"{where}.{name}.type")
    if plain is None or "properties" not in value:
        value = repair_parameters(value)
    return json_text(value, f"{where}.{name}")


def _chosen(given: Mapping[str, Any], tools: tuple[Tool, ...], ignored: list[str]) -> tuple[tuple[Tool, ...], ToolChoice]:
    """The tools that may be called, and how."""
    if "toolConfig" not in given:
        return tools, ToolChoice()
    outer = fields(given["toolConfig"], "toolConfig")
    ignored += (f"toolConfig.{key}" for key in outer if key != "functionCallingConfig")
    config = fields(outer.get("functionCallingConfig", {}), _CONFIG)
    ignored += (f"{_CONFIG}.{key}" for key in config if key not in ("mode", "allowedFunctionNames"))
    word = config.get("mode", "AUTO")
    mode = _MODES.get(word.upper()) if isinstance(word, str) else None
    if mode is None:
        raise BadRequest(f"'{_CONFIG}.mode' must be AUTO, NONE, ANY or VALIDATED.", param=f"{_CONFIG}.mode")
    if mode is ToolMode.REQUIRED and not tools:
        raise BadRequest(f"'{_CONFIG}.mode' is ANY, but there are no functions in 'tools'.", param=f"{_CONFIG}.mode")
    if word.upper() == "VALIDATED":
        tools = tuple(replace(tool, strict=True) for tool in tools)
    if not (allowed := listed(config.get("allowedFunctionNames"), f"{_CONFIG}.allowedFunctionNames")):
        return tools, ToolChoice(mode)
    if word.upper() not in ("ANY", "VALIDATED"):
        raise BadRequest(f"'{_CONFIG}.allowedFunctionNames' needs the mode ANY or VALIDATED.", param=f"{_CONFIG}.allowedFunctionNames")
    return _allowed(tools, allowed), ToolChoice(mode)


def _allowed(tools: tuple[Tool, ...], allowed: list[Any]) -> tuple[Tool, ...]:
    """Only these: what the model does not see it cannot call."""
    where = f"{_CONFIG}.allowedFunctionNames"
    for index, name in enumerate(allowed):
        if not any(tool.name == name for tool in tools):
            raise BadRequest(f"'{where}[{index}]' is none of the functions in 'tools'.", param=f"{where}[{index}]")
    return tuple(tool for tool in tools if tool.name in allowed)
