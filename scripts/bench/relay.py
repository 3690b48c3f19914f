"""What the adapter adds to an upstream's time, beside a 40-line aiohttp relay and the LiteLLM proxy, in one run.

`.venv/bin/python scripts/bench/relay.py [--rounds 5] [--quick] [--litellm PYTHON | --no-litellm]` prints tables. All programs stand in front of the same
fast upstream, each a process of its own; the load comes from another one. They are measured in turn, in an order that changes with the round;
what they add is their figure less the direct one of the same round, and the tables show medians over rounds. Memory is read one second after
the start: RSS, which is what a program costs that runs alone, and PSS, which counts pages shared with others in parts. Each has a folder of its
own for compiled bytecode, filled by a first start that is not measured. LiteLLM is installed into the user's cache folder the first time (600 MB); `--litellm` names a Python that has it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from engine_bench.prepare import cache_folder
from relay_bench import contestants, litellm_venv
from relay_bench.contestants import HERE, KEY, Contestant, NotStarted, Running, Start
from relay_bench.figures import (
    FIGURES,
    LITELLM_SHARE,
    LOADS,
    MEMORY_TIMES,
    QUICK,
    RELAY_TIMES,
    START_TIMES,
    Figure,
    Load,
    Samples,
    ratio,
    verdict,
)
from relay_bench.load import WARM_UP

NAMES = ("relay", "adapter", "litellm")
Added = dict[tuple[str, str], list[float]]
Starts = dict[str, list[Start]]


def main() -> None:
    args = _arguments()
    python = None if args.no_litellm else args.litellm or litellm_venv.python_of(cache_folder())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with contestants.running(contestants.upstream(), folder) as upstream:
            others = _contestants(f"http://127.0.0.1:{upstream.port}", python, folder)
            starts = _starts(others, args.rounds, folder)
            able = [contestant for contestant in others if starts[contestant.name]]
            added, direct = _load_rounds(upstream, able, args.rounds, QUICK if args.quick else LOADS, folder)
    _print_added(added, direct, args.rounds)
    _print_starts(starts)
    if python is None:
        print("\nLiteLLM is not here: its columns are empty.")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="fewer requests: shows that it works, not more")
    parser.add_argument("--litellm", type=Path, metavar="PYTHON", help="a Python that has litellm[proxy]")
    parser.add_argument("--no-litellm", action="store_true")
    return parser.parse_args()


def _contestants(upstream_url: str, python: Path | None, folder: Path) -> list[Contestant]:
    found = [contestants.relay(upstream_url), contestants.adapter(upstream_url, folder / "home")]
    if python is not None:
        found.append(contestants.litellm(upstream_url, python, folder / "litellm"))
    return found


def _starts(others: Sequence[Contestant], rounds: int, folder: Path) -> Starts:
    """Each started alone. LiteLLM, whose start takes many seconds, fewer times."""
    starts: Starts = defaultdict(list)
    for number in range(rounds):
        for contestant in others:
            if contestant.name == "litellm" and number >= 2:
                continue
            try:
                if number == 0:
                    contestants.start(contestant, folder)  # compiles
                starts[contestant.name].append(contestants.start(contestant, folder))
            except NotStarted as error:
                if number == 0:
                    print(f"... left out: {error}", file=sys.stderr, flush=True)
    return starts


def _load_rounds(
    upstream: Running, able: Sequence[Contestant], rounds: int, loads: dict[str, Load], folder: Path
) -> tuple[Added, dict[str, list[float]]]:
    """What each adds to each figure, by round; and the direct figures."""
    added: Added = defaultdict(list)
    direct: dict[str, list[float]] = defaultdict(list)
    with ExitStack() as stack:
        peers = [upstream, *(stack.enter_context(contestants.running(contestant, folder)) for contestant in able)]
        for number in range(rounds):
            turn = number % len(peers)
            for name, load in loads.items():
                samples = {peer.contestant.name: _measure(peer, load) for peer in peers[turn:] + peers[:turn]}
                for figure in (figure for figure in FIGURES if figure.load == name):
                    _take(figure, samples, added, direct)
            print(f"... round {number + 1} of {rounds}", file=sys.stderr, flush=True)
    return added, direct


def _take(figure: Figure, samples: dict[str, Samples], added: Added, direct: dict[str, list[float]]) -> None:
    values = {name: figure.of(found[figure.samples]) for name, found in samples.items()}
    bare = values.pop("direct")
    direct[figure.name].append(bare)
    for name, value in values.items():
        added[figure.name, name].append(value - bare if figure.added else value)


def _measure(peer: Running, load: Load) -> Samples:
    command = [
        sys.executable, str(HERE / "load.py"), str(peer.port), KEY, "--clients", str(load.clients), "--requests", str(load.requests),
        "--chunks", str(load.chunks),
    ]  # fmt: skip
    before = contestants.cpu_us(peer.pid)
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    spent = contestants.cpu_us(peer.pid) - before
    if done.returncode:
        raise SystemExit(f"the load on {peer.contestant.name} failed:\n{done.stderr[-3000:]}")
    units = load.clients * (load.requests + WARM_UP) * max(1, load.chunks)
    return {**json.loads(done.stdout), "cpu_us": [spent / units]}


def _print_added(added: Added, direct: dict[str, list[float]], rounds: int) -> None:
    print(f"\nAdded to the bare upstream; medians of {rounds} rounds (lowest to highest)\n")
    print(f"| {'figure':28} | {'direct':>10} | {'relay':>22} | {'adapter':>22} | {'litellm':>22} | {'/relay':>7} |      | {'/litellm':>8} |      |")
    print(f"|{'-' * 30}|{'-' * 11}:|{'-' * 23}:|{'-' * 23}:|{'-' * 23}:|{'-' * 8}:|------|{'-' * 9}:|------|")
    for figure in FIGURES:
        relay, ours, litellm = (_median(added.get((figure.name, name))) for name in NAMES)
        cells = [_spread(added.get((figure.name, name)), figure.unit) for name in NAMES]
        to_relay, to_litellm = ratio(ours, relay), ratio(ours, litellm)
        print(
            f"| {figure.name:28} | {_number(_median(direct[figure.name])):>7} {figure.unit} | {cells[0]:>22} | {cells[1]:>22} | {cells[2]:>22} "
            f"| {_number(to_relay):>7} | {verdict(to_relay, RELAY_TIMES):4} | {_number(to_litellm, 3):>8} | {verdict(to_litellm, LITELLM_SHARE):4} |"
        )
    print(f"\nTargets: <= {RELAY_TIMES:g} of the relay's, <= {LITELLM_SHARE:.3f} of LiteLLM's.")


def _print_starts(starts: Starts) -> None:
    print(f"\n| {'start and rest':28} | {'relay':>10} | {'adapter':>10} | {'litellm':>10} | {'/relay':>7} | {'target':>7} |      |")
    print(f"|{'-' * 30}|{'-' * 11}:|{'-' * 11}:|{'-' * 11}:|{'-' * 8}:|{'-' * 8}:|------|")
    for name, field, limit in (
        ("start to health, ms", "health_ms", START_TIMES),
        ("start to first answer, ms", "answer_ms", START_TIMES),
        ("RSS at rest, MiB", "rss_mib", MEMORY_TIMES),
        ("PSS at rest, MiB", "pss_mib", MEMORY_TIMES),
    ):
        relay, ours, litellm = (_median([getattr(start, field) for start in starts.get(who, [])]) for who in NAMES)
        value = ratio(ours, relay)
        cells = " | ".join(f"{_number(cell, 1):>10}" for cell in (relay, ours, litellm))
        print(f"| {name:28} | {cells} | {_number(value):>7} | {'<= ' + format(limit, 'g'):>7} | {verdict(value, limit):4} |")


def _median(values: Sequence[float] | None) -> float | None:
    return statistics.median(values) if values else None


def _number(value: float | None, digits: int = 2) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _spread(values: Sequence[float] | None, unit: str) -> str:
    if not values:
        return ""
    digits = 2 if unit == "ms" else 0
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


if __name__ == "__main__":
    main()
