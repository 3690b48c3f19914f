"""How fast a model writes, lately and usually, as tables of answers."""

from __future__ import annotations

import random

import pytest

from adapter.meter_speeds import FRESH_S, MOST, Speed, Speeds


def after(*speeds: float, each_s: float = 10.0, known: Speeds | None = None, at_s: float = 0.0) -> tuple[Speeds, float]:
    """Answers of 101 tokens, one after the other. Returns also when the last one ended."""
    made = known or Speeds()
    for speed in speeds:
        at_s += each_s
        made.learn("demo", "m", 101, at_s - 100 / speed, at_s)
    return made, at_s


def only(made: Speeds, now_s: float) -> Speed:
    (speed,) = made.shown(now_s)
    return speed


@pytest.mark.parametrize(
    ("tokens", "first_s", "last_s"),
    [(7, 0.0, 5.0), (0, 0.0, 5.0), (100, 5.0, 5.0), (100, 5.0, 5.05), (100, 5.0, 4.0)],
)
def test_too_short_to_be_measured(tokens: int, first_s: float, last_s: float) -> None:
    made = Speeds()
    made.learn("demo", "m", tokens, first_s, last_s)
    assert made.shown(last_s) == ()


def test_the_first_token_is_not_counted() -> None:
    made = Speeds()
    made.learn("demo", "m", 8, 10.0, 10.7)
    assert only(made, 11.0).tokens_s == pytest.approx(10.0)
    assert only(made, 11.0).usual_tokens_s == pytest.approx(10.0)


@pytest.mark.parametrize(
    ("answers", "lately", "usual"),
    [
        ((10.0,), 10.0, 10.0),
        ((10.0, 20.0), 13.0, 12.5),  # 0.3 of the way, a quarter of the way
        ((20.0, 10.0), 17.0, 19.75),  # 0.3 of the way, a fortieth of the way
        ((20.0, 10.0, 10.0, 10.0, 10.0), 12.4, 19.04),
    ],
)
def test_what_is_lately_follows_and_what_is_usual_hardly_falls(answers: tuple[float, ...], lately: float, usual: float) -> None:
    made, now_s = after(*answers)
    speed = only(made, now_s)
    assert [speed.tokens_s, speed.usual_tokens_s] == pytest.approx([lately, usual], abs=0.01)


def test_a_hot_afternoon_shows_as_a_ratio_and_goes_away() -> None:
    """Answers of varying length at about 12 tokens/s, then at half of it, then as before."""
    rng = random.Random(7)
    made, now_s = after(*(rng.uniform(9, 14) for _ in range(60)))
    cool = only(made, now_s)
    assert 0.75 < cool.tokens_s / cool.usual_tokens_s < 1.15
    assert 11.5 < cool.usual_tokens_s < 14
    made, now_s = after(*(rng.uniform(4.5, 7) for _ in range(8)), known=made, at_s=now_s)
    hot = only(made, now_s)
    assert hot.tokens_s / hot.usual_tokens_s < 0.6
    assert hot.usual_tokens_s > 0.85 * cool.usual_tokens_s
    made, now_s = after(*(rng.uniform(9, 14) for _ in range(6)), known=made, at_s=now_s)
    again = only(made, now_s)
    assert again.tokens_s / again.usual_tokens_s > 0.75


def test_one_slow_answer_is_no_trend() -> None:
    made, now_s = after(*([10.0] * 10), 4.0)
    speed = only(made, now_s)
    assert speed.tokens_s / speed.usual_tokens_s > 0.8


def test_a_start_on_a_hot_phone_is_soon_forgotten() -> None:
    made, now_s = after(5.0, *([10.0] * 8))
    assert only(made, now_s).usual_tokens_s > 9.0


def test_another_model_under_the_same_name_is_believed_in_the_end() -> None:
    made, now_s = after(*([20.0] * 10), *([8.0] * 150))
    assert only(made, now_s).usual_tokens_s < 8.5


def test_what_is_old_is_not_shown_and_not_mixed_in() -> None:
    made, now_s = after(*([10.0] * 5), 5.0, 5.0)
    assert made.shown(now_s + FRESH_S) != ()
    assert made.shown(now_s + FRESH_S + 1) == ()
    made, now_s = after(9.0, known=made, at_s=now_s + FRESH_S)
    assert only(made, now_s).tokens_s == pytest.approx(9.0)
    assert 9.5 < only(made, now_s).usual_tokens_s < 10.0, "what is usual is remembered"


def test_each_model_has_its_own_and_there_is_an_end() -> None:
    made = Speeds()
    for n in range(MOST + 5):
        made.learn("demo", f"m{n:02}", 101, float(n), n + 10.0)
        made.learn("demo", "busy", 101, float(n), n + 5.0)
    names = [speed.model for speed in made.shown(50.0)]
    assert len(names) == MOST
    assert names == sorted(names) and "busy" in names and "m00" not in names
    assert {round(speed.tokens_s, 6) for speed in made.shown(50.0)} == {10.0, 20.0}
