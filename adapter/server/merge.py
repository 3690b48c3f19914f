"""Several answers to one request, as one: what `POST /v1/completions` needs for several prompts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

from adapter.chat import ChoiceFinished, Finished, Started, Usage, UsageSource
from adapter.dispatch.items import Item, Queued, Remark, Seam
from adapter.engines.base import Raw
from adapter.errors import UpstreamProtocol
from adapter.routing import Target

# Prompts at a time. More would fill the engine's queue and turn a long list of prompts into a 429.
AT_ONCE = 4
QUEUE_EVENTS = 64


async def merged(answers: Sequence[AsyncGenerator[Item, None]], n: int) -> AsyncGenerator[Item, None]:
    """The events of all `answers` with `n` choices each, as those of one answer with `len(answers) * n` choices.

    Choice `c` of answer `a` becomes choice `a * n + c`; the usage is the sum. The first failure ends all.
    """
    queue: asyncio.Queue[tuple[int, Item | Exception | None]] = asyncio.Queue(QUEUE_EVENTS)
    seats = asyncio.Semaphore(AT_ONCE)
    tasks = [
        asyncio.create_task(_read(index, answer, queue, seats), name=f"prompt-{index}")
        for index, answer in enumerate(answers)
    ]
    ends: dict[int, Finished] = {}
    begun = False
    try:
        while len(ends) < len(answers):
            index, item = await queue.get()
            match item:
                case Exception():
                    raise item
                case None:
                    if index not in ends:
                        raise UpstreamProtocol("The engine ended an answer without saying that it is complete.")
                case Finished():
                    ends[index] = item
                    if n == 1:  # with more, each choice has had its own
                        yield ChoiceFinished(index, item.reason)
                case Started():
                    if not begun:
                        begun = True
                        yield item
                case Target() | Queued() | Seam() | Remark():
                    yield item
                case Raw():
                    raise AssertionError("completions are not relayed")
                case _:
                    yield replace(item, choice=index * n + item.choice)
        yield Finished(ends[0].reason, _sum([ends[index].usage for index in range(len(answers))]))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def _read(
    index: int,
    answer: AsyncGenerator[Item, None],
    queue: asyncio.Queue[tuple[int, Item | Exception | None]],
    seats: asyncio.Semaphore,
) -> None:
    try:
        async with seats, aclosing(answer):
            async for item in answer:
                await queue.put((index, item))
    except Exception as exc:  # noqa: BLE001 - it belongs to the reader, who raises it
        await queue.put((index, exc))
    else:
        await queue.put((index, None))


def _sum(usages: Sequence[Usage]) -> Usage:
    """Counts are added up; the sum is as sure as the least sure of them."""
    return Usage(
        prompt_tokens=sum(usage.prompt_tokens for usage in usages),
        completion_tokens=sum(usage.completion_tokens for usage in usages),
        cached_tokens=sum(usage.cached_tokens for usage in usages),
        prompt_source=_least_sure([usage.prompt_source for usage in usages]),
        completion_source=_least_sure([usage.completion_source for usage in usages]),
    )


def _least_sure(sources: Sequence[UsageSource]) -> UsageSource:
    return max(sources, key=[*UsageSource].index)
