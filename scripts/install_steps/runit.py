"""termux-services: is it running, start it, and take services away (`facts/termux.md` 2)."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from install_steps.bounded import Ran, bounded
from install_steps.disk import GONE
from install_steps.failure import InstallFailed
from phone.places import SERVICE_PREFIX, Places

# A new folder is noticed within 5 s.
NOTICED_S = 12.0
DAEMON_S = 10.0
SV_S = 10.0
STOP_S = 30
POLL_S = 0.05


class Runit:
    def __init__(self, places: Places) -> None:
        self.places = places
        self.env = {
            "PREFIX": str(places.prefix),
            "SVDIR": str(places.services),
            "LOGDIR": str(places.logs),
            "HOME": str(places.user),
        }

    def sv(self, *words: str, limit_s: float = SV_S) -> Ran:
        return bounded(["sv", *words], limit_s, self.places.prefix, self.env)

    def runs(self) -> bool:
        """Is a runsvdir looking after the services? Its pid file may be an old one, so the processes themselves are asked."""
        return any(_is_runsvdir(path, str(self.places.services)) for path in Path("/proc").glob("[0-9]*/cmdline"))

    def start(self) -> str:
        """As a login shell does it, but waiting for it. "" or why it does not run."""
        said = bounded(["service-daemon", "start"], DAEMON_S, self.places.prefix, self.env)
        return "" if _soon(self.runs, DAEMON_S) else f"service-daemon start did not work: {said.out or said.code}"

    def up(self, name: str) -> str:
        """"" or why it is not being started."""
        folder = self.places.service(name)
        if not _soon(lambda: looked_after(folder), NOTICED_S):
            return f"nobody looks after {folder}; is runsvdir running?"
        said = self.sv("up", str(folder))
        return "" if said.code == 0 else said.out

    def started_before(self, wall_s: float) -> bool:
        """Does a service of ours run that was started earlier than that? runsv writes its pid down when it starts one."""
        files = [self.places.service(name) / "supervise" / "pid" for name in (SERVICE_PREFIX, f"{SERVICE_PREFIX}-adapter")]
        return any(file.stat().st_size > 0 and file.stat().st_mtime < wall_s for file in files if file.exists())

    def stop_all(self) -> None:
        """The supervisor first: it stops the others in order. Then what is left; who does not end is killed by `retire`."""
        folder = self.places.service(SERVICE_PREFIX)
        if looked_after(folder):
            self.sv("-w", str(STOP_S), "down", str(folder), limit_s=STOP_S + SV_S)

    def retire(self, folder: Path) -> None:
        """Stop one service, end its runsv, then delete its folder. Raises `InstallFailed` if it cannot be ended.

        Renamed first: of a folder that it sees runsvdir would start a new runsv at once.
        """
        gone = folder if folder.name.startswith(GONE) else folder.with_name(f"{GONE}-{folder.name}")
        if folder != gone:
            if looked_after(folder):
                self.sv("-w", str(STOP_S), "down", str(folder), limit_s=STOP_S + SV_S)
            shutil.rmtree(gone, ignore_errors=True)
            folder.rename(gone)
        if looked_after(gone):
            self.sv("exit", str(gone))
            if not _soon(lambda: not looked_after(gone), SV_S):
                self.sv("kill", str(gone))
                if not _soon(lambda: not looked_after(gone), SV_S):
                    raise InstallFailed(f"the service in {gone} does not end. Type: sv status {gone}")
        shutil.rmtree(gone)

    def left_behind(self) -> list[Path]:
        """Folders that an interrupted `retire` had renamed already."""
        return sorted(self.places.services.glob(f"{GONE}-*"))


def looked_after(folder: Path) -> bool:
    """Does a runsv run for it? `sv` asks in the same way."""
    try:
        os.close(os.open(folder / "supervise" / "ok", os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return True


def _is_runsvdir(cmdline: Path, services: str) -> bool:
    try:
        words = cmdline.read_bytes().split(b"\0")
    except OSError:
        return False
    return Path(os.fsdecode(words[0])).name == "runsvdir" and services.encode() in words


def _soon(is_so: Callable[[], bool], within_s: float) -> bool:
    until = time.monotonic() + within_s
    while not is_so():
        if time.monotonic() > until:
            return False
        time.sleep(POLL_S)
    return True
