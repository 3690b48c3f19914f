"""How many threads the model gets, by the cores that there are."""

from __future__ import annotations

import pytest

from adapter.engines.llama.threads import choose_threads


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
