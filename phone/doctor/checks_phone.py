"""Boot, staying alive, Termux:API, processor and memory: `facts/termux.md` 3 to 6. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from phone.doctor.facts import Facts
from phone.doctor.finding import Finding, Where, ask, fail, ok, warn
from phone.supervisor.postmortem import OFF_FOR_PHANTOMS

MIB = 1 << 20
# Below it Android kills sooner or later (`facts/termux.md` 4.4: 1.2 GiB are left on an idle Pixel 7).
LITTLE_MEMORY = 600 * MIB
# Of all apps together Android keeps 32 child processes (4.2).
MANY_PROCESSES = 24
LITTLE_DISK = 500 * MIB


def check_boot(facts: Facts) -> Iterator[Finding]:
    """Will it start after a reboot?"""
    boot, folder = facts.boot, facts.places.boot_scripts
    if not boot.exists:
        yield fail("boot", f"There is no boot script in {folder}.", "Nothing starts after a reboot.", "sh scripts/install", "3")
    elif boot.problem:
        yield fail("boot", f"The boot script {boot.problem}.", "It may not start after a reboot.", "sh scripts/install", "3")
    else:
        yield ok("boot", "The boot script is in place; it runs after the first unlock.", "3")
    for name in boot.folders:
        yield fail(
            "boot-folder",
            f"{folder}/{name} is a folder.",
            "Termux:Boot skips every script that sorts after it, without a word.",
            f"mv {folder}/{name} ~/",
            "3",
        )
    for name in boot.sourcing:
        yield warn(
            "boot-source",
            f"{folder}/{name} says 'source', which sh does not know.",
            "It stops there.",
            f"sed -i 's/^source /. /' {folder}/{name}",
            "1 row 4",
        )
    for name in boot.starters:
        yield warn(
            "boot-twice",
            f"{folder}/{name} starts runit as well.",
            "All boot scripts run at the same time; one of the two starts is in vain.",
            f"rm {folder}/{name}",
            "3",
        )
    yield from _app(facts, "com.termux.boot", "Termux:Boot", "Nothing starts after a reboot.")


def _app(facts: Facts, package: str, name: str, causes: str) -> Iterator[Finding]:
    match facts.apps.get(package):
        case False:
            source = "F-Droid, the same source as Termux itself, and open it once"
            yield fail(name, f"The app {name} is not installed.", causes, f"install it from {source}", "4.6", Where.SETTINGS)
        case True:
            yield ok(name, f"{name} is installed.", "3")
        case None:
            pass


def check_api(facts: Facts) -> Iterator[Finding]:
    """Battery, notification, job scheduler: all through Termux:API, which hangs where the app is missing."""
    missing = "No battery level, no temperature, no notification; the wake lock and the services work without it."
    yield from _app(facts, "com.termux.api", "Termux:API", missing)
    if not facts.api_asked:
        return
    if facts.api:
        yield warn(
            "api",
            facts.api,
            missing,
            "pkg install termux-api; then open the app Termux:API once and set its battery use to 'Unrestricted'",
            "5.1",
        )
    else:
        yield ok("api", "Termux:API answers.", "5.1")


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
            "Whether the phantom process killer is on cannot be seen from here.",
            "It kills engines that work for long.",
            "adb shell settings get global settings_enable_monitor_phantom_procs   (false is good; farmhand-tunnel --fix sets it)",
            "4.2",
        )
    yield ask(
        "doze",
        "Whether Termux may work in the background cannot be seen from here.",
        "Asleep, the phone answers late or not at all.",
        "adb shell dumpsys deviceidle whitelist   (com.termux, .boot and .api should be in it)",
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
    yield ok("wakelock", words, "4.1")
    yield ask(
        "wakelock-held",
        "Whether the wake lock is really held cannot be seen from here; anybody may drop it.",
        "Without it the phone sleeps, and Termux may be ended.",
        "adb shell dumpsys power | grep -i termux",
        "4.1",
    )


def check_build(facts: Facts) -> Iterator[Finding]:
    """The Play Store's Termux lacks things that we need."""
    release = facts.env.get("TERMUX_APK_RELEASE", "") + facts.env.get("TERMUX_VERSION", "")
    if "GOOGLE" in release.upper():
        yield fail(
            "termux-build",
            "This Termux comes from the Play Store.",
            "Services, add-ons and builds do not work as they should in it.",
            "install Termux and its add-ons from F-Droid",
            "4.6",
            Where.SETTINGS,
        )
    temporary = facts.env.get("TMPDIR") or str(facts.places.prefix / "tmp")
    if str(facts.places.state).startswith(temporary.rstrip("/") + "/"):
        yield fail(
            "state",
            f"The state folder {facts.places.state} is in TMPDIR.",
            "Termux empties it: keys, models and all.",
            "unset FARMHAND_HOME, or choose another folder",
            "4.1",
        )


def check_resources(facts: Facts) -> Iterator[Finding]:
    available = facts.device.available_bytes
    if available is not None and available < LITTLE_MEMORY:
        yield warn(
            "memory",
            f"Only {available // MIB} MiB of memory are available.",
            "Models do not load, and Android kills what is large.",
            "close other apps, or choose a smaller model: farmhand models suggest",
            "4.4",
        )
    elif available is not None:
        yield ok("memory", f"{available // MIB} MiB of memory are available.", "4.4")
    free = facts.disk_free_bytes
    if free is not None and free < LITTLE_DISK:
        yield warn("disk", f"Only {free // MIB} MiB are free where {facts.places.state} is.", "Downloads and logs fail.", "farmhand models list")
    yield from _processor(facts)
    battery = facts.device.battery
    if battery and battery.health in ("OVERHEAT", "DEAD", "OVER_VOLTAGE"):
        yield warn("battery", f"Android calls the battery {battery.health}.", "It may swell or shut the phone off.", "unplug it and let it cool", "5.2")


def _processor(facts: Facts) -> Iterator[Finding]:
    if facts.affinity is not None and facts.cores is not None and facts.affinity < facts.cores:
        yield warn(
            "cores",
            f"Only {facts.affinity} of {facts.cores} cores may be used here (cpuset {facts.cpuset or 'unknown'}).",
            "Answers come slowly.",
            "open Termux, then: farmhand restart",
            "6",
        )
    if facts.on_phone and facts.device.big_clock is None:
        yield ask(
            "clock", "The clock of the big cores cannot be read here.", "Throttling is seen by the engine's speed only.",
            "cat /sys/devices/system/cpu/cpu*/cpufreq/scaling_cur_freq", "6", Where.PHONE,
        )  # fmt: skip
