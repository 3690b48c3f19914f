"""What the idle bundle costs: its processes, their memory, how often each wakes the phone up, and how often the supervisor looks.

`.venv/bin/python scripts/bench/bundle.py [--seconds 60] [--settle 0]` starts the bundle in a scratch prefix, as the live tests do (real runit, the
services as shipped, the real supervisor and adapter; needs Debian's runit and a clone with tests/), waits `--settle` seconds, watches for `--seconds`,
and prints a table. After two minutes without a request the supervisor looks three times as seldom: `--settle 130` measures that.

RSS is what a process holds, PSS counts pages shared with others in parts: the sum of PSS is what ends with the bundle. Wake-ups are the voluntary
context switches of all threads that were there before and after; one that came and went between runs within a wake-up of another.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.live.bundle_looks import Looks
from tests.live.bundle_prefix import bundle


@dataclass(frozen=True)
class Row:
    """rss_mib, pss_mib: at the end. wakes: voluntary context switches meanwhile."""

    name: str
    count: int
    rss_mib: float
    pss_mib: float
    wakes: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--settle", type=float, default=0.0, help="idle before, in seconds")
    args = parser.parse_args()
    settings = {"tick_s": 5.0, "ready_s": 120.0}
    with tempfile.TemporaryDirectory() as folder, bundle(Path(folder), proxy=False, gateway=False, supervisor=settings) as farm:
        farm.phone.boot()
        farm.wait_ready()
        time.sleep(args.settle + 2)
        names = {pid: named(words) for pid, words in farm.phone.processes().items()}
        before = {pid: switches(pid) for pid in names}
        with Looks(farm.phone.places.service("farmhand-adapter") / "supervise", "status") as looks:
            seen = looks.during(args.seconds)
        rows = [row(name, [pid for pid in names if names[pid] == name], before) for name in dict.fromkeys(sorted(names.values()))]
        print_table(rows, args.seconds, len(seen))


def named(words: str) -> str:
    """`adapter`, `supervisor`, or the program of runit's."""
    for name, mark in (("adapter", "-m adapter serve"), ("supervisor", "-m phone supervise")):
        if mark in words:
            return name
    program = words.split()[0].rpartition("/")[2]
    return "anchor (sleep)" if program == "sleep" else program


def switches(pid: int) -> dict[str, int]:
    """By thread."""
    found = {}
    for task in Path(f"/proc/{pid}/task").glob("*/status"):
        if match := re.search(r"^voluntary_ctxt_switches:\s+(\d+)", task.read_text(), re.MULTILINE):
            found[task.parent.name] = int(match[1])
    return found


def row(name: str, pids: list[int], before: dict[int, dict[str, int]]) -> Row:
    rss = pss = 0.0
    wakes = 0
    for pid in pids:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        sizes = dict(re.findall(r"^(Rss|Pss):\s+(\d+) kB", text, re.MULTILINE))
        rss, pss = rss + int(sizes["Rss"]) / 1024, pss + int(sizes["Pss"]) / 1024
        after = switches(pid)
        wakes += sum(after[thread] - count for thread, count in before[pid].items() if thread in after)
    return Row(name, len(pids), rss, pss, wakes)


def print_table(rows: list[Row], seconds: float, looks: int) -> None:
    print(f"{'':16}{'processes':>10}{'RSS, MiB':>10}{'PSS, MiB':>10}{'wake-ups/min':>14}")
    total = Row("all", *(sum(getattr(one, name) for one in rows) for name in ("count", "rss_mib", "pss_mib", "wakes")))
    for one in [*sorted(rows, key=lambda one: -one.pss_mib), total]:
        print(f"{one.name:16}{one.count:>10}{one.rss_mib:>10.1f}{one.pss_mib:>10.1f}{one.wakes * 60 / seconds:>14.1f}")
    print(f"\nlooks of the supervisor: {looks * 60 / seconds:.1f} a minute (watched for {seconds:g} s)")


if __name__ == "__main__":
    main()
