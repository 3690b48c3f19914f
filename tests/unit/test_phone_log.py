"""The supervisor's log lines: one event, one line, and nobody is held up by a logger that does not read."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from phone import log
from phone.log import Patient


@contextmanager
def set_up() -> Iterator[logging.Logger]:
    """Logging as in the real process; put back afterwards, since pytest has handlers of its own."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    log.set_up("debug")
    try:
        yield logging.getLogger("supervisor")
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


def test_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with set_up() as logger:
        logger.warning("adapter is %s", "ready")
    assert capsys.readouterr().out == "W supervisor adapter is ready\n"


def test_no_program_can_write_a_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    with set_up() as logger:
        logger.info("said: %s", "x\nE supervisor forged\r\x1b[31m\u2028\udcff")
    said = r"x\nE supervisor forged\r\x1b[31m\u2028\udcff"
    assert capsys.readouterr().out == f"I supervisor said: {said}\n"


def test_a_logger_that_does_not_read_holds_nobody_up() -> None:
    """As svlogd on a full disk: what does not fit is dropped, and counted once it reads again."""
    reads, writes = os.pipe()
    with os.fdopen(reads, "rb", 0) as reader, os.fdopen(writes, "w") as writer:
        logger = logging.Logger("supervisor")  # noqa: LOG001 - of its own, gone with the test
        logger.addHandler(Patient(writer))
        for _ in range(2_000):  # twice what a pipe holds; without the handler's patience this never ends
            logger.info("x" * 63)
        os.set_blocking(reads, False)
        kept = _drained(reader.fileno())
        assert 0 < kept < 2_000
        logger.info("again")
        lines = os.read(reader.fileno(), 1_000).decode().splitlines()
        assert lines == [f"{2_000 - kept} lines were dropped here: the log could not be written", "again"]


def _drained(fd: int) -> int:
    """How many lines there were."""
    data = b""
    while True:
        try:
            data += os.read(fd, 65_536)
        except BlockingIOError:
            return data.count(b"\n")


def test_nobody_reads_any_more(capsys: pytest.CaptureFixture[str]) -> None:
    """The logger has died, or the output was closed: no exception reaches who has something to say."""
    reads, writes = os.pipe()
    os.close(reads)
    stream = os.fdopen(writes, "w")
    logger = logging.Logger("supervisor")  # noqa: LOG001 - of its own, gone with the test
    logger.addHandler(Patient(stream))
    logger.info("into the void")
    with pytest.raises(BrokenPipeError):
        stream.close()
    logger.info("into the closed void")
    assert "Traceback" in capsys.readouterr().err  # logging's own report, on standard error
