"""Facts of `facts/termux.md` 1 that show only in the whole bundle: Termux empties its tmp, boot scripts start all at once, other apps knock."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from phone.supervisor import store
from phone.supervisor.types import SUPERVISOR
from tests.live.termux_prefix import TermuxPrefix, termux_prefix

ADAPTER = "farmhand-adapter"
ECHO = "[server]\nport = {port}\n[[engine]]\nname = 'echo'\nkind = 'echo'\n"
ASK = json.dumps({"model": "auto", "messages": [{"role": "user", "content": "hello"}]})


@pytest.fixture(scope="module")
def phone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TermuxPrefix]:
    """Booted with somebody else's boot script beside ours, which starts runit as well, at the same time."""
    with termux_prefix(tmp_path_factory.mktemp("facts")) as made:
        made.places.config.write_text(ECHO.format(port=made.port))
        made.write(made.places.boot_scripts / "50-services", '#!@PREFIX@/bin/sh\n. "$PREFIX/etc/profile.d/start-services.sh"\n')
        assert len(made.boot()) == 2
        made.wait_until(lambda: is_ready(made), "the bundle is ready", 40)
        yield made
        for pid in second_daemons(made):
            os.kill(pid, signal.SIGHUP)
        made.wait_until(lambda: not second_daemons(made), "one runsvdir is left")


def second_daemons(phone: TermuxPrefix) -> list[int]:
    """start-stop-daemon looks, then starts: two at the same moment may both find nothing. `farmhand doctor` says so, and what to type."""
    found = [pid for pid, words in phone.processes().items() if words.split()[0].endswith("/runsvdir")]
    return [pid for pid in found if pid != phone.runsv.runsvdir_pid()]


def is_ready(phone: TermuxPrefix) -> bool:
    now = store.read_published(phone.places)
    return bool(now and now.ready and now.pid == phone.status(SUPERVISOR).pid)


def request(phone: TermuxPrefix, method: str, path: str, headers: Mapping[str, str], body: str | None = None) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", phone.port, timeout=20)
    try:
        connection.request(method, path, body, dict(headers))
        answer = connection.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace")
    finally:
        connection.close()


def answers(phone: TermuxPrefix) -> bool:
    try:
        return request(phone, "GET", "/ready", {})[0] == 200
    except (OSError, http.client.HTTPException):
        return False


def with_key(phone: TermuxPrefix, **more: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {phone.places.key_file.read_text().strip()}", "Content-Type": "application/json", **more}


def test_boot_scripts_start_all_at_once(phone: TermuxPrefix) -> None:
    """Row 6. However many of them start the same things: one supervisor, one adapter, one anchor, and the wake lock was taken first."""
    assert phone.fake and phone.fake.locked

    def one(words: str) -> bool:
        return sum(words in command for command in phone.processes().values()) == 1

    for words in ("-m phone supervise", "-m adapter serve", "sleep infinity"):
        # What the supervisor starts carries its name for a moment, until it executes another program.
        phone.wait_until(lambda words=words: one(words), f"there is one {words!r}", 5)  # type: ignore[misc]
    anchor = int((phone.places.run / "anchor.pid").read_text())
    assert "sleep infinity" in phone.processes()[anchor]


def test_termux_empties_its_tmp(phone: TermuxPrefix) -> None:
    """Row 2: when its service stops, all of $PREFIX/tmp goes. What runs goes on, a new supervisor finds what it needs, the adapter starts again."""
    before, adapter = with_key(phone), phone.pid(ADAPTER)
    for entry in (phone.prefix / "tmp").iterdir():
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    assert request(phone, "POST", "/v1/chat/completions", with_key(phone), ASK)[0] == 200
    supervisor = phone.pid(SUPERVISOR)
    os.kill(supervisor, signal.SIGKILL)
    phone.wait_until(lambda: phone.status(SUPERVISOR).pid not in (None, supervisor) and is_ready(phone), "another supervisor", 40)
    assert phone.pid(ADAPTER) == adapter, "it was adopted, not started anew"
    os.kill(adapter, signal.SIGKILL)
    phone.wait_until(lambda: phone.status(ADAPTER).pid not in (None, adapter), "another adapter", 40)
    phone.wait_until(lambda: answers(phone), "it answers", 30)
    assert with_key(phone) == before
    assert list((phone.prefix / "tmp").iterdir()) == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/models"),
        ("POST", "/v1/chat/completions"),
        ("POST", "/v1/embeddings"),
        ("GET", "/metrics"),
        ("GET", "/admin/state"),
        ("POST", "/admin/pressure"),
        ("GET", "/status"),
    ],
)
@pytest.mark.parametrize("key", ["", "Bearer sk-farm-guessed", "Bearer ", "Basic c2s6"])
def test_another_app_of_the_phone(phone: TermuxPrefix, method: str, path: str, key: str) -> None:
    """Row 12. It reaches the port like any other; without the key it learns nothing and changes nothing."""
    headers = {"Content-Type": "application/json", **({"Authorization": key} if key else {})}
    status, text = request(phone, method, path, headers, ASK if method == "POST" else None)
    assert status in (401, 404), text
    assert status == 401 or path == "/status"
    assert phone.places.key_file.read_text().strip() not in text and "echo" not in text


def test_a_page_in_a_browser(phone: TermuxPrefix) -> None:
    """Row 12: by a name that an attacker's DNS turns to 127.0.0.1, even with the key; and from its own origin, where it is never told that it may."""
    evil = "https://evil.example"
    assert request(phone, "GET", "/v1/models", with_key(phone, Host=f"evil.example:{phone.port}"))[0] in (400, 403, 421)
    assert request(phone, "POST", "/v1/chat/completions", {"Origin": evil, "Content-Type": "text/plain"}, ASK)[0] == 401
    connection = http.client.HTTPConnection("127.0.0.1", phone.port, timeout=20)
    try:
        asks = {"Origin": evil, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
        connection.request("OPTIONS", "/v1/chat/completions", headers=asks)
        answer = connection.getresponse()
        assert not [name for name in answer.headers if name.lower().startswith("access-control-allow")]
    finally:
        connection.close()


def test_only_loopback(phone: TermuxPrefix) -> None:
    """Row 12: nobody in the Wi-Fi. Whatever address this machine has beside loopback's, nobody listens there."""
    listening = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            _, local, _, state, *_ = line.split()
            address, _, port = local.partition(":")
            if state == "0A" and int(port, 16) == phone.port:
                listening.append(address)
    assert listening == [f"{int.from_bytes(socket.inet_aton('127.0.0.1'), sys.byteorder):08X}"]
