"""Why did a service end? One sentence, from its `finish` record and what else is known. Pure.

Android says nobody why it killed a process; what is known of its killers is in `facts/termux.md` 4.2 and 4.4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from phone.device import Device
from phone.supervisor.types import Exit, Observation, Seen, Service

# Ends this close to each other were one blow.
TOGETHER_S = 10.0
# With less than this share of the memory available, or this many KiB, Android kills for memory.
LOW_SHARE = 0.06
LOW_KB = 256 * 1024
# sysexits.h EX_CONFIG: our run scripts say with it that something must be installed or set.
EX_CONFIG = 78
OFF_FOR_PHANTOMS = "adb shell settings put global settings_enable_monitor_phantom_procs false"

SIGNALS = {
    1: "SIGHUP",
    2: "SIGINT",
    4: "SIGILL",
    6: "SIGABRT",
    7: "SIGBUS",
    8: "SIGFPE",
    9: "SIGKILL",
    11: "SIGSEGV",
    13: "SIGPIPE",
    15: "SIGTERM",
    31: "SIGSYS",
}


def why(end: Exit, others: Sequence[Exit] = (), device: Device | None = None, last_line: str = "") -> str:
    """How one service ended, and what to do; without its name, to follow it: "was killed with ...".

    others: ends of other services at about the same time. last_line: the last of its log.
    """
    if end.signal == 9:
        return _killed(end, others, device or Device())
    if end.signal:
        return _signalled(end.signal, last_line)
    if end.code == EX_CONFIG:
        return f"cannot start: {last_line.rstrip('.') or 'something it needs is not installed; farmhand doctor tells more'}"
    if end.code == 0:
        return "ended by itself, without an error"
    return f"ended with status {end.code}{_said(last_line)}"


def _killed(end: Exit, others: Sequence[Exit], device: Device) -> str:
    free = "" if end.available_kb is None else f" with {_size(end.available_kb)} of memory free"
    if is_low(end.available_kb, device.total_bytes):
        return (
            f"was killed (SIGKILL){free}: Android's low-memory killer. Use a smaller model or less context, "
            "and close other apps"
        )
    along = [e for e in others if e.signal == 9 and abs(e.wall_at_s - end.wall_at_s) <= TOGETHER_S]
    if along:
        more = "another service" if len(along) == 1 else f"{len(along)} other services"
        return (
            f"was killed (SIGKILL){free}, together with {more}: Android's phantom process killer. "
            f"Type on the laptop: {OFF_FOR_PHANTOMS}"
        )
    return (
        f"was killed (SIGKILL){free}: by Android's phantom process killer, if nobody did it by hand. "
        f"Type on the laptop: {OFF_FOR_PHANTOMS}"
    )


def all_at_once(pids_then: Mapping[Service, int], seen: Observation) -> str:
    """A sentence if everything that ran is gone without a record: then Android has ended the app with all its processes, runit included.

    pids_then: of the services that ran when the last supervisor looked. For the first look of a new one; "" if it was otherwise.
    """
    if not pids_then:
        return ""
    for service, pid in pids_then.items():
        here = seen.services.get(service, Seen())
        if here.exits or here.runit.pid == pid:
            return ""
    return (
        "Everything ended at once without a record: Android has closed Termux as a whole. Set the battery use of Termux, Termux:Boot and "
        "Termux:API to 'Unrestricted'; on the laptop `adb shell dumpsys activity exit-info com.termux` tells the reason"
    )


def is_low(available_kb: int | None, total_bytes: int | None) -> bool:
    """Is that so little memory that Android kills for it? `False` where it is not known."""
    if available_kb is None:
        return False
    share = 0 if total_bytes is None else total_bytes * LOW_SHARE / 1024
    return available_kb < max(LOW_KB, share)


def _signalled(number: int, last_line: str) -> str:
    name = SIGNALS.get(number, f"signal {number}")
    match number:
        case 1 | 2 | 15:
            return f"was told to end ({name})"
        case 4:
            return (
                "used an instruction that this processor lacks (SIGILL): build the engine again with "
                "CMAKE_ARGS='-DGGML_NATIVE=OFF -DGGML_CPU_ARM_ARCH=armv8.2-a+dotprod+fp16'"
            )
        case _:
            return f"crashed ({name}){_said(last_line)}"


def _said(last_line: str) -> str:
    """To be followed by a full stop of ours."""
    return f"; its last words: {last_line.rstrip('.')}" if last_line else ""


def _size(kb: int) -> str:
    return f"{kb / (1 << 20):.1f} GiB" if kb >= 1 << 20 else f"{kb // 1024} MiB"
