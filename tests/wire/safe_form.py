"""What an answer must look like: the safe form of `protocols/clients.md` 5, checked key by key."""

from __future__ import annotations

from typing import Any

REASONS = {"stop", "length", "tool_calls", "content_filter"}


def check_plain(body: Any) -> None:
    """Fails unless `body` is a plain answer that no client stumbles over."""
    _check_envelope(body, "chat.completion")
    (choice,) = body["choices"]
    assert choice["index"] == 0
    assert choice["finish_reason"] in REASONS
    assert choice["message"]["role"] == "assistant"
    assert isinstance(choice["message"]["content"], str)
    check_usage(body["usage"])


def check_stream(chunks: list[Any], *, usage: bool) -> None:
    """Fails unless the parsed frames are a whole stream: role, text, reason, usage if asked for, `[DONE]`."""
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
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    assert len(choices) == len(chunks) and {choice["index"] for choice in choices} == {0}
    assert choices[0]["delta"]["role"] == "assistant"
    assert [choice["finish_reason"] for choice in choices[:-1]] == [None] * (len(choices) - 1)
    assert choices[-1]["finish_reason"] in REASONS and choices[-1]["delta"] == {}
    assert all(isinstance(c["delta"].get("content", ""), str) for c in choices)


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
