"""Sizes and times as people read them. Pure."""

from __future__ import annotations

from collections.abc import Sequence


def size(n_bytes: int) -> str:
    """`3.8 MB`, `1.12 GB`: decimal units, as shops, the Hub and Android show them."""
    if n_bytes < 1_000:
        return f"{n_bytes} B"
    if n_bytes < 1_000_000:
        return f"{n_bytes / 1e3:.0f} kB"
    if n_bytes < 1_000_000_000:
        return f"{n_bytes / 1e6:.1f} MB"
    return f"{n_bytes / 1e9:.2f} GB"


def duration(seconds: float) -> str:
    """`0:09`, `12:30`, `3:04:05`."""
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3_600)
    minutes, last = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{last:02}" if hours else f"{minutes}:{last:02}"


def table(rows: Sequence[tuple[str, ...]], right: frozenset[int] = frozenset()) -> list[str]:
    """Lines with aligned columns, two spaces apart. right: columns that end at the same place."""
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    return [
        "  ".join(
            cell.rjust(widths[n]) if n in right else cell.ljust(widths[n]) for n, cell in enumerate(row)
        ).rstrip()
        for row in rows
    ]
