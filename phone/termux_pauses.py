"""Who of Termux:API is left alone, and for how long: a hang must not cost a thread at every look. Pure; time comes in.

Each kind of call (battery, notification, ...) has a pause of its own, for what only that kind cannot do: a permission that is missing, a
method that an older app does not know and so never answers (`facts/termux.md` 5.1). When a call is not answered and none was lately, the app is
taken to be missing, and all kinds pause.
"""

from __future__ import annotations

from dataclasses import dataclass

from phone.termux_answers import Problem, Trouble

MINUTE_S = 60.0
# For so long an answer proves that the app is there when a call is silent: on a busy phone one may just take too long.
PROOF_S = 600.0


@dataclass(frozen=True, slots=True)
class Length:
    """Of a pause, in seconds: the first, doubled each time in a row up to the longest. A person may mend things at any time."""

    first_s: float
    longest_s: float


APP_LENGTH = Length(5 * MINUTE_S, 60 * MINUTE_S)
# By what is wrong with one kind of call. Looking for a missing command costs nothing.
LENGTHS = {
    Trouble.MISSING: Length(5 * MINUTE_S, 5 * MINUTE_S),
    Trouble.SILENT: Length(MINUTE_S, 60 * MINUTE_S),
    Trouble.EMPTY: Length(MINUTE_S / 2, 60 * MINUTE_S),
    Trouble.UNREADABLE: Length(MINUTE_S / 2, 60 * MINUTE_S),
    # Each call may open a screen that asks for a permission.
    Trouble.REFUSED: Length(5 * MINUTE_S, 60 * MINUTE_S),
}


class _Pause:
    __slots__ = ("length_s", "problem", "until_s")

    def __init__(self) -> None:
        self.length_s = 0.0
        self.until_s = 0.0
        self.problem: Problem | None = None

    def begin(self, problem: Problem, length: Length, now_s: float) -> None:
        self.length_s = min(max(2 * self.length_s, length.first_s), length.longest_s)
        self.until_s = now_s + self.length_s
        self.problem = problem

    def end(self) -> None:
        self.length_s, self.problem = 0.0, None

    def holds(self, now_s: float) -> Problem | None:
        return self.problem if now_s < self.until_s else None


class Pauses:
    """Not thread-safe; `phone/termux.py` holds a lock around it."""

    def __init__(self) -> None:
        self._app = _Pause()
        self._kinds: dict[str, _Pause] = {}
        self._answered: dict[str, float] = {}

    @property
    def app_problem(self) -> Problem | None:
        """Why the whole app is taken to be missing, also while it is being tried again."""
        return self._app.problem

    def why_not(self, kind: str, now_s: float) -> Problem | None:
        """Why `kind` is not asked now; `None` if it may be."""
        own = self._kinds.get(kind)
        return self._app.holds(now_s) or (own.holds(now_s) if own else None)

    def note(self, kind: str, problem: Problem | None, now_s: float, *, repeats: bool = True) -> None:
        """How a call ended. repeats: it is made again and again; what a person asks for, or changes with each call, is not held up by a refusal."""
        own = self._kinds.setdefault(kind, _Pause())
        if problem is None:
            own.end()
        elif problem.trouble is Trouble.MISSING:
            self._app.begin(problem, LENGTHS[Trouble.MISSING], now_s)
            return
        elif problem.trouble is Trouble.SILENT:
            if any(now_s - at_s < PROOF_S for at_s in self._answered.values()):
                own.begin(problem, LENGTHS[Trouble.SILENT], now_s)
            elif not self._app.holds(now_s):  # else calls of several kinds were out: one silence
                self._app.begin(problem, APP_LENGTH, now_s)
            return
        elif repeats:
            own.begin(problem, LENGTHS[problem.trouble], now_s)
        self._answered[kind] = now_s
        self._app.end()
