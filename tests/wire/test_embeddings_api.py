"""`POST /v1/embeddings` over the wire."""

from __future__ import annotations

import asyncio
import base64
import struct
from typing import Any

import pytest

from adapter.engines.base import Can, ModelCard
from adapter.errors import ContextTooLong, QueueFull, UpstreamUnreachable
from tests.fakes.scripted_engine import VECTORS, CapableEngine, ScriptedEngine
from tests.wire.safe_form import check_error
from tests.wire.server import RunningAdapter, running_adapter

pytestmark = pytest.mark.usefixtures("never_blocking")

PATH = "/v1/embeddings"


async def embed(adapter: RunningAdapter, path: str = PATH, **fields: Any) -> tuple[int, dict[str, Any]]:
    async with adapter.session.post(path, json={"input": ["one", "two"], **fields}) as response:
        assert response.headers["Content-Type"] == "application/json"
        return response.status, await response.json()


def vectors(body: dict[str, Any]) -> list[Any]:
    return [item["embedding"] for item in body["data"]]


@pytest.mark.parametrize("path", ["/embeddings", "/v1/embeddings"])
async def test_floats(path: str) -> None:
    engine = CapableEngine()
    async with running_adapter(engines=[engine]) as adapter:
        status, body = await embed(adapter, path, user="u")
    assert status == 200
    assert body == {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": list(VECTORS[text])}
            for index, text in enumerate(("one", "two"))
        ],
        "model": "vectors",
        "usage": {"prompt_tokens": 6, "total_tokens": 6},
        "farmhand": {"engine": "capable", "ignored": ["user"]},
    }
    assert engine.asked == [("vectors", ("one", "two"))]


async def test_base64() -> None:
    async with running_adapter(engines=[CapableEngine()]) as adapter:
        _, body = await embed(adapter, encoding_format="base64", input="one")
    (packed,) = vectors(body)
    assert struct.unpack("<3f", base64.b64decode(packed)) == pytest.approx(VECTORS["one"])


async def test_fewer_dimensions() -> None:
    async with running_adapter(engines=[CapableEngine()]) as adapter:
        _, body = await embed(adapter, dimensions=2)
    assert vectors(body) == [pytest.approx([0.6, 0.8]), pytest.approx([0.0, 1.0])]


async def test_more_dimensions_than_there_are_cost_nothing() -> None:
    engine = CapableEngine()
    async with running_adapter(engines=[engine]) as adapter:
        status, body = await embed(adapter, dimensions=4)
    check_error(body)
    assert (status, body["error"]["param"], engine.asked) == (400, "dimensions", [])


async def test_thousands_of_texts() -> None:
    async with running_adapter(engines=[CapableEngine()]) as adapter:
        status, body = await embed(adapter, input=["x"] * 2_048)
    assert (status, len(body["data"])) == (200, 2_048)
    assert [item["index"] for item in body["data"]] == list(range(2_048))


async def test_token_ids_are_refused_with_the_remedy() -> None:
    async with running_adapter(engines=[CapableEngine()]) as adapter:
        status, body = await embed(adapter, input=[[1, 2]])
    check_error(body)
    assert (status, body["error"]["param"]) == (400, "input")
    assert "check_embedding_ctx_length=False" in body["error"]["message"]


# --- who can --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["scripted/m", "capable/m"])
async def test_a_chat_model_makes_no_vectors(model: str) -> None:
    engines = [ScriptedEngine(), CapableEngine()]
    async with running_adapter(engines=engines) as adapter:
        status, body = await embed(adapter, model=model)
        assert (await embed(adapter, model="auto"))[1]["model"] == "vectors"
    check_error(body)
    assert (status, body["error"]["code"], body["error"]["param"]) == (400, "not_capable", "model")
    assert "Ask for capable/vectors, which can." in body["error"]["message"]


async def test_an_unknown_model_is_a_404() -> None:
    async with running_adapter(engines=[CapableEngine()]) as adapter:
        status, body = await embed(adapter, model="text-embedding-3-small")
    assert (status, body["error"]["code"]) == (404, "model_not_found")


async def test_an_engine_with_the_same_model_takes_over() -> None:
    first, second = CapableEngine("first"), CapableEngine("second")
    first.failure = QueueFull("full")
    async with running_adapter(engines=[first, second]) as adapter:
        status, body = await embed(adapter)
    assert (status, body["farmhand"]["engine"]) == (200, "second")


async def test_another_model_does_not_take_over() -> None:
    """Vectors of two models cannot be compared; a search over both finds anything."""
    first, second = CapableEngine("first"), CapableEngine("second")
    first.failure = UpstreamUnreachable("closed; open it", retry_after_s=7)
    second.cards = (ModelCard("other", 512, 512, can=frozenset({Can.EMBEDDINGS}), embedding_size=3),)
    async with (
        running_adapter(engines=[first, second]) as adapter,
        adapter.session.post(PATH, json={"input": "one"}) as response,
    ):
        assert (response.status, response.headers["Retry-After"]) == (503, "7")
    assert second.asked == []


async def test_a_text_that_is_too_long_is_named() -> None:
    engine = CapableEngine()
    engine.failure = ContextTooLong("too long", param="input[3]")
    async with running_adapter(engines=[engine]) as adapter:
        status, body = await embed(adapter)
    assert (status, body["error"]["code"], body["error"]["param"]) == (400, "context_length_exceeded", "input[3]")


# --- leaving, stopping ----------------------------------------------------------------------------------------


async def test_a_client_that_leaves_ends_the_work() -> None:
    engine = CapableEngine()
    engine.holding.clear()
    async with running_adapter(engines=[engine]) as adapter:
        asked = asyncio.create_task(embed(adapter))
        async with asyncio.timeout(10):
            await engine.embedding.wait()
            asked.cancel()
            await engine.cancelled.wait()


async def test_stopping_tells_who_waits() -> None:
    engine = CapableEngine()
    engine.holding.clear()
    async with running_adapter(engines=[engine], server={"drain_s": 0.0}) as adapter:
        asked = asyncio.create_task(embed(adapter))
        async with asyncio.timeout(10):
            await engine.embedding.wait()
            await adapter.runner.cleanup()
            status, body = await asked
    check_error(body)
    assert (status, body["error"]["code"]) == (503, "engine_unavailable")
    assert engine.cancelled.is_set()


async def test_the_log_line_has_who_answered(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "adapter.request")
    async with running_adapter(engines=[CapableEngine()]) as adapter:
        await embed(adapter)
    assert "engine=capable model=vectors prompt=6" in caplog.text
