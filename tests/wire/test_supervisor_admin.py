"""The supervisor and the real adapter understand each other: neither imports the other, so this is where they meet."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from pathlib import Path

from phone.supervisor.admin import Admin
from phone.supervisor.admin_words import Order
from phone.supervisor.threads import in_thread
from tests.wire.server import KEY, running_adapter


async def test_state_news_and_orders(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{KEY}\n")
    async with running_adapter() as adapter:
        admin = Admin("127.0.0.1", adapter.port, tmp_path / "key")
        first = await in_thread(admin.state)
        assert (first.running, first.idle_s, first.pressure) == (0, None, "serve")

        waiting = asyncio.create_task(in_thread(lambda: admin.state(first.version, 30.0)))
        began = time.monotonic()
        body = {"model": "echo", "messages": [{"role": "user", "content": "hello"}]}
        async with adapter.session.post("/v1/chat/completions", json=body) as answer:
            assert answer.status == 200
            await answer.read()
        news = await waiting
        assert news.version != first.version and time.monotonic() - began < 5.0

        state = news
        for order in (Order("pause", "by\nhand", 300.0, 600.0), Order("slow", "warm"), Order("serve")):
            await in_thread(partial(admin.press, order))
            state = await in_thread(admin.state)
            assert state.pressure == order.level
        assert state.idle_s is not None and state.requests == 1
        admin.close()
