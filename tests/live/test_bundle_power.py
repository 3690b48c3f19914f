"""Wake lock and governor end to end: who asks `am` for what, when; and what a hot phone's clients are told."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

from phone.supervisor.types import SUPERVISOR
from tests.live.bundle_prefix import Farm, bundle, measured, now_s, shown
from tests.live.termux_prefix import SHIPPED

# The shortest that may be set.
LINGER_S = 10.0
UNPLUGGED = {"plugged": "UNPLUGGED", "status": "DISCHARGING"}
# From one reading to the next a battery does not get more than 5 degrees hotter: more is asked for twice, a minute apart.
WARM_C, HOT_C, COOLER_C, COOL_C = 40.9, 45.8, 41.5, 37.0


def test_wake_lock_and_heat(tmp_path: Path) -> None:
    lock = {"policy": "serving", "linger_s": LINGER_S}
    with bundle(tmp_path, proxy=False, gateway=False, supervisor={"tick_s": 1}, wakelock=lock, governor={"dwell_s": 1}) as farm:
        farm.fake.set_battery(temperature=WARM_C, **UNPLUGGED)
        farm.phone.start_daemon()  # as a login shell does: there is no anchor
        farm.wait_ready()
        given_back_when_idle(farm)
        taken_with_the_first_request(farm)
        hot(farm)
        farm.wait(lambda: not farm.fake.locked, "given back again", 2 * LINGER_S + 10)
        charging(farm)


def given_back_when_idle(farm: Farm) -> None:
    """Only once a task of ours keeps Termux's service alive."""
    taken_s = farm.fake.calls("termux-wake-lock")[0].at_s
    farm.wait(lambda: not farm.fake.locked, "it is given back", 2 * LINGER_S + 10)
    (anchor,) = [call for call in farm.fake.calls("am") if "com.termux.service_execute" in call.argv]
    (release,) = farm.fake.calls("termux-wake-unlock")
    assert taken_s < anchor.at_s < release.at_s
    measured(f"policy serving (linger_s = {LINGER_S:g}): start to release", release.at_s - taken_s)
    assert release.at_s - taken_s >= LINGER_S
    (task,) = farm.fake.tasks
    assert int((farm.phone.places.run / "anchor.pid").read_text()) == task[0] and task[0] in farm.phone.processes()
    assert Path(task[1]).read_text().count("sleep infinity") == (SHIPPED / "anchor").read_text().count("sleep infinity")


def taken_with_the_first_request(farm: Farm) -> None:
    """Within 1 s. A supervisor that is killed while `am` is under way leaves a successor that does not know how it went, and asks anew."""
    count, began_s = len(farm.fake.calls("termux-wake-lock")), now_s()
    farm.fake.set_mode("termux-wake-lock", "slow 1")
    assert farm.talk()[0] == 200
    farm.wait(lambda: len(farm.fake.calls("termux-wake-lock")) > count, "it is asked for", 5)
    os.kill(farm.phone.pid(SUPERVISOR), signal.SIGKILL)
    after_s = farm.fake.calls("termux-wake-lock")[count].at_s - began_s
    measured("policy serving: the first request until the lock is asked for", after_s)
    assert after_s < 1.0
    farm.wait(lambda: len(farm.fake.calls("termux-wake-lock")) > count + 1, "it is asked for anew", 10)
    farm.fake.set_mode("termux-wake-lock", "normal")
    farm.wait(lambda: farm.is_ready() and farm.fake.locked, "it is taken", 5)


def hot(farm: Farm) -> None:
    """45.8 degrees: a 503 with the reason, in status and metrics too; cooler: it serves again. A new supervisor asks for the battery at once."""
    assert farm.published and farm.published.level == "serve"
    farm.fake.set_battery(temperature=HOT_C, **UNPLUGGED)
    began_s = now_s()
    assert farm.phone.runsv.signal(SUPERVISOR, "2").ok
    farm.wait(lambda: farm.talk()[0] == 503, "requests are refused", 15)
    refused_s = now_s() - began_s
    measured("a supervisor that finds 45.8 degrees: requests are refused after (hand-over and start included)", refused_s)
    assert refused_s < 4
    _, headers, body = farm.talk()
    message = json.loads(body)["error"]["message"]
    shown("a request to a hot phone", f"Retry-After: {headers['retry-after']}\n{message}")
    assert "45.8" in message and "degrees" in message and int(headers["retry-after"]) > 0
    status = farm.phone.run("farmhand", "status")
    shown("farmhand status of a hot phone", status.stdout)
    assert status.returncode == 0 and "governor  pause: " in status.stdout and "45.8 degrees C" in status.stdout
    metrics = [line for line in farm.ask("/metrics")[2].splitlines() if line.startswith("farmhand_pressure")]
    shown("metrics of a hot phone", "\n".join(metrics))
    assert "farmhand_pressure_level 2.0" in metrics
    assert 'farmhand_pressure_transitions_total{level="pause"} 1.0' in metrics
    for degrees, level in ((COOLER_C, "slow"), (COOL_C, "serve")):
        farm.fake.set_battery(temperature=degrees, **UNPLUGGED)
        assert farm.phone.runsv.signal(SUPERVISOR, "2").ok
        wait_level(farm, level)
        farm.wait(lambda: farm.talk()[0] == 200, "requests are answered", 5)


def wait_level(farm: Farm, level: str) -> None:
    farm.wait(lambda: farm.published and farm.published.level == level, f"the supervisor says {level}", 30)


def charging(farm: Farm) -> None:
    """Policy `charging`, read anew: unplugged and idle it stays given back; a supervisor that finds a charger takes it, and keeps it."""
    farm.configure(wakelock={"policy": "charging", "linger_s": LINGER_S})
    assert farm.phone.runsv.signal(SUPERVISOR, "hup").ok
    farm.wait_said("the configuration has been read anew")
    farm.wait(lambda: farm.published and farm.published.lock_policy == "charging", "the policy", 10)
    assert not farm.fake.locked
    farm.fake.set_battery(temperature=COOL_C)
    assert farm.phone.runsv.signal(SUPERVISOR, "2").ok
    farm.wait(lambda: farm.fake.locked, "it is taken on a charger", 15)
    assert farm.said("wake lock: taken (the phone is charging)")
