"""What is said while it goes on. Warnings are kept back, and said together before the last lines."""

from __future__ import annotations

import sys

from install_steps.texts import line, warning


class Report:
    """quiet: only warnings, and what is being done to the phone."""

    def __init__(self, *, quiet: bool, title: str) -> None:
        self.quiet = quiet
        self.title = title
        self.changed = False
        self.warnings: list[str] = []

    def done(self, topic: str, text: str) -> None:
        """Something that was, or is being, changed."""
        if not self.changed:
            self.changed = True
            print(self.title, flush=True)
        print(line(topic, text), flush=True)

    def warn(self, text: str) -> None:
        if text not in self.warnings:
            self.warnings.append(text)

    def plain(self, text: str) -> None:
        if not self.quiet or self.changed:
            print(text, flush=True)

    def close(self) -> None:
        sys.stdout.flush()
        for text in self.warnings:
            print(warning(text), file=sys.stderr, flush=True)
