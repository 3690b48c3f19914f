"""One streamed chat, with the time of every piece of text."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from engine_bench.peers import KEY, Peer

# Common English words, each one token with a space before it in the Llama 3 vocabulary.
_TEXT = (
    "time year people way day man thing woman life child world school state family student group country problem hand "
    "part place case week company system program question work government number night point home water room mother "
    "area money story fact month lot right study book eye job word business issue side kind head house service friend "
    "father power hour game line end member law car city community name president team minute idea body information "
    "back parent face others level office door health person art war history party result change morning reason research"
)
WORDS = tuple(_TEXT.split())

Message = dict[str, str]


@dataclass(slots=True)
class Timing:
    """Seconds of `time.perf_counter`. pieces: one for each chunk with text; a token is at least one of them, mostly."""

    began_s: float
    pieces: list[float] = field(default_factory=list)
    ended_s: float = 0.0
    text: list[str] = field(default_factory=list)
    usage: dict[str, Any] = field(default_factory=dict)

    @property
    def first_s(self) -> float:
        return self.pieces[0] - self.began_s

    @property
    def total_s(self) -> float:
        return self.ended_s - self.began_s

    @property
    def tokens(self) -> int:
        return int(self.usage["completion_tokens"])

    @property
    def tokens_per_s(self) -> float:
        """After the first token."""
        return (self.tokens - 1) / (self.pieces[-1] - self.pieces[0])

    @property
    def longest_gap_s(self) -> float:
        return max(later - earlier for earlier, later in zip(self.pieces, self.pieces[1:], strict=False))


def prompt(tokens: int, rng: random.Random) -> str:
    """About so many tokens of text that nobody has seen before."""
    return " ".join(rng.choice(WORDS) for _ in range(tokens))


async def chat(
    session: aiohttp.ClientSession, peer: Peer, messages: Sequence[Message], max_tokens: int, **more: Any
) -> Timing:
    """Greedy, streamed. Raises `SystemExit` for anything but a whole answer."""
    body = {
        "model": peer.model, "messages": list(messages), "max_tokens": max_tokens, "temperature": 0, "stream": True,
        "stream_options": {"include_usage": True}, **more,
    }  # fmt: skip
    timing = Timing(time.perf_counter())
    headers = {"Authorization": f"Bearer {KEY}"}
    async with session.post(f"{peer.base_url}/chat/completions", json=body, headers=headers) as answer:
        if answer.status != 200:
            raise SystemExit(f"{peer.name} answered {answer.status}: {(await answer.text())[:300]}")
        async for line in answer.content:
            _take(timing, line)
    timing.ended_s = time.perf_counter()
    if not timing.pieces:
        raise SystemExit(f"{peer.name} sent no text")
    timing.usage = timing.usage or {"completion_tokens": len(timing.pieces)}  # llama_cpp.server streams no usage
    return timing


def _take(timing: Timing, line: bytes) -> None:
    if not line.startswith(b"data: {"):
        return
    chunk = json.loads(line[6:])
    if "error" in chunk:
        raise SystemExit(f"error in a stream: {chunk['error']}")
    timing.usage = chunk.get("usage") or timing.usage
    for choice in chunk.get("choices", ()):
        if text := (choice.get("delta") or {}).get("content"):
            timing.pieces.append(time.perf_counter())
            timing.text.append(text)


async def together(*chats: Any) -> list[Timing]:
    return list(await asyncio.gather(*chats))
