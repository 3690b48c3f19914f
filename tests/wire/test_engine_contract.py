"""The contract in `adapter/engines/base.py`, held against every engine by the same tests.

The InferrLM engine talks to the fake app in its three builds, the embedded one runs its real worker on GGUF
files made here, `echo` needs nothing.
"""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from adapter.chat import (
    Chat,
    ChoiceFinished,
    Event,
    Finished,
    FinishReason,
    Message,
    ReasoningDelta,
    Role,
    Sampling,
    Started,
    TextDelta,
    TokenLogprob,
    ToolCallDelta,
    Usage,
)
from adapter.engines.base import Engine
from adapter.engines.registry import build_engine
from adapter.errors import AdapterError, EngineUnavailable, QueueFull
from adapter.settings import EchoSettings, EngineSettings, InferrlmSettings, LlamaSettings
from tests.fakes.inferrlm import LLAMA, FakeInferrLM
from tests.fakes.tiny_gguf import write_parrot, write_random
from tests.wire.contract import check_events

# No answer that a test waits for takes nearly as long, also on a busy machine.
LONGEST_S = 60
PARROT = "Hélo_🎉 日."
QUESTION = "Say hé to the 日 🎉 now."


@dataclass(frozen=True)
class Case:
    """One engine, started. says: its whole answer to QUESTION. endless: a question whose answer takes a while.

    seats: answers at a time; None where nothing bounds it.
    """

    engine: Engine
    model: str
    says: str
    endless_model: str
    endless: str
    seats: int | None


Opens = Callable[[Path, int], AbstractAsyncContextManager[Case]]


@asynccontextmanager
async def echo(home: Path, queue: int) -> AsyncIterator[Case]:
    settings = EchoSettings(name="echo", kind="echo", queue=queue, token_delay_s=0.001)
    async with started(settings, home) as engine:
        yield Case(engine, "echo", f"You said: {QUESTION}", "echo", "and on " * 500, None)


def inferrlm(build: str) -> Opens:
    @asynccontextmanager
    async def opened(home: Path, queue: int) -> AsyncIterator[Case]:
        async with FakeInferrLM(build, token_delay_s=0.004) as phone:  # type: ignore[arg-type]  # one of A, B, C
            settings = InferrlmSettings(name="phone", kind="inferrlm", url=phone.url, queue=queue)
            async with started(settings, home) as engine:
                yield Case(engine, LLAMA, QUESTION, LLAMA, "long", 1)
            assert phone.overlaps == 0

    return opened


@asynccontextmanager
async def llama(home: Path, queue: int) -> AsyncIterator[Case]:
    """Says its sentence once; its endless twin is the same file without the end."""
    if importlib.util.find_spec("llama_cpp") is None:
        pytest.skip("llama-cpp-python is not installed: run scripts/setup")
    path = home / "once.gguf"
    write_parrot(path, PARROT, ends=True)
    settings = LlamaSettings(
        name="local", kind="llama", model=str(path), slots=2, threads=1, queue=queue, ctx_tokens=2_048
    )
    async with started(settings, home) as engine:
        yield Case(engine, "once", PARROT, "once", QUESTION, 2)


@asynccontextmanager
async def llama_endless(home: Path, queue: int) -> AsyncIterator[Case]:
    """Noise without an end, for what needs answers that are still running."""
    if importlib.util.find_spec("llama_cpp") is None:
        pytest.skip("llama-cpp-python is not installed: run scripts/setup")
    path = home / "endless.gguf"
    write_random(path, context=65_536)
    settings = LlamaSettings(
        name="local", kind="llama", model=str(path), slots=2, threads=1, queue=queue, ctx_tokens=65_536,
        default_max_tokens=60_000,
    )  # fmt: skip
    async with started(settings, home) as engine:
        yield Case(engine, "endless", "", "endless", QUESTION, 2)


@asynccontextmanager
async def started(settings: EngineSettings, home: Path) -> AsyncIterator[Engine]:
    """Made as the registry makes it, closed twice, and no task of its own left behind."""
    engine = build_engine(settings, home)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.close()
        await engine.close()
    assert [task for task in asyncio.all_tasks() if is_ours(task)] == []


def is_ours(task: asyncio.Task[object]) -> bool:
    """Does it run the adapter's code? The fake app has tasks as well, which end with it."""
    code = getattr(task.get_coro(), "cr_code", None)
    return code is not None and "/adapter/" in code.co_filename and not task.done()


ALL: dict[str, Opens] = {
    "echo": echo,
    "inferrlm-A": inferrlm("A"),
    "inferrlm-B": inferrlm("B"),
    "inferrlm-C": inferrlm("C"),
    "llama": llama,
}
RUNNING = {**ALL, "llama": llama_endless}

whole = pytest.mark.parametrize("opens", ALL.values(), ids=ALL)
under_way = pytest.mark.parametrize("opens", RUNNING.values(), ids=RUNNING)
# Echo has room for everybody and nothing to close.
with_seats = pytest.mark.parametrize("opens", list(ALL.values())[1:], ids=list(ALL)[1:])
under_way_with_seats = pytest.mark.parametrize("opens", list(RUNNING.values())[1:], ids=list(RUNNING)[1:])


def chat(model: str, text: str, **sampling: object) -> Chat:
    given = {"temperature": 0.0, **sampling}
    return Chat(model, (Message(Role.USER, text),), Sampling(**given))  # type: ignore[arg-type]  # by name


async def collect(engine: Engine, request: Chat) -> list[Event]:
    async with asyncio.timeout(LONGEST_S):
        return [event async for event in engine.generate(request)]


def text_of(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def end_of(events: list[Event]) -> Finished:
    last = events[-1]
    assert isinstance(last, Finished)
    return last


async def first_text(events: AsyncIterator[Event]) -> str:
    async with asyncio.timeout(LONGEST_S):
        async for event in events:
            if isinstance(event, TextDelta):
                return event.text
    raise AssertionError("the answer ended without text")


# --- whole answers --------------------------------------------------------------------------------------------


@whole
async def test_an_answer_starts_goes_on_and_finishes_once(opens: Opens, tmp_path: Path) -> None:
    async with opens(tmp_path, 4) as case:
        events = await collect(case.engine, chat(case.model, QUESTION))
    check_events(events)
    assert [type(e) for e in events if not isinstance(e, TextDelta)] == [Started, Finished]
    assert text_of(events) == case.says
    assert end_of(events).reason is FinishReason.STOP


@whole
async def test_deltas_are_whole_characters_and_never_empty(opens: Opens, tmp_path: Path) -> None:
    async with opens(tmp_path, 4) as case:
        events = await collect(case.engine, chat(case.model, QUESTION))
    deltas = [event.text for event in events if isinstance(event, TextDelta)]
    assert all(deltas)
    assert not any("\ufffd" in delta for delta in deltas)
    assert "日" in "".join(deltas)


@whole
async def test_usage_is_never_zero(opens: Opens, tmp_path: Path) -> None:
    async with opens(tmp_path, 4) as case:
        usage = end_of(await collect(case.engine, chat(case.model, QUESTION))).usage
    assert usage.prompt_tokens > 0
    assert usage.completion_tokens > 0


@whole
async def test_max_tokens_ends_the_answer_with_length(opens: Opens, tmp_path: Path) -> None:
    async with opens(tmp_path, 4) as case:
        events = await collect(case.engine, chat(case.model, QUESTION, max_tokens=2))
    assert end_of(events).reason is FinishReason.LENGTH
    assert end_of(events).usage.completion_tokens == 2
    assert case.says.startswith(text_of(events))
    assert len(text_of(events)) < len(case.says)


@whole
@pytest.mark.parametrize("stop", ["日", " ", "🎉 "])
async def test_a_stop_string_ends_the_answer_before_itself(opens: Opens, tmp_path: Path, stop: str) -> None:
    async with opens(tmp_path, 4) as case:
        assert stop in case.says
        events = await collect(case.engine, chat(case.model, QUESTION, stop=(stop,)))
    assert text_of(events) == case.says.partition(stop)[0]
    assert end_of(events).reason is FinishReason.STOP


@whole
async def test_more_than_there_are_seats_are_answered_one_after_the_other(opens: Opens, tmp_path: Path) -> None:
    async with opens(tmp_path, 8) as case:
        answers = await asyncio.gather(*(collect(case.engine, chat(case.model, QUESTION)) for _ in range(6)))
    assert [text_of(events) for events in answers] == [case.says] * 6


@whole
async def test_models_tell_their_sizes_without_loading_anything(opens: Opens, tmp_path: Path) -> None:
    async with opens(tmp_path, 4) as case:
        cards = {card.id: card for card in await case.engine.models()}
    assert case.model in cards
    for card in cards.values():
        assert 0 < card.max_output_tokens <= card.context_tokens


@whole
async def test_health_is_ready_before_the_first_answer(opens: Opens, tmp_path: Path) -> None:
    async with opens(tmp_path, 4) as case:
        async with asyncio.timeout(5):
            health = await case.engine.health()
    assert health.ready
    assert health.detail.endswith(".")


# --- leaving, queueing ----------------------------------------------------------------------------------------


@under_way
async def test_leaving_gives_the_seat_to_the_next(opens: Opens, tmp_path: Path) -> None:
    async with opens(tmp_path, 4) as case:
        for _ in range(case.seats or 2):
            async with aclosing(case.engine.generate(chat(case.endless_model, case.endless, max_tokens=60))) as events:
                await first_text(events)
        assert text_of(await collect(case.engine, chat(case.model, QUESTION, max_tokens=3)))


@under_way
async def test_cancelling_the_reader_gives_the_seat_to_the_next(opens: Opens, tmp_path: Path) -> None:
    async with opens(tmp_path, 4) as case:
        begun = asyncio.Event()

        async def read() -> None:
            async with aclosing(case.engine.generate(chat(case.endless_model, case.endless, max_tokens=60))) as events:
                await first_text(events)
                begun.set()
                async for _ in events:
                    pass

        reader = asyncio.create_task(read())
        async with asyncio.timeout(LONGEST_S):
            await begun.wait()
        reader.cancel()
        await asyncio.wait([reader])
        assert text_of(await collect(case.engine, chat(case.model, QUESTION, max_tokens=3)))


@under_way_with_seats
async def test_leaving_the_queue_harms_nobody(opens: Opens, tmp_path: Path) -> None:
    async with opens(tmp_path, 4) as case:
        assert case.seats is not None
        async with asyncio.TaskGroup() as group:
            running = [
                group.create_task(collect(case.engine, chat(case.endless_model, case.endless, max_tokens=30)))
                for _ in range(case.seats)
            ]
            waiting = group.create_task(collect(case.engine, chat(case.model, QUESTION, max_tokens=3)))
            last = group.create_task(collect(case.engine, chat(case.model, QUESTION, max_tokens=3)))
            await asyncio.sleep(0)
            waiting.cancel()
    assert all(end_of(task.result()).usage.completion_tokens >= 30 for task in running)
    assert text_of(last.result())


@under_way_with_seats
async def test_beyond_the_queue_is_refused_with_a_time_to_come_back(opens: Opens, tmp_path: Path) -> None:
    async with opens(tmp_path, 1) as case:
        assert case.seats is not None
        request = chat(case.endless_model, case.endless, max_tokens=60)
        inside = [asyncio.create_task(collect(case.engine, request)) for _ in range(case.seats + 1)]
        await asyncio.sleep(0)
        with pytest.raises(QueueFull) as caught:
            await collect(case.engine, request)
        assert caught.value.retry_after_s
        for task in inside:
            task.cancel()
        await asyncio.wait(inside)


# --- out of order ---------------------------------------------------------------------------------------------


def unreachable(home: Path) -> list[EngineSettings]:
    return [
        InferrlmSettings(name="phone", kind="inferrlm", url="http://127.0.0.1:9"),
        LlamaSettings(name="local", kind="llama", model=str(home / "missing.gguf")),
    ]


@pytest.mark.parametrize("index", [0, 1], ids=["inferrlm", "llama"])
async def test_an_engine_that_cannot_be_had_says_so_everywhere(index: int, tmp_path: Path) -> None:
    """Nothing listed, not ready with a sentence, and the same sentence as a 503."""
    async with started(unreachable(tmp_path)[index], tmp_path) as engine:
        assert list(await engine.models()) == []
        health = await engine.health()
        assert not health.ready
        with pytest.raises(EngineUnavailable) as caught:
            await collect(engine, chat("any", QUESTION))
    assert caught.value.retry_after_s
    assert caught.value.message == health.detail


@with_seats
async def test_a_closed_engine_refuses_and_does_not_come_back(opens: Opens, tmp_path: Path) -> None:
    async with opens(tmp_path, 4) as case:
        await case.engine.close()
        with pytest.raises(AdapterError):
            await collect(case.engine, chat(case.model, QUESTION))


@pytest.mark.parametrize("index", [0, 1], ids=["inferrlm", "llama"])
async def test_close_may_come_before_start(index: int, tmp_path: Path) -> None:
    engine = build_engine(unreachable(tmp_path)[index], tmp_path)
    await engine.close()


# --- events that only some engines have -----------------------------------------------------------------------

USAGE = Usage(3, 2)
STOP = Finished(FinishReason.STOP, USAGE)
CALLED = Finished(FinishReason.TOOL_CALLS, USAGE)
CUT = Finished(FinishReason.LENGTH, USAGE)
CALL = (ToolCallDelta(0, "a", "f"), ToolCallDelta(0, arguments="{"), ToolCallDelta(0, arguments="}"))
TOP = (TokenLogprob("a", (97,), -0.5), TokenLogprob("b", (98,), -1.5))


def token(*top: TokenLogprob, logprob: float = -0.5) -> TextDelta:
    return TextDelta("a", logprobs=(TokenLogprob("a", (97,), logprob, top),))


@pytest.mark.parametrize(
    ("events", "n", "logprobs"),
    [
        ([Started(), STOP], 1, None),
        ([Started(), ReasoningDelta("h"), TextDelta("a"), STOP], 1, None),
        ([Started(), *CALL, ToolCallDelta(1, "b", "f", "{}"), CALLED], 1, None),
        ([Started(), *CALL, ToolCallDelta(1, "b", "f", '{"a'), CUT], 1, None),
        ([Started(), token(*TOP), STOP], 1, 2),
        (
            [
                Started(), TextDelta("b", 1), TextDelta("a"), ChoiceFinished(1, FinishReason.LENGTH),
                *CALL, ChoiceFinished(0, FinishReason.TOOL_CALLS), CALLED,
            ],
            2,
            None,
        ),
    ],
)  # fmt: skip
def test_answers_that_keep_the_contract(events: list[Event], n: int, logprobs: int | None) -> None:
    check_events(events, n=n, logprobs=logprobs)


@pytest.mark.parametrize(
    ("events", "n", "logprobs"),
    [
        ([STOP], 1, None),
        ([Started()], 1, None),
        ([Started(), Started(), STOP], 1, None),
        ([Started(), Finished(FinishReason.STOP, Usage(0, 2))], 1, None),
        ([Started(), TextDelta("a", 1), STOP], 1, None),  # a choice nobody asked for
        ([Started(), ToolCallDelta(0, arguments="{}"), CALLED], 1, None),  # without id and name
        ([Started(), ToolCallDelta(1, "a", "f", "{}"), CALLED], 1, None),  # counted from 1
        ([Started(), *CALL, ToolCallDelta(1, "a", "f", "{}"), CALLED], 1, None),  # one id twice
        ([Started(), ToolCallDelta(0, "a", "f", "{"), CALLED], 1, None),  # half a call
        ([Started(), ToolCallDelta(0, "a", "f", "[]"), CALLED], 1, None),
        ([Started(), TextDelta("a"), CALLED], 1, None),
        ([Started(), token(), STOP], 1, None),  # logprobs nobody asked for
        ([Started(), token(*TOP[::-1]), STOP], 1, 2),
        ([Started(), token(*TOP), STOP], 1, 1),
        ([Started(), token(logprob=0.1), STOP], 1, 0),
        ([Started(), ChoiceFinished(0, FinishReason.STOP), STOP], 1, None),
        ([Started(), ChoiceFinished(0, FinishReason.STOP), STOP], 2, None),  # the other one never ends
        (
            [Started(), ChoiceFinished(0, FinishReason.STOP), ChoiceFinished(1, FinishReason.STOP), TextDelta("a"), STOP],
            2,
            None,
        ),
        ([Started(), ChoiceFinished(0, FinishReason.LENGTH), ChoiceFinished(1, FinishReason.STOP), STOP], 2, None),
    ],
)
def test_answers_that_break_it_are_found(events: list[Event], n: int, logprobs: int | None) -> None:
    """The checks above are worth as much as this."""
    with pytest.raises(AssertionError):
        check_events(events, n=n, logprobs=logprobs)
