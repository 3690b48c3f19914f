"""Tool calls in chunks of a server of OpenAI's kind -> our deltas. Pure.

What is mended (`protocols/clients.md` 5): no `index`, the same `index` for every call (Ollama), no `id`, the same `id` twice, arguments
as an object, no arguments at all.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from adapter.chat import ToolCallDelta
from adapter.errors import OutputInvalid, UpstreamProtocol


class Joiner:
    """Text that comes in pieces, in whole characters: half a surrogate pair waits for the other half."""

    def __init__(self) -> None:
        self._half = ""

    def feed(self, text: str) -> str:
        if self._half:
            text, self._half = self._half + text, ""
        if text.isascii():
            return text
        if "\ud800" <= text[-1] <= "\udbff":
            text, self._half = text[:-1], text[-1]
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

    def flush(self) -> str:
        half, self._half = self._half, ""
        return "\ufffd" if half else ""


@dataclass(slots=True)
class _Call:
    """place: the server's own index. given: its own id. told: the first delta has been sent."""

    number: int
    place: int | None
    given: str
    name: str = ""
    told: bool = False
    waiting: str = ""
    arguments: list[str] = field(default_factory=list)
    joiner: Joiner = field(default_factory=Joiner)


class Calls:
    """The calls of one choice. made_up: begins the ids of calls that came without one."""

    def __init__(self, choice: int, made_up: str) -> None:
        self._choice = choice
        self._made_up = made_up
        self._call: _Call | None = None
        self._ids: set[str] = set()
        self._places: set[int] = set()
        self.count = 0

    def feed(self, entry: object) -> Iterator[ToolCallDelta]:
        """One entry of `delta.tool_calls`. Raises `OutputInvalid`, `UpstreamProtocol`."""
        if not isinstance(entry, dict):
            return
        function = entry.get("function")
        function = function if isinstance(function, dict) else entry
        place, given = entry.get("index"), entry.get("id")
        place = place if isinstance(place, int) and not isinstance(place, bool) else None
        given = given if isinstance(given, str) else ""
        name = function.get("name")
        name = name if isinstance(name, str) else ""
        call = self._call
        if call is None or self._is_new(call, place, given, name):
            yield from self.close()
            call = self._begin(place, given)
        if name and not call.told:
            call.name = name
        yield from self._more(call, _text(function.get("arguments")))

    def close(self, *, cut: bool = False) -> Iterator[ToolCallDelta]:
        """The last call is complete. cut: `max_tokens` may have ended it in the middle."""
        call, self._call = self._call, None
        if call is None:
            return
        tail = call.joiner.flush()
        text = "".join(call.arguments) + tail
        if not call.told:
            raise UpstreamProtocol("The upstream sent a tool call without a name. Ask again; if it stays so, try another model.")
        if not text.strip() and not cut:
            text = tail = "{}"
        if tail:
            yield ToolCallDelta(call.number, arguments=tail, choice=self._choice)
        if not cut and not _is_object(text):
            raise OutputInvalid(
                f"The model called '{call.name[:64]}' with arguments that are not a JSON object. Ask again; if it stays so, "
                "try another model.",
                param="tools",
            )

    def _is_new(self, call: _Call, place: int | None, given: str, name: str) -> bool:
        if given and call.given and given != call.given:
            return True
        if place is not None and call.place is not None and place != call.place:
            if place in self._places and not given and not name:
                raise UpstreamProtocol("The upstream mixed the pieces of two tool calls. Ask again with parallel_tool_calls: false.")
            return True
        if place is None and name and call.told:
            return not given or given != call.given
        return False

    def _begin(self, place: int | None, given: str) -> _Call:
        self._call = _Call(self.count, place, given)
        self.count += 1
        if place is not None:
            self._places.add(place)
        return self._call

    def _more(self, call: _Call, text: str) -> Iterator[ToolCallDelta]:
        text = call.joiner.feed(text) if text else ""
        if call.told:
            if text:
                call.arguments.append(text)
                yield ToolCallDelta(call.number, arguments=text, choice=self._choice)
            return
        call.waiting += text
        if call.name:
            call.told = True
            call.arguments.append(call.waiting)
            yield ToolCallDelta(call.number, self._id(call), call.name, call.waiting, self._choice)

    def _id(self, call: _Call) -> str:
        taken = not call.given or call.given in self._ids
        own = f"call_{self._made_up}{self._choice}_{call.number}" if taken else call.given
        self._ids.add(own)
        return own


def _text(arguments: Any) -> str:
    match arguments:
        case None:
            return ""
        case str():
            return arguments
        case _:
            return json.dumps(arguments, ensure_ascii=False)


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False
