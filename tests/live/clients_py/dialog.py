"""The client's side of `client_cases.Client`: one job a line comes in, one result a line goes out. Standard library only."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any

LONGEST = 4_000


def serve(checks: Mapping[str, Callable[..., Any]]) -> None:
    """Does what is asked until standard input ends. A result is a line `@NUMBER {"value": ...}`; what the client itself prints stands between."""
    for number, line in enumerate(sys.stdin, 1):
        job = json.loads(line)
        try:
            result = {"value": checks[job.pop("check")](**job)}
        except Exception as exc:  # noqa: BLE001 -- how it fails is what is asked
            result = failure(exc)
        sys.stdout.write(f"\n@{number} {json.dumps(result, default=str)}\n")
        sys.stdout.flush()


def failure(exc: BaseException) -> dict[str, Any]:
    """What a person sees of an exception, and what a program can look at."""
    return {
        "raised": [kind.__name__ for kind in type(exc).__mro__],
        "text": str(exc)[:LONGEST],
        "status": getattr(exc, "status_code", None),
        "code": getattr(exc, "code", None),
        "traceback": "".join(traceback.format_exception(exc))[-LONGEST:],
    }
