"""Log lines: one event, one line, whatever a client wrote into its request."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from adapter import log
from adapter.chat import Usage
from adapter.server.trace import Trace


@contextmanager
def set_up() -> Iterator[logging.Logger]:
    """Logging as in the real process; put back afterwards, since pytest has handlers of its own."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    log.set_up("debug")
    try:
        yield logging.getLogger("adapter.x")
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


def test_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with set_up() as logger:
        logger.warning("met engine=%s", "Grüße \N{SAILBOAT}")
    assert capsys.readouterr().out == "W adapter.x met engine=Grüße \N{SAILBOAT}\n"


def test_nobody_can_write_a_line_of_his_own(capsys: pytest.CaptureFixture[str]) -> None:
    """Also no colours for the terminal of whoever reads it, and no half surrogates that stdout refuses."""
    with set_up() as logger:
        logger.info("said=%s", "x\nE adapter forged\r\x1b[31m\u2028\udcff")
    said = r"x\nE adapter forged\r\x1b[31m\u2028\udcff"
    assert capsys.readouterr().out == f"I adapter.x said={said}\n"


def test_a_traceback_keeps_its_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with set_up() as logger:
        try:
            raise ValueError("why")
        except ValueError:
            logger.exception("failed")
    out = capsys.readouterr().out
    assert out.startswith("E adapter.x failed\nTraceback") and out.endswith("ValueError: why\n")


def test_the_line_of_a_request(caplog: pytest.LogCaptureFixture) -> None:
    trace = Trace("id1", began_s=10.0, engine="e", model="m", first_token_s=10.25, finish="stop")
    trace.usage = Usage(7, 3, cached_tokens=2)
    with caplog.at_level(logging.INFO, "adapter.request"):
        trace.log("POST", "/v1/chat/completions", 200, 11.0)
    (line,) = caplog.messages
    assert line == (
        "id=id1 POST /v1/chat/completions status=200 engine=e model=m prompt=7 cached=2 completion=3 "
        "ttft_ms=250 ms=1000 finish=stop code=-"
    )


def test_fields_cannot_be_forged(caplog: pytest.LogCaptureFixture) -> None:
    """Path and model are a client's words; spaces in them would look like other fields."""
    trace = Trace("id1", began_s=0.0, model="a.gguf status=500\n")
    with caplog.at_level(logging.INFO, "adapter.request"):
        trace.log("GET", "/x status=200", 404, 0.0)
    assert "GET '/x status=200' status=404" in caplog.text
    assert r"model='a.gguf status=500\n'" in caplog.text


@pytest.mark.parametrize("path", ["/health", "/v1/ready"])
def test_probes_are_not_worth_a_line(caplog: pytest.LogCaptureFixture, path: str) -> None:
    with caplog.at_level(logging.INFO, "adapter.request"):
        Trace("a", 0.0).log("GET", path, 200, 0.0)
        assert not caplog.messages
        Trace("a", 0.0).log("GET", path, 503, 0.0)
        assert caplog.messages
