"""A plain body that stops in the middle: the limit between tokens holds from its first byte on, not that for the first token."""

from __future__ import annotations

import asyncio

import pytest

from adapter.errors import UpstreamTimeout
from tests.fakes.openai_server import FakeOpenAI
from tests.wire.openai_cases import answered, chat, engine_at, relayed, wire


@pytest.mark.parametrize("at", [1, 40])
@pytest.mark.parametrize("passes_on", [True, False], ids=["passed on", "read"])
async def test_a_plain_body_that_stalls(at: int, passes_on: bool) -> None:
    quirks = () if passes_on else ("json_for_stream",)
    async with (
        FakeOpenAI(quirks=quirks) as fake,
        engine_at(fake.url, first_token_s=15, between_tokens_s=0.3) as engine,
    ):
        await engine.models()
        fake.fail_at_byte(at, "stall")
        async with asyncio.timeout(5):
            with pytest.raises(UpstreamTimeout) as caught:
                await (relayed(engine, wire()) if passes_on else answered(engine, chat()))
        assert "stalled" in caught.value.message
