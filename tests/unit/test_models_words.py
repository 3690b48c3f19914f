"""What a download and a list look like."""

from __future__ import annotations

import io

import pytest

from adapter.engines.llama.gguf_meta import GgufMeta
from adapter.models import words
from adapter.models.describe import Described, describe
from adapter.models.progress import Meter, Progress, line


@pytest.mark.parametrize(
    ("n_bytes", "text"),
    [(0, "0 B"), (999, "999 B"), (3_800_000, "3.8 MB"), (1_117_320_736, "1.12 GB"), (64_000, "64 kB")],
)
def test_sizes(n_bytes: int, text: str) -> None:
    assert words.size(n_bytes) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (-3, "0:00"), (9.4, "0:09"), (750, "12:30"), (11_045, "3:04:05")]
)
def test_durations(seconds: float, text: str) -> None:
    assert words.duration(seconds) == text


def test_the_rate_is_that_of_the_last_seconds() -> None:
    """A fast beginning is forgotten after the window, and starting over begins it anew."""
    meter = Meter(0.0, 0)
    assert meter.bytes_per_s is None
    for second in range(1, 11):
        meter.add(float(second), second * 1_000_000)
    assert meter.bytes_per_s == 1_000_000
    for second in range(11, 31):
        meter.add(float(second), 10_000_000 + (second - 10) * 1_000)
    assert meter.bytes_per_s == 1_000
    meter.add(31.0, 0)
    assert meter.bytes_per_s is None


@pytest.mark.parametrize("width", [10, 20, 30, 60, 80, 200])
def test_a_line_fits_the_terminal(width: int) -> None:
    text = line("qwen2.5-1.5b-instruct-q4_k_m.gguf", 450_000_000, 1_000_000_000, 12_300_000, width)
    assert 0 < len(text) <= width
    assert "45%" in text


def test_a_line_says_rate_and_time_left() -> None:
    text = line("q.gguf", 450_000_000, 1_000_000_000, 10_000_000, 100)
    assert text == "q.gguf  [#########-----------]   45%  450.0 MB of 1.00 GB  10.0 MB/s  0:55 left"
    assert line("q.gguf", 5_000_000, None, None, 100) == "q.gguf  5.0 MB"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_one_line_on_a_terminal() -> None:
    """It is rewritten; a sentence goes on a line of its own."""
    now = [0.0]
    out = Terminal()
    progress = Progress("q.gguf", out, clock=lambda: now[0])
    progress.update(10, 100)
    progress.update(11, 100)  # too soon to be shown
    now[0] = 1.0
    progress.update(50, 100)
    assert out.getvalue().count("\r") == 2 and "\n" not in out.getvalue()
    progress.say("Starting over.")
    assert out.getvalue().endswith("\x1b[K\nStarting over.\n")
    progress.end()
    assert out.getvalue().endswith("over.\n")


def test_plain_lines_elsewhere() -> None:
    """Every few seconds one, none at once, no control characters."""
    now = [0.0]
    out = io.StringIO()
    progress = Progress("q.gguf", out, clock=lambda: now[0])
    for tenth in range(110):
        now[0] = tenth / 10
        progress.update(tenth, 200)
    assert out.getvalue().count("\n") == 2
    assert "\r" not in out.getvalue() and "\x1b" not in out.getvalue()


@pytest.mark.parametrize(
    ("values", "name", "expected"),
    [
        (
            {"general.architecture": "qwen2", "general.size_label": "1.5B", "general.file_type": 15, "qwen2.context_length": 32768},
            "x.gguf",
            Described("qwen2", "1.5B", "Q4_K_M", 32768),
        ),
        (
            {"general.architecture": "llama", "general.parameter_count": 3_480_000, "general.file_type": 7},
            "x-9b.gguf",
            Described("llama", "3.5M", "Q8_0", None),
        ),
        ({"general.architecture": "llama"}, "Llama-3.2-1B-Instruct-Q4_K_M.gguf", Described("llama", "1B", "Q4_K_M", None)),
        ({"general.architecture": "phi3", "general.file_type": 99}, "model.gguf", Described("phi3", "", "", None)),
        ({"general.architecture": "a", "general.size_label": "\x1b[31m"}, "m.gguf", Described("a", "", "", None)),
    ],
)  # fmt: skip
def test_descriptions(values: dict[str, int | str], name: str, expected: Described) -> None:
    assert describe(GgufMeta(3, 1, values), name) == expected
