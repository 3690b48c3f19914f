"""Logging set-up: lines of key=value on standard output; runit's logger adds time stamps and rotates."""

from __future__ import annotations

import logging
import sys


def set_up(level: str) -> None:
    """level: debug, info, warning or error."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_OneLine("%(levelname).1s %(name)s %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # What our lines do not show need not be found out for each of them (Python's logging HOWTO, "Optimization").
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None
    # aiohttp and asyncio say at info and debug what we say better or do not need.
    logging.getLogger("asyncio").setLevel(logging.WARNING)


class _OneLine(logging.Formatter):
    """One event is one line, whatever a client or an app wrote into it; tracebacks follow below theirs."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        text = super().formatMessage(record)
        if text.isprintable():
            return text
        return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
