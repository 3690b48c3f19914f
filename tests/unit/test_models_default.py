"""The default model and `[models]` in the configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapter.configuration import DEFAULT_MODEL_FILE, SettingsError, default_model, load, names_engines
from adapter.settings import DEFAULT_ENGINES, LlamaSettings, local_url


def env(home: Path, **more: str) -> dict[str, str]:
    return {"FARMHAND_HOME": str(home), "XDG_CONFIG_HOME": str(home), **more}


def embedded(home: Path, **more: str) -> list[tuple[str, str, int]]:
    return [
        (e.name, e.model, e.slots) for e in load(env(home, **more)).engine if isinstance(e, LlamaSettings)
    ]


def configure(home: Path, text: str) -> Path:
    file = home / "farmhand" / "config.toml"
    file.parent.mkdir()
    file.write_text(text)
    return file


def test_the_chosen_model_is_run(tmp_path: Path) -> None:
    """In the default engine, whose name and other settings stay; the environment goes first."""
    assert embedded(tmp_path) == [("demo", "demo", 4)]
    (tmp_path / DEFAULT_MODEL_FILE).write_text("q\n")
    assert embedded(tmp_path) == [("demo", "q", 4)]
    assert embedded(tmp_path, FARMHAND_ENGINE_DEMO_SLOTS="2") == [("demo", "q", 2)]
    assert embedded(tmp_path, FARMHAND_ENGINE_DEMO_MODEL="other") == [("demo", "other", 4)]
    assert len(load(env(tmp_path)).engine) == len(DEFAULT_ENGINES)


def test_a_file_that_names_engines_decides(tmp_path: Path) -> None:
    (tmp_path / DEFAULT_MODEL_FILE).write_text("q\n")
    assert names_engines(env(tmp_path)) is None
    file = configure(tmp_path, '[[engine]]\nname = "local"\nkind = "llama"\nmodel = "mine"\n')
    assert embedded(tmp_path) == [("local", "mine", 4)]
    assert names_engines(env(tmp_path)) == file


def test_a_file_without_engines_leaves_it(tmp_path: Path) -> None:
    (tmp_path / DEFAULT_MODEL_FILE).write_text("q\n")
    configure(tmp_path, '[models]\nmirror = "https://mirror.example/hf/"\nretries = 2\n')
    settings = load(env(tmp_path, FARMHAND_MODELS_STALL_S="5"))
    assert embedded(tmp_path) == [("demo", "q", 4)]
    assert (settings.models.mirror, settings.models.retries, settings.models.stall_s) == (
        "https://mirror.example/hf",
        2,
        5.0,
    )


def test_an_empty_choice_is_none_and_a_broken_one_is_named(tmp_path: Path) -> None:
    (tmp_path / DEFAULT_MODEL_FILE).write_text("\n")
    assert default_model(tmp_path) is None and embedded(tmp_path) == [("demo", "demo", 4)]
    (tmp_path / DEFAULT_MODEL_FILE).write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="default-model: cannot be read"):
        load(env(tmp_path))


@pytest.mark.parametrize("value", ["mirror", "ftp://x", "https://", "https://me:pw@x", "https://x?q"])
def test_a_mirror_is_an_address(tmp_path: Path, value: str) -> None:
    with pytest.raises(SettingsError, match=r"mirror: must look like https://huggingface\.co"):
        load(env(tmp_path, FARMHAND_MODELS_MIRROR=value))


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("0.0.0.0", "http://127.0.0.1:1/v1"),
        ("::", "http://[::1]:1/v1"),
        ("192.168.1.7", "http://192.168.1.7:1/v1"),
        ("localhost", "http://127.0.0.1:1/v1"),
    ],
)
def test_the_address_that_works_from_here(host: str, url: str) -> None:
    assert local_url(host, 1) == url
