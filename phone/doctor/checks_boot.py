"""Who starts us after a reboot or a kill: `facts/termux.md` 3 and 4.5. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from phone.doctor.facts import Facts
from phone.doctor.finding import Finding, Where, fail, install, ok, warn

# `BOOT_COMPLETED` may take minutes after the first unlock (3).
PATIENCE_S = 900.0
# The number that scripts/install gives it; another program's must not be met.
JOB = 888_800
PERIOD_MS = 900_000
HUNG = ("124", "137")


def check_boot(facts: Facts) -> Iterator[Finding]:
    """Will it start after a reboot?"""
    boot, folder = facts.boot, facts.places.boot_scripts
    if not boot.exists:
        yield fail("boot", f"There is no boot script in {folder}.", "Nothing starts after a reboot.", install(facts.places.root), "3")
    elif boot.problem:
        yield fail("boot", f"The boot script {boot.problem}.", "It may not start after a reboot.", install(facts.places.root), "3")
    else:
        yield ok("boot", "The boot script is in place; it runs after the first unlock.", "3")
    for name in boot.strange:
        found = fail if name < boot.name else warn
        whom = "Farmhand's is one of them." if name < boot.name else "Farmhand's is not among them."
        yield found(
            "boot-folder",
            f"{folder}/{name} is no plain file.",
            f"Termux:Boot skips every script that sorts after it, without a word. {whom}",
            f"mv {folder}/{name} ~/",
            "1 row 5",
        )
    yield from _others(facts)
    yield from app(facts, "com.termux.boot", "Termux:Boot", "Nothing starts after a reboot.")
    yield from _has_run(facts)


def _others(facts: Facts) -> Iterator[Finding]:
    boot, folder = facts.boot, facts.places.boot_scripts
    for name in boot.sourcing:
        yield warn(
            "boot-source",
            f"{folder}/{name} says 'source', which sh does not know.",
            "What that file should set or start is not there.",
            f"sed -i 's/^\\( *\\)source /\\1. /' {folder}/{name}",
            "1 row 4",
        )
    for name in boot.by_env:
        yield warn(
            "boot-shebang",
            f"{folder}/{name} begins with #!/usr/bin/env.",
            "Termux:Boot drops what follows, so it does not start.",
            f"termux-fix-shebang {folder}/{name}",
            "3",
        )
    for name in boot.starters:
        yield warn(
            "boot-twice",
            f"{folder}/{name} starts runit as well.",
            "All boot scripts run at the same time; one of the two starts is in vain.",
            f"mv {folder}/{name} ~/",
            "3",
        )


def app(facts: Facts, package: str, name: str, causes: str, found: Callable[..., Finding] = fail) -> Iterator[Finding]:
    """An app that is known not to be there, which is what `found` makes of it; nothing where nobody says."""
    match facts.apps.get(package):
        case False:
            source = "from F-Droid, or wherever Termux itself came from, and open it once"
            yield found(name, f"The app {name} is not installed.", causes, f"install {name} {source}", "4.6", Where.SETTINGS)
        case True:
            yield ok(name, f"{name} is installed.", "3")
        case None:
            pass


def _has_run(facts: Facts) -> Iterator[Finding]:
    """Termux:Boot must have been opened once, and Android must let it work: seen by what the boot script leaves behind."""
    after, booted_s = facts.boot.after_boot, facts.booted_wall_s
    if not facts.boot.exists or booted_s is None or facts.wall_s - booted_s < PATIENCE_S:
        return
    # Clocks are set after a boot, when a network tells the time; a minute is no proof.
    was_there = facts.installed_wall_s is not None and facts.installed_wall_s < booted_s - 60
    if was_there and (after is None or after.wall_at_s < booted_s - 60):
        yield warn(
            "boot-ran",
            "The boot script did not run after the last reboot.",
            "Somebody or something else has started Farmhand, or nobody.",
            "open the app Termux:Boot once, and set its battery use to 'Unrestricted'",
            "3",
            Where.SETTINGS,
        )
    elif after is not None and after.wall_at_s >= booted_s - 60:
        yield ok("boot-ran", f"After the last reboot it ran, {max(0, round((after.wall_at_s - booted_s) / 60))} min later.", "3")
        if after.lock_code in HUNG:
            yield warn(
                "boot-lock",
                "Then termux-wake-lock did not answer.",
                "Until the supervisor asked again, the phone could sleep.",
                "termux-wake-lock",
                "5.1",
            )


def check_job(facts: Facts) -> Iterator[Finding]:
    """Nothing else starts us when Android has ended the app (4.5)."""
    if facts.jobs is None:
        return
    script = f"{facts.places.prefix}/libexec/farmhand/ensure"
    ours = [job for job in facts.jobs if job.script == script]
    command = (
        f"termux-job-scheduler --job-id {JOB} --script {script} --period-ms {PERIOD_MS} --persisted true --network none --battery-not-low false"
    )
    if not ours:
        yield warn("job", "No job of Android's looks whether Farmhand is there.", "After a kill it stays away until a reboot.", command, "4.5")
    elif ours[0].battery_not_low or ours[0].charging or ours[0].any_network is False:
        wants = "network" if ours[0].any_network is False else "charge"
        yield warn("job", f"The job that looks after Farmhand waits for {wants}.", "Without it Farmhand stays away after a kill.", command, "4.5")
    else:
        yield ok("job", "Android looks now and then whether Farmhand is there.", "4.5")
