"""Staying alive, Termux:API, processor and memory: `facts/termux.md` 4 to 6. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from phone.doctor.checks_boot import app
from phone.doctor.facts import Facts
from phone.doctor.finding import Finding, Where, ask, ok, warn
from phone.supervisor.postmortem import OFF_FOR_PHANTOMS
from phone.termux_answers import Trouble

MIB = 1 << 20
# Below it Android kills sooner or later (`facts/termux.md` 4.4: 1.2 GiB are left on an idle Pixel 7).
LITTLE_MEMORY = 600 * MIB
# Of all apps together Android keeps 32 child processes (4.2).
MANY_PROCESSES = 24
LITTLE_DISK = 500 * MIB


def check_api(facts: Facts) -> Iterator[Finding]:
    """Battery, notification, job scheduler: all through Termux:API, which hangs where the app is missing."""
    missing = "No battery level, no temperature, no notification; the wake lock and the services work without it."
    yield from app(facts, "com.termux.api", "Termux:API", missing, warn)
    problem = facts.api
    if not facts.api_asked or (facts.apps.get("com.termux.api") is False and problem and problem.trouble is Trouble.SILENT):
        return  # not asked; or what it says follows from what has just been said
    if problem is None:
        yield ok("api", "Termux:API answers.", "5.1")
    elif problem.trouble is Trouble.MISSING:
        yield warn("api", problem.text, missing, "pkg install termux-api", "5.1")
    elif problem.trouble is Trouble.SILENT:
        yield warn("api", problem.text, missing, problem.remedy.rstrip("."), "5.1", Where.SETTINGS)
    else:
        causes = "The battery's level and temperature are not known, and heat is seen by the engine's speed only."
        remedy = problem.remedy.removeprefix("Type: ").rstrip(".")
        where = Where.SETTINGS if remedy and not problem.remedy.startswith("Type: ") else Where.PHONE
        yield warn("api", problem.text, causes, remedy or "termux-battery-status", "5.1", where)


def check_alive(facts: Facts) -> Iterator[Finding]:
    """What Android may do to us while nobody looks."""
    value = facts.phantoms.strip().lower()
    if value == "false":
        yield ok("phantom", "Android's phantom process killer is switched off.", "4.2")
    elif value in ("true", "null", "1"):
        yield warn("phantom", "Android's phantom process killer is on.", "It kills engines that work for long.", OFF_FOR_PHANTOMS, "4.2", Where.LAPTOP)
    else:
        yield ask(
            "phantom",
            "Is the phantom process killer on, which kills engines that work for long?",
            "It should say false.",
            "adb shell settings get global settings_enable_monitor_phantom_procs",
            "4.2",
        )
    yield ask(
        "doze",
        "May Termux work while the phone sleeps?",
        "It should name com.termux, com.termux.boot and com.termux.api.",
        "adb shell dumpsys deviceidle whitelist | grep termux",
        "4.3",
    )
    if facts.own_processes is not None and facts.own_processes > MANY_PROCESSES:
        yield warn(
            "processes",
            f"Termux has {facts.own_processes} processes; Android bears 32 of all apps together.",
            "It kills the oldest ones beyond that.",
            "ps -ef",
            "4.2",
        )


def check_lock(facts: Facts) -> Iterator[Finding]:
    published = facts.published
    if published is None or not facts.supervisor_lives:
        return
    words = f"Wake lock, policy {published.lock_policy}: {published.lock_words}."
    if "failed: " in published.lock_words or "not given back" in published.lock_words:
        yield warn("wakelock", words, "The phone may sleep, and Termux may be ended; or it never sleeps.", "termux-wake-lock", "4.1")
    else:
        yield ok("wakelock", words, "4.1")
    yield ask(
        "wakelock-held",
        "Is the wake lock held? Anybody may have dropped it.",
        "While it is, there is a line with termux:service-wakelock.",
        "adb shell dumpsys power | grep termux",
        "1 row 3",
    )


def check_resources(facts: Facts) -> Iterator[Finding]:
    available = facts.device.available_bytes
    if available is not None and available < LITTLE_MEMORY:
        yield warn(
            "memory",
            f"Only {available // MIB} MiB of memory are available.",
            "Models do not load, and Android kills what is large. Close other apps, or choose a smaller model.",
            "farmhand models suggest",
            "4.4",
        )
    elif available is not None:
        yield ok("memory", f"{available // MIB} MiB of memory are available.", "4.4")
    free = facts.disk_free_bytes
    if free is not None and free < LITTLE_DISK:
        wrong = f"Only {free // MIB} MiB are free where {facts.places.state} is."
        yield warn("disk", wrong, "Downloads and logs fail. Remove what is not needed.", "farmhand models list")
    yield from _processor(facts)
    battery = facts.device.battery
    if battery and battery.health in ("OVERHEAT", "DEAD", "OVER_VOLTAGE"):
        yield warn(
            "battery",
            f"Android calls the battery {battery.health}.",
            "It may swell or shut the phone off.",
            "unplug it and let it cool",
            "5.2",
            Where.SETTINGS,
        )


def _processor(facts: Facts) -> Iterator[Finding]:
    if facts.affinity is not None and facts.cores is not None and facts.affinity < facts.cores:
        yield warn(
            "cores",
            f"Only {facts.affinity} of {facts.cores} cores may be used (cpuset {facts.cpuset or 'unknown'}).",
            "Answers come slowly. Open Termux, so that it is in front, and start anew.",
            "farmhand restart",
            "6",
        )
    if facts.on_phone and facts.device.big_clock is None:
        yield ok("clock", "The clock of the big cores cannot be read here: throttling is seen by the engine's speed only.", "6")
