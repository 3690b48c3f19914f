"""A request's tools as parsers and grammars need them, and what makes a set of tools impossible. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from adapter.calls.json_text import NotJson, parse_object
from adapter.chat import Tool, ToolChoice, ToolMode
from adapter.errors import BadRequest

# What every template can print and every call format can hold. OpenAI allows letters, digits, _ and -, up to 64.
_NAME = re.compile(r"[A-Za-z0-9_.:/-]{1,128}")


@dataclass(frozen=True, slots=True)
class Spec:
    """One tool. schema: of its arguments, of type object. param: the request's field with the schema."""

    name: str
    description: str
    schema: dict[str, Any]
    param: str

    @property
    def properties(self) -> dict[str, Any]:
        """The schemas of the arguments that have one."""
        found = self.schema.get("properties")
        return found if isinstance(found, dict) else {}

    @property
    def closed(self) -> bool:
        """Does the schema list all arguments that there are? It does if it lists any and does not ask for others."""
        return "properties" in self.schema and not self.schema.get("additionalProperties")

    @property
    def required(self) -> list[str]:
        """The arguments that a call must have, of those with a schema."""
        found = self.schema.get("required")
        return [name for name in self.properties if isinstance(found, list) and name in found]


class ToolBox:
    """The tools that the model may call, by name."""

    def __init__(self, specs: Sequence[Spec]) -> None:
        self._specs = {spec.name: spec for spec in specs}

    def __contains__(self, name: object) -> bool:
        return name in self._specs

    def __getitem__(self, name: str) -> Spec:
        return self._specs[name]

    def __iter__(self) -> Iterator[Spec]:
        return iter(self._specs.values())

    def __len__(self) -> int:
        return len(self._specs)

    def only(self, name: str | None) -> ToolBox:
        """Just this one; `None` for all."""
        return self if name is None else ToolBox([self._specs[name]])


def tools_of(tools: Sequence[Tool], choice: ToolChoice) -> ToolBox:
    """The tools that the model gets to see: none for `tool_choice` "none". Raises `BadRequest`."""
    specs = [_spec(tool, f"tools[{index}].function") for index, tool in enumerate(tools)]
    seen: set[str] = set()
    for index, spec in enumerate(specs):
        if spec.name in seen:
            raise BadRequest(
                f"Two tools are called '{spec.name}'; give each its own name.", param=f"tools[{index}].function.name"
            )
        seen.add(spec.name)
    if choice.mode is ToolMode.REQUIRED and not specs:
        raise BadRequest("tool_choice asks for a call, but there are no tools; send some.", param="tool_choice")
    if choice.name is not None and choice.name not in seen:
        raise BadRequest(f"tool_choice names '{choice.name}', which is not among the tools.", param="tool_choice")
    return ToolBox([] if choice.mode is ToolMode.NONE else specs)


def _spec(tool: Tool, param: str) -> Spec:
    if not _NAME.fullmatch(tool.name):
        raise BadRequest(
            f"'{tool.name[:80]}' cannot be a tool's name; use 1 to 128 letters, digits or any of _ - . : /",
            param=f"{param}.name",
        )
    where = f"{param}.parameters"
    try:
        schema = parse_object(tool.parameters)
    except NotJson as exc:
        raise BadRequest("A tool's parameters must be a JSON schema (an object).", param=where) from exc
    kind = schema.get("type", "object")
    if kind != "object" and not (isinstance(kind, list) and "object" in kind):
        raise BadRequest("A tool's parameters must be a schema of type 'object'.", param=where)
    if not schema.keys() - {"type"}:
        schema = {"type": "object", "properties": {}}  # OpenAI: a function without parameters
    return Spec(tool.name, tool.description, {**schema, "type": "object"}, where)
