"""Token bytes -> text: whole characters, stop strings, reasoning, max_tokens."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

import pytest

from adapter.calls.families import detect
from adapter.calls.output import AnswerParser, Text, Thought
from adapter.calls.plan import plan_output
from adapter.chat import Chat, Message, Role
from adapter.engines.llama.text import AnswerText, Ended, Shown

THINKS = "{{ messages }}<think>"


def parser(*, starts_open: bool = False) -> AnswerParser:
    """Of a model that reasons between tags."""
    prompt = "<|im_start|>assistant\n" + ("<think>\n" if starts_open else "")
    return plan_output(detect(THINKS), Chat("m", (Message(Role.USER, "hi"),)), prompt).new_parser()


def pieces_at_random(data: bytes, rng: random.Random) -> list[bytes]:
    cuts = sorted(rng.choices(range(len(data) + 1), k=rng.randint(0, 6)))
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def answer(
    pieces: Iterable[bytes], *, stops: Sequence[str] = (), max_tokens: int = 1_000, starts_open: bool = False
) -> tuple[str, str, Ended | None, int]:
    """Feed until it ends, then let the model end it; returns reasoning, text, why, tokens."""
    text = AnswerText(parser(starts_open=starts_open), stops=stops, max_tokens=max_tokens)
    parts: list[Shown] = []
    for piece in pieces:
        parts += text.token(piece)
        if text.ended:
            break
    else:
        parts += text.end_of_generation()
    reasoning = "".join(one.piece.text for one in parts if isinstance(one.piece, Thought))
    said = "".join(one.piece.text for one in parts if isinstance(one.piece, Text))
    return reasoning, said, text.ended, text.n_tokens


BYTES: list[tuple[bytes, str]] = [
    (b"plain", "plain"),
    ("Zürich 東京 🎉!".encode(), "Zürich 東京 🎉!"),
    (b"a\xffb", "a\ufffdb"),
    (b"\xc3(", "\ufffd("),
    (b"\xe6\x97X", "\ufffdX"),
    (b"\xed\xa0\x80", "\ufffd\ufffd\ufffd"),  # a surrogate is no character
    (b"end \xf0\x9f\x8e", "end \ufffd"),
    (b"", ""),
]


@pytest.mark.parametrize(("data", "text"), BYTES)
def test_bytes_become_whole_characters(data: bytes, text: str) -> None:
    """Whole, byte by byte and cut at random: the same text, what is no UTF-8 replaced."""
    assert answer([data])[1] == text
    assert answer([bytes([byte]) for byte in data])[1] == text
    rng = random.Random(3)
    for _ in range(40):
        assert answer(pieces_at_random(data, rng))[1] == text


def test_no_delta_holds_half_a_character() -> None:
    text = AnswerText(parser(), stops=(), max_tokens=100)
    given = [text.token(bytes([byte])) for byte in "é🎉".encode()]
    assert given == [[], [Shown(Text("é"))], [], [], [], [Shown(Text("🎉"))]]


def test_max_tokens_ends_the_answer_and_drops_half_a_character() -> None:
    """The cut is ours, so what it leaves of a character is not shown as damage."""
    assert answer([b"a", b"b", b"c"], max_tokens=2) == ("", "ab", Ended.LENGTH, 2)
    assert answer([b"a", b"\xf0\x9f", b"\x8e\x89"], max_tokens=2) == ("", "a", Ended.LENGTH, 2)


def test_max_tokens_gives_back_what_stop_strings_held() -> None:
    assert answer([b"one", b" ST"], stops=["STOP"], max_tokens=2) == ("", "one ST", Ended.LENGTH, 2)


def test_stop_string_across_tokens() -> None:
    """The text before it, nothing of it, nothing after it; the tokens it took are counted."""
    assert answer([b"a\n", b"Us", b"er: hi"], stops=["\nUser:"]) == ("", "a", Ended.STOP, 3)


def test_stop_string_in_the_last_allowed_token_counts_as_stop() -> None:
    assert answer([b"a", b"."], stops=["."], max_tokens=2) == ("", "a", Ended.STOP, 2)


def test_end_of_generation_counts_as_a_token() -> None:
    """As llama-server counts."""
    assert answer([b"hi"]) == ("", "hi", Ended.EOG, 2)
    assert answer([]) == ("", "", Ended.EOG, 1)


def test_stop_match_that_waited_for_a_longer_one() -> None:
    """At the end a held-back match is a match."""
    assert answer([b"xab"], stops=["abc", "b"]) == ("", "xa", Ended.STOP, 2)


def test_reasoning_is_apart_and_free_of_stop_strings() -> None:
    """Stop strings describe the answer that the client reads."""
    data = b"<think>\nfirst.\nsecond.</think>\n\nParis. Yes."
    rng = random.Random(5)
    for pieces in ([data], [bytes([b]) for b in data], *(pieces_at_random(data, rng) for _ in range(40))):
        reasoning, text, ended, _ = answer(pieces, stops=["."])
        assert (reasoning, text, ended) == ("first.\nsecond.", "Paris", Ended.STOP)


def test_reasoning_that_the_template_opened() -> None:
    data = b"hm</think>ok"
    assert answer([data], starts_open=True)[:2] == ("hm", "ok")
