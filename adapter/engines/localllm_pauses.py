"""How long the LocalLLM engine waits for what. Apart from `localllm_run.py`, which an engine at rest has no use for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """In seconds. whole_s: for a whole answer, loading included; also how long an abandoned one is read on. between_s: silence in a stream."""

    whole_s: float
    between_s: float


@dataclass(frozen=True, slots=True)
class Pauses:
    """How patient we are, in seconds.

    taken_s: a request that was not refused for so long has been taken up; plain answers say nothing before their end. idle_s: how long
    nobody must have asked for anything before the app is warmed up. find_s: before each look for an app that is gone.
    """

    taken_s: float = 0.5
    idle_s: float = 1.0
    find_s: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
