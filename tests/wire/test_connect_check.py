"""`farmhand connect NAME --check` against the real server: what a client would meet is what is said."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from adapter.access.grant import Grant
from adapter.access.store import Store
from adapter.chat import Chat, Event, Started, TextDelta
from adapter.connect.check import checked
from adapter.connect.check_facts import Finding, Level, Verdict
from adapter.connect.gather import Gathered, Wanted, gather, with_key_of_its_own
from adapter.connect.profile import Profile
from adapter.engines.base import Can, ModelCard
from adapter.errors import AppCrashed, ContextTooLong, EngineUnavailable
from tests.fakes.scripted_engine import END, CapableEngine, ScriptedEngine, Step
from tests.wire.server import KEY, RunningAdapter, running_adapter, settings
from tests.wire.test_connect_gather import env, home, says, server

__all__ = ["home"]  # the fixture

pytestmark = pytest.mark.usefixtures("never_blocking")

ANSWER: tuple[Step, ...] = (Started(), TextDelta("I "), TextDelta("can "), TextDelta("help."), END)
CHAT = Profile(prompt_tokens=300)
AGENT = Profile(prompt_tokens=7_400, small_prompt_tokens=1_700, tools=12, answer_tokens=1_024, data_s=300.0)


async def gathered(home: Path, adapter: RunningAdapter, **wanted: Any) -> Gathered:
    return await asyncio.to_thread(gather, Wanted("claw", url=adapter.url, **wanted), env(home), io.StringIO())


async def with_a_key(home: Path, adapter: RunningAdapter) -> Gathered:
    return await asyncio.to_thread(with_key_of_its_own, await gathered(home, adapter), Wanted("claw"))


async def verdict(home: Path, adapter: RunningAdapter, profile: Profile, limit_s: float = 60.0, **wanted: Any) -> Verdict:
    return await checked(profile, await gathered(home, adapter, **wanted), limit_s=limit_s)


def found(verdict: Verdict, name: str) -> Finding:
    (finding,) = [one for one in verdict.findings if one.name == name]
    return finding


def large(script: tuple[Step, ...] = ANSWER) -> CapableEngine:
    engine = CapableEngine(script=script)
    engine.cards = (ModelCard("m", context_tokens=32_768, max_output_tokens=4_096, can=frozenset(Can) - {Can.EMBEDDINGS}), *engine.cards[1:])
    return engine


async def test_an_agent_on_a_model_that_suits_it(home: Path) -> None:
    engine, told = large(), list[str]()
    async with running_adapter(settings(home), engines=[engine]) as adapter:
        result = await checked(AGENT, await gathered(home, adapter), limit_s=60.0, progress=told.append)
    assert {one.level for one in result.findings} == {Level.OK}, result
    call = await engine.next_call()
    assert len(call.chat.tools) == 12
    assert 20_000 < sum(len(message.content) for message in call.chat.messages) + 12 * 500 < 60_000
    assert told[0].startswith("Asking auto for 7,400 tokens and 12 tools: 0 s") and told[-1] == ""


async def test_an_agent_on_a_small_model(home: Path) -> None:
    engine = ScriptedEngine(script=ANSWER)
    async with running_adapter(settings(home), engines=[engine]) as adapter:
        result = await verdict(home, adapter, AGENT)
        assert result.fails
        assert found(result, "context").level is Level.FAIL and "--small, which needs 2,724" in found(result, "context").remedy
        assert found(result, "tools").level is Level.WARN and "by itself" in found(result, "tools").said
        assert "(of its 7,400) with 12 tools" in found(result, "answer").said
        assert not (await verdict(home, adapter, AGENT, small=True)).fails


class Dense(ScriptedEngine):
    """Its vocabulary is so small that a token is two characters, which only it knows."""

    def generate(self, chat: Chat) -> AsyncGenerator[Event, None]:
        tokens = sum(len(message.content) for message in chat.messages) // 2
        return super().generate(chat) if tokens < 4_096 else self._refuse(tokens)

    async def _refuse(self, tokens: int) -> AsyncGenerator[Event, None]:
        raise ContextTooLong.of(context_tokens=4_096, prompt_tokens=tokens)
        yield Started()


async def test_a_prompt_that_is_too_long_is_made_shorter(home: Path) -> None:
    engine = Dense(script=ANSWER)
    async with running_adapter(settings(home), engines=[engine]) as adapter:
        result = await verdict(home, adapter, Profile(prompt_tokens=3_000))
    assert found(result, "answer").level is Level.OK and "(of its 3,000)" in found(result, "answer").said
    call = await engine.next_call()
    assert 4_000 < sum(len(message.content) for message in call.chat.messages) < 8_192


async def test_a_plain_client_is_asked_plainly_and_its_speed_is_measured(home: Path) -> None:
    engine = ScriptedEngine(script=ANSWER)
    async with running_adapter(settings(home), engines=[engine]) as adapter:
        result = await verdict(home, adapter, Profile(prompt_tokens=300, stream=False, whole_s=45.0, byte_s=30.0))
    assert "client waits for 30 s" in found(result, "patience").said
    await engine.next_call()
    assert "Say in one sentence" in (await engine.next_call()).chat.messages[-1].content  # the second, streamed


@pytest.mark.parametrize(
    ("script", "level", "says_what"),
    [
        ((Started(), TextDelta('{"sunny": true}'), END), Level.OK, "as asked"),
        ((Started(), TextDelta("Yes."), END), Level.FAIL, "fit"),
    ],
)
async def test_a_schema(script: tuple[Step, ...], level: Level, says_what: str, home: Path) -> None:
    async with running_adapter(settings(home), engines=[large(script)]) as adapter:
        result = await verdict(home, adapter, Profile(prompt_tokens=300, needs_schema=True))
    finding = found(result, "schema")
    assert (finding.level, says_what in finding.said) == (level, True), finding


async def test_embeddings(home: Path) -> None:
    profile = Profile(prompt_tokens=300, embeddings=True)
    engine = large()
    async with running_adapter(settings(home), engines=[engine]) as adapter:
        assert found(await verdict(home, adapter, profile), "embeddings").said == "vectors makes vectors."
        engine.failure = AppCrashed("It is gone.")
        assert "It is gone." in found(await verdict(home, adapter, profile), "embeddings").said
        engine.failure, engine.cards = None, engine.cards[:1]
    async with running_adapter(settings(home), engines=[ScriptedEngine(script=ANSWER)]) as adapter:
        assert found(await verdict(home, adapter, profile), "embeddings").level is Level.WARN


async def test_a_key_that_is_taken_back(home: Path) -> None:
    async with running_adapter(settings(home), engines=[large()]) as adapter:
        connected = await with_a_key(home, adapter)
        assert not (await checked(CHAT, connected, limit_s=60.0)).fails
        await asyncio.to_thread(Store(home).revoke, "claw", 1_800_000_000)
        result = await checked(CHAT, connected, limit_s=60.0)
        if not result.fails:  # a running server learns of it within a second
            await asyncio.sleep(1.5)
            result = await checked(CHAT, connected, limit_s=60.0)
    assert [one.name for one in result.findings] == ["key"] and "401" in found(result, "key").said


async def test_a_key_without_the_scope(home: Path) -> None:
    _, token = await asyncio.to_thread(Store(home).make, Grant(id="", name="vectors-only", scopes=("embed",)), 1_800_000_000)
    async with running_adapter(settings(home), engines=[large()]) as adapter:
        result = await verdict(home, adapter, CHAT, key=token)
    assert found(result, "scope").level is Level.FAIL and "--scope chat,embed" in found(result, "scope").remedy


class OnPhone(CapableEngine):
    """It does as it is told, as those of the phone do."""

    @property
    def on_this_phone(self) -> bool:
        return True

    def generate(self, chat: Chat) -> AsyncGenerator[Event, None]:
        return self._paused() if self.levels else super().generate(chat)

    async def _paused(self) -> AsyncGenerator[Event, None]:
        raise EngineUnavailable(self.reasons[-1][0])
        yield Started()


async def test_a_paused_server(home: Path) -> None:
    async with running_adapter(settings(home), engines=[OnPhone(script=ANSWER)]) as adapter:
        connected = await gathered(home, adapter)
        body = {"level": "pause", "reason": "the battery is at 9 %", "for_s": 60}
        async with adapter.session.post("/admin/pressure", json=body) as response:
            assert response.status == 200, await response.text()
        result = await checked(CHAT, connected, limit_s=60.0)
    assert "(the battery is at 9 %)" in found(result, "paused").said and "farmhand resume" in found(result, "paused").remedy
    assert "the battery is at 9 %" in found(result, "answer").said and result.fails


async def test_an_engine_that_is_not_there(home: Path) -> None:
    engine = ScriptedEngine(script=(AppCrashed("The app is gone; open it."),))
    async with running_adapter(settings(home), engines=[engine]) as adapter:
        result = await verdict(home, adapter, CHAT)
    assert "The app is gone; open it." in found(result, "answer").said and result.fails


async def test_no_word_within_the_limit(home: Path) -> None:
    """Farmhand keeps the line alive, so that the client is still there when the check gives up."""
    config = settings(home, server={"keepalive_s": 0.2, "status_hold_s": 0.1})
    engine = ScriptedEngine(script=(Started(),))
    async with running_adapter(config, engines=[engine]) as adapter:
        result = await verdict(home, adapter, Profile(prompt_tokens=300, data_s=1.0), limit_s=2.0)
        call = await engine.next_call()
        async with asyncio.timeout(10):
            await call.closed.wait()  # the seat is free again
    assert found(result, "patience").level is Level.WARN and "--limit" in found(result, "patience").remedy


async def test_a_server_that_is_silent(home: Path) -> None:
    """Of somebody else, without keep-alives: a client with less patience than that is gone."""
    never = asyncio.Event()

    async def silent(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await never.wait()
        return response

    app = web.Application()
    app.router.add_post("/v1/chat/completions", silent)

    async def models(request: web.Request) -> web.Response:
        return says({"data": [{"id": "qwen3", "max_model_len": 32_768}]})(request)

    app.router.add_get("/v1/models", models)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        connected = await asyncio.to_thread(gather, Wanted("claw", url=url), env(home), io.StringIO())
        result = await checked(Profile(prompt_tokens=300, byte_s=1.0), connected, limit_s=2.0)
    finally:
        never.set()
        await runner.cleanup()
    assert "gives up after 1 s" in found(result, "patience").said and result.fails


async def test_a_server_that_has_gone(home: Path) -> None:
    async with running_adapter(settings(home), engines=[large()]) as adapter:
        connected = await gathered(home, adapter)
    result = await checked(CHAT, connected, limit_s=5.0)
    assert "nobody answers" in found(result, "server").said and result.fails


async def test_a_refusal_that_comes_in_pieces(home: Path) -> None:
    """What it says counts, wherever the network cuts it."""

    async def refuse(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=403)
        await response.prepare(request)
        await response.write(b'{"error": {"message": "Not for ')
        await asyncio.sleep(0.1)  # else the two may come as one
        await response.write(b'this key.", "code": "insufficient_scope"}}')
        return response

    async def models(request: web.Request) -> web.Response:
        return says({"data": [{"id": "qwen3", "max_model_len": 32_768}]})(request)

    app = web.Application()
    app.router.add_post("/v1/chat/completions", refuse)
    app.router.add_get("/v1/models", models)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        connected = await asyncio.to_thread(gather, Wanted("claw", url=url), env(home), io.StringIO())
        result = await checked(CHAT, connected, limit_s=10.0)
    finally:
        await runner.cleanup()
    assert "Not for this key." in found(result, "scope").said


async def test_a_server_that_answers_nonsense(home: Path) -> None:
    async with server(v1_models=says({"data": [{"id": "x"}]}), v1_chat_completions=says({"id": 1})) as url:
        connected = await asyncio.to_thread(gather, Wanted("claw", url=url), env(home), io.StringIO())
        result = await checked(CHAT, connected, limit_s=10.0)
    assert "is no OpenAI answer" in found(result, "answer").said and found(result, "context").level is Level.WARN
    assert connected.truth.key != KEY
