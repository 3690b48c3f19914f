"""The worker's front and decode loop in process, over a fake model: frames in, frames out."""

from __future__ import annotations

import queue
from collections.abc import Sequence

import pytest

from adapter.calls.plan import plain_plan
from adapter.chat import Chat, Message, Role, Sampling
from adapter.engines.llama import link
from adapter.engines.llama.answers import Job
from adapter.engines.llama.front import Front
from adapter.engines.llama.inbox import Inbox, Stop
from adapter.engines.llama.loop import DecodeLoop, LoopShape
from adapter.engines.llama.model import BadBatch, Decoded, ModelBroken
from adapter.engines.llama.scheduler import Chunk
from adapter.engines.llama.template import ChatTemplate
from adapter.engines.llama.text import Ended
from adapter.reasoning import Part
from tests.fakes.fake_llama import FakeLlama

PLAIN = "{% for m in messages %}{{ m.content }}{% endfor %}"


class Bench:
    """A worker without its process: steps by hand, frames in a list."""

    def __init__(self, model: FakeLlama, *, slots: int = 2, max_waiting: int = 2) -> None:
        self.model = model
        self.sent: list[link.Frame] = []
        self.inbox: Inbox = queue.SimpleQueue()
        self.loop = DecodeLoop(model, self.send, LoopShape(slots, max_waiting, threads=4))
        self.front = Front(model, ChatTemplate(PLAIN), self.inbox, self.send)

    def send(self, *frames: link.Frame) -> None:
        self.sent += frames

    def submit(self, request_id: int, text: str, *, max_tokens: int = 50, stop: Sequence[str] = ()) -> None:
        sampling = Sampling(max_tokens=max_tokens, stop=tuple(stop))
        self.front.take(link.Submit(request_id, Chat("m", (Message(Role.USER, text),), sampling)))

    def step(self, times: int = 1) -> None:
        for _ in range(times):
            while not self.inbox.empty():
                self.loop.take(self.inbox.get())
            self.loop.step()

    def of(self, request_id: int) -> list[link.Frame]:
        return [frame for frame in self.sent if getattr(frame, "id", None) == request_id]

    def text(self, request_id: int) -> str:
        return "".join(f.text for f in self.of(request_id) if isinstance(f, link.Delta))


def test_one_answer_frame_by_frame() -> None:
    bench = Bench(FakeLlama(reply="hé".encode()))
    bench.submit(1, "abc")
    bench.step(6)
    assert bench.sent == [
        link.Started(1, prompt_tokens=3),
        link.Delta(1, Part.TEXT, "h"),
        link.Working(1),
        link.Delta(1, Part.TEXT, "é"),
        link.Finished(1, Ended.EOG, prompt_tokens=3, completion_tokens=4, cached_tokens=0),
    ]
    assert all(sampler.closed for sampler in bench.model.samplers)


def test_answers_interleave() -> None:
    """The second starts while the first runs, and both come out whole."""
    bench = Bench(FakeLlama(reply=b"0123456789"))
    bench.submit(1, "abc")
    bench.step(3)
    bench.submit(2, "x")
    bench.step(20)
    assert bench.text(1) == bench.text(2) == "0123456789"
    started = bench.sent.index(link.Started(2, prompt_tokens=1))
    assert started < next(n for n, f in enumerate(bench.sent) if isinstance(f, link.Finished) and f.id == 1)


def test_cancel_frees_the_slot_at_the_next_step() -> None:
    bench = Bench(FakeLlama(reply=b"0123456789"), slots=1)
    bench.submit(1, "abc")
    bench.submit(2, "xyz")
    bench.step(2)
    assert bench.of(2) == []
    bench.front.take(link.Cancel(1))
    bench.step()
    assert bench.of(2)[0] == link.Started(2, prompt_tokens=3)
    before = len(bench.of(1))
    bench.step(20)
    assert len(bench.of(1)) == before
    assert bench.text(2) == "0123456789"


def test_max_tokens_and_stop() -> None:
    bench = Bench(FakeLlama(reply=b"one. two"))
    bench.submit(1, "a", max_tokens=2)
    bench.submit(2, "b", stop=[". "])
    bench.step(20)
    assert (bench.text(1), bench.text(2)) == ("on", "one")
    assert [f.ended for f in bench.sent if isinstance(f, link.Finished)] == [Ended.LENGTH, Ended.STOP]


def test_answer_is_clipped_to_the_room_in_the_context() -> None:
    """Not an error: it ends with `length`, as llama-server does it."""
    bench = Bench(FakeLlama(reply=b"0123456789", ctx_tokens=12))
    bench.submit(1, "12345678", max_tokens=1_000)
    bench.step(20)
    assert bench.of(1)[-1] == link.Finished(1, Ended.LENGTH, 8, completion_tokens=4, cached_tokens=0)


def test_prompt_that_fills_the_context_is_refused_with_both_numbers() -> None:
    bench = Bench(FakeLlama(ctx_tokens=12))
    bench.submit(1, "x" * 12)
    (failed,) = bench.sent
    assert isinstance(failed, link.Failed)
    assert failed.code == "context_length_exceeded"
    assert "maximum context length is 12 tokens" in failed.message
    assert "resulted in 12 tokens" in failed.message


@pytest.mark.parametrize(("text", "code"), [("", "bad_request")])
def test_bad_requests_fail_in_front(text: str, code: str) -> None:
    bench = Bench(FakeLlama())
    bench.submit(1, text)
    assert [f.code for f in bench.sent if isinstance(f, link.Failed)] == [code]


def test_queue_has_a_bound() -> None:
    bench = Bench(FakeLlama(), slots=1, max_waiting=1)
    for number in (1, 2, 3):
        bench.submit(number, "a")
    bench.step()
    assert [f.code for f in bench.of(3) if isinstance(f, link.Failed)] == ["queue_full"]
    bench.step(20)
    assert bench.text(1) == bench.text(2) == "hello"


def test_second_turn_reuses_the_first() -> None:
    bench = Bench(FakeLlama(reply=b"hello"))
    bench.submit(1, "a long beginning")
    bench.step(10)
    bench.submit(2, "a long beginninghello and more")
    bench.step(10)
    finished = bench.of(2)[-1]
    assert isinstance(finished, link.Finished)
    assert finished.cached_tokens == len("a long beginninghello")


def test_model_that_cannot_trim_computes_all_again() -> None:
    bench = Bench(FakeLlama(reply=b"hello", trims_partly=False))
    bench.submit(1, "a long beginning")
    bench.step(10)
    bench.submit(2, "a long beginning, other end")
    bench.step(12)
    finished = bench.of(2)[-1]
    assert isinstance(finished, link.Finished)
    assert (bench.text(2), finished.cached_tokens) == ("hello", 0)


def test_one_requests_exception_stays_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sampling breaks for one answer; the other one does not notice."""
    bench = Bench(FakeLlama(reply=b"0123456789"))
    bench.submit(1, "a")
    bench.submit(2, "b")
    bench.step(2)

    def broken(seq_id: int, row: int) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(bench.model.samplers[0], "sample", broken)
    bench.step(20)
    assert [f.code for f in bench.of(1) if isinstance(f, link.Failed)] == ["internal_error"]
    assert bench.text(2) == "0123456789"
    bench.submit(3, "c")
    bench.step(20)
    assert bench.text(3) == "0123456789"


def test_tokenizer_trouble_fails_one_request(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(FakeLlama())
    monkeypatch.setattr(bench.model, "tokenize", lambda text, **options: 1 // 0)
    bench.submit(1, "a")
    assert [f.code for f in bench.of(1) if isinstance(f, link.Failed)] == ["internal_error"]


def test_full_cache_shrinks_the_batch_and_nobody_fails() -> None:
    """llama_decode says 1 to anything above four rows."""
    refused: list[int] = []

    def small_only(chunks: Sequence[Chunk]) -> Decoded:
        n_rows = sum(len(chunk.tokens) for chunk in chunks)
        if n_rows > 4:
            refused.append(n_rows)
            return Decoded.NO_KV_SLOT
        return Decoded.DONE

    bench = Bench(FakeLlama(on_decode=small_only))
    bench.submit(1, "a beginning of some size")
    bench.step(40)
    assert bench.text(1) == "hello"
    assert refused


def test_full_cache_for_one_alone_is_an_error() -> None:
    bench = Bench(FakeLlama(on_decode=lambda chunks: Decoded.NO_KV_SLOT))
    bench.submit(1, "abc")
    bench.step(10)
    assert [f.code for f in bench.of(1) if isinstance(f, link.Failed)] == ["engine_failed"]


def test_refused_batch_fails_its_answers_only() -> None:
    """llama_decode returned -1: our bug, but the model lives on."""

    def refuse(chunks: Sequence[Chunk]) -> Decoded:
        if any(66 in chunk.tokens for chunk in chunks):
            raise BadBatch("-1")
        return Decoded.DONE

    bench = Bench(FakeLlama(on_decode=refuse))
    bench.submit(1, "B")
    bench.step(2)
    assert [f.code for f in bench.of(1) if isinstance(f, link.Failed)] == ["engine_failed"]
    bench.submit(2, "a")
    bench.step(10)
    assert bench.text(2) == "hello"


def test_broken_context_fails_all_and_ends_the_loop() -> None:
    def explode(chunks: Sequence[Chunk]) -> Decoded:
        raise ModelBroken("llama_decode returned -3")

    bench = Bench(FakeLlama(on_decode=explode), slots=1)
    for number in (1, 2):
        bench.submit(number, "a")
    with pytest.raises(ModelBroken):
        bench.loop.run(bench.inbox)
    assert [f.code for f in bench.sent if isinstance(f, link.Failed)] == ["engine_failed"] * 2


def test_shutdown_fails_what_runs_and_returns() -> None:
    bench = Bench(FakeLlama())
    bench.submit(1, "a")
    bench.front.take(link.Shutdown())
    bench.loop.run(bench.inbox)
    assert [f.code for f in bench.sent if isinstance(f, link.Failed)] == ["engine_unavailable"]


def test_loop_wakes_up_for_jobs_and_ends() -> None:
    """`run` handles what is in the inbox, finishes the answer, then waits; `Stop` is noticed there."""
    bench = Bench(FakeLlama())

    def stop_when_done(*frames: link.Frame) -> None:
        bench.sent += frames
        if isinstance(frames[-1], link.Finished):
            bench.inbox.put(Stop())

    loop = DecodeLoop(bench.model, stop_when_done, LoopShape(slots=1, max_waiting=1))
    bench.inbox.put(Job(1, (97,), Sampling(max_tokens=9), plain_plan(None)))
    loop.run(bench.inbox)
    assert bench.text(1) == "hello"


def test_frames_of_the_wrong_direction() -> None:
    with pytest.raises(link.LinkError):
        Bench(FakeLlama()).front.take(link.Working(1))
