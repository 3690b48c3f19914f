"""Which path needs which scope; lengths of time and rates as they are typed."""

from __future__ import annotations

import pytest

from adapter.access.durations import in_short, in_words, parse_duration
from adapter.access.scopes import SCOPES, costs, needed, parse_scopes


@pytest.mark.parametrize("prefix", ["", "/v1"])
@pytest.mark.parametrize(
    ("path", "scope", "cost"),
    [
        ("/chat/completions", "chat", True),
        ("/completions", "chat", True),
        ("/responses", "chat", True),
        ("/responses/resp_1", "chat", False),
        ("/responses/resp_1/input_items", "chat", False),
        ("/search/web", "chat", True),
        ("/tokenize", "chat", True),
        ("/detokenize", "chat", True),
        ("/embeddings", "embed", True),
        ("/models", None, False),
        ("/models/engine/a", None, False),
        ("/metrics", "metrics", False),
        ("/admin", "admin", False),
        ("/admin/pressure", "admin", False),
        ("/admin/what/ever/comes", "admin", False),
        ("/administrator", None, False),
        ("/nothing", None, False),
    ],
)
def test_what_a_path_needs(prefix: str, path: str, scope: str | None, cost: bool) -> None:
    assert (needed(prefix + path), costs(prefix + path)) == (scope, cost)


@pytest.mark.parametrize(
    ("text", "scopes"),
    [
        ("chat", ("chat",)),
        ("embed,chat", ("chat", "embed")),
        (" Metrics , admin,", ("admin", "metrics")),
        ("chat,chat", ("chat",)),
        ("metrics,admin,embed,chat", SCOPES),
    ],
)
def test_scopes_as_typed(text: str, scopes: tuple[str, ...]) -> None:
    assert parse_scopes(text) == scopes


@pytest.mark.parametrize(("text", "said"), [("", "no scope is given"), (",", "no scope"), ("chat,al", "'al' is no scope")])
def test_what_is_no_scope(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        parse_scopes(text)
    assert "chat, embed, admin, metrics" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1s", 1), ("90s", 90), ("30m", 1_800), ("30min", 1_800), ("12h", 43_200), ("30d", 2_592_000), ("8w", 4_838_400), (" 1D ", 86_400)],
)
def test_lengths_of_time(text: str, seconds: int) -> None:
    assert parse_duration(text, longest_s=10**9) == seconds


@pytest.mark.parametrize("text", ["", "30", "d", "0d", "-1d", "1.5h", "1h30m", "30 d", "30x", "\u0661d", "1e3s", "9" * 20 + "s"])
def test_what_is_no_length_of_time(text: str) -> None:
    with pytest.raises(ValueError, match="is no length of time; write it like 90s"):
        parse_duration(text, longest_s=10**9)


def test_the_longest_length_of_time() -> None:
    assert parse_duration("24h", longest_s=86_400) == 86_400
    with pytest.raises(ValueError, match="'86401s' is too long; 1 day is the most"):
        parse_duration("86401s", longest_s=86_400)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.4, "less than a second"), (1, "1 second"), (59.9, "59 seconds"), (60, "1 minute"), (7_199, "1 hour"), (86_400 * 29.9, "29 days")],
)
def test_in_words(seconds: float, said: str) -> None:
    assert in_words(seconds) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0ms"), (0.12, "120ms"), (0.0001, "1ms"), (0.9999, "1s"), (1, "1s"), (1.01, "2s"), (60, "1m0s"), (359.5, "6m0s"), (3_601, "1h0m1s")],
)
def test_in_short(seconds: float, said: str) -> None:
    """As OpenAI writes it, and never shorter than it is."""
    assert in_short(seconds) == said
