"""A phone with Termux:API, as far as commands can tell: every termux-* command that we use, and `am`, as executables on a PATH.

    fake = FakeTermux(tmp_path / "termux")
    run(..., env=fake.env())                  # PATH with fake.bin first; or link what is in fake.bin into a scratch prefix
    fake.set_mode("termux-battery-status", "missing")
    fake.set_battery(temperature=45.2)
    assert fake.locked and fake.notes["farmhand"].content == "..."
    assert [call.argv for call in fake.calls("am")] == [...]

The commands find `fake.folder` by themselves: it is written into each of them, whatever environment they get.

Modes: `normal`; `missing` (no Termux:API app: blocks for ever, with a child that blocks too); `hang`; `deaf` (hang, ignores TERM); `slow [S]`;
`garbage`; `text [WORDS]`; `error [WORDS]`, `api-error [WORDS]` (the two JSON keys); `permission`; `empty`; `flood`; `escaped` (hangs, and so does a child
with a session of its own); `orphan` (answers, but leaves a process of its own session that holds the output open); `killed [SIGNAL]`; `fails [CODE]`;
`refused`, `notfound` (exit status 1 and 2 of `am`). `set_mode("am", ...)` also holds for termux-wake-lock and -unlock, which are `am` calls.
`uninstall(command)` takes the executable away, `install(command)` puts it back.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COMMANDS = (
    "termux-battery-status",
    "termux-wifi-connectioninfo",
    "termux-telephony-deviceinfo",
    "termux-notification",
    "termux-notification-remove",
    "termux-toast",
    "termux-job-scheduler",
    "termux-wake-lock",
    "termux-wake-unlock",
    "termux-api-start",
    "termux-api-stop",
    "am",
)
PROGRAM = Path(__file__).parent / "termux_bin" / "command.py"

BATTERY = {
    "present": True,
    "technology": "Li-ion",
    "health": "GOOD",
    "plugged": "PLUGGED_USB",
    "status": "CHARGING",
    "temperature": 33.4,
    "voltage": 4211,
    "current": 512000,
    "percentage": 78,
    "level": 78,
    "scale": 100,
}
WIFI = {
    "bssid": "02:00:00:00:00:00",
    "frequency_mhz": 5220,
    "ip": "192.168.1.23",
    "link_speed_mbps": 433,
    "mac_address": "02:00:00:00:00:00",
    "network_id": -1,
    "rssi": -51,
    "ssid": "<unknown ssid>",
    "ssid_hidden": True,
    "supplicant_state": "COMPLETED",
}
TELEPHONY = {"data_enabled": "true", "phone_count": 2, "phone_type": "gsm", "device_id": None, "sim_state": "ready"}


@dataclass(frozen=True)
class Call:
    """at_s: Unix time."""

    command: str
    argv: list[str]
    at_s: float
    pid: int


@dataclass(frozen=True)
class Shown:
    """A notification in Android's list. buttons: text and command."""

    id: str
    title: str
    content: str
    ongoing: bool
    alert_once: bool
    priority: str
    action: str
    buttons: list[tuple[str, str]]


class FakeTermux:
    """folder: of its own, made here. python: runs the commands."""

    def __init__(self, folder: Path, python: str = sys.executable) -> None:
        self.folder = folder
        self.bin = folder / "bin"
        self._python = python
        self.bin.mkdir(parents=True, exist_ok=True)
        self.set_battery()
        self._write("wifi.json", WIFI)
        self._write("telephony.json", TELEPHONY)
        for command in COMMANDS:
            self.install(command)

    def env(self, base: Mapping[str, str] | None = None) -> dict[str, str]:
        """`base` (this process's by default) with our commands first on PATH, and what the app sets where Termux:API is installed."""
        given = dict(os.environ if base is None else base)
        path = os.pathsep.join([str(self.bin), given.get("PATH", os.defpath)])
        return {**given, "PATH": path, "TERMUX_VERSION": "0.118.3", "TERMUX_API_VERSION": "0.53.0"}

    def install(self, command: str) -> Path:
        path = self.bin / command
        words = [self._python, "-I", "-S", str(PROGRAM), str(self.folder), command]
        path.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
        path.chmod(0o755)
        return path

    def uninstall(self, command: str) -> None:
        (self.bin / command).unlink()

    def set_mode(self, command: str, mode: str) -> None:
        """For one command, or for `all` that have none of their own. From the next call on."""
        path = self.folder / f"{command}.mode"
        path.with_suffix(".new").write_text(mode)
        path.with_suffix(".new").replace(path)

    def set_battery(self, **changes: Any) -> None:
        """The usual answer with these fields; one that is `...` is left out."""
        fields = {key: value for key, value in {**BATTERY, **changes}.items() if value is not ...}
        self._write("battery.json", fields)

    def set_wifi(self, **changes: Any) -> None:
        self._write("wifi.json", {**WIFI, **changes})

    def calls(self, command: str = "") -> list[Call]:
        """What was called, in order; of one command only, if given."""
        found = [Call(**line) for line in self._lines("calls.jsonl")]
        return [call for call in found if command in ("", call.command)]

    @property
    def locked(self) -> bool:
        return (self.folder / "wakelock").exists()

    def drop_lock(self) -> None:
        """As somebody else's termux-wake-unlock, or a tap on Termux's notification."""
        (self.folder / "wakelock").unlink(missing_ok=True)

    @property
    def notes(self) -> dict[str, Shown]:
        return {note.id: note for note in map(_shown, sorted((self.folder / "notes").glob("*.json")))}

    @property
    def jobs(self) -> dict[int, dict[str, str]]:
        """By id; the options as given, without their dashes."""
        path = self.folder / "jobs.json"
        found = json.loads(path.read_text()) if path.exists() else {}
        return {int(number): job for number, job in found.items()}

    @property
    def toasts(self) -> list[str]:
        return list(self._lines("toasts.jsonl"))

    @property
    def tasks(self) -> list[tuple[int, str]]:
        """Background tasks that were started: pid and script. They are nobody's children: whoever starts one ends it."""
        return [(line["pid"], line["script"]) for line in self._lines("tasks.jsonl")]

    def _write(self, name: str, value: Mapping[str, Any]) -> None:
        path = self.folder / name
        path.with_suffix(".new").write_text(json.dumps(value))
        path.with_suffix(".new").replace(path)

    def _lines(self, name: str) -> Iterable[Any]:
        path = self.folder / name
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _shown(path: Path) -> Shown:
    note = json.loads(path.read_text())
    texts = {key: str(note.get(key, "")) for key in ("id", "title", "content", "priority", "action")}
    buttons = [(text, action) for text, action in note["buttons"]]
    return Shown(ongoing=note["ongoing"], alert_once=note["alert_once"], buttons=buttons, **texts)
