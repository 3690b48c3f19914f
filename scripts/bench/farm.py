"""A farm of three phones behind LiteLLM's router: how it shares the work, and what it loses when one goes away.

`.venv/bin/python scripts/bench/farm.py [--requests 200] [--at-once 9] [--rounds 1] [--only NAME ...]` prints a table. Each line is a LiteLLM proxy of its own
with three real adapters, from the configuration that `farmhand connect litellm --phone ...` writes; `ours` runs it as it is, the others change the
router's settings as their name says. Time limits are shortened to 8 s (plain) and 4 s of silence (stream), so that a silent phone does not take five minutes.

even: three phones alike. uneven: the third is five times slower; each answers one request at a time. killed: the second one's adapter gets SIGKILL after 60
requests. unplugged: what stands before the second goes silent, so that nobody is told. LiteLLM is installed into the user's cache folder the first time (600 MB).
"""

from __future__ import annotations

import argparse
import asyncio
import io
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from adapter.connect.targets.litellm import ALONE
from tests.live.farm_cases import ECHO, Farm, Outcome, app, litellm_proxy, load, phones

PLAIN_S, STREAM_S = 8, 4
MODEL = "auto"
TOKEN_S, SLOW = 0.02, 5
# What `protocols/clients.md` 9.1 has, with cooldowns as LiteLLM does them by itself.
BY_THE_BOOK: Mapping[str, Any] = {
    "routing_strategy": "simple-shuffle", "num_retries": 2, "retry_after": 1, "allowed_fails": 3, "cooldown_time": 15, "retry_policy": ALONE,
}  # fmt: skip
SETTINGS: Mapping[str, tuple[bool, Mapping[str, Any]]] = {
    # Whether it stands for all of `router_settings`, and the settings.
    "ours": (False, {}),
    "ours, but shuffled": (False, {"routing_strategy": "simple-shuffle"}),
    "ours, by latency": (False, {"routing_strategy": "latency-based-routing"}),
    "by the book": (True, BY_THE_BOOK),
    "by the book, least busy": (True, {**BY_THE_BOOK, "routing_strategy": "least-busy"}),
}
EVENTS: Mapping[str, Callable[[Farm], object]] = {
    "even": lambda farm: None,
    "uneven": lambda farm: None,
    "killed": lambda farm: farm.kill(1),
    "unplugged": lambda farm: farm.relays[1].unplug(),
}


def main() -> None:
    args = _arguments()
    print(f"{args.requests} requests, {args.at_once} at once, every other one streams; three phones. Time limits {PLAIN_S} s plain, {STREAM_S} s of silence in a stream.")
    print(f"\n{'router':24} {'what happens':12} {'failed':>7} {'of these not begun':>19} {'whole':>8} {'median':>8} {'slowest':>8}   who answered")
    for name in args.only or SETTINGS:
        for event in args.events or EVENTS:
            for _ in range(args.rounds):
                print(_line(name, event, run(name, event, args.requests, args.at_once)), flush=True)


def run(name: str, event: str, requests: int, at_once: int) -> Outcome:
    whole, settings = SETTINGS[name]
    with tempfile.TemporaryDirectory() as folder, _phones(Path(folder), event) as farm:
        farm.connect()
        change(farm.config, settings, whole=whole)
        with litellm_proxy(farm.config) as proxy:
            return asyncio.run(load(proxy, MODEL, requests, at_once=at_once, event=lambda: EVENTS[event](farm)))


def change(config: Path, settings: Mapping[str, Any], *, whole: bool = False) -> None:
    """The time limits, and these settings of the router."""
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    value = yaml.load(config.read_text(encoding="utf-8"))
    for entry in value["model_list"]:
        entry["litellm_params"] |= {"timeout": PLAIN_S, "stream_timeout": STREAM_S}
    value["router_settings"] = {**({} if whole else value["router_settings"]), **settings}
    out = io.StringIO()
    yaml.dump(value, out)
    config.write_text(out.getvalue(), encoding="utf-8")


@contextmanager
def _phones(folder: Path, event: str) -> Iterator[Farm]:
    with ExitStack() as stack:
        if event == "uneven":
            urls = [stack.enter_context(app(TOKEN_S * (SLOW if number == 2 else 1))) for number in range(3)]
            configs = [f'[[engine]]\nname = "app"\nkind = "inferrlm"\nurl = "{url}"\nqueue = 64\n' for url in urls]
        else:
            configs = [ECHO.format(delay_s=TOKEN_S)] * 3
        yield stack.enter_context(phones(folder, configs))


def _line(name: str, event: str, outcome: Outcome) -> str:
    shares = ", ".join(f"{whose.partition('/')[0] or 'nobody'} {count}" for whose, count in outcome.shares().items())
    return (
        f"{name:24} {event:12} {len(outcome.failed):>7} {len(outcome.failed_unbegun):>19} {outcome.seconds:>6.1f} s {outcome.median_s():>6.2f} s "
        f"{outcome.slowest_s:>6.1f} s   {shares}"
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="LiteLLM's router over three adapters, of which one goes away.")
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--at-once", type=int, default=9)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--only", nargs="+", choices=sorted(SETTINGS), metavar="ROUTER", help=", ".join(SETTINGS))
    parser.add_argument("--events", nargs="+", choices=sorted(EVENTS))
    return parser.parse_args()


if __name__ == "__main__":
    main()
