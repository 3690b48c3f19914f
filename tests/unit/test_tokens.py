"""`adapter.tokens`: estimates, held to what is known of real tokenizers."""

from __future__ import annotations

import pytest

from adapter.tokens import MESSAGE_TOKENS, OPENING_TOKENS, estimate_prompt_tokens, estimate_tokens

PROSE = (
    "Farmhand turns a phone into a dependable server. It lives in a terminal on the device, and applications talk to "
    "it over a local connection. When the engine is busy, requests wait their turn; when it fails, they are told why."
)


def test_nothing_is_nothing_and_anything_is_something() -> None:
    assert estimate_tokens("") == 0
    for text in (" ", "a", "\n", ".", "日", "\x00"):
        assert estimate_tokens(text) == 1, text


def test_english_prose_has_about_four_characters_a_token() -> None:
    assert 3.6 < len(PROSE) / estimate_tokens(PROSE) < 5.0


def test_code_and_json_have_fewer() -> None:
    code = 'if (items[index].name === "x") {\n    return { ok: true, count: 1024 };\n}\n'
    assert 2.0 < len(code) / estimate_tokens(code) < 3.6


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("日本語のテキストを処理する", 8, 14),  # somewhat less than one a character
        ("Привет, что нового сегодня утром?", 9, 18),
        ("안녕하세요 세계", 5, 9),
        ("👋🏽👩‍👧", 6, 14),  # several byte tokens each
        ("12345678", 3, 8),
        ("wonderful", 1, 2),
        ("        indented", 2, 4),
    ],
)
def test_other_classes_of_characters(text: str, least: int, most: int) -> None:
    assert least <= estimate_tokens(text) <= most


def test_more_text_is_never_fewer_tokens() -> None:
    sizes = [estimate_tokens(PROSE[:end]) for end in range(len(PROSE) + 1)]
    assert sizes == sorted(sizes)


def test_a_prompt_counts_what_templates_add() -> None:
    assert estimate_prompt_tokens([]) == OPENING_TOKENS
    assert estimate_prompt_tokens(["hello", ""]) == OPENING_TOKENS + 2 * MESSAGE_TOKENS + estimate_tokens(
        "hello"
    )


def test_lone_surrogates_do_no_harm() -> None:
    assert estimate_tokens("a\ud800b") >= 2
