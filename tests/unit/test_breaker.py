"""Who is left alone after which failures, for how long, and how it comes back. Time is an argument."""

from __future__ import annotations

import random

import pytest

from adapter import errors
from adapter.breaker import MAX_BREAKERS, TRIAL_S, Breakers, BreakerState, Verdict, verdict_of
from adapter.errors import (
    AdapterError,
    EngineFailed,
    EngineUnavailable,
    OutputInvalid,
    QueueFull,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from adapter.routing import Target
from adapter.settings import RouterSettings

APP, OTHER, ELSEWHERE = Target("app", "a.gguf"), Target("app", "b.gguf"), Target("up", "a.gguf")
BROKE = EngineFailed("it broke")
CLOSED = UpstreamUnreachable("open the app")


def breakers(allowed_fails: int = 1, **settings: object) -> Breakers:
    """Two failures open; then 10 s, 20 s, 40 s, at most 50 s."""
    given = {"cooldown_time": 10.0, "max_cooldown_time": 50.0, **settings}
    return Breakers(RouterSettings.model_validate({"allowed_fails": allowed_fails, **given}))


def opened(error: AdapterError = BROKE, cooldown_time: float = 10.0) -> Breakers:
    """By two failures of APP at 0 s and 1 s, so it is open until 11 s."""
    made = breakers(cooldown_time=cooldown_time)
    made.failed(APP, error, 0.0)
    made.failed(APP, error, 1.0)
    return made


# --- what counts ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "verdict"),
    [
        ("BadRequest", Verdict.NONE),
        ("ContextTooLong", Verdict.NONE),
        ("NotCapable", Verdict.NONE),
        ("LoopDetected", Verdict.NONE),
        ("EndpointNotBuilt", Verdict.NONE),
        ("BadKey", Verdict.NONE),
        ("ForbiddenHost", Verdict.NONE),
        ("MissingScope", Verdict.NONE),
        ("RateLimited", Verdict.NONE),
        ("TokensUnavailable", Verdict.NONE),
        ("NotFound", Verdict.NONE),
        ("ModelNotFound", Verdict.NONE),
        ("PreviousResponseNotFound", Verdict.NONE),
        ("ResponseNotFound", Verdict.NONE),
        ("MethodNotAllowed", Verdict.NONE),
        ("BodyTooLarge", Verdict.NONE),
        ("HeadersTooLarge", Verdict.NONE),
        ("QueueFull", Verdict.NONE),
        ("DeadlineMissed", Verdict.NONE),
        ("EngineUnavailable", Verdict.NONE),
        ("UpstreamUnreachable", Verdict.ENGINE_FAILED),
        ("UpstreamProtocol", Verdict.MODEL_FAILED),
        ("UpstreamRefused", Verdict.ENGINE_FAILED),
        ("UpstreamTimeout", Verdict.MODEL_FAILED),
        ("EngineFailed", Verdict.MODEL_FAILED),
        ("AppCrashed", Verdict.MODEL_FAILED),
        ("OutputInvalid", Verdict.ALIVE),
        ("InternalError", Verdict.NONE),
    ],
)
def test_what_an_error_says_about_an_engine(kind: str, verdict: Verdict) -> None:
    assert verdict_of(getattr(errors, kind)("x")) is verdict


def test_every_error_has_been_thought_of() -> None:
    """A new class of errors belongs into the table above."""
    marks = [m for m in test_what_an_error_says_about_an_engine.pytestmark if m.name == "parametrize"]  # type: ignore[attr-defined]
    classes = {
        name
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, AdapterError) and kind is not AdapterError
    }
    assert classes == {row[0] for row in marks[0].args[1]}


def test_a_model_that_fails_is_left_alone_and_the_others_are_not() -> None:
    made = opened(BROKE)
    assert [made.may_try(target, 2.0) for target in (APP, OTHER, ELSEWHERE)] == [False, True, True]


@pytest.mark.parametrize("error", [CLOSED, UpstreamRefused("wrong key")])
def test_an_engine_that_cannot_be_reached_or_refuses_us_is_left_alone_whole(error: AdapterError) -> None:
    made = opened(error)
    assert [made.may_try(target, 2.0) for target in (APP, OTHER, ELSEWHERE)] == [False, False, True]


@pytest.mark.parametrize("error", [QueueFull("full"), EngineUnavailable("loading"), OutputInvalid("no form")])
def test_what_says_nothing_about_health_never_opens(error: AdapterError) -> None:
    made = breakers()
    for second in range(50):
        made.failed(APP, error, float(second))
    assert made.may_try(APP, 50.0)
    assert made.states(50.0) == ()


# --- opening --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("allowed", [0, 1, 3])
def test_the_failure_after_the_allowed_ones_opens(allowed: int) -> None:
    made = breakers(allowed_fails=allowed)
    for second in range(allowed):
        made.failed(APP, BROKE, float(second))
        assert made.may_try(APP, float(second))
    made.failed(APP, BROKE, float(allowed))
    assert not made.may_try(APP, float(allowed))
    assert made.state(APP) == BreakerState("app/a.gguf", "open", allowed + 1, allowed + 10.0, "engine_failed", "it broke")


@pytest.mark.parametrize(
    ("times", "is_open"),
    [
        ((0.0, 30.0, 59.9), True),
        ((0.0, 30.0, 60.0), False),  # the first one is a minute old
        ((0.0, 59.0, 118.0), False),
        ((0.0, 59.0, 62.0, 117.0), True),
    ],
)
def test_only_failures_of_the_last_minute_count(times: tuple[float, ...], is_open: bool) -> None:
    made = breakers(allowed_fails=2)
    for at in times:
        made.failed(APP, BROKE, at)
    assert made.may_try(APP, times[-1]) is not is_open


def test_a_success_forgets_failures() -> None:
    made = breakers()
    for at in range(0, 40, 2):
        made.failed(APP, BROKE, float(at))
        made.succeeded(APP, at + 1.0)
    assert made.may_try(APP, 41.0)
    assert made.states() == ()


def test_a_success_of_one_model_forgives_its_engine_but_no_other_model() -> None:
    made = breakers()
    made.failed(APP, BROKE, 0.0)
    made.failed(APP, CLOSED, 0.0)
    made.succeeded(OTHER, 1.0)
    assert [state.target for state in made.states()] == ["app/a.gguf"]


def test_a_model_that_fails_shows_that_its_engine_is_there() -> None:
    made = breakers()
    made.failed(APP, CLOSED, 0.0)
    made.failed(OTHER, BROKE, 1.0)
    made.failed(APP, CLOSED, 2.0)
    assert made.may_try(APP, 2.0)


def test_with_cooldowns_disabled_it_only_counts() -> None:
    made = breakers(disable_cooldowns=True)
    for at in range(1_000):
        made.failed(APP, BROKE, at / 100)
    assert made.may_try(APP, 10.0)
    assert made.state(APP) == BreakerState("app/a.gguf", "closed", 2, None, "engine_failed", "it broke")


# --- coming back ----------------------------------------------------------------------------------------------


def test_one_trial_at_a_time_after_the_cooldown() -> None:
    made = opened()
    assert [made.may_try(APP, at) for at in (1.0, 10.9, 11.0, 11.0, 12.0)] == [False, False, True, False, False]
    assert made.state(APP).state == "half_open"


def test_a_trial_that_succeeds_closes() -> None:
    made = opened()
    assert made.may_try(APP, 11.0)
    made.succeeded(APP, 14.0)
    assert made.may_try(APP, 14.0) and made.may_try(APP, 14.0)
    made.failed(APP, BROKE, 15.0)
    assert made.may_try(APP, 15.0)  # and has forgotten


def test_each_trial_that_fails_doubles_the_cooldown_up_to_the_greatest() -> None:
    made, now, waits = opened(), 1.0, []
    for _ in range(5):
        wait = made.reopens_in_s([APP], now)
        waits.append(wait)
        now += wait
        assert made.may_try(APP, now)
        made.failed(APP, BROKE, now)
    assert waits == [10.0, 20.0, 40.0, 50.0, 50.0]
    assert made.state(APP).fails == 7


def test_the_greatest_cooldown_is_never_below_the_first() -> None:
    """Who configures `cooldown_time = 600` means it, whatever the default of the other one is."""
    made = opened(cooldown_time=600.0)
    assert made.reopens_in_s([APP], 1.0) == 600.0
    assert made.may_try(APP, 601.0)
    made.failed(APP, BROKE, 601.0)
    assert made.reopens_in_s([APP], 601.0) == 600.0


def test_a_trial_that_is_given_up_is_free_again() -> None:
    made = opened()
    assert made.may_try(APP, 11.0)
    made.abandoned(APP, 12.0)
    assert made.may_try(APP, 12.0)
    made.failed(APP, BROKE, 13.0)
    assert made.reopens_in_s([APP], 13.0) == 20.0


@pytest.mark.parametrize("error", [QueueFull("full"), EngineUnavailable("loading"), CLOSED])
def test_a_trial_of_a_model_without_a_verdict_is_free_again(error: AdapterError) -> None:
    made = opened(BROKE)
    assert made.may_try(APP, 11.0)
    made.failed(APP, error, 12.0)
    assert made.may_try(APP, 12.0)


def test_a_trial_of_an_engine_that_finds_a_failing_model_is_passed() -> None:
    made = opened(CLOSED)
    assert made.may_try(APP, 11.0)
    made.failed(APP, UpstreamTimeout("silence"), 12.0)
    assert made.may_try(OTHER, 12.0) and made.may_try(OTHER, 12.0)
    assert [state.target for state in made.states()] == ["app/a.gguf"]


def test_no_trial_is_taken_where_the_other_breaker_says_no() -> None:
    """The engine is half-open, the model there open: the engine's trial stays for somebody else."""
    made = opened(BROKE)
    assert made.may_try(APP, 11.0)
    made.failed(APP, BROKE, 11.0)  # until 31 s
    made.failed(OTHER, CLOSED, 12.0)
    made.failed(OTHER, CLOSED, 12.0)  # until 22 s
    assert not made.may_try(APP, 25.0)
    assert made.may_try(OTHER, 25.0)
    assert not made.may_try(OTHER, 25.0)


def test_a_trial_that_nobody_ends_does_not_last_for_ever() -> None:
    made = opened()
    assert made.may_try(APP, 11.0)
    assert not made.may_try(APP, 60.9)
    assert made.may_try(APP, 61.0)


def test_failures_of_those_who_set_out_before_do_not_prolong_it() -> None:
    made = opened()
    for at in (2.0, 5.0, 10.0, 11.5):
        made.failed(APP, BROKE, at)
    assert made.reopens_in_s([APP], 10.0) == 1.0
    assert made.may_try(APP, 11.5)


def test_a_success_of_those_who_set_out_before_closes() -> None:
    made = opened()
    made.succeeded(APP, 5.0)
    assert made.may_try(APP, 5.0)


def test_an_app_that_is_opened_need_not_wait_for_the_cooldown() -> None:
    made = opened(CLOSED)
    made.answers("app", 3.0)
    assert [made.may_try(APP, 3.0), made.may_try(APP, 3.0)] == [True, False]
    made.failed(APP, CLOSED, 4.0)
    assert made.reopens_in_s([APP], 4.0) == 20.0


@pytest.mark.parametrize("error", [UpstreamRefused("wrong key"), BROKE])
def test_a_probe_says_nothing_about_keys_and_models(error: AdapterError) -> None:
    made = opened(error)
    made.answers("app", 3.0)
    made.answers("nobody", 3.0)
    assert not made.may_try(APP, 3.0)


# --- what is shown --------------------------------------------------------------------------------------------


def test_states() -> None:
    made = opened(CLOSED)
    made.failed(ELSEWHERE, EngineFailed("x" * 5_000), 2.0)
    app, up = made.states(4.0)
    assert app == BreakerState("app", "open", 2, 11.0, "upstream_unreachable", "open the app")
    assert (up.target, up.state, up.fails, up.until_s, len(up.message)) == ("up/a.gguf", "closed", 1, None, 300)
    assert made.state(OTHER, 4.0) == app  # its engine keeps it away
    assert made.state(OTHER, 11.0).state == "half_open"
    assert made.states(62.0) == (BreakerState("app", "half_open", 2, None, "upstream_unreachable", "open the app"),)
    assert made.state(Target("new", "m")) == BreakerState("new/m")


@pytest.mark.parametrize(
    ("targets", "wait_s"),
    [((), 0.0), ((ELSEWHERE,), 0.0), ((APP,), 9.0), ((APP, ELSEWHERE), 0.0), ((APP, OTHER), 0.0)],
)
def test_when_the_first_one_may_be_tried(targets: tuple[Target, ...], wait_s: float) -> None:
    assert opened().reopens_in_s(targets, 2.0) == wait_s


def test_while_a_trial_is_under_way_it_may_be_any_moment() -> None:
    made = opened()
    assert made.reopens_in_s([APP], 11.0) == 0.0
    assert made.may_try(APP, 11.0)
    assert made.reopens_in_s([APP], 12.0) == TRIAL_S


def test_names_that_clients_make_up_are_not_remembered_without_end() -> None:
    made = breakers()
    for number in range(3 * MAX_BREAKERS):
        made.failed(Target("app", f"m{number}"), BROKE, number / 100)
    assert len(made.states()) == MAX_BREAKERS
    made.failed(APP, BROKE, 10_000.0)
    assert [state.target for state in made.states()] == ["app/a.gguf"]


@pytest.mark.parametrize("seed", range(20))
def test_it_always_opens_again(seed: int) -> None:
    """Whatever happens in whichever order: once the time that it names has passed, a request gets through."""
    chance = random.Random(seed)
    made, now, targets = breakers(), 0.0, (APP, OTHER, ELSEWHERE)
    for _ in range(500):
        target = chance.choice(targets)
        now += chance.choice([0.0, 0.1, 3.0, 30.0])
        if made.may_try(target, now):
            match chance.randrange(4):
                case 0:
                    made.succeeded(target, now)
                case 1:
                    made.abandoned(target, now)
                case _:
                    made.failed(target, chance.choice([BROKE, CLOSED, QueueFull("full")]), now)
        else:
            wait = made.reopens_in_s([target], now)
            assert 0.0 < wait <= 50.0
            assert made.may_try(target, now + wait)
            now += wait
            made.abandoned(target, now)
