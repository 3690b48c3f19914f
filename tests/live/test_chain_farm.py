"""Three real adapters behind the real LiteLLM router, from what `farmhand connect litellm --phone ...` makes, and one of them goes away.

What is asserted is what can be promised: an answer of which nothing had come yet is given by another phone. A stream that had begun, be it only to say that
the assistant speaks, LiteLLM cannot mend; it has to say so. `scripts/bench/farm.py` shows more, and compares.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tests.live.farm_cases import ECHO, Farm, Outcome, Proxy, ask, litellm_proxy, load, phones

Tried = Callable[[str, str], None]
COUNT, AT_ONCE = 200, 9
# Instead of 300 and 30 s, so that a test of a silent phone takes seconds.
PLAIN_S, STREAM_S = 8, 4
DELAY_S = 0.02


def hasten(config: Path) -> None:
    """Shorter time limits, and nothing else of what was generated."""
    from ruamel.yaml import YAML

    yaml = YAML()
    value = yaml.load(config)
    for entry in value["model_list"]:
        entry["litellm_params"] |= {"timeout": PLAIN_S, "stream_timeout": STREAM_S}
    yaml.dump(value, config)


@contextmanager
def farm_of(folder: Path, configs: list[str], keys: Callable[[Farm], list[str]] | None = None) -> Iterator[tuple[Farm, Proxy]]:
    """keys: that the proxy has for them, where these are others than their own."""
    with phones(folder, configs) as farm:
        farm.connect()
        if keys is not None:
            env = farm.config.parent / "env.local"
            text = env.read_text()
            for phone, key in zip(farm.adapters, keys(farm), strict=True):
                text = text.replace(phone.key, key)
            env.write_text(text)
        hasten(farm.config)
        with litellm_proxy(farm.config) as proxy:
            yield farm, proxy


def said(what: str, outcome: Outcome) -> None:
    """For the closing note: `pytest -s -k farm`."""
    sys.stdout.write(
        f"\n{what}: {len(outcome.results)} requests in {outcome.seconds:.1f} s, {len(outcome.failed)} failed, {len(outcome.failed_unbegun)} of them before "
        f"anything came; median {outcome.median_s():.2f} s, slowest {outcome.slowest_s:.1f} s; {outcome.shares()}\n"
    )


def kept_its_promise(outcome: Outcome) -> None:
    assert len(outcome.results) == COUNT
    # LiteLLM repeats at once, and notes who failed a moment later: a request can spend all its tries on the dead phone. Seen once in some 2,000.
    assert len(outcome.failed_unbegun) <= 1, outcome.failed_unbegun
    # Streams in the middle of their text at that moment, on the one phone: at most what was under way.
    assert len(outcome.failed) <= AT_ONCE
    begun = [result for result in outcome.failed if result.began]
    assert all(result.stream and "stream" in result.said for result in begun), begun


def test_one_phone_is_killed(tmp_path: Path, tried: Tried) -> None:
    tried("LiteLLM proxy", "farm: one killed")
    with farm_of(tmp_path, [ECHO.format(delay_s=DELAY_S)] * 3) as (farm, proxy):
        outcome = asyncio.run(load(proxy, "auto", COUNT, at_once=AT_ONCE, event=lambda: farm.kill(1)))
    said("killed", outcome)
    kept_its_promise(outcome)
    assert set(outcome.shares()) == {"phone1/auto", "phone2/auto", "phone3/auto"}, "all three had worked"


def test_one_phone_is_unplugged(tmp_path: Path, tried: Tried) -> None:
    """Nobody is told: its connections stay open and silent. It costs those who were there their patience, once."""
    tried("LiteLLM proxy", "farm: one silent")
    with farm_of(tmp_path, [ECHO.format(delay_s=DELAY_S)] * 3) as (farm, proxy):
        outcome = asyncio.run(load(proxy, "auto", COUNT, at_once=AT_ONCE, event=lambda: farm.relays[1].unplug()))
    said("unplugged", outcome)
    kept_its_promise(outcome)
    # Its own patience, and twice that for retries that met the same phone; the rest is a noisy machine's.
    assert outcome.slowest_s < 3 * PLAIN_S + 10


def test_one_phone_has_the_wrong_key(tmp_path: Path, tried: Tried) -> None:
    """Its 401 is no client's error while others answer: it is set aside, and the name stays on."""
    tried("LiteLLM proxy", "farm: one 401")
    with farm_of(tmp_path, [ECHO.format(delay_s=0)] * 3, with_a_wrong_key) as (_, proxy):
        outcome = asyncio.run(load(proxy, "auto", 60, at_once=6))
    said("wrong key", outcome)
    assert outcome.failed == []
    assert "phone2/auto" not in outcome.shares()


def test_different_phones(tmp_path: Path, tried: Tried) -> None:
    """A prompt that is too long for the first goes to the one with room; what only one phone has is answered by another's when that is gone; a 404 of the only
    one does not shut the name off."""
    tried("LiteLLM proxy", "farm: contexts, fallbacks")
    small = ECHO.format(delay_s=0) + "ctx_tokens = 256\n"
    large = ECHO.format(delay_s=0) + 'ctx_tokens = 4096\n[[engine]]\nname = "other"\nkind = "echo"\n'
    with farm_of(tmp_path, [small, large]) as (farm, proxy):
        assert asyncio.run(_sizes(proxy)) == {"phone1/auto": 256, "phone2/auto": 4_096}
        long = "word " * 600 + "end"
        results = asyncio.run(_several(proxy, "auto", 8, long))
        assert [result.said for result in results] == [""] * 8
        assert {result.whose for result in results} == {"phone2/auto"}
        assert "other-echo" in asyncio.run(_lone_names(proxy)), "the second phone has a model of its own"
        # By the name that clients of the phone itself use.
        (own,) = asyncio.run(_several(proxy, "other/echo", 1, "by its own name"))
        assert (own.said, own.whose) == ("", "phone2/other-echo")
        farm.kill(1)
        fallen = asyncio.run(_several(proxy, "other-echo", 2, "still there"))
        assert [(result.said, result.whose) for result in fallen] == [("", "phone1/auto")] * 2


def with_a_wrong_key(farm: Farm) -> list[str]:
    return [farm.adapters[0].key, "sk-wrong-0123456789", farm.adapters[2].key]


async def _several(proxy: Proxy, model: str, count: int, text: str) -> list[Any]:
    async with aiohttp.ClientSession(headers=proxy.headers) as session:
        return [await ask(session, proxy, model, stream=False, limit_s=120, text=text) for _ in range(count)]


async def _infos(proxy: Proxy) -> list[dict[str, Any]]:
    async with aiohttp.ClientSession(headers=proxy.headers) as session, session.get(f"{proxy.base_url}/model/info") as answer:
        found: list[dict[str, Any]] = json.loads(await answer.text())["data"]
        return found


async def _sizes(proxy: Proxy) -> dict[str, int]:
    return {entry["model_info"]["id"]: entry["model_info"]["max_input_tokens"] for entry in await _infos(proxy) if entry["model_name"] == "auto"}


async def _lone_names(proxy: Proxy) -> list[str]:
    names = [entry["model_name"] for entry in await _infos(proxy)]
    return [name for name in names if names.count(name) == 1]
