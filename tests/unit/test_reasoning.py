"""Reasoning and answer are told apart, however the text is cut."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest

from adapter.reasoning import Part, ReasoningSplitter, split_complete

TABLE: list[tuple[str, bool, str, str]] = [
    # whole text, starts_open, reasoning, answer
    ("Paris.", False, "", "Paris."),
    ("\n Paris. \n", False, "", "\n Paris. \n"),
    ("", False, "", ""),
    (" \n", False, "", " \n"),
    ("<think>\nfrance\n</think>\n\nParis.", False, "france", "Paris."),
    (" \n<think>france</think>Paris.", False, "france", "Paris."),
    ("<think></think>Paris.", False, "", "Paris."),
    ("<think>\n\n</think>\n\nParis.", False, "", "Paris."),
    ("<think>two  words\nand more </think> Paris. ", False, "two  words\nand more", "Paris. "),
    ("<think>a < b </thin ok</think>yes", False, "a < b </thin ok", "yes"),
    ("<think>never ends", False, "never ends", ""),
    ("<think>never ends </thi", False, "never ends </thi", ""),
    ("<thin", False, "", "<thin"),
    ("<thinking>", False, "", "<thinking>"),
    ("Use <think> and </think> as tags.", False, "", "Use <think> and </think> as tags."),
    ("<think>one</think>two<think>three</think>", False, "one", "two<think>three</think>"),
    ("\nfrance\n</think>\n\nParis.", True, "france", "Paris."),
    ("<think>france</think>Paris.", True, "france", "Paris."),
    ("</think>Paris.", True, "", "Paris."),
    ("no end", True, "no end", ""),
    ("<th", True, "<th", ""),
]


def run(pieces: Iterable[str], starts_open: bool) -> tuple[str, str]:
    splitter = ReasoningSplitter(starts_open=starts_open)
    parts = [part for piece in pieces for part in splitter.feed(piece)] + splitter.flush()
    assert all(text for _, text in parts)
    reasoning, answer = (
        "".join(text for part, text in parts if part is wanted) for wanted in (Part.REASONING, Part.TEXT)
    )
    return reasoning, answer


@pytest.mark.parametrize(("text", "starts_open", "reasoning", "answer"), TABLE)
def test_whole_letter_by_letter_and_at_random(
    text: str, starts_open: bool, reasoning: str, answer: str
) -> None:
    """Every way of cutting gives the same two texts."""
    assert run([text], starts_open) == (reasoning, answer)
    assert run(text, starts_open) == (reasoning, answer)
    rng = random.Random(11)
    for _ in range(50):
        cuts = sorted(rng.choices(range(len(text) + 1), k=3))
        pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        assert run(pieces, starts_open) == (reasoning, answer)


@pytest.mark.parametrize(("text", "starts_open", "reasoning", "answer"), TABLE)
def test_complete_agrees(text: str, starts_open: bool, reasoning: str, answer: str) -> None:
    assert split_complete(text, starts_open=starts_open) == (reasoning, answer)


def test_a_missing_opener_is_seen_only_in_the_complete_text() -> None:
    """A stream has sent the reasoning as text before it can know; the tag stays visible."""
    text = "france\n</think>\n\nParis."
    assert split_complete(text) == ("france", "Paris.")
    assert run(text, False) == ("", text)


def test_text_is_not_held_back_without_need() -> None:
    """Only white space and beginnings of tags wait."""
    splitter = ReasoningSplitter()
    assert splitter.feed("<think> one") == [(Part.REASONING, "one")]
    assert splitter.feed(" two \n") == [(Part.REASONING, " two")]
    assert splitter.feed("</thi") == []
    assert splitter.feed("nk> x") == [(Part.TEXT, "x")]
    assert splitter.feed(" </think>") == [(Part.TEXT, " </think>")]
