"""When Termux's wake lock is asked for and when it is given back. Pure: time comes in, a step comes out; who carries it out calls `lock_done`.

What it is (`facts/termux.md` 1, 4.1): one boolean for all of Termux, with no owner and no count; nobody can ask whether it is held; anybody
drops it for all. So "taken" means here: we asked for it, and nobody has told us otherwise. Where no terminal is open and no task runs, it is also
the only thing that keeps Termux's service alive: without it Android stops the service, $TMPDIR is emptied and no `am` works any more. So it is given
back only while an anchor (a task of ours in Termux) lives.

    always     held while the bundle runs, asked for anew every `retake_s`
    serving    held from a request on until `linger_s` after the last one ended
    charging   held on a charger and while a request runs, and `linger_s` longer

The start of the bundle counts as work under each of them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from functools import cache
from typing import Any

from pydantic import FiniteFloat, TypeAdapter, ValidationError

from phone.settings import LockPolicy, OnStop, WakeLockSettings

# An `am` takes about a second and is killed after ten (`facts/termux.md` 4.1, 5.1). Who has not said by then how it went has died.
ANSWER_S = 60.0
RETRY_S = 10.0
LONGEST_RETRY_S = 300.0
# Each try starts a Java program. One that is refused now is likely refused in a minute too.
ANCHOR_RETRY_S = 60.0
LONGEST_ANCHOR_RETRY_S = 3600.0
# From the ask until its process must have been seen.
ANCHOR_WAIT_S = 30.0
# One that lived that long was a good one.
ANCHOR_PROVEN_S = 600.0
# The battery is read now and then, and a command of Termux:API may fail: for that long we believe the last answer.
CHARGING_KEEP_S = 600.0
# A step may end between a look and what is made of it.
LOOKS_LATE_S = 60.0
MAX_WORDS = 300

IN_BACKGROUND = "in background"


class LockStep(StrEnum):
    """ANCHOR: start a task in Termux that keeps its service alive without the lock."""

    NONE = "none"
    TAKE = "take"
    RELEASE = "release"
    ANCHOR = "anchor"


@dataclass(frozen=True, slots=True)
class LockView:
    """idle_s: since a request last ran, 0 while one does, `None` if there was none or nobody knows. charging: `None` if nobody knows.
    anchored: does a task of ours live in Termux? `None` if nobody has looked yet: nothing is given back then."""

    now_s: float
    idle_s: float | None = None
    running: bool = False
    charging: bool | None = None
    anchored: bool | None = None


@dataclass(frozen=True, slots=True)
class LockMemory:
    """taken: what we asked for last and got, at asked_at_s; `None`: nothing yet. pending: a step under way since tried_at_s.

    fails: takes or releases in a row that failed. needed_at_s: when the policy last wanted the lock. anchor_asks: how often an anchor was
    asked for since one lived long; anchor_at_s: the last time. kept_said: that the lock is kept for want of an anchor has been said.
    """

    taken: bool | None = None
    asked_at_s: FiniteFloat = 0.0
    pending: LockStep = LockStep.NONE
    tried_at_s: FiniteFloat = 0.0
    fails: int = 0
    trouble: str = ""
    needed_at_s: FiniteFloat | None = None
    charging: bool | None = None
    charging_at_s: FiniteFloat = 0.0
    anchor_asks: int = 0
    anchor_at_s: FiniteFloat = 0.0
    anchor_trouble: str = ""
    kept_said: bool = False


def lock(memory: LockMemory, view: LockView, settings: WakeLockSettings) -> tuple[LockMemory, LockStep, str]:
    """What is to be done now, and a sentence for the log (may be empty, also for NONE may be one). Raises nothing.

    Whoever gets a step carries it out and calls `lock_done`; until then there is no other one, for `ANSWER_S` at most.
    """
    memory = _noticed(_of_this_boot(memory, view.now_s), view, settings)
    if memory.pending is not LockStep.NONE:
        if view.now_s - memory.tried_at_s < ANSWER_S:
            return memory, LockStep.NONE, ""
        memory = unanswered(memory)
    why = _why_held(memory, view, settings)
    if why:
        return _hold(memory, view, settings, why)
    if memory.taken:
        return _let_go(memory, view, settings)
    if view.anchored is False and not _must_wait(memory, view.now_s):
        return _ask(memory, LockStep.TAKE, view.now_s, "wake lock: taken, since the anchor is gone that kept Termux alive without it")
    return memory, LockStep.NONE, ""


def unanswered(memory: LockMemory) -> LockMemory:
    """Nobody will say how the step went that is under way: whoever carried it out is gone. Whether the lock is held is unknown then, and it is
    asked for anew; believing one that was taken to be given back would leave it held for ever."""
    is_unknown = memory.pending in (LockStep.TAKE, LockStep.RELEASE)
    return replace(memory, pending=LockStep.NONE, taken=None if is_unknown else memory.taken)


def lock_done(memory: LockMemory, step: LockStep, ok: bool, now_s: float, words: str) -> LockMemory:
    """How the step went. words: what the command said where it failed."""
    memory = replace(memory, pending=LockStep.NONE)
    match step:
        case LockStep.NONE:
            return memory
        case LockStep.ANCHOR:
            return replace(memory, anchor_trouble="" if ok else _explained(words))
        case LockStep.TAKE | LockStep.RELEASE if ok:
            return replace(memory, taken=step is LockStep.TAKE, asked_at_s=now_s, fails=0, trouble="")
        case LockStep.TAKE | LockStep.RELEASE:
            return replace(memory, fails=memory.fails + 1, trouble=f"{_doing(step)} failed: {_explained(words)}")


def at_stop(memory: LockMemory, settings: WakeLockSettings) -> tuple[LockMemory, LockStep, str]:
    """The last act of an orderly stop; not of a hand-over to a successor, and not when the supervisor is merely killed.

    Given back, if we took it: who stops the bundle means that the phone may sleep again. Somebody else's lock goes with it, since there is
    only the one; for them there is `on_stop = "keep"`. The memory begins anew: the next start is one.
    """
    if not memory.taken:
        return LockMemory(), LockStep.NONE, ""
    if settings.on_stop is OnStop.KEEP:
        return LockMemory(), LockStep.NONE, 'wake lock: kept (on_stop = "keep"); termux-wake-unlock gives it back'
    return LockMemory(), LockStep.RELEASE, "wake lock: given back, for all of Termux"


def lock_words(memory: LockMemory, now_s: float) -> str:
    """What we asked for and when, for people; it claims no more than that."""
    if memory.taken is None:
        state = "not asked for yet"
    elif memory.taken:
        state = f"asked for {_span(now_s - memory.asked_at_s)} ago; nobody can ask whether it is held"
    else:
        state = f"given back {_span(now_s - memory.asked_at_s)} ago; nobody can ask whether somebody else holds it"
    return "; ".join(part for part in (state, lock_trouble(memory)) if part)


def lock_trouble(memory: LockMemory) -> str:
    """What is wrong with it, for a notification; empty if nothing is. It does not change with time alone."""
    if memory.trouble:
        return memory.trouble
    if memory.kept_said:
        return f"not given back when idle, for want of an anchor: {memory.anchor_trouble or 'it was started, and is not there'}"
    return ""


def to_json(memory: LockMemory) -> dict[str, Any]:
    return asdict(memory)


def lock_memory_from_json(data: object) -> LockMemory:
    """What `to_json` gave; anything else is as if nothing had been asked for yet. Belongs to one boot: drop it after another."""
    try:
        return _reader().validate_python(data)
    except ValidationError:
        return LockMemory()


@cache
def _reader() -> TypeAdapter[LockMemory]:
    """Made when it is first needed: it costs some milliseconds."""
    return TypeAdapter(LockMemory)


# --- what is wanted ----------------------------------------------------------------------------------------------


def _of_this_boot(memory: LockMemory, now_s: float) -> LockMemory:
    """The clock begins anew with each boot: what lies in the future is of an earlier one, and so is the rest of it."""
    times = (memory.asked_at_s, memory.tried_at_s, memory.needed_at_s or 0.0, memory.charging_at_s, memory.anchor_at_s)
    return memory if max(times) <= now_s + LOOKS_LATE_S else LockMemory()


def _noticed(memory: LockMemory, view: LockView, settings: WakeLockSettings) -> LockMemory:
    now_s = view.now_s
    if view.charging is not None:
        memory = replace(memory, charging=view.charging, charging_at_s=now_s)
    elif memory.charging is not None and now_s - memory.charging_at_s > CHARGING_KEEP_S:
        memory = replace(memory, charging=None)
    if view.anchored and memory.anchor_asks and now_s - memory.anchor_at_s >= ANCHOR_PROVEN_S:
        memory = replace(memory, anchor_asks=0)
    if view.anchored and (memory.anchor_trouble or memory.kept_said):
        memory = replace(memory, anchor_trouble="", kept_said=False)
    return replace(memory, needed_at_s=_needed_at_s(memory, view, settings))


def _needed_at_s(memory: LockMemory, view: LockView, settings: WakeLockSettings) -> float:
    """A first look is a start, which counts. Unknown charge counts as charging: without Termux:API nobody ever knows, and a lock too
    many costs battery, one too few costs answers."""
    if memory.needed_at_s is None or view.running:
        return view.now_s
    if settings.policy is LockPolicy.CHARGING and memory.charging is not False:
        return view.now_s
    if view.idle_s is None:
        return memory.needed_at_s
    return max(memory.needed_at_s, view.now_s - max(0.0, view.idle_s))


def _why_held(memory: LockMemory, view: LockView, settings: WakeLockSettings) -> str:
    """Empty if nothing wants it."""
    if memory.taken is None:
        return "Farmhand starts"
    if settings.policy is LockPolicy.ALWAYS:
        return 'policy "always"'
    if view.running:
        return "a request runs"
    if memory.needed_at_s is not None and view.now_s - memory.needed_at_s < settings.linger_s:
        if settings.policy is LockPolicy.CHARGING and memory.needed_at_s == view.now_s:
            return "the phone is charging" if memory.charging else "nobody knows whether the phone is charging"
        return "it was needed a moment ago"
    return ""


# --- steps -------------------------------------------------------------------------------------------------------


def _hold(
    memory: LockMemory, view: LockView, settings: WakeLockSettings, why: str
) -> tuple[LockMemory, LockStep, str]:
    is_fresh = memory.taken and view.now_s - memory.asked_at_s < settings.retake_s
    if is_fresh or _must_wait(memory, view.now_s):
        return memory, LockStep.NONE, ""
    if memory.fails:
        words = f"wake lock: asking again; {memory.trouble}"
    elif memory.taken:
        words = "wake lock: asked for anew, since anybody may have dropped it"
    else:
        words = f"wake lock: taken ({why})"
    return _ask(memory, LockStep.TAKE, view.now_s, words)


def _let_go(memory: LockMemory, view: LockView, settings: WakeLockSettings) -> tuple[LockMemory, LockStep, str]:
    now_s = view.now_s
    if view.anchored is None:
        return memory, LockStep.NONE, ""
    if view.anchored:
        if _must_wait(memory, now_s):
            return memory, LockStep.NONE, ""
        return _ask(memory, LockStep.RELEASE, now_s, f"wake lock: given back, not needed for {_span(settings.linger_s)}")
    waited_s = now_s - memory.anchor_at_s
    if memory.anchor_asks and waited_s < _pause(ANCHOR_RETRY_S, memory.anchor_asks, LONGEST_ANCHOR_RETRY_S):
        if memory.kept_said or not (memory.anchor_trouble or waited_s >= ANCHOR_WAIT_S):
            return memory, LockStep.NONE, ""
        memory = replace(memory, kept_said=True)
        return memory, LockStep.NONE, f"wake lock: {lock_trouble(memory)}; Farmhand goes on trying"
    words = "" if memory.anchor_asks else "wake lock: no longer needed; starting an anchor first, so that Termux outlives it"
    memory = replace(memory, anchor_asks=memory.anchor_asks + 1, anchor_at_s=now_s)
    return _ask(memory, LockStep.ANCHOR, now_s, words)


def _ask(memory: LockMemory, step: LockStep, now_s: float, words: str) -> tuple[LockMemory, LockStep, str]:
    return replace(memory, pending=step, tried_at_s=now_s), step, words


def _must_wait(memory: LockMemory, now_s: float) -> bool:
    return memory.fails > 0 and now_s - memory.tried_at_s < _pause(RETRY_S, memory.fails, LONGEST_RETRY_S)


def _pause(first_s: float, times: int, longest_s: float) -> float:
    # 2.0 ** 2000 would overflow.
    return min(longest_s, first_s * 2.0 ** min(times - 1, 30))


# --- words -------------------------------------------------------------------------------------------------------


def _doing(step: LockStep) -> str:
    return "the last ask" if step is LockStep.TAKE else "giving it back"


def _explained(words: str) -> str:
    """`am`'s own words, and for the refusal that a person can do something about, what to do (`facts/termux.md` 4.1)."""
    said = " ".join(words.split())[:MAX_WORDS]
    if IN_BACKGROUND in said:
        return "Android lets no app in the background start a service, and Termux is in the background: open the Termux app once"
    return said or "the command gave no reason"


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{max(0, round(seconds))} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min"
    return f"{round(seconds / 3600)} h"
