"""When the wake lock is asked for and given back, under each policy, whatever Android and people do meanwhile."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from phone.settings import LockPolicy, OnStop, WakeLockSettings
from phone.supervisor import lock as locks
from phone.supervisor.lock import (
    ANCHOR_PROVEN_S,
    ANCHOR_RETRY_S,
    ANSWER_S,
    CHARGING_KEEP_S,
    LONGEST_ANCHOR_RETRY_S,
    LONGEST_RETRY_S,
    RETRY_S,
    LockMemory,
    LockStep,
    LockView,
    at_stop,
    lock,
    lock_done,
    lock_memory_from_json,
    lock_trouble,
    lock_words,
    to_json,
)

TICK_S = 5.0
ALWAYS = WakeLockSettings()
SERVING = WakeLockSettings(policy=LockPolicy.SERVING)
CHARGING = WakeLockSettings(policy=LockPolicy.CHARGING)
KEEP = WakeLockSettings(on_stop=OnStop.KEEP)
BACKGROUND = "Error: app is in background uid null"


@dataclass
class Phone:
    """Carries out what `lock` says, a look each TICK_S. refuses: steps that fail, with these words. steps: when what was done.

    held, anchored: what is so, which `lock` cannot ask. lonely_s: how long there was neither, once there had been one.
    """

    settings: WakeLockSettings
    memory: LockMemory = field(default_factory=LockMemory)
    now_s: float = 1000.0
    busy: bool = False
    last_busy_s: float | None = None
    charging: bool | None = False
    refuses: dict[LockStep, str] = field(default_factory=dict)
    held: bool = False
    anchored: bool = False
    steps: list[tuple[float, LockStep]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    lonely_s: float = 0.0

    def view(self) -> LockView:
        if self.busy:
            self.last_busy_s = self.now_s
        idle_s = None if self.last_busy_s is None else self.now_s - self.last_busy_s
        return LockView(self.now_s, idle_s, self.busy, self.charging, self.anchored)

    def look(self) -> LockStep:
        self.memory, step, words = lock(self.memory, self.view(), self.settings)
        if words:
            self.said.append(words)
        if step is not LockStep.NONE:
            self.steps.append((self.now_s, step))
            ok = step not in self.refuses
            if ok:
                self.held = step is LockStep.TAKE or (self.held and step is not LockStep.RELEASE)
                self.anchored = self.anchored or step is LockStep.ANCHOR
            self.memory = lock_done(self.memory, step, ok, self.now_s, self.refuses.get(step, ""))
        if self.steps and not self.held and not self.anchored:
            self.lonely_s += TICK_S
        return step

    def run(self, seconds: float) -> list[LockStep]:
        """What was done in that time."""
        before = len(self.steps)
        until_s = self.now_s + seconds
        while self.now_s < until_s:
            self.look()
            self.now_s += TICK_S
        return [step for _, step in self.steps[before:]]

    def pauses(self) -> list[float]:
        times = [at for at, _ in self.steps]
        return [later - sooner for sooner, later in pairwise(times)]


# --- always ------------------------------------------------------------------------------------------------------


def test_always_takes_it_at_the_start_and_anew_every_retake_s() -> None:
    phone = Phone(ALWAYS)
    assert phone.look() is LockStep.TAKE
    assert phone.run(3600) == [LockStep.TAKE] * 3
    assert phone.pauses() == [900.0] * 3
    assert phone.said[0] == "wake lock: taken (Farmhand starts)"
    assert set(phone.said[1:]) == {"wake lock: asked for anew, since anybody may have dropped it"}


def test_always_asks_for_no_anchor_and_gives_nothing_back() -> None:
    phone = Phone(ALWAYS, charging=None)
    phone.run(86_400)
    assert {step for _, step in phone.steps} == {LockStep.TAKE}


def test_somebody_elses_unlock_is_made_good_within_retake_s() -> None:
    phone = Phone(ALWAYS)
    phone.run(60)
    phone.held = False  # a tap on Termux's notification, which nobody is told of
    phone.run(900)
    assert phone.held


# --- serving -----------------------------------------------------------------------------------------------------


def test_serving_counts_its_own_start_then_lets_go_behind_an_anchor() -> None:
    phone = Phone(SERVING)
    assert phone.run(295) == [LockStep.TAKE]
    assert phone.run(30) == [LockStep.ANCHOR, LockStep.RELEASE]
    assert phone.steps[-2][0] == 1300.0
    assert (phone.held, phone.anchored, phone.lonely_s) == (False, True, 0.0)


def test_serving_takes_it_at_the_first_request_at_once_and_lingers() -> None:
    phone = Phone(SERVING)
    phone.run(600)
    phone.busy = True
    assert phone.look() is LockStep.TAKE
    assert phone.said[-1] == "wake lock: taken (a request runs)"
    phone.now_s += TICK_S
    assert phone.run(7200) == [LockStep.TAKE] * 8  # a long answer: asked for anew, every 900 s
    phone.busy = False
    ended_s = phone.now_s - TICK_S
    assert phone.run(300 - TICK_S) == []
    phone.run(30)
    assert phone.steps[-1] == (ended_s + 300, LockStep.RELEASE)
    assert phone.said[-1] == "wake lock: given back, not needed for 5 min"


def test_a_request_between_two_looks_counts_as_well() -> None:
    """It began and ended unseen: `idle_s` tells."""
    phone = Phone(SERVING)
    phone.run(600)
    phone.last_busy_s = phone.now_s - 2.0
    assert phone.look() is LockStep.TAKE


def test_each_request_begins_the_lingering_anew() -> None:
    phone = Phone(SERVING)
    phone.run(600)
    for _ in range(10):
        phone.busy = True
        phone.run(10)
        phone.busy = False
        assert LockStep.RELEASE not in phone.run(250)
    assert phone.held


@pytest.mark.parametrize("policy", [SERVING, CHARGING], ids=["serving", "charging"])
def test_an_adapter_that_nobody_can_ask_changes_nothing_at_once(policy: WakeLockSettings) -> None:
    """It crashed: what was known of its last request still counts."""
    phone = Phone(policy, busy=True)
    phone.run(600)
    phone.busy, phone.last_busy_s = False, None
    assert phone.run(290) == []
    assert phone.held


def test_without_an_anchor_it_is_kept_and_that_is_said_once() -> None:
    phone = Phone(SERVING, refuses={LockStep.ANCHOR: "no such command"})
    phone.run(86_400)
    assert phone.held
    assert LockStep.RELEASE not in {step for _, step in phone.steps}
    about = [words for words in phone.said if "anchor" in words]
    assert about == [
        "wake lock: no longer needed; starting an anchor first, so that Termux outlives it",
        "wake lock: not given back when idle, for want of an anchor: no such command; Farmhand goes on trying",
    ]
    asked = [at for at, step in phone.steps if step is LockStep.ANCHOR]
    pauses = [later - sooner for sooner, later in pairwise(asked)]
    assert pauses[:4] == [ANCHOR_RETRY_S * 2**n for n in range(4)]
    assert max(pauses) == LONGEST_ANCHOR_RETRY_S


def test_an_anchor_that_was_started_and_is_not_there_counts_as_none() -> None:
    phone = Phone(SERVING)
    while phone.now_s < 3000:
        phone.look()
        phone.anchored = False
        phone.now_s += TICK_S
    assert phone.held
    assert [words for words in phone.said if "it was started, and is not there" in words] == [phone.said[2]]


def test_an_anchor_that_comes_after_all_is_used() -> None:
    phone = Phone(SERVING, refuses={LockStep.ANCHOR: "not now"})
    phone.run(1000)
    assert "for want of an anchor: not now" in lock_words(phone.memory, phone.now_s)
    phone.refuses = {}
    phone.run(1000)
    assert (phone.held, phone.anchored) == (False, True)
    assert lock_trouble(phone.memory) == ""


def test_when_the_anchor_dies_the_lock_takes_its_place() -> None:
    phone = Phone(SERVING)
    phone.run(600 + ANCHOR_PROVEN_S)
    phone.anchored = False
    assert phone.run(15) == [LockStep.TAKE, LockStep.ANCHOR, LockStep.RELEASE]
    assert "the anchor is gone" in phone.said[-3]


def test_anchors_that_die_young_are_not_started_all_the_time() -> None:
    phone = Phone(SERVING)
    while phone.now_s < 1000 + 86_400:
        phone.look()
        phone.now_s += TICK_S
        if phone.anchored and not phone.held:
            phone.anchored = False
    assert len([step for _, step in phone.steps if step is LockStep.ANCHOR]) < 40
    assert phone.lonely_s < 40 * TICK_S


# --- charging ----------------------------------------------------------------------------------------------------


def test_charging_holds_it_on_the_charger_and_a_while_longer() -> None:
    phone = Phone(CHARGING, charging=True)
    phone.run(7200)
    assert phone.held
    phone.charging = False
    unplugged_s = phone.now_s
    phone.run(600)
    assert (unplugged_s + 295, LockStep.ANCHOR) in phone.steps
    assert not phone.held
    phone.charging = True
    assert phone.look() is LockStep.TAKE
    assert phone.said[-1] == "wake lock: taken (the phone is charging)"


def test_charging_holds_it_for_a_request_as_well() -> None:
    phone = Phone(CHARGING)
    phone.run(600)
    assert not phone.held
    phone.busy = True
    assert phone.look() is LockStep.TAKE


def test_a_loose_contact_does_not_make_it_come_and_go() -> None:
    phone = Phone(CHARGING, charging=True)
    for _ in range(100):
        phone.charging = not phone.charging
        assert LockStep.RELEASE not in phone.run(30)


def test_unknown_charge_counts_as_charging_but_not_at_once() -> None:
    """Without Termux:API nobody ever knows, so it is `always` then; one command that fails changes nothing."""
    phone = Phone(CHARGING, charging=None)
    phone.run(7200)
    assert phone.held
    phone.charging = False
    phone.run(600)
    assert not phone.held
    phone.charging = None
    assert phone.run(CHARGING_KEEP_S - 2 * TICK_S) == []
    phone.run(30)
    assert phone.held
    assert phone.said[-1] == "wake lock: taken (nobody knows whether the phone is charging)"


# --- what goes wrong ---------------------------------------------------------------------------------------------


def test_a_refused_take_is_tried_again_with_growing_pauses() -> None:
    phone = Phone(ALWAYS, refuses={LockStep.TAKE: BACKGROUND})
    phone.run(7200)
    pauses = phone.pauses()
    assert pauses[:6] == [min(LONGEST_RETRY_S, RETRY_S * 2**n) for n in range(6)]
    assert set(pauses[6:]) == {LONGEST_RETRY_S}
    assert "open the Termux app once" in lock_words(phone.memory, phone.now_s)
    assert "open the Termux app once" in phone.said[-1]
    phone.refuses = {}
    phone.run(LONGEST_RETRY_S + TICK_S)
    assert phone.held
    assert lock_trouble(phone.memory) == ""


def test_a_refused_release_is_tried_again() -> None:
    phone = Phone(SERVING, refuses={LockStep.RELEASE: "killed after 10 s"})
    phone.run(400)
    assert "giving it back failed: killed after 10 s" in lock_words(phone.memory, phone.now_s)
    phone.refuses = {}
    phone.run(LONGEST_RETRY_S)
    assert not phone.held


def test_nothing_new_begins_while_a_step_is_under_way() -> None:
    memory, step, _ = lock(LockMemory(), LockView(10.0), ALWAYS)
    assert step is LockStep.TAKE
    for now_s in (10.0, 15.0, 10.0 + ANSWER_S - 1):
        memory, step, words = lock(memory, LockView(now_s), ALWAYS)
        assert (step, words) == (LockStep.NONE, "")
    assert lock(memory, LockView(10.0 + ANSWER_S), ALWAYS)[1] is LockStep.TAKE


def test_a_step_that_ended_after_the_look_began_is_no_other_boot() -> None:
    memory, _, _ = lock(LockMemory(), LockView(10.0), ALWAYS)
    memory = lock_done(memory, LockStep.TAKE, True, 12.0, "")
    assert lock(memory, LockView(11.0), ALWAYS)[1] is LockStep.NONE


def test_a_memory_of_an_earlier_boot_is_dropped() -> None:
    phone = Phone(ALWAYS, now_s=90_000.0)
    phone.run(100)
    assert lock(phone.memory, LockView(30.0), ALWAYS)[1] is LockStep.TAKE


def test_the_successor_of_a_killed_supervisor_goes_on() -> None:
    phone = Phone(SERVING)
    phone.run(600)
    for _ in range(5):
        phone.memory = lock_memory_from_json(json.loads(json.dumps(to_json(phone.memory))))
        assert phone.run(100) == []
    assert phone.memory.taken is False


@pytest.mark.parametrize("taken", [True, False])
def test_a_first_look_that_has_not_seen_the_anchor_yet_changes_nothing(taken: bool) -> None:
    memory = LockMemory(taken=taken, asked_at_s=100.0, needed_at_s=100.0)
    assert lock(memory, LockView(1000.0), SERVING)[1:] == (LockStep.NONE, "")


@pytest.mark.parametrize(
    "data",
    [None, [], "x", {"taken": "perhaps"}, {"fails": float("nan")}, {"asked_at_s": float("inf")}, {"pending": "dance"}],
    ids=repr,
)
def test_a_memory_that_cannot_be_read_is_none(data: object) -> None:
    assert lock_memory_from_json(data) == LockMemory()


def test_a_newer_memory_is_read_as_far_as_it_is_understood() -> None:
    assert lock_memory_from_json({"taken": True, "moon": "full"}) == LockMemory(taken=True)


@pytest.mark.parametrize(
    ("memory", "settings", "expected"),
    [
        (LockMemory(), ALWAYS, LockStep.NONE),
        (LockMemory(taken=False), SERVING, LockStep.NONE),
        (LockMemory(taken=True), ALWAYS, LockStep.RELEASE),
        (LockMemory(taken=True), KEEP, LockStep.NONE),
        (LockMemory(), KEEP, LockStep.NONE),
    ],
)
def test_an_orderly_stop_gives_back_what_we_took(memory: LockMemory, settings: WakeLockSettings, expected: LockStep) -> None:
    after, step, words = at_stop(memory, settings)
    assert (after, step) == (LockMemory(), expected)
    assert bool(words) == bool(memory.taken)


@pytest.mark.parametrize(
    ("memory", "expected"),
    [
        (LockMemory(), "not asked for yet"),
        (LockMemory(taken=True, asked_at_s=820.0), "asked for 3 min ago; nobody can ask whether it is held"),
        (LockMemory(taken=True, asked_at_s=980.0), "asked for 20 s ago; nobody can ask whether it is held"),
        (LockMemory(taken=False, asked_at_s=-9800.0), "given back 3 h ago; nobody can ask whether somebody else holds it"),
        (
            lock_done(LockMemory(taken=True, asked_at_s=0.0), LockStep.TAKE, False, 990.0, " \n"),
            "asked for 17 min ago; nobody can ask whether it is held; the last ask failed: the command gave no reason",
        ),
        (
            lock_done(LockMemory(), LockStep.TAKE, False, 990.0, "x" * 5000),
            f"not asked for yet; the last ask failed: {'x' * locks.MAX_WORDS}",
        ),
    ],
)
def test_what_is_said_of_it_is_no_more_than_is_known(memory: LockMemory, expected: str) -> None:
    assert lock_words(memory, 1000.0) == expected


# --- whatever happens --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("settings", [ALWAYS, SERVING, CHARGING], ids=lambda one: one.policy.value)
def test_whatever_happens_it_is_never_given_back_without_an_anchor(settings: WakeLockSettings, seed: int) -> None:
    """Nor while a request runs, nor are there more commands than one in ten seconds on average."""
    chance = random.Random(seed)
    phone = Phone(settings)
    for _ in range(2000):
        phone.busy = chance.random() < 0.1 or (phone.busy and chance.random() < 0.7)
        phone.charging = chance.choice((phone.charging, phone.charging, True, False, None))
        phone.anchored = phone.anchored and chance.random() < 0.995
        phone.refuses = {step: "no" for step in LockStep if chance.random() < 0.1}
        was_anchored = phone.anchored
        if phone.look() is LockStep.RELEASE:
            assert was_anchored
            assert not phone.busy
        phone.now_s += chance.choice((0.1, 1.0, TICK_S, TICK_S, 60.0))
    assert len(phone.steps) < (phone.now_s - 1000) / 10


def test_a_changed_policy_takes_over_where_the_other_one_was() -> None:
    phone = Phone(ALWAYS)
    phone.run(1200)
    phone.settings = SERVING
    assert phone.run(30) == [LockStep.ANCHOR, LockStep.RELEASE]
    phone.settings = ALWAYS
    assert phone.look() is LockStep.TAKE
