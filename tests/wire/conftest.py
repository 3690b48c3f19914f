"""Fixtures of the wire tests."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapter.engines.llama import kv_store


@pytest.fixture
def never_blocking() -> Iterator[None]:
    """A call of the adapter that would block the event loop fails, where `blockbuster` is installed."""
    if importlib.util.find_spec("blockbuster") is None:
        yield
        return
    from blockbuster import blockbuster_ctx

    with blockbuster_ctx("adapter"):
        yield


@pytest.fixture
def every_lookup_looks(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """The store asks its folder at each lookup, and all its log lines are seen."""
    monkeypatch.setattr(kv_store, "LOOK_S", 0.0)
    caplog.set_level(logging.INFO, "test-kv")


@pytest.fixture
def supervisor_never_blocks() -> Iterator[None]:
    """A call of the supervisor that would block its loop fails, where `blockbuster` is installed."""
    if importlib.util.find_spec("blockbuster") is None:
        yield
        return
    from blockbuster import blockbuster_ctx

    with blockbuster_ctx("phone"):
        yield


@pytest.fixture
def farm_home(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Path:
    """A folder for the phone of a supervisor, whose log lines are all seen."""
    caplog.set_level(logging.INFO, "supervisor")
    return tmp_path
