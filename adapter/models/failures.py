"""What a person is told when a model cannot be fetched, found or trusted."""

from __future__ import annotations


class ModelsError(Exception):
    """A sentence that names the cause and what to type or do. The command prints it and exits with 1."""


class Passing(Exception):
    """A failure that another try may mend: a dropped connection, a stall, a busy server.

    retry_after_s: how long the server asks to wait, if it does. connected: did we reach the server at all?
    """

    def __init__(self, message: str, *, retry_after_s: float | None = None, connected: bool = True) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.connected = connected
