"""Python, the configuration, keys, the adapter and its engines: `facts/termux.md` 7 to 11. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from phone.doctor.facts import Facts
from phone.doctor.finding import Finding, Where, fail, install, ok, warn

# Module: what is lost without it, and whether the server needs it.
MODULES = {
    "aiohttp": ("The adapter cannot start.", True),
    "pydantic": ("Nothing can start.", True),
    "llama_cpp": ("There is no embedded engine: only the apps and other servers answer.", False),
}


def check_python(facts: Facts) -> Iterator[Finding]:
    """A `pkg upgrade` can bring another Python, and what was installed for the old one is not found any more."""
    python = facts.python
    if python.broken:
        yield fail("venv", f"The environment .venv does not work: {python.broken}.", "No service can start.", install(facts.places.root), "7.1")
        return
    if python.venv_version and python.version and python.venv_version != python.version:
        yield fail(
            "venv",
            f".venv was made by Python {python.venv_version}, and this is {python.version}.",
            "Its libraries are not found.",
            install(facts.places.root),
            "7.1",
        )
        return
    if facts.on_phone and python.platform not in ("android", "linux"):
        yield warn("platform", f"Python calls this platform {python.platform!r}.", "Untested.", "farmhand doctor --first-device", "7.1")
    for module, (causes, needed) in MODULES.items():
        if wrong := python.imports.get(module, ""):
            found = fail if needed else warn
            yield found(module, f"{module} does not load: {wrong}.", causes, install(facts.places.root), "7.2")
    if python.imports and not any(python.imports.values()):
        yield ok("python", f"Python {python.version} ({python.platform}) and its libraries load.", "7.1")
    level = facts.env.get("ANDROID_API_LEVEL", "24")
    if level != "24":
        yield warn(
            "api-level",
            f"ANDROID_API_LEVEL is {level} in your shell.",
            "pip builds wheels that it then refuses.",
            "export ANDROID_API_LEVEL=24",
            "1 row 9",
        )


def check_config(facts: Facts) -> Iterator[Finding]:
    """One file for all services, and what is private."""
    edit = f"edit {facts.places.config}"
    if facts.config_problem:
        yield fail("config", f"{facts.config_problem}.", "Services keep their old settings, or do not start.", edit, "", Where.SETTINGS)
    if not facts.auth_required:
        yield warn(
            "auth",
            "[auth] required = false: any app on the phone may use the server.",
            "Others can read, spend battery, and fill the queue.",
            f"remove that line from {facts.places.config}",
            "1 row 12",
            Where.SETTINGS,
        )
    if facts.settings and facts.settings.server.host not in ("127.0.0.1", "::1", "localhost"):
        yield warn(
            "host",
            f"The server listens on {facts.settings.server.host}, beyond this phone.",
            "Everybody in the Wi-Fi can try keys; adb forward needs only 127.0.0.1.",
            f'set host = "127.0.0.1" in {facts.places.config}',
            "10",
            Where.SETTINGS,
        )
    for path, mode in facts.modes.items():
        if mode & 0o077:
            yield fail("private", f"{path} can be read by others (mode {mode:o}).", "Keys lie in it.", f"chmod go-rwx {path}", "10")


def check_adapter(facts: Facts) -> Iterator[Finding]:
    """What the server says of itself."""
    if facts.adapter is None or facts.adapter.get("status") == "unknown":
        detail = facts.adapter_words or (facts.adapter or {}).get("detail") or "it does not answer"
        if str(facts.places.config) in str(detail):
            if not facts.config_problem:  # else it has been said
                edit = f"edit {facts.places.config}"
                detail = str(detail).removeprefix("farmhand: ").rstrip(".")
                yield fail("config", f"{detail}.", "The server does not start with it.", edit, "", Where.SETTINGS)
            return
        said = str(detail).partition(" Start it with")[0] if facts.on_phone else str(detail)  # there runit does
        wrong = f"The server cannot be asked: {said.rstrip('.')}."
        command = "farmhand logs adapter" if facts.on_phone else "farmhand serve"
        yield fail("adapter-answers", wrong, "No client gets an answer.", command)
        return
    if facts.adapter.get("status") == "ready":
        yield ok("adapter-answers", "The server answers and is ready.")
    else:
        yield fail("adapter-answers", "The server answers, but no engine is ready.", "Every request is refused.", "farmhand status")
    pressure = facts.adapter.get("pressure")
    rests = isinstance(pressure, dict) and pressure.get("level") in ("pause", "unload")
    if not (rests and facts.paused_words):  # that is what they were told
        yield from _pressure(pressure)
    engines = facts.adapter.get("engines")
    for name, engine in engines.items() if isinstance(engines, dict) else ():
        if isinstance(engine, dict) and not (rests and engine.get("ready") is not True):
            yield from _engine(name, engine)


def _pressure(pressure: object) -> Iterator[Finding]:
    if isinstance(pressure, dict) and pressure.get("level") not in (None, "serve"):
        yield warn(
            "pressure",
            f"The engines are told to {pressure['level']}: {pressure.get('reason') or 'no reason given'}",
            "Answers are slow, or refused with a 503.",
            "farmhand status",
            "6",
        )


def _engine(name: str, engine: dict[str, Any]) -> Iterator[Finding]:
    detail = str(engine.get("detail") or "")
    if engine.get("ready") is not True:
        yield warn(f"engine-{name}", f"{name} is not ready: {detail or 'no reason given'}", "Others answer for it.", "farmhand status")
    elif "first line" in detail or "line break" in detail:
        yield warn(
            f"engine-{name}",
            f"{name}: {detail}",
            "Answers of such models end at their first line break.",
            f'add line_marks = true to [[engine]] "{name}", or load another model in the app',
            "",
            Where.SETTINGS,
        )
    else:
        yield ok(f"engine-{name}", f"{name} is ready.")
    for breaker in engine.get("breakers") or []:
        if isinstance(breaker, dict) and breaker.get("state") == "open":
            yield warn(
                f"engine-{name}",
                f"{breaker.get('target')} is left alone after failures: {breaker.get('message') or breaker.get('code')}",
                "Others answer for it.",
                "farmhand status",
            )
