"""Tokens, scopes and rates over the wire."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from adapter.access.grant import Grant, seal
from adapter.access.scopes import NEEDED, needed
from adapter.access.store import Store
from adapter.access.tally import read_uses
from adapter.caller import OnDeadline, Urgency
from adapter.chat import Started, TextDelta
from adapter.dialects.gemini_errors import is_gemini
from tests.fakes.scripted_engine import ScriptedEngine
from tests.wire.raw import ask
from tests.wire.server import KEY, RunningAdapter, running_adapter, settings
from tests.wire.test_queueing_api import Client, OneSeat, body

pytestmark = pytest.mark.usefixtures("never_blocking")

STATIC, SCOPED = "sk-static-0123456", "sk-scoped-0123456"
CHAT = {"model": "auto", "messages": [{"role": "user", "content": "hello"}]}


@dataclass
class At:
    adapter: RunningAdapter
    store: Store
    home: Path

    async def make(self, name: str = "laptop", **rights: Any) -> str:
        """In a thread, as it would be in another process."""
        return (await asyncio.to_thread(self.store.make, Grant("", name, **rights), int(time.time())))[1]

    async def ask(self, key: str | None, path: str = "/v1/chat/completions", body: Any = CHAT) -> tuple[int, Any, dict[str, str]]:
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        how = self.adapter.session.get if body is None else self.adapter.session.post
        sent = {} if body is None else {"json": body}
        async with how(path, headers={"Authorization": "", **headers}, **sent) as answer:
            return answer.status, await answer.json(content_type=None), {k.lower(): v for k, v in answer.headers.items()}

    async def error(self, key: str | None, path: str = "/v1/chat/completions", body: Any = CHAT) -> tuple[int, str, str]:
        status, answer, _ = await self.ask(key, path, body)
        return status, answer["error"]["code"], answer["error"]["message"]


@asynccontextmanager
async def place(home: Path, **sections: Any) -> AsyncIterator[At]:
    sections.setdefault("auth", {"keys": [STATIC]})
    sections.setdefault("key", [{"name": "scoped", "key": SCOPED, "scope": ["metrics", "admin"], "rate": "1/h"}])
    async with running_adapter(settings(home, **sections)) as adapter:
        yield At(adapter, Store(home), home)


async def test_a_token_is_a_key(tmp_path: Path) -> None:
    async with place(tmp_path) as at:
        token = await at.make()
        assert (await at.ask(token))[0] == 200
        assert (await at.ask(token, "/v1/models", None))[0] == 200
        status, body, _ = await at.ask(token, "/ready", None)
        assert status == 200 and "engines" in body
        status, body, _ = await at.ask("sk-fh1.no.token", "/ready", None)
        assert status == 200 and "engines" not in body


async def test_who_may_do_what(tmp_path: Path) -> None:
    async with place(tmp_path) as at:
        pressure = {"level": "serve"}
        for key in (await at.make("boss", scopes=("admin",)), KEY, SCOPED):
            assert (await at.ask(key, "/admin/pressure", pressure))[0] == 200
        for key in (await at.make("plain"), STATIC, await at.make("meter", scopes=("metrics", "chat", "embed"))):
            status, code, said = await at.error(key, "/admin/pressure", pressure)
            assert (status, code) == (403, "insufficient_scope")
            assert "scope 'admin'" in said and said.endswith("farmhand token new NAME --scope admin")
        assert (await at.error(await at.make("embedder", scopes=("embed",))))[:2] == (403, "insufficient_scope")
        assert (await at.error(SCOPED))[:2] == (403, "insufficient_scope")
        assert (await at.error(await at.make("chatter", scopes=("chat",)), "/embeddings", {"input": "a"}))[:2] == (403, "insufficient_scope")
        assert (await at.ask(SCOPED, "/v1/models", None))[0] == 200


@pytest.mark.parametrize("path", ["/%61dmin/pressure", "/admin%2Fpressure", "//admin/pressure", "/admin/./pressure", "/v1/admin/pressure"])
async def test_no_other_spelling_gets_past_the_scope(tmp_path: Path, path: str) -> None:
    async with place(tmp_path) as at:
        body = b'{"level": "pause"}'
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {STATIC}\r\nContent-Type: application/json\r\n"
        answer = await ask(at.adapter, head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        assert answer.status in (403, 404)
        assert (await at.ask(STATIC))[0] == 200, "nothing was paused"


async def test_every_route_is_in_the_table(tmp_path: Path) -> None:
    """A path that somebody adds must say what it needs."""
    async with place(tmp_path) as at:
        paths = {resource.canonical for resource in at.adapter.app.router.resources()}
        bare = {path.removeprefix("/v1").replace("/{id}", "") for path in paths if not is_gemini(path)}
        assert {path for path in bare if path not in NEEDED and needed(path) is None} == set()
        gemini = {path.rpartition("/models")[2] for path in paths if is_gemini(path) and needed(path) is None}
        assert gemini == {"", "/{id}", "/{call}"}  # descriptions, and methods that there are not
        assert "/admin/pressure" in paths


async def test_revoked_while_it_runs(tmp_path: Path) -> None:
    async with place(tmp_path) as at:
        token, other = await at.make(), await at.make("other")
        assert (await at.ask(token))[0] == 200
        await asyncio.to_thread(at.store.revoke, "laptop", int(time.time()))
        began = time.monotonic()
        while (status := (await at.ask(token))[0]) == 200:
            assert time.monotonic() - began < 2
            await asyncio.sleep(0.05)
        assert status == 401 and time.monotonic() - began < 2
        _, code, said = await at.error(token)
        assert code == "invalid_api_key" and "has been revoked" in said and "farmhand token new laptop" in said
        assert (await at.ask(other))[0] == 200
        at.store.book_path.unlink()
        await asyncio.sleep(1.1)  # longer than what is known is believed
        assert (await at.ask(token))[0] == 401 and (await at.ask(other))[0] == 200


async def test_expired(tmp_path: Path) -> None:
    async with place(tmp_path) as at:
        status, code, said = await at.error(await at.make(expires_s=int(time.time())))
        assert (status, code) == (401, "invalid_api_key") and "The token 'laptop' expired on 20" in said
        assert (await at.ask(await at.make("later", expires_s=int(time.time()) + 60)))[0] == 200


async def test_forged_and_odd_ones(tmp_path: Path) -> None:
    async with place(tmp_path) as at:
        token = await at.make()
        head, payload, signature = token.split(".")
        other = await At(at.adapter, Store(tmp_path / "elsewhere"), tmp_path).make()
        admin = seal(Grant("0123456789", "laptop", ("admin",)), bytes(32)).split(".")[1]
        for bad in (
            other,
            f"{head}.{admin}.{signature}",
            f"{head}.{payload}.{signature[:-1]}",
            f"{token}=",
            f"{token}.{signature}",
            token.upper(),
            "sk-fh2" + token[6:],
            "sk-fh1." + "A" * 7_000,
        ):
            status, code, said = await at.error(bad)
            assert (status, code) == (401, "invalid_api_key"), bad
            assert "farmhand token new" in said or "Incorrect API key" in said


@pytest.mark.parametrize(
    "value",
    [
        b"Bearer \xff\xfe",
        "Bearer sk-fh1.\u00fc.\u00e9".encode(),
        b"Bearer sk-fh1.a.b sk-fh1.c.d",
        b"Bearer",
        b"bearer sk-fh1.",
        b"Basic sk-fh1.a.b",
        b"Bearer " + b"sk-fh1." * 1_000,
        b"Bearer \x01",
    ],
)
@pytest.mark.parametrize("required", [True, False])
async def test_odd_headers(tmp_path: Path, value: bytes, required: bool) -> None:
    """A typed error, or let in where nobody needs a key; never a fault of ours."""
    async with place(tmp_path, auth={"required": required}) as at:
        await at.make()
        body = json.dumps(CHAT).encode()
        for path in (b"/v1/chat/completions", b"/admin/pressure"):
            head = b"POST " + path + b" HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAuthorization: " + value
            answer = await ask(at.adapter, head + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            allowed = {400, 401} if required or path == b"/admin/pressure" else {200, 400}
            assert answer.status in allowed


# --- no key needed --------------------------------------------------------------------------------------------


async def test_where_no_key_is_needed(tmp_path: Path) -> None:
    async with place(tmp_path, auth={"required": False, "keys": [STATIC]}) as at:
        expired = await at.make("old", expires_s=1)
        for key in (None, "whatever", expired, SCOPED, await at.make("meter", scopes=("metrics",))):
            assert (await at.ask(key))[0] == 200
        pressure = {"level": "serve"}
        assert (await at.error(None, "/admin/pressure", pressure))[:2] == (401, "invalid_api_key")
        assert (await at.error("whatever", "/admin/pressure", pressure))[:2] == (401, "invalid_api_key")
        assert (await at.error(expired, "/admin/pressure", pressure))[:2] == (401, "invalid_api_key")
        assert (await at.error(STATIC, "/admin/pressure", pressure))[:2] == (403, "insufficient_scope")
        assert (await at.ask(KEY, "/admin/pressure", pressure))[0] == 200


# --- rates ----------------------------------------------------------------------------------------------------


async def test_rates(tmp_path: Path) -> None:
    async with place(tmp_path) as at:
        token = await at.make(rate="2/h")
        _, _, first = await at.ask(token)
        assert [first[f"x-ratelimit-{part}-requests"] for part in ("limit", "remaining", "reset")] == ["2", "1", "30m0s"]
        status, _, second = await at.ask(token, body={**CHAT, "messages": "no list"})
        assert (status, second["x-ratelimit-remaining-requests"]) == (400, "0"), "what is wrong costs as well"
        for _ in range(2):
            status, answer, headers = await at.ask(token)
            assert (status, answer["error"]["code"], answer["error"]["type"]) == (429, "rate_limit_exceeded", "rate_limit_error")
            assert 1_790 <= int(headers["retry-after"]) <= 1_800 and headers["x-ratelimit-remaining-requests"] == "0"
        assert (await at.ask(token, "/v1/models", None))[0] == 200, "costs nothing"
        status, _, headers = await at.ask(KEY)
        assert status == 200 and "x-ratelimit-limit-requests" not in headers


async def test_a_streamed_answer_says_it_too(tmp_path: Path) -> None:
    async with place(tmp_path) as at:
        token = await at.make(rate="1/day")
        async with at.adapter.session.post(
            "/v1/chat/completions", json={**CHAT, "stream": True}, headers={"Authorization": f"Bearer {token}"}
        ) as answer:
            assert answer.headers["x-ratelimit-remaining-requests"] == "0"
            assert (await answer.text()).endswith("data: [DONE]\n\n")


async def test_after_the_wait_that_was_said_one_passes(tmp_path: Path) -> None:
    async with place(tmp_path) as at:
        token = await at.make(rate="1/s")
        assert (await at.ask(token))[0] == 200
        status, _, headers = await at.ask(token)
        assert (status, headers["retry-after"]) == (429, "1")
        await asyncio.sleep(1)
        assert (await at.ask(token))[0] == 200


# --- manners --------------------------------------------------------------------------------------------------


async def test_a_deadline_of_a_token_acts_as_that_of_a_named_key(tmp_path: Path) -> None:
    never_ends = ScriptedEngine("slow", [Started(), TextDelta("As far as"), TextDelta(" it came")])
    async with running_adapter(settings(tmp_path), engines=[never_ends]) as adapter:
        at = At(adapter, Store(tmp_path), tmp_path)
        status, answer, _ = await at.ask(await at.make("partial", deadline_s=1, on_deadline=OnDeadline.PARTIAL))
        assert (status, answer["choices"][0]["finish_reason"]) == (200, "length")
        assert answer["choices"][0]["message"]["content"] == "As far as it came"
        assert (await at.error(await at.make("refuse", deadline_s=1)))[:2] == (429, "deadline_missed")


async def test_the_class_of_a_token_acts_as_that_of_a_named_key(tmp_path: Path) -> None:
    engine = OneSeat()
    async with running_adapter(settings(tmp_path), engines=[engine]) as adapter:
        at, client = At(adapter, Store(tmp_path), tmp_path), Client(adapter)
        patient, person = await at.make("titles", urgency=Urgency.BACKGROUND), await at.make("anna")
        tasks = [asyncio.ensure_future(client.ask(body("running"), person))]
        await engine.has_been_asked(1)
        tasks.append(await client.queued(body("title"), patient, 1))
        tasks.append(await client.queued(body("question"), person, 2))
        for times in (2, 3):
            engine.let_go()
            await engine.has_been_asked(times)
        engine.let_go()
        assert [(await task)[0] for task in tasks] == [200] * 3
    assert engine.asked == ["running", "question", "title"]


# --- counts ---------------------------------------------------------------------------------------------------


async def test_counts_are_in_the_file_after_an_orderly_stop(tmp_path: Path) -> None:
    async with place(tmp_path) as at:
        token = await at.make(rate="2/h")
        answers = [await at.ask(token) for _ in range(3)]
        assert [status for status, _, _ in answers] == [200, 200, 429]
        usage = answers[0][1]["usage"]
        await at.ask(STATIC)
        await at.ask(STATIC, "/admin/pressure", {"level": "serve"})
        await at.ask(KEY, "/admin/pressure", {"level": "serve"})
        await at.ask("sk-nobodys-key")
        ident = (await asyncio.to_thread(at.store.entries))[0].grant.id
    text = (tmp_path / "key-usage.json").read_text()
    assert not any(key in text for key in (token, STATIC, KEY))
    uses = await asyncio.to_thread(read_uses, tmp_path / "key-usage.json")
    mine = uses.pop(f"token:{ident}")
    assert (mine.requests, mine.refused) == (2, 1)
    assert (mine.prompt_tokens, mine.completion_tokens) == (2 * usage["prompt_tokens"], 2 * usage["completion_tokens"])
    assert abs(mine.last_s - time.time()) < 60
    assert [(use.requests, use.refused) for use in uses.values()] == [(1, 1)], "the static key alone"


async def test_a_damaged_secret_over_the_wire(tmp_path: Path) -> None:
    async with place(tmp_path) as at:
        token = await at.make()
        at.store.secret_path.write_text("garbage")
        status, code, said = await at.error(token)
        assert (status, code) == (503, "tokens_unavailable") and "token-secret" in said and str(tmp_path) not in said
        assert (await at.ask(STATIC))[0] == 200
