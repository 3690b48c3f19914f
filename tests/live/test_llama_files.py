"""Model files and libraries that are missing, broken or strange to the embedded engine, for real.

Each is told in words that help, and mended without a restart; and llama_cpp loads on Android.
"""

from __future__ import annotations

import importlib.util
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from adapter.engines.llama.engine import LlamaEngine
from adapter.errors import BadRequest, EngineUnavailable
from adapter.settings import LlamaSettings
from tests.live.llama_cases import ROOT, TEXT, MakeEngine, answer, chat

# --- files and libraries that are not right --------------------------------------------------------------------


async def refused(engine: LlamaEngine) -> EngineUnavailable:
    """The engine cannot answer: it lists nothing, is not ready, and says the same to a request."""
    assert await engine.models() == []
    health = await engine.health()
    assert not health.ready
    with pytest.raises(EngineUnavailable) as caught:
        await answer(engine, chat())
    assert caught.value.message == health.detail
    assert caught.value.retry_after_s
    return caught.value


async def test_missing_file(make: MakeEngine, tmp_path: Path) -> None:
    error = await refused(make(str(tmp_path / "none.gguf")))
    assert f"no model file {tmp_path / 'none.gguf'}" in error.message
    assert "Put a GGUF there" in error.message


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda data: data[: len(data) // 2], "download is incomplete"),
        (lambda data: data[:300], "download is incomplete"),
        (lambda data: b"", "is empty"),
        (lambda data: random.Random(1).randbytes(5_000), "is no GGUF file"),
    ],
)
async def test_broken_file(
    make: MakeEngine, files: Path, tmp_path: Path, damage: Callable[[bytes], bytes], said: str
) -> None:
    """Told from its head, without starting a process; mended, it works without a restart."""
    path = tmp_path / "broken.gguf"
    whole = (files / "once.gguf").read_bytes()
    path.write_bytes(damage(whole))
    engine = make(str(path))
    error = await refused(engine)
    assert str(path) in error.message
    assert said in error.message
    path.write_bytes(whole)
    assert (await answer(engine, chat()))[0] == TEXT


async def test_file_that_only_llama_cpp_refuses(make: MakeEngine, files: Path, tmp_path: Path) -> None:
    """The worker's own words arrive; after repeated failures there is a pause, and Retry-After says how long."""
    path = tmp_path / "strange.gguf"
    data = (files / "once.gguf").read_bytes()
    path.write_bytes(data.replace(b"output_norm.weight", b"outpux_norm.weight"))
    engine = make(str(path))
    errors = []
    for _ in range(3):
        with pytest.raises(EngineUnavailable, match=r"tensor 'output_norm\.weight' not found") as caught:
            await answer(engine, chat())
        errors.append(caught.value)
    assert "failed several times" in errors[2].message
    assert errors[2].retry_after_s == 1
    assert not (await engine.health()).ready


async def test_missing_library(make: MakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    error = await refused(make())
    assert "pip install 'farmhand[llama]'" in error.message


async def test_template_that_refuses(make: MakeEngine, files: Path, tmp_path: Path) -> None:
    """A 400 with the template's words, and the engine goes on."""
    path = tmp_path / "strict.gguf"
    data = (files / "once.gguf").read_bytes()
    start, end = data.index(b"{% for message"), data.index(b"{% endif %}") + len(b"{% endif %}")
    strict = b"{{ raise_exception('not today') }}"
    path.write_bytes(data[:start] + strict.ljust(end - start) + data[end:])
    engine = make(str(path))
    for _ in range(2):
        with pytest.raises(BadRequest, match="not today"):
            await answer(engine, chat())
    assert engine._host.running is not None


async def test_names_lead_to_the_model_folder(make: MakeEngine, files: Path, tmp_path: Path) -> None:
    """A bare name is looked for under <home>/models, with or without `.gguf`."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mine.gguf").write_bytes((files / "once.gguf").read_bytes())
    for name in ("mine", "mine.gguf"):
        settings = LlamaSettings(name="test", kind="llama", model=name, threads=1)
        engine = LlamaEngine(settings, tmp_path)
        assert [card.id for card in await engine.models()] == ["mine"]


# --- Android ----------------------------------------------------------------------------------------------------

ON_ANDROID = """
import sys
sys.platform = "android"
try:
    import llama_cpp
except RuntimeError as exc:
    print("raw:", exc)
for name in [name for name in sys.modules if name.partition(".")[0] == "llama_cpp"]:
    del sys.modules[name]
from adapter.engines.llama.binding import import_llama_cpp
library = import_llama_cpp()
print("ours:", callable(library.llama_decode), sys.platform)
"""
ON_PLAN9 = """
import sys
sys.platform = "plan9"
from adapter.engines.llama.binding import import_llama_cpp
try:
    import_llama_cpp()
except RuntimeError as exc:
    print("ours:", exc, sys.platform)
"""


@pytest.mark.parametrize(
    ("script", "printed"),
    [
        (ON_ANDROID, ["raw: Unsupported platform", "ours: True android"]),
        (ON_PLAN9, ["ours: Unsupported platform plan9"]),
    ],
)
def test_library_loads_on_android(script: str, printed: list[str]) -> None:
    """llama_cpp refuses sys.platform "android"; the shim gets it in and puts the name back, also on failure."""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout.splitlines() == printed
