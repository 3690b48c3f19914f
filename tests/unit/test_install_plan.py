"""What scripts/install and scripts/uninstall decide: which installation, which file goes where, what is to be done, what is left."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from install_steps.failure import InstallFailed
from install_steps.manifest import Manifest, ManifestError, parse, text_of
from install_steps.plan import NO_FILE, Disk, Found, Plan, plan
from install_steps.removal import removal, unsafe_to_purge
from install_steps.shipped import File, Service, Wanted, digest, wanted
from install_steps.texts import (
    boot_warnings,
    config_text,
    engine_env,
    engine_lines,
    line,
    next_steps,
    warning,
)
from install_steps.where import HEADER, assignments, env_text, here, in_termux
from phone.places import TERMUX_PREFIX, places

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "scripts" / "install_steps").glob("*.py"))
PURE = ("failure", "manifest", "plan", "removal", "shipped", "texts", "where")

PREFIX, HOME = Path(TERMUX_PREFIX), Path("/data/data/com.termux/files/home")
CLONE = HOME / "farmhand"
TERMUX = {"PREFIX": TERMUX_PREFIX, "HOME": str(HOME), "TERMUX_VERSION": "0.118.3"}
HERE = here(TERMUX, "", CLONE)
PLACES = HERE.places
STATE = PLACES.state


# --- what may be imported ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_only_the_standard_library_before_there_is_anything_else(path: Path) -> None:
    """Besides itself, setup's steps and the one pure file that knows where things lie; the pure ones read no machine."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    tops = {name.split(".")[0] for name in found}
    assert tops <= {*sys.stdlib_module_names, "setup_steps", "install_steps", "phone"}
    assert {name for name in found if name.startswith("phone")} <= {"phone.places"}
    if path.stem in PURE:
        assert not tops & {"os", "sys", "time", "random", "subprocess", "shutil", "fcntl", "tempfile"}


@pytest.mark.parametrize("name", ["install", "uninstall", "up"])
def test_the_shell_scripts_suit_dash_and_android(name: str) -> None:
    """Executable, with the shebang of the other scripts, nothing that a phone does not have; shellcheck is content where it is installed."""
    path = ROOT / "scripts" / name
    assert os.access(path, os.X_OK)
    text = path.read_text(encoding="utf-8")
    assert text.startswith("#!/bin/sh\n")
    code = "\n".join(row for row in text.splitlines()[1:] if not row.lstrip().startswith("#"))
    assert not re.search(r"/tmp\b|/usr/bin/env|\[\[|\bsource |\blocal |\bfunction |<<<", code)
    checks = [["dash", "-n", str(path)], ["shellcheck", "--shell=sh", "--severity=style", str(path)]]
    for argv in checks:
        if shutil.which(argv[0]):
            done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
            assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("path", [*FILES, ROOT / "scripts" / "_install.py", ROOT / "scripts" / "_uninstall.py"], ids=lambda path: path.stem)
def test_no_place_that_android_lacks(path: Path) -> None:
    """Termux has no such folders (`facts/termux.md` 7.1), and no hard links."""
    assert not re.search(r"[\"' ]/tmp\b|/usr/bin/env|os\.link|os\.getloadavg", path.read_text(encoding="utf-8"))


def test_places_needs_nothing_but_the_standard_library() -> None:
    """It is imported before `.venv` is there."""
    code = "import sys; sys.path.insert(0, sys.argv[1]); import phone.places; print('pydantic' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, ROOT], capture_output=True, text=True, timeout=20, check=False
    )
    assert (done.stdout, done.stderr) == ("False\n", "")


# --- which installation ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("platform", "env", "expected"),
    [
        ("android", TERMUX, True),
        ("linux", TERMUX, True),  # Python up to 3.12
        ("linux", {"PREFIX": "/scratch", "TERMUX_VERSION": "0.118.3"}, True),  # another packaging, or a test
        ("linux", {"PREFIX": "/scratch"}, False),
        ("linux", {"TERMUX_VERSION": "0.118.3"}, False),  # without a prefix there is no place to go to
        ("linux", {}, False),
        ("darwin", {"PREFIX": "/opt/homebrew"}, False),
        ("android", {}, False),
    ],
)
def test_in_termux(platform: str, env: dict[str, str], expected: bool) -> None:
    """PREFIX and one sign of Termux."""
    assert in_termux(platform, env) == expected


def test_where_everything_goes() -> None:
    """Without settings: Termux's places; the configuration is not named, since it would have to exist."""
    assert STATE == HOME / ".local" / "share" / "farmhand"
    assert PLACES.services == PREFIX / "var" / "service"
    assert HERE.settings == {"FARMHAND_ROOT": str(CLONE), "HOME": str(HOME), "FARMHAND_HOME": str(STATE)}


@pytest.mark.parametrize(
    ("env", "env_file", "state", "settings"),
    [
        ({"SVDIR": "/elsewhere", "LOGDIR": "/elsewhere"}, "", STATE, {}),
        ({"FARMHAND_HOME": "/s"}, "", Path("/s"), {}),
        ({}, "FARMHAND_HOME='/s'\n", Path("/s"), {}),
        ({"FARMHAND_HOME": "/s/"}, "FARMHAND_HOME=/s\n", Path("/s"), {}),
        ({"FARMHAND_HOME": "~/s"}, f"FARMHAND_HOME={HOME}/s\n", HOME / "s", {}),
        ({"FARMHAND_CONFIG": "~/c.toml"}, "", STATE, {"FARMHAND_CONFIG": f"{HOME}/c.toml"}),
        ({}, "FARMHAND_CONFIG=/c.toml\n", STATE, {"FARMHAND_CONFIG": "/c.toml"}),
        ({"FARMHAND_CONFIG": "/d.toml"}, "FARMHAND_CONFIG=/c.toml\n", STATE, {"FARMHAND_CONFIG": "/d.toml"}),
        ({}, "export XDG_CONFIG_HOME='/x'\n", STATE, {"XDG_CONFIG_HOME": "/x"}),
        ({"XDG_DATA_HOME": "/data"}, "", Path("/data/farmhand"), {}),
    ],
)
def test_settings_stick(env: dict[str, str], env_file: str, state: Path, settings: dict[str, str]) -> None:
    """What the environment says now, else what it said when it was installed."""
    found = here({**TERMUX, **env}, env_file, CLONE)
    assert found.places.state == state
    assert found.places.services == PREFIX / "var" / "service"
    assert {name: found.settings[name] for name in settings} == settings
    assert len(found.settings) == 3 + len(settings)


@pytest.mark.parametrize(
    ("env", "env_file", "said"),
    [
        ({"FARMHAND_HOME": "/other"}, "FARMHAND_HOME=/s\n", "has its state in /s.\nType: unset FARMHAND_HOME"),
        ({"FARMHAND_HOME": "relative"}, "", "FARMHAND_HOME must be an absolute path, and is 'relative'"),
        ({"FARMHAND_CONFIG": "c.toml"}, "", "FARMHAND_CONFIG must be an absolute path"),
        ({"PREFIX": "usr"}, "", "PREFIX must be an absolute path"),
        ({"HOME": "/a\nb"}, "", "HOME must be an absolute path"),
    ],
)
def test_places_that_services_could_not_use(env: dict[str, str], env_file: str, said: str) -> None:
    """Named, with the remedy."""
    with pytest.raises(InstallFailed) as failed:
        here({**TERMUX, **env}, env_file, CLONE)
    assert said in str(failed.value)


AWKWARD = {"FARMHAND_ROOT": "/it's a $HOME `x` \"y\"", "HOME": "/home", "XDG_CONFIG_HOME": "/x"}


def test_dash_reads_the_environment_file_as_it_was_meant() -> None:
    """Whatever is in a path; and our own reader agrees with dash."""
    text = env_text(AWKWARD, "")
    assert assignments(text) == AWKWARD
    script = f'{text}\nprintf "%s|%s|%s" "$FARMHAND_ROOT" "$HOME" "$XDG_CONFIG_HOME"; export -p | grep -c XDG_CONFIG_HOME'
    done = subprocess.run(["sh", "-c", script], env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout == "|".join(AWKWARD.values()) + "1\n"


def test_a_persons_lines_stay_in_the_environment_file() -> None:
    """Ours are replaced, not repeated; the file of now gives the file of now."""
    first = env_text({"FARMHAND_ROOT": "/old", "HOME": "/h", "FARMHAND_CONFIG": "/c"}, "")
    text = env_text({"FARMHAND_ROOT": "/new", "HOME": "/h"}, first + "export KEY=secret\n# mine\n")
    assert text == HEADER + "FARMHAND_ROOT='/new'\nHOME='/h'\nexport KEY=secret\n# mine\n"
    assert env_text({"FARMHAND_ROOT": "/new", "HOME": "/h"}, text) == text


def test_lines_that_are_no_assignments() -> None:
    """Left out, not guessed at."""
    assert assignments("A='x' # why\nB=\nC=a b\nD='unfinished\n. /etc/x\nif true\nexport E=1\n") == {"A": "x", "E": "1"}


# --- which file goes where ---------------------------------------------------------------------------------------

SOURCES = {
    "sv/farmhand/run": b"#!/data/data/com.termux/files/usr/bin/sh\n",
    "sv/farmhand/log/run": b"#!/data/data/com.termux/files/usr/bin/sh\n",
    "sv/farmhand-adapter/run": b"#!/data/data/com.termux/files/usr/bin/sh\n",
    "sv/farmhand-adapter/down": b"",
    "sv/farmhand-engine/run": b"#!/data/data/com.termux/files/usr/bin/sh\n",
    "bin/farmhand": b"#!/data/data/com.termux/files/usr/bin/sh\n",
    "boot/00-farmhand": b"#!/data/data/com.termux/files/usr/bin/sh\n",
    "shortcuts/farmhand-status": b"#!/data/data/com.termux/files/usr/bin/sh\n",
    "service.sh": b"PREFIX=/data/data/com.termux/files/usr\n",
    "ensure": b"#!/data/data/com.termux/files/usr/bin/sh\n",
}


def places_of(want: Wanted) -> dict[str, int]:
    """Path without the prefix or `~` -> mode."""
    files = [*want.files, *(file for service in want.services for file in service.files)]
    shorter = {str(file.path).replace(str(PREFIX), "").replace(str(HOME), "~"): file.mode for file in files}
    assert len(shorter) == len(files)
    return shorter


def test_which_file_goes_where() -> None:
    """Programs may be run, and everything is for the user alone."""
    assert places_of(wanted(SOURCES, HERE, shortcuts=True)) == {
        "/var/service/farmhand/run": 0o700,
        "/var/service/farmhand/log/run": 0o700,
        "/var/service/farmhand-adapter/run": 0o700,
        "/var/service/farmhand-adapter/down": 0o600,
        "/var/service/farmhand-engine/run": 0o700,
        "/bin/farmhand": 0o700,
        "~/.termux/boot/00-farmhand": 0o700,
        "~/.shortcuts/farmhand-status": 0o700,
        "/libexec/farmhand/service.sh": 0o600,
        "/libexec/farmhand/ensure": 0o700,
    }


def test_what_is_not_wanted_everywhere() -> None:
    """Shortcuts for Termux:Widget, llama-server for want of an engine; the supervisor's service comes last."""
    want = wanted({**SOURCES, "log/x/y": b""}, HERE, shortcuts=False, without=["farmhand-engine"])
    assert [service.name for service in want.services] == ["farmhand-adapter", "farmhand"]
    assert not [path for path in places_of(want) if "shortcuts" in path or "engine" in path or "/x/" in path]


def test_only_the_prefix_is_mapped() -> None:
    """In Termux itself nothing is; elsewhere it is that text alone."""
    text = b"#!/data/data/com.termux/files/usr/bin/sh\n/data/data/com.termux/files/home\n"
    for prefix, expected in ((PREFIX, text), (Path("/p"), b"#!/p/bin/sh\n/data/data/com.termux/files/home\n")):
        there = here({**TERMUX, "PREFIX": str(prefix)}, "", CLONE)
        assert wanted({"bin/farmhand": text}, there, shortcuts=False).files[0].content == expected


def test_every_shipped_file_has_a_place() -> None:
    """The tree as it is; documentation aside."""
    sources = {p.relative_to(ROOT / "termux").as_posix(): p.read_bytes() for p in (ROOT / "termux").rglob("*") if p.is_file()}
    sources = {name: content for name, content in sources.items() if not name.endswith(".md")}
    assert len(places_of(wanted(sources, HERE, shortcuts=True))) == len(sources)


# --- the manifest ------------------------------------------------------------------------------------------------

FULL = Manifest("/clone", {"/a": ("1", "2")}, ("/f",), ("farmhand",), ("termux-api",), 7, True, True, "failed")


def test_the_manifest_comes_back_as_it_was_written() -> None:
    """Empty and full."""
    for manifest in (Manifest(), FULL):
        assert parse(text_of(manifest)) == manifest


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 2}', '{"version": 1}', text_of(FULL).replace('"/f"', "7").replace("[", "{", 1)])
def test_what_is_no_manifest(text: str) -> None:
    """Never half understood."""
    with pytest.raises(ManifestError):
        parse(text)


def test_a_file_is_known_by_what_may_lie_there_after_an_interruption() -> None:
    """The text before and the text to come, no more."""
    manifest = Manifest()
    for text in ("1", "2", "2", "3"):
        manifest = manifest.with_file(Path("/a"), text)
    assert manifest.hashes(Path("/a")) == ("2", "3")
    assert manifest.with_file(Path("/a"), "2").hashes(Path("/a")) == ("3", "2")
    assert not manifest.without_file(Path("/a")).has(Path("/a"))


# --- what is to be done ------------------------------------------------------------------------------------------

RUN = File(PLACES.service("farmhand") / "run", b"run", 0o700)
ADAPTER_RUN = File(PLACES.service("farmhand-adapter") / "run", b"adapter", 0o700)
ADAPTER_DOWN = File(PLACES.service("farmhand-adapter") / "down", b"")
COMMAND = File(PREFIX / "bin" / "farmhand", b"command", 0o700)
SUPERVISOR = Service("farmhand", (RUN,))
ADAPTER = Service("farmhand-adapter", (ADAPTER_RUN, ADAPTER_DOWN))
WANT = Wanted((ADAPTER, SUPERVISOR), (COMMAND,))
ALL = (RUN, ADAPTER_RUN, ADAPTER_DOWN, COMMAND)


def disk_of(*files: File, **texts: str) -> dict[Path, Found]:
    """These files, with all folders above them; `texts` are other ones below $PREFIX, `__` for a slash."""
    found = {file.path: Found(file.digest, file.mode) for file in files}
    found |= {PREFIX / name.replace("__", "/"): Found(digest(text.encode())) for name, text in texts.items()}
    folders = {p for path in (*found, COMMAND.path, PLACES.services / "x", PLACES.logs / "sv" / "x") for p in path.parents}
    return {**found, **{folder: Found(NO_FILE, 0o700) for folder in folders}}


def manifest_of(*files: File) -> Manifest:
    manifest = Manifest(services=tuple(dict.fromkeys(f.path.parts[-2] for f in files if "service" in f.path.parts)))
    for file in files:
        manifest = manifest.with_file(file.path, file.digest)
    return manifest


def planned(disk: Disk, manifest: Manifest, *, want: Wanted = WANT, start: bool = True) -> Plan:
    return plan(want, disk, manifest, PLACES, start=start)


def old(file: File) -> File:
    return replace(file, content=b"old")


def test_fresh() -> None:
    """Folders from the outside in, whole services, the supervisor last."""
    outside = disk_of()
    disk = {path: found for path, found in outside.items() if path in (*PREFIX.parents, PREFIX)}
    todo = planned(disk, Manifest())
    assert todo == Plan(
        folders=(PREFIX / "bin", PREFIX / "var", PREFIX / "var" / "log", PREFIX / "var" / "service", PREFIX / "var" / "log" / "sv"),
        writes=(COMMAND,),
        services=(ADAPTER, SUPERVISOR),
    )


def test_nothing_to_do() -> None:
    """All there, as shipped, as written down."""
    assert planned(disk_of(*ALL), manifest_of(*ALL)).empty


def test_held_back() -> None:
    """`--no-start`: a new supervisor gets a `down`; one that is there already is left as it is."""
    todo = planned(disk_of(), Manifest(), start=False)
    assert [file.path.name for file in todo.services[-1].files] == ["run", "down"]
    assert planned(disk_of(*ALL), manifest_of(*ALL), start=False).empty


@pytest.mark.parametrize(
    ("disk", "manifest", "expected"),
    [
        pytest.param(disk_of(*ALL[:3], old(COMMAND)), manifest_of(*ALL[:3], old(COMMAND)), Plan(writes=(COMMAND,)), id="older"),
        pytest.param(
            disk_of(*ALL[:3], old(COMMAND)),
            manifest_of(*ALL),
            Plan(writes=(COMMAND,), edited=frozenset({COMMAND.path})),
            id="edited",
        ),
        pytest.param(disk_of(*ALL[:3]), manifest_of(*ALL), Plan(writes=(COMMAND,)), id="deleted"),
        pytest.param(disk_of(*ALL), manifest_of(*ALL[:3]), Plan(claims=(COMMAND,)), id="not-written-down"),
        pytest.param(
            disk_of(*ALL[:3], replace(COMMAND, mode=0o644)), manifest_of(*ALL), Plan(modes=(COMMAND,)), id="cannot-be-run"
        ),
        pytest.param(disk_of(old(RUN), *ALL[1:]), manifest_of(old(RUN), *ALL[1:]), Plan(writes=(RUN,)), id="live-service"),
        pytest.param(disk_of(RUN, ADAPTER_RUN, COMMAND), manifest_of(*ALL), Plan(), id="enabled-by-hand"),
        pytest.param(disk_of(RUN, COMMAND), manifest_of(*ALL), Plan(services=(ADAPTER,)), id="service-deleted"),
        pytest.param(
            disk_of(*ALL, libexec__farmhand__old="x"),
            manifest_of(*ALL, File(PREFIX / "libexec/farmhand/old", b"x")),
            Plan(removals=(PREFIX / "libexec/farmhand/old",)),
            id="obsolete",
        ),
        pytest.param(
            disk_of(*ALL, libexec__farmhand__old="edited"),
            manifest_of(*ALL, File(PREFIX / "libexec/farmhand/old", b"x")),
            Plan(removals=(PREFIX / "libexec/farmhand/old",), edited=frozenset({PREFIX / "libexec/farmhand/old"})),
            id="obsolete-edited",
        ),
        pytest.param(
            disk_of(*ALL, File(PLACES.service("farmhand-engine") / "run", b"")),
            manifest_of(*ALL, File(PLACES.service("farmhand-engine") / "run", b"")),
            Plan(ended=("farmhand-engine",)),
            id="obsolete-service",
        ),
        pytest.param(
            disk_of(*ALL[:2], ADAPTER_DOWN, COMMAND),
            Manifest(),
            Plan(claims=(COMMAND, ADAPTER_RUN, RUN), adopted=("farmhand-adapter", "farmhand")),
            id="manifest-lost",
        ),
    ],
)
def test_what_is_to_be_done(disk: Disk, manifest: Manifest, expected: Plan) -> None:
    """One thing at a time."""
    assert planned(disk, manifest) == expected


@pytest.mark.parametrize(
    ("disk", "manifest", "said"),
    [
        pytest.param(disk_of(old(COMMAND)), Manifest(), f"{COMMAND.path} is not from scripts/install.\n    If", id="file"),
        pytest.param(disk_of(old(RUN)), Manifest(), f"mv {RUN.path.parent} {HOME}/farmhand.old", id="service"),
        pytest.param(disk_of(var__service__farmhand__x="y"), Manifest(), "sv -w 30 down", id="service-without-run"),
        pytest.param(
            {**disk_of(), COMMAND.path: Found(NO_FILE)}, manifest_of(COMMAND), f"mv {COMMAND.path} {HOME}/farmhand.old", id="folder"
        ),
    ],
)
def test_what_is_in_the_way(disk: Disk, manifest: Manifest, said: str) -> None:
    """Not overwritten, and said once with what to type."""
    todo = planned(disk, manifest)
    assert len(todo.conflicts) == 1
    assert said in todo.conflicts[0]


def test_what_is_written_once_is_a_persons_own_from_then_on() -> None:
    """Changed or not, ours or not; where there is none it is made; a changed configuration outlives its reason."""
    config = File(PLACES.config, b"ours", once=True)
    want = replace(WANT, files=(COMMAND, config))
    assert planned(disk_of(*ALL), manifest_of(*ALL), want=want).writes == (config,)
    for there in (config, replace(config, content=b"changed")):
        for manifest in (manifest_of(*ALL), manifest_of(*ALL, config)):
            assert planned(disk_of(*ALL, there), manifest, want=want).empty
    assert planned(disk_of(*ALL, config), manifest_of(*ALL, config)).removals == (config.path,)
    assert planned(disk_of(*ALL, replace(config, content=b"changed")), manifest_of(*ALL, config)).empty


# --- what goes, and what stays -----------------------------------------------------------------------------------

INSTALLED = replace(manifest_of(*ALL), root=str(CLONE), folders=(str(STATE), str(HOME / ".termux")), key=True)


def gone(manifest: Manifest = INSTALLED, *, state: tuple[str, ...] = (), disk: Disk | None = None, purge: bool = False) -> Any:
    return removal(manifest, disk_of(*ALL) if disk is None else disk, state, ("farmhand", "farmhand-adapter", "farmhands", "sshd"), PLACES, purge=purge)


def test_all_that_was_made_goes() -> None:
    """The supervisor first, since it stops the others; services as folders; logs of ours only; what setup made."""
    todo = gone(state=("key", ".key.lock", "run", "exits", "install.json", "models"))
    assert todo.services == ("farmhand", "farmhand-adapter")
    assert todo.files == (COMMAND.path,)
    sv = PLACES.logs / "sv"
    assert set(todo.trees) == {
        *(STATE / name for name in ("key", ".key.lock", "run", "exits")),
        *(sv / name for name in ("farmhand", "farmhand-adapter")),
        *(CLONE / name for name in (".venv", ".cache", "farmhand.egg-info")),
    }
    assert todo.folders == (STATE, HOME / ".termux")
    assert todo.left == (f"{STATE}/models (the models)",)


def test_services_stop_in_reverse_order_of_their_start() -> None:
    """Whatever order they were installed in."""
    names = ("farmhand-adapter", "farmhand-engine", "farmhand-litellm", "farmhand-openclaw", "farmhand", "farmhand-new")
    assert gone(replace(INSTALLED, services=names)).services == (
        *("farmhand", "farmhand-openclaw", "farmhand-litellm", "farmhand-adapter", "farmhand-engine", "farmhand-new"),
    )


def test_what_a_person_changed_is_kept() -> None:
    """Also in a service folder; a purge asks for everything to go."""
    disk = disk_of(old(RUN), *ALL[1:3], old(COMMAND))
    assert gone(disk=disk).edited == (COMMAND.path, RUN.path)
    assert gone(disk=disk, purge=True).edited == ()


def test_the_configuration() -> None:
    """Ours and unchanged goes, a person's stays, a purge takes it."""
    config = File(PLACES.config, b"ours", once=True)
    manifest = INSTALLED.with_file(config.path, config.digest)
    assert config.path in gone(manifest, disk=disk_of(*ALL, config)).files
    changed = gone(manifest, disk=disk_of(*ALL, replace(config, content=b"mine")))
    assert config.path not in (*changed.files, *changed.trees, *changed.edited)
    assert changed.left == (f"{config.path} (your configuration)",)
    foreign = gone(disk=disk_of(*ALL, config))
    assert config.path not in (*foreign.files, *foreign.trees)
    assert config.path in gone(disk=disk_of(*ALL, config), purge=True).trees


def test_a_key_that_was_there_before() -> None:
    """Programs use it."""
    todo = gone(replace(INSTALLED, key=False), state=("key", "tokens.json"))
    assert STATE / "key" not in todo.trees
    assert todo.left == (f"{STATE}/key (a key that was there before)", f"{STATE}/tokens.json (yours)")


def test_a_purge_takes_the_state_folder_whole() -> None:
    """But the manifest, which goes last."""
    todo = gone(state=("key", "models", "install.json"), purge=True)
    assert {STATE / "key", STATE / "models"} <= set(todo.trees)
    assert STATE / "install.json" not in todo.trees
    assert todo.left == ()


def test_without_a_root_nothing_is_guessed() -> None:
    """A relative `.venv` would be that of any folder."""
    assert all(path.is_absolute() for path in gone(replace(INSTALLED, root="")).trees)


@pytest.mark.parametrize(
    ("state", "made", "said"),
    [
        (STATE, True, ""),
        (STATE, False, ""),  # ours by its name
        (HOME, True, "holds your home"),
        (Path("/data"), True, "holds your home"),
        (PREFIX, False, "holds Termux itself"),
        (CLONE, False, "holds this clone"),
        (HOME / "things", False, "was there before Farmhand"),
        (HOME / "things", True, ""),
    ],
)
def test_where_a_purge_would_delete_what_is_not_ours(state: Path, made: bool, said: str) -> None:
    """It deletes a whole folder, so it must be ours."""
    there = places({**TERMUX, "FARMHAND_HOME": str(state)}, CLONE)
    manifest = Manifest(root=str(CLONE), folders=(str(state),) if made else ())
    found = unsafe_to_purge(manifest, there)
    assert said in found
    assert bool(said) == bool(found)


# --- texts -------------------------------------------------------------------------------------------------------


def test_the_configuration_with_llama_server() -> None:
    """TOML, whatever is in a name."""
    engines: list[Mapping[str, str]] = [{"name": "demo", "kind": "llama", "model": 'a "b" \\c'}]
    last = {"name": "llama-server", "kind": "openai", "url": "http://127.0.0.1:8090/v1"}
    assert tomllib.loads(config_text(engines)) == {"engine": [*engines, last]}
    assert tomllib.loads(engine_lines()) == {"engine": [last]}
    assert assignments(engine_env(Path("/a b/m.gguf"))) == {"ENGINE_MODEL": "/a b/m.gguf", "ENGINE_PORT": "8090"}


@pytest.mark.parametrize(
    ("others", "named"),
    [
        ({"50-x": ". $PREFIX/etc/profile.d/start-services.sh"}, True),
        ({"50-x": "termux-wake-lock\nsshd\n"}, True),
        ({"50-x": "sshd\n"}, False),
        ({}, False),
    ],
)
def test_other_boot_scripts(others: dict[str, str], named: bool) -> None:
    """Only those that do what ours does."""
    said = boot_warnings(Path("/boot"), [], others)
    assert [text.startswith("/boot/50-x starts services") for text in said] == [True] * named


def test_a_folder_among_the_boot_scripts() -> None:
    """By its name, with a line to paste."""
    [said] = boot_warnings(Path("/boot"), ["my backup"], {})
    assert said.endswith("\nType: mv '/boot/my backup' ~/")


def test_all_fits_into_80_columns() -> None:
    """But for lines that are to be pasted."""
    long = "word " * 60
    texts = [line("services", long), warning(long), next_steps("http://127.0.0.1:8888/v1", started=True, held=False)]
    assert max(len(row) for text in texts for row in text.splitlines()) <= 80
    assert warning(f"short\n{'x' * 200}") == f"! short\n  {'x' * 200}"
    assert next_steps("http://x", started=False, held=True).startswith("Not started. To start it now and with the phone: sh scripts/install\n")
    assert next_steps("http://x", started=False, held=False).startswith("Not started.\n")
