"""What the tests of `/v1/responses` share: asking for an answer whose shape is checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from adapter.chat import Finished, FinishReason, Started, TextDelta, ToolCallDelta
from tests.fakes.counting_engine import words
from tests.fakes.scripted_engine import END
from tests.wire.responses_shape import check_events, check_response, parsed_events
from tests.wire.server import RunningAdapter

PATH = "/v1/responses"
ONCE: Mapping[str, Any] = {"router": {"retry_policy": {"InternalServerErrorRetries": 0}}}
EAGER: Mapping[str, Any] = {"status_hold_s": 0.0, "keepalive_s": 60.0}
HELLO = (Started(), TextDelta("Hel"), TextDelta("lo."), END)
TIDE = {"type": "function", "name": "tide", "parameters": {"type": "object", "properties": {"place": {"type": "string"}}}}
CALL = (Started(), ToolCallDelta(0, "c1", "tide", ""), ToolCallDelta(0, arguments='{"place": "Emden"}'), Finished(FinishReason.TOOL_CALLS, END.usage))
LONG = Finished(FinishReason.LENGTH, END.usage)
TEXT = words(60)
NO_ID = "resp_" + "0" * 48

both = pytest.mark.parametrize("stream", [True, False], ids=["stream", "plain"])


async def ask(adapter: RunningAdapter, body: Mapping[str, Any] = {}, **fields: Any) -> tuple[int, Any, Mapping[str, str]]:
    """Status, the whole `response` (or the error), headers. A stream's events are checked."""
    asked = {"model": "auto", "input": "Go.", **body, **fields}
    async with adapter.session.post(PATH, json=asked) as answer:
        data = await answer.read()
        if answer.content_type == "application/json":
            found = json.loads(data)
            if answer.status == 200:
                check_response(found)
            return answer.status, found.get("error") or found, answer.headers
        return answer.status, check_events(parsed_events(data)), answer.headers


async def events_of(adapter: RunningAdapter, **fields: Any) -> list[Any]:
    async with adapter.session.post(PATH, json={"model": "auto", "input": "Go.", "stream": True, **fields}) as answer:
        assert answer.status == 200 and answer.content_type == "text/event-stream"
        return parsed_events(await answer.read())


async def kept(adapter: RunningAdapter, ident: str) -> Any:
    """An answer that is kept, as it comes back."""
    async with adapter.session.get(f"{PATH}/{ident}") as answer:
        assert answer.status == 200
        return await answer.json()
