"""What a command came to, and who runs one: the seam between what decides and `phone/termux.py`. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Done:
    """One command that was run. code: its exit status, negative for a signal; `None` if it did not end in time (its whole process
    group was killed then) or could not be started (`missing`: there is no such program)."""

    argv: tuple[str, ...]
    code: int | None
    out: str = ""
    err: str = ""
    timed_out: bool = False
    missing: bool = False

    @property
    def ok(self) -> bool:
        return self.code == 0


class Runs(Protocol):
    """Blocks; call it in a thread. Never raises for what the command does; the command has a session of its own, no stdin, no tty."""

    def __call__(self, argv: Sequence[str], *, limit_s: float, env: Mapping[str, str] | None = None) -> Done: ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """Did it work, as far as one can know; and a sentence for people where it did not."""

    ok: bool
    words: str = ""


@dataclass(frozen=True, slots=True)
class Button:
    """command: for `$PREFIX/bin/sh -c`, with absolute paths (`facts/termux.md` 5.3)."""

    text: str
    command: str


@dataclass(frozen=True, slots=True)
class Note:
    """A notification of Android's; the same id replaces. buttons: at most three. quiet: no sound when it changes."""

    id: str
    title: str
    content: str
    ongoing: bool = False
    quiet: bool = True
    urgent: bool = False
    buttons: tuple[Button, ...] = ()
    on_tap: str = ""
