"""What a client of ours sees of each way in which LocalLLM fails: every row of `protocols/localllm.md` 5, through the adapter.

None of the app's 401, 404, 408, 425 or text/plain 500 comes through as it is; each is said again by whose fault it is.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from tests.fakes.localllm import AICORE_ID, FakeLocalLLM, Reply, retrieval
from tests.fakes.localllm.errors import plain
from tests.wire.hazards import PIECES, TEXT, both, rescuer
from tests.wire.localllm_cases import CHAT_PATH, GEMMA, until
from tests.wire.localllm_hazards import Place, asked_both_ways, place
from tests.wire.server import KEY

BGE = "bge-small-en-v1.5"
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(40)).decode()
NPU = "gemma3-1b-it-npu-sm8650"


def picture(url: str) -> list[dict[str, Any]]:
    parts = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": url}}]
    return [{"role": "user", "content": parts}]


async def post(at: Place, path: str, body: object, **headers: str) -> tuple[int, dict[str, Any], Mapping[str, str]]:
    """Status, JSON body and headers of one request that is no chat, or none that `Client` would send."""
    data = {"data": body} if isinstance(body, bytes) else {"json": body}
    async with at.adapter.session.post(path, headers=headers, **data) as response:
        return response.status, await response.json(), response.headers


# --- 5.1, in the order in which the app checks ----------------------------------------------------------------------


@both
@pytest.mark.parametrize("ours", ["other", None], ids=["wrong-key", "no-key"])
async def test_5_1_row_1_the_app_refuses_our_key(stream: bool, ours: str | None) -> None:
    """5.1 row 1: "bad key | 401". It is the configuration's fault, and a 401 would tell the client that its own key is wrong."""
    async with place(FakeLocalLLM(key="right"), key=ours) as at:
        seen, by_id = await at.ask(stream=stream), await at.ask(stream=stream, model=GEMMA)
        ready = await at.ready()
    assert seen.refused == (502, "upstream_refused") and "`key`" in seen.message and "Security" in seen.message
    assert by_id.refused == (503, "engine_unavailable") and "`key`" in by_id.message
    assert not ready["ready"] and "`key`" in ready["detail"]


@both
async def test_5_1_row_1_the_key_is_changed_in_the_app_while_we_run(stream: bool) -> None:
    """5.1 row 1, after the model list was read: 502, never 401."""
    async with place() as at:
        assert (await at.ask(stream=stream)).whole
        at.phone.fail_next(401, "invalid_api_key")
        seen = await at.ask(stream=stream)
    assert seen.refused == (502, "upstream_refused") and "`key`" in seen.message
    assert "WWW-Authenticate" not in seen.headers


@both
async def test_5_1_row_2_the_clients_token_bucket_is_empty(stream: bool) -> None:
    """5.1 row 2: "429 rate_limit_error, Retry-After: <seconds>"; the bucket is ours alone, since our User-Agent is (9)."""
    async with place(FakeLocalLLM(rate=0.25, burst=1)) as at:
        assert (await at.ask(stream=stream)).whole
        seen = await at.ask(stream=stream)
    assert seen.refused == (429, "queue_full") and 3 <= int(seen.headers["Retry-After"]) <= 4
    assert {r.headers["user-agent"] for r in at.phone.requests} == {"farmhand"}


@both
async def test_5_1_row_3_a_body_too_large_for_the_app(stream: bool) -> None:
    """5.1 row 3: "Content-Length > 2 x maxPromptChars + 8192 | 413"; a 413 would be no error class for gateways, a 400 of this code is."""
    async with place(FakeLocalLLM(max_prompt_chars=512)) as at:
        seen = await at.ask("four " * 2_000, stream=stream)
        assert (await at.ask(stream=stream)).whole
    assert seen.refused == (400, "context_length_exceeded") and "max prompt chars" in seen.message


@both
async def test_5_1_row_3_a_picture_too_large_for_the_app(stream: bool) -> None:
    """5.1 row 3 with 7.2 "about 150 KB of image by default": told as the picture's fault, since shortening the text would not help."""
    async with place(FakeLocalLLM(max_prompt_chars=512)) as at:
        seen = await at.ask(picture("data:image/png;base64," + PNG + "A" * 9_600), stream=stream)
    assert seen.refused == (400, "bad_request") and "smaller pictures" in seen.message


@pytest.mark.parametrize("body", [b"null", b"", b"[]", b"{", b'{"model": 5, "messages": []}'])
async def test_5_1_row_4_a_body_that_is_no_request(body: bytes) -> None:
    """5.1 row 4: "missing, not JSON, wrong field type, JSON null | 400", with a Java class name. Ours names the field; the app never sees it."""
    async with place() as at:
        status, answer, _ = await post(at, CHAT_PATH, body, **{"Content-Type": "application/json"})
    assert status == 400 and answer["error"]["type"] == "invalid_request_error"
    assert "Exception" not in answer["error"]["message"] and at.chats == []


async def test_5_1_row_4_the_wrong_content_type() -> None:
    """5.1 row 4: "wrong content type | 400". Here it is taken for JSON, and the app gets the right one from us."""
    async with place() as at:
        body = b'{"model": "auto", "messages": [{"role": "user", "content": "say hello"}]}'
        status, answer, _ = await post(at, CHAT_PATH, body, **{"Content-Type": "text/plain"})
        [sent] = [r for r in at.phone.requests if r.path == CHAT_PATH]
    assert (status, answer["choices"][0]["message"]["content"]) == (200, "say hello")
    assert sent.headers["content-type"] == "application/json"


@both
async def test_5_1_row_4_the_app_does_not_understand_us(stream: bool) -> None:
    """5.1 row 4 for a body of ours is no fault of the client: 502, and no 400 that would make it change its request."""
    async with place() as at:
        at.phone.fail_next(400, "invalid_request_error", message="Invalid JSON body: JsonSyntaxException")
        seen = await at.ask(stream=stream)
    assert seen.refused == (502, "upstream_protocol") and "update both" in seen.message


@pytest.mark.parametrize("body", [{}, {"model": None}, {"model": ""}, {"model": "  "}], ids=["absent", "null", "empty", "blank"])
async def test_5_1_row_5_without_a_model(body: dict[str, Any]) -> None:
    """5.1 row 5: "model absent or null | 500 text/plain". Here it means `auto`, and the app always gets an id of its list."""
    async with place() as at:
        messages = [{"role": "user", "content": "say hello"}]
        status, answer, _ = await post(at, CHAT_PATH, {**body, "messages": messages})
    assert (status, answer["choices"][0]["message"]["content"]) == (200, "say hello")
    assert [chat["model"] for chat in at.chats] == [GEMMA]


@pytest.mark.parametrize("body", [{}, {"messages": None}, {"messages": []}], ids=["absent", "null", "empty"])
async def test_5_1_row_6_without_messages(body: dict[str, Any]) -> None:
    """5.1 row 6: "messages absent or null | 500 text/plain". Ours is a 400 that names the field."""
    async with place() as at:
        status, answer, _ = await post(at, CHAT_PATH, {"model": GEMMA, **body})
    assert (status, answer["error"]["param"]) == (400, "messages")
    assert at.chats == []


@both
@pytest.mark.parametrize("body", ["java.lang.OutOfMemoryError: Java heap space", ""], ids=["jvm-error", "older-ktor"])
async def test_5_1_an_error_without_an_envelope(stream: bool, body: str) -> None:
    """5.1 rows 5, 6 and "a JVM Error ... is not caught: 500 text/plain"; 3 "older Ktor: empty 500". The client gets JSON."""
    async with place() as at:
        at.phone.fail_next(body=body, content_type="text/plain")
        seen = await at.ask(stream=stream)
    assert seen.refused == (500, "engine_failed") and "restart the app" in seen.message
    assert set(seen.error) == {"message", "type", "param", "code"}


@both
async def test_5_1_row_7_more_characters_than_the_app_takes(stream: bool) -> None:
    """5.1 row 7: "text characters over all messages > maxPromptChars | 413"."""
    async with place(FakeLocalLLM(max_prompt_chars=512)) as at:
        seen = await at.ask("four " * 200, stream=stream)
    assert seen.refused == (400, "context_length_exceeded") and "longer than LocalLLM accepts" in seen.message


@both
async def test_5_1_row_8_others_fill_the_apps_own_queue(stream: bool) -> None:
    """5.1 row 8: "waiting list full | 429, Retry-After: 5". Not ours, which is before it: somebody uses the app behind our back."""
    async with place(FakeLocalLLM(queue_depth=1, overlap="queue")) as at, aiohttp.ClientSession() as others:
        body = {"model": GEMMA, "messages": [{"role": "user", "content": "mine"}]}

        async def foreign() -> int:
            async with others.post(at.phone.url + CHAT_PATH, json=body) as response:
                return response.status

        with at.phone.hold() as gate:
            running = asyncio.create_task(foreign())
            await gate.reached.wait()
            waiting = asyncio.create_task(foreign())
            await until(lambda: len(at.chats) == 2)
            seen = await at.ask(stream=stream)
        assert (await running, await waiting) == (200, 200)
    assert seen.refused == (429, "queue_full") and seen.headers["Retry-After"] == "5"
    assert "Nothing but Farmhand should use the app" in seen.message


@both
async def test_5_1_row_9_an_unknown_model(stream: bool) -> None:
    """5.1 row 9: "unknown model | 503". A 503 would be retried by everybody; ours is a 404, and the app is not asked."""
    async with place() as at:
        seen = await at.ask(stream=stream, model="nobody-7b")
    assert seen.refused == (404, "model_not_found") and GEMMA in seen.message
    assert at.chats == []


@both
@pytest.mark.parametrize("build", ["warm", "split"])
async def test_5_1_row_9_a_model_that_is_listed_and_cannot_be_loaded(stream: bool, build: Any) -> None:
    """5.1 row 9: "SoC mismatch, native init failure | 503"; on builds before the rich errors 500 `server_error` (2)."""
    async with place(FakeLocalLLM(build=build, models=(NPU,)), model=NPU) as at:
        seen = await at.ask(stream=stream)
    assert seen.refused == ((503, "engine_unavailable") if build == "warm" else (500, "engine_failed"))
    assert "SoC" in seen.message
    assert ("Retry-After" in seen.headers) == (build == "warm")


@both
@pytest.mark.parametrize("build", ["warm", "split", "monolith"])
async def test_5_1_row_9_a_model_whose_file_was_deleted(stream: bool, build: Any) -> None:
    """5.1 row 9: "file missing | 503". By then it is not listed any more either, so it is a 404 (18, rule 11)."""
    async with place(FakeLocalLLM(build=build)) as at:
        assert (await at.ask(stream=stream)).whole
        at.phone.options = replace(at.phone.options, models=())
        at.phone.evict()
        assert at.phone._app is not None
        at.phone._app.options = at.phone._app.registry._options = at.phone.options
        seen = await at.ask(stream=stream)
    assert seen.refused == (404, "model_not_found")


AICORE_ROWS = [
    pytest.param("downloadable", 120, "Models tab", id="row-10-downloadable"),
    pytest.param("downloading", 30, "still downloading", id="row-11-downloading"),
    pytest.param("probe_failed", 300, "on this phone", id="row-12-probe-failed"),
    pytest.param("background", 10, "on the screen", id="row-15-background"),
]


@both
@pytest.mark.parametrize(("state", "retry_after_s", "said"), AICORE_ROWS)
async def test_5_1_aicore_cannot_answer_now(stream: bool, state: Any, retry_after_s: int, said: str) -> None:
    """5.1 rows 10 "503", 11 "425", 12 "503", 15 "403": all pass, so all are 503 with `Retry-After` and the person's next step."""
    async with place(FakeLocalLLM(aicore=state)) as at:
        seen = await at.ask(stream=stream, model=f"phone/{AICORE_ID}")
    assert seen.refused == (503, "engine_unavailable") and said in seen.message
    assert seen.headers["Retry-After"] == str(retry_after_s)


@both
async def test_5_1_row_12_aicore_is_not_on_this_device(stream: bool) -> None:
    """5.1 row 12: "not on this device | 503 AICORE_UNAVAILABLE". The app lists it all the same (6); we do not, so it is a 404 or 503 by name."""
    async with place(FakeLocalLLM(aicore="unavailable")) as at:
        async with at.adapter.session.get("/v1/models") as response:
            listed = [model["id"] for model in (await response.json())["data"]]
        seen = await at.ask(stream=stream, model=AICORE_ID)
    assert AICORE_ID not in listed and GEMMA in listed
    assert seen.refused == (404, "model_not_found")
    assert at.chats == []


@both
async def test_5_1_row_13_aicore_in_a_state_that_nobody_knows(stream: bool) -> None:
    """5.1 row 13: "any other status number | 503 AICORE_UNKNOWN"."""
    async with place() as at:
        at.phone.fail_next(503, "aicore_unavailable", "AICORE_UNKNOWN", "unknown(7)")
        seen = await at.ask(stream=stream, model=f"phone/{AICORE_ID}")
    assert seen.refused == (503, "engine_unavailable") and "other models" in seen.message
    assert seen.headers["Retry-After"] == "300"


@both
@asked_both_ways
async def test_5_1_row_14_the_runtime_fails_before_the_reply(stream: bool, upstream: str) -> None:
    """5.1 row 14: "inference failed, before the reply began | 500 server_error"."""
    async with place(stream=upstream) as at:
        at.phone.fail_next(message="Failed to invoke the compiled model")
        seen = await at.ask(stream=stream)
    assert seen.refused == (500, "engine_failed") and "compiled model" in seen.message
    assert len(at.chats) == 1


@both
async def test_5_1_rows_9_to_16_go_to_the_next_target_unseen(stream: bool) -> None:
    """5.1 rows 9 to 16: nothing has been said yet, so whoever stands behind the phone answers."""
    codes: list[tuple[int, int | str]] = [(503, "LITERT_INIT_FAILED"), (503, "AICORE_DOWNLOADABLE")]
    codes += [(425, "AICORE_DOWNLOADING"), (503, "AICORE_UNAVAILABLE"), (503, "AICORE_UNKNOWN"), (500, 500), (403, "AICORE_BACKGROUND_BLOCKED"), (500, "AICORE_RUNTIME_ERROR")]
    async with place(second=rescuer(), router={"disable_cooldowns": True}) as at:
        for status, code in codes:
            at.phone.fail_next(status, "server_error", code)
            seen = await at.ask(stream=stream)
            assert (seen.whole, seen.text, seen.engine, seen.seams) == (True, TEXT, "second", []), code
        assert len(at.chats) == len(codes)


@both
async def test_5_1_row_16_gemini_nano_fails(stream: bool) -> None:
    """5.1 row 16: "other generation failure | 500 aicore_runtime_error"."""
    phone = FakeLocalLLM(reply=Reply(("Half",), error="ErrorCode 9: BUSY"))
    async with place(phone) as at:
        seen = await at.ask(stream=stream, model=f"phone/{AICORE_ID}")
    assert seen.refused == (500, "engine_failed") and "Gemini Nano failed" in seen.message


@both
async def test_5_1_row_17_the_app_runs_into_its_own_time_limit(stream: bool) -> None:
    """5.1 row 17: "timeout, blocking request | 408". A 408 starts a LiteLLM cooldown; ours is a 504 that says which setting to raise."""
    async with place(FakeLocalLLM(request_timeout_s=0.1)) as at:
        with at.phone.hold() as gate:
            async with at.client(stream=stream) as client:
                await gate.reached.wait()
                await asyncio.sleep(0.15)  # the app's limit: it is noticed when the native call returns
                gate.release()
                seen = await client.sees()
    assert seen.refused == (504, "upstream_timeout") and "request timeout" in seen.message


@pytest.mark.parametrize("how", ["frame", "cut"])
async def test_5_1_row_18_a_failure_after_the_stream_began(how: Any) -> None:
    """5.1 row 18: "failure or timeout after the SSE reply began | 200". The client's stream ends in an error frame, without `[DONE]`."""
    async with place(_talker(mid_stream_failure=how), stream="always") as at:
        at.phone.fail_after(5)
        seen = await at.ask(stream=True)
    assert seen.broken_off and seen.code == ("engine_failed" if how == "frame" else "upstream_protocol")
    assert seen.text == "".join(PIECES[:5])


@pytest.mark.parametrize("how", ["frame", "cut"])
async def test_5_1_row_18_a_plain_answer_is_never_half(how: Any) -> None:
    """5.1 row 18, for a client that does not stream: an error with a status, not the half that has come."""
    async with place(_talker(mid_stream_failure=how), stream="always") as at:
        at.phone.fail_after(5)
        seen = await at.ask(stream=False)
    assert seen.refused == ((500, "engine_failed") if how == "frame" else (502, "upstream_protocol"))


@both
async def test_5_1_row_19_the_app_crashes(stream: bool) -> None:
    """5.1 row 19: "the native runtime crashes | none, connection reset". In words, and with a status of its own."""
    async with place(FakeLocalLLM(restart_s=None)) as at:
        with at.phone.hold() as gate:
            async with at.client(stream=stream) as client:
                await gate.reached.wait()
                await at.phone.crash()
                seen = await client.sees()
    assert seen.refused == (500, "app_crashed") and "crashed" in seen.message


@both
async def test_5_1_row_19_the_app_comes_back_while_the_client_waits(stream: bool) -> None:
    """5.1 row 19: "the service is restarted by Android", so with the retry that is the default the client sees the answer only."""
    async with place(FakeLocalLLM(restart_s=0.05), router={}) as at:
        with at.phone.hold() as gate:
            async with at.client(stream=stream) as client:
                await gate.reached.wait()
                await at.phone.crash()
                gate.release()
                seen = await client.sees()
    assert seen.whole and seen.text == "say hello"
    assert at.phone.crashes == 1 and len(at.chats) == 2


def _talker(**options: Any) -> FakeLocalLLM:
    return FakeLocalLLM(reply=Reply(PIECES), deltas="correct", **options)


# --- 5.2: what hides behind 500 `server_error` ------------------------------------------------------------------------


@both
@pytest.mark.parametrize("roles", [["system"], ["system", "developer"]])
async def test_5_2_only_system_messages(stream: bool, roles: Sequence[str]) -> None:
    """5.2: "only system messages | no non-system messages | client | no retry". 400 that says so; the app is not asked."""
    async with place() as at:
        seen = await at.ask([{"role": role, "content": "Be brief."} for role in roles], stream=stream)
    assert seen.status == 400 and seen.error["param"] == "messages" and "message of the user" in seen.message
    assert at.chats == []


@both
async def test_5_2_the_last_message_is_the_assistants(stream: bool) -> None:
    """5.2: "last non-system message is not user or tool | client". 400, unless somebody stands behind who can go on with it."""
    began = [{"role": "user", "content": "Count."}, {"role": "assistant", "content": TEXT[:20]}]
    async with place() as at:
        seen = await at.ask(began, stream=stream)
    assert seen.status == 400 and "go on from an assistant message" in seen.message
    async with place(second=rescuer()) as at:
        seen = await at.ask(began, stream=stream)
    assert seen.whole and seen.engine == "second" and TEXT.endswith(seen.text)
    assert at.chats == []


@both
@pytest.mark.parametrize("words", ["no non-system messages", "the last message must have role=user or role=tool"])
async def test_5_2_client_mistakes_that_the_app_calls_500_are_400(stream: bool, words: str) -> None:
    """5.2: "client | no retry", should one get past our own checks: LiteLLM would send a 500 three times."""
    async with place(router={}) as at:
        at.phone.fail_next(message=words)
        seen = await at.ask(stream=stream)
    assert seen.refused == (400, "bad_request") and seen.error["param"] == "messages"
    assert len(at.chats) == 1


@both
async def test_5_2_a_tool_without_parameters(stream: bool) -> None:
    """5.2: "tool without function, name or parameters | JVM null text". Parameters are added by us, the rest is a 400 that names the place."""
    async with place() as at:
        seen = await at.ask(stream=stream, tools=[{"type": "function", "function": {"name": "look"}}])
        assert seen.whole and at.chats[0]["tools"][0]["function"]["parameters"] == {"type": "object", "properties": {}}
        for tool in ({"type": "function"}, {"type": "function", "function": {"parameters": {}}}):
            seen = await at.ask(stream=stream, tools=[tool])
            assert seen.status == 400 and seen.error["param"].startswith("tools[0]")
    assert len(at.chats) == 1


@both
@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://example.org/a.png", "data: URL"),
        ("http://example.org/a.png", "data: URL"),
        ("data:image/png;base64," + "A" * 300_000, "smaller pictures"),
        ("data:text/plain;base64,aGk=", "data:image/"),
        ("data:image/png;base64,aGVsbG8=", "cannot use a picture"),
        ("http://127.0.0.1:9/a.png", "cannot use a picture"),
    ],
    ids=["https", "foreign", "too-big", "no-image", "undecodable", "fetch-failed"],
)
async def test_5_2_a_picture_that_the_app_cannot_use(stream: bool, url: str, said: str) -> None:
    """5.2: "image: foreign URL, too big, undecodable, fetch failed | 500 | client". 400 each time."""
    async with place(router={}) as at:
        seen = await at.ask(picture(url), stream=stream)
    assert (seen.status, seen.error["type"]) == (400, "invalid_request_error") and said in seen.message
    assert len(at.chats) <= 1


@both
async def test_5_2_a_prompt_longer_than_the_engines_context(stream: bool) -> None:
    """5.2: "prompt longer than the engine's context | too long, with the two numbers": in OpenAI's words, with these numbers."""
    async with place(FakeLocalLLM(context_tokens=40), router={}) as at:
        seen = await at.ask("word " * 60, stream=stream)
    assert seen.refused == (400, "context_length_exceeded")
    assert "maximum context length is 40 tokens. However, your messages resulted in 64 tokens" in seen.message
    assert len(at.chats) == 1


@both
async def test_5_2_a_prompt_that_we_know_to_be_too_long_is_not_sent(stream: bool) -> None:
    """5.2 with 7.4 "a native crash when a conversation comes near a 4096 budget": the estimate refuses what cannot fit."""
    async with place() as at:
        seen = await at.ask("word " * 8_000, stream=stream)
    assert seen.refused == (400, "context_length_exceeded") and "4096 tokens" in seen.message
    assert at.chats == []


@both
@asked_both_ways
@pytest.mark.parametrize("words", ["stuck conversation: the engine was thrown away", "Conversation is not alive"])
async def test_5_2_a_conversation_in_the_way_is_unseen(stream: bool, upstream: str, words: str) -> None:
    """5.2: "stuck conversation | server | once, at once" and "not alive | server | once"."""
    async with place(stream=upstream) as at:
        at.phone.fail_next(message=words)
        seen = await at.ask(stream=stream)
        assert seen.whole and len(at.chats) == 2
        at.phone.fail_next(message=words)
        at.phone.fail_next(message=words)
        seen = await at.ask(stream=stream)
    assert seen.refused == (500, "engine_failed") and len(at.chats) == 4


@both
async def test_5_2_anything_native_is_tried_at_most_once_more(stream: bool) -> None:
    """5.2: "anything native | server | at most once": by the router's default, and then told."""
    async with place(router={"retry_after": 0.01}) as at:
        at.phone.fail_next(message="INTERNAL: delegate failed")
        seen = await at.ask(stream=stream)
        assert seen.whole and len(at.chats) == 2
        for _ in range(2):
            at.phone.fail_next(message="INTERNAL: delegate failed")
        seen = await at.ask(stream=stream)
    assert seen.refused == (500, "engine_failed") and "delegate failed" in seen.message
    assert len(at.chats) == 4


@both
async def test_5_2_the_field_report_892_tokens_against_256(stream: bool) -> None:
    """5.2, field report: "892 input tokens against a limit of 256, the limit being exactly the max_tokens that the client had sent"."""
    async with place(FakeLocalLLM(token_delay_s=0)) as at:
        seen = await at.ask("word " * 880, stream=stream, max_tokens=256)
    assert seen.status == 200 and seen.finish_reason == "length" and seen.text.startswith("word word")
    assert "max_tokens" not in at.chats[0]


# --- 5.3: other routes ----------------------------------------------------------------------------------------------------


@asynccontextmanager
async def embedding() -> AsyncIterator[Place]:
    async with place() as at:
        yield at


def embeddings_sent(at: Place) -> list[Any]:
    return [request.json for request in at.phone.requests if request.path == "/v1/embeddings"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input": 7}, "input"),
        ({"input": []}, "input"),
        ({"input": [[1, 2]]}, "input"),
        ({"input": ["a", 3]}, "input[1]"),
        ({"input": "a", "encoding_format": "int8"}, "encoding_format"),
    ],
    ids=["number", "empty", "token-ids", "mixed", "format"],
)
async def test_5_3_embeddings_400(body: dict[str, Any], param: str) -> None:
    """5.3: "embeddings | 400 | encoding_format other than float; input not string or list of strings; empty list"."""
    async with embedding() as at:
        status, answer, _ = await post(at, "/v1/embeddings", {"model": BGE, **body})
        assert embeddings_sent(at) == []
    assert (status, answer["error"]["param"]) == (400, param)


async def test_5_3_embeddings_unparsable() -> None:
    """5.3: "embeddings | 400 | unparsable body"."""
    async with embedding() as at:
        status, answer, _ = await post(at, "/v1/embeddings", b"{", **{"Content-Type": "application/json"})
    assert (status, answer["error"]["type"]) == (400, "invalid_request_error")


async def test_5_3_embeddings_base64_is_made_here() -> None:
    """5.3 and 13: "base64 is 400, and OpenAI's Python SDK asks for base64 by default". The app is asked for floats."""
    async with embedding() as at:
        body = {"model": BGE, "input": ["first lap", "second lap"], "encoding_format": "base64"}
        status, answer, _ = await post(at, "/v1/embeddings", body)
        assert [sent["encoding_format"] for sent in embeddings_sent(at)] == ["float"]
    assert status == 200
    assert [len(base64.b64decode(entry["embedding"])) for entry in answer["data"]] == [384 * 4] * 2


async def test_5_3_embeddings_413() -> None:
    """5.3: "embeddings | 413 | total characters > maxPromptChars"."""
    async with place(FakeLocalLLM(max_prompt_chars=200)) as at:
        status, answer, _ = await post(at, "/v1/embeddings", {"model": BGE, "input": "harbour " * 30})
    assert (status, answer["error"]["param"]) == (400, "input") and "LocalLLM refuses the texts" in answer["error"]["message"]


async def test_5_3_embeddings_404() -> None:
    """5.3: "embeddings | 404 | unknown": not listed, so the app is not asked."""
    async with embedding() as at:
        status, answer, _ = await post(at, "/v1/embeddings", {"model": "nobody", "input": "a"})
        assert embeddings_sent(at) == []
    assert (status, answer["error"]["code"]) == (404, "model_not_found")


async def test_5_3_embeddings_of_a_model_that_chats() -> None:
    """5.3: "embeddings | 404 | model not usable (no vocabulary file)": a chat model says that it makes none, and who does."""
    async with embedding() as at:
        status, answer, _ = await post(at, "/v1/embeddings", {"model": GEMMA, "input": "a"})
        assert embeddings_sent(at) == []
    assert (status, answer["error"]["code"]) == (400, "not_capable") and BGE in answer["error"]["message"]


async def test_5_3_embeddings_without_a_model() -> None:
    """5.3: "embeddings | 404 | model missing". Here it means the one that there is."""
    async with embedding() as at:
        status, answer, _ = await post(at, "/v1/embeddings", {"input": "a"})
    assert (status, answer["model"]) == (200, BGE)


async def test_5_3_embeddings_500(monkeypatch: pytest.MonkeyPatch) -> None:
    """5.3: "embeddings | 500 api_error | inference failed"."""

    def fails(text: str) -> list[float]:
        raise plain(500, "api_error", "ONNX runtime: out of memory")

    monkeypatch.setattr(retrieval, "embed", fails)
    async with embedding() as at:
        status, answer, _ = await post(at, "/v1/embeddings", {"model": BGE, "input": "a"})
    assert (status, answer["error"]["code"]) == (500, "engine_failed") and "ONNX" in answer["error"]["message"]


async def test_5_3_embeddings_without_input() -> None:
    """5.3: "embeddings | 500 text/plain | input missing". A 400 that names it."""
    async with embedding() as at:
        status, answer, _ = await post(at, "/v1/embeddings", {"model": BGE})
        assert embeddings_sent(at) == []
    assert (status, answer["error"]["param"]) == (400, "input")


ABSENT = (404, "not_found")
OTHERWISE = (400, "not_capable")  # a route of ours, which searches the web and is not set up here


@pytest.mark.parametrize("path", ["/v1/documents", "/v1/search", "/v1/tenants", "/v1/aicore/benchmark", "/health/warm"])
async def test_5_3_documents_search_benchmark_and_warm_are_not_passed_on(path: str) -> None:
    """5.3: "documents, search", "benchmark", "warm": nothing of the app's is behind these, so its errors cannot reach a client; its data stay its own."""
    async with place() as at:
        status, answer, _ = await post(at, path, {"id": "a", "text": "b", "model": BGE, "query": "c"})
        assert not [request for request in at.phone.requests if request.path == path]
    assert (status, answer["error"]["code"]) == (OTHERWISE if path == "/v1/search" else ABSENT)


async def test_5_3_a_warm_up_that_fails_is_told_to_persons_only() -> None:
    """5.3: "warm | 503 / 504 | not an error envelope". Clients are answered as if it had not been tried; `/ready` says it."""
    phone = FakeLocalLLM(models=(GEMMA, NPU), load_delay_s=0.3, warm_timeout_s=0.05)
    async with place(phone, warm=True) as at:
        await until(lambda: at.engine._life.trouble != "")
        said = (await at.ready())["detail"]
        seen = await at.ask(stream=False)
    assert "Warming up failed: timeout" in said
    assert seen.whole and KEY not in said
