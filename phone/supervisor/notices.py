"""Shows the notification and the alerts, in threads: each takes a second or more, and may hang (`facts/termux.md` 5.1)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from phone.command import Note, Outcome
from phone.places import Places
from phone.supervisor.notification import NOTE_ID, View, alert, note, should_update
from phone.supervisor.threads import Lane

# One that could not be shown; it costs nothing while Termux:API is known to be missing.
RETRY_S = 60.0

log = logging.getLogger("supervisor")


class Notifies(Protocol):
    """Of `phone/termux.py`. Block, bounded; what does not work it has said itself."""

    def notify(self, note: Note) -> Outcome: ...

    def remove_note(self, note_id: str) -> Outcome: ...


class Notices:
    """For one event loop."""

    def __init__(self, termux: Notifies, places: Places, now_s: Callable[[], float]) -> None:
        self._termux = termux
        self._places = places
        self._now_s = now_s
        self._standing = Lane("farmhand-note", _failed)
        self._alerts = Lane("farmhand-alert", _failed)
        self._shown: Note | None = None
        self._shown_at_s = 0.0
        self._is_hidden = False
        self._failed = False

    def show(self, view: View) -> None:
        """Show it if it says something new; nothing while the last one is on its way."""
        now, now_s = note(view, self._places), self._now_s()
        if self._failed and now_s - self._shown_at_s >= RETRY_S:
            self._shown = None
        if self._standing.busy or not should_update(self._shown, now, self._shown_at_s, now_s):
            return
        self._shown, self._shown_at_s, self._is_hidden = now, now_s, False
        self._standing.put(lambda: self._show(now))

    def hide(self) -> None:
        """Once; also where none was shown by us: one of an earlier supervisor may be there."""
        if not self._is_hidden:
            self._shown, self._is_hidden = None, True
            self._standing.put(self._remove)

    def alert(self, text: str) -> None:
        self._alerts.put(lambda: self._tell(alert(text)))

    async def settle(self, within_s: float) -> None:
        await self._alerts.settle(within_s)
        await self._standing.settle(within_s)

    def _show(self, one: Note) -> None:
        self._failed = not self._tell(one)

    def _tell(self, one: Note) -> bool:
        outcome = self._termux.notify(one)
        if not outcome.ok:
            log.debug("notification not shown: %s", outcome.words)
        return outcome.ok

    def _remove(self) -> None:
        self._termux.remove_note(NOTE_ID)


def _failed(lane: str, exc: Exception) -> None:
    log.error("%s: %s: %s", lane, type(exc).__name__, exc)
