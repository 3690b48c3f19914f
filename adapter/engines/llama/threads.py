"""How many threads the model gets, and on which cores. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

# Below this share of the fastest core's frequency the slowest group is "little" cores: 0.58 to 0.63 on Pixel 7
# to 10. Boost bins of otherwise equal desktop cores stay above 0.9.
LITTLE_SHARE = 0.75
MOST_WITHOUT_GROUPS = 4
NOWHERE: frozenset[int] = frozenset()


def choose_threads(max_frequencies: Sequence[int], n_cores: int) -> int:
    """One thread for each core that is not a little one; at least one.

    max_frequencies: `cpuinfo_max_freq` of every core that may be used, in any unit, empty if unreadable.
    n_cores: how many may be used. A little core in the team makes all wait for it: eight threads on 4 + 4
    cores halved the speed of four (llama.cpp#7176). Where all cores are alike, one is left to the others.
    """
    if _has_little_ones(max_frequencies):
        return sum(frequency > min(max_frequencies) for frequency in max_frequencies)
    return max(1, min(MOST_WITHOUT_GROUPS, n_cores - 1))


def slow_threads(threads: int) -> int:
    """How many to use while the phone is to be spared: half of them, at least one."""
    return max(1, threads // 2)


def cores_to_pin(max_frequencies: Mapping[int, int], n_online: int, threads: int) -> frozenset[int]:
    """The cores to confine the worker to: all but the little ones. Empty: leave it where it is.

    max_frequencies: by core, of every core that may be used. n_online: how many the phone has. Left alone are a
    process that somebody has confined already, cores that are all alike, and more threads than there are strong
    cores: then somebody wants the little ones to help.
    """
    if len(max_frequencies) < n_online or not _has_little_ones(list(max_frequencies.values())):
        return NOWHERE
    little = min(max_frequencies.values())
    strong = frozenset(core for core, frequency in max_frequencies.items() if frequency > little)
    return strong if threads <= len(strong) else NOWHERE


def _has_little_ones(max_frequencies: Sequence[int]) -> bool:
    return bool(max_frequencies) and min(max_frequencies) < LITTLE_SHARE * max(max_frequencies)
