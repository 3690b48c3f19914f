"""The hash of a model file: right, worked out once, and never believed when the file is another one."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from adapter.engines.llama.kv_identity import CACHE_FILE, MOST_ENTRIES, model_hash

FALSE = "0" * 64


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF" * 100_000)
    return path


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "state" / CACHE_FILE


def plant(cache: Path) -> None:
    """Put a false hash in place of each: whoever returns it has read the cache."""
    entries = json.loads(cache.read_text())
    cache.write_text(json.dumps({path: [*state, FALSE] for path, (*state, _) in entries.items()}))


def test_it_is_the_sha256_of_the_whole_and_remembered(model: Path, cache: Path) -> None:
    assert model_hash(model, cache.parent) == sha256(model.read_bytes())
    assert [path.name for path in cache.parent.iterdir()] == [CACHE_FILE]
    assert (cache.stat().st_mode & 0o777, cache.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    plant(cache)
    assert model_hash(model, cache.parent) == FALSE
    link = model.with_name("link.gguf")
    link.symlink_to(model)
    assert model_hash(link, cache.parent) == FALSE, "known by its real path"


def test_another_file_in_its_place_is_hashed_again(model: Path, cache: Path) -> None:
    model_hash(model, cache.parent)
    plant(cache)
    status = model.stat()
    fresh = model.with_name("new")
    fresh.write_bytes(b"GGUG" * 100_000)
    os.utime(fresh, ns=(status.st_mtime_ns, status.st_mtime_ns))
    fresh.rename(model)
    assert model_hash(model, cache.parent) == sha256(b"GGUG" * 100_000), "same size, same time, another inode"
    plant(cache)
    os.utime(model, ns=(1, 1))
    assert model_hash(model, cache.parent) == sha256(b"GGUG" * 100_000), "another time"
    plant(cache)
    os.truncate(model, 8)
    os.utime(model, ns=(1, 1))
    assert model_hash(model, cache.parent) == sha256(b"GGUGGGUG"), "another size"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"MODEL": 3}',
        '{"MODEL": []}',
        '{"MODEL": [400000, 1, 1, "short"]}',
        '{"MODEL": ["400000", 1, 1, "' + FALSE + '"]}',
        '{"MODEL": [400000, true, 1, "' + FALSE + '"]}',
        '{"MODEL": [400000, 1, 1, null]}',
        "[" * 100_000,
        "\x00\xff",
    ],
)
def test_a_damaged_cache_is_ignored_and_mended(model: Path, cache: Path, text: str) -> None:
    cache.parent.mkdir()
    cache.write_text(text.replace("MODEL", str(model)), encoding="latin-1")
    true = sha256(model.read_bytes())
    assert model_hash(model, cache.parent) == true
    assert [entry[-1] for entry in json.loads(cache.read_text()).values()] == [true]


def test_a_cache_that_cannot_be_written_is_done_without(model: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert model_hash(model, tmp_path / "file" / "state") == sha256(model.read_bytes())
    (tmp_path / "dir" / CACHE_FILE).mkdir(parents=True)
    assert model_hash(model, tmp_path / "dir") == sha256(model.read_bytes())
    assert [path.name for path in (tmp_path / "dir").iterdir()] == [CACHE_FILE], "nothing half-written stays"


def test_it_does_not_grow_for_ever(model: Path, cache: Path) -> None:
    cache.parent.mkdir()
    cache.write_text(json.dumps({f"/gone/{n}": [1, 1, 1, FALSE] for n in range(3 * MOST_ENTRIES)}))
    model_hash(model, cache.parent)
    assert len(json.loads(cache.read_text())) == MOST_ENTRIES
    plant(cache)
    assert model_hash(model, cache.parent) == FALSE


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        model_hash(tmp_path / "none.gguf", tmp_path)
