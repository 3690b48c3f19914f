"""One thing for setup to run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Step:
    """One command with its announcement; without `argv` it is where setup stops, and `say` tells why.

    gives: the extras that are complete after this step, None if the environment is not usable yet.
    optional: a failure is reported, and setup goes on.
    """

    name: str
    say: str
    argv: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    remedy: str = ""
    gives: frozenset[str] | None = None
    optional: bool = False
