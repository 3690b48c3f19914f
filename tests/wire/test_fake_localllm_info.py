"""The fake LocalLLM against protocols/localllm.md: builds, models, health, metrics, warm-up, AICore, images, retrieval.

`# row n` is a row of the check list in section 19.
"""

from __future__ import annotations

import asyncio
import base64
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from tests.fakes.localllm import AICORE_ID, FakeLocalLLM, Reply
from tests.fakes.localllm.raw_client import ask, chat, connected, post, request

KEY = "gemma-4-e2b_model_LITERT_CPU"
PNG = b"\x89PNG\r\n\x1a\n"
INLINE = "data:image/png;base64," + base64.b64encode(PNG).decode()


# Telling the builds apart (2)


@pytest.mark.parametrize(
    ("build", "metrics", "aicore_in_health", "aicore_status"),
    [("monolith", 404, False, 404), ("split", 404, False, 200), ("rich", 404, True, 200), ("warm", 200, True, 200)],
)
async def test_the_probes(build: Any, metrics: int, aicore_in_health: bool, aicore_status: int) -> None:
    async with FakeLocalLLM(build=build) as phone:
        assert (await ask(phone.port, "GET", "/metrics")).status == metrics
        assert (await ask(phone.port, "POST", "/health/warm?model=x")).status == (404 if metrics == 404 else 503)
        assert ("aicore" in (await ask(phone.port, "GET", "/health")).json) == aicore_in_health
        answer = await ask(phone.port, "GET", "/v1/aicore/status")
        assert answer.status == aicore_status
        if aicore_status == 200:
            assert ("soc_model" in answer.json) == aicore_in_health


@pytest.mark.parametrize("build", ["monolith", "split"])
@pytest.mark.parametrize("fields", [{"model": "x"}, {"model": AICORE_ID}])
async def test_before_rich_errors_every_engine_failure_is_500(build: Any, fields: dict[str, str]) -> None:
    async with FakeLocalLLM(build=build, aicore="downloading") as phone:
        answer = await post(phone.port, chat(**fields))
        assert (answer.status, answer.error["type"], answer.error["code"]) == (500, "server_error", 500)
        assert set(answer.error) == {"message", "type", "code"}


@pytest.mark.parametrize(
    ("build", "blank", "suffix"), [("monolith", 500, 200), ("split", 200, 500), ("rich", 200, 503), ("warm", 200, 503)]
)
async def test_names_that_changed(build: Any, blank: int, suffix: int) -> None:
    async with FakeLocalLLM(build=build) as phone:
        assert (await post(phone.port, chat(model=""))).status == blank
        assert (await post(phone.port, chat(model="gemma-4-e2b.litertlm"))).status == suffix


# Models, health, metrics (6, 11)


async def test_the_list_of_models() -> None:
    async with FakeLocalLLM(aicore="unavailable", models=("b", "a"), embedders=("e",)) as phone:
        listed = (await ask(phone.port, "GET", "/v1/models")).json
    assert listed["object"] == "list"
    assert [(model["id"], model["owned_by"]) for model in listed["data"]] == [
        ("b", "local"),
        ("a", "local"),
        ("e", "local"),
        (AICORE_ID, "google-aicore"),
    ]
    assert {tuple(model) for model in listed["data"]} == {("id", "object", "created", "owned_by")}
    *files, nano = (model["created"] for model in listed["data"])
    assert abs(nano - time.time()) < 60 and all(created < 1_778_700_000 for created in files)


async def test_health_says_what_is_loaded_and_who_waits() -> None:
    async with FakeLocalLLM(aicore="downloadable", overlap="queue") as phone:
        cold = (await ask(phone.port, "GET", "/health")).json
        nano = {"status_code": 1, "status": "downloadable", "model_id": AICORE_ID, "is_default": True}
        assert cold == {
            "status": "ok",
            "service": "localllm-android",
            "version": "1.0",
            "queue_depth": 0,
            "engines_loaded": 0,
            "engines": [],
            "aicore": nano,
        }
        with phone.hold() as gate:
            answers = [asyncio.create_task(post(phone.port, chat()))]
            await gate.reached.wait()
            health = (await ask(phone.port, "GET", "/health")).json
            assert health["queue_depth"] == 0
        await asyncio.gather(*answers)
    (engine,) = health["engines"]
    assert (engine["key"], engine["backend"]) == (KEY, "LITERT_CPU")
    assert [(attempt["backend"], attempt["result"]) for attempt in engine["attempts"]] == [("LITERT_CPU", "ok")]


async def test_a_probe_that_fails_has_no_code() -> None:
    async with FakeLocalLLM(aicore="probe_failed") as phone:
        block = (await ask(phone.port, "GET", "/health")).json["aicore"]
        assert block["status"] == "unavailable" and "status_code" not in block and block["error"]


async def test_metrics() -> None:
    async with FakeLocalLLM(deltas="correct") as phone:
        await post(phone.port, chat(stream=True), User_Agent='a "b"\\c')
        await post(phone.port, chat(model="x"), User_Agent="other")
        await post(phone.port, {})
        answer = await ask(phone.port, "GET", "/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    lines = answer.body.decode().splitlines()
    values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    expected = {
        "requests_total": 2,
        "requests_completed_total": 1,
        "requests_errored_total": 1,
        "requests_cancelled_total": 0,
        "stream_chunks_total": 3,
        "queue_depth": 0,
        "inflight": 0,
        "engines_loaded": 1,
        f'engine_loaded{{key="{KEY}",backend="LITERT_CPU"}}': 1,
        'client_requests_total{client="a \\"b\\"\\\\c"}': 1,
        'client_requests_total{client="other"}': 1,
    }
    assert {name: float(values[f"localllm_{name}"]) for name in expected} == expected
    assert 0 < float(values["localllm_inference_seconds_total"]) < 10
    assert {line.split()[2] for line in lines if line.startswith("# TYPE")} == {
        line.split()[2] for line in lines if line.startswith("# HELP")
    }


# Warm-up (11.2)


async def test_warming_the_engine_without_max_tokens() -> None:
    async with FakeLocalLLM(selected="gemma-4-e2b", key="k") as phone:
        answer = await ask(phone.port, "POST", "/health/warm")
        assert (answer.status, phone.engines) == (200, [KEY])
        body = answer.json
        assert isinstance(body.pop("ms"), int)
        assert body == {"model": "gemma-4-e2b", "status": "warm", "engine_loaded": True}
        assert (phone.prompts[0].messages[0]["content"], phone.prompts[0].temperature) == ("Hi", 0)
        assert (await ask(phone.port, "GET", "/metrics")).body.count(b"localllm_requests_total 0\n") == 1


@pytest.mark.parametrize(
    ("model", "aicore", "status", "said"),
    [
        ("x", "available", 503, {"status": "error", "error": "file not found"}),
        (AICORE_ID, "available", 200, {"status": "warm", "engine_loaded": True}),
        (AICORE_ID, "downloading", 503, {"status": "aicore_not_ready", "aicore_status": "downloading"}),
    ],
)
async def test_other_ends_of_a_warm_up(model: str, aicore: Any, status: int, said: dict[str, Any]) -> None:
    async with FakeLocalLLM(aicore=aicore) as phone:
        answer = await ask(phone.port, "POST", f"/health/warm?model={model}")
        body = answer.json
        assert (answer.status, isinstance(body.pop("ms"), int), body) == (status, True, {"model": model, **said})


async def test_warming_waits_for_the_mutex_and_for_no_live_conversation() -> None:
    async with FakeLocalLLM(warm_timeout_s=0.25) as phone:
        path = "/health/warm?model=gemma-4-e2b"
        with phone.hold() as gate:
            running = asyncio.create_task(post(phone.port, chat(session_id="s", max_tokens=512)))
            await gate.reached.wait()
            late = await ask(phone.port, "POST", path)
            assert (late.status, late.json["status"]) == (504, "timeout")
        await running
        assert (await ask(phone.port, "POST", path)).status == 200
        await post(phone.port, chat(session_id="s"))
        live = await ask(phone.port, "POST", path)
        assert (live.status, live.json["status"]) == (503, "error")
        assert phone.overlaps == 1


# AICore (5.1, 8.6, 12)


@pytest.mark.parametrize(
    ("aicore", "status", "code", "aicore_status", "actionable"),
    [
        ("downloadable", 503, "AICORE_DOWNLOADABLE", "downloadable", True),
        ("downloading", 425, "AICORE_DOWNLOADING", "downloading", True),
        ("unavailable", 503, "AICORE_UNAVAILABLE", "unavailable", False),
        ("probe_failed", 503, "AICORE_UNAVAILABLE", "unavailable", False),
        ("background", 403, "AICORE_BACKGROUND_BLOCKED", "available", True),
    ],
)
async def test_aicore_that_cannot_answer(
    aicore: Any, status: int, code: str, aicore_status: str, actionable: bool
) -> None:
    async with FakeLocalLLM(aicore=aicore) as phone:
        answer = await post(phone.port, chat(model=""))
        error = answer.error
        assert (answer.status, error["code"], error["aicore_status"]) == (status, code, aicore_status)
        assert error["actionable"] is actionable and isinstance(error["next_steps"], list)
        assert error["type"] == ("aicore_background_blocked" if status == 403 else "aicore_unavailable")
        assert "x-request-id" in answer.headers
        stream = await post(phone.port, chat(model=AICORE_ID, stream=True))
        assert (stream.status, stream.complete) == ((200, False) if status == 403 else (status, True))


async def test_a_failed_generation_of_aicore() -> None:
    async with FakeLocalLLM() as phone:
        phone.fail_after(1)
        answer = await post(phone.port, chat(model=AICORE_ID))
        error = answer.error
        assert (answer.status, error["type"], error["code"]) == (500, "aicore_runtime_error", "AICORE_RUNTIME_ERROR")
        assert (error["aicore_status"], error["actionable"]) == ("unknown", False)
        too_much = await post(phone.port, chat(model=AICORE_ID, max_tokens=257))
        assert too_much.error["code"] == "AICORE_RUNTIME_ERROR"


async def test_aicore_flattens_and_ignores() -> None:
    tool = {"type": "function"}
    messages = [
        {"role": "developer", "content": "d"},
        {"role": "system", "content": [{"type": "text", "text": "s"}, {"type": "text", "text": "t"}]},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "x"}]},
        {"role": "tool", "content": "r"},
        {"role": "assistant", "content": "last"},
    ]
    reply = Reply(("one", " two"), (("f", {}),))
    async with FakeLocalLLM(reply=reply, keepalive_s=0.001, token_delay_s=0.01) as phone:
        fields = chat(model=AICORE_ID, messages=messages, tools=[tool], session_id="s")
        answer = await post(phone.port, fields)
        assert (answer.text, answer.json["choices"][0]["finish_reason"]) == ("one two", "stop")
        short = await post(phone.port, fields | {"max_tokens": 1, "stream": True})
        assert (short.text, short.frames[-1]["choices"][0]["finish_reason"]) == ("one", "stop")
        assert ": ka" not in short.lines
    flat = "user: d\n\nsystem: s t\n\ntool: r\n\nassistant: last\n\nassistant: "
    assert phone.prompts[0].messages == ({"role": "user", "content": flat},)
    assert phone.engines == []


async def test_aicore_does_not_take_the_mutex() -> None:
    async with FakeLocalLLM() as phone:
        with phone.hold() as gate:
            answers = [asyncio.create_task(post(phone.port, chat())) for _ in range(1)]
            await gate.reached.wait()
            answers += [asyncio.create_task(post(phone.port, chat(model=AICORE_ID))) for _ in range(2)]
            async with asyncio.timeout(10):
                while len(phone.prompts) < 3:
                    await ask(phone.port, "GET", "/health")
        assert [(await answer).status for answer in answers] == [200] * 3
        assert phone.crashes == 0


async def test_an_aicore_stream_for_nobody_runs_to_its_end() -> None:
    async with FakeLocalLLM() as phone:
        with phone.hold() as gate:
            async with connected(phone.port) as (_, writer):
                writer.write(request("POST", "/v1/chat/completions", chat(model=AICORE_ID, stream=True)))
                await gate.reached.wait()
        async with asyncio.timeout(10):
            while b"requests_completed_total 1\n" not in (await ask(phone.port, "GET", "/metrics")).body:
                pass


@pytest.mark.parametrize(
    ("aicore", "code", "split_code", "label"),
    [
        ("unavailable", 0, 3, "unavailable"),
        ("downloadable", 1, 1, "downloadable"),
        ("downloading", 2, 2, "downloading"),
        ("available", 3, 0, "available"),
        ("background", 3, 0, "available"),
        ("probe_failed", -1, -1, "unknown(-1)"),
    ],
)
async def test_aicore_status_and_its_upside_down_codes(aicore: Any, code: int, split_code: int, label: str) -> None:
    async with FakeLocalLLM(aicore=aicore) as phone, FakeLocalLLM(aicore=aicore, build="split") as older:
        found = (await ask(phone.port, "GET", "/v1/aicore/status")).json
        assert (found["status_code"], found["status"], found["available"]) == (code, label, label == "available")
        assert (found["model_id"], "configs" in found, "error" in found) == (AICORE_ID, False, code == -1)
        before = (await ask(older.port, "GET", "/v1/aicore/status")).json
        assert (before["status_code"], before["status"]) == (split_code, label)
        probed = (await ask(phone.port, "GET", "/v1/aicore/status?probe=all")).json["configs"]
        assert set(probed) == {"stable/fast", "stable/full", "preview/fast", "preview/full"}


async def test_the_benchmark() -> None:
    path = "/v1/aicore/benchmark"
    async with FakeLocalLLM() as phone:
        assert (await ask(phone.port, "GET", path)).json["error"]["type"] == "no_benchmark"
        run = await ask(phone.port, "POST", path, {"prompts": ["Say hi"]})
        assert run.json["runs"][0]["prompt"] == "Say hi" and "avgTtftMs" in run.json
        assert (await ask(phone.port, "GET", path)).json == run.json
    async with FakeLocalLLM(aicore="downloading") as phone:
        refused = await ask(phone.port, "POST", path)
        assert (refused.status, set(refused.json["error"])) == (503, {"type", "message", "status"})


# Images (7.2)


@asynccontextmanager
async def picture_server(data: bytes) -> AsyncIterator[str]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(data), data))
        with suppress(ConnectionError):  # a picture that is too big is not read to its end
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/picture"


def seeing(image: Any, **fields: Any) -> dict[str, Any]:
    parts = [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": image}]
    return chat(messages=[{"role": "user", "content": parts}], **fields)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/x.png",
        "http://example.org/x.png",
        "data:image/png;base64,!!!!",
        "data:image/png," + "x",
        "data:image/png;base64," + base64.b64encode(b"no picture").decode(),
        "http://127.0.0.1:1/nobody",
        "file:///x.png",
    ],
)
async def test_a_picture_that_cannot_be_had(url: str) -> None:  # row 22
    async with FakeLocalLLM() as phone:
        answer = await post(phone.port, seeing({"url": url}))
        assert answer.status == 500 and answer.error["type"] == "server_error" and "image" in answer.error["message"]
        may_be_asked_for = url.startswith(("data:", "http://127.0.0.1"))
        assert ("are read" in answer.error["message"]) != may_be_asked_for
        assert (await post(phone.port, seeing({"url": url}, model=AICORE_ID))).text == "look"
        assert "images" not in phone.prompts[-1].messages[0]


async def test_pictures_that_can_be_had() -> None:
    async with FakeLocalLLM() as phone, picture_server(PNG) as url, picture_server(PNG + b"x" * 5_300_000) as huge:
        for image in (INLINE, {"url": INLINE, "detail": "high"}, {"url": url}):
            for model in ("gemma-4-e2b", AICORE_ID):
                assert (await post(phone.port, seeing(image, model=model))).text == "look"
                assert phone.prompts[-1].messages[-1]["images"] == 1
        assert (await post(phone.port, seeing(huge))).status == 500


# Embeddings and retrieval (13)


async def test_embeddings() -> None:
    path, base = "/v1/embeddings", {"model": "bge-small-en-v1.5"}
    async with FakeLocalLLM() as phone:
        answer = await ask(phone.port, "POST", path, base | {"input": ["first lap", "x " * 300], "dimensions": 5})
        body = answer.json
        assert (body["object"], body["model"], [entry["index"] for entry in body["data"]]) == (
            "list",
            "bge-small-en-v1.5",
            [0, 1],
        )
        assert body["usage"] == {"prompt_tokens": 4 + 128, "total_tokens": 4 + 128}
        for entry in body["data"]:
            assert len(entry["embedding"]) == 384
            assert math.isclose(sum(value * value for value in entry["embedding"]), 1)
        again = await ask(phone.port, "POST", path, base | {"input": "x " * 126 + "y", "encoding_format": "float"})
        assert again.json["data"][0]["embedding"] == body["data"][1]["embedding"]  # cut without notice
        assert body["data"][0]["embedding"] != body["data"][1]["embedding"]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"encoding_format": "base64"}, 400),  # row 24
        ({"input": []}, 400),
        ({"input": [1, 2]}, 400),
        ({"input": {"a": 1}}, 400),
        ({"model": "gemma-4-e2b"}, 404),
        ({"model": None}, 404),
        ({"input": "x" * 513}, 413),
    ],
)
async def test_embeddings_that_are_refused(fields: dict[str, Any], status: int) -> None:
    payload = {"model": "bge-small-en-v1.5", "input": "x", **fields}
    async with FakeLocalLLM(max_prompt_chars=512) as phone:
        answer = await ask(phone.port, "POST", "/v1/embeddings", payload)
        assert (answer.status, answer.error["type"], answer.error["code"]) == (status, "invalid_request_error", status)


async def test_embeddings_without_input_and_without_json() -> None:
    async with FakeLocalLLM() as phone:
        missing = await ask(phone.port, "POST", "/v1/embeddings", {"model": "bge-small-en-v1.5"})
        assert missing.status == 500 and missing.headers["content-type"].startswith("text/plain")
        assert (await ask(phone.port, "POST", "/v1/embeddings")).status == 400


async def test_documents_of_a_tenant() -> None:
    async with FakeLocalLLM() as phone:
        document = {"id": "d", "text": "brake at the board", "model": "bge-small-en-v1.5", "metadata": {"lap": 3}}
        put = await ask(phone.port, "POST", "/v1/documents", document, X_Client_Id=" Me ")
        row = {"document_id": "d", "chunk_count": 1, "model": "bge-small-en-v1.5", "tenant_id": "me"}
        assert (put.json, put.headers["x-tenant-id"]) == (row, "me")
        query = {"query": "brake at the board", "model": "bge-small-en-v1.5", "k": 99}
        (hit,) = (await ask(phone.port, "POST", "/v1/search", query, User_Agent="ME")).json["data"]
        assert math.isclose(hit.pop("score"), 1)
        assert hit == {"document_id": "d", "chunk_index": 0, "text": "brake at the board", "metadata": {"lap": 3}}
        assert (await ask(phone.port, "POST", "/v1/search", query)).json["data"] == []
        assert (await ask(phone.port, "GET", "/v1/documents", X_Client_Id="me")).json["data"] == [row]
        tenant = {"tenant_id": "me", "document_count": 1, "chunk_count": 1}
        assert (await ask(phone.port, "GET", "/v1/tenants")).json["data"] == [tenant]
        gone = await ask(phone.port, "DELETE", "/v1/tenants/me")
        assert gone.json == {"tenant_id": "me", "deleted": True, "chunks_removed": 1}


async def test_deleting_what_is_not_there() -> None:  # row 25
    async with FakeLocalLLM() as phone:
        document = await ask(phone.port, "DELETE", "/v1/documents/x")
        assert document.status == 200
        assert document.json == {
            "document_id": "x",
            "deleted": False,
            "chunks_removed": 0,
            "tenant_id": "anonymous",
        }
        assert (await ask(phone.port, "DELETE", "/v1/tenants/x")).json["deleted"] is False


@pytest.mark.parametrize(
    ("path", "fields", "status"),
    [
        ("/v1/documents", {"id": " "}, 400),
        ("/v1/documents", {"id": None}, 500),
        ("/v1/documents", {"text": "x" * 25_601}, 413),
        ("/v1/documents", {"model": "x"}, 404),
        ("/v1/search", {"query": ""}, 400),
        ("/v1/search", {"query": None}, 500),
        ("/v1/search", {"model": "x"}, 404),
    ],
)
async def test_documents_and_searches_that_are_refused(path: str, fields: dict[str, Any], status: int) -> None:
    payload = {"id": "d", "text": "t", "query": "q", "model": "bge-small-en-v1.5", **fields}
    async with FakeLocalLLM(max_prompt_chars=512) as phone:
        assert (await ask(phone.port, "POST", path, payload)).status == status
