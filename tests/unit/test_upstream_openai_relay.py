"""What is seen of a stream that is passed on as bytes, what is mended, and what is read of it afterwards."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapter.chat import FinishReason
from adapter.dialects.upstream_openai_errors import Peer
from adapter.dialects.upstream_openai_relay import PlainAnswer, Relayed, plain_as_stream, relay_plain, relayed
from adapter.dialects.upstream_openai_scan import DONE_FRAME, MAX_FRAME_BYTES, RelayScan
from adapter.errors import AdapterError, EngineFailed, EngineUnavailable, UpstreamProtocol

PEER = Peer("up", "http://127.0.0.1:1/v1")
Json = dict[str, Any]
HEAD: Json = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m"}


def scan(**more: Any) -> RelayScan:
    return RelayScan(PEER, **{"model": "m", "n": 1, "explained": False, "made_up": "x", "created": 7, **more})


def frame(value: object) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def chunk(finish: str | None = None, index: int = 0, **delta: Any) -> bytes:
    return frame({**HEAD, "choices": [{"index": index, "delta": delta, "finish_reason": finish}]})


ROLE = chunk(role="assistant", content="")
A, B, END = chunk(content="a"), chunk(content=' "error" [DONE] "finish_reason":"x"'), chunk("stop")
USAGE = frame({**HEAD, "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}})
WHOLE = ROLE + A + B + END + USAGE + DONE_FRAME


def run(data: bytes, size: int = 1 << 30, **more: Any) -> tuple[bytes, RelayScan]:
    scanned = scan(**more)
    out = [scanned.feed(data[at : at + size]) for at in range(0, len(data), size)]
    return b"".join([*out, scanned.end()]), scanned


@pytest.mark.parametrize("size", [1, 2, 3, 10, 100, 1_000, 1 << 30])
@pytest.mark.parametrize(
    "data",
    [
        WHOLE,
        WHOLE.replace(b"\n\n", b"\r\n\r\n"),
        WHOLE.replace(b"data: ", b"data:"),
        b": hello\n\n" + WHOLE.replace(b"data: ", b"event: message\nid: 1\ndata: "),
        WHOLE.replace(b'": ', b'":'),
    ],
)
def test_the_very_same_bytes_come_out(data: bytes, size: int) -> None:
    passed, scanned = run(data, size)
    assert passed == data
    assert (scanned.complete, scanned.reason, scanned.done) == (True, FinishReason.STOP, True)
    assert scanned.usage == {"prompt_tokens": 3, "completion_tokens": 2}


def test_nothing_is_passed_on_before_something_is_said() -> None:
    """So a failure before it can be mended elsewhere."""
    scanned = scan()
    assert scanned.feed(b": ping\n\n" + ROLE) == b""
    assert scanned.feed(ROLE + A[:10]) == b""
    assert not scanned.begun
    assert scanned.feed(A[10:]) == b": ping\n\n" + ROLE + ROLE + A
    assert scanned.begun
    assert scanned.feed(A) == A


@pytest.mark.parametrize("delta", [{"reasoning": "a"}, {"reasoning_content": "a"}, {"refusal": "a"}, {"content": [{"text": "a"}]}, {"function_call": {"name": "f"}}])
def test_other_ways_to_say_something(delta: Json) -> None:
    scanned = scan()
    assert scanned.feed(chunk(role="assistant", **delta))
    assert scanned.begun


BROKEN = frame({"error": {"message": "broke", "code": 503}})


@pytest.mark.parametrize(
    ("data", "passed", "error"),
    [
        (ROLE + A + BROKEN + A, ROLE + A, EngineUnavailable),
        (BROKEN, b"", EngineUnavailable),
        (ROLE + A + b'error: {"message":"broke"}\n\n', ROLE + A, EngineFailed),
        (ROLE + A + DONE_FRAME, ROLE + A, UpstreamProtocol),
        (ROLE + A, ROLE + A, UpstreamProtocol),
        (ROLE + A + A[:20], ROLE + A, UpstreamProtocol),
        (ROLE + END + DONE_FRAME, b"", UpstreamProtocol),
        (ROLE + END, b"", UpstreamProtocol),
        (b"", b"", UpstreamProtocol),
        (b"data: {]\n\n", b"", UpstreamProtocol),
        (b"data: 5\n\n", b"", UpstreamProtocol),
        (ROLE + A + b"<html>\n\n", ROLE + A, UpstreamProtocol),
        (b"<html>x</html>", b"", UpstreamProtocol),
    ],
)
@pytest.mark.parametrize("size", [1, 1 << 30])
def test_what_breaks_it_is_an_error_and_not_passed_on(data: bytes, passed: bytes, error: type[AdapterError], size: int) -> None:
    scanned = scan()
    got = b""
    with pytest.raises(AdapterError) as caught:
        for at in range(0, len(data), size):
            got += scanned.feed(data[at : at + size])
        got += scanned.end()
    assert type(caught.value) is error
    assert got == passed


def test_a_frame_without_an_end_is_bounded() -> None:
    scanned = scan()
    with pytest.raises(UpstreamProtocol):
        for _ in range(MAX_FRAME_BYTES // 65_536 + 2):
            scanned.feed(b"data: " + b"x" * 65_536)


def test_a_missing_done_is_added() -> None:
    passed, scanned = run(ROLE + A + END)
    assert passed == ROLE + A + END + DONE_FRAME
    assert scanned.done


def test_a_last_event_without_its_empty_line() -> None:
    assert run(WHOLE.rstrip(b"\n"))[0] == WHOLE


@pytest.mark.parametrize(("finish", "more"), [("length", {}), ("stop", {"explained": True})])
def test_an_empty_answer_that_is_explained(finish: str, more: Json) -> None:
    assert run(ROLE + chunk(finish) + DONE_FRAME, **more)[0] == ROLE + chunk(finish) + DONE_FRAME


def test_all_of_several_answers_must_end() -> None:
    data = ROLE + A + chunk(index=1, content="b") + END
    with pytest.raises(UpstreamProtocol):
        run(data + DONE_FRAME, n=2)
    assert run(data + chunk("length", 1) + DONE_FRAME, n=2)[0].endswith(chunk("length", 1) + DONE_FRAME)


def values(data: bytes) -> list[Json]:
    return [json.loads(line[6:]) for line in data.split(b"\n\n") if line and line != b"data: [DONE]"]


@pytest.mark.parametrize(
    "defect",
    [
        lambda value: value.pop("id"),
        lambda value: value.pop("object"),
        lambda value: value.pop("model"),
        lambda value: value.update(created=1.5),
        lambda value: value.update(created="now"),
        lambda value: value["choices"][0].pop("index"),
    ],
)
def test_what_clients_break_on_is_mended_in_all_frames(defect: Any) -> None:
    data = b""
    for one in values(ROLE + A + B + END):
        defect(one)
        data += frame(one)
    passed, _ = run(data + DONE_FRAME)
    found = values(passed)
    assert len(found) == 4
    for value in found:
        assert isinstance(value["id"], str) and value["object"] == "chat.completion.chunk" and value["model"] == "m"
        assert isinstance(value["created"], int) and value["choices"][0]["index"] == 0
    assert len({value["id"] for value in found}) == 1
    assert relayed(passed).text == relayed(WHOLE).text


def test_a_missing_role_is_added_to_the_first_frame_only() -> None:
    passed, _ = run(A + B + END + DONE_FRAME)
    assert values(passed)[0]["choices"][0]["delta"] == {"role": "assistant", "content": "a"}
    assert passed.endswith(B + END + DONE_FRAME)


def test_an_unknown_reason_becomes_stop() -> None:
    passed, scanned = run(ROLE + A + chunk("eos") + DONE_FRAME)
    assert values(passed)[-1]["choices"][0]["finish_reason"] == "stop"
    assert passed.startswith(ROLE + A)
    assert scanned.reason is FinishReason.STOP


def test_calls_without_index_id_or_type_are_mended() -> None:
    parts: list[Json] = [
        {"function": {"name": "f", "arguments": ""}},
        {"function": {"arguments": '{"a":1}'}},
        {"function": {"name": "g", "arguments": {"b": 2}}},
    ]
    data = ROLE + b"".join(chunk(tool_calls=[part]) for part in parts) + chunk("tool_calls") + DONE_FRAME
    found = [value["choices"][0]["delta"]["tool_calls"][0] for value in values(run(data)[0])[1:-1]]
    assert [call["index"] for call in found] == [0, 0, 1]
    assert [call.get("id") for call in found] == ["call_x0_0", None, "call_x0_1"]
    assert [call.get("type") for call in found] == ["function", None, "function"]
    assert found[2]["function"]["arguments"] == '{"b": 2}'


def test_tidy_calls_are_left_alone() -> None:
    first = {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}
    data = ROLE + chunk(tool_calls=[first]) + chunk(tool_calls=[{"index": 0, "function": {"arguments": "{}"}}]) + chunk("tool_calls") + DONE_FRAME
    assert run(data)[0] == data


def test_a_server_that_goes_far_beyond_the_limit_is_cut_off() -> None:
    scanned = scan(max_tokens=4)
    got = b""
    for _ in range(1_000):
        got += scanned.feed(A)
        if scanned.done:
            break
    assert scanned.cut_here
    last = values(got)[-1]
    assert (last["id"], last["choices"][0]["finish_reason"]) == ("c1", "length")
    assert got.endswith(DONE_FRAME)
    assert len(relayed(got).text) <= 4 * 4 + 65
    assert scanned.end() == b""


def test_reasoning_in_the_text_is_noticed() -> None:
    assert run(ROLE + chunk(content="<think>") + A + END + DONE_FRAME)[1].thinks
    assert not run(WHOLE)[1].thinks


# --- what has been said ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", Relayed()),
        (ROLE, Relayed(id="c1", model="m", choices=1)),
        (WHOLE, Relayed('a "error" [DONE] "finish_reason":"x"', id="c1", model="m", choices=1)),
        (A + chunk(reasoning="hm"), Relayed("a", "hm", id="c1", model="m", choices=1)),
        (A + chunk(reasoning_content="hm", reasoning="hm"), Relayed("a", "hm", id="c1", model="m", choices=1)),
        (A + chunk(tool_calls=[{"index": 0}]), Relayed("a", calls=True, id="c1", model="m", choices=1)),
        (A + chunk(index=1, content="b"), Relayed("a", id="c1", model="m", choices=2)),
        (chunk(content="a\ud83c") + chunk(content="\udf89"), Relayed("a\U0001f389", id="c1", model="m", choices=1)),
        (chunk(content="a\ud83c"), Relayed("a", id="c1", model="m", choices=1)),
        (A + b": x\n\n" + chunk(content="\n b"), Relayed("a\n b", id="c1", model="m", choices=1)),
        (A + b"data: {]\n\n", Relayed("a", id="c1", model="m", choices=1)),
    ],
)
def test_exactly_what_has_been_said(data: bytes, expected: Relayed) -> None:
    assert relayed(data) == expected


# --- plain ----------------------------------------------------------------------------------------------------

MESSAGE: Json = {"role": "assistant", "content": "hi"}
PLAIN: Json = {**HEAD, "object": "chat.completion", "choices": [{"index": 0, "message": MESSAGE, "finish_reason": "stop"}]}


def plain(value: object, **more: Any) -> PlainAnswer:
    body = value if isinstance(value, bytes) else json.dumps(value, indent=1).encode()
    return relay_plain(body, PEER, **{"model": "m", "n": 1, "explained": False, "made_up": "x", "created": 7, **more})


def choice(**fields: Any) -> Json:
    return {**PLAIN, "choices": [{**PLAIN["choices"][0], **fields}]}


def test_a_plain_answer_keeps_its_bytes() -> None:
    value = {**PLAIN, "usage": {"prompt_tokens": 1}, "farmhand": {"x": 1}}
    assert plain(value) == PlainAnswer(json.dumps(value, indent=1).encode(), FinishReason.STOP, {"prompt_tokens": 1}, "hi")


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (b"<html>", UpstreamProtocol),
        (b"", UpstreamProtocol),
        (b"[]", UpstreamProtocol),
        ({**PLAIN, "choices": []}, UpstreamProtocol),
        ({**PLAIN, "choices": None}, UpstreamProtocol),
        ({"error": {"message": "x", "code": 503}}, EngineUnavailable),
        ({"error": "x"}, EngineFailed),
        (choice(finish_reason=None), UpstreamProtocol),
        (choice(message={"role": "assistant", "content": None}), UpstreamProtocol),
        (choice(message={"role": "assistant", "content": ""}), UpstreamProtocol),
    ],
)
def test_what_is_no_plain_answer(value: object, error: type[AdapterError]) -> None:
    with pytest.raises(AdapterError) as caught:
        plain(value)
    assert type(caught.value) is error


def test_fewer_answers_than_asked_for() -> None:
    with pytest.raises(UpstreamProtocol):
        plain(PLAIN, n=2)


CALL: Json = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}


@pytest.mark.parametrize(
    ("given", "key", "expected"),
    [
        ({key: value for key, value in PLAIN.items() if key != "id"}, "id", "chatcmpl-x"),
        ({**PLAIN, "created": 1.5}, "created", 1),
        ({**PLAIN, "created": None}, "created", 7),
        ({**PLAIN, "object": "x"}, "object", "chat.completion"),
        (choice(finish_reason="eos"), "choices", PLAIN["choices"]),
        (choice(index=None), "choices", PLAIN["choices"]),
        (choice(message={"content": "hi"}), "choices", PLAIN["choices"]),
        (choice(message={**MESSAGE, "content": [{"type": "text", "text": "hi"}]}), "choices", PLAIN["choices"]),
        (
            choice(message={**MESSAGE, "tool_calls": [{"function": {"name": "f", "arguments": {}}}]}),
            "choices",
            choice(message={**MESSAGE, "tool_calls": [{**CALL, "id": "call_x0_0"}]})["choices"],
        ),
        (
            choice(message={**MESSAGE, "content": None, "tool_calls": [{**CALL, "function": {"name": "f", "arguments": ""}}]}),
            "choices",
            choice(message={**MESSAGE, "content": None, "tool_calls": [CALL]})["choices"],
        ),
    ],
)
def test_a_plain_answer_is_mended(given: Json, key: str, expected: object) -> None:
    assert json.loads(plain(given).data)[key] == expected


def test_a_plain_answer_for_who_wants_a_stream() -> None:
    value = choice(message={**MESSAGE, "tool_calls": [CALL]}, finish_reason="tool_calls") | {"usage": {"prompt_tokens": 1}}
    passed, scanned = run(plain_as_stream(value))
    assert relayed(passed) == Relayed("hi", calls=True, id="c1", model="m", choices=1)
    assert (scanned.reason, scanned.usage) == (FinishReason.TOOL_CALLS, {"prompt_tokens": 1})
    assert passed.endswith(DONE_FRAME)
