"""What termux-* commands are asked with, what their answers mean, and how long a silent one is left alone."""

from __future__ import annotations

import json
from pathlib import PurePosixPath

import pytest

from phone import termux_answers, termux_asks
from phone.command import Button, Done, Note
from phone.device import Battery
from phone.termux_answers import Job, Problem, Trouble, Wifi
from phone.termux_pauses import LENGTHS, PROOF_S, Pauses

USB = {"health": "GOOD", "plugged": "PLUGGED_USB", "status": "CHARGING", "temperature": 33.4, "percentage": 78}
GOOD = Battery(78, 33.4, True, "PLUGGED_USB", "GOOD")

# Fields that differ from USB (`...` takes one away), and those of the battery that differ from GOOD.
BATTERY = [
    ({}, {}),
    # Termux:API 0.53.0 has all of these; what is not used does no harm, whatever is in it.
    ({"present": True, "technology": "Li-ion", "voltage": 4211, "current": -512000, "energy": "odd", "cycle": None}, {}),
    ({"current_average": [], "charge_counter": {}, "level": "x", "scale": None}, {}),
    # 0.51.0 writes the temperature as a string, older ones as a long float.
    ({"temperature": "33.4"}, {}),
    ({"temperature": 33.400001525878906}, {"temperature_c": 33.400001525878906}),
    ({"temperature": "warm"}, {"temperature_c": None}),
    ({"temperature": None}, {"temperature_c": None}),
    ({"temperature": ...}, {"temperature_c": None}),
    ({"temperature": True}, {"temperature_c": None}),
    ({"temperature": {"value": 33}}, {"temperature_c": None}),
    # A sensor that is not set, and bounds.
    ({"temperature": -214748364.8}, {"temperature_c": None}),
    ({"temperature": "-214748364.8"}, {"temperature_c": None}),
    ({"temperature": -30}, {"temperature_c": -30.0}),
    ({"temperature": 100}, {"temperature_c": 100.0}),
    ({"temperature": -30.1}, {"temperature_c": None}),
    ({"temperature": 100.1}, {"temperature_c": None}),
    ({"temperature": "NaN"}, {"temperature_c": None}),
    ({"temperature": float("inf")}, {"temperature_c": None}),
    ({"temperature": 10**400}, {"temperature_c": None}),
    # The charge, from whichever fields there are.
    ({"percentage": 0}, {"percent": 0.0}),
    ({"percentage": "78"}, {}),
    ({"percentage": 101}, {"percent": None}),
    ({"percentage": -1, "level": 39, "scale": 50}, {}),
    ({"percentage": ..., "level": 78, "scale": 100}, {}),
    ({"percentage": None, "level": 78, "scale": 0}, {"percent": None}),
    ({"percentage": None, "level": 300, "scale": 100}, {"percent": None}),
    ({"percentage": ...}, {"percent": None}),
    # Does it charge? A port that is too weak does not; a charger that keeps it at 80 percent does.
    ({"status": "FULL"}, {}),
    ({"status": "FULL", "plugged": "UNPLUGGED"}, {"plugged": "UNPLUGGED"}),
    ({"status": "DISCHARGING"}, {"charging": False}),
    ({"status": "DISCHARGING", "plugged": "UNPLUGGED"}, {"charging": False, "plugged": "UNPLUGGED"}),
    ({"status": "NOT_CHARGING"}, {}),
    ({"status": "NOT_CHARGING", "plugged": "PLUGGED_7"}, {"plugged": "PLUGGED_7"}),
    ({"status": "NOT_CHARGING", "plugged": ...}, {"charging": None, "plugged": ""}),
    ({"status": "UNKNOWN", "plugged": "PLUGGED_DOCK"}, {"plugged": "PLUGGED_DOCK"}),
    ({"status": "UNKNOWN", "plugged": "UNPLUGGED"}, {"charging": False, "plugged": "UNPLUGGED"}),
    ({"status": None, "plugged": None}, {"charging": None, "plugged": ""}),
    ({"status": ["CHARGING"], "plugged": "PLUGGED_AC"}, {"plugged": "PLUGGED_AC"}),
    # Health may be a number; a word of an app is no place for control characters.
    ({"health": 9}, {"health": "9"}),
    ({"health": "OVERHEAT\x1b[31m"}, {"health": "OVERHEAT [31m"}),
    ({"health": ...}, {"health": ""}),
    # Null where an error would be is none.
    ({"error": None, "API_ERROR": None}, {}),
]


@pytest.mark.parametrize(("fields", "expected"), BATTERY)
def test_battery(fields: dict[str, object], expected: dict[str, object]) -> None:
    given = {key: value for key, value in {**USB, **fields}.items() if value is not ...}
    usual = {name: getattr(GOOD, name) for name in ("percent", "temperature_c", "charging", "plugged", "health")}
    assert termux_answers.battery(json.dumps(given, indent=2)) == Battery(**{**usual, **expected})


def test_battery_among_other_lines() -> None:
    assert termux_answers.battery(f"WARNING: linker: ...\n{json.dumps(USB)}\ndone\n") == GOOD


# What is written; whether it is refused, empty or unreadable; what the words must have.
NO_ANSWERS = [
    ("", Trouble.EMPTY, "nothing"),
    (" \n", Trouble.EMPTY, "nothing"),
    ('{"error": "Please grant the following permission: android.permission.X"}', Trouble.REFUSED, "Grant it on the phone"),
    ('{"API_ERROR": "Failed getting wifi"}', Trouble.REFUSED, "Failed getting wifi"),
    ('{"error": 5}', Trouble.REFUSED, "said: 5"),
    ('{"API_ERROR": ""}', Trouble.REFUSED, "said"),
    ("not json", Trouble.UNREADABLE, "not json"),
    ("[1, 2]", Trouble.UNREADABLE, "no JSON object"),
    ("null", Trouble.UNREADABLE, "no JSON object"),
    ("{}", Trouble.UNREADABLE, "says nothing of"),
    ('{"other": 1}', Trouble.UNREADABLE, "says nothing of"),
    ('{"percentage": 78', Trouble.UNREADABLE, "no JSON object"),
    ('{"a":' * 20_000, Trouble.UNREADABLE, "no JSON object"),
    ('{"a":' * 20_000 + "1" + "}" * 20_000, Trouble.UNREADABLE, "no JSON object"),
    ("\ufffd\ufffd{'x'\0\x1b[31m}", Trouble.UNREADABLE, "no JSON object"),
]


@pytest.mark.parametrize("read", [termux_answers.battery, termux_answers.wifi])
@pytest.mark.parametrize(("out", "trouble", "words"), NO_ANSWERS)
def test_no_answer(out: str, trouble: Trouble, words: str, read: object) -> None:
    assert callable(read)
    problem = read(out)
    assert isinstance(problem, Problem)
    assert problem.trouble is trouble
    assert words in problem.words
    assert problem.words.isprintable()
    assert len(problem.words) < 400


WIFI = {"ip": "192.168.1.23", "ssid": "Barn", "rssi": -51, "link_speed_mbps": 433, "frequency_mhz": 5220, "supplicant_state": "COMPLETED"}
KNOWN = Wifi(True, "192.168.1.23", "Barn", -51, 433, 5220)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, KNOWN),
        ({"ssid": "<unknown ssid>"}, Wifi(True, "192.168.1.23", "", -51, 433, 5220)),
        ({"ssid": "a\nb\u202ec"}, Wifi(True, "192.168.1.23", "a bc", -51, 433, 5220)),
        (
            {"ip": "0.0.0.0", "rssi": -127, "link_speed_mbps": -1, "frequency_mhz": -1, "supplicant_state": "DISCONNECTED"},
            Wifi(False, "0.0.0.0", "Barn"),
        ),
        ({"ip": None, "ssid": None}, Wifi(False, "", "", -51, 433, 5220)),
        ({"rssi": "-51", "link_speed_mbps": "433"}, KNOWN),
        ({"rssi": 7, "link_speed_mbps": [], "frequency_mhz": "x"}, Wifi(True, "192.168.1.23", "Barn")),
    ],
)
def test_wifi(fields: dict[str, object], expected: Wifi) -> None:
    assert termux_answers.wifi(json.dumps({**WIFI, **fields})) == expected


@pytest.mark.parametrize(
    ("out", "words"),
    [
        ("", ""),
        ("\n", ""),
        ("termux-notification: too many arguments", "too many arguments"),
        ('{"error": "no such channel"}', "said: no such channel."),
        ('{"API_ERROR": "no permission"}', "lacks a permission"),
        ("Ongoing notifications without an ID are not removable.\nPlease", "not removable. Please."),
    ],
)
def test_quiet_commands(out: str, words: str) -> None:
    problem = termux_answers.quiet(out)
    assert (problem is None) == (words == "")
    assert problem is None or words in problem.words


# --- the job scheduler ---------------------------------------------------------------------------------------------

LINE = "Job 4242: /abs/ensure it.sh\t(periodic: 900000ms) (persisted) (network: null)"
JOB = Job(4242, "/abs/ensure it.sh", 900.0, persisted=True, any_network=True)


@pytest.mark.parametrize(
    ("out", "expected"),
    [
        ("No pending jobs\n", ()),
        (f"Pending {LINE}\n\n", (JOB,)),
        (f"Pending {LINE}\nPending Job 1: /x\t\n", (JOB, Job(1, "/x"))),
        (
            "Pending Job 7: /x\t(while charging) (battery not low) (network: NetworkRequest [ REQUEST id=0 ])",
            (Job(7, "/x", charging=True, battery_not_low=True, any_network=False),),
        ),
        ("Pending Job 4242: /x (periodic: 900000ms)", (Job(4242, "/x", 900.0),)),
    ],
)
def test_jobs(out: str, expected: tuple[Job, ...]) -> None:
    assert termux_answers.jobs(out) == expected


@pytest.mark.parametrize("out", ["", "Pending Job x: /y", "garbage", '{"error": "no"}', f"Scheduling {LINE} - response 1"])
def test_jobs_that_cannot_be_known(out: str) -> None:
    assert isinstance(termux_answers.jobs(out), Problem)


@pytest.mark.parametrize(
    ("out", "words"),
    [
        (f"Scheduling {LINE} - response 1\nPending {LINE}\n\n", ""),
        (f"Scheduling {LINE} - response 0\n", "Android refused the job"),
        (f"Scheduling {LINE}\n", "said"),
        (f"Scheduling {LINE.replace('4242', '4243')} - response 1\n", "said"),
        ("No such file: /abs/ensure it.sh", "No such file"),
        ("Cannot execute file: /x", "Cannot execute file"),
        ("No script path given", "No script path given"),
        ("", "nothing"),
    ],
)
def test_scheduled(out: str, words: str) -> None:
    found = termux_answers.scheduled(out, 4242)
    assert found == JOB if not words else isinstance(found, Problem) and words in found.words


@pytest.mark.parametrize(
    ("out", "fine"),
    [
        (f"Cancelling {LINE}", True),
        ("No job 4242 found", True),
        ("No job 42 found", False),
        (f"Cancelling {LINE.replace('4242', '1')}", False),
        ("", False),
    ],
)
def test_cancelled(out: str, fine: bool) -> None:
    assert (termux_answers.cancelled(out, 4242) is None) == fine


# --- ends of commands ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("done", "trouble", "words"),
    [
        (Done(("/p/bin/termux-toast",), 0), None, ""),
        (Done(("/p/bin/termux-toast",), 1, "text on stdout"), None, ""),  # judged by the text
        (Done(("/p/bin/termux-toast",), None, missing=True), Trouble.MISSING, "There is no termux-toast. Type: pkg install termux-api"),
        (Done(("/p/bin/termux-toast",), None, "half", timed_out=True), Trouble.SILENT, "did not answer in time"),
        (Done(("/p/bin/termux-toast",), 127, "", "CANNOT LINK EXECUTABLE\n"), Trouble.REFUSED, "failed: CANNOT LINK EXECUTABLE."),
        (Done(("/p/bin/termux-toast",), -9), Trouble.REFUSED, "exit status -9"),
    ],
)
def test_how_a_call_ended(done: Done, trouble: Trouble | None, words: str) -> None:
    problem = termux_answers.failed(done)
    assert (problem.trouble if problem else None) == trouble
    assert words in (problem.words if problem else "")


def test_silence_means_another_thing_without_the_app() -> None:
    silent = Done(("termux-toast",), None, timed_out=True)
    words = [problem.words for there in (True, False) if (problem := termux_answers.failed(silent, there))]
    assert "unrestricted" in words[0]
    assert "seems not to be installed" in words[1]


@pytest.mark.parametrize(
    ("done", "words"),
    [
        (Done(("/p/bin/am",), 0, "Starting service: Intent { act=x }\n"), ""),
        (Done(("/p/bin/am",), 0, "Error: app is in background uid null"), "Android refused am: app is in background uid null. Open the Termux app"),
        (Done(("/p/bin/termux-wake-lock",), 1), "Android refused termux-wake-lock: exit status 1"),
        (Done(("/p/bin/am",), 2, "", "Error: Not found; no service started."), "found no Termux app"),
        (Done(("/p/bin/am",), None, missing=True), "There is no am. Type: pkg install"),
        (Done(("/p/bin/am",), None, timed_out=True), "did not end in time"),
        (Done(("/p/bin/am",), 134, "", "Aborted"), "failed: Aborted."),
    ],
)
def test_orders(done: Done, words: str) -> None:
    outcome = termux_answers.ordered(done)
    assert outcome.ok == (words == "")
    assert words in outcome.words


# --- what they are asked with --------------------------------------------------------------------------------------

BASE = ("termux-notification", "--id", "farmhand")


@pytest.mark.parametrize(
    ("note", "rest"),
    [
        (Note("farmhand", "Title", "Text"), ("--content", "Text", "--title", "Title", "--alert-once")),
        # Always with content, even if there is none: else the command waits three seconds for its stdin.
        (Note("farmhand", "", ""), ("--content", "", "--alert-once")),
        (Note("farmhand", "T", "x", ongoing=True, quiet=False), ("--content", "x", "--title", "T", "--ongoing")),
        (Note("farmhand", "T", "x", quiet=False, urgent=True), ("--content", "x", "--title", "T", "--priority", "high")),
        (
            Note("farmhand", "T", "x", quiet=False, buttons=(Button("Stop", "/p/bin/sv down /p/x"), Button("Go", "b")), on_tap="c"),
            (
                *("--content", "x", "--title", "T", "--action", "c"),
                *("--button1", "Stop", "--button1-action", "/p/bin/sv down /p/x", "--button2", "Go", "--button2-action", "b"),
            ),
        ),
        # A dash first is no option where a value is due, but bash's echo would eat these.
        (Note("farmhand", "-t", "-n", quiet=False), ("--content", " -n", "--title", "-t")),
        (Note("farmhand", "T", "-neE", quiet=False), ("--content", " -neE", "--title", "T")),
        (Note("farmhand", "T", "--ongoing", quiet=False), ("--content", "--ongoing", "--title", "T")),
        # Lines of the content stay lines; control characters and turned directions go.
        (Note("farmhand", "a\nb\x1b[1m\0", "one\r\ntwo\x07\u2028three\n", quiet=False), ("--content", "one\ntwo\nthree", "--title", "a b [1m")),
        (Note("farmhand", "\u202eT\ud800", "$(id) `id` \"'\\n", quiet=False), ("--content", "$(id) `id` \"'\\n", "--title", "T")),
        (Note("farmhand", "t" * 101, "c" * 2000, quiet=False), ("--content", "c" * 999 + "…", "--title", "t" * 99 + "…")),
    ],
)
def test_notification(note: Note, rest: tuple[str, ...]) -> None:
    assert termux_asks.notification_argv(note) == BASE + rest


@pytest.mark.parametrize(
    ("note", "words"),
    [
        (Note("", "T", "x", ongoing=True), "id must be"),
        (Note("-i", "T", "x"), "id must be"),
        (Note("a b", "T", "x"), "id must be"),
        (Note("a\n", "T", "x"), "id must be"),
        (Note("x" * 101, "T", "x"), "id must be"),
        (Note("f", "T", "x", buttons=(Button("Stop", ""),)), "'Stop' needs a text and a command"),
        (Note("f", "T", "x", buttons=(Button(" ", "cmd"),)), "needs a text and a command"),
        (Note("f", "T", "x", buttons=(Button("Say", "echo $REPLY"),)), "must not use $REPLY"),
        (Note("f", "T", "x", buttons=(Button("Say", "echo ${REPLY}"),)), "must not use $REPLY"),
        (Note("f", "T", "x", on_tap="echo $REPLY"), "must not use $REPLY"),
        (Note("f", "T", "x", buttons=(Button("Two", "a\nb"),)), "one line"),
        (Note("f", "T", "x", buttons=(Button("Nul", "a\0b"),)), "one line"),
        (Note("f", "T", "x", buttons=(Button("Long", "a" * 1001),)), "at most 1000"),
        (Note("f", "T", "x", buttons=(Button("B", "c"),) * 4), "3 buttons at most, not 4"),
    ],
)
def test_notes_that_are_refused(note: Note, words: str) -> None:
    problem = termux_asks.notification_argv(note)
    assert isinstance(problem, Problem)
    assert words in problem.words


def test_removing_a_note() -> None:
    assert termux_asks.remove_argv("farmhand:alert-1") == ("termux-notification-remove", "farmhand:alert-1")
    assert isinstance(termux_asks.remove_argv(""), Problem)


def test_toasts() -> None:
    assert termux_asks.toast_argv("Two\nlines") == ("termux-toast", "Two lines")
    assert termux_asks.toast_argv("-s x") == ("termux-toast", " -s x")
    assert isinstance(termux_asks.toast_argv(" \n"), Problem)


def test_a_job_needs_neither_network_nor_charge() -> None:
    flags = ("--persisted", "true", "--network", "none", "--battery-not-low", "false")
    wanted = ("termux-job-scheduler", "--job-id", "4242", "--script", "/abs/ensure.sh", "--period-ms", "900000", *flags)
    assert termux_asks.job_argv(4242, "/abs/ensure.sh", 900) == wanted


@pytest.mark.parametrize(
    ("job_id", "script", "period_s", "words"),
    [
        (4242, "/x", 899.9, "900 s or more"),
        (4242, "/x", float("nan"), "900 s or more"),
        (4242, "/x", 1e9, "period"),
        (-1, "/x", 900, "ids are 0 to"),
        (2**31, "/x", 900, "ids are 0 to"),
        (4242, "x", 900, "absolute path"),
        (4242, "/a\nb", 900, "absolute path"),
    ],
)
def test_jobs_that_are_refused(job_id: int, script: str, period_s: float, words: str) -> None:
    problem = termux_asks.job_argv(job_id, script, period_s)
    assert isinstance(problem, Problem)
    assert words in problem.words


def test_cancelling_a_job() -> None:
    assert termux_asks.cancel_argv(4242) == ("termux-job-scheduler", "--cancel", "--job-id", "4242")
    assert isinstance(termux_asks.cancel_argv(-1), Problem)


def test_a_task_runs_in_the_background() -> None:
    intent = ("-a", "com.termux.service_execute", "-d", "com.termux.file:/a/b%20c%23%25.sh", "--ez", "com.termux.execute.background", "true")
    wanted = ("am", "startservice", "--user", "0", *intent, "com.termux/com.termux.app.TermuxService")
    assert termux_asks.task_argv(PurePosixPath("/a/b c#%.sh")) == wanted


# --- who is left alone ---------------------------------------------------------------------------------------------

SILENT = Problem("silent", trouble=Trouble.SILENT)
REFUSED = Problem("no permission", trouble=Trouble.REFUSED)
GARBLED = Problem("garbled", trouble=Trouble.UNREADABLE)
MISSING = Problem("no command", trouble=Trouble.MISSING)


def asked_again(pauses: Pauses, kind: str, problem: Problem, now_s: float, times: int) -> list[float]:
    """When a kind that always fails like this is asked: after how long each time."""
    found = []
    for _ in range(times):
        pauses.note(kind, problem, now_s)
        began_s = now_s
        while pauses.why_not(kind, now_s):
            now_s += 30
        found.append(now_s - began_s)
    return found


def test_a_missing_app_is_asked_ever_more_rarely() -> None:
    assert asked_again(Pauses(), "battery", SILENT, 0, 7) == [300, 600, 1200, 2400, 3600, 3600, 3600]


def test_a_missing_app_keeps_all_kinds_waiting() -> None:
    pauses = Pauses()
    pauses.note("battery", SILENT, 0)
    assert pauses.why_not("toast", 299) == pauses.app_problem == SILENT
    assert pauses.why_not("toast", 300) is None
    assert pauses.app_problem == SILENT  # until it has answered


def test_calls_that_were_out_together_count_once() -> None:
    pauses = Pauses()
    for kind in ("battery", "notification", "jobs"):
        pauses.note(kind, SILENT, 8)
    assert pauses.why_not("battery", 308) is None


def test_a_method_that_the_app_does_not_know_leaves_the_others_alone() -> None:
    pauses = Pauses()
    pauses.note("battery", None, 0)
    pauses.note("jobs", SILENT, 8)
    assert pauses.why_not("battery", 9) is None
    assert pauses.why_not("jobs", 67) == SILENT
    assert pauses.why_not("jobs", 68) is None
    assert pauses.app_problem is None


def test_one_that_answered_is_soon_asked_again() -> None:
    """A phone whose cores are all busy may be late, and its heat matters then."""
    pauses = Pauses()
    pauses.note("battery", None, 0)
    assert asked_again(pauses, "battery", SILENT, 30, 3) == [60, 120, 240]
    pauses.note("battery", SILENT, PROOF_S)  # no more proof
    assert pauses.app_problem == SILENT


def test_an_answer_ends_every_pause_but_those_of_other_kinds() -> None:
    pauses = Pauses()
    pauses.note("wifi", REFUSED, 0)
    pauses.note("battery", SILENT, PROOF_S + 1)
    assert pauses.why_not("toast", PROOF_S + 2)
    pauses.note("battery", None, PROOF_S + 3)
    assert pauses.why_not("toast", PROOF_S + 4) is None
    assert asked_again(pauses, "wifi", REFUSED, PROOF_S + 5, 2) == [600, 1200]


@pytest.mark.parametrize(("problem", "pauses_s"), [(REFUSED, [300, 600, 1200]), (GARBLED, [30, 60, 120]), (MISSING, [300, 300, 300])])
def test_pauses_by_what_is_wrong(problem: Problem, pauses_s: list[float]) -> None:
    assert asked_again(Pauses(), "battery", problem, 0, 3) == pauses_s
    assert LENGTHS[problem.trouble].first_s == pauses_s[0]


def test_a_refusal_does_not_hold_up_what_is_asked_for_once() -> None:
    pauses = Pauses()
    pauses.note("job-change", REFUSED, 0, repeats=False)
    assert pauses.why_not("job-change", 1) is None
    pauses.note("toast", MISSING, 0, repeats=False)
    assert pauses.why_not("job-change", 1) == MISSING
