"""What `--check` saw, and what it makes of it: data for `check_judge.py`. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from textwrap import wrap
from typing import Any

from adapter.connect.check_requests import Plan
from adapter.connect.profile import Profile
from adapter.connect.truth import Model


@dataclass(frozen=True, slots=True)
class Seen:
    """One answer, as it came. Times in seconds from the request on; `None`: that did not come.

    status: `None` if none came; error: why, or what the server said; code: of the error. byte_gap_s, data_gap_s: the longest silence, without
    bytes and without data chunks, the first included. kept_alive: chunks with nothing in them came before the first word. words_s: from the first word to
    the last, and words: how many chunks. content: the text. late: our own limit ended it.
    """

    status: int | None = None
    error: str = ""
    code: str = ""
    retry_after_s: str = ""
    byte_gap_s: float = 0.0
    data_gap_s: float = 0.0
    first_word_s: float | None = None
    whole_s: float | None = None
    words_s: float = 0.0
    words: int = 0
    kept_alive: bool = False
    prompt_tokens: int = 0
    content: str = ""
    late: bool = False
    waited_s: float = 0.0

    @property
    def fine(self) -> bool:
        return self.status == 200 and not self.error and not self.late


@dataclass(frozen=True, slots=True)
class Facts:
    """client: its name. profile: what it sends. small: its small form. ready: the body of `/ready`, `None` where there is none. listed: of
    `GET /models` with the client's key. speed, schema, embedding: `None` where they were not asked for."""

    client: str
    profile: Profile
    model: Model
    models: Sequence[Model]
    small: bool
    proxied: bool
    farmhand: bool
    listed: Seen
    ready: Mapping[str, Any] | None = None
    plan: Plan | None = None
    main: Seen | None = None
    speed: Seen | None = None
    schema: Seen | None = None
    embedding: Seen | None = None


class Level(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """name: stable, for scripts. said: what is found and what comes of it. remedy: what to do; "" where all is well."""

    name: str
    level: Level
    said: str
    remedy: str = ""


_TAG = {Level.OK: "ok  ", Level.WARN: "WARN", Level.FAIL: "FAIL"}
_ORDER = (Level.FAIL, Level.WARN, Level.OK)


@dataclass(frozen=True, slots=True)
class Verdict:
    findings: tuple[Finding, ...]

    @property
    def fails(self) -> bool:
        return any(finding.level is Level.FAIL for finding in self.findings)

    def lines(self, client: str, width: int) -> Iterator[str]:
        for finding in sorted(self.findings, key=lambda one: _ORDER.index(one.level)):
            yield from _wrapped(f"{_TAG[finding.level]} {finding.said}", " " * 5, width)
            if finding.remedy:
                yield from _wrapped(f"     do: {finding.remedy}", " " * 9, width)
        levels = [finding.level for finding in self.findings]
        bad, doubtful = levels.count(Level.FAIL), levels.count(Level.WARN)
        yield ""
        if bad:
            yield f"{client} would fail: {bad} wrong, {doubtful} doubtful, {levels.count(Level.OK)} in order."
        elif doubtful:
            yield f"{client} works, with {doubtful} doubtful; {levels.count(Level.OK)} in order."
        else:
            yield f"{client} works: {levels.count(Level.OK)} things were tried, and all are in order."

    def for_programs(self) -> dict[str, Any]:
        return {"works": not self.fails, "findings": [asdict(finding) for finding in self.findings]}


def _wrapped(text: str, indent: str, width: int) -> list[str]:
    clean = "".join(char if char.isprintable() else " " for char in text)
    return wrap(clean, width, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False)
