"""JSON values that mean calls: `{"name", "arguments"}` and its many relatives. Pure."""

from __future__ import annotations

from typing import Any

from adapter.calls.json_text import to_json
from adapter.calls.tools import Spec
from adapter.emulate.loose import strict_value
from adapter.emulate.names import Names
from adapter.emulate.pieces import Call, Fault, FaultKind, Part

NAME_KEYS = ("name", "tool", "tool_name", "function", "function_name", "action")
ARGUMENT_KEYS = ("arguments", "parameters", "args", "input", "params", "tool_input", "action_input", "tool_args", "kwargs")
WRAP_KEYS = ("tool_calls", "tool_call", "function_call", "function_calls", "function", "calls")
# Keys beside the name and the arguments that say nothing.
NOTE_KEYS = ("type", "id", "index", "call_id", "thought", "thoughts", "reasoning", "explanation")
CALL_TYPES = ("function", "tool_call", "tool_use", "function_call", "tool")
_MAX_LEVELS = 4
_MISSING = object()


def calls_in(value: Any, names: Names, *, marked: bool, repairs: tuple[str, ...] = ()) -> list[Part] | None:
    """The calls that a value means, `None` if it means none. marked: something before it has said that it is a call, so that
    a wrong name is a fault and missing arguments are none."""
    return _Reader(names, marked, repairs).read(value, _MAX_LEVELS)


class _Reader:
    def __init__(self, names: Names, marked: bool, repairs: tuple[str, ...]) -> None:
        self._names = names
        self._marked = marked
        self._repairs = repairs

    def read(self, value: Any, levels: int) -> list[Part] | None:
        if isinstance(value, list):
            found = [self.read(one, levels - 1) for one in value] if levels else []
            if not found or any(one is None for one in found):
                return self._broken(value) if found and self._marked else None
            return [part for one in found if one is not None for part in one]
        if not isinstance(value, dict) or not levels:
            return self._broken(value) if self._marked else None
        return self._object(value, levels)

    def _object(self, value: dict[str, Any], levels: int) -> list[Part] | None:
        named = [one for one in NAME_KEYS if isinstance(value.get(one), str)]
        wrap = next((one for one in WRAP_KEYS if isinstance(value.get(one), dict | list)), None)
        if wrap is not None and not named:
            return self.read(value[wrap], levels - 1)
        # A tool may have an argument called "name": the key with a tool's name in it counts.
        key = next((one for one in named if value[one] in self._names), named[0] if named else None)
        if key is None or not self._type_fits(value):
            return self._by_key(value)
        name = self._names.resolve(value[key])
        if name is None:
            return self._unknown(value, value[key]) if self._marked else None
        arguments = self._arguments(value, key, name)
        if arguments is _MISSING:
            return None
        return [Call(name, arguments, (*self._repairs, *_renamed(value[key], name)))]

    def _type_fits(self, value: dict[str, Any]) -> bool:
        return self._marked or value.get("type", "function") in CALL_TYPES

    def _arguments(self, value: dict[str, Any], name_key: str, name: str) -> Any:
        """The arguments as they stand there; `_MISSING` where the value is no call after all."""
        found = next((one for one in ARGUMENT_KEYS if one in value), None)
        if found is not None and (isinstance(value[found], dict) or found not in self._names[name].properties):
            return as_arguments(value[found], self._names[name])
        rest = {key: one for key, one in value.items() if key != name_key and key not in NOTE_KEYS}
        if rest and all(key in self._names[name].properties for key in rest):
            return rest
        if not rest and (self._marked or (name_key != "name" and not self._names[name].required)):
            return {}
        return rest if self._marked else _MISSING

    def _by_key(self, value: dict[str, Any]) -> list[Part] | None:
        """`{"now": {"zone": "UTC"}}`"""
        if len(value) == 1:
            (written, inner) = next(iter(value.items()))
            name = self._names.resolve(written)
            if name is not None and isinstance(inner, dict):
                return [Call(name, inner, (*self._repairs, *_renamed(written, name)))]
        return self._broken(value) if self._marked else None

    def _broken(self, value: Any) -> list[Part]:
        return [Fault(FaultKind.BROKEN, 'a call needs "name" and "arguments"', to_json(value))]

    def _unknown(self, value: Any, name: str) -> list[Part]:
        return [unknown_name(name, self._names, to_json(value))]


def unknown_name(name: str, names: Names, raw: str) -> Fault:
    """The fault of a call whose tool there is not."""
    known = ", ".join(spec.name for spec in names)
    return Fault(FaultKind.NAME, f"there is no function called '{name[:80]}'; there are: {known}", raw)


def as_arguments(value: Any, tool: Spec) -> Any:
    """Arguments as an object, also where they came as a string with JSON in it, or as nothing at all. A lone value is that of
    the only argument there is, or must be."""
    if isinstance(value, str) and (inner := value.strip())[:1] == "{":
        read = strict_value(inner)
        if read is not None and not inner[read[1] :].strip():
            return read[0]
    if value is None or value == "":
        return {}
    only = list(tool.properties) if len(tool.properties) == 1 else tool.required
    if isinstance(value, str | int | float | bool) and len(only) == 1:
        return {only[0]: value}
    return value


def _renamed(written: str, name: str) -> tuple[str, ...]:
    return () if written == name else (f"the name {written[:80]!r} read as {name!r}",)
