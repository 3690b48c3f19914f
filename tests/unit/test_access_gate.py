"""Keys in, holders out: static keys, tokens, their ends, and what is remembered of them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapter.access.gate import REMEMBERED, Gate, refusal
from adapter.access.grant import Grant, seal, unseal
from adapter.access.holders import Holder
from adapter.access.rate import Rate
from adapter.access.scopes import SCOPES
from adapter.access.store import Store
from adapter.access.use import Use
from adapter.access.watch import LOOK_S
from adapter.caller import OnDeadline, Urgency
from adapter.chat import Usage
from adapter.errors import BadKey, MissingScope, TokensUnavailable
from adapter.settings import KeySettings, Settings

OWN, STATIC, NAMED = "sk-own-0123456789", "sk-static-01234", "sk-named-012345"
NOW_S = 1_800_000_000


class Time:
    """Both clocks of a gate."""

    wall_s = float(NOW_S)
    clock_s = 100.0

    def pass_by(self, seconds: float) -> None:
        self.wall_s += seconds
        self.clock_s += seconds


class At:
    """A gate over a state folder, with the clocks in hand."""

    def __init__(self, home: Path, **sections: Any) -> None:
        self.time, self.store = Time(), Store(home)
        sections.setdefault("auth", {"keys": [STATIC]})
        sections.setdefault("key", [{"name": "pitwall", "key": NAMED, "rate": "2/min", "scope": ["embed"]}])
        self.settings = Settings(home=home, **sections)
        self.gate = Gate(
            (OWN,), self.settings, wall=lambda: self.time.wall_s, clock=lambda: self.time.clock_s
        )

    def make(self, name: str = "laptop", **rights: Any) -> str:
        return self.store.make(Grant("", name, **rights), int(self.time.wall_s))[1]

    async def refused(self, key: str) -> str:
        with pytest.raises(BadKey) as caught:
            await self.gate.holder(key)
        assert caught.value.status == 401
        return caught.value.message

    def counted(self) -> dict[str, Use]:
        return self.gate.tally._pending


@pytest.fixture
async def at(tmp_path: Path) -> At:
    return At(tmp_path)


async def test_static_keys(at: At) -> None:
    own, static, named = [await at.gate.holder(key) for key in (OWN, STATIC, NAMED)]
    assert own and static and named
    assert own == Holder(own.id, own.name, frozenset(SCOPES), owner=True)
    assert static == Holder(static.id, static.name, frozenset({"chat", "embed"}))
    assert named == Holder("key:pitwall", "pitwall", frozenset({"embed"}), at.settings.key[0], Rate(2, 60))
    assert own.name.startswith("key-") and own.name != static.name
    assert not any(key in repr(holder) for holder in (own, static) for key in (OWN, STATIC))


@pytest.mark.parametrize(
    "key",
    ["", "sk-other", OWN[:-1], OWN + "x", OWN.upper(), "\udcff", "\u00fcnicode-key", "sk-farm-x", "sk-fh", "x" * 100_000, "\x00"],
)
async def test_nobodys_keys(at: At, key: str) -> None:
    assert await at.gate.holder(key) is None


async def test_an_own_key_that_is_listed_elsewhere_too_keeps_its_scopes(tmp_path: Path) -> None:
    at = At(tmp_path, auth={"keys": [OWN]}, key=[{"name": "me", "key": OWN, "class": "background"}])
    holder = await at.gate.holder(OWN)
    assert holder and holder.name == "me" and holder.scopes == set(SCOPES) and holder.settings


async def test_a_token_has_the_manners_of_a_named_key(at: At) -> None:
    token = at.make(
        rate="60/min", urgency=Urgency.BACKGROUND, deadline_s=30, on_deadline=OnDeadline.PARTIAL, scopes=("chat", "metrics")
    )
    holder = await at.gate.holder(token)
    assert holder and holder.settings and holder.rate
    settings = holder.settings
    assert isinstance(settings, KeySettings)
    assert (settings.urgency, settings.deadline_s, settings.on_deadline) == (Urgency.BACKGROUND, 30, OnDeadline.PARTIAL)
    assert holder.scopes == {"chat", "metrics"} and holder.rate.count == 60
    assert holder.name.startswith("laptop#"), "never the turn of a [[key]] of that name"
    assert token not in repr(holder)


async def test_without_a_secret_there_are_no_tokens(at: At, tmp_path: Path) -> None:
    token = At(tmp_path / "other").make()
    assert "not made by this Farmhand" in await at.refused(token)
    at.make("mine")
    at.time.pass_by(LOOK_S)
    assert "not made by this Farmhand" in await at.refused(token)
    assert at.counted() == {}, "what anybody can make up is counted for nobody"


@pytest.mark.parametrize("key", ["sk-fh1.", "sk-fh1.x.y", "sk-fh2.x.y", "sk-fh1." + "A" * 100_000, "sk-fh1.\u00fc.\udcff"])
async def test_odd_tokens(at: At, key: str) -> None:
    at.make()
    assert len(await at.refused(key)) < 250


async def test_expired_at_the_second_and_valid_again_when_the_clock_is_set_back(at: At) -> None:
    token = at.make(expires_s=NOW_S + 60)
    at.time.pass_by(59.999)
    assert await at.gate.holder(token)
    at.time.pass_by(0.001)
    said = await at.refused(token)
    assert said == (
        "The token 'laptop' expired on 2027-01-15 at 08:01:00 UTC; a new one is made with: farmhand token new laptop"
    )
    at.time.wall_s -= 1
    assert await at.gate.holder(token), "as documented"


async def test_revoked_within_a_second_of_a_running_server(at: At) -> None:
    token, other = at.make(), at.make("other")
    assert await at.gate.holder(token)
    at.store.revoke("laptop", NOW_S)
    at.time.pass_by(LOOK_S)
    assert await at.refused(token) == (
        "The token 'laptop' has been revoked; a new one is made with: farmhand token new laptop"
    )
    assert await at.gate.holder(other)
    at.time.wall_s = 0  # no clock brings it back
    assert "has been revoked" in await at.refused(token)


async def test_revoked_while_nobody_asked(at: At) -> None:
    """The first request after an hour must not be let in by what was known an hour ago."""
    token = at.make()
    assert await at.gate.holder(token)
    at.time.pass_by(3_600)
    at.store.revoke("laptop", NOW_S)
    await at.refused(token)


async def test_the_use_of_a_dead_token_is_counted(at: At) -> None:
    token = at.make(expires_s=NOW_S + 60)
    at.time.pass_by(60)
    for _ in range(3):
        await at.refused(token)
    assert [(use.name[:7], use.requests, use.refused) for use in at.counted().values()] == [("laptop#", 0, 3)]


async def test_another_secret_ends_what_was_remembered(at: At) -> None:
    token = at.make()
    assert await at.gate.holder(token)
    at.store.secret_path.unlink()
    at.time.pass_by(LOOK_S)
    await at.refused(token)
    new = at.make("new")
    at.time.pass_by(LOOK_S)
    await at.refused(token)
    assert await at.gate.holder(new)


async def test_a_damaged_secret_lets_no_token_in_and_all_others(at: At, caplog: pytest.LogCaptureFixture) -> None:
    token = at.make()
    assert await at.gate.holder(token)
    good = at.store.secret_path.read_text()
    at.store.secret_path.write_text(good[:-10])
    at.time.pass_by(LOOK_S)
    for _ in range(3):
        with pytest.raises(TokensUnavailable) as caught:
            await at.gate.holder(token)
        assert (caught.value.status, caught.value.retry_after_s) == (503, 30)
        assert str(at.store.secret_path) not in caught.value.message, "whoever asks need not be told where files lie"
        at.time.pass_by(LOOK_S)
    assert caplog.text.count("no token is let in") == 1 and str(at.store.secret_path) in caplog.text
    assert await at.gate.holder(OWN) and await at.gate.holder("sk-other") is None
    at.store.secret_path.write_text(good)
    at.time.pass_by(LOOK_S)
    assert await at.gate.holder(token)


async def test_a_file_that_could_not_be_read_is_read_again(at: At) -> None:
    """Also when its stamp is the old one: its rights may have been mended, or a card be back."""
    token, path = at.make(), at.store.secret_path
    assert await at.gate.holder(token)
    path.rename(path.with_name("away"))
    path.mkdir()
    at.time.pass_by(LOOK_S)
    with pytest.raises(TokensUnavailable):
        await at.gate.holder(token)
    path.rmdir()
    path.with_name("away").rename(path)
    at.time.pass_by(LOOK_S)
    assert await at.gate.holder(token)


async def test_many_at_once_look_once_and_one_that_leaves_stops_nobody(at: At, monkeypatch: pytest.MonkeyPatch) -> None:
    token = at.make()
    looks = []
    watch: Any = at.gate._watch
    look = watch._look

    async def counted() -> None:
        looks.append(1)
        await look()

    monkeypatch.setattr(watch, "_look", counted)
    asking = [asyncio.ensure_future(at.gate.holder(token)) for _ in range(20)]
    await asyncio.sleep(0)
    asking[0].cancel()
    found = await asyncio.gather(*asking, return_exceptions=True)
    assert isinstance(found[0], asyncio.CancelledError)
    assert all(getattr(one, "name", "").startswith("laptop#") for one in found[1:])
    assert looks == [1]
    assert await at.gate.holder(token) and looks == [1], "at most once a second"


async def test_a_signature_is_checked_once(at: At, monkeypatch: pytest.MonkeyPatch) -> None:
    token, checks = at.make(), []
    def counted(*args: Any) -> Grant:
        checks.append(1)
        return unseal(*args)

    monkeypatch.setattr("adapter.access.gate.unseal", counted)
    for _ in range(5):
        assert await at.gate.holder(token)
    assert checks == [1]
    assert not any(token.encode() in repr(entry).encode() for entry in at.gate._known.items())


async def test_what_is_remembered_is_bounded(at: At) -> None:
    first = at.make("first")
    assert await at.gate.holder(first)
    ring = at.store.keyring()
    assert ring
    for number in range(REMEMBERED + 10):
        assert await at.gate.holder(seal(Grant(f"{number:010x}", "many"), ring.secret))
        assert await at.gate.holder(first), "in use all the time"
    assert len(at.gate._known) == REMEMBERED
    for number in range(2 * REMEMBERED):
        await at.refused(f"sk-fh1.x.{number:043}")
    assert len(at.gate._known) == REMEMBERED, "what is refused is not remembered"


# --- scopes, rates, counts ------------------------------------------------------------------------------------


async def test_scopes(at: At) -> None:
    own, static, named = [await at.gate.holder(key) for key in (OWN, STATIC, NAMED)]
    assert own and static and named
    for path in ("/v1/chat/completions", "/v1/embeddings", "/admin/pressure", "/metrics", "/v1/models"):
        at.gate.check_scope(own, path)
    for holder, path, scope in [
        (static, "/admin/pressure", "admin"),
        (static, "/admin/state", "admin"),
        (static, "/metrics", "metrics"),
        (named, "/v1/chat/completions", "chat"),
        (named, "/tokenize", "chat"),
    ]:
        with pytest.raises(MissingScope) as caught:
            at.gate.check_scope(holder, path)
        assert (caught.value.status, caught.value.type, caught.value.code) == (403, "permission_error", "insufficient_scope")
        assert f"scope '{scope}'" in caught.value.message
        assert caught.value.message.endswith(f"farmhand token new NAME --scope {scope}")
    at.gate.check_scope(named, "/v1/models")
    at.gate.check_scope(named, "/v1/embeddings")
    assert sorted(use.refused for use in at.counted().values()) == [2, 3]


async def test_where_no_key_is_needed_only_admin_asks_for_one(tmp_path: Path) -> None:
    at = At(tmp_path, auth={"required": False, "keys": [STATIC]})
    static = await at.gate.holder(STATIC)
    assert static
    at.gate.check_scope(static, "/metrics")
    with pytest.raises(MissingScope):
        at.gate.check_scope(static, "/admin/pressure")


async def test_rates(at: At) -> None:
    named, own = await at.gate.holder(NAMED), await at.gate.holder(OWN)
    assert named and own
    first, second, third = [at.gate.take(named, "/v1/embeddings") for _ in range(3)]
    assert first and second and third
    assert [(s.limit, s.remaining, s.wait_s) for s in (first, second, third)] == [(2, 1, 0), (2, 0, 0), (2, 0, 30.0)]
    error = refusal(named, third)
    assert (error.status, error.code, error.type, error.retry_after_s) == (429, "rate_limit_exceeded", "rate_limit_error", 30)
    assert "its rate of 2/min" in error.message and "in 30 s" in error.message
    assert at.gate.take(named, "/v1/models") is None and at.gate.take(own, "/v1/embeddings") is None
    at.time.pass_by(30)
    passed = at.gate.take(named, "/v1/embeddings")
    assert passed and passed.wait_s == 0
    assert [use.refused for use in at.counted().values()] == [1]


async def test_a_wait_is_never_said_too_short(at: At) -> None:
    named = await at.gate.holder(NAMED)
    assert named
    standings = [at.gate.take(named, "/v1/embeddings") for _ in range(3)]
    assert standings[-1]
    assert refusal(named, replace(standings[-1], wait_s=29.0001)).retry_after_s == 30
    assert refusal(named, replace(standings[-1], wait_s=0.0001)).retry_after_s == 1


async def test_a_clock_that_is_set_back_does_not_touch_rates(at: At) -> None:
    named = await at.gate.holder(NAMED)
    assert named
    for _ in range(2):
        at.gate.take(named, "/v1/embeddings")
    at.time.wall_s -= 10**6
    at.time.clock_s += 30
    standing = at.gate.take(named, "/v1/embeddings")
    assert standing and standing.wait_s == 0


async def test_two_tokens_of_one_name_have_a_rate_each(at: At) -> None:
    first = await at.gate.holder(at.make(rate="1/h"))
    at.store.revoke("laptop", NOW_S)
    second = await at.gate.holder(at.make(rate="1/h"))
    assert first and second and first.id != second.id
    standings = [at.gate.take(one, "/v1/completions") for one in (first, second)]
    assert [standing and standing.wait_s for standing in standings] == [0, 0]


async def test_counts(at: At) -> None:
    own, named = await at.gate.holder(OWN), await at.gate.holder(NAMED)
    assert own and named
    at.gate.note(named, "/v1/embeddings", Usage(7, 0))
    at.gate.note(named, "/v1/models", None)
    at.gate.note(own, "/v1/chat/completions", Usage(10, 5))
    at.gate.note(own, "/admin/state", None)  # the bundle looks after itself
    at.gate.note(own, "/metrics", None)
    assert at.counted() == {
        "key:pitwall": Use("pitwall", 2, 0, 7, 0, NOW_S, NOW_S),
        own.id: Use(own.name, 1, 0, 10, 5, NOW_S, NOW_S),
    }
