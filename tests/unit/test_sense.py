"""What the phone tells without Termux:API, from made-up /proc and /sys trees."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from phone.device import Battery, Device
from phone.sense import (
    Core,
    Process,
    Sensors,
    Standing,
    big_clock,
    descendants,
    parse_meminfo,
    parse_stat,
    parse_status,
)

MEMINFO = """MemTotal:        7707176 kB
MemFree:          175036 kB
MemAvailable:    1258304 kB
Buffers:            3120 kB
"""
# Tensor G2: four little, two middle and two big cores, in kHz.
TENSOR_G2 = [1_803_000] * 4 + [2_348_000] * 2 + [2_850_000] * 2
NOW = [574_000] * 4 + [2_348_000] * 2 + [500_000, 2_137_500]


class OneBattery:
    def __init__(self, battery: Battery | None) -> None:
        self.answer = battery
        self.ages: list[float] = []

    def battery(self, max_age_s: float = 30.0) -> Battery | None:
        self.ages.append(max_age_s)
        return self.answer


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def write_cores(sys: Path, highest: list[int], now: list[int]) -> None:
    for number, (top, current) in enumerate(zip(highest, now, strict=True)):
        folder = sys / "devices/system/cpu" / f"cpu{number}" / "cpufreq"
        write(folder / "cpuinfo_max_freq", f"{top}\n")
        write(folder / "scaling_cur_freq", f"{current}\n")
    write(sys / "devices/system/cpu/cpufreq/policy0/cpuinfo_max_freq", "9999999\n")  # no core
    write(sys / "devices/system/cpu/cpuidle/current_driver", "none\n")


def write_process(
    proc: Path, pid: int, parent: int, uid: int = 1000, name: str = "python", command: str = "python\0-m\0phone\0"
) -> None:
    write(proc / str(pid) / "stat", f"{pid} ({name}) S {parent} {parent} {parent} 0 -1 4194560 1 0 0\n")
    write(proc / str(pid) / "status", f"Name:\t{name}\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\nVmRSS:\t    2048 kB\n")
    write(proc / str(pid) / "cmdline", command)


def test_device(tmp_path: Path) -> None:
    write(tmp_path / "proc/meminfo", MEMINFO)
    write_cores(tmp_path / "sys", TENSOR_G2, NOW)
    termux = OneBattery(Battery(percent=50))
    sensors = Sensors(termux, tmp_path / "proc", tmp_path / "sys")
    assert sensors.device(12.0) == Device(Battery(percent=50), 1258304 * 1024, 7707176 * 1024, 0.75)
    assert termux.ages == [12.0]


def test_a_phone_that_tells_nothing(tmp_path: Path) -> None:
    sensors = Sensors(OneBattery(None), tmp_path / "proc", tmp_path / "sys")
    assert sensors.device(30.0) == Device()
    assert sensors.processes() == ()
    assert sensors.standing() == Standing(cores=tuple(sorted(os.sched_getaffinity(0))))


def test_the_machine_that_runs_this() -> None:
    """The real /proc: whatever it has, ourselves among it."""
    sensors = Sensors(OneBattery(None))
    device = sensors.device(0.0)
    assert device.available_bytes is not None and device.total_bytes is not None
    assert 0 < device.available_bytes < device.total_bytes
    own = next(process for process in sensors.processes() if process.pid == os.getpid())
    assert (own.parent, own.group, own.session) == (os.getppid(), os.getpgid(0), os.getsid(0))
    assert own.rss_bytes is not None and own.rss_bytes > 1 << 20
    assert "pytest" in own.command
    assert sensors.standing().oom_score_adj is not None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (MEMINFO, (1258304 * 1024, 7707176 * 1024)),
        ("MemTotal: 10 kB\n", (None, 10240)),
        ("MemAvailable: lots kB\nMemTotal: -5 kB\n", (None, None)),
        ("MemAvailable: 5\n", (None, None)),
        ("NotMemAvailable: 5 kB\n", (None, None)),
        ("", (None, None)),
    ],
)
def test_meminfo(text: str, expected: tuple[int | None, int | None]) -> None:
    assert parse_meminfo(text) == expected


@pytest.mark.parametrize(
    ("cores", "expected"),
    [
        ([], None),
        ([Core(1000)], None),
        ([Core(1000, 500)], 0.5),
        # Only the big ones count, and of them the one that works.
        ([Core(1000, 1000), Core(2000, 1000), Core(2000, 500)], 0.5),
        ([Core(1000, 1000), Core(2000)], None),
        ([Core(2000), Core(2000, 1500)], 0.75),
        ([Core(2000, 2100)], 1.0),
    ],
)
def test_big_clock(cores: list[Core], expected: float | None) -> None:
    assert big_clock(cores) == expected


@pytest.mark.parametrize("text", ["", "0\n", "-5\n", "<unknown>\n", "18446744073709551615\n"])
def test_clocks_that_cannot_be_read(tmp_path: Path, text: str) -> None:
    write_cores(tmp_path, [2_850_000, 2_850_000], [1_425_000, 2_850_000])
    folder = tmp_path / "devices/system/cpu"
    (folder / "cpu0/cpufreq/cpuinfo_max_freq").write_text(text)
    (folder / "cpu1/cpufreq/scaling_cur_freq").write_text(text)
    sensors = Sensors(OneBattery(None), tmp_path, tmp_path)
    assert sensors.cores() == (Core(2_850_000),)
    assert sensors.device(0.0).big_clock is None


def test_a_clock_that_is_closed_to_us(tmp_path: Path) -> None:
    """A folder where a file should be cannot be read by anybody, not even by root."""
    write_cores(tmp_path, [2_850_000], [1_425_000])
    file = tmp_path / "devices/system/cpu/cpu0/cpufreq/scaling_cur_freq"
    file.unlink()
    file.mkdir()
    assert Sensors(OneBattery(None), tmp_path, tmp_path).device(0.0).big_clock is None


def test_standing(tmp_path: Path) -> None:
    write(tmp_path / "self/cpuset", "/background\n")
    write(tmp_path / "self/oom_score_adj", "-100\n")
    found = Sensors(OneBattery(None), tmp_path).standing()
    assert (found.cpuset, found.oom_score_adj) == ("/background", -100)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12 (python) S 1 12 11 0 -1 4194560 1", Process(12, 1, 12, 11, "S", "python")),
        ("12 (a) b (c) S 1 12 11 0", Process(12, 1, 12, 11, "S", "a) b (c")),
        ("12 (new\nline) Z 1 12 11 0", Process(12, 1, 12, 11, "Z", "new\nline")),
        ("12 () S 0 0 0 -1 0", Process(12, 0, 0, 0, "S", "")),
        ("12 (python) S 1", None),
        ("", None),
    ],
)
def test_stat(text: str, expected: Process | None) -> None:
    assert parse_stat(text) == expected


def test_status() -> None:
    assert parse_status("Name:\tx\nUid:\t1000\t0\t0\t0\nVmRSS:\t 12 kB\n") == (1000, 12288)
    assert parse_status("Uid:\t10234\t10234\t10234\t10234\n") == (10234, None)
    assert parse_status("") == (None, None)


def test_processes_of_our_own_user(tmp_path: Path) -> None:
    write_process(tmp_path, 300, 1)
    write_process(tmp_path, 40, 300, name="sv (x)", command="sv\0up\0")
    write_process(tmp_path, 50, 1, uid=0)
    write(tmp_path / "60/status", "Uid:\t1000\t1000\n")  # it ended while we read
    write(tmp_path / "meminfo", MEMINFO)
    write(tmp_path / "self/stat", "300 (python) S 1 1 1 0\n")
    found = Sensors(OneBattery(None), tmp_path, uid=1000).processes()
    assert found == (
        Process(40, 300, 300, 300, "S", "sv (x)", 2048 * 1024, "sv up"),
        Process(300, 1, 1, 1, "S", "python", 2048 * 1024, "python -m phone"),
    )


def test_descendants() -> None:
    parents = {2: 1, 3: 2, 4: 3, 5: 1, 6: 6, 7: 8, 8: 7}
    known = [Process(pid, parent, 0, 0, "S", "x") for pid, parent in parents.items()]
    assert {process.pid for process in descendants(2, known)} == {3, 4}
    assert {process.pid for process in descendants(7, known)} == {8}  # pids come round: no endless walk
    assert descendants(99, known) == ()
