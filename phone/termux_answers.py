"""What the answers of the termux-* commands mean. Pure.

An answer is judged by its text: these commands end with 0 even when they fail (`facts/termux.md` 5.1). Parsers take what was written on
stdout and return a value or a `Problem`; nothing that an app writes makes them raise.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from phone.command import Done, Outcome
from phone.device import Battery

# Beyond these a sensor is not set; one that is not shows as about -214748364.8 (`facts/termux.md` 5.2).
TEMPERATURE_C = (-30.0, 100.0)

# What makes a silent Termux:API answer (`facts/termux.md` 4.3, 5.1).
PRESENT = "Open the Termux:API app once, and set its battery use to unrestricted."
ABSENT = "The Termux:API app seems not to be installed: install it from where Termux itself came from, and open it once."

MAX_WORD = 100
MAX_QUOTED = 200


class Trouble(StrEnum):
    """MISSING: no such command. SILENT: it did not answer in time. EMPTY: it answered with nothing. REFUSED: it said why not."""

    MISSING = "missing"
    SILENT = "silent"
    EMPTY = "empty"
    REFUSED = "refused"
    UNREADABLE = "unreadable"
    UNUSABLE = "unusable"


@dataclass(frozen=True, slots=True)
class Problem:
    """text: a sentence, what is wrong. remedy: a sentence, what to do; may be empty. trouble: UNUSABLE is what was asked, not the answer."""

    text: str
    remedy: str = ""
    trouble: Trouble = Trouble.REFUSED

    @property
    def words(self) -> str:
        return f"{self.text} {self.remedy}".strip()


@dataclass(frozen=True, slots=True)
class Wifi:
    """connected: has an address. ssid: empty without location permission (`facts/termux.md` 5.4). rssi_dbm: -127..0."""

    connected: bool
    ip: str = ""
    ssid: str = ""
    rssi_dbm: int | None = None
    link_mbps: int | None = None
    frequency_mhz: int | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """One of Android's scheduled jobs. period_s: `None` runs once. any_network: runs without a network too; `None` if that is not known."""

    id: int
    script: str
    period_s: float | None = None
    persisted: bool = False
    charging: bool = False
    battery_not_low: bool = False
    any_network: bool | None = None


# --- what went wrong before there was an answer ------------------------------------------------------------------


def failed(done: Done, is_announced: bool = True) -> Problem | None:
    """Of any API command: `None` if its stdout is worth a look. is_announced: Termux said that the Termux:API app is there."""
    command = done.argv[0].rpartition("/")[2] if done.argv else "the command"
    if done.missing:
        return Problem(f"There is no {command}.", "Type: pkg install termux-api", Trouble.MISSING)
    if done.timed_out:
        remedy = PRESENT if is_announced else ABSENT
        return Problem(f"{command} did not answer in time.", remedy, Trouble.SILENT)
    if not done.ok and not done.out.strip():
        said = quoted(done.err) or f"exit status {done.code}"
        return Problem(f"{command} failed: {said}.", "Type: pkg upgrade", Trouble.REFUSED)
    return None


def ordered(done: Done) -> Outcome:
    """Of `am`, and of what is a call of it: 0 done, 1 refused, 2 not found (`facts/termux.md` 4.1)."""
    command = done.argv[0].rpartition("/")[2] if done.argv else "am"
    error = re.search(r"^\s*Error: *(.*)", f"{done.err}\n{done.out}", re.MULTILINE)
    if done.ok and not error:
        return Outcome(True)
    if done.missing:
        return Outcome(False, f"There is no {command}. Type: pkg install termux-tools termux-am")
    if done.timed_out:
        return Outcome(False, f"{command} did not end in time. If that lasts, open the Termux app once.")
    said = quoted(error[1] if error else done.err) or f"exit status {done.code}"
    if done.code == 2:
        return Outcome(False, f"{command} found no Termux app to ask: {said}. Use Termux from F-Droid or GitHub.")
    if done.code == 1 or error:
        return Outcome(False, f"Android refused {command}: {said}. Open the Termux app once; from the background it may not start services.")
    return Outcome(False, f"{command} failed: {said}.")


# --- battery and Wi-Fi: JSON -------------------------------------------------------------------------------------


def battery(out: str) -> Battery | Problem:
    """`facts/termux.md` 5.2: every field is optional, and a temperature may be a number or a string."""
    fields = _fields(out)
    if isinstance(fields, Problem):
        return fields
    status, plugged = _word(fields.get("status")), _word(fields.get("plugged"))
    found = Battery(
        percent=_percent(fields),
        temperature_c=_within(fields.get("temperature"), *TEMPERATURE_C),
        charging=_charging(status, plugged),
        plugged=plugged,
        health=_word(fields.get("health")),
    )
    if found.percent is None and found.temperature_c is None and found.charging is None:
        return Problem(f"The answer says nothing of the battery: {quoted(out)}.", trouble=Trouble.UNREADABLE)
    return found


def wifi(out: str) -> Wifi | Problem:
    fields = _fields(out)
    if isinstance(fields, Problem):
        return fields
    ip, ssid = _word(fields.get("ip")), _word(fields.get("ssid"))
    if not ip and not ssid and "supplicant_state" not in fields:
        return Problem(f"The answer says nothing of Wi-Fi: {quoted(out)}.", trouble=Trouble.UNREADABLE)
    return Wifi(
        connected=ip not in ("", "0.0.0.0"),
        ip=ip,
        ssid="" if ssid == "<unknown ssid>" else ssid,
        rssi_dbm=_whole(_within(fields.get("rssi"), -126, 0)),  # -127: there is none
        link_mbps=_whole(_within(fields.get("link_speed_mbps"), 1, 1_000_000)),
        frequency_mhz=_whole(_within(fields.get("frequency_mhz"), 1, 1_000_000)),
    )


def _fields(out: str) -> Mapping[str, Any] | Problem:
    """The JSON object of an answer; one with `error` or `API_ERROR` in it is none (`facts/termux.md` 5.1)."""
    if not out.strip():
        return Problem("Termux:API answered with nothing; it shows its own errors as notifications.", "", Trouble.EMPTY)
    start, end = out.find("{"), out.rfind("}")
    try:
        fields = json.loads(out[start : end + 1]) if start >= 0 else None
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        return Problem(f"The answer is no JSON object: {quoted(out)}.", trouble=Trouble.UNREADABLE)
    for key in ("error", "API_ERROR"):
        if fields.get(key) is not None:
            return _refused(str(fields[key]))
    return fields


def _refused(said: str) -> Problem:
    if "permission" in said.lower():
        return Problem(f"Termux:API lacks a permission: {quoted(said)}.", "Grant it on the phone: Settings, Apps, Termux:API, Permissions.")
    return Problem(f"Termux:API said: {quoted(said)}.")


def _charging(status: str, plugged: str) -> bool | None:
    """What drains at a weak port does not charge; what is kept at 80 percent by a charge limit is on its charger."""
    if status in ("CHARGING", "FULL"):
        return True
    if status == "DISCHARGING":
        return False
    if plugged == "UNPLUGGED":
        return False
    return True if plugged.startswith("PLUGGED_") else None


def _percent(fields: Mapping[str, Any]) -> float | None:
    percent = _within(fields.get("percentage"), 0, 100)
    if percent is not None:
        return percent
    level, scale = _within(fields.get("level"), 0, 1e9), _within(fields.get("scale"), 1, 1e9)
    return None if level is None or scale is None else _within(100 * level / scale, 0, 100)


def _within(value: Any, low: float, high: float) -> float | None:
    """A number, also one that was written as a string; `None` if there is none, or not within the bounds."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and low <= number <= high else None


def _whole(number: float | None) -> int | None:
    return None if number is None else round(number)


def _word(value: Any) -> str:
    return one_line(value, MAX_WORD) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""


# --- commands that say nothing when all is well ------------------------------------------------------------------


def quiet(out: str) -> Problem | None:
    """Of termux-notification, -notification-remove and termux-toast: whatever they write is an error."""
    if not out.strip():
        return None
    fields = _fields(out)
    if isinstance(fields, Problem) and fields.trouble is Trouble.REFUSED:
        return fields
    return Problem(f"Termux:API said: {quoted(out)}.")


# --- the job scheduler: plain text -------------------------------------------------------------------------------

# As Termux:API 0.53.0 has it: `Job ID: SCRIPT<tab>(periodic: 900000ms) (persisted) (network: null)`.
_JOB = re.compile(
    r"(?P<verb>Scheduling|Pending|Cancelling) Job (?P<id>\d{1,10}): (?P<script>[^\t(]*)(?P<words>.*)"
)
_PERIOD = re.compile(r"\(periodic: (\d{1,15})ms\)")
_RESPONSE = re.compile(r" - response (-?\d+)\s*$")


def jobs(out: str) -> tuple[Job, ...] | Problem:
    """Of `termux-job-scheduler --pending`."""
    found = tuple(job for verb, job in _job_lines(out) if verb == "Pending")
    if found or re.search(r"^No pending jobs", out, re.MULTILINE):
        return found
    return _not_understood(out)


def scheduled(out: str, job_id: int) -> Job | Problem:
    """Of a call that schedules. Response 1 is Android's RESULT_SUCCESS."""
    for line in out.splitlines():
        response = _RESPONSE.search(line)
        for verb, job in _job_lines(line):
            if verb == "Scheduling" and job.id == job_id and response:
                return job if response[1] == "1" else Problem(f"Android refused the job: {quoted(line)}.")
    return _not_understood(out)


def cancelled(out: str, job_id: int) -> Problem | None:
    """A job that is not there is as good as cancelled."""
    if re.search(rf"^No job {job_id} found", out, re.MULTILINE):
        return None
    if any(verb == "Cancelling" and job.id == job_id for verb, job in _job_lines(out)):
        return None
    return _not_understood(out)


def _job_lines(out: str) -> list[tuple[str, Job]]:
    found = []
    for line in out.splitlines():
        if match := _JOB.match(line.strip()):
            words = match["words"]
            period = _PERIOD.search(words)
            job = Job(
                id=int(match["id"]),
                script=match["script"].strip(),
                period_s=int(period[1]) / 1000 if period else None,
                persisted="(persisted)" in words,
                charging="(while charging)" in words,
                battery_not_low="(battery not low)" in words,
                any_network=("(network: null)" in words) if "(network:" in words else None,
            )
            found.append((match["verb"], job))
    return found


def _not_understood(out: str) -> Problem:
    fields = _fields(out)
    if isinstance(fields, Problem) and fields.trouble is not Trouble.UNREADABLE:
        return fields
    return Problem(f"The job scheduler said: {quoted(out)}.")


# --- texts -------------------------------------------------------------------------------------------------------


def one_line(value: object, limit: int) -> str:
    """For people: no control characters, no line ends, nothing that turns the direction of what follows; at most `limit` characters."""
    text = "".join(" " if _breaks(c) else c for c in str(value)[: 4 * limit] if not _hidden(c))
    return shortened(text.strip(), limit)


def quoted(text: str) -> str:
    """What a command said, for a sentence that ends after it."""
    return one_line(text, MAX_QUOTED).rstrip(" .")


def _breaks(char: str) -> bool:
    return unicodedata.category(char) in ("Cc", "Zl", "Zp")


def _hidden(char: str) -> bool:
    """Halves of characters, and what turns the direction of the text."""
    return unicodedata.category(char) == "Cs" or "\u202a" <= char <= "\u202e" or "\u2066" <= char <= "\u2069"


def shortened(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"
