"""What a client's configuration consists of: files of which some lines are ours, and texts to paste. Pure; `write.py` carries it out.

Nothing of these replaces a file: whatever else stands in it stays as it is, comments and order included.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Secret:
    """A value that is shown as `sk-fh1.AbCd...` unless asked for, and makes its file private (mode 0600)."""

    value: str

    def __repr__(self) -> str:
        return "Secret(...)"


@dataclass(frozen=True, slots=True)
class Generate:
    """A secret of the client's own, of an `EnvFile`: what stands there already stays, else `write.py` makes `prefix` and 32 random characters."""

    prefix: str = "sk-"


@dataclass(frozen=True, slots=True)
class Default:
    """A value of an `EnvFile` where there is none yet; what stands there already is the user's and stays."""

    value: str


@dataclass(frozen=True, slots=True)
class Put:
    """The value at a path of keys, which are made where they are missing. absent_only: what is there already is the user's and stays."""

    path: tuple[str, ...]
    value: Any
    absent_only: bool = False


@dataclass(frozen=True, slots=True)
class PutEntries:
    """Entries of the list at `path`: those that `ours` recognizes are replaced in their place by `entries`, new ones come last."""

    path: tuple[str, ...]
    entries: tuple[Any, ...]
    ours: Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class Document:
    """A structured file and what is put into it. head: a comment for a file that does not exist yet, without comment signs; not in JSON."""

    path: Path
    syntax: Literal["json", "json5", "yaml"]
    edits: tuple[Put | PutEntries, ...]
    head: str = ""
    private: bool = False


@dataclass(frozen=True, slots=True)
class EnvFile:
    """A file of `NAME=value` lines. Private when a value is a `Secret` or made. export: lines begin with `export`, for shells."""

    path: Path
    variables: tuple[tuple[str, str | Secret | Generate | Default], ...]
    export: bool = False


@dataclass(frozen=True, slots=True)
class Snippet:
    """A text to paste, which is never written anywhere. language: of the text, for its file name in tests (`python`, `javascript`, `sh`, `text` ...)."""

    title: str
    language: str
    text: str


Part = Document | EnvFile | Snippet


@dataclass(frozen=True, slots=True)
class Connection:
    """What connects one client. notes: sentences for the person, in the order in which they matter: what is to be done by hand, what does not work."""

    parts: tuple[Part, ...]
    notes: tuple[str, ...] = ()
