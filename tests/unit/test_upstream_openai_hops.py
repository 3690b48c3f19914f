"""The hop header."""

from __future__ import annotations

import pytest

from adapter.dialects.hops import check_hops, parse_hops, render_hops
from adapter.errors import LoopDetected


@pytest.mark.parametrize(
    ("header", "hops"),
    [
        (None, ()),
        ("", ()),
        ("a", ("a",)),
        ("a, b,c", ("a", "b", "c")),
        ("a,,b", ("a", "b")),
        ("a b, <script>, é, b", ("b",)),
        ("x" * 65, ()),
        (", ".join("abcdefghij"), ("a", "b", "c", "d", "e")),
        ("a," * 10_000, ("a",) * 5),
    ],
)
def test_ids_are_bounded_and_harmless(header: str | None, hops: tuple[str, ...]) -> None:
    assert parse_hops(header) == hops
    assert parse_hops(render_hops(hops)) == hops


@pytest.mark.parametrize("hops", [(), ("a",), ("a", "b", "c", "d")])
def test_a_straight_way_is_let_through(hops: tuple[str, ...]) -> None:
    check_hops(hops, "own")
    check_hops(hops, "")


@pytest.mark.parametrize("hops", [("own",), ("a", "own"), ("own", "b"), ("a", "b", "c", "d", "e")])
def test_a_loop_is_refused(hops: tuple[str, ...]) -> None:
    with pytest.raises(LoopDetected) as caught:
        check_hops(hops, "own")
    assert (caught.value.status, caught.value.code) == (400, "loop_detected")
