"""HTML -> readable text with nothing but what is here: the means that is always there. Pure.

Headings, list items and rows of tables stay apart, code keeps its lines; navigation, scripts and what is filled in are left out. No attempt is made to guess
which part of a page is the article, except that a page's own `<main>` or `<article>` is taken at its word.
"""

from __future__ import annotations

import re

from adapter.web.markup import Tag, Text, scan

MAX_TITLE_CHARS = 300
# A title stands near the top; a page without one need not be looked through.
TITLE_CHARS = 200_000
# A page's <main> with less text than this is a shell that scripts would fill.
MIN_MAIN_CHARS = 200

_DROPPED = frozenset(
    {
        "script", "style", "noscript", "noembed", "noframes", "template", "svg", "math", "iframe", "object", "head", "nav", "footer", "aside",
        "button", "select", "textarea", "title", "dialog",
    }
)  # fmt: skip
_BLOCKS = frozenset(
    {
        "address", "article", "blockquote", "body", "caption", "dd", "details", "div", "dl", "dt", "fieldset", "figcaption", "figure", "form", "h1", "h2", "h3",
        "h4", "h5", "h6", "header", "hr", "li", "main", "ol", "p", "pre", "section", "summary", "table", "tr", "ul",
    }
)  # fmt: skip
_HEADINGS = {f"h{level}": "#" * level + " " for level in range(1, 7)}
_LINES = frozenset({"li", "tr", "dt", "dd"})


def plain_text(html: str) -> str:
    """The text of a page; "" where there is none."""
    reader = _Reader()
    for part in scan(html):
        if isinstance(part, Text):
            reader.text(part.text)
        elif part.closing:
            reader.ends(part.name)
        else:
            reader.begins(part)
    main = tidy("".join(reader.main))
    return main if len(main) >= MIN_MAIN_CHARS else tidy("".join(reader.pieces))


def title_of(html: str) -> str:
    """What `<title>` says, else the first heading; "" where neither is there."""
    heading, inside = "", ""
    for part in scan(html[:TITLE_CHARS]):
        if isinstance(part, Tag):
            inside = "" if part.closing else part.name
        elif inside == "title" and part.text.strip():
            return " ".join(part.text.split())[:MAX_TITLE_CHARS]
        elif inside in _HEADINGS and not heading:
            heading = " ".join(part.text.split())[:MAX_TITLE_CHARS]
    return heading


def tidy(text: str) -> str:
    """One blank line at most between lines, no blanks at their ends."""
    lines, empty = [], True
    for line in text.split("\n"):
        line = line.rstrip()
        if line or not empty:
            lines.append(line)
        empty = not line
    return "\n".join(lines).strip()


class _Reader:
    """Collects text. Depth is counted, not nested: a page may nest as deeply as it likes."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.main: list[str] = []
        self._dropping = ""
        self._dropped_depth = 0
        self._main_depth = 0
        self._pre = 0

    def begins(self, tag: Tag) -> None:
        name = tag.name
        if self._dropping == "head" and name == "body":  # a head that was never closed
            self._dropping = ""
        elif self._dropping:
            self._dropped_depth += name == self._dropping
            return
        if name in _DROPPED:
            if not tag.inside.endswith("/"):
                self._dropping, self._dropped_depth = name, 1
            return
        self._main_depth += name in ("main", "article")
        self._pre += name == "pre"
        if name == "br":
            self._add("\n")
        elif name in ("td", "th"):
            self._add(" | ")
        elif name in _BLOCKS:
            self._add("\n- " if name == "li" else "\n" if name in _LINES else "\n\n" + _HEADINGS.get(name, ""))
        elif name == "img" and (words := tag.value("alt").strip()):
            self._add(f"[{words[:200]}] ")

    def ends(self, name: str) -> None:
        if self._dropping:
            self._dropped_depth -= name == self._dropping
            if not self._dropped_depth:
                self._dropping = ""
            return
        if name in _BLOCKS:
            self._add("\n" if name in _LINES else "\n\n")
        self._main_depth = max(0, self._main_depth - (name in ("main", "article")))
        self._pre = max(0, self._pre - (name == "pre"))

    def text(self, text: str) -> None:
        if self._dropping:
            return
        if not self._pre:
            text = re.sub(r"\s+", " ", text)
            if not self.pieces or self.pieces[-1].endswith((" ", "\n")):
                text = text.lstrip()
        self._add(text)

    def _add(self, text: str) -> None:
        if text:
            self.pieces.append(text)
            if self._main_depth:
                self.main.append(text)
