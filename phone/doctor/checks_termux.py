"""This Termux, this shell, and what of Termux's packages must be there: `facts/termux.md` 2.2, 4.1, 4.6 and 7. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from phone.doctor.facts import Facts
from phone.doctor.finding import Finding, Where, fail, install, ok, warn

# The oldest release that anything in facts/termux.md was read in.
OLDEST_TERMUX = (0, 118, 3)


def check_build(facts: Facts) -> Iterator[Finding]:
    """The Play Store's Termux lacks things that we need; an old one is not known to have them."""
    release, version = facts.env.get("TERMUX_APK_RELEASE", ""), facts.env.get("TERMUX_VERSION", "")
    if "GOOGLE" in f"{release}{version}".upper():
        yield fail(
            "termux-build",
            "This Termux comes from the Play Store.",
            "Services, add-ons and builds do not work as they should in it.",
            "install Termux and its add-ons from F-Droid",
            "4.6",
            Where.SETTINGS,
        )
    elif (found := re.match(r"(\d+)\.(\d+)\.?(\d*)", version)) and tuple(int(part or 0) for part in found.groups()) < OLDEST_TERMUX:
        yield warn(
            "termux-version",
            f"This is Termux {version}; Farmhand was made for 0.118.3 and later.",
            "Boot scripts and background tasks may work otherwise in it.",
            "update Termux from F-Droid, where it came from",
            "4.6",
            Where.SETTINGS,
        )
    elif version:
        yield ok("termux-build", f"Termux {version}{' from ' + release.replace('_', '-') if release else ''}.", "4.6")
    temporary = facts.env.get("TMPDIR") or str(facts.places.prefix / "tmp")
    if str(facts.places.state).startswith(temporary.rstrip("/") + "/"):
        yield fail(
            "state",
            f"The state folder {facts.places.state} is in TMPDIR.",
            "Termux empties it: keys, models and all.",
            "unset FARMHAND_HOME",
            "4.1",
        )


def check_shell(facts: Facts) -> Iterator[Finding]:
    """What profile.d sets in a login shell, and not every shell reads it."""
    env, prefix = facts.env, facts.places.prefix
    for name, right in (("SVDIR", prefix / "var" / "service"), ("LOGDIR", prefix / "var" / "log")):
        if env.get(name) and env[name].rstrip("/") != str(right):
            yield warn(
                name.lower(),
                f"{name} is {env[name]} in this shell.",
                "sv and farmhand look for the services there; runit has them elsewhere.",
                f"export {name}={right}",
                "2.1",
            )
    shell = env.get("SHELL", "").rpartition("/")[2]
    if not shell or env.get("SVDIR"):
        return
    start = f"{prefix}/etc/profile.d/start-services.sh"
    if shell == "zsh":
        yield warn(
            "shell",
            "zsh does not read profile.d.",
            "Opening Termux does not start runit, and `sv NAME` finds no service.",
            f"echo '. {start}' >> ~/.zshrc; . {start}",
            "2.2",
        )
    else:
        yield warn("shell", "SVDIR is not set in this shell.", "`sv NAME` finds no service in it; farmhand does.", f". {start}", "2.2")


def check_packages(facts: Facts) -> Iterator[Finding]:
    """Programs without which nothing can be looked after, and our own parts beside them."""
    if facts.daemon.missing:
        names = ", ".join(facts.daemon.missing)
        yield fail("packages", f"There is no {names} in Termux.", "Nothing can start the services.", "pkg install termux-services", "2.1")
    if facts.missing_parts:
        names = ", ".join(facts.missing_parts)
        yield fail("parts", f"Of Farmhand's own files {names} cannot be read.", "Services end as soon as they start.", install(facts.places.root), "2.3")


def check_ports(facts: Facts) -> Iterator[Finding]:
    """An app has no ports below 1024, and each port once (7.1)."""
    if facts.settings is None:
        return
    ports = {"server": facts.settings.server.port}
    ports |= {"proxy": facts.settings.proxy.port} if facts.settings.proxy.enabled else {}
    ports |= {"gateway": facts.settings.gateway.port} if facts.settings.gateway.enabled else {}
    for section, port in ports.items():
        others = [other for other in ports if other < section and ports[other] == port]
        remedy = f"set another port in [{section}] of {facts.places.config}"
        if facts.on_phone and 0 < port < 1024:
            wrong = f"[{section}] port is {port}; Android gives apps no port below 1024."
            yield fail("port", wrong, "It cannot listen there.", remedy, "7.1", Where.SETTINGS)
        elif others:
            yield fail("port", f"[{section}] and [{others[0]}] have the same port, {port}.", "Only one of them can listen.", remedy, "", Where.SETTINGS)
