"""What a slot remembers of its sequence, and how much of it the next prompt can use."""

from __future__ import annotations

import random

import pytest

from adapter.engines.llama.prefix import BLOCK_TOKENS, common_prefix
from adapter.engines.llama.slots import Run, Slot, Task


def run_of(*prompt: int) -> Run:
    return Run(Task(1, prompt), list(prompt))


def idle_slot(*held: int) -> Slot:
    slot = Slot(seq_id=0)
    slot.seat(run_of(*held), keep=0, step=1)
    slot.decoded(held)
    slot.leave(step=2)
    return slot


@pytest.mark.parametrize(
    ("held", "prompt", "reusable"),
    [
        ((), [1, 2], 0),
        ((1, 2, 3), [1, 2, 3, 4], 3),
        ((1, 2, 3), [1, 2, 3], 2),  # the last one is decoded again: the first sample needs its logits
        ((1, 2, 3, 4), [1, 2], 1),
        ((1, 2, 9, 4), [1, 2, 3, 4], 2),
        ((7,), [1, 2], 0),
        ((1,), [1], 0),
    ],
)
def test_reusable_of_an_idle_slot(held: tuple[int, ...], prompt: list[int], reusable: int) -> None:
    assert idle_slot(*held).reusable(prompt) == reusable


def test_reusable_of_a_running_slot_is_what_is_decoded() -> None:
    """Another task may copy what the sequence holds by now, not what its prompt will be."""
    slot = Slot(seq_id=0)
    slot.seat(run_of(1, 2, 3, 4), keep=0, step=1)
    assert slot.reusable([1, 2, 3, 4, 5]) == 0
    slot.decoded((1, 2))
    assert slot.reusable([1, 2, 3, 4, 5]) == 2


@pytest.mark.parametrize("length", [0, 1, 2, BLOCK_TOKENS - 1, BLOCK_TOKENS, BLOCK_TOKENS + 1, 3 * BLOCK_TOKENS])
def test_common_prefix_at_every_kind_of_place(length: int) -> None:
    """Exact at the edges of blocks, at the beginning, at the end, and where there is no difference."""
    a = list(range(length))
    assert common_prefix(a, list(a), length) == length
    for at in {0, 1, length // 2, length - 2, length - 1, BLOCK_TOKENS - 1, BLOCK_TOKENS} & set(range(length)):
        b = list(a)
        b[at] = -1
        assert common_prefix(a, b, length) == at
        b[at + 1 :] = []
        assert common_prefix(a, b, min(len(a), len(b))) == at
        assert common_prefix(a, b, at) == at


def test_common_prefix_of_random_sequences() -> None:
    """The same as counting token by token."""
    rng = random.Random(1)
    for _ in range(300):
        a, b = (rng.choices((1, 2), weights=(30, 1), k=rng.randint(0, 60)) for _ in range(2))
        most = min(len(a), len(b))
        counted = next((at for at in range(most) if a[at] != b[at]), most)
        assert common_prefix(a, b, most) == counted
        assert common_prefix(tuple(a), tuple(b), most) == counted


def test_only_what_was_decoded_is_held() -> None:
    """A sampled token that was never decoded is not in the cache."""
    slot = Slot(seq_id=3)
    run = run_of(1, 2)
    slot.seat(run, keep=0, step=1)
    assert slot.pending == 2
    slot.decoded((1, 2))
    run.tokens.append(3)
    assert slot.pending == 1
    slot.leave(step=2)
    assert (slot.pending, slot.tokens) == (0, [1, 2])


def test_leaving_between_plan_and_decode_keeps_count() -> None:
    """A run that was cancelled while its chunk was decoded leaves these tokens in the cache."""
    slot = Slot(seq_id=0)
    slot.seat(run_of(1, 2, 3), keep=0, step=1)
    slot.leave(step=1)
    slot.decoded((1, 2, 3))
    assert (slot.kv, slot.tokens) == (3, [1, 2, 3])
