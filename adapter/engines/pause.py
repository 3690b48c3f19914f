"""What an engine was told about the phone, and what it tells those who want something meanwhile. No I/O and no clock."""

from __future__ import annotations

from urllib.parse import urlsplit

from adapter.engines.base import Pressure
from adapter.engines.seats import Seats
from adapter.errors import EngineUnavailable
from adapter.settings import is_loopback

# Heat, charge and free memory change in minutes, not in seconds.
PRESSURE_RETRY_S = 30
# Where nobody gave a reason.
REFUSALS = {
    Pressure.PAUSE: "Farmhand is paused to let the phone cool down or to save its battery: answers under way go on, "
    "new ones begin when it has recovered. Try again later.",
    Pressure.UNLOAD: "Farmhand has unloaded the model because the phone is too hot, too low on battery or short of "
    "memory. It is loaded again when the phone has recovered. Try again later.",
}
_BECAUSE = {
    Pressure.PAUSE: "Farmhand is paused: {reason} Answers under way go on; try again in {after_s} s.",
    Pressure.UNLOAD: "Farmhand is paused and has unloaded its model: {reason} Try again in {after_s} s.",
}


def refusal(level: Pressure, reason: str = "", retry_after_s: int | None = None) -> EngineUnavailable | None:
    """What those are told who come while nothing new may begin: a new error each time; `None` where it may.

    The number stands in the text as well: behind LiteLLM only the message is left (`protocols/clients.md` 7).
    """
    if level not in REFUSALS:
        return None
    after_s = PRESSURE_RETRY_S if retry_after_s is None else retry_after_s
    text = _BECAUSE[level].format(reason=reason, after_s=after_s) if reason else REFUSALS[level]
    return EngineUnavailable(text, retry_after_s=after_s)


class Pause:
    """The last word about the phone, kept by an engine that has nothing to do but to begin nothing new (`base.Adjusts`)."""

    def __init__(self) -> None:
        self.level = Pressure.SERVE
        self._reason = ""
        self._retry_after_s: int | None = None

    def set(self, level: Pressure, reason: str = "", retry_after_s: int | None = None) -> None:
        """Arguments as of `base.Adjusts.pressure`."""
        self.level, self._reason, self._retry_after_s = level, reason, retry_after_s

    @property
    def refusal(self) -> EngineUnavailable | None:
        """Why nothing new may begin now; `None` if it may."""
        return refusal(self.level, self._reason, self._retry_after_s)

    def clear(self, seats: Seats) -> None:
        """Who waits in vain shall know it, where that is so now."""
        if self.refusal is not None:
            seats.send_away(self._error)

    def check(self) -> None:
        """Raises `refusal`, if there is one."""
        if self.refusal is not None:
            raise self._error()

    def _error(self) -> EngineUnavailable:
        error = self.refusal
        assert error is not None
        return error


def is_here(url: str | None) -> bool:
    """Does what answers at `url` burn this phone's battery? `None` is an app that is looked for on this machine.

    Nobody can see what stands behind a port of this machine: the end of a tunnel counts as on this phone.
    """
    return url is None or is_loopback(urlsplit(url).hostname or "")
