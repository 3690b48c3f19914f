"""Clients leave without a word, or stay and stop reading: the engine must be free at once (clients.md 2.4)."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from adapter.chat import Started, TextDelta
from tests.fakes.scripted_engine import Call, ScriptedEngine
from tests.wire.raw import CHAT, Connection, chat, connected, request
from tests.wire.server import RunningAdapter, running_adapter

pytestmark = pytest.mark.usefixtures("never_blocking")

PATIENT: dict[str, Any] = {"status_hold_s": 60.0, "keepalive_s": 60.0}
EAGER: dict[str, Any] = {"status_hold_s": 0.0, "keepalive_s": 60.0}


async def closed(call: Call) -> None:
    """At once, in tests' terms: without any timer of the adapter's running out."""
    async with asyncio.timeout(2):
        await call.closed.wait()


async def served(adapter: RunningAdapter, engine: ScriptedEngine) -> None:
    """The adapter still answers the next one."""
    asked = asyncio.ensure_future(adapter.session.post(CHAT, json=chat()))
    call = await engine.next_call()
    call.say("hi")
    call.finish()
    assert (await asked).status == 200


async def begin(connection: Connection, *, stream: bool) -> None:
    await connection.send(request(body=json.dumps(chat(stream=stream)).encode()))


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    "steps", [[], [Started()], [Started(), TextDelta("a")]], ids=["queued", "prefill", "middle"]
)
@pytest.mark.parametrize("server", [PATIENT, EAGER], ids=["held", "sent"])
async def test_a_client_that_leaves_stops_its_answer(
    steps: list[Any], stream: bool, server: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever had been sent until then, plain and streamed alike, with one line in the log that says so."""
    caplog.set_level("INFO")
    engine = ScriptedEngine()
    async with running_adapter(engines=[engine], server=server) as adapter:
        async with connected(adapter) as connection:
            await begin(connection, stream=stream)
            call = await engine.next_call()
            call.do(*steps)
            if stream and (server is EAGER or len(steps) == 2):
                assert (await connection.head())[0] == 200
            await connection.leave()
            await closed(call)
        await served(adapter, engine)
    lines = [record.getMessage() for record in caplog.records if record.name == "adapter.request"]
    assert len(lines) == 2 and "finish=client_gone" in lines[0]
    assert "Traceback" not in caplog.text


async def test_a_polite_close_counts_as_leaving() -> None:
    """A FIN instead of a reset, as from a client whose process ends in order."""
    engine = ScriptedEngine()
    async with running_adapter(engines=[engine], server=PATIENT) as adapter, connected(adapter) as connection:
        await begin(connection, stream=True)
        call = await engine.next_call()
        connection.writer.close()
        await closed(call)


async def test_a_client_that_gives_up_waiting() -> None:
    """The usual way: a timeout in an HTTP client."""
    engine = ScriptedEngine()
    async with running_adapter(engines=[engine], server=PATIENT) as adapter:
        asked = asyncio.ensure_future(adapter.session.post(CHAT, json=chat()))
        call = await engine.next_call()
        asked.cancel()
        await closed(call)
        await served(adapter, engine)


async def test_many_that_leave_together() -> None:
    engine = ScriptedEngine()
    async with running_adapter(engines=[engine], server=EAGER) as adapter:
        connections = [await asyncio.open_connection("127.0.0.1", adapter.port) for _ in range(50)]
        for _, writer in connections:
            writer.write(request(body=json.dumps(chat(stream=True)).encode()))
        calls = [await engine.next_call() for _ in connections]
        for _, writer in connections:
            writer.transport.abort()
        for call in calls:
            await closed(call)
        await served(adapter, engine)


# --- clients that stay and do not read -----------------------------------------------------------------------


async def stalled(adapter: RunningAdapter, engine: ScriptedEngine) -> tuple[Connection, Call]:
    """A stream that has filled every buffer on the way, because its client reads nothing."""
    reader, writer = await asyncio.open_connection("127.0.0.1", adapter.port, limit=1_024)
    connection = Connection(reader, writer)
    await begin(connection, stream=True)
    call = await engine.next_call()
    piece = "x" * 60_000
    call.say(*[piece] * 1_000)
    return connection, call


async def test_a_client_that_stops_reading_loses_its_answer() -> None:
    """After `write_stall_s` its seat belongs to somebody who listens, and its connection is broken off.

    A clean end would pass for a whole answer, should it begin to read again.
    """
    engine = ScriptedEngine()
    async with running_adapter(engines=[engine], server=EAGER | {"write_stall_s": 0.1}) as adapter:
        connection, call = await stalled(adapter, engine)
        await closed(call)
        assert call.said < 1_000, "the engine was held back while nobody read"
        got = await connection.rest()
        assert b"[DONE]" not in got and not got.endswith(b"0\r\n\r\n")
        connection.writer.transport.abort()
        await served(adapter, engine)


async def test_a_client_that_reads_slowly_keeps_its_answer() -> None:
    """Slow is not gone: every write that gets through starts the time anew."""
    engine = ScriptedEngine()
    async with running_adapter(engines=[engine], server=EAGER | {"write_stall_s": 5.0}) as adapter:
        connection, call = await stalled(adapter, engine)
        call.finish()
        got = bytearray()
        while not got.endswith(b"0\r\n\r\n"):
            got += await connection.reader.read(1 << 20)
            await asyncio.sleep(0)
        connection.writer.transport.abort()
    assert b"data: [DONE]" in got[-100:]
    assert call.said == 1_001
