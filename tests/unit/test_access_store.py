"""The files of the tokens: made once, closed to others, never half written, and a damaged one lets nobody in."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from adapter.access.book import REVOKED_KEPT, Entry, State, parse_book, render_book
from adapter.access.files import locked
from adapter.access.grant import Grant, unseal
from adapter.access.keyring import Keyring, parse_keyring, render_keyring
from adapter.access.store import Store, TokenError, read_keyring
from adapter.errors import BadKey

NOW_S = 1_800_000_000
NEW = """
import sys, time, pathlib
from adapter.access.grant import Grant
from adapter.access.store import Store, TokenError
try:
    print(Store(pathlib.Path(sys.argv[1])).make(Grant("", sys.argv[2]), 1_800_000_000)[1])
except TokenError as exc:
    sys.exit(str(exc))
"""


def asked(name: str, expires_s: int | None = None) -> Grant:
    return Grant("", name, expires_s=expires_s)


def opens(home: Path, token: str) -> bool:
    """As a server judges it."""
    ring = read_keyring(home / "token-secret")
    try:
        grant = unseal(token, ring.secret if ring else None)
    except BadKey:
        return False
    return ring is not None and grant.id not in ring.revoked


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_made_shown_and_revoked(tmp_path: Path) -> None:
    home = tmp_path / "a" / "home"
    store = Store(home)
    entry, token = store.make(asked("laptop"), NOW_S)
    assert opens(home, token)
    assert store.show("laptop", NOW_S) == store.show(entry.grant.id, NOW_S) == (entry, token)
    assert store.entries() == (entry,)
    store.revoke("laptop", NOW_S + 5)
    assert not opens(home, token)
    assert [one.revoked_s for one in store.entries()] == [NOW_S + 5]
    for refuse in (lambda: store.revoke("laptop", NOW_S), lambda: store.show("laptop", NOW_S)):
        with pytest.raises(TokenError, match=r"'laptop'.* has been revoked"):
            refuse()


def test_nothing_of_it_is_open_to_others_or_holds_a_token(tmp_path: Path) -> None:
    home = tmp_path / "home"
    store = Store(home)
    _, token = store.make(asked("laptop"), NOW_S)
    store.revoke("laptop", NOW_S)
    _, other = store.make(asked("desk"), NOW_S)
    assert mode(home) == 0o700
    assert {mode(path) for path in home.iterdir()} == {0o600}
    everything = b"".join(path.read_bytes() for path in home.iterdir())
    for text in (token, other):
        assert text.encode() not in everything and text.rpartition(".")[2].encode() not in everything


def test_files_that_others_can_read_are_closed_to_them(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.make(asked("laptop"), NOW_S)
    for path in (store.secret_path, store.book_path):
        path.chmod(0o644)
    store.show("laptop", NOW_S)
    assert (mode(store.secret_path), mode(store.book_path)) == (0o600, 0o600)


def test_one_secret_for_all_and_another_one_elsewhere(tmp_path: Path) -> None:
    here, there = Store(tmp_path / "here"), Store(tmp_path / "there")
    tokens = [here.make(asked(name), NOW_S)[1] for name in ("a", "b")]
    assert all(opens(tmp_path / "here", token) for token in tokens)
    there.make(asked("a"), NOW_S)
    assert not any(opens(tmp_path / "there", token) for token in tokens)


def test_a_name_is_taken_until_its_token_is_of_no_use(tmp_path: Path) -> None:
    store = Store(tmp_path)
    _, first = store.make(asked("laptop", NOW_S + 60), NOW_S)
    with pytest.raises(TokenError, match="there is a token 'laptop' already; take another name, or revoke"):
        store.make(asked("laptop"), NOW_S + 59)
    entry, second = store.make(asked("laptop"), NOW_S + 60)
    assert second != first and store.show("laptop", NOW_S)[0] == entry
    # The expired one was revoked with it: a clock that is set back must not bring it back.
    assert not opens(tmp_path, first) and opens(tmp_path, second)
    store.revoke("laptop", NOW_S + 61)
    store.make(asked("laptop"), NOW_S + 62)


@pytest.mark.parametrize("name", ["", "a b", "l\u00e4ptop", "x" * 65])
def test_a_name_that_is_none_makes_nothing(tmp_path: Path, name: str) -> None:
    with pytest.raises(TokenError, match="is no name for a token"):
        Store(tmp_path).make(asked(name), NOW_S)
    assert list(tmp_path.iterdir()) == []


def test_an_id_that_is_in_no_list_is_revoked_all_the_same(tmp_path: Path) -> None:
    """The list was lost, and who has the token is known from elsewhere: the list of uses shows ids, too."""
    store = Store(tmp_path)
    entry, token = store.make(asked("laptop"), NOW_S)
    store.book_path.unlink()
    assert store.revoke(entry.grant.id, NOW_S) is None
    assert not opens(tmp_path, token)


@pytest.mark.parametrize("word", ["desk", "012345678", "012345678g", "", "\udcff", "x" * 500])
def test_what_is_not_there(tmp_path: Path, word: str) -> None:
    store = Store(tmp_path)
    store.make(asked("laptop"), NOW_S)
    for refuse in (lambda: store.revoke(word, NOW_S), lambda: store.show(word, NOW_S)):
        with pytest.raises(TokenError, match="no token with the name or id"):
            refuse()


def test_an_expired_one_is_shown_no_more(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.make(asked("laptop", NOW_S), NOW_S - 1)
    with pytest.raises(TokenError, match="has expired; make it anew with: farmhand token new laptop"):
        store.show("laptop", NOW_S)


# --- several at once ------------------------------------------------------------------------------------------


def together(home: Path, names: list[str]) -> list[tuple[int, str, str]]:
    starts = [
        subprocess.Popen([sys.executable, "-c", NEW, str(home), name], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for name in names
    ]
    ends = [start.communicate(timeout=30) for start in starts]
    return [(start.returncode, out.strip(), err.strip()) for start, (out, err) in zip(starts, ends, strict=True)]


def test_two_that_ask_for_one_name_at_once(tmp_path: Path) -> None:
    done = together(tmp_path / "home", ["laptop"] * 4)
    assert sorted(status for status, _, _ in done) == [0, 1, 1, 1]
    assert all("there is a token 'laptop' already" in err for status, _, err in done if status)
    assert [opens(tmp_path / "home", token) for status, token, _ in done if not status] == [True]


def test_first_tokens_made_at_once_share_one_secret(tmp_path: Path) -> None:
    done = together(tmp_path / "home", ["a", "b", "c", "d"])
    assert [status for status, _, _ in done] == [0] * 4
    assert all(opens(tmp_path / "home", token) for _, token, _ in done)
    assert {entry.grant.name for entry in Store(tmp_path / "home").entries()} == {"a", "b", "c", "d"}


def test_a_lock_that_is_never_released_is_not_waited_for_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "token-secret"
    with locked(path), pytest.raises(TimeoutError, match=r"held its lock for 0\.1 s"), locked(path, limit_s=0.1):
        pass
    with locked(path, limit_s=0.1):  # and is free again
        pass


# --- lost and damaged files -----------------------------------------------------------------------------------


def test_losing_the_list_brings_no_revoked_token_back(tmp_path: Path) -> None:
    store = Store(tmp_path)
    _, kept = store.make(asked("kept"), NOW_S)
    _, revoked = store.make(asked("revoked"), NOW_S)
    store.revoke("revoked", NOW_S)
    store.book_path.unlink()
    assert opens(tmp_path, kept) and not opens(tmp_path, revoked)
    _, again = store.make(asked("revoked"), NOW_S)
    assert opens(tmp_path, again) and not opens(tmp_path, revoked)


def test_losing_the_secret_ends_every_token(tmp_path: Path) -> None:
    """So there is no file whose loss brings a revoked one back."""
    store = Store(tmp_path)
    _, kept = store.make(asked("kept"), NOW_S)
    _, revoked = store.make(asked("revoked"), NOW_S)
    store.revoke("revoked", NOW_S)
    store.secret_path.unlink()
    assert not opens(tmp_path, kept) and not opens(tmp_path, revoked)
    with pytest.raises(TokenError, match="a secret that is gone"):
        store.show("kept", NOW_S)
    store.make(asked("new"), NOW_S)
    assert not opens(tmp_path, kept) and not opens(tmp_path, revoked)
    with pytest.raises(TokenError, match="a secret that is gone"):
        store.show("kept", NOW_S)
    assert [entry.state(store.keyring(), NOW_S) for entry in store.entries()] == [State.LOST, State.REVOKED, State.VALID]
    store.make(asked("kept"), NOW_S)  # its name is free: the old one is of no use to anybody


def good_keyring() -> str:
    return render_keyring(Keyring(bytes(32), frozenset({"0123456789", "abcdef0123"})))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "garbage",
        "x" * 100_000,
        good_keyring()[:-1][:-1],
        good_keyring().replace("end 2", "end 1"),
        good_keyring().replace("revoked 0123456789\n", ""),
        good_keyring().replace("revoked 0123456789", "revoked 012345678"),
        good_keyring().replace("revoked 0123456789", "revoked abcdef0123"),
        good_keyring().replace("tokens 1", "tokens 2"),
        good_keyring().replace("secret A", "secret "),
        good_keyring().replace("secret A", "secret \u00e4"),
        good_keyring() + "more\n",
        *[good_keyring()[:cut] for cut in range(0, len(good_keyring()) - 1, 7)],
    ],
)
def test_a_damaged_secret_lets_nobody_in(tmp_path: Path, text: str) -> None:
    store = Store(tmp_path)
    store.make(asked("laptop"), NOW_S)
    store.secret_path.write_text(text, encoding="utf-8")
    for refuse in (
        lambda: read_keyring(store.secret_path),
        lambda: store.make(asked("desk"), NOW_S),
        lambda: store.revoke("laptop", NOW_S),
        lambda: store.show("laptop", NOW_S),
    ):
        with pytest.raises(TokenError) as caught:
            refuse()
        assert str(caught.value).startswith(f"{store.secret_path}: cannot be used (") and "delete it" in str(caught.value)
    assert store.secret_path.read_text(encoding="utf-8") == text, "it is left for its owner to look at"


def test_bytes_and_folders_in_the_place_of_the_secret(tmp_path: Path) -> None:
    (tmp_path / "token-secret").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TokenError, match=r"cannot be used \(bytes that are no text\)"):
        read_keyring(tmp_path / "token-secret")
    (tmp_path / "b" / "token-secret").mkdir(parents=True)
    with pytest.raises(TokenError, match=r"cannot be used \(Is a directory\)"):
        read_keyring(tmp_path / "b" / "token-secret")


def test_the_text_of_the_keyring_there_and_back() -> None:
    rings = [Keyring(bytes(range(32)), frozenset(ids)) for ids in ([], ["0123456789"], ["abcdef0123", "0123456789"])]
    assert [parse_keyring(render_keyring(ring)) for ring in rings] == rings
    assert "secret" not in repr(rings) and len({ring.mark for ring in rings}) == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"version": 2, "tokens": []}',
        '{"version": 1, "tokens": {}}',
        '{"version": 1, "tokens": [1]}',
        '{"version": 1, "tokens": [{"token": {}, "secret": "x"}]}',
        '{"version": 1, "tokens": [{"token": {"i": "0123456789", "n": "a", "s": "c"}, "secret": "x", "made": -1}]}',
        '{"version": 1, "tokens": [{"token": {"i": "0123456789", "n": "a", "s": "c"}, "secret": "x", "made": 1, "revoked": "x"}]}',
        "[" * 100_000,
        "\ud800",
    ],
)
def test_a_damaged_list_is_named_and_says_what_holds(tmp_path: Path, text: str) -> None:
    store = Store(tmp_path)
    _, token = store.make(asked("laptop"), NOW_S)
    store.book_path.write_bytes(text.encode("utf-8", "surrogatepass"))
    for refuse in (lambda: store.make(asked("desk"), NOW_S), lambda: store.revoke("laptop", NOW_S), store.entries):
        with pytest.raises(TokenError) as caught:
            refuse()
        assert str(caught.value).startswith(f"{store.book_path}: cannot be used (") and "move it away" in str(caught.value)
    assert opens(tmp_path, token)


def test_the_same_id_twice_is_no_list() -> None:
    one = Entry(Grant("0123456789", "a"), 1, "x")
    with pytest.raises(ValueError, match="the same id"):
        parse_book(render_book([one, replace(one, grant=replace(one.grant, name="b"))]))


def test_the_oldest_revoked_ones_are_forgotten_by_the_list() -> None:
    gone = [Entry(Grant(f"{n:010x}", f"n{n}"), 1, "x", revoked_s=1_000 + n) for n in range(REVOKED_KEPT + 20)]
    valid = Entry(Grant("ffffffffff", "valid"), 1, "x")
    assert parse_book(render_book([valid, *gone])) == (valid, *gone[20:])


@pytest.mark.parametrize("failing", ["token-secret", "tokens.json"])
def test_a_full_disk_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    """A kill between the two writes looks the same."""
    store = Store(tmp_path)
    _, token = store.make(asked("laptop"), NOW_S)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if not path.name.startswith(".")}

    def no_space(descriptor: int) -> None:
        if (tmp_path / f".{failing}.new").exists():
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("adapter.access.files.os.fsync", no_space)
    with pytest.raises(TokenError, match=r"cannot be changed \(No space left on device\); check FARMHAND_HOME"):
        store.revoke("laptop", NOW_S)
    assert (tmp_path / "tokens.json").read_bytes() == before["tokens.json"]
    monkeypatch.undo()
    assert opens(tmp_path, token) is (failing == "token-secret"), "the revocation is written first"
    store.revoke("laptop", NOW_S)  # and is taken up where it was left
    assert not opens(tmp_path, token) and json.loads(store.book_path.read_text())["tokens"][0]["revoked"] == NOW_S


def test_a_state_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    with pytest.raises(TokenError, match="check FARMHAND_HOME"):
        Store(tmp_path / "home").make(asked("laptop"), NOW_S)
