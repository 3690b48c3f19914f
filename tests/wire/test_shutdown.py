"""Stopping in order: the port first, then the answers that run, each with its own end or a word why not."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from adapter.chat import Started
from adapter.dispatch.items import Item
from adapter.engines.registry import Registry
from adapter.errors import EngineUnavailable
from adapter.server.app import build_app
from adapter.server.pump import QUEUE_EVENTS, EventPump
from adapter.server.run import CannotListen, serve
from adapter.server.state import _stopped
from tests.fakes.scripted_engine import Call, ScriptedEngine
from tests.wire.raw import CHAT, Connection, chat, frames, request, text_of
from tests.wire.safe_form import check_error, check_stream
from tests.wire.server import KEY, settings

pytestmark = pytest.mark.usefixtures("never_blocking")

NEVER_S = 60.0


@dataclass
class Serving:
    """`serve` under way in a task, stopped by real signals to this process."""

    port: int
    session: aiohttp.ClientSession
    ending: asyncio.Task[None]
    engine: ScriptedEngine

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        os.kill(os.getpid(), number)

    async def ended(self) -> None:
        async with asyncio.timeout(5):
            await self.ending

    async def begin(self, *, stream: bool) -> tuple[asyncio.Task[aiohttp.ClientResponse], Call]:
        """A request that the engine has taken up."""
        asked = asyncio.ensure_future(self.session.post(CHAT, json=chat(stream=stream)))
        call = await self.engine.next_call()
        call.start()
        return asked, call

    async def port_is_closed(self) -> None:
        """Returns when a new connection is refused."""
        async with asyncio.timeout(5):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                except ConnectionRefusedError:
                    return
                writer.transport.abort()
                await asyncio.sleep(0.001)


@asynccontextmanager
async def serving(home: Path, **server: Any) -> AsyncIterator[Serving]:
    engine = ScriptedEngine()
    config = settings(home, server={"port": 0, "status_hold_s": NEVER_S, "keepalive_s": NEVER_S, **server})
    app = build_app(config, keys=(KEY,), registry=Registry([engine], {}))
    listening: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    ending = asyncio.ensure_future(serve(app, config.server, on_listening=listening.set_result))
    try:
        either: set[asyncio.Future[Any]] = {listening, ending}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        port = listening.result() if listening.done() else 0
        headers = {"Authorization": f"Bearer {KEY}"}
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", headers=headers) as session:
            yield Serving(port, session, ending, engine)
    finally:
        if not ending.done():
            ending.cancel()
            await asyncio.wait([ending])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_a_signal_ends_an_idle_server_at_once(tmp_path: Path, number: signal.Signals) -> None:
    """Idle connections are closed with it, the engines too, and the signals are the caller's again."""
    async with serving(tmp_path, drain_s=NEVER_S) as server:
        async with server.session.get("/health") as response:
            assert response.status == 200
        server.stop(number)
        await server.ended()
        assert server.engine.closed
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


async def test_a_running_answer_ends_by_itself(tmp_path: Path) -> None:
    """The port is closed first; the stream goes on, whole, and then everything ends without delay."""
    async with serving(tmp_path, drain_s=NEVER_S) as server:
        asked, call = await server.begin(stream=True)
        call.say("a ")
        response = await asked
        server.stop()
        await server.port_is_closed()
        assert not server.ending.done() and not server.engine.closed
        call.say("b")
        call.finish()
        chunks = [chunk async for chunk in frames(response)]
        await server.ended()
    check_stream(chunks, usage=False)
    assert text_of(chunks) == "a b"


async def test_after_the_draining_a_stream_ends_with_an_error_frame(tmp_path: Path) -> None:
    async with serving(tmp_path, drain_s=0.05) as server:
        asked, call = await server.begin(stream=True)
        call.say("half")
        response = await asked
        server.stop()
        chunks = [chunk async for chunk in frames(response)]
        await server.ended()
    assert call.closed.is_set()
    check_error(chunks[-1])
    assert chunks[-1]["error"]["code"] == "engine_unavailable" and "stopped" in chunks[-1]["error"]["message"]
    assert text_of(chunks) == "half"


@pytest.mark.parametrize("drain_s", [0.0, 0.05])
@pytest.mark.parametrize("stream", [True, False])
async def test_after_the_draining_an_answer_not_begun_is_a_503(
    tmp_path: Path, stream: bool, drain_s: float
) -> None:
    """Plain, or streamed with its status still held: somebody else may be asked instead."""
    async with serving(tmp_path, drain_s=drain_s) as server:
        asked, call = await server.begin(stream=stream)
        server.stop()
        response = await asked
        assert (response.status, response.headers["Retry-After"]) == (503, "10")
        check_error(await response.json())
        await server.ended()
    assert call.closed.is_set()


async def test_a_second_signal_cuts_the_draining_short(tmp_path: Path) -> None:
    async with serving(tmp_path, drain_s=NEVER_S) as server:
        streamed, first = await server.begin(stream=True)
        first.say("half")
        response = await streamed
        plain, second = await server.begin(stream=False)
        server.stop()
        await server.port_is_closed()
        assert not server.ending.done()
        server.stop()
        await server.ended()
        assert first.closed.is_set() and second.closed.is_set() and server.engine.closed
        with pytest.raises(aiohttp.ClientError):  # broken off, which no client takes for a whole answer
            await response.read()
        with pytest.raises(aiohttp.ClientError):
            await plain


async def test_a_request_that_comes_in_while_stopping_is_refused(tmp_path: Path) -> None:
    """On a connection that was open already, its body still on the way."""
    body = json.dumps(chat()).encode()
    async with serving(tmp_path, drain_s=NEVER_S) as server:
        asked, call = await server.begin(stream=False)
        late = Connection(*await asyncio.open_connection("127.0.0.1", server.port))
        await late.send(request(body=body)[:-5])
        async with server.session.get("/health") as response:  # so the late one has been read, too
            assert response.status == 200
        server.stop()
        await server.port_is_closed()
        await late.send(body[-5:])
        answer = await late.answer()
        assert (answer.status, answer.headers["retry-after"]) == (503, "10")
        assert "is stopping" in answer.error["message"]
        late.writer.transport.abort()
        call.finish()
        assert (await asked).status == 200
        await server.ended()


async def test_a_request_that_is_still_looking_for_its_engine_is_refused(tmp_path: Path) -> None:
    """It is no answer yet that the draining could wait for, so it must not become one afterwards."""
    async with serving(tmp_path, drain_s=0.0) as server:
        asking, tell = asyncio.Event(), asyncio.Event()
        models = server.engine.models

        async def slowly() -> Any:
            asking.set()
            await tell.wait()
            return await models()

        server.engine.models = slowly  # type: ignore[method-assign]  # this engine only
        asked = asyncio.ensure_future(server.session.post(CHAT, json=chat()))
        await asking.wait()
        server.stop()
        await server.port_is_closed()
        tell.set()
        assert (await asked).status == 503
        await server.ended()


# --- starting -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("192.0.2.1", "192.0.2.1 is not an address of this machine; choose another with --host."),
        ("a..b", "'a..b' is no host name"),
        ("x" * 80, "is no host name"),
    ],
)
async def test_a_host_that_cannot_be_had_is_one_sentence(tmp_path: Path, host: str, said: str) -> None:
    with pytest.raises(CannotListen) as caught:
        async with serving(tmp_path, host=host) as server:
            await server.ended()
    assert said in str(caught.value) and "\n" not in str(caught.value)


async def test_localhost_with_any_port_is_reached_at_the_port_that_is_told(tmp_path: Path) -> None:
    """Each address of `localhost` gets a port of its own; the banner shows 127.0.0.1."""
    async with serving(tmp_path, host="localhost") as server, server.session.get("/health") as response:
        assert response.status == 200


async def test_engines_are_closed_when_one_cannot_start(tmp_path: Path) -> None:
    """A worker process that was started must not be left behind."""

    class Broken(ScriptedEngine):
        async def start(self) -> None:
            raise RuntimeError("no")

    fine, config = ScriptedEngine("fine"), settings(tmp_path)
    app = build_app(config, keys=(KEY,), registry=Registry([fine, Broken()], {}))
    with pytest.raises(RuntimeError, match="no"):
        await serve(app, config.server, on_listening=lambda port: None)
    assert fine.started and fine.closed


# --- the pump, where it is cut off ---------------------------------------------------------------------------


async def test_an_answer_aborted_before_its_first_step_still_ends() -> None:
    """The draining may end in the very moment in which a request begins."""
    engine = ScriptedEngine()
    async with EventPump(engine.generate(None)) as pump:  # type: ignore[arg-type]  # never looked at
        pump.abort(_stopped())
        async with asyncio.timeout(2):
            with pytest.raises(EngineUnavailable, match="was stopped"):
                await pump.next()


async def test_an_engine_that_fails_to_stop_still_lets_its_reader_end() -> None:
    """Cut off between two events, where stopping it is what fails."""
    full = asyncio.Event()

    async def events() -> AsyncGenerator[Item, None]:
        try:
            for _ in range(QUEUE_EVENTS):
                yield Started()
            full.set()
            yield Started()  # finds no room, so the pump waits here
        finally:
            raise RuntimeError("cannot stop")

    async with EventPump(events()) as pump:
        await full.wait()
        await asyncio.sleep(0)
        pump.abort(_stopped())
        async with asyncio.timeout(2):
            with pytest.raises(EngineUnavailable, match="was stopped"):
                while await pump.next() is not None:
                    pass
