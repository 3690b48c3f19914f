"""How many threads the model gets, and where, by the cores that there are."""

from __future__ import annotations

import pytest

from adapter.engines.llama.threads import choose_threads, cores_to_pin, slow_threads


@pytest.mark.parametrize(
    ("frequencies", "n_cores", "threads"),
    [
        ([1_803] * 4 + [2_348] * 2 + [2_850] * 2, 8, 4),  # Pixel 7
        ([1_704] * 4 + [2_367] * 4 + [2_914], 9, 5),  # Pixel 8
        ([1_920] * 4 + [2_600] * 3 + [3_100], 8, 4),  # Pixel 9
        ([2_250] * 2 + [3_050] * 5 + [3_780], 8, 6),  # Pixel 10
        ([2_850] * 2, 2, 1),  # only the big cores are ours: all alike
        ([1_803] * 4, 4, 3),  # only the little ones
        ([5_100] * 6 + [5_200] * 2, 8, 4),  # a desktop with two favoured cores
        ([], 8, 4),
        ([], 4, 3),
        ([], 2, 1),
        ([], 1, 1),
    ],
)
def test_threads(frequencies: list[int], n_cores: int, threads: int) -> None:
    assert choose_threads(frequencies, n_cores) == threads


@pytest.mark.parametrize(("threads", "slow"), [(1, 1), (2, 1), (3, 1), (4, 2), (5, 2), (8, 4)])
def test_slow_is_half_and_never_nothing(threads: int, slow: int) -> None:
    assert slow_threads(threads) == slow


PIXEL_7 = dict(enumerate([1_803] * 4 + [2_348] * 2 + [2_850] * 2))


@pytest.mark.parametrize(
    ("frequencies", "n_online", "threads", "cores"),
    [
        (PIXEL_7, 8, 4, {4, 5, 6, 7}),
        (PIXEL_7, 8, 2, {4, 5, 6, 7}),  # the user wants fewer: any of the strong ones
        (PIXEL_7, 8, 8, set()),  # the user wants the little ones as well
        ({core: PIXEL_7[core] for core in (2, 3, 6, 7)}, 8, 2, set()),  # confined by somebody: kept
        ({4: 2_348, 5: 2_348, 6: 2_850, 7: 2_850}, 8, 1, set()),
        (dict.fromkeys(range(8), 3_000), 8, 4, set()),  # all alike
        (dict(enumerate([5_100] * 6 + [5_200] * 2)), 8, 4, set()),  # boost bins
        ({}, 8, 4, set()),  # the kernel does not tell
    ],
)
def test_cores(frequencies: dict[int, int], n_online: int, threads: int, cores: set[int]) -> None:
    """The strong ones, unless somebody has decided otherwise."""
    assert cores_to_pin(frequencies, n_online, threads) == cores
