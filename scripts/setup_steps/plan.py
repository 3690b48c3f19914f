"""From the facts about a machine to the steps that set it up. Pure."""

from __future__ import annotations

from setup_steps.facts import Facts
from setup_steps.packages import system_steps
from setup_steps.step import Step

# What a phone gets, so every clone gets it: 2.12.5 is the newest whose Rust core (2.41.5) is prebuilt for
# Termux, in this index of the Termux user repository. Newer ones would be compiled on the phone.
PYDANTIC = "pydantic==2.12.5"
TERMUX_WHEELS = "https://termux-user-repository.github.io/pypi/"

# OpenMP is off in Termux's own builds of llama.cpp too; LLAVA is the multimodal library, which we do not use.
CMAKE_ARGS = "-DGGML_OPENMP=OFF -DLLAVA_BUILD=OFF"
# More at once heats the phone and can use up its memory; the rest of the cores is slow anyway.
PHONE_BUILD_JOBS = 4
# Until 23.1 pip threw away what it had compiled under --no-binary, and compiled it again in the next clone.
PIP_KEEPS_BUILDS = (23, 1)

AGAIN = "Is there a network? Run it again: what was downloaded is kept"


def plan(facts: Facts, wanted: frozenset[str]) -> list[Step]:
    """The steps that bring this machine to `wanted` (extras of the project), in order. Raises nothing."""
    steps = system_steps(facts)
    if any(not step.argv for step in steps):
        return steps
    done: frozenset[str] = frozenset()
    if facts.current:
        # The project stays as it is: somebody may be starting from this environment at this very moment.
        done = facts.kept
    else:
        if facts.venv != "usable":
            steps.append(_venv_step(facts))
        steps += _project_steps(facts)
    for extra in sorted((wanted | facts.kept) - done, reverse=True):  # the long build of `llama` last
        done |= {extra}
        steps.append(_llama_step(facts, done) if extra == "llama" else _extra_step(facts, extra, done))
    return steps


def _venv_step(facts: Facts) -> Step:
    major, minor = facts.version
    say = f"Making .venv with Python {major}.{minor}"
    if facts.venv == "stale":
        say += " (the one there was made by another Python or at another place)"
    argv = [facts.python, "-m", "venv", "--clear"]
    if facts.system == "termux":
        # numpy has no wheel for Android; this shows the environment the one that pkg installed.
        argv.append("--system-site-packages")
    return Step("venv", say, (*argv, str(facts.root / ".venv")))


def _project_steps(facts: Facts) -> list[Step]:
    steps = []
    if facts.system == "termux":
        # On its own: pip takes the highest version of any index, and this one must decide nothing else.
        pydantic = (*_pip(facts), PYDANTIC, "--extra-index-url", TERMUX_WHEELS)
        steps.append(Step("pydantic", "Installing pydantic for Termux", pydantic, _env(facts), AGAIN))
    argv = (*_pip(facts), PYDANTIC, "--editable", str(facts.root))
    say = "Installing Farmhand and its libraries"
    steps.append(Step("project", say, argv, _env(facts), AGAIN, gives=frozenset()))
    return steps


def _extra_step(facts: Facts, extra: str, done: frozenset[str]) -> Step:
    argv = (*_pip(facts), PYDANTIC, *facts.extras[extra])
    return Step(extra, f"Installing what `{extra}` needs", argv, _env(facts), AGAIN, gives=done)


def _llama_step(facts: Facts, done: frozenset[str]) -> Step:
    say = f"Building the embedded llama.cpp engine on {_jobs(facts)} cores: some minutes, the first time only"
    if facts.system == "termux":
        say += ". Keep Termux on the screen meanwhile"
    argv = [*_pip(facts), "--verbose", "--no-binary", "llama-cpp-python"]
    if facts.pip < PIP_KEEPS_BUILDS:
        argv.append("--use-feature=no-binary-enable-wheel-cache")
    return Step(
        "llama",
        say,
        (*argv, PYDANTIC, *facts.extras["llama"]),
        {**_env(facts), "CMAKE_ARGS": CMAKE_ARGS, "CMAKE_BUILD_PARALLEL_LEVEL": str(_jobs(facts))},
        remedy="Farmhand works without its embedded engine: `scripts/setup --no-llama` sets up the rest, and "
        "`scripts/up --no-llama` starts it. To try again, run the same command; "
        "a compiler that was killed lacked memory",
        gives=done,
    )


def _pip(facts: Facts) -> tuple[str, ...]:
    python = str(facts.root / ".venv" / "bin" / "python")
    return (python, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--progress-bar=off")


def _jobs(facts: Facts) -> int:
    return min(facts.cores, PHONE_BUILD_JOBS) if facts.system == "termux" else facts.cores


def _env(facts: Facts) -> dict[str, str]:
    # Python and pip in Termux call themselves 24 on every phone; a build tool that asks the phone gets it wrong.
    return {"ANDROID_API_LEVEL": "24"} if facts.system == "termux" else {}
