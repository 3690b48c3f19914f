"""Stop strings: the answer ends before the first one, however the text is cut."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

import pytest

from adapter.stops import StopFilter

TABLE: list[tuple[list[str], str, str, str | None]] = [
    # stops, whole text, what may be sent, which stop matched
    ([], "plain", "plain", None),
    ([""], "plain", "plain", None),
    (["\n"], "one line\nanother", "one line", "\n"),
    (["END"], "no stop here", "no stop here", None),
    (["END"], "ENDless", "", "END"),
    (["END"], "at the EN", "at the EN", None),
    (["END"], "EENDD", "E", "END"),
    (["aab"], "aaab", "a", "aab"),
    (["abab"], "abaabab", "aba", "abab"),
    (["b", "abc"], "xabc", "x", "abc"),
    (["b", "abc"], "xabd", "xa", "b"),
    (["b", "abc"], "xab", "xa", "b"),
    (["bc", "abcd"], "abcabcd", "a", "bc"),
    (["Observation:", "\n\n"], "Thought\nObservation: 5", "Thought\n", "Observation:"),
    (["</s>", "<|im_end|>"], "a < b <|im_start|> <|im_end|>", "a < b <|im_start|> ", "<|im_end|>"),
    (["é"], "cafe\u0301 café", "cafe\u0301 caf", "é"),
    (["🎉"], "well done 🎉!", "well done ", "🎉"),
]


def run(stops: Sequence[str], pieces: Iterable[str]) -> tuple[str, str | None]:
    stop = StopFilter(stops)
    sent = "".join(stop.feed(piece) for piece in pieces) + stop.flush()
    return sent, stop.matched


@pytest.mark.parametrize(("stops", "text", "sent", "matched"), TABLE)
def test_whole_and_letter_by_letter(stops: list[str], text: str, sent: str, matched: str | None) -> None:
    """Both ways of feeding give the same text and the same match."""
    assert run(stops, [text]) == (sent, matched)
    assert run(stops, text) == (sent, matched)


def test_random_text_cut_at_random_equals_find() -> None:
    """The rule in one line: everything before the smallest `find`."""
    rng = random.Random(7)
    for _ in range(3_000):
        stops = ["".join(rng.choices("ab", k=rng.randint(1, 5))) for _ in range(rng.randint(1, 4))]
        text = "".join(rng.choices("abc", k=rng.randint(0, 24)))
        starts = [text.find(stop) for stop in stops if stop in text]
        pieces, at = [], 0
        while at < len(text):
            width = rng.randint(1, 4)
            pieces.append(text[at : at + width])
            at += width
        sent, matched = run(stops, pieces)
        assert sent == text[: min(starts, default=len(text))]
        assert (matched is None) == (not starts)


def test_only_a_possible_beginning_is_held_back() -> None:
    """Text that cannot become a stop string goes out at once."""
    stop = StopFilter(["STOP"])
    assert [stop.feed(piece) for piece in ("one ", "S", "T", "art", " STO")] == ["one ", "", "", "STart", " "]
    assert stop.flush() == "STO"
    assert stop.matched is None


def test_after_a_match_everything_is_ignored() -> None:
    stop = StopFilter(["."])
    assert stop.feed("Yes. No") == "Yes"
    assert (stop.feed("more"), stop.flush(), stop.matched) == ("", "", ".")
