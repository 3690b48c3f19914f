"""The order in which a request's targets are tried, and what a failure leads to. Pure: no clock, no engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from adapter.engines.base import Can
from adapter.errors import AdapterError, BadRequest, ContextTooLong, LoopDetected, NotCapable
from adapter.routing import Target

# A broken answer is taken up again so often, and by one target so often: enough for a worker that dies and comes back.
MAX_CONTINUATIONS = 3
MAX_EACH = 2


@dataclass(frozen=True, slots=True)
class Step:
    """Try `target` after `pause_s`. continues: with the rest of the answer that the target it names began."""

    target: Target
    pause_s: float = 0.0
    continues: Target | None = None
    code: str = ""


class Course:
    """Ask `next` for a step; after a failure tell `failed`, and ask again. `None` means that `error` is the end of it.

    All targets are tried once, in order; then again, as often as `retries` says of the first target's error, after a pause.
    Once text has been sent only those that can go on with a partial answer remain.
    """

    def __init__(
        self, targets: Sequence[Target], *, retries: Callable[[AdapterError], int], retry_after_s: float
    ) -> None:
        self._targets = tuple(targets)
        self._retries = retries
        self._retry_after_s = retry_after_s
        self._waiting = list(self._targets)
        self._round = 0
        self._tried: dict[Target, int] = {}
        self._continuations = 0
        self._broken: Target | None = None
        self._code = ""
        self._over = False
        self.error: AdapterError | None = None
        self.resting: list[Target] = []
        """Who was passed over because it is in cooldown."""
        self.too_long: list[Target] = []
        """For whom the request was too long."""

    def next(self, may_try: Callable[[Target], bool]) -> Step | None:
        """may_try: asked of each target at the moment when it would be its turn; where it says yes, the step is taken."""
        if self._over:
            return None
        if self._broken is not None:
            return self._next_continuation(self._broken, may_try)
        while True:
            pause_s = 0.0
            if not self._waiting:
                if not self._another_round():
                    return None
                pause_s = self._retry_after_s
            while self._waiting:
                target = self._waiting.pop(0)
                if may_try(target):
                    self._tried[target] = self._tried.get(target, 0) + 1
                    return Step(target, pause_s)
                self.resting.append(target)

    def failed(self, target: Target, error: AdapterError, *, begun: bool, continues: bool) -> None:
        """`target` failed. begun: the client has something of its answer. continues: somebody could go on with that."""
        if self._broken is not None:
            self._broken, self._code, self._over = target, error.code, not continues
            return
        if _lacks_tools(error) and not begun and Can.TOOLS not in target.emulated:
            # It said that it could, and cannot: the next thing to try is to do it around the same model.
            self._waiting.insert(0, replace(target, emulated=target.emulated | {Can.TOOLS}))
        # The first one's error is the best engine's, and its remedy the most useful.
        self.error = self.error or error
        if isinstance(error, ContextTooLong):
            self.too_long.append(target)
        if begun:
            self.error, self._broken, self._code, self._over = error, target, error.code, not continues
        elif is_the_requests_fault(error):
            self.error, self._over = error, True

    def _another_round(self) -> bool:
        tried = [target for target in self._targets if target in self._tried]
        if self.error is None or not tried or self._round >= self._retries(self.error):
            return False
        self._round += 1
        self._waiting = tried
        return True

    @property
    def successors(self) -> list[Target]:
        """Who could go on with a partial answer, the least tried first."""
        if self._continuations >= MAX_CONTINUATIONS:
            return []
        able = [t for t in self._targets if Can.CONTINUE in t.can and not t.emulated]
        return sorted((t for t in able if self._tried.get(t, 0) < MAX_EACH), key=lambda t: self._tried.get(t, 0))

    def _next_continuation(self, broken: Target, may_try: Callable[[Target], bool]) -> Step | None:
        for target in self.successors:
            if may_try(target):
                self._tried[target] = self._tried.get(target, 0) + 1
                self._continuations += 1
                return Step(target, continues=broken, code=self._code)
        return None


def _lacks_tools(error: AdapterError) -> bool:
    return isinstance(error, NotCapable) and error.param == "tools"


def is_the_requests_fault(error: AdapterError) -> bool:
    """Another model may have more room, or be able to do it; but no other will honour a field that is wrong."""
    return isinstance(error, BadRequest) and not isinstance(error, ContextTooLong | NotCapable | LoopDetected)
