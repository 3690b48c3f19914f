"""Stored prefixes that are damaged, foreign or gone: noticed, said once, never loaded."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from adapter.engines.llama.kv_file import (
    HEAD_BYTES,
)
from tests.wire.kv_cases import (
    OTHER,
    A,
    B,
    C,
    held,
    names,
    one_line_about,
    opened,
    path_of,
    put,
    said,
)
from tests.wire.kv_child import payload_of, same

pytestmark = pytest.mark.usefixtures("every_lookup_looks")


# --- damage


def test_every_flipped_byte_is_noticed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tokens, payload = [1, 2, 3, 4, 5], payload_of([9], 90)
    store = opened(tmp_path)
    assert store.save(tokens, payload, pinned=False) and store.wait_idle(30)
    path = path_of(tmp_path, tokens)
    good = path.read_bytes()
    assert len(good) == HEAD_BYTES + 20 + 90
    for place in range(len(good)):
        for flip in (0x01, 0x80, 0xFF):
            path.write_bytes(bytes([*good[:place], good[place] ^ flip, *good[place + 1 :]]))
            assert loaded_afresh(tmp_path, tokens) is None, (place, flip)
            assert names(tmp_path) == []
            assert one_line_about(path, caplog), (place, flip)
    path.write_bytes(good)
    assert same(loaded_afresh(tmp_path, tokens), payload)


def test_every_cut_is_noticed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tokens, payload = [1, 2, 3, 4, 5], payload_of([9], 90)
    store = opened(tmp_path)
    assert store.save(tokens, payload, pinned=False) and store.wait_idle(30)
    path = path_of(tmp_path, tokens)
    good = path.read_bytes()
    for length in [*range(len(good)), len(good) + 1, len(good) + 4096]:
        path.write_bytes(good[:length] + bytes(max(0, length - len(good))))
        assert loaded_afresh(tmp_path, tokens) is None, length
        assert names(tmp_path) == []
        assert one_line_about(path, caplog), length


def loaded_afresh(folder: Path, tokens: list[int]) -> memoryview | None:
    store = opened(folder)
    found = store.longest([*tokens, -1])
    payload = None if found is None else store.load(found.key)
    if payload is None:
        assert store.longest([*tokens, -1]) is None, "offered once at most"
    return payload


@pytest.mark.parametrize("spoil", [lambda path: path.unlink(), lambda path: os.truncate(path, 100)])
def test_a_file_that_goes_bad_after_the_lookup_is_a_miss(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, spoil: Callable[[Path], None]
) -> None:
    store = opened(tmp_path)
    put(store, A)
    found = store.longest([*A, 1])
    assert found is not None
    spoil(tmp_path / found.key)
    assert store.load(found.key) is None
    assert one_line_about(tmp_path / found.key, caplog)
    assert store.longest([*A, 1]) is None
    assert store.load(found.key) is None and said(caplog) == []


def test_a_file_that_became_another_after_the_lookup(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = opened(tmp_path)
    put(store, A, B)
    found = store.longest([*A, 1])
    assert found is not None
    os.replace(path_of(tmp_path, B), tmp_path / found.key)
    assert store.load(found.key) is None
    assert one_line_about(tmp_path / found.key, caplog)


def test_a_file_under_the_name_of_other_tokens(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = opened(tmp_path)
    put(store, B)
    path_of(tmp_path, A).write_bytes(path_of(tmp_path, B).read_bytes())
    assert store.longest([*A, 1]) is None and held(store, B)
    assert one_line_about(path_of(tmp_path, A), caplog)


def test_what_the_library_refuses_is_not_offered_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = opened(tmp_path)
    put(store, A, B)
    store.reject(path_of(tmp_path, A).name)
    assert store.longest([*A, 1]) is None and names(tmp_path) == [path_of(tmp_path, B).name]
    assert one_line_about(path_of(tmp_path, A), caplog)
    assert store.ready()
    put(store, A)


def test_a_foreign_file_is_never_loaded(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    theirs = opened(tmp_path, OTHER)
    put(theirs, A)
    ours = opened(tmp_path)
    assert ours.longest([*A, 1]) is None and ours.covered(A) == 0
    assert len(names(tmp_path)) == 1 and held(theirs, A), "and it is left alone"
    assert said(caplog) == []


def test_a_foreign_file_under_our_name_is_never_loaded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    put(opened(tmp_path, OTHER), A)
    (theirs,) = tmp_path.iterdir()
    theirs.rename(path_of(tmp_path, A))
    assert opened(tmp_path).longest([*A, 1]) is None
    assert one_line_about(path_of(tmp_path, A), caplog)


def test_other_peoples_files_are_left_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "sub.kv").mkdir()
    path_of(tmp_path, A).mkdir()
    store = opened(tmp_path, files=1)
    put(store, B, C)
    assert {"notes.txt", "sub.kv", path_of(tmp_path, A).name} < set(names(tmp_path))
    assert held(store, C) and said(caplog) == []
