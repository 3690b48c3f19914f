"""The two error envelopes, and the 500 that has none (protocols/localllm.md 5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.fakes.localllm.options import AICORE_ID, Options

Payload = dict[str, Any]


class Refused(Exception):
    """The request ends in an error reply of this status and JSON body."""

    def __init__(self, status: int, payload: Payload, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status} {payload}")
        self.status = status
        self.payload = payload
        self.headers = dict(headers or {})


class Unhandled(Exception):
    """An exception that no handler caught: 500, text/plain, its message as body (3)."""


class PassedOn(Exception):
    """A failure that the test ordered, with a body of its own making."""

    def __init__(self, status: int, content_type: str, body: bytes) -> None:
        super().__init__(f"{status} {content_type}")
        self.status = status
        self.content_type = content_type
        self.body = body


class EngineFailed(Exception):
    """The engine cannot be built (row 9 of 5.1)."""


class ModelFailed(Exception):
    """Preparing a conversation or generating failed (rows 14 to 16 of 5.1)."""


class NotReady(Exception):
    """AICore says no before anything is generated (rows 10 to 13 of 5.1)."""

    def __init__(self, status: str) -> None:
        super().__init__(status)
        self.status = status


class BackgroundBlocked(ModelFailed):
    """The app is not in the foreground (row 15)."""


class TimedOut(Exception):
    """The owner's request timeout is over (7.7)."""


def plain(status: int, kind: str, message: str, headers: Mapping[str, str] | None = None) -> Refused:
    """The plain envelope: `code` is the status as a number."""
    return Refused(status, {"error": {"message": message, "type": kind, "code": status}}, headers)


def invalid(status: int, message: str) -> Refused:
    return plain(status, "invalid_request_error", message)


def unauthorized() -> Refused:
    message = "Missing or wrong key; send it as a bearer token"
    return plain(401, "invalid_api_key", message, {"WWW-Authenticate": "Bearer"})


def explain(failure: Exception, options: Options, model: str) -> Refused:
    """What becomes of a failure inside the work on a chat request: status and envelope by build (2, 5.1)."""
    if isinstance(failure, Refused):
        return failure
    if isinstance(failure, TimedOut):
        return plain(408, "timeout", "The request took too long")
    if not options.rich_errors:
        return plain(500, "server_error", str(failure))
    match failure:
        case EngineFailed():
            return _engine_failed(model, str(failure))
        case NotReady():
            return _not_ready(failure.status)
        case BackgroundBlocked():
            steps = ["Bring the app to the foreground", "Retry"]
            return _aicore(403, "aicore_background_blocked", "AICORE_BACKGROUND_BLOCKED", "available", True, steps)
        case _ if model == AICORE_ID:
            return _aicore(500, "aicore_runtime_error", "AICORE_RUNTIME_ERROR", "unknown", False, [], str(failure))
    return plain(500, "server_error", str(failure))


def _engine_failed(model: str, reason: str) -> Refused:
    steps = ["Check that the model is downloaded", "Check the SoC label for NPU models", f"Use {AICORE_ID}"]
    error: Payload = {"message": f"engine for '{model}' could not start: {reason}", "type": "litert_engine_failed"}
    error |= {"code": "LITERT_INIT_FAILED", "actionable": True, "next_steps": steps}
    return Refused(503, {"error": error})


def _not_ready(status: str) -> Refused:
    match status:
        case "downloadable":
            steps = ["Download it in the Models tab", "Retry"]
            return _aicore(503, "aicore_unavailable", "AICORE_DOWNLOADABLE", status, True, steps)
        case "downloading":
            steps = ["Wait until the Models tab shows it as available", "Retry"]
            return _aicore(425, "aicore_unavailable", "AICORE_DOWNLOADING", status, True, steps)
        case "unavailable":
            return _aicore(503, "aicore_unavailable", "AICORE_UNAVAILABLE", status, False, [])
        case _:
            return _aicore(503, "aicore_unavailable", "AICORE_UNKNOWN", status, False, [])


def _aicore(
    status: int, kind: str, code: str, aicore_status: str, actionable: bool, steps: list[str], message: str = ""
) -> Refused:
    error: Payload = {"message": message or f"Gemini Nano cannot answer: {aicore_status}", "type": kind}
    error |= {"code": code, "aicore_status": aicore_status, "actionable": actionable, "next_steps": steps}
    return Refused(status, {"error": error})
