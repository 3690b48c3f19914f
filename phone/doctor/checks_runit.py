"""runit, the services, and how they ended: `facts/termux.md` 2. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from phone.doctor.facts import Facts
from phone.doctor.finding import Finding, fail, ok, warn
from phone.supervisor.postmortem import OFF_FOR_PHANTOMS, why
from phone.supervisor.types import SUPERVISOR, Exit, Phase, Service

DAY_S = 86_400.0
# svlogd writes when a service does; the supervisor says something at each start.
INSTALL = "sh scripts/install"


def check_runit(facts: Facts) -> Iterator[Finding]:
    """Is anybody there who starts services, and does he look after ours?"""
    if not facts.services.get(SUPERVISOR) or not facts.services[SUPERVISOR].installed:
        yield fail("services", "The services are not installed.", "Nothing starts after a boot.", INSTALL, "2.1")
        return
    if facts.runsvdir_pid is None:
        yield fail(
            "runit", "runit is not running.", "No service runs; a shell or the boot script starts it.", "farmhand up", "2.6"
        )
    else:
        yield ok("runit", f"runit runs (pid {facts.runsvdir_pid}).", "2.6")
    yield from _enabled(facts)
    yield from _scripts(facts)


def _enabled(facts: Facts) -> Iterator[Finding]:
    if facts.services[SUPERVISOR].has_down:
        yield fail(
            "enabled",
            "The service 'farmhand' is switched off (it has a file 'down').",
            "It does not start after a boot.",
            f"sv-enable {SUPERVISOR}",
            "2.1",
        )
    for service in Service:
        found = facts.services.get(service.folder)
        if found and found.installed and not found.has_down:
            yield warn(
                "enabled",
                f"{service.folder} has lost its file 'down'.",
                "runit starts it by itself, out of order, and again after every farmhand down.",
                f"touch {facts.places.service(service.folder)}/down",
                "2.1",
            )


def _scripts(facts: Facts) -> Iterator[Finding]:
    """A script without its execute bit is started every second, for ever, without a word."""
    bad = [(name, script, wrong) for name, s in facts.services.items() for script, wrong in s.scripts.items() if wrong]
    for name, script, wrong in bad:
        yield fail("scripts", f"{name}/{script} {wrong}.", "runit tries it again every second, in silence.", INSTALL, "2.3")
    if not bad:
        yield ok("scripts", "The services' scripts are in order.", "2.3")


def check_supervisor(facts: Facts) -> Iterator[Finding]:
    """Does it run, and how are those that it looks after?"""
    own = facts.services.get(SUPERVISOR)
    if own is None or not own.installed:
        return
    published = facts.published
    if not facts.supervisor_lives or published is None:
        wants = own.runit.wants_up and own.runit.phase is not Phase.MISSING
        command = "farmhand logs supervisor" if wants else "farmhand up"
        wrong = "The supervisor does not stay up." if wants else "The supervisor is not running."
        yield fail("supervisor", wrong, "Nothing is started, watched or kept awake.", command, "2.2")
        return
    yield ok("supervisor", f"The supervisor runs (pid {published.pid}).")
    for name, service in published.services.items():
        match service.state:
            case "given up":
                yield fail(
                    name, f"{name} is given up: it {service.words}.", "It stays down.", f"farmhand restart; farmhand logs {name}"
                )
            case "backing off" | "unready":
                yield warn(name, f"{name} is {service.state}: {service.words}.", "It does not serve.", f"farmhand logs {name}")
            case "missing":
                yield fail(name, f"{name} is wanted, but {service.words or 'not installed'}.", "It does not run.", INSTALL)
            case "ready":
                yield ok(name, f"{name} is ready.")
            case _:  # on its way, or not wanted
                pass
    if facts.paused_words:
        yield warn("paused", facts.paused_words, "Requests get a 503.", "farmhand resume")


def check_exits(facts: Facts) -> Iterator[Finding]:
    """What ended in the last day although nobody asked for it."""
    lately = {
        name: [e for e in service.exits if facts.wall_s - e.wall_at_s < DAY_S and _unasked(e)]
        for name, service in facts.services.items()
    }
    everybody = [end for ends in lately.values() for end in ends]
    for name, ends in lately.items():
        if not ends:
            continue
        others = [end for end in everybody if end not in ends]
        words = why(ends[-1], others, facts.device)
        times = "once" if len(ends) == 1 else f"{len(ends)} times"
        killed = any(end.signal == 9 for end in ends)
        command = "farmhand logs " + ("supervisor" if name == SUPERVISOR else name.removeprefix("farmhand-"))
        yield warn(
            "ends",
            f"{name} ended {times} in the last day; the last time it {words}.",
            "Answers under way were cut, or continued elsewhere.",
            OFF_FOR_PHANTOMS if killed and "low-memory" not in words else command,
            "4.2",
        )
    if not everybody:
        yield ok("ends", "No service has ended unasked in the last day.", "2.3")


def _unasked(end: Exit) -> bool:
    return end.signal not in (1, 2, 15) and (end.code, end.signal) != (0, 0)


def check_logs(facts: Facts) -> Iterator[Finding]:
    """Without LOGDIR the logger of termux-services writes to /sv, where nobody may; ours says where."""
    own = facts.services.get(SUPERVISOR)
    if own and own.installed and facts.supervisor_lives and own.log_age_s is None:
        yield fail(
            "logs",
            f"There is no log at {facts.places.log(SUPERVISOR)}.",
            "What goes wrong is not written down.",
            f"sv status {facts.places.service(SUPERVISOR)}/log",
            "2.4",
        )


def check_programs(facts: Facts) -> Iterator[Finding]:
    """Services that are wanted need their program."""
    if facts.settings is None:
        return
    wanted = (("litellm", facts.settings.proxy.enabled, "[proxy]"), ("openclaw", facts.settings.gateway.enabled, "[gateway]"))
    for program, enabled, section in wanted:
        if enabled and not facts.programs.get(program):
            yield fail(
                program,
                f"{section} is enabled, but there is no program '{program}'.",
                "Its service cannot start.",
                f"farmhand logs {program}",
                "11",
            )
