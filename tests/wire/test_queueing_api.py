"""The queue as clients meet it: headers, refusals, turns, and leaving."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

import pytest

from adapter.chat import Chat, Event, Finished, FinishReason, Started, TextDelta, Usage
from adapter.engines.base import Health, ModelCard
from adapter.settings import Settings
from tests.wire.server import RunningAdapter, running_adapter

NOISY, QUIET, TITLES = "sk-noisy-0123", "sk-quiet-0123", "sk-titles-0123"
RECORDED = Path(__file__).resolve().parent.parent / "data" / "wire" / "clients" / "open-webui"


class OneSeat:
    """Serves one at a time, each until the test lets it go. asked: last messages, in the order of service."""

    name = "one"
    capacity = 1

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.running = 0
        self._let_go: deque[asyncio.Event] = deque()
        self._changed = asyncio.Condition()

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    async def settled(self) -> None: ...

    async def health(self) -> Health:
        return Health(True, "ready")

    async def models(self) -> Sequence[ModelCard]:
        return [ModelCard("m", 4_096, 1_024)]

    async def generate(self, chat: Chat) -> AsyncGenerator[Event, None]:
        assert self.running == 0, "two at a time"
        self.running += 1
        try:
            go = asyncio.Event()
            self._let_go.append(go)
            self.asked.append(chat.messages[-1].content)
            async with self._changed:
                self._changed.notify_all()
            yield Started()
            await go.wait()
            yield TextDelta("ok")
            yield Finished(FinishReason.STOP, Usage(1, 1))
        finally:
            self.running -= 1

    def let_go(self) -> None:
        self._let_go.popleft().set()

    async def has_been_asked(self, times: int) -> None:
        async with asyncio.timeout(10), self._changed:
            await self._changed.wait_for(lambda: len(self.asked) >= times)


def config(tmp_path: Path) -> Settings:
    return Settings(
        home=tmp_path,
        engine=[{"name": "one", "kind": "echo", "queue": 4}],  # type: ignore[arg-type]
        key=[  # type: ignore[arg-type]
            {"name": "noisy", "key": NOISY},
            {"name": "quiet", "key": QUIET},
            {"name": "titles", "key": TITLES, "class": "background"},
        ],
    )


def body(text: str) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": text}]}


class Client:
    def __init__(self, adapter: RunningAdapter) -> None:
        self._adapter = adapter
        self._tasks: list[asyncio.Task[tuple[int, dict[str, str], Any]]] = []

    async def ask(self, value: Any, key: str, **headers: str) -> tuple[int, dict[str, str], Any]:
        sent = {"Authorization": f"Bearer {key}", **headers}
        async with self._adapter.session.post("/v1/chat/completions", json=value, headers=sent) as response:
            return response.status, {k.lower(): v for k, v in response.headers.items()}, await response.json()

    async def queued(self, value: Any, key: str, waiting: int) -> asyncio.Task[tuple[int, dict[str, str], Any]]:
        """Ask, and return when so many wait."""
        task = asyncio.ensure_future(self.ask(value, key))
        await self.until_waiting(waiting)
        return task

    async def until_waiting(self, waiting: int) -> None:
        async with asyncio.timeout(10):
            while (await self.queue())["waiting"] != waiting:
                pass  # a request each time

    async def queue(self) -> Any:
        async with self._adapter.session.get("/ready") as response:
            return (await response.json())["engines"]["one"]["queue"]


async def test_headers_say_where_a_request_stood(tmp_path: Path) -> None:
    engine = OneSeat()
    async with running_adapter(config(tmp_path), engines=[engine]) as adapter:
        client = Client(adapter)
        first = asyncio.ensure_future(client.ask(body("1"), NOISY))
        await engine.has_been_asked(1)
        second = await client.queued(body("2"), NOISY, 1)
        third = await client.queued(body("3"), QUIET, 2)
        for times in (2, 3):
            engine.let_go()
            await engine.has_been_asked(times)
        engine.let_go()
        answers = [await task for task in (first, second, third)]
    assert [a[0] for a in answers] == [200] * 3
    assert [(a[1]["x-queue-position"], a[1]["x-queue-depth"]) for a in answers] == [("0", "0"), ("1", "1"), ("1", "2")]
    assert answers[0][1]["x-estimated-wait-ms"] == "0"
    assert "x-estimated-wait-ms" not in answers[1][1]  # nothing was known yet
    assert engine.asked == ["1", "3", "2"]  # the other key first


async def test_persons_before_titles_by_key_and_by_shape(tmp_path: Path) -> None:
    engine = OneSeat()
    async with running_adapter(config(tmp_path), engines=[engine]) as adapter:
        client = Client(adapter)
        errand = json.loads((RECORDED / "title_task.json").read_text(encoding="utf-8"))["body"] | {"model": "m"}
        tasks = [asyncio.ensure_future(client.ask(body("running"), NOISY))]
        await engine.has_been_asked(1)
        tasks.append(await client.queued(errand, NOISY, 1))
        tasks.append(await client.queued(body("by key"), TITLES, 2))
        tasks.append(await client.queued(body("person"), NOISY, 3))
        for times in (2, 3, 4):
            engine.let_go()
            await engine.has_been_asked(times)
        engine.let_go()
        assert [(await task)[0] for task in tasks] == [200] * 4
    assert [text[:8] for text in engine.asked] == ["running", "person", "### Task", "by key"]


async def test_what_cannot_be_had_in_time_is_refused_at_once_with_numbers(tmp_path: Path) -> None:
    engine = OneSeat()
    async with running_adapter(config(tmp_path), engines=[engine]) as adapter:
        client = Client(adapter)
        known = asyncio.ensure_future(client.ask(body("known"), NOISY))
        await engine.has_been_asked(1)
        await asyncio.sleep(0.5)  # how long an answer takes: there is nothing else to await
        engine.let_go()
        await known
        running = asyncio.ensure_future(client.ask(body("running"), NOISY))
        await engine.has_been_asked(2)
        status, headers, answer = await client.ask(body("hurried"), QUIET, **{"X-Farmhand-Deadline-Ms": "300"})
        assert (status, headers["retry-after"], answer["error"]["code"]) == (429, "1", "deadline_missed")
        assert "busy: 1 request ahead, about 0." in json.dumps(answer)[:512]
        assert (await client.queue())["waiting"] == 0
        engine.let_go()
        assert (await running)[0] == 200
    assert engine.asked == ["known", "running"]


async def test_one_key_cannot_have_all_places(tmp_path: Path) -> None:
    engine = OneSeat()
    async with running_adapter(config(tmp_path), engines=[engine]) as adapter:
        client = Client(adapter)
        tasks = [asyncio.ensure_future(client.ask(body("1"), NOISY))]
        await engine.has_been_asked(1)
        tasks += [await client.queued(body(str(n)), NOISY, n - 1) for n in (2, 3, 4)]
        status, headers, answer = await client.ask(body("5"), NOISY)
        assert (status, headers["retry-after"], answer["error"]["code"]) == (429, "5", "queue_full")
        assert "this key has 3 of the 4 places" in answer["error"]["message"]
        tasks.append(await client.queued(body("quiet"), QUIET, 4))
        for times in range(2, 6):
            engine.let_go()
            await engine.has_been_asked(times)
        engine.let_go()
        assert [(await task)[0] for task in tasks] == [200] * 5
    assert engine.asked == ["1", "quiet", "2", "3", "4"]


@pytest.mark.parametrize("seat", [True, False], ids=["seated", "waiting"])
async def test_a_client_that_leaves_costs_nobody(tmp_path: Path, seat: bool) -> None:
    engine = OneSeat()
    async with running_adapter(config(tmp_path), engines=[engine]) as adapter:
        client = Client(adapter)
        first = asyncio.ensure_future(client.ask(body("1"), NOISY))
        await engine.has_been_asked(1)
        second = await client.queued(body("2"), NOISY, 1)
        third = await client.queued(body("3"), NOISY, 2)
        (first if seat else second).cancel()
        await client.until_waiting(1)
        if not seat:
            engine.let_go()
        else:
            engine._let_go.popleft()  # of the one that has left
        await engine.has_been_asked(2)
        engine.let_go()
        if seat:
            await engine.has_been_asked(3)
            engine.let_go()
        stayed = (second, third) if seat else (first, third)
        assert [(await task)[0] for task in stayed] == [200, 200]
        assert (await client.queue())["running"] == 0
    assert engine.asked == (["1", "2", "3"] if seat else ["1", "3"])
