"""What an answer must look like: the safe form of `protocols/clients.md` 5, checked key by key."""

from __future__ import annotations

import json
from typing import Any

REASONS = {"stop", "length", "tool_calls", "content_filter"}


def check_plain(body: Any, *, n: int = 1) -> None:
    """Fails unless `body` is a plain answer of `n` choices that no client stumbles over."""
    _check_envelope(body, "chat.completion")
    assert [choice["index"] for choice in body["choices"]] == list(range(n))
    for choice in body["choices"]:
        assert choice["finish_reason"] in REASONS
        assert choice["message"]["role"] == "assistant"
        assert isinstance(choice["message"]["content"], str)
        if "tool_calls" in choice["message"]:
            check_calls(choice["message"]["tool_calls"])
        if choice["logprobs"] is not None:
            check_logprobs(choice["logprobs"])
    check_usage(body["usage"])


def check_calls(calls: Any) -> None:
    """Every key breaks some client where it is missing; arguments are the text of an object."""
    assert isinstance(calls, list) and calls
    for call in calls:
        assert isinstance(call["id"], str) and call["id"]
        assert call["type"] == "function"
        assert isinstance(call["function"]["name"], str) and call["function"]["name"]
        assert isinstance(call["function"]["arguments"], str)
        assert isinstance(json.loads(call["function"]["arguments"]), dict)
    assert len({call["id"] for call in calls}) == len(calls)


def check_logprobs(logprobs: Any) -> None:
    assert set(logprobs) == {"content", "refusal"} and logprobs["refusal"] is None
    for token in logprobs["content"]:
        for entry in (token, *token["top_logprobs"]):
            assert isinstance(entry["token"], str)
            assert isinstance(entry["logprob"], float) and -9_999 <= entry["logprob"] <= 0
            assert all(0 <= byte <= 255 for byte in entry["bytes"])


def check_stream(chunks: list[Any], *, usage: bool, n: int = 1) -> None:
    """Fails unless the parsed frames are a whole stream: role, deltas, reason, usage if asked for, `[DONE]`."""
    assert chunks[-1] == "[DONE]" and chunks.count("[DONE]") == 1
    chunks = chunks[:-1]
    for chunk in chunks:
        _check_envelope(chunk, "chat.completion.chunk")
    assert len({(chunk["id"], chunk["created"]) for chunk in chunks}) == 1
    if usage:
        last = chunks.pop()
        assert last["choices"] == []
        check_usage(last["usage"])
    assert all("usage" not in chunk for chunk in chunks)
    assert all(len(chunk["choices"]) == 1 for chunk in chunks)
    choices = [chunk["choices"][0] for chunk in chunks]
    assert {choice["index"] for choice in choices} == set(range(n))
    for index in range(n):
        _check_choice([choice for choice in choices if choice["index"] == index])


def _check_choice(choices: list[Any]) -> None:
    """The chunks of one choice: role first, reason last and nothing after it."""
    assert choices[0]["delta"]["role"] == "assistant"
    assert [choice["finish_reason"] for choice in choices[:-1]] == [None] * (len(choices) - 1)
    assert choices[-1]["finish_reason"] in REASONS and choices[-1]["delta"] == {}
    assert all(isinstance(c["delta"].get("content", ""), str) for c in choices)
    for choice in choices:
        if choice.get("logprobs") is not None:
            check_logprobs(choice["logprobs"])
    deltas = [call for choice in choices for call in choice["delta"].get("tool_calls", ())]
    if deltas:
        calls = joined_calls(deltas)
        if choices[-1]["finish_reason"] != "length":
            check_calls(calls)


def joined_calls(deltas: list[Any]) -> list[Any]:
    """The calls that the deltas of one choice make: as the SDKs' helpers put them together."""
    calls: dict[int, Any] = {}
    for delta in deltas:
        index = delta["index"]
        if index not in calls:
            assert index == len(calls), "calls come one after the other"
            calls[index] = {**delta, "function": dict(delta["function"])}
            assert {"id", "type"} <= set(delta) and "name" in delta["function"]
        else:
            assert set(delta) == {"index", "function"} and set(delta["function"]) == {"arguments"}
            calls[index]["function"]["arguments"] += delta["function"]["arguments"]
    return list(calls.values())


def check_text(body: Any, *, n: int = 1) -> None:
    """Fails unless `body` is a plain answer of `POST /v1/completions` with `n` choices."""
    _check_envelope(body, "text_completion")
    assert [choice["index"] for choice in body["choices"]] == list(range(n))
    for choice in body["choices"]:
        assert set(choice) == {"index", "text", "logprobs", "finish_reason"}
        assert isinstance(choice["text"], str) and choice["finish_reason"] in {"stop", "length"}
    check_usage(body["usage"])


def check_text_stream(chunks: list[Any], *, usage: bool, n: int = 1) -> None:
    """The same for a stream."""
    assert chunks[-1] == "[DONE]" and chunks.count("[DONE]") == 1
    chunks = chunks[:-1]
    for chunk in chunks:
        _check_envelope(chunk, "text_completion")
    assert len({(chunk["id"], chunk["created"]) for chunk in chunks}) == 1
    if usage:
        last = chunks.pop()
        assert last["choices"] == []
        check_usage(last["usage"])
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    assert len(choices) == len(chunks)
    for index in range(n):
        *before, last = [choice for choice in choices if choice["index"] == index]
        assert all(choice["finish_reason"] is None for choice in before)
        assert (last["text"], last["finish_reason"] in {"stop", "length"}) == ("", True)


def check_usage(usage: Any) -> None:
    counts = [usage[key] for key in ("prompt_tokens", "completion_tokens", "total_tokens")]
    assert all(type(count) is int and count > 0 for count in counts)
    assert counts[0] + counts[1] == counts[2]


def check_error(body: Any) -> None:
    """Fails unless `body` is an error in OpenAI's full form."""
    assert set(body) == {"error"}
    error = body["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert all(isinstance(error[key], str) and error[key] for key in ("message", "type", "code"))
    assert error["param"] is None or isinstance(error["param"], str)


def _check_envelope(body: Any, kind: str) -> None:
    assert body["object"] == kind
    assert isinstance(body["id"], str) and body["id"]
    assert type(body["created"]) is int
    assert isinstance(body["model"], str) and body["model"]
