"""Which texts are computed together. A text is written as its length: so many tokens, each its index."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import pytest

from adapter.engines.llama.embed_batches import EmbedQueue, Piece


def queue(*, batch: int = 10, sequences: int = 5, splits: bool = False) -> EmbedQueue:
    return EmbedQueue(batch_tokens=batch, sequences=sequences, splits=splits)


def submit(queue: EmbedQueue, request_id: int, *sizes: int) -> None:
    queue.submit(request_id, [(index,) * size for index, size in enumerate(sizes)])


def batches(queue: EmbedQueue) -> Iterator[tuple[Piece, ...]]:
    while pieces := queue.next_batch():
        yield pieces


def keys(batches: Iterator[Sequence[Piece]]) -> list[list[tuple[int, int]]]:
    return [[piece.key for piece in batch] for batch in batches]


@pytest.mark.parametrize(
    ("requests", "expected"),
    [
        ({}, []),
        ({1: [4]}, [[(1, 0)]]),
        # All that fit, in their order.
        ({1: [4, 4, 2, 1]}, [[(1, 0), (1, 1), (1, 2)], [(1, 3)]]),
        # One that does not fit is the first of the next batch; none overtakes it.
        ({1: [6, 6, 1]}, [[(1, 0)], [(1, 1), (1, 2)]]),
        # As many as there are sequences, less the one for long texts.
        ({1: [1, 1, 1, 1, 1, 1]}, [[(1, 0), (1, 1), (1, 2), (1, 3)], [(1, 4), (1, 5)]]),
        # One of each in turn, first come first served.
        ({1: [3, 3, 3], 2: [3]}, [[(1, 0), (2, 0), (1, 1)], [(1, 2)]]),
        (
            {1: [5, 5, 5, 5], 2: [5, 5], 3: [5]},
            [[(1, 0), (2, 0)], [(3, 0), (1, 1)], [(2, 1), (1, 2)], [(1, 3)]],
        ),
        # A text as long as a batch is none of the long ones.
        ({1: [10, 10]}, [[(1, 0)], [(1, 1)]]),
        # Longer than a batch: alone, and others go first or in between.
        ({1: [25]}, [[(1, 0)]]),
        ({1: [25], 2: [3], 3: [3]}, [[(2, 0), (3, 0)], [(1, 0)]]),
        ({1: [25, 2, 25, 2], 2: [2, 2]}, [[(2, 0), (2, 1)], [(1, 0)], [(1, 1)], [(1, 2)], [(1, 3)]]),
    ],
)
def test_batches(requests: dict[int, list[int]], expected: list[list[tuple[int, int]]]) -> None:
    waiting = queue()
    for request_id, sizes in requests.items():
        submit(waiting, request_id, *sizes)
    assert expected == keys(batches(waiting))


def test_a_whole_text_is_one_piece_from_its_beginning() -> None:
    waiting = queue()
    submit(waiting, 7, 2, 25)
    assert (Piece((7, 0), 0, 0, (0, 0), last=True),) == waiting.next_batch()
    assert (Piece((7, 1), 4, 0, (1,) * 25, last=True),) == waiting.next_batch()


def test_a_long_text_in_pieces_takes_turns_with_the_others() -> None:
    waiting = queue(splits=True)
    submit(waiting, 1, 25)
    submit(waiting, 2, 6, 6, 6)
    found = [
        (piece.key, piece.seq_id, piece.pos, len(piece.tokens), piece.last)
        for batch in batches(waiting)
        for piece in batch
    ]
    assert found == [
        ((2, 0), 0, 0, 6, True),
        ((1, 0), 4, 0, 10, False),
        ((2, 1), 0, 0, 6, True),
        ((1, 0), 4, 10, 10, False),
        ((2, 2), 0, 0, 6, True),
        ((1, 0), 4, 20, 5, True),
    ]


def test_a_short_request_does_not_wait_for_a_long_one() -> None:
    """Two thousand texts are under way; one that comes is in the very next batch."""
    waiting = queue()
    submit(waiting, 1, *[3] * 2_048)
    waiting.next_batch()
    submit(waiting, 2, 3)
    assert (2, 0) in [piece.key for piece in waiting.next_batch()]


def test_a_cancelled_request_is_computed_no_more() -> None:
    waiting = queue(splits=True)
    submit(waiting, 1, 25, 3)
    submit(waiting, 2, 4, 4, 4, 4)
    waiting.next_batch()
    waiting.next_batch()  # the first piece of the long text
    waiting.cancel(1)
    waiting.cancel(99)
    assert {2} == {piece.key[0] for batch in batches(waiting) for piece in batch}


def test_after_a_cancelled_long_text_the_next_one_begins_at_its_beginning() -> None:
    waiting = queue(splits=True)
    submit(waiting, 1, 25)
    waiting.next_batch()
    waiting.cancel(1)
    submit(waiting, 2, 15)
    (piece,) = waiting.next_batch()
    assert (piece.key, piece.pos) == ((2, 0), 0)


@pytest.mark.parametrize("splits", [False, True])
@pytest.mark.parametrize("seed", range(50))
def test_every_text_is_computed_once_and_whole(seed: int, splits: bool) -> None:
    """Whatever comes and goes: nothing lost, nothing twice, no batch over its bounds, and it ends."""
    chance = random.Random(seed)
    waiting = queue(splits=splits)
    sizes = {number: [chance.randint(1, 35) for _ in range(chance.randint(1, 12))] for number in range(6)}
    arriving = list(sizes)
    cancelled: set[int] = set()
    done: dict[tuple[int, int], int] = {}
    ended: set[tuple[int, int]] = set()
    for _ in range(2_000):
        if arriving and chance.random() < 0.3:
            number = arriving.pop()
            submit(waiting, number, *sizes[number])
        if chance.random() < 0.02:
            cancelled.add(number := chance.randrange(6))
            arriving = [other for other in arriving if other != number]
            waiting.cancel(number)
        batch = waiting.next_batch()
        assert len({piece.seq_id for piece in batch}) == len(batch)
        assert all(0 <= piece.seq_id < 5 for piece in batch)
        assert sum(len(piece.tokens) for piece in batch) <= 10 or (len(batch) == 1 and not splits)
        for piece in batch:
            assert piece.key[0] not in cancelled
            assert piece.key not in ended
            assert done.get(piece.key, 0) == piece.pos
            assert set(piece.tokens) == {piece.key[1]}
            done[piece.key] = piece.pos + len(piece.tokens)
            if piece.last:
                ended.add(piece.key)
        if not batch and not arriving:
            break
    else:
        raise AssertionError("it never came to an end")
    wanted = {(number, index): size for number, all_ in sizes.items() for index, size in enumerate(all_)}
    assert {key: done[key] for key in ended} == {key: wanted[key] for key in ended}
    assert {key for key in wanted if key[0] not in cancelled} <= ended
