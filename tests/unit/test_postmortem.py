"""Why a service ended, in one sentence."""

from __future__ import annotations

import pytest

from phone.device import Device
from phone.supervisor.postmortem import OFF_FOR_PHANTOMS, all_at_once, is_low, why
from phone.supervisor.types import Exit, Observation, Phase, Runit, Seen, Service

GIB_KB = 1 << 20
PHONE = Device(total_bytes=8 << 30)


def end(code: int = -1, signal: int = 0, kb: int | None = 2 * GIB_KB, at_s: float = 1_000.0) -> Exit:
    return Exit(at_s, code, signal, kb)


@pytest.mark.parametrize(
    ("last", "others", "line", "said"),
    [
        (end(0, 0), (), "", "ended by itself"),
        (end(1, 0), (), "Port 8888 is taken", "status 1; its last words: Port 8888 is taken"),
        (end(1, 0), (), "", "ended with status 1"),
        (end(78, 0), (), "litellm is not installed; type: pip install litellm", "cannot start: litellm is not installed"),
        (end(78, 0), (), "", "farmhand doctor"),
        (end(signal=15), (), "", "was told to end (SIGTERM)"),
        (end(signal=2), (), "", "was told to end (SIGINT)"),
        (end(signal=11), (), "ggml_abort", "crashed (SIGSEGV); its last words: ggml_abort"),
        (end(signal=6), (), "", "crashed (SIGABRT)"),
        (end(signal=4), (), "", "CPU_ARM_ARCH=armv8.2-a"),
        (end(signal=42), (), "", "crashed (signal 42)"),
        (end(signal=9, kb=100 * 1024), (), "", "100 MiB of memory free: Android's low-memory killer"),
        (end(signal=9, kb=450 * 1024), (), "", "low-memory killer"),
        (end(signal=9, kb=600 * 1024), (), "", OFF_FOR_PHANTOMS),
        (end(signal=9), (), "", "2.0 GiB of memory free: by Android's phantom process killer, if nobody did it by hand"),
        (end(signal=9, kb=None), (), "", "(SIGKILL): by Android's phantom process killer"),
        (end(signal=9), (end(signal=9, at_s=1_004.0),), "", "together with another service"),
        (end(signal=9), (end(signal=9), end(signal=9, at_s=995.0)), "", "together with 2 other services"),
        (end(signal=9), (end(signal=9, at_s=1_100.0), end(1, 0)), "", "if nobody did it by hand"),
    ],
)
def test_the_sentence(last: Exit, others: tuple[Exit, ...], line: str, said: str) -> None:
    words = why(last, others, PHONE, line)
    assert said in words
    assert "\n" not in words


@pytest.mark.parametrize(
    ("kb", "total", "low"),
    [
        (None, 8 << 30, False),
        (255 * 1024, None, True),
        (257 * 1024, None, False),
        (257 * 1024, 8 << 30, True),
        (600 * 1024, 8 << 30, False),
        (300 * 1024, 4 << 30, False),
    ],
)
def test_low_memory(kb: int | None, total: int | None, low: bool) -> None:
    assert is_low(kb, total) is low


def look(pid: int | None, *exits: Exit) -> Seen:
    return Seen(Runit(Phase.RUN if pid else Phase.DOWN, pid), exits=exits)


@pytest.mark.parametrize(
    ("then", "now", "killed"),
    [
        ({}, {}, False),
        ({Service.ADAPTER: 5}, {Service.ADAPTER: look(None)}, True),
        ({Service.ADAPTER: 5, Service.PROXY: 6}, {Service.ADAPTER: look(50)}, True),
        ({Service.ADAPTER: 5}, {Service.ADAPTER: look(5)}, False),
        ({Service.ADAPTER: 5}, {Service.ADAPTER: look(None, end(signal=9))}, False),
        ({Service.ADAPTER: 5, Service.PROXY: 6}, {Service.ADAPTER: look(50), Service.PROXY: look(6)}, False),
    ],
)
def test_the_whole_app_was_closed(then: dict[Service, int], now: dict[Service, Seen], killed: bool) -> None:
    words = all_at_once(then, Observation(1.0, now))
    assert bool(words) is killed
    if killed:
        assert "Unrestricted" in words
