"""Which file a configured model means, and what clients call it."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapter.engines.llama.model_file import model_id, model_path

PACKAGED = Path("adapter") / "demo" / "demo.gguf"


@pytest.mark.parametrize(
    ("model", "path", "name"),
    [
        ("qwen", "{home}/models/qwen.gguf", "qwen"),
        ("qwen2.5-0.5b-q4_0", "{home}/models/qwen2.5-0.5b-q4_0.gguf", "qwen2.5-0.5b-q4_0"),
        ("qwen.gguf", "{home}/models/qwen.gguf", "qwen"),
        ("/sdcard/qwen.gguf", "/sdcard/qwen.gguf", "qwen"),
        ("./odd", "odd", "odd"),
        ("~/m/qwen.gguf", "{user}/m/qwen.gguf", "qwen"),
    ],
)
def test_names_and_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str, path: str, name: str
) -> None:
    monkeypatch.setenv("HOME", "/users/ann")
    assert model_path(model, tmp_path) == Path(path.format(home=tmp_path, user="/users/ann"))
    assert model_id(model) == name


def test_demo_is_packaged(tmp_path: Path) -> None:
    assert model_path("demo", tmp_path).parts[-3:] == PACKAGED.parts
    assert model_id("demo") == "demo"
