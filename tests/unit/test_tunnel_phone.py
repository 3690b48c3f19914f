"""scripts/farmhand-tunnel: the phone's own settings, what is proposed for them and how it is undone (`facts/termux.md` 4.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.fakes.adbd.shell import FakeShell, Reply
from tests.unit.tunnel_cases import Said, tunnel


def asks_of(shell: FakeShell) -> Callable[[str], Any]:
    def asks(line: str) -> Any:
        reply = shell(line)
        return Said(reply.code, reply.out, reply.err)

    return asks


@pytest.mark.parametrize(
    ("sdk", "value", "ok", "fix", "undo"),
    [
        (30, None, True, (), ()),
        (31, None, False, 2, ("device_config delete activity_manager max_phantom_processes",)),
        (31, "32", False, 2, ("device_config put activity_manager max_phantom_processes 32",)),
        (31, "2147483647", True, (), ()),
        (32, None, False, 1, ("settings delete global settings_enable_monitor_phantom_procs",)),
        (33, "true", False, 1, ("settings put global settings_enable_monitor_phantom_procs true",)),
        (34, None, False, 1, ("settings delete global settings_enable_monitor_phantom_procs",)),
        (34, "false", True, (), ()),
        (35, "0", True, (), ()),
    ],
)
def test_the_phantom_killer_by_android_version(sdk: int, value: str | None, ok: bool, fix: Any, undo: tuple[str, ...]) -> None:
    """The table of facts/termux.md 4.2. What is proposed works on the phone, and its undoing leads back."""
    shell = FakeShell(sdk=sdk)
    if value is not None and sdk == 31:
        shell.device_config["activity_manager/max_phantom_processes"] = value
    elif value is not None:
        shell.settings["settings_enable_monitor_phantom_procs"] = value
    before = ({**shell.settings}, {**shell.device_config}, shell.sync_disabled)
    found = tunnel.check_phantom(asks_of(shell))
    assert (found.ok, len(found.fix)) == (ok, fix or 0)
    assert found.undo[:1] == undo
    for line in found.fix:
        assert shell(line).code == 0
    assert tunnel.check_phantom(asks_of(shell)).ok is True
    for line in found.undo:
        assert shell(line).code == 0
    assert (shell.settings, shell.device_config, shell.sync_disabled) == before


def test_only_android_14_has_the_switch_in_its_developer_options() -> None:
    for sdk, named in ((33, False), (34, True)):
        words = tunnel.check_phantom(asks_of(FakeShell(sdk=sdk))).words
        assert ("Disable child process restrictions" in words) is named


def test_exemptions_are_checked_for_what_is_installed() -> None:
    shell = FakeShell(installed={"com.termux", "com.termux.boot"}, exempt={"com.termux"})
    found = {finding.name: finding for finding in tunnel.every_check(asks_of(shell))}
    assert found["battery com.termux"].ok is True
    assert found["battery com.termux.boot"].fix == ("dumpsys deviceidle whitelist +com.termux.boot",)
    assert "battery com.termux.api" not in found
    assert found["package com.termux.api"].ok is None


def test_without_termux_there_is_nothing_to_look_at() -> None:
    found = list(tunnel.every_check(asks_of(FakeShell(installed={"com.termux.boot"}))))
    assert found[0].ok is False and "Termux is not installed" in found[0].words
    assert len(found) == 3


@pytest.mark.parametrize(("mode", "ok"), [(None, True), ("allow", True), ("default", True), ("ignore", False), ("deny", False)])
def test_background(mode: str | None, ok: bool) -> None:
    shell = FakeShell(background={"com.termux": mode} if mode else {})
    found = tunnel.check_background(asks_of(shell))
    assert found.ok is ok
    for line in found.fix:
        shell(line)
    assert tunnel.check_background(asks_of(shell)).ok is True


@pytest.mark.parametrize(
    ("locks", "ok"),
    [
        (["PARTIAL_WAKE_LOCK 'termux:service-wakelock' ACQ=-1s"], True),
        (["PARTIAL_WAKE_LOCK 'Other' ACQ=-1s"], False),
        ([], False),
    ],
)
def test_the_wake_lock(locks: list[str], ok: bool) -> None:
    assert tunnel.check_lock(asks_of(FakeShell(locks=locks))).ok is ok


@pytest.mark.parametrize("reply", [Reply(), Reply(err="error: device offline\n", code=1), Reply("rubbish\n")])
def test_what_cannot_be_read_is_neither_good_nor_bad(reply: Reply) -> None:
    """A phone that went away in the middle, or a vendor's system with answers of its own: no finding, no remedy, no traceback."""
    found = list(tunnel.every_check(lambda line: Said(reply.code, reply.out, reply.err)))
    unknown = [finding for finding in found if not finding.name.startswith(("package", "background"))]
    assert all(finding.ok is None and not finding.fix for finding in unknown)
