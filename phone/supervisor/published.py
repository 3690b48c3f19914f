"""What the supervisor says of itself and the bundle in `run/supervisor.json`, for `farmhand status`, `doctor` and `check`. Pure.

Readers take what they understand: an unknown field is left out, a malformed one is as if it were not there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from phone.device import Battery

VERSION = 1
# Of what was said lately.
MAX_ALERTS = 20
MAX_WORDS = 500
# "asked for 3 min ago"
_SPAN = re.compile(r"\b\d+ (?:s|min|h)\b")


@dataclass(frozen=True, slots=True)
class PublishedExit:
    """wall_at_s: Unix time. code: -1 after a signal. words: how it ended, for people; empty for an end that was asked for."""

    wall_at_s: float
    code: int
    signal: int
    words: str = ""


@dataclass(frozen=True, slots=True)
class PublishedService:
    """state: as in `decide.Report`. pid: while it runs. ready: as its probe last said, `None` before that. retry_in_s: counted from
    `Published.wall_s`. wall_since_s: Unix time of its start or end, by the clock of then."""

    folder: str
    state: str
    words: str = ""
    pid: int | None = None
    ready: bool | None = None
    retry_in_s: float | None = None
    wall_since_s: float | None = None
    last_exit: PublishedExit | None = None


@dataclass(frozen=True, slots=True)
class Saying:
    wall_s: float
    text: str
    alert: bool = False


@dataclass(frozen=True, slots=True)
class Published:
    """pid: of the supervisor; `None` once it has ended in order, so that nobody asks whether it still lives. wall_s: Unix time of writing.

    goal: "up" or "down". level: "serve", "slow", "pause" or "unload", and reason why. lock_words: what we asked for: nobody can ask
    what is held (`facts/termux.md` 4.1). alerts: the last sayings, oldest first; those that a person was told have `alert`.
    """

    pid: int | None
    boot_id: str
    wall_s: float
    goal: str
    ready: bool
    services: Mapping[str, PublishedService] = field(default_factory=dict)
    level: str = "serve"
    reason: str = ""
    lock_policy: str = ""
    lock_words: str = ""
    battery: Battery | None = None
    gateway_url: str = ""
    api_missing: bool = False
    alerts: tuple[Saying, ...] = ()
    version: int = VERSION


def same_news(one: Published, other: Published) -> bool:
    """Do they say the same, but for the time that has passed?"""
    return _timeless(one) == _timeless(other)


def _timeless(published: Published) -> Published:
    services = {name: replace(service, retry_in_s=None) for name, service in published.services.items()}
    return replace(published, wall_s=0.0, services=services, lock_words=_SPAN.sub("#", published.lock_words))


def with_saying(alerts: tuple[Saying, ...], saying: Saying) -> tuple[Saying, ...]:
    return (*alerts, replace(saying, text=saying.text[:MAX_WORDS]))[-MAX_ALERTS:]


def to_json(published: Published) -> dict[str, Any]:
    data = asdict(published)
    data["lock"] = {"policy": data.pop("lock_policy"), "words": data.pop("lock_words")}
    return data


def published_from_json(data: object) -> Published | None:
    """What `to_json` gave. `None` if it is no such thing, or of a version that we do not know."""
    if not isinstance(data, dict) or data.get("version") != VERSION:
        return None
    services, lock = _mapping(data.get("services")), _mapping(data.get("lock"))
    battery, alerts = data.get("battery"), data.get("alerts")
    return Published(
        pid=_whole(data.get("pid")),
        boot_id=_text(data.get("boot_id")),
        wall_s=_number(data.get("wall_s")) or 0.0,
        goal=_text(data.get("goal")) or "up",
        ready=data.get("ready") is True,
        services={str(name): _service(one) for name, one in services.items() if isinstance(one, dict)},
        level=_text(data.get("level")) or "serve",
        reason=_text(data.get("reason")),
        lock_policy=_text(lock.get("policy")),
        lock_words=_text(lock.get("words")),
        battery=_battery(battery) if isinstance(battery, dict) else None,
        gateway_url=_text(data.get("gateway_url")),
        api_missing=data.get("api_missing") is True,
        alerts=tuple(_saying(one) for one in alerts if isinstance(one, dict)) if isinstance(alerts, list) else (),
    )


def _service(data: Mapping[str, Any]) -> PublishedService:
    last = data.get("last_exit")
    return PublishedService(
        folder=_text(data.get("folder")),
        state=_text(data.get("state")) or "unknown",
        words=_text(data.get("words")),
        pid=_whole(data.get("pid")),
        ready=_truth(data.get("ready")),
        retry_in_s=_number(data.get("retry_in_s")),
        wall_since_s=_number(data.get("wall_since_s")),
        last_exit=_exit(last) if isinstance(last, dict) else None,
    )


def _exit(data: Mapping[str, Any]) -> PublishedExit:
    code, signal = _whole(data.get("code")), _whole(data.get("signal"))
    return PublishedExit(
        _number(data.get("wall_at_s")) or 0.0, -1 if code is None else code, signal or 0, _text(data.get("words"))
    )


def _saying(data: Mapping[str, Any]) -> Saying:
    return Saying(_number(data.get("wall_s")) or 0.0, _text(data.get("text")), data.get("alert") is True)


def _battery(data: Mapping[str, Any]) -> Battery:
    readers = {"percent": _number, "temperature_c": _number, "charging": _truth}
    return Battery(**{f.name: readers.get(f.name, _text)(data.get(f.name)) for f in fields(Battery)})  # type: ignore[arg-type]


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _truth(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _number(value: object) -> float | None:
    """NaN and infinities count as nothing said: JSON has none, and what compares with them goes wrong in silence."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < 1e18 else None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
