"""The corpus of answers, whole and cut at every place; what must hold for any answer."""

from __future__ import annotations

import random
from functools import cache

import pytest

from adapter.calls.tools import ToolBox
from adapter.emulate.forms import Form
from adapter.emulate.reading import AnswerReader
from tests.unit import emulate_corpus as corpus

CASES = corpus.cases()
FORM_CASES = corpus.form_cases()


@cache
def box() -> ToolBox:
    return corpus.box()


@cache
def forms() -> dict[str, Form]:
    return corpus.forms()


def test_the_corpus_is_large_and_its_names_are_its_own() -> None:
    names = [(case.category, case.id) for case in CASES] + [("forms", case.id) for case in FORM_CASES]
    assert len(names) >= 250
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.category}-{case.id}")
def test_calls_whole_and_cut_anywhere(case: corpus.Case) -> None:
    whole = corpus.read(case, [case.raw], box())
    assert corpus.right(case, whole), whole
    assert corpus.read(case, list(case.raw), box()) == whole
    chance = random.Random(case.id)
    for _ in range(12):
        assert corpus.read(case, cut(case.raw, chance), box()) == whole


def cut(raw: str, chance: random.Random) -> list[str]:
    places = sorted(chance.randrange(len(raw) + 1) for _ in range(chance.randrange(1, 8)))
    return [raw[begin:end] for begin, end in zip([0, *places], [*places, len(raw)], strict=True)]


@pytest.mark.parametrize("case", FORM_CASES, ids=lambda case: case.id)
def test_forms(case: corpus.FormCase) -> None:
    assert corpus.form_right(case, forms()[case.form]), forms()[case.form].read(case.raw)


def test_the_score_counts_all_categories() -> None:
    score = corpus.score()
    assert len(score) >= 12
    assert all(fine == count for fine, count in score.values()), corpus.table(score.items())


@pytest.mark.parametrize("case", [case for case in CASES if case.category == "near"], ids=lambda case: case.id)
def test_text_is_held_back_only_where_a_call_may_begin(case: corpus.Case) -> None:
    """Behind a near miss that is over the reader goes on as if nothing had been."""
    reader = AnswerReader(box())
    text = reader.feed(case.raw) + reader.feed("\n\nThat was it, and more follows here.")
    if case.raw.startswith("```") and not case.raw.endswith("```"):
        return  # an open block: all of it is text, and comes at once
    held = ("json-answer-name-is-a-tool",)  # told from a call by its end
    assert ("more follows" in text) is (case.id not in held)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.category}-{case.id}")
def test_no_text_is_lost_or_invented(case: corpus.Case) -> None:
    """What is not part of a call, a fault or a made-up result comes out, in its order, and nothing else does."""
    reader = AnswerReader(box())
    text = "".join(reader.feed(char) for char in case.raw)
    reading = reader.finish(cut=case.length)
    out = (text + reading.text).split()
    rest = iter(case.raw.split())
    assert all(any(word in one for one in rest) for word in out)
    if not reading.calls and not reading.faults:
        assert text + reading.text == case.raw


def test_any_beginning_of_any_answer_is_read_without_harm() -> None:
    chance = random.Random(7)
    for case in CASES:
        for cutting in (True, False):
            raw = case.raw[: chance.randrange(len(case.raw) + 1)]
            whole = outcome(raw, [raw], cutting)
            assert outcome(raw, list(raw), cutting) == whole


def test_answers_glued_together_read_the_same_however_they_are_cut() -> None:
    chance = random.Random(11)
    for _ in range(150):
        raw = chance.choice(("\n", " ", "")).join(chance.choice(CASES).raw for _ in range(chance.randrange(2, 4)))
        whole = outcome(raw, [raw], False)
        assert outcome(raw, cut(raw, chance), False) == whole
        assert outcome(raw, list(raw), False) == whole


_SCRAPS = (
    *"{}[]()\"'`\n <>|/:,=\\#*_aT1“", "<tool_call>", "```", "```json\n", "</tool_call>", '{"name": "', "[TOOL_CALLS]", "Action: ", "now",
    "get_weather(", "Observation:", "functions.", "<function=", "print(", "<|tool_call>", '{"tool_calls":[',
)  # fmt: skip


def test_damaged_answers_read_the_same_however_they_are_cut_and_lose_nothing() -> None:
    chance = random.Random(13)
    for _ in range(500):
        raw = damaged(chance.choice(CASES).raw, chance)
        cutting = chance.random() < 0.3
        whole = outcome(raw, [raw], cutting)
        assert outcome(raw, list(raw), cutting) == whole, raw
        assert outcome(raw, cut(raw, chance), cutting) == whole, raw
        assert whole[0] == raw or whole[1], raw


def damaged(raw: str, chance: random.Random) -> str:
    for _ in range(chance.randrange(1, 6)):
        at = chance.randrange(len(raw) + 1)
        if chance.random() < 0.4:
            raw = raw[:at] + raw[at + chance.randrange(1, 4) :]
        else:
            raw = raw[:at] + chance.choice(_SCRAPS) + raw[at:]
    return raw


def outcome(raw: str, pieces: list[str], cutting: bool) -> tuple[str, list[object], str]:
    reader = AnswerReader(box())
    text = "".join([reader.feed(piece) for piece in pieces])
    reading = reader.finish(cut=cutting)
    return text + reading.text, [*reading.calls, *reading.faults], reading.dropped
