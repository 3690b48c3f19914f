"""One request as the log will tell it: a single line at its end, never with prompt text."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from aiohttp import web

from adapter.chat import Usage
from adapter.dispatch.items import Queued

logger = logging.getLogger("adapter.request")

QUIET = ("/health", "/ready", "/admin/state", "/metrics")


@dataclass(slots=True)
class Trace:
    """Filled in as the request goes along. Times are seconds of the loop's clock."""

    id: str
    began_s: float
    engine: str = "-"
    model: str = "-"
    first_token_s: float | None = None
    finish: str = "-"
    code: str = "-"
    usage: Usage | None = None
    queued: Queued | None = None

    def log(self, method: str, path: str, status: int, now_s: float) -> None:
        """What is asked every few seconds by programs says nothing new: debug."""
        level = logging.DEBUG if path.endswith(QUIET) and status < 400 else logging.INFO
        usage = self.usage
        logger.log(
            level,
            "id=%s %s %s status=%d engine=%s model=%s prompt=%s cached=%s completion=%s ttft_ms=%s ms=%d finish=%s "
            "code=%s",
            self.id,
            method,
            _word(path),
            status,
            self.engine,
            _word(self.model),
            usage.prompt_tokens if usage else "-",
            usage.cached_tokens if usage else "-",
            usage.completion_tokens if usage else "-",
            round((self.first_token_s - self.began_s) * 1000) if self.first_token_s else "-",
            round((now_s - self.began_s) * 1000),
            self.finish,
            self.code,
        )


def _word(text: str) -> str:
    """Text that a client chose, unable to pass for other fields of the line or for a line of its own."""
    return text if text.isprintable() and " " not in text else repr(text)


TRACE = web.RequestKey("trace", Trace)
