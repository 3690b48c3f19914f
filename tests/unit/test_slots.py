"""What a slot remembers of its sequence, and how much of it the next prompt can use."""

from __future__ import annotations

import pytest

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
        ((), (1, 2), 0),
        ((1, 2, 3), (1, 2, 3, 4), 3),
        ((1, 2, 3), (1, 2, 3), 2),  # the last one is decoded again: the first sample needs its logits
        ((1, 2, 3, 4), (1, 2), 1),
        ((1, 2, 9, 4), (1, 2, 3, 4), 2),
        ((7,), (1, 2), 0),
        ((1,), (1,), 0),
    ],
)
def test_common_prefix(held: tuple[int, ...], prompt: tuple[int, ...], reusable: int) -> None:
    assert idle_slot(*held).reusable(prompt) == reusable


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
