"""The kernel's word on free memory, and what stands for its silence."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapter.engines.llama.memory import read_available_bytes

PIXEL = "MemTotal:        7620572 kB\nMemFree:          201540 kB\nMemAvailable:    2466188 kB\nBuffers:  3196 kB\n"


@pytest.mark.parametrize(
    ("text", "available"),
    [
        (PIXEL, 2_466_188 * 1_024),
        ("MemAvailable: 0 kB\n", 0),
        ("MemTotal: 7620572 kB\nMemFree: 201540 kB\n", None),  # before Linux 3.14
        ("MemAvailable: plenty\n", None),
        ("MemAvailable:\n", None),
        ("", None),
    ],
)
def test_meminfo(tmp_path: Path, text: str, available: int | None) -> None:
    file = tmp_path / "meminfo"
    file.write_text(text)
    assert read_available_bytes(file) == available


def test_no_meminfo_at_all(tmp_path: Path) -> None:
    assert read_available_bytes(tmp_path / "meminfo") is None


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    file = tmp_path / "meminfo"
    file.write_bytes(b"MemAvailable: \xff kB\n")
    assert read_available_bytes(file) is None
