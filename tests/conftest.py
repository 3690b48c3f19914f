"""What a run ends with. Here and not in `live/`: of a run with several workers the one that tells reads only this file."""

from __future__ import annotations

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The table of clients. What a test noted before it failed counts as failed."""
    from tests.live.client_table import table

    seen = [
        (*value, outcome)
        for outcome in ("passed", "failed")
        for report in terminalreporter.stats.get(outcome, [])
        for name, value in getattr(report, "user_properties", [])
        if name == "tried" and report.when == "call"
    ]
    if seen:
        terminalreporter.section("clients and what was tried with them")
        for line in table(seen):
            terminalreporter.line(line)
