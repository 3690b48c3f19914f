"""Counts from outside how often somebody opens a file: inotify, by its C library."""

from __future__ import annotations

import ctypes
import os
import select
import struct
import time
from pathlib import Path
from types import TracebackType
from typing import Self

IN_OPEN = 0x20
HEAD = struct.Struct("iIII")
# Opens that close to each other are one look.
TOGETHER_S = 1.0


class Looks:
    """folder: of the file, which may be replaced by another of its name."""

    def __init__(self, folder: Path, name: str) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._name = name.encode()
        self._fd = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0 or libc.inotify_add_watch(self._fd, os.fsencode(folder), IN_OPEN) < 0:
            raise OSError(ctypes.get_errno(), "inotify")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None) -> None:
        os.close(self._fd)

    def during(self, for_s: float) -> list[float]:
        """When there were looks, in seconds of the monotonic clock."""
        until, seen = time.monotonic() + for_s, list[float]()
        while (left_s := until - time.monotonic()) > 0:
            if select.select([self._fd], [], [], left_s)[0] and self._is_opened() and (not seen or time.monotonic() - seen[-1] > TOGETHER_S):
                seen.append(time.monotonic())
        return seen

    def _is_opened(self) -> bool:
        data, found, at = os.read(self._fd, 1 << 16), False, 0
        while at < len(data):
            _, _, _, length = HEAD.unpack_from(data, at)
            found = found or data[at + HEAD.size : at + HEAD.size + length].rstrip(b"\0") == self._name
            at += HEAD.size + length
        return found
