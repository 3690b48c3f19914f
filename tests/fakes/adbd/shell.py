"""What `adb shell` finds on the fake phone: the few commands of Android's that Farmhand's laptop end uses, with state.

The forms of the answers are those of Android 12 to 15. A test reads and sets the state directly, adds commands of its
own with `answers`, and makes some of them fail or do nothing (`broken`, `ignores`) as vendors' systems do.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field

TERMUX = ("com.termux", "com.termux.boot", "com.termux.api")
DUMP = "android.permission.DUMP"


@dataclass(frozen=True, slots=True)
class Reply:
    out: str = ""
    err: str = ""
    code: int = 0


@dataclass
class FakeShell:
    """Called with a command line, answers with a `Reply`. `ran` is everything that was asked for."""

    release: str = "14"
    sdk: int = 34
    model: str = "Pixel 7"
    installed: set[str] = field(default_factory=lambda: {*TERMUX})
    settings: dict[str, str] = field(default_factory=dict)
    device_config: dict[str, str] = field(default_factory=dict)
    sync_disabled: str = "none"
    exempt: set[str] = field(default_factory=set)
    background: dict[str, str] = field(default_factory=dict)
    granted: set[tuple[str, str]] = field(default_factory=set)
    started: list[str] = field(default_factory=list)
    locks: list[str] = field(default_factory=lambda: ["PARTIAL_WAKE_LOCK 'termux:service-wakelock' ACQ=-2s (uid=10234)"])
    exits: str = ""
    log: str = ""
    answers: dict[str, Reply] = field(default_factory=dict)
    """Whole command lines and what they answer instead of the above."""
    ignores: set[str] = field(default_factory=set)
    """First words of commands that answer as ever and change nothing."""
    ran: list[str] = field(default_factory=list)

    def __call__(self, line: str) -> Reply:
        self.ran.append(line)
        if line in self.answers:
            return self.answers[line]
        words = shlex.split(line)
        if words and words[0] in self.ignores and self._changes(words):
            return Reply()
        for pattern, does in self._table():
            if re.fullmatch(pattern, line):
                return does(words)
        name = words[0] if words else ""
        return Reply(err=f"/system/bin/sh: {name}: inaccessible or not found\n", code=127)

    def _changes(self, words: list[str]) -> bool:
        return words[1:2] not in (["get"], ["list"], ["path"]) and words[-1] != "whitelist"

    def _table(self) -> tuple[tuple[str, Callable[[list[str]], Reply]], ...]:
        return (
            (r"getprop \S+", self._getprop),
            (r"settings (get|put|delete) global .*", self._settings),
            (r"device_config .*", self._device_config),
            (r"dumpsys deviceidle whitelist( [+-]\S+)?", self._deviceidle),
            (r"cmd appops (get|set) .*", self._appops),
            (r"pm (grant|revoke) \S+ \S+", self._permission),
            (r"pm list packages( \S+)?", self._packages),
            (r"dumpsys package \S+", self._package),
            (r"dumpsys power", self._power),
            (r"dumpsys battery", lambda _: Reply("Current Battery Service state:\n  level: 83\n  temperature: 312\n")),
            (r"dumpsys activity exit-info \S+", lambda _: Reply(self.exits)),
            (r"dumpsys activity processes", lambda _: Reply("ACTIVITY MANAGER RUNNING PROCESSES\n")),
            (r"logcat .*", lambda _: Reply(self.log)),
            (r"am start -n \S+", self._am_start),
            (r"echo .*", lambda words: Reply(" ".join(words[1:]) + "\n")),
        )

    def _getprop(self, words: list[str]) -> Reply:
        props = {
            "ro.build.version.release": self.release,
            "ro.build.version.sdk": str(self.sdk),
            "ro.product.model": self.model,
            "sys.boot_completed": "1",
        }
        return Reply(props.get(words[1], "") + "\n")

    def _settings(self, words: list[str]) -> Reply:
        name = words[3]
        if words[1] == "get":
            return Reply(self.settings.get(name, "null") + "\n")
        if words[1] == "put":
            self.settings[name] = words[4]
            return Reply()
        gone = self.settings.pop(name, None)
        return Reply(f"Deleted {int(gone is not None)} rows\n")

    def _device_config(self, words: list[str]) -> Reply:
        what, key = words[1], "/".join(words[2:4])
        if what == "set_sync_disabled_for_tests":
            self.sync_disabled = words[2]
            return Reply()
        if what == "get":
            return Reply(self.device_config.get(key, "null") + "\n")
        if what == "put":
            self.device_config[key] = words[4]
            return Reply()
        self.device_config.pop(key, None)
        return Reply("Successfully deleted\n")

    def _deviceidle(self, words: list[str]) -> Reply:
        if len(words) == 3:
            lines = ["system-excidle,com.android.shell,2000", "system,com.google.android.gms,10123"]
            return Reply("".join(f"{line}\n" for line in [*lines, *(f"user,{p},10234" for p in sorted(self.exempt))]))
        sign, package = words[3][0], words[3][1:]
        if package not in self.installed:
            return Reply(f"Unknown package: {package}\n")
        if sign == "+":
            self.exempt.add(package)
            return Reply(f"Added: {package}\n")
        self.exempt.discard(package)
        return Reply(f"Removed: {package}\n")

    def _appops(self, words: list[str]) -> Reply:
        package, op = words[3], words[4]
        if words[2] == "get":
            mode = self.background.get(package)
            return Reply(f"{op}: {mode}\n" if mode else "No operations.\nDefault mode: allow\n")
        self.background[package] = words[5]
        return Reply()

    def _permission(self, words: list[str]) -> Reply:
        pair = (words[2], words[3])
        if words[2] not in self.installed:
            return Reply(err=f"java.lang.IllegalArgumentException: Unknown package: {words[2]}\n", code=255)
        if words[1] == "grant":
            self.granted.add(pair)
        else:
            self.granted.discard(pair)
        return Reply()

    def _packages(self, words: list[str]) -> Reply:
        part = words[3] if len(words) > 3 else ""
        return Reply("".join(f"package:{name}\n" for name in sorted(self.installed) if part in name))

    def _package(self, words: list[str]) -> Reply:
        name = words[2]
        if name not in self.installed:
            return Reply(f"Unable to find package: {name}\n")
        state = str((name, DUMP) in self.granted).lower()
        asked = f"    requested permissions:\n      {DUMP}\n"
        return Reply(f"Packages:\n  Package [{name}] (1a2b3c):\n{asked}    install permissions:\n      {DUMP}: granted={state}\n")

    def _power(self, _: list[str]) -> Reply:
        lines = "".join(f"  {lock}\n" for lock in self.locks)
        return Reply(f"POWER MANAGER (dumpsys power)\nWake Locks: size={len(self.locks)}\n{lines}")

    def _am_start(self, words: list[str]) -> Reply:
        package = words[3].partition("/")[0]
        begun = f"Starting: Intent {{ cmp={words[3]} }}\n"
        if package not in self.installed:
            why = f"Error type 3\nError: Activity class {{{words[3]}}} does not exist.\n"
            return Reply(begun, why)
        self.started.append(words[3])
        return Reply(begun)
