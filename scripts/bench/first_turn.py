"""The first turn of an agent after a start: cold, and with its prompt pinned (`farmhand connect openclaw --record`).

`.venv/bin/python scripts/bench/first_turn.py [--turn FILE] [--model GGUF] [--rounds 1] [--threads 1]`. FILE: a recorded request of OpenClaw, by default
its turn with few tools (11 kB); `tests/data/wire/clients/openclaw/agent_turn.json` is its usual one (32 kB). Prints seconds until the first word came, from
a request that is sent as soon as the server says that it lives, so that loading the model counts. Ratios are of the same run.
"""

from __future__ import annotations

import argparse
import http.client
import json
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from engine_bench import peers, prepare
from engine_bench.model import Shape
from engine_bench.peers import KEY, ROOT, Load, Peer

sys.path.insert(0, str(ROOT))

from adapter.connect.record import pin_of

TURN = ROOT / "tests/data/wire/clients/openclaw/turn_tools_profile_minimal.json"
RECORDED_ON = "2026-11-20"
LIMIT_S = 3_000.0
ANSWER_TOKENS = 8

Body = dict[str, Any]


def main() -> None:
    args = _arguments()
    first = _dated(json.loads(args.turn.read_text())["body"])
    said = [{"role": "assistant", "content": "Good morning."}, {"role": "user", "content": "And what is next?"}]
    second = {**first, "messages": [*first["messages"], *said]}
    model = args.model or prepare.model(prepare.cache_folder(), Shape())
    load = Load(model, 1, args.ctx_tokens, args.threads)
    figures: dict[str, list[float]] = defaultdict(list)
    tokens = 0
    for _ in range(args.rounds):
        with tempfile.TemporaryDirectory() as folder:
            tokens = _round(load, Path(folder), first, second, figures)
    _print(figures, tokens, load, args)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turn", type=Path, default=TURN)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--ctx-tokens", type=int, default=16_384)
    return parser.parse_args()


def _dated(body: Body) -> Body:
    """As OpenClaw would send it today."""
    text: Body = json.loads(json.dumps(body).replace(RECORDED_ON, date.today().isoformat()))
    return text


def _round(load: Load, folder: Path, first: Body, second: Body, figures: dict[str, list[float]]) -> int:
    """Tokens of the prompt."""
    with peers.farmhand(load, folder / "cold", extra="kv_store_mib = 0\n") as peer:
        waited_s, usage = _first_word(peer, first)
        figures["cold: nothing pinned, nothing on disk"].append(waited_s)
        figures["second turn of the same session"].append(_first_word(peer, second)[0])
    home = folder / "pinned"
    (home / "pins").mkdir(parents=True)
    (home / "pins" / "openclaw.json").write_text(json.dumps(pin_of([first, first], date.today().isoformat()).body))
    with peers.farmhand(load, home) as peer:
        figures["computing the pinned prompt, once, by itself"].append(_baked(home))
        figures["first turn, pinned"].append(_first_word(peer, first)[0])
    with peers.farmhand(load, home) as peer:
        waited_s, warm = _first_word(peer, first)
        figures["first turn after a restart, pinned"].append(waited_s)
        figures["second turn after a restart"].append(_first_word(peer, second)[0])
    cached = warm["prompt_tokens_details"]["cached_tokens"]
    sys.stdout.write(f"after the restart {cached:,} of {warm['prompt_tokens']:,} prompt tokens were there already\n")
    return int(usage["prompt_tokens"])


def _baked(home: Path) -> float:
    began_s = time.monotonic()
    while not [*(home / "kv").rglob("*.pin.kv")]:
        if time.monotonic() - began_s > LIMIT_S:
            raise SystemExit(f"not pinned within {LIMIT_S:g} s:\n{(home / 'log').read_text()[-2000:]}")
        time.sleep(0.05)
    return time.monotonic() - began_s


def _first_word(peer: Peer, body: Body) -> tuple[float, Body]:
    """Seconds until the first text, and the usage."""
    given = {**body, "model": peer.model, "max_completion_tokens": ANSWER_TOKENS, "stream": True, "stream_options": {"include_usage": True}}
    connection = http.client.HTTPConnection(urlsplit(peer.base_url).netloc, timeout=LIMIT_S)
    began_s = time.monotonic()
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    connection.request("POST", "/v1/chat/completions", json.dumps(given), headers)
    answer = connection.getresponse()
    waited_s: float | None = None
    usage: Body = {}
    if answer.status != 200:
        raise SystemExit(f"HTTP {answer.status}: {answer.read()[:500]!r}")
    for line in answer:
        if not line.startswith(b"data: {"):
            continue
        chunk = json.loads(line[6:])
        if "error" in chunk:
            raise SystemExit(f"the answer failed: {chunk['error']}")
        usage = chunk.get("usage") or usage
        deltas = [choice["delta"] for choice in chunk["choices"]]
        if waited_s is None and any(delta.get("content") or delta.get("tool_calls") for delta in deltas):
            waited_s = time.monotonic() - began_s
    connection.close()
    return time.monotonic() - began_s if waited_s is None else waited_s, usage


def _print(figures: dict[str, list[float]], tokens: int, load: Load, args: argparse.Namespace) -> None:
    sys.stdout.write(f"{args.turn.name}, {tokens:,} tokens; {load.model.name}, {load.threads} thread(s); median of {args.rounds}\n\n")
    cold = statistics.median(figures["cold: nothing pinned, nothing on disk"])
    sys.stdout.write(f"{'seconds until the first word':48}{'s':>10}{'of cold':>12}\n")
    for name, values in figures.items():
        seconds = statistics.median(values)
        sys.stdout.write(f"{name:48}{seconds:10.2f}{seconds / cold:12.3f}\n")


if __name__ == "__main__":
    main()
