"""`farmhand supervise`: the process around the supervisor's loop. It is there once, answers to signals, and ends in order.

    TERM, INT   stop the whole bundle in reverse order, then end; a second one kills what is left
    HUP         read the configuration anew
    USR1        look at once
    USR2        hand over: end, and leave everything running for a successor

runit is who starts it (`termux/sv/farmhand/run`). Heavy imports come after the signals and the lock.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from phone.places import Places, places

if TYPE_CHECKING:
    from phone.settings import PhoneSettings
    from phone.supervisor.loop import Supervisor
    from phone.supervisor.parts import Parts

# sysexits.h: somebody else is the supervisor; the state folder cannot be made or written.
EX_CANTCREAT = 73
EX_TEMPFAIL = 75
# runit would start us again at once, for ever.
TROUBLE_S = 30.0

logger = logging.getLogger("supervisor")


class _Leave(BaseException):
    """A signal while we wait for our turn."""


def main(argv: Sequence[str] | None = None) -> int:
    """argv: with or without the command's own name. Supervise until a signal ends it. Returns 0; 75 if there is another supervisor already (on a terminal), 73 if the state folder is
    of no use."""
    parser = argparse.ArgumentParser(prog="farmhand supervise", description="Start, watch and stop the bundle's services.")
    parser.add_argument("--log-level", default="info", choices=("debug", "info", "warning", "error"))
    words = list(sys.argv[1:] if argv is None else argv)
    given = parser.parse_args(words[1:] if words[:1] == ["supervise"] else words)
    # By default they would end us before there is somebody to answer to them. A handler, not SIG_IGN, which our children would inherit.
    for number in (signal.SIGHUP, signal.SIGUSR1):
        signal.signal(number, _not_yet)
    # asyncio would load OpenSSL: 4 MiB, for a program that speaks to loopback only. Without the module it does without.
    sys.modules.setdefault("ssl", None)  # type: ignore[arg-type]
    from phone import log

    log.set_up(given.log_level)
    return _supervise(places(os.environ, Path(__file__).resolve().parent.parent), os.environ)


def _supervise(where: Places, env: Mapping[str, str]) -> int:
    from phone.supervisor import instance

    try:
        fd = instance.open_lock(where.run / "supervisor.lock")
        is_mine = instance.try_lock(fd)
    except OSError as exc:
        logger.error("the state folder cannot be used: %s", exc)
        if not sys.stdout.isatty():
            time.sleep(TROUBLE_S)
        return EX_CANTCREAT
    if not is_mine:
        # For runit, whose restarts would never end, waiting costs nothing; and should the other one fall, somebody is there.
        if sys.stdout.isatty():
            logger.error("%s is the supervisor already; see: farmhand status", instance.holder(fd))
            return EX_TEMPFAIL
        if not _waited(fd):
            return 0
        logger.info("it has ended")
    return _serve(where, env)


def _waited(fd: int) -> bool:
    """`False`: a signal came first. HUP and USR1 are none of ours while we wait."""
    from phone.supervisor.instance import holder, wait_for_lock

    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR2)
    try:
        for number in numbers:
            signal.signal(number, _leave)
        logger.warning("%s is the supervisor already: waiting until it has ended", holder(fd))
        wait_for_lock(fd)
    except _Leave:
        return False
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)
    return True


def _leave(number: int, frame: FrameType | None) -> None:
    raise _Leave


def _not_yet(number: int, frame: FrameType | None) -> None:
    """It begins with a look and with the configuration of now anyway."""


# --- the loop's process ------------------------------------------------------------------------------------------


def _serve(where: Places, env: Mapping[str, str]) -> int:
    import asyncio

    from phone.configuration import ConfigError
    from phone.settings import PhoneSettings
    from phone.supervisor.loop import Supervisor

    parts, trouble = _parts(where, env), ""
    try:
        settings = parts.load()
    except ConfigError as exc:
        # The phone stays reachable; the adapter, which reads the same file, says what it thinks of it.
        settings, trouble = PhoneSettings(), f"the configuration cannot be used, the defaults hold until it is mended: {exc}"
    asyncio.run(_run(Supervisor(parts, settings), trouble))
    return 0


def _parts(where: Places, env: Mapping[str, str]) -> Parts:
    from phone.configuration import load
    from phone.probe import LOOPBACK, address, probe
    from phone.readiness import Probe
    from phone.runit import Runsv
    from phone.sense import Sensors
    from phone.supervisor import clock
    from phone.supervisor.parts import Parts
    from phone.supervisor.types import Service
    from phone.termux import Commands, Termux

    commands = Commands()
    termux = Termux(where, commands, clock.now_s)
    sensors = Sensors(termux)
    standing = sensors.standing()
    logger.info("supervisor pid=%d cpuset=%s cores=%s oom_score_adj=%s",
                os.getpid(), standing.cpuset or "-", ",".join(map(str, standing.cores)), standing.oom_score_adj)  # fmt: skip

    def ask(service: Service, settings: PhoneSettings, limit_s: float) -> Probe:
        ports = {Service.PROXY: settings.proxy.port, Service.GATEWAY: settings.gateway.port}
        if service is Service.ADAPTER:
            return probe(service, settings.server.host, settings.server.port, limit_s)
        if service is Service.ENGINE:
            return probe(service, *address(service, where, env), limit_s)
        return probe(service, LOOPBACK, ports[service], limit_s)

    return Parts(
        places=where,
        runsv=Runsv(where, commands),
        termux=termux,
        device=sensors.device,
        probe=ask,
        load=lambda: load(where.config, env),
        boot_id=clock.boot_id(),
    )


async def _run(supervisor: Supervisor, trouble: str) -> None:
    import asyncio

    answers = {
        signal.SIGTERM: supervisor.stop,
        signal.SIGINT: supervisor.stop,
        signal.SIGHUP: supervisor.reload,
        signal.SIGUSR1: supervisor.look_now,
        signal.SIGUSR2: supervisor.hand_over,
    }
    for number, answer in answers.items():
        asyncio.get_running_loop().add_signal_handler(number, answer)
    if trouble:
        supervisor.say(trouble, alert=True)
    await supervisor.run()
