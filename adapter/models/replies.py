"""What a server's answer means for a download that may have begun before. Pure.

The Hub answers for a large file with a redirect whose `X-Linked-Etag` is the SHA-256 of the file, `X-Linked-Size` its
size and `X-Repo-Commit` the commit; the host it redirects to has headers of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

_SHA256 = re.compile(r"[0-9a-f]{64}")
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")


@dataclass(frozen=True, slots=True)
class Validators:
    """By what two answers are known to be about the same bytes. `None`: the server did not say.

    sha256: said by the source, so the file can be checked against it. etag: strong ones only.
    """

    size_bytes: int | None = None
    sha256: str | None = None
    etag: str | None = None
    last_modified: str | None = None

    def differs(self, other: Validators) -> bool:
        """Are these certainly other bytes? A SHA-256 on both sides settles it; hosts behind one hub differ in ETags."""
        if self.sha256 and other.sha256:
            return self.sha256 != other.sha256
        pairs = (
            (self.size_bytes, other.size_bytes),
            (self.etag, other.etag),
            (self.last_modified, other.last_modified),
        )
        return any(mine is not None and its is not None and mine != its for mine, its in pairs)

    @property
    def allow_resuming(self) -> bool:
        return bool(self.sha256 or self.etag or self.last_modified)


@dataclass(frozen=True, slots=True)
class Reply:
    """start: the first byte that the body has; 0 in a whole answer, `None` if a 206 does not say. commit: the Hub's."""

    status: int
    start: int | None
    validators: Validators
    commit: str | None


class Step(Enum):
    """What to do with an answer. APPEND its body, OVERWRITE with it, ask AGAIN from the first byte; or all is here."""

    APPEND = "append"
    OVERWRITE = "overwrite"
    AGAIN = "again"
    COMPLETE = "complete"


@dataclass(frozen=True, slots=True)
class Decision:
    """why: a reason to tell where bytes that we have are given up, else empty."""

    step: Step
    why: str = ""


CHANGED = "the file has changed at its source"
IGNORES_RANGE = "the server cannot continue a download"


def parse_reply(status: int, hops: Sequence[Mapping[str, str]]) -> Reply:
    """hops: the headers (names in lower case) of each redirect and, last, of the answer itself."""
    last = hops[-1]
    linked: dict[str, str] = {}
    for headers in hops:
        for key in ("x-linked-etag", "x-linked-size", "x-repo-commit"):
            if key in headers:
                linked.setdefault(key, headers[key])
    digest = linked.get("x-linked-etag", "").removeprefix("W/").strip('"').lower()
    start, total = _range_of(status, last)
    size = total if total is not None else _number(linked.get("x-linked-size"))
    etag = last.get("etag", "")
    return Reply(
        status,
        start,
        Validators(
            size_bytes=size,
            sha256=digest if _SHA256.fullmatch(digest) else None,
            etag=etag if etag.startswith('"') else None,
            last_modified=last.get("last-modified"),
        ),
        linked.get("x-repo-commit"),
    )


def range_headers(have_bytes: int, known: Validators) -> dict[str, str]:
    """The headers that ask for the rest. Where no SHA-256 is known, the server must see that nothing has changed."""
    if have_bytes == 0:
        return {}
    headers = {"Range": f"bytes={have_bytes}-"}
    if known.sha256 is None and (condition := known.etag or known.last_modified):
        headers["If-Range"] = condition
    return headers


def decide(have_bytes: int, known: Validators, reply: Reply) -> Decision:
    """What to do with a 200, 206 or 416, when `have_bytes` of what `known` describes are on disk."""
    changed = known.differs(reply.validators)
    if reply.status == 200:
        if have_bytes == 0:
            return Decision(Step.OVERWRITE)
        return Decision(Step.OVERWRITE, CHANGED if changed else IGNORES_RANGE)
    if changed:
        return Decision(Step.AGAIN, CHANGED)
    if reply.status == 206 and reply.start == have_bytes:
        return Decision(Step.APPEND)
    if reply.status == 416 and have_bytes and reply.validators.size_bytes == have_bytes:
        return Decision(Step.COMPLETE)
    return Decision(Step.AGAIN, IGNORES_RANGE)


def _range_of(status: int, headers: Mapping[str, str]) -> tuple[int | None, int | None]:
    """(first byte, size of the whole file) as far as the answer says."""
    if status == 200:
        return 0, _number(headers.get("content-length"))
    found = _CONTENT_RANGE.fullmatch(headers.get("content-range", "").strip())
    if not found:
        return None, None
    return _number(found[1]), _number(found[3])


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < 19 else None
