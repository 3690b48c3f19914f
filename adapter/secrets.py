"""A secret of somebody else's, for settings of the type `Secret`: as text, from the environment, or from a file.

A configuration file is copied, shown and backed up; so what is secret may stand elsewhere, in LiteLLM's words
(`os.environ/NAME`) or in a file.
"""

from __future__ import annotations

import os
from pathlib import Path

from adapter.configuration import SettingsError

ENVIRONMENT = "os.environ/"
FILE = "file:"
# Tokens of the large providers are some 200 characters; a file far beyond that is the wrong file.
MAX_BYTES = 64 << 10


class SecretError(SettingsError):
    """A secret cannot be had. The text names the setting, the place and the remedy, and never the secret."""


def read_secret(text: str, *, setting: str) -> str:
    """The secret that `text` is or points to, without white space around it: printable ASCII, so that it fits a header.

    setting: what to call it in an error, such as `[[engine]] "phone": key`. Reads the environment or a small file, so call it once,
    at the start. Raises `SecretError`.
    """
    if text.startswith(ENVIRONMENT):
        place, secret = _from_environment(text.removeprefix(ENVIRONMENT), setting)
    elif text.startswith(FILE):
        place, secret = _from_file(text.removeprefix(FILE), setting)
    else:
        place, secret = "the configuration", text
    secret = secret.strip()
    if not secret:
        raise SecretError(f"{setting}: {place} holds nothing; put the secret there, or leave the setting out")
    if not all("!" <= char <= "~" for char in secret):
        raise SecretError(
            f"{setting}: what {place} holds cannot be sent as a key (blanks, line breaks or characters beyond ASCII "
            "in it); put the bare secret there"
        )
    return secret


def _from_environment(name: str, setting: str) -> tuple[str, str]:
    value = os.environ.get(name) if name else None
    if value is None:
        shown = f"the variable {name}" if name else "a variable's name"
        raise SecretError(
            f"{setting}: {shown} is missing in the environment that Farmhand was started in; set it, or write "
            "the secret as file:PATH"
        )
    return f"the variable {name}", value


def _from_file(name: str, setting: str) -> tuple[str, str]:
    path = Path(name).expanduser()
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else "this is no path"
        raise SecretError(f"{setting}: {path} cannot be read ({why}); check the path in file:PATH") from None
    if len(data) > MAX_BYTES:
        raise SecretError(f"{setting}: {path} is too large for a secret; check the path in file:PATH")
    # Bytes that are no UTF-8 turn into a character that no key may have.
    return str(path), data.decode("utf-8", "replace")
