"""`protocols/inferrlm.md` 10, row by row: how the app reports failures, and what a client of the adapter saw of them."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass

import pytest

from tests.fakes.inferrlm import GEMMA_LITERT, LLAMA, QWEN, Build, FakeModelRuntime, Script, StoredModel
from tests.wire.hazards import PIECES, TEXT, both, rescuer
from tests.wire.inferrlm_cases import LONG, PAUSES, every_build
from tests.wire.inferrlm_hazards import QUESTIONS, Refusing, b_and_c, first_line, place, told_how_far

# --- 10.1 Status codes -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """status, word: what the app says to a chat. seen: what the client gets. says: part of the sentence it reads."""

    status: int
    word: str
    seen: tuple[int, str]
    says: str


ROWS_10_1 = [
    Row(400, "empty_body", (502, "upstream_protocol"), "refused the request"),
    Row(400, "invalid_json", (502, "upstream_protocol"), "refused the request"),
    Row(400, "messages_required", (502, "upstream_protocol"), "refused the request"),
    Row(404, "model_not_found", (404, "model_not_found"), "no longer has a model"),
    Row(404, "not_found", (502, "upstream_protocol"), "refused the request"),
    Row(405, "method_not_allowed", (502, "upstream_protocol"), "refused the request"),
    Row(409, "remote_models_disabled", (400, "bad_request"), "cloud provider"),
    Row(422, "api_key_missing", (400, "bad_request"), "cloud provider"),
    Row(500, "generation_failed", (500, "engine_failed"), "without saying why"),
    Row(500, "server_error", (500, "engine_failed"), "could not load the model"),
    Row(503, "model_not_loaded", (503, "engine_unavailable"), "no model in memory"),
    Row(503, "model_busy", (503, "engine_unavailable"), "busy"),
    Row(500, "a word of some later build", (500, "engine_failed"), "a word of some later build"),
]
each_row = pytest.mark.parametrize("row", ROWS_10_1, ids=lambda row: f"{row.status}-{row.word}".replace(" ", "_"))


@both
@each_row
async def test_10_1_each_status_and_code_becomes_an_error_of_its_own(row: Row, stream: bool) -> None:
    """10.1, the table: whatever the app refuses with, the client gets a status, a code, and a sentence with a remedy."""
    async with place("C", phone=Refusing("C", row.status, row.word)) as here:
        seen = await here.ask(stream=stream)
    assert seen.refused == row.seen
    assert row.says in seen.message
    assert ("Retry-After" in seen.headers) == (seen.status == 503)


# What may pass by itself is asked again, and then all is well (section 16, rule 11).
PASSING = ("model_not_loaded", "model_busy", "generation_failed")


@both
@pytest.mark.parametrize("row", [row for row in ROWS_10_1 if row.word in PASSING], ids=lambda row: row.word)
async def test_10_1_a_refusal_that_passes_is_never_seen(row: Row, stream: bool) -> None:
    """10.1, 503 `model_not_loaded` ("A also while any request reloads"), `model_busy`, and 500 within milliseconds."""
    async with place("C", phone=Refusing("C", row.status, row.word, times=2)) as here:
        seen = await here.ask("hello there", stream=stream)
        assert (seen.whole, seen.text) == (True, "hello there")
        assert len(here.chats) == 3
        assert here.phone.overlaps == 0


@both
@each_row
async def test_10_1_each_refusal_but_those_of_the_request_goes_to_the_next_target(row: Row, stream: bool) -> None:
    """10.1, the table, with a second engine behind the phone: refused before the first token, so nobody sees it."""
    async with place("C", phone=Refusing("C", row.status, row.word), second=rescuer()) as here:
        seen = await here.ask(stream=stream)
    if row.seen[0] == 400:
        assert seen.refused == row.seen
    else:
        assert (seen.whole, seen.text, seen.engine, seen.seams) == (True, TEXT, "second", [])


@every_build
@both
async def test_10_1_404_model_not_found_of_a_model_deleted_meanwhile(build: Build, stream: bool) -> None:
    """10.1, 404 `model_not_found`: the owner deleted it after we had looked. The next listing lacks it."""
    async with place(build) as here:
        assert (await here.ask("hi", model=f"phone/{QWEN}", stream=stream)).whole
        kept = tuple(model for model in here.phone.models if model.name != QWEN)
        # As if the owner had deleted it in the app: all parts of the fake share the list.
        here.phone.engine._models = here.phone._routes._phone._models = kept
        seen = await here.ask("hi", model=f"phone/{QWEN}", stream=stream)
        assert seen.refused == (404, "model_not_found")
        assert QWEN in seen.message
        assert (await here.ask("hi", stream=stream)).whole


@every_build
@both
@pytest.mark.parametrize(
    ("name", "enabled", "word"),
    [
        ("gemini", False, "remote_models_disabled"),
        ("claude", True, "api_key_missing"),
        ("apple-foundation", False, "apple_foundation_not_available"),
    ],
)
async def test_10_1_409_and_422_a_stored_model_named_like_a_cloud_provider(
    build: Build, name: str, enabled: bool, word: str, stream: bool
) -> None:
    """10.1, 409, 422 (A: with the reason `OK`), and section 6's 503: the only way to them is a stored model of that name."""
    app = {"models": [StoredModel(name)], "remote_models_enabled": enabled, "loaded": None}
    async with place(build, app=app) as here:
        seen = await here.ask(model=f"phone/{name}", stream=stream)
        assert seen.refused == (400, "bad_request")
        assert word in seen.message and "Rename the stored model" in seen.message
        assert len(here.chats) == 1 and "init_llama" not in here.phone.log.whats()
        assert ("HTTP/1.1 422 OK" in first_line(here.phone)) == (enabled and build == "A")


@every_build
async def test_10_1_cloud_providers_are_never_named(build: Build) -> None:
    """10.1, 409 and 422: a client that names one gets our 404, and nothing leaves for the app, let alone for a cloud."""
    async with place(build, app={"remote_models_enabled": True}) as here:
        for name in ("gemini", "chatgpt", "claude", "deepseek", "apple-foundation"):
            for asked in (name, f"phone/{name}"):
                assert (await here.ask(model=asked)).refused == (404, "model_not_found")
        assert here.chats == []


@every_build
@both
async def test_10_1_500_server_error_the_model_cannot_be_loaded(build: Build, stream: bool) -> None:
    """10.1, 500 `server_error`, "loading the model failed": a plain answer with its status even if `stream` was true."""
    runtime = FakeModelRuntime(failing_models=frozenset({QWEN}))
    async with place(build, runtime=runtime, second=rescuer()) as here:
        seen = await here.ask(model=f"phone/{QWEN}", stream=stream)
        assert seen.refused == (500, "engine_failed")
        assert QWEN in seen.message and "free memory" in seen.message
        assert here.chats[0]["stream"] is True
        assert "HTTP/1.1 500 Internal Server Error" in first_line(here.phone)


@both
async def test_10_1_500_generation_failed_hides_the_reason_of_a_plain_request(stream: bool) -> None:
    """10.1, 500 `generation_failed`: we stream everything, so only LiteRT's plain repetition (13.2) can meet it."""
    empty = Script(pieces=())
    async with place("C", empty) as here:
        here.phone.runtime.next(*[empty, Script(pieces=("a",), fail_after=0, token_delay_s=0.6)])
        seen = await here.ask(model=f"phone/{GEMMA_LITERT}", stream=stream)
        assert [chat["stream"] for chat in here.chats] == [True, False]
        assert "HTTP/1.1 500 Internal Server Error" in first_line(here.phone)
    assert seen.refused == (500, "engine_failed")
    assert "without saying why" in seen.message


@every_build
async def test_10_1_errors_of_other_endpoints_are_never_met(build: Build) -> None:
    """10.1, `prompt_required`, `input_required`, ..., `embedding_failed`: a client may ask for anything, we only ever chat."""
    async with place(build) as here:
        model = here.model
        asked = [
            ("/v1/embeddings", {"model": model, "input": "hello"}),
            ("/v1/embeddings", {"model": model, "input": []}),
            ("/v1/completions", {"model": model, "prompt": "Once"}),
            ("/v1/chat/completions", {"model": model, "messages": []}),
            ("/v1/chat/completions", {"model": model, "messages": None}),
            ("/v1/chat/completions", None),
        ]
        for path, body in asked:
            async with here.adapter.session.post(path, json=body) as response:
                assert response.status == 400
                error = (await response.json())["error"]
                assert error["type"] == "invalid_request_error" and error["message"]
        assert (await here.ask("hi")).whole
        assert here.paths == QUESTIONS | {"/api/chat"}
        assert len(here.chats) == 1 and here.chats[0]["messages"] and here.chats[0]["model"] == LLAMA


@both
@pytest.mark.parametrize(("build", "status"), [("A", 422), ("B", 405), ("C", 501)])
async def test_10_1_a_wrong_reason_phrase_is_not_read(build: Build, status: int, stream: bool) -> None:
    """10.1, "the reason phrase can be wrong (`405 OK`, `501 OK`, in A also `422 OK`); go by the number"."""
    async with place(build, phone=Refusing(build, status, "method_not_allowed")) as here:
        seen = await here.ask(stream=stream)
        assert f"HTTP/1.1 {status} OK" in first_line(here.phone)
    assert seen.refused == (502, "upstream_protocol")


@every_build
async def test_10_1_an_error_before_generation_is_a_status_for_a_stream_too(build: Build) -> None:
    """10.1, "errors found before generation starts are plain JSON ... even if `stream` was true": passed on as that."""
    async with place(build, phone=Refusing(build, 500, "server_error")) as here:
        seen = await here.ask(stream=True)
        assert here.chats[0]["stream"] is True
    assert (seen.status, seen.headers["Content-Type"].split(";")[0]) == (500, "application/json")
    assert not seen.done and len(seen.frames) == 1


# --- 10.2 After a stream's headers -----------------------------------------------------------------------------


@every_build
@both
async def test_10_2_success_is_told_with_a_reason_and_done(build: Build, stream: bool) -> None:
    """10.2, "success": the record with `done:true` and `output`. Ours: the text, `stop`, and `[DONE]` behind a stream."""
    async with place(build) as here:
        seen = await here.ask("Say hello to the harbour.", stream=stream)
        assert "/v1/chat/completions" not in here.paths, "SSE cannot tell failures, so it is never asked for"
    assert (seen.whole, seen.text, seen.finish_reason) == (True, "Say hello to the harbour.", "stop")


@every_build
@both
async def test_10_2_engine_error_before_some_text(build: Build, stream: bool) -> None:
    """10.2, "engine error, before ... some text" (`chat-fail-first`): headers are out at the app, but not at ours."""
    async with place(build, Script(fail_after=0)) as here:
        seen = await here.ask(stream=stream)
        assert seen.refused == (500, "engine_failed")
        assert "Failed to evaluate" in seen.message
        assert len(here.chats) == 1
    async with place(build, Script(fail_after=0), second=rescuer()) as here:
        seen = await here.ask(stream=stream)
        assert (seen.whole, seen.text, seen.engine, seen.seams) == (True, TEXT, "second", [])


@every_build
@both
async def test_10_2_engine_error_after_some_text(build: Build, stream: bool) -> None:
    """10.2, "engine error, ... after some text" (`chat-fail-middle`): an error frame; with a second engine, the whole text."""
    async with place(build, Script(pieces=PIECES, fail_after=3)) as here:
        seen = await here.ask(stream=stream)
        assert seen.code == "engine_failed" and "Failed to evaluate" in seen.message
        assert (seen.broken_off, seen.text) == (True, told_how_far()) if stream else seen.status == 500
    async with place(build, Script(pieces=PIECES, fail_after=3), second=rescuer()) as here:
        seen = await here.ask(stream=stream)
        assert (seen.whole, seen.text) == (True, TEXT)
        assert [(seam["after"], seam["at_chars"]) for seam in seen.seams] == [("second/m", len(told_how_far()))]


@every_build
@both
@pytest.mark.parametrize("word", ["MODEL_BUSY", "Context is busy"])
async def test_10_2_busy_is_waited_out(build: Build, word: str, stream: bool) -> None:
    """10.2, "busy": `MODEL_BUSY` after 30 s (C), or `Context is busy` (B, C), inside a 200. Asked again, then told as a 503."""
    async with place(build, Script(refuse=word)) as here:
        seen = await here.ask(stream=stream)
        assert seen.refused == (503, "engine_unavailable")
        assert word in seen.message and int(seen.headers["Retry-After"]) > 0
        assert len(here.chats) == 1 + len(PAUSES.retry_s)
        here.phone.runtime.next(Script(refuse=word), Script())
        seen = await here.ask("hello there", stream=stream)
        assert (seen.whole, seen.text) == (True, "hello there")
        assert here.phone.overlaps == 0
    async with place(build, Script(refuse=word), second=rescuer()) as here:
        assert (await here.ask(stream=stream)).text == TEXT


@both
@b_and_c
async def test_10_2_busy_as_done_alone_is_never_met(build: Build, stream: bool) -> None:
    """10.2, "busy", SSE: `[DONE]` alone (`busy-30s`). Only the native stream is used, which has the word."""
    async with place(build, Script(refuse="MODEL_BUSY")) as here:
        seen = await here.ask(stream=stream)
        assert not seen.done and "MODEL_BUSY" in seen.message
        assert all(request.path != "/v1/chat/completions" for request in here.phone.requests)


@every_build
@both
async def test_10_2_an_answer_cut_by_others_looks_like_success(build: Build, stream: bool) -> None:
    """10.2, "answer cut by another client, by the owner, by unloading: looks like success". Nothing on the wire tells, so
    the client too sees a whole answer that is none; what we can do is never to be that other client (11)."""
    async with place(build, LONG) as here:
        async with here.client(stream=stream) as client:
            await here.phone.log.wait_for("completion_start")
            if stream:
                await client.hears(2)
            await here.phone.engine.release()  # the owner unloads the model in the app
            seen = await client.sees()
        produced = here.phone.log.of("completion_end")[0].fields["n"]
        assert produced < 40
        if produced:
            assert (seen.whole, seen.finish_reason) == (True, "stop")
            assert "".join(LONG.pieces or ()).startswith(seen.text)
        else:  # nothing at all is no answer
            assert seen.refused == (502, "upstream_protocol")
        assert here.paths <= QUESTIONS | {"/api/chat"}, "we load and unload nothing"


LOST = {
    "tail lost": Script(pieces=PIECES[:10], lose_tail_after=3),
    "phone gone": Script(pieces=PIECES, reset_after=3),
}


@every_build
@both
@pytest.mark.parametrize("how", LOST)
async def test_10_2_tail_lost_or_phone_gone(build: Build, how: str, stream: bool) -> None:
    """10.2, "tail lost, phone gone, app killed: connection ends without a final record": never taken for whole."""
    async with place(build, LOST[how]) as here:
        seen = await here.ask(stream=stream)
        assert seen.code == "upstream_protocol"
        assert (seen.broken_off, seen.text) == (True, told_how_far()) if stream else seen.status == 502
    async with place(build, LOST[how], second=rescuer()) as here:
        seen = await here.ask(stream=stream)
        assert (seen.whole, seen.text, len(seen.seams)) == (True, TEXT, 1)


@every_build
@both
async def test_10_2_app_killed(build: Build, stream: bool) -> None:
    """10.2, "app killed", in the middle of an answer; afterwards its port is closed."""
    async with place(build, Script(pieces=PIECES, hang_after=3), second=rescuer()) as here:
        async with here.client(stream=True, model=f"phone/{LLAMA}") as alone, asyncio.timeout(10):
            await alone.hears(len(told_how_far()))
            await here.phone.__aexit__(None, None, None)
            seen = await alone.sees()
        assert (seen.broken_off, seen.code, seen.text) == (True, "upstream_protocol", told_how_far())
        seen = await here.ask(stream=stream, model=f"phone/{LLAMA}")
        assert seen.refused == (503, "upstream_unreachable")
        assert "Server screen" in seen.message and "Retry-After" in seen.headers
        seen = await here.ask(stream=stream)
        assert (seen.whole, seen.text, seen.engine) == (True, TEXT, "second")


@every_build
@both
async def test_10_2_a_killed_apps_answer_is_continued(build: Build, stream: bool) -> None:
    """10.2, "app killed", with a second engine: from the exact text that was sent."""
    script = Script(pieces=PIECES, hang_after=3)
    async with place(build, script, second=rescuer()) as here, here.client(stream=stream) as client:
        await here.phone.log.wait_for("completion_start")
        if stream:
            await client.hears(len(told_how_far()))
        await here.phone.__aexit__(None, None, None)
        seen = await client.sees()
    assert (seen.whole, seen.text, seen.engine) == (True, TEXT, "second")
    assert [seam["code"] for seam in seen.seams] == ["upstream_protocol"] or not stream


@every_build
@both
async def test_10_2_a_stream_is_complete_only_with_done_and_no_error(build: Build, stream: bool) -> None:
    """10.2, "a stream counts as complete only if a record has `done:true` and no `error`"; and ours the same for its client."""
    complete = {
        Script(pieces=PIECES): True,
        Script(pieces=PIECES, fail_after=len(PIECES)): False,
        Script(pieces=PIECES, lose_tail_after=len(PIECES)): False,
        Script(pieces=PIECES, reset_after=len(PIECES)): False,
    }
    for script, expected in complete.items():
        async with place(build, script) as here:
            seen = await here.ask(stream=stream)
            assert seen.whole is expected
            assert seen.text == (TEXT if stream or expected else ""), "all of the text had come, and still it is not whole"


# --- 10.3 Context too small ------------------------------------------------------------------------------------


@every_build
@both
async def test_10_3_prompt_longer_than_the_window(build: Build, stream: bool) -> None:
    """10.3, "prompt longer than the window": A fails, B and C thin the history in silence. So the app is never asked."""
    async with place(build) as here:
        seen = await here.ask("word " * 7000, stream=stream)
        assert seen.refused == (400, "context_length_exceeded")
        assert f"maximum context length is {6144 if build == 'A' else 4096} tokens" in seen.message
        assert here.chats == []
    async with place(build, second=rescuer()) as here:
        seen = await here.ask("word " * 7000, stream=stream)
        assert (seen.whole, seen.text, seen.engine) == (True, TEXT, "second")


@every_build
@both
async def test_10_3_prompt_that_only_the_app_finds_too_long(build: Build, stream: bool) -> None:
    """10.3, A's `Context is full`, and `CONTEXT_LENGTH_EXCEEDED` where B and C can thin no further (`chat-context-full`)."""
    async with place(build, runtime=FakeModelRuntime(n_ctx=20)) as here:
        seen = await here.ask("word " * 50, stream=stream)
        assert seen.refused == (400, "context_length_exceeded")
        assert [order.attempt for order in here.phone.runtime.orders] == ([0] if build == "A" else [0, 1, 2])


@every_build
@both
async def test_10_3_window_that_would_fill_up_while_answering(build: Build, stream: bool) -> None:
    """10.3, "window fills up while answering": `max_tokens` is kept below what is free, so it ends there, as `length`."""
    window = 6144 if build == "A" else 4096
    endless = Script(pieces=["x "] * 8000, token_delay_s=0.0)
    async with place(build, endless) as here:
        seen = await here.ask("word " * (window - 200), stream=stream, max_tokens=100_000)
        allowed = here.chats[0]["options"]["max_tokens"]
        assert 0 < allowed < 200 and [order.attempt for order in here.phone.runtime.orders] == [0]
    assert (seen.whole, seen.finish_reason, seen.text) == (True, "length", "x " * allowed)


@both
async def test_10_3_a_full_window_on_a_ends_as_if_complete(stream: bool) -> None:
    """10.3, A, "ends as if complete": nothing tells it from an end of the model's own, to us or to our client."""
    async with place("A", Script(pieces=PIECES, context_full_after=(3,))) as here:
        seen = await here.ask(stream=stream)
    assert (seen.whole, seen.finish_reason, seen.text) == (True, "stop", told_how_far())


@b_and_c
@both
@pytest.mark.parametrize("full", [(3, 3, 3), (3, None), (3, 5, None)], ids=["never ends", "second ends", "third ends"])
async def test_10_3_two_repetitions_in_the_same_stream(
    build: Build, full: tuple[int | None, ...], stream: bool
) -> None:
    """10.3, B and C, "the same two repetitions, in the same stream" (`chat-context-full-stream`): the deltas of all attempts
    follow one another without a mark, so this is never passed off as an answer."""
    async with place(build, Script(pieces=PIECES, context_full_after=full)) as here:
        seen = await here.ask(stream=stream)
        assert len(here.phone.runtime.orders) == len(full)
    assert not seen.whole and seen.code == "engine_failed"
    assert "started it again" in seen.message
    assert seen.broken_off if stream else seen.status == 500


@b_and_c
@both
async def test_10_3_what_the_app_began_again_is_never_continued(build: Build, stream: bool) -> None:
    """10.3, the same, with a second engine that could go on: not from a text with repetitions in it. A plain answer begins
    anew there; a stream that is out already ends in its error."""
    async with place(build, Script(pieces=PIECES, context_full_after=(3, None)), second=rescuer()) as here:
        seen = await here.ask(stream=stream)
    if stream:
        assert (seen.broken_off, seen.code) == (True, "engine_failed")
    else:
        assert (seen.whole, seen.text, seen.engine, seen.seams) == (True, TEXT, "second", [])


# --- 10.4 Reasons for stopping ----------------------------------------------------------------------------------


@every_build
@both
async def test_10_4_reasons_for_stopping_are_ours_to_tell(build: Build, stream: bool) -> None:
    """10.4, "not reported": `max_tokens`, a stop word and the end-of-text token give the same record. The client sees which."""
    async with place(build, Script(pieces=PIECES)) as here:
        limit = await here.ask(stream=stream, max_tokens=5)
        stop = await here.ask(stream=stream, stop=["w7"])
        end = await here.ask(stream=stream)
    assert (limit.finish_reason, limit.text, limit.usage.get("completion_tokens", 5)) == ("length", told_how_far(pieces=5), 5)
    assert (stop.finish_reason, stop.text) == ("stop", told_how_far(pieces=7) + " ")
    assert (end.finish_reason, end.text) == ("stop", TEXT)
    assert limit.whole and stop.whole and end.whole


@every_build
async def test_10_4_usage_is_ours_to_count(build: Build) -> None:
    """10.4 with section 14, "token counts: none": pieces are counted, prompts estimated, and marked as that."""
    async with place(build, Script(pieces=PIECES)) as here:
        seen = await here.ask(stream=False, max_tokens=7)
    assert seen.usage["completion_tokens"] == 7
    assert seen.usage["prompt_tokens"] > 0
    assert "estimated" in json.dumps(seen.frames[0]) and "counted" in json.dumps(seen.frames[0])
