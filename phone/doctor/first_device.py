"""`farmhand doctor --first-device`: the questions that only a real phone answers (`facts/termux.md` 13), as a report to share."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from phone.command import Done, Runs
from phone.places import Places

LIMIT_S = 15.0
MAX_CHARS = 4_000


@dataclass(frozen=True, slots=True)
class Question:
    """command: for sh, on the phone; or, where it cannot run there, what to type on the laptop."""

    asks: str
    command: str
    on_laptop: bool = False
    limit_s: float = LIMIT_S


def questions(places: Places) -> tuple[Question, ...]:
    """All of section 13, in its order."""
    python = f"{places.root}/.venv/bin/python"
    return (
        Question(
            "Platform strings",
            f"{python} -c \"import sys,platform,sysconfig;print(sys.platform,platform.system(),platform.release(),sysconfig.get_platform());"
            "print(getattr(platform,'android_ver',lambda:'')())\"",
        ),
        Question("Accepted wheel tags", f"{python} -m pip debug --verbose 2>/dev/null | grep android_ | head -5"),
        Question("aiohttp's wheel loads", f'{python} -c "import aiohttp._http_parser as p;print(p.__file__)"'),
        Question(
            "llama-cpp-python loads with the shim",
            f"{python} -c \"import sys,time;t=time.time();sys.platform='linux';import llama_cpp;print(llama_cpp.__version__,round(time.time()-t,2),'s');"
            'print(llama_cpp.llama_print_system_info().decode())"',
            limit_s=60.0,
        ),
        Question(
            "Build time and native flags",
            f"grep -h -i 'ARM detected flags\\|elapsed\\|Successfully' {places.root}/.cache/setup-llama.log | tail -5",
        ),
        Question(
            "cpuset and affinity of a boot-started service",
            f"cat /proc/self/cpuset; {python} -c \"import os;print(sorted(os.sched_getaffinity(0)))\"; "
            f"for p in $(sed -n 's/^{{\"pid\": \\([0-9]*\\).*/\\1/p' {places.run}/supervisor.json); do cat /proc/$p/cpuset /proc/$p/oom_score_adj; done",
        ),
        Question("oom score", "cat /proc/self/oom_score_adj"),
        Question("Thermal readable", "ls /sys/class/thermal | head -3; cat /sys/class/thermal/thermal_zone0/temp"),
        Question(
            "Frequencies readable",
            "for c in /sys/devices/system/cpu/cpu[0-9]*; do echo \"${c##*/} $(cat $c/cpufreq/cpuinfo_max_freq) $(cat $c/cpufreq/scaling_cur_freq)\"; done",
        ),
        Question("DUMP grant useful", "/system/bin/dumpsys thermalservice | head -20"),
        Question("am latency", "s=$(date +%s%N); am --version; e=$(date +%s%N); echo $(((e - s) / 1000000)) ms"),
        Question("termux-battery-status latency", "s=$(date +%s%N); termux-battery-status; e=$(date +%s%N); echo $(((e - s) / 1000000)) ms", limit_s=10.0),
        Question("wake-unlock with no session", "adb shell dumpsys activity services com.termux", on_laptop=True),
        Question("Is the wake lock held", "adb shell dumpsys power | grep -i termux", on_laptop=True),
        Question(
            "Lock after the app was killed (only in an orphan shell: close Termux, then look at the log)",
            "termux-wake-lock; echo $?",
            on_laptop=True,
        ),
        Question("Boot delay after unlock", f"cat {places.run}/ensured-by-boot; cat /proc/uptime"),
        Question("tokens/s by thread count", "llama-bench -m MODEL -t 2,3,4,5,6   (cold, and again after 20 minutes)", on_laptop=True),
        Question("Page size", f"{python} -c \"import os;print(os.sysconf('SC_PAGESIZE'))\""),
        Question(
            "adb shell allowed to send RUN_COMMAND",
            "adb shell am startservice -n com.termux/.app.RunCommandService -a com.termux.RUN_COMMAND --es com.termux.RUN_COMMAND_PATH "
            f"{places.prefix}/bin/true",
            on_laptop=True,
        ),
        Question("Phantom switch readable from inside", "/system/bin/settings get global settings_enable_monitor_phantom_procs"),
        Question("Why Termux ended last", "adb shell dumpsys activity exit-info com.termux", on_laptop=True),
    )


def report(places: Places, commands: Runs, *, wall_s: float, secrets: Iterable[str] = ()) -> Iterator[str]:
    """The lines of the report, each question when it is answered. secrets: keys, which are blotted out wherever they turn up."""
    hidden = [secret for secret in secrets if len(secret) >= 8]
    yield f"# Farmhand on a first device, {datetime.fromtimestamp(wall_s, UTC):%Y-%m-%d %H:%M} UTC"
    yield f"Python {platform.python_version()} on {platform.machine()}. Nothing in here names you or this network; read it before you share it."
    for number, question in enumerate(questions(places), 1):
        yield ""
        yield f"## {number}. {question.asks}"
        if question.on_laptop:
            yield f"To be typed by hand: `{question.command}`"
            continue
        shell = str(places.prefix / "bin" / "sh")
        done = commands([shell, "-c", question.command], limit_s=question.limit_s)
        yield f"`{question.command}`"
        yield from _answer(done, hidden, question.limit_s)


def _answer(done: Done, hidden: Sequence[str], limit_s: float) -> Iterator[str]:
    if done.timed_out:
        yield f"(no answer within {limit_s:g} s)"
    elif done.code:
        yield f"(exit status {done.code})"
    text = scrubbed("\n".join(part for part in (done.out.rstrip(), done.err.rstrip()) if part), hidden)
    if text:
        yield "```"
        yield text[:MAX_CHARS]
        yield "```"


# Ours begin with sk-, and so do most others.
_KEY = re.compile(r"\bsk-[A-Za-z0-9._-]{8,}")
# IPv4 but loopback's, hardware addresses, and IPv6 of at least three groups, which no time of day has.
_ADDRESS = re.compile(
    r"\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b|\b(?!127\.)(?:\d{1,3}\.){3}\d{1,3}\b|"
    r"(?<![\w:.])(?:[0-9a-f]{1,4}:){4,7}[0-9a-f]{1,4}\b|(?<![\w:.])(?:[0-9a-f]{1,4}:){1,6}(?::[0-9a-f]{1,4}){1,6}\b",
    re.IGNORECASE,
)


def scrubbed(text: str, hidden: Sequence[str]) -> str:
    """Without keys, hardware addresses and addresses of the network; without what a terminal or Markdown would obey."""
    for secret in hidden:
        text = text.replace(secret, "(key)")
    text = _ADDRESS.sub("(address)", _KEY.sub("(key)", text)).replace("```", "'''")
    return "".join(char if char.isprintable() or char == "\n" else " " for char in text)
