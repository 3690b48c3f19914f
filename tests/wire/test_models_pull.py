"""`farmhand models pull` against a real server that behaves, misbehaves, stops and changes."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from yarl import URL

from adapter.models.facts import Begun, Facts, read_facts
from adapter.models.failures import ModelsError
from adapter.models.fetch import Policy, _safe_for_token
from adapter.models.part import Part, begun_path, facts_path, part_path
from adapter.models.pull import Pulled, pull
from adapter.models.replies import Validators
from adapter.models.sources import parse_source
from adapter.models.store import Store
from tests.fakes.gguf_source import GgufSource, Turn, make_gguf, serving

CONTENT = make_gguf()
QUICK = Policy(connect_s=5, stall_s=5, retries=3, backoff_s=0.01, most_wait_s=0.05)
TOKEN = "hf_secret"


@dataclass
class Told:
    """Remembers what a download reported."""

    said: list[str] = field(default_factory=list)
    done: list[int] = field(default_factory=list)

    def update(self, done_bytes: int, total_bytes: int | None) -> None:
        self.done.append(done_bytes)

    def say(self, text: str) -> None:
        self.said.append(text)

    @property
    def text(self) -> str:
        return "\n".join(self.said)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's proxy must not stand between the test and its server."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


async def fetch(
    store: Store,
    text: str,
    told: Told | None = None,
    *,
    hub: str = "https://huggingface.co",
    sha256: str | None = None,
    policy: Policy = QUICK,
    token: str | None = None,
    free: Callable[[Path], int] = lambda folder: 1 << 40,
    name: str | None = None,
) -> Pulled:
    """`pull` in a thread, since it blocks and the server lives in this loop."""
    return await asyncio.to_thread(
        pull,
        store,
        parse_source(text, hub),
        told or Told(),
        name=name,
        sha256=sha256,
        token=token,
        policy=policy,
        free=free,
    )


def nothing_is_left(store: Store) -> bool:
    return list(store.folder.glob("*")) == []


def leave_part(store: Store, source: str, n_bytes: int, *, etag: str = '"v1"', sha256: str | None = None) -> None:
    """As if an earlier pull had been killed after `n_bytes`."""
    with Part(store.folder / "q.gguf") as part:
        part.begin(Begun(source, Validators(len(CONTENT), sha256, etag)))
        part.write(CONTENT[:n_bytes])


async def test_a_file_arrives_whole(store: Store) -> None:
    """Under its own name, with what is known about it, and no trace of the part."""
    async with serving(GgufSource(CONTENT)) as source:
        told = Told()
        pulled = await fetch(store, f"{source.url}/m/q.gguf?sig=SECRET", told)
    final = store.folder / "q.gguf"
    assert pulled.new and pulled.path == final and final.read_bytes() == CONTENT
    digest = hashlib.sha256(CONTENT).hexdigest()
    assert read_facts(facts_path(final)) == Facts(
        f"{source.url}/m/q.gguf", digest, len(CONTENT), "computed", None
    )
    assert sorted(path.name for path in store.folder.iterdir()) == ["q.gguf", "q.gguf.json"]
    assert "SECRET" not in facts_path(final).read_text() and "SECRET" in source.asked[0].path
    assert told.done[-1] == len(CONTENT)
    assert source.asked[0].headers["Accept-Encoding"] == "identity"


async def test_the_hub_vouches_for_the_sum(store: Store) -> None:
    """The redirect carries size, SHA-256 and commit; the host behind it need not."""
    async with serving(GgufSource(CONTENT)) as cdn:
        hop = Turn(
            redirect=f"{cdn.url}/x%2Fy?Signature=a%2Bb",
            headers={"X-Linked-Etag": f'"{cdn.sha256}"', "X-Linked-Size": "1", "X-Repo-Commit": "c0ffee"},
        )
        async with serving(GgufSource(CONTENT, [hop])) as hub:
            pulled = await fetch(store, "hf:a/b/q.gguf", hub=hub.url)
            assert hub.asked[0].path == "/a/b/resolve/main/q.gguf"
            assert cdn.asked[0].path == "/x%2Fy?Signature=a%2Bb", "a signed address must stay as it is"
    assert (pulled.facts.checked, pulled.facts.commit, pulled.facts.origin) == (
        "source",
        "c0ffee",
        "hf:a/b/q.gguf",
    )


async def test_the_token_stays_with_the_hub(store: Store) -> None:
    """It goes to the hub, also after a redirect there, and never to another host or port, nor with plain URLs."""
    async with serving(GgufSource(CONTENT)) as cdn:
        abroad = Turn(redirect=cdn.url.replace("127.0.0.1", "localhost") + "/q.gguf")
        at_home = Turn(redirect="/elsewhere/q.gguf")
        async with serving(GgufSource(CONTENT, [at_home, abroad])) as hub:
            await fetch(store, "hf:a/b/q.gguf", hub=hub.url, token=TOKEN)
            await fetch(store, f"{hub.url}/plain.gguf", token=TOKEN)
    assert [asked.headers.get("Authorization") for asked in hub.asked] == [
        f"Bearer {TOKEN}",
        f"Bearer {TOKEN}",
        None,
    ]
    assert len(cdn.asked) == 2
    assert [asked.headers.get("Authorization") for asked in cdn.asked] == [None, None]
    assert all(TOKEN not in path.read_text() for path in store.folder.glob("*.json"))


async def test_passwords_of_the_environment_stay_at_home(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ~/.netrc has for a host is for other programs, and must not get into the token's way either."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    async with serving(GgufSource(CONTENT)) as hub:
        await fetch(store, "hf:a/b/q.gguf", hub=hub.url, token=TOKEN)
        await fetch(store, f"{hub.url}/plain.gguf")
    assert [asked.headers.get("Authorization") for asked in hub.asked] == [f"Bearer {TOKEN}", None]


async def test_the_proxy_of_the_environment_is_used(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(GgufSource(CONTENT)) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url.removeprefix("http://"))
        await fetch(store, "http://models.example/q.gguf")
        assert proxy.asked[0].host == "models.example"
        monkeypatch.setenv("http_proxy", "socks5://127.0.0.1:1")
        with pytest.raises(ModelsError, match="kind socks5"):
            await fetch(store, "http://models.example/q2.gguf")


def test_a_token_does_not_travel_in_the_clear() -> None:
    """Plain HTTP is for this machine; a hub elsewhere gets the token over TLS only."""
    assert _safe_for_token(URL("https://hub.example")) and _safe_for_token(URL("http://127.0.0.1:1"))
    assert not _safe_for_token(URL("http://192.168.1.5:8080"))


@pytest.mark.parametrize("cut", [1, 3, 4, 100, 16_384, len(CONTENT) - 1])
async def test_a_dropped_connection_is_taken_up_again(store: Store, cut: int) -> None:
    """From the byte where it was, with the validator of the first answer."""
    async with serving(GgufSource(CONTENT, [Turn(drop_after=cut), Turn()])) as source:
        told = Told()
        await fetch(store, f"{source.url}/q.gguf", told)
    assert (store.folder / "q.gguf").read_bytes() == CONTENT
    second = source.asked[1].headers
    assert (second["Range"], second["If-Range"]) == (f"bytes={cut}-", '"v1"')
    assert "the connection broke off; trying again" in told.text


async def test_tries_are_bounded(store: Store) -> None:
    """What came so far is kept, and the sentence says so."""
    async with serving(GgufSource(CONTENT, [Turn(drop_after=50_000), Turn(drop_after=0)])) as source:
        with pytest.raises(ModelsError, match=r"given up after 4 tries in a row\. 50 kB of 200 kB are kept"):
            await fetch(store, f"{source.url}/q.gguf")
        assert len(source.asked) == 5 - 1
        assert part_path(store.folder / "q.gguf").stat().st_size == 50_000
        assert not (store.folder / "q.gguf").exists()
        (unfinished,) = store.unfinished()
        assert (unfinished.name, unfinished.have_bytes, unfinished.total_bytes) == ("q", 50_000, len(CONTENT))


async def test_a_server_that_promises_more_than_it_has(store: Store) -> None:
    """Content-Length lies for ever: an end, and never a file under its final name."""
    async with serving(GgufSource(CONTENT, [Turn(lie_bytes=10, ranges=False)])) as source:
        with pytest.raises(ModelsError, match="given up"):
            await fetch(store, f"{source.url}/q.gguf")
    assert not (store.folder / "q.gguf").exists()


async def test_a_stall_is_a_failure(store: Store) -> None:
    policy = Policy(stall_s=0.2, retries=1, backoff_s=0.01)
    async with serving(GgufSource(CONTENT, [Turn(stall_after=16_384), Turn()])) as source:
        told = Told()
        await fetch(store, f"{source.url}/q.gguf", told, policy=policy)
    assert "nothing arrived for 0.2 s" in told.text
    assert source.asked[1].headers["Range"] == "bytes=16384-"
    assert (store.folder / "q.gguf").read_bytes() == CONTENT


async def test_a_server_without_ranges_starts_over(store: Store) -> None:
    async with serving(GgufSource(CONTENT, [Turn(drop_after=50_000), Turn(ranges=False)])) as source:
        told = Told()
        await fetch(store, f"{source.url}/q.gguf", told)
    assert "Starting over: the server cannot continue" in told.text
    assert (store.folder / "q.gguf").read_bytes() == CONTENT
    assert len(source.asked) == 2, "the whole answer that came is used"


@pytest.mark.parametrize("ranges", [True, False])
async def test_a_changed_file_starts_over(store: Store, ranges: bool) -> None:
    """Two halves of two files never become one."""
    other = make_gguf(len(CONTENT) - 500, seed=2)
    after = Turn(body=other, etag='"v2"', ranges=ranges)
    async with serving(GgufSource(CONTENT, [Turn(drop_after=50_000), after])) as source:
        told = Told()
        await fetch(store, f"{source.url}/q.gguf", told)
    assert "Starting over: the file has changed at its source" in told.text
    assert (store.folder / "q.gguf").read_bytes() == other


async def test_a_file_that_changes_behind_the_same_range(store: Store) -> None:
    """A server that answers 206 with another ETag: seen, and asked again from the first byte."""

    class NoIfRange(GgufSource):
        async def handle(self, request):  # type: ignore[no-untyped-def]
            headers = request.headers.copy()
            headers.popall("If-Range", None)
            return await super().handle(request.clone(headers=headers))

    other = make_gguf(len(CONTENT), seed=3)
    async with serving(NoIfRange(CONTENT, [Turn(drop_after=50_000), Turn(body=other, etag='"v2"')])) as source:
        told = Told()
        await fetch(store, f"{source.url}/q.gguf", told)
    assert [asked.headers.get("Range") for asked in source.asked] == [None, "bytes=50000-", None]
    assert (store.folder / "q.gguf").read_bytes() == other


async def test_without_any_validator_nothing_is_continued(store: Store) -> None:
    """Nothing says that it is still the same file, so an earlier part is worthless."""
    async with serving(GgufSource(CONTENT, [Turn(drop_after=50_000, etag=None)])) as source:
        with pytest.raises(ModelsError, match="given up"):
            await fetch(store, f"{source.url}/q.gguf", policy=Policy(retries=0))
        source.script = [Turn(etag=None)]
        await fetch(store, f"{source.url}/q.gguf")
    assert "Range" not in source.asked[-1].headers
    assert (store.folder / "q.gguf").read_bytes() == CONTENT


async def test_a_part_that_is_complete_is_only_checked(store: Store) -> None:
    """Killed between the last byte and the name: with a SHA-256 without asking anybody, else a 416 settles it."""
    async with serving(GgufSource(CONTENT)) as source:
        origin = f"{source.url}/q.gguf"
        leave_part(store, origin, len(CONTENT), sha256=source.sha256)
        await fetch(store, origin)
        assert source.asked == []
        store.remove("q")
        leave_part(store, origin, len(CONTENT))
        await fetch(store, origin)
        assert source.asked[0].headers["Range"] == f"bytes={len(CONTENT)}-"
        assert len(source.asked) == 1
    assert (store.folder / "q.gguf").read_bytes() == CONTENT


async def test_a_part_that_is_too_long_starts_over(store: Store) -> None:
    async with serving(GgufSource(CONTENT)) as source:
        leave_part(store, f"{source.url}/q.gguf", len(CONTENT))
        part = part_path(store.folder / "q.gguf")
        part.write_bytes(part.read_bytes() + b"more")
        await fetch(store, f"{source.url}/q.gguf")
    assert (store.folder / "q.gguf").read_bytes() == CONTENT


async def test_a_part_of_something_else_starts_over(store: Store) -> None:
    async with serving(GgufSource(CONTENT)) as source:
        leave_part(store, "hf:x/y/q.gguf", 50_000)
        told = Told()
        await fetch(store, f"{source.url}/q.gguf", told)
    assert "belongs to hf:x/y/q.gguf" in told.text
    assert "Range" not in source.asked[0].headers


async def test_a_damaged_part_never_gets_the_name(store: Store) -> None:
    """The sum is taken from the disk at the end, so it does not matter when the bytes went wrong."""
    async with serving(GgufSource(CONTENT)) as source:
        leave_part(store, f"{source.url}/q.gguf", 50_000)
        part = part_path(store.folder / "q.gguf")
        part.write_bytes(CONTENT[:40_000] + b"xxxx" + CONTENT[40_004:50_000])
        with pytest.raises(ModelsError, match="damaged on the way"):
            await fetch(store, f"{source.url}/q.gguf", sha256=source.sha256)
    assert nothing_is_left(store)


async def test_the_sum_that_was_given(store: Store) -> None:
    async with serving(GgufSource(CONTENT)) as source:
        with pytest.raises(ModelsError, match=f"should be {'0' * 64}"):
            await fetch(store, f"{source.url}/q.gguf", sha256="0" * 64)
        assert nothing_is_left(store)
        pulled = await fetch(store, f"{source.url}/q.gguf", sha256=source.sha256)
    assert pulled.facts.checked == "you"


async def test_a_wrong_sum_at_the_hub_costs_no_download(store: Store) -> None:
    linked = Turn(headers={"X-Linked-Etag": f'"{"a" * 64}"'})
    async with serving(GgufSource(CONTENT, [linked])) as hub:
        with pytest.raises(ModelsError, match="nothing was fetched"):
            await fetch(store, "hf:a/b/q.gguf", hub=hub.url, sha256="b" * 64)
        with pytest.raises(ModelsError, match="damaged on the way"):
            await fetch(store, "hf:a/b/q.gguf", hub=hub.url)
    assert nothing_is_left(store)


@pytest.mark.parametrize(
    ("turn", "says"),
    [
        (Turn(body=b"<!DOCTYPE html><p>log in", headers={"Content-Type": "text/html"}), "It is a web page"),
        (Turn(body=b"PK\x03\x04 zip"), "is no GGUF file"),
        (Turn(body=b"GG"), "is no GGUF file"),
        (Turn(body=b""), "is empty"),
        (Turn(body=CONTENT[:150_000], chunked=True), "download is incomplete"),
        (Turn(headers={"Content-Encoding": "gzip"}), "compressed"),
        (Turn(status=404), "has no such file"),
        (Turn(status=403), "refuses"),
        (Turn(redirect="/again"), "redirects"),
        (Turn(redirect="ftp://x/y"), "cannot be used"),
        (Turn(redirect="http://[/"), "cannot be used"),
        (Turn(redirect="http://me:pw@127.0.0.1/q"), "cannot be used"),
    ],
)
async def test_what_is_no_model_leaves_nothing(store: Store, turn: Turn, says: str) -> None:
    async with serving(GgufSource(CONTENT, [turn])) as source:
        with pytest.raises(ModelsError, match=says):
            await fetch(store, f"{source.url}/q.gguf")
    assert nothing_is_left(store)


@pytest.mark.parametrize(
    ("status", "headers", "says"),
    [
        (401, {"X-Error-Code": "GatedRepo"}, "gated or private.* set HF_TOKEN"),
        (401, {}, "no such repository"),
        (404, {"X-Error-Code": "EntryNotFound"}, "tree/main"),
    ],
)
async def test_the_hub_refuses(store: Store, status: int, headers: dict[str, str], says: str) -> None:
    async with serving(GgufSource(CONTENT, [Turn(status=status, headers=headers)])) as hub:
        with pytest.raises(ModelsError, match=says):
            await fetch(store, "hf:a/b/q.gguf", hub=hub.url)
    assert nothing_is_left(store)


async def test_a_busy_server_is_asked_again(store: Store) -> None:
    async with serving(GgufSource(CONTENT, [Turn(status=503), Turn(status=429), Turn()])) as source:
        await fetch(store, f"{source.url}/q.gguf")
    assert (store.folder / "q.gguf").read_bytes() == CONTENT


async def test_nobody_there(store: Store) -> None:
    """A typing error in the host is told at once, not after half a minute of tries."""
    async with serving(GgufSource(CONTENT)) as source:
        gone = source.url
    told = Told()
    with pytest.raises(ModelsError, match=r"cannot be reached.*check the address"):
        await fetch(store, f"{gone}/q.gguf", told)
    assert told.said == []


async def test_without_a_length(store: Store) -> None:
    async with serving(GgufSource(CONTENT, [Turn(chunked=True)])) as source:
        await fetch(store, f"{source.url}/q.gguf")
    assert (store.folder / "q.gguf").read_bytes() == CONTENT


async def test_space_is_checked_first(store: Store) -> None:
    """Both numbers are named; what is here already counts."""
    async with serving(GgufSource(CONTENT)) as source:
        with pytest.raises(ModelsError, match=r"not enough space: 200 kB are needed.* 150 kB are free"):
            await fetch(store, f"{source.url}/q.gguf", free=lambda folder: 150_000)
        assert nothing_is_left(store)
        leave_part(store, f"{source.url}/q.gguf", 100_000)
        await fetch(store, f"{source.url}/q.gguf", free=lambda folder: 150_000)


async def test_two_pulls_of_one_file(store: Store) -> None:
    """The second says so; the first is not disturbed."""
    async with serving(GgufSource(CONTENT, [Turn(stall_after=16_384)])) as source:
        patient = Policy(stall_s=1.0, retries=1, backoff_s=0.01)
        first = asyncio.create_task(fetch(store, f"{source.url}/q.gguf", policy=patient))
        await asyncio.wait_for(source.reached.wait(), 20)
        with pytest.raises(ModelsError, match="being fetched by another"):
            await fetch(store, f"{source.url}/q.gguf")
        with pytest.raises(ModelsError, match="being fetched by another"):
            await asyncio.to_thread(store.remove, "q")
        source.script = [Turn()]
        await first
    assert (store.folder / "q.gguf").read_bytes() == CONTENT


async def test_what_is_there_is_not_fetched_again(store: Store) -> None:
    async with serving(GgufSource(CONTENT)) as source:
        await fetch(store, f"{source.url}/q.gguf")
        again = await fetch(store, f"{source.url}/q.gguf", sha256=source.sha256)
        assert not again.new and len(source.asked) == 1
        with pytest.raises(ModelsError, match="not the one given"):
            await fetch(store, f"{source.url}/q.gguf", sha256="0" * 64)
        with pytest.raises(ModelsError, match=r"there is a model 'q' already, from .*--name NAME"):
            await fetch(store, f"{source.url}/other/q.gguf")
        await fetch(store, f"{source.url}/other/q.gguf", name="q2")
    assert store.names() == ["q", "q2"]


async def test_a_file_put_there_by_hand_is_never_overwritten(store: Store) -> None:
    store.folder.mkdir()
    (store.folder / "q.gguf").write_bytes(b"mine")
    async with serving(GgufSource(CONTENT)) as source:
        with pytest.raises(ModelsError, match="not fetched by Farmhand"):
            await fetch(store, f"{source.url}/q.gguf")
    assert (store.folder / "q.gguf").read_bytes() == b"mine"


async def test_a_part_without_its_note_starts_over(store: Store) -> None:
    """And one with a note that makes no sense."""
    for note in (None, "{", '{"origin": 1}', '{"origin": "x", "validators": {"odd": 1}}'):
        leave_part(store, "x", 50_000)
        begun = begun_path(store.folder / "q.gguf")
        begun.unlink() if note is None else begun.write_text(note)
        with Part(store.folder / "q.gguf") as part:
            assert part.have_bytes == 0
