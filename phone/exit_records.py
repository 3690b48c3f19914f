"""The lines that `finish` writes: `EPOCH CODE SIGNAL AVAILABLE_KB RAN_S`, `-` for what is not known (`termux/service.sh`). Pure."""

from __future__ import annotations

from phone.supervisor.types import Exit

FIELDS = 5


def complete(data: bytes) -> bytes:
    """Up to the last newline: what follows is still being written, or was torn off."""
    return data[: data.rfind(b"\n") + 1]


def parse(data: bytes) -> tuple[Exit, ...]:
    """One `Exit` a line, in their order. A line that is none is left out: a full disk, a kill or a person has torn it."""
    found = [_exit(line) for line in data.decode("utf-8", "replace").splitlines()]
    return tuple(exit_ for exit_ in found if exit_ is not None)


def _exit(line: str) -> Exit | None:
    words = line.split()
    if len(words) != FIELDS:
        return None
    numbers = [_whole(word) for word in words]
    at_s, code, signal, available_kb, ran_s = numbers
    if at_s is None or code is None or signal is None:
        return None
    return Exit(float(at_s), code, signal, available_kb, None if ran_s is None else float(ran_s))


def _whole(word: str) -> int | None:
    """A number of at most 18 digits; `-` and all else is nothing."""
    digits = word.removeprefix("-")
    return int(word) if digits.isascii() and digits.isdigit() and len(digits) <= 18 else None
