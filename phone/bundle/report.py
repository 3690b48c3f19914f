"""What the supervisor published, as lines for a person. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from phone.supervisor.published import Published, PublishedService

MIN_WIDTH = 40
# Of the names' and states' columns: openclaw, backing off.
NAME, STATE = 9, 12


def bundle_lines(published: Published, *, alive: bool, now_wall_s: float, width: int) -> list[str]:
    """The bundle in lines of at most `width` characters (>= 40). alive: the supervisor that wrote it still runs."""
    width = max(width, MIN_WIDTH)
    lines = _wrapped(_headline(published, alive=alive, now_wall_s=now_wall_s), width)
    if not alive and published.pid is None:  # stopped in order: what it said last is of no use to anybody
        return lines + _last_alert(published, now_wall_s, width)
    for name, service in published.services.items():
        if service.state != "disabled":
            lines += _service(name, service, alive=alive, now_wall_s=now_wall_s, width=width)
    if published.level != "serve":
        lines += _field("governor", f"{published.level}: {published.reason}", width)
    lines += _field("wake lock", f"{published.lock_policy}: {published.lock_words}", width)
    lines += _field("battery", _battery(published), width)
    if published.gateway_url:
        lines += _field("gateway", f"asks {published.gateway_url}", width)
    return lines + _last_alert(published, now_wall_s, width)


def _last_alert(published: Published, now_wall_s: float, width: int) -> list[str]:
    alerts = [saying for saying in published.alerts if saying.alert]
    if not alerts:
        return []
    return _field("last alert", f"{ago(now_wall_s - alerts[-1].wall_s)} ago: {alerts[-1].text}", width)


def _headline(published: Published, *, alive: bool, now_wall_s: float) -> str:
    if not alive:
        stopped = published.pid is None
        how = "was stopped" if stopped else "is gone without a word"
        return f"The supervisor {how} ({ago(now_wall_s - published.wall_s)} ago). To start the bundle: farmhand up"
    if published.goal == "down":
        return "The bundle is being stopped."
    return "The bundle is ready." if published.ready else "The bundle is NOT READY."


def _service(name: str, service: PublishedService, *, alive: bool, now_wall_s: float, width: int) -> list[str]:
    state = service.state if alive else "unknown"
    said = []
    if service.pid is not None and alive:
        since = "" if service.wall_since_s is None else f" for {ago(now_wall_s - service.wall_since_s)}"
        said.append(f"pid {service.pid}{since}")
    if service.retry_in_s is not None and alive:
        said.append(f"tried again in {service.retry_in_s:.0f} s")
    if service.words:
        said.append(service.words)
    head = f"{name:{NAME}} {state:{STATE}} "
    return textwrap.wrap(
        _clean("; ".join(said)) or "-", width, initial_indent=head, subsequent_indent=" " * len(head), break_on_hyphens=False
    )


def _battery(published: Published) -> str:
    battery = published.battery
    if battery is None:
        return "not known: Termux:API does not answer (farmhand doctor)" if published.api_missing else "not known yet"
    said = []
    if battery.percent is not None:
        said.append(f"{battery.percent:.0f} %")
    if battery.charging is not None:
        said.append("charging" if battery.charging else "not charging")
    if battery.temperature_c is not None:
        said.append(f"{battery.temperature_c:.1f} degrees C")
    return ", ".join(said)


def _field(name: str, text: str, width: int) -> list[str]:
    head = f"{name:{NAME}} "
    if not text.strip(": "):
        return []
    return textwrap.wrap(
        _clean(text), width, initial_indent=head, subsequent_indent=" " * len(head), break_on_hyphens=False
    )


def ago(seconds: float) -> str:
    """`42 s`, `3 min`, `5 h`, `2 days`; 0 for a clock that was set back."""
    seconds = max(0.0, seconds)
    for unit, size in (("days", 172_800), ("h", 7_200), ("min", 120)):
        if seconds >= size:
            return f"{seconds // {'days': 86_400, 'h': 3_600, 'min': 60}[unit]:.0f} {unit}"
    return f"{seconds:.0f} s"


def progress(before: Published | None, now: Published) -> Iterator[str]:
    """What is new since the last look, a line each: for `farmhand up`, which shows how it goes."""
    for name, service in now.services.items():
        old = None if before is None else before.services.get(name)
        if service.state != "disabled" and (old is None or old.state != service.state):
            words = f" ({service.words})" if service.words and service.state not in ("ready", "stopped") else ""
            yield _clean(f"{name:{NAME}} {service.state}{words}")


def endings(before: Published | None, now: Published | None) -> Iterator[str]:
    """Who has ended since the last look, a line each: for `farmhand down`."""
    for name, service in now.services.items() if now else ():
        old = before.services.get(name) if before else None
        if old is not None and old.state not in ("stopped", "disabled", "missing") and service.state == "stopped":
            yield f"{name:{NAME}} stopped"


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(_clean(text), width, break_on_hyphens=False)


def _clean(text: str) -> str:
    """A log's words may hold anything, and a terminal obeys it."""
    return "".join(char if char.isprintable() else " " for char in text)
