"""What a page was not fetched for. Pure."""

from __future__ import annotations


class Refused(Exception):
    """A sentence for the model, and for the person behind it: what was not done, and why."""
