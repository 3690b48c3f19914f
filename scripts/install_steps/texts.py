"""What is written for a person or for another program, word by word. Pure."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

WIDTH = 80
ENGINE_NAME = "llama-server"
ENGINE_PORT = 8090
# Whole services of others are no mistake; who reads this may want to merge them.
STARTERS = ("start-services.sh", "service-daemon", "runsvdir", "sv-enable", "sv up", "termux-wake-lock")


def engine_env(model: Path) -> str:
    """Settings of `farmhand-engine`, as its `run` reads them."""
    return (
        "# Termux's own llama-server, in place of the embedded engine; the service farmhand-engine reads this.\n"
        f"ENGINE_MODEL={shlex.quote(str(model))}\n"
        f"ENGINE_PORT={ENGINE_PORT}\n"
    )


def engine_lines() -> str:
    return f'[[engine]]\nname = "{ENGINE_NAME}"\nkind = "openai"\nurl = "http://127.0.0.1:{ENGINE_PORT}/v1"\n'


def config_text(engines: Sequence[Mapping[str, Any]]) -> str:
    """A configuration with these engines, then Termux's llama-server. engines: names and texts only, as the adapter has them."""
    head = "# Written by scripts/install, since the embedded engine could not be built here; yours to change.\n"
    entries = ["[[engine]]\n" + "".join(f"{key} = {_toml(value)}\n" for key, value in engine.items()) for engine in engines]
    return "\n".join([head, *entries, engine_lines()])


def _toml(value: Any) -> str:
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def boot_warnings(folder: Path, subfolders: Iterable[str], others: Mapping[str, str]) -> list[str]:
    """others: name -> text of scripts in the boot folder that are not ours."""
    said = [
        f"{folder / name} is a folder. Termux:Boot stops at it and skips every script that sorts after it.\n"
        f"Type: mv {shlex.quote(str(folder / name))} ~/"
        for name in subfolders
    ]
    for name, text in others.items():
        if any(word in text for word in STARTERS):
            said.append(
                f"{folder / name} starts services or takes the wake lock as well. That does no harm, but all boot scripts "
                "start at the same moment; one of them would do."
            )
    return said


def line(topic: str, text: str) -> str:
    """`  topic      text`, wrapped under itself where it is longer than the terminal."""
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=f"  {topic:<10} ",
        subsequent_indent=" " * 13,
        break_long_words=False,
        break_on_hyphens=False,
    )


def warning(text: str) -> str:
    """Wrapped as a paragraph; lines that are to be typed stay whole."""
    first, *rest = text.splitlines() or [""]
    wrapped = textwrap.fill(
        first, WIDTH, initial_indent="! ", subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )
    return "\n".join([wrapped, *(f"  {more}" for more in rest)])


def next_steps(base_url: str, *, started: bool, held: bool) -> str:
    """The last lines: what to type now. held: it was not to be started."""
    if started:
        first = f"Farmhand starts now and answers at {base_url}"
    else:
        first = "Not started. To start it now and with the phone: sh scripts/install" if held else "Not started."
    return (
        f"{first}\n"
        "  farmhand status            what it does\n"
        "  farmhand doctor            what is wrong, and what to type\n"
        "  farmhand token new NAME    a key for a program\n"
        "On the laptop, in its copy of Farmhand: scripts/farmhand-tunnel"
    )
