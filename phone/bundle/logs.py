"""`farmhand logs`: the services' logs as one, by time; `-f` goes on until Ctrl-C."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from phone.bundle.log_lines import Line, as_json, merged, parse, shown
from phone.places import Places
from phone.supervisor.types import SUPERVISOR, Service

NAMES = {"supervisor": SUPERVISOR, **{service.value: service.folder for service in Service}}
# There is nobody who tells that a file has grown: svlogd has no such thing, and inotify is not for all file systems of a phone.
FOLLOW_S = 0.5
# The last lines of a file are looked for in this much of it: svlogd keeps files of 500 kB.
TAIL_BYTES = 1 << 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("service", nargs="*", metavar="SERVICE", help=f"of {', '.join(NAMES)} (default: all)")
    parser.add_argument("-f", "--follow", action="store_true", help="go on showing what comes, until Ctrl-C")
    parser.add_argument("-n", "--lines", type=_count, default=50, metavar="N", help="so many lines at first (default 50)")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) > 1_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of lines; use 0 to 1000000")
    return int(text)


def run(args: argparse.Namespace, places: Places, sleep: Callable[[float], None] = time.sleep) -> int:
    """Print the logs. Returns 0, 1 where there is none, 2 for a service that does not exist, 130 after Ctrl-C."""
    if unknown := [name for name in args.service if name not in NAMES]:
        sys.stderr.write(f"farmhand: there is no service {unknown[0]!r}; there are {', '.join(NAMES)}\n")
        return 2
    chosen = args.service or [name for name in NAMES if places.log(NAMES[name]).exists()]
    files = {name: places.log(NAMES[name]) for name in chosen}
    if not any(path.exists() for path in files.values()):
        sys.stderr.write("farmhand: there is no log yet. To start the bundle: farmhand up\n")
        return 1
    show = _Shown(as_json=args.json, width=max(len(name) for name in files))
    with contextlib.ExitStack() as stack:
        followers = [stack.enter_context(contextlib.closing(Follower(name, path))) for name, path in files.items()]
        first = merged([one.tail(args.lines) for one in followers])
        show.lines(first[-args.lines :] if args.lines else [])
        try:
            while args.follow:
                sleep(FOLLOW_S)
                show.lines(merged([list(one.news()) for one in followers]))
        except KeyboardInterrupt:
            return 130
    return 0


class Follower:
    """One log, across svlogd's rotation: it renames `current` and makes another."""

    def __init__(self, name: str, path: Path) -> None:
        self._name = name
        self._path = path
        self._file: BinaryIO | None = None
        self._rest = b""

    def tail(self, lines: int) -> list[Line]:
        """The last lines, also those in the newest rotated file if `current` has fewer; `news` goes on behind them."""
        found = list(self.news(skip_to=TAIL_BYTES))
        if len(found) < lines:
            found = [*self._rotated(), *found]
        return found[-lines:] if lines else []

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _rotated(self) -> list[Line]:
        older = sorted(self._path.parent.glob("@*.[su]"))
        if not older:
            return []
        with older[-1].open("rb") as file:
            file.seek(max(0, older[-1].stat().st_size - TAIL_BYTES))
            return [self._parsed(raw) for raw in file.read().splitlines()]

    def news(self, skip_to: int | None = None) -> Iterator[Line]:
        """Complete lines since the last call. skip_to: of what is there, only about the last so many bytes."""
        if self._file is None:
            try:
                self._file = self._path.open("rb")
            except OSError:  # not there yet, or renamed at this moment: the next look finds it
                return
            size = os.fstat(self._file.fileno()).st_size
            if skip_to is not None and size > skip_to:
                self._file.seek(size - skip_to)
                self._file.readline()
        yield from self._read(self._file)
        if self._was_rotated(self._file):
            yield from self._read(self._file)  # what came between the reading and the renaming
            self.close()
            yield from self.news()

    def _read(self, file: BinaryIO) -> Iterator[Line]:
        *whole, self._rest = (self._rest + file.read()).split(b"\n")
        yield from (self._parsed(raw) for raw in whole)

    def _parsed(self, raw: bytes) -> Line:
        return parse(self._name, raw.decode("utf-8", "replace"))

    def _was_rotated(self, file: BinaryIO) -> bool:
        try:
            now, open_one = self._path.stat(), os.fstat(file.fileno())
        except OSError:
            return False
        return (now.st_dev, now.st_ino) != (open_one.st_dev, open_one.st_ino)


class _Shown:
    def __init__(self, *, as_json: bool, width: int) -> None:
        self._as_json = as_json
        self._width = width

    def lines(self, lines: Sequence[Line]) -> None:
        for line in lines:
            text = json.dumps(as_json(line), ensure_ascii=False) if self._as_json else self._plain(line)
            encoding = sys.stdout.encoding or "utf-8"
            sys.stdout.write(text.encode(encoding, "replace").decode(encoding) + "\n")
        sys.stdout.flush()

    def _plain(self, line: Line) -> str:
        return shown(line, datetime.now().astimezone().utcoffset() or timedelta(), width=self._width)
