"""Where a model's file is, and whether it can be used; in the adapter's process, without llama.cpp."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

from adapter.engines.llama.gguf_meta import GgufError, GgufMeta, parse_gguf
from adapter.errors import EngineUnavailable

DEMO = "demo"
# Nothing gets better by itself here: a person must act first.
RETRY_AFTER_S = 60


def model_path(model: str, home: Path) -> Path:
    """`demo` is packaged, a bare name is in `<home>/models` (with or without `.gguf`), the rest are paths."""
    if model == DEMO:
        return Path(__file__).parents[2] / "demo" / "demo.gguf"
    if "/" in model or model.startswith("~"):
        return Path(model).expanduser()
    named = home / "models" / f"{model}.gguf"
    return named if not model.endswith(".gguf") or named.exists() else home / "models" / model


def pin_paths(pins: Sequence[str], home: Path) -> list[Path]:
    """Absolute paths of the files of pinned prompts: those that are not are in `home`."""
    return [(home / Path(pin).expanduser()).absolute() for pin in pins]


def recorded_pins(home: Path) -> list[Path]:
    """What `farmhand connect NAME --record` has left in `home`, for every engine. Reads the disk; nothing where it cannot."""
    try:
        return sorted((home / "pins").absolute().glob("*.json"))
    except OSError:
        return []


def unreadable(path: Path) -> str:
    """Why a file cannot be read, in a few words; "" if it can. Reads the disk."""
    try:
        with path.open("rb"):
            return ""
    except OSError as exc:
        return exc.strerror or str(exc)


def model_id(model: str) -> str:
    """The name that clients see."""
    return model if model == DEMO else Path(model).name.removesuffix(".gguf")


class ModelFile:
    """One GGUF and what its head says. The methods read the disk: call them in a thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read: tuple[tuple[int, int], GgufMeta | GgufError] | None = None

    def meta(self) -> GgufMeta:
        """What the head says, read again only when the file has changed. Raises `EngineUnavailable`."""
        try:
            status = self.path.stat()
            known_by = (status.st_mtime_ns, status.st_size)
            if self._read is None or self._read[0] != known_by:
                self._read = (known_by, self._parse(status.st_size))
        except FileNotFoundError:
            raise _unavailable(
                f"There is no model file {self.path}. Put a GGUF there, or name another one under "
                "`model` in the engine's section of the configuration."
            ) from None
        except OSError as exc:
            raise _unavailable(f"The model file {self.path} cannot be read: {exc.strerror}.") from exc
        found = self._read[1]
        if isinstance(found, GgufError):
            raise _unavailable(f"The model file {self.path} {found}. Fetch it again, or name another one.")
        return found

    def _parse(self, size_bytes: int) -> GgufMeta | GgufError:
        with self.path.open("rb", buffering=1 << 18) as stream:
            try:
                return parse_gguf(stream, size_bytes)
            except GgufError as exc:
                return exc


def require_library() -> None:
    """Raises `EngineUnavailable` if the extra `llama` is not installed. Imports nothing of it."""
    for module, package in (("llama_cpp", "llama-cpp-python"), ("jinja2", "jinja2")):
        if importlib.util.find_spec(module) is None:
            raise _unavailable(
                f"{package} is not installed, so there is no embedded model. "
                "Install it with: pip install 'farmhand[llama]' (or run scripts/setup)."
            )


def _unavailable(message: str) -> EngineUnavailable:
    return EngineUnavailable(message, retry_after_s=RETRY_AFTER_S)
