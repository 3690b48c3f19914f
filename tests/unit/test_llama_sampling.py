"""Sampling settings -> steps of a sampler chain."""

from __future__ import annotations

import pytest

from adapter.chat import Sampling
from adapter.engines.llama.sampling import RANDOM_SEED, Step, sampling_steps


def names(sampling: Sampling) -> list[str]:
    return [step.name for step in sampling_steps(sampling, n_ctx=100)]


@pytest.mark.parametrize(
    ("sampling", "steps"),
    [
        (Sampling(), ["top_k", "top_p", "min_p", "temp", "dist"]),
        (Sampling(temperature=0), ["greedy"]),
        (Sampling(temperature=0, seed=5, top_p=0.5), ["greedy"]),
        (Sampling(top_k=0, top_p=1, min_p=0), ["temp", "dist"]),
        (Sampling(temperature=0, repeat_penalty=1.0, frequency_penalty=0.0), ["greedy"]),
        (Sampling(temperature=0, presence_penalty=-1), ["penalties", "greedy"]),
        (
            Sampling(temperature=0, repeat_penalty=1.1, frequency_penalty=1),
            ["penalties", "penalties", "greedy"],
        ),
    ],
)
def test_steps(sampling: Sampling, steps: list[str]) -> None:
    """What is off is left out; temperature 0 chooses the best token after the penalties."""
    assert names(sampling) == steps


def test_penalties_look_back_as_far_as_they_mean() -> None:
    """Frequency and presence over the whole answer, repetition over a short window."""
    chain = sampling_steps(Sampling(temperature=0, repeat_penalty=1.1, presence_penalty=0.5), n_ctx=4096)
    assert chain[:2] == [Step("penalties", (64, 1.1, 0.0, 0.0)), Step("penalties", (4096, 1.0, 0.0, 0.5))]


@pytest.mark.parametrize(
    ("seed", "native"),
    [
        (None, RANDOM_SEED),
        (0, 0),
        (7, 7),
        (1 << 32 | 7, 6),
        (-1, 0),
        (0xFFFFFFFF, 0),
        (-(1 << 63), 0x80000000),
    ],
)
def test_seed_fits_into_32_bits(seed: int | None, native: int) -> None:
    assert sampling_steps(Sampling(seed=seed), n_ctx=1)[-1] == Step("dist", (native,))
