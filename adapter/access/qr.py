"""A QR code for a terminal, and what is in it.

In it is JSON with the two things that every client asks for, under the names that OpenAI's SDK has for them:

    {"base_url":"http://127.0.0.1:8888/v1","api_key":"sk-fh1...."}

Not a URL: a camera offers to open one, and the key would lie in the browser's history and in the log of whatever answers there. A camera shows
JSON as text to copy, programs read it without guessing, and in Python it is `OpenAI(**json.loads(text))`.
"""

from __future__ import annotations

import json

# What a reader needs around the code is 4 (ISO/IEC 18004); phones do with 2, and the terminal keeps a narrower one in its 80 columns.
BORDER = 2
# Of the 256 colours: real black and white, which no theme changes, so that it is read on dark and on light terminals alike.
_ON, _OFF = "\x1b[38;5;16;48;5;231m", "\x1b[0m"
# Upper module, lower module -> one character, dark ones in the colour of the text.
_HALVES = {(0, 0): " ", (1, 0): "\u2580", (0, 1): "\u2584", (1, 1): "\u2588"}


def connection(base_url: str, token: str) -> str:
    """What the code says."""
    return json.dumps({"base_url": base_url, "api_key": token}, separators=(",", ":"))


def terminal_lines(text: str) -> list[str]:
    """The code, two modules to a character, each line with its own colours. Raises `ValueError` for more text than a code holds."""
    # Imported here: pure Python, and only this command needs it.
    import segno

    # The lowest correction: nothing scratches a screen, and fewer modules are larger ones.
    code = segno.make(text, error="l", boost_error=False, micro=False)
    rows = [list(row) for row in code.matrix_iter(border=BORDER)]
    if len(rows) % 2:
        rows.append([0] * len(rows[0]))
    pairs = zip(rows[::2], rows[1::2], strict=True)
    return [_ON + "".join(_HALVES[upper, lower] for upper, lower in zip(*pair, strict=True)) + _OFF for pair in pairs]


def columns(lines: list[str]) -> int:
    return len(lines[0]) - len(_ON) - len(_OFF)
