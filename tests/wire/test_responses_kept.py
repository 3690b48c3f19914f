"""Answers of `POST /v1/responses` that are kept: gone on from, listed, deleted, bounded, of one key only; and a disk that fails."""

from __future__ import annotations

import asyncio
import logging
import threading
from pathlib import Path
from typing import Any

import pytest

from adapter.chat import Message, Role, Started, TextDelta, ToolCall
from adapter.responses.store import ResponseStore
from adapter.server import routes_responses
from tests.fakes.scripted_engine import END, CapableEngine
from tests.wire.responses_cases import CALL, HELLO, NO_ID, PATH, TIDE, ask, both, events_of, kept
from tests.wire.responses_shape import check_events, output_text
from tests.wire.server import running_adapter, settings

pytestmark = pytest.mark.usefixtures("never_blocking")


@both
async def test_a_conversation_by_ids(stream: bool) -> None:
    engine = CapableEngine(script=HELLO)
    async with running_adapter(engines=[engine]) as adapter:
        previous, said = None, list[tuple[str, str]]()
        for text in ("One.", "Two.", "Three."):
            _, body, _ = await ask(adapter, input=text, previous_response_id=previous, instructions=f"For {text}", stream=stream)
            assert body["previous_response_id"] == previous
            previous = body["id"]
            said = [(message.role.value, message.content) for message in (await engine.next_call()).chat.messages]
    assert said == [
        ("system", "For Three."), ("user", "One."), ("assistant", "Hello."), ("user", "Two."), ("assistant", "Hello."), ("user", "Three."),
    ]  # fmt: skip


@both
async def test_a_call_and_its_result_by_id(stream: bool) -> None:
    engine = CapableEngine(script=CALL)
    async with running_adapter(engines=[engine]) as adapter:
        _, first, _ = await ask(adapter, tools=[TIDE], stream=stream)
        await engine.next_call()
        result = {"type": "function_call_output", "call_id": "c1", "output": "14:05"}
        status, _, _ = await ask(adapter, input=[result], tools=[TIDE], previous_response_id=first["id"], stream=stream)
        chat = (await engine.next_call()).chat
        lonely, error, _ = await ask(adapter, input=[result], tools=[TIDE], stream=stream)
    assert status == 200
    assert chat.messages == (
        Message(Role.USER, "Go."),
        Message(Role.ASSISTANT, "", tool_calls=(ToolCall("c1", "tide", '{"place": "Emden"}'),)),
        Message(Role.TOOL, "14:05", tool_call_id="c1"),
    )
    assert (lonely, error["param"]) == (400, "input[0].call_id")


async def test_an_id_can_be_used_as_soon_as_it_ends() -> None:
    """The last event comes when the answer is on the disk."""
    engine = CapableEngine(script=HELLO)
    async with running_adapter(engines=[engine]) as adapter:
        for _ in range(20):
            body = check_events(await events_of(adapter))
            status, _, _ = await ask(adapter, previous_response_id=body["id"])
            assert status == 200


async def test_items_can_be_referred_to() -> None:
    engine = CapableEngine(script=HELLO)
    async with running_adapter(engines=[engine]) as adapter:
        _, first, _ = await ask(adapter)
        await engine.next_call()
        reference = {"type": "item_reference", "id": first["output"][0]["id"]}
        status, second, _ = await ask(adapter, input=[reference, {"role": "user", "content": "And?"}])
        chat = (await engine.next_call()).chat
        await adapter.session.delete(f"{PATH}/{first['id']}")
        assert (await ask(adapter, previous_response_id=second["id"]))[0] == 200, "what was referred to is kept with who referred to it"
        gone, error, _ = await ask(adapter, input=[reference])
    assert (status, [message.content for message in chat.messages]) == (200, ["Hello.", "And?"])
    assert (gone, error["param"]) == (400, "input[0].id")


async def test_what_can_be_done_with_an_answer_that_is_kept() -> None:
    async with running_adapter(engines=[CapableEngine(script=HELLO)]) as adapter:
        _, first, _ = await ask(adapter)
        _, second, _ = await ask(adapter, input="And?", previous_response_id=first["id"])
        assert await kept(adapter, second["id"]) == second
        async with adapter.session.get(f"{PATH}/{second['id']}/input_items", params={"order": "asc", "limit": "2"}) as answer:
            page = await answer.json()
        assert [item["role"] for item in page["data"]] == ["user", "assistant"] and page["has_more"]
        async with adapter.session.get(f"{PATH}/{second['id']}/input_items") as answer:
            newest = (await answer.json())["data"][0]
        assert newest["content"] == [{"type": "input_text", "text": "And?"}]
        async with adapter.session.delete(f"/responses/{first['id']}") as answer:
            assert await answer.json() == {"id": first["id"], "object": "response", "deleted": True}
        status, error, _ = await ask(adapter, previous_response_id=second["id"])
        assert (status, error["code"], error["param"]) == (400, "previous_response_not_found", "previous_response_id")
        assert first["id"] in error["message"] and "Send the whole conversation in 'input'" in error["message"]


@pytest.mark.parametrize("ident", [NO_ID, "resp_1", "%2e%2e%2fkey"])
@pytest.mark.parametrize(("method", "below"), [("GET", ""), ("DELETE", ""), ("GET", "/input_items")])
async def test_what_is_not_kept(method: str, below: str, ident: str) -> None:
    async with (
        running_adapter(engines=[CapableEngine(script=HELLO)]) as adapter,
        adapter.session.request(method, f"{adapter.url}{PATH}/{ident}{below}") as answer,
    ):
        error = (await answer.json())["error"]
    assert (answer.status, error["code"]) == (404, "response_not_found")


async def test_questions_that_have_no_answer() -> None:
    async with running_adapter(engines=[CapableEngine(script=HELLO)]) as adapter:
        _, body, _ = await ask(adapter)
        for method, below, param in (("POST", "/cancel", None), ("GET", "?stream=true", "stream"), ("GET", "/input_items?limit=0", "limit")):
            async with adapter.session.request(method, f"{PATH}/{body['id']}{below}") as answer:
                assert (answer.status, (await answer.json())["error"]["param"]) == (400, param)


@pytest.mark.parametrize("body", [{"store": False}, {}], ids=["asked", "configured"])
@both
async def test_what_nobody_wants_kept(body: dict[str, Any], stream: bool, tmp_path: Path) -> None:
    config = settings(tmp_path, responses={"store_mib": 64 if body else 0})
    async with running_adapter(config, engines=[CapableEngine(script=HELLO)]) as adapter:
        _, answer, _ = await ask(adapter, body, stream=stream)
        status, error, _ = await ask(adapter, previous_response_id=answer["id"])
    assert answer["store"] is False and "stored" not in answer["farmhand"]
    assert (status, error["code"]) == (400, "previous_response_not_found")
    assert ("store_mib" in error["message"]) is (not body)
    assert not (tmp_path / "responses").exists()


@both
async def test_a_disk_that_fails_spoils_no_answer(stream: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "responses").write_text("a file is in the way")
    async with running_adapter(settings(tmp_path), engines=[CapableEngine(script=HELLO)]) as adapter:
        status, body, _ = await ask(adapter, stream=stream)
    assert (status, output_text(body), body["store"], body["farmhand"]["stored"]) == (200, "Hello.", False, False)
    assert "the answer cannot be kept" in caplog.text


@both
async def test_a_disk_that_hangs_spoils_no_answer(
    stream: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither its own nor the next one's: the engine's seat is free again."""
    wakes = threading.Event()
    monkeypatch.setattr(ResponseStore, "save", lambda store, record: wakes.wait(30))
    monkeypatch.setattr(routes_responses, "KEEP_S", 0.05)
    try:
        async with asyncio.timeout(20), running_adapter(settings(tmp_path), engines=[CapableEngine(script=HELLO)]) as adapter:
            for _ in range(2):
                status, body, _ = await ask(adapter, stream=stream)
                assert (status, output_text(body), body["store"], body["farmhand"]["stored"]) == (200, "Hello.", False, False)
    finally:
        wakes.set()
    assert "the answer cannot be kept error=it took more than 0.05 s" in caplog.text


async def test_a_damaged_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with running_adapter(settings(tmp_path), engines=[CapableEngine(script=HELLO)]) as adapter:
        _, body, _ = await ask(adapter)
        (path,) = (tmp_path / "responses").iterdir()
        path.write_bytes(path.read_bytes()[:100])
        status, error, _ = await ask(adapter, previous_response_id=body["id"])
    assert (status, error["code"]) == (400, "previous_response_not_found")
    assert "its file is damaged" in error["message"]
    assert str(path) in caplog.text


async def test_a_disk_that_cannot_be_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with running_adapter(settings(tmp_path), engines=[CapableEngine(script=HELLO)]) as adapter:
        _, body, _ = await ask(adapter)
        (path,) = (tmp_path / "responses").iterdir()
        path.unlink()
        path.mkdir()
        status, error, _ = await ask(adapter, previous_response_id=body["id"])
    assert (status, error["code"]) == (500, "internal_error")
    assert str(tmp_path) not in error["message"] and "cannot be read" in caplog.text


async def test_answers_survive_a_restart_and_belong_to_their_key(tmp_path: Path) -> None:
    config = settings(tmp_path, key=[{"name": name, "key": f"sk-{name}-0123456789"} for name in ("cursor", "titles")])
    async with running_adapter(config, engines=[CapableEngine(script=HELLO)]) as adapter:
        adapter.session.headers["Authorization"] = "Bearer sk-cursor-0123456789"
        _, body, _ = await ask(adapter)
    async with running_adapter(config, engines=[CapableEngine(script=HELLO)]) as adapter:
        for name, goes_on, found in (("titles", 400, 404), ("cursor", 200, 200)):
            adapter.session.headers["Authorization"] = f"Bearer sk-{name}-0123456789"
            assert (await ask(adapter, previous_response_id=body["id"]))[0] == goes_on
            assert (await adapter.session.get(f"{PATH}/{body['id']}")).status == found


async def test_a_conversation_beyond_the_limits() -> None:
    async with running_adapter(engines=[CapableEngine(script=HELLO)], server={"max_messages": 3}) as adapter:
        _, first, _ = await ask(adapter)
        _, second, _ = await ask(adapter, previous_response_id=first["id"])
        status, error, _ = await ask(adapter, previous_response_id=second["id"])
        assert (status, error["param"]) == (400, "previous_response_id")
        assert "max_messages" in error["message"]
        status, error, _ = await ask(adapter, input=[{"role": "user", "content": "x"}] * 4)
        assert (status, error["param"]) == (400, "input")


async def test_the_answers_that_are_kept_have_a_bound(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    engine = CapableEngine(script=(Started(), TextDelta("x" * 100_000), END))
    async with running_adapter(settings(tmp_path, responses={"store_mib": 1}), engines=[engine]) as adapter:
        ids = [(await ask(adapter))[1]["id"] for _ in range(14)]
        first, last = [(await adapter.session.get(f"{PATH}/{ident}")).status for ident in (ids[0], ids[-1])]
    assert (first, last) == (404, 200)
    assert sum(path.stat().st_size for path in (tmp_path / "responses").iterdir()) <= 1_048_576


