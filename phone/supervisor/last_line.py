"""The last words of a service in its log: what svlogd wrote down shortly before the service ended. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime

# `svlogd -tt`, in UTC (`facts/termux.md` 2.4).
STAMPED = re.compile(r"(\d{4})-(\d\d)-(\d\d)_(\d\d):(\d\d):(\d\d)\.\d+ ?(.*)", re.ASCII)
# What `finish` says of every end (`termux/service.sh`): we know that already.
FINISH = re.compile(r"ended in order|killed \(signal|ended by signal|runit could not start|ended with code")
MAX_CHARS = 200


def last_line(log: str, name: str, wall_at_s: float) -> str:
    """log: the end of the file, whose first line may be half a one. name: of its folder. wall_at_s: when it ended, Unix time.

    Empty if nothing was said. A clock that was set meanwhile gives a wrong line at worst.
    """
    found = ""
    for line in log.splitlines():
        match = STAMPED.match(line)
        if match is None:
            continue
        at_s = _unix(*(int(part) for part in match.groups()[:6]))
        if at_s is not None and at_s > wall_at_s:
            break
        # Our scripts put their service's name in front.
        words = match[7].strip().removeprefix(f"{name}: ")
        if FINISH.match(words):
            if at_s == wall_at_s:
                break
        elif words:
            found = words
    return found[:MAX_CHARS]


def _unix(*parts: int) -> float | None:
    """Of a whole second: rounded down, as `finish` does it."""
    try:
        return datetime(*parts, tzinfo=UTC).timestamp()  # type: ignore[misc, arg-type]  # six of them
    except ValueError:
        return None
