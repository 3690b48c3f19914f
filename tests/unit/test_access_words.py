"""What `farmhand token` prints: lists in 80 columns, QR codes that are what they should be, and nothing heavy at rest."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import segno

from adapter.access import listing, qr, words
from adapter.access.book import State
from adapter.access.grant import LAST_S, Grant, seal
from adapter.access.scopes import SCOPES
from adapter.access.store import Store
from adapter.access.tally import add_to_file
from adapter.access.use import Use
from adapter.access.words import Key, lines, use_in_words
from adapter.caller import OnDeadline, Urgency
from adapter.configuration import SettingsError, load
from adapter.keys import load_or_create_key
from adapter.settings import AuthSettings, KeySettings, Settings

ROOT = Path(__file__).resolve().parents[2]
NOW_S = 1_800_000_000


def clock(time_s: float) -> str:
    return f"at {time_s:.0f}"


FULL = Key(
    "token", "0123456789", "n" * 64, SCOPES, State.REVOKED, "1000000/day", Urgency.INTERACTIVE, 86_400, OnDeadline.PARTIAL,
    NOW_S, NOW_S, NOW_S, Use("x", 10**9, 10**9, 10**12, 10**12, 1, NOW_S - 59),
)  # fmt: skip


def test_a_token_in_words() -> None:
    key = Key("token", "0123456789", "laptop", ("chat", "embed"), use=Use("laptop#0", 1_204, 3, 120_000, 950, 1, NOW_S - 300))
    assert lines(key, NOW_S, clock) == [
        "laptop  (token 0123456789)",
        "  chat, embed",
        "  1,204 requests, 3 refused; 120.0k + 950 tokens; last 5 minutes ago",
    ]
    manners = Key("[[key]]", "", "pitwall", ("chat",), rate="60/min", urgency=Urgency.BACKGROUND, deadline_s=30)
    assert lines(manners, NOW_S, clock) == [
        "pitwall  (of [[key]])",
        "  chat; 60/min; background; within 30 s",
        "  never used",
    ]


@pytest.mark.parametrize(
    ("state", "said"),
    [(State.EXPIRED, ", expired)"), (State.REVOKED, ", revoked)"), (State.LOST, ", not valid: its secret is gone)"), (State.VALID, ")")],
)
def test_what_became_of_it(state: State, said: str) -> None:
    assert lines(Key("token", "0123456789", "a", ("chat",), state), NOW_S, clock)[0] == f"a  (token 0123456789{said}"


def test_the_longest_of_all_fits_80_columns() -> None:
    shown = lines(FULL, NOW_S, lambda _: "2026-12-21 20:05")
    assert max(map(len, shown)) <= 80
    assert shown[:2] == ["n" * 64, "  (token 0123456789, revoked 2026-12-21 20:05)"]
    assert shown[-1].endswith("last 59 seconds ago")


def test_use_in_words() -> None:
    assert use_in_words(None, NOW_S) == "never used"
    assert use_in_words(Use("a", 1, 0, 0, 0, NOW_S, NOW_S), NOW_S) == "1 request; 0 + 0 tokens; last just now"
    assert use_in_words(Use("a", 2, 0, 0, 0, NOW_S, NOW_S + 60), NOW_S).endswith("last just now"), "a clock that was set back"
    assert words.gone({"token:1": Use("old#1", 1), "nobody": Use("", 2)}, NOW_S)[0].startswith("without a key\n")


def test_for_programs_everything_is_json() -> None:
    shown = json.loads(json.dumps(words.for_programs(FULL)))
    assert shown["scope"] == list(SCOPES) and shown["class"] == "interactive" and shown["state"] == "revoked"
    assert shown["use"]["requests"] == 10**9


# --- list: where it comes from --------------------------------------------------------------------------------


def test_every_key_is_listed_by_what_stands_for_it(tmp_path: Path) -> None:
    own, static, named = load_or_create_key(tmp_path), "sk-static-01234", "sk-named-012345"
    pitwall = KeySettings(name="pitwall", key=named, rate="5/s")
    settings = Settings(home=tmp_path, auth=AuthSettings(keys=(static,)), key=(pitwall,))
    entry, token = Store(tmp_path).make(Grant("", "laptop"), NOW_S)
    uses = {f"token:{entry.grant.id}": Use("laptop#1", 4), "key:pitwall": Use("pitwall", 3), "key:old": Use("old", 2)}
    add_to_file(tmp_path / "key-usage.json", uses)
    found = listing.read(settings, NOW_S)
    assert [(key.kind, key.name, key.use and key.use.requests) for key in found.keys] == [
        ("generated", found.keys[0].name, None),
        ("auth.keys", found.keys[1].name, None),
        ("[[key]]", "pitwall", 3),
        ("token", "laptop", 4),
    ]
    assert (found.keys[0].scopes, found.keys[1].scopes) == (SCOPES, ("chat", "embed"))
    assert {ident: use.name for ident, use in found.gone.items()} == {"key:old": "old"}
    everything = repr(found) + json.dumps([words.for_programs(key) for key in found.keys])
    assert not any(secret in everything for secret in (own, static, named, token))


def test_looking_makes_nothing(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert listing.read(Settings(home=home), NOW_S).keys == ()
    assert not home.exists()


def test_counts_that_cannot_be_read_are_said(tmp_path: Path) -> None:
    (tmp_path / "key-usage.json").write_text("{")
    found = listing.read(Settings(home=tmp_path), NOW_S)
    assert len(found.trouble) == 1 and "key-usage.json: the counts cannot be read" in found.trouble[0]


# --- QR -------------------------------------------------------------------------------------------------------


def modules(shown: list[str]) -> list[list[int]]:
    """The modules of the code, read from the screen: which half of a character is in the colour of the text."""
    upper, lower = {" ": 0, "▀": 1, "▄": 0, "█": 1}, {" ": 0, "▀": 0, "▄": 1, "█": 1}
    rows = []
    for line in shown:
        text = line.removeprefix("\x1b[38;5;16;48;5;231m").removesuffix("\x1b[0m")
        assert len(text) == len(line) - len("\x1b[38;5;16;48;5;231m") - len("\x1b[0m"), "each line brings its own colours"
        rows += [[upper[char] for char in text], [lower[char] for char in text]]
    return rows


@pytest.mark.parametrize("length", [1, 20, 150, 200, 230, 300])
def test_the_code_on_the_screen_is_the_code(length: int) -> None:
    text = qr.connection("http://127.0.0.1:8888/v1", "x" * length)
    shown = qr.terminal_lines(text)
    code = segno.make(text, error="l", boost_error=False, micro=False)
    expected = [list(row) for row in code.matrix_iter(border=2)]
    found = modules(shown)
    assert found[: len(expected)] == expected
    assert found[len(expected) :] in ([], [[0] * len(expected[0])])


def test_the_longest_token_fits_80_columns_and_a_usual_one_60() -> None:
    longest = Grant("f" * 10, "n" * 64, SCOPES, LAST_S, "1000000/day", Urgency.INTERACTIVE, 86_400, OnDeadline.PARTIAL)
    usual = Grant("f" * 10, "laptop", expires_s=NOW_S, rate="60/min", urgency=Urgency.BACKGROUND, deadline_s=30)
    widths = [
        qr.columns(qr.terminal_lines(qr.connection("http://192.168.100.100:8888/v1", seal(grant, bytes(32)))))
        for grant in (longest, usual)
    ]
    assert widths[0] <= 80 and widths[1] <= 60


def test_what_is_in_it_is_what_the_sdk_takes() -> None:
    from openai import OpenAI

    said = json.loads(qr.connection("http://127.0.0.1:8888/v1", "sk-fh1.a.b"))
    with OpenAI(**said) as client:
        assert (str(client.base_url), client.api_key) == ("http://127.0.0.1:8888/v1/", "sk-fh1.a.b")


# --- settings, memory -----------------------------------------------------------------------------------------


def loaded(folder: Path, text: str) -> KeySettings:
    file = folder / "config.toml"
    file.write_text('[[key]]\nname = "a"\nkey = "sk-a-secret"\n' + text)
    return load({"FARMHAND_HOME": str(folder)}, config=file).key[0]


def test_named_keys_have_scopes_and_rates(tmp_path: Path) -> None:
    assert (loaded(tmp_path, "").scope, loaded(tmp_path, "").rate) == (("chat", "embed"), None)
    key = loaded(tmp_path, 'scope = ["metrics"]\nrate = "60/min"\n')
    assert (key.scope, key.rate) == (("metrics",), "60/min")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('scope = ["chat", "al"]', "key.0.scope.1: Input should be 'chat', 'embed', 'admin' or 'metrics'"),
        ("scope = []", "key.0.scope: Tuple should have at least 1 item"),
        ('scope = "chat"', 'key.0.scope: must be a list, like ["...", "..."]'),
        ('rate = "60/m"', "key.0.rate: '60/m' is no rate; write it like 60/min"),
        ("rate = 60", "key.0.rate: Input should be a valid string"),
    ],
)
def test_wrong_scopes_and_rates_are_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        loaded(tmp_path, text)
    assert said in str(caught.value) and "sk-a-secret" not in str(caught.value)


def test_a_server_loads_no_command_and_no_qr_code() -> None:
    code = "import sys, adapter.server.app; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    there = set(done.stdout.split())
    assert "adapter.access.gate" in there
    assert there.isdisjoint({"segno", "adapter.access.cli", "adapter.access.qr", "adapter.access.words", "adapter.access.listing"})
