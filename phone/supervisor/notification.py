"""The notification that stays in Android's list while the bundle runs: what it says, and when it is worth showing anew. Pure.

Each showing starts a handful of processes, one of them a Java program (`facts/termux.md` 5.1), so there are as few as possible: at once when the
state changes, after half a minute when only numbers do, later still when they have hardly moved. On Android 14 and later a person can swipe it
away, and nobody is told; it comes back with the next change of state, which is early enough for somebody who wanted to be rid of it.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from phone.command import Button, Note
from phone.places import Places

NOTE_ID = "farmhand"
ALERT_ID = "farmhand-alert"

NUMBERS_S = 30.0
SMALL_NUMBERS_S = 300.0
MAX_TEXT = 300

_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_DEGREES = re.compile(r"(-?\d+\.\d+)(?= degrees C)")

TITLES = {"serve": "serving", "slow": "serving slowly", "pause": "paused", "unload": "models unloaded"}


@dataclass(frozen=True, slots=True)
class View:
    """state: "up" once everything runs as it should, else a word for people, such as "starting". services: name and state of each, in the
    order of their start; those that are not "ready" are named. level, reason: the governor's. held: a person's pause is on. lock: what is
    wrong with the wake lock (`lock.lock_trouble`), empty if nothing is. gave_up: services that need a person."""

    state: str = "up"
    services: tuple[tuple[str, str], ...] = ()
    tokens_s: float | None = None
    temperature_c: float | None = None
    level: str = "serve"
    reason: str = ""
    held: bool = False
    lock: str = ""
    gave_up: tuple[str, ...] = ()
    url: str = ""


def note(view: View, places: Places) -> Note:
    """Title and first line fit a phone's width in most cases; what does not is seen when it is unfolded.

    A tap does nothing: an app in the background may not open one of its windows, and Termux's own notification, right beside it, does so.
    """
    return Note(
        id=NOTE_ID,
        title=_title(view),
        content="\n".join(_lines(view)),
        ongoing=True,
        buttons=_buttons(view, places),
    )


def alert(text: str) -> Note:
    """Something that needs a person: with a sound, and gone when it is swiped away. A later one replaces it; the log has them all."""
    return Note(id=ALERT_ID, title="Farmhand needs you", content=_one_line(text) or "See: farmhand status", quiet=False, urgent=True)


def should_update(shown: Note | None, now: Note, shown_at_s: float, now_s: float) -> bool:
    """shown: what was shown last, at shown_at_s; `None`: nothing yet (shown_at_s is ignored then)."""
    if shown is None or _skeleton(shown) != _skeleton(now):
        return True
    if shown == now:
        return False
    return now_s - shown_at_s >= (SMALL_NUMBERS_S if _hardly_moved(shown, now) else NUMBERS_S)


# --- its text ----------------------------------------------------------------------------------------------------


def _title(view: View) -> str:
    if view.gave_up:
        return f"Farmhand: {', '.join(view.gave_up)} gave up"
    if view.state != "up":
        return f"Farmhand: {_one_line(view.state)}"
    if view.held and view.level != "unload":
        return "Farmhand: paused by hand"
    return f"Farmhand: {TITLES.get(view.level, view.level)}"


def _lines(view: View) -> list[str]:
    """Never empty: without a content `termux-notification` waits for its standard input (`facts/termux.md` 5.3)."""
    figures = [_rounded(view.tokens_s, "tokens/s"), _degrees(view.temperature_c), _one_line(view.url).removeprefix("http://")]
    late = ", ".join(f"{name} {state}" for name, state in view.services if state != "ready" and name not in view.gave_up)
    lines = [
        "Type in Termux: farmhand doctor" if view.gave_up else "",
        _DEGREES.sub(lambda found: f"{float(found[1]):.0f}", _one_line(view.reason)) if view.level != "serve" or view.held else "",
        _one_line(late),
        " · ".join(figure for figure in figures if figure),
        f"Wake lock: {_one_line(view.lock)}" if view.lock else "",
    ]
    return [line for line in lines if line] or ["Type in Termux: farmhand status"]


def _buttons(view: View, places: Places) -> tuple[Button, ...]:
    """None while it stops: each of them would undo that."""
    if view.state == "stopping":
        return ()
    pause = ("Resume", "resume") if view.held else ("Pause", "pause")
    farmhand = shlex.quote(str(places.prefix / "bin" / "farmhand"))
    return tuple(Button(text, f"{farmhand} {command}") for text, command in (("Stop", "down"), ("Restart", "restart"), pause))


def _rounded(value: float | None, unit: str) -> str:
    """To two digits; empty for nothing."""
    if value is None or not 0 < value < 1e6:
        return ""
    if value < 9.95:
        return f"{value:.{1 if value >= 0.95 else 2}f} {unit}"
    return f"{float(f'{value:.2g}'):.0f} {unit}"


def _degrees(value: float | None) -> str:
    return "" if value is None or not abs(value) < 1e3 else f"{value:.0f} °C"


def _one_line(text: str) -> str:
    joined = " ".join(text.split())
    return joined if len(joined) <= MAX_TEXT else f"{joined[: MAX_TEXT - 3]}..."


# --- what counts as a change -------------------------------------------------------------------------------------


def _skeleton(one: Note) -> tuple[str, ...]:
    """Everything but the numbers."""
    buttons = tuple(f"{button.text} {button.command}" for button in one.buttons)
    return (one.id, _NUMBER.sub("#", one.title), _NUMBER.sub("#", one.content), *buttons)


def _hardly_moved(shown: Note, now: Note) -> bool:
    """No number by more than one unit of its last digit: the noise of a sensor."""
    pairs = zip(_numbers(shown), _numbers(now), strict=True)
    return all(abs(float(a) - float(b)) < 1.5 * max(_unit(a), _unit(b)) for a, b in pairs)


def _numbers(one: Note) -> list[str]:
    return _NUMBER.findall(f"{one.title}\n{one.content}")


def _unit(number: str) -> float:
    return 10.0 ** -len(number.partition(".")[2])
