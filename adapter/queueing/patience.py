"""How long a request's program waits, by its headers and its key's settings. Pure.

| from | unit | what it says (`protocols/clients.md` 3, 4, 6) | plain answer | stream |
|---|---|---|---|---|
| `deadline_s` of the `[[key]]` | s | how long its program waits for a whole answer | deadline | deadline |
| `X-Farmhand-Deadline-Ms` | ms | the same, for one request, counted from its arrival | deadline | deadline |
| `x-stainless-read-timeout` | s | Python SDK: silence between bytes | deadline | silence |
| `x-stainless-timeout` | s | JS SDK: whole plain answer, or until a stream's headers; OpenClaw: silence | deadline | silence |
| `x-stainless-runtime: node` | | Node's `fetch`: 300 s without headers or between bytes, whatever its SDK was told | deadline | silence |

A plain answer is one piece that comes when it is complete, so silence until then is all there is. Where several speak the shortest
counts: whichever ends first, ends it. A header is a hint: one that is no number, not positive or over a day says nothing, and is never an error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from adapter.caller import Caller, OnDeadline, Urgency
from adapter.settings import KeySettings

DEADLINE_HEADER = "x-farmhand-deadline-ms"
READ_TIMEOUT_HEADER = "x-stainless-read-timeout"
TIMEOUT_HEADER = "x-stainless-timeout"
RUNTIME_HEADER = "x-stainless-runtime"

NODE_SILENCE_S = 300.0
LONGEST_S = 86_400.0
# The answer has to get back, too: a fiftieth of the time, between a tenth of a second and two, never more than half of it.
BACK_SHARE, BACK_SHORTEST_S, BACK_LONGEST_S = 0.02, 0.1, 2.0

_NUMBER = re.compile(r"\s*([0-9]{1,12}(?:\.[0-9]{0,12})?)\s*", re.ASCII)


def patience(
    headers: Mapping[str, str], *, stream: bool, now_s: float, key: KeySettings | None
) -> tuple[float | None, float | None, OnDeadline]:
    """When the whole answer must be there (of the clock of `now_s`, the request's arrival), how long silence may last, what is done at the deadline.

    headers: found by lower-case names. `None`: no limit is known.
    """
    whole = [] if key is None or key.deadline_s is None else [key.deadline_s]
    whole += _seconds(headers.get(DEADLINE_HEADER), 0.001)
    silence = _seconds(headers.get(READ_TIMEOUT_HEADER)) + _seconds(headers.get(TIMEOUT_HEADER))
    if headers.get(RUNTIME_HEADER, "").strip().lower() == "node":
        silence.append(NODE_SILENCE_S)
    within_s = min(whole + ([] if stream else silence), default=None)
    deadline_s = None if within_s is None else now_s + within_s - _way_back_s(within_s)
    return deadline_s, min(silence, default=None), OnDeadline.REFUSE if key is None else key.on_deadline


def caller_of(
    headers: Mapping[str, str],
    *,
    key_name: str,
    key: KeySettings | None,
    stream: bool,
    urgency: Urgency,
    now_s: float,
    hops: tuple[str, ...] = (),
) -> Caller:
    """Who asks. key_name: stands for the bearer key, for fairness; `key`: its settings, if it has any. The rest as in `patience`."""
    deadline_s, silence_s, on_deadline = patience(headers, stream=stream, now_s=now_s, key=key)
    return Caller(
        key=key_name,
        urgency=urgency,
        deadline_s=deadline_s,
        on_deadline=on_deadline,
        silence_s=silence_s,
        hops=hops,
    )


def _seconds(text: str | None, unit_s: float = 1.0) -> list[float]:
    found = None if text is None else _NUMBER.fullmatch(text)
    value_s = float(found.group(1)) * unit_s if found else 0.0
    return [value_s] if 0 < value_s <= LONGEST_S else []


def _way_back_s(within_s: float) -> float:
    return min(within_s / 2, BACK_LONGEST_S, max(BACK_SHORTEST_S, within_s * BACK_SHARE))
