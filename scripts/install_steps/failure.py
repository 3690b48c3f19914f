"""How an installation ends early."""

from __future__ import annotations


class InstallFailed(Exception):
    """It cannot go on. The text says what happened and what to do; what was done so far stays, and is written down."""
