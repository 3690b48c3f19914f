"""What an answer of `/v1/responses` must look like, key by key and event by event, as the types and helpers of openai 3.51 and 7.55 have it."""

from __future__ import annotations

import json
import re
from typing import Any

KEYS = {
    "id", "object", "created_at", "status", "error", "incomplete_details", "instructions", "max_output_tokens", "model", "output",
    "parallel_tool_calls", "previous_response_id", "reasoning", "store", "temperature", "text", "tool_choice", "tools", "top_p", "truncation",
    "usage", "user", "metadata", "farmhand",
}  # fmt: skip
LAST = {"response.completed": "completed", "response.incomplete": "incomplete", "response.failed": "failed"}
_PREFIX = {"message": "msg", "function_call": "fc", "reasoning": "rs"}


def check_response(body: Any, *, status: str | None = None) -> None:
    """Fails unless `body` is a whole `response` object. status: which one, any that an answer may end with by default."""
    assert set(body) >= KEYS
    assert body["object"] == "response" and re.fullmatch(r"resp_[0-9a-f]{48}", body["id"])
    assert type(body["created_at"]) is int and isinstance(body["model"], str)
    assert body["status"] in ({status} if status else {"completed", "incomplete", "failed"})
    assert (body["incomplete_details"] is not None) is (body["status"] == "incomplete")
    assert (body["error"] is not None) is (body["status"] == "failed")
    for item in body["output"]:
        _check_item(item, body["status"])
    assert len({item["id"] for item in body["output"]}) == len(body["output"])
    if body["status"] != "failed":
        _check_usage(body["usage"])


def _check_item(item: Any, status: str) -> None:
    assert item["id"].startswith(_PREFIX[item["type"]] + "_") and len(item["id"]) <= 64
    assert item["status"] in ("completed", "incomplete") and (status != "completed" or item["status"] == "completed")
    match item["type"]:
        case "message":
            assert item["role"] == "assistant"
            (part,) = item["content"]
            assert part["type"] == "output_text" and isinstance(part["text"], str)
            assert part["annotations"] == [] and isinstance(part["logprobs"], list)
        case "function_call":
            assert item["call_id"] and item["name"]
            assert item["status"] == "incomplete" or isinstance(json.loads(item["arguments"]), dict)
        case _:
            assert all(part["type"] == "summary_text" for part in item["summary"])
            assert all(part["type"] == "reasoning_text" for part in item.get("content", []))


def _check_usage(usage: Any) -> None:
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    counts = [usage["input_tokens"], usage["output_tokens"], usage["input_tokens_details"]["cached_tokens"]]
    counts += [usage["input_tokens_details"]["cache_write_tokens"], usage["output_tokens_details"]["reasoning_tokens"]]
    assert all(type(count) is int and count >= 0 for count in counts)
    assert usage["output_tokens_details"]["reasoning_tokens"] <= usage["output_tokens"]


def parsed_events(raw: bytes) -> list[Any]:
    """The events of a stream. Fails unless each has an `event:` line that says the same as its data, and nothing else is there."""
    found = []
    assert raw.endswith(b"\n\n")
    for frame in raw.decode().removesuffix("\n\n").split("\n\n"):
        named, data = frame.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert named == f"event: {event['type']}"
        found.append(event)
    return found


def check_events(events: list[Any]) -> Any:
    """Fails unless `events` are a whole stream, in which every piece belongs to an item that was announced. Returns the last response."""
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert [event["type"] for event in events[:2]] == ["response.created", "response.in_progress"]
    last = next(event for event in events if event["type"] in LAST)
    failed = last["type"] == "response.failed"
    assert events.index(last) == len(events) - (2 if failed else 1)
    assert not failed or (events[-1]["type"], events[-1]["error"]["message"]) == ("error", events[-1]["message"])
    response = last["response"]
    check_response(response, status=LAST[last["type"]])
    lives = [event["response"] for event in events if "response" in event]
    assert {(one["id"], one["created_at"]) for one in lives} == {(response["id"], response["created_at"])}
    seen = [_Item(event, response["output"]) for event in events if event["type"] == "response.output_item.added"]
    assert [item.index for item in seen] == list(range(len(response["output"])))
    for event in events:
        if "item_id" in event or event["type"] == "response.output_item.done":
            seen[event["output_index"]].take(event)
    for item in seen[: len(seen) - 1 if failed else len(seen)]:
        assert item.closed
    return response


class _Item:
    """One item of a stream: what its pieces add up to must be what the last response has."""

    def __init__(self, added: Any, output: list[Any]) -> None:
        self.index = added["output_index"]
        self.id = added["item"]["id"]
        self.whole = output[self.index]
        self.closed = False
        self._said = ""
        assert added["item"]["status"] == "in_progress" and added["item"]["type"] == self.whole["type"]

    def take(self, event: Any) -> None:
        assert not self.closed and event.get("item_id", self.id) == self.id
        if event["type"].endswith(".delta"):
            self._said += event["delta"]
        elif event["type"].endswith(("text.done", "arguments.done")):
            assert event.get("text", event.get("arguments")) == self._said
        elif event["type"] == "response.output_item.done":
            assert event["item"] == self.whole and self._said == text_of(self.whole)
            self.closed = True


def text_of(item: Any) -> str:
    """What an item says: its text, its arguments or its reasoning."""
    if item["type"] == "function_call":
        return str(item["arguments"])
    return "".join(part["text"] for part in [*item.get("summary", []), *item.get("content", [])])


def output_text(response: Any) -> str:
    return "".join(text_of(item) for item in response["output"] if item["type"] == "message")
