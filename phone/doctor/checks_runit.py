"""runit, the services, and how they ended: `facts/termux.md` 2. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from phone.doctor.facts import Facts
from phone.doctor.finding import Finding, Where, fail, install, ok, warn
from phone.supervisor.postmortem import OFF_FOR_PHANTOMS, why
from phone.supervisor.types import SUPERVISOR, Exit, Phase, Runit, Service

DAY_S = 86_400.0
# runit starts again every second what ends at once (2.3).
JUST_STARTED_S = 1.5


def check_runit(facts: Facts) -> Iterator[Finding]:
    """Is anybody there who starts services, and does he look after ours?"""
    if not facts.services.get(SUPERVISOR) or not facts.services[SUPERVISOR].installed:
        yield fail("services", "The services are not installed.", "Nothing starts after a boot.", install(facts.places.root), "2.1")
        return
    yield from _daemon(facts)
    yield from _enabled(facts)
    yield from _scripts(facts)


def _daemon(facts: Facts) -> Iterator[Finding]:
    daemon = facts.daemon
    file = facts.places.prefix / "var" / "run" / "service-daemon.pid"
    if daemon.pid is None:
        # Whoever has the number now looks to service-daemon as if it were runsvdir.
        first = f"rm {file}; " if daemon.pid_file_lives else ""
        yield fail(
            "runit", "runit is not running.", "No service runs; a shell or the boot script starts it.", f"{first}farmhand up", "2.6"
        )
        return
    yield ok("runit", f"runit runs (pid {daemon.pid}).", "2.6")
    if daemon.others:
        pids = " ".join(map(str, daemon.others))
        yield fail(
            "runit-twice",
            f"{len(daemon.others) + 1} runsvdir look after the same services.",
            "Each tries every second to start what the other one has.",
            f"kill -HUP {pids}",
            "2.6",
        )
    elif daemon.pid_file != daemon.pid:
        said = "nothing" if daemon.pid_file is None else str(daemon.pid_file)
        yield warn(
            "runit-pid",
            f"{file} says {said}; runsvdir is {daemon.pid}.",
            "service-daemon stop and restart end nothing, or something else.",
            f"echo {daemon.pid} > {file}",
            "2.1",
        )
    for name, service in facts.services.items():
        if service.installed and service.runit.phase is Phase.MISSING:
            yield fail(
                "unwatched",
                f"runit does not look after {name}.",
                "It cannot be started.",
                "farmhand down; service-daemon restart; farmhand up",
                "2.5",
            )


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


def check_stopped(facts: Facts) -> Iterator[Finding]:
    """`sv pause` and SIGSTOP: it is there, and does nothing."""
    for name, service in facts.services.items():
        if service.runit.paused and service.runit.phase is Phase.RUN:
            yield fail(
                "stopped",
                f"{name} is stopped by a signal.",
                "It is there, and answers nobody.",
                f"sv cont {facts.places.service(name)}",
                "2.2",
            )


def _scripts(facts: Facts) -> Iterator[Finding]:
    """A script without its execute bit is started every second, for ever, without a word."""
    bad = [(name, script, wrong) for name, s in facts.services.items() for script, wrong in s.scripts.items() if wrong]
    for name, script, wrong in bad:
        yield fail("scripts", f"{name}/{script} {wrong}.", "runit tries it again every second, in silence.", install(facts.places.root), "2.3")
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
                command = f"farmhand logs {name}; farmhand restart {name}"
                yield fail(name, f"{name} is given up: it {service.words}.", "It stays down until somebody starts it.", command)
            case "backing off" | "unready":
                yield warn(name, f"{name} is {service.state}: {service.words}.", "It does not serve.", f"farmhand logs {name}")
            case "missing":
                yield fail(name, f"{name} is wanted, but {service.words or 'not installed'}.", "It does not run.", install(facts.places.root))
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
        by_phantoms = killed and "low-memory" not in words
        yield warn(
            "ends",
            f"{name} ended {times} in the last day; the last time it {words.partition('. Type on the laptop')[0]}.",
            "Answers under way were cut, or continued elsewhere.",
            OFF_FOR_PHANTOMS if by_phantoms else command,
            "4.2",
            Where.LAPTOP if by_phantoms else Where.PHONE,
        )
    if not everybody:
        yield ok("ends", "No service has ended unasked in the last day.", "2.3")


def _unasked(end: Exit) -> bool:
    return end.signal not in (1, 2, 15) and (end.code, end.signal) != (0, 0)


def check_logs(facts: Facts) -> Iterator[Finding]:
    """Without LOGDIR the logger of termux-services writes to /sv, where nobody may; ours says where (2.4)."""
    for name, service in facts.services.items():
        look, folder = service.logger, facts.places.service(name)
        if not service.installed or service.runit.phase is Phase.MISSING or service.scripts.get("log/run"):
            continue  # said elsewhere
        loops = _just_again(look, service.runit, facts.wall_s)
        if look.phase is not Phase.RUN:
            wrong = f"The logger of {name} does not run."
            yield fail("logs", wrong, "What goes wrong is not written down, and it may block.", f"sv up {folder}/log", "2.4")
        elif loops and facts.supervisor_lives:
            wrong = f"The logger of {name} starts again and again."
            yield fail("logs", wrong, "What goes wrong is not written down.", f"ls -la {facts.places.log(name).parent}; df -h {facts.places.logs}", "2.4")
        elif name == SUPERVISOR and facts.supervisor_lives and service.log_age_s is None:
            wrong = f"There is no log at {facts.places.log(SUPERVISOR)}."
            yield fail("logs", wrong, "What goes wrong is not written down.", f"sv restart {folder}/log", "2.4")


def _just_again(look: Runit, service: Runit, wall_s: float) -> bool:
    """Has it just started, though long after its service?"""
    if look.wall_since_s is None or service.wall_since_s is None:
        return False
    return 0 <= wall_s - look.wall_since_s < JUST_STARTED_S and look.wall_since_s - service.wall_since_s > 10 * JUST_STARTED_S
