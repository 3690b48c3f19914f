"""The bytes of a request body -> its JSON object, bounded. Pure."""

from __future__ import annotations

import json
from typing import Any

from adapter.dialects.openai_values import kind_of
from adapter.errors import BadRequest


def parse_json_object(raw: bytes, *, max_nesting: int) -> dict[str, Any]:
    """Bytes of a body -> its JSON object. Raises `BadRequest` for anything else."""
    if not raw or raw.isspace():
        raise BadRequest("The request body is empty; send a JSON object.")
    try:
        body = _DECODER.decode(raw.decode(json.detect_encoding(raw), "surrogatepass"))
    except RecursionError:
        raise _too_deep(max_nesting) from None
    except UnicodeDecodeError as exc:
        raise BadRequest(f"The request body is not valid UTF-8 (byte {exc.start}).") from None
    except json.JSONDecodeError as exc:
        where = f"line {exc.lineno}, column {exc.colno}"
        raise BadRequest(f"The request body is not valid JSON: {exc.msg} at {where}.") from None
    except ValueError as exc:
        raise BadRequest(f"The request body is not valid JSON: {str(exc)[:120]}.") from None
    if not isinstance(body, dict):
        raise BadRequest(f"The request body must be a JSON object, not {kind_of(body)}.")
    if deeper_than(body, max_nesting):
        raise _too_deep(max_nesting)
    return body


def _too_deep(max_nesting: int) -> BadRequest:
    return BadRequest(f"The JSON is nested deeper than {max_nesting} levels (server.max_nesting).")


def _refuse_constant(word: str) -> Any:
    raise ValueError(f"{word} is not a JSON number")


# Made once: `json.loads` with an argument makes one for each call.
_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def deeper_than(value: Any, limit: int) -> bool:
    """Is the value nested in more than `limit` levels of arrays and objects?"""
    level: list[Any] = [value]
    for _ in range(limit):
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return True
