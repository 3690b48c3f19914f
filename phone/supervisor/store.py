"""The supervisor's files in the state folder: what it remembers, what it publishes, what it is told. Small JSON, mode 0600, replaced as a whole.

Only a person's pause is worth a flush to the disk: all else is written anew by the next supervisor, and means nothing after a reboot.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from phone.places import Places
from phone.supervisor import memory as memories
from phone.supervisor.clock import same_boot
from phone.supervisor.governor import GovernorMemory, governor_memory_from_json
from phone.supervisor.governor import to_json as governor_to_json
from phone.supervisor.hold import Hold, hold_from_json
from phone.supervisor.hold import to_json as hold_to_json
from phone.supervisor.lock import LockMemory, lock_memory_from_json
from phone.supervisor.lock import to_json as lock_to_json
from phone.supervisor.memory import Memory
from phone.supervisor.published import Published, published_from_json
from phone.supervisor.published import to_json as published_to_json
from phone.supervisor.types import Service

# None of these files is ever longer; what is was not written by us.
MAX_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Kept:
    """memory: of this boot. offsets: how far each service's record of ends has been read; without an entry: start at its end, since what lies
    before is of another life. lock: what was last asked for. governor: what was last believed of the phone."""

    memory: Memory = field(default_factory=Memory)
    offsets: Mapping[Service, int] = field(default_factory=dict)
    lock: LockMemory = field(default_factory=LockMemory)
    governor: GovernorMemory = field(default_factory=GovernorMemory)


def load_kept(places: Places, boot_id: str, now_s: float, wall_s: float) -> tuple[Kept, str]:
    """What the supervisor before this one left, and a sentence if that cannot be used. Never raises."""
    path = memory_file(places)
    try:
        data = _read(path)
    except FileNotFoundError:
        return Kept(), ""
    except (OSError, ValueError) as exc:
        return Kept(), f"{path} cannot be read ({exc}): starting without a memory"
    if not isinstance(data, dict):
        return Kept(), f"{path} holds no memory: starting without one"
    at_s, wall_at_s = _number(data.get("at_s")), _number(data.get("wall_s"))
    if not same_boot(str(data.get("boot_id") or ""), boot_id, now_s - at_s, wall_s - wall_at_s):
        return Kept(), ""
    return Kept(
        memories.memory_from_json(data.get("memory")),
        _offsets(data.get("offsets")),
        lock_memory_from_json(data.get("lock")),
        governor_memory_from_json(data.get("governor")),
    ), ""


def save_kept(places: Places, kept: Kept, boot_id: str, now_s: float, wall_s: float) -> None:
    """Raises `OSError`."""
    data = {
        "boot_id": boot_id,
        "at_s": now_s,
        "wall_s": wall_s,
        "memory": memories.to_json(kept.memory),
        "lock": lock_to_json(kept.lock),
        "governor": governor_to_json(kept.governor),
        "offsets": {service.value: offset for service, offset in kept.offsets.items()},
    }
    write(memory_file(places), json.dumps(data))


def memory_file(places: Places) -> Path:
    return places.state / "supervisor" / "memory.json"


def _offsets(data: object) -> dict[Service, int]:
    if not isinstance(data, dict):
        return {}
    known = {service: data.get(service.value) for service in Service}
    return {
        service: offset
        for service, offset in known.items()
        if isinstance(offset, int) and not isinstance(offset, bool) and offset >= 0
    }


def _number(value: object) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15
    return float(value) if is_number else 0.0  # type: ignore[arg-type]  # checked above


# --- what others read --------------------------------------------------------------------------------------------


def published_file(places: Places) -> Path:
    return places.run / "supervisor.json"


def read_published(places: Places) -> Published | None:
    """What the supervisor published last. `None`: never, or it cannot be read. It may be of an earlier boot, or of one that was killed:
    compare `boot_id` and see whether `pid` lives."""
    try:
        return published_from_json(_read(published_file(places)))
    except (OSError, ValueError):
        return None


def write_published(places: Places, published: Published) -> None:
    """Raises `OSError`."""
    write(published_file(places), json.dumps(published_to_json(published)))


def gateway_env_file(places: Places) -> Path:
    return places.run / "gateway.env"


def write_gateway_env(places: Places, url: str) -> None:
    """For the gateway's run script, which reads it before each start: a line `NAME=value`, nothing quoted. Raises `OSError`."""
    write(gateway_env_file(places), f"NEURAL_FARM_BASE_URL={url}\n")


def restore_gateway_env(places: Places, url: str) -> None:
    """Where it is lost; a gateway that runs had it. Raises `OSError`."""
    if not gateway_env_file(places).exists():
        write_gateway_env(places, url)


# --- what it is told ---------------------------------------------------------------------------------------------


def hold_file(places: Places) -> Path:
    return places.run / "hold.json"


def read_hold(places: Places) -> Hold | None:
    """A person's pause, `None` without one; it may be over. Raises `ValueError` with a sentence for one that cannot be read."""
    path = hold_file(places)
    try:
        return hold_from_json(_read(path))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as exc:
        raise ValueError(f"{path} cannot be read ({exc}): there is no pause. Type: farmhand pause") from None


def write_hold(places: Places, hold: Hold) -> None:
    """Raises `OSError`."""
    write(hold_file(places), json.dumps(hold_to_json(hold)), durable=True)


def remove_hold(places: Places) -> None:
    """Nothing happens if there is none. Raises `OSError`."""
    hold_file(places).unlink(missing_ok=True)


def end_hold(places: Places, wall_s: float) -> bool:
    """Remove one that is over; another that a person has written meanwhile stays. Did one go? Raises `OSError`, `ValueError`."""
    hold = read_hold(places)
    if hold is None or not hold.is_over(wall_s):
        return False
    remove_hold(places)
    return True


# --- one file ----------------------------------------------------------------------------------------------------


def write(path: Path, text: str, *, durable: bool = False) -> None:
    """All of it or nothing; readers see the old or the new. Raises `OSError`, with nothing left behind."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with open(handle, "w", encoding="utf-8") as file:
            file.write(text)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(draft, path)
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise


def _read(path: Path) -> Any:
    """Raises `OSError`, `ValueError` (RecursionError of nested nonsense counts as one)."""
    with path.open("rb") as file:
        raw = file.read(MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        raise ValueError("it is too long")
    try:
        return json.loads(raw)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
