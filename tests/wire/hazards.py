"""What a client of the adapter saw, plain or streamed, so that tests of an engine's hazards can say it in one line.

    seen = await ask(adapter, "Go.", model="phone/m", stream=True)
    assert (seen.status, seen.text, seen.whole) == (200, "Gone.", True)

`Client` is the same in the background: it can be waited for at any point, and it can leave.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import pytest

from tests.fakes.counting_engine import CountingEngine, words
from tests.wire.server import RunningAdapter

CHAT = "/v1/chat/completions"
# One try of each target, so that a failure is seen once.
ONCE: Mapping[str, Any] = {"retry_policy": {"InternalServerErrorRetries": 0}}
TEXT = words(60)
"""An answer of which no part comes twice: a gap, a repeat or a splice in it shows."""
PIECES = tuple(word if at == 0 else f" {word}" for at, word in enumerate(TEXT.split(" ")))

both = pytest.mark.parametrize("stream", [True, False], ids=["stream", "plain"])


@dataclass
class Seen:
    """All that came back. frames: the JSON of each event, or the one plain body. done: `[DONE]` came."""

    stream: bool
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    frames: list[dict[str, Any]] = field(default_factory=list)
    done: bool = False

    @property
    def text(self) -> str:
        return self._joined("content")

    @property
    def reasoning(self) -> str:
        return self._joined("reasoning_content")

    @property
    def deltas(self) -> list[str]:
        """The text as it came, piece by piece; empty pieces included."""
        parts = [part.get("content") for part in self._parts]
        return [part for part in parts if isinstance(part, str)]

    @property
    def finish_reason(self) -> str | None:
        reasons = [choice.get("finish_reason") for choice in self._choices]
        return next((reason for reason in reversed(reasons) if reason), None)

    @property
    def error(self) -> dict[str, Any]:
        """The error, as a status of its own or as a stream's last frame; empty if there is none."""
        return next((frame["error"] for frame in self.frames if "error" in frame), {})

    @property
    def code(self) -> str | None:
        return self.error.get("code")

    @property
    def message(self) -> str:
        return str(self.error.get("message", ""))

    @property
    def farmhand(self) -> dict[str, Any]:
        """The extension field `farmhand` of the last frame that has one."""
        return next((frame["farmhand"] for frame in reversed(self.frames) if "farmhand" in frame), {})

    @property
    def seams(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.farmhand.get("seams", [])
        return found

    @property
    def engine(self) -> str | None:
        """Who gave the answer's end."""
        return self.farmhand.get("engine")

    @property
    def usage(self) -> dict[str, Any]:
        return next((frame["usage"] for frame in reversed(self.frames) if frame.get("usage")), {})

    @property
    def whole(self) -> bool:
        """Would a client take this for a whole answer? A reason at the end, `[DONE]` behind a stream, and no error."""
        return self.status == 200 and not self.error and self.finish_reason is not None and self.done == self.stream

    @property
    def broken_off(self) -> bool:
        """Did a stream that had begun tell that it is not whole? The error is its last frame, and no `[DONE]` follows."""
        return self.stream and self.status == 200 and "error" in self.frames[-1] and not self.done

    @property
    def refused(self) -> tuple[int, str | None]:
        """Status and code of an error that came instead of an answer."""
        assert self.error and not self.text, self
        return self.status, self.code

    @property
    def _choices(self) -> list[dict[str, Any]]:
        return [choice for frame in self.frames for choice in frame.get("choices") or []]

    @property
    def _parts(self) -> list[dict[str, Any]]:
        return [choice.get("delta") or choice.get("message") or {} for choice in self._choices]

    def _joined(self, key: str) -> str:
        return "".join(part.get(key) or "" for part in self._parts)


class Client:
    """One request in the background, from `async with`; at the end it leaves, if it is still there."""

    def __init__(
        self,
        adapter: RunningAdapter,
        asked: str | Sequence[Mapping[str, Any]],
        *,
        model: str,
        stream: bool,
        headers: Mapping[str, str] | None = None,
        **body: Any,
    ) -> None:
        messages = [{"role": "user", "content": asked}] if isinstance(asked, str) else list(asked)
        self._adapter = adapter
        self._body = {"model": model, "messages": messages, "stream": stream, **body}
        self._headers = dict(headers or {})
        self.seen = Seen(stream)
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._listen(), name="client")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.leave()

    async def leave(self) -> None:
        """Close the connection, whatever is on its way."""
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def sees(self, *, within_s: float = 10.0) -> Seen:
        """All of it, once the adapter has ended its answer."""
        assert self._task is not None
        async with asyncio.timeout(within_s):
            await asyncio.shield(self._task)
        return self.seen

    async def hears(self, chars: int = 1, *, within_s: float = 10.0) -> None:
        """Wait until so much of a streamed answer's text has come; 0 waits for the first frame."""
        async with asyncio.timeout(within_s):
            while not self.seen.frames or len(self.seen.text) < chars:
                self._news.clear()
                await self._news.wait()

    async def _listen(self) -> None:
        async with self._adapter.session.post(CHAT, json=self._body, headers=self._headers) as response:
            self.seen.status, self.seen.headers = response.status, response.headers
            if response.content_type == "application/json":
                self.seen.frames.append(await response.json())
                return
            assert response.content_type == "text/event-stream"
            async for line in response.content:
                self._take(line.decode().rstrip("\n"))

    def _take(self, line: str) -> None:
        if not line.startswith("data: "):
            return
        assert not self.seen.done, "nothing follows [DONE]"
        data = line.removeprefix("data: ")
        if data == "[DONE]":
            self.seen.done = True
        else:
            self.seen.frames.append(json.loads(data))
        self._news.set()


async def ask(
    adapter: RunningAdapter, asked: str | Sequence[Mapping[str, Any]] = "Go.", *, model: str, stream: bool, **body: Any
) -> Seen:
    """One request, and all that its client saw."""
    async with Client(adapter, asked, model=model, stream=stream, **body) as client:
        return await client.sees()


def rescuer(name: str = "second") -> CountingEngine:
    """An engine that says `TEXT`, from the start or from any place in it."""
    return CountingEngine(name, TEXT)
