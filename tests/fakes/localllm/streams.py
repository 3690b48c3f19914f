"""Pieces of a generation as frames of a stream (protocols/localllm.md 8.3 to 8.5)."""

from __future__ import annotations

import asyncio
import math
from typing import Protocol

from tests.fakes.localllm.app import App
from tests.fakes.localllm.errors import Refused, TimedOut
from tests.fakes.localllm.exchange import ClientGone, Exchange
from tests.fakes.localllm.frames import DONE, KEEP_ALIVE, Calls, Frames, event
from tests.fakes.localllm.options import MidStreamFailure
from tests.fakes.localllm.runtime import Generation


class Stream(Protocol):
    """Where frames go; `chunk` may raise ClientGone."""

    def chunk(self, text: str) -> None: ...

    def end_stream(self) -> None: ...


async def relay_pieces(
    app: App, exchange: Stream, frames: Frames, generation: Generation, deadline_s: float, *, heartbeat: bool = True
) -> str:
    """Write each piece as it comes and comments in between; return the whole text. Raises TimedOut, ClientGone, ModelFailed."""
    clock = asyncio.get_running_loop().time
    step_s = app.options.keepalive_s
    beat_s = clock() + step_s if heartbeat else math.inf
    text = ""
    while True:
        try:
            piece = await generation.next_piece(min(beat_s, deadline_s))
        except TimeoutError:
            if clock() >= deadline_s:
                raise TimedOut from None
            exchange.chunk(KEEP_ALIVE)
            beat_s += step_s
            continue
        if piece is None:
            return text
        text += piece
        frame = frames.content(piece)
        if frame is not None:
            app.ledger.counters.stream_chunks += 1
            exchange.chunk(frame)


def finish_stream(exchange: Stream, frames: Frames, calls: Calls) -> None:
    exchange.chunk(frames.final(calls))
    exchange.chunk(DONE)
    exchange.end_stream()


def break_stream(exchange: Exchange, refused: Refused, how: MidStreamFailure) -> None:
    """A failure after the reply began: the frame that the code intends, or what is expected on the wire (8.5)."""
    if how == "cut":
        exchange.cut()
        return
    try:
        exchange.chunk(event(refused.payload))
        exchange.chunk(DONE)
        exchange.end_stream()
    except ClientGone:
        exchange.cut()
