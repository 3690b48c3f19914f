"""The measurements. Each takes a running peer and returns one number; every prompt is new, so that no cache helps unasked."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import aiohttp

from engine_bench.client import Message, Timing, chat, prompt, together
from engine_bench.peers import Peer

ANSWER = 96
PREFIX = 2_048
LONG = 4_096
MANY_PROMPT = 1_024
MANY = 8
MANY_ANSWER = 32


@dataclass(slots=True)
class Bench:
    """One peer, one HTTP client, one source of prompts."""

    session: aiohttp.ClientSession
    peer: Peer
    rng: random.Random

    async def ask(self, tokens: int, max_tokens: int, **more: object) -> Timing:
        return await self.ask_messages(self.asking(tokens), max_tokens, **more)

    async def ask_messages(self, messages: list[Message], max_tokens: int, **more: object) -> Timing:
        return await chat(self.session, self.peer, messages, max_tokens, **more)

    def asking(self, tokens: int) -> list[Message]:
        return [{"role": "user", "content": prompt(tokens, self.rng)}]


async def decode_one(bench: Bench) -> float:
    """tokens/s of a single stream"""
    return (await bench.ask(20, ANSWER)).tokens_per_s


async def decode_varied(bench: Bench) -> float:
    """the same at temperature 1, where the random model's text never repeats itself; greedy it says a word for ever"""
    return (await bench.ask(20, ANSWER, temperature=1.0)).tokens_per_s


async def _aggregate(bench: Bench, streams: int) -> float:
    began_s = time.perf_counter()
    timings = await together(*(bench.ask(20, ANSWER) for _ in range(streams)))
    return sum(timing.tokens for timing in timings) / (time.perf_counter() - began_s)


async def decode_four(bench: Bench) -> float:
    """tokens/s of four streams together, their short prompts included"""
    return await _aggregate(bench, 4)


async def decode_eight(bench: Bench) -> float:
    """tokens/s of eight streams together, their short prompts included"""
    return await _aggregate(bench, 8)


async def prefill(bench: Bench) -> float:
    """prompt tokens/s until the first token of an answer to 2,048 tokens"""
    timing = await bench.ask(PREFIX, 1)
    return PREFIX / timing.first_s


async def second_turn(bench: Bench) -> float:
    """seconds to the first token of a second turn, after 2,048 tokens and an answer"""
    messages = bench.asking(PREFIX)
    first = await bench.ask_messages(messages, 16)
    messages += [{"role": "assistant", "content": "".join(first.text)}, *bench.asking(20)]
    return (await bench.ask_messages(messages, 1)).first_s


async def _beside_prefill(bench: Bench) -> Timing:
    """A short request that comes while a long prompt is read. Theirs gets its first token when all of that is over."""
    long = asyncio.create_task(bench.ask(LONG, 1))
    await asyncio.sleep(1.0)  # it is well under way; the measure begins with the short request
    short = await bench.ask(20, 8)
    await long
    return short


async def first_beside_prefill(bench: Bench) -> float:
    """seconds to the first token of a 20-token request while 4,096 tokens are prefilled"""
    return (await _beside_prefill(bench)).first_s


async def gap_beside_prefill(bench: Bench) -> float:
    """its longest gap between tokens, in seconds"""
    return (await _beside_prefill(bench)).longest_gap_s


async def whole_beside_prefill(bench: Bench) -> float:
    """seconds until its eighth and last token"""
    return (await _beside_prefill(bench)).total_s


async def gap_of_a_running_stream(bench: Bench) -> float:
    """longest gap between tokens of a stream that runs already when 4,096 tokens have to be prefilled, in seconds"""
    running = asyncio.create_task(bench.ask(20, 4 * ANSWER))
    await asyncio.sleep(0.5)
    await bench.ask(LONG, 1)
    return (await running).longest_gap_s


async def memory(bench: Bench) -> float:
    """MiB (PSS) of the process that holds the model, after all of the above"""
    return bench.peer.pss_mib()


async def many_answers(bench: Bench) -> float:
    """n = 8 to a prompt of 1,024 tokens: seconds, as a share of 8 separate requests (each its own prompt)"""
    began_s = time.perf_counter()
    await bench.ask(MANY_PROMPT, MANY_ANSWER, n=MANY)
    as_one_s = time.perf_counter() - began_s
    began_s = time.perf_counter()
    await together(*(bench.ask(MANY_PROMPT, MANY_ANSWER) for _ in range(MANY)))
    return as_one_s / (time.perf_counter() - began_s)


async def _after_kill(bench: Bench, new_words: int) -> float:
    """A prompt's time to the first token after SIGKILL of the worker and its restart, as a share of the cold one."""
    begun = bench.asking(PREFIX)
    first = await bench.ask_messages(begun, 4)
    await asyncio.sleep(2.0)  # the file is written behind the answer's back
    os.kill(bench.peer.pid, signal.SIGKILL)
    await bench.ask(4, 1)  # starts the next worker and loads the model
    again = begun if not new_words else [*begun, *bench.asking(new_words)]
    return (await bench.ask_messages(again, 4)).first_s / first.first_s


async def same_after_kill(bench: Bench) -> float:
    """first token on a saved prefix of 2,048 tokens, after SIGKILL of the worker and its restart, as a share of a cold prefill"""
    return await _after_kill(bench, 0)


async def more_after_kill(bench: Bench) -> float:
    """the same with some fifteen tokens behind the saved ones"""
    return await _after_kill(bench, 4)


@dataclass(frozen=True, slots=True)
class Figure:
    """target: of the ratio to llama-server (`higher` says which way is good), or of the number itself (`alone`)."""

    name: str
    measure: Callable[[Bench], Awaitable[float]]
    unit: str
    target: float
    higher: bool = False
    alone: bool = False
    difference: bool = False


FIGURES = (
    Figure("decode, 1 stream", decode_one, "tok/s", 0.97, higher=True),
    Figure("decode, 1 stream, temperature 1", decode_varied, "tok/s", 0.97, higher=True),
    Figure("decode, 4 streams", decode_four, "tok/s", 1.0, higher=True),
    Figure("decode, 8 streams", decode_eight, "tok/s", 1.0, higher=True),
    Figure("prefill 2,048", prefill, "tok/s", 0.98, higher=True),
    Figure("second turn, first token", second_turn, "s", 1.1),
    Figure("beside a 4,096 prefill: first token", first_beside_prefill, "s", 1.0),
    Figure("beside a 4,096 prefill: longest gap", gap_beside_prefill, "s", 1.0),
    Figure("beside a 4,096 prefill: 8 tokens", whole_beside_prefill, "s", 1.0),
    Figure("stream when 4,096 come: longest gap", gap_of_a_running_stream, "s", 1.0),
    Figure("memory of the model's process", memory, "MiB", 45, difference=True),
    Figure("n = 8 over 8 requests", many_answers, "", 1 / 3, alone=True),
    Figure("after SIGKILL, same prompt, over cold", same_after_kill, "", 1 / 50, alone=True),
    Figure("after SIGKILL, 15 more, over cold", more_after_kill, "", 1 / 50, alone=True),
)
