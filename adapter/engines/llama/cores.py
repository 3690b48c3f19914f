"""Where the worker's threads may run: reads the cores, keeps the process off the little ones. Linux, Android."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection
from pathlib import Path

from adapter.engines.llama.threads import choose_threads, cores_to_pin

logger = logging.getLogger(__name__)

SYSTEM = Path("/sys/devices/system/cpu")


def settle(threads: int | None, system: Path = SYSTEM) -> int:
    """Choose how many threads to use (`threads`, if it is given) and confine this process to the cores for them.

    To be called before native code makes its threads, which inherit it. An affinity that the user (`taskset`) or
    the system has narrowed is kept; a refusal is logged and changes nothing.
    """
    usable = _usable_cores()
    frequencies = _max_frequencies(usable, system)
    threads = threads or choose_threads(list(frequencies.values()), len(usable))
    if strong := cores_to_pin(frequencies, os.cpu_count() or 1, threads):
        _pin(strong)
    else:
        logger.info("affinity kept cores=%s threads=%s", sorted(usable), threads)
    return threads


def _usable_cores() -> set[int]:
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def _max_frequencies(cores: Collection[int], system: Path) -> dict[int, int]:
    """Of these cores, in kHz; empty where the kernel does not tell."""
    frequencies = {}
    for core in sorted(cores):
        try:
            frequencies[core] = int((system / f"cpu{core}/cpufreq/cpuinfo_max_freq").read_text())
        except (OSError, ValueError):
            return {}
    return frequencies


def _pin(cores: Collection[int]) -> None:
    """Confine every thread there is. The kernel knows no affinity of a process, only one of each thread."""
    if not hasattr(os, "sched_setaffinity"):
        return
    try:
        for thread in _threads():
            os.sched_setaffinity(thread, cores)
    except OSError as exc:  # Android moves apps between sets of cores, and may have taken these
        logger.info("affinity not changed cores=%s error=%s", sorted(cores), exc)
    else:
        logger.info("affinity set cores=%s", sorted(cores))


def _threads() -> list[int]:
    """Kernel ids; 0 stands for the calling thread."""
    try:
        return [int(name) for name in os.listdir("/proc/self/task")]
    except OSError:
        return [0]
