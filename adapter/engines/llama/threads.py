"""How many threads the model gets. Pure."""

from __future__ import annotations

from collections.abc import Sequence

# Below this share of the fastest core's frequency the slowest group is "little" cores: 0.58 to 0.63 on Pixel 7
# to 10. Boost bins of otherwise equal desktop cores stay above 0.9.
LITTLE_SHARE = 0.75
MOST_WITHOUT_GROUPS = 4


def choose_threads(max_frequencies: Sequence[int], n_cores: int) -> int:
    """One thread for each core that is not a little one; at least one.

    max_frequencies: `cpuinfo_max_freq` of every core that may be used, in any unit, empty if unreadable.
    n_cores: how many may be used. A little core in the team makes all wait for it: eight threads on 4 + 4
    cores halved the speed of four (llama.cpp#7176). Where all cores are alike, one is left to the others.
    """
    if max_frequencies and min(max_frequencies) < LITTLE_SHARE * max(max_frequencies):
        return sum(frequency > min(max_frequencies) for frequency in max_frequencies)
    return max(1, min(MOST_WITHOUT_GROUPS, n_cores - 1))
