"""Front and loop of a worker for vectors, over a fake model: frames in, frames out."""

from __future__ import annotations

import base64
import math
from array import array
from collections.abc import Sequence

import pytest

from adapter.chat import Chat, Completion, Message, Role
from adapter.engines.llama import link
from adapter.engines.llama.embed_batches import Piece
from adapter.engines.llama.embed_front import EmbedFront
from adapter.engines.llama.embed_loop import EmbedLoop, Inbox, NoDirection, unit_vector
from adapter.engines.llama.embed_model import EmbedShape, is_embedding_model, token_limits
from adapter.engines.llama.gguf_meta import GgufMeta
from adapter.engines.llama.model import BadBatch, ModelBroken
from tests.fakes.fake_embedder import FakeEmbedder


class Worker:
    """Front and loop as the two threads of a worker have them, driven by hand."""

    def __init__(self, model: FakeEmbedder | None = None, *, max_requests: int = 4) -> None:
        self.model = model or FakeEmbedder()
        self.sent: list[link.Frame] = []
        self.inbox = Inbox()
        self.front = EmbedFront(self.model, self.inbox, self._send)
        self.loop = EmbedLoop(self.model, self._send, max_requests=max_requests, threads=4)

    def _send(self, *frames: link.Frame) -> None:
        for frame in frames:
            link.render_frame(frame)  # it must go through
        self.sent += frames

    def take(self, *frames: link.Frame) -> None:
        """Through the front and, without waiting, into the loop."""
        for frame in frames:
            self.front.take(frame)
        while not self.inbox.empty():
            self.loop.take(self.inbox.get_nowait())

    def finish(self) -> None:
        """Step until nothing is left to compute."""
        done = -1
        while done < len(self.model.batches):
            done = len(self.model.batches)
            self.loop.step()

    def answers(self) -> list[link.Frame]:
        """What was sent, less the signs of life."""
        return [frame for frame in self.sent if not isinstance(frame, link.Working)]

    def failed(self) -> link.Failed:
        (frame,) = self.answers()
        assert isinstance(frame, link.Failed)
        return frame


def vector(encoded: str) -> list[float]:
    values = array("f")
    values.frombytes(base64.b64decode(encoded))
    return values.tolist()


# --- vectors -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "expected"),
    [([3, 4], [0.6, 0.8]), ([0, -2, 0], [0, -1, 0]), ([1e30, 1e30], [0.5**0.5] * 2), ([1e-30], [1])],
)
def test_a_unit_vector(values: list[float], expected: list[float]) -> None:
    """Also where the squares are beyond 32-bit floats."""
    assert vector(unit_vector(values)) == pytest.approx(expected)


def test_a_unit_vector_is_little_endian() -> None:
    assert base64.b64decode(unit_vector([5.0])) == b"\x00\x00\x80\x3f"


@pytest.mark.parametrize("values", [[0, 0], [1, math.nan], [1, math.inf], []])
def test_what_is_no_direction_is_no_vector(values: list[float]) -> None:
    with pytest.raises(NoDirection):
        unit_vector(values)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"general.architecture": "llama"}, False),
        ({"general.architecture": "llama", "llama.pooling_type": 0}, False),
        ({"general.architecture": "llama", "llama.pooling_type": 0xFFFFFFFF}, False),
        ({"general.architecture": "qwen3", "qwen3.pooling_type": 3}, True),
        ({"general.architecture": "qwen3", "bert.pooling_type": 3}, False),
        ({"general.architecture": "bert"}, True),
        ({"general.architecture": "bert", "bert.pooling_type": 1}, True),
        ({"general.architecture": "nomic-bert-moe"}, True),
        ({"general.architecture": "gemma3"}, False),
        ({"general.architecture": "t5"}, False),
    ],
)
def test_which_models_are_for_embeddings(values: dict[str, int | str], expected: bool) -> None:
    assert is_embedding_model(GgufMeta(3, 1, values)) is expected


@pytest.mark.parametrize(
    ("asked", "trained", "n_vocab", "splits", "expected"),
    [
        ((4_096, 512), 512, 30_522, False, (512, 512)),
        ((128, 512), 512, 30_522, False, (512, 128)),
        ((4_096, 512), 0, 30_522, False, (512, 4_096)),
        # A big vocabulary: less at a time, and shorter texts where they cannot be split.
        ((8_192, 512), 8_192, 250_002, False, (134, 1_073)),
        ((8_192, 512), 32_768, 151_669, True, (221, 8_192)),
        # llama.cpp aborts with less than a token for every sequence.
        ((4_096, 8), 512, 30_522, False, (32, 512)),
        ((4_096, 512), 512, 5_000_000, True, (32, 512)),
    ],
)
def test_limits(
    asked: tuple[int, int], trained: int, n_vocab: int, splits: bool, expected: tuple[int, int]
) -> None:
    shape = EmbedShape("m", *asked, threads=1)
    assert token_limits(shape, trained=trained, n_vocab=n_vocab, splits=splits) == expected


# --- requests ------------------------------------------------------------------------------------------------


def test_vectors_come_in_the_order_of_the_texts() -> None:
    """Also when they were computed in another one, and beside somebody else's."""
    worker = Worker()
    worker.take(link.Embed(1, ("b" * 30, "a", "aab")), link.Embed(2, ("bb",)))
    worker.finish()
    second, first = worker.answers()
    assert isinstance(first, link.Embedded)
    assert isinstance(second, link.Embedded)
    assert (first.id, first.prompt_tokens) == (1, 34)
    assert [vector(encoded) for encoded in first.vectors] == [
        pytest.approx([0, 30 / 901**0.5, 901**-0.5]),
        pytest.approx([0.5**0.5, 0, 0.5**0.5]),
        pytest.approx([2 / 6**0.5, 1 / 6**0.5, 6**-0.5]),
    ]
    assert (second.id, second.prompt_tokens) == (2, 2)
    assert vector(second.vectors[0]) == pytest.approx([0, 2 / 5**0.5, 5**-0.5])


def test_texts_of_different_requests_share_a_batch() -> None:
    worker = Worker()
    worker.take(link.Embed(1, ("aaa",)), link.Embed(2, ("bbb",)))
    worker.loop.step()
    assert [[piece.key for piece in batch] for batch in worker.model.batches] == [[(1, 0), (2, 0)]]


def test_a_long_request_shows_that_it_lives() -> None:
    worker = Worker()
    worker.take(link.Embed(1, ("a" * 16,) * 3))
    worker.finish()
    assert [link.Working(1), link.Working(1)] == worker.sent[:-1]


def test_a_text_in_pieces() -> None:
    worker = Worker(FakeEmbedder(splits=True))
    worker.take(link.Embed(1, ("a" * 40,)))
    worker.finish()
    assert [len(batch[0].tokens) for batch in worker.model.batches] == [16, 16, 8]
    (frame,) = worker.answers()
    assert isinstance(frame, link.Embedded)
    assert vector(frame.vectors[0]) == pytest.approx([40 / 1601**0.5, 0, 1601**-0.5])


def test_cancel_drops_what_is_not_computed_yet() -> None:
    worker = Worker()
    worker.take(link.Embed(1, ("a" * 16,) * 100), link.Embed(2, ("b",)))
    worker.loop.step()
    worker.take(link.Cancel(1))
    worker.finish()
    assert len(worker.model.batches) == 2
    assert [frame.id for frame in worker.answers() if isinstance(frame, link.Embedded)] == [2]


@pytest.mark.parametrize(
    ("texts", "code", "param"),
    [
        ((), "bad_request", "input"),
        (("a", ""), "bad_request", "input[1]"),
        (("a", "b", "c", "a" * 41), "context_length_exceeded", "input[3]"),
    ],
)
def test_what_cannot_be_embedded_is_refused_at_once(texts: tuple[str, ...], code: str, param: str) -> None:
    worker = Worker()
    worker.take(link.Embed(1, texts))
    assert (1, code, param) == (worker.failed().id, worker.failed().code, worker.failed().param)
    worker.finish()
    assert worker.model.batches == []


def test_a_text_that_is_too_long_is_refused_in_openais_words() -> None:
    """Gateways read both numbers from the text (`protocols/clients.md` 6)."""
    worker = Worker()
    worker.take(link.Embed(1, ("a" * 41,)))
    assert worker.failed().message.startswith(
        "This model's maximum context length is 40 tokens. However, your messages resulted in 41 tokens"
    )


def test_an_answer_that_would_not_fit_on_the_link_is_refused() -> None:
    worker = Worker(FakeEmbedder(width=8_192))
    worker.take(link.Embed(1, ("a",) * 2_048))
    assert (worker.failed().code, worker.failed().param) == ("bad_request", "input")
    assert "8192 numbers" in worker.failed().message


def test_the_biggest_answer_that_is_not_refused_fits_on_the_link() -> None:
    width = 100_000
    most = EmbedFront(FakeEmbedder(width=width), Inbox(), lambda *frames: None)._most_texts()
    vectors = (unit_vector([1.0] * width),) * most
    assert len(link.render_frame(link.Embedded(1, vectors, 1))) > 0.85 * link.MAX_FRAME_BYTES


@pytest.mark.parametrize("text", ["a!", "a0"])
def test_a_vector_that_is_none_fails_its_request_only(text: str) -> None:
    """Neither NaN nor a vector of zeros reaches JSON."""
    worker = Worker()
    worker.take(link.Embed(1, ("a", text, "b", "c" * 16)), link.Embed(2, ("b",)))
    worker.finish()
    failed, embedded = worker.answers()
    assert isinstance(failed, link.Failed)
    assert (failed.id, failed.code, failed.param) == (1, "engine_failed", "input[1]")
    assert isinstance(embedded, link.Embedded)
    assert embedded.id == 2


def test_a_refused_batch_fails_its_requests_and_no_others() -> None:
    def refuse(pieces: Sequence[Piece]) -> None:
        if any(piece.key[0] == 1 for piece in pieces):
            raise BadBatch("no")

    worker = Worker(FakeEmbedder(on_embed=refuse))
    worker.take(link.Embed(1, ("a",)), link.Embed(2, ("b",)))
    worker.loop.step()
    worker.take(link.Embed(3, ("b",)))
    worker.finish()
    first, second, third = worker.answers()
    assert isinstance(first, link.Failed)
    assert isinstance(second, link.Failed)
    assert [(first.id, first.code), (second.id, second.code)] == [(1, "engine_failed"), (2, "engine_failed")]
    assert isinstance(third, link.Embedded)


def test_a_broken_model_ends_the_loop_and_tells_everybody() -> None:
    def break_down(pieces: Sequence[Piece]) -> None:
        raise ModelBroken("gone")

    worker = Worker(FakeEmbedder(on_embed=break_down))
    worker.front.take(link.Embed(1, ("a",)))
    with pytest.raises(ModelBroken):
        worker.loop.run(worker.inbox)
    assert (worker.failed().id, worker.failed().code) == (1, "engine_failed")


def test_shutdown_fails_what_is_not_done() -> None:
    worker = Worker()
    worker.front.take(link.Embed(1, ("a",)))
    worker.front.take(link.Shutdown())
    worker.loop.run(worker.inbox)
    assert (worker.failed().id, worker.failed().code) == (1, "engine_unavailable")


def test_more_requests_than_places_are_refused() -> None:
    worker = Worker(max_requests=2)
    worker.take(*(link.Embed(number, ("a",)) for number in (1, 2, 3)))
    assert (worker.failed().id, worker.failed().code) == (3, "queue_full")
    worker.finish()
    worker.take(link.Embed(4, ("a",)))
    worker.finish()
    assert [frame.id for frame in worker.answers() if isinstance(frame, link.Embedded)] == [1, 2, 4]


def test_pressure() -> None:
    """Slower, then nothing new, while what runs goes on; then as before."""
    worker = Worker()
    worker.take(link.Embed(1, ("a",)), link.Pressure("slow"))
    assert worker.model.threads == 2
    worker.take(link.Pressure("pause"), link.Embed(2, ("b",)))
    assert (worker.failed().id, worker.failed().code) == (2, "engine_unavailable")
    worker.take(link.Pressure("serve"), link.Embed(3, ("b",)))
    assert worker.model.threads == 4
    worker.finish()
    assert [frame.id for frame in worker.answers() if isinstance(frame, link.Embedded)] == [1, 3]


@pytest.mark.parametrize(
    "frame",
    [
        link.Submit(1, Chat("m", (Message(Role.USER, "hi"),))),
        link.Complete(1, Completion("m", text="hi")),
    ],
)
def test_it_writes_no_text(frame: link.Frame) -> None:
    worker = Worker()
    worker.take(frame)
    assert (worker.failed().code, worker.failed().param) == ("not_capable", "model")
    assert "embeddings only" in worker.failed().message


def test_tokens_and_back() -> None:
    worker = Worker()
    worker.take(link.Tokenize(1, "hé"), link.Detokenize(2, (104, 195, 169)), link.Detokenize(3, ()))
    pieces = tuple(base64.b64encode(bytes([byte])).decode() for byte in (104, 195, 169))
    assert [
        link.Tokenized(1, (104, 195, 169), pieces),
        link.Detokenized(2, "hé"),
        link.Detokenized(3, ""),
    ] == worker.sent


@pytest.mark.parametrize(
    ("frame", "code", "param"),
    [
        (link.Detokenize(1, (1, 256)), "bad_request", "tokens"),
        (link.Detokenize(1, (-1,)), "bad_request", "tokens"),
        (link.Tokenize(1, None, (Message(Role.USER, "hi"),)), "not_capable", "messages"),
    ],
)
def test_tokens_that_are_none(frame: link.Frame, code: str, param: str) -> None:
    worker = Worker()
    worker.take(frame)
    assert (code, param) == (worker.failed().code, worker.failed().param)


def test_frames_of_the_other_direction_are_a_broken_link() -> None:
    with pytest.raises(link.LinkError):
        Worker().take(link.Working(1))
