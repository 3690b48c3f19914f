"""What runsv says of a service in the 20 bytes of `supervise/status`, and the line that `sv status` makes of them. Pure.

Bytes: 0-7 seconds of the last change, TAI64, big endian; 8-11 nanoseconds; 12-15 pid, little endian; 16 paused; 17 `u` or `d`, what is
wanted; 18 TERM was sent; 19 state (0 down, 1 run, 2 finish). Read in runit 2.1.2 (`runsv.c`, `update_status`), which Termux's is a fork of.
"""

from __future__ import annotations

from phone.supervisor.types import Phase, Runit

SIZE = 20
# TAI64 counts from 1970 TAI, ten seconds before 1970 UTC as runit reckons.
TAI_EPOCH = (1 << 62) + 10
PHASES = {0: Phase.DOWN, 1: Phase.RUN, 2: Phase.FINISH}


def parse(data: bytes) -> Runit | None:
    """`None`: these are not the 20 bytes of a status file. The pid of FINISH is that of `finish`."""
    if len(data) != SIZE or data[19] not in PHASES:
        return None
    pid = int.from_bytes(data[12:16], "little") or None
    phase = PHASES[data[19]]
    if phase is Phase.DOWN and pid is not None:
        phase = Phase.RUN  # `sv kill` says down before it has ended
    return Runit(phase, pid, data[17:18] == b"u", bool(data[16]), _unix_s(data))


def render(name: str, data: bytes, wall_now_s: float, *, normally_up: bool) -> str:
    """As `sv status` prints it, without its log's half: `run: farmhand: (pid 4711) 12s`. normally_up: the folder has no `down`."""
    look = parse(data)
    if look is None or look.wall_since_s is None:
        return f"warning: {name}: supervise/status has a bad format"
    word = PHASES[data[19]].value
    pid = f"(pid {look.pid or 0}) " if data[19] else ""
    # Whole seconds of both clocks are compared, and a clock that was set back gives 0.
    since = max(0, int(wall_now_s) - int(look.wall_since_s))
    return f"{word}: {name}: {pid}{since}s" + "".join(f", {note}" for note in _notes(look, data, normally_up))


def _notes(look: Runit, data: bytes, normally_up: bool) -> list[str]:
    if look.pid is None:
        notes = {"normally up": normally_up, "want up": look.wants_up}
    else:
        notes = {
            "normally down": not normally_up,
            "paused": look.paused,
            "want down": data[17:18] == b"d",
            "got TERM": bool(data[18]),
        }
    return [note for note, holds in notes.items() if holds]


def _unix_s(data: bytes) -> float:
    return int.from_bytes(data[0:8], "big") - TAI_EPOCH + int.from_bytes(data[8:12], "big") / 1e9
