"""Which file a configured model or a pin means, and what clients call a model."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapter.engines.llama.model_file import model_id, model_path, pin_paths, unreadable

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


def test_pins_are_in_the_home_unless_they_say_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/users/ann")
    pins = ["agent.json", "pins/cook.json", "/sdcard/p.json", "~/q.json"]
    assert pin_paths(pins, tmp_path) == [
        tmp_path / "agent.json",
        tmp_path / "pins" / "cook.json",
        Path("/sdcard/p.json"),
        Path("/users/ann/q.json"),
    ]


def test_a_relative_home_makes_absolute_pins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker must find them wherever it runs."""
    monkeypatch.chdir(tmp_path)
    assert pin_paths(["a.json"], Path("state")) == [tmp_path / "state" / "a.json"]


def test_what_cannot_be_read_says_why(tmp_path: Path) -> None:
    good = tmp_path / "good.json"
    good.write_text("{}")
    assert unreadable(good) == ""
    assert unreadable(tmp_path / "missing.json") == "No such file or directory"
    assert unreadable(tmp_path) == "Is a directory"
