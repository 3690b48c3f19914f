"""What the tests of emulated answers share: tools, a form, an engine that plays scripts, and what came of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from adapter.chat import (
    Chat,
    Event,
    Finished,
    FinishReason,
    Message,
    OutputFormat,
    OutputKind,
    Role,
    Started,
    TextDelta,
    Tool,
    ToolCallDelta,
    Usage,
)
from adapter.dispatch.items import Remark
from adapter.emulate.driver import emulated
from adapter.engines.base import Can
from adapter.errors import ContextTooLong, EngineFailed, OutputInvalid

WEATHER = Tool(
    "get_weather",
    "Weather of a city.",
    '{"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}, "required": ["city"]}',
)
NOW = Tool("now", "The time.", '{"type": "object", "properties": {}}')
PERSON = OutputFormat(
    OutputKind.SCHEMA,
    '{"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}, "required": ["name", "age"]}',
)
TOOLS, FORMS, NOTHING = frozenset({Can.TOOLS}), frozenset({Can.OUTPUT}), frozenset[Can]()
GOOD = '<tool_call>{"name": "get_weather", "arguments": {"city": "Paris"}}</tool_call>'
BAD = '<tool_call>{"name": "get_weather", "arguments": {"town": "Paris"}}</tool_call>'
USAGE = Usage(10, 5, 2)
Script = str | Sequence[Event] | Exception


@dataclass
class Fake:
    """An engine that answers each ask with the next script: text character by character, or these events, or an error."""

    scripts: list[Script]
    reason: FinishReason = FinishReason.STOP
    usage: Usage = USAGE
    asked: list[Chat] = field(default_factory=list)
    open: int = 0

    async def __call__(self, chat: Chat) -> AsyncGenerator[Event | Remark, None]:
        self.asked.append(chat)
        script = self.scripts[min(len(self.asked), len(self.scripts)) - 1]
        self.open += 1
        try:
            yield Started()
            if isinstance(script, Exception):
                raise script
            for event in [TextDelta(char) for char in script] if isinstance(script, str) else script:
                yield event
            if isinstance(script, str):
                yield Finished(self.reason, self.usage)
        finally:
            self.open -= 1


def chat(**changes: Any) -> Chat:
    base = Chat("m", (Message(Role.SYSTEM, "Be brief."), Message(Role.USER, "Weather in Paris?")), tools=(WEATHER, NOW))
    return replace(base, **changes)


def ids() -> Callable[[], str]:
    numbers = count(1)
    return lambda: f"id{next(numbers)}"


@dataclass
class Got:
    events: list[Event | Remark]
    error: Exception | None = None

    @property
    def text(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, TextDelta))

    @property
    def calls(self) -> list[tuple[str | None, Any]]:
        return [(event.name, json.loads(event.arguments)) for event in self.events if isinstance(event, ToolCallDelta)]

    @property
    def remark(self) -> dict[str, Any]:
        (found,) = [event.value for event in self.events if isinstance(event, Remark)]
        return dict(found)

    @property
    def last(self) -> Finished:
        assert isinstance(self.events[-1], Finished)
        return self.events[-1]


def run(
    fake: Fake,
    asked: Chat,
    *,
    prompted: frozenset[Can] = NOTHING,
    checked: frozenset[Can] = NOTHING,
    streaming: bool = True,
) -> Got:
    async def collect() -> Got:
        got = Got([])
        try:
            async for event in emulated(
                asked, fake, prompted=prompted, checked=checked, streaming=streaming, new_id=ids()
            ):
                got.events.append(event)
        except (OutputInvalid, ContextTooLong, EngineFailed) as exc:
            got.error = exc
        return got

    got = asyncio.run(collect())
    assert fake.open == 0
    assert sum(isinstance(event, Started) for event in got.events) == 1
    return got
