"""The embedded engine for real: worker processes, llama.cpp, GGUF files of a few hundred kB made on the spot."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path

import pytest

from adapter.chat import (
    Chat,
    Event,
    Finished,
    FinishReason,
    Message,
    ReasoningDelta,
    Role,
    Sampling,
    Started,
    TextDelta,
)
from adapter.engines.llama import process
from adapter.engines.llama.engine import LlamaEngine
from adapter.errors import (
    AdapterError,
    BadRequest,
    ContextTooLong,
    EngineFailed,
    EngineUnavailable,
    QueueFull,
    UpstreamTimeout,
)
from adapter.settings import LlamaSettings

pytest.importorskip("gguf", reason="the gguf package makes the model files: pip install 'farmhand[test]'")
if importlib.util.find_spec("llama_cpp") is None:
    pytest.skip("llama-cpp-python is not installed: pip install 'farmhand[llama]'", allow_module_level=True)

from tests.fakes.tiny_gguf import write_parrot, write_random

ROOT = Path(__file__).parents[2]
TEXT = "Hélo_🎉 日."
# Minutes of tokens: no answer with it ends by itself while a test looks away, also on a busy machine.
ENDLESS = 60_000
# No answer that a test waits for takes nearly as long.
LONGEST_S = 60

MakeEngine = Callable[..., LlamaEngine]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `parrot` (says TEXT for ever), `once` (says it once) and `random` (endless noise)."""
    folder = tmp_path_factory.mktemp("gguf")
    write_parrot(folder / "parrot.gguf", TEXT)
    write_parrot(folder / "once.gguf", TEXT, ends=True)
    write_random(folder / "random.gguf")
    return folder


@pytest.fixture
async def make(files: Path, tmp_path: Path) -> AsyncIterator[MakeEngine]:
    """Makes engines; afterwards all are closed, and no process of theirs may be left."""
    engines: list[LlamaEngine] = []

    def make_engine(model: str = "parrot", **changes: object) -> LlamaEngine:
        path = model if "/" in model else str(files / f"{model}.gguf")
        fields = {
            "name": "test",
            "kind": "llama",
            "model": path,
            "threads": 1,
            "ctx_tokens": 65_536,
            **changes,
        }
        engines.append(LlamaEngine(LlamaSettings.model_validate(fields), tmp_path))
        return engines[-1]

    yield make_engine
    for engine in engines:
        worker = engine._host.running
        await engine.close()
        await engine.close()
        assert worker is None or is_gone(worker.pid)


def is_gone(pid: int) -> bool:
    """No such process, or only its entry for a parent that has not looked."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return stat.rpartition(")")[2].split()[0] == "Z"


def chat(text: str = "hi", **sampling: object) -> Chat:
    fields = {"temperature": 0.0, "max_tokens": 30, **sampling}
    return Chat("any", (Message(Role.USER, text),), Sampling(**fields))  # type: ignore[arg-type]  # by name


async def answer(engine: LlamaEngine, request: Chat) -> tuple[str, Finished]:
    """The whole answer; its order of events is checked on the way."""
    async with asyncio.timeout(LONGEST_S):
        events: list[Event] = [event async for event in engine.generate(request)]
    assert isinstance(events[0], Started)
    assert isinstance(events[-1], Finished)
    deltas = [event for event in events[1:-1] if isinstance(event, TextDelta)]
    assert len(deltas) == len(events) - 2
    return "".join(delta.text for delta in deltas), events[-1]


async def answer_begun(events: AsyncIterator[Event]) -> str:
    """Read to the first text."""
    async with asyncio.timeout(LONGEST_S):
        async for event in events:
            if isinstance(event, TextDelta):
                return event.text
    raise AssertionError("the answer ended without text")


async def inside(engine: LlamaEngine, n_requests: int) -> None:
    """Let the tasks just made run until so many requests are with the engine."""
    for _ in range(1_000):
        if engine._host.users == n_requests:
            return
        await asyncio.sleep(0)
    raise AssertionError(f"never {n_requests} requests inside")


def worker_pid(engine: LlamaEngine) -> int:
    worker = engine._host.running
    assert worker is not None
    return worker.pid


def note_starts(
    monkeypatch: pytest.MonkeyPatch, spawned: asyncio.Event | None = None
) -> list[process.Worker]:
    """Every process that is started from now on goes into the list; `spawned` is set with each."""
    starts: list[process.Worker] = []
    start = process.Worker._start

    async def noted() -> process.Worker:
        starts.append(await start())
        if spawned:
            spawned.set()
        return starts[-1]

    monkeypatch.setattr(process.Worker, "_start", noted)
    return starts


# --- answers --------------------------------------------------------------------------------------------------


async def test_plain_answer_ends_by_itself_with_exact_usage(make: MakeEngine) -> None:
    """20 tokens of template and question; the text's bytes and the end-of-generation token."""
    text, finished = await answer(make("once"), chat())
    assert text == TEXT
    assert finished.reason is FinishReason.STOP
    template = ["<|im_start|>", *"user\nhi", "<|im_end|>", "\n", "<|im_start|>", *"assistant\n"]
    assert finished.usage.prompt_tokens == len(template)
    assert finished.usage.completion_tokens == len(TEXT.encode()) + 1


async def test_characters_are_whole(make: MakeEngine) -> None:
    """Every byte is a token here; no delta may show half a character."""
    events = [event async for event in make("once").generate(chat())]
    assert [event.text for event in events if isinstance(event, TextDelta)] == list(TEXT)


async def test_max_tokens_ends_with_length(make: MakeEngine) -> None:
    text, finished = await answer(make(), chat(max_tokens=4))
    assert (text, finished.reason, finished.usage.completion_tokens) == ("Hél", FinishReason.LENGTH, 4)


async def test_default_max_tokens_applies(make: MakeEngine) -> None:
    _, finished = await answer(make(default_max_tokens=7), chat(max_tokens=None))
    assert (finished.reason, finished.usage.completion_tokens) == (FinishReason.LENGTH, 7)


async def test_stop_string_over_several_tokens(make: MakeEngine) -> None:
    text, finished = await answer(make(), chat(stop=("日.H",)))
    assert (text, finished.reason) == ("Hélo_🎉 ", FinishReason.STOP)


async def test_reasoning_is_apart(make: MakeEngine, files: Path) -> None:
    write_parrot(files / "thinker.gguf", "<think>Ab c.", ends=True)
    events = [event async for event in make("thinker").generate(chat())]
    assert "".join(event.text for event in events if isinstance(event, ReasoningDelta)) == "Ab c."
    assert not any(isinstance(event, TextDelta) for event in events)


async def test_empty_answer_is_an_error_unless_explained(make: MakeEngine, files: Path) -> None:
    """A model that ends at once has failed; one that was cut before its first character has not."""
    write_parrot(files / "mute.gguf", "", ends=True)
    with pytest.raises(EngineFailed, match="before its first character"):
        await answer(make("mute"), chat())
    write_parrot(files / "accent.gguf", "é")
    assert (await answer(make("accent"), chat(max_tokens=1)))[1].reason is FinishReason.LENGTH


async def test_prompt_beyond_the_context_is_named_with_both_numbers(make: MakeEngine) -> None:
    engine = make(ctx_tokens=128)
    with pytest.raises(ContextTooLong, match=r"context length is 128 tokens.*resulted in 519 tokens"):
        await answer(engine, chat("x" * 500))
    _, finished = await answer(engine, chat("x" * 100, max_tokens=500))
    usage = finished.usage
    assert (finished.reason, usage.prompt_tokens + usage.completion_tokens) == (FinishReason.LENGTH, 128)


async def test_context_is_bounded_by_the_models_own(make: MakeEngine, files: Path) -> None:
    write_random(files / "short.gguf", context=512)
    engine = make("short", ctx_tokens=4_096)
    (before,) = await engine.models()
    await answer(engine, chat())
    (after,) = await engine.models()
    assert (before.id, before.context_tokens, before.loaded) == ("short", 512, False)
    assert (after.id, after.context_tokens, after.loaded) == ("short", 512, True)


async def test_seed_decides(make: MakeEngine) -> None:
    engine = make("random")
    texts = [(await answer(engine, chat(temperature=1.0, seed=seed)))[0] for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]


async def test_second_turn_has_cached_tokens(make: MakeEngine) -> None:
    engine = make("random")
    first, _ = await answer(engine, chat("a question of some length", max_tokens=8))
    messages = (
        *chat("a question of some length").messages,
        Message(Role.ASSISTANT, first),
        Message(Role.USER, "and?"),
    )
    _, finished = await answer(engine, Chat("any", messages, Sampling(temperature=0, max_tokens=8)))
    assert finished.usage.cached_tokens >= 40


# --- side by side ---------------------------------------------------------------------------------------------


async def test_second_answer_does_not_wait_for_the_first(make: MakeEngine) -> None:
    """Its first token arrives, and even its last, while the first answer goes on."""
    engine = make(slots=2)
    async with aclosing(engine.generate(chat(max_tokens=ENDLESS))) as first:
        await answer_begun(first)
        text, _ = await answer(engine, chat("other", max_tokens=15))
        assert text == TEXT
        async for event in first:  # not over: there is more of it, and no end in between
            assert isinstance(event, TextDelta)
            break


async def test_four_at_a_time_say_what_each_says_alone(make: MakeEngine) -> None:
    engine = make("random", slots=4)
    requests = [chat(f"{n} {'word ' * 10 * n}", max_tokens=16) for n in range(4)]
    alone = [await answer(engine, request) for request in requests]
    await engine.close()
    together_engine = make("random", slots=4)
    together = await asyncio.gather(*(answer(together_engine, request) for request in requests))
    assert [text for text, _ in together] == [text for text, _ in alone]
    assert len({text for text, _ in alone}) > 1


async def test_leaving_frees_the_slot(make: MakeEngine) -> None:
    """One slot: the second answer can only begin because the first was given up."""
    engine = make(slots=1)
    async with aclosing(engine.generate(chat(max_tokens=ENDLESS))) as first:
        await answer_begun(first)
    assert (await answer(engine, chat(max_tokens=15)))[0] == TEXT


async def test_leaving_while_queued(make: MakeEngine) -> None:
    """The one behind moves up; the one who left is never started."""
    engine = make(slots=1, queue=2)
    async with aclosing(engine.generate(chat(max_tokens=ENDLESS))) as first:
        await answer_begun(first)
        impatient = asyncio.create_task(answer(engine, chat("never mind")))
        patient = asyncio.create_task(answer(engine, chat(max_tokens=15)))
        await inside(engine, 3)
        impatient.cancel()
        with pytest.raises(asyncio.CancelledError):
            await impatient
    assert (await patient)[0] == TEXT


async def test_full_queue_is_refused_at_once(make: MakeEngine) -> None:
    engine = make(slots=1, queue=1)
    async with aclosing(engine.generate(chat(max_tokens=ENDLESS))) as first:
        await answer_begun(first)
        second = asyncio.create_task(answer(engine, chat(max_tokens=15)))
        await inside(engine, 2)
        with pytest.raises(QueueFull) as caught:
            await answer(engine, chat())
        assert caught.value.retry_after_s
    assert (await second)[0] == TEXT


async def test_many_at_once(make: MakeEngine) -> None:
    engine = make(slots=4, queue=100)
    answers = await asyncio.gather(*(answer(engine, chat(f"{n}", max_tokens=15)) for n in range(60)))
    assert {text for text, _ in answers} == {TEXT}


# --- life and death of the worker ------------------------------------------------------------------------------


async def test_nothing_runs_before_the_first_request(make: MakeEngine) -> None:
    engine = make()
    await engine.start()
    assert (await engine.health()).ready
    assert [card.loaded for card in await engine.models()] == [False]
    assert engine._host.running is None


async def test_preload(make: MakeEngine) -> None:
    engine = make(preload=True)
    await engine.start()
    await engine._host.worker()
    assert [card.loaded for card in await engine.models()] == [True]


async def test_requests_share_one_start(make: MakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    starts = note_starts(monkeypatch)
    engine = make(slots=2)
    await asyncio.gather(*(answer(engine, chat(max_tokens=15)) for _ in range(4)))
    assert starts == [engine._host.running]


async def test_killed_in_the_middle_of_an_answer(make: MakeEngine) -> None:
    """That request says what happened, the one that queued and the next one are answered by a new worker."""
    engine = make(slots=1)
    async with aclosing(engine.generate(chat(max_tokens=ENDLESS))) as first:
        await answer_begun(first)
        queued = asyncio.create_task(answer(engine, chat("queued", max_tokens=15)))
        await inside(engine, 2)
        killed = worker_pid(engine)
        os.kill(killed, signal.SIGKILL)
        with pytest.raises(EngineFailed, match=r"killed by SIGKILL.*next request starts a new one"):
            async for _ in first:
                pass
    assert (await queued)[0] == TEXT
    assert (await answer(engine, chat(max_tokens=15)))[0] == TEXT
    assert worker_pid(engine) != killed


async def test_hung_worker_is_replaced(make: MakeEngine) -> None:
    """Stopped by a signal it says nothing more: the answer times out, the process goes."""
    engine = make(between_tokens_s=1.0)
    async with aclosing(engine.generate(chat(max_tokens=ENDLESS))) as events:
        await answer_begun(events)
        worker = engine._host.running
        assert worker is not None
        os.kill(worker.pid, signal.SIGSTOP)
        with pytest.raises(UpstreamTimeout, match=r"nothing for 1 s"):
            async for _ in events:
                pass
    await worker.died.wait()
    assert "hung" in worker.death
    assert (await answer(engine, chat(max_tokens=15)))[0] == TEXT


async def test_idle_worker_is_unloaded_and_comes_back(make: MakeEngine) -> None:
    engine = make(idle_unload_s=0.05)
    await answer(engine, chat())
    worker = engine._host._worker
    assert worker is not None
    await worker.died.wait()
    assert worker.death == "ended by itself"
    assert [card.loaded for card in await engine.models()] == [False]
    assert (await engine.health()).ready
    assert (await answer(engine, chat(max_tokens=15)))[0] == TEXT


async def test_sigterm_ends_it_orderly(make: MakeEngine) -> None:
    engine = make()
    async with aclosing(engine.generate(chat(max_tokens=ENDLESS))) as events:
        await answer_begun(events)
        worker = engine._host.running
        assert worker is not None
        os.kill(worker.pid, signal.SIGTERM)
        with pytest.raises(EngineUnavailable, match="being unloaded"):
            async for _ in events:
                pass
    await worker.died.wait()
    assert worker.death == "ended by itself"


async def test_sigterm_ends_an_idle_one(make: MakeEngine) -> None:
    engine = make()
    await answer(engine, chat())
    worker = engine._host.running
    assert worker is not None
    os.kill(worker.pid, signal.SIGTERM)
    await worker.died.wait()
    assert worker.death == "ended by itself"


async def test_interrupt_from_the_terminal_is_not_for_the_worker(make: MakeEngine) -> None:
    engine = make()
    await answer(engine, chat())
    pid = worker_pid(engine)
    os.kill(pid, signal.SIGINT)
    assert (await answer(engine, chat(max_tokens=15)))[0] == TEXT
    assert worker_pid(engine) == pid


async def test_close_in_the_middle_of_an_answer(make: MakeEngine) -> None:
    engine = make()
    async with aclosing(engine.generate(chat(max_tokens=ENDLESS))) as events:
        await answer_begun(events)
        pid = worker_pid(engine)
        await engine.close()
        assert is_gone(pid)
        with pytest.raises(EngineUnavailable):
            async for _ in events:
                pass
    with pytest.raises(EngineUnavailable, match="shut down"):
        await answer(engine, chat())


async def test_close_while_it_loads(make: MakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = make()
    spawned = asyncio.Event()
    starts = note_starts(monkeypatch, spawned)
    request = asyncio.create_task(answer(engine, chat()))
    await spawned.wait()
    await engine.close()
    with pytest.raises(EngineUnavailable, match="shut down"):
        await request
    assert is_gone(starts[0].pid)


async def test_clients_that_leave_while_it_loads_do_not_stop_it(make: MakeEngine) -> None:
    """Another one waits for the same start."""
    engine = make()
    impatient = asyncio.create_task(answer(engine, chat()))
    patient = asyncio.create_task(answer(engine, chat(max_tokens=15)))
    await inside(engine, 2)
    impatient.cancel()
    assert (await patient)[0] == TEXT


async def test_slow_start_is_given_up(make: MakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    starts = note_starts(monkeypatch)
    engine = make(start_s=0.001)
    with pytest.raises(EngineUnavailable, match=r"did not load the model within 0\.001 s"):
        await answer(engine, chat())
    assert is_gone(starts[0].pid)


async def test_stubborn_worker_is_killed(make: MakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the Shutdown frame nor TERM reaches a stopped process; KILL does."""
    monkeypatch.setattr(process, "SHUTDOWN_S", 0.1)
    monkeypatch.setattr(process, "TERMINATE_S", 0.1)
    engine = make()
    await answer(engine, chat())
    worker = engine._host.running
    assert worker is not None
    os.kill(worker.pid, signal.SIGSTOP)
    await engine.close()
    assert is_gone(worker.pid)
    assert "did not end when asked" in worker.death


def test_nothing_is_left_when_the_adapter_is_killed(files: Path) -> None:
    """A parent that holds a worker in the middle of an answer dies by SIGKILL; the worker ends by itself.

    The parent also reports that it has not imported llama_cpp.
    """
    script = f"""
import asyncio, sys
from pathlib import Path
from adapter.chat import Chat, Message, Role, Sampling, TextDelta
from adapter.engines.llama.engine import LlamaEngine
from adapter.settings import LlamaSettings

async def main():
    settings = LlamaSettings(name="x", kind="llama", model={str(files / "parrot.gguf")!r}, threads=1, ctx_tokens=65_536)
    engine = LlamaEngine(settings, Path("."))
    chat = Chat("x", (Message(Role.USER, "hi"),), Sampling(max_tokens={ENDLESS}))
    async for event in engine.generate(chat):
        if isinstance(event, TextDelta):
            print(engine._host.running.pid, "llama_cpp" in sys.modules, flush=True)
            await asyncio.Event().wait()

asyncio.run(main())
"""
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    with parent:
        assert parent.stdout is not None
        pid, imported = parent.stdout.readline().split()
        assert imported == "False"
        assert not is_gone(int(pid))
        parent.kill()
    deadline_s = time.monotonic() + 5
    while not is_gone(int(pid)):  # not our child: there is no event to wait for
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


# --- files and libraries that are not right --------------------------------------------------------------------


async def refused(engine: LlamaEngine) -> EngineUnavailable:
    """The engine cannot answer: it lists nothing, is not ready, and says the same to a request."""
    assert await engine.models() == []
    health = await engine.health()
    assert not health.ready
    with pytest.raises(EngineUnavailable) as caught:
        await answer(engine, chat())
    assert caught.value.message == health.detail
    assert caught.value.retry_after_s
    return caught.value


async def test_missing_file(make: MakeEngine, tmp_path: Path) -> None:
    error = await refused(make(str(tmp_path / "none.gguf")))
    assert f"no model file {tmp_path / 'none.gguf'}" in error.message
    assert "Put a GGUF there" in error.message


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda data: data[: len(data) // 2], "download is incomplete"),
        (lambda data: data[:300], "download is incomplete"),
        (lambda data: b"", "is empty"),
        (lambda data: random.Random(1).randbytes(5_000), "is no GGUF file"),
    ],
)
async def test_broken_file(
    make: MakeEngine, files: Path, tmp_path: Path, damage: Callable[[bytes], bytes], said: str
) -> None:
    """Told from its head, without starting a process; mended, it works without a restart."""
    path = tmp_path / "broken.gguf"
    whole = (files / "once.gguf").read_bytes()
    path.write_bytes(damage(whole))
    engine = make(str(path))
    error = await refused(engine)
    assert str(path) in error.message
    assert said in error.message
    path.write_bytes(whole)
    assert (await answer(engine, chat()))[0] == TEXT


async def test_file_that_only_llama_cpp_refuses(make: MakeEngine, files: Path, tmp_path: Path) -> None:
    """The worker's own words arrive; after repeated failures there is a pause, and Retry-After says how long."""
    path = tmp_path / "strange.gguf"
    data = (files / "once.gguf").read_bytes()
    path.write_bytes(data.replace(b"output_norm.weight", b"outpux_norm.weight"))
    engine = make(str(path))
    errors = []
    for _ in range(3):
        with pytest.raises(EngineUnavailable, match=r"tensor 'output_norm\.weight' not found") as caught:
            await answer(engine, chat())
        errors.append(caught.value)
    assert "failed several times" in errors[2].message
    assert errors[2].retry_after_s == 1
    assert not (await engine.health()).ready


async def test_missing_library(make: MakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    error = await refused(make())
    assert "pip install 'farmhand[llama]'" in error.message


async def test_template_that_refuses(make: MakeEngine, files: Path, tmp_path: Path) -> None:
    """A 400 with the template's words, and the engine goes on."""
    path = tmp_path / "strict.gguf"
    data = (files / "once.gguf").read_bytes()
    start, end = data.index(b"{% for message"), data.index(b"{% endif %}") + len(b"{% endif %}")
    strict = b"{{ raise_exception('not today') }}"
    path.write_bytes(data[:start] + strict.ljust(end - start) + data[end:])
    engine = make(str(path))
    for _ in range(2):
        with pytest.raises(BadRequest, match="not today"):
            await answer(engine, chat())
    assert engine._host.running is not None


async def test_names_lead_to_the_model_folder(make: MakeEngine, files: Path, tmp_path: Path) -> None:
    """A bare name is looked for under <home>/models, with or without `.gguf`."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mine.gguf").write_bytes((files / "once.gguf").read_bytes())
    for name in ("mine", "mine.gguf"):
        settings = LlamaSettings(name="test", kind="llama", model=name, threads=1)
        engine = LlamaEngine(settings, tmp_path)
        assert [card.id for card in await engine.models()] == ["mine"]


# --- Android ----------------------------------------------------------------------------------------------------

ON_ANDROID = """
import sys
sys.platform = "android"
try:
    import llama_cpp
except RuntimeError as exc:
    print("raw:", exc)
for name in [name for name in sys.modules if name.partition(".")[0] == "llama_cpp"]:
    del sys.modules[name]
from adapter.engines.llama.binding import import_llama_cpp
library = import_llama_cpp()
print("ours:", callable(library.llama_decode), sys.platform)
"""
ON_PLAN9 = """
import sys
sys.platform = "plan9"
from adapter.engines.llama.binding import import_llama_cpp
try:
    import_llama_cpp()
except RuntimeError as exc:
    print("ours:", exc, sys.platform)
"""


@pytest.mark.parametrize(
    ("script", "printed"),
    [
        (ON_ANDROID, ["raw: Unsupported platform", "ours: True android"]),
        (ON_PLAN9, ["ours: Unsupported platform plan9"]),
    ],
)
def test_library_loads_on_android(script: str, printed: list[str]) -> None:
    """llama_cpp refuses sys.platform "android"; the shim gets it in and puts the name back, also on failure."""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout.splitlines() == printed


def test_every_error_of_the_worker_has_its_class() -> None:
    from adapter.engines.llama.engine import error_of
    from adapter.engines.llama.link import Failed

    for kind in (BadRequest, ContextTooLong, QueueFull, EngineUnavailable, EngineFailed):
        assert type(error_of(Failed(1, kind.code, "x"))) is kind
    assert isinstance(error_of(Failed(1, "made up", "x")), AdapterError)
