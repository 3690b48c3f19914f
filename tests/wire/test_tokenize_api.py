"""`POST /tokenize` and `/detokenize` over the wire."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.scripted_engine import CapableEngine, ScriptedEngine
from tests.wire.raw import ask, request
from tests.wire.safe_form import check_error
from tests.wire.server import RunningAdapter, running_adapter

pytestmark = pytest.mark.usefixtures("never_blocking")


async def post(adapter: RunningAdapter, path: str, **body: Any) -> tuple[int, dict[str, Any]]:
    async with adapter.session.post(path, json=body) as response:
        return response.status, await response.json()


@pytest.mark.parametrize("prefix", ["", "/v1"])
async def test_tokenize_as_llama_server(prefix: str) -> None:
    engine = CapableEngine()
    async with running_adapter(engines=[engine]) as adapter:
        assert await post(adapter, f"{prefix}/tokenize", content="ab") == (
            200, {"tokens": [97, 98], "count": 2, "max_model_len": 4_096, "model": "m"},
        )  # fmt: skip
        _, body = await post(adapter, f"{prefix}/tokenize", content="é", with_pieces=True, add_special=True)
    assert body["tokens"] == [{"id": 1, "piece": "\x01"}, {"id": 233, "piece": "é"}]
    assert engine.asked == [("m", False, True), ("m", True, True)]


async def test_tokenize_as_vllm() -> None:
    engine = CapableEngine()
    async with running_adapter(engines=[engine]) as adapter:
        _, body = await post(adapter, "/tokenize", model="m", prompt="ab", return_token_strs=True)
        assert (body["tokens"], body["count"]) == ([1, 97, 98], 3)
        assert body["token_strs"] == ["\x01", "a", "b"]
        messages = [{"role": "user", "content": "hi"}]
        _, body = await post(adapter, "/tokenize", messages=messages)
        assert body["tokens"] == [104, 105]
        _, body = await post(adapter, "/tokenize", model="vectors", prompt="a", add_special_tokens=False)
        assert (body["tokens"], body["model"], body["max_model_len"]) == ([97], "vectors", 512)


@pytest.mark.parametrize("prefix", ["", "/v1"])
async def test_detokenize(prefix: str) -> None:
    async with running_adapter(engines=[CapableEngine()]) as adapter:
        assert await post(adapter, f"{prefix}/detokenize", tokens=[97, 233]) == (
            200, {"content": "aé", "prompt": "aé", "model": "m"},
        )  # fmt: skip
        assert (await post(adapter, f"{prefix}/detokenize", tokens=[]))[1]["content"] == ""
        status, body = await post(adapter, f"{prefix}/detokenize", tokens=[2**31 - 1])
    check_error(body)
    assert (status, body["error"]["param"]) == (400, "tokens")


@pytest.mark.parametrize(("path", "body"), [("/tokenize", {"content": "a"}), ("/detokenize", {"tokens": [1]})])
async def test_an_engine_without_a_tokenizer_is_not_asked(path: str, body: dict[str, Any]) -> None:
    async with running_adapter(engines=[ScriptedEngine("first"), CapableEngine("second")]) as adapter:
        assert (await post(adapter, path, **body))[0] == 200
        status, answer = await post(adapter, path, model="first/m", **body)
        assert (await ask(adapter, request(path=path, Authorization=""))).status == 401
    check_error(answer)
    assert (status, answer["error"]["code"], answer["error"]["param"]) == (400, "not_capable", "model")


@pytest.mark.parametrize("path", ["/tokenize", "/detokenize"])
async def test_a_wrong_body_is_named(path: str) -> None:
    async with running_adapter(engines=[CapableEngine()]) as adapter:
        status, body = await post(adapter, path, content=5, tokens="x")
    check_error(body)
    assert (status, body["error"]["param"]) == (400, "content" if path == "/tokenize" else "tokens")
