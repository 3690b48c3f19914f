"""Fixtures of the wire tests."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

import pytest


@pytest.fixture
def never_blocking() -> Iterator[None]:
    """A call of the adapter that would block the event loop fails, where `blockbuster` is installed."""
    if importlib.util.find_spec("blockbuster") is None:
        yield
        return
    from blockbuster import blockbuster_ctx

    with blockbuster_ctx("adapter"):
        yield
