"""All checks, and their findings as lines for a person. Pure."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from phone.doctor import (
    checks_apps,
    checks_boot,
    checks_phone,
    checks_proxy,
    checks_runit,
    checks_server,
    checks_termux,
)
from phone.doctor.facts import Facts
from phone.doctor.finding import Finding, Level, Where

Check = Callable[[Facts], Iterator[Finding]]

ON_PHONE: tuple[Check, ...] = (
    checks_termux.check_build,
    checks_termux.check_shell,
    checks_termux.check_packages,
    checks_runit.check_runit,
    checks_runit.check_supervisor,
    checks_runit.check_stopped,
    checks_runit.check_exits,
    checks_runit.check_logs,
    checks_apps.check_programs,
    checks_proxy.check_proxy,
    checks_boot.check_boot,
    checks_boot.check_job,
    checks_phone.check_api,
    checks_phone.check_alive,
    checks_phone.check_lock,
)
EVERYWHERE: tuple[Check, ...] = (
    checks_termux.check_ports,
    checks_phone.check_resources,
    checks_server.check_python,
    checks_server.check_config,
    checks_server.check_adapter,
)

HEALTHY, TROUBLE = 0, 1
_TAG = {Level.OK: "ok  ", Level.ASK: "ask ", Level.WARN: "WARN", Level.FAIL: "FAIL"}
_ORDER = (Level.FAIL, Level.WARN, Level.ASK, Level.OK)
_PLACE = {Where.PHONE: "type", Where.LAPTOP: "on the laptop", Where.SETTINGS: "do"}


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
    return [*text, *[""] * bool(text), *textwrap.wrap(_summary(found, all_of_them=all_of_them), width)]


def _one(finding: Finding, width: int) -> Iterator[str]:
    said = f"{_TAG[finding.level]} {finding.wrong} {finding.causes}".rstrip()
    yield from textwrap.wrap(_clean(said), width, subsequent_indent=" " * 5, break_on_hyphens=False, break_long_words=False)
    if not finding.command:
        return
    said = f"     {_PLACE[finding.where]}: {_clean(finding.command)}"
    if finding.where is Where.SETTINGS:
        yield from textwrap.wrap(said, width, subsequent_indent=" " * 9, break_on_hyphens=False, break_long_words=False)
    else:  # never wrapped: a command is copied as a whole
        yield said


def _summary(found: Sequence[Finding], *, all_of_them: bool) -> str:
    counts = Counter(f.level for f in found)
    if counts[Level.FAIL] or counts[Level.WARN]:
        said = f"{counts[Level.FAIL]} wrong, {counts[Level.WARN]} doubtful, {counts[Level.OK]} in order."
    else:
        said = f"Nothing is wrong, as far as can be seen from here; {counts[Level.OK]} things are in order."
    if counts[Level.ASK]:
        said += f" {counts[Level.ASK]} can only be seen from the laptop."
    return said if all_of_them or not counts[Level.OK] else f"{said} (--all shows all.)"


def as_json(found: Sequence[Finding]) -> dict[str, Any]:
    return {"healthy": exit_status(found) == HEALTHY, "findings": [asdict(finding) for finding in found]}


def _clean(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)
