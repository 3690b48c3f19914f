"""All checks, and their findings as lines for a person. Pure."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from phone.doctor import checks_phone, checks_runit, checks_server
from phone.doctor.facts import Facts
from phone.doctor.finding import Finding, Level, Where

Check = Callable[[Facts], Iterator[Finding]]

ON_PHONE: tuple[Check, ...] = (
    checks_phone.check_build,
    checks_runit.check_runit,
    checks_runit.check_supervisor,
    checks_runit.check_exits,
    checks_runit.check_logs,
    checks_runit.check_programs,
    checks_phone.check_boot,
    checks_phone.check_api,
    checks_phone.check_alive,
    checks_phone.check_lock,
)
EVERYWHERE: tuple[Check, ...] = (
    checks_phone.check_resources,
    checks_server.check_python,
    checks_server.check_config,
    checks_server.check_adapter,
)

HEALTHY, TROUBLE = 0, 1
_TAG = {Level.OK: "ok  ", Level.ASK: "ask ", Level.WARN: "WARN", Level.FAIL: "FAIL"}
_ORDER = (Level.FAIL, Level.WARN, Level.ASK, Level.OK)


def findings(facts: Facts) -> list[Finding]:
    """What is found, the worst first. Off the phone only what applies there."""
    checks = (*ON_PHONE, *EVERYWHERE) if facts.on_phone else EVERYWHERE
    found = [finding for check in checks for finding in check(facts)]
    return sorted(found, key=lambda finding: _ORDER.index(finding.level))


def exit_status(found: Sequence[Finding]) -> int:
    """1 if anything fails, else 0: warnings and open questions are no failure."""
    return TROUBLE if any(f.level is Level.FAIL for f in found) else HEALTHY


def lines(found: Sequence[Finding], *, width: int, all_of_them: bool) -> list[str]:
    """all_of_them: what is in order as well."""
    shown = [f for f in found if all_of_them or f.level is not Level.OK]
    text = [line for finding in shown for line in _one(finding, width)]
    return [*text, *textwrap.wrap(_summary(found, all_of_them=all_of_them), width)]


def _one(finding: Finding, width: int) -> Iterator[str]:
    said = f"{_TAG[finding.level]} {finding.wrong} {finding.causes}".rstrip()
    yield from textwrap.wrap(_clean(said), width, subsequent_indent=" " * 5, break_on_hyphens=False)
    if finding.command:
        place = {Where.PHONE: "type", Where.LAPTOP: "on the laptop", Where.SETTINGS: "do"}[finding.where]
        # Never wrapped: a command is copied as a whole.
        yield f"     {place}: {_clean(finding.command)}"


def _summary(found: Sequence[Finding], *, all_of_them: bool) -> str:
    counts = Counter(f.level for f in found)
    said = f"{counts[Level.FAIL]} wrong, {counts[Level.WARN]} doubtful, {counts[Level.OK]} in order"
    if counts[Level.ASK]:
        said += f", {counts[Level.ASK]} to be looked at from the laptop"
    return said + ("." if all_of_them or not counts[Level.OK] else " (--all shows them).")


def as_json(found: Sequence[Finding]) -> dict[str, Any]:
    return {"healthy": exit_status(found) == HEALTHY, "findings": [asdict(finding) for finding in found]}


def _clean(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)
