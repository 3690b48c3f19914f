"""A server's refusal in words that say what to do. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from adapter.models.failures import ModelsError, Passing
from adapter.models.sources import Source

# A busy or restarting server; everything else will not get better by itself.
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
TOKENS_PAGE = "https://huggingface.co/settings/tokens"


def refusal(
    source: Source, host: str, status: int, headers: Mapping[str, str], *, token_given: bool
) -> ModelsError | Passing:
    """The error for an answer that is neither the file nor a redirect. headers: names in lower case.

    host: who answered. token_given: was HF_TOKEN set?
    """
    if status in PASSING:
        return Passing(f"{host} is busy (status {status})", retry_after_s=_seconds(headers.get("retry-after")))
    code = headers.get("x-error-code", "")
    if status in (401, 403) and source.hub:
        return _locked(source, host, status, code, token_given)
    if status in (401, 403):
        return ModelsError(
            f"{source.origin}: {host} refuses (status {status}); it wants a log-in or a newer address, "
            "and Farmhand has neither"
        )
    if code == "RevisionNotFound":
        return ModelsError(f"{source.origin}: there is no such revision; see {source.page}/tree/main")
    if status in (404, 410):
        hint = f"; see {source.page}/tree/main for what there is" if source.hub else "; check the address"
        return ModelsError(f"{source.origin}: {host} has no such file (status {status}){hint}")
    return ModelsError(f"{source.origin}: {host} answers with status {status}, which is neither the file nor a redirect")


def _locked(source: Source, host: str, status: int, code: str, token_given: bool) -> ModelsError:
    if code == "RepoNotFound" or (status == 401 and code != "GatedRepo" and not token_given):
        gated = "there is no such repository, or it is private or gated"
    else:
        gated = "the model is gated or private"
    if token_given:
        todo = f"ask for access at {source.page} with the account that HF_TOKEN belongs to"
    else:
        todo = f"ask for access at {source.page}, make a token at {TOKENS_PAGE} and set HF_TOKEN to it"
    return ModelsError(f"{source.origin}: {host} refuses (status {status}): {gated}. If it is right, {todo}")


def _seconds(text: str | None) -> float | None:
    """`Retry-After` as seconds; the form with a date is not worth a clock."""
    return float(text) if text and text.isascii() and text.isdecimal() and len(text) < 6 else None
