"""The adapter's end of the link to a worker: whose frames are whose, and when a request is over.

The process is a real one that does nothing; the test speaks for it at the other end of the socket pair.
"""

from __future__ import annotations

import asyncio
import socket
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from adapter.chat import Chat, Completion, Message, Role
from adapter.engines.llama import link
from adapter.engines.llama.process import Conversation, Died, Request, Worker
from adapter.engines.llama.text import Ended
from adapter.reasoning import Part

CHAT = Chat("m", (Message(Role.USER, "hi"),))


class Bench:
    """A worker, and its end of the link in the test's hands."""

    def __init__(self, worker: Worker, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.worker = worker
        self._reader = reader
        self.writer = writer
        self._frames = link.FrameReader()
        self._waiting: list[link.Frame] = []

    async def heard(self) -> link.Frame:
        """The next frame from the adapter."""
        async with asyncio.timeout(10):
            while not self._waiting:
                self._waiting += self._frames.feed(await self._reader.read(1 << 16))
        return self._waiting.pop(0)

    async def say(self, *frames: link.Frame) -> None:
        self.writer.write(b"".join(map(link.render_frame, frames)))
        await self.writer.drain()


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_unix_connection(sock=ours)
    process = await asyncio.create_subprocess_exec("sleep", "60", stdin=DEVNULL, stdout=PIPE)
    worker = Worker(process, reader, writer)
    made = Bench(worker, *await asyncio.open_unix_connection(sock=theirs))
    yield made
    worker.kill("the test is over")
    made.writer.close()
    await worker.close()


async def frames(n: int, conversation: Conversation) -> list[link.Frame | Died]:
    async with asyncio.timeout(10):
        return [await conversation.next() for _ in range(n)]


def finished(request_id: int, choice: int = 0) -> link.Finished:
    return link.Finished(request_id, Ended.EOG, 3, 2, 0, choice)


@pytest.mark.parametrize(
    ("request_frame", "answers"),
    [
        (link.Submit(0, CHAT), [link.Started(1, 3), link.Delta(1, Part.TEXT, "x"), finished(1)]),
        (link.Submit(0, CHAT), [link.Started(1, 3), link.Call(1, 0, "id", "f"), link.Working(1), finished(1)]),
        (link.Complete(0, Completion("m", text="once")), [link.Started(1, 3), finished(1)]),
        (link.Embed(0, ("a", "b")), [link.Embedded(1, ("AAAA", "BBBB"), 4)]),
        (link.Tokenize(0, "hi"), [link.Tokenized(1, (5, 6), ("aA==", "aQ=="))]),
        (link.Detokenize(0, (5, 6)), [link.Detokenized(1, "hi")]),
        (link.Submit(0, CHAT), [link.Failed(1, "bad_request", "no")]),
        (link.Embed(0, ("a",)), [link.Failed(1, "bad_request", "no", "input[0]")]),
    ],
)
async def test_every_kind_of_request(bench: Bench, request_frame: Request, answers: list[link.Frame]) -> None:
    """It goes over with an id of its own, all its frames arrive, and after the last there is nothing to cancel."""
    conversation = bench.worker.submit(request_frame)
    assert await bench.heard() == replace(request_frame, id=1)
    await bench.say(*answers)
    assert await frames(len(answers), conversation) == answers
    conversation.leave()
    conversation.leave()
    bench.worker.submit(link.Embed(0, ("next",)))
    assert await bench.heard() == link.Embed(2, ("next",))  # and no Cancel before it


@pytest.mark.parametrize(
    "request_frame", [link.Submit(0, replace(CHAT, n=2)), link.Complete(0, Completion("m", text="a", n=2))]
)
async def test_several_choices_are_one_conversation(bench: Bench, request_frame: Request) -> None:
    conversation = bench.worker.submit(request_frame)
    await bench.heard()
    answers: list[link.Frame] = [link.Started(1, 3), finished(1, 1), link.Delta(1, Part.TEXT, "x", 0), finished(1, 0)]
    await bench.say(*answers)
    assert await frames(4, conversation) == answers
    conversation.leave()
    bench.worker.press(link.Pressure("slow"))
    assert await bench.heard() == link.Pressure("slow")


async def test_leaving_before_the_last_choice_cancels(bench: Bench) -> None:
    conversation = bench.worker.submit(link.Submit(0, replace(CHAT, n=2)))
    await bench.heard()
    await bench.say(link.Started(1, 3), finished(1, 0))
    await frames(2, conversation)
    conversation.leave()
    conversation.leave()
    assert await bench.heard() == link.Cancel(1)
    bench.worker.press(link.Pressure("serve"))
    assert await bench.heard() == link.Pressure("serve")


async def test_conversations_do_not_mix(bench: Bench) -> None:
    first, second = bench.worker.submit(link.Embed(0, ("a",))), bench.worker.submit(link.Submit(0, CHAT))
    third = bench.worker.submit(link.Tokenize(0, "x"))
    third.leave()
    tokens = link.Tokenized(3, (1,), ("eA==",))
    await bench.say(tokens, link.Started(2, 3), link.Embedded(1, ("AAAA",), 1), link.Failed(2, "engine_failed", "so"))
    assert await frames(1, first) == [link.Embedded(1, ("AAAA",), 1)]
    assert await frames(2, second) == [link.Started(2, 3), link.Failed(2, "engine_failed", "so")]
    assert third.arrived.empty()


@pytest.mark.parametrize(
    ("shown", "useful"),
    [
        (link.Delta(1, Part.REASONING, "x"), True),
        (link.Call(1, 0, "id", "f"), True),
        (link.Embedded(1, ("AAAA",), 1), True),
        (link.Started(1, 3), False),
        (link.Working(1), False),
        (link.Tokenized(1, (1,), ("eA==",)), False),  # that needs no model
    ],
)
async def test_only_what_the_model_made_proves_it_useful(bench: Bench, shown: link.Frame, useful: bool) -> None:
    conversation = bench.worker.submit(link.Submit(0, CHAT))
    await bench.say(shown)
    await frames(1, conversation)
    assert bench.worker.useful is useful


async def test_death_reaches_everybody_and_all_who_come_after(bench: Bench) -> None:
    open_ones = [bench.worker.submit(link.Embed(0, ("a",))), bench.worker.submit(link.Submit(0, CHAT))]
    bench.worker.kill("it was in the way")
    bench.writer.close()
    async with asyncio.timeout(10):
        await bench.worker.died.wait()
    open_ones.append(bench.worker.submit(link.Detokenize(0, (1,))))
    for conversation in open_ones:
        assert await frames(1, conversation) == [Died("was ended because it was in the way")]


@pytest.mark.parametrize("frame", [link.Hello("m", 1, 1, 128, 8), link.Pressure("pause"), link.Embed(1, ("a",))])
async def test_a_worker_that_talks_like_the_adapter_is_ended(bench: Bench, frame: link.Frame) -> None:
    await bench.say(frame)
    bench.writer.close()
    async with asyncio.timeout(10):
        await bench.worker.died.wait()
    assert f"{type(frame).__name__} is not for the adapter" in bench.worker.death
