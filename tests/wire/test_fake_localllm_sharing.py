"""The fake LocalLLM against protocols/localllm.md: engines, sessions, the overlap hazard, failures, time, departures.

`# row n` is a row of the check list in section 19.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.fakes.localllm import FakeLocalLLM, Reply
from tests.fakes.localllm.raw_client import CHAT, Answer, ask, chat, connected, parse, post, request

CPU = "LITERT_CPU"
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}


async def until(is_so: Callable[[], bool]) -> None:
    """Let the loop turn until it is so."""
    turn = partial(asyncio.sleep, 0.001)
    async with asyncio.timeout(10):
        while not is_so():
            await turn()


def asking(phone: FakeLocalLLM, payload: dict[str, Any]) -> asyncio.Task[Answer]:
    return asyncio.create_task(post(phone.port, payload))


def turns(*texts: str) -> list[dict[str, Any]]:
    """User and assistant by turns, beginning and ending with the user."""
    roles = ("user", "assistant")
    return [{"role": roles[index % 2], "content": text} for index, text in enumerate(texts)]


# Engines (7.4)


async def test_each_max_tokens_is_an_engine_and_the_oldest_goes() -> None:  # rows 15 and 17
    async with FakeLocalLLM() as phone:
        for limit in (256, 512, 256):
            await post(phone.port, chat(max_tokens=limit))
        health = (await ask(phone.port, "GET", "/health")).json
        keys = [f"gemma-4-e2b_256_{CPU}", f"gemma-4-e2b_512_{CPU}"]
        assert [engine["key"] for engine in health["engines"]] == phone.engines == keys
        assert health["engines_loaded"] == 2
        await post(phone.port, chat())
        assert phone.engines == [keys[1], f"gemma-4-e2b_model_{CPU}"]
        assert len([entry for entry in phone.log if entry.startswith("engine load")]) == 3


@pytest.mark.parametrize(
    ("words", "limit", "status"), [(500, 256, 500), (251, 256, 200), (252, 256, 500), (4092, None, 500)]
)
async def test_max_tokens_is_the_whole_context(words: int, limit: int | None, status: int) -> None:  # row 16
    async with FakeLocalLLM(reply=Reply(("a", "b", "c"))) as phone:
        answer = await post(phone.port, chat("word " * words, max_tokens=limit))
        assert answer.status == status
        if status == 200:
            assert (answer.text, answer.json["choices"][0]["finish_reason"]) == ("a", "stop")
        else:
            assert (answer.error["code"], answer.error["type"]) == (500, "server_error")
            message = answer.error["message"]
            assert "too long" in message and str(words + 4) in message and str(limit or 4096) in message


async def test_a_prompt_too_long_in_a_stream_comes_after_the_reply_began() -> None:
    async with FakeLocalLLM(mid_stream_failure="frame") as phone:
        answer = await post(phone.port, chat("word " * 500, max_tokens=256, stream=True))
        assert answer.status == 200 and "too long" in answer.frames[-1]["error"]["message"]


# Messages as the model sees them (7.2)


async def test_what_the_model_is_shown() -> None:
    call = {"id": "x", "type": "function", "function": {"name": "f", "arguments": '{"a":null,"b":1}'}}
    bad = {"id": "y", "type": "function", "function": {"name": "g", "arguments": "[1]"}}
    messages = [
        {"role": "system", "content": "be brief"},
        {"role": "system", "content": "dropped"},
        {"role": "developer", "content": "as user"},
        {"role": "assistant", "content": None, "tool_calls": [call, bad]},
        {"role": "tool", "tool_call_id": "x", "content": {"r": 1}},
        {"role": "tool", "content": "plain"},
    ]
    async with FakeLocalLLM() as phone:
        await post(phone.port, chat(messages=messages, tools=[TOOL]))
    (prompt,) = phone.prompts
    calls = [{"name": "f", "arguments": {"a": "", "b": 1}}, {"name": "g", "arguments": {}}]
    assert prompt.messages == (
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "as user"},
        {"role": "assistant", "content": "", "tool_calls": calls},
        {"role": "tool", "name": "x", "content": '{"r": 1}'},
        {"role": "tool", "name": "tool", "content": "plain"},
    )
    assert (prompt.tools, prompt.engine) == (("f",), f"gemma-4-e2b_model_{CPU}")


async def test_an_array_system_prompt_is_ignored() -> None:  # row 21
    parts = [{"type": "text", "text": "be brief"}, {"type": "other"}, {"type": "text", "text": "now"}]
    messages = [{"role": "system", "content": parts}, {"role": "user", "content": parts}]
    async with FakeLocalLLM() as phone:
        assert (await post(phone.port, chat(messages=messages))).text == "be brief now"
    assert phone.prompts[0].messages == ({"role": "user", "content": "be brief now"},)


# Sessions (7.5)


async def ask_in_session(phone: FakeLocalLLM, *texts: str, **fields: Any) -> bool:
    """One turn; whether the conversation was reused."""
    before = len([entry for entry in phone.log if entry.startswith("session reuse")])
    answer = await post(phone.port, chat(messages=turns(*texts), **{"session_id": "s", **fields}))
    assert answer.status == 200
    return len([entry for entry in phone.log if entry.startswith("session reuse")]) > before


async def test_one_more_user_turn_reuses_the_conversation() -> None:  # row 18
    async with FakeLocalLLM() as phone:
        assert not await ask_in_session(phone, "a")
        assert await ask_in_session(phone, "a", "the echoed answer is not compared", "b")
        assert await ask_in_session(phone, "a", "the echoed answer is not compared", "b", "b", "c", tools=[TOOL])
        assert [message["content"] for message in phone.prompts[-1].messages] == ["a", "a", "b", "b", "c"]
        assert phone.prompts[-1].tools == ()
        assert len([entry for entry in phone.log if entry.startswith("conversation create")]) == 1


@pytest.mark.parametrize(
    ("texts", "fields"),
    [
        (("a", "a", "b"), {"session_id": "other"}),
        (("a", "a", "b"), {"max_tokens": 512}),
        (("a", "a", "b"), {"temperature": 0.7}),
        (("a", "a", "b"), {"top_k": 41}),
        (("a",), {}),
        (("x", "a", "b"), {}),
        (("a", "a", "b", "b", "c"), {}),
    ],
    ids=["session", "max_tokens", "temperature", "top_k", "nothing new", "changed past", "two new"],
)
async def test_what_rebuilds_the_conversation(texts: tuple[str, ...], fields: dict[str, Any]) -> None:
    async with FakeLocalLLM() as phone:
        await ask_in_session(phone, "a")
        assert not await ask_in_session(phone, *texts, **fields)


async def test_defaults_count_as_what_they_are_and_a_tool_message_continues() -> None:
    async with FakeLocalLLM() as phone:
        await ask_in_session(phone, "a")
        result = {"role": "tool", "tool_call_id": "x", "content": "1"}
        messages = turns("a")
        for more, reused in [([result, result], 0), ([result], 1)]:
            messages = [*messages, {"role": "assistant", "content": ""}, *more]
            await post(phone.port, chat(messages=messages, session_id="s", temperature=0.8, top_k=40))
            assert phone.log.count(f"session reuse s gemma-4-e2b_model_{CPU}") == reused


@pytest.mark.parametrize("between", [{"session_id": ""}, {"session_id": "other"}])
async def test_any_other_conversation_on_the_engine_ends_the_session(between: dict[str, str]) -> None:  # row 19
    async with FakeLocalLLM() as phone:
        await ask_in_session(phone, "a")
        await ask_in_session(phone, "z", **between)
        assert not await ask_in_session(phone, "a", "a", "b")


async def test_another_engine_leaves_the_session_alone() -> None:
    async with FakeLocalLLM() as phone:
        await ask_in_session(phone, "a")
        await ask_in_session(phone, "z", session_id="", max_tokens=512)
        assert await ask_in_session(phone, "a", "a", "b")


async def test_eviction_loses_sessions_and_engines_without_a_word() -> None:
    async with FakeLocalLLM() as phone:
        await ask_in_session(phone, "a")
        with phone.hold() as gate:
            busy = asking(phone, chat(max_tokens=512))
            await gate.reached.wait()
            phone.evict()
            assert phone.engines == [f"gemma-4-e2b_512_{CPU}"]
        assert (await busy).status == 200
        assert not await ask_in_session(phone, "a", "a", "b")


async def test_a_failed_first_turn_leaves_the_engine_stuck_once() -> None:
    async with FakeLocalLLM() as phone:
        phone.fail_after(1)
        assert (await post(phone.port, chat(session_id="s"))).status == 500
        stuck = await post(phone.port, chat())
        assert stuck.status == 500 and "stuck conversation" in stuck.error["message"]
        assert phone.engines == []
        assert (await post(phone.port, chat())).status == 200


async def test_a_failed_later_turn_only_loses_the_session() -> None:
    async with FakeLocalLLM() as phone:
        await ask_in_session(phone, "a")
        phone.fail_after(0)
        assert (await post(phone.port, chat(messages=turns("a", "a", "b"), session_id="s"))).status == 500
        assert not await ask_in_session(phone, "a", "a", "b")


async def test_a_failed_stateless_request_leaves_nothing() -> None:
    async with FakeLocalLLM() as phone:
        phone.fail_after(1)
        failed = await post(phone.port, chat())
        assert (failed.status, failed.error["type"], failed.error["code"]) == (500, "server_error", 500)
        assert (await post(phone.port, chat())).status == 200


# The hazard (7.6)


@pytest.mark.parametrize("stream", [False, True])
async def test_overlap_kills_the_app(stream: bool) -> None:
    async with FakeLocalLLM() as phone:
        gate = phone.hold()
        first = asking(phone, chat(stream=stream))
        await gate.reached.wait()
        async with connected(phone.port) as (idle, _):
            with pytest.raises(ConnectionResetError):
                await post(phone.port, chat())
            with pytest.raises(ConnectionResetError):
                await first
            with pytest.raises(ConnectionResetError):
                await idle.read()
        assert (phone.crashes, phone.overlaps, phone.max_in_flight, phone.engines) == (1, 1, 2, [])
        assert phone.log[phone.log.index("crash") :] == ["crash", f"inference end gemma-4-e2b_model_{CPU}"]
        with pytest.raises(ConnectionRefusedError):
            await ask(phone.port, "GET", "/health")
        gate.release()
        await phone.came_back()
        again = await post(phone.port, chat())
        assert again.json["id"] == "chatcmpl-1"
        metrics = (await ask(phone.port, "GET", "/metrics")).body.decode()
        assert "localllm_requests_total 1\n" in metrics


@pytest.mark.parametrize("stream", [False, True])
async def test_overlap_fails_the_first(stream: bool) -> None:
    async with FakeLocalLLM(overlap="fail") as phone:
        with phone.hold() as gate:
            first = asking(phone, chat(stream=stream))
            await gate.reached.wait()
            second = asking(phone, chat("second"))
            broken = await first
        if stream:
            assert broken.status == 200 and not broken.complete
        else:
            assert "not alive" in broken.error["message"] and broken.status == 500
        assert (await second).text == "second"
        assert phone.crashes == 0


@pytest.mark.parametrize("overlap", ["fail", "crash"])
async def test_one_that_waits_is_closed_by_the_next(overlap: Any) -> None:
    """Both are on another engine than the one that runs, so nobody generating is hit."""
    async with FakeLocalLLM(overlap=overlap) as phone:
        with phone.hold() as gate:
            running = asking(phone, chat(max_tokens=512))
            await gate.reached.wait()
            waiting = asking(phone, chat())
            await until(lambda: phone.log[-1] == f"conversation create gemma-4-e2b_model_{CPU}")
            last = asking(phone, chat())
            await until(lambda: phone.log[-2:] == [
                f"conversation close gemma-4-e2b_model_{CPU}", f"conversation create gemma-4-e2b_model_{CPU}"
            ])
        answers = [await running, await waiting, await last]
    assert [answer.status for answer in answers] == [200, 500, 200]
    assert "not alive" in answers[1].error["message"]


def _more_requests(phone: FakeLocalLLM, than: int) -> bool:
    return len(phone.requests) > than


async def test_polite_queueing_serves_in_order() -> None:
    async with FakeLocalLLM(overlap="queue") as phone:
        with phone.hold() as gate:
            answers = [asking(phone, chat("first"))]
            await gate.reached.wait()
            for text in ("second", "third"):
                waits = len(phone.requests)
                answers.append(asking(phone, chat(text)))
                await until(partial(_more_requests, phone, waits))
        assert [(await answer).text for answer in answers] == ["first", "second", "third"]
        said = [prompt.messages[-1]["content"] for prompt in phone.prompts]
        assert (said, phone.crashes, phone.overlaps, phone.max_in_flight) == (["first", "second", "third"], 0, 2, 3)


async def test_one_after_the_other_never_overlaps() -> None:
    async with FakeLocalLLM() as phone:
        for stream in (True, False, True, False):
            assert (await post(phone.port, chat(stream=stream))).status == 200
        assert (phone.crashes, phone.overlaps, phone.max_in_flight) == (0, 0, 1)


@pytest.mark.parametrize("restart_s", [0.01, None])
async def test_a_crash_and_the_way_back(restart_s: float | None) -> None:
    async with FakeLocalLLM(restart_s=restart_s) as phone:
        port = phone.port
        await post(phone.port, chat())
        await phone.crash()
        with pytest.raises(ConnectionRefusedError):
            await ask(port, "GET", "/health")
        if restart_s is None:
            with pytest.raises(TimeoutError):
                await phone.came_back(within_s=0.05)
        else:
            await phone.came_back()
            assert (await ask(port, "GET", "/health")).json["engines"] == []
        assert phone.crashes == 1


# Failures on order, and in mid-stream (8.5)


async def test_failures_that_a_test_orders() -> None:
    async with FakeLocalLLM() as phone:
        phone.fail_next(503, "litert_engine_failed", "LITERT_INIT_FAILED", "no")
        phone.fail_next(429, "rate_limit_error")
        phone.fail_next(500, body="java.lang.OutOfMemoryError", content_type="text/plain")
        answers = [await post(phone.port, chat(stream=True)) for _ in range(4)]
        assert [answer.status for answer in answers] == [503, 429, 500, 200]
        assert answers[0].error["code"] == "LITERT_INIT_FAILED" and "x-request-id" in answers[0].headers
        assert (answers[1].error["code"], answers[1].headers["retry-after"]) == (429, "5")
        assert "x-request-id" not in answers[1].headers
        assert (answers[2].body, answers[2].headers["content-type"]) == (b"java.lang.OutOfMemoryError", "text/plain")


async def test_a_failure_in_mid_stream_as_a_frame() -> None:
    async with FakeLocalLLM(mid_stream_failure="frame") as phone:
        phone.fail_after(2)
        answer = await post(phone.port, chat(stream=True))
    assert answer.complete and answer.lines[-1] == "data: [DONE]"
    error = answer.frames[-1]["error"]
    assert (error["type"], error["code"]) == ("server_error", 500)
    assert [delta.get("content") for delta in answer.deltas] == [None, "one", "o"]


@pytest.mark.parametrize("pieces", [0, 2])
async def test_a_failure_in_mid_stream_cuts_the_body(pieces: int) -> None:
    async with FakeLocalLLM(deltas="correct") as phone:
        phone.fail_after(pieces)
        answer = await post(phone.port, chat(stream=True))
        assert (answer.status, answer.complete) == (200, False)
        assert answer.text == "".join(["one", " two"][:pieces])
        assert "error" not in answer.body.decode() and "[DONE]" not in answer.body.decode()


async def test_a_reply_that_ends_in_an_error() -> None:
    async with FakeLocalLLM(reply=Reply(("some",), error="native trouble")) as phone:
        assert (await post(phone.port, chat())).error["message"] == "native trouble"
        assert (await post(phone.port, chat(stream=True))).text == "some"


# The head (8.3)


@pytest.mark.parametrize("head", ["with_body", "at_once"])
async def test_when_the_head_arrives(head: Any) -> None:
    """While the request waits for the mutex: not at all, or before the wait."""
    async with FakeLocalLLM(head=head) as phone, connected(phone.port) as (reader, writer):
        with phone.hold() as gate:
            running = asking(phone, chat(max_tokens=512))
            await gate.reached.wait()
            writer.write(request("POST", CHAT, chat(stream=True)))
            if head == "at_once":
                early = await reader.readuntil(b"\r\n\r\n")
                assert b"X-Queue-Position: 1\r\n" in early
            else:
                early = b""
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await reader.read(1)
        assert parse(early + await reader.read()).complete
        await running


async def test_a_failure_while_the_head_is_held_back_is_a_closed_connection() -> None:
    async with FakeLocalLLM(request_timeout_s=0.05) as phone:
        with phone.hold() as gate:
            running = asking(phone, chat(max_tokens=512))
            await gate.reached.wait()
            assert await post(phone.port, chat(stream=True)) == Answer(0, {}, b"", complete=False)
        assert (await running).status == 408


# Time (7.7)


async def test_a_wait_that_takes_too_long_is_408_on_time() -> None:
    async with FakeLocalLLM(request_timeout_s=0.05) as phone:
        with phone.hold() as gate:
            running = asking(phone, chat(max_tokens=512))
            await gate.reached.wait()
            late = await post(phone.port, chat())
            assert (late.status, late.error["type"], late.error["code"]) == (408, "timeout", 408)
            assert not running.done()  # its own time is over as well, and the native call does not return
        assert (await running).status == 408


@pytest.mark.parametrize("how", ["cut", "frame"])
async def test_a_stream_that_takes_too_long_is_cancelled(how: Any) -> None:
    async with FakeLocalLLM(request_timeout_s=0.15, mid_stream_failure=how) as phone:
        with phone.hold():
            answer = await post(phone.port, chat(stream=True))
            assert phone.log[-2:] == [
                f"inference end gemma-4-e2b_model_{CPU}",
                f"conversation close gemma-4-e2b_model_{CPU}",
            ]
        assert answer.complete == (how == "frame")
        if how == "frame":
            assert answer.frames[-1]["error"]["type"] == "timeout"
        assert (await post(phone.port, chat())).status == 200


# Clients that leave (7.8)


async def leave_while_generating(phone: FakeLocalLLM, payload: dict[str, Any]) -> None:
    """Send, wait until the model works on it, and break off."""
    gate = phone.hold()
    async with connected(phone.port) as (_, writer):
        writer.write(request("POST", CHAT, payload))
        await gate.reached.wait()
    await until(lambda: phone.open_connections == 0)
    gate.release()


async def test_a_blocking_answer_is_finished_for_nobody() -> None:
    async with FakeLocalLLM() as phone:
        await leave_while_generating(phone, chat())
        await until(lambda: phone.log[-1].startswith("conversation close"))
        metrics = (await ask(phone.port, "GET", "/metrics")).body.decode()
        assert "localllm_requests_completed_total 1\n" in metrics


async def test_a_stream_is_left_at_a_write_and_the_model_goes_on() -> None:
    async with FakeLocalLLM(token_delay_s=0.02) as phone:
        await leave_while_generating(phone, chat("word " * 100, stream=True))
        await until(lambda: "inference start" in phone.log[-1])
        async with asyncio.timeout(10):
            while b"localllm_requests_errored_total 1\n" not in (await ask(phone.port, "GET", "/metrics")).body:
                pass
        assert phone.log[-1].startswith("inference start")  # nobody told the native side
        with pytest.raises(ConnectionResetError):
            await post(phone.port, chat())
        assert phone.crashes == 1


async def test_an_abandoned_stream_is_over_when_the_model_is() -> None:
    async with FakeLocalLLM() as phone:
        await leave_while_generating(phone, chat(stream=True))
        await until(lambda: phone.log[-1].startswith("inference end"))
        assert (await post(phone.port, chat())).status == 200
        assert (phone.crashes, phone.overlaps) == (0, 0)


async def test_an_abandoned_stream_of_a_polite_app_keeps_the_mutex() -> None:
    async with FakeLocalLLM(overlap="queue", token_delay_s=0.01) as phone:
        await leave_while_generating(phone, chat(stream=True))
        assert (await post(phone.port, chat("next"))).text == "next"
        starts = [entry.split()[1] for entry in phone.log if entry.startswith("inference")]
        assert (starts, phone.crashes) == (["start", "end"] * 2, 0)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", ["gemma-4-e2b", "gemini-nano-aicore"])
async def test_a_build_that_notices_departures_stops(model: str, stream: bool) -> None:
    async with FakeLocalLLM(disconnect="stop") as phone, connected(phone.port) as (_, writer):
        with phone.hold() as gate:
            writer.write(request("POST", CHAT, chat(model=model, stream=stream)))
            await gate.reached.wait()
            writer.close()
            await until(lambda: any(entry.startswith("inference end") for entry in phone.log))
            metrics = (await ask(phone.port, "GET", "/metrics")).body.decode()
            assert "localllm_requests_cancelled_total 1\n" in metrics
        assert (await post(phone.port, chat(model=model))).status == 200


# The fake itself


async def test_a_fault_of_the_fake_comes_out_at_the_end_of_the_block() -> None:
    def broken(messages: list[dict[str, Any]]) -> Reply:
        raise KeyError("a fault in the test's own model")

    with pytest.raises(KeyError):
        async with FakeLocalLLM(reply=broken) as phone:
            with pytest.raises(ConnectionResetError):
                await post(phone.port, chat())


async def test_leaving_the_block_ends_what_runs() -> None:
    async with FakeLocalLLM() as phone:
        gate = phone.hold()
        answer = asking(phone, chat())
        await gate.reached.wait()
    with pytest.raises(ConnectionResetError):
        await answer
    with pytest.raises(ConnectionRefusedError):
        await ask(phone.port, "GET", "/health")
