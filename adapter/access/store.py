"""The two files of the tokens in the state folder, and what may be done with them. Blocking: for commands, and for threads."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from adapter.access import book
from adapter.access.book import Entry, State
from adapter.access.files import close_to_others, locked, write_private
from adapter.access.grant import Grant, check_name, is_id, seal
from adapter.access.keyring import SECRET_BYTES, Keyring, parse_keyring, render_keyring

SECRET_FILE = "token-secret"
BOOK_FILE = "tokens.json"


class TokenError(Exception):
    """It cannot be done; the text is a sentence that says why and what to do."""


def read_keyring(path: Path) -> Keyring | None:
    """What `token-secret` says; `None` where there is none. Raises `TokenError` for one that cannot be used, which must let nobody in."""
    try:
        text = path.read_text(encoding="ascii")
        close_to_others(path)
        return parse_keyring(text)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as exc:  # the latter also for bytes that are no ASCII
        raise TokenError(
            f"{path}: cannot be used ({_why(exc)}); put back a copy of it, or delete it: then no token made until now is valid any more"
        ) from exc


class Store:
    """home: FARMHAND_HOME. Every method raises `TokenError`; `now_s` is wall time."""

    def __init__(self, home: Path) -> None:
        self.secret_path = home / SECRET_FILE
        self.book_path = home / BOOK_FILE

    def make(self, grant: Grant, now_s: int) -> tuple[Entry, str]:
        """A new token with the name and rights of `grant`, and an id of its own: what is kept of it, and its text.

        The name must be free: no token has it but those that are revoked or of no use any more. Of two that ask for one at once, one gets it.
        """
        try:
            check_name(grant.name)
        except ValueError as exc:
            raise TokenError(str(exc)) from None
        with _alone(self.secret_path):
            ring = self.keyring() or self._first_ring()
            entries = self.entries()
            entries, ring = self._with_room_for(grant.name, entries, ring, now_s)
            grant = replace(grant, id=_free_id(entries, ring))
            entry = Entry(grant, now_s, ring.mark)
            write_private(self.book_path, book.render_book([*entries, entry]))
        return entry, seal(grant, ring.secret)

    def revoke(self, word: str, now_s: int) -> Entry | None:
        """Revoke the token of that name or id. Once this returns no server lets it in, a running one a second later at the latest.

        `None`: no such id is in the list. It is revoked all the same: the list may have been lost, and the token be about.
        """
        with _alone(self.secret_path):
            entries, ring = self.entries(), self.keyring()
            if ring is not None and is_id(word) and book.find(entries, word) is None:
                self._write_ring(replace(ring, revoked=ring.revoked | {word}))
                return None
            entry = _found(entries, word)
            if entry.revoked_s is not None:
                raise TokenError(f"the token {entry.grant.name!r} ({entry.grant.id}) has been revoked before")
            if ring is not None:  # without it, it is refused already
                self._write_ring(replace(ring, revoked=ring.revoked | {entry.grant.id}))
            entries = book.revoke(entries, entry.grant.id, now_s)
            write_private(self.book_path, book.render_book(entries))
        return entry

    def show(self, word: str, now_s: float) -> tuple[Entry, str]:
        """The token of that name or id, if it is valid, and its text."""
        entry, ring = _found(self.entries(), word), self.keyring()
        name, state = entry.grant.name, entry.state(ring, now_s)
        again = f"make it anew with: farmhand token new {name}"
        match state:
            case State.REVOKED:
                raise TokenError(f"the token {name!r} has been revoked; {again}")
            case State.EXPIRED:
                raise TokenError(f"the token {name!r} has expired; {again}")
            case State.LOST:
                raise TokenError(f"the token {name!r} was made with a secret that is gone, so that it is not valid any more; {again}")
            case State.VALID:
                assert ring is not None
                return entry, seal(entry.grant, ring.secret)

    def entries(self) -> tuple[Entry, ...]:
        """In the order in which they were made, revoked and expired ones included."""
        try:
            text = self.book_path.read_text(encoding="utf-8")
            close_to_others(self.book_path)
            return book.parse_book(text)
        except FileNotFoundError:
            return ()
        except (OSError, ValueError) as exc:
            raise TokenError(
                f"{self.book_path}: cannot be used ({_why(exc)}); move it away to begin a new list: tokens given out stay valid, "
                "and revoked ones stay revoked"
            ) from exc

    def keyring(self) -> Keyring | None:
        return read_keyring(self.secret_path)

    def _first_ring(self) -> Keyring:
        ring = Keyring(secrets.token_bytes(SECRET_BYTES))
        self._write_ring(ring)
        return ring

    def _write_ring(self, ring: Keyring) -> None:
        write_private(self.secret_path, render_keyring(ring))

    def _with_room_for(
        self, name: str, entries: tuple[Entry, ...], ring: Keyring, now_s: int
    ) -> tuple[tuple[Entry, ...], Keyring]:
        """Without a token of that name. An expired one is revoked first: a clock that is set back must not bring it back beside the new one."""
        for entry in [one for one in entries if one.grant.name == name and one.revoked_s is None]:
            if entry.state(ring, now_s) is State.VALID:
                raise TokenError(
                    f"there is a token {name!r} already; take another name, or revoke it first with: farmhand token revoke {name}"
                )
            ring = replace(ring, revoked=ring.revoked | {entry.grant.id})
            self._write_ring(ring)
            entries = book.revoke(entries, entry.grant.id, now_s)
        return entries, ring


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Around every change: one process at a time, and a disk that fails is said in a sentence."""
    try:
        with locked(path):
            yield
    except OSError as exc:
        raise TokenError(f"{path.parent}: the tokens there cannot be changed ({_why(exc)}); check FARMHAND_HOME") from exc


def _why(exc: OSError | ValueError) -> str:
    if isinstance(exc, UnicodeDecodeError):
        return "bytes that are no text"
    return exc.strerror or str(exc) if isinstance(exc, OSError) else str(exc)


def _found(entries: tuple[Entry, ...], word: str) -> Entry:
    entry = book.find(entries, word)
    if entry is None:
        raise TokenError(f"there is no token with the name or id {word[:70]!r}; see: farmhand token list")
    return entry


def _free_id(entries: tuple[Entry, ...], ring: Keyring) -> str:
    taken = {entry.grant.id for entry in entries} | ring.revoked
    while (ident := secrets.token_hex(5)) in taken:
        pass
    return ident
