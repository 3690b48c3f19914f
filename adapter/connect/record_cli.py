"""`farmhand connect NAME --record`, as a command."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping

from adapter.configuration import SettingsError, load
from adapter.connect.record_run import record
from adapter.connect.target import ConnectError


def run_record(name: str, env: Mapping[str, str], *, as_json: bool) -> list[str]:
    """The lines to print. Needs no adapter that runs: it is stopped with the gateway, whose folder this takes. Raises `ConnectError`."""
    try:
        home = load(env).home
    except SettingsError as exc:
        raise ConnectError(str(exc)) from None
    path, pin = record(name, home, env, _say)
    if as_json:
        return [json.dumps({"client": name, "pin": str(path), "letters": pin.letters, "tools": pin.tools, "left_out": pin.cut}, indent=2)]
    left = f" {pin.cut:,} letters of it change from turn to turn and were left out." if pin.cut else ""
    return [
        f"Recorded {path}: {pin.letters:,} letters of system message, {pin.tools} tools.{left}",
        "The embedded engine computes it at the adapter's next start (the first time that takes minutes on a phone) and keeps it on disk from then on.",
        "After an update of OpenClaw, with new skills or another workspace, record again.",
    ]


def _say(text: str) -> None:
    sys.stderr.write(f"{text} ...\n")
