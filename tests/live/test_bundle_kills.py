"""SIGKILL for each process of a bundle that serves, one after the other, as Android does it; then for all at once."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from phone.supervisor.types import SUPERVISOR, Phase, Service
from tests.live.bundle_prefix import Farm, bundle, measured, now_s, shown

OTHERS = {Service.ADAPTER: (Service.PROXY, Service.GATEWAY), Service.PROXY: (Service.ADAPTER,), Service.GATEWAY: (Service.ADAPTER, Service.PROXY)}

LISTENS = {Service.ADAPTER: "Farmhand answers", Service.PROXY: "listening", Service.GATEWAY: "listening"}


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[Farm]:
    # Each kill stands for itself: none is a crash loop.
    with bundle(tmp_path, supervisor={"crashes": 50}) as made:
        made.phone.boot()
        made.wait_ready()
        yield made


def test_sigkill_of_each(farm: Farm) -> None:
    for service in (Service.ADAPTER, Service.PROXY, Service.GATEWAY):
        a_service(farm, service)
    the_supervisor(farm)
    svlogd(farm)
    a_runsv(farm, Service.ADAPTER.folder)
    a_runsv(farm, SUPERVISOR)
    the_daemon(farm)
    all_at_once(farm)


def a_service(farm: Farm, service: Service) -> None:
    """runit starts it again, nobody else is touched, and it is said how it came."""
    before, began_s = farm.pids(), now_s()
    os.kill(farm.pid(service), signal.SIGKILL)
    farm.wait_said(f"{service.value} was killed (SIGKILL)", began_s)
    ready_s = farm.wait_said(f"{service.value} is ready", began_s)
    farm.wait_ready()
    back_s = farm.at(service.folder, LISTENS[service], began_s)
    measured(f"SIGKILL of {service.value}: it listens again", back_s - began_s)
    measured(f"SIGKILL of {service.value}: the supervisor has seen it, and that it is ready again", ready_s - began_s)
    after = farm.pids()
    assert after[service.value] != before[service.value]
    assert [after[other.value] for other in OTHERS[service]] == [before[other.value] for other in OTHERS[service]]
    assert (farm.phone.exits(service.folder)[-1].code, farm.phone.exits(service.folder)[-1].signal) == (-1, 9)
    published = farm.published
    assert published is not None
    end = published.services[service.value].last_exit
    assert end is not None and end.signal == 9
    assert "phantom process killer" in end.words and "settings put global settings_enable_monitor_phantom_procs false" in end.words
    if service is Service.ADAPTER:
        shown("post-mortem", end.words)
        assert farm.talk()[0] == 200


def the_supervisor(farm: Farm) -> None:
    """Its successor goes on from what it finds; nothing else is started, stopped or asked for."""
    before, began_s, first = farm.pids(), now_s(), farm.phone.pid(SUPERVISOR)
    locks = len(farm.fake.calls("termux-wake-lock"))
    os.kill(first, signal.SIGKILL)
    farm.wait(lambda: farm.is_ready() and farm.phone.pid(SUPERVISOR) != first, "a successor says that all is ready")
    measured("SIGKILL of the supervisor until its successor says that all is ready", now_s() - began_s)
    assert farm.pids() == before
    assert not any(farm.said(word, began_s) for word in ("starting", "stopping", "restarting", "pointing", "wake lock"))
    assert len(farm.fake.calls("termux-wake-lock")) == locks


def svlogd(farm: Farm) -> None:
    """A logger that is killed costs its service nothing, and is back."""
    before = farm.pids()
    pid = int((farm.phone.places.service(Service.ADAPTER.folder) / "log" / "supervise" / "pid").read_text())
    began_s = now_s()
    os.kill(pid, signal.SIGKILL)
    farm.wait(lambda: logger_of(farm, Service.ADAPTER.folder) not in (None, pid), "another logger")
    assert farm.talk()[0] == 200
    farm.wait(lambda: any("POST /v1/chat" in line.text and line.at_s > began_s for line in farm.lines("farmhand-adapter")), "it logs")
    measured("SIGKILL of the adapter's svlogd until it logs again", now_s() - began_s)
    assert farm.pids() == before


def logger_of(farm: Farm, folder: str) -> int | None:
    """The pid, while it runs."""
    text = (farm.phone.places.service(folder) / "log" / "supervise" / "pid").read_text()
    return int(text) if text.strip() else None


def a_runsv(farm: Farm, folder: str) -> None:
    """What it had started runs on as nobody's child and holds its port: the next run ends it. Without that it would stand in the way for ever."""
    before, began_s = farm.pids(), now_s()
    orphan = farm.phone.pid(folder)
    os.kill(parent(orphan), signal.SIGKILL)
    farm.wait(lambda: farm.phone.status(folder).pid not in (None, orphan), f"another runsv runs {folder}")
    farm.wait(lambda: farm.is_ready() and farm.published and farm.published.wall_s > began_s, "all is ready again")
    measured(f"SIGKILL of the runsv of {folder} until all is ready again", now_s() - began_s)
    assert is_gone(orphan)
    assert f"process {orphan} has lost its runsv; ending it" in farm.phone.log(folder)
    assert farm.talk()[0] == 200
    changed = {name for name, pid in farm.pids().items() if pid != before[name]}
    assert changed == ({"adapter"} if folder == Service.ADAPTER.folder else set())
    # What it starts bears its name until it is another program.
    farm.wait(lambda: len([w for w in farm.phone.processes().values() if w.endswith("-m phone supervise")]) == 1, "one supervisor", 5)


def the_daemon(farm: Farm) -> None:
    """Without runsvdir every runsv goes on; another one finds them in charge."""
    before, began_s = farm.pids(), now_s()
    first = farm.phone.runsv.runsvdir_pid()
    assert first is not None
    os.kill(first, signal.SIGKILL)
    os.kill(farm.pid(Service.ADAPTER), signal.SIGKILL)
    farm.wait(lambda: farm.is_ready() and farm.pids().get("adapter") not in (None, before["adapter"]), "its runsv starts it again")
    assert farm.phone.runsv.start_runsvdir().ok
    measured("SIGKILL of runsvdir until another one runs", now_s() - began_s)
    assert farm.talk()[0] == 200
    assert {name: pid for name, pid in farm.pids().items() if name != "adapter"} == {n: p for n, p in before.items() if n != "adapter"}


def all_at_once(farm: Farm) -> None:
    """Android has closed Termux; a quarter of an hour later its job scheduler starts `ensure`."""
    farm.phone.android_kills_the_app()
    farm.fake.drop_lock()
    assert all(farm.phone.status(service.folder).phase is Phase.MISSING for service in Service)
    began_s = now_s()
    job = farm.phone.start_task(farm.phone.prefix / "libexec" / "farmhand" / "ensure")
    farm.wait(lambda: farm.is_ready() and farm.published and farm.published.wall_s > began_s, "all is ready again")
    measured("everything killed: the job's script to all ready", now_s() - began_s)
    assert farm.said("Everything ended at once without a record: Android has closed Termux as a whole", began_s)
    # Not what the supervisor remembers counts: the lock has gone with the app.
    assert farm.fake.locked and farm.said("wake lock: taken", began_s)
    assert farm.talk()[0] == 200
    shown("what the supervisor says of it", "\n".join(line.text for line in farm.lines() if line.at_s > began_s))
    assert int((farm.phone.places.run / "anchor.pid").read_text()) == job.pid


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def is_gone(pid: int) -> bool:
    """Nobody's child may lie there unburied for a while (Z)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True
