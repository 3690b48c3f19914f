"""Errors in Gemini's form, and which paths have it. Pure.

`{"error": {"code", "message", "status", "details"}}`, where `code` is the HTTP status as a number: in a stream `google-genai` raises for a chunk
whose first key is `error`, as the class that `code` says, and takes anything else for an answer with nothing in it.
"""

from __future__ import annotations

from typing import Any

from adapter.access.scopes import GEMINI_ROOTS, gemini_method
from adapter.dialects.openai_render import Json
from adapter.errors import AdapterError

_STATUS = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "UNIMPLEMENTED",
    429: "RESOURCE_EXHAUSTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
# Fields that are named in OpenAI's words beyond the dialects, in Gemini's.
_FIELDS = {"messages": "contents", "max_tokens": "generationConfig.maxOutputTokens", "n": "generationConfig.candidateCount"}
_ALWAYS = tuple(f"{root}/" for root in GEMINI_ROOTS if root != "/v1")
_TYPE = "type.googleapis.com/google.rpc"


def is_gemini(path: str, *, keyed: bool = False) -> bool:
    """Is what is served under this path in Gemini's form, its errors included?

    keyed: the request has its key where Gemini's clients put it, in `x-goog-api-key`. `google-genai` 3 asks under `/v1`, where models are
    described in OpenAI's form to everybody else.
    """
    if path.startswith(_ALWAYS) or gemini_method(path):
        return True
    return keyed and (path == "/v1/models" or path.startswith("/v1/models/"))


def render_gemini_error(error: AdapterError) -> Json:
    """The body, or the chunk of a stream. `error` is its first key, and `details` say what OpenAI's form has fields for."""
    details: list[Any] = [{"@type": f"{_TYPE}.ErrorInfo", "reason": error.code.upper(), "domain": "farmhand"}]
    if error.param:
        violation = {"field": _FIELDS.get(error.param, error.param), "description": error.message}
        details.append({"@type": f"{_TYPE}.BadRequest", "fieldViolations": [violation]})
    if error.retry_after_s is not None:
        details.append({"@type": f"{_TYPE}.RetryInfo", "retryDelay": f"{error.retry_after_s}s"})
    status = _STATUS.get(error.status, "INVALID_ARGUMENT" if error.status < 500 else "INTERNAL")
    return {"error": {"code": error.status, "message": error.message, "status": status, "details": details}}
