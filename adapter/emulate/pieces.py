"""What a whole answer turned out to be made of. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from adapter.calls.output import Text

INSIDE_A_CALL = "max_tokens ended the answer inside a call"


class FaultKind(StrEnum):
    """BROKEN: it cannot be read. NAME: there is no such tool. SCHEMA: its arguments do not fit. CUT: `max_tokens` ended it."""

    BROKEN = "broken"
    NAME = "name"
    SCHEMA = "schema"
    CUT = "cut"


@dataclass(frozen=True, slots=True)
class Call:
    """A call that could be read. name: of a tool that there is. arguments: mostly an object, as yet unchecked.
    repairs: what was put right to read it, in words. id: where the engine gave it one."""

    name: str
    arguments: Any
    repairs: tuple[str, ...] = ()
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is meant as a call and is none. what: a sentence for the model. raw: as it was written.
    name, arguments: of a call that was cut, as far as they came."""

    kind: FaultKind
    what: str
    raw: str
    name: str | None = None
    arguments: str | None = None


Part = Text | Call | Fault
