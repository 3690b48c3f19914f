"""A wall clock that a test can set, for the Python programs of a scratch prefix: people, networks and time zones do that to a phone."""

from __future__ import annotations

from tests.live.bundle_prefix import Farm

# Python reads it before anything else; our clocks that count sleep (CLOCK_BOOTTIME) are nobody's to set, there as here.
SITE = """
import time

real = time.time

def shifted():
    try:
        with open({path!r}) as file:
            return real() + float(file.read())
    except (OSError, ValueError):
        return real()

time.time = shifted
"""


class WallClock:
    """To be made before anything runs."""

    def __init__(self, farm: Farm) -> None:
        folder = farm.phone.places.user / "clock"
        folder.mkdir()
        self._file = folder / "shift_s"
        (folder / "sitecustomize.py").write_text(SITE.format(path=str(self._file)))
        with (farm.phone.prefix / "etc" / "farmhand" / "env").open("a") as settings:
            settings.write(f"PYTHONPATH='{folder}'\nexport PYTHONPATH\n")

    def set(self, shift_s: float) -> None:
        """From the real time. runit and `date` keep the real one, so that theirs and ours differ as after a jump."""
        draft = self._file.with_suffix(".new")
        draft.write_text(str(shift_s))
        draft.replace(self._file)
