"""Calls the server as a client does, and has what it saw judged. Bounded by one limit for all requests."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import aiohttp

from adapter.connect import check_requests as requests
from adapter.connect.check_facts import Facts, Seen, Verdict
from adapter.connect.check_judge import judge
from adapter.connect.check_reader import Reader
from adapter.connect.gather import Gathered
from adapter.connect.profile import Profile

Progress = Callable[[str], None] | None

CONNECT_S = 5.0
# `GET`s, which ask no model.
QUICK_S = 15.0
MAX_BODY_BYTES = 4 << 20
# A server whose first token was made just now learns of it within a second (`adapter/access/DESIGN.md`).
NEW_TOKEN_S = 1.5
_NUMBERS = re.compile(r"context (?:length|size) is (\d+) tokens.*?(\d+) tokens", re.DOTALL)


def check(profile: Profile, gathered: Gathered, *, limit_s: float, progress: Progress = None) -> Verdict:
    """limit_s: of all requests together. progress: told in a few words what is waited for, "" at the end. Raises nothing but Ctrl-C."""
    return asyncio.run(checked(profile, gathered, limit_s=limit_s, progress=progress))


async def checked(profile: Profile, gathered: Gathered, *, limit_s: float, progress: Progress = None) -> Verdict:
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S)
    headers = {"Authorization": f"Bearer {gathered.truth.key}"} if gathered.truth.key else {}
    async with aiohttp.ClientSession(headers=headers, timeout=timeout) as session:
        return judge(await _Check(session, profile, gathered, limit_s, progress).facts())


class _Check:
    def __init__(self, session: aiohttp.ClientSession, profile: Profile, gathered: Gathered, limit_s: float, progress: Progress) -> None:
        self._session, self._profile, self._gathered = session, profile, gathered
        self._truth, self._progress = gathered.truth, progress
        self._until_s = asyncio.get_running_loop().time() + limit_s

    async def facts(self) -> Facts:
        listed = await self._listed()
        options = self._gathered.options
        facts = Facts(
            client=self._gathered.name, profile=self._profile, model=self._truth.model, models=self._truth.models, small=options.small,
            proxied=options.proxied, farmhand=self._gathered.farmhand, listed=listed,
        )  # fmt: skip
        if not listed.fine:
            return facts
        facts = replace(facts, ready=await self._ready())
        plan, main = await self._main()
        facts = replace(facts, plan=plan, main=main)
        if not main.fine:
            return facts
        if not self._profile.stream:
            facts = replace(facts, speed=await self._asked("/chat/completions", requests.speed(plan), "how fast it writes"))
        if (self._profile.schema or self._profile.needs_schema) and self._truth.model.does("response_format") | (not self._gathered.farmhand):
            facts = replace(facts, schema=await self._asked("/chat/completions", requests.schema(self._truth.model), "JSON by a schema"))
        if self._profile.embeddings and self._truth.embedder is not None:
            facts = replace(facts, embedding=await self._asked("/embeddings", requests.embedding(self._truth.embedder), "vectors"))
        return facts

    async def _listed(self) -> Seen:
        seen, _ = await self._get(f"{self._truth.base_url}/models")
        if seen.status == 401:
            await asyncio.sleep(NEW_TOKEN_S)
            seen, _ = await self._get(f"{self._truth.base_url}/models")
        return seen

    async def _ready(self) -> dict[str, Any] | None:
        if not self._gathered.farmhand:
            return None
        _, body = await self._get(f"{self._truth.root_url}/ready")
        return body if isinstance(body, dict) and "status" in body else None

    async def _get(self, url: str) -> tuple[Seen, Any]:
        try:
            async with asyncio.timeout(QUICK_S), self._session.get(url) as response:
                body = _parsed(await _read(response))
                return _refused(response, body), body
        except TimeoutError:
            return Seen(error=f"nothing came within {QUICK_S:g} s"), None
        except aiohttp.ClientError as exc:
            return Seen(error=f"nobody answers ({exc})"), None

    async def _main(self) -> tuple[requests.Plan, Seen]:
        """The client's request, shortened until it fits."""
        plan = requests.plan(self._profile, self._truth.model, small=self._gathered.options.small)
        while True:
            tools = f" and {plan.tools} tools" if plan.tools else ""
            seen = await self._asked("/chat/completions", plan.body, f"{plan.tokens:,} tokens{tools}")
            room = _room(seen, plan) if seen.code == "context_length_exceeded" else None
            if room is None or room >= plan.tokens or plan.tokens <= requests.LEAST_PROMPT:
                return plan, seen
            plan = requests.plan(self._profile, self._truth.model, small=self._gathered.options.small, room=room)

    async def _asked(self, path: str, body: dict[str, Any], what: str) -> Seen:
        loop = asyncio.get_running_loop()
        reader, start_s = Reader(), loop.time()
        ticker = asyncio.create_task(self._ticking(what, start_s))
        try:
            async with asyncio.timeout_at(self._until_s), self._session.post(self._truth.base_url + path, json=body) as response:
                if response.status != 200:
                    return _refused(response, _parsed(await _read(response)))
                streamed = response.content_type == "text/event-stream"
                async for data in response.content.iter_any():
                    if not reader.feed(data, loop.time() - start_s, streamed=streamed):
                        break
                return reader.seen(loop.time() - start_s, streamed=streamed)
        except TimeoutError:
            return replace(reader.so_far(), late=True, waited_s=loop.time() - start_s)
        except aiohttp.ClientError as exc:
            return replace(reader.so_far(), error=f"the connection broke off ({exc})")
        finally:
            ticker.cancel()
            with suppress(asyncio.CancelledError):
                await ticker
            if self._progress:
                self._progress("")

    async def _ticking(self, what: str, start_s: float) -> None:
        while self._progress:
            self._progress(f"Asking {self._truth.model.id} for {what}: {asyncio.get_running_loop().time() - start_s:.0f} s")
            await asyncio.sleep(1)


def _room(seen: Seen, plan: requests.Plan) -> int | None:
    """By our estimate, from the numbers in the server's words; half of it where there are none."""
    found = _NUMBERS.search(seen.error)
    if found is None:
        return plan.tokens // 2
    context, got = int(found[1]), int(found[2])
    free = context - 2 * requests.ANSWER_TOKENS
    return max(requests.LEAST_PROMPT, int(plan.tokens * free / got * 0.9)) if got > 0 and free > 0 else None


def _refused(response: aiohttp.ClientResponse, body: Any) -> Seen:
    error = body.get("error") if isinstance(body, dict) else None
    said = error if isinstance(error, dict) else {}
    message = str(said.get("message") or (f"the server answers with status {response.status}" if response.status != 200 else ""))
    return Seen(
        status=response.status, error=message[:600], code=str(said.get("code") or ""), retry_after_s=response.headers.get("Retry-After", "")
    )


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """The body in all its pieces, cut off behind `MAX_BODY_BYTES`."""
    data = b""
    async for piece in response.content.iter_any():
        data += piece
        if len(data) > MAX_BODY_BYTES:
            break
    return data


def _parsed(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None
