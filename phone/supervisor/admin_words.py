"""The adapter's admin API in our words: `GET /admin/state` in, the body of `POST /admin/pressure` out. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from phone.supervisor.types import AdapterState, Speed

MAX_SPEEDS = 64
MAX_REASON = 300


@dataclass(frozen=True, slots=True)
class Order:
    """What the adapter is to be told. level: "serve", "slow", "pause", "unload". retry_after_s: for its clients. for_s: it lapses then."""

    level: str
    reason: str = ""
    retry_after_s: float | None = None
    for_s: float | None = None

    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = {"level": self.level}
        if self.reason:
            body["reason"] = _one_line(self.reason)
        if self.retry_after_s is not None:
            body["retry_after_s"] = self.retry_after_s
        if self.for_s is not None:
            body["for_s"] = self.for_s
        return body


def state_from_json(data: object) -> AdapterState:
    """Raises `ValueError` for what is no state; single fields that make no sense count as not said."""
    if not isinstance(data, dict) or _whole(data.get("version")) is None:
        raise ValueError("that is no answer of a Farmhand's /admin/state")
    pressure = data.get("pressure")
    told: Mapping[str, Any] = pressure if isinstance(pressure, dict) else {}
    speeds = data.get("speeds")
    return AdapterState(
        version=_whole(data["version"]) or 0,
        running=max(0, _whole(data.get("running")) or 0),
        waiting=max(0, _whole(data.get("waiting")) or 0),
        idle_s=_seconds(data.get("idle_s")),
        pressure=_text(told.get("level")) or "serve",
        pressure_reason=_text(told.get("reason")),
        speeds=tuple(_speeds(speeds)) if isinstance(speeds, list) else (),
        requests=max(0, _whole(data.get("requests")) or 0),
    )


def aged(state: AdapterState, passed_s: float) -> AdapterState:
    """The same state `passed_s` later, if nothing has happened: it would have said so."""
    if state.running or state.waiting or state.idle_s is None:
        return state
    return replace(state, idle_s=state.idle_s + max(0.0, passed_s))


def is_busy(state: AdapterState | None) -> bool:
    return state is not None and state.running + state.waiting > 0


def _one_line(text: str) -> str:
    """A person's pause may say anything; the adapter takes one line."""
    printable = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(printable.split())[:MAX_REASON]


def _speeds(data: list[Any]) -> list[Speed]:
    found = []
    for one in data[:MAX_SPEEDS]:
        if not isinstance(one, dict):
            continue
        now, usual = _seconds(one.get("tokens_s")), _seconds(one.get("usual_tokens_s"))
        if now is not None and usual is not None:
            found.append(Speed(_text(one.get("engine")), _text(one.get("model")), now, usual))
    return found


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _seconds(value: object) -> float | None:
    """A number that is not negative; NaN and infinities are none."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e12
    return float(value) if is_number else None  # type: ignore[arg-type]  # checked above
