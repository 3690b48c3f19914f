"""The supervisor's log: one line an event on standard output; runit's logger adds time stamps and rotates."""

from __future__ import annotations

import logging
import select
import sys
from typing import TextIO


def set_up(level: str) -> None:
    """level: debug, info, warning or error."""
    handler = Patient(sys.stdout)
    handler.setFormatter(_OneLine("%(levelname).1s %(name)s %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # What our lines do not show need not be found out for each of them (Python's logging HOWTO, "Optimization").
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None
    logging.getLogger("asyncio").setLevel(logging.WARNING)


class Patient(logging.StreamHandler[TextIO]):
    """Drops lines, and says how many, while nobody reads them: a logger that waits for space on the disk must not stop the
    supervisor, whose writes into its full pipe would block."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._dropped = 0

    def emit(self, record: logging.LogRecord) -> None:
        if not self._can_write():
            self._dropped += 1
            return
        if self._dropped:
            self._dropped, dropped = 0, self._dropped
            super().emit(logging.makeLogRecord({
                "name": record.name,
                "levelname": "WARNING",
                "levelno": logging.WARNING,
                "msg": f"{dropped} lines were dropped here: the log could not be written",
            }))
        super().emit(record)

    def _can_write(self) -> bool:
        try:
            poll = select.poll()
            poll.register(self.stream.fileno(), select.POLLOUT)
            return bool(poll.poll(0))
        except (OSError, ValueError):  # no file behind it, or closed: whatever happens, it does not block
            return True


class _OneLine(logging.Formatter):
    """One event is one line, whatever a program wrote into it; tracebacks follow below theirs."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        text = super().formatMessage(record)
        if text.isprintable():
            return text
        return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
