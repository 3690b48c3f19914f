"""What the termux-* commands are asked with: argument lists that they take as they are meant. Pure."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePath
from urllib.parse import quote

from phone.command import Button, Note
from phone.termux_answers import Problem, Trouble, one_line, quoted, shortened

# Android itself runs nothing more often (`facts/termux.md` 4.5).
MIN_PERIOD_S = 900.0
MAX_JOB_ID = 2**31 - 1

MAX_ID = 100
MAX_TITLE = 100
MAX_CONTENT = 1000
MAX_BUTTON = 40
MAX_COMMAND = 1000
MAX_TOAST = 300
MAX_BUTTONS = 3

SERVICE = "com.termux/com.termux.app.TermuxService"


def notification_argv(note: Note) -> tuple[str, ...] | Problem:
    """`termux-notification` and its options (`facts/termux.md` 5.3). Always with content: else it waits 3 s for its stdin.

    A quiet note gets no low priority: all share one channel of Android's, and whoever lowers that lowers it for the alerts too.
    """
    if wrong := _wrong_id(note.id):
        return wrong
    argv = ["termux-notification", "--id", note.id, "--content", _content(note.content)]
    if title := one_line(note.title, MAX_TITLE):
        argv += ["--title", title]
    argv += ["--ongoing"] * note.ongoing + ["--alert-once"] * note.quiet
    if note.urgent:
        argv += ["--priority", "high"]
    if note.on_tap:
        argv += ["--action", note.on_tap]
    if len(note.buttons) > MAX_BUTTONS:
        words = f"A notification has {MAX_BUTTONS} buttons at most, not {len(note.buttons)}."
        return Problem(words, trouble=Trouble.UNUSABLE)
    for number, button in enumerate(note.buttons, 1):
        option = f"--button{number}"
        argv += [option, one_line(button.text, MAX_BUTTON), f"{option}-action", button.command]
    actions = (*note.buttons, Button("tap", note.on_tap or "true"))
    return next(filter(None, map(_wrong_action, actions)), None) or tuple(argv)


def remove_argv(note_id: str) -> tuple[str, ...] | Problem:
    return _wrong_id(note_id) or ("termux-notification-remove", note_id)


def _wrong_id(note_id: str) -> Problem | None:
    """Without one a note could not be changed or removed; what begins with a dash would be taken for an option."""
    if re.fullmatch(rf"[\w.][\w.:-]{{0,{MAX_ID - 1}}}", note_id):
        return None
    words = f"A notification's id must be a letter or digit, then letters, digits, dots, colons and dashes; not {quoted(note_id)!r}."
    return Problem(words, trouble=Trouble.UNUSABLE)


def _wrong_action(button: Button) -> Problem | None:
    """`$REPLY` would run what somebody types into the notification (`facts/termux.md` 5.3)."""
    name, command = one_line(button.text, MAX_BUTTON), button.command
    wrong = ""
    if not name or not command.strip():
        wrong = "needs a text and a command, or Android shows no button"
    elif re.search(r"\$\{?REPLY", command):
        wrong = "must not use $REPLY: what is typed there would be run by the shell"
    elif len(command) > MAX_COMMAND or any(unicodedata.category(c) in ("Cc", "Cs") for c in command):
        wrong = f"needs a command of one line, of at most {MAX_COMMAND} characters"
    return Problem(f"The button {name!r} {wrong}.", trouble=Trouble.UNUSABLE) if wrong else None


def _content(text: str) -> str:
    lines = [one_line(line, MAX_CONTENT) for line in text.replace("\r\n", "\n").splitlines()]
    content = shortened("\n".join(lines).strip("\n"), MAX_CONTENT)
    # The script hands it to bash's `echo`, which takes these for options.
    return f" {content}" if re.fullmatch(r"-[neE]+", content) else content


def toast_argv(text: str) -> tuple[str, ...] | Problem:
    """Without a text it would wait for its stdin; one that begins with a dash would be taken for options."""
    words = one_line(text, MAX_TOAST)
    if not words:
        return Problem("A toast needs a text.", trouble=Trouble.UNUSABLE)
    return ("termux-toast", f" {words}" if words.startswith("-") else words)


def job_argv(job_id: int, script: str, period_s: float) -> tuple[str, ...] | Problem:
    """Both flags at the end are needed: by default a job waits for a network and for a battery that is not low (`facts/termux.md` 4.5)."""
    wrong = _wrong_job(job_id)
    if wrong:
        return wrong
    what = ""
    if not script.startswith("/") or one_line(script, len(script)) != script:
        what = f"script {quoted(script)} must be an absolute path"
    elif not MIN_PERIOD_S <= period_s <= MAX_JOB_ID / 1000:
        what = f"period {period_s:g} s must be {MIN_PERIOD_S:g} s or more"
    if what:
        return Problem(f"The job cannot be scheduled: its {what}.", trouble=Trouble.UNUSABLE)
    options = {"job-id": job_id, "script": script, "period-ms": round(period_s * 1000), "persisted": "true"}
    pairs = {**options, "network": "none", "battery-not-low": "false"}
    words = (str(word) for key, value in pairs.items() for word in (f"--{key}", value))
    return ("termux-job-scheduler", *words)


def cancel_argv(job_id: int) -> tuple[str, ...] | Problem:
    return _wrong_job(job_id) or ("termux-job-scheduler", "--cancel", "--job-id", str(job_id))


def _wrong_job(job_id: int) -> Problem | None:
    if 0 <= job_id <= MAX_JOB_ID:
        return None
    return Problem(f"There is no job {job_id}: ids are 0 to {MAX_JOB_ID}.", trouble=Trouble.UNUSABLE)


def task_argv(script: PurePath) -> tuple[str, ...]:
    """Has the Termux app run a script as a background task, as Termux:Boot does (`facts/termux.md` 3).

    Without `com.termux.execute.background` it would open a terminal session; 0.118 and 0.119 both know it. The app undoes the percent signs.
    """
    intent = ["-a", "com.termux.service_execute", "-d", f"com.termux.file:{quote(str(script))}"]
    background = ["--ez", "com.termux.execute.background", "true"]
    return ("am", "startservice", "--user", "0", *intent, *background, SERVICE)
