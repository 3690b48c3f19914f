"""A plain answer that takes long: its status goes ahead and spaces follow, which every JSON parser passes over (`protocols/clients.md` 6)."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from adapter.chat import TextDelta
from adapter.errors import BadRequest
from tests.fakes.scripted_engine import END, ScriptedEngine
from tests.wire.safe_form import check_error, check_plain
from tests.wire.test_stream_timing import NEVER_S, answering

pytestmark = pytest.mark.usefixtures("never_blocking")

IMPATIENT: dict[str, Any] = {"plain_hold_s": 0.05, "keepalive_s": 0.05}


async def test_after_the_hold_the_status_and_spaces_until_the_answer_is_there() -> None:
    async with answering(ScriptedEngine(), IMPATIENT, stream=False) as (_, call, asked):
        response = await asked
        assert (response.status, response.content_type) == (200, "application/json")
        assert await response.content.readexactly(3) == b"   "
        call.do(TextDelta("Moo."), END)
        body = json.loads(await response.read())
    check_plain(body)
    assert body["choices"][0]["message"]["content"] == "Moo."


async def test_a_failure_before_the_hold_has_a_status_of_its_own() -> None:
    async with answering(ScriptedEngine(), {"plain_hold_s": NEVER_S}, stream=False) as (_, call, asked):
        call.fail(BadRequest("no", param="seed"))
        response = await asked
        assert response.status == 400
        check_error(await response.json())


async def test_a_failure_after_it_breaks_the_connection_off(caplog: pytest.LogCaptureFixture) -> None:
    """Neither an error with the status 200 nor a clean end: SDKs make nothing of the one, and take the other for an answer."""
    async with answering(ScriptedEngine(), IMPATIENT, stream=False) as (_, call, asked):
        response = await asked
        call.fail(BadRequest("no", param="seed"))
        with pytest.raises(aiohttp.ClientError):
            await response.read()
    assert "failed after its status was sent code=bad_request" in caplog.text


async def test_a_client_that_leaves_meanwhile_frees_the_seat() -> None:
    async with answering(ScriptedEngine(), IMPATIENT, stream=False) as (_, call, asked):
        response = await asked
        response.close()
        async with asyncio.timeout(5):
            await call.closed.wait()
    assert call.said == 0


async def test_a_quick_answer_is_sent_whole_with_its_length() -> None:
    async with answering(ScriptedEngine(), {"plain_hold_s": NEVER_S}, stream=False) as (_, call, asked):
        call.do(TextDelta("Moo."), END)
        response = await asked
        assert response.content_length == len(await response.read())
