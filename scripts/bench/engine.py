"""The embedded engine beside llama-server of the same llama.cpp, and beside `python -m llama_cpp.server`.

`.venv/bin/python scripts/bench/engine.py [--rounds 3] [--only WORD] [--no-third]`. Makes what it needs the first time (a random
model of about 370 M parameters, llama-server built from the sdist's llama.cpp; 15 minutes), then measures both in turn,
several rounds, on an otherwise idle machine, and prints medians and ratios. One thread, since something else always runs.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import sys
import tempfile
from collections import defaultdict
from contextlib import AbstractContextManager
from pathlib import Path

import aiohttp
from engine_bench import peers, prepare
from engine_bench.figures import FIGURES, Bench, Figure
from engine_bench.model import Shape
from engine_bench.peers import Load, Peer

SLOTS = 8
CTX_TOKENS = 4_608

Results = dict[tuple[str, str], list[float]]


def main() -> None:
    args = _arguments()
    cache = prepare.cache_folder()
    binary = args.llama_server or prepare.llama_server_binary(cache)
    libraries = None if args.no_third else prepare.server_libraries(cache)
    load = Load(prepare.model(cache, Shape()), SLOTS, CTX_TOKENS, args.threads)
    chosen = [figure for figure in FIGURES if args.only in figure.name]
    results: Results = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        logs = Path(folder)
        for number in range(args.rounds):
            ours = peers.farmhand(load, logs / f"home-{number}", extra=args.engine)
            theirs = peers.llama_server(load, binary, logs)
            both = [(ours, chosen), (theirs, [f for f in chosen if not f.alone])]
            for server, figures in both if number % 2 == 0 else reversed(both):
                _measure(server, figures, results, number)
        if libraries is not None:
            third = peers.llama_cpp_server(load, libraries, logs)
            # It works on one request at a time: what needs several at once would only measure its queue.
            alone = ("decode, 1", "prefill", "second turn", "memory")
            _measure(third, [f for f in chosen if f.name.startswith(alone)], results, 0)
    _print(chosen, results, load)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", default="", help="only figures whose name has this in it")
    parser.add_argument("--engine", default="", help="further lines for the engine's section of our configuration")
    parser.add_argument("--no-third", action="store_true", help="leave python -m llama_cpp.server out")
    parser.add_argument("--llama-server", type=Path, help="a llama-server that was built already")
    return parser.parse_args()


def _measure(server: AbstractContextManager[Peer], figures: list[Figure], results: Results, number: int) -> None:
    if figures:
        with server as peer:
            asyncio.run(_measure_peer(peer, figures, results, number))


async def _measure_peer(peer: Peer, figures: list[Figure], results: Results, number: int) -> None:
    limits = aiohttp.ClientTimeout(total=None, sock_read=900)
    async with aiohttp.ClientSession(timeout=limits, connector=aiohttp.TCPConnector(limit=0, force_close=True)) as session:
        bench = Bench(session, peer, random.Random(number))
        await bench.ask(8, 4)  # the model is loaded and its pages are in memory
        for figure in figures:
            value = await figure.measure(bench)
            results[figure.name, peer.name].append(value)
            print(f"... round {number + 1}, {peer.name}: {figure.name} {value:.4g} {figure.unit}", file=sys.stderr, flush=True)


def _print(figures: list[Figure], results: Results, load: Load) -> None:
    print(f"\n{load.model.name}, {load.slots} slots of {load.ctx_tokens} tokens, {load.threads} thread(s); medians\n")
    print(f"| {'figure':36} | {'farmhand':>14} | {'llama-server':>14} | {'llama_cpp':>14} | {'ratio':>8} | {'target':>8} |      |")
    print(f"|{'-' * 38}|{'-' * 15}:|{'-' * 15}:|{'-' * 15}:|{'-' * 9}:|{'-' * 9}:|------|")
    for figure in figures:
        ours, theirs, third = (
            _median(results, figure, name) for name in ("farmhand", "llama-server", "llama_cpp.server")
        )
        judged, met = _judged(figure, ours, theirs)
        cells = (_cell(value, figure.unit) for value in (ours, theirs, third))
        print(f"| {figure.name:36} | {' | '.join(f'{cell:>14}' for cell in cells)} | {judged:>8} | {_target(figure):>8} | {met:4} |")


def _median(results: Results, figure: Figure, name: str) -> float | None:
    values = results.get((figure.name, name))
    return statistics.median(values) if values else None


def _cell(value: float | None, unit: str) -> str:
    return "" if value is None else f"{value:.4g} {unit}".strip()


def _judged(figure: Figure, ours: float | None, theirs: float | None) -> tuple[str, str]:
    """What is compared with the target, and whether it holds."""
    if ours is None or (theirs is None and not figure.alone):
        return "", ""
    if figure.alone:
        value = ours
    else:
        assert theirs is not None
        value = ours - theirs if figure.difference else ours / theirs
    met = value >= figure.target if figure.higher else value <= figure.target
    return (f"{value:+.0f}" if figure.difference else f"{value:.3f}"), "ok" if met else "MISS"


def _target(figure: Figure) -> str:
    sign = ">=" if figure.higher else "<="
    return f"{sign} {figure.target:+.0f}" if figure.difference else f"{sign} {figure.target:.3g}"


if __name__ == "__main__":
    main()
