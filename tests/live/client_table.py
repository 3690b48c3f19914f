"""The table of clients and checks that a run of the client tests ends with. Pure."""

from __future__ import annotations

from collections.abc import Iterable

# In the order of the README; what else was tried stands together behind them.
CHECKS = ("plain", "stream", "tools", "schema", "embeddings", "errors", "retries", "abort")


def table(tried: Iterable[tuple[str, str, str]]) -> list[str]:
    """(client, check, passed | failed) of each test -> lines of Markdown: how many tests passed, and how many did not."""
    counts: dict[tuple[str, str], list[int]] = {}
    for client, check, outcome in tried:
        counts.setdefault((client, check), [0, 0])[outcome != "passed"] += 1
    clients = sorted({client for client, _ in counts}, key=str.lower)
    checks = [check for check in CHECKS if any((client, check) in counts for client in clients)]
    head = ["client", *checks] + ["besides"] * any(check not in CHECKS for _, check in counts)
    rows = [head]
    for client in clients:
        others = ", ".join(f"{check}: {_cell(count)}" for (who, check), count in sorted(counts.items()) if who == client and check not in CHECKS)
        rows.append([client, *(_cell(counts.get((client, check))) for check in checks), others][: len(head)])
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows]
    return [lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]]


def _cell(count: list[int] | None) -> str:
    if count is None:
        return ""
    passed, failed = count
    return f"{failed} FAILED" if failed else f"ok {passed}"
