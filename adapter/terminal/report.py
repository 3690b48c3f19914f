"""What `/ready` says, as lines for a person. Pure; whatever is missing or malformed in it is left out."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

# What the supervisor has told it about the phone; `serve` is nothing worth a line.
PRESSED = {
    "slow": "It works slowly",
    "pause": "It is paused and begins nothing new",
    "unload": "It is paused and has unloaded its models",
}
# Under an engine's name and state.
INDENT = "  "
MIN_WIDTH = 30


def report(body: Mapping[str, Any], base_url: str, *, width: int) -> list[str]:
    """Lines of at most `width` characters (>= 30) without control characters: is it ready, and each engine with its state.

    body: the JSON of `/ready`. Without a valid key, and in older versions, it has less in it.
    """
    width = max(width, MIN_WIDTH)
    is_ready = body.get("status") == "ready"
    lines = _wrapped(f"Farmhand at {base_url} is {'ready' if is_ready else 'not ready'}.", width, "")
    pressure = body.get("pressure")
    if isinstance(pressure, dict) and (said := _pressure(pressure)):
        lines += _wrapped(said, width, "")
    engines = body.get("engines")
    if not isinstance(engines, dict):
        return [*lines, *_wrapped("Its engines are shown to who has the key only; give it with --key KEY.", width, "")]
    if not engines:
        return [*lines, *_wrapped("No engine is configured.", width, "")]
    for name, engine in engines.items():
        lines.append("")
        lines += _engine(name, engine if isinstance(engine, dict) else {}, width)
    return lines


def _engine(name: str, engine: Mapping[str, Any], width: int) -> Iterator[str]:
    state = "ready" if engine.get("ready") is True else "NOT READY"
    yield from _wrapped(f"{name}: {state}", width, "")
    yield from _wrapped(_text(engine.get("detail")), width, INDENT)
    queue = engine.get("queue")
    if isinstance(queue, dict) and (said := _queue(queue)):
        yield from _wrapped(said, width, INDENT)
    breakers = engine.get("breakers")
    for breaker in breakers if isinstance(breakers, list) else []:
        if isinstance(breaker, dict):
            yield from _breaker(breaker, width)


def _queue(queue: Mapping[str, Any]) -> str:
    """`1 of 1 running, 2 waiting, 3.2 s an answer`."""
    said = []
    running, capacity, waiting = (_number(queue.get(key)) for key in ("running", "capacity", "waiting"))
    if running is not None:
        said.append(f"{running:g} of {capacity:g} running" if capacity is not None else f"{running:g} running")
    if waiting is not None:
        said.append(f"{waiting:g} waiting")
    mean_s = _number(queue.get("mean_s"))
    if mean_s:  # 0 is none yet
        said.append(f"{mean_s:.1f} s an answer")
    return ", ".join(said)


def _breaker(breaker: Mapping[str, Any], width: int) -> Iterator[str]:
    """`inferrlm/x.gguf is left alone for another 12 s after 4 failures`, and the last one."""
    fails = _number(breaker.get("fails"))
    failures = "failures" if fails is None else f"{fails:g} failure{'' if fails == 1 else 's'}"
    wait_s = _number(breaker.get("retry_in_s"))
    match breaker.get("state"):
        case "open":
            what = "is left alone" if wait_s is None else f"is left alone for another {wait_s:.0f} s"
        case "half_open":
            what = "gets one request as a trial"
        case _:
            what = "is still asked"
    yield from _wrapped(f"{_text(breaker.get('target'))} {what} after {failures}", width, INDENT)
    last = ": ".join(text for key in ("code", "message") if (text := _text(breaker.get(key))))
    if last:
        yield from _wrapped(f"last {last}", width, 2 * INDENT)


def _pressure(pressure: Mapping[str, Any]) -> str:
    """`It is paused and begins nothing new: The battery is at 45 degrees C. For 3 min now, for another 8 min unless renewed.`"""
    what = PRESSED.get(_text(pressure.get("level")))
    if what is None:
        return ""
    reason = _text(pressure.get("reason"))
    held_s, lapses_in_s = _number(pressure.get("held_s")), _number(pressure.get("lapses_in_s"))
    spans = [] if held_s is None else [f"for {_span(held_s)} now"]
    spans += [] if lapses_in_s is None else [f"for another {_span(lapses_in_s)} unless renewed"]
    since = ", ".join(spans)
    return " ".join([f"{what}: {reason}" if reason else f"{what}.", *([f"F{since[1:]}."] if since else [])])


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{max(0.0, seconds):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5_400 else f"{seconds / 3_600:.0f} h"


def _number(value: object) -> float | None:
    """Counts and seconds; nothing here is a billion."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and abs(value) < 1e9 else None  # type: ignore[arg-type]


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _wrapped(text: str, width: int, indent: str) -> list[str]:
    """An app's words may hold anything, and a terminal obeys it."""
    clean = "".join(char if char.isprintable() else " " for char in text)
    return textwrap.wrap(clean, width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)
