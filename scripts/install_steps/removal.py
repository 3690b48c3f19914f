"""What an uninstall takes away, and what it leaves. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from install_steps.manifest import Manifest
from install_steps.plan import NO_FILE, Found
from phone.places import SERVICE_PREFIX, Places

# In the state folder, made while Farmhand runs; of no use to anybody else.
RUNTIME = ("run", "exits", "supervisor", "key-usage.json", ".key-usage.json.lock")
KEY_LOCK = ".key.lock"
MANIFEST = "install.json"
# Below the clone, made by setup, Python and pip; none of it is in the repository.
GENERATED = (".venv", ".cache", "farmhand.egg-info")
# Words for what is left, where its name does not say it.
WORDS = {
    "models": "the models",
    "kv": "saved prefixes of prompts",
    "kept": "files you had changed",
    "key": "a key that was there before",
    "default-model": "the choice of the default model",
    "litellm": "settings of LiteLLM",
}


@dataclass(frozen=True, slots=True)
class Removal:
    """services: to stop and take away, the supervisor first, then in reverse order of start. edited: of `files`, changed by a person:
    copied aside first. trees: folders and files with all that is in them. folders: only if empty, inner ones first.
    """

    services: tuple[str, ...]
    files: tuple[Path, ...]
    edited: tuple[Path, ...]
    trees: tuple[Path, ...]
    folders: tuple[Path, ...]
    left: tuple[str, ...]


def removal(
    manifest: Manifest, disk: Mapping[Path, Found], state_names: Collection[str], log_names: Collection[str], places: Places, *, purge: bool
) -> Removal:
    """disk: what lies at the manifest's paths, and at the configuration's. state_names: what is in the state folder. log_names: in `$LOGDIR/sv`."""
    in_services = [places.service(name) for name in manifest.services]
    there = [path for path in map(Path, manifest.files) if path in disk and disk[path].digest != NO_FILE]
    loose = [path for path in there if not any(path.is_relative_to(folder) for folder in in_services)]
    changed = {path for path in there if disk[path].digest not in manifest.hashes(path)}
    own_config = places.config in disk and places.config in changed
    files = [path for path in loose if path != places.config or purge or not own_config]
    trees = [places.state / name for name in state_names if purge or _is_runtime(name, manifest)]
    trees += [places.logs / "sv" / name for name in log_names if name == SERVICE_PREFIX or name.startswith(f"{SERVICE_PREFIX}-")]
    trees += [Path(manifest.root) / name for name in GENERATED if manifest.root]
    if purge:
        trees.append(places.config)
    stays = [name for name in state_names if not purge and not _is_runtime(name, manifest) and name != MANIFEST]
    left = [f"{places.state / name} ({WORDS.get(name, 'yours')})" for name in sorted(stays) if places.state / name not in files]
    if places.config in disk and places.config not in files and not purge:
        left.append(f"{places.config} (your configuration)")
    folders = {*map(Path, manifest.folders), places.state, *({places.config.parent} if purge else ())}
    return Removal(
        services=tuple(sorted(manifest.services, key=_stop_order)),
        files=tuple(files),
        edited=() if purge else tuple(sorted(path for path in changed if path in files or path not in loose)),
        trees=tuple(path for path in trees if path.name != MANIFEST),
        folders=tuple(sorted(folders, key=lambda path: (-len(path.parts), str(path)))),
        left=tuple(left),
    )


def _is_runtime(name: str, manifest: Manifest) -> bool:
    return name in RUNTIME or (manifest.key and name in ("key", KEY_LOCK)) or name == f".{MANIFEST}.new"


def _stop_order(name: str) -> int:
    order = [SERVICE_PREFIX, *(f"{SERVICE_PREFIX}-{service}" for service in ("openclaw", "litellm", "adapter", "engine"))]
    return order.index(name) if name in order else len(order)


def unsafe_to_purge(manifest: Manifest, places: Places) -> str:
    """"" or why the state folder cannot be deleted whole: somebody else's things may be in it."""
    root = Path(manifest.root)
    for name, path in (("your home", places.user), ("Termux itself", places.prefix), ("this clone", root)):
        if path.is_relative_to(places.state):
            return f"{places.state} holds {name}, so --purge would delete that; delete what you do not need by hand"
    if str(places.state) not in manifest.folders and places.state.name != SERVICE_PREFIX:
        return f"{places.state} was there before Farmhand, so --purge leaves it alone; delete what you do not need by hand"
    return ""
