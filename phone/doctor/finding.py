"""One line of `farmhand doctor`. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Level(StrEnum):
    """From best to worst, but for ASK: what cannot be seen from inside, with the command that shows it."""

    OK = "ok"
    ASK = "ask"
    WARN = "warn"
    FAIL = "fail"


class Where(StrEnum):
    """Where the command is to be typed; SETTINGS: it is none, but what to tap or to write."""

    PHONE = "phone"
    LAPTOP = "laptop"
    SETTINGS = "Android settings"


@dataclass(frozen=True, slots=True)
class Finding:
    """name: stable, for scripts. wrong: what is found, a sentence. causes: what comes of it; empty when all is well. command: exactly what to
    type, or where to tap; nothing else is in it, since it is copied as a whole. fact: the section of `facts/termux.md` that it rests on."""

    name: str
    level: Level
    wrong: str
    causes: str = ""
    command: str = ""
    where: Where = Where.PHONE
    fact: str = ""


def ok(name: str, said: str, fact: str = "") -> Finding:
    return Finding(name, Level.OK, said, fact=fact)


def fail(name: str, wrong: str, causes: str, command: str, fact: str = "", where: Where = Where.PHONE) -> Finding:
    return Finding(name, Level.FAIL, wrong, causes, command, where, fact)


def warn(name: str, wrong: str, causes: str, command: str, fact: str = "", where: Where = Where.PHONE) -> Finding:
    return Finding(name, Level.WARN, wrong, causes, command, where, fact)


def ask(name: str, wrong: str, causes: str, command: str, fact: str = "", where: Where = Where.LAPTOP) -> Finding:
    return Finding(name, Level.ASK, wrong, causes, command, where, fact)


def install(root: Path) -> str:
    """What mends most of what is missing or old: as it is to be typed anywhere."""
    return f"sh {root}/scripts/install"
