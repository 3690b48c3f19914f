"""What becomes of LocalLLM's answers on their way to a client: every row of `protocols/localllm.md` 8.1 to 8.6, through the adapter."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from adapter.dialects.localllm_check import QUESTION
from tests.fakes.localllm import AICORE_ID, Build, FakeLocalLLM, Reply
from tests.fakes.localllm import frames as fake_frames
from tests.fakes.localllm import streams as fake_streams
from tests.wire.hazards import PIECES, TEXT, Seen, both, rescuer
from tests.wire.localllm_cases import CHAT_PATH, GEMMA, until
from tests.wire.localllm_hazards import Place, asked_both_ways, place

AICORE = f"phone/{AICORE_ID}"
LAP = {
    "type": "function",
    "function": {"name": "get_corner", "parameters": {"type": "object", "properties": {"lap": {"type": "integer"}}}},
}
TWO_CALLS = (("get_corner", {"lap": 3}), ("get_corner", {"lap": 4}))


def talker(*pieces: str, calls: tuple[tuple[str, dict[str, Any]], ...] = (), **options: Any) -> FakeLocalLLM:
    """Says `pieces`, `TEXT` without any; streams it undamaged unless told otherwise."""
    return FakeLocalLLM(reply=Reply(pieces or PIECES, calls), **{"deltas": "correct", **options})


def choices_of(seen: Seen) -> list[dict[str, Any]]:
    return [choice for frame in seen.frames for choice in frame.get("choices") or ()]


def calls_of(seen: Seen) -> list[dict[str, Any]]:
    parts = [choice.get("delta") or choice.get("message") or {} for choice in choices_of(seen)]
    return [call for part in parts for call in part.get("tool_calls") or ()]


async def raw_stream(at: Place, **body: Any) -> str:
    """The very bytes of a streamed answer."""
    asked = {"model": at.model, "messages": [{"role": "user", "content": "say hello"}], "stream": True, **body}
    async with at.adapter.session.post(CHAT_PATH, json=asked) as response:
        assert response.status == 200 and response.content_type == "text/event-stream"
        return (await response.read()).decode()


# --- 8.1 ------------------------------------------------------------------------------------------------------------------


@both
@asked_both_ways
async def test_8_1_no_usage(stream: bool, upstream: str) -> None:
    """8.1: "No usage". Estimated here, and said to be."""
    async with place(talker(), stream=upstream) as at:
        seen = await at.ask(stream=stream, stream_options={"include_usage": True} if stream else None)
    usage = seen.usage
    assert usage["prompt_tokens"] > 0 and usage["completion_tokens"] > 10
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert seen.farmhand["usage"] == {"prompt_tokens": "estimated", "completion_tokens": "estimated"}


@both
async def test_8_1_ids_do_not_repeat_after_a_restart(stream: bool) -> None:
    """8.1: "id counts up from 1 in each server process: not unique across restarts"."""
    async with place(talker(), router={}) as at:
        seen = [await at.ask(stream=stream) for _ in range(2)]
        await at.phone.crash()
        await at.phone.came_back()
        seen += [await at.ask(stream=stream) for _ in range(2)]
    ids = [{frame["id"] for frame in one.frames} for one in seen]
    assert all(len(found) == 1 for found in ids) and len(set.union(*ids)) == 4
    assert not any(name.removeprefix("chatcmpl-").isdecimal() and len(name) < 14 for found in ids for name in found)


@both
async def test_8_1_model_names_who_answered(stream: bool) -> None:
    """8.1: "model echoes the request", so an alias would come back as if it existed."""
    async with place(talker()) as at:
        seen = await at.ask(stream=stream, model="gemma3n-e2b")
    assert {frame["model"] for frame in seen.frames} == {GEMMA}


@both
@asked_both_ways
async def test_8_1_an_empty_answer_is_an_error(stream: bool, upstream: str) -> None:
    """8.1: "content may be \"\"". Nobody can use it, so it is a failure, and the next target's turn."""
    async with place(FakeLocalLLM(reply=Reply(())), stream=upstream) as at:
        seen = await at.ask(stream=stream)
    assert seen.refused == (502, "upstream_protocol") and "without a word" in seen.message
    async with place(FakeLocalLLM(reply=Reply(())), stream=upstream, second=rescuer()) as at:
        seen = await at.ask(stream=stream)
    assert (seen.whole, seen.text, seen.engine) == (True, TEXT, "second")


@both
@asked_both_ways
async def test_8_1_tags_and_signs_arrive_as_they_are(stream: bool, upstream: str) -> None:
    """8.1 with 3 "<, >, &, =, ' are written as \\u003c": `protocols/pitwall.md` 3 "Do not strip or escape angle brackets or square brackets"."""
    pieces = ("[EMOTION:calm] ", "Trail the ", "brake. <FOCUS>", "T4 'entry'", " & a=b</FOCUS>", " 🏁é\n\n<b>")
    async with place(talker(*pieces), stream=upstream) as at:
        seen = await at.ask(stream=stream)
    assert (seen.whole, seen.text) == (True, "".join(pieces))


async def test_8_1_the_plain_body_has_every_field_that_clients_look_for() -> None:
    """8.1: "no logprobs, no refusal, no usage": `finish_reason`, `index`, `role` and `usage` are there."""
    async with place(talker()) as at:
        [body] = (await at.ask(stream=False)).frames
    assert body["object"] == "chat.completion" and isinstance(body["created"], int)
    [choice] = body["choices"]
    assert (choice["index"], choice["finish_reason"], choice["message"]["role"]) == (0, "stop", "assistant")


# --- 8.2 ------------------------------------------------------------------------------------------------------------------


async def test_8_2_content_beside_calls_is_there() -> None:
    """8.2: "content is absent, not null". A client that reads `message.content` finds a string."""
    async with place(talker("Let me look. ", calls=TWO_CALLS)) as at:
        [body] = (await at.ask(stream=False, tools=[LAP])).frames
    [choice] = body["choices"]
    assert choice["finish_reason"] == "tool_calls" and choice["message"]["content"] == ""
    assert [call["function"]["arguments"] for call in choice["message"]["tool_calls"]] == ['{"lap": 3}', '{"lap": 4}']


@both
@pytest.mark.parametrize(("upstream", "text"), [("never", ""), ("always", "Let me look. ")], ids=["app-plain", "app-stream"])
async def test_8_2_text_beside_calls(stream: bool, upstream: str, text: str) -> None:
    """8.2: "Text that the model wrote beside the calls is dropped", 8.3: "kept, unlike blocking mode": what the app sends is passed on."""
    async with place(talker("Let ", "me look. ", calls=TWO_CALLS), stream=upstream) as at:
        seen = await at.ask(stream=stream, tools=[LAP])
    assert seen.whole and seen.text == text and len(calls_of(seen)) == 2


# --- 8.3 ------------------------------------------------------------------------------------------------------------------


@asked_both_ways
async def test_8_3_rows_1_to_last_the_frames_in_their_order(upstream: str) -> None:
    """8.3: role, content ..., final, `[DONE]`; only `data:` lines; one id; "created is set per frame", and here it is one."""
    async with place(talker(), stream=upstream) as at:
        lines = (await raw_stream(at)).split("\n\n")
    assert lines[-2:] == ["data: [DONE]", ""] and all(line.startswith("data: {") for line in lines[:-2])
    frames = [json.loads(line.removeprefix("data: ")) for line in lines[:-2]]
    first, *middle, last = [frame["choices"][0] for frame in frames]
    assert first["delta"]["role"] == "assistant"
    assert all(set(choice["delta"]) == {"content"} for choice in middle) and middle
    assert (last["delta"], last["finish_reason"]) == ({}, "stop")
    assert len({(frame["id"], frame["created"], frame["object"]) for frame in frames}) == 1


@asked_both_ways
async def test_8_3_finish_reason_is_null_until_the_final_frame(upstream: str) -> None:
    """8.3: "finish_reason: key absent until the final frame"; index and `finish_reason: null` are added."""
    async with place(talker(), stream=upstream) as at:
        seen = await at.ask(stream=True)
    reasons = [choice["finish_reason"] for choice in choices_of(seen)]
    assert reasons[-1] == "stop" and set(reasons[:-1]) == {None}
    assert {choice["index"] for choice in choices_of(seen)} == {0}


@both
async def test_8_3_comments_of_the_app_are_passed_over(stream: bool) -> None:
    """8.3: ": ka | comment, every 10 s". They are a sign of life to us, and no text to anybody."""
    phone = talker("one ", "two", token_delay_s=0.06, keepalive_s=0.01)
    async with place(phone, stream="always") as at:
        seen = await at.ask(stream=stream)
        raw = await raw_stream(at)
    assert (seen.whole, seen.text) == (True, "one two") and ": ka" not in raw


async def test_8_3_no_comments_while_queued_but_signs_of_life_for_our_client() -> None:
    """8.3: "None while queued, none on AICore", and none at all in plain answers: empty chunks keep our client's connection alive in both."""
    async with place(talker(), server={"status_hold_s": 0.05, "keepalive_s": 0.03}) as at:
        with at.phone.hold() as gate:
            async with at.client(stream=True) as running, at.client(stream=True) as waiting:
                await gate.reached.wait()
                await until(lambda: min(len(running.seen.frames), len(waiting.seen.frames)) >= 3)
                assert running.seen.text == waiting.seen.text == ""
                gate.release()
                seen = [await running.sees(), await waiting.sees()]
    assert [(one.whole, one.text) for one in seen] == [(True, TEXT)] * 2
    assert at.unhurt


@asked_both_ways
async def test_8_3_calls_get_an_index(upstream: str) -> None:
    """8.3: "Tool calls come whole, in the final frame, without the index that OpenAI's stream has": strict accumulators would mix them up."""
    async with place(talker("x", calls=TWO_CALLS), stream=upstream) as at:
        seen = await at.ask(stream=True, tools=[LAP])
    calls = calls_of(seen)
    assert [call["index"] for call in calls] == [0, 1] and len({call["id"] for call in calls}) == 2
    assert [json.loads(call["function"]["arguments"]) for call in calls] == [{"lap": 3}, {"lap": 4}]
    assert seen.finish_reason == "tool_calls"


@pytest.mark.parametrize("wanted", [True, False])
async def test_8_3_the_usage_frame_is_ours(wanted: bool) -> None:
    """8.3: "usage frame: never, stream_options ignored"."""
    async with place(talker(), stream="always") as at:
        seen = await at.ask(stream=True, stream_options={"include_usage": wanted})
    assert bool(seen.usage) == wanted


@both
@pytest.mark.parametrize("head", ["with_body", "at_once"])
async def test_8_3_the_apps_headers_may_come_with_the_first_frame(stream: bool, head: Any) -> None:
    """8.3 headers: "Netty is believed to hold the response head until the first body bytes". Silence before them is no failure."""
    async with place(talker(head=head), stream="always", between_tokens_s=0.05) as at:
        with at.phone.hold() as gate:
            async with at.client(stream=stream) as client:
                await gate.reached.wait()
                await asyncio.sleep(0.1)  # longer than a silence between tokens may last
                gate.release()
                seen = await client.sees()
    assert (seen.whole, seen.text) == (True, TEXT)


# --- 8.4 ------------------------------------------------------------------------------------------------------------------


LOST: dict[str, tuple[str, ...]] = {
    "same-length": ("lap ", "two ", "and ", "one "),
    "longer": ("a", " bb", " cccc", " dddddd"),
    "shorter": ("aaaaaa", " bbb", " c", "d"),
    "empty": ("aa", "", " bb", "", " cc"),
    "worked-example": ("Hel", "lo", " w", "orld"),
    "two-units-for-one-sign": ("🏁", "ab", "🏎", "é"),
}


@both
@pytest.mark.parametrize("row", LOST)
async def test_8_4_no_text_is_lost(stream: bool, row: str) -> None:
    """8.4, each row of the table: "same length: nothing | longer: only the part beyond | shorter: all of it | empty". With the default
    (`stream = "auto"`) a damaged build is found out before the first answer, and asked plain."""

    def says(messages: list[dict[str, Any]]) -> Reply:
        return Reply(LOST["worked-example"] if messages[-1]["content"] == QUESTION else LOST[row])

    async with place(FakeLocalLLM(reply=says, deltas="length"), stream="auto") as at:
        seen = [await at.ask(stream=stream) for _ in range(2)]
    assert [(one.whole, one.text) for one in seen] == [(True, "".join(LOST[row]))] * 2
    assert [chat["stream"] for chat in at.chats] == [False, True, False, False]


@both
@pytest.mark.parametrize("row", ["shorter", "one-empty"])
async def test_8_4_a_check_that_proves_nothing_counts_as_damage(stream: bool, row: str) -> None:
    """8.4: "shorter: all of it", "empty: the next piece passes whole": an answer of such pieces comes whole from a damaged build, too."""
    proves_nothing = {"shorter": LOST["shorter"], "one-empty": ("aaaa", " bb", "", " cc", "d")}[row]

    def says(messages: list[dict[str, Any]]) -> Reply:
        return Reply(proves_nothing if messages[-1]["content"] == QUESTION else LOST["worked-example"])

    async with place(FakeLocalLLM(reply=says, deltas="length"), stream="auto") as at:
        seen = await at.ask(stream=stream)
    assert (seen.whole, seen.text) == (True, "Hello world")
    assert [chat["stream"] for chat in at.chats] == [False, True, False]


@both
@pytest.mark.parametrize("build", ["monolith", "split", "rich", "warm"])
async def test_8_4_streams_are_used_where_they_are_whole(stream: bool, build: Build) -> None:
    """8.4: "Code at 7085b39 and before compared prefixes": there the client gets its text as it comes. 2: "only a trial does" tell them apart."""
    phone = FakeLocalLLM(build=build, reply=Reply(PIECES), token_delay_s=0.003)
    async with place(phone, stream="auto") as at:
        first, second = await at.ask(stream=stream), await at.ask(stream=stream)
    whole = build in ("monolith", "split")
    assert first.text == second.text == TEXT
    assert [chat["stream"] for chat in at.chats] == [False, True, whole, whole]
    if stream:
        assert (len([delta for delta in second.deltas if delta]) > 10) == whole


@both
async def test_8_4_the_aicore_path_has_the_same_code(stream: bool) -> None:
    """8.4: "The AICore path has the same code". Each model is tried out by itself."""
    async with place(talker(*LOST["same-length"], deltas="length"), stream="auto", model=AICORE_ID) as at:
        seen = await at.ask(stream=stream)
    assert (seen.whole, seen.text) == (True, "".join(LOST["same-length"]))
    assert [chat["stream"] for chat in at.chats] == [False, True, False]


@both
async def test_8_4_another_process_is_tried_out_anew(stream: bool) -> None:
    """8.4 with 2: an update comes with a restart, so what was found out holds for one process of the app only."""
    async with place(talker(), stream="auto", router={}) as at:
        await at.ask(stream=stream)
        await at.phone.crash()
        await at.phone.came_back()
        seen = [await at.ask(stream=stream) for _ in range(2)]
    assert [(one.whole, one.text) for one in seen] == [(True, TEXT)] * 2
    assert [chat["stream"] for chat in at.chats].count(False) == 2, "two checks"


async def test_8_4_the_price_no_early_text() -> None:
    """8.4: "The price: no early text". A streaming client of a damaged build gets the whole text at once, and signs of life before it."""
    async with place(talker(deltas="length"), stream="never", server={"status_hold_s": 0.05, "keepalive_s": 0.03}) as at:
        with at.phone.hold() as gate:
            async with at.client(stream=True) as client:
                await gate.reached.wait()
                await client.hears(0)
                assert client.seen.text == ""
                gate.release()
                seen = await client.sees()
    assert (seen.whole, seen.text) == (True, TEXT) and TEXT in seen.deltas


# --- 8.5 ------------------------------------------------------------------------------------------------------------------


POINTS = (0, 1, 5, 30, len(PIECES))
midway = pytest.mark.parametrize("how", ["frame", "cut"])


@midway
@pytest.mark.parametrize("after", POINTS)
async def test_8_5_a_failure_in_mid_stream_ends_in_an_error_frame(how: Any, after: int) -> None:
    """8.5: "data: {error} then [DONE]" as intended, "cut without its terminator" as expected. Our client gets an error frame and no `[DONE]`; before
    any text, an error with a status."""
    async with place(talker(mid_stream_failure=how), stream="always") as at:
        at.phone.fail_after(after)
        seen = await at.ask(stream=True)
    assert seen.code == ("engine_failed" if how == "frame" else "upstream_protocol")
    assert TEXT.startswith(seen.text) and not seen.whole
    assert seen.broken_off if seen.text else seen.status in (500, 502)


@both
@midway
@pytest.mark.parametrize("after", POINTS)
async def test_8_5_a_failure_in_mid_stream_is_continued(stream: bool, how: Any, after: int) -> None:
    """8.5, with somebody behind the phone who can go on: the whole text, without gap or repeat, and the seam where it was."""
    async with place(talker(mid_stream_failure=how), stream="always", second=rescuer()) as at:
        at.phone.fail_after(after)
        seen = await at.ask(stream=stream)
    assert (seen.whole, seen.text, seen.engine) == (True, TEXT, "second")
    if after:
        [seam] = seen.seams
        assert (seam["before"], seam["after"]) == (f"phone/{GEMMA}", "second/m") and 0 < seam["at_chars"] <= len(TEXT)
    else:
        assert seen.seams == []


@both
async def test_8_5_a_stream_without_done_is_a_failure(stream: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """8.5: "Treat a missing [DONE] as failure even when text has arrived", also when the body ends in good order."""
    monkeypatch.setattr(fake_streams, "DONE", ": the end\n\n")
    async with place(talker(), stream="always") as at:
        seen = await at.ask(stream=stream)
    assert seen.code == "upstream_protocol" and not seen.whole
    assert (seen.text, seen.broken_off) == ((TEXT, True) if stream else ("", False))


@both
async def test_8_5_a_stream_without_its_final_frame_is_a_failure(stream: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """8.5, likewise: `[DONE]` without a `finish_reason` before it says nothing about why it ended."""
    monkeypatch.setattr(fake_frames.Frames, "final", lambda self, calls: ": no reason\n\n")
    async with place(talker(), stream="always") as at:
        seen = await at.ask(stream=stream)
    assert seen.code == "upstream_protocol" and not seen.whole


@midway
async def test_8_5_calls_are_never_half(how: Any) -> None:
    """8.5: calls come in the final frame, so a stream that breaks has none of them; nobody continues what has tools with words."""
    phone = talker("Let ", "me ", "look.", calls=TWO_CALLS, mid_stream_failure=how)
    async with place(phone, stream="always") as at:
        at.phone.fail_after(2)
        seen = await at.ask(stream=True, tools=[LAP])
    assert calls_of(seen) == [] and seen.finish_reason is None and seen.code in ("engine_failed", "upstream_protocol")


@both
async def test_8_5_the_app_dies_in_mid_stream(stream: bool) -> None:
    """8.5 with 5.1 row 19: a crash looks like a cut. Continued, and the app is found again."""
    async with place(talker(token_delay_s=0.01), stream="always", second=rescuer()) as at:
        async with at.client(stream=stream) as client:
            if stream:
                await client.hears(6)
            else:
                await until(lambda: at.phone.prompts != [])
                await asyncio.sleep(0.05)  # some of it is said, which only the app knows
            await at.phone.crash()
            seen = await client.sees()
        await at.phone.came_back()
        after = await at.ask(stream=stream)
    assert (seen.whole, seen.text, len(seen.seams)) == (True, TEXT, 1)
    assert (after.whole, after.text, after.engine) == (True, TEXT, "phone")


async def test_8_5_a_plain_answer_that_is_cut() -> None:
    """8.5 for plain answers, whose Content-Length tells: never half a JSON to anybody."""
    async with place(talker(token_delay_s=0.01, restart_s=None)) as at:
        with at.phone.hold() as gate:
            async with at.client(stream=False) as client:
                await gate.reached.wait()
                await at.phone.crash()
                seen = await client.sees()
    assert seen.refused == (500, "app_crashed") and "crashed" in seen.message


# --- 8.6 ------------------------------------------------------------------------------------------------------------------


@both
async def test_8_6_history_is_flattened_by_the_app(stream: bool) -> None:
    """8.6 history: "one flattened text": every message is in it, in order."""
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "1"},
        {"role": "user", "content": "two"},
    ]
    async with place() as at:
        seen = await at.ask(messages, stream=stream, model=AICORE)
    assert seen.whole
    [prompt] = [message["content"] for message in at.phone.prompts[-1].messages]
    assert prompt == "system: Be brief.\n\nuser: one\n\nassistant: 1\n\nuser: two\n\nassistant: "


@both
async def test_8_6_session_id_tools_and_tool_choice_are_ignored_by_the_app(stream: bool) -> None:
    """8.6: "session_id, tools, tool_choice | yes | ignored": none is sent; tools go into the prompt."""
    async with place(FakeLocalLLM(reply=Reply(("Three.",))), sessions=True) as at:
        seen = await at.ask(stream=stream, model=AICORE, tools=[LAP], session_id="mine")
    assert (seen.whole, seen.text, seen.farmhand["emulated"]["tools"]) == (True, "Three.", "prompt")
    assert not {"session_id", "tools", "tool_choice"} & set(at.chats[0])


@both
@asked_both_ways
async def test_8_6_truncation_is_told(stream: bool, upstream: str) -> None:
    """8.6 truncation: "ML Kit may stop at its limit; still reported as stop". An answer that has all the tokens it may have ends with `length`."""
    pieces = tuple(f" word{number}" for number in range(400))
    async with place(talker(*pieces, token_delay_s=0), stream=upstream) as at:
        seen = await at.ask(stream=stream, model=AICORE, max_tokens=20)
    assert (seen.whole, seen.finish_reason) == (True, "length")
    assert at.chats[0]["max_tokens"] == 20 and "".join(pieces).startswith(seen.text)


@both
async def test_8_6_must_be_in_foreground(stream: bool) -> None:
    """8.6: "must be in foreground | no | yes, else 403". 503 with the hint, and the phone's own models answer as before."""
    async with place(FakeLocalLLM(aicore="background")) as at:
        nano, own = await at.ask(stream=stream, model=AICORE), await at.ask(stream=stream)
    assert nano.refused == (503, "engine_unavailable") and "on the screen" in nano.message
    assert own.whole


@both
async def test_8_6_images_last_one_only(stream: bool) -> None:
    """8.6 images: "last one only". None is taken, and said so, where the app would look at one of two and say nothing."""
    part = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    async with place() as at:
        seen = await at.ask([{"role": "user", "content": [part, part]}], stream=stream, model=AICORE)
    assert seen.refused == (400, "not_capable") and at.chats == []


@both
async def test_8_6_no_heartbeat(stream: bool) -> None:
    """8.6: "mutex, wake lock, heartbeat | no": silence before AICore's first word is no failure."""
    async with place(talker(), stream="always", between_tokens_s=0.05) as at:
        with at.phone.hold() as gate:
            async with at.client(stream=stream, model=AICORE) as client:
                await gate.reached.wait()
                await asyncio.sleep(0.1)
                gate.release()
                seen = await client.sees()
    assert (seen.whole, seen.text) == (True, TEXT)


async def test_8_what_a_bare_client_would_have_seen() -> None:
    """8.4, 8.3: the same question without us, so that the tests above are about something: damaged text, no `index`, no usage."""
    async with place(talker("Hel", "lo", " w", "orld", calls=TWO_CALLS, deltas="length"), stream="auto") as at:
        body = {"model": GEMMA, "messages": [{"role": "user", "content": "x"}], "stream": True, "tools": [LAP]}
        async with aiohttp.ClientSession() as session, session.post(at.phone.url + CHAT_PATH, json=body) as response:
            frames = [json.loads(line[6:]) for line in (await response.text()).split("\n\n") if line.startswith("data: {")]
        bare = [frame["choices"][0]["delta"] for frame in frames]
        seen = await at.ask(stream=True)
    assert "".join(delta.get("content", "") for delta in bare) == "Hellold" and seen.text == "Hello world"
    assert "index" not in bare[-1]["tool_calls"][0] and not any("usage" in frame for frame in frames)
