"""Pitwall's programs as clients (`protocols/pitwall.md` 3 to 5): agents that use tools, through LiteLLM, and the warm path, through `urllib`.

Times are a tenth of the real ones, and so is what a client makes of `Retry-After`, unless it is told to obey it in full: the server cannot say less
than a second, which is ten here.
"""

from __future__ import annotations

import asyncio
import json
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.fakes.localllm import FakeLocalLLM, Reply
from tests.wire.server import RunningAdapter

BUDGET_B_S = 4.5
"""For an agent's whole run (4.5: 45 s)."""
PATIENCE_A_S = 3.0
"""Of the warm path's socket (3: 30 s)."""
TRIES = 3
SCALE = 0.1
BUSY = (429, 503)
PIECES = 8

# "cut later": it was told, came back all the same, and its budget ended before its answer.
End = Literal["answered", "told early", "cut later", "in vain", "wrong"]


def phone(*, answer_s: float = 0.36, **options: Any) -> FakeLocalLLM:
    """Takes `answer_s` for each answer: a call while nothing was looked up, and then a text. Dies of two requests at once."""

    def says(messages: list[dict[str, Any]]) -> Reply:
        if messages[-1]["role"] == "user" and any("Agent" in message["content"] for message in messages[:1]):
            return Reply(("look ",) * PIECES, (("lap_summary", {"lap": 3}),))
        return Reply(("[EMOTION:calm] ", *("brake ",) * (PIECES - 1)))

    return FakeLocalLLM(reply=says, overlap="crash", token_delay_s=answer_s / PIECES, load_delay_s=0, **options)


@dataclass
class Ended:
    """How one run, or one request of the warm path, ended. told: statuses with `Retry-After` on its way."""

    end: End
    took_s: float
    told: list[int] = field(default_factory=list)
    detail: str = ""


@dataclass(frozen=True)
class Table:
    """All of one load."""

    name: str
    ended: Sequence[Ended]

    def count(self, end: End) -> int:
        return sum(one.end == end for one in self.ended)

    @property
    def longest_s(self) -> float:
        return max(one.took_s for one in self.ended)

    def show(self) -> None:
        ends: tuple[End, ...] = ("answered", "told early", "cut later", "in vain", "wrong")
        counts = ", ".join(f"{end} {self.count(end)}" for end in ends)
        last_s = max((one.took_s for one in self.ended if one.end == "answered"), default=0.0)
        refusals = sum(len(one.told) for one in self.ended)
        head = f"{self.name}: {len(self.ended)} at once: {counts}; refusals {refusals}"
        print(f"{head}; longest {self.longest_s:.2f} s, last answer {last_s:.2f} s")  # noqa: T201  for `pytest -s`


# --- profile B ------------------------------------------------------------------------------------------------------------


_TOOL = {
    "type": "function",
    "function": {
        "name": "lap_summary",
        "description": "Summarise a lap",
        "parameters": {
            "type": "object",
            "properties": {
                "lap": {"type": "integer"},
                "corners": {"any_of": [{"items": {"type": "STRING"}, "type": "ARRAY"}, {"type": "NULL"}], "nullable": True},
            },
            "required": ["lap"],
        },
    },
}
_LITELLM = {
    "accept": "application/json",
    "user-agent": "AsyncOpenAI/Python 2.54.0",
    "x-stainless-lang": "python",
    "x-stainless-read-timeout": "600.0",
}


class Agent:
    """One agent's run: a question, the call that comes back, its result, and the answer (4.2), all within its budget."""

    def __init__(
        self,
        adapter: RunningAdapter,
        number: int,
        *,
        key: str,
        budget_s: float = BUDGET_B_S,
        tries: int = TRIES,
        obeys: float = SCALE,
    ) -> None:
        """tries: LiteLLM's, of each request. obeys: what share of `Retry-After` it waits."""
        self._adapter = adapter
        self._number = number
        self._headers = {**_LITELLM, "authorization": f"Bearer {key}"}
        self._budget_s = budget_s
        self._tries = tries
        self._obeys = obeys
        self._waiting = False
        self._told: list[int] = []

    async def run(self) -> Ended:
        began_s = time.monotonic()
        detail = ""
        end: End
        try:
            async with asyncio.timeout(self._budget_s):
                end, detail = await self._both_turns()
        except TimeoutError:
            # Asleep until it may come back is to have been told; who was never told anything has waited in vain.
            end = "told early" if not self._waiting else "cut later" if self._told else "in vain"
        return Ended(end, time.monotonic() - began_s, self._told, detail)

    async def _both_turns(self) -> tuple[End, str]:
        messages: list[dict[str, Any]] = [
            {"role": "system", "content": f'Find time.\n\nYou are an agent. Your internal name is "Agent{self._number}".'},
            {"role": "user", "content": "Debrief for session 42"},
        ]
        message = await self._ask(messages)
        if message is None:
            return "told early", ""
        calls = message.get("tool_calls")
        if not calls:
            return "wrong", f"no call: {message}"
        # The client writes the arguments anew, and leaves `content` out.
        function = {"name": calls[0]["function"]["name"], "arguments": json.dumps(json.loads(calls[0]["function"]["arguments"]))}
        messages.append({"role": "assistant", "tool_calls": [{"type": "function", "id": calls[0]["id"], "function": function}]})
        messages.append({"role": "tool", "tool_call_id": calls[0]["id"], "content": '{"ok": true}'})
        message = await self._ask(messages)
        if message is None:
            return "told early", ""
        said = message["content"] or ""
        return ("answered", "") if said.startswith("[EMOTION:calm] brake") else ("wrong", said)

    async def _ask(self, messages: list[dict[str, Any]]) -> dict[str, Any] | None:
        """The answer's message, or `None` when LiteLLM has given up (4.4)."""
        body = {"model": "gemma3n-e2b", "messages": messages, "tools": [_TOOL]}
        for number in range(self._tries):
            headers = {**self._headers, "x-stainless-retry-count": str(number)}
            self._waiting = True
            async with self._adapter.session.post("/v1/chat/completions", json=body, headers=headers) as response:
                answer = await response.json()
                self._waiting = False
            if response.status == 200:
                message: dict[str, Any] = answer["choices"][0]["message"]
                return message
            assert response.status in BUSY, answer
            self._told.append(response.status)
            again_s = int(response.headers["Retry-After"])
            assert again_s >= 1 and answer["error"]["message"]
            if number + 1 < self._tries:
                await asyncio.sleep(again_s * self._obeys)
        return None


async def agents(adapter: RunningAdapter, count: int, *, name: str, key: str, **options: Any) -> Table:
    """So many at once."""
    runs = [Agent(adapter, number, key=key, **options).run() for number in range(count)]
    return Table(name, await asyncio.gather(*runs))


# --- profile A ------------------------------------------------------------------------------------------------------------


def ask_once(url: str, key: str, *, patience_s: float = PATIENCE_A_S, max_tokens: int = 512) -> Ended:
    """The warm path's request, by the very library (3): one connection, no retry. Blocks."""
    body = {
        "model": "gemma3n-e2b",
        "messages": [
            {"role": "system", "content": "You are a race engineer. Answer in two sentences."},
            {"role": "user", "content": "Lap 7: T4 entry 112 km/h, target 118."},
        ],
        "temperature": 0.4,
        "max_tokens": max_tokens,
        "stream": False,
    }
    headers = {"Content-Type": "application/json", "Accept": "application/json", "Authorization": f"Bearer {key}"}
    request = urllib.request.Request(f"{url}/v1/chat/completions", json.dumps(body).encode(), headers)
    began_s = time.monotonic()
    try:
        with urllib.request.urlopen(request, timeout=patience_s) as response:
            said = json.load(response)["choices"][0]["message"]["content"]
            end: End = "answered" if said.startswith("[EMOTION:calm] brake") else "wrong"
            return Ended(end, time.monotonic() - began_s, detail=said)
    except urllib.error.HTTPError as error:
        with error:
            shown = error.read(512).decode()
        told = error.code in BUSY and int(error.headers["Retry-After"]) >= 1 and "message" in shown
        return Ended("told early" if told else "wrong", time.monotonic() - began_s, [error.code], shown)
    except (TimeoutError, urllib.error.URLError) as error:
        return Ended("in vain", time.monotonic() - began_s, detail=repr(error))


async def warm_path(adapter: RunningAdapter, count: int, *, name: str, key: str, **options: Any) -> Table:
    """So many at once, each in a thread of its own."""
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(count) as threads:
        asked = [loop.run_in_executor(threads, lambda: ask_once(adapter.url, key, **options)) for _ in range(count)]
        return Table(name, await asyncio.gather(*asked))
