"""One fake termux-* command: `python command.py FOLDER NAME [argument]...`. Started by what `tests/fakes/termux.py` writes.

FOLDER holds what tests set and ask: `NAME.mode` (see MODES), `calls.jsonl`, `battery.json`, `wifi.json`, `telephony.json`, and what the
"phone" holds: `wakelock`, `notes/ID.json`, `jobs.json`, `toasts.jsonl`, `tasks.jsonl`. Standard library only: it is started often.

The behaviour is that of `facts/termux.md` 4.1, 4.5 and 5: exit status 0 even on failure, two error keys, texts on stdout, blocking
for ever. Whatever blocks here ends when FOLDER is gone, or after ten minutes, so that a broken test leaves nothing for good.
"""

# ruff: noqa: T201
from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import sys
import time
from typing import Any

LONGEST_S = 600.0
OUTPUT = {
    "termux-battery-status": "battery.json",
    "termux-wifi-connectioninfo": "wifi.json",
    "termux-telephony-deviceinfo": "telephony.json",
}
# Of the app's plain environment (`facts/termux.md` 3) a task has neither; a button's command too.
NOT_FOR_TASKS = ("SVDIR", "LOGDIR", "LD_PRELOAD", "SHELL")


class Fake:
    def __init__(self, folder: str, name: str, argv: list[str]) -> None:
        self.folder, self.name, self.argv = folder, name, argv

    def run(self) -> int:
        self.record()
        mode = self.mode(self.name)
        if mode == "normal" and self.name.startswith("termux-wake-"):
            mode = self.mode("am")
        mode, _, value = mode.partition(" ")
        done = MODES[mode](self, value)
        sys.stdout.flush()
        return done

    def mode(self, name: str) -> str:
        for known in (name, "all"):
            try:
                with open(f"{self.folder}/{known}.mode") as file:
                    return file.read().strip()
            except FileNotFoundError:
                pass
        return "normal"

    def record(self) -> None:
        call = {"command": self.name, "argv": self.argv, "at_s": time.time(), "pid": os.getpid()}
        self.append("calls.jsonl", call)

    def append(self, file: str, value: object) -> None:
        with open(f"{self.folder}/{file}", "a") as out:
            fcntl.flock(out, fcntl.LOCK_EX)
            out.write(json.dumps(value) + "\n")

    def write(self, file: str, value: object) -> None:
        """Whole or not at all: tests read at any time."""
        path = f"{self.folder}/{file}"
        with open(f"{path}.{os.getpid()}", "w") as out:
            json.dump(value, out)
        os.replace(f"{path}.{os.getpid()}", path)

    def read(self, file: str, default: Any) -> Any:
        try:
            with open(f"{self.folder}/{file}") as text:
                return json.load(text)
        except FileNotFoundError:
            return default

    def block(self) -> int:
        until = time.monotonic() + LONGEST_S
        while time.monotonic() < until and os.path.isdir(self.folder):
            time.sleep(0.5)
        return 0

    # --- what each command does when all is well ---------------------------------------------------------------

    def normal(self, _value: str = "") -> int:
        if self.name in OUTPUT:
            print(json.dumps(self.read(OUTPUT[self.name], {}), indent=2))
            return 0
        code: int = getattr(self, self.name.replace("-", "_"))()
        return code

    def termux_wake_lock(self) -> int:
        return self.act("com.termux.service_wake_lock", {})

    def termux_wake_unlock(self) -> int:
        return self.act("com.termux.service_wake_unlock", {})

    def am(self) -> int:
        if self.argv[:1] == ["--version"]:
            print("0.9.0")
            return 0
        if self.argv[:1] != ["startservice"]:
            print(f"Error: unknown command '{self.argv[:1]}'", file=sys.stderr)
            return 1
        given: dict[str, str] = {}
        options = list(self.argv[1:])
        component = ""
        while options:
            option = options.pop(0)
            if option in ("--es", "-e", "--ez", "--ei", "--esa"):
                key = options.pop(0)
                given[key] = options.pop(0)
            elif option in ("-a", "-d", "-n", "--user"):
                given[option] = options.pop(0)
            else:
                component = option
        if "com.termux/" not in given.get("-n", component):
            print("Error: Not found; no service started.", file=sys.stderr)
            return 2
        print(f"Starting service: Intent {{ act={given.get('-a')} cmp=com.termux/.app.TermuxService }}")
        return self.act(given.get("-a", ""), given)

    def act(self, action: str, given: dict[str, str]) -> int:
        held = f"{self.folder}/wakelock"
        if action == "com.termux.service_wake_lock":
            with open(held, "a"):
                pass
        elif action == "com.termux.service_wake_unlock":
            if os.path.exists(held):
                os.unlink(held)
        elif action == "com.termux.service_execute":
            # Without it the app would open a terminal session.
            assert given.get("com.termux.execute.background") == "true", given
            self.task(given["-d"])
        return 0

    def task(self, uri: str) -> None:
        """What the app does with a background task: its own child, with its plain environment and pipes that it reads."""
        from urllib.parse import unquote, urlparse

        path = unquote(urlparse(uri).path)
        if not uri.startswith("com.termux.file:") or not os.access(path, os.X_OK):
            return
        if os.fork():
            return
        os.setsid()
        if os.fork():
            os._exit(0)
        null = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)
        self.append("tasks.jsonl", {"pid": os.getpid(), "script": path})
        os.execve(path, [path], {k: v for k, v in os.environ.items() if k not in NOT_FOR_TASKS})

    def termux_toast(self) -> int:
        words = list(self.argv)
        while words and words[0] in ("-s", "-g", "-b", "-c"):
            del words[: 1 if words[0] == "-s" else 2]
        self.append("toasts.jsonl", " ".join(words) if words else read_stdin())
        return 0

    def termux_notification(self) -> int:
        note: dict[str, Any] = {"alert_once": False, "ongoing": False}
        options = list(self.argv)
        short = {"-i": "id", "-t": "title", "-c": "content"}
        known = {"id", "title", "content", "action", "on-delete", "priority", "group", "channel", "icon", "type"}
        known |= {f"button{n}{what}" for n in (1, 2, 3) for what in ("", "-action")}
        while options:
            option = options.pop(0)
            name, attached, value = short.get(option, option.removeprefix("--")).partition("=")
            if name in ("ongoing", "alert-once", "sound"):
                note[name.replace("-", "_")] = True
            elif name in known and (option.startswith("--") or option in short) and (attached or options):
                note[name] = value if attached else options.pop(0)
            else:
                print("termux-notification: too many arguments")
                return 1
        if note["ongoing"] and not note.get("id"):
            print('Ongoing notifications without an ID are not removable.\nPlease set an id with --id "string".')
            return 1
        if "content" not in note:
            note["content"] = read_stdin()
        note.setdefault("id", f"random-{os.getpid()}")
        note["content"] = note["content"].rstrip("\n")
        # A text without an action gives no button, and the reverse.
        pairs = [(note.pop(f"button{n}", ""), note.pop(f"button{n}-action", "")) for n in (1, 2, 3)]
        note["buttons"] = [pair for pair in pairs if all(pair)]
        os.makedirs(f"{self.folder}/notes", exist_ok=True)
        self.write(f"notes/{file_name(note['id'])}.json", note)
        return 0

    def termux_notification_remove(self) -> int:
        if len(self.argv) != 1:
            print("termux-notification-remove: no notification id specified")
            return 1
        path = f"{self.folder}/notes/{file_name(self.argv[0])}.json"
        if os.path.exists(path):
            os.unlink(path)
        return 0

    def termux_job_scheduler(self) -> int:
        given: dict[str, str] = {}
        options = list(self.argv)
        while options:
            option = {"-s": "--script", "-p": "--pending"}.get(options[0], options[0])
            del options[0]
            given[option] = "true" if option in ("--pending", "--cancel", "--cancel-all") else options.pop(0)
        jobs = self.read("jobs.json", {})
        number = given.get("--job-id", "0")
        if "--pending" in given:
            print("\n".join(f"Pending {job_text(*job)}" for job in jobs.items()) or "No pending jobs")
        elif "--cancel-all" in given:
            jobs = {}
            print("Cancelling all jobs")
        elif "--cancel" in given:
            gone = jobs.pop(number, None)
            print(f"Cancelling {job_text(number, gone)}" if gone else f"No job {number} found")
        elif "--script" not in given:
            print("No script path given")
        elif not os.path.isfile(given["--script"]):
            print(f"No such file: {given['--script']}")
        elif not os.access(given["--script"], os.X_OK):
            print(f"Cannot execute file: {given['--script']}")
        else:
            jobs[number] = {key.removeprefix("--"): value for key, value in given.items()}
            print(f"Scheduling {job_text(number, jobs[number])} - response 1")
            print("\n".join(f"Pending {job_text(*job)}" for job in jobs.items()), end="\n\n")
        self.write("jobs.json", jobs)
        return 0

    def termux_api_start(self) -> int:
        return 0

    termux_api_stop = termux_api_start

    # --- and when it is not ------------------------------------------------------------------------------------

    def missing(self, _value: str) -> int:
        """As `termux-api` without its app: waits for an answer that never comes; so does the `am` that it has forked."""
        os.fork()
        return self.block()

    def hang(self, _value: str) -> int:
        return self.block()

    def slow(self, value: str) -> int:
        time.sleep(float(value or 3))
        return self.normal()

    def garbage(self, _value: str) -> int:
        sys.stdout.buffer.write(b"\xff\xfe{'not': json\x00\x1b[31m]\n")
        return 0

    def text(self, value: str) -> int:
        print(value or "Something that is no JSON")
        return 0

    def error(self, value: str) -> int:
        print(json.dumps({"error": value or "Something went wrong"}))
        return 0

    def api_error(self, value: str) -> int:
        print(json.dumps({"API_ERROR": value or "Something went wrong"}))
        return 0

    def permission(self, _value: str) -> int:
        return self.error("Please grant the following permission to use this command: android.permission.SOMETHING")

    def empty(self, _value: str) -> int:
        return 0

    def refused(self, _value: str) -> int:
        print("Error: app is in background uid UidRecord{1a2b3c u0a123 CEM}", file=sys.stderr)
        return 1

    def notfound(self, _value: str) -> int:
        print("Error: Not found; no service started.", file=sys.stderr)
        return 2

    def flood(self, _value: str) -> int:
        """Output without end."""
        until = time.monotonic() + LONGEST_S
        while time.monotonic() < until:
            os.write(1, b"x" * 65_536)
            os.write(2, b"y" * 65_536)
        return 0

    def deaf(self, _value: str) -> int:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        return self.block()

    def escaped(self, _value: str) -> int:
        """Hangs, with a child in a session of its own that holds the output open."""
        if not os.fork():
            os.setsid()
        return self.block()

    def orphan(self, _value: str) -> int:
        """Answers at once; what is left behind, in a session of its own and nobody's child, holds the output open."""
        if not os.fork():
            os.setsid()
            if os.fork():
                os._exit(0)
            self.append("tasks.jsonl", {"pid": os.getpid(), "script": "orphan"})
            return self.block()
        os.wait()
        return self.normal()

    def killed(self, value: str) -> int:
        os.kill(os.getpid(), int(value or signal.SIGKILL))
        return 0

    def fails(self, value: str) -> int:
        print("it failed", file=sys.stderr)
        return int(value or 1)


def file_name(identity: str) -> str:
    return identity.replace("/", "%2F")


def read_stdin() -> str:
    """For at most three seconds, as the real scripts do."""
    ready, _, _ = select.select([0], [], [], 3)
    return os.read(0, 65_536).decode() if ready else ""


def job_text(number: str, job: dict[str, str]) -> str:
    """As `formatJobInfo` of Termux:API has it, on Android 9 and later."""
    words = []
    if int(job.get("period-ms", 0)):
        words.append(f"(periodic: {job['period-ms']}ms)")
    if job.get("charging") == "true":
        words.append("(while charging)")
    if job.get("persisted") == "true":
        words.append("(persisted)")
    if job.get("battery-not-low", "true") == "true":
        words.append("(battery not low)")
    words.append("(network: null)" if job.get("network") == "none" else "(network: NetworkRequest [ REQUEST id=0 ])")
    return f"Job {number}: {job['script']}\t{' '.join(words)}"


MODES = {
    "normal": Fake.normal,
    "missing": Fake.missing,
    "hang": Fake.hang,
    "slow": Fake.slow,
    "garbage": Fake.garbage,
    "text": Fake.text,
    "error": Fake.error,
    "api-error": Fake.api_error,
    "permission": Fake.permission,
    "empty": Fake.empty,
    "refused": Fake.refused,
    "notfound": Fake.notfound,
    "flood": Fake.flood,
    "deaf": Fake.deaf,
    "escaped": Fake.escaped,
    "orphan": Fake.orphan,
    "killed": Fake.killed,
    "fails": Fake.fails,
}


if __name__ == "__main__":
    sys.exit(Fake(sys.argv[1], sys.argv[2], sys.argv[3:]).run())
